//! One direction of a TCP connection of a capture, put together and cut into SIP messages.
//!
//! Segments may come late, twice or never. After a gap that does not close, reading goes on at the next message.

use std::collections::BTreeMap;

/// How many segments wait for a missing one.
const PATIENCE: usize = 64;
/// The longest message that is put together.
const LONGEST: usize = 1 << 20;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Stream {
    next: Option<u32>,
    waiting: BTreeMap<u32, Vec<u8>>,
    buffer: Vec<u8>,
}

impl Stream {
    /// The connection begins: data follows this number.
    pub(super) fn begin(&mut self, sequence: u32) {
        *self = Self {
            next: Some(sequence.wrapping_add(1)),
            ..Self::default()
        };
    }

    /// Takes a segment; the messages that it completes come back.
    pub(super) fn take(&mut self, sequence: u32, data: &[u8]) -> Vec<Vec<u8>> {
        if data.is_empty() {
            return Vec::new();
        }
        self.next.get_or_insert(sequence);
        self.waiting.insert(sequence, data.to_vec());
        if self.waiting.len() > PATIENCE {
            self.buffer.clear();
            self.next = self.waiting.keys().next().copied();
        }
        self.join();
        self.cut()
    }

    fn join(&mut self) {
        while let Some(next) = self.next {
            let ready = |sequence: &&u32| **sequence == next || is_before(**sequence, next);
            let Some(sequence) = self.waiting.keys().find(ready).copied() else {
                break;
            };
            let data = self.waiting.remove(&sequence).unwrap_or_default();
            let known = usize::try_from(next.wrapping_sub(sequence)).unwrap_or(usize::MAX);
            let fresh = data.get(known..).unwrap_or_default();
            let length = u32::try_from(fresh.len()).unwrap_or_default();
            self.next = Some(next.wrapping_add(length));
            self.buffer.extend_from_slice(fresh);
        }
    }

    fn cut(&mut self) -> Vec<Vec<u8>> {
        let mut messages = Vec::new();
        loop {
            let blank = self
                .buffer
                .iter()
                .take_while(|byte| matches!(byte, b'\r' | b'\n'))
                .count();
            self.buffer.drain(..blank);
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                break;
            };
            let head = self.buffer.get(..end).unwrap_or_default();
            if !super::read::is_sip(head) {
                self.buffer.drain(..end + 4);
                continue;
            }
            let total = (end + 4).saturating_add(content_length(head));
            if total > LONGEST {
                self.buffer.clear();
                break;
            }
            if self.buffer.len() < total {
                break;
            }
            messages.push(self.buffer.drain(..total).collect());
        }
        if self.buffer.len() > LONGEST {
            self.buffer.clear();
        }
        messages
    }
}

/// Whether a sequence number lies before another one, around the wrap.
const fn is_before(this: u32, other: u32) -> bool {
    this != other && other.wrapping_sub(this) < 1 << 31
}

/// The Content-Length of a head, long or compact name; 0 when there is none.
fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head);
    head.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| {
            let name = name.trim();
            name.eq_ignore_ascii_case("Content-Length") || name.eq_ignore_ascii_case("l")
        })
        .and_then(|(_, value)| value.trim().parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &[u8] = b"OPTIONS sip:a SIP/2.0\r\nContent-Length: 3\r\n\r\nabc";
    const TWO: &[u8] = b"SIP/2.0 200 OK\r\nl: 0\r\n\r\n";

    #[test]
    fn messages_are_cut_wherever_segments_end() {
        let whole = [ONE, b"\r\n\r\n", TWO].concat();
        for size in 1..whole.len() {
            let mut stream = Stream::default();
            stream.begin(u32::MAX - 5);
            let mut messages = Vec::new();
            let mut sequence = u32::MAX - 4;
            for piece in whole.chunks(size) {
                messages.extend(stream.take(sequence, piece));
                sequence = sequence.wrapping_add(u32::try_from(piece.len()).unwrap());
            }
            assert_eq!(messages, [ONE.to_vec(), TWO.to_vec()], "pieces of {size}");
        }
    }

    #[test]
    fn late_and_doubled_segments_are_put_in_place() {
        let mut stream = Stream::default();
        stream.begin(0);
        let (first, rest) = ONE.split_at(12);
        assert!(stream.take(13, rest).is_empty());
        assert!(stream.take(5, ONE.split_at(4).1.split_at(2).0).is_empty());
        assert_eq!(stream.take(1, first), [ONE.to_vec()]);
        assert!(stream.take(1, ONE).is_empty());
    }

    #[test]
    fn what_is_not_sip_is_passed_over() {
        let mut stream = Stream::default();
        let text = [b"GET / HTTP/1.1\r\n\r\n", TWO].concat();
        assert_eq!(stream.take(7, &text), [TWO.to_vec()]);
    }
}
