//! Texts that are kept compressed: the details of a case while its run goes on, and blocks of details inside the page.
//!
//! A block is the details of several cases, compressed as one text, because cases that begin alike share most of it. The
//! page unpacks a block with the browser's own `DecompressionStream`: raw deflate (RFC 1951) in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use std::io::{Read as _, Write as _};

/// Between the cases of a block: no text of the page has it, because [`escape`](crate::ladder::escape) lets no control
/// character through.
const BETWEEN: char = '\0';

/// A compressed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Vec<u8>);

impl Packed {
    /// Packs a text that is kept for a while.
    pub(crate) fn new(text: &str) -> Self {
        Self(deflated(text, Compression::fast()))
    }

    /// The text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        DeflateDecoder::new(&self.0[..])
            .read_to_string(&mut text)
            .expect("it was packed from a text");
        text
    }
}

/// The texts as one block for the page.
pub(crate) fn block<'a>(texts: impl Iterator<Item = &'a Packed>) -> String {
    let mut all = String::new();
    for (at, packed) in texts.enumerate() {
        if at > 0 {
            all.push(BETWEEN);
        }
        all.push_str(&packed.text());
    }
    STANDARD.encode(deflated(&all, Compression::default()))
}

fn deflated(text: &str, level: Compression) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), level);
    let written = encoder.write_all(text.as_bytes());
    written
        .and_then(|()| encoder.finish())
        .expect("memory takes everything")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_as_it_was() {
        let text = "Do Not Disturb on, \u{2713}\n".repeat(500);
        let packed = Packed::new(&text);
        assert!(packed.0.len() < text.len() / 10);
        assert_eq!(packed.text(), text);
    }

    #[test]
    fn a_block_holds_its_texts_in_order() {
        let texts = [Packed::new("one"), Packed::new(""), Packed::new("three")];
        let bytes = STANDARD.decode(block(texts.iter())).unwrap();
        assert_eq!(Packed(bytes).text(), "one\0\0three");
    }
}
