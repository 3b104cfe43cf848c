//! The subscriber against a hand-played server.

mod anything;
mod life;
mod notifies;
mod refusals;

use crate::messages::at;
use sip::message::{Builder, Message, Method};
use sip::subscription::{
    ChangeFailure, EndReason, NotifyAnswer, Purpose, SubscribeRequest, Subscriber,
    SubscriberIndication, SubscriberOutput, SubscriberPolicy,
};
use sip::time::Instant;

const EVENT: &str = "as-feature-event";
const AOR: &str = "sip:anna@example.com";

/// A subscriber, what it sent and said, and the hand that plays its server.
#[derive(Clone)]
struct Table {
    subscriber: Subscriber,
    now: Instant,
    notify_cseq: u32,
    sent: Vec<SubscribeRequest>,
    told: Vec<SubscriberIndication>,
    deadline: Option<Instant>,
}

/// What may be odd about a NOTIFY.
struct Notify<'a> {
    state: &'a str,
    event: &'a str,
    tag: &'a str,
    cseq: Option<u32>,
    content_type: &'a str,
    body: &'a str,
}

const ACTIVE: Notify<'_> = Notify {
    state: "active;expires=1800",
    event: EVENT,
    tag: "as",
    cseq: None,
    content_type: "application/x-as-feature-event+xml",
    body: "",
};

impl Table {
    fn new(policy: SubscriberPolicy) -> Self {
        Self {
            subscriber: Subscriber::new(policy, AOR, 7),
            now: at(0),
            notify_cseq: 100,
            sent: Vec::new(),
            told: Vec::new(),
            deadline: None,
        }
    }

    fn sound() -> Self {
        Self::new(SubscriberPolicy::new(EVENT))
    }

    fn with(change: impl FnOnce(&mut SubscriberPolicy)) -> Self {
        let mut policy = SubscriberPolicy::new(EVENT);
        change(&mut policy);
        Self::new(policy)
    }

    fn drain(&mut self) {
        loop {
            match self.subscriber.poll_output() {
                SubscriberOutput::Send(request) => self.sent.push(request),
                SubscriberOutput::Indication(indication) => self.told.push(indication),
                SubscriberOutput::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
            }
        }
    }

    fn act(&mut self, verb: impl FnOnce(&mut Subscriber, Instant)) {
        verb(&mut self.subscriber, self.now);
        self.drain();
    }

    /// Lets time pass up to this second, deadline by deadline.
    fn until(&mut self, second: u64) {
        let end = at(second * 1000);
        while let Some(deadline) = self.deadline.filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.act(Subscriber::handle_timeout);
        }
        self.now = end;
        self.act(Subscriber::handle_timeout);
    }

    fn last(&self) -> &SubscribeRequest {
        self.sent.last().unwrap()
    }

    fn answer(&mut self, code: u16, headers: &[(&str, &str)]) {
        let request = self.last();
        let mut builder = Builder::response(code, "Reason")
            .header("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1")
            .header("From", &format!("<{AOR}>;tag={}", request.local_tag))
            .header("To", &format!("<{AOR}>;tag=as"))
            .header("Call-ID", &request.call_id)
            .header("CSeq", &format!("{} SUBSCRIBE", request.cseq))
            .header("Contact", "<sip:10.0.0.2:5060>");
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        let response = builder.build().unwrap();
        self.act(|subscriber, now| subscriber.handle_response(now, &response));
    }

    fn text_of(&mut self, notify: &Notify<'_>) -> Message {
        self.notify_cseq += 1;
        let cseq = notify.cseq.unwrap_or(self.notify_cseq);
        let request = self.last();
        let mut builder = Builder::request(&Method::Notify, "sip:anna@10.0.0.1")
            .header("Via", "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK9")
            .header("Record-Route", "<sip:10.0.0.8;lr>")
            .header("From", &format!("<{AOR}>;tag={}", notify.tag))
            .header("To", &format!("<{AOR}>;tag={}", request.local_tag))
            .header("Call-ID", &request.call_id)
            .header("CSeq", &format!("{cseq} NOTIFY"))
            .header("Contact", "<sip:as@10.0.0.2:5060>")
            .header("Event", notify.event);
        if !notify.state.is_empty() {
            builder = builder.header("Subscription-State", notify.state);
        }
        if !notify.body.is_empty() {
            builder = builder.body(notify.content_type, notify.body.to_owned());
        }
        builder.build().unwrap()
    }

    fn deliver(&mut self, notify: &Message) -> Option<u16> {
        let answer = self.subscriber.handle_notify(self.now, notify);
        self.drain();
        match answer {
            NotifyAnswer::NotMine => None,
            NotifyAnswer::Answer { code, .. } => Some(code),
        }
    }

    fn notify(&mut self, notify: &Notify<'_>) -> Option<u16> {
        let message = self.text_of(notify);
        self.deliver(&message)
    }

    fn terminate(&mut self, state: &str) -> Option<u16> {
        self.notify(&Notify { state, ..ACTIVE })
    }

    /// Subscribed: 200 and the first NOTIFY have come.
    fn subscribed(mut self) -> Self {
        self.act(Subscriber::subscribe);
        self.answer(200, &[("Expires", "1800")]);
        assert_eq!(self.notify(&ACTIVE), Some(200));
        assert!(self.subscriber.is_active());
        self
    }

    fn initials(&self) -> Vec<&SubscribeRequest> {
        let initial = |request: &&SubscribeRequest| request.purpose == Purpose::Initial;
        self.sent.iter().filter(initial).collect()
    }

    fn change(&mut self, body: &'static str) {
        self.act(|subscriber, now| subscriber.change(now, "application/xml", body));
    }

    fn failed_changes(&self) -> Vec<ChangeFailure> {
        let failure = |indication: &SubscriberIndication| match indication {
            SubscriberIndication::ChangeFailed { cause } => Some(*cause),
            _ => None,
        };
        self.told.iter().filter_map(failure).collect()
    }

    fn ends(&self) -> Vec<(EndReason, Option<Instant>)> {
        let end = |indication: &SubscriberIndication| match indication {
            SubscriberIndication::Ended { reason, retry_at } => Some((reason.clone(), *retry_at)),
            _ => None,
        };
        self.told.iter().filter_map(end).collect()
    }
}
