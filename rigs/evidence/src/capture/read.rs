//! Capture files from anywhere as evidence: pcap and pcapng, the usual link types, IP fragments, TCP streams.
//!
//! It lets the monitor judge a base that was observed by others, with real captures as evidence that this project did
//! not write. [`Records`] reads a file of any size, or a pipe that never ends, in bounded memory; [`read`] takes one whole.

use super::CaptureError;
use super::dissect::{Forgotten, Heard, Messages};
use crate::log::{Log, Stamp};
use crate::record::{Direction, Fate, Observation, Parsed, Record, SCHEMA, Sip, Unit};
use std::fmt;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

/// Which packets are the base's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Base {
    /// Its address.
    pub ip: IpAddr,
    /// Its SIP port, when something else has the same address.
    pub port: Option<u16>,
}

impl Base {
    /// Whether this address is the base's.
    #[must_use]
    pub fn is(&self, address: SocketAddr) -> bool {
        self.ip == address.ip() && self.port.is_none_or(|port| port == address.port())
    }

    /// The message as this base's own interface saw it; nothing when it is neither from nor to the base.
    #[must_use]
    pub fn sees(&self, heard: &Heard) -> Option<Sip> {
        let (direction, fate) = if self.is(heard.source) {
            (Direction::FromBase, Fate::Sent)
        } else if self.is(heard.destination) {
            (Direction::ToBase, Fate::Delivered)
        } else {
            return None;
        };
        Some(Sip {
            direction,
            fate,
            transport: heard.transport.into(),
            source: heard.source,
            destination: heard.destination,
            bytes: heard.bytes.clone(),
            parsed: Parsed::default(),
        })
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            None => self.ip.fmt(f),
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
        }
    }
}

/// A text that names no base.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no address: expected an IP address, or one with a port such as 10.0.0.2:5060 or [::1]:5060"
)]
pub struct NotABase(pub String);

impl FromStr for Base {
    type Err = NotABase;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Ok(ip) = text.parse() {
            return Ok(Self { ip, port: None });
        }
        let address: SocketAddr = text.parse().map_err(|_| NotABase(text.to_owned()))?;
        Ok(Self {
            ip: address.ip(),
            port: Some(address.port()),
        })
    }
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

/// The SIP of a capture as records of one base, in their order. After an error, or the end, nothing comes any more.
pub struct Records<R> {
    messages: Messages<R>,
    base: Base,
    unit: Unit,
    seq: u64,
}

impl<R> fmt::Debug for Records<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Records")
            .field("base", &self.base)
            .field("seq", &self.seq)
            .finish_non_exhaustive()
    }
}

impl<R: Read> Records<R> {
    /// Begins to read a capture.
    ///
    /// # Errors
    /// When it is no capture file or cannot be read.
    pub fn new(reader: R, base: Base) -> Result<Self, CaptureError> {
        let mut messages = Messages::new(reader)?;
        messages.only([base.ip]);
        Ok(Self {
            messages,
            base,
            unit: Unit::default(),
            seq: 0,
        })
    }

    /// What could not become a record so far.
    #[must_use]
    pub const fn forgotten(&self) -> Forgotten {
        self.messages.forgotten()
    }

    /// How many TCP streams are being put together.
    #[must_use]
    pub fn streams(&self) -> usize {
        self.messages.streams()
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, CaptureError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let heard = match self.messages.next()? {
                Ok(heard) => heard,
                Err(error) => return Some(Err(error)),
            };
            let Some(sip) = self.base.sees(&heard) else {
                continue;
            };
            self.seq += 1;
            return Some(Ok(Record {
                v: SCHEMA,
                seq: self.seq,
                at: heard.at,
                wall: Some(heard.wall),
                unit: Some(self.unit.clone()),
                observation: Observation::Sip(sip),
            }));
        }
    }
}
