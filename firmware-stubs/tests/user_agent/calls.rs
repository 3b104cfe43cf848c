//! Calls to and from a base, and requests that are neither.

use crate::line::{ANNA, Line, anna, ben, ipui};
use crate::{CHALLENGE, cseq};
use firmware_stubs::user_agent::UaIndication;
use sip::message::Method;
use std::time::Duration;

#[test]
fn an_account_with_a_new_name_is_found_by_it_and_no_more_by_the_old_one() {
    let mut line = Line::new();
    let mut settings = anna();
    line.configure(&[settings.clone(), ben()]);
    line.grant_registration(3600);
    line.grant_registration(3600);
    settings.user_name = "4*1#".to_owned();
    line.configure(&[settings, ben()]);
    // The old account leaves first.
    let leave = line.expect_soon(&Method::Register);
    line.answer(&leave, "200 OK", "");
    line.grant_registration(3600);
    for (name, code) in [("anna", 404), ("4*1#", 200), ("4*1%23", 200), ("ben", 200)] {
        let options = request("OPTIONS", &format!("sip:{name}@127.0.0.2:5060"));
        line.say(options.replace("z9hG4bKr", &format!("z9hG4bK{}", name.len() * code)));
        assert_eq!(line.last_status(), u16::try_from(code).ok(), "{name}");
    }
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
fn a_call_waits_until_the_one_before_is_over() {
    let (mut line, _) = Line::synchronised();
    line.agent.dial(line.now, &ipui(ANNA), "*78");
    line.drain();
    let invite = line.expect_soon(&Method::Invite);
    line.answer(&invite, "200 OK", "Contact: <sip:ivr@127.0.0.1:5060>\r\n");
    line.agent.hang_up(line.now, &ipui(ANNA));
    line.agent.dial(line.now, &ipui(ANNA), "*79");
    line.drain();
    let bye = line.expect_soon(&Method::Bye);
    assert_eq!(line.count(&Method::Invite, 0), 0);
    line.answer(&bye, "200 OK", "");
    let next = line.expect_soon(&Method::Invite);
    assert_eq!(next.request_uri(), Some("sip:*79@as.example"));
    assert!(
        !line
            .told
            .iter()
            .any(|told| matches!(told, UaIndication::CallEnded { .. }))
    );
}
