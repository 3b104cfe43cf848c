//! The power of the units: on, off, and a clean shutdown, for one of them or for all.

use super::Bench;
use crate::error::RigError;
use evidence::record::{Observation, PowerChange, Unit};
use std::time::Duration;

impl Bench {
    /// Switches every unit on and lets the instruments listen. Takes no lab time.
    ///
    /// # Errors
    /// When one cannot be started.
    pub fn power_on(&mut self) -> Result<(), RigError> {
        (0..self.units.len()).try_for_each(|place| self.power_on_at(place))
    }

    /// Switches one unit on.
    ///
    /// # Errors
    /// When it cannot be started, or there is none of this name.
    pub fn power_on_unit(&mut self, unit: &Unit) -> Result<(), RigError> {
        let place = self.place_of(unit)?;
        self.power_on_at(place)
    }

    fn power_on_at(&mut self, place: usize) -> Result<(), RigError> {
        self.intact()?;
        let node = self.node(place)?;
        self.lab
            .power_on(node)
            .map_err(|error| self.breaks(error))?;
        self.power_changed(place, PowerChange::On);
        let now = self.now();
        if let Some(unit) = self.units.get_mut(place) {
            (unit.ending, unit.ended) = (false, false);
            if let Some(console) = &mut unit.console {
                console.listen(now);
            }
            if let Some(web) = &mut unit.web {
                web.connect(now);
            }
        }
        self.flush()
    }

    /// Takes the power away from every unit. Takes no lab time.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn power_off(&mut self) -> Result<(), RigError> {
        (0..self.units.len()).try_for_each(|place| self.power_off_at(place))
    }

    /// Takes the power away from one unit.
    ///
    /// # Errors
    /// When the rig cannot do that, or there is none of this name.
    pub fn power_off_unit(&mut self, unit: &Unit) -> Result<(), RigError> {
        let place = self.place_of(unit)?;
        self.power_off_at(place)
    }

    fn power_off_at(&mut self, place: usize) -> Result<(), RigError> {
        self.intact()?;
        self.settle()?;
        self.power_changed(place, PowerChange::Off);
        if let Some(unit) = self.units.get_mut(place) {
            unit.switch_off();
        }
        let node = self.node(place)?;
        self.lab.power_off(node).map_err(|error| self.breaks(error))
    }

    pub(super) fn power_changed(&mut self, place: usize, change: PowerChange) {
        self.record_at(place, Observation::Power { change });
    }

    /// Takes the power away from every unit and gives it back at once.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn restart_base(&mut self) -> Result<(), RigError> {
        self.power_off()?;
        self.power_on()
    }

    /// Asks every unit to shut down cleanly and waits for its end. Whether all have ended, or were off already.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn shut_down_base(&mut self, within: Duration) -> Result<bool, RigError> {
        self.intact()?;
        self.settle()?;
        self.note("the base is asked to end");
        for place in 0..self.units.len() {
            if let Some(unit) = self.units.get_mut(place) {
                unit.ending = true;
            }
            let node = self.node(place)?;
            self.lab
                .shut_down(node)
                .map_err(|error| self.breaks(error))?;
        }
        let deadline = self.now() + within;
        while !self.have_ended() && self.now() < deadline {
            self.step(deadline)?;
        }
        Ok(self.have_ended())
    }

    fn have_ended(&self) -> bool {
        self.units.iter().all(|unit| unit.ended)
    }
}
