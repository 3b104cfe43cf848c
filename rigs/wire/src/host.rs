//! Drives one node on real wires from start to graceful end.
//!
//! The node is told the time at start, then every arrival and every due deadline, and after each all it wants is carried
//! out. When asked to stop it gets `Shutdown` and a bounded time to say `Ended`; its last bytes still leave.
//!
//! | state | arrival | deadline | stop asked | `Ended` | bound reached |
//! |---|---|---|---|---|---|
//! | running | to the node | `Timeout` | `Shutdown`, -> stopping | close | - |
//! | stopping | to the node | `Timeout` | - | close | close, node abandoned |

use crate::arrival::{Arrival, Arrivals};
use crate::clock::{LabClock, until};
use crate::error::WireError;
use crate::fetch::Fetcher;
use crate::http_face::Answer;
use crate::sockets::Sockets;
use crate::tap::{Observer, Sighting};
use bytes::Bytes;
use sip::node::{ExchangeId, Flow, HttpFailure, Input, Node, Output, Transmit, TransmitReason};
use sip::resolution::ResolutionFailure;
use sip::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;
use tracing::{debug, info, trace, warn};

/// How long a node may take to end: our choice.
const END_LIMIT: Duration = Duration::from_secs(5);
/// More outputs than this after one input never end.
const PATIENCE: u32 = 1_000_000;
/// HTTP requests that a node may leave unanswered before the oldest is given up: our choice.
const OPEN_REQUESTS: usize = 4096;

/// How a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It did not say so in time after it was asked to.
    Abandoned,
    /// It said so.
    Complete,
}

/// How many pieces of SIP crossed the sockets; logged at the end.
#[derive(Clone, Copy, Debug, Default)]
struct Traffic {
    received: u64,
    sent: u64,
    /// Sent again by a timer: nobody had answered.
    retransmitted: u64,
    /// Answers sent again, because their requests came again.
    replayed: u64,
}

impl Traffic {
    const fn count(&mut self, reason: TransmitReason) {
        self.sent += 1;
        match reason {
            TransmitReason::Retransmission(_) => self.retransmitted += 1,
            TransmitReason::Replay => self.replayed += 1,
            TransmitReason::First | TransmitReason::Raw => {}
        }
    }
}

/// A node with the sockets it is driven on.
#[derive(Debug)]
pub struct Host<N> {
    node: N,
    sockets: Sockets,
    fetcher: Fetcher,
    clock: LabClock,
    unanswered: BTreeMap<ExchangeId, Answer>,
    exchanges: u64,
    traffic: Traffic,
    /// Inputs that came up while outputs were carried out.
    pending: VecDeque<Input>,
    ended: bool,
}

impl<N: Node> Host<N> {
    /// Puts a node on its sockets. The lab clock starts now.
    ///
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(sockets: Sockets, node: N) -> Result<Self, WireError> {
        Ok(Self {
            node,
            sockets,
            fetcher: Fetcher::new()?,
            clock: LabClock::start(),
            unanswered: BTreeMap::new(),
            exchanges: 0,
            traffic: Traffic::default(),
            pending: VecDeque::new(),
            ended: false,
        })
    }

    /// Uses this HTTP client instead of a plain one.
    #[must_use]
    pub fn with_fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = fetcher;
        self
    }

    /// Runs the node until it ends by itself, or `stop` completes and the node has shut down.
    pub async fn run(
        mut self,
        stop: impl Future<Output = ()>,
        observer: &mut impl Observer<N>,
    ) -> (N, Ending) {
        observer.bound(&self.sockets);
        let mut stop = std::pin::pin!(stop);
        let mut give_up = None;
        let mut deadline = self.feed(Input::Timeout, observer).await;
        let ending = loop {
            if self.ended {
                break Ending::Complete;
            }
            let input = tokio::select! {
                arrival = self.sockets.arrived.recv() => match arrival {
                    Some(arrival) => self.input(arrival),
                    // The host itself holds a sender.
                    None => unreachable!("the channel of arrivals is closed while its host runs"),
                },
                () = until(self.clock, deadline) => Some(Input::Timeout),
                () = &mut stop, if give_up.is_none() => {
                    debug!("asked to stop");
                    give_up = Some(self.clock.now() + END_LIMIT);
                    Some(Input::Shutdown)
                }
                () = until(self.clock, observer.wake()) => {
                    observer.settled(self.clock.now(), &self.node);
                    None
                }
                () = until(self.clock, give_up) => break Ending::Abandoned,
            };
            if let Some(input) = input {
                deadline = self.feed(input, observer).await;
            }
        };
        if ending == Ending::Abandoned {
            warn!(limit = ?END_LIMIT, "the node did not end in time");
        }
        let Traffic {
            received,
            sent,
            retransmitted,
            replayed,
        } = self.traffic;
        info!(received, sent, retransmitted, replayed, "sip ended");
        let Self { node, sockets, .. } = self;
        let Sockets {
            flows,
            console,
            web,
            arrived,
            ..
        } = sockets;
        // Nobody reads arrivals any more: faces that wait to post one must not wait for ever.
        drop(arrived);
        tokio::join!(
            flows.close(),
            async {
                if let Some(console) = console {
                    console.close().await;
                }
            },
            async {
                if let Some(web) = web {
                    web.close().await;
                }
            },
        );
        (node, ending)
    }

    /// What an arrival is to the node.
    fn input(&mut self, arrival: Arrival) -> Option<Input> {
        match arrival {
            // The node was told that this connection has ended: a rest of it must not be taken for a new one.
            Arrival::Sip { connection, .. } if connection.is_given_up() => None,
            Arrival::Sip { flow, bytes, .. } => Some(Input::Sip { flow, bytes }),
            Arrival::FlowClosed { flow } => Some(Input::FlowClosed { flow }),
            Arrival::Console(bytes) => Some(Input::Console(bytes)),
            Arrival::Http { request, answer } => {
                self.exchanges += 1;
                let exchange = ExchangeId(self.exchanges);
                if self.unanswered.len() >= OPEN_REQUESTS {
                    warn!("the node leaves requests unanswered; the oldest is given up");
                    self.unanswered.pop_first();
                }
                self.unanswered.insert(exchange, answer);
                Some(Input::Http { exchange, request })
            }
            Arrival::HttpReply { exchange, reply } => Some(Input::HttpReply { exchange, reply }),
            // Only a rig opens lines, listens to events and starts processes.
            Arrival::ConsoleClosed(_)
            | Arrival::Event(_)
            | Arrival::EventsClosed(_)
            | Arrival::Exited(_)
            | Arrival::Line(_) => None,
        }
    }

    /// Gives the node one input, and what follows from it, and carries out all it wants. Answers the next deadline.
    async fn feed(&mut self, input: Input, observer: &mut impl Observer<N>) -> Option<Instant> {
        self.pending.push_back(input);
        let mut deadline = None;
        while let Some(input) = self.pending.pop_front() {
            let now = self.clock.now();
            if let Input::Sip { flow, bytes } = &input {
                self.traffic.received += 1;
                trace!(%flow.remote, size = bytes.len(), "sip received");
                let sighting = Sighting {
                    flow: *flow,
                    sent: None,
                    bytes: bytes.clone(),
                };
                observer.sip(now, &sighting);
            }
            self.node.handle_input(now, input);
            deadline = self.drain(now, observer).await;
            observer.settled(now, &self.node);
        }
        deadline
    }

    async fn drain(&mut self, now: Instant, observer: &mut impl Observer<N>) -> Option<Instant> {
        for _ in 0..PATIENCE {
            match self.node.poll_output() {
                Output::CloseFlow(flow) => self.close_flow(flow),
                Output::Sip(transmit) => self.transmit(now, transmit, observer).await,
                Output::Console(bytes) => {
                    if let Some(console) = &self.sockets.console {
                        console.write(bytes);
                    }
                }
                Output::Http { exchange, request } => self.fetch(exchange, request),
                Output::HttpReply { exchange, response } => self.answer(exchange, response),
                Output::Event(text) => {
                    if let Some(web) = &self.sockets.web {
                        web.publish(text);
                    }
                }
                // A program on its own has no resolver: it is as if nobody answered.
                Output::Resolve(question) => self.pending.push_back(Input::Resolved {
                    question,
                    answer: Err(ResolutionFailure::NoResponse),
                }),
                Output::Ended => self.ended = true,
                Output::Timeout(deadline) => return deadline,
            }
        }
        panic!("a node ends its outputs with a time-out, this one goes on after {PATIENCE}");
    }

    async fn transmit(&mut self, now: Instant, out: Transmit, observer: &mut impl Observer<N>) {
        let Transmit {
            flow,
            bytes,
            reason,
        } = out;
        self.traffic.count(reason);
        if matches!(
            reason,
            TransmitReason::Retransmission(_) | TransmitReason::Replay
        ) {
            debug!(%flow.remote, ?reason, "sip sent again");
        }
        trace!(%flow.remote, size = bytes.len(), ?reason, "sip sent");
        let sighting = Sighting {
            flow,
            sent: Some(reason),
            bytes: bytes.clone(),
        };
        observer.sip(now, &sighting);
        if self.sockets.flows.send(flow, bytes).await.is_err() {
            self.pending.push_back(Input::FlowClosed { flow });
        }
    }

    fn close_flow(&mut self, flow: Flow) {
        debug!(remote = %flow.remote, "stream closed: its framing is lost");
        self.sockets.flows.end(flow);
        self.pending.push_back(Input::FlowClosed { flow });
    }

    fn fetch(&self, exchange: ExchangeId, request: http::Request<Bytes>) {
        let fetcher = self.fetcher.clone();
        let arrivals: Arrivals = self.sockets.arrivals.clone();
        tokio::spawn(async move {
            let reply = fetcher
                .fetch(request)
                .await
                .map_err(|error| HttpFailure(error.to_string()));
            let _ = arrivals.send(Arrival::HttpReply { exchange, reply }).await;
        });
    }

    fn answer(&mut self, exchange: ExchangeId, response: http::Response<Bytes>) {
        match (self.unanswered.remove(&exchange), &self.sockets.web) {
            (Some(answer), Some(web)) => web.answer(answer, response),
            _ => warn!(?exchange, "the node answered a request that is not open"),
        }
    }
}
