//! Evidence as a pcapng file with raw IP packets.
//!
//! A stream gets a handshake before its first message and right sequence numbers, so that readers put it together.
//! Findings become comments of the packets that show them.

use super::CaptureError;
use crate::record::{Direction, Fate, Observation, Record, Sip};
use etherparse::PacketBuilder;
use pcap_file::DataLink;
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// The largest piece of a stream that goes into one packet.
const PIECE: usize = 60_000;
/// Nanoseconds, the only resolution that the writer keeps.
const RESOLUTION: u8 = 9;

/// Writes the SIP of these records as a pcapng file.
///
/// # Errors
/// When a record does not fit into a packet.
pub fn to_pcapng(records: &[Arc<Record>]) -> Result<Vec<u8>, CaptureError> {
    let mut file = File::begin()?;
    let mut streams = BTreeMap::new();
    let comments = comments(records);
    for record in records {
        let Observation::Sip(sip) = &record.observation else {
            continue;
        };
        let at_base = matches!(
            (sip.direction, sip.fate),
            (Direction::FromBase, Fate::Sent) | (Direction::ToBase, Fate::Delivered)
        );
        if !at_base || sip.source.is_ipv4() != sip.destination.is_ipv4() {
            continue;
        }
        let comment = comments
            .get(&record.seq)
            .map(Vec::as_slice)
            .unwrap_or_default();
        let failed = |reason| CaptureError::Packet {
            seq: record.seq,
            reason,
        };
        let packets = if sip.transport == "UDP" {
            vec![datagram(sip).map_err(failed)?]
        } else {
            let key = (
                sip.source.min(sip.destination),
                sip.source.max(sip.destination),
            );
            let stream = streams.entry(key).or_insert_with(Stream::default);
            stream.segments(sip).map_err(failed)?
        };
        let last = packets.len().saturating_sub(1);
        for (number, packet) in packets.into_iter().enumerate() {
            let comment = if number == last { comment } else { &[] };
            file.write(record.at, &packet, comment)?;
        }
    }
    Ok(file.writer.into_inner())
}

/// What findings say about records.
fn comments(records: &[Arc<Record>]) -> BTreeMap<u64, Vec<String>> {
    let mut comments: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for record in records {
        if let Observation::Finding {
            requirement,
            text,
            records,
        } = &record.observation
        {
            for seq in records {
                let lines = comments.entry(*seq).or_default();
                lines.push(format!("{requirement}: {text}"));
            }
        }
    }
    comments
}

struct File {
    writer: PcapNgWriter<Vec<u8>>,
}

impl File {
    fn begin() -> Result<Self, CaptureError> {
        let mut writer = PcapNgWriter::with_endianness(Vec::new(), pcap_file::Endianness::Little)
            .map_err(CaptureError::Write)?;
        let interface = InterfaceDescriptionBlock {
            linktype: DataLink::RAW,
            snaplen: 0,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed("base")),
                InterfaceDescriptionOption::IfTsResol(RESOLUTION),
            ],
        };
        writer
            .write_pcapng_block(interface)
            .map_err(CaptureError::Write)?;
        Ok(Self { writer })
    }

    fn write(&mut self, at: u64, packet: &[u8], comments: &[String]) -> Result<(), CaptureError> {
        let comment = |text: &String| EnhancedPacketOption::Comment(Cow::Owned(text.clone()));
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp: Duration::from_micros(at),
            original_len: u32::try_from(packet.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(packet),
            options: comments.iter().map(comment).collect(),
        };
        self.writer
            .write_pcapng_block(block)
            .map_err(CaptureError::Write)?;
        Ok(())
    }
}

fn network(
    source: SocketAddr,
    destination: SocketAddr,
) -> etherparse::PacketBuilderStep<etherparse::IpHeaders> {
    /// The usual time to live (RFC 1700); nobody reads it.
    const HOPS: u8 = 64;
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            PacketBuilder::ip(etherparse::IpHeaders::Ipv4(
                etherparse::Ipv4Header {
                    time_to_live: HOPS,
                    source: source.octets(),
                    destination: destination.octets(),
                    ..etherparse::Ipv4Header::default()
                },
                etherparse::Ipv4Extensions::default(),
            ))
        }
        (source, destination) => {
            let octets = |address: IpAddr| match address {
                IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
                IpAddr::V6(address) => address.octets(),
            };
            PacketBuilder::ip(etherparse::IpHeaders::Ipv6(
                etherparse::Ipv6Header {
                    hop_limit: HOPS,
                    source: octets(source),
                    destination: octets(destination),
                    ..etherparse::Ipv6Header::default()
                },
                etherparse::Ipv6Extensions::default(),
            ))
        }
    }
}

fn datagram(sip: &Sip) -> Result<Vec<u8>, String> {
    let mut packet = Vec::with_capacity(sip.bytes.len() + 48);
    network(sip.source, sip.destination)
        .udp(sip.source.port(), sip.destination.port())
        .write(&mut packet, &sip.bytes)
        .map_err(|error| error.to_string())?;
    Ok(packet)
}

/// Where a made-up connection stands: the next sequence number of the lower and of the higher address.
#[derive(Default)]
struct Stream {
    next: Option<(u32, u32)>,
}

impl Stream {
    /// The window of the TCP segments that are written, the largest without scaling; nobody reads it.
    const WINDOW: u16 = u16::MAX;

    fn segments(&mut self, sip: &Sip) -> Result<Vec<Vec<u8>>, String> {
        let mut packets = Vec::new();
        let (here, there) = (sip.source, sip.destination);
        let (mut own, mut other) = match self.next {
            Some((low, high)) if here < there => (low, high),
            Some((low, high)) => (high, low),
            None => {
                let (own, other) = (1000, 5000);
                packets.push(segment(here, there, own, None, &[])?);
                packets.push(segment(there, here, other, Some(own + 1), &[])?);
                packets.push(acknowledgement(here, there, own + 1, other + 1)?);
                (own + 1, other + 1)
            }
        };
        for piece in sip.bytes.chunks(PIECE) {
            packets.push(segment(here, there, own, Some(other), piece)?);
            let length = u32::try_from(piece.len()).map_err(|error| error.to_string())?;
            own = own.wrapping_add(length);
        }
        if here >= there {
            std::mem::swap(&mut own, &mut other);
        }
        self.next = Some((own, other));
        Ok(packets)
    }
}

/// A segment with data, or with SYN when there is none.
fn segment(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    acknowledges: Option<u32>,
    data: &[u8],
) -> Result<Vec<u8>, String> {
    let mut step = network(from, to).tcp(from.port(), to.port(), sequence, Stream::WINDOW);
    step = if data.is_empty() {
        step.syn()
    } else {
        step.psh()
    };
    if let Some(number) = acknowledges {
        step = step.ack(number);
    }
    let mut packet = Vec::with_capacity(data.len() + 60);
    step.write(&mut packet, data)
        .map_err(|error| error.to_string())?;
    Ok(packet)
}

fn acknowledgement(
    from: SocketAddr,
    to: SocketAddr,
    sequence: u32,
    number: u32,
) -> Result<Vec<u8>, String> {
    let mut packet = Vec::new();
    network(from, to)
        .tcp(from.port(), to.port(), sequence, Stream::WINDOW)
        .ack(number)
        .write(&mut packet, &[])
        .map_err(|error| error.to_string())?;
    Ok(packet)
}
