//! SIP for a conformance rig: messages that keep the bytes they came in, and protocol machines without I/O.
//!
//! Every machine here obeys one sentence: mutate it, then drain `poll_output` until it answers `Timeout`, then mutate
//! again. A machine never reads a clock, opens a socket, starts a task, or draws a number that was not seeded. All of
//! them are `Clone`, so that a laboratory can fork a world and try every order of delivery.
//!
//! This crate knows SIP and nothing about bases, servers, vendors or tests.
#![warn(clippy::indexing_slicing, clippy::panic)]

pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod message;
pub mod node;
pub mod subscription;
pub mod time;
pub mod timer;
pub mod transaction;
