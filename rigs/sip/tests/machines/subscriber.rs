//! The subscriber against a hand-played server.

use crate::messages::{at, seconds};
use sip::endpoint::Failure;
use sip::message::{Builder, Message, Method};
use sip::subscription::{
    ChangeDialog, ChangeFailure, Comeback, Content, EarlyNotify, EndReason, EventMatch, Lifetime,
    NotifyAnswer, NotifyOrder, On202, Purpose, RefreshRule, StateReading, SubscribeRequest,
    Subscriber, SubscriberIndication, SubscriberOutput, SubscriberPolicy, Unsubscribe,
};
use sip::time::Instant;
use std::time::Duration;

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

#[test]
fn the_initial_request_has_its_own_names_and_no_to_tag() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let first = table.last();
    assert_eq!(first.purpose, Purpose::Initial);
    assert_eq!((first.cseq, first.expires), (1, 1800));
    assert_eq!((first.remote_tag.as_ref(), &first.body), (None, &None));
    assert_eq!(first.request_uri, AOR);
    table.act(Subscriber::subscribe);
    assert_eq!(table.sent.len(), 1, "one attempt at a time");
}

#[test]
fn the_notify_makes_the_subscription_and_not_the_2xx() {
    for code in [200, 202] {
        let mut table = Table::sound();
        table.act(Subscriber::subscribe);
        table.answer(code, &[("Expires", "1800")]);
        assert!(!table.subscriber.is_active());
        assert_eq!(table.notify(&ACTIVE), Some(200));
        assert!(table.subscriber.is_active());
        assert_eq!(table.sent.len(), 1);
    }
}

#[test]
fn a_notify_before_the_2xx_makes_the_subscription() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let code = table.notify(&Notify {
        body: "<state/>",
        ..ACTIVE
    });
    assert_eq!(code, Some(200));
    let state = |told: &SubscriberIndication| matches!(told, SubscriberIndication::State { .. });
    assert_eq!(table.told.iter().filter(|told| state(told)).count(), 1);
    table.answer(200, &[("Expires", "1800")]);
    assert!(table.subscriber.is_active());
    table.until(1430);
    assert_eq!(table.sent.len(), 1);
    table.until(1450);
    assert_eq!(table.last().purpose, Purpose::Refresh);
}

#[test]
fn a_subscriber_that_refuses_the_early_notify_does_so_with_the_code_it_was_given() {
    for (refusal, code) in [(481, None), (482, Some(482))] {
        let mut table = Table::with(|policy| policy.early_notify = EarlyNotify::Refuse(refusal));
        table.act(Subscriber::subscribe);
        assert_eq!(table.notify(&ACTIVE), code);
        assert!(!table.subscriber.is_active());
        table.answer(200, &[]);
        assert_eq!(table.notify(&ACTIVE), Some(200));
    }
}

#[test]
fn a_2xx_without_a_notify_is_given_up_by_timer_n_and_tried_again_after_the_floor() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[("Expires", "10")]);
    table.until(31);
    assert_eq!(table.sent.len(), 1, "no refresh of a dialog that never was");
    table.until(32);
    assert_eq!(table.ends(), [(EndReason::NoNotify, Some(at(62_000)))]);
    table.until(61);
    assert_eq!(table.sent.len(), 1);
    table.until(62);
    let calls = table.initials();
    assert_ne!(calls[0].call_id, calls[1].call_id);
    assert_ne!(calls[0].local_tag, calls[1].local_tag);
}

#[test]
fn a_subscriber_without_timer_n_takes_the_2xx_for_a_subscription() {
    let mut table = Table::with(|policy| policy.timer_n = None);
    table.act(Subscriber::subscribe);
    table.answer(200, &[("Expires", "60")]);
    table.until(48);
    assert_eq!(table.last().purpose, Purpose::Refresh);
}

#[test]
fn in_dialog_requests_follow_the_notify_in_tag_target_route_and_number() {
    let mut table = Table::sound().subscribed();
    table.change("<change/>");
    let (first, change) = (&table.sent[0], &table.sent[1]);
    assert_eq!(change.purpose, Purpose::Change);
    assert_eq!(change.call_id, first.call_id);
    assert_eq!(change.local_tag, first.local_tag);
    assert_eq!(change.remote_tag.as_deref(), Some("as"));
    assert_eq!(change.cseq, 2);
    assert_eq!(change.request_uri, "sip:as@10.0.0.2:5060");
    assert_eq!(change.route, ["<sip:10.0.0.8;lr>"]);
    assert_eq!(change.expires, 1800);
    let body = ("application/xml".to_owned(), "<change/>".into());
    assert_eq!(change.body, Some(body));
}

#[test]
fn changes_go_out_one_at_a_time_in_the_order_of_the_user() {
    let mut table = Table::sound().subscribed();
    for body in ["1", "2", "3"] {
        table.change(body);
    }
    assert_eq!(table.sent.len(), 2);
    table.answer(200, &[]);
    table.answer(500, &[]);
    let bodies: Vec<_> = table.sent[1..]
        .iter()
        .map(|request| request.body.clone().unwrap().1)
        .collect();
    assert_eq!(bodies, ["1", "2", "3"]);
    assert_eq!(table.failed_changes(), [ChangeFailure::Refused(500)]);
}

#[test]
fn a_change_waits_for_the_subscription_and_fails_without_one() {
    let mut table = Table::sound();
    table.change("1");
    assert_eq!(table.failed_changes(), [ChangeFailure::NoSubscription]);
    table.act(Subscriber::subscribe);
    table.change("2");
    table.answer(200, &[]);
    assert_eq!(table.sent.len(), 1);
    table.notify(&ACTIVE);
    assert_eq!(table.last().purpose, Purpose::Change);
    table.terminate("terminated;reason=noresource");
    assert_eq!(table.failed_changes().len(), 2);
    table.answer(200, &[]);
    assert!(table.subscriber.is_idle());
}

#[test]
fn a_challenge_repeats_the_same_request_with_the_next_number() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.act(Subscriber::repeat);
    assert_eq!(table.sent[1].cseq, 2);
    assert_eq!(table.sent[1].call_id, table.sent[0].call_id);
    assert_eq!(table.sent[1].local_tag, table.sent[0].local_tag);
    table.answer(200, &[]);
    table.notify(&ACTIVE);
    table.change("1");
    table.act(Subscriber::repeat);
    assert_eq!(table.last().cseq, 4);
    assert_eq!(table.last().body, table.sent[2].body);
    table.act(Subscriber::repeat);
    assert_eq!(table.last().cseq, 5);
}

#[test]
fn the_granted_time_drives_the_refresh() {
    for (granted, refreshed_at) in [(60, 48), (10, 6), (4, 2), (1800, 1440)] {
        let mut table = Table::sound();
        table.act(Subscriber::subscribe);
        table.answer(200, &[("Expires", &granted.to_string())]);
        table.notify(&Notify {
            state: "active",
            ..ACTIVE
        });
        assert_eq!(table.deadline, Some(at(refreshed_at * 1000)), "{granted}");
    }
}

#[test]
fn the_notify_has_the_better_word_on_the_time_that_is_left() {
    let mut table = Table::sound().subscribed();
    table.until(100);
    table.notify(&Notify {
        state: "active;expires=1700",
        ..ACTIVE
    });
    assert_eq!(table.deadline, Some(at(1_440_000)), "nothing new");
    table.notify(&Notify {
        state: "active;expires=120",
        ..ACTIVE
    });
    assert_eq!(table.deadline, Some(at(196_000)));
}

#[test]
fn a_2xx_may_shorten_and_never_lengthen() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[("Expires", "999999")]);
    table.notify(&Notify {
        state: "active",
        ..ACTIVE
    });
    assert_eq!(table.deadline, Some(at(1_440_000)));
}

#[test]
fn a_2xx_without_expires_means_what_was_asked_for() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[]);
    table.notify(&Notify {
        state: "active",
        ..ACTIVE
    });
    table.until(1439);
    assert_eq!(table.sent.len(), 1);
}

#[test]
fn each_refresh_is_followed_by_the_next() {
    let mut table = Table::sound().subscribed();
    for round in 1..=20_u64 {
        table.until(1440 * round);
        assert_eq!(table.sent.len() as u64, round + 1);
        assert_eq!(u64::from(table.last().cseq), round + 1);
        assert_eq!(table.last().body, None);
        table.answer(200, &[("Expires", "1800")]);
        table.notify(&ACTIVE);
    }
    assert_eq!(table.initials().len(), 1);
}

#[test]
fn every_wrong_refresh_is_a_value() {
    let ahead = RefreshRule::Ahead {
        percent: 80,
        margin: seconds(4),
    };
    for (rule, lifetime, refreshed_at) in [
        (ahead, Lifetime::Granted, 48),
        (ahead, Lifetime::Requested, 1440),
        (RefreshRule::AtPercent(20), Lifetime::Granted, 12),
        (RefreshRule::AtPercent(110), Lifetime::Granted, 66),
    ] {
        let mut table = Table::with(|policy| {
            policy.refresh = rule;
            policy.lifetime = lifetime;
        });
        table.act(Subscriber::subscribe);
        table.answer(200, &[("Expires", "60")]);
        table.notify(&Notify {
            state: "active;expires=60",
            ..ACTIVE
        });
        assert_eq!(table.deadline, Some(at(refreshed_at * 1000)), "{rule:?}");
        table.until(refreshed_at);
        assert_eq!(table.last().purpose, Purpose::Refresh, "{rule:?}");
    }
}

#[test]
fn a_subscription_that_is_not_refreshed_expires_and_is_begun_anew() {
    let mut table = Table::with(|policy| policy.refresh = RefreshRule::Never);
    table = table.subscribed();
    table.until(1800);
    assert_eq!(table.ends(), [(EndReason::Expired, Some(at(1_800_000)))]);
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn codes_that_end_a_subscription_lead_to_a_new_dialog_at_once() {
    for code in [
        404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604, 408,
    ] {
        let mut table = Table::sound().subscribed();
        table.change("1");
        table.answer(code, &[]);
        assert_eq!(table.failed_changes(), [ChangeFailure::Refused(code)]);
        let calls = table.initials();
        assert_eq!(calls.len(), 2, "{code}");
        assert_ne!(calls[0].call_id, calls[1].call_id);
        assert_ne!(calls[0].local_tag, calls[1].local_tag);
        assert_eq!(calls[1].body, None, "the change is not sent again");
        assert!(calls[1].route.is_empty(), "no old route");
    }
}

#[test]
fn other_refusals_leave_the_subscription_valid_until_its_expiry() {
    for code in [400, 403, 415, 500, 503, 603] {
        let mut table = Table::sound().subscribed();
        table.until(1440);
        table.answer(code, &[]);
        assert!(table.subscriber.is_active(), "{code}");
        assert_eq!(table.notify(&ACTIVE), Some(200));
        let mut table = Table::sound().subscribed();
        table.until(1440);
        table.answer(code, &[]);
        table.until(1469);
        assert_eq!(table.sent.len(), 2);
        table.until(1470);
        assert_eq!(table.last().purpose, Purpose::Refresh, "after the floor");
    }
    let mut table = Table::sound().subscribed();
    table.until(1440);
    table.answer(503, &[("Retry-After", "3600 (closed)")]);
    table.until(1799);
    assert_eq!(table.sent.len(), 2);
    table.until(1800);
    assert_eq!(table.initials().len(), 2, "a new one once it has expired");
}

#[test]
fn silence_in_the_dialog_ends_it() {
    for failure in [Failure::Timeout('F'), Failure::Transport] {
        let mut table = Table::sound().subscribed();
        table.change("1");
        table.act(|subscriber, now| subscriber.handle_failure(now, failure));
        assert_eq!(table.failed_changes(), [ChangeFailure::Unanswered(failure)]);
        assert_eq!(table.initials().len(), 2);
    }
}

#[test]
fn a_refresh_or_change_without_a_notify_ends_the_subscription_by_timer_n() {
    let mut table = Table::sound().subscribed();
    table.until(100);
    table.change("1");
    table.answer(200, &[("Expires", "1800")]);
    table.until(131);
    assert!(table.failed_changes().is_empty());
    table.until(132);
    assert_eq!(table.failed_changes(), [ChangeFailure::Unconfirmed]);
    assert_eq!(table.ends(), [(EndReason::NoNotify, Some(at(132_000)))]);
    assert_eq!(table.last().purpose, Purpose::Initial);
}

#[test]
fn timer_n_does_not_overtake_timer_f() {
    let mut table = Table::sound().subscribed();
    table.change("1");
    table.until(40);
    assert!(table.ends().is_empty(), "the transaction ends by itself");
}

#[test]
fn each_reason_of_a_terminated_subscription_has_its_row() {
    for (state, retry_second) in [
        ("terminated;reason=deactivated", Some(0)),
        ("terminated;reason=deactivated;retry-after=60", Some(0)),
        ("terminated;reason=timeout", Some(0)),
        ("terminated;reason=probation", Some(30)),
        ("terminated;reason=probation;retry-after=90", Some(90)),
        ("terminated;reason=giveup", Some(30)),
        ("terminated;reason=giveup;retry-after=120", Some(120)),
        ("terminated;reason=rejected", None),
        ("terminated;reason=rejected;retry-after=5", None),
        ("terminated;reason=noresource", None),
        ("terminated;reason=invariant", None),
        ("terminated;reason=whatever", Some(30)),
        ("terminated", Some(30)),
        ("terminated;retry-after=77", Some(77)),
    ] {
        let mut table = Table::sound().subscribed();
        assert_eq!(table.terminate(state), Some(200));
        let retry_at = retry_second.map(|second: u64| at(second * 1000));
        assert_eq!(table.ends()[0].1, retry_at, "{state}");
        if let Some(second) = retry_second.filter(|second| *second > 0) {
            table.until(second - 1);
            assert_eq!(table.initials().len(), 1, "{state}");
        }
        table.until(3600);
        let expected = if retry_second.is_some() { 2 } else { 1 };
        assert!(table.initials().len() >= expected, "{state}");
        assert_eq!(table.subscriber.is_idle(), retry_second.is_none());
    }
}

#[test]
fn a_server_that_ends_every_subscription_at_once_is_asked_once_per_floor() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let mut answered = 0;
    let mut times = Vec::new();
    for second in 0..300 {
        table.until(second);
        while answered < table.sent.len() {
            answered += 1;
            times.push(second);
            table.answer(200, &[]);
            table.terminate("terminated;reason=deactivated");
        }
    }
    for window in times.windows(3) {
        assert!(window[2] - window[0] >= 30, "{times:?}");
    }
    assert!(times.len() >= 9, "{times:?}");
}

#[test]
fn steady_failure_backs_off_up_to_the_ceiling() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let mut waits = Vec::new();
    for _ in 0..6 {
        let sent_at = table.now;
        table.answer(503, &[]);
        let next = table.deadline.unwrap();
        waits.push(next.since(sent_at).as_secs());
        table.until(next.as_micros() / 1_000_000);
    }
    assert_eq!(waits, [30, 60, 120, 240, 300, 300]);
}

#[test]
fn retry_after_of_a_503_is_waited_for() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(503, &[("Retry-After", "1000")]);
    assert_eq!(table.deadline, Some(at(1_000_000)));
}

#[test]
fn a_package_that_is_refused_is_not_asked_for_again() {
    for code in [489, 403] {
        let mut table = Table::sound();
        table.act(Subscriber::subscribe);
        table.answer(code, &[]);
        let refused = SubscriberIndication::Refused {
            code,
            retry_at: None,
        };
        assert_eq!(table.told, [refused]);
        table.until(100_000);
        assert_eq!(table.sent.len(), 1);
        table.act(Subscriber::subscribe);
        assert_eq!(table.sent.len(), 2, "unless the owner says so");
    }
}

#[test]
fn asking_again_for_a_refused_package_is_a_value() {
    let mut table = Table::with(|policy| policy.retry_refused = Some(seconds(60)));
    table.act(Subscriber::subscribe);
    for round in 1..=10 {
        table.answer(489, &[]);
        table.until(round * 60);
        assert_eq!(table.sent.len() as u64, round + 1);
    }
}

#[test]
fn a_423_is_followed_by_what_it_asks_for_once() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(423, &[("Min-Expires", "3600")]);
    assert_eq!(table.last().expires, 3600);
    assert_eq!(table.last().cseq, 2);
    assert_eq!(table.last().call_id, table.sent[0].call_id);
    table.answer(423, &[("Min-Expires", "3600")]);
    assert_eq!(table.sent.len(), 2, "the same demand again leads nowhere");
    table.until(299);
    assert_eq!(table.sent.len(), 2);
    table.until(300);
    assert_eq!(table.last().expires, 3600, "and is remembered");
}

#[test]
fn a_423_without_min_expires_does_not_loop() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    for _ in 0..10 {
        table.answer(423, &[]);
    }
    table.until(299);
    assert_eq!(table.sent.len(), 1);
}

#[test]
fn a_423_to_a_refresh_is_repeated_in_the_dialog() {
    let mut table = Table::sound().subscribed();
    table.until(1440);
    table.answer(423, &[("Min-Expires", "2000")]);
    assert_eq!(table.last().purpose, Purpose::Refresh);
    assert_eq!((table.last().cseq, table.last().expires), (3, 2000));
}

#[test]
fn a_subscription_is_given_up_in_its_dialog_and_its_closing_notify_is_accepted() {
    for reason in ["timeout", "noresource"] {
        let mut table = Table::sound().subscribed();
        table.act(Subscriber::unsubscribe);
        assert_eq!(table.last().purpose, Purpose::Unsubscribe);
        assert_eq!(table.last().expires, 0);
        assert_eq!(table.last().remote_tag.as_deref(), Some("as"));
        table.answer(200, &[("Expires", "0")]);
        let state = format!("terminated;reason={reason}");
        assert_eq!(table.terminate(&state), Some(200));
        assert!(table.subscriber.is_idle());
        table.until(10_000);
        assert_eq!(table.sent.len(), 2);
        table.act(Subscriber::subscribe);
        assert_eq!(table.sent.len(), 3, "{reason} does not block a later one");
    }
}

#[test]
fn the_closing_notify_may_come_before_the_2xx_and_may_fail_to_come() {
    let mut table = Table::sound().subscribed();
    table.act(Subscriber::unsubscribe);
    assert_eq!(table.terminate("terminated;reason=timeout"), Some(200));
    table.act(Subscriber::subscribe);
    assert_eq!(table.sent.len(), 2, "one request outstanding at a time");
    table.answer(200, &[]);
    assert_eq!(table.sent.len(), 3);

    let mut table = Table::sound().subscribed();
    table.act(Subscriber::unsubscribe);
    table.answer(200, &[]);
    table.until(32);
    assert_eq!(table.ends(), [(EndReason::Unsubscribed, None)]);
}

#[test]
fn an_attempt_is_given_up_as_soon_as_it_has_a_dialog() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.act(Subscriber::unsubscribe);
    assert_eq!(table.sent.len(), 1);
    table.answer(200, &[]);
    assert_eq!(table.last().purpose, Purpose::Unsubscribe);

    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.act(Subscriber::unsubscribe);
    table.answer(503, &[]);
    assert!(table.subscriber.is_idle());
}

#[test]
fn a_wish_to_begin_while_ending_is_remembered() {
    let mut table = Table::sound().subscribed();
    table.act(Subscriber::unsubscribe);
    table.act(Subscriber::subscribe);
    table.answer(200, &[]);
    table.terminate("terminated;reason=timeout");
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn ways_not_to_unsubscribe_are_values() {
    let mut table = Table::with(|policy| policy.unsubscribe = Unsubscribe::Silent).subscribed();
    table.act(Subscriber::unsubscribe);
    assert_eq!(table.sent.len(), 1);
    assert!(table.subscriber.is_idle());
    assert_eq!(table.notify(&ACTIVE), None);

    let forget = Unsubscribe::ForgetAtResponse;
    let mut table = Table::with(|policy| policy.unsubscribe = forget).subscribed();
    table.act(Subscriber::unsubscribe);
    table.answer(200, &[]);
    assert_eq!(table.terminate("terminated;reason=timeout"), None);
}

#[test]
fn a_notify_of_another_dialog_is_not_mine() {
    let mut table = Table::sound().subscribed();
    let other_tag = Notify {
        tag: "zz",
        ..ACTIVE
    };
    assert_eq!(table.notify(&other_tag), None);
    let foreign = Table::with(|policy| policy.expires = 1).subscribed();
    let mut idle = Table::sound();
    let notify = foreign.clone().text_of(&ACTIVE);
    assert_eq!(idle.deliver(&notify), None);
    table.terminate("terminated;reason=deactivated");
    let call_id = table.initials()[0].call_id.clone();
    let late = table.text_of(&ACTIVE);
    let late = String::from_utf8(late.wire().to_vec()).unwrap();
    let late = late.replace(&table.last().call_id, &call_id);
    let late = Message::parse(late.into()).unwrap();
    assert_eq!(table.deliver(&late), None, "late, from the old dialog");
}

#[test]
fn of_forked_notifies_the_first_wins() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    let one = Notify {
        tag: "one",
        ..ACTIVE
    };
    let two = Notify {
        tag: "two",
        ..ACTIVE
    };
    assert_eq!(table.notify(&one), Some(200));
    assert_eq!(table.notify(&two), None);
    assert_eq!(table.notify(&one), Some(200));
}

#[test]
fn event_is_compared_byte_by_byte_and_other_parameters_do_not_count() {
    for (event, exact, ignoring_case) in [
        (EVENT, 200, 200),
        ("as-feature-event;param=x", 200, 200),
        ("As-Feature-Event", 489, 200),
        ("as-feature-event;id=7", 489, 489),
        ("presence", 489, 489),
        ("", 489, 489),
    ] {
        let notify = Notify { event, ..ACTIVE };
        let mut table = Table::sound().subscribed();
        assert_eq!(table.notify(&notify), Some(exact), "{event}");
        let mut table =
            Table::with(|policy| policy.event_match = EventMatch::IgnoreCase).subscribed();
        assert_eq!(table.notify(&notify), Some(ignoring_case), "{event}");
        let mut table = Table::with(|policy| policy.event_match = EventMatch::Any).subscribed();
        assert_eq!(table.notify(&notify), Some(200), "{event}");
    }
}

#[test]
fn a_lower_number_is_refused_and_shows_nothing() {
    let stale = Notify {
        cseq: Some(100),
        body: "<old/>",
        ..ACTIVE
    };
    let mut table = Table::sound().subscribed();
    table.told.clear();
    assert_eq!(table.notify(&stale), Some(500));
    assert_eq!(table.told, []);
    let ahead = Notify {
        cseq: Some(9000),
        ..ACTIVE
    };
    assert_eq!(table.notify(&ahead), Some(200), "gaps are fine");
    let lax = NotifyOrder::AcceptLower;
    let mut table = Table::with(|policy| policy.notify_order = lax).subscribed();
    assert_eq!(table.notify(&stale), Some(200));
}

#[test]
fn a_refused_notify_is_followed_by_a_look_at_the_state() {
    let stale = Notify {
        cseq: Some(1),
        ..ACTIVE
    };
    let mut table = Table::sound().subscribed();
    table.until(10);
    table.notify(&stale);
    table.until(39);
    assert_eq!(table.sent.len(), 1);
    table.until(40);
    assert_eq!(table.last().purpose, Purpose::Refresh);
    assert_eq!(table.last().body, None);
}

#[test]
fn an_odd_subscription_state_is_survived() {
    for state in ["", "active, 3599", "active;expires=soon", "waiting"] {
        let odd = Notify { state, ..ACTIVE };
        let mut table = Table::sound().subscribed();
        assert_eq!(table.notify(&odd), Some(200), "{state:?}");
        assert!(table.subscriber.is_active());
        assert_eq!(table.deadline, Some(at(1_440_000)));
        let mut table =
            Table::with(|policy| policy.state_reading = StateReading::Strict).subscribed();
        let code = if state == "waiting" { 200 } else { 400 };
        assert_eq!(table.notify(&odd), Some(code), "{state:?}");
        assert_eq!(table.notify(&ACTIVE), Some(200));
    }
}

#[test]
fn a_pending_subscription_shows_no_state() {
    let mut table = Table::sound();
    table.act(Subscriber::subscribe);
    table.answer(200, &[]);
    table.notify(&Notify {
        state: "pending;expires=600",
        body: "<state/>",
        ..ACTIVE
    });
    let pending = SubscriberIndication::Pending { until: at(600_000) };
    assert_eq!(table.told.last(), Some(&pending));
}

#[test]
fn a_content_type_that_is_not_understood_is_refused_with_415() {
    let accept = vec!["application/x-as-feature-event+xml".to_owned()];
    let mut table = Table::with(|policy| policy.accept = accept).subscribed();
    for (content_type, body, code) in [
        ("application/x-as-feature-event+xml", "<a/>", 200),
        ("Application/X-AS-Feature-Event+XML;charset=x", "<a/>", 200),
        ("text/plain", "<a/>", 415),
        ("text/plain", "", 200),
    ] {
        let notify = Notify {
            content_type,
            body,
            ..ACTIVE
        };
        assert_eq!(table.notify(&notify), Some(code), "{content_type}");
    }
}

#[test]
fn dropping_the_attempt_at_a_202_is_a_value() {
    let mut table = Table::with(|policy| policy.on_202 = On202::Drop);
    table.act(Subscriber::subscribe);
    table.answer(202, &[]);
    assert_eq!(table.notify(&ACTIVE), None);
    table.until(30);
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn sending_a_change_in_a_new_dialog_is_a_value() {
    let mut table = Table::with(|policy| policy.change_dialog = ChangeDialog::New).subscribed();
    table.change("1");
    let change = table.last();
    assert_ne!(change.call_id, table.sent[0].call_id);
    assert_eq!((change.remote_tag.as_ref(), change.cseq), (None, 1));
    table.answer(200, &[]);
    assert_eq!(table.notify(&ACTIVE), Some(200));
    assert!(table.subscriber.is_active());
}

#[test]
fn an_initial_request_with_a_body_is_a_value() {
    let content = Content {
        content_type: "application/xml".to_owned(),
        body: "<a/>".into(),
    };
    let mut table = Table::with(|policy| policy.initial_content = Some(content));
    table.act(Subscriber::subscribe);
    assert!(table.last().body.is_some());
}

#[test]
fn a_reason_that_is_read_otherwise_is_a_value() {
    let mut table = Table::with(|policy| {
        let row = ("noresource".to_owned(), Comeback::AtOnce);
        policy.reasons.extend([row]);
    })
    .subscribed();
    table.terminate("terminated;reason=noresource");
    assert_eq!(table.initials().len(), 2);
}

#[test]
fn a_restart_begins_in_a_new_dialog_without_a_word_about_the_old_one() {
    let mut table = Table::sound().subscribed();
    table.change("1");
    table.told.clear();
    table.act(Subscriber::restart);
    assert_eq!(table.last().purpose, Purpose::Initial);
    assert_eq!(table.told, []);
    assert_ne!(table.last().call_id, table.sent[0].call_id);
}

#[test]
fn two_accounts_with_one_seed_draw_different_names_and_a_clone_the_same() {
    let policy = SubscriberPolicy::new(EVENT);
    let mut names = Vec::new();
    for aor in ["sip:anna@example.com", "sip:bert@example.com"] {
        let mut subscriber = Subscriber::new(policy.clone(), aor, 1);
        let mut clone = subscriber.clone();
        for one in [&mut subscriber, &mut clone] {
            one.subscribe(at(0));
            let SubscriberOutput::Send(request) = one.poll_output() else {
                panic!("nothing sent");
            };
            names.push(request.call_id);
        }
    }
    assert_eq!(names[0], names[1]);
    assert_ne!(names[0], names[2]);
}

#[test]
fn the_rule_of_the_refresh_keeps_to_its_window() {
    let rule = SubscriberPolicy::new(EVENT).refresh;
    for granted in 4..=7200 {
        let granted = Duration::from_secs(granted);
        let delay = rule.delay(granted).unwrap();
        assert!(delay >= granted / 2 && delay + seconds(2) <= granted);
    }
}
