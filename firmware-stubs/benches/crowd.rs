//! What a NOTIFY costs a user agent with few accounts and with many: it must not grow with them.
//!
//! `cargo bench -p firmware-stubs --bench crowd`
//!
//! The server's part is played by texts of this file, on lab time: each account registers and subscribes, then one after
//! the other is notified of Do Not Disturb. `fork` is what a copy of the whole agent costs, for the small worlds that are
//! forked often.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use bytes::Bytes;
use divan::Bencher;
use firmware_stubs::Model;
use firmware_stubs::accounts::{AccountSettings, HostPort, Ipui, Provider, Secret};
use firmware_stubs::defect::Defects;
use firmware_stubs::user_agent::{UaConfig, UaIndication, UaOutput, UserAgent};
use sip::message::{Message, Method};
use sip::node::{Flow, Transport};
use sip::time::Instant;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

fn main() {
    divan::main();
}

const BODY: &str = "<DoNotDisturbEvent xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\">\
    <device>2000</device><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>";

/// The lab time between two NOTIFYs.
const GAP: Duration = Duration::from_millis(1);

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, host], 5060))
}

fn account(number: usize) -> AccountSettings {
    let user = (100_000 + number).to_string();
    let server = HostPort {
        host: "127.0.0.1".to_owned(),
        port: 5060,
    };
    AccountSettings {
        handset: Ipui::parse(&format!("02{number:08x}")).unwrap(),
        auth_name: user.clone(),
        display_name: user.clone(),
        user_name: user,
        auth_password: Secret::new("secret"),
        provider: Provider {
            domain: "as.example".to_owned(),
            proxy: server.clone(),
            registrar: server,
            refresh_timer: Duration::from_secs(86_400),
            transport: Transport::Udp,
            subscription_timer: Duration::from_secs(86_400),
        },
        feature_key_sync: true,
    }
}

/// A user agent, all of whose accounts are synchronised, and its server's memory.
struct Crowd {
    agent: UserAgent,
    now: Instant,
    subscribes: Vec<Message>,
    synchronised: usize,
    states: usize,
    next: usize,
    cseq: u32,
}

impl Crowd {
    fn synchronised(accounts: usize) -> Self {
        let agent = UserAgent::new(UaConfig {
            sip: address(2),
            model: Arc::new(Model::built_in("n870").unwrap()),
            defects: Defects::default(),
            seed: 1,
        });
        let mut crowd = Self {
            agent,
            now: Instant::EPOCH,
            subscribes: Vec::new(),
            synchronised: 0,
            states: 0,
            next: 0,
            cseq: 1,
        };
        let settings: Vec<_> = (0..accounts).map(account).collect();
        crowd.agent.configure(crowd.now, &settings);
        let mut deadline = crowd.drain();
        while crowd.synchronised < accounts {
            crowd.now = deadline.unwrap().max(crowd.now);
            crowd.agent.handle_timeout(crowd.now);
            deadline = crowd.drain();
        }
        crowd
    }

    fn say(&mut self, text: String) {
        let flow = Flow {
            transport: Transport::Udp,
            local: address(2),
            remote: address(1),
        };
        self.agent
            .handle_sip(self.now, flow, Bytes::from(text.into_bytes()));
    }

    /// Takes all that the agent wants, and answers as a server that asks for no password.
    fn drain(&mut self) -> Option<Instant> {
        loop {
            match self.agent.poll_output() {
                UaOutput::Timeout(deadline) => return deadline,
                UaOutput::Transmit(transmit) => self.serve(transmit.bytes),
                UaOutput::Indication(UaIndication::Synchronised { on: true, .. }) => {
                    self.synchronised += 1;
                }
                UaOutput::Indication(UaIndication::State { .. }) => self.states += 1,
                UaOutput::Indication(_) | UaOutput::CloseFlow(_) | UaOutput::Ended => {}
            }
        }
    }

    fn serve(&mut self, bytes: Bytes) {
        let message = Message::parse(bytes).unwrap();
        let Some(method) = message.method().cloned() else {
            return;
        };
        let header = |name: &str| message.header(name).unwrap_or_default();
        let names = format!(
            "Via: {}\r\nFrom: {}\r\nTo: {};tag=server\r\nCall-ID: {}\r\nCSeq: {}\r\n",
            header("Via"),
            header("From"),
            header("To"),
            header("Call-ID"),
            header("CSeq"),
        );
        let contact = match method {
            Method::Register => format!("Contact: {};expires=86400\r\n", header("Contact")),
            _ => "Contact: <sip:as@127.0.0.1:5060>\r\nExpires: 86400\r\n".to_owned(),
        };
        self.say(format!(
            "SIP/2.0 200 OK\r\n{names}{contact}Content-Length: 0\r\n\r\n"
        ));
        if method == Method::Subscribe {
            let notify = self.notify(&message);
            self.subscribes.push(message);
            self.say(notify);
        }
    }

    fn notify(&mut self, subscribe: &Message) -> String {
        self.cseq += 1;
        let header = |name: &str| subscribe.header(name).unwrap_or_default();
        format!(
            "NOTIFY {} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKn{}\r\n\
             From: {};tag=server\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} NOTIFY\r\nMax-Forwards: 70\r\n\
             Contact: <sip:as@127.0.0.1:5060>\r\nEvent: as-feature-event\r\n\
             Subscription-State: active;expires=86400\r\n\
             Content-Type: application/x-as-feature-event+xml\r\nContent-Length: {}\r\n\r\n{BODY}",
            subscribe.contact_uri().unwrap(),
            self.cseq,
            header("To"),
            header("From"),
            header("Call-ID"),
            self.cseq,
            BODY.len(),
        )
    }

    /// The next account in turn is notified.
    fn notify_next(&mut self) {
        self.now += GAP;
        let index = self.next % self.subscribes.len();
        self.next += 1;
        let subscribe = self.subscribes[index].clone();
        let notify = self.notify(&subscribe);
        let before = self.states;
        self.say(notify);
        // The base is driven so: after each input the deadlines that have passed.
        if self.drain().is_some_and(|deadline| deadline <= self.now) {
            self.agent.handle_timeout(self.now);
            self.drain();
        }
        assert_eq!(self.states, before + 1, "a NOTIFY that nobody took");
    }
}

/// One NOTIFY: read, matched to its account, answered, applied.
#[divan::bench(args = [20, 2_000, 20_000], sample_count = 40, sample_size = 500)]
fn notify(bencher: Bencher<'_, '_>, accounts: usize) {
    let mut crowd = Crowd::synchronised(accounts);
    // As many transactions linger in each crowd, for Timer J.
    for _ in 0..40_000 {
        crowd.notify_next();
    }
    bencher.bench_local(|| crowd.notify_next());
}

/// A copy of the whole agent.
#[divan::bench(args = [1, 2, 20])]
fn fork(bencher: Bencher<'_, '_>, accounts: usize) {
    let mut crowd = Crowd::synchronised(accounts);
    crowd.now += Duration::from_secs(60);
    crowd.agent.handle_timeout(crowd.now);
    crowd.drain();
    bencher.bench_local(|| crowd.agent.clone());
}
