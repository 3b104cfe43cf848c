//! The TCP streams of a capture, forgotten by capture time.
//!
//! A capture may run for days and miss every FIN, so that what is idle is given up, and counted when something of it
//! was still missing.

use super::stream::Stream;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A second of capture time in microseconds.
const SECOND: u64 = 1_000_000;
/// After so long without a segment a stream is forgotten; our choice: longer than the time between keep-alives of SIP
/// over TCP (RFC 5626 §4.4.1 has up to 120 seconds by default).
const IDLE: u64 = 300 * SECOND;
/// How many streams are put together at once; our choice: both directions of two thousand
/// connections.
const STREAMS: usize = 4096;
/// How many bytes of unfinished messages all of them keep. Our choice: far more than that many SIP messages need.
const KEPT: usize = 32 << 20;

/// Both ends of one direction.
pub(super) type Ends = (SocketAddr, SocketAddr);

/// Streams by direction, with the time of the last segment.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: BTreeMap<Ends, (u64, Stream)>,
    /// How many bytes they keep.
    kept: usize,
    given_up: u64,
}

impl Streams {
    /// How many streams were given up in the middle of a message.
    pub(super) const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// How many streams are being put together.
    pub(super) fn len(&self) -> usize {
        self.streams.len()
    }

    /// Capture time has gone on.
    pub(super) fn advance(&mut self, now: u64) {
        let idle = now.saturating_sub(IDLE);
        let (mut kept, mut given_up) = (0, 0);
        self.streams.retain(|_, (at, stream)| {
            let keep = *at >= idle;
            given_up += u64::from(!keep && !stream.is_empty());
            kept += if keep { stream.kept() } else { 0 };
            keep
        });
        self.kept = kept;
        self.given_up += given_up;
    }

    /// Takes a segment; the messages that it completes come back.
    pub(super) fn take(
        &mut self,
        now: u64,
        ends: Ends,
        sequence: u32,
        begins: bool,
        data: &[u8],
    ) -> Vec<Vec<u8>> {
        let is_new = !self.streams.contains_key(&ends);
        if is_new && data.is_empty() && !begins {
            return Vec::new();
        }
        if is_new && self.streams.len() >= STREAMS {
            self.give_up_oldest();
        }
        let (at, stream) = self.streams.entry(ends).or_default();
        *at = now;
        let before = stream.kept();
        if begins {
            stream.begin(sequence);
        }
        let messages = stream.take(sequence, data);
        self.kept = (self.kept + stream.kept()).saturating_sub(before);
        while self.kept > KEPT && self.give_up_oldest() {}
        messages
    }

    fn give_up_oldest(&mut self) -> bool {
        let oldest = self.streams.iter().min_by_key(|(_, (at, _))| *at);
        let Some(ends) = oldest.map(|(ends, _)| *ends) else {
            return false;
        };
        if let Some((_, stream)) = self.streams.remove(&ends) {
            self.kept = self.kept.saturating_sub(stream.kept());
            self.given_up += u64::from(!stream.is_empty());
        }
        true
    }
}
