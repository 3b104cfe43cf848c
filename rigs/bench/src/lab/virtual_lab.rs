//! The virtual laboratory: one thread, lab time that jumps to the next thing that happens, a seeded network.
//!
//! It is a discrete-event loop over nodes, SIP messages in [`Transit`], and an agenda of everything else that is on its
//! way. Where several SIP messages are on their way, a [`Chooser`] may decide which arrives next, so that orders can be
//! enumerated; and the whole world can be cloned: nodes are shared until they change. Nothing here reads a clock, and the
//! same seed gives the same world.

mod nodes;
mod passage;

use super::names::Names;
use super::network::Fault;
use super::network::transit::Transit;
use super::{
    BaseSpec, Indication, Lab, Layout, NodeId, Observed, ServerPlace, UnitPlace, framing_lost,
};
use crate::error::RigError;
use crate::setup::{Seeds, nth};

use bytes::Bytes;
use evidence::record::Direction;
use nodes::{Machine, Slot};
use server::AppServer;
use sip::node::{ExchangeId, HttpFailure, Input, Node, Output};
use sip::resolution::Question;
use sip::time::Instant;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

/// Makes a base that is switched off so far. Shared by all scenarios of a run.
pub type BaseFactory = Arc<dyn Fn(&BaseSpec) -> Result<Box<dyn Node>, String> + Send + Sync>;

/// How long bytes on the serial line, HTTP messages and answers to questions are on their way: our choice.
const LINE: Duration = Duration::from_millis(1);

/// How long a SIP message is on its way, in microseconds: our choice, a site's own network with a busy switch.
const JITTER: Range<u64> = 5_000..40_001;

/// More steps than this of one node at one point in time mean that it wants the same thing again and again.
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
    /// The node that it goes to, if its address is anybody's.
    pub to: Option<NodeId>,
    /// Which way it goes.
    pub direction: Direction,
    /// The message, or a piece of a stream.
    pub bytes: &'a [u8],
}

/// What a virtual laboratory is made of.
pub struct VirtualSetup {
    /// The application servers, each with the addresses of its sites.
    pub servers: Vec<(AppServer, Vec<SocketAddr>)>,
    /// Makes the bases.
    pub factory: BaseFactory,
    /// What each base is told.
    pub units: Vec<BaseSpec>,
    /// What names resolve to.
    pub names: Names,
    /// The seed of the network.
    pub seed: u64,
}

/// The virtual laboratory.
#[derive(Clone)]
pub struct VirtualLab {
    now: Instant,
    nodes: Vec<Slot>,
    /// When each node wants to be woken.
    deadlines: BTreeSet<(Instant, NodeId)>,
    by_host: BTreeMap<std::net::IpAddr, NodeId>,
    factory: BaseFactory,
    names: Names,
    transit: Transit,
    chooser: Choosing,
    agenda: BTreeMap<(Instant, u64), Task>,
    order: u64,
    /// Requests of ours without an answer, and whom they were sent to.
    asked: BTreeMap<ExchangeId, NodeId>,
    /// Fetches of units without an answer, and what the unit calls them.
    fetches: BTreeMap<ExchangeId, (NodeId, ExchangeId)>,
    exchanges: u64,
    observed: VecDeque<(Option<NodeId>, Indication)>,
    stuck: bool,
}

/// Who decides the order of arrival; nobody means the network's jitter.
#[derive(Default)]
struct Choosing(Option<Box<dyn Chooser>>);

impl Clone for Choosing {
    fn clone(&self) -> Self {
        Self(self.0.as_ref().map(|chooser| chooser.fork()))
    }
}

/// Something else that will happen.
#[derive(Clone)]
enum Task {
    ConsoleFromUnit(NodeId, Bytes),
    Event(NodeId, String),
    Fetch(NodeId, ExchangeId, http::Request<Bytes>),
    ReplyFromNode(
        NodeId,
        ExchangeId,
        Result<http::Response<Bytes>, HttpFailure>,
    ),
    ToNode(NodeId, Input),
}

impl Task {
    /// Whether it is lost when this unit loses its power. Whoever asked the unit by HTTP still gets an answer.
    fn ends_with(&self, unit: NodeId) -> bool {
        match self {
            Self::ConsoleFromUnit(node, _)
            | Self::Event(node, _)
            | Self::Fetch(node, ..)
            | Self::ToNode(node, _) => *node == unit,
            Self::ReplyFromNode(..) => false,
        }
    }
}

/// What happens next.
#[derive(Clone, Copy)]
enum Next {
    Flight,
    Task,
    Timeout(NodeId),
}

impl VirtualLab {
    /// A laboratory at its epoch, with every unit switched off.
    #[must_use]
    pub fn new(setup: VirtualSetup) -> Self {
        let servers = setup.servers.into_iter().map(Slot::server);
        let units = setup.units.into_iter().map(Slot::unit);
        let nodes: Vec<Slot> = servers.chain(units).collect();
        let hosts = nodes.iter().enumerate().flat_map(|(place, slot)| {
            let hosts = slot.addresses.iter().map(SocketAddr::ip);
            hosts.map(move |host| (host, NodeId(place)))
        });
        let mut lab = Self {
            now: Instant::EPOCH,
            by_host: hosts.collect(),
            deadlines: BTreeSet::new(),
            factory: setup.factory,
            names: setup.names,
            transit: Transit::new(setup.seed, JITTER),
            chooser: Choosing::default(),
            agenda: BTreeMap::new(),
            order: 0,
            asked: BTreeMap::new(),
            fetches: BTreeMap::new(),
            exchanges: 0,
            observed: VecDeque::new(),
            stuck: false,
            nodes,
        };
        for place in 0..lab.nodes.len() {
            if lab.nodes.get(place).is_some_and(Slot::is_on) {
                lab.wake(NodeId(place), Some(Instant::EPOCH));
            }
        }
        lab
    }

    /// Lets somebody else decide the order of arrival from now on.
    pub fn set_chooser(&mut self, chooser: Option<Box<dyn Chooser>>) {
        self.chooser = Choosing(chooser);
    }

    /// The digest of a node's state; nothing for a unit that is off.
    #[must_use]
    pub fn digest(&self, node: NodeId) -> Option<u64> {
        self.nodes.get(node.0)?.digest()
    }

    fn plan(&mut self, after: Duration, task: Task) {
        self.order += 1;
        self.agenda.insert((self.now + after, self.order), task);
    }

    fn next_exchange(&mut self) -> ExchangeId {
        self.exchanges += 1;
        ExchangeId(self.exchanges)
    }

    fn node_at(&self, address: SocketAddr) -> Option<NodeId> {
        self.by_host.get(&address.ip()).copied()
    }

    fn observe(&mut self, unit: Option<NodeId>, indication: Indication) {
        self.observed.push_back((unit, indication));
    }

    // What is next.

    /// At one point in time the agenda goes first, then SIP, then the time-outs, servers before units.
    fn next_due(&self) -> Option<(Instant, Next)> {
        let agenda = self.agenda.keys().next().map(|(due, _)| (*due, Next::Task));
        let flight = self.transit.due().map(|due| (due, Next::Flight));
        let timeout = self.deadlines.first();
        let timeout = timeout.map(|(due, node)| (*due, Next::Timeout(*node)));
        [agenda, flight, timeout]
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
            Next::Flight => {
                if let Some(flight) = self.choose() {
                    self.deliver(flight);
                }
            }
            Next::Timeout(node) => self.give(node, Input::Timeout),
        }
    }

    fn carry_out(&mut self, task: Task) {
        match task {
            Task::ConsoleFromUnit(unit, bytes) => {
                self.observe(Some(unit), Indication::Console(bytes));
            }
            Task::Event(unit, text) => {
                if self.nodes.get(unit.0).is_some_and(|slot| slot.listened) {
                    self.observe(Some(unit), Indication::Event(text));
                }
            }
            Task::Fetch(unit, exchange, request) => {
                self.observe(Some(unit), Indication::Fetch { exchange, request });
            }
            Task::ReplyFromNode(node, exchange, reply) => {
                self.observe(Some(node), Indication::HttpReply { exchange, reply });
            }
            Task::ToNode(node, input) => self.give(node, input),
        }
    }

    fn take_output(&mut self, node: NodeId, output: Output) {
        match output {
            Output::CloseFlow(flow) => {
                let name = self.nodes.get(node.0).map_or_else(String::new, Slot::name);
                let unit = self.unit_of(node, self.node_at(flow.remote));
                self.observe(unit.map(|(unit, _)| unit), framing_lost(&name, flow));
                self.break_stream(flow.local, flow.remote);
            }
            Output::Sip(transmit) => self.transmit(node, transmit),
            Output::Console(bytes) => self.plan(LINE, Task::ConsoleFromUnit(node, bytes)),
            Output::Http { exchange, request } => self.fetch(node, exchange, request),
            Output::HttpReply { exchange, response } => {
                if self.asked.remove(&exchange).is_some() {
                    let listens = response.status() == http::StatusCode::SWITCHING_PROTOCOLS;
                    if let Some(slot) = self.nodes.get_mut(node.0) {
                        slot.listened |= listens;
                    }
                    self.plan(LINE, Task::ReplyFromNode(node, exchange, Ok(response)));
                }
            }
            Output::Event(text) => self.plan(LINE, Task::Event(node, text)),
            Output::Resolve(question) => self.resolve(node, question),
            Output::Ended => {
                if self.nodes.get(node.0).is_some_and(Slot::is_unit) {
                    self.switch_off(node);
                    self.observe(Some(node), Indication::BaseEnded);
                }
            }
            Output::Timeout(_) => {}
        }
    }

    fn resolve(&mut self, node: NodeId, question: Question) {
        let answer = self.names.answer(&question);
        self.plan(
            LINE,
            Task::ToNode(node, Input::Resolved { question, answer }),
        );
    }

    fn fetch(&mut self, node: NodeId, exchange: ExchangeId, request: http::Request<Bytes>) {
        let uri = request.uri().to_string();
        let root = self.nodes.get(node.0).and_then(Slot::provisioning_url);
        if root.is_some_and(|root| uri.starts_with(root)) {
            let ours = self.next_exchange();
            self.fetches.insert(ours, (node, exchange));
            self.plan(LINE, Task::Fetch(node, ours, request));
            return;
        }
        let reply = Err(HttpFailure(format!(
            "nothing listens at {}",
            request.uri().authority().map_or("", |a| a.as_str())
        )));
        let input = Input::HttpReply { exchange, reply };
        self.plan(LINE, Task::ToNode(node, input));
    }

    fn give_up(&mut self, part: &str, reason: &str) {
        self.stuck = true;
        let error = RigError::Lab {
            part: part.to_owned(),
            reason: reason.to_owned(),
        };
        self.observe(None, Indication::Broken(error));
    }
}

impl Lab for VirtualLab {
    fn now(&self) -> Instant {
        self.now
    }

    fn wall(&self) -> Option<u64> {
        None
    }

    fn layout(&self) -> Layout {
        let mut layout = Layout::default();
        for (place, slot) in self.nodes.iter().enumerate() {
            let node = NodeId(place);
            let sites = slot.addresses.clone();
            match slot.unit_spec() {
                Some(spec) => {
                    layout.provisioning.clone_from(&spec.provisioning_url);
                    layout.units.push(UnitPlace {
                        node,
                        sip: spec.sip,
                    });
                }
                None => layout.servers.push(ServerPlace { node, sites }),
            }
        }
        layout
    }

    fn fork(&self) -> Option<Box<dyn Lab>> {
        Some(Box::new(self.clone()))
    }

    fn reseed(&mut self, seed: u64) {
        let seeds = Seeds::from_scenario(seed);
        self.transit.reseed(seeds.network);
        let (mut servers, mut units) = (0, 0);
        for slot in &mut self.nodes {
            let (count, seed) = if slot.is_unit() {
                (&mut units, seeds.base)
            } else {
                (&mut servers, seeds.server)
            };
            slot.reseed(nth(seed, *count));
            *count += 1;
        }
    }

    fn with_server(&mut self, server: NodeId, verb: &mut dyn FnMut(&mut AppServer, Instant)) {
        let now = self.now;
        let slot = self.nodes.get_mut(server.0);
        match slot.and_then(Slot::machine_mut) {
            Some(Machine::Server(machine)) => verb(machine, now),
            _ => unreachable!("{server:?} is a server of this laboratory"),
        }
        self.drain(server);
    }

    fn power_on(&mut self, unit: NodeId) -> Result<(), RigError> {
        let factory = Arc::clone(&self.factory);
        let Some(slot) = self.nodes.get_mut(unit.0).filter(|slot| !slot.is_on()) else {
            return Ok(());
        };
        slot.boot(&factory)?;
        self.wake(unit, Some(self.now));
        Ok(())
    }

    fn power_off(&mut self, unit: NodeId) -> Result<(), RigError> {
        self.switch_off(unit);
        Ok(())
    }

    fn shut_down(&mut self, unit: NodeId) -> Result<(), RigError> {
        self.give(unit, Input::Shutdown);
        Ok(())
    }

    fn write_console(&mut self, unit: NodeId, bytes: Bytes) -> Result<(), RigError> {
        self.plan(LINE, Task::ToNode(unit, Input::Console(bytes)));
        Ok(())
    }

    fn request(&mut self, to: NodeId, request: http::Request<Bytes>) -> ExchangeId {
        let exchange = self.next_exchange();
        self.asked.insert(exchange, to);
        let input = Input::Http { exchange, request };
        self.plan(LINE, Task::ToNode(to, input));
        exchange
    }

    fn reply(&mut self, exchange: ExchangeId, response: http::Response<Bytes>) {
        if let Some((unit, exchange)) = self.fetches.remove(&exchange) {
            let reply = Ok(response);
            let input = Input::HttpReply { exchange, reply };
            self.plan(LINE, Task::ToNode(unit, input));
        }
    }

    fn disturb(&mut self, fault: Fault) {
        self.transit.faults.load(fault);
    }

    fn calm(&mut self) {
        self.transit.calm(self.now);
    }

    fn reset_streams(&mut self) {
        for (one, other) in self.transit.connections() {
            self.break_stream(one, other);
        }
    }

    fn advance(&mut self, deadline: Instant) -> Option<Observed> {
        loop {
            if let Some((unit, indication)) = self.observed.pop_front() {
                return Some(Observed {
                    at: self.now,
                    wall: None,
                    unit,
                    indication,
                });
            }
            let next = self.next_due().filter(|_| !self.stuck);
            match next {
                Some((due, next)) if due <= deadline => {
                    self.now = self.now.max(due);
                    self.step(next);
                }
                _ => {
                    self.now = self.now.max(deadline);
                    return None;
                }
            }
        }
    }
}
