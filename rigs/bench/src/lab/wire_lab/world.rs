//! Everything that happens in a wire laboratory: what woke it, what is due, and where each message goes.
//!
//! It runs inside [`Lab::advance`](crate::lab::Lab::advance) only, on the laboratory's own runtime.

use super::base_port::{Answered, BasePort, broken};
use super::server_port::ServerPort;
use super::watchdog::Watchdog;
use super::{WireSetup, WireUnit};
use crate::error::RigError;
use crate::lab::names::Names;
use crate::lab::network::transit::{Entry, Flight, Transit};
use crate::lab::{Indication, NodeId, Observed, framing_lost};
use crate::second_reader;
use bytes::Bytes;
use evidence::record::{Direction, Fate};
use sip::node::{ExchangeId, Flow, Input, Node as _, Output, Transmit};
use sip::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::net::{IpAddr, SocketAddr};
use std::task::Poll;
use tokio::sync::mpsc;
use wire::arrival::{Arrival, channel};
use wire::clock::{LabClock, until};
use wire::http_face::{Answer, HttpFace};

/// More outputs than this after one input mean that the server wants the same thing again and again.
const PATIENCE: u32 = 20_000;

pub(super) struct World {
    pub(super) clock: LabClock,
    pub(super) servers: Vec<ServerPort>,
    pub(super) units: Vec<Unit>,
    pub(super) provisioning: HttpFace,
    pub(super) at_provisioning: mpsc::Receiver<Arrival>,
    pub(super) names: Names,
    pub(super) transit: Transit,
    pub(super) watchdog: Watchdog,
    pub(super) exchanges: u64,
    pub(super) fetches: BTreeMap<ExchangeId, Answer>,
    pub(super) observed: VecDeque<Observed>,
}

pub(super) struct Unit {
    pub(super) port: BasePort,
    pub(super) bind: IpAddr,
}

/// What woke the world. The numbers are places among servers or units.
enum Woken {
    Answered(usize, Option<Answered>),
    AtProvisioning(Option<Arrival>),
    AtServer(usize, Arrival),
    AtUnit(usize, Arrival),
    Time,
}

impl World {
    pub(super) async fn open(setup: WireSetup) -> Result<Self, RigError> {
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
                port: BasePort::new(unit.base, unit.baud)?,
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

    pub(super) const fn unit_id(&self, place: usize) -> NodeId {
        NodeId(self.servers.len() + place)
    }

    pub(super) fn unit_mut(&mut self, unit: NodeId) -> Result<&mut Unit, RigError> {
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

    pub(super) fn next_exchange(&mut self) -> ExchangeId {
        self.exchanges += 1;
        ExchangeId(self.exchanges)
    }

    pub(super) fn observe(&mut self, unit: Option<NodeId>, indication: Indication) {
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

    pub(super) fn provisioning_url(&self) -> String {
        format!("http://{}/provisioning", self.provisioning.address())
    }

    pub(super) async fn advance(&mut self, deadline: Instant) -> Option<Observed> {
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
                if let Some(unit) = self.units.get_mut(unit) {
                    unit.port.heard(flow);
                }
                let flight = flight(self.unit_id(unit), Direction::FromBase, flow, bytes);
                self.enter(now, flight);
            }
            None => self.give_server(place, now, Input::Sip { flow, bytes }),
        }
    }

    /// A message leaves its source.
    fn enter(&mut self, now: Instant, flight: Flight) {
        self.tap(&flight, Fate::Sent);
        if let Some(text) = second_reader::disagreement(&flight.sip) {
            self.observe(Some(flight.unit), Indication::ReadDifferently(text));
        }
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
        let hears = self
            .unit_mut(flight.unit)
            .is_ok_and(|unit| unit.port.hears(flow));
        if flight.sip.direction == Direction::ToBase && !hears {
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
    pub(super) fn cut(&mut self, place: usize, now: Instant, flow: Flow) {
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

    pub(super) fn drain_server(&mut self, place: usize, now: Instant) {
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
    let senders = match direction {
        Direction::ToBase => flow,
        Direction::FromBase => Flow {
            local: flow.remote,
            remote: flow.local,
            ..flow
        },
    };
    Flight::sent(unit, direction, senders, bytes)
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
