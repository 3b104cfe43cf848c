//! Feature codes, dialled as ordinary calls.

use crate::peer::{ANNA, Lab};
use server::dialect::{BROADSOFT, FeatureCodeCall};
use server::{Dialect, Origin, Portal as _, UserConfig};
use sip::service::{Service, Setting};
use std::time::Duration;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
                     m=audio 5004 RTP/AVP 8 0\r\n";

fn request(method: &str, cseq: u32, digits: &str, tag: &str, body: &str) -> String {
    let to = if tag.is_empty() {
        String::new()
    } else {
        format!(";tag={tag}")
    };
    let content_type = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/sdp\n"
    };
    format!(
        "{method} sip:{digits}@as.test SIP/2.0\n\
         Via: SIP/2.0/UDP {ANNA};branch=z9hG4bKcall{cseq}\n\
         Max-Forwards: 70\n\
         From: <sip:anna@as.test>;tag=caller\n\
         To: <sip:{digits}@as.test>{to}\n\
         Call-ID: call-1\n\
         CSeq: {cseq} {method}\n\
         Contact: <sip:anna@{ANNA}>\n\
         {content_type}Content-Length: {}\n\n{body}",
        body.len()
    )
}

fn invite(digits: &str) -> String {
    request("INVITE", 1, digits, "", OFFER)
}

/// Dials, acknowledges the answer, and returns the tag of the server.
fn dial(lab: &mut Lab, digits: &str) -> String {
    lab.say(&invite(digits));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 100 Trying");
    lab.pass_ms(200);
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    let tag = lab.answer().tag("To");
    let ack = request("ACK", 1, digits, &tag, "").replace("z9hG4bKcall1", "z9hG4bKack1");
    lab.say(&ack);
    tag
}

fn is_active(lab: &Lab, service: Service) -> bool {
    let state = lab.server.service("anna", service);
    state.is_some_and(|state| state.setting.active)
}

fn call_habits(dialect: &mut Dialect) -> &mut FeatureCodeCall {
    let offered = dialect.mechanism.feature_codes.as_mut();
    &mut offered.expect("offered").call
}

#[test]
fn a_code_is_answered_then_stored_then_notified() {
    let mut lab = Lab::new();
    lab.subscribe();
    dial(&mut lab, "*78");
    let answer = lab.answer().clone();
    assert_eq!(answer.header("Content-Type"), Some("application/sdp"));
    assert!(
        answer
            .body()
            .ends_with("m=audio 49170 RTP/AVP 8\r\na=sendonly\r\n")
    );
    assert!(
        !is_active(&lab, Service::DoNotDisturb),
        "only after the answer"
    );
    lab.pass_ms(499);
    assert!(!is_active(&lab, Service::DoNotDisturb));
    lab.pass_ms(1);
    let state = lab
        .server
        .service("anna", Service::DoNotDisturb)
        .expect("a state");
    assert!(state.setting.active);
    assert_eq!(state.origin, Some(Origin::FeatureCode));
    let notify = lab.notifies().remove(1);
    assert!(
        notify.body().contains("<doNotDisturbOn>true<"),
        "{}",
        notify.text
    );
}

#[test]
fn the_caller_ends_the_call() {
    let mut lab = Lab::new();
    let tag = dial(&mut lab, "*78");
    lab.pass(Duration::from_secs(5));
    assert!(!lab.sent.iter().any(|sent| sent.text.starts_with("BYE")));
    lab.say(&request("BYE", 2, "*78", &tag, ""));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 200 OK");
    assert!(is_active(&lab, Service::DoNotDisturb));
    lab.say(&request("BYE", 3, "*78", &tag, ""));
    assert_eq!(lab.answer().status(), "481");
}

#[test]
fn a_caller_that_is_gone_too_early_has_changed_nothing() {
    let mut lab = Lab::new();
    let tag = dial(&mut lab, "*78");
    lab.say(&request("BYE", 2, "*78", &tag, ""));
    lab.pass(Duration::from_secs(5));
    assert!(!is_active(&lab, Service::DoNotDisturb));
}

#[test]
fn a_product_may_store_it_all_the_same() {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    call_habits(&mut dialect).stores_after_early_hang_up.value = true;
    let mut lab = Lab::with_dialect(dialect);
    let tag = dial(&mut lab, "*78");
    lab.say(&request("BYE", 2, "*78", &tag, ""));
    assert!(is_active(&lab, Service::DoNotDisturb));
}

#[test]
fn what_is_stored_is_not_stored_again_at_the_end_of_the_call() {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    call_habits(&mut dialect).stores_after_early_hang_up.value = true;
    let mut lab = Lab::with_dialect(dialect);
    let tag = dial(&mut lab, "*78");
    lab.pass(Duration::from_secs(1));
    let service = Service::DoNotDisturb;
    lab.with(|server, now| server.change(now, "anna", service, &Setting::default()))
        .expect("a change");
    lab.say(&request("BYE", 2, "*78", &tag, ""));
    assert_eq!(lab.answer().status(), "200");
    assert!(!is_active(&lab, service), "the portal came later");
}

#[test]
fn a_caller_that_never_hangs_up_does_not_block_its_account() {
    let mut lab = Lab::new();
    dial(&mut lab, "*78");
    lab.pass(Duration::from_secs(59));
    assert!(!lab.sent.iter().any(|sent| sent.text.starts_with("BYE")));
    lab.pass(Duration::from_secs(1));
    assert!(lab.sent.iter().any(|sent| sent.text.starts_with("BYE")));
    let again = invite("*79").replace("call-1", "call-2");
    lab.say(&again.replace("z9hG4bKcall1", "z9hG4bKagain"));
    assert_eq!(lab.answer().status(), "100");
}

#[test]
fn a_product_may_hang_up_itself() {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    call_habits(&mut dialect).hang_up_after_milliseconds.value = 3000;
    let mut lab = Lab::with_dialect(dialect);
    let tag = dial(&mut lab, "*78");
    lab.pass(Duration::from_secs(3));
    let bye = lab.sent.last().expect("a BYE");
    assert_eq!(bye.first_line(), "BYE sip:anna@127.0.0.2:5060 SIP/2.0");
    assert_eq!(
        bye.header("From"),
        Some(format!("<sip:*78@as.test>;tag={tag}").as_str())
    );
    assert_eq!(bye.header("To"), Some("<sip:anna@as.test>;tag=caller"));
    assert_eq!(bye.header("Call-ID"), Some("call-1"));
}

#[test]
fn the_digits_behind_the_code_are_the_number() {
    let mut lab = Lab::new();
    dial(&mut lab, "*722424");
    lab.pass_ms(500);
    let state = lab
        .server
        .service("anna", Service::CallForwardingAlways)
        .expect("a state");
    assert_eq!(state.setting.number.as_deref(), Some("2424"));
}

#[test]
fn forwarding_to_nowhere_is_an_incomplete_address() {
    let mut lab = Lab::new();
    lab.say(&invite("*72"));
    assert_eq!(lab.answer().status(), "484");
}

#[test]
fn a_second_call_of_the_account_finds_it_busy() {
    let mut lab = Lab::new();
    dial(&mut lab, "*78");
    let second = invite("*79")
        .replace("call-1", "call-2")
        .replace("z9hG4bKcall1", "z9hG4bKx");
    lab.say(&second);
    assert_eq!(lab.answer().status(), "486");
}

#[test]
fn what_is_no_code_is_not_connected() {
    let mut lab = Lab::new();
    lab.with(|server, now| server.add_user(now, UserConfig::new("berta", "x")));
    lab.say(&invite("berta"));
    assert_eq!(lab.answer().status(), "480");
    lab.say(&invite("nobody").replace("z9hG4bKcall1", "z9hG4bKcall9"));
    assert_eq!(lab.answer().status(), "404");
}

#[test]
fn a_cancelled_call_changes_nothing() {
    let mut lab = Lab::new();
    lab.say(&invite("*78"));
    lab.say(&request("CANCEL", 1, "*78", "", ""));
    let codes: Vec<_> = lab
        .sent
        .iter()
        .map(|sent| sent.status().to_owned())
        .collect();
    assert_eq!(codes, ["100", "200", "487"]);
    lab.pass(Duration::from_secs(5));
    assert!(!is_active(&lab, Service::DoNotDisturb));
}

#[test]
fn an_answer_that_nobody_acknowledges_ends_in_a_bye() {
    let mut lab = Lab::new();
    lab.say(&invite("*78"));
    lab.pass(Duration::from_secs(40));
    let answers = lab
        .sent
        .iter()
        .filter(|sent| sent.status() == "200")
        .count();
    assert!(answers > 5, "{answers} copies of the 200");
    assert!(lab.sent.iter().any(|sent| sent.text.starts_with("BYE ")));
}

#[test]
fn a_call_is_challenged_like_any_request() {
    let mut lab = Lab::with_dialect(Dialect::broadsoft());
    lab.say(&invite("*78"));
    assert_eq!(lab.answer().status(), "401");
}

/// A server whose codes for Do Not Disturb and call forwarding always are these; the first one toggles.
fn with_codes(toggle: &str, always: &str) -> Lab {
    let text = BROADSOFT
        .replacen("\"*78\"", &format!("\"{toggle}\""), 1)
        .replacen(
            "deactivate = { value = \"*79\"",
            "toggle = { value = true",
            1,
        )
        .replacen("*72{number}", always, 1);
    let mut dialect = Dialect::from_toml(&text, "lab.toml").expect("sound");
    dialect.digest.challenged.value.clear();
    Lab::with_dialect(dialect)
}

#[test]
fn a_code_that_toggles_switches_off_what_is_on() {
    let mut lab = with_codes("*76", "*72{number}");
    for (call, active) in [(1, true), (2, false)] {
        let invite = invite("*76").replace("call-1", &format!("call-{call}"));
        lab.say(&invite.replace("z9hG4bKcall1", &format!("z9hG4bKtoggle{call}")));
        lab.pass(Duration::from_secs(1));
        assert_eq!(is_active(&lab, Service::DoNotDisturb), active);
        let tag = lab.answer().tag("To");
        let bye = request("BYE", 5 + call, "*76", &tag, "");
        lab.say(&bye.replace("call-1", &format!("call-{call}")));
        assert_eq!(lab.answer().status(), "200");
    }
}

#[test]
fn a_number_may_stand_within_the_code() {
    let mut lab = with_codes("*76", "*57*{number}#");
    dial(&mut lab, "*57*2424%23");
    lab.pass(Duration::from_secs(1));
    let state = lab.server.service("anna", Service::CallForwardingAlways);
    let kept = state.expect("a state").setting.clone();
    assert_eq!((kept.active, kept.number.as_deref()), (true, Some("2424")));
}
