//! How a bench works the instruments of a unit: one command on the console or one call at the web interface at a time, and
//! the web sessions that must be given back. It waits by letting the world run, and knows no display.

use super::Bench;
use crate::console::Engine;
use crate::error::RigError;
use crate::lab::LONGEST_WAIT;
use serde_json::Value;
use sip::time::Instant;
use std::time::Duration;

/// How long giving a web session back may take: our choice, because the next scenario waits for it.
const LOGOUT: Duration = Duration::from_secs(5);

/// How far an instrument is.
enum Readiness {
    Missing,
    Off,
    Pending,
    Ready,
}

impl Bench {
    /// Types a command on the console of a unit, once that is ready.
    pub(crate) fn type_command(
        &mut self,
        place: usize,
        command: &str,
    ) -> Result<Vec<String>, RigError> {
        self.type_with(place, |console, now| console.command(now, command))
    }

    /// Types a command that does something; an answer that the profile knows as an error breaks the bench.
    pub(crate) fn command(&mut self, place: usize, command: &str) -> Result<(), RigError> {
        let answer = self.type_command(place, command)?;
        self.accepted(command, &answer)
    }

    /// Types the command that restarts a unit, and waits until the unit prompts again.
    pub(super) fn type_restart(&mut self, place: usize, command: &str) -> Result<(), RigError> {
        let answer = self.type_with(place, |console, now| console.restart(now, command))?;
        self.accepted(command, &answer)
    }

    fn accepted(&mut self, command: &str, answer: &[String]) -> Result<(), RigError> {
        let error = &self.profile.console.error;
        match answer.iter().find(|line| error.is_match(line)) {
            None => Ok(()),
            Some(line) => {
                let (command, answer) = (command.to_owned(), line.clone());
                Err(self.breaks(RigError::ConsoleAnswer { command, answer }))
            }
        }
    }

    fn type_with(
        &mut self,
        place: usize,
        type_it: impl FnOnce(&mut Engine, Instant),
    ) -> Result<Vec<String>, RigError> {
        self.console_ready(place)?;
        let now = self.now();
        if let Some(unit) = self.units.get_mut(place) {
            unit.answers.clear();
            if let Some(console) = &mut unit.console {
                type_it(console, now);
            }
        }
        loop {
            self.flush()?;
            let unit = self.units.get_mut(place);
            if let Some(answer) = unit.and_then(|unit| unit.answers.pop_front()) {
                return Ok(answer);
            }
            self.step(self.now() + LONGEST_WAIT)?;
        }
    }

    pub(crate) fn console_ready(&mut self, place: usize) -> Result<(), RigError> {
        self.until_ready("console", |bench| {
            let unit = bench.units.get(place);
            match unit.and_then(|unit| unit.console.as_ref()) {
                None => Readiness::Missing,
                Some(console) if console.is_ready() => Readiness::Ready,
                Some(console) if console.is_off() => Readiness::Off,
                Some(_) => Readiness::Pending,
            }
        })
    }

    /// Makes a call at the web interface of a unit, once that is ready.
    pub(crate) fn send_call(
        &mut self,
        place: usize,
        method: http::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, RigError> {
        self.web_ready(place)?;
        let now = self.now();
        if let Some(unit) = self.units.get_mut(place) {
            unit.web_answers.clear();
            if let Some(web) = &mut unit.web {
                web.call(now, method, path, body);
            }
        }
        loop {
            self.flush()?;
            let unit = self.units.get_mut(place);
            if let Some(answer) = unit.and_then(|unit| unit.web_answers.pop_front()) {
                return Ok(answer);
            }
            self.step(self.now() + LONGEST_WAIT)?;
        }
    }

    pub(crate) fn web_ready(&mut self, place: usize) -> Result<(), RigError> {
        self.until_ready("web interface", |bench| {
            let unit = bench.units.get(place);
            match unit.and_then(|unit| unit.web.as_ref()) {
                None => Readiness::Missing,
                Some(web) if web.is_ready() => Readiness::Ready,
                Some(web) if web.is_off() => Readiness::Off,
                Some(_) => Readiness::Pending,
            }
        })
    }

    fn until_ready(
        &mut self,
        what: &str,
        readiness: impl Fn(&Self) -> Readiness,
    ) -> Result<(), RigError> {
        self.intact()?;
        self.settle()?;
        loop {
            match readiness(self) {
                Readiness::Ready => return Ok(()),
                Readiness::Pending => {}
                Readiness::Missing => {
                    return Err(RigError::Missing {
                        what: what.to_owned(),
                    });
                }
                Readiness::Off => {
                    return Err(self.breaks(RigError::Missing {
                        what: format!("{what} while the base is off"),
                    }));
                }
            }
            self.step(self.now() + LONGEST_WAIT)?;
        }
    }

    /// A base lets one administrator in: the next scenario needs the session, so this happens on a broken bench too.
    pub(super) fn give_web_back(&mut self) {
        let now = self.now();
        let mut leaving = Vec::new();
        for (place, unit) in self.units.iter_mut().enumerate() {
            if let Some(web) = unit.web.as_mut().filter(|web| web.holds_session()) {
                web.log_out(now);
                leaving.push(place);
            }
        }
        if leaving.is_empty() {
            return;
        }
        let broken = self.broken.take();
        let deadline = now + LOGOUT;
        while !self.have_left(&leaving) && self.now() < deadline {
            if self.flush().is_err() || self.step(deadline).is_err() {
                break;
            }
        }
        if broken.is_some() {
            self.broken = broken;
        }
    }

    fn have_left(&self, places: &[usize]) -> bool {
        places
            .iter()
            .all(|place| self.units.get(*place).is_none_or(|unit| unit.logged_out))
    }
}
