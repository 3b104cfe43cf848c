//! SIP messages on their way between nodes: what the network does to them, when they arrive, and in which order.
//!
//! Pure, and the only model of the network: the virtual laboratory lets every message through it, the wire laboratory
//! those at the servers' sockets. A message enters when it leaves its source and is taken out when its time has come.
//!
//! How long a message takes and whether chance loses it follows from the seed, its *lane* (source, destination and
//! transport) and its number on that lane, and from nothing else: what happens on one lane changes nothing on another, so
//! deliveries to different nodes can be exchanged. Datagrams of a lane may overtake each other, pieces of a stream never
//! do; a stream that loses a piece for good breaks, because what TCP repairs by itself is no loss to SIP.

use super::{Faults, Passage};
use crate::lab::NodeId;
use bytes::Bytes;
use evidence::record::{Direction, Fate, Parsed, Sip};
use sip::node::{Flow, Transport};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

/// How far apart a message and one that it overtook arrive: our choice, the shortest that a capture shows apart.
const APART: Duration = Duration::from_millis(1);

/// A message on its way between a unit and a server site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flight {
    /// The unit at one end.
    pub unit: NodeId,
    /// How it travels.
    pub transport: Transport,
    /// The message, as it was sent.
    pub sip: Sip,
}

impl Flight {
    /// A message that leaves by this flow, as its sender names it.
    #[must_use]
    pub fn sent(unit: NodeId, direction: Direction, flow: Flow, bytes: Bytes) -> Self {
        Self {
            unit,
            transport: flow.transport,
            sip: Sip {
                direction,
                fate: Fate::Sent,
                transport: flow.transport.as_str().to_owned(),
                source: flow.local,
                destination: flow.remote,
                bytes,
                parsed: Parsed::default(),
            },
        }
    }

    /// The flow as its sender names it.
    #[must_use]
    pub const fn sender_flow(&self) -> Flow {
        Flow {
            transport: self.transport,
            local: self.sip.source,
            remote: self.sip.destination,
        }
    }

    /// The flow as its receiver names it.
    #[must_use]
    pub const fn receiver_flow(&self) -> Flow {
        Flow {
            transport: self.transport,
            local: self.sip.destination,
            remote: self.sip.source,
        }
    }

    const fn lane(&self) -> Lane {
        Lane {
            transport: self.transport,
            source: self.sip.source,
            destination: self.sip.destination,
        }
    }

    /// Whether it travels on the connection between these two addresses.
    #[must_use]
    pub fn is_between(&self, one: SocketAddr, other: SocketAddr) -> bool {
        self.transport.is_reliable() && self.lane().is_between(one, other)
    }
}

/// One way between two addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lane {
    transport: Transport,
    source: SocketAddr,
    destination: SocketAddr,
}

impl Lane {
    fn is_between(&self, one: SocketAddr, other: SocketAddr) -> bool {
        let ends = (self.source, self.destination);
        ends == (one, other) || ends == (other, one)
    }

    /// A number that belongs to the n-th message of this lane under this seed, for this purpose.
    fn draw(&self, seed: u64, number: u64, purpose: u64) -> u64 {
        let mut state = mixed(seed ^ purpose.rotate_left(32));
        for address in [self.source, self.destination] {
            let bits = address.ip().to_canonical();
            let bits = match bits {
                std::net::IpAddr::V4(ip) => u128::from(u32::from(ip)),
                std::net::IpAddr::V6(ip) => u128::from(ip),
            };
            let (high, low) = (bits >> 64, bits & u128::from(u64::MAX));
            for part in [high, low, u128::from(address.port())] {
                state = mixed(state ^ u64::try_from(part).unwrap_or_default());
            }
        }
        mixed(state ^ mixed(number << 2 | self.transport as u64))
    }
}

/// The finaliser of SplitMix64: seeds that people quote must give the same run for ever, so it is written out here.
const fn mixed(mut state: u64) -> u64 {
    state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

/// What the numbers of a lane are drawn for.
const JITTER: u64 = 1;
const CHANCE: u64 = 2;

/// What became of a message that entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It is lost.
    Lost,
    /// It will arrive.
    OnItsWay,
    /// It is lost, and its stream must be cut.
    StreamBroken,
}

/// A message's place in the order of arrival.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// When it arrives.
    pub due: Instant,
    lane: Lane,
    number: u64,
    /// The second arrival of a duplicated message.
    copy: bool,
}

/// Everything on its way.
#[derive(Clone, Debug)]
pub struct Transit {
    /// What the network does wrong.
    pub faults: Faults,
    seed: u64,
    /// How long a message takes, in microseconds.
    jitter: Range<u64>,
    flights: BTreeMap<Place, Flight>,
    /// Datagrams that wait for the one that overtakes them.
    held: Vec<Flight>,
    sent: BTreeMap<Lane, u64>,
    /// When the last piece of a stream arrives: no later one may be earlier.
    streams: BTreeMap<Lane, Instant>,
}

impl Transit {
    /// A network that works normally and takes this long for a message, in microseconds; an empty range means no time.
    #[must_use]
    pub const fn new(seed: u64, jitter: Range<u64>) -> Self {
        Self {
            faults: Faults { loaded: Vec::new() },
            seed,
            jitter,
            flights: BTreeMap::new(),
            held: Vec::new(),
            sent: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    /// Draws how long messages take, and which of them chance loses, from this seed from now on.
    pub const fn reseed(&mut self, seed: u64) {
        self.seed = seed;
    }

    /// A message leaves its source.
    pub fn enter(&mut self, now: Instant, flight: Flight) -> Entry {
        let reliable = flight.transport.is_reliable();
        let lane = flight.lane();
        let number = self.sent.entry(lane).or_default();
        *number += 1;
        let (number, seed) = (*number, self.seed);
        let chance = || u8::try_from(lane.draw(seed, number, CHANCE) % 100).unwrap_or_default();
        match self.faults.pass(&flight.sip, chance) {
            Passage::Arrives(later) => self.send_off(now + later, number, flight),
            Passage::ArrivesTwice(later) => {
                if !reliable {
                    self.schedule(now + later, number, true, flight.clone());
                }
                self.send_off(now, number, flight);
            }
            Passage::Held if !reliable => self.held.push(flight),
            Passage::Held => self.send_off(now, number, flight),
            Passage::Lost | Passage::StreamBroken if reliable => return Entry::StreamBroken,
            Passage::Lost | Passage::StreamBroken => return Entry::Lost,
        }
        Entry::OnItsWay
    }

    /// The next message whose time has come.
    pub fn take_due(&mut self, now: Instant) -> Option<Flight> {
        let first = self.flights.first_entry()?;
        (first.key().due <= now).then(|| first.remove())
    }

    /// When the next message arrives.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.flights.keys().next().map(|place| place.due)
    }

    /// The messages that may arrive next, in the order of arrival: of a stream only the first piece.
    pub fn waiting(&self) -> impl Iterator<Item = (Place, &Flight)> {
        let mut begun = Vec::new();
        self.flights.iter().filter_map(move |(place, flight)| {
            if flight.transport.is_reliable() {
                if begun.contains(&place.lane) {
                    return None;
                }
                begun.push(place.lane);
            }
            Some((*place, flight))
        })
    }

    /// Takes one of the waiting messages out, whenever it would have arrived. The others keep their times.
    pub fn take(&mut self, place: Place) -> Option<Flight> {
        self.flights.remove(&place)
    }

    /// The network works normally again: messages that were held back go on.
    pub fn calm(&mut self, now: Instant) {
        self.faults.clear();
        for flight in std::mem::take(&mut self.held) {
            let number = self.next_number(flight.lane());
            self.send_off(now, number, flight);
        }
    }

    /// The connection between two addresses has ended: what was on its way is lost and returned, in the order of sending.
    pub fn end_stream(&mut self, one: SocketAddr, other: SocketAddr) -> Vec<Flight> {
        let broken: Vec<Place> = self
            .flights
            .iter()
            .filter(|(_, flight)| flight.is_between(one, other))
            .map(|(place, _)| *place)
            .collect();
        let mut lost: Vec<(u64, Flight)> = broken
            .into_iter()
            .filter_map(|place| Some((place.number, self.flights.remove(&place)?)))
            .collect();
        lost.sort_by_key(|(number, _)| *number);
        self.streams.retain(|lane, _| !lane.is_between(one, other));
        lost.into_iter().map(|(_, flight)| flight).collect()
    }

    /// The pairs of addresses that have a stream between them, the lower address first.
    #[must_use]
    pub fn connections(&self) -> Vec<(SocketAddr, SocketAddr)> {
        let ends = |lane: &Lane| {
            let (one, other) = (lane.source, lane.destination);
            (one.min(other), one.max(other))
        };
        let mut pairs: Vec<_> = self.streams.keys().map(ends).collect();
        pairs.sort_unstable();
        pairs.dedup();
        pairs
    }

    fn next_number(&mut self, lane: Lane) -> u64 {
        let number = self.sent.entry(lane).or_default();
        *number += 1;
        *number
    }

    /// Puts a message on its way, and behind it those in the same direction that it overtakes.
    fn send_off(&mut self, departure: Instant, number: u64, flight: Flight) {
        let (unit, direction) = (flight.unit, flight.sip.direction);
        let due = self.schedule(departure, number, false, flight);
        if self.held.is_empty() {
            return;
        }
        let overtaken = |held: &Flight| (held.unit, held.sip.direction) == (unit, direction);
        let (behind, still): (Vec<_>, Vec<_>) = std::mem::take(&mut self.held)
            .into_iter()
            .partition(overtaken);
        self.held = still;
        for held in behind {
            let number = self.next_number(held.lane());
            let place = self.place(due + APART, number, false, &held);
            self.flights.insert(place, held);
        }
    }

    fn schedule(&mut self, departure: Instant, number: u64, copy: bool, flight: Flight) -> Instant {
        let span = self.jitter.end.saturating_sub(self.jitter.start);
        let jitter = match span {
            0 => self.jitter.start,
            span => {
                let purpose = if copy { JITTER << 8 } else { JITTER };
                self.jitter.start + flight.lane().draw(self.seed, number, purpose) % span
            }
        };
        let due = departure + Duration::from_micros(jitter);
        let place = self.place(due, number, copy, &flight);
        self.flights.insert(place, flight);
        place.due
    }

    fn place(&mut self, mut due: Instant, number: u64, copy: bool, flight: &Flight) -> Place {
        let lane = flight.lane();
        if lane.transport.is_reliable() {
            let last = self.streams.entry(lane).or_default();
            due = due.max(*last);
            *last = due;
        }
        Place {
            due,
            lane,
            number,
            copy,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::network::{Effect, Fault};
    use bytes::Bytes;
    use evidence::record::{Direction, Fate, Parsed};

    fn flight(transport: Transport, source: &str, text: &'static str) -> Flight {
        Flight {
            unit: NodeId(1),
            transport,
            sip: Sip {
                direction: Direction::ToBase,
                fate: Fate::Sent,
                transport: transport.as_str().to_owned(),
                source: source.parse().unwrap(),
                destination: "127.0.0.2:5060".parse().unwrap(),
                bytes: Bytes::from_static(text.as_bytes()),
                parsed: Parsed::default(),
            },
        }
    }

    const SITE: &str = "127.0.0.1:5060";
    const OTHER_SITE: &str = "127.0.1.1:5060";

    fn udp(text: &'static str) -> Flight {
        flight(Transport::Udp, SITE, text)
    }

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    fn prompt() -> Transit {
        Transit::new(1, 0..0)
    }

    #[test]
    fn another_seed_from_now_on_is_another_way_from_now_on() {
        let mut kept = Transit::new(1, 5_000..40_000);
        kept.enter(at(0), udp("before"));
        let mut other = kept.clone();
        other.reseed(2);
        assert_eq!(kept.due(), other.due(), "what is on its way stays so");
        let lasts = |transit: &mut Transit| {
            transit.take_due(at(100));
            transit.enter(at(0), udp("after"));
            transit.due()
        };
        assert_ne!(lasts(&mut kept), lasts(&mut other));
    }

    fn arrivals(transit: &mut Transit, now: Instant) -> Vec<Bytes> {
        std::iter::from_fn(|| transit.take_due(now))
            .map(|flight| flight.sip.bytes)
            .collect()
    }

    #[test]
    fn without_faults_and_jitter_a_message_arrives_at_once() {
        let mut transit = prompt();
        assert_eq!(transit.enter(at(5), udp("a")), Entry::OnItsWay);
        assert_eq!(arrivals(&mut transit, at(5)), ["a"]);
        assert_eq!(transit.due(), None);
    }

    #[test]
    fn a_delayed_datagram_is_overtaken_and_a_stream_waits_behind_it() {
        for (transport, order) in [(Transport::Udp, ["b", "a"]), (Transport::Tcp, ["a", "b"])] {
            let mut transit = prompt();
            let delay = Effect::Delay(Duration::from_millis(50));
            transit.faults.load(Fault::new(delay).next(1));
            transit.enter(at(0), flight(transport, SITE, "a"));
            transit.enter(at(1), flight(transport, SITE, "b"));
            assert_eq!(arrivals(&mut transit, at(50)), order);
        }
    }

    #[test]
    fn a_duplicated_datagram_arrives_twice_and_a_reordered_one_second() {
        let mut transit = prompt();
        let twice = Effect::Duplicate(Duration::from_millis(3));
        transit.faults.load(Fault::new(twice).next(1));
        transit.enter(at(0), udp("a"));
        assert_eq!(arrivals(&mut transit, at(3)), ["a", "a"]);
        transit.faults.load(Fault::new(Effect::Reorder).next(1));
        transit.enter(at(4), udp("b"));
        assert_eq!(transit.due(), None);
        transit.enter(at(5), udp("c"));
        assert_eq!(arrivals(&mut transit, at(6)), ["c", "b"]);
    }

    #[test]
    fn a_piece_of_a_stream_is_not_held_back() {
        let mut transit = prompt();
        transit.faults.load(Fault::new(Effect::Reorder).next(1));
        transit.enter(at(0), flight(Transport::Tcp, SITE, "a"));
        transit.enter(at(1), flight(Transport::Tcp, SITE, "b"));
        assert_eq!(arrivals(&mut transit, at(1)), ["a", "b"]);
    }

    #[test]
    fn calm_lets_go_what_was_held_back() {
        let mut transit = prompt();
        transit.faults.load(Fault::new(Effect::Reorder));
        transit.enter(at(0), udp("a"));
        transit.calm(at(9));
        assert_eq!(arrivals(&mut transit, at(9)), ["a"]);
    }

    #[test]
    fn a_lost_datagram_is_lost_and_a_lost_piece_breaks_its_stream() {
        let mut transit = prompt();
        transit.faults.load(Fault::partition());
        assert_eq!(transit.enter(at(0), udp("a")), Entry::Lost);
        let piece = flight(Transport::Tcp, SITE, "a");
        assert_eq!(transit.enter(at(0), piece), Entry::StreamBroken);
    }

    #[test]
    fn the_end_of_a_stream_loses_what_was_on_its_way() {
        let mut transit = prompt();
        let delay = Effect::Delay(Duration::from_millis(50));
        transit.faults.load(Fault::new(delay));
        let piece = flight(Transport::Tcp, SITE, "a");
        let (one, other) = (piece.sip.source, piece.sip.destination);
        transit.enter(at(0), piece);
        transit.enter(at(0), flight(Transport::Tcp, OTHER_SITE, "b"));
        let lost = transit.end_stream(other, one);
        let lost: Vec<&Bytes> = lost.iter().map(|flight| &flight.sip.bytes).collect();
        assert_eq!(lost, ["a"]);
        assert_eq!(arrivals(&mut transit, at(50)), ["b"]);
    }

    #[test]
    fn what_one_lane_carries_changes_nothing_on_another() {
        let due = |busy: bool| {
            let mut transit = Transit::new(7, 5_000..40_001);
            if busy {
                for _ in 0..10 {
                    transit.enter(at(0), flight(Transport::Udp, OTHER_SITE, "noise"));
                }
            }
            transit.enter(at(0), udp("a"));
            let places = transit.waiting();
            let place = places
                .filter(|(_, flight)| flight.sip.bytes == "a")
                .map(|(place, _)| place.due)
                .next();
            place.unwrap()
        };
        assert_eq!(due(false), due(true));
    }

    #[test]
    fn a_seed_gives_the_same_delays_for_ever() {
        let delays = |seed| -> Vec<u64> {
            let mut transit = Transit::new(seed, 5_000..40_001);
            (0..4)
                .map(|_| {
                    transit.enter(at(0), udp("a"));
                    let due = transit.due().unwrap();
                    transit.take_due(due);
                    due.as_micros()
                })
                .collect()
        };
        assert_eq!(delays(1), delays(1));
        assert_ne!(delays(1), delays(2));
        assert!(
            delays(3)
                .iter()
                .all(|delay| (5_000..40_001).contains(delay))
        );
        assert_eq!(
            mixed(0),
            0xe220_a839_7b1d_cdaf,
            "the published first output"
        );
    }

    #[test]
    fn of_a_stream_only_the_first_piece_may_arrive_next() {
        let mut transit = Transit::new(1, 5_000..40_001);
        for text in ["a", "b"] {
            transit.enter(at(0), flight(Transport::Tcp, SITE, text));
            transit.enter(at(0), udp(text));
        }
        let count = |transport| {
            let waiting = transit.waiting();
            waiting.filter(|(_, it)| it.transport == transport).count()
        };
        assert_eq!((count(Transport::Tcp), count(Transport::Udp)), (1, 2));
    }
}
