//! The packets of a capture file, one after the other: pcap and pcapng, from any reader.
//!
//! A file that was cut short has ended; everything else that does not fit is damage. Nothing is kept of a packet that
//! was handed out.

use super::CaptureError;
use pcap_file::pcap::PcapReader;
use pcap_file::pcapng::blocks::interface_description::InterfaceDescriptionOption;
use pcap_file::pcapng::{Block, PcapNgReader};
use pcap_file::{DataLink, PcapError};
use std::io::{Chain, Cursor, ErrorKind, Read};

/// The first bytes of a pcapng file.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The magic numbers of pcap files: both byte orders, microseconds and nanoseconds.
const PCAP: [[u8; 4]; 4] = [
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x4d, 0x3c, 0xb2, 0xa1],
];

/// One packet.
pub(super) struct Packet {
    /// When it was captured, in microseconds since the Unix epoch.
    pub(super) wall: u64,
    pub(super) link: DataLink,
    pub(super) data: Vec<u8>,
}

/// A reader whose first bytes were looked at.
type Whole<R> = Chain<Cursor<Vec<u8>>, R>;

/// A capture file that is being read.
pub(super) enum Packets<R: Read> {
    Pcap(PcapReader<Whole<R>>),
    PcapNg(PcapNgReader<Whole<R>>),
    /// It has ended, well or not.
    Ended,
}

impl<R: Read> Packets<R> {
    pub(super) fn new(mut reader: R) -> Result<Self, CaptureError> {
        let mut magic = Vec::new();
        let mut beginning = reader.by_ref().take(4);
        beginning
            .read_to_end(&mut magic)
            .map_err(CaptureError::Read)?;
        let first = magic.first_chunk::<4>().copied();
        let whole = Cursor::new(magic).chain(reader);
        match first {
            Some(SECTION_HEADER) => PcapNgReader::new(whole).map(Self::PcapNg),
            Some(magic) if PCAP.contains(&magic) => PcapReader::new(whole).map(Self::Pcap),
            _ => return Err(CaptureError::NotACapture),
        }
        .map_err(CaptureError::Damaged)
    }

    /// The next packet; nothing after the last one, or after an error.
    pub(super) fn next(&mut self) -> Option<Result<Packet, CaptureError>> {
        let next = match self {
            Self::Pcap(reader) => next_pcap(reader),
            Self::PcapNg(reader) => next_pcapng(reader),
            Self::Ended => None,
        };
        if !matches!(next, Some(Ok(_))) {
            *self = Self::Ended;
        }
        match next? {
            Ok(packet) => Some(Ok(packet)),
            Err(PcapError::IncompleteBuffer) => None,
            Err(PcapError::IoError(error)) if error.kind() == ErrorKind::UnexpectedEof => None,
            Err(PcapError::IoError(error)) => Some(Err(CaptureError::Read(error))),
            Err(error) => Some(Err(CaptureError::Damaged(error))),
        }
    }
}

fn next_pcap<R: Read>(reader: &mut PcapReader<R>) -> Option<Result<Packet, PcapError>> {
    let link = reader.header().datalink;
    let next = reader.next_packet()?;
    Some(next.map(|packet| Packet {
        wall: u64::try_from(packet.timestamp.as_micros()).unwrap_or(u64::MAX),
        link,
        data: packet.data.into_owned(),
    }))
}

fn next_pcapng<R: Read>(reader: &mut PcapNgReader<R>) -> Option<Result<Packet, PcapError>> {
    loop {
        let (interface, ticks, data) = match reader.next_block()? {
            Err(error) => return Some(Err(error)),
            Ok(Block::EnhancedPacket(packet)) => (
                packet.interface_id,
                packet.timestamp.as_nanos(),
                packet.data.into_owned(),
            ),
            Ok(_) => continue,
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
        return Some(Ok(Packet {
            wall: micros(ticks, resolution.unwrap_or(6)),
            link: interface.linktype,
            data,
        }));
    }
}

/// A number of ticks in microseconds.
fn micros(ticks: u128, resolution: u8) -> u64 {
    let exponent = u32::from(resolution & 0x7f);
    let base: u128 = if resolution & 0x80 == 0 { 10 } else { 2 };
    let per_second = base.checked_pow(exponent).unwrap_or(u128::MAX).max(1);
    u64::try_from(ticks.saturating_mul(1_000_000) / per_second).unwrap_or(u64::MAX)
}
