//! Two packages in one account: each subscription has its own dialog, lifetime and end.

use crate::line::{Line, Subscribed, anna, dnd, setting};
use firmware_stubs::Model;
use firmware_stubs::defect::Defects;
use firmware_stubs::user_agent::UaIndication;
use sip::message::{Message, Method};
use sip::service::{AS_FEATURE_EVENT, HOTELING, Service};
use std::time::Duration;

const POCKET: &str = include_str!("../models/pocket.toml");

/// One account with both subscriptions: that of its services, and that of its guest.
fn synchronised() -> (Line, Subscribed, Subscribed) {
    let model = Model::from_toml(POCKET, "pocket.toml").expect("the model reads");
    let mut line = Line::of(model, Defects::default());
    line.configure(&[anna()]);
    line.grant_registration(36_000);
    let mut both = [line.grant_subscription(), line.grant_subscription()];
    both.sort_by_key(|one| event(&one.subscribe) == HOTELING);
    line.sent.clear();
    let [services, guest] = both;
    assert_eq!(event(&services.subscribe), AS_FEATURE_EVENT);
    (line, services, guest)
}

fn event(message: &Message) -> String {
    message.header("Event").unwrap_or_default().to_owned()
}

/// A NOTIFY of hoteling in the dialog of this subscription.
fn guest_notify(subscribed: &mut Subscribed, state: &str, address: &str) -> String {
    subscribed.cseq += 1;
    let body = format!(
        "<HotelingEvent xmlns=\"http://schema.broadsoft.com/hoteling\"><guestAddress>{address}</guestAddress>\
         <expires>3424</expires></HotelingEvent>"
    );
    let text = subscribed.raw_notify(subscribed.cseq, HOTELING, state, &body);
    text.replace("x-as-feature-event+xml", "x-broadworks-hoteling+xml")
}

#[test]
fn each_package_is_subscribed_by_itself() {
    let (_, services, guest) = synchronised();
    let (services, guest) = (&services.subscribe, &guest.subscribe);
    assert_eq!(event(guest), HOTELING);
    assert_eq!(
        guest.header("Accept"),
        Some("application/x-broadworks-hoteling+xml")
    );
    assert_eq!(guest.expires(), Some(3600));
    assert!(guest.body().is_empty());
    assert_eq!(services.expires(), Some(1800));
    assert_ne!(services.call_id(), guest.call_id());
    assert_ne!(services.from_tag(), guest.from_tag());
}

#[test]
fn a_guest_is_accepted_and_kept() {
    let (mut line, _, mut guest) = synchronised();
    line.say(guest_notify(&mut guest, "active;expires=3424", "2005"));
    assert_eq!(line.last_status(), Some(200));
    let kept = line.state(Service::HotelingGuest);
    assert_eq!(kept, Some(setting(true, Some("2005"), None)));
    line.say(guest_notify(&mut guest, "active;expires=3424", ""));
    let kept = line.state(Service::HotelingGuest);
    assert_eq!(kept, Some(setting(false, None, None)));
}

#[test]
fn a_notify_belongs_to_the_subscription_of_its_dialog_and_its_event() {
    let (mut line, mut services, mut guest) = synchronised();
    let mixed = guest_notify(&mut services, "active", "2005");
    line.say(mixed);
    assert_eq!(line.last_status(), Some(481));
    line.say(guest.notify("active", &dnd(true)));
    assert_eq!(line.last_status(), Some(481));
    assert_eq!(line.state(Service::HotelingGuest), None);
    assert_eq!(line.state(Service::DoNotDisturb), None);
    services.cseq += 1;
    line.say(services.raw_notify(services.cseq, "presence", "active", ""));
    assert_eq!(line.last_status(), Some(489));
    let known = line.last_response().header("Allow-Events");
    assert_eq!(
        known,
        Some("as-feature-event, x-broadworks-hoteling, check-sync")
    );
}

#[test]
fn each_is_refreshed_in_its_own_time() {
    let (mut line, services, mut guest) = synchronised();
    line.say(guest_notify(&mut guest, "active;expires=3424", "2005"));
    let first = line.expect(&Method::Subscribe, Duration::from_secs(1800));
    assert_eq!(first.call_id(), services.subscribe.call_id());
    line.answer(&first, "200 OK", "Expires: 36000\r\n");
    line.sent.clear();
    let mut services = Subscribed {
        subscribe: first,
        cseq: 500,
    };
    line.say(services.notify("active;expires=36000", ""));
    let second = line.expect(&Method::Subscribe, Duration::from_secs(3424));
    assert_eq!(second.call_id(), guest.subscribe.call_id());
    assert_eq!(second.expires(), Some(3600));
}

#[test]
fn the_end_of_one_leaves_the_other_alone() {
    let (mut line, mut services, mut guest) = synchronised();
    line.say(guest_notify(&mut guest, "terminated;reason=rejected", ""));
    assert_eq!(line.last_status(), Some(200));
    assert_eq!(line.count(&Method::Subscribe, 60), 0);
    line.say(services.notify("active;expires=1700", &dnd(true)));
    assert_eq!(line.last_status(), Some(200));
    let down = |told: &UaIndication| matches!(told, UaIndication::Synchronised { on: false, .. });
    assert!(!line.told.iter().any(down));
}

#[test]
fn the_refusal_of_one_leaves_the_other_alone() {
    let model = Model::from_toml(POCKET, "pocket.toml").expect("the model reads");
    let mut line = Line::of(model, Defects::default());
    line.configure(&[anna()]);
    line.grant_registration(36_000);
    let one = line.expect_soon(&Method::Subscribe);
    let other = line.expect_soon(&Method::Subscribe);
    let (services, guest) = if event(&one) == HOTELING {
        (other, one)
    } else {
        (one, other)
    };
    line.answer(&guest, "489 Bad Event", "");
    let granted = "Expires: 1800\r\nContact: <sip:as@127.0.0.1:5060>\r\n";
    line.answer(&services, "200 OK", granted);
    let mut services = Subscribed {
        subscribe: services,
        cseq: 1,
    };
    line.say(services.notify("active;expires=1800", &dnd(true)));
    assert_eq!(
        line.state(Service::DoNotDisturb),
        Some(setting(true, None, None))
    );
    assert_eq!(line.count(&Method::Subscribe, 600), 0);
}

#[test]
fn the_switch_gates_the_services_and_not_the_guest() {
    let (mut line, services, mut guest) = synchronised();
    let mut account = anna();
    account.feature_key_sync = false;
    line.configure(&[account]);
    let last = line.expect_soon(&Method::Subscribe);
    assert_eq!(last.expires(), Some(0));
    assert_eq!(last.call_id(), services.subscribe.call_id());
    line.say(guest_notify(&mut guest, "active;expires=3424", "2005"));
    assert_eq!(line.last_status(), Some(200));
}

#[test]
fn a_base_that_ends_gives_both_up_before_the_binding() {
    let (mut line, mut services, mut guest) = synchronised();
    line.agent.shutdown(line.now);
    line.drain();
    for _ in 0..2 {
        let last = line.expect_soon(&Method::Subscribe);
        assert_eq!(last.expires(), Some(0));
        line.answer(&last, "200 OK", "Expires: 0\r\n");
    }
    line.say(services.notify("terminated", ""));
    assert_eq!(line.count(&Method::Register, 0), 0);
    line.say(guest_notify(&mut guest, "terminated", ""));
    assert_eq!(line.expect_soon(&Method::Register).expires(), Some(0));
}

#[test]
fn a_package_that_is_off_is_not_known() {
    let mut line = Line::new();
    line.configure(&[anna()]);
    line.grant_registration(36_000);
    let mut services = line.grant_subscription();
    assert_eq!(line.count(&Method::Subscribe, 1200), 0);
    line.say(guest_notify(&mut services, "active", "2005"));
    assert_eq!(line.last_status(), Some(489));
}

#[test]
fn packages_that_make_no_sense_are_refused() {
    let two = POCKET.replace(
        "name = \"x-broadworks-hoteling\"",
        "name = \"as-feature-event\"",
    );
    let error = Model::from_toml(&two, "pocket.toml").expect_err("two of a name");
    let told = error.to_string();
    assert!(
        told.ends_with("sip.package[1]: a second package with the same name"),
        "{told}"
    );
    let text = POCKET.replace("expires = 3600", "templates.bye = \"x\"");
    let error = Model::from_toml(&text, "pocket.toml").expect_err("a bye");
    assert!(
        error
            .problem
            .contains("template `bye` is not used by a package"),
        "{error}"
    );
    let text = POCKET.replace("gate = \"on\"", "gate = \"open\"");
    let error = Model::from_toml(&text, "pocket.toml").expect_err("a gate");
    assert!(error.problem.contains("unknown word \"open\""), "{error}");
}
