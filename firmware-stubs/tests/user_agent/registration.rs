//! Registration: its texts, its refresh, challenges, and the way out.

use crate::line::{ANNA, Line, Sent, account, anna, ipui};
use crate::{CHALLENGE, OTHER_CHALLENGE, cseq, masked, text};
use firmware_stubs::accounts::AccountSettings;
use firmware_stubs::defect::{Defect, Defects};
use firmware_stubs::user_agent::UaIndication;
use sip::message::Method;
use sip::node::{TransmitReason, Transport};
use std::time::Duration;

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

/// So many accounts, each with a handset of its own.
fn crowd(many: usize) -> Vec<AccountSettings> {
    let handset = |number| format!("02{number:08x}");
    (0..many)
        .map(|number| account(&handset(number), &number.to_string(), "Somebody"))
        .collect()
}

#[test]
fn a_few_accounts_register_at_once_and_many_at_the_pace_of_the_model() {
    for (many, at_once, in_two_seconds) in [(50, 50..=50, 0..=0), (3000, 0..=0, 800..=1200)] {
        let mut line = Line::new();
        line.configure(&crowd(many));
        let count = line.sent.len();
        assert!(at_once.contains(&count), "{many}: {count} at once");
        let count = line.count(&Method::Register, 2);
        assert!(in_two_seconds.contains(&count), "{many}: {count}");
    }
}

#[test]
fn an_account_that_joins_many_registers_at_once() {
    let mut line = Line::new();
    let all = crowd(101);
    line.configure(&all[1..]);
    for _ in 1..all.len() {
        line.grant_registration(3600);
    }
    line.sent.clear();
    line.configure(&all);
    assert_eq!(line.sent.len(), 1);
}

#[test]
fn an_account_that_waits_to_register_leaves_without_a_word() {
    let mut line = Line::new();
    line.configure(&crowd(400));
    line.agent.shutdown(line.now);
    line.drain();
    assert!(line.ended && line.sent.is_empty());
}

#[test]
fn five_hundred_accounts_subscribe_within_ten_seconds_of_their_registrations() {
    const MANY: usize = 500;
    let mut line = Line::new();
    line.configure(&crowd(MANY));
    for _ in 0..MANY {
        line.grant_registration(3600);
    }
    line.advance_secs(10);
    let first = |sent: &&Sent| {
        sent.message.method() == Some(&Method::Subscribe) && sent.reason == TransmitReason::First
    };
    assert_eq!(line.sent.iter().filter(first).count(), MANY);
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
fn a_defect_is_the_same_agent_with_one_decision_turned_round() {
    let mut line = Line::with(Defects::from(Defect::SubscribesBeforeRegistered));
    line.configure(&[anna()]);
    line.expect(&Method::Subscribe, Duration::ZERO);

    let mut line = Line::with(Defects::from(Defect::NeverRetransmits));
    line.configure(&[anna()]);
    line.advance_secs(10);
    assert_eq!(line.sent.len(), 1);
}
