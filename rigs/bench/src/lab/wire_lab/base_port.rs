//! The base as the wire laboratory reaches it: a process or a real base, its serial line and its web interface.
//!
//! An emulated base says in one JSON line where it listens, once it is ready. What is typed or asked before waits. Its
//! end is told with its exit status and last words; a base that ends unasked is a fault of the rig, never of firmware.
//!
//! | state | power on | line with addresses | exit | asked to end | power off |
//! |---|---|---|---|---|---|
//! | off | start, -> starting | - | - | tell its end | - |
//! | starting | - | open what waits, -> on | broken, -> off | SIGTERM, -> ending | kill, -> off |
//! | on | - | - | broken, -> off | SIGTERM, -> ending | kill, -> off |
//! | ending | - | - | tell its end, -> off | - | kill, -> off |

use crate::error::RigError;
use crate::lab::Indication;
use bytes::Bytes;
use sip::node::{ExchangeId, Flow, HttpFailure};
use sip::time::Instant;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::debug;
use wire::arrival::{Arrival, Arrivals, channel};
use wire::fetch::Fetcher;
use wire::process::{Exit, Process};
use wire::serial::SerialLine;
use wire::web::{EventStream, Opened, asks_for_websocket, listen};

/// How long an emulated base may take to say where it listens: our choice, because a process starts in seconds even on a
/// loaded machine.
const START_LIMIT: Duration = Duration::from_secs(15);
/// How long a base may take to end when asked: our choice, because it may still unsubscribe and de-register.
const END_LIMIT: Duration = Duration::from_secs(10);

/// What stands on the bench.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireBase {
    /// An emulated base, run as a child process.
    Emulated {
        /// The program whose subcommand `base` is an emulated base.
        command: PathBuf,
        /// The model's name.
        model: String,
        /// Its MAC address: 12 hexadecimal digits, lower case.
        mac: String,
        /// Further arguments.
        arguments: Vec<OsString>,
    },
    /// A real base. It has its own power supply.
    Real {
        /// Where it is expected to speak SIP.
        sip: SocketAddr,
        /// Its console: a device, or `tcp://IP:PORT`.
        console: Option<String>,
        /// The URL of its web interface.
        web: Option<String>,
    },
}

/// The end of one HTTP exchange.
#[derive(Debug)]
pub(super) struct Answered {
    exchange: ExchangeId,
    reply: Result<http::Response<Bytes>, HttpFailure>,
    stream: Option<EventStream>,
}

/// The base and the lines to it.
#[derive(Debug)]
pub(super) struct BasePort {
    kind: WireBase,
    baud: u32,
    state: State,
    lines: Lines,
    fetcher: Fetcher,
    arrivals: Arrivals,
    pub(super) arrived: mpsc::Receiver<Arrival>,
    pub(super) answers: JoinSet<Answered>,
    asked: BTreeSet<ExchangeId>,
    events: Option<EventStream>,
}

#[derive(Debug)]
enum State {
    Off,
    /// The emulated base runs; it says where it listens before this time.
    Starting(Process, Instant),
    /// On. A real base has no process.
    On(Option<Process>),
    /// It was asked to end and does so before this time.
    Ending(Process, Instant),
}

/// How the base is reached, as far as known.
#[derive(Debug, Default)]
struct Lines {
    sip: Option<SocketAddr>,
    /// Where its present boot is known to take datagrams.
    ears: BTreeSet<SocketAddr>,
    console: Option<SerialLine>,
    web: Option<String>,
    typed: Vec<Bytes>,
    requests: Vec<(ExchangeId, http::Request<Bytes>)>,
}

impl BasePort {
    pub(super) fn new(kind: WireBase, baud: u32) -> Result<Self, RigError> {
        let (arrivals, arrived) = channel();
        Ok(Self {
            kind,
            baud,
            state: State::Off,
            lines: Lines::default(),
            fetcher: Fetcher::new().map_err(|error| broken("the HTTP client", &error))?,
            arrivals,
            arrived,
            answers: JoinSet::new(),
            asked: BTreeSet::new(),
            events: None,
        })
    }

    /// Where the base speaks SIP, as far as known.
    pub(super) fn sip(&self) -> Option<SocketAddr> {
        match &self.kind {
            WireBase::Real { sip, .. } => Some(*sip),
            WireBase::Emulated { .. } => self.lines.sip,
        }
    }

    pub(super) fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
    }

    /// It has sent something from this flow's other end, so it takes datagrams there.
    pub(super) fn heard(&mut self, flow: Flow) {
        if !flow.transport.is_reliable() && !self.is_off() {
            self.lines.ears.insert(flow.remote);
        }
    }

    /// Whether what is put on this flow reaches it. Each process of an emulated base has a port of its own, so a datagram
    /// for an earlier one reaches nobody. Where a real base listens is its own affair.
    pub(super) fn hears(&self, flow: Flow) -> bool {
        let known = flow.transport.is_reliable() || self.lines.ears.contains(&flow.remote);
        !self.is_off() && (known || matches!(self.kind, WireBase::Real { .. }))
    }

    /// Switches it on. Needs the runtime.
    pub(super) async fn power_on(
        &mut self,
        now: Instant,
        bind: IpAddr,
        provisioning: &str,
    ) -> Result<(), RigError> {
        if !self.is_off() {
            return Ok(());
        }
        match self.kind.clone() {
            WireBase::Emulated {
                command,
                model,
                mac,
                arguments,
            } => {
                // What an earlier process still has to say is not of this one.
                (self.arrivals, self.arrived) = channel();
                let mut all: Vec<OsString> = vec!["base".into(), model.clone().into()];
                let web = SocketAddr::new(bind, 0).to_string();
                for (option, value) in [
                    ("--provisioning", provisioning.to_owned()),
                    ("--mac", mac),
                    ("--bind", bind.to_string()),
                    ("--console", "pty".to_owned()),
                    ("--web", web),
                ] {
                    all.push(option.into());
                    all.push(value.into());
                }
                all.extend(arguments);
                let process =
                    Process::spawn(&command, all, self.arrivals.clone()).map_err(|error| {
                        RigError::Base {
                            model,
                            reason: error.to_string(),
                        }
                    })?;
                self.state = State::Starting(process, now + START_LIMIT);
                Ok(())
            }
            WireBase::Real { console, web, .. } => {
                if let Some(address) = console {
                    self.open_console(&address).await?;
                }
                self.lines.web = web.map(|url| url.trim_end_matches('/').to_owned());
                self.state = State::On(None);
                Ok(())
            }
        }
    }

    /// Kills the process; its lines are gone.
    pub(super) async fn power_off(&mut self) -> Result<Vec<Indication>, RigError> {
        if matches!(self.kind, WireBase::Real { .. }) {
            return Err(RigError::Missing {
                what: "switch for the base's power".to_owned(),
            });
        }
        match std::mem::replace(&mut self.state, State::Off) {
            State::Starting(process, _) | State::On(Some(process)) | State::Ending(process, _) => {
                process.kill().await;
            }
            State::Off | State::On(None) => {}
        }
        Ok(self.lose_lines())
    }

    /// Asks it to shut down cleanly.
    pub(super) fn shut_down(&mut self, now: Instant) -> Result<(), RigError> {
        self.state = match std::mem::replace(&mut self.state, State::Off) {
            State::Starting(process, _) | State::On(Some(process)) => {
                process.terminate();
                State::Ending(process, now + END_LIMIT)
            }
            State::On(None) => {
                self.state = State::On(None);
                return Err(RigError::Missing {
                    what: "way to shut a real base down".to_owned(),
                });
            }
            other => other,
        };
        Ok(())
    }

    /// When it must have said where it listens, or have ended.
    pub(super) fn due(&self) -> Option<Instant> {
        match self.state {
            State::Starting(_, due) | State::Ending(_, due) => Some(due),
            State::Off | State::On(_) => None,
        }
    }

    /// The time for that is over.
    pub(super) async fn on_overdue(&mut self) -> Vec<Indication> {
        let reason = match &self.state {
            State::Starting(..) => format!(
                "it did not say where it listens within {} s",
                START_LIMIT.as_secs()
            ),
            State::Ending(..) => format!(
                "it did not end within {} s after it was asked to",
                END_LIMIT.as_secs()
            ),
            State::Off | State::On(_) => return Vec::new(),
        };
        let mut told = vec![Indication::Broken(self.base_error(reason))];
        told.extend(self.power_off().await.unwrap_or_default());
        told.push(Indication::BaseEnded);
        told
    }

    /// Types on the console, at once or when it is there.
    pub(super) fn write_console(&mut self, bytes: Bytes) -> Result<(), RigError> {
        match (&self.lines.console, &self.state) {
            (Some(line), _) => line
                .write(bytes)
                .map_err(|error| broken(&format!("console {}", line.address()), &error)),
            (None, State::Starting(..)) => {
                self.lines.typed.push(bytes);
                Ok(())
            }
            // As on a real line: without power, nobody hears.
            (None, State::Off) => Ok(()),
            (None, State::On(_) | State::Ending(..)) => Err(RigError::Missing {
                what: "console".to_owned(),
            }),
        }
    }

    /// Asks the web interface, at once or when it is there. Needs the runtime.
    pub(super) fn request(&mut self, exchange: ExchangeId, request: http::Request<Bytes>) {
        self.asked.insert(exchange);
        match (&self.lines.web, &self.state) {
            (Some(root), _) => {
                let root = root.clone();
                self.exchange(exchange, request, &root);
            }
            (None, State::Starting(..)) => self.lines.requests.push((exchange, request)),
            (None, state) => {
                let why = match state {
                    State::Off => "the base is off",
                    _ => "the base has no web interface",
                };
                self.fail(exchange, why);
            }
        }
    }

    /// Asks somebody else, below `root`. Needs the runtime.
    pub(super) fn request_at(
        &mut self,
        root: &str,
        exchange: ExchangeId,
        request: http::Request<Bytes>,
    ) {
        self.asked.insert(exchange);
        self.exchange(exchange, request, root);
    }

    fn exchange(&mut self, exchange: ExchangeId, mut request: http::Request<Bytes>, root: &str) {
        let uri = format!("{root}{}", request.uri());
        match uri.parse() {
            Ok(uri) => *request.uri_mut() = uri,
            Err(error) => return self.fail(exchange, &format!("{uri} is no address: {error}")),
        }
        let (fetcher, arrivals) = (self.fetcher.clone(), self.arrivals.clone());
        self.answers.spawn(async move {
            let mut stream = None;
            let reply = if asks_for_websocket(&request) {
                listen(&request, arrivals).await.map(|opened| match opened {
                    Opened::Listening(opened, answer) => {
                        stream = Some(opened);
                        answer
                    }
                    Opened::Refused(answer) => answer,
                })
            } else {
                fetcher.fetch(request).await
            };
            Answered {
                exchange,
                reply: reply.map_err(|error| HttpFailure(error.to_string())),
                stream,
            }
        });
    }

    fn fail(&mut self, exchange: ExchangeId, reason: &str) {
        let reply = Err(HttpFailure(reason.to_owned()));
        self.answers.spawn(async move {
            Answered {
                exchange,
                reply,
                stream: None,
            }
        });
    }

    /// An exchange of [`BasePort::answers`] has ended.
    pub(super) fn on_answered(&mut self, answered: Answered) -> Option<Indication> {
        if !self.asked.remove(&answered.exchange) {
            return None;
        }
        if answered.stream.is_some() {
            self.events = answered.stream;
        }
        Some(Indication::HttpReply {
            exchange: answered.exchange,
            reply: answered.reply,
        })
    }

    /// Something came on a line to the base, or from its process.
    pub(super) async fn on_arrival(&mut self, arrival: Arrival) -> Vec<Indication> {
        match arrival {
            Arrival::Console(bytes) => vec![Indication::Console(bytes)],
            Arrival::ConsoleClosed(reason) => self.on_console_closed(&reason),
            Arrival::Event(text) => {
                // The answer that opened the stream goes before its first event.
                let mut told = Vec::new();
                while let Some(answered) = self.answers.try_join_next() {
                    told.extend(
                        answered
                            .ok()
                            .and_then(|answered| self.on_answered(answered)),
                    );
                }
                told.push(Indication::Event(text));
                told
            }
            Arrival::EventsClosed(reason) => {
                debug!(reason, "event stream closed");
                self.events = None;
                vec![Indication::EventsClosed]
            }
            Arrival::Line(line) => self.on_line(&line).await,
            Arrival::Exited(exit) => self.on_exit(&exit),
            Arrival::Sip { .. }
            | Arrival::FlowClosed { .. }
            | Arrival::Http { .. }
            | Arrival::HttpReply { .. } => Vec::new(),
        }
    }

    fn on_console_closed(&mut self, reason: &str) -> Vec<Indication> {
        let Some(line) = self.lines.console.take() else {
            return Vec::new();
        };
        // The terminal of an emulated base goes with its process, and that says why.
        if matches!(self.kind, WireBase::Emulated { .. }) {
            return Vec::new();
        }
        vec![Indication::Broken(RigError::Lab {
            part: format!("console {}", line.address()),
            reason: reason.to_owned(),
        })]
    }

    async fn on_line(&mut self, line: &str) -> Vec<Indication> {
        if !matches!(self.state, State::Starting(..)) {
            return Vec::new();
        }
        let ready = match Ready::from_json(line) {
            Ok(ready) => ready,
            Err(reason) => {
                let reason = format!("its first line is not its addresses ({reason}): {line}");
                return vec![Indication::Broken(self.base_error(reason))];
            }
        };
        if let State::Starting(process, _) = std::mem::replace(&mut self.state, State::Off) {
            self.state = State::On(Some(process));
        }
        self.lines.sip = Some(ready.sip);
        self.lines.ears.insert(ready.sip);
        self.lines.web = ready.web.map(|address| format!("http://{address}"));
        if let Some(address) = ready.console
            && let Err(error) = self.open_console(&address).await
        {
            return vec![Indication::Broken(error)];
        }
        for (exchange, request) in std::mem::take(&mut self.lines.requests) {
            self.request(exchange, request);
        }
        let typed = std::mem::take(&mut self.lines.typed);
        typed
            .into_iter()
            .filter_map(|bytes| self.write_console(bytes).err())
            .map(Indication::Broken)
            .collect()
    }

    fn on_exit(&mut self, exit: &Exit) -> Vec<Indication> {
        let asked = matches!(self.state, State::Ending(..));
        self.state = State::Off;
        let mut told = Vec::new();
        if !(asked && exit.success) {
            let mut reason = format!("it ended unexpectedly with {}", exit.status);
            if !exit.last_words.is_empty() {
                reason = format!("{reason}; last words: {}", exit.last_words.join(" | "));
            }
            told.push(Indication::Broken(self.base_error(reason)));
        }
        told.extend(self.lose_lines());
        told.push(Indication::BaseEnded);
        told
    }

    /// The base has gone, and all lines to it with it.
    fn lose_lines(&mut self) -> Vec<Indication> {
        let sip = self.lines.sip;
        self.lines = Lines {
            sip,
            ..Lines::default()
        };
        self.answers = JoinSet::new();
        let asked = std::mem::take(&mut self.asked);
        let mut told: Vec<Indication> = asked
            .into_iter()
            .map(|exchange| Indication::HttpReply {
                exchange,
                reply: Err(HttpFailure("the base is off".to_owned())),
            })
            .collect();
        if self.events.take().is_some() {
            told.push(Indication::EventsClosed);
        }
        told
    }

    async fn open_console(&mut self, address: &str) -> Result<(), RigError> {
        let line = SerialLine::open(address, self.baud, self.arrivals.clone())
            .await
            .map_err(|error| RigError::Lab {
                part: format!("console {address}"),
                reason: error.to_string(),
            })?;
        self.lines.console = Some(line);
        Ok(())
    }

    fn base_error(&self, reason: String) -> RigError {
        let model = match &self.kind {
            WireBase::Emulated { model, .. } => model.clone(),
            WireBase::Real { .. } => "real base".to_owned(),
        };
        RigError::Base { model, reason }
    }
}

/// The one line of an emulated base that is ready.
struct Ready {
    sip: SocketAddr,
    console: Option<String>,
    web: Option<SocketAddr>,
}

impl Ready {
    fn from_json(line: &str) -> Result<Self, String> {
        let value: serde_json::Value =
            serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
        let address = |key: &str| {
            text(key)
                .map(|text| {
                    text.parse()
                        .map_err(|_| format!("`{key}` is not an address"))
                })
                .transpose()
        };
        Ok(Self {
            sip: address("sip")?.ok_or("`sip` is missing")?,
            console: text("console").map(str::to_owned),
            web: address("web")?,
        })
    }
}

/// The rig's own part has failed.
pub(super) fn broken(part: &str, error: &impl std::fmt::Display) -> RigError {
    RigError::Lab {
        part: part.to_owned(),
        reason: error.to_string(),
    }
}
