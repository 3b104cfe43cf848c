//! A handset that is worked by commands on the serial console of its unit. How commands and answers are worded is the
//! profile's business.

use super::{Face, Press, record_keys, until_reported};
use crate::bench::Bench;
use crate::console::display;
use crate::error::RigError;
use crate::profile::Profile;
use evidence::record::Screen;
use sip::time::Instant;
use std::sync::Arc;

/// One handset over the console.
pub struct ConsoleFace<'b> {
    bench: &'b mut Bench,
    ipui: String,
    unit: usize,
}

impl<'b> ConsoleFace<'b> {
    pub(crate) fn new(bench: &'b mut Bench, ipui: String) -> Self {
        let unit = bench.unit_of(&ipui);
        Self { bench, ipui, unit }
    }
}

impl Face for ConsoleFace<'_> {
    fn ipui(&self) -> &str {
        &self.ipui
    }

    fn profile(&self) -> Arc<Profile> {
        self.bench.shared_profile()
    }

    fn read(&mut self) -> Result<Screen, RigError> {
        let profile = self.profile();
        let command = profile
            .console
            .display_command
            .replace("{ipui}", &self.ipui);
        let mut answer = Vec::new();
        // Noise may have torn the first answer; reading changes nothing, so it is done again.
        for _ in 0..2 {
            answer = self.bench.type_command(self.unit, &command)?;
            let screen = display::answered(&profile.console.display, &self.ipui, &answer);
            if let Some(screen) = screen {
                self.bench.saw(self.unit, screen.clone());
                return Ok(screen);
            }
        }
        let answer = answer.join(" / ");
        Err(self
            .bench
            .breaks(RigError::ConsoleAnswer { command, answer }))
    }

    fn press(&mut self, press: &Press<'_>) -> Result<Screen, RigError> {
        self.bench.console_ready(self.unit)?;
        record_keys(self.bench, &self.ipui, press);
        let profile = self.profile();
        let template = &profile.console.keys_command;
        let command = template
            .replace("{ipui}", &self.ipui)
            .replace("{keys}", &press.keys.join(" "));
        let answer = self.bench.type_command(self.unit, &command)?;
        let refused = answer
            .iter()
            .find(|line| profile.console.error.is_match(line));
        if let Some(line) = refused {
            let answer = line.clone();
            return Err(self
                .bench
                .breaks(RigError::ConsoleAnswer { command, answer }));
        }
        self.read()
    }

    fn last_display(&self) -> Option<Screen> {
        self.bench.shown(&self.ipui).cloned()
    }

    fn now(&self) -> Instant {
        self.bench.now()
    }

    fn pause(&mut self, deadline: Instant) -> Result<(), RigError> {
        until_reported(self.bench, &self.ipui, deadline)
    }
}
