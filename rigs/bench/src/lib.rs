//! The bench: both laboratories and the instruments that work a base and read it.
//!
//! [`rig`] says what is plugged in where, [`profile`] what the base claims, [`lab`] is the world around the base.
//! Instruments are pure and know the laboratory only by its trait. Whatever they see is a record of the evidence, and
//! every record goes to the monitor. What is wrong with the rig is a [`RigError`](error::RigError) that names the
//! culprit; what is wrong with the base is a finding, and this crate makes none.

pub mod document;
pub mod error;
pub mod profile;
pub mod rig;
