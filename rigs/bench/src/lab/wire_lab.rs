//! The wire laboratory: real sockets, real serial lines, wall time; a unit is a child process or stands on the bench.
//!
//! The application servers and the provisioning server run here, inside [`Lab::advance`], on a runtime of their own in
//! the calling thread. That thread must not be one of a tokio runtime. Several units are told apart by their hosts, so each
//! emulated one is bound to a loopback address of its own.
//!
//! **What the tap sees.** It sits at the servers' sockets. On the loopback, what the server's socket received is what
//! the base sent, and what was put on it is what the base gets, so `sent` by the base means received here and
//! `delivered` to the base means handed to the system here. A message for a base that is switched off is `dropped`, and so
//! is a datagram for the port of an earlier boot.
//! Network faults act at the same place: what the base sent and the server must not see was still `sent`.
//!
//! **Lag.** When the rig itself was late by more than a tenth of a wait that ended without its condition, the wait
//! ends with [`RigError::Lag`]: nothing can be concluded.

mod base_port;
mod framing;
mod server_port;
mod watchdog;
mod world;

pub use base_port::WireBase;

use super::names::Names;
use super::network::Fault;
use super::{Indication, Lab, Layout, NodeId, Observed, ServerPlace, UnitPlace};
use crate::error::RigError;
use crate::setup::Seeds;
use base_port::broken;
use bytes::Bytes;
use server::AppServer;
use server_port::ServerPort;
use sip::node::{ExchangeId, Transport};
use sip::time::Instant;
use std::net::{IpAddr, SocketAddr};
use tokio::runtime::{Builder, Runtime};
use world::{Unit, World};

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
    /// The speed of its serial console.
    pub baud: u32,
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

impl Lab for WireLab {
    fn now(&self) -> Instant {
        self.world.clock.now()
    }

    fn wall(&self) -> Option<u64> {
        Some(self.world.clock.wall(self.now()))
    }

    fn fork(&self) -> Option<Box<dyn Lab>> {
        None
    }

    /// Only the network is ours to reseed: emulated bases are processes, and a server keeps its numbers.
    fn reseed(&mut self, seed: u64) {
        self.world
            .transit
            .reseed(Seeds::from_scenario(seed).network);
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
