//! What comes in from a wire, before anyone has decided which node it is for.
//!
//! Every face posts its arrivals on the channel it was given. A channel is bounded: when its reader is slow the faces
//! stop reading, and the kernel's buffers (and then the other side) hold the rest.

use crate::http_face::Answer;
use crate::process::Exit;
use bytes::Bytes;
use sip::node::{ExchangeId, Flow, HttpFailure};
use tokio::sync::{mpsc, watch};

/// Where faces post.
pub type Arrivals = mpsc::Sender<Arrival>;

/// How many arrivals wait before the faces stop reading: our choice.
const WAITING: usize = 1024;

/// A channel for arrivals.
#[must_use]
pub fn channel() -> (Arrivals, mpsc::Receiver<Arrival>) {
    mpsc::channel(WAITING)
}

/// The connection that a piece of a SIP stream came on; a datagram has none.
#[derive(Clone, Debug, Default)]
pub struct Connection(pub(crate) Option<watch::Receiver<bool>>);

impl Connection {
    /// Whether its owner has given it up since: what it still brings is of no interest.
    #[must_use]
    pub fn is_given_up(&self) -> bool {
        self.0.as_ref().is_some_and(|given_up| *given_up.borrow())
    }
}

/// One thing that came in.
#[derive(Debug)]
pub enum Arrival {
    /// A SIP datagram, or a piece of a SIP stream.
    Sip {
        /// The flow as its local owner names it.
        flow: Flow,
        /// What carried it.
        connection: Connection,
        /// The bytes.
        bytes: Bytes,
    },
    /// A SIP stream ended or could not be opened.
    FlowClosed {
        /// Which.
        flow: Flow,
    },
    /// Bytes on a serial line.
    Console(Bytes),
    /// A serial line that was opened is gone; the text says why.
    ConsoleClosed(String),
    /// A request at an HTTP face.
    Http {
        /// The request, body included.
        request: http::Request<Bytes>,
        /// Where the answer goes.
        answer: Answer,
    },
    /// The answer to a request of ours.
    HttpReply {
        /// Which request.
        exchange: ExchangeId,
        /// The answer, or why there is none.
        reply: Result<http::Response<Bytes>, HttpFailure>,
    },
    /// A text message of a WebSocket that we listen to.
    Event(String),
    /// A WebSocket that we listened to has ended; the text says why.
    EventsClosed(String),
    /// A line on the standard output of a process of ours.
    Line(String),
    /// A process of ours has ended.
    Exited(Exit),
}
