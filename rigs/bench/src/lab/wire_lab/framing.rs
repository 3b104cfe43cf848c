//! Cuts a SIP stream into messages for the tap, by Content-Length (RFC 3261 §18.3).
//!
//! Unlike the framer of the `sip` crate it never drops a byte: all pieces together are the stream, and what cannot be
//! framed passes as it came, so that the server sees what the base sent, however wrong, and closes the stream itself.
//! The law: no piece is empty, and what is kept is never more than the largest message.

use bytes::{Bytes, BytesMut};

/// More than this without a whole message is no SIP that we know; it passes uncut. Our choice: well above what a party
/// of ours reads (`sip::message::stream::DEFAULT_LIMIT`), so that it is the party that refuses it.
const LARGEST: usize = 256 << 10;

/// The unfinished end of one stream.
#[derive(Clone, Debug)]
pub(super) struct Framer {
    rest: BytesMut,
    largest: usize,
    /// How much of the rest is known to hold no end of a head.
    searched: usize,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(LARGEST)
    }
}

impl Framer {
    fn new(largest: usize) -> Self {
        Self {
            rest: BytesMut::new(),
            largest,
            searched: 0,
        }
    }

    /// Takes what came and gives back every piece that is complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Bytes> {
        self.rest.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while let Some(length) = self.piece_length() {
            pieces.push(self.take(length));
        }
        if self.rest.len() > self.largest {
            pieces.push(self.take(self.rest.len()));
        }
        pieces
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.searched = 0;
        self.rest.split_to(length).freeze()
    }

    /// The length of the first piece: line ends that keep a stream alive, or a message.
    fn piece_length(&mut self) -> Option<usize> {
        let is_blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
        let blank = self.rest.iter().take_while(is_blank).count();
        if blank > 0 {
            return Some(blank);
        }
        let unsearched = self.rest.get(self.searched..)?;
        let Some(end) = unsearched.windows(4).position(|four| four == b"\r\n\r\n") else {
            self.searched = self.rest.len().saturating_sub(3);
            return None;
        };
        self.searched += end;
        let head = self.searched + 4;
        let body = content_length(self.rest.get(..head)?).unwrap_or(0);
        let length = head.checked_add(body)?;
        (length <= self.rest.len()).then_some(length)
    }

    /// What is left when the stream ends.
    pub(super) fn finish(self) -> Option<Bytes> {
        (!self.rest.is_empty()).then(|| self.rest.freeze())
    }
}

fn content_length(head: &[u8]) -> Option<usize> {
    let head = String::from_utf8_lossy(head);
    head.split("\r\n").skip(1).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let name = name.trim();
        let ours = name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l");
        ours.then(|| value.trim().parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nl: 3\r\n\r\nabc";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n";

    #[test]
    fn messages_are_cut_wherever_the_stream_was_cut() {
        let stream = [ONE, b"\r\n\r\n", TWO].concat();
        for cut in 0..stream.len() {
            let mut framer = Framer::default();
            let mut pieces = framer.push(&stream[..cut]);
            pieces.extend(framer.push(&stream[cut..]));
            assert_eq!(pieces.concat(), stream);
            assert!(pieces.contains(&Bytes::from_static(ONE)));
            assert!(pieces.contains(&Bytes::from_static(TWO)));
            assert_eq!(framer.finish(), None);
        }
    }

    #[test]
    fn an_unfinished_message_comes_at_the_end() {
        let mut framer = Framer::default();
        assert!(framer.push(&ONE[..ONE.len() - 1]).is_empty());
        assert_eq!(framer.finish().unwrap(), &ONE[..ONE.len() - 1]);
    }

    #[test]
    fn endless_garbage_passes_uncut() {
        let mut framer = Framer::default();
        let pieces = framer.push(&vec![b'x'; LARGEST + 1]);
        assert_eq!(pieces[0].len(), LARGEST + 1);
        let absurd = b"X sip:a SIP/2.0\r\nl: 18446744073709551615\r\n\r\n";
        assert!(framer.push(absurd).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_byte_is_lost_no_piece_empty_and_little_kept(
            parts in vec(select(vec!["OPTIONS sip:a SIP/2.0\r\n", "l: 3\r\n", "l: 99999\r\n", "\r\n", "\r", "abc"]), 0..40),
            largest in 0_usize..200,
            size in 1_usize..60,
        ) {
            let stream = parts.concat().into_bytes();
            let mut framer = Framer::new(largest);
            let mut passed = Vec::new();
            for piece in stream.chunks(size) {
                let pieces = framer.push(piece);
                prop_assert!(pieces.iter().all(|piece| !piece.is_empty()));
                passed.extend(pieces.concat());
                prop_assert!(framer.rest.len() <= largest);
            }
            passed.extend(framer.finish().unwrap_or_default());
            prop_assert_eq!(passed, stream);
        }
    }
}
