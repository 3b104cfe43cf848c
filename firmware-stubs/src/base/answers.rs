//! What a base answers on its console and its web interface: displays, keys and what an admin page shows, nothing else.

use super::{Base, Stage};
use crate::accounts::{self, Ipui};
use crate::faces::console::Command;
use crate::faces::web::{self, Page, Routed};
use crate::menu::{Handset, Key, Screen, UnknownKey};
use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde_json::{Value, json};

impl Base {
    pub(super) fn handle_command(&mut self, command: Command) {
        let answer = match command {
            Command::Display { handset } => match self.handset(&handset) {
                None => vec![format!("error: unknown handset {handset}")],
                Some(ipui) => self.screen(&ipui).to_console(ipui.as_str()),
            },
            Command::Handsets => self.list_handsets(),
            Command::Keys { handset, keys } => match (self.handset(&handset), parse_keys(&keys)) {
                (None, _) => vec![format!("error: unknown handset {handset}")],
                (_, Err(error)) => vec![format!("error: {error}")],
                (Some(ipui), Ok(keys)) => {
                    self.press(&ipui, &keys);
                    vec!["ok".to_owned()]
                }
            },
            Command::Provision => {
                let exchange = self.fetch.start(self.now);
                self.ask_for_provisioning(exchange);
                vec!["ok".to_owned()]
            }
            Command::Reboot => {
                self.console.restart();
                self.boot();
                self.advance_boot();
                return;
            }
            Command::Version => vec![
                self.model.product.clone(),
                format!("firmware {}", self.model.firmware),
                format!("mac {}", self.mac),
            ],
        };
        self.console.answer(&answer);
    }

    fn screen(&self, ipui: &Ipui) -> Screen {
        let screen = self.handsets.get(ipui).map(Handset::screen);
        screen.unwrap_or_default()
    }

    fn list_handsets(&self) -> Vec<String> {
        let row = |row: &accounts::Handset| {
            format!(
                "handset {} dect {} sip {} user {} name {}",
                row.ipui.as_ref().map_or("-", Ipui::as_str),
                row.dect.as_str(),
                registration(self.is_registered(row.ipui.as_ref())),
                row.user_name(),
                row.display_name(),
            )
        };
        self.table.rows().map(row).collect()
    }

    fn is_registered(&self, ipui: Option<&Ipui>) -> bool {
        ipui.is_some_and(|ipui| self.registered.contains(ipui))
    }

    pub(super) fn handle_request(&mut self, request: &Request<Bytes>) -> Response<Bytes> {
        if self.stage != Stage::Running {
            return web::message(StatusCode::SERVICE_UNAVAILABLE, "the base is not up");
        }
        let page = match self.web.handle_request(self.now, request) {
            Routed::Done(response) => return response,
            Routed::Page(page) => page,
        };
        match page {
            Page::Device => web::answer(
                StatusCode::OK,
                &json!({
                    "model": self.model.product,
                    "firmware": self.model.firmware,
                    "mac": self.mac,
                    "uptime": self.now.since(self.power_on).as_secs(),
                }),
            ),
            Page::Display { handset } => self.answer_display(&handset),
            Page::Events => {
                self.has_listener = true;
                web::switching_protocols()
            }
            Page::Handsets => web::answer(StatusCode::OK, &self.handset_rows()),
            Page::Keys { handset, keys } => match (self.handset(&handset), parse_keys(&keys)) {
                (_, Err(error)) => web::message(StatusCode::BAD_REQUEST, &error.to_string()),
                (ipui, Ok(keys)) => {
                    if let Some(ipui) = ipui {
                        self.press(&ipui, &keys);
                    }
                    self.answer_display(&handset)
                }
            },
        }
    }

    fn answer_display(&self, handset: &str) -> Response<Bytes> {
        match self.handset(handset) {
            None => web::message(StatusCode::NOT_FOUND, &format!("no handset {handset}")),
            Some(ipui) => web::answer(StatusCode::OK, &display(&ipui, &self.screen(&ipui))),
        }
    }

    fn handset_rows(&self) -> Value {
        let row = |row: &accounts::Handset| {
            json!({
                "ipui": row.ipui.as_ref().map_or("", Ipui::as_str),
                "username": row.user_name(),
                "displayName": row.display_name(),
                "location": "local",
                "dect": row.dect.as_str(),
                "sip": registration(self.is_registered(row.ipui.as_ref())),
                "type": self.model.handset.product,
                "firmware": self.model.handset.firmware,
            })
        };
        self.table.rows().map(row).collect()
    }
}

fn parse_keys(names: &[String]) -> Result<Vec<Key>, UnknownKey> {
    names.iter().map(|name| Key::parse(name)).collect()
}

pub(super) const fn registration(on: bool) -> &'static str {
    if on { "Registered" } else { "Not registered" }
}

pub(super) fn display(ipui: &Ipui, screen: &Screen) -> Value {
    json!({
        "handset": ipui.as_str(),
        "view": screen.view.as_str(),
        "title": screen.title,
        "lines": screen.lines,
        "cursor": screen.cursor,
        "softkeys": screen.softkeys,
    })
}
