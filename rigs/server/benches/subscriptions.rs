//! What a live subscription costs the server in memory: 20,000 users register and subscribe with digest, one after the
//! other on lab time, and the resident memory of this process is compared before and after.
//!
//! `cargo bench -p server --bench subscriptions`
//!
//! No clock is read. The accounts are there before; the transactions of all have ended after.
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]
#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]

use bytes::Bytes;
use server::{AppServer, Dialect, ServerConfig, UserConfig};
use sip::digest::{Answerer, Credentials};
use sip::message::{Builder, Message, Method};
use sip::node::{Flow, Input, Node as _, Output, Transport};
use sip::time::Instant;
use std::net::SocketAddr;
use std::time::Duration;

const USERS: usize = 20_000;
/// Between two users: few transactions are open at a time.
const GAP: Duration = Duration::from_millis(10);

fn main() {
    let mut lab = Lab::new();
    for user in 0..USERS {
        let config = UserConfig::new(&name(user), "secret");
        lab.server.add_user(Instant::EPOCH, config);
    }
    let accounts = resident();
    for user in 0..USERS {
        lab.exchange(&Method::Register, user);
    }
    lab.settle();
    let registered = resident();
    for user in 0..USERS {
        lab.exchange(&Method::Subscribe, user);
    }
    lab.settle();
    let subscribed = resident();
    let live = |user: &usize| lab.server.subscriptions(&name(*user)).len() == 1;
    assert_eq!((0..USERS).filter(live).count(), USERS, "not all subscribed");
    println!("{USERS} users");
    println!("bytes a registration: {}", each(accounts, registered));
    println!("bytes a subscription: {}", each(registered, subscribed));
}

fn each(before: usize, after: usize) -> usize {
    after.saturating_sub(before) / USERS
}

fn name(user: usize) -> String {
    (100_000 + user).to_string()
}

/// Bytes of this process in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.unwrap().trim().trim_end_matches(" kB");
    number.parse::<usize>().unwrap() * 1024
}

struct Lab {
    server: AppServer,
    now: Instant,
    sent: u32,
}

impl Lab {
    fn new() -> Self {
        let listen = vec![(Transport::Udp, address(1))];
        let config = ServerConfig::one_site(Dialect::broadsoft(), listen, "", 1);
        Self {
            server: AppServer::new(config),
            now: Instant::EPOCH,
            sent: 0,
        }
    }

    /// A request that is challenged, and once more with credentials.
    fn exchange(&mut self, method: &Method, user: usize) {
        self.let_pass(GAP);
        let mut answerer = Answerer::new(Credentials::new(&name(user), "secret"), 7);
        let call_id = format!("{:032x}-{method}", user * 7919);
        for cseq in 1..=2 {
            let uri = format!("sip:{}@127.0.0.1", name(user));
            let credentials = answerer.authorize(method, &uri, &[]);
            self.sent += 1;
            let mut builder = Builder::request(method, &uri)
                .header(
                    "Via",
                    &format!(
                        "SIP/2.0/UDP {};branch=z9hG4bK{:016x}",
                        address(2),
                        self.sent
                    ),
                )
                .header("From", &format!("<{uri}>;tag={user:08x}"))
                .header("To", &format!("<{uri}>"))
                .header("Call-ID", &call_id)
                .header("CSeq", &format!("{cseq} {method}"))
                .header("Contact", &format!("<sip:{}@{}>", name(user), address(2)))
                .header("Max-Forwards", "70")
                .header("Expires", "3600");
            if *method == Method::Subscribe {
                let accept = "application/x-as-feature-event+xml, multipart/mixed";
                builder = builder
                    .header("Event", "as-feature-event")
                    .header("Accept", accept);
            }
            if let Some((header, value)) = &credentials {
                builder = builder.header(header, value);
            }
            let request = builder.build().unwrap();
            for answer in self.say(request.wire().clone()) {
                if answer.status() == Some(401) {
                    answerer.handle_challenge(&answer).unwrap();
                }
            }
        }
        self.let_pass(Duration::ZERO);
    }

    /// Gives the server a message, answers its NOTIFYs, and returns its responses.
    fn say(&mut self, bytes: Bytes) -> Vec<Message> {
        let flow = Flow {
            transport: Transport::Udp,
            local: address(1),
            remote: address(2),
        };
        self.server
            .handle_input(self.now, Input::Sip { flow, bytes });
        self.drain().0
    }

    fn drain(&mut self) -> (Vec<Message>, Option<Instant>) {
        let mut responses = Vec::new();
        loop {
            match self.server.poll_output() {
                Output::Timeout(deadline) => return (responses, deadline),
                Output::Sip(transmit) => {
                    let message = Message::parse(transmit.bytes).unwrap();
                    if message.method().is_none() {
                        responses.push(message);
                        continue;
                    }
                    let answer = Builder::response_to(&message, 200, "OK", None);
                    let bytes = answer.build().unwrap().wire().clone();
                    let flow = transmit.flow;
                    self.server
                        .handle_input(self.now, Input::Sip { flow, bytes });
                }
                _ => {}
            }
        }
    }

    fn let_pass(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(at) = self.drain().1.filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.server.handle_input(self.now, Input::Timeout);
        }
        self.now = end;
    }

    /// Long enough for every transaction to end.
    fn settle(&mut self) {
        self.let_pass(Duration::from_secs(40));
    }
}

fn address(host: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, host], 5060))
}
