//! Capture files from anywhere as evidence: pcap and pcapng, the usual link types, IP fragments, TCP streams.
//!
//! It lets the monitor judge a base that was observed by others, with real captures as evidence that this project did
//! not write. [`Records`] reads a file of any size, or a pipe that never ends, in bounded memory; [`read`] takes one whole.

use super::CaptureError;
use super::packets::{Packet, Packets};
use super::streams::Unfinished;
use crate::log::{Log, Stamp};
use crate::record::{Direction, Fate, Observation, Parsed, Record, SCHEMA, Sip, Unit};
use etherparse::{IpNumber, NetSlice, SlicedPacket, TransportSlice, UdpSlice};
use pcap_file::DataLink;
use std::collections::VecDeque;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};

/// Which packets are the base's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Its address.
    pub ip: IpAddr,
    /// Its SIP port, when something else has the same address.
    pub port: Option<u16>,
}

impl Base {
    fn is(&self, address: SocketAddr) -> bool {
        self.ip == address.ip() && self.port.is_none_or(|port| port == address.port())
    }
}

/// What of a capture could not become a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// TCP streams in the middle of a message.
    pub streams: u64,
    /// Datagrams that lacked a fragment.
    pub fragments: u64,
    /// Packets that could not be taken apart: damaged, cut off by the capture, or not of IP.
    pub unread: u64,
}

/// Reads the SIP of a capture, seen from the base. Lab time begins with the first packet; a file that was cut short
/// is read as far as it goes.
///
/// # Errors
/// When it is no capture file, is damaged, or holds packets of a link type that is not known.
pub fn read(bytes: &[u8], base: Base) -> Result<Log, CaptureError> {
    let mut log = Log::new();
    for record in Records::new(bytes, base)? {
        let record = record?;
        log.append(Stamp::of(&record), record.observation);
    }
    Ok(log)
}

/// Whether these bytes begin like a SIP message.
pub(super) fn is_sip(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    line.starts_with(b"SIP/2.0 ") || line.ends_with(b" SIP/2.0")
}

/// The SIP of a capture as records, in their order. After an error, or the end, nothing comes any more.
pub struct Records<R: Read> {
    packets: Packets<R>,
    base: Base,
    unit: Unit,
    seq: u64,
    /// The wall time of the first packet.
    begun: Option<u64>,
    /// The lab time of the last packet; never less than that of the one before.
    now: u64,
    unfinished: Unfinished,
    /// Packets that could not be taken apart.
    unread: u64,
    /// What the last packet completed and was not handed out yet.
    ready: VecDeque<Record>,
}

impl<R: Read> std::fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records")
            .field("base", &self.base)
            .field("seq", &self.seq)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Records<R> {
    /// Begins to read a capture.
    ///
    /// # Errors
    /// When it is no capture file or cannot be read.
    pub fn new(reader: R, base: Base) -> Result<Self, CaptureError> {
        Ok(Self {
            packets: Packets::new(reader)?,
            base,
            unit: Unit::default(),
            seq: 0,
            begun: None,
            now: 0,
            unfinished: Unfinished::new(),
            unread: 0,
            ready: VecDeque::new(),
        })
    }

    /// What could not become a record so far.
    #[must_use]
    pub const fn forgotten(&self) -> Forgotten {
        let mut forgotten = self.unfinished.forgotten();
        forgotten.unread = self.unread;
        forgotten
    }

    /// How many TCP streams are being put together.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.unfinished.streams()
    }

    fn take(&mut self, packet: &Packet) -> Result<(), CaptureError> {
        let begun = *self.begun.get_or_insert(packet.wall);
        self.now = packet.wall.saturating_sub(begun).max(self.now);
        self.unfinished.advance(self.now);
        let data = packet.data.as_slice();
        let sliced = match packet.link {
            DataLink::ETHERNET => SlicedPacket::from_ethernet(data),
            DataLink::RAW | DataLink::IPV4 | DataLink::IPV6 | DataLink::Unknown(12 | 14) => {
                SlicedPacket::from_ip(data)
            }
            DataLink::LINUX_SLL => SlicedPacket::from_linux_sll(data),
            DataLink::NULL | DataLink::LOOP => {
                SlicedPacket::from_ip(data.get(4..).unwrap_or_default())
            }
            DataLink::LINUX_SLL2 => SlicedPacket::from_ip(data.get(20..).unwrap_or_default()),
            other => return Err(CaptureError::LinkType(other.into())),
        };
        // What is no IP packet is none of SIP's; what is half of one may have been.
        match sliced {
            Ok(sliced) => self.take_packet(packet.wall, &sliced),
            Err(_) => self.unread += 1,
        }
        Ok(())
    }

    fn take_packet(&mut self, wall: u64, packet: &SlicedPacket<'_>) {
        let (source, destination): (IpAddr, IpAddr) = match &packet.net {
            Some(NetSlice::Ipv4(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            Some(NetSlice::Ipv6(ip)) => (
                ip.header().source_addr().into(),
                ip.header().destination_addr().into(),
            ),
            _ => return,
        };
        if source != self.base.ip && destination != self.base.ip {
            return;
        }
        match &packet.transport {
            Some(TransportSlice::Udp(udp)) => self.take_datagram(wall, source, destination, udp),
            Some(TransportSlice::Tcp(tcp)) => {
                let from = SocketAddr::new(source, tcp.source_port());
                let to = SocketAddr::new(destination, tcp.destination_port());
                let (sequence, begins) = (tcp.sequence_number(), tcp.syn());
                let ends = (from, to);
                let unfinished = &mut self.unfinished;
                let messages =
                    unfinished.take_segment(self.now, ends, sequence, begins, tcp.payload());
                for message in messages {
                    self.append(wall, "TCP", ends, message);
                }
            }
            _ => {
                let whole = self.unfinished.take_fragment(self.now, packet);
                if let Some(whole) = whole
                    && whole.ip_number == IpNumber::UDP
                    && let Ok(udp) = UdpSlice::from_slice(&whole.payload)
                {
                    self.take_datagram(wall, source, destination, &udp);
                }
            }
        }
    }

    fn take_datagram(
        &mut self,
        wall: u64,
        source: IpAddr,
        destination: IpAddr,
        udp: &UdpSlice<'_>,
    ) {
        let from = SocketAddr::new(source, udp.source_port());
        let to = SocketAddr::new(destination, udp.destination_port());
        if is_sip(udp.payload()) {
            self.append(wall, "UDP", (from, to), udp.payload().to_vec());
        }
    }

    fn append(
        &mut self,
        wall: u64,
        transport: &str,
        (source, destination): (SocketAddr, SocketAddr),
        bytes: Vec<u8>,
    ) {
        let (direction, fate) = if self.base.is(source) {
            (Direction::FromBase, Fate::Sent)
        } else if self.base.is(destination) {
            (Direction::ToBase, Fate::Delivered)
        } else {
            return;
        };
        self.seq += 1;
        self.ready.push_back(Record {
            v: SCHEMA,
            seq: self.seq,
            at: self.now,
            wall: Some(wall),
            unit: Some(self.unit.clone()),
            observation: Observation::Sip(Sip {
                direction,
                fate,
                transport: transport.to_owned(),
                source,
                destination,
                bytes: bytes.into(),
                parsed: Parsed::default(),
            }),
        });
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Some(Ok(record));
            }
            let packet = match self.packets.next()? {
                Ok(packet) => packet,
                Err(error) => return Some(Err(error)),
            };
            if let Err(error) = self.take(&packet) {
                self.packets = Packets::Ended;
                return Some(Err(error));
            }
        }
    }
}
