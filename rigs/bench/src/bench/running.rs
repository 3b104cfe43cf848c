//! How a bench runs: the world goes on until one thing is observed, the instruments take it in and say what they want, and
//! everything becomes a record that the monitor sees. The only place where lab time passes and where the log grows.

use super::Bench;
use super::unit::UnitBench;
use crate::console::{self, display};
use crate::error::RigError;
use crate::lab::{Indication, LONGEST_WAIT, NodeId, Observed};
use crate::web::{self, Driver};
use bytes::Bytes;
use evidence::log::Stamp;
use evidence::record::{Fate, Observation, PowerChange, Screen};
use sip::node::ExchangeId;
use sip::time::Instant;
use std::time::Duration;

impl Bench {
    pub(super) fn deadline(&mut self, within: Duration) -> Result<Instant, RigError> {
        if within > LONGEST_WAIT {
            return Err(RigError::Lab {
                part: "a wait".to_owned(),
                reason: format!("{} s is longer than any scenario waits", within.as_secs()),
            });
        }
        Ok(self.now() + within)
    }

    /// Takes in everything that is due by now, so that what is recorded next stands after it.
    pub(super) fn settle(&mut self) -> Result<(), RigError> {
        let now = self.now();
        while let Some(observed) = self.lab.advance(now) {
            self.absorb(observed)?;
            self.flush()?;
        }
        Ok(())
    }

    /// Lets the world run until one thing is observed, an instrument's time is up, or the deadline has come. Whether
    /// anything happened.
    pub(super) fn step(&mut self, deadline: Instant) -> Result<bool, RigError> {
        self.intact()?;
        let due = self.flush_and_deadline()?;
        let until = due.map_or(deadline, |due| due.min(deadline));
        let happened = match self.lab.advance(until) {
            Some(observed) => {
                self.absorb(observed)?;
                true
            }
            None => due.is_some_and(|due| due <= deadline),
        };
        let now = self.now();
        for unit in &mut self.units {
            if let Some(console) = &mut unit.console {
                console.handle_timeout(now);
            }
            if let Some(web) = &mut unit.web {
                web.handle_timeout(now);
            }
        }
        self.flush()?;
        Ok(happened)
    }

    fn absorb(&mut self, observed: Observed) -> Result<(), RigError> {
        let Observed {
            at,
            wall,
            unit,
            indication,
        } = observed;
        let stamp = Stamp::at(at.as_micros()).on_wall(wall);
        let place = unit.and_then(|node| self.units.iter().position(|unit| unit.node == node));
        match indication {
            Indication::Sip(sip) => {
                if sip.fate == Fate::Sent {
                    self.sip_messages += 1;
                }
                self.append_at(place, stamp, Observation::Sip(sip));
            }
            Indication::HttpReply { exchange, reply } => {
                if let Some(web) = self.web_at(place) {
                    web.handle_reply(at, exchange, reply);
                }
            }
            Indication::Console(bytes) => {
                let unit = place.and_then(|place| self.units.get_mut(place));
                if let Some(console) = unit.and_then(|unit| unit.console.as_mut()) {
                    console.handle_bytes(at, &bytes);
                }
            }
            Indication::Event(text) => {
                if let Some(web) = self.web_at(place) {
                    web.handle_event(&text);
                }
            }
            Indication::EventsClosed => {
                if let Some(web) = self.web_at(place) {
                    web.handle_events_closed(at);
                }
            }
            Indication::Fetch { exchange, request } => {
                self.serve(place, stamp, exchange, request.uri().path());
            }
            Indication::Note(text) => self.append_at(place, stamp, Observation::Note { text }),
            Indication::ReadDifferently(text) => {
                let note = format!("the second reader disagrees: {text}");
                self.append_at(place, stamp, Observation::Note { text: note });
                self.read_differently.push(text);
            }
            Indication::BaseEnded => return self.on_end(place, at),
            Indication::Broken(error) => return Err(self.breaks(error)),
        }
        Ok(())
    }

    fn web_at(&mut self, place: Option<usize>) -> Option<&mut Driver> {
        self.units.get_mut(place?)?.web.as_mut()
    }

    /// Answers a fetch. Where the laboratory cannot tell who asks, the name of the file does, or that there is one unit.
    fn serve(&mut self, place: Option<usize>, stamp: Stamp, exchange: ExchangeId, path: &str) {
        let named = |unit: &UnitBench| unit.file.is_at(path);
        let place = place
            .or_else(|| self.units.iter().position(named))
            .or_else(|| (self.units.len() == 1).then_some(0));
        let Some(unit) = place.and_then(|place| self.units.get(place)) else {
            let mut response = http::Response::new(Bytes::new());
            *response.status_mut() = http::StatusCode::NOT_FOUND;
            self.lab.reply(exchange, response);
            let text = format!("somebody fetched {path}, which is the file of no unit");
            return self.append(stamp, Observation::Note { text });
        };
        let (response, document) = unit.file.serve(path);
        let observation = Observation::Provisioning {
            path: path.to_owned(),
            status: response.status().as_u16(),
            document,
        };
        self.lab.reply(exchange, response);
        self.append_at(place, stamp, observation);
    }

    fn on_end(&mut self, place: Option<usize>, at: Instant) -> Result<(), RigError> {
        let unit = place.and_then(|place| self.units.get_mut(place));
        match (place, unit) {
            (Some(place), Some(unit)) if unit.ending => {
                unit.switch_off();
                self.power_changed(place, PowerChange::Ended);
                Ok(())
            }
            _ => {
                let at = at.to_string();
                Err(self.breaks(RigError::BaseGone { at }))
            }
        }
    }

    /// Carries out what the instruments want.
    pub(super) fn flush(&mut self) -> Result<(), RigError> {
        self.flush_and_deadline().map(|_| ())
    }

    fn flush_and_deadline(&mut self) -> Result<Option<Instant>, RigError> {
        let mut earliest: Option<Instant> = None;
        for place in 0..self.units.len() {
            let dues = [self.flush_console(place)?, self.flush_web(place)?];
            earliest = earliest.into_iter().chain(dues.into_iter().flatten()).min();
        }
        Ok(earliest)
    }

    fn flush_console(&mut self, place: usize) -> Result<Option<Instant>, RigError> {
        loop {
            let Some(unit) = self.units.get_mut(place) else {
                return Ok(None);
            };
            let Some(console) = &mut unit.console else {
                return Ok(None);
            };
            match console.poll_output() {
                console::Output::Write(bytes) => {
                    let written = self.lab.write_console(unit.node, bytes);
                    written.map_err(|error| self.breaks(error))?;
                }
                console::Output::Indication(indication) => self.on_console(place, indication)?,
                console::Output::Timeout(due) => return Ok(due),
            }
        }
    }

    fn on_console(
        &mut self,
        place: usize,
        indication: console::Indication,
    ) -> Result<(), RigError> {
        match indication {
            console::Indication::Answer(lines) => {
                if let Some(unit) = self.units.get_mut(place) {
                    unit.answers.push_back(lines);
                }
            }
            console::Indication::Failed(error) => return Err(self.breaks(error)),
            console::Indication::Restarting => {
                self.power_changed(place, PowerChange::Rebooting);
                if let Some(unit) = self.units.get_mut(place) {
                    unit.screens.clear();
                }
            }
            console::Indication::Log(text) => {
                if let Some(screen) = display::reported(&self.profile.console, &text) {
                    self.saw(place, screen);
                }
            }
            console::Indication::Text { direction, text } => {
                self.record_at(place, Observation::Console { direction, text });
            }
        }
        Ok(())
    }

    fn flush_web(&mut self, place: usize) -> Result<Option<Instant>, RigError> {
        loop {
            let Some(unit) = self.units.get_mut(place) else {
                return Ok(None);
            };
            let Some(web) = &mut unit.web else {
                return Ok(None);
            };
            match web.poll_output() {
                web::Output::Send(request) => {
                    let exchange = self.lab.request(unit.node, request);
                    web.sent(exchange);
                }
                web::Output::Indication(indication) => self.on_web(place, indication)?,
                web::Output::Timeout(due) => return Ok(due),
            }
        }
    }

    fn on_web(&mut self, place: usize, indication: web::Indication) -> Result<(), RigError> {
        match indication {
            web::Indication::Answer(value) => {
                if let Some(unit) = self.units.get_mut(place) {
                    unit.web_answers.push_back(value);
                }
            }
            web::Indication::Failed(error) => return Err(self.breaks(error)),
            web::Indication::LoggedOut => {
                if let Some(unit) = self.units.get_mut(place) {
                    unit.logged_out = true;
                }
            }
            web::Indication::Reported(screen) => self.saw(place, screen),
            web::Indication::Text {
                direction,
                line,
                body,
            } => self.record_at(
                place,
                Observation::Web {
                    direction,
                    line,
                    body,
                },
            ),
        }
        Ok(())
    }

    pub(crate) fn saw(&mut self, place: usize, screen: Screen) {
        self.record_at(place, Observation::Screen(screen.clone()));
        if let Some(unit) = self.units.get_mut(place) {
            unit.screens.insert(screen.handset.clone(), screen);
        }
    }

    pub(super) fn node(&self, place: usize) -> Result<NodeId, RigError> {
        let unit = self.units.get(place);
        unit.map(|unit| unit.node).ok_or_else(|| RigError::Missing {
            what: format!("unit {place}"),
        })
    }

    /// Records what belongs to the whole scenario.
    pub(super) fn record(&mut self, observation: Observation) {
        self.append(self.stamp(), observation);
    }

    /// Records what a unit did, showed or was told.
    pub(crate) fn record_at(&mut self, place: usize, observation: Observation) {
        self.append_at(Some(place), self.stamp(), observation);
    }

    fn append_at(&mut self, place: Option<usize>, stamp: Stamp, observation: Observation) {
        let unit = place.and_then(|place| self.units.get(place));
        let stamp = match unit {
            Some(unit) => stamp.by(&unit.name),
            None => stamp,
        };
        self.append(stamp, observation);
    }

    pub(super) fn stamp(&self) -> Stamp {
        Stamp::at(self.lab.now().as_micros()).on_wall(self.lab.wall())
    }

    fn append(&mut self, stamp: Stamp, observation: Observation) {
        let record = self.log.append(stamp.clone(), observation);
        for finding in self.monitor.observe(record) {
            self.log.append(stamp.clone(), finding.to_observation());
            self.findings.push(finding);
        }
    }

    pub(super) fn intact(&self) -> Result<(), RigError> {
        self.broken.clone().map_or(Ok(()), Err)
    }

    /// Marks the bench broken by its first error and gives the error on.
    pub(crate) fn breaks(&mut self, error: RigError) -> RigError {
        if self.broken.is_none() {
            let text = format!("the rig cannot go on: {error}");
            self.note(&text);
            self.broken = Some(error.clone());
        }
        error
    }
}
