//! Changes that a user asks for at a handset.

use crate::line::{ANNA, Line, NS, anna, dnd, ipui, setting};
use crate::{CHALLENGE, cseq, text};
use firmware_stubs::user_agent::UaIndication;
use sip::feature_event::Service;
use sip::message::Method;
use std::time::Duration;

#[test]
fn a_change_is_one_subscribe_with_body_in_the_dialog() {
    let (mut line, mut subscribed) = Line::synchronised();
    let asked = setting(true, Some("24<24"), Some(5));
    line.agent.change_service(
        line.now,
        &ipui(ANNA),
        Service::CallForwardingNoAnswer,
        asked,
    );
    line.drain();
    let change = line.expect_soon(&Method::Subscribe);
    assert_eq!(change.call_id(), subscribed.subscribe.call_id());
    assert_eq!(change.to_tag(), Some("server"));
    assert_eq!(cseq(&change), cseq(&subscribed.subscribe) + 1);
    assert_eq!(change.request_uri(), Some("sip:as@127.0.0.1:5060"));
    assert_eq!(change.expires(), Some(1800));
    assert_eq!(
        change.header("Content-Type"),
        Some("application/x-as-feature-event+xml")
    );
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n\
         <SetForwarding xmlns=\"{NS}\">\r\n\
         \x20 <device>anna</device>\r\n\
         \x20 <forwardingType>forwardNoAns</forwardingType>\r\n\
         \x20 <activateForward>true</activateForward>\r\n\
         \x20 <forwardDN>24&lt;24</forwardDN>\r\n\
         \x20 <ringCount>5</ringCount>\r\n\
         </SetForwarding>\r\n"
    );
    assert_eq!(std::str::from_utf8(change.body()).unwrap(), body);
    line.answer(&change, "200 OK", "Expires: 1800\r\n");
    assert!(line.told.is_empty(), "the 200 confirms nothing");
    line.say(subscribed.notify("active;expires=1800", &dnd(true)));
    assert_eq!(line.count(&Method::Subscribe, 4), 0);
}

#[test]
fn the_server_has_the_last_word_and_is_not_asked_again() {
    let (mut line, mut subscribed) = Line::synchronised();
    let asked = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, asked);
    line.drain();
    let change = line.expect_soon(&Method::Subscribe);
    line.answer(&change, "200 OK", "Expires: 1800\r\n");
    line.say(subscribed.notify("active;expires=1800", &dnd(false)));
    assert_eq!(
        line.state(Service::DoNotDisturb),
        Some(setting(false, None, None))
    );
    assert_eq!(line.count(&Method::Subscribe, 600), 0);
}

#[test]
fn a_refused_change_is_reported_and_not_sent_again() {
    let (mut line, _) = Line::synchronised();
    let asked = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, asked);
    line.drain();
    let change = line.expect_soon(&Method::Subscribe);
    line.answer(&change, "403 Forbidden", "");
    let refused = UaIndication::ChangeRefused {
        handset: ipui(ANNA),
        service: Service::DoNotDisturb,
    };
    assert!(line.told.contains(&refused), "{:?}", line.told);
    assert_eq!(line.count(&Method::Subscribe, 300), 0);
}

#[test]
fn changes_go_one_after_another_and_the_last_change_of_a_service_wins() {
    let (mut line, mut subscribed) = Line::synchronised();
    for on in [true, false, true, false] {
        let asked = setting(on, None, None);
        line.agent
            .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, asked);
        line.drain();
    }
    let first = line.expect_soon(&Method::Subscribe);
    assert!(text(&first).contains("<doNotDisturbOn>true<"));
    assert_eq!(line.count(&Method::Subscribe, 0), 0, "one at a time");
    line.answer(&first, "200 OK", "Expires: 1800\r\n");
    line.say(subscribed.notify("active;expires=1800", &dnd(true)));
    let second = line.expect_soon(&Method::Subscribe);
    assert!(text(&second).contains("<doNotDisturbOn>false<"));
    line.answer(&second, "200 OK", "Expires: 1800\r\n");
    line.say(subscribed.notify("active;expires=1800", &dnd(false)));
    assert_eq!(line.count(&Method::Subscribe, 60), 0);
}

#[test]
fn without_a_subscription_a_change_is_refused_at_once() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    line.told.clear();
    let asked = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, asked);
    line.drain();
    assert!(matches!(
        line.told.as_slice(),
        [UaIndication::ChangeRefused { .. }]
    ));
}

#[test]
fn a_challenged_change_is_repeated_with_its_body() {
    let (mut line, _) = Line::synchronised();
    let asked = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, asked);
    line.drain();
    let first = line.expect_soon(&Method::Subscribe);
    line.answer(&first, "401 Unauthorized", CHALLENGE);
    let second = line.expect_soon(&Method::Subscribe);
    assert_eq!(second.body(), first.body());
    assert_eq!(cseq(&second), cseq(&first) + 1);
    assert!(second.header("Authorization").is_some());
}

#[test]
fn a_dialog_that_the_server_has_forgotten_is_replaced() {
    let (mut line, subscribed) = Line::synchronised();
    let refresh = line.expect(&Method::Subscribe, Duration::from_secs(1800));
    line.answer(&refresh, "481 Call/Transaction Does Not Exist", "");
    let next = line.expect(&Method::Subscribe, Duration::from_secs(5));
    assert_ne!(next.call_id(), subscribed.subscribe.call_id());
    assert_ne!(next.from_tag(), subscribed.subscribe.from_tag());
    assert!(next.to_tag().is_none());
}
