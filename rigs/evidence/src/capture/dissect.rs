//! The SIP messages of a capture, whoever sent them: link, IP and UDP headers off, fragments and streams together.
//!
//! Capture time begins with the first packet and never runs backwards. What is unfinished is bounded in number, in
//! bytes and in capture time, and counted when it is given up. Who the base is decides [`Records`](super::Records).

use super::CaptureError;
use super::fragments::Fragments;
use super::packets::{Packet, Packets};
use super::streams::Streams;
use bytes::Bytes;
use etherparse::{EtherType, IpNumber, NetSlice, SlicedPacket, TransportSlice, UdpSlice};
use std::collections::VecDeque;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};

/// How often old things are looked for, in microseconds of capture time; our choice, so that looking costs little.
const SWEEP: u64 = 10_000_000;

/// What of a capture could not become a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// TCP streams in the middle of a message.
    pub streams: u64,
    /// Datagrams that lacked a fragment, or whose fragments contradict each other.
    pub fragments: u64,
    /// Packets that could not be taken apart: damaged, cut off by the capture, or not of IP.
    pub unread: u64,
}

/// A SIP message as a packet of the capture completed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// The packet that completed it, from 1.
    pub packet: u64,
    /// When, in microseconds of capture time.
    pub at: u64,
    /// When, in microseconds since the Unix epoch.
    pub wall: u64,
    /// `UDP` or `TCP`.
    pub transport: &'static str,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// The raw bytes.
    pub bytes: Bytes,
}

/// The SIP messages of a capture, in their order. After an error, or the end, nothing comes any more.
pub struct Messages<R> {
    packets: Packets<R>,
    body: Body,
}

/// Everything but the file.
#[derive(Default)]
struct Body {
    /// The wall time of the first packet.
    begun: Option<u64>,
    now: u64,
    swept: u64,
    streams: Streams,
    fragments: Fragments,
    unread: u64,
    /// Packets of others are left alone, once it is known whose count.
    only: Vec<IpAddr>,
    /// What the last packet completed and was not handed out yet.
    ready: VecDeque<Heard>,
}

impl<R> std::fmt::Debug for Messages<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Messages")
            .field("now", &self.body.now)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Messages<R> {
    /// Begins to read a capture.
    ///
    /// # Errors
    /// When it is no capture file or cannot be read.
    pub fn new(reader: R) -> Result<Self, CaptureError> {
        Ok(Self {
            packets: Packets::new(reader)?,
            body: Body::default(),
        })
    }

    /// Reads only packets from and to these addresses from here on.
    pub fn only(&mut self, addresses: impl IntoIterator<Item = IpAddr>) {
        self.body.only = addresses.into_iter().collect();
    }

    /// What could not become a message so far.
    #[must_use]
    pub const fn forgotten(&self) -> Forgotten {
        Forgotten {
            streams: self.body.streams.given_up(),
            fragments: self.body.fragments.given_up(),
            unread: self.body.unread,
        }
    }

    /// How many TCP streams are being put together.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.body.streams.len()
    }

    /// How many packets were read so far.
    #[must_use]
    pub const fn packets(&self) -> u64 {
        self.packets.number()
    }

    /// How many bytes of the file were read so far.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.packets.bytes()
    }

    /// The capture time of the last packet, in microseconds.
    #[must_use]
    pub const fn now(&self) -> u64 {
        self.body.now
    }

    /// Whether the file ended in the middle of a packet.
    #[must_use]
    pub const fn is_cut_short(&self) -> bool {
        self.packets.is_cut_short()
    }
}

impl<R: Read> Iterator for Messages<R> {
    type Item = Result<Heard, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(heard) = self.body.ready.pop_front() {
                return Some(Ok(heard));
            }
            let taken = match self.packets.next()? {
                Ok(packet) => self.body.take(packet),
                Err(error) => return Some(Err(error)),
            };
            if let Err(error) = taken {
                self.packets.stop();
                return Some(Err(error));
            }
        }
    }
}

impl Body {
    fn take(&mut self, packet: Packet<'_>) -> Result<(), CaptureError> {
        let begun = *self.begun.get_or_insert(packet.wall);
        self.now = packet.wall.saturating_sub(begun).max(self.now);
        if self.now >= self.swept + SWEEP {
            self.swept = self.now;
            self.streams.advance(self.now);
            self.fragments.advance(self.now);
        }
        // What is no IP packet is none of SIP's; what is half of one may have been.
        match sliced(packet)? {
            Some(sliced) => self.take_packet(packet, &sliced),
            None => self.unread += 1,
        }
        Ok(())
    }

    fn take_packet(&mut self, packet: Packet<'_>, sliced: &SlicedPacket<'_>) {
        let Some(net) = &sliced.net else {
            return;
        };
        let (source, destination): (IpAddr, IpAddr) = match net {
            NetSlice::Ipv4(ip) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            NetSlice::Ipv6(ip) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            NetSlice::Arp(_) => return,
        };
        let only = &self.only;
        if !only.is_empty() && !only.contains(&source) && !only.contains(&destination) {
            return;
        }
        match &sliced.transport {
            Some(TransportSlice::Udp(udp)) => self.take_datagram(packet, source, destination, udp),
            Some(TransportSlice::Tcp(tcp)) => {
                let from = SocketAddr::new(source, tcp.source_port());
                let to = SocketAddr::new(destination, tcp.destination_port());
                let (sequence, begins) = (tcp.sequence_number(), tcp.syn());
                let streams = &mut self.streams;
                let messages = streams.take(self.now, (from, to), sequence, begins, tcp.payload());
                for message in messages {
                    self.append(packet, "TCP", (from, to), message.into());
                }
            }
            None if sliced.is_ip_payload_fragmented() => {
                if let Some((IpNumber::UDP, whole)) = self.fragments.take(self.now, net)
                    && let Ok(udp) = UdpSlice::from_slice(&whole)
                {
                    self.take_datagram(packet, source, destination, &udp);
                }
            }
            _ => {}
        }
    }

    fn take_datagram(
        &mut self,
        packet: Packet<'_>,
        source: IpAddr,
        destination: IpAddr,
        udp: &UdpSlice<'_>,
    ) {
        let from = SocketAddr::new(source, udp.source_port());
        let to = SocketAddr::new(destination, udp.destination_port());
        if is_sip(udp.payload()) {
            let bytes = Bytes::copy_from_slice(udp.payload());
            self.append(packet, "UDP", (from, to), bytes);
        }
    }

    fn append(
        &mut self,
        packet: Packet<'_>,
        transport: &'static str,
        (source, destination): (SocketAddr, SocketAddr),
        bytes: Bytes,
    ) {
        self.ready.push_back(Heard {
            packet: packet.number,
            at: self.now,
            wall: packet.wall,
            transport,
            source,
            destination,
            bytes,
        });
    }
}

/// The headers of a packet; nothing when it cannot be taken apart. The numbers are those of
/// <https://www.tcpdump.org/linktypes.html>.
fn sliced(packet: Packet<'_>) -> Result<Option<SlicedPacket<'_>>, CaptureError> {
    let data = packet.data;
    let ip = |from| SlicedPacket::from_ip(data.get(from..).unwrap_or_default()).ok();
    Ok(match packet.link {
        // NULL and LOOP: an address family, then IP.
        0 | 108 => ip(4),
        1 => SlicedPacket::from_ethernet(data).ok(),
        // RAW as some systems number it, RAW, IPV4, IPV6.
        12 | 14 | 101 | 228 | 229 => ip(0),
        113 => SlicedPacket::from_linux_sll(data).ok(),
        // LINUX_SLL2 begins with the protocol.
        276 => {
            let protocol = data.first_chunk().copied().map(u16::from_be_bytes);
            let payload = data.get(20..).unwrap_or_default();
            protocol.and_then(|protocol| {
                SlicedPacket::from_ether_type(EtherType(protocol), payload).ok()
            })
        }
        other => return Err(CaptureError::LinkType(other)),
    })
}

/// Whether these bytes begin like a SIP message.
pub(super) fn is_sip(bytes: &[u8]) -> bool {
    if bytes.starts_with(b"SIP/2.0 ") {
        return true;
    }
    let line = bytes.split(|&byte| byte == b'\r').next();
    line.is_some_and(|line| line.ends_with(b" SIP/2.0"))
}
