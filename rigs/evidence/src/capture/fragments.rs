//! IP fragments of a capture, put together to datagrams, in bounded memory.
//!
//! `etherparse` joins the fragments of one datagram and refuses what contradicts itself; how many datagrams are open
//! at once, and for how long, is decided here, because its pool grows with whatever a capture holds.

use etherparse::defrag::IpDefragBuf;
use etherparse::{IpNumber, Ipv6ExtensionSlice, NetSlice};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// A second of capture time in microseconds.
const SECOND: u64 = 1_000_000;
/// After so long a datagram that lacks a fragment is forgotten; our choice, because Linux waits as long. RFC 1122
/// §3.3.2 recommends one minute or two.
const REASSEMBLY: u64 = 30 * SECOND;
/// How many datagrams are open at once. Our choice: none is longer than 64 KiB, so that they take 16 MiB at most.
const OPEN: usize = 256;

/// What the fragments of one datagram have in common (RFC 791 §3.2, RFC 8200 §4.5).
type Name = (IpAddr, IpAddr, u32, u8);

/// Datagrams that lack a fragment.
#[derive(Debug, Default)]
pub(super) struct Fragments {
    /// With the time of the first fragment.
    open: BTreeMap<Name, (u64, IpDefragBuf)>,
    given_up: u64,
}

impl Fragments {
    /// How many datagrams were given up.
    pub(super) const fn given_up(&self) -> u64 {
        self.given_up
    }

    /// Capture time has gone on.
    pub(super) fn advance(&mut self, now: u64) {
        let old = now.saturating_sub(REASSEMBLY);
        let before = self.open.len();
        self.open.retain(|_, (at, _)| *at >= old);
        self.given_up += (before - self.open.len()) as u64;
    }

    /// Takes a fragment; the payload that it completes comes back.
    pub(super) fn take(&mut self, now: u64, packet: &NetSlice<'_>) -> Option<(IpNumber, Vec<u8>)> {
        let (name, offset, more, kind, payload) = match packet {
            NetSlice::Ipv4(ip) => {
                let header = ip.header();
                let kind = ip.payload().ip_number;
                let name = (
                    header.source_addr().into(),
                    header.destination_addr().into(),
                    u32::from(header.identification()),
                    kind.0,
                );
                let (offset, more) = (header.fragments_offset(), header.more_fragments());
                (name, offset, more, kind, ip.payload().payload)
            }
            NetSlice::Ipv6(ip) => {
                let mut extensions = ip.extensions().clone().into_iter();
                let fragment = extensions.find_map(|extension| match extension {
                    Ipv6ExtensionSlice::Fragment(fragment) => Some(fragment.to_header()),
                    _ => None,
                })?;
                let kind = ip.payload().ip_number;
                // The next header that counts is that of the first fragment.
                let name = (
                    ip.header().source_addr().into(),
                    ip.header().destination_addr().into(),
                    fragment.identification,
                    0,
                );
                let (offset, more) = (fragment.fragment_offset, fragment.more_fragments);
                (name, offset, more, kind, ip.payload().payload)
            }
            NetSlice::Arp(_) => return None,
        };
        if !self.open.contains_key(&name) && self.open.len() >= OPEN {
            self.give_up_oldest();
        }
        let (_, datagram) = self
            .open
            .entry(name)
            .or_insert_with(|| (now, IpDefragBuf::new(kind, Vec::new(), Vec::new())));
        if datagram.add(offset, more, payload).is_err() {
            // Fragments that contradict each other are no datagram.
            self.open.remove(&name);
            self.given_up += 1;
            return None;
        }
        if !datagram.is_complete() {
            return None;
        }
        let (_, datagram) = self.open.remove(&name)?;
        let kind = datagram.ip_number();
        Some((kind, datagram.take_bufs().0))
    }

    fn give_up_oldest(&mut self) {
        let oldest = self.open.iter().min_by_key(|(_, (at, _))| *at);
        if let Some(name) = oldest.map(|(name, _)| *name) {
            self.open.remove(&name);
            self.given_up += 1;
        }
    }
}
