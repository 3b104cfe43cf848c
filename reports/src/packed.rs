//! Texts that are kept compressed: the details of a case while its run goes on, and blocks of details inside the page.
//!
//! A block is the details of several cases, compressed as one text, because cases that begin alike share most of it. The
//! page unpacks a block with the browser's own `DecompressionStream`: raw deflate (RFC 1951) in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::read::DeflateDecoder;
use flate2::{Compress, Compression, FlushCompress, Status};
use std::cell::RefCell;
use std::io::Read as _;

/// Between the cases of a block: no text of the page has it, because [`escape`](crate::ladder::escape) lets no control
/// character through.
const BETWEEN: char = '\0';

/// A compressed text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Packed(Vec<u8>);

impl Packed {
    /// Packs a text that is kept for a while.
    pub(crate) fn new(text: &str) -> Self {
        Self(KEEPING.with_borrow_mut(|compressor| deflated(text, compressor)))
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
    STANDARD.encode(deflated(
        &all,
        &mut Compress::new(Compression::default(), false),
    ))
}

thread_local! {
    /// A compressor is large: each thread has one for what it keeps, and uses it again.
    static KEEPING: RefCell<Compress> = RefCell::new(Compress::new(Compression::fast(), false));
}

fn deflated(text: &str, compressor: &mut Compress) -> Vec<u8> {
    compressor.reset();
    let (mut packed, mut rest) = (Vec::with_capacity(text.len() / 4 + 64), text.as_bytes());
    loop {
        let before = compressor.total_in();
        let status = compressor.compress_vec(rest, &mut packed, FlushCompress::Finish);
        match status.expect("memory takes everything") {
            Status::StreamEnd => return packed,
            Status::Ok | Status::BufError => {
                let taken = usize::try_from(compressor.total_in() - before);
                rest = rest.split_at(taken.expect("a part of the text")).1;
                packed.reserve(packed.len() + 64);
            }
        }
    }
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
    fn a_text_that_does_not_shrink_comes_back_too() {
        let mut state = 1_u32;
        let noise = (0..100_000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            char::from_u32(0x4e00 + (state >> 16) % 0x5000).unwrap()
        });
        let noise: String = noise.collect();
        assert_eq!(Packed::new(&noise).text(), noise);
    }

    #[test]
    fn a_block_holds_its_texts_in_order() {
        let texts = [Packed::new("one"), Packed::new(""), Packed::new("three")];
        let bytes = STANDARD.decode(block(texts.iter())).unwrap();
        assert_eq!(Packed(bytes).text(), "one\0\0three");
    }
}
