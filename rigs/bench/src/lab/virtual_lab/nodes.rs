//! The nodes of a virtual laboratory: how they are driven, switched on and off, and given up.
//!
//! A node is shared between a world and its clones until one of them changes it. A unit that panics is the rig's fault,
//! because an emulated base is ours; a server that panics takes its scenario with it.

use super::{BaseFactory, BaseSpec, PATIENCE, Task, VirtualLab};
use crate::error::RigError;
use crate::lab::{Indication, NodeId};
use server::AppServer;
use sip::node::{ExchangeId, HttpFailure, Input, Node, Output};
use sip::time::Instant;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A node that is on.
pub(super) enum Machine {
    Base(Box<dyn Node>),
    Server(AppServer),
}

impl Clone for Machine {
    fn clone(&self) -> Self {
        match self {
            Self::Base(base) => Self::Base(base.fork()),
            Self::Server(server) => Self::Server(server.clone()),
        }
    }
}

/// A node and what the laboratory knows of it.
#[derive(Clone)]
pub(super) struct Slot {
    pub(super) addresses: Vec<SocketAddr>,
    kind: Kind,
    /// Nothing while it is off.
    machine: Option<Arc<Machine>>,
    /// When it wants to be woken: the same time as in the laboratory's list.
    due: Option<Instant>,
    /// Somebody listens to its event stream.
    pub(super) listened: bool,
    /// How many steps it has made at this point in time.
    steps: (Instant, u32),
}

#[derive(Clone)]
enum Kind {
    Server,
    Unit { spec: BaseSpec, boots: u64 },
}

impl Slot {
    pub(super) fn server((machine, addresses): (AppServer, Vec<SocketAddr>)) -> Self {
        Self {
            addresses,
            kind: Kind::Server,
            machine: Some(Arc::new(Machine::Server(machine))),
            due: None,
            listened: false,
            steps: (Instant::EPOCH, 0),
        }
    }

    pub(super) fn unit(spec: BaseSpec) -> Self {
        Self {
            addresses: vec![spec.sip],
            kind: Kind::Unit { spec, boots: 0 },
            machine: None,
            due: None,
            listened: false,
            steps: (Instant::EPOCH, 0),
        }
    }

    pub(super) const fn is_on(&self) -> bool {
        self.machine.is_some()
    }

    pub(super) const fn is_unit(&self) -> bool {
        matches!(self.kind, Kind::Unit { .. })
    }

    pub(super) const fn unit_spec(&self) -> Option<&BaseSpec> {
        match &self.kind {
            Kind::Server => None,
            Kind::Unit { spec, .. } => Some(spec),
        }
    }

    pub(super) fn provisioning_url(&self) -> Option<&str> {
        self.unit_spec().map(|spec| spec.provisioning_url.as_str())
    }

    pub(super) fn machine_mut(&mut self) -> Option<&mut Machine> {
        self.machine.as_mut().map(Arc::make_mut)
    }

    pub(super) fn digest(&self) -> Option<u64> {
        self.machine.as_deref().map(|machine| match machine {
            Machine::Base(base) => base.digest(),
            Machine::Server(server) => server.digest(),
        })
    }

    /// Makes the base anew. Each boot draws from numbers of its own.
    pub(super) fn boot(&mut self, factory: &BaseFactory) -> Result<(), RigError> {
        let Kind::Unit { spec, boots } = &mut self.kind else {
            return Ok(());
        };
        let mut spec = spec.clone();
        spec.seed = spec.seed.wrapping_add(*boots);
        *boots += 1;
        let base = factory(&spec).map_err(|reason| RigError::Base {
            model: spec.model,
            reason,
        })?;
        self.machine = Some(Arc::new(Machine::Base(base)));
        Ok(())
    }

    /// Draws from this seed from now on, in boots to come too.
    pub(super) fn reseed(&mut self, seed: u64) {
        if let Kind::Unit { spec, .. } = &mut self.kind {
            spec.seed = seed;
        }
        match self.machine_mut() {
            None => {}
            Some(Machine::Base(base)) => base.reseed(seed),
            Some(Machine::Server(server)) => server.reseed(seed),
        }
    }

    /// Counts a step; whether there were too many at this point in time.
    fn is_restless(&mut self, now: Instant) -> bool {
        if self.steps.0 != now {
            self.steps = (now, 0);
        }
        self.steps.1 += 1;
        self.steps.1 > PATIENCE
    }

    pub(super) fn name(&self) -> String {
        match &self.kind {
            Kind::Server => "the application server".to_owned(),
            Kind::Unit { spec, .. } => format!("the emulated base {}", spec.mac),
        }
    }
}

impl VirtualLab {
    /// A node wants to be woken then, and not at the time that it named before.
    pub(super) fn wake(&mut self, node: NodeId, due: Option<Instant>) {
        let Some(slot) = self.nodes.get_mut(node.0) else {
            return;
        };
        if slot.due == due {
            return;
        }
        if let Some(before) = std::mem::replace(&mut slot.due, due) {
            self.deadlines.remove(&(before, node));
        }
        self.deadlines.extend(due.map(|due| (due, node)));
    }

    pub(super) fn give(&mut self, node: NodeId, input: Input) {
        let now = self.now;
        let Some(slot) = self.nodes.get_mut(node.0) else {
            return;
        };
        if slot.is_restless(now) {
            let name = slot.name();
            self.give_up(&name, "time does not move on any more");
            return;
        }
        match slot.machine_mut() {
            None => return self.refuse(input),
            Some(Machine::Server(server)) => server.handle_input(now, input),
            Some(Machine::Base(base)) => {
                if catch_unwind(AssertUnwindSafe(|| base.handle_input(now, input))).is_err() {
                    return self.unit_panicked(node);
                }
            }
        }
        self.drain(node);
    }

    /// A unit without power answers nothing; who asked by HTTP is told so.
    fn refuse(&mut self, input: Input) {
        if let Input::Http { exchange, .. } = input {
            self.fail_exchange(exchange);
        }
    }

    fn fail_exchange(&mut self, exchange: ExchangeId) {
        if let Some(node) = self.asked.remove(&exchange) {
            let reply = Err(HttpFailure("the base is off".to_owned()));
            self.observe(Some(node), Indication::HttpReply { exchange, reply });
        }
    }

    pub(super) fn drain(&mut self, node: NodeId) {
        for _ in 0..PATIENCE {
            match self.poll(node) {
                None => return,
                Some(Output::Timeout(due)) => {
                    self.wake(node, due);
                    return;
                }
                Some(output) => self.take_output(node, output),
            }
        }
        let name = self.nodes.get(node.0).map_or_else(String::new, Slot::name);
        self.give_up(&name, "its output never ends");
    }

    fn poll(&mut self, node: NodeId) -> Option<Output> {
        let machine = self.nodes.get_mut(node.0)?.machine_mut()?;
        match machine {
            Machine::Server(server) => Some(server.poll_output()),
            Machine::Base(base) => match catch_unwind(AssertUnwindSafe(|| base.poll_output())) {
                Ok(output) => Some(output),
                Err(_) => {
                    self.unit_panicked(node);
                    None
                }
            },
        }
    }

    /// The unit is gone: streams break, whoever waits for it is told.
    pub(super) fn switch_off(&mut self, unit: NodeId) {
        let Some(slot) = self.nodes.get_mut(unit.0) else {
            return;
        };
        slot.machine = None;
        let (hosts, listened) = (slot.addresses.clone(), std::mem::take(&mut slot.listened));
        self.wake(unit, None);
        // Nothing of this boot reaches the next one, and nothing of the next one is answered by this.
        self.agenda.retain(|_, task| !task.ends_with(unit));
        self.fetches.retain(|_, (node, _)| *node != unit);
        let is_its = |address: &SocketAddr| hosts.iter().any(|own| own.ip() == address.ip());
        for (one, other) in self.transit.connections() {
            if is_its(&one) || is_its(&other) {
                self.break_stream(one, other);
            }
        }
        let asked: Vec<ExchangeId> = self
            .asked
            .iter()
            .filter(|(_, node)| **node == unit)
            .map(|(exchange, _)| *exchange)
            .collect();
        for exchange in asked {
            self.fail_exchange(exchange);
        }
        if listened {
            self.observe(Some(unit), Indication::EventsClosed);
        }
    }

    fn unit_panicked(&mut self, unit: NodeId) {
        self.switch_off(unit);
        let spec = self.nodes.get(unit.0).and_then(Slot::unit_spec);
        let model = spec.map_or_else(String::new, |spec| spec.model.clone());
        let error = RigError::Base {
            model,
            reason: "the emulated base panicked".to_owned(),
        };
        self.observe(Some(unit), Indication::Broken(error));
    }

    /// Plans the end of a connection at whoever is at this address.
    pub(super) fn plan_to(&mut self, address: SocketAddr, input: Input) {
        if let Some(node) = self.node_at(address) {
            self.plan(super::LINE, Task::ToNode(node, input));
        }
    }
}
