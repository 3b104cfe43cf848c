//! SIP between the sockets of the server and the server itself, where the wire laboratory's tap sits and its network
//! faults act.
//!
//! Pure. A message enters when it was received from the base, or when the server wants it sent; it leaves when its time
//! has come, and is delivered to the server or put on the socket. Without faults that is at once.

use super::framing::Framer;
use crate::lab::network::{Network, Passage};
use bytes::Bytes;
use evidence::record::{Direction, Fate, Parsed, Sip};
use sip::node::Flow;
use sip::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// How far apart a message and one that it overtook arrive.
const APART: Duration = Duration::from_millis(1);

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) direction: Direction,
    /// The flow as the server names it.
    pub(super) flow: Flow,
    pub(super) bytes: Bytes,
}

impl Flight {
    /// What the tap says of it.
    pub(super) fn seen(&self, fate: Fate) -> Sip {
        let (source, destination) = match self.direction {
            Direction::FromBase => (self.flow.remote, self.flow.local),
            Direction::ToBase => (self.flow.local, self.flow.remote),
        };
        Sip {
            direction: self.direction,
            fate,
            transport: self.flow.transport.as_str().to_owned(),
            source,
            destination,
            bytes: self.bytes.clone(),
            parsed: Parsed::default(),
        }
    }
}

/// What became of a message that entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Lost,
    OnItsWay,
    /// Lost, and its stream must be cut.
    StreamBroken,
}

/// Everything on its way.
#[derive(Debug)]
pub(super) struct Transit {
    pub(super) network: Network,
    flights: BTreeMap<(Instant, u64), Flight>,
    held: Vec<Flight>,
    /// When the last message of a stream arrives: no later one may be earlier.
    streams: BTreeMap<(Flow, Direction), Instant>,
    framers: BTreeMap<Flow, Framer>,
    order: u64,
}

impl Transit {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            network: Network::new(seed),
            flights: BTreeMap::new(),
            held: Vec::new(),
            streams: BTreeMap::new(),
            framers: BTreeMap::new(),
            order: 0,
        }
    }

    /// The messages in what was received on a flow.
    pub(super) fn frame(&mut self, flow: Flow, bytes: Bytes) -> Vec<Bytes> {
        if flow.transport.is_reliable() {
            self.framers.entry(flow).or_default().push(&bytes)
        } else {
            vec![bytes]
        }
    }

    /// A message enters.
    pub(super) fn enter(&mut self, now: Instant, flight: Flight) -> Entry {
        let reliable = flight.flow.transport.is_reliable();
        match self.network.pass(flight.direction, &flight.bytes) {
            Passage::Arrives(later) => self.send_off(now, flight, later),
            Passage::ArrivesTwice(later) => {
                if !reliable {
                    self.schedule(now + later, flight.clone());
                }
                self.send_off(now, flight, Duration::ZERO);
            }
            Passage::Held => self.held.push(flight),
            Passage::Lost | Passage::StreamBroken if reliable => return Entry::StreamBroken,
            Passage::Lost | Passage::StreamBroken => return Entry::Lost,
        }
        Entry::OnItsWay
    }

    /// The next message whose time has come.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Flight> {
        let first = self.flights.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next message arrives.
    pub(super) fn due(&self) -> Option<Instant> {
        self.flights.first_key_value().map(|((due, _), _)| *due)
    }

    /// The network calms: messages that were held back go on.
    pub(super) fn calm(&mut self, now: Instant) {
        self.network.calm();
        for flight in std::mem::take(&mut self.held) {
            self.send_off(now, flight, Duration::ZERO);
        }
    }

    /// A stream has ended: what was on its way is lost and returned, with the unfinished last message.
    pub(super) fn end_stream(&mut self, flow: Flow) -> Vec<Flight> {
        let mut lost: Vec<Flight> = Vec::new();
        self.flights.retain(|_, flight| {
            let stays = flight.flow != flow;
            if !stays {
                lost.push(flight.clone());
            }
            stays
        });
        self.streams.retain(|(stream, _), _| *stream != flow);
        self.held.retain(|flight| flight.flow != flow);
        let rest = self.framers.remove(&flow).and_then(Framer::finish);
        lost.extend(rest.map(|bytes| Flight {
            direction: Direction::FromBase,
            flow,
            bytes,
        }));
        lost
    }

    /// Puts a message on its way, and behind it those in the same direction that it overtakes.
    fn send_off(&mut self, now: Instant, flight: Flight, later: Duration) {
        let direction = flight.direction;
        let due = self.schedule(now + later, flight);
        for held in std::mem::take(&mut self.held) {
            if held.direction == direction {
                self.schedule(due + APART, held);
            } else {
                self.held.push(held);
            }
        }
    }

    fn schedule(&mut self, mut due: Instant, flight: Flight) -> Instant {
        if flight.flow.transport.is_reliable() {
            let last = self
                .streams
                .entry((flight.flow, flight.direction))
                .or_default();
            due = due.max(*last);
            *last = due;
        }
        self.order += 1;
        self.flights.insert((due, self.order), flight);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::network::{Effect, Fault};
    use sip::node::Transport;

    fn flight(transport: Transport, text: &'static str) -> Flight {
        Flight {
            direction: Direction::ToBase,
            flow: Flow {
                transport,
                local: "127.0.0.1:5060".parse().unwrap(),
                remote: "127.0.0.2:5060".parse().unwrap(),
            },
            bytes: Bytes::from_static(text.as_bytes()),
        }
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn arrivals(transit: &mut Transit, now: Instant) -> Vec<Bytes> {
        std::iter::from_fn(|| transit.take_due(now))
            .map(|flight| flight.bytes)
            .collect()
    }

    #[test]
    fn without_faults_a_message_arrives_at_once() {
        let mut transit = Transit::new(1);
        let entry = transit.enter(at(5), flight(Transport::Udp, "a"));
        assert_eq!(entry, Entry::OnItsWay);
        assert_eq!(arrivals(&mut transit, at(5)), ["a"]);
        assert_eq!(transit.due(), None);
    }

    #[test]
    fn a_delayed_datagram_is_overtaken_and_a_stream_waits_behind_it() {
        for (transport, order) in [(Transport::Udp, ["b", "a"]), (Transport::Tcp, ["a", "b"])] {
            let mut transit = Transit::new(1);
            let delay = Effect::Delay(Duration::from_millis(50));
            transit.network.disturb(Fault::new(delay).next(1));
            transit.enter(at(0), flight(transport, "a"));
            transit.enter(at(1), flight(transport, "b"));
            assert_eq!(arrivals(&mut transit, at(50)), order);
        }
    }

    #[test]
    fn a_duplicated_datagram_arrives_twice_and_a_reordered_one_second() {
        let mut transit = Transit::new(1);
        let twice = Effect::Duplicate(Duration::from_millis(3));
        transit.network.disturb(Fault::new(twice).next(1));
        transit.enter(at(0), flight(Transport::Udp, "a"));
        assert_eq!(arrivals(&mut transit, at(3)), ["a", "a"]);
        transit.network.disturb(Fault::new(Effect::Reorder).next(1));
        transit.enter(at(4), flight(Transport::Udp, "b"));
        assert_eq!(transit.due(), None);
        transit.enter(at(5), flight(Transport::Udp, "c"));
        assert_eq!(arrivals(&mut transit, at(6)), ["c", "b"]);
    }

    #[test]
    fn calm_lets_go_what_was_held_back() {
        let mut transit = Transit::new(1);
        transit.network.disturb(Fault::new(Effect::Reorder));
        transit.enter(at(0), flight(Transport::Udp, "a"));
        transit.calm(at(9));
        assert_eq!(arrivals(&mut transit, at(9)), ["a"]);
    }

    #[test]
    fn a_lost_datagram_is_lost_and_a_lost_piece_breaks_its_stream() {
        let mut transit = Transit::new(1);
        transit.network.disturb(Fault::partition());
        let entry = transit.enter(at(0), flight(Transport::Udp, "a"));
        assert_eq!(entry, Entry::Lost);
        let entry = transit.enter(at(0), flight(Transport::Tcp, "a"));
        assert_eq!(entry, Entry::StreamBroken);
    }

    #[test]
    fn the_end_of_a_stream_loses_what_was_on_its_way() {
        let mut transit = Transit::new(1);
        let delay = Effect::Delay(Duration::from_millis(50));
        transit.network.disturb(Fault::new(delay));
        transit.enter(at(0), flight(Transport::Tcp, "a"));
        let flow = flight(Transport::Tcp, "").flow;
        assert!(
            transit
                .frame(flow, Bytes::from_static(b"NOTIFY"))
                .is_empty()
        );
        let lost = transit.end_stream(flow);
        let lost: Vec<&Bytes> = lost.iter().map(|flight| &flight.bytes).collect();
        assert_eq!(lost, ["a", "NOTIFY"]);
        assert_eq!(transit.due(), None);
    }
}
