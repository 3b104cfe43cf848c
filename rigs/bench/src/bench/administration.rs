//! What an administrator does at the console of a unit: has it fetch its provisioning file again, or restarts it.
//!
//! Both need a console and a command that the profile claims. A unit that restarts keeps its power but forgets what it
//! keeps in memory, so its power record says when it took the command and when it prompts again.

use super::Bench;
use crate::error::RigError;
use evidence::record::{PowerChange, Unit};

impl Bench {
    /// Has a unit fetch its provisioning file again, by a command on its console.
    ///
    /// # Errors
    /// When the unit has no console, the profile claims no such command, or the console refuses it.
    pub fn reprovision(&mut self, unit: &Unit) -> Result<(), RigError> {
        let place = self.place_of(unit)?;
        self.claimed("console.command.provision")?;
        let command = self.profile.console.provision_command.clone();
        self.command(place, &command)
    }

    /// Restarts a unit by a command on its console, and waits until it prompts again. It is back in the sense of
    /// [`power_on`](Self::power_on): it has yet to fetch its provisioning file.
    ///
    /// # Errors
    /// When the unit has no console, the profile claims no such command, the console refuses it, or no prompt comes.
    pub fn reboot(&mut self, unit: &Unit) -> Result<(), RigError> {
        let place = self.place_of(unit)?;
        self.claimed("console.command.reboot")?;
        let command = self.profile.console.reboot_command.clone();
        self.type_restart(place, &command)?;
        self.power_changed(place, PowerChange::On);
        Ok(())
    }

    fn claimed(&self, key: &str) -> Result<(), RigError> {
        if self.profile.has(key) {
            return Ok(());
        }
        Err(RigError::Missing {
            what: format!("`{key}`: the profile says that the base has none"),
        })
    }
}
