//! Captures: evidence written as a pcapng file, and capture files read as evidence.
//!
//! What is written is the view of the base's own interface: what it sent, and what reached it. The headers around SIP
//! are made up, the addresses and lab times are real. What is read becomes a log that holds nothing but SIP, so that
//! rules which need more say so.

mod dissect;
mod fragments;
mod packets;
mod read;
mod stream;
mod streams;
mod write;

pub use dissect::{Forgotten, Heard, Messages};
pub use read::{Base, NotABase, Records, read};
pub use write::to_pcapng;

/// Why a capture could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// It is neither pcap nor pcapng.
    #[error("neither a pcap nor a pcapng file")]
    NotACapture,
    /// The file is damaged.
    #[error("the capture file is damaged at packet {packet}: {reason}")]
    Damaged {
        /// The packet that could not be read, from 1.
        packet: u64,
        /// What does not fit.
        reason: &'static str,
    },
    /// A packet claims to be longer than any.
    #[error(
        "packet {packet} claims {claimed} bytes, more than any packet has: the capture file is damaged"
    )]
    TooLong {
        /// The packet, from 1.
        packet: u64,
        /// What it claims, in bytes.
        claimed: u32,
    },
    /// It cannot be read at all.
    #[error("the capture cannot be read")]
    Read(#[source] std::io::Error),
    /// Its packets are of a kind that holds no IP we can find.
    #[error("packets of link type {0} cannot be read")]
    LinkType(u32),
    /// A packet could not be built.
    #[error("record {seq} cannot be written as a packet: {reason}")]
    Packet {
        /// Which record.
        seq: u64,
        /// Why.
        reason: String,
    },
    /// The packets could not be put together as a file.
    #[error("the capture cannot be written")]
    Write(#[source] pcap_file::PcapError),
}
