//! Two event packages on one account: they are told apart, and hoteling does what it is for.

use crate::peer::{Lab, SITE, set_dnd, subscribe_in};
use server::fault::{Action, Fault};
use server::notify_spec::NotifySpec;
use server::{
    Dialect, Ending, Faults as _, Origin, Package, Portal as _, SubscriptionFilter, UserConfig,
};
use sip::service::{Service, Setting};
use std::time::Duration;

const NS: &str = "http://schema.broadsoft.com/hoteling";
const TYPE: &str = "application/x-broadworks-hoteling+xml";
const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";

fn guest(address: &str) -> Setting {
    Setting {
        active: !address.is_empty(),
        number: Some(address.to_owned()).filter(|address| !address.is_empty()),
        ..Setting::default()
    }
}

/// A server with Anna, who has hoteling, and Berta, who may be her guest.
fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.with(|server, now| {
        let anna = UserConfig::new("anna", "secret");
        server.add_user(now, anna.with_service(Service::HotelingGuest, guest("")));
        server.add_user(now, UserConfig::new("2005", "secret"));
    });
    lab
}

/// A SUBSCRIBE to hoteling in the dialog `hot-1`; an empty body means none.
fn hoteling(cseq: u32, tag: &str, headers: &str, body: &str) -> String {
    subscribe_in("hot-1", cseq, tag, headers, body)
        .replace("x-as-feature-event", "x-broadworks-hoteling")
        .replace("as-feature-event", "x-broadworks-hoteling")
}

fn set_hoteling(inside: &str) -> String {
    format!("{DECLARATION}<SetHoteling xmlns=\"{NS}\">{inside}</SetHoteling>")
}

/// Subscribes to both packages and answers both full states; the tags of the server.
fn subscribed(lab: &mut Lab) -> (String, String) {
    let features = lab.subscribe();
    lab.say(&hoteling(1, "", "Expires: 600\n", ""));
    assert_eq!(lab.answer().status(), "200");
    let tag = lab.answer().tag("To");
    lab.next_notify();
    (features, tag)
}

fn event(inside: &str) -> String {
    format!("{DECLARATION}<HotelingEvent xmlns=\"{NS}\">{inside}</HotelingEvent>")
}

#[test]
fn the_first_notify_says_that_nobody_is_a_guest() {
    let mut lab = lab();
    lab.say(&hoteling(1, "", "Expires: 600\n", ""));
    assert_eq!(lab.answer().header("Expires"), Some("600"));
    let notify = lab.next_notify();
    assert_eq!(notify.header("Event"), Some("x-broadworks-hoteling"));
    assert_eq!(notify.header("Content-Type"), Some(TYPE));
    assert_eq!(notify.body(), event("<guestAddress/>"));
}

#[test]
fn a_guest_is_set_by_the_body_of_a_subscribe_and_leaves_by_an_empty_one() {
    let mut lab = lab();
    let (_, tag) = subscribed(&mut lab);
    let body = set_hoteling("<guestAddress>2005</guestAddress>");
    lab.say(&hoteling(2, &tag, "Expires: 600\n", &body));
    assert_eq!(lab.answer().status(), "200");
    let told = event("<guestAddress>2005</guestAddress><expires>3600</expires>");
    assert_eq!(lab.next_notify().body(), told);
    let state = lab
        .server
        .service("anna", Service::HotelingGuest)
        .expect("a state");
    assert_eq!(
        (state.setting.clone(), state.origin),
        (guest("2005"), Some(Origin::Handset))
    );

    lab.say(&hoteling(
        3,
        &tag,
        "Expires: 600\n",
        &set_hoteling("<guestAddress/>"),
    ));
    assert_eq!(lab.next_notify().body(), event("<guestAddress/>"));
}

#[test]
fn a_refused_login_is_accepted_and_the_notify_names_nobody() {
    let mut lab = lab();
    let (_, tag) = subscribed(&mut lab);
    for (cseq, refused) in [(2, "9999"), (3, "anna"), (4, "sip:anna@as.test")] {
        let body = set_hoteling(&format!("<guestAddress>{refused}</guestAddress>"));
        lab.say(&hoteling(cseq, &tag, "Expires: 600\n", &body));
        assert_eq!(lab.answer().status(), "200", "{refused}");
        assert_eq!(
            lab.next_notify().body(),
            event("<guestAddress/>"),
            "{refused}"
        );
    }
}

#[test]
fn a_change_at_the_portal_is_notified_to_the_package_that_it_is_of() {
    let mut lab = lab();
    subscribed(&mut lab);
    let change = |lab: &mut Lab, service, setting: Setting| {
        let changed = lab.with(|server, now| server.change(now, "anna", service, &setting));
        assert_eq!(changed, Ok(()));
        lab.next_notify()
    };
    let notify = change(&mut lab, Service::HotelingGuest, guest("2005"));
    assert_eq!(notify.header("Call-ID"), Some("hot-1"));
    assert!(
        notify.body().contains("<guestAddress>2005<"),
        "{}",
        notify.text
    );
    let on = Setting {
        active: true,
        ..Setting::default()
    };
    let notify = change(&mut lab, Service::DoNotDisturb, on);
    assert_eq!(notify.header("Call-ID"), Some("sub-1"));
    lab.pass(Duration::from_secs(5));
    assert_eq!(
        lab.notifies().len(),
        4,
        "each change is told in one package only"
    );
}

#[test]
fn a_change_by_the_handset_in_one_package_is_silent_in_the_other() {
    let mut lab = lab();
    let (tag, _) = subscribed(&mut lab);
    let body = set_dnd(true);
    lab.say(&subscribe_in("sub-1", 2, &tag, "Expires: 1800\n", &body));
    assert_eq!(lab.next_notify().header("Call-ID"), Some("sub-1"));
    lab.pass(Duration::from_secs(5));
    assert_eq!(lab.notifies().len(), 3);
}

#[test]
fn each_package_has_its_own_lifetime() {
    let mut lab = lab();
    subscribed(&mut lab);
    lab.pass(Duration::from_secs(600));
    let closing = lab.next_notify();
    assert_eq!(closing.header("Call-ID"), Some("hot-1"));
    let state = closing.header("Subscription-State").unwrap_or_default();
    assert!(state.starts_with("terminated"), "{state}");
    let left = lab.server.subscriptions("anna");
    let left: Vec<_> = left.iter().map(|it| it.package).collect();
    assert_eq!(left, [Package::FeatureEvent]);
}

#[test]
fn one_package_is_ended_and_the_other_lives() {
    let mut lab = lab();
    let (_, tag) = subscribed(&mut lab);
    let features = SubscriptionFilter::of_user("anna").in_package(Package::FeatureEvent);
    lab.with(|server, now| {
        server.end_subscriptions(now, SITE, &features, &Ending::because("deactivated"));
    });
    assert_eq!(lab.next_notify().header("Call-ID"), Some("sub-1"));
    lab.say(&hoteling(2, &tag, "Expires: 600\n", ""));
    assert_eq!(lab.answer().status(), "200");
    assert_eq!(lab.next_notify().header("Call-ID"), Some("hot-1"));
}

#[test]
fn a_dialog_belongs_to_one_package_and_to_one_id() {
    let mut lab = lab();
    let (features, tag) = subscribed(&mut lab);
    for text in [
        hoteling(2, &tag, "Expires: 600\n", "")
            .replace("x-broadworks-hoteling", "as-feature-event"),
        subscribe_in("sub-1", 2, &features, "Expires: 600\n", "")
            .replace("Event: as-feature-event", "Event: as-feature-event;id=7"),
    ] {
        lab.say(&text);
        assert_eq!(lab.answer().status(), "481");
    }
    assert_eq!(lab.server.subscriptions("anna").len(), 2);
}

#[test]
fn without_hoteling_the_notify_has_no_body_and_a_login_changes_nothing() {
    let mut lab = Lab::new();
    lab.with(|server, now| server.add_user(now, UserConfig::new("2005", "secret")));
    let body = set_hoteling("<guestAddress>2005</guestAddress>");
    lab.say(&hoteling(1, "", "Expires: 600\n", &body));
    assert_eq!(lab.answer().status(), "200");
    let notify = lab.next_notify();
    assert_eq!((notify.header("Content-Type"), notify.body()), (None, ""));
}

#[test]
fn a_package_that_the_product_does_not_have_is_refused_as_an_unknown_one() {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    dialect.package.x_broadworks_hoteling = None;
    let mut lab = Lab::with_dialect(dialect);
    lab.say(&hoteling(1, "", "Expires: 600\n", ""));
    assert_eq!(lab.answer().first_line(), "SIP/2.0 489 Bad Event");
}

#[test]
fn a_fault_may_be_meant_for_one_package() {
    let mut lab = lab();
    let fault = Fault::new(Action::WithholdNotify).on_package(Package::Hoteling);
    lab.server.load_fault(SITE, fault);
    lab.say(&hoteling(1, "", "Expires: 600\n", ""));
    lab.pass(Duration::from_secs(1));
    assert!(lab.notifies().is_empty());
    lab.subscribe();
    assert_eq!(lab.notifies().len(), 1);
}

#[test]
fn bodies_of_hoteling_can_be_broken_too() {
    for (action, part) in [
        (Action::DtdBomb, "<!DOCTYPE HotelingEvent"),
        (
            Action::Namespace { value: None },
            "<HotelingEvent><guestAddress/>",
        ),
    ] {
        let mut lab = lab();
        lab.server.load_fault(SITE, Fault::new(action));
        lab.say(&hoteling(1, "", "Expires: 600\n", ""));
        let notify = lab.next_notify();
        assert!(notify.body().contains(part), "{}", notify.text);
    }
}

#[test]
fn an_odd_notify_goes_to_the_package_that_it_names() {
    let mut lab = lab();
    subscribed(&mut lab);
    for (spec, call_id) in [
        (NotifySpec::new(), "sub-1"),
        (NotifySpec::new().in_package(Package::Hoteling), "hot-1"),
    ] {
        let sent = lab.with(|server, now| server.notify(now, SITE, "anna", &spec));
        let sent: Vec<_> = sent.iter().map(|it| it.call_id.as_str()).collect();
        assert_eq!(sent, [call_id]);
    }
}

#[test]
fn the_dialect_says_how_a_request_for_a_guest_is_worded() {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    let habits = dialect.package.x_broadworks_hoteling.as_mut();
    let habits = habits.expect("served");
    habits.content_type.value = "application/x-lab+xml".to_owned();
    habits.namespace.value = "urn:lab".to_owned();
    let mut lab = Lab::with_dialect(dialect);
    lab.with(|server, now| {
        let anna = UserConfig::new("anna", "secret");
        server.add_user(now, anna.with_service(Service::HotelingGuest, guest("")));
        server.add_user(now, UserConfig::new("2005", "secret"));
    });
    let ours = set_hoteling("<guestAddress>2005</guestAddress>");
    let theirs = ours.replace(NS, "urn:lab");
    let subscribe = |body: &str| hoteling(1, "", "Expires: 600\n", body);
    lab.say(&subscribe(&theirs).replace(TYPE, "application/x-lab+xml"));
    let state = lab.server.service("anna", Service::HotelingGuest);
    assert_eq!(state.expect("a state").setting, guest("2005"));
}
