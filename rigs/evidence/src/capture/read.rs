//! Capture files from anywhere as evidence: pcap and pcapng, the usual link types, IP fragments, TCP streams.

use super::CaptureError;
use super::stream::Stream;
use crate::log::{Log, Stamp};
use crate::record::{Direction, Fate, Observation, Parsed, Sip, Unit};
use etherparse::defrag::IpDefragPool;
use etherparse::{IpNumber, NetSlice, SlicedPacket, TransportSlice, UdpSlice};
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError};
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// The first bytes of a pcapng file.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The magic numbers of pcap files: both byte orders, microseconds and nanoseconds.
const PCAP: [[u8; 4]; 4] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
];

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

/// Reads the SIP of a capture, seen from the base. Lab time begins with the first packet; a file that was cut short
/// is read as far as it goes.
///
/// # Errors
/// When it is no capture file, is damaged, or holds packets of a link type that is not known.
pub fn read(bytes: &[u8], base: Base) -> Result<Log, CaptureError> {
    let mut reading = Reading {
        base,
        log: Log::new(),
        begun: None,
        fragments: IpDefragPool::new(),
        streams: BTreeMap::new(),
    };
    match bytes.first_chunk::<4>() {
        Some(magic) if *magic == SECTION_HEADER => read_pcapng(bytes, &mut reading)?,
        Some(magic) if PCAP.contains(magic) => read_pcap(bytes, &mut reading)?,
        _ => return Err(CaptureError::NotACapture),
    }
    Ok(reading.log)
}

fn read_pcap(bytes: &[u8], reading: &mut Reading) -> Result<(), CaptureError> {
    let mut reader = PcapReader::new(bytes).map_err(CaptureError::Damaged)?;
    let link = reader.header().datalink;
    while let Some(packet) = reader.next_packet() {
        match packet {
            Ok(packet) => {
                let micros = u64::try_from(packet.timestamp.as_micros()).unwrap_or(u64::MAX);
                reading.take(micros, link, &packet.data)?;
            }
            Err(error) => return end(error),
        }
    }
    Ok(())
}

fn read_pcapng(bytes: &[u8], reading: &mut Reading) -> Result<(), CaptureError> {
    let mut reader = PcapNgReader::new(bytes).map_err(CaptureError::Damaged)?;
    loop {
        let (interface, ticks, data) = match reader.next_block() {
            None => return Ok(()),
            Some(Err(error)) => return end(error),
            Some(Ok(Block::EnhancedPacket(packet))) => (
                packet.interface_id,
                packet.timestamp.as_nanos(),
                packet.data.into_owned(),
            ),
            Some(Ok(_)) => continue,
        };
        let Some(interface) = usize::try_from(interface)
            .ok()
            .and_then(|number| reader.interfaces().get(number))
        else {
            continue;
        };
        // The reader takes every time stamp for nanoseconds, whatever the interface says.
        let resolution = interface.options.iter().find_map(|option| match option {
            InterfaceDescriptionOption::IfTsResol(resolution) => Some(*resolution),
            _ => None,
        });
        let micros = micros(ticks, resolution.unwrap_or(6));
        let link = interface.linktype;
        reading.take(micros, link, &data)?;
    }
}

/// A number of ticks in microseconds.
fn micros(ticks: u128, resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
    let per_second = base.checked_pow(exponent).unwrap_or(u128::MAX).max(1);
    u64::try_from(ticks.saturating_mul(1_000_000) / per_second).unwrap_or(u64::MAX)
}

/// A file that was cut short has ended; everything else is damage.
fn end(error: PcapError) -> Result<(), CaptureError> {
    match error {
        PcapError::IncompleteBuffer | PcapError::IoError(_) => Ok(()),
        error => Err(CaptureError::Damaged(error)),
    }
}

/// Whether these bytes begin like a SIP message.
pub(super) fn is_sip(bytes: &[u8]) -> bool {
    let line = bytes
        .split(|&byte| byte == b'\r')
        .next()
        .unwrap_or_default();
    line.starts_with(b"SIP/2.0 ") || line.ends_with(b" SIP/2.0")
}

struct Reading {
    base: Base,
    log: Log,
    begun: Option<u64>,
    fragments: IpDefragPool,
    streams: BTreeMap<(SocketAddr, SocketAddr), Stream>,
}

impl Reading {
    fn take(&mut self, wall: u64, link: DataLink, data: &[u8]) -> Result<(), CaptureError> {
        let begun = *self.begun.get_or_insert(wall);
        let last = self.log.records().last().map_or(0, |record| record.at);
        let at = wall.saturating_sub(begun).max(last);
        let sliced = match link {
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
        // What is no IP packet is none of SIP's.
        if let Ok(packet) = sliced {
            self.take_packet(at, wall, &packet);
        }
        Ok(())
    }

    fn take_packet(&mut self, at: u64, wall: u64, packet: &SlicedPacket<'_>) {
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
            Some(TransportSlice::Udp(udp)) => {
                self.take_datagram(at, wall, source, destination, udp)
            }
            Some(TransportSlice::Tcp(tcp)) => {
                let from = SocketAddr::new(source, tcp.source_port());
                let to = SocketAddr::new(destination, tcp.destination_port());
                let stream = self.streams.entry((from, to)).or_default();
                if tcp.syn() {
                    stream.begin(tcp.sequence_number());
                }
                for message in stream.take(tcp.sequence_number(), tcp.payload()) {
                    self.append(at, wall, "TCP", (from, to), message);
                }
            }
            _ => {
                let whole = self.fragments.process_sliced_packet(packet, (), ());
                if let Ok(Some(whole)) = whole
                    && whole.ip_number == IpNumber::UDP
                    && let Ok(udp) = UdpSlice::from_slice(&whole.payload)
                {
                    self.take_datagram(at, wall, source, destination, &udp);
                }
            }
        }
    }

    fn take_datagram(
        &mut self,
        at: u64,
        wall: u64,
        source: IpAddr,
        destination: IpAddr,
        udp: &UdpSlice<'_>,
    ) {
        let from = SocketAddr::new(source, udp.source_port());
        let to = SocketAddr::new(destination, udp.destination_port());
        if is_sip(udp.payload()) {
            self.append(at, wall, "UDP", (from, to), udp.payload().to_vec());
        }
    }

    fn append(
        &mut self,
        at: u64,
        wall: u64,
        transport: &str,
        between: (SocketAddr, SocketAddr),
        bytes: Vec<u8>,
    ) {
        let (source, destination) = between;
        let (direction, fate) = if self.base.is(source) {
            (Direction::FromBase, Fate::Sent)
        } else if self.base.is(destination) {
            (Direction::ToBase, Fate::Delivered)
        } else {
            return;
        };
        let sip = Sip {
            direction,
            fate,
            transport: transport.to_owned(),
            source,
            destination,
            bytes: bytes.into(),
            parsed: Parsed::default(),
        };
        let stamp = Stamp::at(at).on_wall(Some(wall)).by(&Unit::default());
        self.log.append(stamp, Observation::Sip(sip));
    }
}
