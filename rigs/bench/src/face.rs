//! A handset face: how one handset is worked and read, whatever stands between the rig and it.
//!
//! Two faces are here, commands on the serial console and calls at the web interface; a person or a child process with a
//! keypad robot are faces too, and need nothing but this trait. All give the same [`Screen`] and take the same keys. Each
//! key is recorded before the base gets it. Menus are the business of the driver above, [`crate::handset`].

mod console;
mod web;

pub(crate) use console::Console;
pub(crate) use web::Web;

use crate::bench::Bench;
use crate::error::RigError;
use crate::profile::Profile;
use evidence::record::{Intent, KeyEffect, Observation, Record, Screen};
use sip::time::Instant;
use std::marker::PhantomData;
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

/// A handset of a unit on a bench.
pub(crate) struct At<'b> {
    bench: &'b mut Bench,
    unit: usize,
    ipui: String,
}

impl At<'_> {
    fn profile(&self) -> Arc<Profile> {
        self.bench.shared_profile()
    }

    /// Records keys before the base gets them, the intent with the last.
    fn record(&mut self, press: &Press<'_>) {
        let last = press.keys.len().saturating_sub(1);
        for (index, key) in press.keys.iter().enumerate() {
            let observation = Observation::Key {
                handset: self.ipui.clone(),
                key: (*key).to_owned(),
                effect: press.effect,
                intent: press.intent.clone().filter(|_| index == last),
            };
            self.bench.record_at(self.unit, observation);
        }
    }
}

/// An instrument of a unit by which its handsets are worked.
pub(crate) trait Instrument {
    /// Waits until it can be used.
    fn ready(at: &mut At<'_>) -> Result<(), RigError>;

    /// Reads the display.
    fn read(at: &mut At<'_>) -> Result<Screen, RigError>;

    /// Presses keys and reads the display after the last of them.
    fn press(at: &mut At<'_>, press: &Press<'_>) -> Result<Screen, RigError>;
}

/// The face that an instrument gives to one handset.
pub(crate) struct UnitFace<'b, I> {
    at: At<'b>,
    instrument: PhantomData<I>,
}

impl<'b, I: Instrument> UnitFace<'b, I> {
    pub(crate) fn new(bench: &'b mut Bench, ipui: String) -> Self {
        let unit = bench.unit_of(&ipui);
        Self {
            at: At { bench, unit, ipui },
            instrument: PhantomData,
        }
    }

    fn saw(&mut self, screen: Screen) -> Screen {
        self.at.bench.saw(self.at.unit, screen.clone());
        screen
    }
}

impl<I: Instrument> Face for UnitFace<'_, I> {
    fn ipui(&self) -> &str {
        &self.at.ipui
    }

    fn profile(&self) -> Arc<Profile> {
        self.at.profile()
    }

    fn read(&mut self) -> Result<Screen, RigError> {
        let screen = I::read(&mut self.at)?;
        Ok(self.saw(screen))
    }

    fn press(&mut self, press: &Press<'_>) -> Result<Screen, RigError> {
        I::ready(&mut self.at)?;
        self.at.record(press);
        let screen = I::press(&mut self.at, press)?;
        Ok(self.saw(screen))
    }

    fn now(&self) -> Instant {
        self.at.bench.now()
    }

    fn pause(&mut self, deadline: Instant) -> Result<(), RigError> {
        let At { bench, ipui, .. } = &mut self.at;
        let (seen, length) = (bench.last_seq(), deadline.since(bench.now()));
        let is_its = |record: &Record| matches!(&record.observation, Observation::Screen(screen) if screen.handset == *ipui);
        bench.until_record(seen, length, is_its).map(|_| ())
    }
}
