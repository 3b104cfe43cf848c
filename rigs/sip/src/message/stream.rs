//! Cuts a byte stream into messages by Content-Length (RFC 3261 §18.3).
//!
//! Pieces go in as they arrive, whole messages come out. Empty lines between messages are keep-alives (RFC 5626
//! §4.4.1): they are dropped, and pings are counted for an owner that wants to answer them. A message above the size
//! limit is refused before its body is stored.
//!
//! What happens after an error: as long as the length is known, exactly that many bytes are skipped. When it is not
//! (no usable Content-Length, no end of the head within the limit), everything up to the next line that reads as a
//! start line is dropped. A strict peer would close the connection instead; a rig that judges the peer reads on, so
//! that one wrong message is one finding.

use super::{Lint, Message, ParseError, start_line};
use bytes::{Buf, Bytes, BytesMut};

/// Large enough for every datagram that SIP allows (RFC 3261 §18.1.1).
pub const DEFAULT_LIMIT: usize = 65_535;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At or behind the beginning of a message.
    Reading,
    /// In a message that is refused and whose end is known.
    Skipping { left: usize },
    /// Looking for a start line.
    Lost,
}

/// The framer of one direction of one stream.
#[derive(Clone, Debug)]
pub struct Framer {
    buffer: BytesMut,
    limit: usize,
    state: State,
    /// How much of the buffer is known to hold no end of a head.
    searched: usize,
    half_ping: bool,
    pings: u32,
}

impl Default for Framer {
    fn default() -> Self {
        Self::new(DEFAULT_LIMIT)
    }
}

impl Framer {
    /// A framer that refuses messages of more than `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            buffer: BytesMut::new(),
            limit,
            state: State::Reading,
            searched: 0,
            half_ping: false,
            pings: 0,
        }
    }

    /// A piece of the stream has come.
    pub fn push(&mut self, piece: &[u8]) {
        self.buffer.extend_from_slice(piece);
    }

    /// The next message or the next error; `None` when more bytes are needed.
    pub fn poll(&mut self) -> Option<Result<Message, ParseError>> {
        loop {
            match self.state {
                State::Reading => return self.poll_message(),
                State::Skipping { left } => {
                    let here = left.min(self.buffer.len());
                    self.buffer.advance(here);
                    if here < left {
                        self.state = State::Skipping { left: left - here };
                        return None;
                    }
                    self.state = State::Reading;
                }
                State::Lost => {
                    if !self.find_start_line() {
                        return None;
                    }
                    self.state = State::Reading;
                }
            }
        }
    }

    /// How many keep-alive pings (two empty lines) have come since the last call.
    pub fn take_pings(&mut self) -> u32 {
        std::mem::take(&mut self.pings)
    }

    /// Whether bytes of an unfinished message are held: the end of the stream here cuts a message in two.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        self.state != State::Reading || !self.buffer.is_empty()
    }

    fn poll_message(&mut self) -> Option<Result<Message, ParseError>> {
        self.drop_keep_alives();
        let Some(head) = self.find_end_of_head() else {
            if self.buffer.len() > self.limit {
                self.state = State::Lost;
                self.searched = 0;
                return Some(Err(self.too_large()));
            }
            return None;
        };
        let (length, missing) = match content_length(self.buffer.get(..head).unwrap_or_default()) {
            Ok(length) => (length.unwrap_or(0), length.is_none()),
            Err(error) => {
                self.take(head);
                self.state = State::Lost;
                return Some(Err(error));
            }
        };
        let whole = head.saturating_add(length);
        if whole > self.limit {
            self.searched = 0;
            self.state = State::Skipping { left: whole };
            return Some(Err(self.too_large()));
        }
        if self.buffer.len() < whole {
            return None;
        }
        let parsed = Message::parse(self.take(whole));
        Some(parsed.map(|mut message| {
            if missing {
                message.lints.push(Lint {
                    clause: "RFC 3261 §18.3",
                    text: "no Content-Length on a stream".to_owned(),
                });
            }
            message
        }))
    }

    fn drop_keep_alives(&mut self) {
        while self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
            self.searched = 0;
            self.pings += u32::from(self.half_ping);
            self.half_ping = !self.half_ping;
        }
        if !self.buffer.is_empty() && self.buffer.as_ref() != b"\r" {
            self.half_ping = false;
        }
    }

    /// The length of the head with its empty line.
    fn find_end_of_head(&mut self) -> Option<usize> {
        let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
        let found = unsearched.windows(4).position(|four| four == b"\r\n\r\n");
        if found.is_none() {
            self.searched = self.buffer.len().saturating_sub(3);
        }
        found.map(|at| self.searched + at + 4)
    }

    fn find_start_line(&mut self) -> bool {
        while let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") {
            let line = self.buffer.get(..end).unwrap_or_default();
            let line = std::str::from_utf8(line).unwrap_or_default();
            if start_line::parse(line).is_ok() {
                return true;
            }
            self.buffer.advance(end + 2);
        }
        if self.buffer.len() > self.limit {
            self.buffer.clear();
        }
        false
    }

    fn take(&mut self, length: usize) -> Bytes {
        self.searched = 0;
        self.buffer.split_to(length).freeze()
    }

    fn too_large(&self) -> ParseError {
        ParseError {
            clause: "RFC 3261 §18.3",
            text: format!("a message of more than {} bytes", self.limit),
        }
    }
}

/// The Content-Length in the bytes of a head, without reading anything else of it.
fn content_length(head: &[u8]) -> Result<Option<usize>, ParseError> {
    let refuse = |text: &str| ParseError {
        clause: "RFC 3261 §20.14",
        text: text.to_owned(),
    };
    let mut found = None;
    let mut lines = head.split(|byte| *byte == b'\n').peekable();
    while let Some(line) = lines.next() {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let (name, value) = line.split_at(colon);
        let name = name.trim_ascii();
        if !name.eq_ignore_ascii_case(b"content-length") && !name.eq_ignore_ascii_case(b"l") {
            continue;
        }
        let mut value = value
            .trim_ascii()
            .strip_prefix(b":")
            .unwrap_or_default()
            .trim_ascii();
        while let Some(more) =
            lines.next_if(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
        {
            if value.is_empty() {
                value = more.trim_ascii();
            }
        }
        let digits = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let length = std::str::from_utf8(value).ok().filter(|_| digits);
        let length = length
            .and_then(|text| text.parse::<usize>().ok())
            .ok_or_else(|| refuse("Content-Length is not a number"))?;
        if found.is_some_and(|other| other != length) {
            return Err(refuse("two Content-Length headers that differ"));
        }
        found = Some(length);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: &str = "OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\nContent-Length: 4\r\n\r\nbody";

    fn drained(framer: &mut Framer) -> Vec<Result<Message, ParseError>> {
        std::iter::from_fn(|| framer.poll()).collect()
    }

    fn bodies(framer: &mut Framer) -> Vec<Option<Vec<u8>>> {
        let drained = drained(framer);
        let body = |parsed: Result<Message, _>| parsed.ok().map(|message| message.body().to_vec());
        drained.into_iter().map(body).collect()
    }

    #[test]
    fn two_messages_in_one_piece_are_two_messages() {
        let mut framer = Framer::default();
        framer.push(format!("{OPTIONS}{OPTIONS}").as_bytes());
        assert_eq!(
            bodies(&mut framer),
            [Some(b"body".to_vec()), Some(b"body".to_vec())]
        );
        assert!(!framer.is_mid_message());
    }

    #[test]
    fn a_message_in_single_bytes_is_one_message() {
        let mut framer = Framer::default();
        let mut seen = 0;
        for byte in OPTIONS.bytes() {
            assert_eq!(seen, 0);
            framer.push(&[byte]);
            seen += drained(&mut framer).len();
        }
        assert_eq!(seen, 1);
    }

    #[test]
    fn keep_alives_are_dropped_and_pings_counted() {
        let mut framer = Framer::default();
        for piece in ["\r\n", "\r", "\n\r\n", OPTIONS, "\r\n\r\n"] {
            framer.push(piece.as_bytes());
        }
        assert_eq!(drained(&mut framer).len(), 1);
        assert_eq!(framer.take_pings(), 2);
        assert_eq!(framer.take_pings(), 0);
    }

    #[test]
    fn a_message_above_the_limit_is_skipped_by_its_length() {
        let mut framer = Framer::new(200);
        let large = "OPTIONS sip:a@b SIP/2.0\r\nl: 100000\r\n\r\n";
        framer.push(large.as_bytes());
        assert!(matches!(framer.poll(), Some(Err(_))));
        for _ in 0..100 {
            framer.push(&[b'x'; 1000]);
            assert!(framer.poll().is_none());
            assert!(framer.buffer.is_empty(), "the body is not stored");
        }
        framer.push(OPTIONS.as_bytes());
        assert_eq!(bodies(&mut framer), [Some(b"body".to_vec())]);
    }

    #[test]
    fn a_head_without_end_is_refused_at_the_limit() {
        let mut framer = Framer::new(100);
        framer.push(&[b'x'; 101]);
        assert!(matches!(framer.poll(), Some(Err(_))));
        framer.push(format!("\r\n{OPTIONS}").as_bytes());
        assert_eq!(bodies(&mut framer), [Some(b"body".to_vec())]);
    }

    #[test]
    fn an_unreadable_length_loses_only_the_message_it_belongs_to() {
        for length in ["-3", "x", "", "4\r\nl: 5", "99999999999999999999999"] {
            let mut framer = Framer::default();
            let odd = format!("OPTIONS sip:a@b SIP/2.0\r\nl: {length}\r\n\r\nsome body\r\n");
            framer.push(odd.as_bytes());
            framer.push(OPTIONS.as_bytes());
            assert_eq!(
                bodies(&mut framer),
                [None, Some(b"body".to_vec())],
                "{length}"
            );
        }
    }

    #[test]
    fn a_broken_header_loses_only_its_message() {
        let mut framer = Framer::default();
        let odd = "OPTIONS sip:a@b SIP/2.0\r\nno colon\r\nl: 4\r\n\r\nbody";
        framer.push(format!("{odd}{OPTIONS}").as_bytes());
        assert_eq!(bodies(&mut framer), [None, Some(b"body".to_vec())]);
    }

    #[test]
    fn a_folded_compact_length_is_read() {
        let mut framer = Framer::default();
        framer.push(b"OPTIONS sip:a@b SIP/2.0\r\nL :\r\n\t 2\r\n\r\nhiOPT");
        assert_eq!(bodies(&mut framer), [Some(b"hi".to_vec())]);
        assert!(framer.is_mid_message());
    }

    #[test]
    fn a_missing_length_is_zero_and_noted() {
        let mut framer = Framer::default();
        framer.push(b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n");
        let message = framer.poll().expect("whole").expect("readable");
        assert_eq!(message.lints().len(), 1);
    }
}
