//! How a bench works its instruments: the handset faces over the console and over the web interface, one command or call
//! at a time, and the web session that must be given back. It waits by letting the world run, and knows no protocol.

use super::Bench;
use crate::console::{Engine, display};
use crate::error::RigError;
use crate::lab::LONGEST_WAIT;
use crate::profile::Profile;
use crate::rig::{HandsetFace, Rig, Secret};
use crate::web::{self, Driver};
use evidence::record::{Intent, KeyEffect, Observation, Screen};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// How long giving a web session back may take.
const LOGOUT: Duration = Duration::from_secs(5);

impl Bench {
    pub(crate) fn read_display(&mut self, ipui: &str) -> Result<Screen, RigError> {
        match self.face {
            HandsetFace::Console => self.read_on_console(ipui),
            HandsetFace::Web => {
                self.web_ready()?;
                let path = self.profile.web.display.replace("{ipui}", ipui);
                let answer = self.send_call(http::Method::GET, &path, None)?;
                self.web_screen(&path, &answer)
            }
        }
    }

    /// Presses keys and reads the display after the last. The keys are recorded before the base gets them, the intent
    /// with the last.
    pub(crate) fn press_keys(
        &mut self,
        ipui: &str,
        keys: &[&str],
        effect: KeyEffect,
        intent: Option<Intent>,
    ) -> Result<Screen, RigError> {
        match self.face {
            HandsetFace::Console => self.console_ready()?,
            HandsetFace::Web => self.web_ready()?,
        }
        let last = keys.len().saturating_sub(1);
        for (index, key) in keys.iter().enumerate() {
            let unit = self.unit.clone();
            let observation = Observation::Key {
                handset: ipui.to_owned(),
                key: (*key).to_owned(),
                effect,
                intent: intent.clone().filter(|_| index == last),
            };
            self.record_of(&unit, observation);
        }
        match self.face {
            HandsetFace::Console => {
                let template = &self.profile.console.keys_command;
                let command = template
                    .replace("{ipui}", ipui)
                    .replace("{keys}", &keys.join(" "));
                let answer = self.type_command(&command)?;
                let refused = answer
                    .iter()
                    .find(|line| self.profile.console.error.is_match(line));
                if let Some(line) = refused {
                    let answer = line.clone();
                    return Err(self.breaks(RigError::ConsoleAnswer { command, answer }));
                }
                self.read_on_console(ipui)
            }
            HandsetFace::Web => {
                let path = self.profile.web.keys.replace("{ipui}", ipui);
                let body = serde_json::json!({ "keys": keys });
                let answer = self.send_call(http::Method::POST, &path, Some(body))?;
                self.web_screen(&path, &answer)
            }
        }
    }

    fn read_on_console(&mut self, ipui: &str) -> Result<Screen, RigError> {
        let command = self.profile.console.display_command.replace("{ipui}", ipui);
        let mut answer = Vec::new();
        // Noise may have torn the first answer; reading changes nothing, so it is done again.
        for _ in 0..2 {
            answer = self.console_command(&command)?;
            let screen = display::answered(&self.profile.console.display, ipui, &answer);
            if let Some(screen) = screen {
                self.saw(screen.clone());
                return Ok(screen);
            }
        }
        let answer = answer.join(" / ");
        Err(self.breaks(RigError::ConsoleAnswer { command, answer }))
    }

    fn web_screen(&mut self, path: &str, answer: &Value) -> Result<Screen, RigError> {
        let Some(screen) = web::screen(&self.profile.web.pointer, answer) else {
            return Err(self.breaks(RigError::WebRefused {
                request: path.to_owned(),
                status: 200,
                message: format!("the answer is no display: {answer}"),
            }));
        };
        self.saw(screen.clone());
        Ok(screen)
    }

    pub(super) fn console_ready(&mut self) -> Result<(), RigError> {
        self.intact()?;
        self.settle()?;
        loop {
            match &self.console {
                None => {
                    return Err(RigError::Missing {
                        what: "console".to_owned(),
                    });
                }
                Some(console) if console.is_ready() => return Ok(()),
                Some(console) if console.is_off() => {
                    return Err(self.breaks(RigError::Missing {
                        what: "console while the base is off".to_owned(),
                    }));
                }
                Some(_) => {}
            }
            self.step(self.now() + LONGEST_WAIT)?;
        }
    }

    pub(super) fn type_command(&mut self, command: &str) -> Result<Vec<String>, RigError> {
        let now = self.now();
        self.answers.clear();
        if let Some(console) = &mut self.console {
            console.command(now, command);
        }
        loop {
            self.flush()?;
            if let Some(answer) = self.answers.pop_front() {
                return Ok(answer);
            }
            self.step(self.now() + LONGEST_WAIT)?;
        }
    }

    pub(super) fn web_ready(&mut self) -> Result<(), RigError> {
        self.intact()?;
        self.settle()?;
        loop {
            match &self.web {
                None => {
                    return Err(RigError::Missing {
                        what: "web interface".to_owned(),
                    });
                }
                Some(web) if web.is_ready() => return Ok(()),
                Some(web) if web.is_off() => {
                    return Err(self.breaks(RigError::Missing {
                        what: "web interface while the base is off".to_owned(),
                    }));
                }
                Some(_) => {}
            }
            self.step(self.now() + LONGEST_WAIT)?;
        }
    }

    pub(super) fn send_call(
        &mut self,
        method: http::Method,
        path: &str,
        body: Option<Value>,
    ) -> Result<Value, RigError> {
        let now = self.now();
        self.web_answers.clear();
        if let Some(web) = &mut self.web {
            web.call(now, method, path, body);
        }
        loop {
            self.flush()?;
            if let Some(answer) = self.web_answers.pop_front() {
                return Ok(answer);
            }
            self.step(self.now() + LONGEST_WAIT)?;
        }
    }

    /// The base lets one administrator in: the next scenario needs the session, so this happens on a broken bench too.
    pub(super) fn give_web_back(&mut self) {
        let now = self.now();
        match &mut self.web {
            Some(web) if web.holds_session() => web.log_out(now),
            _ => return,
        }
        let broken = self.broken.take();
        let deadline = now + LOGOUT;
        while !self.logged_out && self.now() < deadline {
            if self.flush().is_err() || self.step(deadline).is_err() {
                break;
            }
        }
        if broken.is_some() {
            self.broken = broken;
        }
    }
}

/// The instrument of the case's face, and no other: what a second one would do to the base is not what the case is about.
pub(super) fn instruments(
    rig: &Rig,
    face: HandsetFace,
    profile: &Arc<Profile>,
) -> Result<(Option<Engine>, Option<Driver>), RigError> {
    let password = |secret: &Secret| {
        secret
            .reveal(|name| std::env::var(name).ok())
            .ok_or_else(|| RigError::Missing {
                what: "password: the environment variable that the rig file names is not set"
                    .to_owned(),
            })
    };
    let console = match &rig.console {
        Some(port) if face == HandsetFace::Console => {
            let password = password(&port.account.password)?;
            Some(Engine::new(
                Arc::clone(profile),
                &port.account.username,
                &password,
            ))
        }
        _ => None,
    };
    let web = match &rig.web {
        Some(access) if face == HandsetFace::Web => {
            let password = password(&access.account.password)?;
            Some(Driver::new(
                Arc::clone(profile),
                &access.account.username,
                &password,
            ))
        }
        _ => None,
    };
    Ok((console, web))
}
