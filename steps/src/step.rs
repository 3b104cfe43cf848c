//! The step functions, by the part of the world that they are about.
//!
//! Each is a few lines over the scene: what it says in the features is what it does here. A `When` marks the moment that
//! deadlines count from; a `Then` never changes the world except by letting time pass and by reading a display.

mod call;
mod fault;
mod handset;
mod network;
mod notify;
mod provisioning;
mod registration;
mod server;
mod subscription;

use crate::scene::StepFailure;
use std::time::Duration;

/// Makes sure that the step functions are linked into whatever uses this crate.
pub const fn link() {}

fn seconds(text: &str) -> Result<Duration, StepFailure> {
    let number = text
        .parse()
        .map_err(|_| StepFailure::Rig(format!("`{text}` is not a number of seconds")))?;
    Ok(Duration::from_secs(number))
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, StepFailure> {
    text.parse()
        .map_err(|_| StepFailure::Rig(format!("`{text}` is not a number")))
}

fn setting(text: &str) -> Result<crate::vocabulary::Setting, StepFailure> {
    text.parse()
        .map_err(|error: crate::vocabulary::NotASetting| StepFailure::Rig(error.to_string()))
}

/// A count with its noun, `1 SUBSCRIBE`, `2 SUBSCRIBEs`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}
