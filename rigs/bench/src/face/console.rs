//! Handsets worked by commands on the serial console of their unit. How commands and answers are worded is the profile's
//! business.

use super::{At, Instrument, Press};
use crate::console::display;
use crate::error::RigError;
use evidence::record::Screen;

/// The serial console.
pub(crate) struct Console;

impl Instrument for Console {
    fn ready(at: &mut At<'_>) -> Result<(), RigError> {
        at.bench.console_ready(at.unit)
    }

    fn read(at: &mut At<'_>) -> Result<Screen, RigError> {
        let profile = at.profile();
        let command = profile.console.display_command.replace("{ipui}", &at.ipui);
        let mut answer = Vec::new();
        // Noise may have torn the first answer; reading changes nothing, so it is done again.
        for _ in 0..2 {
            answer = at.bench.type_command(at.unit, &command)?;
            let screen = display::answered(&profile.console.display, &at.ipui, &answer);
            if let Some(screen) = screen {
                return Ok(screen);
            }
        }
        let answer = answer.join(" / ");
        Err(at.bench.breaks(RigError::ConsoleAnswer { command, answer }))
    }

    fn press(at: &mut At<'_>, press: &Press<'_>) -> Result<Screen, RigError> {
        let profile = at.profile();
        let template = &profile.console.keys_command;
        let command = template
            .replace("{ipui}", &at.ipui)
            .replace("{keys}", &press.keys.join(" "));
        at.bench.command(at.unit, &command)?;
        Self::read(at)
    }
}
