//! Real wires around a pure [`sip::node::Node`]: sockets, serial lines, HTTP and WebSocket.
//!
//! [`host::Host`] drives one node from start to graceful end; it is what [`program::Program`] runs for `lockstep base` and `lockstep server`. The
//! parts it is made of ([`flows`], [`console`], [`serial`], [`http_face`], [`fetch`], [`web`], [`process`]) also stand alone: each
//! reports what arrives as [`arrival::Arrival`] on a channel, so that a laboratory with several parties can select over
//! them. Nothing here knows SIP: bytes of a stream pass as they come, framing is the node's business.
//!
//! This is the one crate that reads a clock, and it only ever measures from its own start.

pub mod arrival;
pub mod clock;
pub mod console;
pub mod error;
pub mod fetch;
pub mod flows;
pub mod host;
pub mod http_face;
pub mod process;
pub mod program;
mod receive_buffer;
pub mod serial;
pub mod signal;
pub mod sockets;
pub mod start;
pub mod tap;
pub mod web;
