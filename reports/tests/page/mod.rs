//! The page as a reader sees it who has opened every case.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::DeflateDecoder;
use std::io::Read as _;

/// The text between two others, and what comes after them.
fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<(&'a str, &'a str)> {
    text.split_once(from)?.1.split_once(to)
}

fn blocks(page: &str) -> Vec<Vec<String>> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((packed, after)) = between(rest, "<script type=\"text/plain\"", "</script>") {
        let base64 = packed.split_once('>').unwrap().1;
        let bytes = STANDARD.decode(base64).unwrap();
        let mut text = String::new();
        let mut decoder = DeflateDecoder::new(&bytes[..]);
        decoder.read_to_string(&mut text).unwrap();
        blocks.push(text.split('\0').map(str::to_owned).collect());
        rest = after;
    }
    blocks
}

/// The page with the details of each case in its place, and without the blocks.
pub(crate) fn unpacked(page: &str) -> String {
    const BODY: &str = "<div class=\"body\">";
    let blocks = blocks(page);
    let end = page.find("<script").unwrap();
    let mut open = String::new();
    for (nth, part) in page[..end].split("<details class=\"case\"").enumerate() {
        if nth > 0 {
            open.push_str("<details class=\"case\"");
        }
        let head = part.split_once('>').unwrap().0;
        let Some((place, _)) = between(head, "data-packed=\"", "\"") else {
            open.push_str(part);
            continue;
        };
        let (block, nth) = place.split_once('.').unwrap();
        let (block, nth): (usize, usize) = (block.parse().unwrap(), nth.parse().unwrap());
        let at = between(head, "data-at=\"", "\"").unwrap().0;
        let details = blocks[block][nth].replace('\u{1}', &format!("c{at}m"));
        open.push_str(&part.replacen(BODY, &format!("{BODY}{details}"), 1));
    }
    let script = page[end..].rfind("<script>").unwrap();
    open + &page[end + script..]
}
