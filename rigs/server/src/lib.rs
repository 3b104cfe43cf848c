//! A mock application server: registrar, service state, notifier, feature codes, and a plan of faults.
//!
//! [`AppServer`] is one [`sip::node::Node`]: pure, seeded, `Clone`, with one set of accounts and one or more sites that share
//! it. Its product-specific habits are a [`Dialect`] read from a file; what a scenario wants done wrong is a [`Fault`] or a
//! [`NotifySpec`]. A scenario reaches it through [`Portal`] and [`Faults`]. It has no opinion about the base in front of it:
//! judging is the monitor's business, which cannot even name this crate.

mod account;
mod accounts;
mod address;
mod body;
pub mod dialect;
pub mod fault;
mod feature_code;
mod flat_xml;
pub mod notify_spec;
mod package;
pub mod portal;
mod registrar;
mod server;
pub mod service;
mod site;
mod subscription;
mod writer;
mod xsi;

pub use account::UserConfig;
pub use dialect::{Dialect, Mechanism};
pub use fault::{Action, Ending, Fault, FaultId, Faults, Purpose, SubscriptionFilter};
pub use feature_code::{Pattern, PatternError};
pub use notify_spec::{NotifyContent, NotifyDialog, NotifySent, NotifySpec};
pub use package::Package;
pub use portal::{Portal, PortalError};
pub use registrar::{Binding, ExpiresPolicy};
pub use server::{AppServer, ServerConfig};
pub use service::{Origin, ServiceState, ServiceValue};
pub use site::{Lifetime, SiteConfig, SiteId};
pub use subscription::SubscriptionView;
