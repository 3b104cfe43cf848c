//! What a capture has begun and not finished: TCP streams and IP fragments, forgotten by capture time.
//!
//! A capture may run for days and miss every FIN, so that what is idle is given up, and counted when something of it
//! was still missing.

use super::read::Forgotten;
use super::stream::Stream;
use etherparse::SlicedPacket;
use etherparse::defrag::{IpDefragPayloadVec, IpDefragPool};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A second of capture time in microseconds.
const SECOND: u64 = 1_000_000;
/// After so long without a segment a stream is forgotten; our choice: longer than the time between keep-alives of SIP
/// over TCP (RFC 5626 §4.4.1 has up to 120 seconds by default).
const IDLE: u64 = 300 * SECOND;
/// After so long a datagram that lacks a fragment is forgotten; our choice, because Linux waits as long. RFC 1122
/// §3.3.2 recommends one minute or two.
const REASSEMBLY: u64 = 30 * SECOND;
/// How often old things are looked for; our choice, so that looking costs little.
const SWEEP: u64 = 10 * SECOND;
/// How many streams are put together at once; our choice: both directions of two thousand
/// connections.
const STREAMS: usize = 4096;

type Ends = (SocketAddr, SocketAddr);

/// All that is unfinished.
pub(super) struct Unfinished {
    /// Streams by direction, with the time of the last segment.
    streams: BTreeMap<Ends, (u64, Stream)>,
    fragments: IpDefragPool<u64>,
    swept: u64,
    forgotten: Forgotten,
}

impl Unfinished {
    pub(super) fn new() -> Self {
        Self {
            streams: BTreeMap::new(),
            fragments: IpDefragPool::new(),
            swept: 0,
            forgotten: Forgotten::default(),
        }
    }

    pub(super) const fn forgotten(&self) -> Forgotten {
        self.forgotten
    }

    /// How many streams are being put together.
    pub(super) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// Capture time has gone on.
    pub(super) fn advance(&mut self, now: u64) {
        if now < self.swept + SWEEP {
            return;
        }
        self.swept = now;
        let idle = now.saturating_sub(IDLE);
        let forgotten = &mut self.forgotten;
        self.streams.retain(|_, (at, stream)| {
            let keep = *at >= idle;
            forgotten.streams += u64::from(!keep && !stream.is_empty());
            keep
        });
        let old = now.saturating_sub(REASSEMBLY);
        let count = Cell::new(0);
        // The first pass only counts: the pool does not say what it forgets.
        self.fragments.retain(|at| {
            count.set(count.get() + u64::from(*at < old));
            true
        });
        if count.get() > 0 {
            self.fragments.retain(|at| *at >= old);
        }
        self.forgotten.fragments += count.get();
    }

    /// Takes a segment; the messages that it completes come back.
    pub(super) fn take_segment(
        &mut self,
        now: u64,
        ends: Ends,
        sequence: u32,
        begins: bool,
        data: &[u8],
    ) -> Vec<Vec<u8>> {
        if !self.streams.contains_key(&ends) && self.streams.len() >= STREAMS {
            self.forget_oldest();
        }
        let (at, stream) = self.streams.entry(ends).or_default();
        *at = now;
        if begins {
            stream.begin(sequence);
        }
        stream.take(sequence, data)
    }

    fn forget_oldest(&mut self) {
        let oldest = self.streams.iter().min_by_key(|(_, (at, _))| *at);
        let Some(ends) = oldest.map(|(ends, _)| *ends) else {
            return;
        };
        if let Some((_, stream)) = self.streams.remove(&ends) {
            self.forgotten.streams += u64::from(!stream.is_empty());
        }
    }

    /// Takes a fragment; the datagram that it completes comes back.
    pub(super) fn take_fragment(
        &mut self,
        now: u64,
        packet: &SlicedPacket<'_>,
    ) -> Option<IpDefragPayloadVec> {
        let whole = self.fragments.process_sliced_packet(packet, now, ());
        whole.ok().flatten()
    }
}
