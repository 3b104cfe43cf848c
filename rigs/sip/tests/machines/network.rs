//! A network between two nodes: seeded loss, duplication, delay and partition for datagrams; streams arrive whole and in
//! order, in pieces.

use bytes::Bytes;
use sip::node::{Flow, Transmit};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// Per cent and milliseconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weather {
    pub(crate) loss: u32,
    pub(crate) duplication: u32,
    pub(crate) delay: (u64, u64),
}

impl Weather {
    pub(crate) const FAIR: Self = Self {
        loss: 0,
        duplication: 0,
        delay: (5, 40),
    };
    /// Later datagrams overtake earlier ones by up to a second.
    pub(crate) const FOUL: Self = Self {
        loss: 20,
        duplication: 10,
        delay: (5, 1000),
    };
}

#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) weather: Weather,
    pub(crate) partitioned: bool,
    pub(crate) lost: u32,
    rng: fastrand::Rng,
    sequence: u64,
    on_the_way: BTreeMap<(Instant, u64), (Flow, Bytes)>,
    /// When the latest piece of each stream arrives.
    streams: BTreeMap<Flow, Instant>,
}

impl Network {
    pub(crate) fn new(weather: Weather, seed: u64) -> Self {
        Self {
            weather,
            partitioned: false,
            lost: 0,
            rng: fastrand::Rng::with_seed(seed),
            sequence: 0,
            on_the_way: BTreeMap::new(),
            streams: BTreeMap::new(),
        }
    }

    pub(crate) fn send(&mut self, now: Instant, transmit: &Transmit) {
        let flow = Flow {
            local: transmit.flow.remote,
            remote: transmit.flow.local,
            ..transmit.flow
        };
        if flow.transport.is_reliable() {
            for piece in transmit.bytes.chunks(self.rng.usize(1..400)) {
                let latest = self.streams.get(&flow).copied().unwrap_or(now);
                let at = latest.max(now + self.delay());
                self.streams.insert(flow, at);
                self.carry(at, flow, Bytes::copy_from_slice(piece));
            }
            return;
        }
        let copies = if self.chance(self.weather.duplication) {
            2
        } else {
            1
        };
        for _ in 0..copies {
            if self.partitioned || self.chance(self.weather.loss) {
                self.lost += 1;
            } else {
                let at = now + self.delay();
                self.carry(at, flow, transmit.bytes.clone());
            }
        }
    }

    pub(crate) fn next_arrival(&self) -> Option<Instant> {
        self.on_the_way.first_key_value().map(|((at, _), _)| *at)
    }

    pub(crate) fn arrived(&mut self, now: Instant) -> Option<(Flow, Bytes)> {
        self.next_arrival().filter(|at| *at <= now)?;
        self.on_the_way.pop_first().map(|(_, arrival)| arrival)
    }

    fn carry(&mut self, at: Instant, flow: Flow, bytes: Bytes) {
        self.sequence += 1;
        self.on_the_way.insert((at, self.sequence), (flow, bytes));
    }

    fn delay(&mut self) -> Duration {
        let (least, most) = self.weather.delay;
        Duration::from_micros(self.rng.u64(least * 1000..=most * 1000))
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.u32(0..100) < percent
    }
}
