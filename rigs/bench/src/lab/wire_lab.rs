//! The wire laboratory: real sockets, a real serial line, wall time; the base is a child process or stands on the bench.
//!
//! The application server and the provisioning server run here, inside [`Lab::advance`], on a runtime of their own in
//! the calling thread. That thread must not be one of a tokio runtime.
//!
//! **What the tap sees.** It sits at the server's sockets. On the loopback, what the server's socket received is what
//! the base sent, and what was put on it is what the base gets, so `sent` by the base means received here and
//! `delivered` to the base means handed to the system here. A message for a base that is switched off is `dropped`.
//! Network faults act at the same place: what the base sent and the server must not see was still `sent`.
//!
//! **Lag.** When the rig itself was late by more than a tenth of a wait that ended without its condition, the wait
//! ends with [`RigError::Lag`]: nothing can be concluded.

mod base_port;
mod framing;
mod transit;
mod watchdog;

pub use base_port::WireBase;

use super::network::Fault;
use super::{Addresses, Indication, Lab, Observed, Party, framing_lost};
use crate::error::RigError;
use base_port::{Answered, BasePort, broken};
use bytes::Bytes;
use evidence::record::{Direction, Fate};
use server::AppServer;
use sip::node::{ExchangeId, Flow, Input, Node as _, Output, Transmit, Transport};
use sip::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use transit::{Entry, Flight, Transit};
use watchdog::Watchdog;
use wire::arrival::{Arrival, channel};
use wire::clock::{LabClock, until};
use wire::flows::Flows;
use wire::http_face::{Answer, HttpFace};

/// More outputs than this after one input mean that the server wants the same thing again and again.
const PATIENCE: u32 = 20_000;

/// Makes the application server once its addresses are known.
pub type ServerFactory = Box<dyn FnOnce(&[(Transport, SocketAddr)]) -> AppServer>;

/// What a wire laboratory is made of.
pub struct WireSetup {
    /// The base.
    pub base: WireBase,
    /// The rig's own address: an emulated base is bound to it too. A real base must be able to reach it.
    pub address: IpAddr,
    /// Makes the application server; it is told where it listens (UDP and TCP on one free port).
    pub server: ServerFactory,
    /// The seed of the network faults that are left to chance.
    pub seed: u64,
}

/// The wire laboratory.
pub struct WireLab {
    /// Dropped last: the world's sockets and the base's process belong to it.
    world: World,
    runtime: Runtime,
}

struct World {
    clock: LabClock,
    address: IpAddr,
    server: AppServer,
    server_due: Option<Instant>,
    flows: Flows,
    control: HttpFace,
    provisioning: HttpFace,
    /// From the server's sockets and its control interface.
    at_server: mpsc::Receiver<Arrival>,
    at_provisioning: mpsc::Receiver<Arrival>,
    base: BasePort,
    transit: Transit,
    watchdog: Watchdog,
    exchanges: u64,
    control_requests: BTreeMap<ExchangeId, Answer>,
    fetches: BTreeMap<ExchangeId, Answer>,
    observed: VecDeque<Observed>,
}

/// What woke the world.
enum Woken {
    Answered(Option<Answered>),
    AtBase(Option<Arrival>),
    AtProvisioning(Option<Arrival>),
    AtServer(Option<Arrival>),
    Time,
}

impl WireLab {
    /// Binds everything; the base is off.
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
        let (server_arrivals, at_server) = channel();
        let (provisioning_arrivals, at_provisioning) = channel();
        let listen = [(Transport::Udp, free), (Transport::Tcp, free)];
        let flows = Flows::bind(&listen, server_arrivals.clone())
            .await
            .map_err(|error| broken("the application server", &error))?;
        let control = HttpFace::bind(free, server_arrivals)
            .await
            .map_err(|error| broken("the application server's control interface", &error))?;
        let provisioning = HttpFace::bind(free, provisioning_arrivals)
            .await
            .map_err(|error| broken("the provisioning server", &error))?;
        Ok(Self {
            clock: LabClock::start(),
            address: setup.address,
            server: (setup.server)(flows.addresses()),
            server_due: Some(Instant::EPOCH),
            flows,
            control,
            provisioning,
            at_server,
            at_provisioning,
            base: BasePort::new(setup.base)?,
            transit: Transit::new(setup.seed),
            watchdog: Watchdog::default(),
            exchanges: 0,
            control_requests: BTreeMap::new(),
            fetches: BTreeMap::new(),
            observed: VecDeque::new(),
        })
    }

    fn next_exchange(&mut self) -> ExchangeId {
        self.exchanges += 1;
        ExchangeId(self.exchanges)
    }

    fn observe(&mut self, indication: Indication) {
        let at = self.clock.now();
        self.observed.push_back(Observed {
            at,
            wall: Some(self.clock.wall(at)),
            indication,
        });
    }

    fn observe_all(&mut self, indications: Vec<Indication>) {
        for indication in indications {
            self.observe(indication);
        }
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
        self.observe(Indication::Broken(lag));
        self.observed.pop_front()
    }

    /// Does everything whose time has come.
    async fn catch_up(&mut self) {
        let now = self.clock.now();
        self.watchdog.beat(now);
        if self.base.due().is_some_and(|due| due <= now) {
            let told = self.base.on_overdue().await;
            self.observe_all(told);
        }
        if self.server_due.is_some_and(|due| due <= now) {
            self.give_server(now, Input::Timeout);
        }
        while let Some(flight) = self.transit.take_due(now) {
            self.arrive(now, flight).await;
        }
    }

    fn next_due(&self, deadline: Instant) -> Instant {
        let dues = [
            self.server_due,
            self.transit.due(),
            self.watchdog.due(),
            self.base.due(),
        ];
        dues.into_iter().flatten().fold(deadline, Instant::min)
    }

    async fn wait(&mut self, deadline: Instant) -> Woken {
        let due = self.next_due(deadline);
        tokio::select! {
            biased;
            arrival = self.at_server.recv() => Woken::AtServer(arrival),
            arrival = self.at_provisioning.recv() => Woken::AtProvisioning(arrival),
            arrival = self.base.arrived.recv() => Woken::AtBase(arrival),
            Some(answered) = self.base.answers.join_next() => Woken::Answered(answered.ok()),
            () = until(self.clock, Some(due)) => Woken::Time,
        }
    }

    /// Takes what is there, without waiting for more.
    async fn look(&mut self) -> Woken {
        read_sockets().await;
        tokio::select! {
            biased;
            arrival = self.at_server.recv() => Woken::AtServer(arrival),
            arrival = self.at_provisioning.recv() => Woken::AtProvisioning(arrival),
            arrival = self.base.arrived.recv() => Woken::AtBase(arrival),
            Some(answered) = self.base.answers.join_next() => Woken::Answered(answered.ok()),
            () = std::future::ready(()) => Woken::Time,
        }
    }

    async fn on_woken(&mut self, woken: Woken) {
        match woken {
            Woken::Answered(answered) => {
                if let Some(told) = answered.and_then(|it| self.base.on_answered(it)) {
                    self.observe(told);
                }
            }
            Woken::AtBase(Some(arrival)) => {
                // A base sends before it shows: what it sent first is reported first, though it came another way.
                read_sockets().await;
                while let Ok(sent) = self.at_server.try_recv() {
                    self.on_server_arrival(sent);
                }
                self.catch_up().await;
                let told = self.base.on_arrival(arrival).await;
                self.observe_all(told);
            }
            Woken::AtProvisioning(Some(Arrival::Http { request, answer })) => {
                let exchange = self.next_exchange();
                self.fetches.insert(exchange, answer);
                self.observe(Indication::Fetch { exchange, request });
            }
            Woken::AtServer(Some(arrival)) => self.on_server_arrival(arrival),
            // A channel ends only with the world; nothing else comes to the provisioning server.
            Woken::AtBase(None)
            | Woken::AtProvisioning(_)
            | Woken::AtServer(None)
            | Woken::Time => {}
        }
    }

    fn on_server_arrival(&mut self, arrival: Arrival) {
        let now = self.clock.now();
        match arrival {
            Arrival::Sip {
                flow,
                connection,
                bytes,
            } if connection.is_given_up() => {
                let direction = Direction::FromBase;
                let rest = Flight {
                    direction,
                    flow,
                    bytes,
                };
                self.observe(Indication::Sip(rest.seen(Fate::Dropped)));
            }
            Arrival::Sip { flow, bytes, .. } => {
                for bytes in self.transit.frame(flow, bytes) {
                    self.enter(
                        now,
                        Flight {
                            direction: Direction::FromBase,
                            flow,
                            bytes,
                        },
                    );
                }
            }
            Arrival::FlowClosed { flow } => self.end_stream(now, flow),
            Arrival::Http { request, answer } => {
                let exchange = self.next_exchange();
                self.control_requests.insert(exchange, answer);
                self.give_server(now, Input::Http { exchange, request });
            }
            _ => {}
        }
    }

    /// A message leaves its source.
    fn enter(&mut self, now: Instant, flight: Flight) {
        self.observe(Indication::Sip(flight.seen(Fate::Sent)));
        let (flow, lost) = (flight.flow, flight.seen(Fate::Dropped));
        match self.transit.enter(now, flight) {
            Entry::OnItsWay => {}
            Entry::Lost => self.observe(Indication::Sip(lost)),
            Entry::StreamBroken => {
                self.observe(Indication::Sip(lost));
                self.cut(now, flow);
            }
        }
    }

    /// A message reaches its destination.
    async fn arrive(&mut self, now: Instant, flight: Flight) {
        if flight.direction == Direction::ToBase && self.base.is_off() {
            self.observe(Indication::Sip(flight.seen(Fate::Dropped)));
            return;
        }
        self.observe(Indication::Sip(flight.seen(Fate::Delivered)));
        let Flight {
            direction,
            flow,
            bytes,
        } = flight;
        match direction {
            Direction::FromBase => self.give_server(now, Input::Sip { flow, bytes }),
            Direction::ToBase => {
                if self.flows.send(flow, bytes).await.is_err() {
                    self.end_stream(now, flow);
                }
            }
        }
    }

    /// Breaks a stream as a cut cable would, only faster.
    fn cut(&mut self, now: Instant, flow: Flow) {
        self.flows.cut(flow);
        self.end_stream(now, flow);
    }

    fn end_stream(&mut self, now: Instant, flow: Flow) {
        for flight in self.transit.end_stream(flow) {
            self.observe(Indication::Sip(flight.seen(Fate::Dropped)));
        }
        self.give_server(now, Input::FlowClosed { flow });
    }

    fn give_server(&mut self, now: Instant, input: Input) {
        self.server.handle_input(now, input);
        self.drain_server(now);
    }

    fn drain_server(&mut self, now: Instant) {
        for _ in 0..PATIENCE {
            match self.server.poll_output() {
                Output::Timeout(due) => {
                    self.server_due = due;
                    return;
                }
                Output::CloseFlow(flow) => {
                    self.observe(framing_lost("the application server", flow));
                    self.flows.end(flow);
                    self.end_stream(now, flow);
                }
                Output::Sip(Transmit { flow, bytes, .. }) => self.enter(
                    now,
                    Flight {
                        direction: Direction::ToBase,
                        flow,
                        bytes,
                    },
                ),
                Output::HttpReply { exchange, response } => {
                    if let Some(answer) = self.control_requests.remove(&exchange) {
                        self.control.answer(answer, response);
                    }
                }
                Output::Event(text) => self.control.publish(text),
                // The server has no console, fetches nothing and is never asked to end here.
                Output::Console(_) | Output::Ended | Output::Http { .. } => {}
            }
        }
        self.server_due = None;
        self.observe(Indication::Broken(RigError::Lab {
            part: "the application server".to_owned(),
            reason: "its output never ends".to_owned(),
        }));
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

    fn addresses(&self) -> Addresses {
        let world = &self.world;
        Addresses {
            base: world
                .base
                .sip()
                .unwrap_or_else(|| SocketAddr::new(world.address, 0)),
            server: world.flows.first_address(),
            provisioning: world.provisioning_url(),
        }
    }

    fn with_server(&mut self, verb: &mut dyn FnMut(&mut AppServer, Instant)) {
        let now = self.world.clock.now();
        verb(&mut self.world.server, now);
        let _inside = self.runtime.enter();
        self.world.drain_server(now);
    }

    fn power_on(&mut self) -> Result<(), RigError> {
        let world = &mut self.world;
        let (now, url) = (world.clock.now(), world.provisioning_url());
        self.runtime
            .block_on(world.base.power_on(now, world.address, &url))
    }

    fn power_off(&mut self) -> Result<(), RigError> {
        let told = self.runtime.block_on(self.world.base.power_off())?;
        self.world.observe_all(told);
        Ok(())
    }

    fn shut_down(&mut self) -> Result<(), RigError> {
        let now = self.world.clock.now();
        self.world.base.shut_down(now)
    }

    fn write_console(&mut self, bytes: Bytes) -> Result<(), RigError> {
        self.world.base.write_console(bytes)
    }

    fn request(&mut self, to: Party, request: http::Request<Bytes>) -> ExchangeId {
        let _inside = self.runtime.enter();
        let world = &mut self.world;
        let exchange = world.next_exchange();
        match to {
            Party::Base => world.base.request(exchange, request),
            Party::Server => {
                let root = format!("http://{}", world.control.address());
                world.base.request_at(&root, exchange, request);
            }
        }
        exchange
    }

    fn reply(&mut self, exchange: ExchangeId, response: http::Response<Bytes>) {
        if let Some(answer) = self.world.fetches.remove(&exchange) {
            self.world.provisioning.answer(answer, response);
        }
    }

    fn disturb(&mut self, fault: Fault) {
        self.world.transit.network.disturb(fault);
    }

    fn calm(&mut self) {
        let now = self.world.clock.now();
        self.world.transit.calm(now);
    }

    fn reset_streams(&mut self) {
        let now = self.world.clock.now();
        let _inside = self.runtime.enter();
        for flow in self.world.flows.streams() {
            self.world.cut(now, flow);
        }
    }

    fn advance(&mut self, deadline: Instant) -> Option<Observed> {
        self.runtime.block_on(self.world.advance(deadline))
    }
}
