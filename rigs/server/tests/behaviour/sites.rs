//! Several sites: what they share, what each has for itself, and what a dead one leaves behind.

use crate::peer::{ANNA, Lab, Sent, register, set_dnd, subscribe, subscribe_in};
use server::fault::{Action, Fault, Purpose};
use server::{
    AppServer, Dialect, ExpiresPolicy, Faults as _, Lifetime, Origin, ServerConfig, SiteConfig,
    SiteId, UserConfig,
};
use sip::node::{Input, Node as _, Output, Transport};
use sip::service::{Service, Setting};
use sip::time::Instant;
use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

const EAST: &str = "127.0.0.1:5060";
const WEST: &str = "127.0.0.5:5060";
const CONTACT: &str = "Contact: <sip:anna@127.0.0.2:5060>\n";
const DND: Service = Service::DoNotDisturb;

fn site(name: &str, address: &str) -> SiteConfig {
    let address: SocketAddr = address.parse().expect("an address");
    SiteConfig {
        name: name.to_owned(),
        listen: vec![(Transport::Udp, address), (Transport::Tcp, address)],
    }
}

fn two_sites(dialect: Dialect) -> AppServer {
    AppServer::new(ServerConfig {
        dialect: dialect.into(),
        sites: vec![site("east", EAST), site("west", WEST)],
        domain: "as.test".to_owned(),
        seed: 7,
    })
}

/// Two sites that challenge nobody, with the account `anna`.
fn lab() -> (Lab, SiteId, SiteId) {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    let mut server = two_sites(dialect);
    server.add_user(Instant::EPOCH, UserConfig::new("anna", "secret"));
    let (east, west) = (server.site_named("east"), server.site_named("west"));
    let lab = Lab::in_front_of(server);
    (lab, east.expect("a site"), west.expect("a site"))
}

/// Anna's base registers and subscribes at both sites, and answers both full states.
fn served_twice(lab: &mut Lab) {
    for (address, call_id) in [(EAST, "sub-east"), (WEST, "sub-west")] {
        lab.server_address = address.parse().expect("an address");
        lab.say(&register(1, CONTACT));
        assert_eq!(lab.answer().status(), "200");
        lab.say(&subscribe_in(call_id, 1, "", "Expires: 1800\n", ""));
        assert_eq!(lab.answer().status(), "200");
        lab.next_notify();
    }
}

/// Where each of these came from, and in which dialog.
fn sources(sent: &[Sent]) -> Vec<(String, String)> {
    let source = |sent: &Sent| {
        let call_id = sent.header("Call-ID").unwrap_or_default().to_owned();
        (sent.flow.local.to_string(), call_id)
    };
    sent.iter().map(source).collect()
}

fn from(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(address, call_id): &(&str, &str)| ((*address).to_owned(), (*call_id).to_owned());
    pairs.iter().map(owned).collect()
}

#[test]
fn a_base_may_be_registered_and_subscribed_at_both_sites() {
    let (mut lab, east, west) = lab();
    served_twice(&mut lab);
    assert_eq!(lab.server.bindings("anna").len(), 2);
    let served = lab.server.subscriptions("anna");
    let served: Vec<_> = served
        .iter()
        .map(|it| (it.site, it.call_id.as_str()))
        .collect();
    assert_eq!(served, [(east, "sub-east"), (west, "sub-west")]);
    let full = sources(&lab.notifies());
    assert_eq!(full, from(&[(EAST, "sub-east"), (WEST, "sub-west")]));
}

#[test]
fn a_change_at_the_portal_is_notified_at_both_sites() {
    let (mut lab, ..) = lab();
    served_twice(&mut lab);
    let before = lab.notifies().len();
    lab.with(|server, now| server.set_service(now, "anna", DND, Setting::on(), Origin::Portal));
    let told = &lab.notifies()[before..];
    assert_eq!(
        sources(told),
        from(&[(EAST, "sub-east"), (WEST, "sub-west")])
    );
    assert!(
        told.iter()
            .all(|notify| notify.body().contains("<doNotDisturbOn>true<"))
    );
}

#[test]
fn a_change_by_the_handset_at_one_site_is_notified_at_the_other_too() {
    let (mut lab, ..) = lab();
    served_twice(&mut lab);
    let before = lab.notifies().len();
    lab.server_address = WEST.parse().expect("an address");
    let tag = lab.answer().tag("To");
    lab.say(&subscribe_in(
        "sub-west",
        2,
        &tag,
        "Expires: 1800\n",
        &set_dnd(true),
    ));
    assert_eq!(lab.answer().status(), "200");
    lab.pass_ms(100);
    let mut told = sources(&lab.notifies()[before..]);
    told.sort();
    assert_eq!(told, from(&[(EAST, "sub-east"), (WEST, "sub-west")]));
}

#[test]
fn what_is_notified_at_once_leaves_the_other_site_at_once_though_this_one_is_silent() {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    dialect.notify.order.value = server::dialect::Order::BeforeResponse;
    let mut server = two_sites(dialect);
    server.add_user(Instant::EPOCH, UserConfig::new("anna", "secret"));
    let mut lab = Lab::in_front_of(server);
    served_twice(&mut lab);
    lab.pass_ms(100);
    let before = lab.notifies().len();
    let tag = lab.answer().tag("To");
    let west = lab.server.site_named("west").expect("a site");
    let silence = Fault::new(Action::WithholdNotify).on_purpose(Purpose::Change);
    lab.server.load_fault(west, silence);
    let body = set_dnd(true);
    lab.say(&subscribe_in("sub-west", 2, &tag, "Expires: 1800\n", &body));
    let told = sources(&lab.notifies()[before..]);
    assert_eq!(told, from(&[(EAST, "sub-east")]));
}

#[test]
fn a_feature_code_dialled_at_one_site_is_notified_at_both() {
    let (mut lab, ..) = lab();
    served_twice(&mut lab);
    let before = lab.notifies().len();
    lab.server_address = WEST.parse().expect("an address");
    let invite = register(9, CONTACT)
        .replace("REGISTER sip:as.test", "INVITE sip:*78@as.test")
        .replace("9 REGISTER", "9 INVITE");
    lab.say(&invite);
    lab.pass(Duration::from_secs(1));
    let told = sources(&lab.notifies()[before..]);
    assert!(
        told.contains(&(EAST.to_owned(), "sub-east".to_owned())),
        "{told:?}"
    );
    assert!(
        told.contains(&(WEST.to_owned(), "sub-west".to_owned())),
        "{told:?}"
    );
}

#[test]
fn a_stopped_site_is_silent_and_the_other_goes_on() {
    let (mut lab, east, west) = lab();
    served_twice(&mut lab);
    lab.with(|server, _| server.stop_site(east));
    assert!(!lab.server.is_running(east) && lab.server.is_running(west));
    let before = lab.sent.len();
    lab.server_address = EAST.parse().expect("an address");
    lab.say(&register(2, CONTACT));
    lab.pass(Duration::from_secs(60));
    assert_eq!(lab.sent.len(), before, "a dead process answers nobody");

    lab.with(|server, now| server.set_service(now, "anna", DND, Setting::on(), Origin::Portal));
    let told = sources(&lab.sent[before..]);
    assert_eq!(told, from(&[(WEST, "sub-west")]));
    lab.server_address = WEST.parse().expect("an address");
    lab.say(&register(2, CONTACT));
    assert_eq!(lab.answer().status(), "200");
}

#[test]
fn a_site_that_comes_back_knows_the_services_and_no_dialog() {
    let (mut lab, east, _) = lab();
    served_twice(&mut lab);
    let tag = lab.server.subscriptions("anna")[0].local_tag.clone();
    lab.with(|server, _| server.stop_site(east));
    lab.with(|server, now| server.set_service(now, "anna", DND, Setting::on(), Origin::Portal));
    lab.with(|server, _| server.start_site(east));
    let left = lab.server.subscriptions("anna");
    assert_eq!(left.len(), 1, "the site has lost its own and no other");
    lab.server_address = EAST.parse().expect("an address");
    lab.say(&subscribe_in("sub-east", 2, &tag, "Expires: 1800\n", ""));
    assert_eq!(lab.answer().status(), "481");
    let before = lab.notifies().len();
    lab.say(&subscribe_in("sub-new", 1, "", "Expires: 1800\n", ""));
    lab.pass_ms(100);
    let full = &lab.notifies()[before..];
    let full = full
        .iter()
        .find(|notify| notify.header("Call-ID") == Some("sub-new"));
    assert!(
        full.expect("a full state")
            .body()
            .contains("<doNotDisturbOn>true<")
    );
}

#[test]
fn a_restart_forgets_transactions_so_that_a_copy_is_a_new_request() {
    let (mut lab, east, _) = lab();
    lab.say(&register(1, CONTACT));
    lab.with(|server, _| server.restart_site(east));
    assert!(lab.server.bindings("anna").is_empty());
    lab.say(&register(1, CONTACT));
    assert_eq!(lab.server.bindings("anna").len(), 1);
}

#[test]
fn faults_policies_and_endings_are_those_of_one_site() {
    let (mut lab, east, west) = lab();
    served_twice(&mut lab);
    lab.server
        .load_fault(west, Fault::new(Action::BareUnauthorized));
    lab.server
        .set_expires_policy(east, Lifetime::Registration, ExpiresPolicy::at_most(8));
    let answer = |lab: &mut Lab, address: &str, cseq| {
        lab.server_address = address.parse().expect("an address");
        lab.say(&register(cseq, CONTACT));
        lab.answer().clone()
    };
    let at_east = answer(&mut lab, EAST, 2);
    assert!(
        at_east
            .header("Contact")
            .is_some_and(|it| it.contains(";expires=8;"))
    );
    assert_eq!(answer(&mut lab, WEST, 2).status(), "401");
    assert!(lab.server.faults(east).is_empty());
    let before = lab.notifies().len();
    lab.with(|server, now| {
        server.end_subscriptions(
            now,
            east,
            &"anna".into(),
            &server::Ending::because("probation"),
        );
    });
    let told = &lab.notifies()[before..];
    assert_eq!(sources(told), from(&[(EAST, "sub-east")]));
}

#[test]
fn two_sites_choose_different_identifiers() {
    let mut server = two_sites(Dialect::broadsoft());
    server.add_user(Instant::EPOCH, UserConfig::new("anna", "secret"));
    let mut lab = Lab::in_front_of(server);
    let mut seen = BTreeSet::new();
    for address in [EAST, WEST] {
        lab.server_address = address.parse().expect("an address");
        lab.say(&register(1, CONTACT));
        let answer = lab.answer();
        let challenge = answer.header("WWW-Authenticate").expect("a challenge");
        seen.insert(challenge.to_owned());
        seen.insert(answer.tag("To"));
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
    let (lab, ..) = lab_with_subscriptions();
    let notifies = lab.notifies();
    let branch = |sent: &Sent| {
        sent.header("Via")
            .unwrap_or_default()
            .split(";branch=")
            .nth(1)
            .map(str::to_owned)
    };
    assert_ne!(branch(&notifies[0]), branch(&notifies[1]));
}

fn lab_with_subscriptions() -> (Lab, SiteId, SiteId) {
    let (mut lab, east, west) = lab();
    served_twice(&mut lab);
    (lab, east, west)
}

#[test]
fn what_comes_for_an_address_of_no_site_is_not_answered() {
    let (mut lab, ..) = lab();
    lab.server_address = "127.0.0.9:5060".parse().expect("an address");
    lab.say(&register(1, CONTACT));
    assert!(lab.sent.is_empty());
}

#[test]
fn two_servers_share_nothing() {
    let mut lab = Lab::new();
    let mut other = Lab::new();
    for lab in [&mut lab, &mut other] {
        lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
        lab.next_notify();
    }
    lab.with(|server, now| server.set_service(now, "anna", DND, Setting::on(), Origin::Portal));
    other.pass(Duration::from_secs(5));
    assert_eq!((lab.notifies().len(), other.notifies().len()), (2, 1));
    let kept = other.server.service("anna", DND).expect("a state");
    assert!(!kept.setting.active);
}

#[test]
fn a_copy_of_the_server_goes_its_own_way_at_every_site() {
    let (mut lab, ..) = lab_with_subscriptions();
    let mut copy = lab.clone();
    lab.with(|server, now| server.set_service(now, "anna", DND, Setting::on(), Origin::Portal));
    copy.pass(Duration::from_secs(5));
    assert_eq!(lab.notifies().len(), copy.notifies().len() + 2);
    copy.with(|server, now| server.set_service(now, "anna", DND, Setting::on(), Origin::Portal));
    assert_eq!(lab.notifies().len(), copy.notifies().len());
}

#[test]
fn five_hundred_accounts_on_two_sites_are_each_notified_of_their_own() {
    let mut dialect = Dialect::broadsoft();
    dialect.digest.challenged.value.clear();
    let mut server = two_sites(dialect);
    let names: Vec<String> = (0..500).map(|number| format!("u{number:03}")).collect();
    for name in &names {
        server.add_user(Instant::EPOCH, UserConfig::new(name, "secret"));
    }
    let mut lab = Lab::in_front_of(server);
    for name in &names {
        let own = |text: String| text.replace("sip:anna@", &format!("sip:{name}@"));
        for address in [EAST, WEST] {
            lab.server_address = address.parse().expect("an address");
            let at = if address == EAST { "e" } else { "w" };
            lab.say(
                &own(register(1, CONTACT)).replace("z9hG4bKreg", &format!("z9hG4bK{at}{name}")),
            );
            let call_id = format!("{at}-{name}");
            lab.say(&own(subscribe_in(&call_id, 1, "", "Expires: 1800\n", "")));
        }
    }
    lab.pass_ms(60);
    let full = lab.notifies();
    assert_eq!(full.len(), 1000);
    for notify in &full {
        lab.answer_notify(notify, "200 OK");
    }
    lab.sent.clear();
    for name in names.iter().step_by(7) {
        lab.with(|server, now| server.set_service(now, name, DND, Setting::on(), Origin::Portal));
    }
    let told = sources(&lab.sent);
    let wanted: Vec<_> = names
        .iter()
        .step_by(7)
        .flat_map(|name| {
            [
                (EAST.to_owned(), format!("e-{name}")),
                (WEST.to_owned(), format!("w-{name}")),
            ]
        })
        .collect();
    assert_eq!(told, wanted);
    assert_eq!(lab.server.subscriptions("u499").len(), 2);
}

#[test]
fn a_deadline_of_any_site_is_a_deadline_of_the_server() {
    let (mut lab, _, west) = lab();
    lab.server.load_fault(
        west,
        Fault::new(Action::Delay { milliseconds: 700 }).times(1),
    );
    lab.server_address = WEST.parse().expect("an address");
    lab.say(&register(1, CONTACT));
    let Output::Timeout(Some(deadline)) = lab.server.poll_output() else {
        panic!("the server waits for something");
    };
    assert_eq!(deadline.since(Instant::EPOCH), Duration::from_millis(700));
    lab.server.handle_input(deadline, Input::Timeout);
    lab.now = deadline;
    lab.drain();
    assert_eq!(lab.answer().flow.remote, ANNA.parse().expect("an address"));
    assert_eq!(lab.answer().flow.local, lab.server_address);
}
