//! The web driver: an administrator's session at the base's REST interface and its event stream, without I/O.
//!
//! The base lets one administrator in at a time, so a session is always given back: by [`Driver::log_out`] at the end. One
//! request is under way at a time. Tokens and passwords never reach the record.
//!
//! | state | leaves for | when |
//! |---|---|---|
//! | `Off` | `LoggingIn` | the base is switched on, or a call is made |
//! | `LoggingIn` | `OpeningEvents`, `Failed` | a token; 401, 409, no JSON, or silence for too long |
//! | `OpeningEvents` | `Ready` | 101; a base without an event stream is read on request only |
//! | `Ready` | `Calling`, `LoggingIn` | a call is queued; the event stream ends (the base restarted) |
//! | `Calling` | `Ready`, `LoggingIn`, `Failed` | the answer; 401 once (the session is gone); silence |
//! | `LoggingOut` | `Off` | any answer, or silence |

use crate::console::REDACTED;
use crate::error::RigError;
use crate::profile::{Pointers, Profile};
use bytes::Bytes;
use evidence::record::{Direction, Screen, View};
use serde_json::{Value, json};
use sip::node::{ExchangeId, HttpFailure};
use sip::time::Instant;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How long a base may take after power-on until its web interface answers: our choice.
const BOOT: Duration = Duration::from_secs(60);

/// The pause between two attempts to reach a base that boots: our choice.
const PAUSE: Duration = Duration::from_secs(1);

/// How much of a strange answer goes into an error: our choice, a line.
const SHOWN: usize = 80;

/// What the driver wants.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send this request and say with [`Driver::sent`] which exchange it became.
    Send(http::Request<Bytes>),
    /// Something happened.
    Indication(Indication),
    /// Nothing more to do until this point in time, or until an answer.
    Timeout(Option<Instant>),
}

/// What the driver tells.
#[derive(Clone, Debug, PartialEq)]
pub enum Indication {
    /// The answer to the oldest call.
    Answer(Value),
    /// The web interface cannot be used.
    Failed(RigError),
    /// The session is given back.
    LoggedOut,
    /// For the evidence.
    Text {
        /// Which way.
        direction: Direction,
        /// Method and path, or status, or `event`.
        line: String,
        /// The body, redacted.
        body: String,
    },
    /// A display was reported unasked.
    Reported(Screen),
}

/// The driver of one base's web interface. `Debug` shows its state and neither password nor token.
#[derive(Clone)]
pub struct Driver {
    profile: Arc<Profile>,
    username: String,
    password: String,
    state: State,
    token: Option<String>,
    exchange: Option<ExchangeId>,
    queue: VecDeque<Call>,
    outputs: VecDeque<Output>,
}

#[derive(Clone, Debug)]
struct Call {
    method: http::Method,
    path: String,
    body: Option<Value>,
}

impl Call {
    fn line(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

#[derive(Clone, Debug)]
enum State {
    Off,
    LoggingIn {
        next_at: Option<Instant>,
        answer_by: Instant,
        give_up_at: Instant,
    },
    OpeningEvents {
        answer_by: Instant,
    },
    Ready,
    Calling {
        call: Call,
        answer_by: Instant,
        again: bool,
    },
    LoggingOut {
        answer_by: Instant,
    },
    Failed,
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Driver {
    /// A driver for a base that is off.
    #[must_use]
    pub fn new(profile: Arc<Profile>, username: &str, password: &str) -> Self {
        Self {
            profile,
            username: username.to_owned(),
            password: password.to_owned(),
            state: State::Off,
            token: None,
            exchange: None,
            queue: VecDeque::new(),
            outputs: VecDeque::new(),
        }
    }

    /// The base was switched on: log in as soon as it answers.
    pub fn connect(&mut self, now: Instant) {
        if matches!(self.state, State::Off) {
            self.log_in(now, now + BOOT);
        }
    }

    /// The base was switched off. Its session is gone with it.
    pub fn switch_off(&mut self) {
        self.token = None;
        self.exchange = None;
        self.queue.clear();
        self.state = State::Off;
    }

    /// Whether a session is open.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready) && self.queue.is_empty()
    }

    /// Whether no base is talked to.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
    }

    /// Whether a session must be given back.
    #[must_use]
    pub fn holds_session(&self) -> bool {
        self.token.is_some()
    }

    /// Makes a call as soon as the session is open. Each gets one [`Indication::Answer`], in order.
    pub fn call(&mut self, now: Instant, method: http::Method, path: &str, body: Option<Value>) {
        self.queue.push_back(Call {
            method,
            path: path.to_owned(),
            body,
        });
        self.connect(now);
        self.next_call(now);
    }

    /// Gives the session back. What waits is not called any more.
    pub fn log_out(&mut self, now: Instant) {
        self.queue.clear();
        if self.token.is_none() {
            self.state = State::Off;
            self.tell(Indication::LoggedOut);
            return;
        }
        let answer_by = now + self.profile.web.answer_within;
        self.state = State::LoggingOut { answer_by };
        let path = self.profile.web.logout.clone();
        self.send(http::Method::POST, &path, None);
        self.token = None;
    }

    /// The request that was wanted last is under way under this name.
    pub fn sent(&mut self, exchange: ExchangeId) {
        self.exchange = Some(exchange);
    }

    /// An exchange is over. Others than our own are passed over.
    pub fn handle_reply(
        &mut self,
        now: Instant,
        exchange: ExchangeId,
        reply: Result<http::Response<Bytes>, HttpFailure>,
    ) {
        if self.exchange != Some(exchange) {
            return;
        }
        self.exchange = None;
        if let Ok(response) = &reply {
            self.tell(Indication::Text {
                direction: Direction::FromBase,
                line: response.status().as_u16().to_string(),
                body: redact(response.body()),
            });
        }
        match &self.state {
            State::LoggingIn { give_up_at, .. } => {
                let give_up_at = *give_up_at;
                self.on_login(now, give_up_at, reply);
            }
            State::OpeningEvents { .. } => {
                self.state = State::Ready;
                self.next_call(now);
            }
            State::Calling { call, again, .. } => {
                let (call, again) = (call.clone(), *again);
                self.on_answer(now, call, again, reply);
            }
            State::LoggingOut { .. } => self.on_logged_out(),
            State::Off | State::Ready | State::Failed => {}
        }
    }

    /// A message came on the event stream.
    pub fn handle_event(&mut self, text: &str) {
        self.tell(Indication::Text {
            direction: Direction::FromBase,
            line: "event".to_owned(),
            body: redact(text.as_bytes()),
        });
        let pointers = &self.profile.web.pointer;
        let screen = serde_json::from_str::<Value>(text)
            .ok()
            .filter(|event| {
                event.pointer(&pointers.event).and_then(Value::as_str) == Some("display")
            })
            .and_then(|event| screen(pointers, &event));
        if let Some(screen) = screen {
            self.tell(Indication::Reported(screen));
        }
    }

    /// The event stream has ended: the base restarted, or threw us out.
    pub fn handle_events_closed(&mut self, now: Instant) {
        if matches!(self.state, State::Ready) {
            self.token = None;
            self.log_in(now, now + BOOT);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state.clone() {
            State::Off | State::Ready | State::Failed => {}
            State::LoggingIn {
                next_at,
                answer_by,
                give_up_at,
            } => {
                if next_at.is_some_and(|at| now >= at) {
                    self.log_in(now, give_up_at);
                } else if next_at.is_none() && now >= answer_by {
                    self.on_login(now, give_up_at, Err(self.no_answer()));
                }
            }
            State::OpeningEvents { answer_by } => {
                if now >= answer_by {
                    self.exchange = None;
                    self.state = State::Ready;
                    self.next_call(now);
                }
            }
            State::Calling {
                call, answer_by, ..
            } => {
                if now >= answer_by {
                    let HttpFailure(reason) = self.no_answer();
                    let request = call.line();
                    self.fail(RigError::WebSilent { request, reason });
                }
            }
            State::LoggingOut { answer_by } => {
                if now >= answer_by {
                    self.on_logged_out();
                }
            }
        }
    }

    /// What the driver wants next.
    pub fn poll_output(&mut self) -> Output {
        self.outputs
            .pop_front()
            .unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Off | State::Ready | State::Failed => None,
            State::LoggingIn {
                next_at, answer_by, ..
            } => Some(next_at.unwrap_or(*answer_by)),
            State::OpeningEvents { answer_by }
            | State::Calling { answer_by, .. }
            | State::LoggingOut { answer_by } => Some(*answer_by),
        }
    }

    fn log_in(&mut self, now: Instant, give_up_at: Instant) {
        self.state = State::LoggingIn {
            next_at: None,
            answer_by: now + self.profile.web.answer_within,
            give_up_at,
        };
        let path = self.profile.web.login.clone();
        let body = json!({ "username": self.username, "password": self.password });
        self.send(http::Method::POST, &path, Some(&body));
    }

    fn on_login(
        &mut self,
        now: Instant,
        give_up_at: Instant,
        reply: Result<http::Response<Bytes>, HttpFailure>,
    ) {
        let request = format!("POST {}", self.profile.web.login);
        let reply = reply.and_then(|response| match response.status() {
            // A base that boots may say so.
            http::StatusCode::SERVICE_UNAVAILABLE => {
                Err(HttpFailure("503, the service is unavailable".to_owned()))
            }
            _ => Ok(response),
        });
        let response = match reply {
            Ok(response) => response,
            Err(HttpFailure(reason)) if now + PAUSE >= give_up_at => {
                self.fail(RigError::WebSilent { request, reason });
                return;
            }
            Err(_) => {
                // A base that boots does not listen yet.
                self.exchange = None;
                self.state = State::LoggingIn {
                    next_at: Some(now + PAUSE),
                    answer_by: now + PAUSE,
                    give_up_at,
                };
                return;
            }
        };
        match self.judge(&request, &response) {
            Ok(body) => {
                let pointer = &self.profile.web.pointer.token;
                let Some(token) = body.pointer(pointer).and_then(Value::as_str) else {
                    let what = "an answer without a token".to_owned();
                    let status = response.status().as_u16();
                    self.fail(RigError::WebNotJson {
                        request,
                        status,
                        what,
                    });
                    return;
                };
                self.token = Some(token.to_owned());
                self.open_events(now);
            }
            Err(RigError::WebRefused {
                status: 401,
                message,
                ..
            }) => {
                let account = self.username.clone();
                self.fail(RigError::WebLogin { account, message });
            }
            Err(RigError::WebRefused {
                status: 409,
                message,
                ..
            }) => self.fail(RigError::WebBusy { message }),
            Err(error) => self.fail(error),
        }
    }

    fn open_events(&mut self, now: Instant) {
        let answer_by = now + self.profile.web.answer_within;
        self.state = State::OpeningEvents { answer_by };
        let path = self.profile.web.events.clone();
        self.send(http::Method::GET, &path, None);
    }

    fn next_call(&mut self, now: Instant) {
        if !matches!(self.state, State::Ready) {
            return;
        }
        let Some(call) = self.queue.pop_front() else {
            return;
        };
        self.make(now, call, false);
    }

    fn make(&mut self, now: Instant, call: Call, again: bool) {
        self.send(call.method.clone(), &call.path, call.body.as_ref());
        self.state = State::Calling {
            call,
            answer_by: now + self.profile.web.answer_within,
            again,
        };
    }

    fn on_answer(
        &mut self,
        now: Instant,
        call: Call,
        again: bool,
        reply: Result<http::Response<Bytes>, HttpFailure>,
    ) {
        let request = call.line();
        let response = match reply {
            Ok(response) => response,
            Err(HttpFailure(reason)) => {
                self.fail(RigError::WebSilent { request, reason });
                return;
            }
        };
        if response.status() == http::StatusCode::UNAUTHORIZED && !again {
            self.token = None;
            self.queue.push_front(call);
            self.log_in(now, now + BOOT);
            return;
        }
        match self.judge(&request, &response) {
            Ok(body) => {
                self.tell(Indication::Answer(body));
                self.state = State::Ready;
                self.next_call(now);
            }
            Err(error) => self.fail(error),
        }
    }

    fn on_logged_out(&mut self) {
        self.exchange = None;
        self.state = State::Off;
        self.tell(Indication::LoggedOut);
    }

    /// The JSON of a good answer. An empty body is `null`.
    fn judge(&self, request: &str, response: &http::Response<Bytes>) -> Result<Value, RigError> {
        let status = response.status();
        let body = response.body();
        let parsed = if body.is_empty() {
            Some(Value::Null)
        } else {
            serde_json::from_slice::<Value>(body).ok()
        };
        let Some(parsed) = parsed else {
            return Err(RigError::WebNotJson {
                request: request.to_owned(),
                status: status.as_u16(),
                what: beginning(body),
            });
        };
        if status.is_success() {
            return Ok(parsed);
        }
        let message = parsed.pointer(&self.profile.web.pointer.message);
        Err(RigError::WebRefused {
            request: request.to_owned(),
            status: status.as_u16(),
            message: message
                .and_then(Value::as_str)
                .unwrap_or("no reason given")
                .to_owned(),
        })
    }

    fn send(&mut self, method: http::Method, path: &str, body: Option<&Value>) {
        let shown = body.map(|body| redact(body.to_string().as_bytes()));
        self.tell(Indication::Text {
            direction: Direction::ToBase,
            line: format!("{method} {path}"),
            body: shown.unwrap_or_default(),
        });
        let mut request = http::Request::new(Bytes::new());
        *request.method_mut() = method;
        if let Ok(uri) = path.parse() {
            *request.uri_mut() = uri;
        }
        let headers = request.headers_mut();
        let json = http::HeaderValue::from_static("application/json");
        headers.insert(http::header::ACCEPT, json.clone());
        let token = self
            .token
            .as_ref()
            .and_then(|token| format!("Bearer {token}").parse().ok());
        if let Some(token) = token {
            headers.insert(http::header::AUTHORIZATION, token);
        }
        if matches!(self.state, State::OpeningEvents { .. }) {
            let upgrade = http::HeaderValue::from_static("Upgrade");
            let websocket = http::HeaderValue::from_static("websocket");
            headers.insert(http::header::CONNECTION, upgrade);
            headers.insert(http::header::UPGRADE, websocket);
        }
        if let Some(body) = body {
            headers.insert(http::header::CONTENT_TYPE, json);
            *request.body_mut() = Bytes::from(body.to_string());
        }
        self.outputs.push_back(Output::Send(request));
    }

    fn no_answer(&self) -> HttpFailure {
        let seconds = self.profile.web.answer_within.as_secs();
        HttpFailure(format!("nothing came within {seconds} s"))
    }

    fn tell(&mut self, indication: Indication) {
        self.outputs.push_back(Output::Indication(indication));
    }

    fn fail(&mut self, error: RigError) {
        self.exchange = None;
        self.state = State::Failed;
        self.tell(Indication::Failed(error));
    }
}

/// The display in a JSON value, where the profile says its parts are.
#[must_use]
pub fn screen(pointers: &Pointers, value: &Value) -> Option<Screen> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let list = |pointer: &str| -> Option<Vec<String>> {
        let items = value.pointer(pointer)?.as_array()?;
        items
            .iter()
            .map(|item| item.as_str().map(str::to_owned))
            .collect()
    };
    Some(Screen {
        handset: text(&pointers.handset)?.to_owned(),
        view: match text(&pointers.view)? {
            "idle" => View::Idle,
            "menu" => View::Menu,
            _ => return None,
        },
        title: text(&pointers.title)?.to_owned(),
        lines: list(&pointers.lines)?,
        cursor: value
            .pointer(&pointers.cursor)
            .and_then(Value::as_u64)
            .and_then(|cursor| usize::try_from(cursor).ok()),
        softkeys: list(&pointers.softkeys)?,
    })
}

/// A body for the record: JSON without its secrets, other text cut.
fn redact(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(Value::Object(mut fields)) => {
            for secret in ["password", "token"] {
                if let Some(value) = fields.get_mut(secret) {
                    *value = Value::from(REDACTED);
                }
            }
            Value::Object(fields).to_string()
        }
        Ok(value) => value.to_string(),
        Err(_) => String::from_utf8_lossy(body).chars().take(2_000).collect(),
    }
}

/// The beginning of an answer that is no JSON, and what it seems to be.
fn beginning(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let kind = if text.starts_with('<') {
        "HTML"
    } else {
        "text"
    };
    let shown: String = text.chars().take(SHOWN).collect();
    format!("{kind} (\"{}\")", shown.escape_debug())
}
