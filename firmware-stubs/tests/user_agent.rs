//! The user agent against raw SIP texts on virtual time: registration, subscription, NOTIFY, changes, recovery.

mod line;

use firmware_stubs::defect::{Defect, Defects};
use firmware_stubs::user_agent::UaIndication;
use line::{ANNA, BEN, Line, NS, Subscribed, anna, ben, dnd, ipui, setting};
use sip::feature_event::Service;
use sip::message::{Message, Method};
use sip::node::{TransmitReason, Transport};
use std::time::Duration;

const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"BroadWorks\",qop=\"auth\",algorithm=MD5,nonce=\"n1\"\r\n";
const OTHER_CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"BroadWorks\",qop=\"auth\",algorithm=MD5,nonce=\"n2\"\r\n";
const STALE: &str =
    "WWW-Authenticate: Digest realm=\"BroadWorks\",qop=\"auth\",stale=true,nonce=\"n3\"\r\n";

fn text(message: &Message) -> String {
    String::from_utf8(message.wire().to_vec()).unwrap()
}

/// The text with everything drawn by lot replaced.
fn masked(message: &Message) -> String {
    let mut text = text(message);
    for (value, mask) in [
        (message.branch(), "BRANCH"),
        (message.from_tag(), "TAG"),
        (Some(message.call_id()), "CALL-ID"),
    ] {
        text = text.replace(value.unwrap_or_default(), mask);
    }
    text
}

fn cseq(message: &Message) -> u32 {
    message.cseq().map_or(0, |(number, _)| number)
}

#[test]
fn register_is_written_by_its_template() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    let register = line.expect_soon(&Method::Register);
    assert_eq!(
        masked(&register),
        "REGISTER sip:as.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP 127.0.0.2:5060;branch=BRANCH;rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Anna\" <sip:anna@as.example>;tag=TAG\r\n\
         To: \"Anna\" <sip:anna@as.example>\r\n\
         Call-ID: CALL-ID\r\n\
         CSeq: 1 REGISTER\r\n\
         Contact: <sip:anna@127.0.0.2:5060>\r\n\
         Expires: 180\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, INFO\r\n\
         User-Agent: Gigaset N870 IP PRO/83.V2.65.0+build.8504c90\r\n\
         Content-Length: 0\r\n\r\n"
    );
}

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
fn registration_is_refreshed_in_time_with_one_call_id_and_the_next_cseq() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    let first = line.grant_registration(90);
    let granted = line.now;
    let second = line.expect(&Method::Register, Duration::from_secs(90));
    assert!(
        line.now - granted < Duration::from_secs(60),
        "time to send it again"
    );
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(cseq(&second), cseq(&first) + 1);
}

#[test]
fn a_challenged_register_is_answered_once() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    let first = line.expect_soon(&Method::Register);
    line.answer(&first, "401 Unauthorized", CHALLENGE);
    let second = line.expect_soon(&Method::Register);
    let credentials = second.header("Authorization").unwrap();
    assert!(
        credentials.contains("username=\"anna-auth\""),
        "{credentials}"
    );
    assert!(credentials.contains("nc=00000001"), "{credentials}");
    assert_eq!(cseq(&second), 2);
    line.answer(&second, "401 Unauthorized", OTHER_CHALLENGE);
    assert_eq!(line.count(&Method::Register, 29), 0);
    let third = line.expect(&Method::Register, Duration::from_secs(5));
    assert!(third.header("Authorization").is_none(), "it begins anew");
    assert_eq!(third.call_id(), first.call_id());
}

#[test]
fn a_registrar_that_asks_for_more_seconds_gets_them() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    let first = line.expect_soon(&Method::Register);
    line.answer(&first, "423 Interval Too Brief", "Min-Expires: 600\r\n");
    let second = line.expect_soon(&Method::Register);
    assert_eq!(second.expires(), Some(600));
    assert_eq!(second.call_id(), first.call_id());
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
fn a_change_is_one_subscribe_with_body_in_the_dialog() {
    let (mut line, mut subscribed) = Line::synchronised();
    let wish = setting(true, Some("24<24"), Some(5));
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::CallForwardingNoAnswer, wish);
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
    let wish = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, wish);
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
    let wish = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, wish);
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
fn changes_go_one_after_another_and_the_last_wish_of_a_service_wins() {
    let (mut line, mut subscribed) = Line::synchronised();
    for on in [true, false, true, false] {
        let wish = setting(on, None, None);
        line.agent
            .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, wish);
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
    let wish = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, wish);
    line.drain();
    assert!(matches!(
        line.told.as_slice(),
        [UaIndication::ChangeRefused { .. }]
    ));
}

#[test]
fn a_challenged_change_is_repeated_with_its_body() {
    let (mut line, _) = Line::synchronised();
    let wish = setting(true, None, None);
    line.agent
        .change_service(line.now, &ipui(ANNA), Service::DoNotDisturb, wish);
    line.drain();
    let first = line.expect_soon(&Method::Subscribe);
    line.answer(&first, "401 Unauthorized", CHALLENGE);
    let second = line.expect_soon(&Method::Subscribe);
    assert_eq!(second.body(), first.body());
    assert_eq!(cseq(&second), cseq(&first) + 1);
    assert!(second.header("Authorization").is_some());
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
fn a_dialog_that_the_server_has_forgotten_is_replaced() {
    let (mut line, subscribed) = Line::synchronised();
    let refresh = line.expect(&Method::Subscribe, Duration::from_secs(1800));
    line.answer(&refresh, "481 Call/Transaction Does Not Exist", "");
    let next = line.expect(&Method::Subscribe, Duration::from_secs(5));
    assert_ne!(next.call_id(), subscribed.subscribe.call_id());
    assert_ne!(next.from_tag(), subscribed.subscribe.from_tag());
    assert!(next.to_tag().is_none());
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

#[test]
fn options_names_what_the_base_can() {
    let (mut line, _) = Line::synchronised();
    line.say(request("OPTIONS", "sip:anna@127.0.0.2:5060"));
    let response = line.last_response();
    assert_eq!(response.status(), Some(200));
    assert!(response.header("Allow").unwrap().contains("NOTIFY"));
    line.say(request("OPTIONS", "sip:nobody@127.0.0.2:5060").replace("z9hG4bKr", "z9hG4bKs"));
    assert_eq!(line.last_status(), Some(404));
}

fn request(method: &str, uri: &str) -> String {
    format!(
        "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKr\r\nMax-Forwards: 70\r\n\
         From: <sip:x@as.example>;tag=x\r\nTo: <{uri}>\r\nCall-ID: other\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:x@127.0.0.1>\r\nContent-Length: 0\r\n\r\n"
    )
}

#[test]
fn a_call_rings_until_it_is_cancelled() {
    let (mut line, _) = Line::synchronised();
    line.say(request("INVITE", "sip:anna@127.0.0.2:5060"));
    assert_eq!(line.last_status(), Some(180));
    line.advance_secs(20);
    line.sent.clear();
    line.say(request("CANCEL", "sip:anna@127.0.0.2:5060"));
    let codes: Vec<_> = line
        .sent
        .iter()
        .filter_map(|sent| sent.message.status())
        .collect();
    assert!(codes.contains(&200) && codes.contains(&487), "{codes:?}");
}

#[test]
fn a_feature_code_is_an_ordinary_call_that_the_base_ends() {
    let (mut line, _) = Line::synchronised();
    line.agent.dial(line.now, &ipui(ANNA), "*72#");
    line.drain();
    let invite = line.expect_soon(&Method::Invite);
    assert_eq!(invite.request_uri(), Some("sip:*72%23@as.example"));
    assert_eq!(invite.header("Content-Type"), Some("application/sdp"));
    line.answer(&invite, "401 Unauthorized", CHALLENGE);
    line.expect_soon(&Method::Ack);
    let invite = line.expect_soon(&Method::Invite);
    assert!(invite.header("Authorization").is_some());
    let contact = "Contact: <sip:ivr@127.0.0.1:5060>\r\n";
    line.answer(&invite, "200 OK", contact);
    let ack = line.expect_soon(&Method::Ack);
    assert_eq!(ack.request_uri(), Some("sip:ivr@127.0.0.1:5060"));
    assert_eq!(cseq(&ack), cseq(&invite));
    line.answer(&invite, "200 OK", contact);
    line.expect_soon(&Method::Ack);
    let answered = line.now;
    let bye = line.expect(&Method::Bye, Duration::from_secs(15));
    assert!(line.now - answered >= Duration::from_secs(3));
    assert_eq!(cseq(&bye), cseq(&invite) + 1);
    line.answer(&bye, "200 OK", "");
    assert!(
        line.told
            .iter()
            .any(|told| matches!(told, UaIndication::CallEnded { .. }))
    );
}

#[test]
fn the_server_may_end_the_call() {
    let (mut line, _) = Line::synchronised();
    line.agent.dial(line.now, &ipui(ANNA), "*78");
    line.drain();
    let invite = line.expect_soon(&Method::Invite);
    line.answer(&invite, "200 OK", "Contact: <sip:ivr@127.0.0.1:5060>\r\n");
    line.expect_soon(&Method::Ack);
    let header = |name: &str| invite.header(name).unwrap();
    line.say(format!(
        "BYE sip:anna@127.0.0.2:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bKbye\r\n\
         From: {};tag=server\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: 1 BYE\r\nContent-Length: 0\r\n\r\n",
        header("To"),
        header("From"),
        header("Call-ID")
    ));
    assert_eq!(line.last_status(), Some(200));
    assert!(
        line.told
            .iter()
            .any(|told| matches!(told, UaIndication::CallEnded { .. }))
    );
    assert_eq!(line.count(&Method::Bye, 30), 0);
}

#[test]
fn a_refused_call_is_over() {
    let (mut line, _) = Line::synchronised();
    line.agent.dial(line.now, &ipui(ANNA), "*78");
    line.drain();
    let invite = line.expect_soon(&Method::Invite);
    line.answer(&invite, "486 Busy Here", "");
    line.expect_soon(&Method::Ack);
    let ended = UaIndication::CallEnded {
        handset: ipui(ANNA),
        cause: "486 Busy Here".to_owned(),
    };
    assert!(line.told.contains(&ended));
}

#[test]
fn a_call_that_nobody_answers_is_cancelled() {
    let (mut line, _) = Line::synchronised();
    line.agent.dial(line.now, &ipui(ANNA), "*78");
    line.drain();
    let invite = line.expect_soon(&Method::Invite);
    line.agent.hang_up(line.now, &ipui(ANNA));
    line.drain();
    assert_eq!(
        line.count(&Method::Cancel, 0),
        0,
        "not before a provisional response"
    );
    line.answer(&invite, "180 Ringing", "");
    let cancel = line.expect_soon(&Method::Cancel);
    line.answer(&cancel, "200 OK", "");
    line.answer(&invite, "487 Request Terminated", "");
    assert!(
        line.told
            .iter()
            .any(|told| matches!(told, UaIndication::CallEnded { .. }))
    );
}

#[test]
fn shutdown_takes_leave_in_order_and_ends() {
    let (mut line, mut subscribed) = Line::synchronised();
    line.agent.shutdown(line.now);
    line.drain();
    let unsubscribe = line.expect_soon(&Method::Subscribe);
    assert_eq!(unsubscribe.expires(), Some(0));
    assert!(
        line.sent.is_empty(),
        "the binding outlives the subscription"
    );
    line.answer(&unsubscribe, "200 OK", "Expires: 0\r\n");
    line.say(subscribed.notify("terminated;reason=timeout", ""));
    let register = line.expect_soon(&Method::Register);
    assert_eq!(register.expires(), Some(0));
    line.answer(&register, "200 OK", "");
    assert!(line.ended);
}

#[test]
fn shutdown_ends_even_when_the_server_is_mute() {
    let (mut line, _) = Line::synchronised();
    line.agent.shutdown(line.now);
    line.drain();
    line.advance_secs(6);
    assert!(line.ended);
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
fn a_removed_account_leaves_and_others_stay() {
    let (mut line, _) = Line::synchronised();
    line.configure(&[]);
    let unsubscribe = line.expect_soon(&Method::Subscribe);
    assert_eq!(unsubscribe.expires(), Some(0));
    let register = line.expect_soon(&Method::Register);
    assert_eq!(register.expires(), Some(0));
    line.answer(&register, "200 OK", "");
    let gone = UaIndication::Unregistered {
        handset: ipui(ANNA),
    };
    assert!(line.told.contains(&gone));
    line.answer(&unsubscribe, "200 OK", "");
    assert_eq!(line.count(&Method::Register, 4000), 0);
}

#[test]
fn a_lost_connection_is_built_up_again_with_everything_on_it() {
    let mut line = Line::new();
    line.transport = Transport::Tcp;
    let mut account = anna();
    account.provider.transport = Transport::Tcp;
    line.configure(&[account]);
    let register = line.grant_registration(3600);
    assert!(text(&register).contains(";transport=tcp>"));
    let before = line.grant_subscription();
    line.sent.clear();
    let flow = line.flow();
    line.agent.handle_flow_closed(line.now, flow);
    line.drain();
    line.grant_registration(3600);
    let after = line.expect_soon(&Method::Subscribe);
    assert_ne!(after.call_id(), before.subscribe.call_id());
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

#[test]
fn a_defect_is_the_same_agent_with_one_decision_turned_round() {
    let mut line = Line::with(Defects::from(Defect::SubscribesBeforeRegistered));
    line.configure(&[anna()]);
    line.expect(&Method::Subscribe, Duration::ZERO);

    let mut line = Line::with(Defects::from(Defect::NeverRetransmits));
    line.configure(&[anna()]);
    line.advance_secs(10);
    assert_eq!(line.sent.len(), 1);
}
