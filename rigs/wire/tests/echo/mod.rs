//! A node that gives back what it is sent on every wire, and takes a few orders by datagram.

use bytes::Bytes;
use sip::node::{
    ExchangeId, Flow, Input, Node, Output, Transmit, TransmitReason, Transport, digest_of,
};
use sip::time::Instant;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc;

/// A piece of a stream that makes the node close it.
pub(crate) const HANG_UP: &[u8] = b"hang up";

/// What the node tells its test.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Closed(SocketAddr),
    Failed(String),
    Fetched(u16, String),
    Waited,
}

#[derive(Clone, Debug)]
pub(crate) struct Echo {
    notes: mpsc::UnboundedSender<Seen>,
    outputs: VecDeque<Output>,
    deadline: Option<Instant>,
    last_words: Option<SocketAddr>,
    local: Option<SocketAddr>,
    ends: bool,
}

impl Echo {
    pub(crate) fn new(notes: mpsc::UnboundedSender<Seen>) -> Self {
        Self {
            notes,
            outputs: VecDeque::new(),
            deadline: None,
            last_words: None,
            local: None,
            ends: true,
        }
    }

    pub(crate) fn that_never_ends(mut self) -> Self {
        self.ends = false;
        self
    }

    pub(crate) fn with_last_words(mut self, to: SocketAddr) -> Self {
        self.last_words = Some(to);
        self
    }

    fn send(&mut self, flow: Flow, bytes: Bytes) {
        self.outputs.push_back(Output::Sip(Transmit {
            flow,
            bytes,
            reason: TransmitReason::First,
        }));
    }

    fn on_datagram(&mut self, now: Instant, flow: Flow, bytes: Bytes) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["connect", remote, what] => {
                let stream = Flow {
                    transport: Transport::Tcp,
                    remote: remote.parse().unwrap(),
                    ..flow
                };
                self.send(stream, Bytes::copy_from_slice(what.as_bytes()));
            }
            ["fetch", uri] => self.outputs.push_back(Output::Http {
                exchange: ExchangeId(7),
                request: http::Request::get(*uri).body(Bytes::new()).unwrap(),
            }),
            ["wait", millis] => {
                self.deadline = Some(now + Duration::from_millis(millis.parse().unwrap()));
            }
            _ => self.send(flow, bytes),
        }
    }

    fn on_http(&mut self, exchange: ExchangeId, request: &http::Request<Bytes>) {
        let path = request.uri().to_string();
        let (status, event) = match request.uri().path() {
            "/events" => (101, "opened".to_owned()),
            "/forbidden" => (401, "refused".to_owned()),
            _ => (200, format!("{} {path}", request.method())),
        };
        let mut response = http::Response::builder()
            .status(status)
            .header("X-Method", request.method().as_str());
        if let Some(value) = request.headers().get("X-Rig") {
            response = response.header("X-Rig", value);
        }
        let body = format!("{path} {}", String::from_utf8_lossy(request.body()));
        self.outputs.push_back(Output::HttpReply {
            exchange,
            response: response.body(body.into()).unwrap(),
        });
        self.outputs.push_back(Output::Event(event));
    }
}

impl Node for Echo {
    fn handle_input(&mut self, now: Instant, input: Input) {
        match input {
            Input::Sip { flow, bytes } => {
                self.local = Some(flow.local);
                if flow.transport == Transport::Udp {
                    self.on_datagram(now, flow, bytes);
                } else if bytes.starts_with(HANG_UP) {
                    self.send(flow, Bytes::from_static(b"last bytes"));
                    self.outputs.push_back(Output::CloseFlow(flow));
                } else {
                    self.send(flow, bytes);
                }
            }
            Input::FlowClosed { flow } => {
                let _ = self.notes.send(Seen::Closed(flow.remote));
            }
            Input::Console(bytes) => self.outputs.push_back(Output::Console(bytes)),
            Input::Http { exchange, request } => self.on_http(exchange, &request),
            Input::HttpReply { reply, .. } => {
                let _ = self.notes.send(match reply {
                    Ok(reply) => Seen::Fetched(
                        reply.status().as_u16(),
                        String::from_utf8_lossy(reply.body()).into_owned(),
                    ),
                    Err(failure) => Seen::Failed(failure.0),
                });
            }
            Input::Resolved { .. } => {}
            Input::Shutdown => {
                if let (Some(remote), Some(local)) = (self.last_words, self.local) {
                    let flow = Flow {
                        transport: Transport::Udp,
                        local,
                        remote,
                    };
                    self.send(flow, Bytes::from_static(b"goodbye"));
                }
                if self.ends {
                    self.outputs.push_back(Output::Ended);
                }
            }
            Input::Timeout => {
                if self.deadline.is_some_and(|deadline| deadline <= now) {
                    self.deadline = None;
                    let _ = self.notes.send(Seen::Waited);
                }
            }
        }
    }

    fn poll_output(&mut self) -> Output {
        self.outputs
            .pop_front()
            .unwrap_or(Output::Timeout(self.deadline))
    }

    fn fork(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    fn reseed(&mut self, _seed: u64) {}

    fn digest(&self) -> u64 {
        digest_of(self)
    }
}
