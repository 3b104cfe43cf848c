//! The virtual laboratory: one thread, lab time that jumps to the next thing that happens, a seeded network.
//!
//! It is a discrete-event loop over two nodes, the application server and the base, and an agenda of what is on its way.
//! Datagrams take 5 to 40 ms each and may overtake each other; pieces of a stream never do. Where several SIP messages
//! are on their way, a [`Chooser`] may decide which arrives next, so that orders can be enumerated; and the whole world
//! can be forked. Nothing here reads a clock, and the same seed gives the same world.

mod flight;

use super::network::{Fault, Network};
use super::{Addresses, BaseSpec, Indication, Lab, Observed, Party, framing_lost};
use crate::error::RigError;
use bytes::Bytes;
use evidence::record::Direction;
use flight::{Flight, Stream};
use server::AppServer;
use sip::node::{ExchangeId, Flow, HttpFailure, Input, Node, Output};
use sip::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// Makes a base that is switched off so far. Shared by all scenarios of a run.
pub type BaseFactory = Arc<dyn Fn(&BaseSpec) -> Result<Box<dyn Node>, String> + Send + Sync>;

/// How long bytes on the serial line and HTTP messages are on their way.
const LINE: Duration = Duration::from_millis(1);

/// More steps than this at one point in time mean that a node wants the same thing again and again.
const PATIENCE: u32 = 20_000;

/// Decides which SIP message arrives next.
pub trait Chooser: Send {
    /// The index of the message that arrives now. They are listed in the order in which the network would deliver them;
    /// only the first piece of each stream is listed. An index out of range means the first.
    fn choose(&mut self, now: Instant, waiting: &[Waiting<'_>]) -> usize;

    /// An independent copy in the same state.
    fn fork(&self) -> Box<dyn Chooser>;
}

/// A SIP message on its way.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// When the network would deliver it.
    pub due: Instant,
    /// Which way it goes.
    pub direction: Direction,
    /// The message, or a piece of a stream.
    pub bytes: &'a [u8],
}

/// What a virtual laboratory is made of.
pub struct VirtualSetup {
    /// The application server; it listens at the address in `addresses`.
    pub server: AppServer,
    /// Makes the base.
    pub factory: BaseFactory,
    /// What the base is told.
    pub base: BaseSpec,
    /// Where everybody is.
    pub addresses: Addresses,
    /// The seed of the network.
    pub seed: u64,
    /// Who decides the order of arrival; nobody means the network's jitter.
    pub chooser: Option<Box<dyn Chooser>>,
}

/// The virtual laboratory.
pub struct VirtualLab {
    now: Instant,
    server: AppServer,
    server_due: Option<Instant>,
    base: Option<Box<dyn Node>>,
    base_due: Option<Instant>,
    factory: BaseFactory,
    spec: BaseSpec,
    boots: u64,
    addresses: Addresses,
    rng: fastrand::Rng,
    network: Network,
    chooser: Option<Box<dyn Chooser>>,
    flights: Vec<Flight>,
    held: Vec<Flight>,
    streams: BTreeMap<Stream, Instant>,
    agenda: BTreeMap<(Instant, u64), Task>,
    order: u64,
    asked: BTreeSet<ExchangeId>,
    event_stream: Option<ExchangeId>,
    exchanges: u64,
    observed: VecDeque<Indication>,
    steps_at_now: u32,
    stuck: bool,
}

/// Something else that will happen.
#[derive(Clone)]
enum Task {
    ConsoleFromBase(Bytes),
    Event(String),
    Fetch(ExchangeId, http::Request<Bytes>),
    FlowClosed(Side, Flow),
    ReplyFromNode(ExchangeId, Result<http::Response<Bytes>, HttpFailure>),
    ToNode(Side, Input),
}

/// The two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Base,
    Server,
}

impl Side {
    const fn outgoing(self) -> Direction {
        match self {
            Self::Base => Direction::FromBase,
            Self::Server => Direction::ToBase,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Base => "the emulated base",
            Self::Server => "the application server",
        }
    }
}

impl VirtualLab {
    /// A laboratory at its epoch, with the base switched off.
    #[must_use]
    pub fn new(setup: VirtualSetup) -> Self {
        Self {
            now: Instant::EPOCH,
            server: setup.server,
            server_due: Some(Instant::EPOCH),
            base: None,
            base_due: None,
            factory: setup.factory,
            spec: setup.base,
            boots: 0,
            addresses: setup.addresses,
            rng: fastrand::Rng::with_seed(setup.seed),
            network: Network::new(setup.seed ^ 0x006e_6574_776f_726b),
            chooser: setup.chooser,
            flights: Vec::new(),
            held: Vec::new(),
            streams: BTreeMap::new(),
            agenda: BTreeMap::new(),
            order: 0,
            asked: BTreeSet::new(),
            event_stream: None,
            exchanges: 0,
            observed: VecDeque::new(),
            steps_at_now: 0,
            stuck: false,
        }
    }

    /// An independent copy of the whole world in the same state.
    #[must_use]
    pub fn fork(&self) -> Self {
        Self {
            now: self.now,
            server: self.server.clone(),
            server_due: self.server_due,
            base: self.base.as_ref().map(|base| base.fork()),
            base_due: self.base_due,
            factory: Arc::clone(&self.factory),
            spec: self.spec.clone(),
            boots: self.boots,
            addresses: self.addresses.clone(),
            rng: self.rng.clone(),
            network: self.network.clone(),
            chooser: self.chooser.as_ref().map(|chooser| chooser.fork()),
            flights: self.flights.clone(),
            held: self.held.clone(),
            streams: self.streams.clone(),
            agenda: self.agenda.clone(),
            order: self.order,
            asked: self.asked.clone(),
            event_stream: self.event_stream,
            exchanges: self.exchanges,
            observed: self.observed.clone(),
            steps_at_now: self.steps_at_now,
            stuck: self.stuck,
        }
    }

    /// Lets somebody else decide the order of arrival from now on.
    pub fn set_chooser(&mut self, chooser: Option<Box<dyn Chooser>>) {
        self.chooser = chooser;
    }

    fn plan(&mut self, after: Duration, task: Task) {
        self.order += 1;
        self.agenda.insert((self.now + after, self.order), task);
    }

    fn side_of(&self, address: SocketAddr) -> Option<Side> {
        if address.ip() == self.addresses.server.ip() {
            Some(Side::Server)
        } else if address.ip() == self.addresses.base.ip() {
            Some(Side::Base)
        } else {
            None
        }
    }

    // What is next.

    fn next_due(&self) -> Option<(Instant, Next)> {
        let agenda = self
            .agenda
            .first_key_value()
            .map(|((due, _), _)| (*due, Next::Task));
        let flight = self
            .next_flight()
            .and_then(|index| Some((self.flights.get(index)?.due, Next::Flight(index))));
        let server = self
            .server_due
            .map(|due| (due, Next::Timeout(Side::Server)));
        let base = self.base_due.map(|due| (due, Next::Timeout(Side::Base)));
        [agenda, flight, server, base]
            .into_iter()
            .flatten()
            .min_by_key(|(due, _)| *due)
    }

    fn step(&mut self, next: Next) {
        match next {
            Next::Task => {
                if let Some((_, task)) = self.agenda.pop_first() {
                    self.carry_out(task);
                }
            }
            Next::Flight(first) => {
                let index = self.choose(first);
                let flight = self.flights.swap_remove(index);
                self.deliver(flight);
            }
            Next::Timeout(side) => self.give(side, Input::Timeout),
        }
    }

    fn carry_out(&mut self, task: Task) {
        match task {
            Task::ConsoleFromBase(bytes) => self.observed.push_back(Indication::Console(bytes)),
            Task::Event(text) if self.event_stream.is_some() => {
                self.observed.push_back(Indication::Event(text));
            }
            Task::Event(_) => {}
            Task::Fetch(exchange, request) => self
                .observed
                .push_back(Indication::Fetch { exchange, request }),
            Task::FlowClosed(side, flow) => self.give(side, Input::FlowClosed { flow }),
            Task::ReplyFromNode(exchange, reply) => {
                self.observed
                    .push_back(Indication::HttpReply { exchange, reply });
            }
            Task::ToNode(side, input) => self.give(side, input),
        }
    }

    // Nodes.

    fn give(&mut self, side: Side, input: Input) {
        match side {
            Side::Server => {
                self.server.handle_input(self.now, input);
                self.drain_server();
            }
            Side::Base => {
                let Some(base) = &mut self.base else {
                    self.refuse(input);
                    return;
                };
                let now = self.now;
                if catch_unwind(AssertUnwindSafe(|| base.handle_input(now, input))).is_err() {
                    self.base_panicked();
                    return;
                }
                self.drain_base();
            }
        }
    }

    /// A base without power answers nothing; who asked by HTTP is told so.
    fn refuse(&mut self, input: Input) {
        if let Input::Http { exchange, .. } = input {
            self.fail_exchange(exchange);
        }
    }

    fn fail_exchange(&mut self, exchange: ExchangeId) {
        if self.asked.remove(&exchange) {
            let reply = Err(HttpFailure("the base is off".to_owned()));
            self.observed
                .push_back(Indication::HttpReply { exchange, reply });
        }
    }

    fn drain_server(&mut self) {
        for _ in 0..PATIENCE {
            match self.server.poll_output() {
                Output::Timeout(due) => {
                    self.server_due = due;
                    return;
                }
                output => self.take_output(Side::Server, output),
            }
        }
        self.give_up(Side::Server.name(), "its output never ends");
    }

    fn drain_base(&mut self) {
        for _ in 0..PATIENCE {
            let Some(base) = &mut self.base else { return };
            match catch_unwind(AssertUnwindSafe(|| base.poll_output())) {
                Ok(Output::Timeout(due)) => {
                    self.base_due = due;
                    return;
                }
                Ok(output) => self.take_output(Side::Base, output),
                Err(_) => {
                    self.base_panicked();
                    return;
                }
            }
        }
        self.give_up(Side::Base.name(), "its output never ends");
    }

    fn take_output(&mut self, side: Side, output: Output) {
        match output {
            Output::CloseFlow(flow) => {
                self.observed.push_back(framing_lost(side.name(), flow));
                self.break_stream(flow.local, flow.remote);
            }
            Output::Sip(transmit) => self.transmit(side, transmit),
            Output::Console(bytes) => self.plan(LINE, Task::ConsoleFromBase(bytes)),
            Output::Http { exchange, request } => self.fetch(side, exchange, request),
            Output::HttpReply { exchange, response } => {
                if self.asked.remove(&exchange) {
                    if response.status() == http::StatusCode::SWITCHING_PROTOCOLS {
                        self.event_stream = Some(exchange);
                    }
                    self.plan(LINE, Task::ReplyFromNode(exchange, Ok(response)));
                }
            }
            Output::Event(text) => self.plan(LINE, Task::Event(text)),
            Output::Ended => {
                if side == Side::Base {
                    self.drop_base();
                    self.observed.push_back(Indication::BaseEnded);
                }
            }
            Output::Timeout(_) => {}
        }
    }

    fn fetch(&mut self, side: Side, exchange: ExchangeId, request: http::Request<Bytes>) {
        let ours = request
            .uri()
            .to_string()
            .starts_with(&self.addresses.provisioning);
        if side == Side::Base && ours {
            self.plan(LINE, Task::Fetch(exchange, request));
            return;
        }
        let reply = Err(HttpFailure(format!(
            "nothing listens at {}",
            request.uri().authority().map_or("", |a| a.as_str())
        )));
        let input = Input::HttpReply { exchange, reply };
        self.plan(LINE, Task::ToNode(side, input));
    }

    fn drop_base(&mut self) {
        self.base = None;
        self.base_due = None;
        let streams: BTreeSet<Stream> = self.streams.keys().copied().collect();
        for stream in streams {
            if self.streams.contains_key(&stream) {
                self.break_stream(stream.source, stream.destination);
            }
        }
        for exchange in std::mem::take(&mut self.asked) {
            self.asked.insert(exchange);
            self.fail_exchange(exchange);
        }
        if self.event_stream.take().is_some() {
            self.observed.push_back(Indication::EventsClosed);
        }
    }

    fn base_panicked(&mut self) {
        self.drop_base();
        self.observed.push_back(Indication::Broken(RigError::Base {
            model: self.spec.model.clone(),
            reason: "the emulated base panicked".to_owned(),
        }));
    }

    fn give_up(&mut self, part: &str, reason: &str) {
        self.stuck = true;
        self.observed.push_back(Indication::Broken(RigError::Lab {
            part: part.to_owned(),
            reason: reason.to_owned(),
        }));
    }
}

/// What happens next.
#[derive(Clone, Copy)]
enum Next {
    Task,
    Flight(usize),
    Timeout(Side),
}

impl Lab for VirtualLab {
    fn now(&self) -> Instant {
        self.now
    }

    fn wall(&self) -> Option<u64> {
        None
    }

    fn addresses(&self) -> Addresses {
        self.addresses.clone()
    }

    fn with_server(&mut self, verb: &mut dyn FnMut(&mut AppServer, Instant)) {
        verb(&mut self.server, self.now);
        self.drain_server();
    }

    fn power_on(&mut self) -> Result<(), RigError> {
        if self.base.is_some() {
            return Ok(());
        }
        let mut spec = self.spec.clone();
        spec.seed = spec.seed.wrapping_add(self.boots);
        self.boots += 1;
        let base = (self.factory)(&spec).map_err(|reason| RigError::Base {
            model: spec.model.clone(),
            reason,
        })?;
        self.base = Some(base);
        self.base_due = Some(self.now);
        Ok(())
    }

    fn power_off(&mut self) -> Result<(), RigError> {
        self.drop_base();
        Ok(())
    }

    fn shut_down(&mut self) -> Result<(), RigError> {
        self.give(Side::Base, Input::Shutdown);
        Ok(())
    }

    fn write_console(&mut self, bytes: Bytes) -> Result<(), RigError> {
        self.plan(LINE, Task::ToNode(Side::Base, Input::Console(bytes)));
        Ok(())
    }

    fn request(&mut self, to: Party, request: http::Request<Bytes>) -> ExchangeId {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        self.asked.insert(exchange);
        let side = match to {
            Party::Base => Side::Base,
            Party::Server => Side::Server,
        };
        let input = Input::Http { exchange, request };
        self.plan(LINE, Task::ToNode(side, input));
        exchange
    }

    fn reply(&mut self, exchange: ExchangeId, response: http::Response<Bytes>) {
        let input = Input::HttpReply {
            exchange,
            reply: Ok(response),
        };
        self.plan(LINE, Task::ToNode(Side::Base, input));
    }

    fn disturb(&mut self, fault: Fault) {
        self.network.disturb(fault);
    }

    fn calm(&mut self) {
        self.network.calm();
        for held in std::mem::take(&mut self.held) {
            self.send_off(held, Duration::ZERO);
        }
    }

    fn reset_streams(&mut self) {
        let mut pairs: BTreeSet<(SocketAddr, SocketAddr)> = BTreeSet::new();
        for stream in self.streams.keys() {
            let (one, other) = (stream.source, stream.destination);
            pairs.insert((one.min(other), one.max(other)));
        }
        for (one, other) in pairs {
            self.break_stream(one, other);
        }
    }

    fn advance(&mut self, deadline: Instant) -> Option<Observed> {
        loop {
            if let Some(indication) = self.observed.pop_front() {
                return Some(Observed {
                    at: self.now,
                    wall: None,
                    indication,
                });
            }
            let next = self.next_due().filter(|_| !self.stuck);
            match next {
                Some((due, next)) if due <= deadline => {
                    if due > self.now {
                        self.now = due;
                        self.steps_at_now = 0;
                    }
                    self.steps_at_now += 1;
                    if self.steps_at_now > PATIENCE {
                        self.give_up("the laboratory", "time does not move on any more");
                        continue;
                    }
                    self.step(next);
                }
                _ => {
                    self.now = self.now.max(deadline);
                    self.steps_at_now = 0;
                    return None;
                }
            }
        }
    }
}
