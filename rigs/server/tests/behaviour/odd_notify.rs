//! NOTIFYs that a scenario words itself.

use crate::peer::{Lab, SITE, register, subscribe};
use server::notify_spec::HeaderChoice;
use server::{Action, Faults as _, NotifyContent, NotifyDialog, NotifySpec, Origin};
use sip::service::{Service, Setting};

fn inverted() -> NotifySpec {
    NotifySpec::new().with_values(vec![(Service::DoNotDisturb, Setting::on())])
}

/// A server with one subscription, and the NOTIFY that it sends by this spec.
fn sent(spec: &NotifySpec) -> (Lab, crate::peer::Sent) {
    let mut lab = Lab::new();
    lab.subscribe();
    let told = lab.with(|server, now| server.notify(now, SITE, "anna", spec));
    let notify = lab.take_notify().expect("a NOTIFY");
    assert_eq!(told.len(), 1);
    assert_eq!(
        notify.header("CSeq"),
        Some(format!("{} NOTIFY", told[0].cseq).as_str())
    );
    assert_eq!(notify.header("Call-ID"), Some(told[0].call_id.as_str()));
    assert!(
        notify
            .header("Via")
            .is_some_and(|via| via.ends_with(&told[0].branch))
    );
    (lab, notify)
}

fn change_at_the_portal(lab: &mut Lab) -> crate::peer::Sent {
    lab.with(|server, now| {
        server.set_service(
            now,
            "anna",
            Service::DoNotDisturb,
            Setting::on(),
            Origin::Portal,
        )
    });
    lab.next_notify()
}

#[test]
fn values_that_are_not_stored_can_be_notified() {
    let (lab, notify) = sent(&inverted());
    assert!(notify.body().contains("<doNotDisturbOn>true<"));
    let state = lab
        .server
        .service("anna", Service::DoNotDisturb)
        .expect("a state");
    assert!(!state.setting.active);
}

#[test]
fn a_lower_number_does_not_disturb_the_count() {
    let (mut lab, notify) = sent(&inverted().with_cseq_offset(-1));
    assert_eq!(notify.header("CSeq"), Some("100 NOTIFY"));
    assert_eq!(
        change_at_the_portal(&mut lab).header("CSeq"),
        Some("102 NOTIFY")
    );
}

#[test]
fn a_jump_is_counted_on_from() {
    let (mut lab, notify) = sent(&inverted().with_cseq_offset(1000));
    assert_eq!(notify.header("CSeq"), Some("1101 NOTIFY"));
    assert_eq!(
        change_at_the_portal(&mut lab).header("CSeq"),
        Some("1102 NOTIFY")
    );
}

#[test]
fn the_count_can_begin_again() {
    let (mut lab, notify) = sent(&inverted().with_cseq_restart(1));
    assert_eq!(notify.header("CSeq"), Some("1 NOTIFY"));
    assert_eq!(
        change_at_the_portal(&mut lab).header("CSeq"),
        Some("2 NOTIFY")
    );
}

#[test]
fn the_event_can_be_anything_or_nothing() {
    let (_, notify) = sent(&NotifySpec::new().with_event("As-Feature-Event"));
    assert_eq!(notify.header("Event"), Some("As-Feature-Event"));
    let (_, notify) = sent(&NotifySpec::new().without_event());
    assert_eq!(notify.header("Event"), None);
}

#[test]
fn the_state_can_be_anything_or_nothing() {
    let (_, notify) = sent(&NotifySpec::new().with_subscription_state("pending;expires=9"));
    assert_eq!(
        notify.header("Subscription-State"),
        Some("pending;expires=9")
    );
    let (_, notify) = sent(&NotifySpec::new().without_subscription_state());
    assert_eq!(notify.header("Subscription-State"), None);
    let (_, notify) = sent(&NotifySpec::new());
    assert_eq!(
        notify.header("Subscription-State"),
        Some("active;expires=1799")
    );
}

#[test]
fn the_dialog_can_be_one_that_nobody_knows() {
    let (lab, usual) = sent(&NotifySpec::new());
    let local = lab.server.subscriptions("anna")[0].local_tag.clone();
    assert_eq!(usual.tag("From"), local);
    let (_, notify) = sent(&NotifySpec::new().in_dialog(NotifyDialog::UnknownCallId));
    assert_ne!(notify.header("Call-ID"), Some("sub-1"));
    let (_, notify) = sent(&NotifySpec::new().in_dialog(NotifyDialog::UnknownFromTag));
    assert_eq!(notify.header("Call-ID"), Some("sub-1"));
    assert_ne!(notify.tag("From"), local);
    let (mut lab, notify) = sent(&NotifySpec::new().in_dialog(NotifyDialog::UnknownToTag));
    assert_eq!(notify.tag("From"), local);
    assert_ne!(notify.tag("To"), "a-sub-1");
    assert_eq!(
        change_at_the_portal(&mut lab).header("CSeq"),
        Some("102 NOTIFY")
    );
}

#[test]
fn an_ended_dialog_can_speak_once_more() {
    let mut lab = Lab::new();
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 0\n", ""));
    lab.next_notify();
    let spec = inverted().in_dialog(NotifyDialog::LastEnded);
    let told = lab.with(|server, now| server.notify(now, SITE, "anna", &spec));
    assert_eq!(told.len(), 1);
    let notify = lab.notifies().pop().expect("a NOTIFY");
    assert_eq!(notify.header("Call-ID"), Some("sub-1"));
    assert_eq!(notify.tag("From"), tag);
    assert_eq!(notify.header("CSeq"), Some("103 NOTIFY"));
}

#[test]
fn a_notify_outside_every_dialog_goes_to_the_contacts() {
    let mut lab = Lab::new();
    let spec = NotifySpec::new().in_dialog(NotifyDialog::Outside);
    let told = lab.with(|server, now| server.notify(now, SITE, "anna", &spec));
    assert!(told.is_empty(), "nobody is registered");
    lab.say(&register(1, "Contact: <sip:anna@127.0.0.2:5060>\n"));
    let told = lab.with(|server, now| server.notify(now, SITE, "anna", &spec));
    assert_eq!(told.len(), 1);
    assert_eq!(lab.notifies()[0].tag("To"), "");
}

#[test]
fn body_and_headers_can_be_own() {
    let spec = NotifySpec::new()
        .with_body("text/plain", "hello")
        .with_header("X-Odd", "1");
    let (_, notify) = sent(&spec);
    assert_eq!(notify.body(), "hello");
    assert_eq!(notify.header("Content-Type"), Some("text/plain"));
    assert_eq!(notify.header("X-Odd"), Some("1"));
    let (_, notify) = sent(&NotifySpec::new().with_content(NotifyContent::Nothing));
    assert_eq!(notify.header("Content-Length"), Some("0"));
}

#[test]
fn the_usual_body_can_take_a_form() {
    let (_, notify) = sent(&NotifySpec::new().with_form(Action::MalformedXml));
    assert!(notify.body().starts_with("<?xml"));
    assert!(!notify.body().contains("</DoNotDisturbEvent>"));
}

#[test]
fn the_last_notify_comes_again_byte_for_byte() {
    let mut lab = Lab::new();
    lab.subscribe();
    let first = lab.notifies().remove(0);
    let told =
        lab.with(|server, now| server.notify(now, SITE, "anna", &NotifySpec::retransmission()));
    assert_eq!(told.len(), 1);
    assert_eq!(lab.notifies()[1].text, first.text);
    assert_eq!(lab.notifies()[1].flow, first.flow);
}

#[test]
fn the_answer_to_an_odd_notify_ends_nothing() {
    let (mut lab, notify) = sent(&inverted().with_cseq_offset(-1));
    lab.answer_notify(&notify, "500 Server Internal Error");
    assert_eq!(lab.server.subscriptions("anna").len(), 1);
}

#[test]
fn a_spec_that_says_nothing_is_regular() {
    let spec = NotifySpec::new();
    assert_eq!(spec.event, HeaderChoice::Usual);
    let (_, notify) = sent(&spec);
    assert_eq!(notify.header("Event"), Some("as-feature-event"));
    assert_eq!(notify.body().matches("<?xml").count(), 4);
}
