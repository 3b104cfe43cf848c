//! The wire laboratory: real sockets, real serial lines, wall time; a unit is a child process or stands on the bench.
//!
//! The application servers and the provisioning server run here, inside [`Lab::advance`], on a runtime of their own in
//! the calling thread. That thread must not be one of a tokio runtime. Several units are told apart by their hosts, so each
//! emulated one is bound to a loopback address of its own.
//!
//! **What the tap sees.** It sits at the servers' sockets. On the loopback, what the server's socket received is what
//! the base sent, and what was put on it is what the base gets, so `sent` by the base means received here and
//! `delivered` to the base means handed to the system here. A message for a base that is switched off is `dropped`.
//! Network faults act at the same place: what the base sent and the server must not see was still `sent`.
//!
//! **Lag.** When the rig itself was late by more than a tenth of a wait that ended without its condition, the wait
//! ends with [`RigError::Lag`]: nothing can be concluded.

mod base_port;
mod framing;
mod server_port;
mod watchdog;

pub use base_port::WireBase;

use super::names::Names;
use super::network::Fault;
use super::network::transit::{Entry, Flight, Transit};
use super::{Indication, Lab, Layout, NodeId, Observed, ServerPlace, UnitPlace, framing_lost};
use crate::error::RigError;
use base_port::{Answered, BasePort, broken};
use bytes::Bytes;
use evidence::record::{Direction, Fate, Parsed, Sip};
use server::AppServer;
use server_port::ServerPort;
use sip::node::{ExchangeId, Flow, Input, Node as _, Output, Transmit, Transport};
use sip::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use watchdog::Watchdog;
use wire::arrival::{Arrival, channel};
use wire::clock::{LabClock, until};
use wire::http_face::{Answer, HttpFace};

/// More outputs than this after one input mean that the server wants the same thing again and again.
const PATIENCE: u32 = 20_000;

/// Makes an application server once the addresses of its sites are known: one list of listeners a site.
pub type ServerFactory = Box<dyn FnOnce(&[Vec<(Transport, SocketAddr)>]) -> AppServer>;

/// What a wire laboratory is made of.
pub struct WireSetup {
    /// The units.
    pub units: Vec<WireUnit>,
    /// The rig's own address. A real base must be able to reach it.
    pub address: IpAddr,
    /// The application servers.
    pub servers: Vec<WireServer>,
    /// What names resolve to, for the servers.
    pub names: Names,
    /// The seed of the network faults that are left to chance.
    pub seed: u64,
}

/// One unit.
pub struct WireUnit {
    /// What it is.
    pub base: WireBase,
    /// The address that an emulated base is bound to. Units of one laboratory have different ones.
    pub bind: IpAddr,
}

/// One application server.
pub struct WireServer {
    /// How many sites it has: each listens with UDP and TCP on one free port.
    pub sites: usize,
    /// Makes it.
    pub make: ServerFactory,
}

/// The wire laboratory.
pub struct WireLab {
    /// Dropped last: the world's sockets and the base's process belong to it.
    world: World,
    runtime: Runtime,
}

struct World {
    clock: LabClock,
    servers: Vec<ServerPort>,
    units: Vec<Unit>,
    provisioning: HttpFace,
    at_provisioning: mpsc::Receiver<Arrival>,
    names: Names,
    transit: Transit,
    watchdog: Watchdog,
    exchanges: u64,
    fetches: BTreeMap<ExchangeId, Answer>,
    observed: VecDeque<Observed>,
}

struct Unit {
    port: BasePort,
    bind: IpAddr,
}

/// What woke the world. The numbers are places among servers or units.
enum Woken {
    Answered(usize, Option<Answered>),
    AtProvisioning(Option<Arrival>),
    AtServer(usize, Arrival),
    AtUnit(usize, Arrival),
    Time,
}

impl WireLab {
    /// Binds everything; the units are off.
    ///
    /// # Errors
    /// When a socket cannot be bound; the error names it.
    pub fn open(setup: WireSetup) -> Result<Self, RigError> {
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| broken("the runtime", &error))?;
        let world = runtime.block_on(World::open(setup))?;
        Ok(Self { world, runtime })
    }
}

impl World {
    async fn open(setup: WireSetup) -> Result<Self, RigError> {
        let free = SocketAddr::new(setup.address, 0);
        let (provisioning_arrivals, at_provisioning) = channel();
        let mut servers = Vec::new();
        for server in setup.servers {
            servers.push(ServerPort::open(free, server).await?);
        }
        let provisioning = HttpFace::bind(free, provisioning_arrivals)
            .await
            .map_err(|error| broken("the provisioning server", &error))?;
        let unit = |unit: WireUnit| -> Result<Unit, RigError> {
            Ok(Unit {
                port: BasePort::new(unit.base)?,
                bind: unit.bind,
            })
        };
        Ok(Self {
            clock: LabClock::start(),
            servers,
            units: setup
                .units
                .into_iter()
                .map(unit)
                .collect::<Result<_, _>>()?,
            provisioning,
            at_provisioning,
            names: setup.names,
            transit: Transit::new(setup.seed, 0..0),
            watchdog: Watchdog::default(),
            exchanges: 0,
            fetches: BTreeMap::new(),
            observed: VecDeque::new(),
        })
    }

    const fn unit_id(&self, place: usize) -> NodeId {
        NodeId(self.servers.len() + place)
    }

    fn unit_mut(&mut self, unit: NodeId) -> Result<&mut Unit, RigError> {
        let place = unit.0.checked_sub(self.servers.len());
        place
            .and_then(|place| self.units.get_mut(place))
            .ok_or_else(|| RigError::Missing {
                what: format!("unit {}", unit.0),
            })
    }

    /// The unit at this address. A single unit is whoever speaks; several are told apart by their hosts.
    fn unit_at(&self, address: SocketAddr) -> Option<usize> {
        if self.units.len() == 1 {
            return Some(0);
        }
        self.units.iter().position(|unit| {
            let host = unit.port.sip().map_or(unit.bind, |sip| sip.ip());
            host == address.ip()
        })
    }

    fn next_exchange(&mut self) -> ExchangeId {
        self.exchanges += 1;
        ExchangeId(self.exchanges)
    }

    fn observe(&mut self, unit: Option<NodeId>, indication: Indication) {
        let at = self.clock.now();
        self.observed.push_back(Observed {
            at,
            wall: Some(self.clock.wall(at)),
            unit,
            indication,
        });
    }

    fn observe_all(&mut self, place: usize, indications: Vec<Indication>) {
        let unit = Some(self.unit_id(place));
        for indication in indications {
            self.observe(unit, indication);
        }
    }

    fn tap(&mut self, flight: &Flight, fate: Fate) {
        let sip = flight.sip.with_fate(fate);
        self.observe(Some(flight.unit), Indication::Sip(sip));
    }

    fn provisioning_url(&self) -> String {
        format!("http://{}/provisioning", self.provisioning.address())
    }

    async fn advance(&mut self, deadline: Instant) -> Option<Observed> {
        self.watchdog.begin(self.clock.now(), deadline);
        let mut last_look = false;
        loop {
            self.catch_up().await;
            if let Some(observed) = self.observed.pop_front() {
                return Some(observed);
            }
            if last_look {
                return self.run_out();
            }
            let woken = if self.clock.now() >= deadline {
                // What has reached a socket before the deadline still counts, however late we look.
                last_look = true;
                self.look().await
            } else {
                self.wait(deadline).await
            };
            self.on_woken(woken).await;
        }
    }

    /// Nothing to report, and the time is over.
    fn run_out(&mut self) -> Option<Observed> {
        let lag = self.watchdog.judge(self.clock.now())?;
        self.observe(None, Indication::Broken(lag));
        self.observed.pop_front()
    }

    /// Does everything whose time has come.
    async fn catch_up(&mut self) {
        let now = self.clock.now();
        self.watchdog.beat(now);
        for place in 0..self.units.len() {
            let Some(unit) = self.units.get_mut(place) else {
                continue;
            };
            if unit.port.due().is_some_and(|due| due <= now) {
                let told = unit.port.on_overdue().await;
                self.observe_all(place, told);
            }
        }
        for place in 0..self.servers.len() {
            let due = self.servers.get(place).and_then(|server| server.due);
            if due.is_some_and(|due| due <= now) {
                self.give_server(place, now, Input::Timeout);
            }
        }
        while let Some(flight) = self.transit.take_due(now) {
            self.arrive(now, flight).await;
        }
    }

    fn next_due(&self, deadline: Instant) -> Instant {
        let servers = self.servers.iter().filter_map(|server| server.due);
        let units = self.units.iter().filter_map(|unit| unit.port.due());
        servers
            .chain(units)
            .chain(self.transit.due())
            .chain(self.watchdog.due())
            .fold(deadline, Instant::min)
    }

    async fn wait(&mut self, deadline: Instant) -> Woken {
        let due = self.next_due(deadline);
        let clock = self.clock;
        tokio::select! {
            biased;
            woken = self.arrival() => woken,
            () = until(clock, Some(due)) => Woken::Time,
        }
    }

    /// Takes what is there, without waiting for more.
    async fn look(&mut self) -> Woken {
        read_sockets().await;
        tokio::select! {
            biased;
            woken = self.arrival() => woken,
            () = std::future::ready(()) => Woken::Time,
        }
    }

    /// The next thing that comes from outside: first what servers get, then what the units say otherwise.
    async fn arrival(&mut self) -> Woken {
        poll_fn(|context| {
            for (place, server) in self.servers.iter_mut().enumerate() {
                if let Poll::Ready(Some(arrival)) = server.arrived.poll_recv(context) {
                    return Poll::Ready(Woken::AtServer(place, arrival));
                }
            }
            if let Poll::Ready(arrival) = self.at_provisioning.poll_recv(context) {
                return Poll::Ready(Woken::AtProvisioning(arrival));
            }
            for (place, unit) in self.units.iter_mut().enumerate() {
                if let Poll::Ready(Some(arrival)) = unit.port.arrived.poll_recv(context) {
                    return Poll::Ready(Woken::AtUnit(place, arrival));
                }
                if let Poll::Ready(Some(answered)) = unit.port.answers.poll_join_next(context) {
                    return Poll::Ready(Woken::Answered(place, answered.ok()));
                }
            }
            Poll::Pending
        })
        .await
    }

    async fn on_woken(&mut self, woken: Woken) {
        match woken {
            Woken::Answered(place, answered) => {
                let unit = self.units.get_mut(place);
                let told = answered.and_then(|it| unit?.port.on_answered(it));
                self.observe_all(place, told.into_iter().collect());
            }
            Woken::AtUnit(place, arrival) => {
                // A base sends before it shows: what it sent first is reported first, though it came another way.
                read_sockets().await;
                for server in 0..self.servers.len() {
                    while let Some(sent) = self.waiting_at(server) {
                        self.on_server_arrival(server, sent);
                    }
                }
                self.catch_up().await;
                if let Some(unit) = self.units.get_mut(place) {
                    let told = unit.port.on_arrival(arrival).await;
                    self.observe_all(place, told);
                }
            }
            Woken::AtProvisioning(Some(Arrival::Http { request, answer })) => {
                let exchange = self.next_exchange();
                self.fetches.insert(exchange, answer);
                self.observe(None, Indication::Fetch { exchange, request });
            }
            Woken::AtServer(place, arrival) => self.on_server_arrival(place, arrival),
            // A channel ends only with the world; nothing else comes to the provisioning server.
            Woken::AtProvisioning(_) | Woken::Time => {}
        }
    }

    fn waiting_at(&mut self, server: usize) -> Option<Arrival> {
        self.servers.get_mut(server)?.arrived.try_recv().ok()
    }

    fn on_server_arrival(&mut self, place: usize, arrival: Arrival) {
        let now = self.clock.now();
        match arrival {
            Arrival::Sip {
                flow,
                connection,
                bytes,
            } if connection.is_given_up() => {
                if let Some(unit) = self.unit_at(flow.remote) {
                    let rest = flight(self.unit_id(unit), Direction::FromBase, flow, bytes);
                    self.tap(&rest, Fate::Dropped);
                }
            }
            Arrival::Sip { flow, bytes, .. } => {
                let Some(server) = self.servers.get_mut(place) else {
                    return;
                };
                for bytes in server.frame(flow, bytes) {
                    self.received(place, now, flow, bytes);
                }
            }
            Arrival::FlowClosed { flow } => self.end_stream(place, now, flow),
            Arrival::Http { request, answer } => {
                let exchange = self.next_exchange();
                if let Some(server) = self.servers.get_mut(place) {
                    server.asked(exchange, answer);
                }
                self.give_server(place, now, Input::Http { exchange, request });
            }
            _ => {}
        }
    }

    /// A message came to a server's socket. What comes from nobody's unit concerns the server alone.
    fn received(&mut self, place: usize, now: Instant, flow: Flow, bytes: Bytes) {
        match self.unit_at(flow.remote) {
            Some(unit) => {
                let flight = flight(self.unit_id(unit), Direction::FromBase, flow, bytes);
                self.enter(now, flight);
            }
            None => self.give_server(place, now, Input::Sip { flow, bytes }),
        }
    }

    /// A message leaves its source.
    fn enter(&mut self, now: Instant, flight: Flight) {
        self.tap(&flight, Fate::Sent);
        let lost = flight.clone();
        match self.transit.enter(now, flight) {
            Entry::OnItsWay => {}
            Entry::Lost => self.tap(&lost, Fate::Dropped),
            Entry::StreamBroken => {
                self.tap(&lost, Fate::Dropped);
                let flow = server_flow(&lost);
                if let Some(place) = self.server_at(flow.local) {
                    self.cut(place, now, flow);
                }
            }
        }
    }

    fn server_at(&self, address: SocketAddr) -> Option<usize> {
        self.servers
            .iter()
            .position(|server| server.sites().contains(&address))
    }

    /// A message reaches its destination.
    async fn arrive(&mut self, now: Instant, flight: Flight) {
        let flow = server_flow(&flight);
        let Some(place) = self.server_at(flow.local) else {
            return;
        };
        let off = self
            .unit_mut(flight.unit)
            .map_or(true, |unit| unit.port.is_off());
        if flight.sip.direction == Direction::ToBase && off {
            self.tap(&flight, Fate::Dropped);
            return;
        }
        self.tap(&flight, Fate::Delivered);
        let bytes = flight.sip.bytes;
        match flight.sip.direction {
            Direction::FromBase => self.give_server(place, now, Input::Sip { flow, bytes }),
            Direction::ToBase => {
                let Some(server) = self.servers.get(place) else {
                    return;
                };
                if !server.send(flow, bytes).await {
                    self.end_stream(place, now, flow);
                }
            }
        }
    }

    /// Breaks a stream as a cut cable would, only faster.
    fn cut(&mut self, place: usize, now: Instant, flow: Flow) {
        if let Some(server) = self.servers.get(place) {
            server.cut(flow);
        }
        self.end_stream(place, now, flow);
    }

    fn end_stream(&mut self, place: usize, now: Instant, flow: Flow) {
        for flight in self.transit.end_stream(flow.local, flow.remote) {
            self.tap(&flight, Fate::Dropped);
        }
        let rest = self
            .servers
            .get_mut(place)
            .and_then(|server| server.unframe(flow));
        if let (Some(bytes), Some(unit)) = (rest, self.unit_at(flow.remote)) {
            let unfinished = flight(self.unit_id(unit), Direction::FromBase, flow, bytes);
            self.tap(&unfinished, Fate::Dropped);
        }
        self.give_server(place, now, Input::FlowClosed { flow });
    }

    fn give_server(&mut self, place: usize, now: Instant, input: Input) {
        if let Some(server) = self.servers.get_mut(place) {
            server.machine.handle_input(now, input);
            self.drain_server(place, now);
        }
    }

    fn drain_server(&mut self, place: usize, now: Instant) {
        for _ in 0..PATIENCE {
            let Some(server) = self.servers.get_mut(place) else {
                return;
            };
            match server.machine.poll_output() {
                Output::Timeout(due) => {
                    server.due = due;
                    return;
                }
                Output::CloseFlow(flow) => {
                    server.end(flow);
                    let unit = self.unit_at(flow.remote).map(|unit| self.unit_id(unit));
                    self.observe(unit, framing_lost("the application server", flow));
                    self.end_stream(place, now, flow);
                }
                Output::Sip(Transmit { flow, bytes, .. }) => self.transmit(place, now, flow, bytes),
                Output::HttpReply { exchange, response } => server.answer(exchange, response),
                Output::Event(text) => server.control.publish(text),
                Output::Resolve(question) => {
                    let answer = self.names.answer(&question);
                    server
                        .machine
                        .handle_input(now, Input::Resolved { question, answer });
                }
                // The server has no console, fetches nothing and is never asked to end here.
                Output::Console(_) | Output::Ended | Output::Http { .. } => {}
            }
        }
        if let Some(server) = self.servers.get_mut(place) {
            server.due = None;
        }
        let error = RigError::Lab {
            part: "the application server".to_owned(),
            reason: "its output never ends".to_owned(),
        };
        self.observe(None, Indication::Broken(error));
    }

    /// A server wants a message sent.
    fn transmit(&mut self, place: usize, now: Instant, flow: Flow, bytes: Bytes) {
        match self.unit_at(flow.remote) {
            Some(unit) => {
                let flight = flight(self.unit_id(unit), Direction::ToBase, flow, bytes);
                self.enter(now, flight);
            }
            None => self.give_server(place, now, Input::FlowClosed { flow }),
        }
    }
}

/// A message between a unit and the server that names the flow so.
fn flight(unit: NodeId, direction: Direction, flow: Flow, bytes: Bytes) -> Flight {
    let (source, destination) = match direction {
        Direction::FromBase => (flow.remote, flow.local),
        Direction::ToBase => (flow.local, flow.remote),
    };
    Flight {
        unit,
        transport: flow.transport,
        sip: Sip {
            direction,
            fate: Fate::Sent,
            transport: flow.transport.as_str().to_owned(),
            source,
            destination,
            bytes,
            parsed: Parsed::default(),
        },
    }
}

/// The flow as the server names it.
const fn server_flow(flight: &Flight) -> Flow {
    match flight.sip.direction {
        Direction::FromBase => flight.receiver_flow(),
        Direction::ToBase => flight.sender_flow(),
    }
}

/// Lets the runtime look at the sockets and the tasks that read them take their turns.
async fn read_sockets() {
    for _ in 0..3 {
        tokio::task::yield_now().await;
    }
}

impl Lab for WireLab {
    fn now(&self) -> Instant {
        self.world.clock.now()
    }

    fn wall(&self) -> Option<u64> {
        Some(self.world.clock.wall(self.now()))
    }

    fn layout(&self) -> Layout {
        let world = &self.world;
        let server = |(place, server): (usize, &ServerPort)| ServerPlace {
            node: NodeId(place),
            sites: server.sites(),
        };
        let unit = |(place, unit): (usize, &Unit)| UnitPlace {
            node: world.unit_id(place),
            sip: unit
                .port
                .sip()
                .unwrap_or_else(|| SocketAddr::new(unit.bind, 0)),
        };
        Layout {
            servers: world.servers.iter().enumerate().map(server).collect(),
            units: world.units.iter().enumerate().map(unit).collect(),
            provisioning: world.provisioning_url(),
        }
    }

    fn with_server(&mut self, server: NodeId, verb: &mut dyn FnMut(&mut AppServer, Instant)) {
        let now = self.world.clock.now();
        match self.world.servers.get_mut(server.0) {
            Some(port) => verb(&mut port.machine, now),
            None => unreachable!("{server:?} is a server of this laboratory"),
        }
        let _inside = self.runtime.enter();
        self.world.drain_server(server.0, now);
    }

    fn power_on(&mut self, unit: NodeId) -> Result<(), RigError> {
        let world = &mut self.world;
        let (now, url) = (world.clock.now(), world.provisioning_url());
        let unit = world.unit_mut(unit)?;
        self.runtime
            .block_on(unit.port.power_on(now, unit.bind, &url))
    }

    fn power_off(&mut self, unit: NodeId) -> Result<(), RigError> {
        let port = &mut self.world.unit_mut(unit)?.port;
        let told = self.runtime.block_on(port.power_off())?;
        for indication in told {
            self.world.observe(Some(unit), indication);
        }
        Ok(())
    }

    fn shut_down(&mut self, unit: NodeId) -> Result<(), RigError> {
        let now = self.world.clock.now();
        self.world.unit_mut(unit)?.port.shut_down(now)
    }

    fn write_console(&mut self, unit: NodeId, bytes: Bytes) -> Result<(), RigError> {
        self.world.unit_mut(unit)?.port.write_console(bytes)
    }

    fn request(&mut self, to: NodeId, request: http::Request<Bytes>) -> ExchangeId {
        let _inside = self.runtime.enter();
        let world = &mut self.world;
        let exchange = world.next_exchange();
        let root = world
            .servers
            .get(to.0)
            .map(|server| format!("http://{}", server.control.address()));
        match root {
            // Whoever waits for answers to units also waits for those of servers.
            Some(root) => {
                if let Some(unit) = world.units.first_mut() {
                    unit.port.request_at(&root, exchange, request);
                }
            }
            None => match world.unit_mut(to) {
                Ok(unit) => unit.port.request(exchange, request),
                Err(error) => world.observe(None, Indication::Broken(error)),
            },
        }
        exchange
    }

    fn reply(&mut self, exchange: ExchangeId, response: http::Response<Bytes>) {
        if let Some(answer) = self.world.fetches.remove(&exchange) {
            self.world.provisioning.answer(answer, response);
        }
    }

    fn disturb(&mut self, fault: Fault) {
        self.world.transit.faults.load(fault);
    }

    fn calm(&mut self) {
        let now = self.world.clock.now();
        self.world.transit.calm(now);
    }

    fn reset_streams(&mut self) {
        let now = self.world.clock.now();
        let _inside = self.runtime.enter();
        for place in 0..self.world.servers.len() {
            let server = self.world.servers.get(place);
            let flows = server.map_or_else(Vec::new, ServerPort::streams);
            for flow in flows {
                self.world.cut(place, now, flow);
            }
        }
    }

    fn advance(&mut self, deadline: Instant) -> Option<Observed> {
        self.runtime.block_on(self.world.advance(deadline))
    }
}
