//! SIP for a conformance rig: messages that keep the bytes they came in, and protocol machines without I/O.
//!
//! Every machine here obeys one sentence: mutate it, then drain `poll_output` until it answers `Timeout`, then mutate
//! again. A machine never reads a clock, opens a socket, starts a task, or draws a number that was not seeded. All of
//! them are `Clone`, so that a laboratory can fork a world and try every order of delivery.
//!
//! This crate knows SIP and nothing about bases, servers, vendors or tests.
//!
//! How the machines fit together in a node:
//!
//! ```text
//! bytes  -> Endpoint::handle_sip -> Indication::Request { transaction, message }
//!              NOTIFY    -> Subscriber::handle_notify    -> Endpoint::respond, then drain the subscriber
//!              SUBSCRIBE -> Notifier::accept, or handle_subscribe of the one that `owns` it
//!                           -> Endpoint::respond, Notifier::notify, then drain the notifier
//!        -> Indication::Response { transaction, message }
//!              401, 407  -> Answerer::handle_challenge, then Subscriber::repeat
//!              others    -> handle_response of the machine whose request it answers
//!        -> Indication::Failed { transaction, cause }
//!                        -> handle_failure of the machine whose request it was
//! SubscriberOutput::Send, NotifierOutput::Send -> the owner writes the message -> Endpoint::send_request
//! time   -> handle_timeout of each machine whose deadline has come
//! ```
//!
//! The owner keeps one map, from transaction to the machine (and, for a notifier, the CSeq number) that it serves.
#![warn(clippy::indexing_slicing, clippy::panic)]

pub mod ascii_xml;
pub mod dialog;
pub mod digest;
pub mod endpoint;
pub mod feature_event;
pub mod message;
pub mod node;
pub mod resolution;
pub mod second_reader;
pub mod service;
pub mod subscription;
pub mod time;
pub mod timer;
pub mod transaction;
