//! NOTIFY: what belongs to a subscription, what does not, and what is applied.

use crate::line::{Line, NS, Subscribed, anna, dnd, setting};
use firmware_stubs::user_agent::UaIndication;
use sip::feature_event::Service;
use sip::message::Method;
use sip::node::TransmitReason;
use std::time::Duration;

#[test]
fn a_notify_is_answered_and_applied() {
    let (mut line, mut subscribed) = Line::synchronised();
    line.say(subscribed.notify("active;expires=1700", &dnd(true)));
    assert_eq!(line.last_status(), Some(200));
    assert_eq!(
        line.state(Service::DoNotDisturb),
        Some(setting(true, None, None))
    );
}

#[test]
fn a_notify_before_the_200_is_applied_and_its_copy_is_not() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    line.grant_registration(3600);
    let subscribe = line.expect_soon(&Method::Subscribe);
    let mut subscribed = Subscribed {
        subscribe,
        cseq: 100,
    };
    let notify = subscribed.notify("active;expires=1800", &dnd(true));
    line.told.clear();
    line.say(notify.clone());
    assert_eq!(line.last_status(), Some(200));
    assert_eq!(
        line.state(Service::DoNotDisturb),
        Some(setting(true, None, None))
    );
    line.told.clear();
    line.say(notify);
    assert_eq!(
        line.sent.back().map(|sent| sent.reason),
        Some(TransmitReason::Replay)
    );
    assert_eq!(line.state(Service::DoNotDisturb), None);
    let headers = "Expires: 1800\r\nContact: <sip:as@127.0.0.1:5060>\r\n";
    line.answer(&subscribed.subscribe.clone(), "200 OK", headers);
    assert_eq!(line.count(&Method::Subscribe, 600), 0);
}

#[test]
fn a_notify_that_belongs_nowhere_is_refused() {
    let (mut line, mut subscribed) = Line::synchronised();
    let good = subscribed.notify("active;expires=1800", &dnd(true));
    let call_id = subscribed.subscribe.call_id().to_owned();
    for (text, code) in [
        (good.replace(&call_id, "elsewhere"), 481),
        (good.replace("tag=server", "tag=another"), 481),
        (
            good.replace("as-feature-event\r\nSub", "presence\r\nSub"),
            489,
        ),
        (
            good.replace("as-feature-event\r\nSub", "As-Feature-Event\r\nSub"),
            489,
        ),
        (
            good.replace("as-feature-event\r\nSub", "as-feature-event;id=7\r\nSub"),
            489,
        ),
        (good.replace("Event: as-feature-event\r\n", ""), 489),
        (
            good.replace("application/x-as-feature-event+xml", "text/plain"),
            415,
        ),
    ] {
        line.told.clear();
        let branch = format!("z9hG4bKx{}", text.len() + usize::from(code));
        line.say(text.replace("z9hG4bKn", &branch));
        assert_eq!(line.last_status(), Some(code), "{text}");
        assert_eq!(line.state(Service::DoNotDisturb), None, "{text}");
        let header = match code {
            489 => Some("Allow-Events"),
            415 => Some("Accept"),
            _ => None,
        };
        if let Some(header) = header {
            assert!(line.last_response().header(header).is_some(), "{header}");
        }
    }
}

#[test]
fn a_lower_cseq_is_refused_and_a_leap_is_not() {
    let (mut line, mut subscribed) = Line::synchronised();
    line.say(subscribed.raw_notify(1100, "as-feature-event;x=y", "active", &dnd(true)));
    assert_eq!(line.last_status(), Some(200));
    line.told.clear();
    line.say(subscribed.notify("active", &dnd(false)));
    assert_eq!(line.last_status(), Some(500));
    assert_eq!(line.state(Service::DoNotDisturb), None);
}

#[test]
fn every_part_of_a_multipart_body_is_applied() {
    let (mut line, mut subscribed) = Line::synchronised();
    let forwarding = |kind: &str, number: &str, rings: &str| {
        format!(
            "<ForwardingEvent xmlns=\"{NS}\"><device><notKnown/></device><forwardingType>{kind}</forwardingType>\
             <forwardStatus>true</forwardStatus><forwardTo>{number}</forwardTo>{rings}</ForwardingEvent>"
        )
    };
    let parts = [
        forwarding("forwardImmediate", "1", ""),
        forwarding("forwardBusy", "2", ""),
        forwarding("forwardNoAns", "3", "<ringCount>4</ringCount>"),
        dnd(true),
    ];
    let mut body = String::new();
    for part in parts {
        body.push_str("--B\r\nContent-Type: application/x-as-feature-event+xml\r\n\r\n");
        body.push_str(&part);
        body.push_str("\r\n");
    }
    body.push_str("--B--\r\n");
    let notify = subscribed.notify("active;expires=1800", &body);
    line.say(notify.replace(
        "application/x-as-feature-event+xml\r\nContent-Length",
        "multipart/mixed;boundary=B\r\nContent-Length",
    ));
    assert_eq!(line.last_status(), Some(200));
    assert_eq!(
        line.state(Service::DoNotDisturb),
        Some(setting(true, None, None))
    );
    let always = line.state(Service::CallForwardingAlways);
    assert_eq!(always, Some(setting(true, Some("1"), None)));
    let no_answer = line.state(Service::CallForwardingNoAnswer);
    assert_eq!(no_answer, Some(setting(true, Some("3"), Some(4))));
}

#[test]
fn a_body_that_cannot_be_read_changes_nothing_and_the_state_is_read_again() {
    let (mut line, mut subscribed) = Line::synchronised();
    line.say(subscribed.notify("active;expires=1800", "<DoNotDisturbEvent"));
    assert!(matches!(line.last_status(), Some(200 | 400)));
    assert_eq!(line.state(Service::DoNotDisturb), None);
    let again = line.expect(&Method::Subscribe, Duration::from_secs(60));
    assert!(again.body().is_empty());
}

#[test]
fn check_sync_is_answered_and_passed_up() {
    let (mut line, subscribed) = Line::synchronised();
    let notify = subscribed.raw_notify(1, "check-sync;reboot=false", "active", "");
    line.say(notify.replace(subscribed.subscribe.call_id(), "unsolicited"));
    assert_eq!(line.last_status(), Some(200));
    assert!(
        line.told
            .contains(&UaIndication::CheckSync { reboot: false })
    );
}
