//! SIP in a virtual laboratory: from the output of one node, through the network, to the input of another; and what the tap
//! at the units' interfaces says of it.

use super::{LINE, Task, VirtualLab, Waiting};
use crate::lab::network::transit::{Entry, Flight};
use crate::lab::{Indication, NodeId};
use evidence::record::{Direction, Fate};
use sip::node::{Flow, Input, Transmit, Transport};
use std::net::SocketAddr;

impl VirtualLab {
    pub(super) fn transmit(&mut self, from: NodeId, transmit: Transmit) {
        let Transmit { flow, bytes, .. } = transmit;
        let to = self.node_at(flow.remote);
        let Some((unit, direction)) = self.unit_of(from, to) else {
            // Nobody observes what goes from one server to another, or from a server into the void.
            return self.refuse_flow(from, flow);
        };
        let flight = Flight::sent(unit, direction, flow, bytes);
        self.tap(Fate::Sent, &flight);
        if to.is_none() || to == Some(from) {
            self.tap(Fate::Dropped, &flight);
            return self.refuse_flow(from, flow);
        }
        let lost = flight.clone();
        match self.transit.enter(self.now, flight) {
            Entry::OnItsWay => {}
            Entry::Lost => self.tap(Fate::Dropped, &lost),
            Entry::StreamBroken => {
                self.tap(Fate::Dropped, &lost);
                self.break_stream(lost.sip.source, lost.sip.destination);
            }
        }
    }

    /// The unit at one end of a message, and which way the message goes as that unit sees it.
    pub(super) fn unit_of(&self, from: NodeId, to: Option<NodeId>) -> Option<(NodeId, Direction)> {
        let is_unit = |node: &NodeId| self.nodes.get(node.0).is_some_and(super::Slot::is_unit);
        if is_unit(&from) {
            return Some((from, Direction::FromBase));
        }
        to.filter(is_unit).map(|unit| (unit, Direction::ToBase))
    }

    /// A connection to nowhere cannot be opened; a datagram to nowhere is just lost.
    fn refuse_flow(&mut self, node: NodeId, flow: Flow) {
        if flow.transport.is_reliable() {
            self.plan(LINE, Task::ToNode(node, Input::FlowClosed { flow }));
        }
    }

    pub(super) fn deliver(&mut self, flight: Flight) {
        let flow = flight.receiver_flow();
        let to = self.node_at(flow.local);
        let Some(to) = to.filter(|to| self.nodes.get(to.0).is_some_and(super::Slot::is_on)) else {
            self.tap(Fate::Dropped, &flight);
            if flow.transport.is_reliable() {
                self.break_stream(flow.local, flow.remote);
            }
            return;
        };
        self.tap(Fate::Delivered, &flight);
        let bytes = flight.sip.bytes;
        self.give(to, Input::Sip { flow, bytes });
    }

    fn tap(&mut self, fate: Fate, flight: &Flight) {
        let sip = flight.sip.with_fate(fate);
        self.observe(Some(flight.unit), Indication::Sip(sip));
    }

    /// Resets the connection between two addresses: what is on its way is lost, both ends are told.
    pub(super) fn break_stream(&mut self, one: SocketAddr, other: SocketAddr) {
        for flight in self.transit.end_stream(one, other) {
            self.tap(Fate::Dropped, &flight);
        }
        for (local, remote) in [(one, other), (other, one)] {
            let flow = Flow {
                transport: Transport::Tcp,
                local,
                remote,
            };
            self.plan_to(local, Input::FlowClosed { flow });
        }
    }

    /// The message that arrives now: the next one, or the one that the chooser picks.
    pub(super) fn choose(&mut self) -> Option<Flight> {
        let Some(chooser) = &mut self.chooser.0 else {
            let due = self.transit.due()?;
            return self.transit.take_due(due);
        };
        let listed: Vec<_> = self.transit.waiting().collect();
        let by_host = &self.by_host;
        let waiting: Vec<Waiting<'_>> = listed
            .iter()
            .map(|(place, flight)| Waiting {
                due: place.due,
                to: by_host.get(&flight.sip.destination.ip()).copied(),
                direction: flight.sip.direction,
                bytes: &flight.sip.bytes,
            })
            .collect();
        let chosen = chooser.choose(self.now, &waiting);
        let place = listed.get(chosen).or_else(|| listed.first())?.0;
        self.transit.take(place)
    }
}
