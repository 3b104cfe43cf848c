//! The web interface: one administrator at a time, JSON in and out, and an event stream.
//!
//! Login, its answers and the bearer token follow the one public client of these bases; the other paths are the rig's
//! own convention. The router knows sessions, methods and bodies; what a page shows is the base's to say.
//!
//! | session | request | answer |
//! |---|---|---|
//! | none | right login | 200 with a token |
//! | none | wrong login | 401 |
//! | one is open | any login | 409, or 401 when it is wrong |
//! | one is open | its token | the page |
//! | any | no token, another token | 401 |
//! | one is open | logout, or nothing for a while | none |

use bytes::Bytes;
use http::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, UPGRADE};
use http::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use sip::time::Instant;
use std::time::Duration;

/// The largest request body that is read.
const BODY: usize = 65_536;

/// What only the base can answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// Model, firmware, MAC and uptime.
    Device,
    /// A handset's display.
    Display {
        /// Its IPUI, as asked.
        handset: String,
    },
    /// The event stream was accepted.
    Events,
    /// The handset table.
    Handsets,
    /// Keys for a handset, then its display.
    Keys {
        /// Its IPUI, as asked.
        handset: String,
        /// The keys' names.
        keys: Vec<String>,
    },
}

/// What becomes of a request.
#[derive(Clone, Debug)]
pub enum Routed {
    /// Answered here.
    Done(Response<Bytes>),
    /// The base answers.
    Page(Page),
}

/// The web interface of one base.
#[derive(Clone, Debug)]
pub struct Web {
    user: String,
    password: String,
    lifetime: Duration,
    session: Option<Session>,
    rng: fastrand::Rng,
}

#[derive(Clone, Debug)]
struct Session {
    token: String,
    used: Instant,
}

#[derive(Deserialize)]
struct Login {
    username: String,
    password: String,
}

#[derive(Deserialize)]
struct Keys {
    keys: Vec<String>,
}

impl Web {
    /// A web interface without session.
    #[must_use]
    pub fn new(user: &str, password: &str, lifetime: Duration, seed: u64) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            lifetime,
            session: None,
            rng: generator(seed),
        }
    }

    /// Draws session tokens from this seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = generator(seed);
    }

    /// Takes the password from provisioning.
    pub fn configure(&mut self, password: &str) {
        password.clone_into(&mut self.password);
    }

    /// The base restarts: nobody is logged in.
    pub fn restart(&mut self) {
        self.session = None;
    }

    /// Takes a request.
    pub fn handle_request(&mut self, now: Instant, request: &Request<Bytes>) -> Routed {
        if self
            .session
            .as_ref()
            .is_some_and(|session| now.since(session.used) >= self.lifetime)
        {
            self.session = None;
        }
        let path = request.uri().path();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        if segments == ["api", "auth", "login"] {
            return Routed::Done(self.login(now, request));
        }
        if segments.first() != Some(&"api") {
            return Routed::Done(message(StatusCode::NOT_FOUND, "no such page"));
        }
        if !self.is_authorized(now, request) {
            return Routed::Done(message(StatusCode::UNAUTHORIZED, "not logged in"));
        }
        self.route(request, &segments)
    }

    fn route(&mut self, request: &Request<Bytes>, segments: &[&str]) -> Routed {
        let get = request.method() == Method::GET;
        let post = request.method() == Method::POST;
        let page = match segments {
            ["api", "auth", "logout"] if post => {
                self.session = None;
                return Routed::Done(answer(StatusCode::OK, &json!({})));
            }
            ["api", "device"] if get => Page::Device,
            ["api", "events"] if get => {
                if !wants_web_socket(request) {
                    let text = "an upgrade to WebSocket is needed";
                    return Routed::Done(message(StatusCode::UPGRADE_REQUIRED, text));
                }
                Page::Events
            }
            ["api", "handsets"] if get => Page::Handsets,
            ["api", "handsets", handset, "display"] if get => Page::Display {
                handset: (*handset).to_owned(),
            },
            ["api", "handsets", handset, "keys"] if post => match body::<Keys>(request) {
                Err(refusal) => return Routed::Done(refusal.answer()),
                Ok(Keys { keys }) => Page::Keys {
                    handset: (*handset).to_owned(),
                    keys,
                },
            },
            ["api", "auth", "logout"] | ["api", "handsets", _, "keys"] => {
                return Routed::Done(not_allowed("POST"));
            }
            ["api", "device" | "events" | "handsets"] | ["api", "handsets", _, "display"] => {
                return Routed::Done(not_allowed("GET"));
            }
            _ => return Routed::Done(message(StatusCode::NOT_FOUND, "no such page")),
        };
        Routed::Page(page)
    }

    fn login(&mut self, now: Instant, request: &Request<Bytes>) -> Response<Bytes> {
        if request.method() != Method::POST {
            return not_allowed("POST");
        }
        let login: Login = match body(request) {
            Err(refusal) => return refusal.answer(),
            Ok(login) => login,
        };
        if login.username != self.user || login.password != self.password {
            return message(StatusCode::UNAUTHORIZED, "wrong user name or password");
        }
        if self.session.is_some() {
            return message(StatusCode::CONFLICT, "another administrator is logged in");
        }
        let token = format!("{:032x}", self.rng.u128(..));
        self.session = Some(Session {
            token: token.clone(),
            used: now,
        });
        answer(StatusCode::OK, &json!({ "token": token }))
    }

    fn is_authorized(&mut self, now: Instant, request: &Request<Bytes>) -> bool {
        let value = request.headers().get(AUTHORIZATION);
        let token = value.and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
        match (&mut self.session, token) {
            (Some(session), Some(token)) if session.token == token => {
                session.used = now;
                true
            }
            _ => false,
        }
    }
}

fn wants_web_socket(request: &Request<Bytes>) -> bool {
    let value = request.headers().get(UPGRADE);
    value.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"websocket"))
}

fn body<'a, T: Deserialize<'a>>(request: &'a Request<Bytes>) -> Result<T, Refusal> {
    let bytes = request.body();
    if bytes.len() > BODY {
        return Err(Refusal {
            status: StatusCode::PAYLOAD_TOO_LARGE,
            text: "the body is too large".to_owned(),
        });
    }
    serde_json::from_slice(bytes).map_err(|error| Refusal {
        status: StatusCode::BAD_REQUEST,
        text: format!("bad body: {error}"),
    })
}

struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    fn answer(&self) -> Response<Bytes> {
        message(self.status, &self.text)
    }
}

/// An answer with this JSON.
#[must_use]
pub fn answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    let json = http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

/// An answer that only says something.
#[must_use]
pub fn message(status: StatusCode, text: &str) -> Response<Bytes> {
    answer(status, &json!({ "message": text }))
}

/// The answer that accepts a WebSocket.
#[must_use]
pub fn switching_protocols() -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    response
}

fn not_allowed(method: &'static str) -> Response<Bytes> {
    let mut response = message(StatusCode::METHOD_NOT_ALLOWED, "no such method here");
    let allow = http::HeaderValue::from_static(method);
    response.headers_mut().insert(ALLOW, allow);
    response
}

/// Its numbers are not those of the user agent, which has the same seed.
fn generator(seed: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed ^ 0x0057_4542)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOGIN: &str = r#"{"username":"admin","password":"admin"}"#;

    fn web() -> Web {
        Web::new("admin", "admin", Duration::from_secs(600), 7)
    }

    fn request(method: &str, path: &str, token: &str, body: &str) -> Request<Bytes> {
        let mut builder = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            builder = builder.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        builder
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .unwrap()
    }

    fn ask(web: &mut Web, at: u64, request: &Request<Bytes>) -> (u16, Value) {
        let now = Instant::from_micros(at * 1_000_000);
        match web.handle_request(now, request) {
            Routed::Done(response) => (
                response.status().as_u16(),
                serde_json::from_slice(response.body()).unwrap(),
            ),
            Routed::Page(page) => (0, json!(format!("{page:?}"))),
        }
    }

    fn log_in(web: &mut Web) -> String {
        let (status, body) = ask(web, 0, &request("POST", "/api/auth/login", "", LOGIN));
        assert_eq!(status, 200);
        body["token"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_wrong_login_is_refused() {
        let body = LOGIN.replace("admin\"}", "x\"}");
        let (status, body) = ask(
            &mut web(),
            0,
            &request("POST", "/api/auth/login", "", &body),
        );
        assert_eq!(status, 401);
        assert!(body["message"].is_string());
    }

    #[test]
    fn a_second_session_is_a_conflict_until_the_first_has_ended() {
        let mut web = web();
        let token = log_in(&mut web);
        let login = request("POST", "/api/auth/login", "", LOGIN);
        assert_eq!(ask(&mut web, 1, &login).0, 409);
        assert_eq!(
            ask(
                &mut web,
                2,
                &request("POST", "/api/auth/logout", &token, "")
            )
            .0,
            200
        );
        assert_eq!(ask(&mut web, 3, &login).0, 200);
        assert_eq!(
            ask(&mut web, 4, &request("GET", "/api/device", &token, "")).0,
            401
        );
    }

    #[test]
    fn an_unused_session_ends() {
        let mut web = web();
        let token = log_in(&mut web);
        let device = request("GET", "/api/device", &token, "");
        assert_eq!(ask(&mut web, 599, &device).0, 0);
        assert_eq!(ask(&mut web, 1198, &device).0, 0);
        assert_eq!(ask(&mut web, 1798, &device).0, 401);
        log_in(&mut web);
    }

    #[test]
    fn every_path_has_its_answer() {
        let mut web = web();
        let token = log_in(&mut web);
        let rows: &[(&str, &str, &str, u16, &str)] = &[
            ("GET", "/", "", 404, ""),
            ("GET", "/api/nothing", "", 404, ""),
            ("GET", "/api/device", "", 0, "Device"),
            ("PUT", "/api/device", "", 405, ""),
            ("GET", "/api/handsets", "", 0, "Handsets"),
            ("GET", "/api/handsets/029e74a599/display", "", 0, "Display"),
            (
                "POST",
                "/api/handsets/029e74a599/keys",
                r#"{"keys":["ok"]}"#,
                0,
                "Keys",
            ),
            (
                "POST",
                "/api/handsets/029e74a599/keys",
                r#"{"keys":"ok"}"#,
                400,
                "",
            ),
            ("POST", "/api/handsets/029e74a599/keys", "<html>", 400, ""),
            ("GET", "/api/handsets/029e74a599/keys", "", 405, ""),
            ("GET", "/api/events", "", 426, ""),
            ("GET", "/api/auth/login", "", 405, ""),
        ];
        for (method, path, body, status, page) in rows {
            let (found, answer) = ask(&mut web, 1, &request(method, path, &token, body));
            assert_eq!(found, *status, "{method} {path} {answer}");
            assert!(
                answer.to_string().contains(page),
                "{method} {path} {answer}"
            );
            if path.starts_with("/api/") && !path.ends_with("login") {
                let (found, _) = ask(&mut web, 1, &request(method, path, "", body));
                assert_eq!(found, 401, "{method} {path}");
            }
        }
    }

    #[test]
    fn an_upgrade_opens_the_event_stream() {
        let mut web = web();
        let token = log_in(&mut web);
        let mut events = request("GET", "/api/events", &token, "");
        events
            .headers_mut()
            .insert(UPGRADE, http::HeaderValue::from_static("WebSocket"));
        assert_eq!(ask(&mut web, 1, &events), (0, json!("Events")));
    }

    #[test]
    fn a_body_that_is_too_large_is_not_read() {
        let body = format!("{{\"username\":\"{}\"", "a".repeat(BODY));
        let (status, _) = ask(
            &mut web(),
            0,
            &request("POST", "/api/auth/login", "", &body),
        );
        assert_eq!(status, 413);
    }
}
