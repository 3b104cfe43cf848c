//! Cuts a byte stream into messages by Content-Length (RFC 3261 §18.3).
//!
//! Pieces go in as they arrive, whole messages come out. Empty lines between messages are keep-alives (RFC 5626
//! §4.4.1): they are dropped, and nobody answers a ping, which a flow does not need that nobody has agreed to keep alive.
//!
//! **The law**: each poll that answers consumes at least one byte, or it closes the stream for good. So the polls that
//! answer are never more than the bytes that came, and what is held after a `None` is never more than the limit.
//!
//! | what comes | answer | and then |
//! |---|---|---|
//! | a message above the limit, its length known | error, before its body is stored | exactly that many bytes are skipped |
//! | a message that cannot be read, its length known | error | the next message is read |
//! | a head without end within the limit, or without a usable Content-Length | error | closed: everything is dropped |
//!
//! Closed is what RFC 4475 §3.1.2.3 and §3.3.9 ask for: where a message ends without saying where, the error cannot be
//! recovered from, and the owner closes the connection ([`Framer::is_closed`]).

use super::{Lint, Message, ParseError};
use bytes::{Buf, Bytes, BytesMut};

/// Large enough for every datagram that SIP allows (RFC 3261 §18.1.1).
pub const DEFAULT_LIMIT: usize = 65_535;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// At or behind the beginning of a head.
    Head,
    /// Behind a head that is held, whose message is `whole` bytes long and within the limit.
    Body { whole: usize, is_stated: bool },
    /// In a message that is refused and whose end is known.
    Skipping { left: usize },
    /// Nobody knows where the next message begins.
    Closed,
}

/// The framer of one direction of one stream.
#[derive(Clone, Debug)]
pub struct Framer {
    buffer: BytesMut,
    limit: usize,
    state: State,
    /// How much of the buffer is known to hold no end of a head.
    searched: usize,
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
            state: State::Head,
            searched: 0,
        }
    }

    /// A piece of the stream has come. On a closed stream it is dropped.
    pub fn push(&mut self, piece: &[u8]) {
        if self.state != State::Closed {
            self.buffer.extend_from_slice(piece);
        }
    }

    /// The next message or the next error; `None` when more bytes are needed, and always on a closed stream.
    pub fn poll(&mut self) -> Option<Result<Message, ParseError>> {
        if let State::Skipping { left } = self.state {
            self.skip(left);
        }
        if self.state == State::Head
            && let Err(error) = self.read_head()
        {
            return Some(Err(error));
        }
        let State::Body { whole, is_stated } = self.state else {
            return None;
        };
        if self.buffer.len() < whole {
            return None;
        }
        self.state = State::Head;
        let parsed = Message::parse(self.take(whole));
        Some(parsed.map(|mut message| {
            if !is_stated {
                message.lints.push(Lint {
                    clause: "RFC 3261 §18.3",
                    text: "no Content-Length on a stream".to_owned(),
                });
            }
            message
        }))
    }

    /// Whether bytes of an unfinished message are held: the end of the stream here cuts a message in two.
    #[must_use]
    pub fn is_mid_message(&self) -> bool {
        matches!(self.state, State::Skipping { .. }) || !self.buffer.is_empty()
    }

    /// Whether the framing is lost: nothing comes out any more, and the owner closes the connection.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// How many bytes are held. Once [`poll`](Self::poll) has answered `None`, never more than the limit.
    #[must_use]
    pub fn held(&self) -> usize {
        self.buffer.len()
    }

    fn skip(&mut self, left: usize) {
        let here = left.min(self.buffer.len());
        self.buffer.advance(here);
        self.state = match left - here {
            0 => State::Head,
            left => State::Skipping { left },
        };
    }

    /// Looks for the end of a head and moves on behind it.
    fn read_head(&mut self) -> Result<(), ParseError> {
        self.drop_keep_alives();
        let head = self.find_end_of_head();
        // A head that ends behind the limit closes too: how the stream was cut must not matter.
        if head.unwrap_or(self.buffer.len()) > self.limit {
            self.close();
            return Err(self.too_large());
        }
        let Some(head) = head else { return Ok(()) };
        let stated = match content_length(self.buffer.get(..head).unwrap_or_default()) {
            Ok(stated) => stated,
            Err(error) => {
                self.close();
                return Err(error);
            }
        };
        let body = stated.unwrap_or(0);
        let whole = head.saturating_add(body);
        if whole > self.limit {
            self.take(head);
            self.state = State::Skipping { left: body };
            return Err(self.too_large());
        }
        self.state = State::Body {
            whole,
            is_stated: stated.is_some(),
        };
        Ok(())
    }

    fn drop_keep_alives(&mut self) {
        while self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
            self.searched = 0;
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

    fn take(&mut self, length: usize) -> Bytes {
        self.searched = 0;
        self.buffer.split_to(length).freeze()
    }

    fn close(&mut self) {
        self.buffer = BytesMut::new();
        self.state = State::Closed;
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
        // The continuation of another header, whatever it looks like (RFC 3261 §7.3.1).
        if is_continuation(line) {
            continue;
        }
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
        while let Some(more) = lines.next_if(|line| is_continuation(line)) {
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

fn is_continuation(line: &[u8]) -> bool {
    line.starts_with(b" ") || line.starts_with(b"\t")
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
    fn keep_alives_are_dropped() {
        let mut framer = Framer::default();
        for piece in ["\r\n", "\r", "\n\r\n", OPTIONS, "\r\n\r\n"] {
            framer.push(piece.as_bytes());
        }
        assert_eq!(drained(&mut framer).len(), 1);
        assert!(!framer.is_mid_message());
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
    fn a_head_without_end_within_the_limit_closes_the_stream() {
        // With a good start line, and with none.
        for begin in ["OPTIONS sip:a@b SIP/2.0\r\nSubject: ", "\r\nx"] {
            let mut framer = Framer::new(100);
            framer.push(begin.as_bytes());
            framer.push(&[b'x'; 101]);
            assert!(matches!(framer.poll(), Some(Err(_))), "{begin}");
            assert!(framer.is_closed());
            framer.push(format!("\r\n\r\n{OPTIONS}").as_bytes());
            assert_eq!(framer.poll(), None);
            assert_eq!(framer.held(), 0);
        }
    }

    #[test]
    fn an_unreadable_length_closes_the_stream() {
        for length in ["-3", "x", "", "4\r\nl: 5", "99999999999999999999999"] {
            let mut framer = Framer::default();
            let odd = format!("OPTIONS sip:a@b SIP/2.0\r\nl: {length}\r\n\r\nsome body\r\n");
            framer.push(odd.as_bytes());
            framer.push(OPTIONS.as_bytes());
            assert_eq!(bodies(&mut framer), [None], "{length}");
            assert!(framer.is_closed());
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
    fn a_folded_line_that_looks_like_a_length_is_none() {
        for fold in ["\r\n l: 5", "\r\n\tContent-Length: 5"] {
            let mut framer = Framer::default();
            let subject = format!("Subject: a{fold} see below\r\n");
            framer.push(
                OPTIONS
                    .replacen("Call", &format!("{subject}Call"), 1)
                    .as_bytes(),
            );
            framer.push(OPTIONS.as_bytes());
            let whole = Some(b"body".to_vec());
            assert_eq!(bodies(&mut framer), [whole.clone(), whole], "{fold:?}");
        }
    }

    #[test]
    fn a_missing_length_is_zero_and_noted() {
        let mut framer = Framer::default();
        framer.push(b"OPTIONS sip:a@b SIP/2.0\r\nCall-ID: 1\r\n\r\n");
        let message = framer.poll().expect("whole").expect("readable");
        assert_eq!(message.lints().len(), 1);
    }
}
