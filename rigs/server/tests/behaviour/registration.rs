//! Registration and digest, against a peer made of text.

use crate::peer::{ANNA, Lab, SITE, authorization, flow, register};
use server::{Action, Dialect, ExpiresPolicy, Fault, Faults as _, Lifetime};
use sip::message::Method;
use sip::node::Transport;
use std::time::Duration;

const CONTACT: &str = "Contact: <sip:anna@127.0.0.2:5060>\n";

#[test]
fn a_register_is_challenged_in_the_style_of_the_product() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    lab.say(&register(1, CONTACT));
    let answer = lab.answer();
    assert_eq!(answer.first_line(), "SIP/2.0 401 Unauthorized");
    let challenge = answer.header("WWW-Authenticate").expect("a challenge");
    assert!(challenge.starts_with("Digest realm=\"BroadWorks\",nonce=\"BroadWorksX"));
    assert!(
        challenge.contains("BW\",qop=\"auth\",algorithm=MD5"),
        "{challenge}"
    );
    assert!(!challenge.contains("stale"), "{challenge}");
    assert!(
        answer.text.contains("\r\nCSeq:1 REGISTER\r\n"),
        "no blank: {}",
        answer.text
    );
}

#[test]
fn the_right_credentials_are_bound_for_ninety_seconds() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    let credentials = challenged(&mut lab, 1);
    lab.say(&register(
        2,
        &format!("{CONTACT}Expires: 3600\n{credentials}"),
    ));
    let answer = lab.answer();
    assert_eq!(answer.first_line(), "SIP/2.0 200 OK");
    assert_eq!(
        answer.header("Contact"),
        Some("<sip:anna@127.0.0.2:5060>;expires=90;q=0.5")
    );
    assert_eq!(
        answer.header("Allow-Events"),
        Some(
            "call-info,line-seize,dialog,message-summary,as-feature-event,x-broadworks-hoteling,\
             x-broadworks-call-center-status,conference"
        )
    );
    assert_eq!(lab.server.bindings("anna").len(), 1);
    lab.pass(Duration::from_secs(90));
    assert!(lab.server.bindings("anna").is_empty());
}

/// Sends a REGISTER without credentials and returns those for its challenge.
fn challenged(lab: &mut Lab, cseq: u32) -> String {
    lab.say(&register(cseq, CONTACT));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    authorization(challenge, "REGISTER", "sip:as.test", 1, "secret")
}

#[test]
fn the_wrong_password_is_challenged_again_without_stale() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    lab.say(&register(1, CONTACT));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    let credentials = authorization(challenge, "REGISTER", "sip:as.test", 1, "guessed");
    lab.say(&register(2, &format!("{CONTACT}{credentials}")));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    assert!(!challenge.contains("stale"));
}

#[test]
fn a_forgotten_nonce_is_stale() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    let credentials = challenged(&mut lab, 1);
    lab.server.expire_nonces(SITE);
    lab.say(&register(2, &format!("{CONTACT}{credentials}")));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    assert!(challenge.ends_with("stale=true"), "{challenge}");
}

#[test]
fn an_old_nonce_is_stale() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    let credentials = challenged(&mut lab, 1);
    lab.pass(Duration::from_secs(3601));
    lab.say(&register(2, &format!("{CONTACT}{credentials}")));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    assert!(challenge.ends_with("stale=true"), "{challenge}");
}

#[test]
fn nobody_is_registered_whom_the_server_does_not_know() {
    let mut lab = Lab::new();
    lab.say(&register(1, CONTACT).replace("anna@as.test", "nobody@as.test"));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 404 Not Found");
}

#[test]
fn too_brief_a_registration_is_refused_with_the_minimum() {
    let mut lab = Lab::new();
    lab.say(&register(1, &format!("{CONTACT}Expires: 5\n")));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 423 Interval Too Brief");
    assert_eq!(lab.answer().header("Min-Expires"), Some("60"));
}

#[test]
fn expires_zero_removes_the_binding() {
    let mut lab = Lab::new();
    lab.say(&register(1, CONTACT));
    assert_eq!(lab.server.bindings("anna").len(), 1);
    lab.say(&register(2, &format!("{CONTACT}Expires: 0\n")));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    assert_eq!(lab.answer().header("Contact"), None);
    assert!(lab.server.bindings("anna").is_empty());
}

#[test]
fn a_bench_with_little_time_grants_little() {
    let mut lab = Lab::new();
    let policy = ExpiresPolicy::at_most(8);
    lab.server
        .set_expires_policy(SITE, Lifetime::Registration, policy);
    lab.say(&register(1, &format!("{CONTACT}Expires: 3600\n")));
    let contact = lab.answer().header("Contact").expect("a contact");
    assert!(contact.contains(";expires=8;"), "{contact}");
}

#[test]
fn a_dropped_datagram_leaves_its_retransmission_a_chance() {
    let mut lab = Lab::new();
    let fault = Fault::new(Action::Drop)
        .on_method(&Method::Register)
        .times(2);
    lab.server.load_fault(SITE, fault);
    for _ in 0..2 {
        lab.say(&register(1, CONTACT));
        assert!(lab.sent.is_empty());
    }
    lab.say(&register(1, CONTACT));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
}

#[test]
fn over_a_stream_a_dropped_request_is_never_answered() {
    let mut lab = Lab::new();
    lab.transport = Transport::Tcp;
    lab.server
        .load_fault(SITE, Fault::new(Action::Drop).times(1));
    lab.say(&register(1, CONTACT));
    lab.pass(Duration::from_secs(60));
    assert!(lab.sent.is_empty());
    lab.say(&register(2, CONTACT));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    assert_eq!(lab.answer().flow, flow(Transport::Tcp, ANNA));
}

#[test]
fn a_delayed_request_is_answered_later_and_once() {
    let mut lab = Lab::new();
    lab.server.load_fault(
        SITE,
        Fault::new(Action::Delay { milliseconds: 700 }).times(1),
    );
    lab.say(&register(1, CONTACT));
    lab.pass_ms(500);
    lab.say(&register(1, CONTACT));
    assert!(lab.sent.is_empty());
    lab.pass_ms(200);
    assert_eq!(lab.sent.len(), 1);
    assert_eq!(lab.answer().at, Duration::from_millis(700));
}

#[test]
fn an_answer_of_the_plan_has_its_headers() {
    let mut lab = Lab::new();
    let action = Action::Answer {
        code: 503,
        reason: None,
        headers: vec![("Retry-After".to_owned(), "30".to_owned())],
    };
    lab.server.load_fault(
        SITE,
        Fault::new(action).on_method(&Method::Register).times(1),
    );
    lab.say(&register(1, CONTACT));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 503 Service Unavailable");
    assert_eq!(lab.answer().header("Retry-After"), Some("30"));
    lab.say(&register(2, CONTACT));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
}

#[test]
fn a_bare_401_has_no_challenge() {
    let mut lab = Lab::new();
    lab.server
        .load_fault(SITE, Fault::new(Action::BareUnauthorized));
    lab.say(&register(1, CONTACT));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 401 Unauthorized");
    assert_eq!(lab.answer().header("WWW-Authenticate"), None);
}

#[test]
fn an_endless_challenge_refuses_even_the_right_credentials() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    lab.server
        .load_fault(SITE, Fault::new(Action::EndlessChallenge));
    let credentials = challenged(&mut lab, 1);
    lab.say(&register(2, &format!("{CONTACT}{credentials}")));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    assert!(!challenge.contains("stale"));
}

#[test]
fn a_stale_challenge_can_be_asked_for() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    let credentials = challenged(&mut lab, 1);
    lab.server
        .load_fault(SITE, Fault::new(Action::StaleChallenge).times(1));
    lab.say(&register(2, &format!("{CONTACT}{credentials}")));
    let challenge = lab
        .answer()
        .header("WWW-Authenticate")
        .expect("a challenge");
    assert!(challenge.ends_with("stale=true"));
    let again = authorization(challenge, "REGISTER", "sip:as.test", 1, "secret");
    lab.say(&register(3, &format!("{CONTACT}{again}")));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
}

#[test]
fn options_tell_what_the_server_can_do() {
    let mut lab = Lab::new();
    lab.say(
        &register(1, "")
            .replace("REGISTER sip:as.test", "OPTIONS sip:as.test")
            .replace("1 REGISTER", "1 OPTIONS"),
    );
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    let events = lab.answer().header("Allow-Events").unwrap_or_default();
    assert!(events.contains("as-feature-event"), "{events}");
    assert!(
        lab.answer()
            .header("Allow")
            .is_some_and(|allow| allow.contains("SUBSCRIBE"))
    );
}

#[test]
fn a_method_that_the_server_does_not_know_is_refused() {
    let mut lab = Lab::new();
    lab.say(&register(1, "").replace("REGISTER", "PUBLISH"));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 405 Method Not Allowed");
    assert!(lab.answer().header("Allow").is_some());
}

#[test]
fn bytes_that_are_no_message_do_no_harm() {
    let mut lab = Lab::new();
    for text in ["\u{1}\u{2}\u{3}", "SIP/2.0 200", "REGISTER\n\n", "\n\n\n"] {
        lab.say(text);
    }
    assert!(lab.sent.is_empty());
    lab.say(&register(1, CONTACT));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
}

#[test]
fn check_sync_goes_to_every_contact_outside_a_dialog() {
    let mut lab = Lab::new();
    lab.say(&register(1, "Contact: <sip:anna@127.0.0.2:5062>\n"));
    let count = lab.with(|server, now| server.check_sync(now, SITE, "anna"));
    assert_eq!(count, 1);
    let notify = lab.notifies().remove(0);
    assert_eq!(
        notify.first_line(),
        "NOTIFY sip:anna@127.0.0.2:5062 SIP/2.0"
    );
    assert_eq!(notify.flow, flow(Transport::Udp, "127.0.0.2:5062"));
    assert_eq!(notify.header("Event"), Some("check-sync;reboot=false"));
    assert_eq!(notify.header("Content-Length"), Some("0"));
    assert_eq!(notify.tag("To"), "");
}

#[test]
fn each_binding_ends_at_its_own_time() {
    let mut lab = Lab::new();
    lab.say(&register(1, CONTACT));
    lab.pass(Duration::from_secs(10));
    lab.say(&register(2, "Contact: <sip:anna@127.0.0.3:5060>\n"));
    assert_eq!(lab.server.bindings("anna").len(), 2);
    lab.pass(Duration::from_secs(80));
    assert_eq!(lab.server.bindings("anna").len(), 1);
    lab.pass(Duration::from_secs(10));
    assert!(lab.server.bindings("anna").is_empty());
}

#[test]
fn a_request_that_lacks_what_it_needs_is_refused() {
    let mut lab = Lab::new();
    for (index, (from, to)) in [
        ("Call-ID: boot-1\n", ""),
        (";tag=r", ""),
        ("To: <sip:anna@as.test>\n", ""),
        ("CSeq: 1 REGISTER", "CSeq: 1 INVITE"),
        ("CSeq: 1 REGISTER", "CSeq: one REGISTER"),
    ]
    .into_iter()
    .enumerate()
    {
        let text = register(1, CONTACT).replace("z9hG4bKreg1", &format!("z9hG4bKbad{index}"));
        assert!(text.contains(from));
        lab.say(&text.replace(from, to));
        assert_eq!(lab.sent.len(), index + 1);
        assert_eq!(lab.answer().status(), "400", "{from:?} -> {to:?}");
    }
}

#[test]
fn an_extension_that_is_required_and_not_there_is_named() {
    let mut lab = Lab::new();
    lab.say(&register(1, &format!("{CONTACT}Require: outbound, gruu\n")));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 420 Bad Extension");
    assert_eq!(lab.answer().header("Unsupported"), Some("outbound, gruu"));
}
