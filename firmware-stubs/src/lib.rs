//! Emulated DECT bases: the same three faces as hardware (SIP, serial console, web), and nothing else to hold on to.
//!
//! A [`Base`] is a pure [`sip::node::Node`]: bytes in and out, lab time, no sockets. It boots, fetches its provisioning
//! file, pairs the handsets that the file names, and works one SIP account for each of them. What it says on SIP is
//! written by the templates of its [`Model`]; a [`Mutant`] is a model with exactly one thing wrong.
//!
//! Rigs know a base by its addresses only. Nothing here reads or sets a service but through keys and displays. The
//! feature `shell` adds the sockets, the pty and the web listener.

pub mod accounts;
pub mod base;
pub mod defect;
pub mod faces;
mod fetch;
pub mod interceptor;
pub mod matrix;
pub mod menu;
pub mod model;
pub mod mutant;
pub mod provisioning;
#[cfg(feature = "shell")]
pub mod shell;
pub mod user_agent;

pub use base::{Base, BaseConfig};
pub use matrix::Matrix;
pub use model::Model;
pub use mutant::Mutant;
