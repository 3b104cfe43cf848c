//! A mock application server: registrar, service state, notifier, feature codes, and a plan of faults.
//!
//! [`AppServer`] is one [`sip::node::Node`]: pure, seeded, `Clone`. Its product-specific habits are a [`Dialect`]
//! read from a file; what a scenario wants done wrong is a [`Fault`] or a [`NotifySpec`]. It has no opinion about the base
//! in front of it: judging is the monitor's business, which cannot even name this crate.

mod account;
mod address;
mod body;
pub mod dialect;
pub mod fault;
mod feature_code;
pub mod notify_spec;
mod registrar;
mod server;
pub mod service;
mod watch;
mod writer;
mod xsi;

pub use account::UserConfig;
pub use dialect::Dialect;
pub use fault::{Action, Fault, FaultId, Purpose};
pub use notify_spec::{NotifyContent, NotifyDialog, NotifySent, NotifySpec};
pub use registrar::{Binding, ExpiresPolicy};
pub use server::{AppServer, Lifetime, ServerConfig, SubscriptionView};
pub use service::{Origin, ServiceState, ServiceValue};
