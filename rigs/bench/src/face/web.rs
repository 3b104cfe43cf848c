//! A handset that is worked by calls at the web interface of its unit. Paths and JSON pointers are the profile's business.

use super::{Face, Press, record_keys, until_reported};
use crate::bench::Bench;
use crate::error::RigError;
use crate::profile::Profile;
use crate::web;
use evidence::record::Screen;
use serde_json::Value;
use sip::time::Instant;
use std::sync::Arc;

/// One handset over the web interface.
pub struct WebFace<'b> {
    bench: &'b mut Bench,
    ipui: String,
    unit: usize,
}

impl<'b> WebFace<'b> {
    pub(crate) fn new(bench: &'b mut Bench, ipui: String) -> Self {
        let unit = bench.unit_of(&ipui);
        Self { bench, ipui, unit }
    }

    fn screen(&mut self, path: &str, answer: &Value) -> Result<Screen, RigError> {
        let pointers = &self.profile().web.pointer;
        let Some(screen) = web::screen(pointers, answer) else {
            return Err(self.bench.breaks(RigError::WebRefused {
                request: path.to_owned(),
                status: 200,
                message: format!("the answer is no display: {answer}"),
            }));
        };
        self.bench.saw(self.unit, screen.clone());
        Ok(screen)
    }
}

impl Face for WebFace<'_> {
    fn ipui(&self) -> &str {
        &self.ipui
    }

    fn profile(&self) -> Arc<Profile> {
        self.bench.shared_profile()
    }

    fn read(&mut self) -> Result<Screen, RigError> {
        let path = self.profile().web.display.replace("{ipui}", &self.ipui);
        let answer = self
            .bench
            .send_call(self.unit, http::Method::GET, &path, None)?;
        self.screen(&path, &answer)
    }

    fn press(&mut self, press: &Press<'_>) -> Result<Screen, RigError> {
        self.bench.web_ready(self.unit)?;
        record_keys(self.bench, &self.ipui, press);
        let path = self.profile().web.keys.replace("{ipui}", &self.ipui);
        let body = serde_json::json!({ "keys": press.keys });
        let answer = self
            .bench
            .send_call(self.unit, http::Method::POST, &path, Some(body))?;
        self.screen(&path, &answer)
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
