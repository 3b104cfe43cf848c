//! One direction of a TCP connection of a capture, put together and cut into SIP messages.
//!
//! Segments may come late, twice or never. After a gap that does not close, reading goes on at the next message. A
//! capture is not a peer: nothing can be closed here, so what cannot be framed is passed over, always by at least one byte,
//! and what is kept between two segments is never more than the longest message and the segments that wait.

use std::collections::BTreeMap;

/// How many segments wait for a missing one. Our choice: a receive window of 64 KiB holds about 45 full segments.
const PATIENCE: usize = 64;
/// The longest message that is put together. Our choice: far above every SIP message, and no burden on memory.
const LONGEST: usize = 1 << 20;

/// One direction.
#[derive(Debug, Default)]
pub(super) struct Stream {
    next: Option<u32>,
    waiting: BTreeMap<u32, Vec<u8>>,
    /// The bytes of the segments that wait.
    waits: usize,
    buffer: Vec<u8>,
    /// How much of the buffer is known to hold no end of a head.
    searched: usize,
}

impl Stream {
    /// The connection begins: data follows this number.
    pub(super) fn begin(&mut self, sequence: u32) {
        *self = Self {
            next: Some(sequence.wrapping_add(1)),
            ..Self::default()
        };
    }

    /// Whether nothing of a message waits for the rest.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.buffer.is_empty()
    }

    /// How many bytes wait for the rest.
    pub(super) fn kept(&self) -> usize {
        self.buffer.len() + self.waits
    }

    /// Takes a segment; the messages that it completes come back.
    pub(super) fn take(&mut self, sequence: u32, data: &[u8]) -> Vec<Vec<u8>> {
        if data.is_empty() {
            return Vec::new();
        }
        self.next.get_or_insert(sequence);
        self.waits += data.len();
        let double = self.waiting.insert(sequence, data.to_vec());
        self.waits -= double.map_or(0, |double| double.len());
        if self.waiting.len() > PATIENCE {
            self.drop_first(self.buffer.len());
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
            self.waits -= data.len();
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
            let is_blank = |byte: &&u8| matches!(byte, b'\r' | b'\n');
            let blank = self.buffer.iter().take_while(is_blank).count();
            if blank > 0 {
                self.drop_first(blank);
            }
            let Some(end) = self.end_of_head() else {
                break;
            };
            let head = self.buffer.get(..end).unwrap_or_default();
            let total = (end + 4).saturating_add(content_length(head));
            if !super::dissect::is_sip(head) || total > LONGEST {
                self.drop_first(end + 4);
                continue;
            }
            if self.buffer.len() < total {
                break;
            }
            messages.push(self.drop_first(total));
        }
        if self.buffer.len() > LONGEST {
            self.drop_first(self.buffer.len());
        }
        messages
    }

    /// Where the empty line behind a head begins.
    fn end_of_head(&mut self) -> Option<usize> {
        let unsearched = self.buffer.get(self.searched..)?;
        let found = unsearched.windows(4).position(|four| four == b"\r\n\r\n");
        self.searched = match found {
            Some(at) => self.searched + at,
            None => self.buffer.len().saturating_sub(3),
        };
        found.map(|_| self.searched)
    }

    fn drop_first(&mut self, length: usize) -> Vec<u8> {
        self.searched = 0;
        self.buffer.drain(..length).collect()
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
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

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

    #[test]
    fn a_head_without_end_is_given_up_and_reading_goes_on() {
        let mut stream = Stream::default();
        let mut sequence = 0;
        let mut take = |data: &[u8]| {
            let messages = stream.take(sequence, data);
            sequence = sequence.wrapping_add(u32::try_from(data.len()).unwrap());
            (messages, stream.buffer.len())
        };
        take(b"OPTIONS sip:a SIP/2.0\r\nSubject: ");
        for _ in 0..LONGEST / 1_000 * 3 {
            let (messages, kept) = take(&[b'x'; 1_000]);
            assert!(messages.is_empty() && kept <= LONGEST);
        }
        take(b"\r\n\r\n");
        assert_eq!(take(TWO).0, [TWO.to_vec()]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn messages_are_bounded_by_the_bytes_and_do_not_depend_on_the_cuts(
            parts in vec(select(vec!["OPTIONS sip:a SIP/2.0\r\n", "l: 3\r\n", "l: 9999999\r\n", "\r\n", "\r", "abc"]), 0..40),
            size in 1_usize..60,
        ) {
            let whole = parts.concat().into_bytes();
            let cut = |size: usize| {
                let (mut stream, mut sequence) = (Stream::default(), 1_u32);
                let mut messages = Vec::new();
                for piece in whole.chunks(size) {
                    messages.extend(stream.take(sequence, piece));
                    sequence += u32::try_from(piece.len()).unwrap();
                }
                messages
            };
            let messages = cut(size);
            prop_assert!(messages.concat().len() <= whole.len());
            prop_assert!(messages.iter().all(|message| !message.is_empty()));
            prop_assert_eq!(messages, cut(1));
        }
    }
}
