//! The packets of a capture file, one after the other: pcap and pcapng, from any reader.
//!
//! A packet is lent from one buffer and copied nowhere. A length that a file claims is believed only up to
//! [`LONGEST`], so that no file asks for memory. A file that ends in the middle of a packet was cut short; everything
//! else that does not fit is damage, with the packet where it was met. The `pcap-file` crate, which writes our captures,
//! does not read them: it takes for damage what a small snapshot length cut off, and for an end what claims too much.

use super::CaptureError;
use std::io::{ErrorKind, Read};

/// The longest packet that is read. Our choice: four times the largest snapshot length of tcpdump, 262,144 bytes.
pub(super) const LONGEST: usize = 1 << 20;
/// How much is asked of the reader at once; our choice, so that reading costs few calls.
const CHUNK: usize = 1 << 18;
/// How many interfaces one section may describe. Our choice: more than any machine has.
const INTERFACES: usize = 4096;

/// The first bytes of a pcapng file.
const SECTION_HEADER: [u8; 4] = [0x0a, 0x0d, 0x0d, 0x0a];
/// The link type of a pcap header, without the bits about frame check sequences.
const LINK_TYPE: u32 = 0x0fff_ffff;

/// One packet, lent by the reader.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packet<'a> {
    /// Its number, from 1, as other programs count.
    pub(super) number: u64,
    /// When it was captured, in microseconds since the Unix epoch.
    pub(super) wall: u64,
    /// The link type, as <https://www.tcpdump.org/linktypes.html> numbers them.
    pub(super) link: u32,
    pub(super) data: &'a [u8],
}

/// The order of the bytes in numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Order {
    Big,
    Little,
}

/// What the beginning of the file says about the rest.
#[derive(Debug)]
enum Format {
    Pcap {
        order: Order,
        /// Fractions of a second are nanoseconds.
        nanoseconds: bool,
        link: u32,
    },
    PcapNg {
        order: Order,
        interfaces: Vec<Interface>,
    },
}

/// An interface of a section of a pcapng file.
#[derive(Clone, Copy, Debug)]
struct Interface {
    link: u32,
    /// The most bytes that are kept of a packet, 0 for all.
    snapshot: u32,
    /// The option `if_tsresol`: a power of ten, or of two with the highest bit.
    resolution: u8,
    /// The option `if_tsoffset`, in seconds.
    offset: i64,
}

/// Where the bytes of the next packet stand in the buffer.
struct Found {
    wall: u64,
    link: u32,
    from: usize,
    length: usize,
}

/// A capture file that is being read.
pub(super) struct Packets<R> {
    reader: R,
    buffer: Vec<u8>,
    /// The bytes between these have been read and not been used.
    begin: usize,
    end: usize,
    format: Format,
    number: u64,
    bytes: u64,
    wall: u64,
    cut_short: bool,
    over: bool,
}

impl<R: Read> Packets<R> {
    /// Reads the beginning of a file.
    pub(super) fn new(reader: R) -> Result<Self, CaptureError> {
        let mut packets = Self {
            reader,
            buffer: vec![0; CHUNK],
            begin: 0,
            end: 0,
            format: Format::PcapNg {
                order: Order::Little,
                interfaces: Vec::new(),
            },
            number: 0,
            bytes: 0,
            wall: 0,
            cut_short: false,
            over: false,
        };
        if !packets.has(4)? {
            return Err(CaptureError::NotACapture);
        }
        let magic: [u8; 4] = packets.array(0);
        if magic == SECTION_HEADER {
            return Ok(packets);
        }
        let order = match magic {
            [0xa1, 0xb2, 0xc3, 0xd4] | [0xa1, 0xb2, 0x3c, 0x4d] => Order::Big,
            [0xd4, 0xc3, 0xb2, 0xa1] | [0x4d, 0x3c, 0xb2, 0xa1] => Order::Little,
            _ => return Err(CaptureError::NotACapture),
        };
        if !packets.has(24)? {
            return Err(CaptureError::NotACapture);
        }
        packets.format = Format::Pcap {
            order,
            nanoseconds: magic.contains(&0x4d),
            link: packets.word(20, order) & LINK_TYPE,
        };
        packets.skip(24);
        Ok(packets)
    }

    /// How many bytes of the file were used so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// How many packets were met so far.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Whether the file ended in the middle of a packet.
    pub(super) const fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    /// Reads no further.
    pub(super) const fn stop(&mut self) {
        self.over = true;
    }

    /// The next packet; nothing after the last one, or after an error.
    pub(super) fn next(&mut self) -> Option<Result<Packet<'_>, CaptureError>> {
        if self.over {
            return None;
        }
        let found = match self.find() {
            Ok(Some(found)) => found,
            Ok(None) => {
                self.over = true;
                return None;
            }
            Err(error) => {
                self.over = true;
                return Some(Err(error));
            }
        };
        self.number += 1;
        self.wall = found.wall;
        let data = self.buffer.get(found.from..found.from + found.length);
        Some(Ok(Packet {
            number: self.number,
            wall: found.wall,
            link: found.link,
            data: data.unwrap_or_default(),
        }))
    }

    fn find(&mut self) -> Result<Option<Found>, CaptureError> {
        match self.format {
            Format::Pcap {
                order,
                nanoseconds,
                link,
            } => self.find_record(order, nanoseconds, link),
            Format::PcapNg { .. } => self.find_block(),
        }
    }

    /// The next record of a pcap file.
    fn find_record(
        &mut self,
        order: Order,
        nanoseconds: bool,
        link: u32,
    ) -> Result<Option<Found>, CaptureError> {
        if !self.has(16)? {
            return Ok(None);
        }
        let seconds = u64::from(self.word(0, order));
        let fraction = u64::from(self.word(4, order));
        let length = self.length(self.word(8, order))?;
        if !self.has(16 + length)? {
            return Ok(None);
        }
        let fraction = if nanoseconds {
            fraction / 1_000
        } else {
            fraction
        };
        let from = self.begin + 16;
        self.skip(16 + length);
        Ok(Some(Found {
            wall: seconds * 1_000_000 + fraction,
            link,
            from,
            length,
        }))
    }

    /// The packet of the next block of a pcapng file that has one.
    fn find_block(&mut self) -> Result<Option<Found>, CaptureError> {
        loop {
            if !self.has(12)? {
                return Ok(None);
            }
            let begins = self.array(0) == SECTION_HEADER;
            if begins {
                self.begin_section()?;
            }
            let Format::PcapNg { order, .. } = self.format else {
                return Ok(None);
            };
            let kind = self.word(0, order);
            let total = self.word(4, order);
            let whole = usize::try_from(total).unwrap_or(usize::MAX);
            if !total.is_multiple_of(4) || whole < 12 {
                return Err(self.damaged("a block whose length cannot be"));
            }
            let has_packet = matches!(kind, 2 | 3 | 6);
            if has_packet {
                self.length(total)?;
            } else if whole > LONGEST {
                // It is none that matters here, such as secrets for decryption.
                if !self.pass_over(whole)? {
                    return Ok(None);
                }
                continue;
            }
            if !self.has(whole)? {
                return Ok(None);
            }
            if self.word(whole - 4, order) != total {
                return Err(self.damaged("a block whose two lengths differ"));
            }
            if kind == 1 {
                self.describe_interface(order, whole)?;
            }
            let found = has_packet.then(|| self.packet(kind, order, whole));
            self.skip(whole);
            if let Some(found) = found {
                return found.map(Some);
            }
        }
    }

    /// A section header: the bytes may have another order from here on, and interfaces are numbered anew.
    fn begin_section(&mut self) -> Result<(), CaptureError> {
        let order = match self.array(8) {
            [0x1a, 0x2b, 0x3c, 0x4d] => Order::Big,
            [0x4d, 0x3c, 0x2b, 0x1a] => Order::Little,
            _ => return Err(self.damaged("a section without its magic number")),
        };
        self.format = Format::PcapNg {
            order,
            interfaces: Vec::new(),
        };
        Ok(())
    }

    fn describe_interface(&mut self, order: Order, whole: usize) -> Result<(), CaptureError> {
        if whole < 20 {
            return Err(self.damaged("a description of an interface that is too short"));
        }
        let mut described = Interface {
            link: u32::from(self.half(8, order)),
            snapshot: self.word(12, order),
            resolution: 6,
            offset: 0,
        };
        let mut at = 16;
        while at + 4 <= whole - 4 {
            let (code, length) = (self.half(at, order), usize::from(self.half(at + 2, order)));
            if code == 0 || at + 4 + length > whole - 4 {
                break;
            }
            match (code, length) {
                (9, 1..) => described.resolution = self.array::<1>(at + 4)[0],
                (14, 8) => {
                    let bytes = self.array(at + 4);
                    described.offset = match order {
                        Order::Big => i64::from_be_bytes(bytes),
                        Order::Little => i64::from_le_bytes(bytes),
                    };
                }
                _ => {}
            }
            at += 4 + length.next_multiple_of(4);
        }
        let Format::PcapNg { interfaces, .. } = &mut self.format else {
            return Ok(());
        };
        if interfaces.len() == INTERFACES {
            return Err(self.damaged("more interfaces than any machine has"));
        }
        interfaces.push(described);
        Ok(())
    }

    /// The packet of an enhanced (6), simple (3) or obsolete (2) packet block.
    fn packet(&self, kind: u32, order: Order, whole: usize) -> Result<Found, CaptureError> {
        let head = if kind == 3 { 12 } else { 28 };
        let Some(room) = whole.checked_sub(head + 4) else {
            return Err(self.damaged("a packet block that is too short"));
        };
        let number = match kind {
            6 => self.word(8, order),
            2 => u32::from(self.half(8, order)),
            _ => 0,
        };
        let Format::PcapNg { interfaces, .. } = &self.format else {
            return Err(self.damaged("a packet of no section"));
        };
        let interface = usize::try_from(number)
            .ok()
            .and_then(|number| interfaces.get(number).copied());
        let Some(interface) = interface else {
            return Err(self.damaged("a packet of an interface that was not described"));
        };
        let (wall, length) = if kind == 3 {
            let snapshot = match interface.snapshot {
                0 => u32::MAX,
                snapshot => snapshot,
            };
            let length = self.word(8, order).min(snapshot);
            (
                self.wall,
                usize::try_from(length).map_or(room, |length| length.min(room)),
            )
        } else {
            let ticks = u64::from(self.word(12, order)) << 32 | u64::from(self.word(16, order));
            let length = usize::try_from(self.word(20, order)).unwrap_or(usize::MAX);
            if length > room {
                return Err(self.damaged("a packet that is longer than its block"));
            }
            (interface.micros(ticks), length)
        };
        Ok(Found {
            wall,
            link: interface.link,
            from: self.begin + head,
            length,
        })
    }

    /// A length that can be believed.
    fn length(&self, claimed: u32) -> Result<usize, CaptureError> {
        match usize::try_from(claimed) {
            Ok(length) if length <= LONGEST => Ok(length),
            _ => Err(CaptureError::TooLong {
                packet: self.number + 1,
                claimed,
            }),
        }
    }

    fn damaged(&self, reason: &'static str) -> CaptureError {
        CaptureError::Damaged {
            packet: self.number + 1,
            reason,
        }
    }

    /// Reads until so many bytes wait to be used; not so when the file ends before, which is the end of it.
    fn has(&mut self, wanted: usize) -> Result<bool, CaptureError> {
        while self.end - self.begin < wanted {
            if self.begin + wanted > self.buffer.len() {
                self.buffer.copy_within(self.begin..self.end, 0);
                self.end -= self.begin;
                self.begin = 0;
                let room = wanted.max(self.buffer.len());
                self.buffer.resize(room, 0);
            }
            if self.fill()? == 0 {
                self.cut_short |= self.end > self.begin;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fill(&mut self) -> Result<usize, CaptureError> {
        loop {
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(length) => {
                    self.end += length;
                    return Ok(length);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(CaptureError::Read(error)),
            }
        }
    }

    /// Uses up bytes that wait.
    const fn skip(&mut self, length: usize) {
        self.begin += length;
        self.bytes += length as u64;
    }

    /// Uses up bytes that may not be there yet; whether the file had so many.
    fn pass_over(&mut self, mut length: usize) -> Result<bool, CaptureError> {
        while length > 0 {
            if !self.has(1)? {
                self.cut_short = true;
                return Ok(false);
            }
            let step = length.min(self.end - self.begin);
            self.skip(step);
            length -= step;
        }
        Ok(true)
    }

    /// The bytes at this distance from the next that waits; zeros where none were read.
    fn array<const N: usize>(&self, at: usize) -> [u8; N] {
        let waiting = self.buffer.get(self.begin + at..self.end);
        let found = waiting.and_then(|waiting| waiting.first_chunk::<N>());
        found.copied().unwrap_or([0; N])
    }

    fn word(&self, at: usize, order: Order) -> u32 {
        match order {
            Order::Big => u32::from_be_bytes(self.array(at)),
            Order::Little => u32::from_le_bytes(self.array(at)),
        }
    }

    fn half(&self, at: usize, order: Order) -> u16 {
        match order {
            Order::Big => u16::from_be_bytes(self.array(at)),
            Order::Little => u16::from_le_bytes(self.array(at)),
        }
    }
}

impl Interface {
    /// A time stamp of this interface in microseconds since the Unix epoch.
    fn micros(self, ticks: u64) -> u64 {
        let exponent = u32::from(self.resolution & 0x7f);
        let base: u128 = if self.resolution & 0x80 == 0 { 10 } else { 2 };
        let per_second = base.checked_pow(exponent).unwrap_or(u128::MAX).max(1);
        let since = u128::from(ticks).saturating_mul(1_000_000) / per_second;
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        let offset = self.offset.saturating_mul(1_000_000);
        since.saturating_add_signed(offset)
    }
}
