//! A base made of nothing but two faces: a console and a web interface over a small menu. It speaks no SIP and keeps its
//! services to itself. It is not the emulated base; it is what the instruments are tried on.
#![allow(dead_code, reason = "each test program uses its own part")]

use bench::lab::BaseSpec;
use bench::profile::Profile;
use bench::rig::{HandsetFace, Rig};
use bench::{Account, BaseFactory, Setup, Sync};
use bytes::Bytes;
use serde_json::json;
use sip::node::{ExchangeId, Input, Node, Output, digest_of};
use sip::time::Instant;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// How the fake misbehaves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Habit {
    #[default]
    Good,
    /// Log lines come in the middle of everything.
    Chatty,
    /// The console says nothing at all.
    Mute,
    /// The menu has no item for the service.
    NoItem,
    /// The second key press panics.
    Panics,
    /// The base ends by itself when a key is pressed.
    Ends,
    /// The web interface says that somebody else is logged in.
    Occupied,
}

#[derive(Clone, Debug)]
pub(crate) struct FakeBase {
    habit: Habit,
    out: VecDeque<Output>,
    booted: bool,
    login: Login,
    typed: String,
    view: View,
    cursor: usize,
    dnd: Editor,
    divert: Editor,
    digits: String,
    keys: u32,
    url: String,
    session: bool,
    events: bool,
    file: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Name,
    Password,
    In,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Idle,
    Root,
    Services,
    Divert,
    Dnd,
    Busy,
}

/// The values of an editor: those that are in force and those on the display.
#[derive(Clone, Debug, Default)]
struct Editor {
    in_force: (bool, String),
    shown: (bool, String),
}

impl FakeBase {
    fn new(spec: &BaseSpec, habit: Habit) -> Self {
        let url = format!("{}/{}.xml", spec.provisioning_url, spec.mac);
        Self::with_url(url, habit)
    }

    fn with_url(url: String, habit: Habit) -> Self {
        Self {
            habit,
            out: VecDeque::new(),
            booted: false,
            login: Login::Name,
            typed: String::new(),
            view: View::Idle,
            cursor: 0,
            dnd: Editor::default(),
            divert: Editor::default(),
            digits: String::new(),
            keys: 0,
            url,
            session: false,
            events: false,
            file: false,
        }
    }

    fn print(&mut self, text: &str) {
        if self.habit != Habit::Mute {
            let bytes = Bytes::from(text.to_owned());
            self.out.push_back(Output::Console(bytes));
        }
    }

    fn boot(&mut self) {
        self.booted = true;
        self.print("\r\n[    0.000001] fake base\r\n\r\nn870 login: ");
        self.fetch();
    }

    fn fetch(&mut self) {
        let mut request = http::Request::new(Bytes::new());
        *request.uri_mut() = self.url.parse().unwrap();
        let exchange = ExchangeId(1);
        self.out.push_back(Output::Http { exchange, request });
    }

    fn chat(&mut self) {
        if self.habit == Habit::Chatty {
            let shown = format!("n870> {}", self.typed);
            self.print(&format!("\r\n[    1.234567] dect beacon\r\n{shown}"));
        }
    }

    fn on_byte(&mut self, byte: u8) {
        if byte == b'\r' {
            self.print("\r\n");
            let line = std::mem::take(&mut self.typed);
            self.on_line(&line);
            return;
        }
        self.typed.push(char::from(byte));
        if self.login != Login::Password {
            self.print(&char::from(byte).to_string());
        }
        if self.login == Login::In && self.typed.len() == 7 {
            self.chat();
        }
    }

    fn on_line(&mut self, line: &str) {
        match self.login {
            Login::Name if line == "admin" => {
                self.login = Login::Password;
                self.print("Password: ");
            }
            Login::Password if line == "admin" => {
                self.login = Login::In;
                self.print("n870> ");
            }
            Login::Name | Login::Password => {
                self.login = Login::Name;
                self.print("Login incorrect\r\nn870 login: ");
            }
            Login::In if line == "reboot" => {
                let said = std::mem::take(&mut self.out);
                *self = Self::with_url(self.url.clone(), self.habit);
                self.out = said;
                self.boot();
            }
            Login::In => {
                self.on_command(line);
                self.print("n870> ");
            }
        }
    }

    fn on_command(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            [""] => {}
            ["handset", "029e74a599", "display"] => {
                let text = self.block();
                self.print(&text);
            }
            ["handset", "029e74a599", "key", keys @ ..] => {
                for key in keys {
                    self.on_key(key);
                }
                let log = format!("[    2.000000] display 029e74a599 {}\r\n", self.report());
                self.print(&log);
            }
            ["provision"] => self.fetch(),
            _ => self.print("error: unknown command\r\n"),
        }
    }

    fn lines(&self) -> (String, Vec<String>, Option<usize>, Vec<String>) {
        let status = |on: bool| format!("Status: {}", if on { "On" } else { "Off" });
        let own = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let (title, lines): (&str, Vec<String>) = match self.view {
            View::Idle => {
                let mut lines = vec!["Anna".to_owned()];
                if self.dnd.in_force.0 {
                    lines.push("Do Not Disturb".to_owned());
                }
                if self.divert.in_force.0 {
                    lines.push(format!("Divert busy: {}", self.divert.in_force.1));
                }
                if !self.digits.is_empty() {
                    lines.push(self.digits.clone());
                }
                ("", lines)
            }
            View::Root => ("Main Menu", own(&["Settings", "Select Services"])),
            View::Services if self.habit == Habit::NoItem => ("Select Services", own(&["Other"])),
            View::Services => ("Select Services", own(&["Do Not Disturb", "Call Divert"])),
            View::Divert => ("Call Divert", own(&["All Calls", "When Busy", "No Reply"])),
            View::Dnd => ("Do Not Disturb", vec![status(self.dnd.shown.0)]),
            View::Busy => (
                "When Busy",
                vec![
                    status(self.divert.shown.0),
                    format!("Phone Number: {}", self.divert.shown.1),
                ],
            ),
        };
        let softkeys = match self.view {
            View::Idle => own(&["", "Menu"]),
            View::Dnd | View::Busy => own(&["Back", "Save"]),
            _ => own(&["Back", "Select"]),
        };
        let cursor = (self.view != View::Idle).then_some(self.cursor);
        (title.to_owned(), lines, cursor, softkeys)
    }

    fn view_word(&self) -> &'static str {
        if self.view == View::Idle {
            "idle"
        } else {
            "menu"
        }
    }

    fn block(&self) -> String {
        let (title, lines, cursor, softkeys) = self.lines();
        let mut text = format!(
            "display 029e74a599 {}\r\ntitle {title}\r\n",
            self.view_word()
        );
        for (index, line) in lines.iter().enumerate() {
            let mark = if Some(index) == cursor { ">" } else { " " };
            text += &format!("line {mark} {line}\r\n");
        }
        text + &format!("soft {}\r\nend\r\n", softkeys.join(" | "))
    }

    fn json(&self) -> serde_json::Value {
        let (title, lines, cursor, softkeys) = self.lines();
        json!({ "type": "display", "handset": "029e74a599", "view": self.view_word(),
            "title": title, "lines": lines, "cursor": cursor, "softkeys": softkeys })
    }

    fn report(&self) -> String {
        format!("{} {}", self.view_word(), self.json())
    }

    fn on_key(&mut self, key: &str) {
        self.keys += 1;
        assert!(
            !(self.habit == Habit::Panics && self.keys == 2),
            "the fake base was told to panic"
        );
        if self.habit == Habit::Ends {
            self.out.push_back(Output::Ended);
        }
        let last = self.lines().1.len().saturating_sub(1);
        match (self.view, key) {
            (_, "end") => {
                self.digits.clear();
                self.go(View::Idle);
            }
            (View::Idle, "menu" | "soft-right") => self.go(View::Root),
            (View::Idle, key) if key.len() == 1 => self.digits += key,
            (View::Idle, _) => {}
            (_, "down") => {
                self.cursor = if self.cursor == last {
                    0
                } else {
                    self.cursor + 1
                }
            }
            (_, "up") => self.cursor = self.cursor.saturating_sub(1),
            (View::Dnd, "soft-right") => self.dnd.in_force = self.dnd.shown.clone(),
            (View::Busy, "soft-right") => self.divert.in_force = self.divert.shown.clone(),
            (View::Dnd, "right") => self.dnd.shown.0 ^= true,
            (View::Busy, "right") if self.cursor == 0 => self.divert.shown.0 ^= true,
            (View::Busy, "clear") => {
                self.divert.shown.1.pop();
            }
            (View::Busy, digit) if digit.len() == 1 && self.cursor == 1 => {
                self.divert.shown.1 += digit;
            }
            (View::Root, "soft-right") if self.cursor == 1 => self.go(View::Services),
            (View::Services, "soft-right") if self.cursor == 0 => self.go(View::Dnd),
            (View::Services, "soft-right") => self.go(View::Divert),
            (View::Divert, "soft-right") if self.cursor == 1 => self.go(View::Busy),
            _ => {}
        }
        if self.events {
            let event = self.json().to_string();
            self.out.push_back(Output::Event(event));
        }
    }

    fn go(&mut self, view: View) {
        self.view = view;
        self.cursor = 0;
        self.dnd.shown = self.dnd.in_force.clone();
        self.divert.shown = self.divert.in_force.clone();
    }

    fn on_http(&mut self, request: &http::Request<Bytes>) -> (u16, String) {
        let bearer = request.headers().get("authorization");
        let known = bearer.is_some_and(|value| value == "Bearer fake") && self.session;
        match (request.uri().path(), known) {
            ("/api/auth/login", _) if self.session || self.habit == Habit::Occupied => {
                (409, r#"{"message":"another session"}"#.to_owned())
            }
            ("/api/auth/login", _) => {
                self.session = true;
                (200, r#"{"token":"fake"}"#.to_owned())
            }
            (_, false) => (401, r#"{"message":"log in"}"#.to_owned()),
            ("/api/auth/logout", true) => {
                self.session = false;
                (200, String::new())
            }
            ("/api/events", true) => {
                self.events = true;
                (101, String::new())
            }
            ("/api/handsets/029e74a599/display", true) => (200, self.json().to_string()),
            ("/api/handsets/029e74a599/keys", true) => {
                let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap();
                for key in body["keys"].as_array().unwrap() {
                    self.on_key(key.as_str().unwrap());
                }
                (200, self.json().to_string())
            }
            _ => (404, r#"{"message":"no such page"}"#.to_owned()),
        }
    }
}

impl Node for FakeBase {
    fn handle_input(&mut self, _: Instant, input: Input) {
        match input {
            Input::Timeout if !self.booted => {
                self.boot();
            }
            Input::Console(bytes) => {
                for byte in bytes {
                    self.on_byte(byte);
                }
            }
            Input::Http { exchange, request } => {
                let (status, body) = self.on_http(&request);
                let mut response = http::Response::new(Bytes::from(body));
                *response.status_mut() = status.try_into().unwrap();
                self.out.push_back(Output::HttpReply { exchange, response });
            }
            Input::HttpReply { reply, .. } => {
                self.file = reply.is_ok_and(|reply| reply.status() == 200);
            }
            Input::Shutdown => self.out.push_back(Output::Ended),
            Input::Timeout
            | Input::Sip { .. }
            | Input::FlowClosed { .. }
            | Input::Resolved { .. } => {}
        }
    }

    fn poll_output(&mut self) -> Output {
        self.out.pop_front().unwrap_or(Output::Timeout(None))
    }

    fn fork(&self) -> Box<dyn Node> {
        Box::new(self.clone())
    }

    fn reseed(&mut self, _seed: u64) {}

    fn digest(&self) -> u64 {
        digest_of(self)
    }
}

/// A bench's setup with a fake base, whose handsets are worked by this face.
pub(crate) fn setup(face: HandsetFace, habit: Habit) -> Setup {
    let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let rig = Rig::load(&rigs.join("emulated-n870.toml")).unwrap();
    let profile = Profile::load(&rig.profile).unwrap();
    let factory: BaseFactory = Arc::new(move |spec: &BaseSpec| {
        let base: Box<dyn Node> = Box::new(FakeBase::new(spec, habit));
        Ok(base)
    });
    Setup {
        lab: bench::rig::LabKind::Virtual,
        seed: 1,
        servers: vec![1],
        faults: true,
        names: bench::lab::names::Names::default(),
        rig: Arc::new(rig),
        face,
        profile: Arc::new(profile),
        dialect: Arc::new(server::Dialect::broadsoft()),
        factory,
        base_command: "unused".into(),
        base_arguments: Vec::new(),
        evidence: None,
        accounts: vec![Account {
            name: "Anna".to_owned(),
            handset: "029e74a599".to_owned(),
            user: "1001".to_owned(),
            password: "wonderland".to_owned(),
            display_name: "Anna".to_owned(),
            sync: Sync::On,
        }],
    }
}
