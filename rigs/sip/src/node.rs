//! The one shape that laboratories know: bytes in and out per interface, `now`, and the next deadline.
//!
//! The application server, the emulated base and every other peer is a `Node`. Who drives it decides whether the bytes
//! cross a socket or a queue in memory. HTTP crosses this boundary as whole requests and answers: framing HTTP is the
//! business of a library at the wire.
//!
//! SIP streams: a node never connects or accepts. It transmits on a [`Flow`]; the driver uses the open connection
//! between the two addresses or opens one, and says `FlowClosed` when it cannot or when the connection ends. A node that
//! cannot tell any more where a message begins asks for the end of the connection with [`Output::CloseFlow`].

use crate::resolution::{Answer, Question};
use crate::time::Instant;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::net::SocketAddr;

/// How SIP travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Transport {
    /// One message a datagram.
    Udp,
    /// Messages framed by Content-Length.
    Tcp,
    /// As TCP, encrypted.
    Tls,
}

impl Transport {
    /// Whether the transport retransmits by itself, so that SIP must not.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The word in a Via header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Two addresses that exchange SIP, seen from one of them. For a stream it names the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// How the bytes travel.
    pub transport: Transport,
    /// The address of the node that owns this value (its listening address, for streams too).
    pub local: SocketAddr,
    /// The address of the other side.
    pub remote: SocketAddr,
}

/// Why bytes were sent: retransmissions are results for a conformance rig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransmitReason {
    /// Sent for the first time.
    First,
    /// Sent again by the timer with this letter (RFC 3261 table 4).
    Retransmission(char),
    /// A stored response sent again because its request came again.
    Replay,
    /// Sent outside every transaction, on purpose.
    Raw,
}

/// Bytes to be put on a SIP flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transmit {
    /// Where to.
    pub flow: Flow,
    /// What.
    pub bytes: Bytes,
    /// Why.
    pub reason: TransmitReason,
}

/// Names one HTTP request until its answer; chosen by whoever sends the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub u64);

/// Why an HTTP request has no answer, in the driver's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpFailure(pub String);

/// What happens to a node.
#[derive(Clone, Debug)]
pub enum Input {
    /// A SIP datagram, or a piece of a SIP stream.
    Sip {
        /// Where it came from and on which of the node's addresses.
        flow: Flow,
        /// The bytes.
        bytes: Bytes,
    },
    /// A SIP stream could not be opened, or ended.
    FlowClosed {
        /// Which.
        flow: Flow,
    },
    /// Bytes on the node's serial line.
    Console(Bytes),
    /// An HTTP request to the node. A WebSocket begins as one: a `101` answer accepts it, and from then on the driver
    /// sends every [`Output::Event`] to that listener.
    Http {
        /// To be named in the answer.
        exchange: ExchangeId,
        /// The request, body included.
        request: http::Request<Bytes>,
    },
    /// The answer to an [`Output::Http`] of the node.
    HttpReply {
        /// Which request.
        exchange: ExchangeId,
        /// The answer, or why there is none.
        reply: Result<http::Response<Bytes>, HttpFailure>,
    },
    /// The answer to an [`Output::Resolve`] of the node.
    Resolved {
        /// What was asked.
        question: Question,
        /// What came back.
        answer: Answer,
    },
    /// Shut down cleanly: give up registrations and subscriptions, then say [`Output::Ended`].
    Shutdown,
    /// Time has passed. Early or repeated time-outs change nothing. A driver sends one when it starts the node.
    Timeout,
}

/// What a node wants.
#[derive(Clone, Debug)]
pub enum Output {
    /// Put these bytes on a SIP flow.
    Sip(Transmit),
    /// Close the connection of this SIP stream: its framing is lost (RFC 4475 §3.1.2.3). What was sent before still
    /// leaves, what has not been read is dropped, and [`Input::FlowClosed`] follows.
    CloseFlow(Flow),
    /// Put these bytes on the serial line.
    Console(Bytes),
    /// Make this HTTP request; the URI is absolute.
    Http {
        /// To be named in the answer.
        exchange: ExchangeId,
        /// The request, body included.
        request: http::Request<Bytes>,
    },
    /// Answer this HTTP request.
    HttpReply {
        /// Which.
        exchange: ExchangeId,
        /// The answer.
        response: http::Response<Bytes>,
    },
    /// Tell every WebSocket listener.
    Event(String),
    /// Resolve a name; [`Input::Resolved`] with the same question follows.
    Resolve(Question),
    /// The node has ended after [`Input::Shutdown`] and wants nothing more.
    Ended,
    /// Nothing more to do until this point in time, or until the next input.
    Timeout(Option<Instant>),
}

/// A party of a laboratory. After every `handle_input` the driver calls `poll_output` until it answers
/// [`Output::Timeout`].
pub trait Node: Send + Sync {
    /// Takes one input.
    fn handle_input(&mut self, now: Instant, input: Input);

    /// The next thing the node wants.
    fn poll_output(&mut self) -> Output;

    /// An independent copy in the same state.
    fn fork(&self) -> Box<dyn Node>;

    /// Draws everything random from this seed from now on; nothing else changes.
    fn reseed(&mut self, seed: u64);

    /// A number that is the same for two nodes in the same state, and almost surely another one else. Deadlines are part
    /// of the state; what was drained is not.
    fn digest(&self) -> u64;
}

/// The digest of a state that its `Debug` shows whole: what a machine derives.
#[must_use]
pub fn digest_of(state: &impl fmt::Debug) -> u64 {
    use fmt::Write as _;
    struct Hashing(Sha256);
    impl fmt::Write for Hashing {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            self.0.update(text.as_bytes());
            Ok(())
        }
    }
    let mut hashing = Hashing(Sha256::new());
    let written = write!(hashing, "{state:?}");
    debug_assert!(written.is_ok(), "hashing text does not fail");
    hashing
        .0
        .finalize()
        .iter()
        .take(8)
        .fold(0, |digest, byte| digest << 8 | u64::from(*byte))
}
