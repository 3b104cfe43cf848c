//! Cuts a SIP stream into messages for the tap, by Content-Length (RFC 3261 §18.3).
//!
//! Unlike the framer of the `sip` crate it never drops a byte: all pieces together are the stream, and what cannot be
//! framed passes as it came, so that the server sees what the base sent, however wrong.

use bytes::{Bytes, BytesMut};

/// More than this without a whole message is no SIP that we know; it passes uncut.
const LARGEST: usize = 256 << 10;

/// The unfinished end of one stream.
#[derive(Clone, Debug, Default)]
pub(super) struct Framer {
    rest: BytesMut,
}

impl Framer {
    /// Takes what came and gives back every piece that is complete.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Vec<Bytes> {
        self.rest.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        while let Some(length) = piece_length(&self.rest) {
            pieces.push(self.rest.split_to(length).freeze());
        }
        if self.rest.len() > LARGEST {
            pieces.push(self.rest.split().freeze());
        }
        pieces
    }

    /// What is left when the stream ends.
    pub(super) fn finish(self) -> Option<Bytes> {
        (!self.rest.is_empty()).then(|| self.rest.freeze())
    }
}

/// The length of the first piece: line ends that keep a stream alive, or a message.
fn piece_length(bytes: &[u8]) -> Option<usize> {
    let blank = bytes
        .iter()
        .take_while(|byte| matches!(byte, b'\r' | b'\n'))
        .count();
    if blank > 0 {
        return Some(blank);
    }
    let head = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let body = content_length(bytes.get(..head)?).unwrap_or(0);
    let length = head.checked_add(body)?;
    (length <= bytes.len()).then_some(length)
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
}
