//! A handset face: how one handset is worked and read, whatever stands between the rig and it.
//!
//! Two faces are here, commands on the serial console and calls at the web interface; a person or a child process with a
//! keypad robot are faces too, and need nothing but this trait. All give the same [`Screen`] and take the same keys. Each
//! key is recorded before the base gets it. Menus are the business of the driver above, [`crate::handset`].

mod console;
mod web;

pub use console::ConsoleFace;
pub use web::WebFace;

use crate::bench::Bench;
use crate::error::RigError;
use crate::profile::Profile;
use evidence::record::{Intent, KeyEffect, Observation, Record, Screen};
use sip::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// How often a display is read again while waiting for something that the base may not report by itself: our choice, a
/// sixth of the time that a display may take.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// What is pressed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Press<'k> {
    /// The keys, one after the other.
    pub keys: &'k [&'k str],
    /// What each of them does in the menu where it is pressed.
    pub effect: KeyEffect,
    /// What the user asks for with the last of them, when it completes a change of a service.
    pub intent: Option<Intent>,
}

/// One handset.
pub trait Face {
    /// The handset's IPUI.
    fn ipui(&self) -> &str;

    /// What the base claims: the texts and keys that a driver needs.
    fn profile(&self) -> Arc<Profile>;

    /// Reads the display.
    ///
    /// # Errors
    /// When the face does not answer.
    fn read(&mut self) -> Result<Screen, RigError>;

    /// Presses keys and reads the display after the last of them.
    ///
    /// # Errors
    /// When the face does not answer.
    fn press(&mut self, press: &Press<'_>) -> Result<Screen, RigError>;

    /// The display as it was read or reported last, without touching the handset.
    fn last_display(&self) -> Option<Screen>;

    /// The lab time.
    fn now(&self) -> Instant;

    /// Lets the world run until the display was reported or the time has come.
    ///
    /// # Errors
    /// When the rig breaks.
    fn pause(&mut self, deadline: Instant) -> Result<(), RigError>;

    /// Waits until the display satisfies the condition: reads it at once, looks at what the base reports, and reads again
    /// now and then. `None` when time is up.
    ///
    /// # Errors
    /// When the face does not answer.
    fn until(
        &mut self,
        within: Duration,
        condition: &mut dyn FnMut(&Screen) -> bool,
    ) -> Result<Option<Screen>, RigError> {
        let deadline = self.now() + within;
        loop {
            let screen = self.read()?;
            if condition(&screen) {
                return Ok(Some(screen));
            }
            let now = self.now();
            if now >= deadline {
                return Ok(None);
            }
            self.pause(deadline.min(now + READ_AGAIN))?;
        }
    }
}

/// Records keys before the base gets them, the intent with the last.
fn record_keys(bench: &mut Bench, ipui: &str, press: &Press<'_>) {
    let last = press.keys.len().saturating_sub(1);
    for (index, key) in press.keys.iter().enumerate() {
        let observation = Observation::Key {
            handset: ipui.to_owned(),
            key: (*key).to_owned(),
            effect: press.effect,
            intent: press.intent.clone().filter(|_| index == last),
        };
        bench.record_for(ipui, observation);
    }
}

/// Lets the world run until the display was reported or the time has come.
fn until_reported(bench: &mut Bench, ipui: &str, deadline: Instant) -> Result<(), RigError> {
    let (seen, length) = (bench.last_seq(), deadline.since(bench.now()));
    let is_its = |record: &Record| matches!(&record.observation, Observation::Screen(screen) if screen.handset == ipui);
    bench.until_record(seen, length, is_its).map(|_| ())
}
