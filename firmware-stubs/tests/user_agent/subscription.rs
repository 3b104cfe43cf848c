//! Subscription: when it is made, refreshed, replaced and left alone.

use crate::line::{BEN, Line, Subscribed, anna, ben, dnd};
use crate::{CHALLENGE, STALE, masked};
use firmware_stubs::user_agent::UaIndication;
use sip::message::Method;
use std::time::Duration;

#[test]
fn subscribe_is_written_by_its_template_and_follows_the_registration() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    line.advance_secs(1);
    assert!(
        line.sent
            .iter()
            .all(|sent| sent.message.method() == Some(&Method::Register))
    );
    line.grant_registration(3600);
    let registered = line.now;
    let subscribe = line.expect_soon(&Method::Subscribe);
    assert!(line.now - registered < Duration::from_secs(2));
    assert_eq!(
        masked(&subscribe),
        "SUBSCRIBE sip:anna@as.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.2:5060;branch=BRANCH;rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Anna\" <sip:anna@as.example>;tag=TAG\r\n\
         To: <sip:anna@as.example>\r\n\
         Call-ID: CALL-ID\r\n\
         CSeq: 1 SUBSCRIBE\r\n\
         Contact: <sip:anna@127.0.0.2:5060>\r\n\
         Event: as-feature-event\r\n\
         Accept: application/x-as-feature-event+xml, multipart/mixed\r\n\
         Expires: 1800\r\n\
         User-Agent: Gigaset N870 IP PRO/83.V2.65.0+build.8504c90\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

#[test]
fn the_switch_off_means_no_subscription() {
    let mut line = Line::new();
    let mut account = anna();
    account.feature_key_sync = false;
    line.configure(&[account.clone()]);
    line.grant_registration(3600);
    assert_eq!(line.count(&Method::Subscribe, 2000), 0);
    account.feature_key_sync = true;
    line.configure(&[account.clone()]);
    line.grant_subscription();
    account.feature_key_sync = false;
    line.sent.clear();
    line.configure(&[account]);
    let last = line.expect_soon(&Method::Subscribe);
    assert_eq!(last.expires(), Some(0));
    assert!(last.to_tag().is_some());
}

#[test]
fn a_closing_notify_is_answered_and_the_next_subscription_is_a_new_one() {
    let (mut line, mut subscribed) = Line::synchronised();
    let mut account = anna();
    account.feature_key_sync = false;
    line.configure(&[account]);
    let last = line.expect_soon(&Method::Subscribe);
    line.answer(&last, "200 OK", "Expires: 0\r\n");
    line.say(subscribed.notify("terminated;reason=noresource", ""));
    assert_eq!(line.last_status(), Some(200));
    line.configure(&[anna()]);
    let next = line.expect_soon(&Method::Subscribe);
    assert_ne!(next.call_id(), last.call_id());
    assert!(next.to_tag().is_none());
}

#[test]
fn a_stale_nonce_is_answered_at_once_and_counted_from_one() {
    let (mut line, _) = Line::synchronised();
    let refresh = line.expect(&Method::Subscribe, Duration::from_secs(1800));
    line.answer(&refresh, "401 Unauthorized", CHALLENGE);
    let second = line.expect_soon(&Method::Subscribe);
    line.answer(&second, "200 OK", "Expires: 1800\r\n");
    let mut subscribed = Subscribed {
        subscribe: second,
        cseq: 500,
    };
    line.say(subscribed.notify("active;expires=1800", ""));
    let refresh = line.expect(&Method::Subscribe, Duration::from_secs(1800));
    assert!(
        refresh
            .header("Authorization")
            .unwrap()
            .contains("nc=00000002")
    );
    line.answer(&refresh, "401 Unauthorized", STALE);
    let again = line.expect_soon(&Method::Subscribe);
    let credentials = again.header("Authorization").unwrap();
    assert!(credentials.contains("nonce=\"n3\""), "{credentials}");
    assert!(credentials.contains("nc=00000001"), "{credentials}");
}

#[test]
fn a_401_without_challenge_makes_no_loop() {
    let (mut line, _) = Line::synchronised();
    let refresh = line.expect(&Method::Subscribe, Duration::from_secs(1800));
    line.answer(&refresh, "401 Unauthorized", "");
    assert_eq!(line.count(&Method::Subscribe, 29), 0);
}

#[test]
fn a_refusal_for_good_is_not_asked_again_and_the_registration_goes_on() {
    for status in ["489 Bad Event", "403 Forbidden"] {
        let mut line = Line::new();
        line.configure(&[anna()]);
        line.grant_registration(3600);
        let subscribe = line.expect_soon(&Method::Subscribe);
        line.answer(&subscribe, status, "");
        assert!(line.count(&Method::Subscribe, 1800) <= 1, "{status}");
        line.sent.clear();
        line.expect(&Method::Register, Duration::from_secs(3600));
    }
}

#[test]
fn the_subscription_is_refreshed_inside_the_granted_time() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    line.grant_registration(3600);
    let subscribe = line.expect_soon(&Method::Subscribe);
    let headers = "Expires: 60\r\nContact: <sip:as@127.0.0.1:5060>\r\n";
    line.answer(&subscribe, "200 OK", headers);
    let mut subscribed = Subscribed { subscribe, cseq: 1 };
    line.say(subscribed.notify("active;expires=60", &dnd(true)));
    let granted = line.now;
    let refresh = line.expect(&Method::Subscribe, Duration::from_secs(60));
    let passed = line.now - granted;
    assert!(passed >= Duration::from_secs(30), "{passed:?}");
    assert!(passed <= Duration::from_secs(58), "{passed:?}");
    assert_eq!(refresh.call_id(), subscribed.subscribe.call_id());
    assert!(refresh.body().is_empty());
}

#[test]
fn silence_on_a_refresh_leads_to_a_new_subscription() {
    let (mut line, subscribed) = Line::synchronised();
    line.expect(&Method::Subscribe, Duration::from_secs(1800));
    let next = line.expect(&Method::Subscribe, Duration::from_secs(40));
    assert_ne!(next.call_id(), subscribed.subscribe.call_id());
}

#[test]
fn a_deactivated_subscription_is_made_again_at_once() {
    let (mut line, mut subscribed) = Line::synchronised();
    line.say(subscribed.notify("terminated;reason=deactivated", ""));
    assert_eq!(line.last_status(), Some(200));
    let next = line.expect(&Method::Subscribe, Duration::from_secs(2));
    assert_ne!(next.call_id(), subscribed.subscribe.call_id());
}

#[test]
fn two_accounts_subscribe_each_for_itself() {
    let mut line = Line::new();
    line.configure(&[anna(), ben()]);
    line.grant_registration(3600);
    line.grant_registration(3600);
    let one = line.expect_soon(&Method::Subscribe);
    let other = line.expect_soon(&Method::Subscribe);
    let mut users = [one.from_uri().unwrap(), other.from_uri().unwrap()];
    users.sort_unstable();
    assert_eq!(users, ["sip:anna@as.example", "sip:ben@as.example"]);
    assert_ne!(one.call_id(), other.call_id());
    let subscribed = Subscribed {
        subscribe: if one.from_uri() == Some("sip:ben@as.example") {
            one
        } else {
            other
        },
        cseq: 1,
    };
    line.say(subscribed.raw_notify(5, "as-feature-event", "active", &dnd(true)));
    let handsets: Vec<_> = line
        .told
        .iter()
        .filter_map(|told| match told {
            UaIndication::State { handset, .. } => Some(handset.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(handsets, [BEN]);
}

#[test]
fn an_unanswered_subscribe_is_sent_eleven_times() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    line.grant_registration(3600);
    let first = line.expect_soon(&Method::Subscribe);
    line.sent.clear();
    line.advance_secs(33);
    let copies = line
        .sent
        .iter()
        .filter(|sent| sent.message.wire() == first.wire());
    assert_eq!(copies.count(), 10);
}
