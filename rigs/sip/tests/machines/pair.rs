//! A subscriber and a notifier, each behind its endpoint, over a network that may be bad. Days pass in milliseconds.

use crate::messages::{at, seconds};
use crate::network::{Network, Weather};
use bytes::Bytes;
use sip::endpoint::{Endpoint, Indication, Output, TransactionId};
use sip::message::{Builder, Message, Method};
use sip::node::{Flow, Transport};
use sip::subscription::{
    Content, Grant, Notifier, NotifierOutput, NotifierPolicy, NotifyAnswer, NotifyRequest, Purpose,
    SubscribeKind, SubscribeRequest, Subscriber, SubscriberIndication, SubscriberOutput,
    SubscriberPolicy,
};
use sip::time::Instant;
use sip::timer::Timers;
use std::collections::BTreeMap;

const EVENT: &str = "as-feature-event";
const AOR: &str = "sip:anna@example.com";
const PHONE: &str = "10.0.0.1:5060";
const SERVER: &str = "10.0.0.2:5060";

/// The state of the resource is a number in plain text.
fn number(body: &[u8]) -> u32 {
    std::str::from_utf8(body).unwrap().parse().unwrap()
}

fn flow(transport: Transport, local: &str, remote: &str) -> Flow {
    Flow {
        transport,
        local: local.parse().unwrap(),
        remote: remote.parse().unwrap(),
    }
}

#[derive(Clone)]
struct Phone {
    endpoint: Endpoint,
    subscriber: Subscriber,
    flow: Flow,
    sent: Vec<(Instant, Purpose)>,
    shown: Vec<u32>,
}

impl Phone {
    fn write(&mut self, request: &SubscribeRequest) -> Message {
        let branch = self.endpoint.new_branch();
        let to = request.remote_tag.as_ref();
        let to = to.map_or_else(|| format!("<{AOR}>"), |tag| format!("<{AOR}>;tag={tag}"));
        let via = format!("SIP/2.0/UDP {PHONE};rport;branch={branch}");
        let mut builder = Builder::request(&Method::Subscribe, &request.request_uri)
            .header("Via", &via)
            .header("From", &format!("<{AOR}>;tag={}", request.local_tag))
            .header("To", &to)
            .header("Call-ID", &request.call_id)
            .header("CSeq", &format!("{} SUBSCRIBE", request.cseq))
            .header("Contact", &format!("<sip:anna@{PHONE}>"))
            .header("Event", EVENT)
            .header("Expires", &request.expires.to_string());
        if let Some((content_type, body)) = &request.body {
            builder = builder.body(content_type, body.clone());
        }
        builder.build().unwrap()
    }

    /// Drains both machines; bytes go to the network, and the earliest deadline comes back.
    fn drain(&mut self, now: Instant, network: &mut Network) -> Option<Instant> {
        loop {
            let subscriber_deadline = match self.subscriber.poll_output() {
                SubscriberOutput::Send(request) => {
                    self.sent.push((now, request.purpose));
                    let message = self.write(&request);
                    self.endpoint.send_request(now, self.flow, message);
                    continue;
                }
                SubscriberOutput::Indication(SubscriberIndication::State { body, .. }) => {
                    self.shown.push(number(&body));
                    continue;
                }
                SubscriberOutput::Indication(_) => continue,
                SubscriberOutput::Timeout(deadline) => deadline,
            };
            match self.endpoint.poll_output() {
                Output::CloseFlow(flow) => panic!("{flow:?} is to be closed"),
                Output::Transmit(transmit) => network.send(now, &transmit),
                Output::Indication(indication) => self.on_indication(now, indication),
                Output::Timeout(deadline) => {
                    return [subscriber_deadline, deadline].into_iter().flatten().min();
                }
            }
        }
    }

    fn on_indication(&mut self, now: Instant, indication: Indication) {
        match indication {
            Indication::Request {
                transaction,
                message,
                ..
            } => {
                let answer = self.subscriber.handle_notify(now, &message);
                let code = match answer {
                    NotifyAnswer::NotMine => 481,
                    NotifyAnswer::Answer { code, .. } => code,
                };
                let response = Builder::response_to(&message, code, "Reason", None);
                self.endpoint
                    .respond(now, transaction, response.build().unwrap());
            }
            Indication::Response { message, .. } => {
                self.subscriber.handle_response(now, &message);
            }
            Indication::Failed { cause, .. } => self.subscriber.handle_failure(now, cause),
            Indication::Stray { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }
}

#[derive(Clone)]
struct Server {
    endpoint: Endpoint,
    policy: NotifierPolicy,
    notifiers: Vec<Notifier>,
    serves: BTreeMap<TransactionId, (String, u32)>,
    flow: Flow,
    number: u32,
    notifies_first: bool,
}

impl Server {
    fn content(&self) -> Option<Content> {
        Some(Content {
            content_type: "text/plain".to_owned(),
            body: self.number.to_string().into(),
        })
    }

    fn write(&mut self, request: &NotifyRequest) -> Message {
        let branch = self.endpoint.new_branch();
        let from = format!("<{}>;tag={}", request.local_uri, request.local_tag);
        let to = format!("<{}>;tag={}", request.remote_uri, request.remote_tag);
        let mut builder = Builder::request(&Method::Notify, &request.request_uri)
            .header(
                "Via",
                &format!("SIP/2.0/UDP {SERVER};rport;branch={branch}"),
            )
            .header("From", &from)
            .header("To", &to)
            .header("Call-ID", &request.call_id)
            .header("CSeq", &format!("{} NOTIFY", request.cseq))
            .header("Contact", &format!("<sip:{SERVER}>"))
            .header("Event", &request.event)
            .header("Subscription-State", &request.subscription_state);
        if let Some(content) = &request.content {
            builder = builder.body(&content.content_type, content.body.clone());
        }
        builder.build().unwrap()
    }

    /// Changes the state and tells the watchers.
    fn set(&mut self, now: Instant, number: u32) {
        self.number = number;
        let content = self.content();
        for notifier in &mut self.notifiers {
            notifier.notify(now, content.clone());
        }
    }

    fn drain(&mut self, now: Instant, network: &mut Network) -> Option<Instant> {
        loop {
            if let Some(request) = self.next_notify() {
                let message = self.write(&request);
                let id = self.endpoint.send_request(now, self.flow, message);
                self.serves.insert(id, (request.call_id, request.cseq));
                continue;
            }
            match self.endpoint.poll_output() {
                Output::CloseFlow(flow) => panic!("{flow:?} is to be closed"),
                Output::Transmit(transmit) => network.send(now, &transmit),
                Output::Indication(indication) => self.on_indication(now, indication),
                Output::Timeout(deadline) => {
                    self.notifiers.retain(|notifier| !notifier.is_ended());
                    let expiries = self.notifiers.iter().filter_map(Notifier::expires_at);
                    return expiries.chain(deadline).min();
                }
            }
        }
    }

    fn next_notify(&mut self) -> Option<NotifyRequest> {
        for notifier in &mut self.notifiers {
            loop {
                match notifier.poll_output() {
                    NotifierOutput::Send(request) => return Some(*request),
                    NotifierOutput::Indication(_) => {}
                    NotifierOutput::Timeout(_) => break,
                }
            }
        }
        None
    }

    fn on_indication(&mut self, now: Instant, indication: Indication) {
        match indication {
            Indication::Request {
                transaction,
                message,
                ..
            } => self.on_subscribe(now, transaction, &message),
            Indication::Response {
                transaction,
                message,
                ..
            } => {
                let served = self.serves.get(&transaction).cloned();
                if let Some((call_id, _)) = served
                    && let Some(notifier) = self.notifier(&call_id)
                {
                    notifier.handle_response(now, &message);
                }
            }
            Indication::Failed { transaction, cause } => {
                if let Some((call_id, cseq)) = self.serves.remove(&transaction)
                    && let Some(notifier) = self.notifier(&call_id)
                {
                    notifier.handle_failure(now, cseq, cause);
                }
            }
            Indication::Stray { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }

    fn notifier(&mut self, call_id: &str) -> Option<&mut Notifier> {
        self.notifiers
            .iter_mut()
            .find(|notifier| notifier.dialog().call_id == call_id)
    }

    fn on_subscribe(&mut self, now: Instant, transaction: TransactionId, message: &Message) {
        let known = self
            .notifiers
            .iter()
            .position(|notifier| notifier.owns(message));
        let (index, answer) = match known {
            Some(index) => (index, self.notifiers[index].handle_subscribe(now, message)),
            None if message.to_tag().is_some() => {
                let gone = Builder::response_to(message, 481, "Gone", None);
                self.endpoint
                    .respond(now, transaction, gone.build().unwrap());
                return;
            }
            None => {
                let tag = self.endpoint.new_tag();
                let policy = self.policy.clone();
                let (notifier, answer) = Notifier::accept(now, policy, message, tag).unwrap();
                self.notifiers.push(notifier);
                (self.notifiers.len() - 1, answer)
            }
        };
        if answer.kind == SubscribeKind::Changed {
            self.number = number(message.body());
        }
        let tag = self.notifiers[index].dialog().local_tag.clone();
        let mut response = Builder::response_to(message, answer.code, answer.reason, Some(&tag))
            .header("Contact", &format!("<sip:{SERVER}>"));
        for (name, value) in &answer.headers {
            response = response.header(name, value);
        }
        let response = response.build().unwrap();
        let content = self.content();
        self.notifiers[index].notify(now, content);
        if self.notifies_first
            && let Some(request) = self.next_notify()
        {
            let notify = self.write(&request);
            let id = self.endpoint.send_request(now, self.flow, notify);
            self.serves.insert(id, (request.call_id, request.cseq));
        }
        self.endpoint.respond(now, transaction, response);
    }
}

#[derive(Clone)]
struct Pair {
    phone: Phone,
    server: Server,
    network: Network,
    now: Instant,
    deadlines: [Option<Instant>; 2],
}

impl Pair {
    fn new(weather: Weather, transport: Transport, seed: u64) -> Self {
        let phone = Phone {
            endpoint: Endpoint::new(Timers::default(), seed),
            subscriber: Subscriber::new(SubscriberPolicy::new(EVENT), AOR, seed),
            flow: flow(transport, PHONE, SERVER),
            sent: Vec::new(),
            shown: Vec::new(),
        };
        let server = Server {
            endpoint: Endpoint::new(Timers::default(), seed + 1000),
            policy: NotifierPolicy::new(EVENT),
            notifiers: Vec::new(),
            serves: BTreeMap::new(),
            flow: flow(transport, SERVER, PHONE),
            number: 1,
            notifies_first: false,
        };
        Self {
            phone,
            server,
            network: Network::new(weather, seed),
            now: at(0),
            deadlines: [None, None],
        }
    }

    fn drain(&mut self) {
        self.deadlines = [
            self.phone.drain(self.now, &mut self.network),
            self.server.drain(self.now, &mut self.network),
        ];
    }

    fn subscribe(&mut self) {
        self.phone.subscriber.subscribe(self.now);
        self.drain();
    }

    fn set(&mut self, number: u32) {
        self.server.set(self.now, number);
        self.drain();
    }

    fn change(&mut self, number: u32) {
        let body: Bytes = number.to_string().into();
        self.phone.subscriber.change(self.now, "text/plain", body);
        self.drain();
    }

    fn step(&mut self, end: Instant) -> bool {
        let next = self
            .deadlines
            .into_iter()
            .chain([self.network.next_arrival()]);
        let Some(next) = next.flatten().min().filter(|next| *next <= end) else {
            self.now = end;
            return false;
        };
        self.now = self.now.max(next);
        if let Some((flow, bytes)) = self.network.arrived(self.now) {
            let to_phone = flow.local == self.phone.flow.local;
            let node = if to_phone {
                &mut self.phone.endpoint
            } else {
                &mut self.server.endpoint
            };
            node.handle_sip(self.now, flow, bytes);
        } else {
            self.phone.endpoint.handle_timeout(self.now);
            self.phone.subscriber.handle_timeout(self.now);
            self.server.endpoint.handle_timeout(self.now);
            for notifier in &mut self.server.notifiers {
                notifier.handle_timeout(self.now);
            }
        }
        self.drain();
        true
    }

    fn drive(&mut self, seconds_on: u64) {
        let end = self.now + seconds(seconds_on);
        while self.step(end) {}
    }

    fn count(&self, purpose: Purpose) -> usize {
        let sent = self.phone.sent.iter();
        sent.filter(|(_, sent)| *sent == purpose).count()
    }
}

#[test]
fn a_day_passes_with_a_refresh_every_24_minutes_and_one_dialog() {
    let mut pair = Pair::new(Weather::FAIR, Transport::Udp, 1);
    pair.subscribe();
    pair.drive(24 * 3600);
    assert!(pair.phone.subscriber.is_active());
    assert_eq!(pair.count(Purpose::Initial), 1);
    assert_eq!(pair.count(Purpose::Refresh), 59);
    assert_eq!(pair.phone.shown.len(), 60, "the state comes with each");
    assert_eq!(pair.server.notifiers.len(), 1);
}

#[test]
fn the_grant_is_kept_although_more_was_asked_for() {
    let mut pair = Pair::new(Weather::FAIR, Transport::Udp, 1);
    pair.server.policy.grant = Grant::Exactly(60);
    pair.subscribe();
    pair.drive(3600);
    assert_eq!(pair.count(Purpose::Initial), 1);
    assert!(pair.count(Purpose::Refresh) >= 70);
}

#[test]
fn foul_weather_delays_what_both_sides_show_and_never_parts_them() {
    for seed in 0..50 {
        let mut pair = Pair::new(Weather::FOUL, Transport::Udp, seed);
        pair.subscribe();
        pair.drive(40);
        for round in 1..=20 {
            pair.set(round * 10);
            pair.drive(1);
            pair.change(round * 10 + 1);
            pair.drive(60);
            let shown = pair.phone.shown.last();
            assert_eq!(shown, Some(&pair.server.number), "seed {seed}");
        }
        assert!(pair.network.lost > 10, "the weather was foul");
    }
}

#[test]
fn what_is_shown_comes_in_the_order_in_which_the_server_said_it_and_once() {
    for seed in 0..50 {
        let mut pair = Pair::new(Weather::FOUL, Transport::Udp, seed);
        pair.subscribe();
        pair.drive(40);
        for number in 2..30 {
            pair.set(number);
        }
        pair.drive(400);
        let mut expected = pair.phone.shown.clone();
        expected.sort_unstable();
        assert_eq!(pair.phone.shown, expected, "seed {seed}");
        assert_eq!(pair.phone.shown.last(), Some(&29));
    }
}

#[test]
fn a_notify_that_overtakes_its_200_costs_nothing() {
    let mut pair = Pair::new(Weather::FAIR, Transport::Udp, 1);
    pair.server.notifies_first = true;
    pair.subscribe();
    pair.drive(24 * 3600);
    assert_eq!(pair.count(Purpose::Initial), 1);
    assert_eq!(pair.count(Purpose::Refresh), 59);
}

#[test]
fn streams_in_pieces_carry_the_same_life() {
    let mut pair = Pair::new(Weather::FAIR, Transport::Tcp, 1);
    pair.subscribe();
    pair.drive(10);
    pair.change(7);
    pair.drive(24 * 3600);
    assert_eq!(pair.server.number, 7);
    assert_eq!(pair.phone.shown.last(), Some(&7));
    assert_eq!(pair.count(Purpose::Initial), 1);
}

#[test]
fn a_server_that_forgot_everything_is_subscribed_to_anew() {
    let mut pair = Pair::new(Weather::FAIR, Transport::Udp, 1);
    pair.subscribe();
    pair.drive(60);
    pair.server.notifiers.clear();
    pair.server.number = 9;
    pair.change(5);
    pair.drive(5);
    assert_eq!(pair.count(Purpose::Initial), 2);
    assert_eq!(
        pair.phone.shown.last(),
        Some(&9),
        "the change is not repeated"
    );
}

#[test]
fn a_partition_ends_the_subscription_on_both_sides_and_it_heals_by_itself() {
    let mut pair = Pair::new(Weather::FAIR, Transport::Udp, 1);
    pair.subscribe();
    pair.drive(1000);
    pair.network.partitioned = true;
    pair.set(5);
    pair.drive(3600);
    assert!(pair.server.notifiers.is_empty());
    assert!(!pair.phone.subscriber.is_active());
    let during: Vec<_> = pair.phone.sent.iter().map(|(at, _)| *at).collect();
    for window in during.windows(2).skip(2) {
        assert!(window[1].since(window[0]) >= seconds(30));
    }
    pair.network.partitioned = false;
    pair.drive(400);
    assert_eq!(pair.phone.shown.last(), Some(&5));
}

#[test]
fn giving_up_leaves_nothing_behind_on_either_side() {
    for seed in 0..20 {
        let mut pair = Pair::new(Weather::FOUL, Transport::Udp, seed);
        pair.subscribe();
        pair.drive(40);
        pair.phone.subscriber.unsubscribe(pair.now);
        pair.drain();
        pair.drive(200);
        assert!(pair.phone.subscriber.is_idle());
        assert!(pair.server.notifiers.is_empty());
        assert_eq!(pair.deadlines, [None, None], "seed {seed}");
        assert_eq!(pair.phone.endpoint.open_transactions(), 0);
        assert_eq!(pair.server.endpoint.open_transactions(), 0);
    }
}

#[test]
fn the_same_seed_gives_the_same_course_and_a_fork_goes_on_alike() {
    let course = |pair: &Pair| (pair.phone.sent.clone(), pair.network.lost);
    let run = |seed| {
        let mut pair = Pair::new(Weather::FOUL, Transport::Udp, seed);
        pair.subscribe();
        pair.drive(1800);
        pair
    };
    let mut one = run(3);
    assert_eq!(course(&one), course(&run(3)));
    assert_ne!(course(&one), course(&run(4)));
    let mut fork = one.clone();
    one.drive(36_000);
    fork.drive(36_000);
    assert_eq!(course(&one), course(&fork));
}
