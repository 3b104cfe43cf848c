//! The bench: both laboratories and the instruments that work a base and read it.
//!
//! [`rig`] says what is plugged in where, [`profile`] what the base claims, [`lab`] is the world around the base.
//! Instruments are pure and know the laboratory only by its trait. Whatever they see is a record of the evidence, and
//! every record goes to the monitor. What is wrong with the rig is a [`RigError`] that names the
//! culprit; what is wrong with the base is a finding, and this crate makes none.

mod bench;
pub mod console;
pub mod error;
pub mod face;
pub mod handset;
pub mod lab;
pub mod profile;
pub mod provisioning;
pub mod rig;
pub mod screen;
pub mod second_reader;
pub mod setup;
pub mod web;

pub use bench::{Bench, BenchReport, FaultsNow, PortalNow};
pub use error::RigError;
pub use face::{Face, Press};
pub use handset::Handset;
pub use lab::virtual_lab::BaseFactory;
pub use provisioning::{Account, ProvisioningFile, Sync};
pub use setup::Setup;
