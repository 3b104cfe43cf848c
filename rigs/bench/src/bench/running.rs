//! How a bench runs: the world goes on until one thing is observed, the instruments take it in and say what they want, and
//! everything becomes a record that the monitor sees. The only place where lab time passes and where the log grows.

use super::Bench;
use crate::console::{self, display};
use crate::error::RigError;
use crate::lab::{Indication, LONGEST_WAIT, Observed, Party};
use crate::web;
use evidence::log::Stamp;
use evidence::record::{Fate, Observation, PowerChange, Screen, Unit};
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
        if let Some(console) = &mut self.console {
            console.handle_timeout(now);
        }
        if let Some(web) = &mut self.web {
            web.handle_timeout(now);
        }
        self.flush()?;
        Ok(happened)
    }

    fn absorb(&mut self, observed: Observed) -> Result<(), RigError> {
        let Observed {
            at,
            wall,
            indication,
        } = observed;
        match indication {
            Indication::Sip(sip) => {
                if sip.fate == Fate::Sent {
                    self.sip_messages += 1;
                }
                let stamp = Stamp::at(at.as_micros()).on_wall(wall).by(&self.unit);
                self.append(stamp, Observation::Sip(sip));
            }
            Indication::Console(bytes) => {
                if let Some(console) = &mut self.console {
                    console.handle_bytes(at, &bytes);
                }
            }
            Indication::HttpReply { exchange, reply } => {
                if let Some(answer) = self.portal.get_mut(&exchange) {
                    *answer = Some(reply);
                } else if let Some(web) = &mut self.web {
                    web.handle_reply(at, exchange, reply);
                }
            }
            Indication::Event(text) => {
                if let Some(web) = &mut self.web {
                    web.handle_event(&text);
                }
            }
            Indication::EventsClosed => {
                if let Some(web) = &mut self.web {
                    web.handle_events_closed(at);
                }
            }
            Indication::Fetch { exchange, request } => {
                let path = request.uri().path().to_owned();
                let (response, document) = self.file.serve(&path);
                let status = response.status().as_u16();
                self.lab.reply(exchange, response);
                let observation = Observation::Provisioning {
                    path,
                    status,
                    document,
                };
                let stamp = Stamp::at(at.as_micros()).on_wall(wall).by(&self.unit);
                self.append(stamp, observation);
            }
            Indication::Note(text) => {
                let stamp = Stamp::at(at.as_micros()).on_wall(wall);
                self.append(stamp, Observation::Note { text });
            }
            Indication::BaseEnded if self.ending => {
                self.power_changed(PowerChange::Ended);
                self.ended = true;
            }
            Indication::BaseEnded => {
                let at = at.to_string();
                return Err(self.breaks(RigError::BaseGone { at }));
            }
            Indication::Broken(error) => return Err(self.breaks(error)),
        }
        Ok(())
    }

    /// Carries out what the instruments want.
    pub(super) fn flush(&mut self) -> Result<(), RigError> {
        self.flush_and_deadline().map(|_| ())
    }

    fn flush_and_deadline(&mut self) -> Result<Option<Instant>, RigError> {
        let console = self.flush_console()?;
        let web = self.flush_web()?;
        Ok([console, web].into_iter().flatten().min())
    }

    fn flush_console(&mut self) -> Result<Option<Instant>, RigError> {
        loop {
            let Some(console) = &mut self.console else {
                return Ok(None);
            };
            match console.poll_output() {
                console::Output::Write(bytes) => {
                    let written = self.lab.write_console(bytes);
                    written.map_err(|error| self.breaks(error))?;
                }
                console::Output::Indication(indication) => self.on_console(indication)?,
                console::Output::Timeout(due) => return Ok(due),
            }
        }
    }

    fn on_console(&mut self, indication: console::Indication) -> Result<(), RigError> {
        match indication {
            console::Indication::Answer(lines) => self.answers.push_back(lines),
            console::Indication::Failed(error) => return Err(self.breaks(error)),
            console::Indication::Log(text) => {
                if let Some(screen) = display::reported(&self.profile.console, &text) {
                    self.saw(screen);
                }
            }
            console::Indication::Text { direction, text } => {
                let unit = self.unit.clone();
                self.record_of(&unit, Observation::Console { direction, text });
            }
        }
        Ok(())
    }

    fn flush_web(&mut self) -> Result<Option<Instant>, RigError> {
        loop {
            let Some(web) = &mut self.web else {
                return Ok(None);
            };
            match web.poll_output() {
                web::Output::Send(request) => {
                    let exchange = self.lab.request(Party::Base, request);
                    web.sent(exchange);
                }
                web::Output::Indication(indication) => self.on_web(indication)?,
                web::Output::Timeout(due) => return Ok(due),
            }
        }
    }

    fn on_web(&mut self, indication: web::Indication) -> Result<(), RigError> {
        match indication {
            web::Indication::Answer(value) => self.web_answers.push_back(value),
            web::Indication::Failed(error) => return Err(self.breaks(error)),
            web::Indication::LoggedOut => self.logged_out = true,
            web::Indication::Reported(screen) => self.saw(screen),
            web::Indication::Text {
                direction,
                line,
                body,
            } => {
                let unit = self.unit.clone();
                let observation = Observation::Web {
                    direction,
                    line,
                    body,
                };
                self.record_of(&unit, observation);
            }
        }
        Ok(())
    }

    pub(super) fn saw(&mut self, screen: Screen) {
        let unit = self.unit.clone();
        self.record_of(&unit, Observation::Screen(screen.clone()));
        self.screens.insert(screen.handset.clone(), screen);
    }

    /// Records what belongs to the whole scenario.
    pub(super) fn record(&mut self, observation: Observation) {
        self.append(self.stamp(), observation);
    }

    /// Records what a unit did, showed or was told.
    pub(super) fn record_of(&mut self, unit: &Unit, observation: Observation) {
        self.append(self.stamp().by(unit), observation);
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
    pub(super) fn breaks(&mut self, error: RigError) -> RigError {
        if self.broken.is_none() {
            let text = format!("the rig cannot go on: {error}");
            self.note(&text);
            self.broken = Some(error.clone());
        }
        error
    }
}
