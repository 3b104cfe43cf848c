//! SIP messages between the two nodes of a virtual laboratory: what the network does to them, when they arrive, and in
//! which order. Pieces of a stream keep their order; a stream that loses a piece for good breaks, because what TCP repairs
//! by itself is no loss to SIP.

use super::{LINE, Side, Task, VirtualLab, Waiting};
use crate::lab::Indication;
use crate::lab::network::Passage;
use bytes::Bytes;
use evidence::record::{Direction, Fate, Parsed, Sip};
use sip::node::{Flow, Input, Transmit, Transport};
use sip::time::Instant;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// How long a datagram is on its way, in microseconds.
const JITTER: Range<u64> = 5_000..40_001;

/// A SIP message on its way.
#[derive(Clone)]
pub(super) struct Flight {
    pub(super) due: Instant,
    pub(super) order: u64,
    pub(super) direction: Direction,
    pub(super) transport: Transport,
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
    pub(super) bytes: Bytes,
}

/// One stream, in one direction.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stream {
    pub(super) source: SocketAddr,
    pub(super) destination: SocketAddr,
}

impl VirtualLab {
    pub(super) fn transmit(&mut self, from: Side, transmit: Transmit) {
        let Transmit { flow, bytes, .. } = transmit;
        self.order += 1;
        let flight = Flight {
            due: self.now,
            order: self.order,
            direction: from.outgoing(),
            transport: flow.transport,
            source: flow.local,
            destination: flow.remote,
            bytes,
        };
        self.tap(Fate::Sent, &flight);
        let to = self.side_of(flight.destination);
        if to.is_none() || to == Some(from) {
            self.tap(Fate::Dropped, &flight);
            if flow.transport.is_reliable() {
                self.plan(LINE, Task::FlowClosed(from, flow));
            }
            return;
        }
        match self.network.pass(flight.direction, &flight.bytes) {
            Passage::Arrives(later) => self.send_off(flight, later),
            Passage::ArrivesTwice(later) => {
                self.order += 1;
                let copy = Flight {
                    order: self.order,
                    ..flight.clone()
                };
                self.send_off(flight, Duration::ZERO);
                if !flow.transport.is_reliable() {
                    self.send_off(copy, later);
                }
            }
            Passage::Held => self.held.push(flight),
            Passage::Lost if flow.transport.is_reliable() => {
                // A stream that loses bytes for good has no way on: it breaks.
                self.tap(Fate::Dropped, &flight);
                self.break_stream(flight.source, flight.destination);
            }
            Passage::Lost => self.tap(Fate::Dropped, &flight),
            Passage::StreamBroken => {
                self.tap(Fate::Dropped, &flight);
                if flow.transport.is_reliable() {
                    self.break_stream(flight.source, flight.destination);
                }
            }
        }
    }

    /// Puts a message on its way, and behind it those in the same direction that it overtakes.
    pub(super) fn send_off(&mut self, mut flight: Flight, later: Duration) {
        let jitter = Duration::from_micros(self.rng.u64(JITTER));
        flight.due = self.now + jitter + later;
        if flight.transport.is_reliable() {
            let stream = Stream {
                source: flight.source,
                destination: flight.destination,
            };
            let last = self.streams.entry(stream).or_default();
            flight.due = flight.due.max(*last);
            *last = flight.due;
        }
        let (direction, due) = (flight.direction, flight.due);
        self.flights.push(flight);
        if self.held.is_empty() {
            return;
        }
        for mut held in std::mem::take(&mut self.held) {
            if held.direction == direction {
                held.due = due + LINE;
                self.flights.push(held);
            } else {
                self.held.push(held);
            }
        }
    }

    pub(super) fn deliver(&mut self, flight: Flight) {
        let to = match flight.direction {
            Direction::FromBase => Side::Server,
            Direction::ToBase => Side::Base,
        };
        if to == Side::Base && self.base.is_none() {
            self.tap(Fate::Dropped, &flight);
            if flight.transport.is_reliable() {
                self.break_stream(flight.source, flight.destination);
            }
            return;
        }
        self.tap(Fate::Delivered, &flight);
        let flow = Flow {
            transport: flight.transport,
            local: flight.destination,
            remote: flight.source,
        };
        let bytes = flight.bytes;
        self.give(to, Input::Sip { flow, bytes });
    }

    fn tap(&mut self, fate: Fate, flight: &Flight) {
        self.observed.push_back(Indication::Sip(Sip {
            direction: flight.direction,
            fate,
            transport: flight.transport.as_str().to_owned(),
            source: flight.source,
            destination: flight.destination,
            bytes: flight.bytes.clone(),
            parsed: Parsed::default(),
        }));
    }

    pub(super) fn break_stream(&mut self, one: SocketAddr, other: SocketAddr) {
        let between = |source, destination| {
            (source, destination) == (one, other) || (source, destination) == (other, one)
        };
        self.streams
            .retain(|stream, _| !between(stream.source, stream.destination));
        let mut lost = Vec::new();
        self.flights.retain(|flight| {
            let broken =
                flight.transport.is_reliable() && between(flight.source, flight.destination);
            if broken {
                lost.push(flight.clone());
            }
            !broken
        });
        lost.sort_by_key(|flight| flight.order);
        for flight in &lost {
            self.tap(Fate::Dropped, flight);
        }
        for (local, remote) in [(one, other), (other, one)] {
            if let Some(side) = self.side_of(local) {
                let flow = Flow {
                    transport: Transport::Tcp,
                    local,
                    remote,
                };
                self.plan(LINE, Task::FlowClosed(side, flow));
            }
        }
    }

    /// Lets the chooser pick another message than the first. The chosen one arrives now; the others keep their order and
    /// move back by one time of arrival.
    pub(super) fn choose(&mut self, first: usize) -> usize {
        let Some(chooser) = &mut self.chooser else {
            return first;
        };
        let mut queue: Vec<usize> = (0..self.flights.len()).collect();
        queue.sort_by_key(|index| (self.flights[*index].due, self.flights[*index].order));
        let mut begun = BTreeSet::new();
        let is_next = |index: &usize| {
            let flight = &self.flights[*index];
            !flight.transport.is_reliable() || begun.insert((flight.source, flight.destination))
        };
        let listed: Vec<usize> = queue.iter().copied().filter(is_next).collect();
        let waiting: Vec<Waiting<'_>> = listed
            .iter()
            .map(|index| &self.flights[*index])
            .map(|flight| Waiting {
                due: flight.due,
                direction: flight.direction,
                bytes: &flight.bytes,
            })
            .collect();
        let chosen = chooser.choose(self.now, &waiting);
        let chosen = listed.get(chosen).copied().unwrap_or(first);
        if chosen != first {
            let times: Vec<Instant> = queue.iter().map(|index| self.flights[*index].due).collect();
            queue.retain(|index| *index != chosen);
            for (index, due) in queue.into_iter().zip(times.into_iter().skip(1)) {
                self.flights[index].due = due;
            }
        }
        chosen
    }

    pub(super) fn next_flight(&self) -> Option<usize> {
        let first = self
            .flights
            .iter()
            .enumerate()
            .min_by_key(|(_, flight)| (flight.due, flight.order));
        first.map(|(index, _)| index)
    }
}
