//! The web driver against scripted answers: the good session, and each way in which a web interface can fail.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bench::error::RigError;
use bench::profile::Profile;
use bench::web::{Driver, Indication, Output};
use bytes::Bytes;
use evidence::record::View;
use http::{Method, Request, Response};
use serde_json::json;
use sip::node::{ExchangeId, HttpFailure};
use sip::time::Instant;
use std::sync::Arc;
use std::time::Duration;

struct Session {
    driver: Driver,
    now: Instant,
    exchanges: u64,
    sent: Vec<Request<Bytes>>,
    told: Vec<Indication>,
    due: Option<Instant>,
}

impl Session {
    fn new() -> Self {
        let text = include_str!("../../profiles/n870.toml");
        let profile = Arc::new(Profile::from_toml(text, "n870.toml").unwrap());
        let mut session = Self {
            driver: Driver::new(profile, "admin", "s3cret"),
            now: Instant::EPOCH,
            exchanges: 0,
            sent: Vec::new(),
            told: Vec::new(),
            due: None,
        };
        session.driver.connect(session.now);
        session.drain();
        session
    }

    fn open() -> Self {
        let mut session = Self::new();
        session.answers(200, r#"{"token":"t0ken"}"#);
        session.answers(101, "");
        assert!(session.driver.is_ready());
        session
    }

    fn answers(&mut self, status: u16, body: &str) {
        let mut response = Response::new(Bytes::from(body.to_owned()));
        *response.status_mut() = status.try_into().unwrap();
        self.replies(Ok(response));
    }

    fn replies(&mut self, reply: Result<Response<Bytes>, HttpFailure>) {
        let exchange = ExchangeId(self.exchanges);
        self.driver.handle_reply(self.now, exchange, reply);
        self.drain();
    }

    fn calls(&mut self, path: &str) {
        self.driver.call(self.now, Method::GET, path, None);
        self.drain();
    }

    fn passes(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(due) = self.due.filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.driver.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        loop {
            match self.driver.poll_output() {
                Output::Send(request) => {
                    self.exchanges += 1;
                    self.driver.sent(ExchangeId(self.exchanges));
                    self.sent.push(request);
                }
                Output::Indication(indication) => self.told.push(indication),
                Output::Timeout(due) => {
                    self.due = due;
                    return;
                }
            }
        }
    }

    fn last(&self) -> String {
        let request = self.sent.last().unwrap();
        format!("{} {}", request.method(), request.uri())
    }

    fn failure(&self) -> String {
        let error = self.told.iter().find_map(|told| match told {
            Indication::Failed(error) => Some(error.to_string()),
            _ => None,
        });
        error.unwrap_or_default()
    }
}

#[test]
fn a_session_opens_calls_and_ends() {
    let mut session = Session::open();
    let upgrade = session.sent.last().unwrap().headers().get("upgrade");
    assert_eq!(upgrade.unwrap(), "websocket");
    session.calls("/api/device");
    let token = session.sent.last().unwrap().headers().get("authorization");
    assert_eq!(token.unwrap(), "Bearer t0ken");
    session.answers(200, r#"{"model":"N870"}"#);
    let answer = Indication::Answer(json!({ "model": "N870" }));
    assert!(session.told.contains(&answer));
    session.driver.log_out(session.now);
    session.drain();
    assert_eq!(session.last(), "POST /api/auth/logout");
    session.answers(200, "");
    assert_eq!(session.told.last(), Some(&Indication::LoggedOut));
}

#[test]
fn secrets_are_not_told() {
    let session = Session::open();
    let told = format!("{:?}", session.told);
    assert!(
        !told.contains("s3cret") && !told.contains("t0ken"),
        "{told}"
    );
}

#[test]
fn a_401_at_the_login_names_the_account() {
    let mut session = Session::new();
    session.answers(401, r#"{"message":"bad credentials"}"#);
    assert_eq!(
        session.failure(),
        "web: login refused for account `admin` (401): bad credentials"
    );
}

#[test]
fn a_409_says_that_another_session_is_active() {
    let mut session = Session::new();
    session.answers(409, r#"{"message":"admin is logged in"}"#);
    assert_eq!(
        session.failure(),
        "web: another admin session is active (409): admin is logged in"
    );
}

#[test]
fn html_is_named() {
    let mut session = Session::new();
    session.answers(200, "<!DOCTYPE html><html>Welcome</html>");
    let error = session.failure();
    assert!(
        error.contains("POST /api/auth/login was answered 200 with HTML"),
        "{error}"
    );
    assert!(error.contains("<!DOCTYPE html>"), "{error}");
}

#[test]
fn an_answer_without_a_token_is_named() {
    let mut session = Session::new();
    session.answers(200, "{}");
    assert!(session.failure().contains("an answer without a token"));
}

#[test]
fn a_base_that_boots_is_asked_again_until_it_answers() {
    let mut session = Session::new();
    session.replies(Err(HttpFailure("connection refused".to_owned())));
    assert_eq!(session.sent.len(), 1);
    session.passes(Duration::from_secs(2));
    assert_eq!(session.sent.len(), 2);
    session.answers(503, r#"{"message":"the base is not up"}"#);
    session.passes(Duration::from_secs(2));
    assert_eq!(session.sent.len(), 3);
    session.answers(200, r#"{"token":"t"}"#);
    session.answers(101, "");
    assert!(session.driver.is_ready());
}

#[test]
fn a_base_that_never_answers_is_named() {
    let mut session = Session::new();
    for _ in 0..70 {
        session.replies(Err(HttpFailure("connection refused".to_owned())));
        session.passes(Duration::from_secs(1));
    }
    assert_eq!(
        session.failure(),
        "web: no answer to POST /api/auth/login: connection refused"
    );
}

#[test]
fn silence_to_a_call_is_named() {
    let mut session = Session::open();
    session.calls("/api/device");
    session.passes(Duration::from_secs(11));
    assert_eq!(
        session.failure(),
        "web: no answer to GET /api/device: nothing came within 10 s"
    );
}

#[test]
fn a_lost_session_is_opened_once_more_and_the_call_made_again() {
    let mut session = Session::open();
    session.calls("/api/device");
    session.answers(401, r#"{"message":"expired"}"#);
    assert_eq!(session.last(), "POST /api/auth/login");
    session.answers(200, r#"{"token":"new"}"#);
    session.answers(101, "");
    assert_eq!(session.last(), "GET /api/device");
    session.answers(200, "{}");
    assert!(session.failure().is_empty());
    assert!(session.driver.is_ready());
}

#[test]
fn a_refused_call_carries_the_bases_words() {
    let mut session = Session::open();
    session.calls("/api/handsets/0000000000/display");
    session.answers(404, r#"{"message":"no such handset"}"#);
    let error = session.failure();
    assert!(
        error.ends_with("was answered 404: no such handset"),
        "{error}"
    );
}

#[test]
fn a_base_without_an_event_stream_is_read_on_request() {
    let mut session = Session::new();
    session.answers(200, r#"{"token":"t"}"#);
    session.answers(404, r#"{"message":"no events"}"#);
    assert!(session.driver.is_ready());
}

#[test]
fn a_display_event_becomes_a_screen() {
    let mut session = Session::open();
    session.driver.handle_event(
        r#"{"type":"display","handset":"029e74a599","view":"idle","title":"",
            "lines":["Anna"],"cursor":null,"softkeys":["","Menu"]}"#,
    );
    session
        .driver
        .handle_event(r#"{"type":"registration","handset":"029e74a599"}"#);
    session.driver.handle_event("not json");
    session.drain();
    let screens: Vec<_> = session
        .told
        .iter()
        .filter_map(|told| match told {
            Indication::Reported(screen) => Some(screen),
            _ => None,
        })
        .collect();
    assert_eq!(screens.len(), 1);
    assert_eq!(screens[0].view, View::Idle);
    assert_eq!(screens[0].lines, ["Anna"]);
}

#[test]
fn the_end_of_the_event_stream_opens_a_new_session() {
    let mut session = Session::open();
    session.driver.handle_events_closed(session.now);
    session.drain();
    assert_eq!(session.last(), "POST /api/auth/login");
}

#[test]
fn an_answer_that_comes_too_late_is_passed_over() {
    let mut session = Session::open();
    session.calls("/api/device");
    let stale = Ok(Response::new(Bytes::from_static(b"{}")));
    session
        .driver
        .handle_reply(session.now, ExchangeId(1), stale);
    session.drain();
    assert!(
        !session
            .told
            .iter()
            .any(|told| matches!(told, Indication::Answer(_)))
    );
    assert!(!matches!(
        session.told.last(),
        Some(Indication::Failed(RigError::WebSilent { .. }))
    ));
}
