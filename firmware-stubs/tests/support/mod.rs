//! A base on a table: its provisioning server, its console and its web client in one hand, lab time in the other.

#![expect(dead_code, reason = "every test file uses another part")]

use bytes::Bytes;
use firmware_stubs::{Base, BaseConfig, Model};
use sip::node::{ExchangeId, HttpFailure, Input, Node, Output, Transmit};
use sip::time::Instant;
use std::time::Duration;

/// Anna's handset.
pub(crate) const ANNA: &str = "029e74a599";
/// Ben's handset.
pub(crate) const BEN: &str = "02b6ec8aa5";

/// The base with everything that it has said.
pub(crate) struct Table {
    pub(crate) base: Base,
    pub(crate) now: Instant,
    /// What the provisioning server answers: status and body, or no answer at all.
    pub(crate) file: Option<(u16, String)>,
    pub(crate) fetched: Vec<(Instant, String)>,
    pub(crate) console: String,
    pub(crate) events: Vec<String>,
    pub(crate) sip: Vec<Transmit>,
    pub(crate) ended: bool,
    pub(crate) deadline: Option<Instant>,
    exchanges: u64,
    replies: Vec<(ExchangeId, http::Response<Bytes>)>,
}

impl Table {
    pub(crate) fn new(file: &str) -> Self {
        Self::of(Model::built_in("n870").expect("the model reads"), file)
    }

    /// A base of this model.
    pub(crate) fn of(model: Model, file: &str) -> Self {
        let base = Base::new(BaseConfig {
            model,
            mutant: None,
            mac: "7C:2F:80:E0:D6:05".to_owned(),
            sip: "127.0.0.2:5060".parse().expect("an address"),
            provisioning_url: "http://127.0.0.1:8080/base/".to_owned(),
            seed: 1,
        });
        Self {
            base,
            now: Instant::EPOCH,
            file: Some((200, file.to_owned())),
            fetched: Vec::new(),
            console: String::new(),
            events: Vec::new(),
            sip: Vec::new(),
            ended: false,
            deadline: None,
            exchanges: 0,
            replies: Vec::new(),
        }
    }

    /// A base that has been running for a second.
    pub(crate) fn running(file: &str) -> Self {
        let mut table = Self::new(file);
        table.run_for(Duration::from_secs(1));
        table
    }

    pub(crate) fn input(&mut self, input: Input) {
        self.base.handle_input(self.now, input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            match self.base.poll_output() {
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                Output::Console(bytes) => {
                    self.console.push_str(&String::from_utf8_lossy(&bytes));
                }
                Output::Resolve(question) => panic!("nobody resolves {question:?}"),
                Output::Ended => self.ended = true,
                // Whoever reads the outputs here decides what becomes of a stream.
                Output::CloseFlow(_) => {}
                Output::Event(text) => self.events.push(text),
                Output::Http { exchange, request } => {
                    self.fetched.push((self.now, request.uri().to_string()));
                    if let Some((status, body)) = self.file.clone() {
                        let reply = Ok(response(status, &body));
                        self.base
                            .handle_input(self.now, Input::HttpReply { exchange, reply });
                    }
                }
                Output::HttpReply { exchange, response } => self.replies.push((exchange, response)),
                Output::Sip(transmit) => self.sip.push(transmit),
            }
        }
    }

    /// Lets time pass, with every time-out at its time. Nobody answers SIP.
    pub(crate) fn run_for(&mut self, length: Duration) {
        let end = self.now + length;
        self.input(Input::Timeout);
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            assert!(deadline >= self.now, "a deadline in the past");
            self.now = deadline;
            self.input(Input::Timeout);
        }
        self.now = end;
    }

    /// What the base writes after this is typed.
    pub(crate) fn type_in(&mut self, text: &str) -> String {
        self.console.clear();
        self.input(Input::Console(Bytes::copy_from_slice(text.as_bytes())));
        std::mem::take(&mut self.console)
    }

    /// Logs in and silences the log.
    pub(crate) fn log_in(&mut self) {
        self.type_in("admin\radmin\rlog off\r");
    }

    pub(crate) fn ask(&mut self, request: http::Request<Bytes>) -> (u16, serde_json::Value) {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        self.input(Input::Http { exchange, request });
        let (answered, response) = self.replies.pop().expect("an answer");
        assert_eq!(answered, exchange);
        let body = serde_json::from_slice(response.body()).unwrap_or_default();
        (response.status().as_u16(), body)
    }

    /// A request of the logged-in administrator.
    pub(crate) fn web(
        &mut self,
        method: &str,
        path: &str,
        token: &str,
        body: &str,
    ) -> (u16, serde_json::Value) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("upgrade", "websocket")
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("a request");
        self.ask(request)
    }

    pub(crate) fn web_login(&mut self) -> String {
        let login = r#"{"username":"admin","password":"admin"}"#;
        let (status, body) = self.web("POST", "/api/auth/login", "", login);
        assert_eq!(status, 200, "{body}");
        body["token"].as_str().expect("a token").to_owned()
    }

    /// The outcome of a fetch that this table did not answer by itself.
    pub(crate) fn refuse_fetch(&mut self, exchange: u64) {
        let reply = Err(HttpFailure("connection refused".to_owned()));
        self.input(Input::HttpReply {
            exchange: ExchangeId(exchange),
            reply,
        });
    }
}

fn response(status: u16, body: &str) -> http::Response<Bytes> {
    let mut response = http::Response::new(Bytes::copy_from_slice(body.as_bytes()));
    *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
    response
}

/// A provisioning file for two handsets; `flag` is the switch of both.
pub(crate) fn two_handsets(flag: &str) -> String {
    let mut inside = String::from("<oper name=\"DeleteNotProvisionedHS\"/>");
    for (ipui, user, name) in [(ANNA, "1013", "Anna"), (BEN, "1014", "Ben")] {
        inside.push_str(&add_handset(ipui));
        inside.push_str(&account(ipui, user, name, flag));
    }
    document(&inside)
}

pub(crate) fn add_handset(handset: &str) -> String {
    format!(
        "<oper value=\"{handset}\" name=\"add_hs\"><param name=\"hs.RegStatus\" value=\"ToReg\"/></oper>"
    )
}

pub(crate) fn account(handset: &str, user: &str, name: &str, flag: &str) -> String {
    let mut text = String::new();
    for (field, value) in [
        ("AuthName", user),
        ("AuthPassword", "secret"),
        ("UserName", user),
        ("DisplayName", name),
        ("ProviderId", "0"),
        ("FeatureKeySyncActive", flag),
    ] {
        text.push_str(&param(&format!("SipAccount.{handset}.{field}"), value));
    }
    text
}

pub(crate) fn param(name: &str, value: &str) -> String {
    format!("<param name=\"{name}\" value=\"{value}\"/>")
}

/// A provisioning file with one provider and `inside`.
pub(crate) fn document(inside: &str) -> String {
    let provider: String = [
        ("Domain", "as.example.com"),
        ("ProxyServerAddress", "127.0.0.1"),
        ("ProxyServerPort", "5060"),
        ("RegServerAddress", "127.0.0.1"),
        ("RegServerPort", "5060"),
        ("TransportProtocol", "1"),
    ]
    .map(|(field, value)| param(&format!("SipProvider.0.{field}"), value))
    .concat();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<provisioning version=\"1.1\" productID=\"e2\">\n\
         <nvm>{provider}{inside}\n--></nvm></provisioning>\n"
    )
}
