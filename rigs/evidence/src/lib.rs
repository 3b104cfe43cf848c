//! Evidence: what was observed at a base's own interfaces, what the requirements say about it, and the verdict.
//!
//! This crate only reads. It cannot name the mock application server or the emulated base, and it takes nothing from
//! the `sip` crate but `message`: bodies and provisioning files are read by its own reader, so that a codec of ours
//! that is wrong on both sides of the wire still shows up as a finding.
#![warn(clippy::indexing_slicing, clippy::panic)]

pub mod body;
pub mod capture;
pub mod catalogue;
pub mod check;
pub mod identifier;
pub mod lines;
pub mod log;
pub mod monitor;
pub mod provisioning;
pub mod record;
pub mod verdict;
pub mod xml;

/// Messages as the `sip` crate keeps them, for those who read evidence.
pub use sip::message;
