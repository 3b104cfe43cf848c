//! The notifier against a hand-played subscriber.

use crate::messages::{at, seconds};
use sip::endpoint::Failure;
use sip::message::{Builder, Message, Method};
use sip::subscription::{
    Content, Grant, Notifier, NotifierEnd, NotifierIndication, NotifierOutput, NotifierPolicy,
    NotifyRequest, Pace, RefusalRule, StateSyntax, SubscribeAnswer, SubscribeKind,
};
use sip::time::Instant;

const EVENT: &str = "as-feature-event";

fn subscribe(cseq: u32, to_tag: Option<&str>, expires: Option<u32>, body: &str) -> Message {
    let to = to_tag.map_or_else(
        || "<sip:anna@example.com>".to_owned(),
        |tag| format!("<sip:anna@example.com>;tag={tag}"),
    );
    let mut builder = Builder::request(&Method::Subscribe, "sip:anna@example.com")
        .header("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1")
        .header("From", "<sip:anna@example.com>;tag=phone")
        .header("To", &to)
        .header("Call-ID", "call-1")
        .header("CSeq", &format!("{cseq} SUBSCRIBE"))
        .header("Contact", "<sip:anna@10.0.0.1:5060>")
        .header("Event", "as-feature-event;id=5");
    if let Some(expires) = expires {
        builder = builder.header("Expires", &expires.to_string());
    }
    if !body.is_empty() {
        builder = builder.body("application/xml", body.to_owned());
    }
    builder.build().unwrap()
}

fn answer_to(request: &NotifyRequest, code: u16, headers: &[(&str, &str)]) -> Message {
    let mut builder = Builder::response(code, "Reason")
        .header("Via", "SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK2")
        .header("Call-ID", &request.call_id)
        .header("CSeq", &format!("{} NOTIFY", request.cseq));
    for (name, value) in headers {
        builder = builder.header(name, value);
    }
    builder.build().unwrap()
}

fn policy() -> NotifierPolicy {
    NotifierPolicy::new(EVENT)
}

fn accept(policy: NotifierPolicy, expires: Option<u32>) -> (Notifier, SubscribeAnswer) {
    let request = subscribe(1, None, expires, "");
    Notifier::accept(at(0), policy, &request, "as".to_owned()).unwrap()
}

fn header<'a>(answer: &'a SubscribeAnswer, name: &str) -> Option<&'a str> {
    let found = answer.headers.iter().find(|(known, _)| *known == name);
    found.map(|(_, value)| value.as_str())
}

fn drain(
    notifier: &mut Notifier,
) -> (Vec<NotifyRequest>, Vec<NotifierIndication>, Option<Instant>) {
    let (mut sent, mut told) = (Vec::new(), Vec::new());
    loop {
        match notifier.poll_output() {
            NotifierOutput::Send(request) => sent.push(*request),
            NotifierOutput::Indication(indication) => told.push(indication),
            NotifierOutput::Timeout(deadline) => return (sent, told, deadline),
        }
    }
}

fn content(body: &'static str) -> Option<Content> {
    Some(Content {
        content_type: "application/xml".to_owned(),
        body: body.into(),
    })
}

#[test]
fn what_is_granted_follows_the_policy() {
    for (grant, asked, granted) in [
        (Grant::Echo, Some(7200), "7200"),
        (Grant::AtMost(3600), Some(7200), "3600"),
        (Grant::AtMost(3600), Some(60), "60"),
        (Grant::Exactly(90), Some(7200), "90"),
        (Grant::Exactly(90), Some(0), "0"),
        (Grant::Echo, None, "3600"),
    ] {
        let policy = NotifierPolicy { grant, ..policy() };
        let (_, answer) = accept(policy, asked);
        assert_eq!(header(&answer, "Expires"), Some(granted));
    }
    let silent = NotifierPolicy {
        expires_header: false,
        accept_code: 202,
        ..policy()
    };
    let (_, answer) = accept(silent, Some(60));
    assert_eq!((answer.code, header(&answer, "Expires")), (202, None));
}

#[test]
fn another_package_and_too_brief_a_time_are_refused() {
    let refused = |policy| {
        let request = subscribe(1, None, Some(30), "");
        Notifier::accept(at(0), policy, &request, "as".to_owned()).unwrap_err()
    };
    let other = refused(NotifierPolicy::new("presence"));
    assert_eq!(
        (other.code, header(&other, "Allow-Events")),
        (489, Some("presence"))
    );
    let brief = NotifierPolicy {
        min_expires: Some(60),
        ..policy()
    };
    let answer = refused(brief.clone());
    assert_eq!(
        (answer.code, header(&answer, "Min-Expires")),
        (423, Some("60"))
    );
    let answer = refused(NotifierPolicy {
        min_expires_header: false,
        ..brief
    });
    assert_eq!(header(&answer, "Min-Expires"), None);
    let enough = NotifierPolicy {
        min_expires: Some(30),
        ..policy()
    };
    assert_eq!(accept(enough.clone(), Some(30)).1.code, 200);
    let fetch = accept(enough, Some(0)).1;
    assert_eq!(
        fetch.kind,
        SubscribeKind::Fetch,
        "asking for nothing is not too brief"
    );
}

#[test]
fn a_notify_is_addressed_by_the_subscribe_and_says_what_is_left() {
    let first_cseq = 101;
    let (mut notifier, _) = accept(
        NotifierPolicy {
            first_cseq,
            ..policy()
        },
        Some(1800),
    );
    notifier.notify(at(10_000), content("<a/>"));
    let (sent, _, deadline) = drain(&mut notifier);
    let notify = &sent[0];
    assert_eq!(notify.cseq, 101);
    assert_eq!(notify.request_uri, "sip:anna@10.0.0.1:5060");
    assert_eq!(
        (notify.local_tag.as_str(), notify.remote_tag.as_str()),
        ("as", "phone")
    );
    assert_eq!(notify.event, "as-feature-event;id=5", "the id comes back");
    assert_eq!(notify.subscription_state, "active;expires=1790");
    assert_eq!(notify.content, content("<a/>"));
    assert_eq!(deadline, Some(at(1_800_000)));
}

#[test]
fn the_way_the_state_is_written_is_a_value() {
    for (state_syntax, expected) in [
        (StateSyntax::Parameter, "active;expires=60"),
        (StateSyntax::Comma, "active, 60"),
        (StateSyntax::Omitted, "active"),
    ] {
        let policy = NotifierPolicy {
            state_syntax,
            ..policy()
        };
        let (mut notifier, _) = accept(policy, Some(60));
        notifier.notify(at(0), None);
        assert_eq!(drain(&mut notifier).0[0].subscription_state, expected);
    }
}

#[test]
fn notifies_leave_one_at_a_time_in_order_unless_they_are_pipelined() {
    for (pace, at_first) in [(Pace::OneAtATime, 1), (Pace::Pipelined, 3)] {
        let (mut notifier, _) = accept(NotifierPolicy { pace, ..policy() }, Some(60));
        for body in ["1", "2", "3"] {
            notifier.notify(at(0), content(body));
        }
        let (mut sent, _, _) = drain(&mut notifier);
        assert_eq!(sent.len(), at_first);
        for index in 0..3 {
            let ok = answer_to(&sent[index], 200, &[]);
            notifier.handle_response(at(1), &ok);
            sent.extend(drain(&mut notifier).0);
        }
        let order: Vec<_> = sent.iter().map(|notify| notify.cseq).collect();
        assert_eq!(order, [1, 2, 3]);
        assert_eq!(sent[2].content, content("3"));
    }
}

#[test]
fn a_refresh_a_change_and_an_end_are_told_apart() {
    for (expires, body, kind) in [
        (Some(60), "", SubscribeKind::Refreshed),
        (Some(60), "<a/>", SubscribeKind::Changed),
        (Some(0), "", SubscribeKind::Unsubscribed),
        (Some(0), "<a/>", SubscribeKind::Unsubscribed),
        (None, "", SubscribeKind::Refreshed),
    ] {
        let (mut notifier, _) = accept(policy(), Some(60));
        let request = subscribe(2, Some("as"), expires, body);
        assert!(notifier.owns(&request));
        let answer = notifier.handle_subscribe(at(50_000), &request);
        assert_eq!((answer.kind, answer.code), (kind, 200));
    }
}

#[test]
fn a_refresh_moves_the_expiry() {
    let (mut notifier, _) = accept(policy(), Some(60));
    notifier.handle_subscribe(at(50_000), &subscribe(2, Some("as"), Some(60), ""));
    notifier.handle_timeout(at(60_000));
    assert!(notifier.is_active());
    assert_eq!(notifier.expires_at(), Some(at(110_000)));
}

#[test]
fn a_refresh_from_elsewhere_moves_the_target() {
    let (mut notifier, _) = accept(policy(), Some(60));
    let text = subscribe(2, Some("as"), Some(60), "").wire().to_vec();
    let text = String::from_utf8(text).unwrap();
    let moved = text.replace("anna@10.0.0.1", "anna@10.0.0.7");
    notifier.handle_subscribe(at(1), &Message::parse(moved.into()).unwrap());
    notifier.notify(at(1), None);
    let sent = drain(&mut notifier).0;
    assert_eq!(sent[0].request_uri, "sip:anna@10.0.0.7:5060");
}

#[test]
fn a_number_that_is_not_above_the_last_is_refused() {
    let (mut notifier, _) = accept(policy(), Some(60));
    let answer = notifier.handle_subscribe(at(1), &subscribe(1, Some("as"), Some(90), ""));
    assert_eq!((answer.kind, answer.code), (SubscribeKind::Refused, 500));
    assert_eq!(notifier.expires_at(), Some(at(60_000)));
}

#[test]
fn expires_0_closes_with_one_notify_and_then_there_is_no_subscription() {
    let (mut notifier, _) = accept(policy(), Some(60));
    let answer = notifier.handle_subscribe(at(1), &subscribe(2, Some("as"), Some(0), ""));
    assert_eq!(header(&answer, "Expires"), Some("0"));
    let (sent, _, deadline) = drain(&mut notifier);
    assert_eq!(sent[0].subscription_state, "terminated;reason=timeout");
    assert_eq!(deadline, None);
    notifier.notify(at(2), content("<late/>"));
    assert!(drain(&mut notifier).0.is_empty());
    let answer = notifier.handle_subscribe(at(3), &subscribe(3, Some("as"), Some(60), ""));
    assert_eq!(answer.code, 481);
    notifier.handle_response(at(4), &answer_to(&sent[0], 200, &[]));
    let (_, told, _) = drain(&mut notifier);
    let ended = NotifierIndication::Ended {
        cause: NotifierEnd::Closed,
    };
    assert_eq!(told, [NotifierIndication::Delivered { cseq: 1 }, ended]);
    assert!(notifier.is_ended());
}

#[test]
fn a_fetch_gets_the_state_in_its_only_notify() {
    let (mut notifier, answer) = accept(policy(), Some(0));
    assert_eq!(answer.kind, SubscribeKind::Fetch);
    notifier.notify(at(0), content("<all/>"));
    let (sent, _, _) = drain(&mut notifier);
    assert_eq!(sent[0].subscription_state, "terminated;reason=timeout");
    assert_eq!(sent[0].content, content("<all/>"));
}

#[test]
fn termination_names_its_reason_and_waits_its_turn() {
    let (mut notifier, _) = accept(policy(), Some(60));
    notifier.notify(at(0), content("<a/>"));
    notifier.terminate(at(1), Some("probation"), Some(7));
    let (sent, _, _) = drain(&mut notifier);
    assert_eq!(sent.len(), 1);
    notifier.handle_response(at(2), &answer_to(&sent[0], 200, &[]));
    let (sent, _, _) = drain(&mut notifier);
    let state = "terminated;reason=probation;retry-after=7";
    assert_eq!(sent[0].subscription_state, state);
    notifier.handle_failure(at(3), sent[0].cseq, Failure::Timeout('F'));
    assert!(notifier.is_ended());
}

#[test]
fn a_subscription_that_is_not_refreshed_is_closed_at_its_expiry() {
    for (grace, closed_at) in [(0, 60_000), (14, 74_000)] {
        let policy = NotifierPolicy {
            expiry_grace: seconds(grace),
            ..policy()
        };
        let (mut notifier, _) = accept(policy, Some(60));
        notifier.handle_timeout(at(closed_at - 1));
        assert!(notifier.is_active());
        notifier.handle_timeout(at(closed_at));
        let (sent, told, _) = drain(&mut notifier);
        assert_eq!(told, [NotifierIndication::Expired]);
        assert_eq!(sent[0].subscription_state, "terminated;reason=timeout");
    }
}

#[test]
fn what_a_refused_notify_means_is_a_value() {
    use RefusalRule::{AllWithoutRetryAfter, EndingCodes};
    for (rule, code, headers, ends) in [
        (EndingCodes, 481, &[][..], true),
        (EndingCodes, 489, &[], true),
        (EndingCodes, 500, &[], false),
        (EndingCodes, 415, &[], false),
        (AllWithoutRetryAfter, 500, &[], true),
        (AllWithoutRetryAfter, 500, &[("Retry-After", "5")], false),
        (AllWithoutRetryAfter, 481, &[], true),
        (RefusalRule::None, 481, &[], false),
    ] {
        let policy = NotifierPolicy {
            on_refusal: rule,
            ..policy()
        };
        let (mut notifier, _) = accept(policy, Some(60));
        notifier.notify(at(0), content("<a/>"));
        notifier.notify(at(0), content("<b/>"));
        let (sent, _, _) = drain(&mut notifier);
        notifier.handle_response(at(1), &answer_to(&sent[0], code, headers));
        let (next, told, _) = drain(&mut notifier);
        assert_eq!(notifier.is_ended(), ends, "{rule:?} {code}");
        assert_eq!(next.is_empty(), ends, "no NOTIFY follows the end");
        let expected = if ends {
            NotifierIndication::Ended {
                cause: NotifierEnd::Refused(code),
            }
        } else {
            NotifierIndication::Refused { cseq: 1, code }
        };
        assert_eq!(told, [expected]);
    }
}

#[test]
fn an_unanswered_notify_ends_the_subscription() {
    let (mut notifier, _) = accept(policy(), Some(60));
    notifier.notify(at(0), None);
    drain(&mut notifier);
    notifier.handle_failure(at(1), 99, Failure::Timeout('F'));
    assert!(notifier.is_active(), "not one of ours");
    notifier.handle_failure(at(1), 1, Failure::Timeout('F'));
    let ended = NotifierIndication::Ended {
        cause: NotifierEnd::Unanswered(Failure::Timeout('F')),
    };
    assert_eq!(drain(&mut notifier).1, [ended]);
}
