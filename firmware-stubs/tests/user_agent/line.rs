//! A user agent on a wire of its own: the test plays the server in raw SIP, on virtual time.
//!
//! It deliberately uses no server of ours: every text that the agent is told stands in the test.

use bytes::Bytes;
use firmware_stubs::Model;
use firmware_stubs::accounts::{AccountSettings, HostPort, Ipui, Provider, Secret};
use firmware_stubs::defect::Defects;
use firmware_stubs::user_agent::{UaConfig, UaIndication, UaOutput, UserAgent};
use sip::feature_event::{Service, Setting};
use sip::message::{Message, Method};
use sip::node::{Flow, TransmitReason, Transport};
use sip::time::Instant;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

pub(crate) const BASE: &str = "127.0.0.2:5060";
pub(crate) const SERVER: &str = "127.0.0.1:5060";
pub(crate) const ANNA: &str = "029e74a599";
pub(crate) const BEN: &str = "029e74a600";
pub(crate) const NS: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";

/// One message that the base sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) message: Message,
    pub(crate) reason: TransmitReason,
}

/// The base's end of the wire, and what came out of it.
pub(crate) struct Line {
    pub(crate) agent: UserAgent,
    pub(crate) now: Instant,
    pub(crate) sent: VecDeque<Sent>,
    pub(crate) told: Vec<UaIndication>,
    pub(crate) ended: bool,
    pub(crate) transport: Transport,
    deadline: Option<Instant>,
}

impl Line {
    pub(crate) fn new() -> Self {
        Self::with(Defects::default())
    }

    pub(crate) fn with(defects: Defects) -> Self {
        let model = Model::built_in("n870").expect("the model is built in");
        Self::of(model, defects)
    }

    pub(crate) fn of(model: Model, defects: Defects) -> Self {
        let agent = UserAgent::new(UaConfig {
            sip: BASE.parse().expect("an address"),
            model: Arc::new(model),
            defects,
            seed: 7,
        });
        Self {
            agent,
            now: Instant::EPOCH,
            sent: VecDeque::new(),
            told: Vec::new(),
            ended: false,
            transport: Transport::Udp,
            deadline: None,
        }
    }

    pub(crate) fn flow(&self) -> Flow {
        Flow {
            transport: self.transport,
            local: BASE.parse().expect("an address"),
            remote: SERVER.parse().expect("an address"),
        }
    }

    pub(crate) fn configure(&mut self, accounts: &[AccountSettings]) {
        self.agent.configure(self.now, accounts);
        self.drain();
    }

    /// Hands the base these bytes.
    pub(crate) fn say(&mut self, text: impl Into<Vec<u8>>) {
        let bytes = Bytes::from(text.into());
        self.agent.handle_sip(self.now, self.flow(), bytes);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        loop {
            match self.agent.poll_output() {
                UaOutput::CloseFlow(flow) => panic!("{flow:?} is to be closed"),
                UaOutput::Transmit(transmit) => self.sent.push_back(Sent {
                    message: Message::parse(transmit.bytes).expect("a base sends SIP"),
                    reason: transmit.reason,
                }),
                UaOutput::Indication(indication) => self.told.push(indication),
                UaOutput::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                UaOutput::Ended => self.ended = true,
            }
        }
    }

    /// Lets time pass, deadline by deadline.
    pub(crate) fn advance(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            assert!(deadline >= self.now, "a deadline in the past");
            self.now = deadline;
            self.agent.handle_timeout(self.now);
            self.drain();
            assert_ne!(
                self.deadline,
                Some(deadline),
                "a deadline that does not pass"
            );
        }
        self.now = end;
    }

    pub(crate) fn advance_secs(&mut self, seconds: u64) {
        self.advance(Duration::from_secs(seconds));
    }

    /// The next request with this method, waited for at most so long.
    pub(crate) fn expect(&mut self, method: &Method, within: Duration) -> Message {
        let end = self.now + within;
        loop {
            let found = self.sent.iter().position(|sent| {
                sent.message.method() == Some(method) && sent.reason == TransmitReason::First
                    || sent.message.method() == Some(method) && *method == Method::Ack
            });
            if let Some(found) = found {
                return self.sent.remove(found).expect("it was found").message;
            }
            let next = self.deadline.filter(|deadline| *deadline <= end);
            let next = next.unwrap_or_else(|| panic!("no {method} until {end}: {:#?}", self.told));
            self.advance(next - self.now);
        }
    }

    pub(crate) fn expect_soon(&mut self, method: &Method) -> Message {
        self.expect(method, Duration::from_secs(3))
    }

    /// How many requests with this method were sent in the time that passes, copies not counted.
    pub(crate) fn count(&mut self, method: &Method, seconds: u64) -> usize {
        self.sent.clear();
        self.advance_secs(seconds);
        let sent = self.sent.iter();
        sent.filter(|sent| {
            sent.message.method() == Some(method) && sent.reason == TransmitReason::First
        })
        .count()
    }

    /// The status of the last response that the base sent.
    pub(crate) fn last_status(&self) -> Option<u16> {
        self.sent
            .iter()
            .rev()
            .find_map(|sent| sent.message.status())
    }

    pub(crate) fn last_response(&self) -> &Message {
        let mut sent = self.sent.iter().rev();
        let found = sent.find(|sent| sent.message.status().is_some());
        &found.expect("a response").message
    }

    /// Answers a request of the base.
    pub(crate) fn answer(&mut self, request: &Message, status: &str, headers: &str) {
        self.answer_with_tag(request, status, headers, "server");
    }

    pub(crate) fn answer_with_tag(
        &mut self,
        request: &Message,
        status: &str,
        headers: &str,
        tag: &str,
    ) {
        let header = |name: &str| request.header(name).unwrap_or_default().to_owned();
        let to = match request.to_tag() {
            Some(_) => header("To"),
            None => format!("{};tag={tag}", header("To")),
        };
        self.say(format!(
            "SIP/2.0 {status}\r\nVia: {}\r\nFrom: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\n{headers}\
             Content-Length: 0\r\n\r\n",
            header("Via"),
            header("From"),
            header("Call-ID"),
            header("CSeq"),
        ));
    }

    /// Registers the next account that asks, for `expires` seconds.
    pub(crate) fn grant_registration(&mut self, expires: u32) -> Message {
        let register = self.expect_soon(&Method::Register);
        let contact = register.header("Contact").unwrap_or_default().to_owned();
        let headers = format!("Contact: {contact};expires={expires}\r\n");
        self.answer(&register, "200 OK", &headers);
        register
    }

    /// Grants the next subscription and sends the first NOTIFY.
    pub(crate) fn grant_subscription(&mut self) -> Subscribed {
        let subscribe = self.expect_soon(&Method::Subscribe);
        self.answer(
            &subscribe,
            "200 OK",
            "Expires: 1800\r\nContact: <sip:as@127.0.0.1:5060>\r\n",
        );
        let mut subscribed = Subscribed {
            subscribe,
            cseq: 100,
        };
        self.say(subscribed.notify("active;expires=1800", ""));
        subscribed
    }

    /// One account, registered and synchronised.
    pub(crate) fn synchronised() -> (Self, Subscribed) {
        let mut line = Self::new();
        line.configure(&[anna()]);
        line.grant_registration(3600);
        let subscribed = line.grant_subscription();
        line.sent.clear();
        line.told.clear();
        (line, subscribed)
    }

    pub(crate) fn state(&self, service: Service) -> Option<Setting> {
        self.told.iter().rev().find_map(|told| match told {
            UaIndication::State {
                service: told,
                setting,
                ..
            } if *told == service => Some(setting.clone()),
            _ => None,
        })
    }
}

/// A subscription as the test's server sees it.
pub(crate) struct Subscribed {
    pub(crate) subscribe: Message,
    pub(crate) cseq: u32,
}

impl Subscribed {
    /// A NOTIFY with the next CSeq number; the body is XML or empty.
    pub(crate) fn notify(&mut self, state: &str, body: &str) -> String {
        self.cseq += 1;
        self.raw_notify(self.cseq, "as-feature-event", state, body)
    }

    pub(crate) fn raw_notify(&self, cseq: u32, event: &str, state: &str, body: &str) -> String {
        let content_type = if body.is_empty() {
            ""
        } else {
            "Content-Type: application/x-as-feature-event+xml\r\n"
        };
        let header = |name: &str| self.subscribe.header(name).unwrap_or_default();
        format!(
            "NOTIFY sip:anna@127.0.0.2:5060 SIP/2.0\r\n\
             Via:SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKn{cseq}{}\r\n\
             f:{};tag=server\r\nt:{}\r\ni:{}\r\nCSeq: {cseq} NOTIFY\r\nMax-Forwards:69\r\n\
             m:<sip:as@127.0.0.1:5060>\r\nEvent: {event}\r\nSubscription-State:{state}\r\n{content_type}\
             Content-Length: {}\r\n\r\n{body}",
            event.len(),
            header("To").split(";tag").next().unwrap_or_default(),
            header("From"),
            header("Call-ID"),
            body.len(),
        )
    }
}

pub(crate) fn account(handset: &str, user: &str, name: &str) -> AccountSettings {
    let server = HostPort {
        host: "127.0.0.1".to_owned(),
        port: 5060,
    };
    AccountSettings {
        handset: Ipui::parse(handset).expect("an IPUI"),
        user_name: user.to_owned(),
        auth_name: format!("{user}-auth"),
        auth_password: Secret::new("secret"),
        display_name: name.to_owned(),
        provider: Provider {
            domain: "as.example".to_owned(),
            proxy: server.clone(),
            registrar: server,
            refresh_timer: Duration::from_secs(180),
            transport: Transport::Udp,
            subscription_timer: Duration::from_secs(1800),
        },
        feature_key_sync: true,
    }
}

pub(crate) fn anna() -> AccountSettings {
    account(ANNA, "anna", "Anna")
}

pub(crate) fn ben() -> AccountSettings {
    account(BEN, "ben", "Ben")
}

pub(crate) fn ipui(text: &str) -> Ipui {
    Ipui::parse(text).expect("an IPUI")
}

pub(crate) fn dnd(on: bool) -> String {
    format!(
        "<DoNotDisturbEvent xmlns=\"{NS}\"><device>anna</device><doNotDisturbOn>{on}</doNotDisturbOn>\
         </DoNotDisturbEvent>"
    )
}

pub(crate) fn setting(active: bool, number: Option<&str>, rings: Option<u32>) -> Setting {
    Setting {
        active,
        number: number.map(str::to_owned),
        rings,
        agent: None,
    }
}
