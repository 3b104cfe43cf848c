//! What the fault plan makes of subscriptions and their NOTIFYs.

use crate::peer::{Lab, NS, SITE, set_dnd, subscribe, subscribe_in};
use server::{Action, Fault, Faults as _, Origin, Purpose, ServiceValue};
use sip::message::Method;
use sip::service::{Service, Setting};
use std::time::Duration;

fn with_fault(fault: Fault) -> Lab {
    let mut lab = Lab::new();
    assert_eq!(fault.problem(), None);
    lab.server.load_fault(SITE, fault);
    lab
}

fn always(action: Action) -> Lab {
    with_fault(Fault::new(action))
}

/// The first NOTIFY after a SUBSCRIBE.
fn first_notify(lab: &mut Lab) -> crate::peer::Sent {
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "200");
    lab.next_notify()
}

fn is_active(lab: &Lab) -> bool {
    let state = lab.server.service("anna", Service::DoNotDisturb);
    state.is_some_and(|state| state.setting.active)
}

#[test]
fn a_subscription_can_be_accepted_with_202() {
    let mut lab = always(Action::AcceptWith { code: 202 });
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 202 Accepted");
    assert!(lab.next_notify().body().contains("DoNotDisturbEvent"));
}

#[test]
fn a_notify_can_go_before_the_response() {
    let mut lab = always(Action::NotifyBeforeResponse {
        lead_milliseconds: 100,
    });
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.sent.len(), 1);
    assert!(lab.sent[0].is_notify());
    let tag = lab.sent[0].tag("From");
    lab.pass_ms(100);
    assert_eq!(lab.answer().status(), "200");
    assert_eq!(lab.answer().at, Duration::from_millis(100));
    assert_eq!(lab.answer().tag("To"), tag, "one dialog");
}

#[test]
fn a_withheld_notify_never_comes() {
    let fault = Fault::new(Action::WithholdNotify).on_purpose(Purpose::Change);
    let mut lab = with_fault(fault);
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &set_dnd(true)));
    assert_eq!(lab.answer().status(), "200");
    lab.pass(Duration::from_secs(100));
    assert_eq!(lab.notifies().len(), 1);
    assert!(is_active(&lab), "the change itself was stored");
}

#[test]
fn a_contradiction_is_stored_and_notified_instead_of_the_wish() {
    let values = vec![ServiceValue::new(
        Service::DoNotDisturb,
        &Setting::default(),
    )];
    let mut lab = always(Action::Contradict { values });
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &set_dnd(true)));
    let notify = lab.next_notify();
    assert!(
        notify.body().contains("<doNotDisturbOn>false<"),
        "{}",
        notify.text
    );
    assert!(!is_active(&lab));
}

#[test]
fn a_contradiction_may_change_another_service_too() {
    let setting = Setting {
        active: true,
        number: Some("9999".to_owned()),
        rings: None,
        agent: None,
    };
    let values = vec![ServiceValue::new(Service::CallForwardingBusy, &setting)];
    let mut lab = always(Action::Contradict { values });
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &set_dnd(true)));
    let notify = lab.next_notify();
    assert!(notify.body().contains("<doNotDisturbOn>false<"));
    assert!(notify.body().contains("<forwardTo>9999</forwardTo>"));
}

#[test]
fn a_duplicate_has_the_next_number_and_the_same_body() {
    let mut lab = always(Action::DuplicateNotify);
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    let (first, second) = (lab.next_notify(), lab.next_notify());
    assert_eq!(first.body(), second.body());
    assert_eq!(first.header("CSeq"), Some("101 NOTIFY"));
    assert_eq!(second.header("CSeq"), Some("102 NOTIFY"));
}

#[test]
fn the_old_state_can_come_before_the_new_one() {
    let mut lab = always(Action::OldThenNewNotify);
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", &set_dnd(true)));
    let (old, new) = (lab.next_notify(), lab.next_notify());
    assert!(
        old.body().contains("<doNotDisturbOn>false<"),
        "{}",
        old.text
    );
    assert!(new.body().contains("<doNotDisturbOn>true<"), "{}", new.text);
}

#[test]
fn an_accepted_subscription_can_be_ended_at_once() {
    let mut lab = always(Action::EndSubscription {
        reason: Some("rejected".to_owned()),
        retry_after: Some(9),
    });
    let notify = first_notify(&mut lab);
    assert_eq!(
        notify.header("Subscription-State"),
        Some("terminated;reason=rejected;retry-after=9")
    );
    assert!(lab.server.subscriptions("anna").is_empty());
}

#[test]
fn the_lifetime_can_be_forced_or_left_out() {
    let mut lab = always(Action::GrantExpires { seconds: 20 });
    lab.server.load_fault(
        SITE,
        Fault::new(Action::OmitExpires).on_purpose(Purpose::Refresh),
    );
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().header("Expires"), Some("20"));
    let tag = lab.answer().tag("To");
    lab.next_notify();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "200");
    assert_eq!(lab.answer().header("Expires"), None);
}

#[test]
fn a_notify_can_be_late() {
    let mut lab = always(Action::DelayNotify { milliseconds: 2000 });
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    lab.pass_ms(2049);
    assert!(lab.notifies().is_empty());
    lab.pass_ms(1);
    assert_eq!(lab.notifies().len(), 1);
}

#[test]
fn a_subscription_can_be_forgotten_when_the_next_request_comes() {
    let fault = Fault::new(Action::ForgetSubscription).on_purpose(Purpose::Refresh);
    let mut lab = with_fault(fault.times(1));
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "481");
    assert!(lab.server.subscriptions("anna").is_empty());
}

#[test]
fn a_challenge_does_not_use_up_what_works_on_acceptance() {
    let mut lab = Lab::new();
    lab.server
        .load_fault(SITE, Fault::new(Action::StaleChallenge).times(1));
    lab.server
        .load_fault(SITE, Fault::new(Action::WithholdNotify).times(1));
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "401");
    lab.say(&subscribe(2, "", "Expires: 1800\n", ""));
    lab.pass(Duration::from_secs(5));
    assert!(
        lab.notifies().is_empty(),
        "used by the SUBSCRIBE that was accepted"
    );
}

#[test]
fn a_refused_subscribe_does_not_use_up_what_works_on_acceptance() {
    let mut lab = Lab::new();
    lab.server
        .load_fault(SITE, Fault::new(Action::WithholdNotify).times(1));
    lab.say(&subscribe(1, "", "Expires: 5\n", ""));
    assert_eq!(lab.answer().status(), "423");
    assert_eq!(lab.server.faults(SITE)[0].used, 0);
}

#[test]
fn a_fault_for_one_account_spares_the_others() {
    let mut lab = with_fault(Fault::new(Action::WithholdNotify).on_user("berta"));
    assert!(first_notify(&mut lab).is_notify());
}

#[test]
fn the_state_header_can_be_wrong_or_missing() {
    let mut lab = always(Action::SubscriptionState {
        value: Some("active, 3599".to_owned()),
    });
    let notify = first_notify(&mut lab);
    assert_eq!(notify.header("Subscription-State"), Some("active, 3599"));
    let mut lab = always(Action::SubscriptionState { value: None });
    let notify = first_notify(&mut lab);
    assert_eq!(notify.header("Subscription-State"), None);
}

#[test]
fn a_header_can_be_added() {
    let mut lab = always(Action::Header {
        name: "X-Odd".to_owned(),
        value: "yes".to_owned(),
    });
    assert_eq!(first_notify(&mut lab).header("X-Odd"), Some("yes"));
}

#[test]
fn bodies_can_be_garbage() {
    for (action, part) in [
        (Action::MalformedXml, "DoNotDisturbEvent"),
        (Action::DtdBomb, "<!DOCTYPE"),
        (
            Action::ExternalEntity {
                uri: "http://127.0.0.1:1/canary".to_owned(),
            },
            "SYSTEM \"http://127.0.0.1:1/canary\"",
        ),
    ] {
        let notify = first_notify(&mut always(action));
        assert!(notify.body().contains(part), "{}", notify.text);
    }
    let notify = first_notify(&mut always(Action::EmptyBody));
    assert_eq!(notify.header("Content-Length"), Some("0"));
    assert_eq!(notify.header("Content-Type"), None);
    let action = Action::WrongContentType {
        content_type: "text/plain".to_owned(),
    };
    assert_eq!(
        first_notify(&mut always(action)).header("Content-Type"),
        Some("text/plain")
    );
    let action = Action::Body {
        content_type: "application/x-own".to_owned(),
        text: "own".to_owned(),
    };
    let notify = first_notify(&mut always(action));
    assert_eq!(notify.body(), "own");
    assert_eq!(notify.header("Content-Type"), Some("application/x-own"));
}

#[test]
fn the_parts_can_come_in_any_order() {
    let services = [
        Service::CallForwardingNoAnswer,
        Service::CallForwardingAlways,
    ];
    let services = services.to_vec();
    let notify = first_notify(&mut always(Action::Order { services }));
    let at = |text: &str| notify.body().find(text).expect(text);
    assert!(at("forwardNoAns") < at("forwardImmediate"));
    assert!(at("forwardImmediate") < at("DoNotDisturbEvent"));
    assert!(at("DoNotDisturbEvent") < at("forwardBusy"));
}

#[test]
fn the_full_state_can_come_in_single_documents() {
    let mut lab = always(Action::SingleDocuments);
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    for (index, part) in ["DoNotDisturb", "Immediate", "Busy", "NoAns"]
        .into_iter()
        .enumerate()
    {
        let notify = lab.next_notify();
        assert!(notify.body().contains(part), "{}", notify.text);
        assert_eq!(
            notify.header("CSeq"),
            Some(format!("{} NOTIFY", 101 + index).as_str())
        );
    }
}

#[test]
fn services_can_be_left_out_and_ring_counts_be_odd() {
    let services = vec![Service::DoNotDisturb];
    let mut lab = always(Action::OmitServices { services });
    lab.server.load_fault(
        SITE,
        Fault::new(Action::RingCount {
            value: Some("101".to_owned()),
        }),
    );
    let notify = first_notify(&mut lab);
    assert!(!notify.body().contains("DoNotDisturbEvent"));
    assert!(notify.body().contains("<ringCount>101</ringCount>"));
}

#[test]
fn multipart_framing_can_be_sloppy() {
    let mut lab = always(Action::LineFeedOnly);
    lab.server
        .load_fault(SITE, Fault::new(Action::QuotedBoundary));
    lab.server
        .load_fault(SITE, Fault::new(Action::ClosingDelimiterMissing));
    let notify = first_notify(&mut lab);
    assert_eq!(
        notify.header("Content-Type"),
        Some("multipart/mixed;boundary=\"UniqueBroadWorksBoundary\"")
    );
    assert!(!notify.body().contains('\r'));
    assert!(notify.body().ends_with("\n--UniqueBroadWorksBoundary\n"));
}

#[test]
fn the_namespace_and_the_number_can_be_odd() {
    let mut lab = always(Action::Namespace { value: None });
    lab.server.load_fault(
        SITE,
        Fault::new(Action::ForwardTo {
            value: Some("0".to_owned()),
        }),
    );
    let notify = first_notify(&mut lab);
    assert!(!notify.body().contains(NS));
    assert!(notify.body().contains("<forwardTo>0</forwardTo>"));
}

#[test]
fn a_fault_on_notifies_can_be_bound_to_their_cause() {
    let fault = Fault::new(Action::EmptyBody)
        .on_method(&Method::Notify)
        .on_purpose(Purpose::ServerChange);
    let mut lab = with_fault(fault);
    lab.subscribe();
    let on = Setting {
        active: true,
        ..Setting::default()
    };
    lab.with(|server, now| {
        server.set_service(now, "anna", Service::DoNotDisturb, on, Origin::Portal)
    });
    assert_eq!(lab.next_notify().body(), "");
}

#[test]
fn a_faulty_notify_does_not_change_the_next_one() {
    let fault = Fault::new(Action::SubscriptionState { value: None }).times(1);
    let mut lab = with_fault(fault);
    first_notify(&mut lab);
    lab.say(&subscribe_in("sub-2", 1, "", "Expires: 1800\n", ""));
    assert!(lab.next_notify().header("Subscription-State").is_some());
}

#[test]
fn a_change_by_the_server_can_go_untold() {
    let fault = Fault::new(Action::WithholdNotify).on_purpose(Purpose::ServerChange);
    let mut lab = with_fault(fault.times(1));
    lab.subscribe();
    let mut set = |active| {
        let setting = Setting {
            active,
            ..Setting::default()
        };
        lab.with(|server, now| {
            let service = Service::DoNotDisturb;
            server.set_service(now, "anna", service, setting, Origin::Portal)
        });
        lab.notifies().len()
    };
    assert_eq!(set(true), 1);
    assert_eq!(set(false), 2);
}

#[test]
fn an_unsubscription_can_be_closed_with_another_reason() {
    let action = Action::EndSubscription {
        reason: Some("noresource".to_owned()),
        retry_after: None,
    };
    let mut lab = with_fault(Fault::new(action).on_purpose(Purpose::Unsubscribe));
    let tag = lab.subscribe();
    lab.say(&subscribe(2, &tag, "Expires: 0\n", ""));
    let notify = lab.next_notify();
    assert_eq!(
        notify.header("Subscription-State"),
        Some("terminated;reason=noresource")
    );
    assert!(lab.server.subscriptions("anna").is_empty());
}
