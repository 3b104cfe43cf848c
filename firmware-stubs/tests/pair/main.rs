//! The user agent against the mock application server: registrations, subscriptions and changes over hours of virtual
//! time, on good wires and bad ones.

mod wired;

use firmware_stubs::user_agent::UaIndication;
use server::SiteId;
use server::fault::{Action, Fault, Faults as _, Purpose};
use server::notify_spec::{NotifyDialog, NotifySpec};
use server::service::Origin;
use sip::feature_event::{Service, Setting};
use sip::message::Method;
use sip::node::Transport;
use wired::{ANNA, BEN, Pair, anna, ben, ipui};

/// The server's only site.
const SITE: SiteId = SiteId::FIRST;

const DND: Service = Service::DoNotDisturb;
const CFA: Service = Service::CallForwardingAlways;
const CFNA: Service = Service::CallForwardingNoAnswer;

fn portal(pair: &mut Pair, user: &str, service: Service, setting: Setting) {
    pair.serve(|server, now| server.set_service(now, user, service, setting, Origin::Portal));
}

#[test]
fn the_state_at_the_server_is_known_within_ten_seconds() {
    let mut pair = Pair::new(1);
    portal(&mut pair, "anna", DND, Setting::on());
    portal(&mut pair, "anna", CFNA, Setting::after("2426", 6));
    pair.configure(&[anna()]);
    assert!(pair.until(10, |pair| pair.shown(ANNA, CFNA).is_some()));
    assert_eq!(pair.shown(ANNA, DND), Some(&Setting::on()));
    assert_eq!(pair.shown(ANNA, CFNA), Some(&Setting::after("2426", 6)));
    assert_eq!(pair.shown(ANNA, CFA), Some(&Setting::off()));
}

#[test]
fn a_change_at_either_side_reaches_the_other() {
    let mut pair = Pair::synchronised(2);
    portal(&mut pair, "anna", CFA, Setting::to("2424"));
    assert!(pair.until(1, |pair| pair.shown(ANNA, CFA)
        == Some(&Setting::to("2424"))));
    pair.ask(ANNA, CFNA, Setting::after("2426", 4));
    assert!(pair.until(2, |pair| pair.stored("anna", CFNA)
        == Setting::after("2426", 4)));
    assert!(pair.until(2, |pair| pair.shown(ANNA, CFNA)
        == Some(&Setting::after("2426", 4))));
    pair.ask(ANNA, CFA, Setting::off());
    assert!(pair.until(2, |pair| !pair.stored("anna", CFA).active));
    assert!(pair.until(2, |pair| {
        pair.shown(ANNA, CFA).is_some_and(|shown| !shown.active)
    }));
}

#[test]
fn a_day_passes_without_a_lapse() {
    let mut pair = Pair::synchronised(3);
    let call_id = pair.server.subscriptions("anna")[0].call_id.clone();
    for hour in 0..24 {
        pair.drive(3600);
        let subscriptions = pair.server.subscriptions("anna");
        assert_eq!(subscriptions.len(), 1, "hour {hour}");
        assert_eq!(subscriptions[0].call_id, call_id, "hour {hour}");
        assert_eq!(pair.server.bindings("anna").len(), 1, "hour {hour}");
    }
    let lost = |told: &UaIndication| {
        matches!(
            told,
            UaIndication::Unregistered { .. } | UaIndication::Synchronised { on: false, .. }
        )
    };
    assert!(!pair.told.iter().any(lost));
    let changes = pair.requests(&Method::Subscribe, sip::time::Instant::EPOCH);
    assert!(
        changes
            .iter()
            .all(|crossing| crossing.message.body().is_empty())
    );
}

#[test]
fn on_a_bad_wire_both_sides_end_in_lockstep() {
    for seed in 0..60 {
        let mut pair = Pair::synchronised(seed);
        (pair.loss, pair.duplicated, pair.latency) = (15, 15, 5_000..400_000);
        for round in 0..6 {
            portal(&mut pair, "anna", CFA, Setting::to(&format!("3{round}")));
            pair.drive(4);
            pair.ask(
                ANNA,
                DND,
                if round % 2 == 0 {
                    Setting::on()
                } else {
                    Setting::off()
                },
            );
            pair.drive(9);
        }
        (pair.loss, pair.duplicated) = (0, 0);
        // Whatever was lost, the next refresh brings the whole state.
        pair.drive(2000);
        assert_eq!(
            pair.shown(ANNA, DND),
            Some(&pair.stored("anna", DND)),
            "seed {seed}"
        );
        assert_eq!(
            pair.shown(ANNA, CFA),
            Some(&pair.stored("anna", CFA)),
            "seed {seed}"
        );
    }
}

#[test]
fn a_server_that_has_forgotten_everything_is_told_again() {
    let mut pair = Pair::synchronised(5);
    pair.serve(|server, _| server.restart_site(SITE));
    portal(&mut pair, "anna", DND, Setting::on());
    // The refresh of the subscription finds out at the latest.
    pair.drive(1900);
    assert_eq!(pair.server.subscriptions("anna").len(), 1);
    assert_eq!(pair.shown(ANNA, DND), Some(&Setting::on()));
}

#[test]
fn a_forgotten_subscription_is_found_out_by_a_change() {
    let mut pair = Pair::synchronised(6);
    pair.serve(|server, _| server.forget_subscriptions(SITE, &"anna".into()));
    pair.ask(ANNA, DND, Setting::on());
    let refused = |pair: &Pair| {
        let refused = UaIndication::ChangeRefused {
            handset: ipui(ANNA),
            service: DND,
        };
        pair.told.contains(&refused)
    };
    assert!(pair.until(2, refused));
    assert!(pair.until(10, |pair| pair.server.subscriptions("anna").len() == 1));
    pair.drive(2);
    pair.ask(ANNA, DND, Setting::on());
    assert!(pair.until(2, |pair| pair.stored("anna", DND).active));
}

#[test]
fn stale_nonces_delay_nothing() {
    let mut pair = Pair::synchronised(7);
    pair.serve(|server, _| server.expire_nonces(SITE));
    let start = pair.now;
    pair.ask(ANNA, DND, Setting::on());
    assert!(pair.until(2, |pair| pair.shown(ANNA, DND) == Some(&Setting::on())));
    let sent = pair.requests(&Method::Subscribe, start);
    assert_eq!(sent.len(), 2, "the change and its repeat");
    let credentials = sent[1].message.header("Authorization").unwrap_or_default();
    assert!(credentials.contains("nc=00000001"), "{credentials}");
}

#[test]
fn credentials_that_are_always_refused_are_not_tried_for_ever() {
    let mut pair = Pair::new(8);
    let fault = Fault::new(Action::EndlessChallenge).on_method(&Method::Subscribe);
    pair.serve(|server, _| server.load_fault(SITE, fault));
    pair.configure(&[anna()]);
    assert!(pair.until(10, |pair| !pair.server.bindings("anna").is_empty()));
    let start = pair.now;
    pair.drive(60);
    assert!(pair.requests(&Method::Subscribe, start).len() <= 4);
}

#[test]
fn a_401_without_challenge_costs_a_request_in_thirty_seconds_and_is_overcome() {
    let mut pair = Pair::synchronised(9);
    let fault = Fault::new(Action::BareUnauthorized).on_method(&Method::Subscribe);
    pair.serve(|server, _| server.load_fault(SITE, fault));
    pair.drive(1440);
    let start = pair.now;
    pair.drive(300);
    assert!(pair.requests(&Method::Subscribe, start).len() <= 11);
    pair.serve(|server, _| server.clear_faults(SITE));
    portal(&mut pair, "anna", DND, Setting::on());
    assert!(pair.until(2000, |pair| pair.shown(ANNA, DND) == Some(&Setting::on())));
}

#[test]
fn a_server_without_the_package_is_left_in_peace() {
    for code in [403, 489] {
        let mut pair = Pair::new(10);
        let refuse = Action::Answer {
            code,
            reason: None,
            headers: Vec::new(),
        };
        let fault = Fault::new(refuse).on_method(&Method::Subscribe);
        pair.serve(|server, _| server.load_fault(SITE, fault));
        pair.configure(&[anna()]);
        pair.drive(1800);
        let start = sip::time::Instant::EPOCH;
        assert!(
            pair.requests(&Method::Subscribe, start).len() <= 2,
            "{code}"
        );
        assert_eq!(pair.server.bindings("anna").len(), 1, "{code}");
    }
}

#[test]
fn a_notify_that_overtakes_its_200_counts() {
    let mut pair = Pair::new(11);
    let early = Action::NotifyBeforeResponse {
        lead_milliseconds: 200,
    };
    pair.serve(|server, _| server.load_fault(SITE, Fault::new(early)));
    portal(&mut pair, "anna", DND, Setting::on());
    pair.configure(&[anna()]);
    assert!(pair.until(10, |pair| pair.shown(ANNA, DND) == Some(&Setting::on())));
    pair.ask(ANNA, DND, Setting::off());
    assert!(pair.until(2, |pair| pair.shown(ANNA, DND) == Some(&Setting::off())));
    assert_eq!(pair.server.subscriptions("anna").len(), 1);
}

#[test]
fn a_change_that_is_never_confirmed_is_refused_and_the_state_read_again() {
    let mut pair = Pair::synchronised(12);
    let fault = Fault::new(Action::WithholdNotify)
        .on_purpose(Purpose::Change)
        .times(1);
    pair.serve(|server, _| server.load_fault(SITE, fault));
    pair.ask(ANNA, DND, Setting::on());
    let refused = UaIndication::ChangeRefused {
        handset: ipui(ANNA),
        service: DND,
    };
    assert!(pair.until(40, |pair| pair.told.contains(&refused)));
    assert!(pair.until(40, |pair| pair.shown(ANNA, DND) == Some(&Setting::on())));
}

#[test]
fn old_state_then_new_state_ends_new_without_a_second_change() {
    let mut pair = Pair::synchronised(13);
    let fault = Fault::new(Action::OldThenNewNotify);
    pair.serve(|server, _| server.load_fault(SITE, fault));
    let start = pair.now;
    pair.ask(ANNA, DND, Setting::on());
    pair.drive(60);
    assert_eq!(pair.shown(ANNA, DND), Some(&Setting::on()));
    assert_eq!(pair.requests(&Method::Subscribe, start).len(), 1);
}

#[test]
fn five_changes_in_a_hurry_end_with_the_last() {
    for seed in 0..20 {
        let mut pair = Pair::synchronised(seed);
        for setting in [
            Setting::on(),
            Setting::off(),
            Setting::on(),
            Setting::off(),
            Setting::on(),
        ] {
            pair.ask(ANNA, DND, setting);
            let end = pair.now + std::time::Duration::from_millis(400);
            while pair.step(end) {}
        }
        pair.drive(10);
        assert_eq!(pair.stored("anna", DND), Setting::on(), "seed {seed}");
        assert_eq!(pair.shown(ANNA, DND), Some(&Setting::on()), "seed {seed}");
        let quiet = pair.now;
        pair.drive(60);
        assert!(
            pair.requests(&Method::Subscribe, quiet).is_empty(),
            "seed {seed}"
        );
    }
}

#[test]
fn simultaneous_changes_end_in_one_state_without_a_fight() {
    for seed in 0..40 {
        let mut pair = Pair::synchronised(seed);
        let start = pair.now;
        pair.ask(ANNA, CFA, Setting::to("1"));
        portal(&mut pair, "anna", CFA, Setting::to("2"));
        pair.drive(60);
        assert_eq!(
            pair.shown(ANNA, CFA),
            Some(&pair.stored("anna", CFA)),
            "seed {seed}"
        );
        let changes = pair.requests(&Method::Subscribe, start);
        assert_eq!(changes.len(), 1, "seed {seed}");
    }
}

#[test]
fn two_accounts_do_not_leak() {
    let mut pair = Pair::new(14);
    pair.configure(&[anna(), ben()]);
    pair.drive(10);
    portal(&mut pair, "anna", DND, Setting::on());
    pair.ask(BEN, CFA, Setting::to("2424"));
    pair.drive(10);
    assert_eq!(pair.shown(ANNA, DND), Some(&Setting::on()));
    assert_eq!(pair.shown(BEN, DND), Some(&Setting::off()));
    assert_eq!(pair.shown(BEN, CFA), Some(&Setting::to("2424")));
    assert_eq!(pair.stored("anna", CFA), Setting::off());
}

#[test]
fn odd_notifies_are_answered_as_the_requirements_want() {
    let values = || vec![(DND, Setting::on())];
    let table = [
        (
            NotifySpec::new().in_dialog(NotifyDialog::UnknownCallId),
            481,
            false,
        ),
        (
            NotifySpec::new().in_dialog(NotifyDialog::UnknownFromTag),
            481,
            false,
        ),
        (
            NotifySpec::new().in_dialog(NotifyDialog::UnknownToTag),
            481,
            false,
        ),
        (NotifySpec::new().with_cseq_offset(-1), 500, false),
        (NotifySpec::new().with_cseq_offset(1000), 200, true),
        (NotifySpec::new().with_event("presence"), 489, false),
        (NotifySpec::new().with_event("As-Feature-Event"), 489, false),
        (
            NotifySpec::new().with_event("as-feature-event;id=7"),
            489,
            false,
        ),
        (
            NotifySpec::new().with_event("as-feature-event;param=x"),
            200,
            true,
        ),
        (NotifySpec::new().without_event(), 489, false),
        (
            NotifySpec::new().with_subscription_state("active, 3599"),
            200,
            true,
        ),
        (NotifySpec::new().without_subscription_state(), 200, true),
    ];
    for (spec, code, applied) in table {
        let mut pair = Pair::synchronised(15);
        let spec = spec.with_values(values());
        let start = pair.trace.len();
        pair.serve(|server, now| server.notify(now, SITE, "anna", &spec));
        let end = pair.now + std::time::Duration::from_millis(200);
        while pair.step(end) {}
        let answer = pair
            .trace
            .iter()
            .skip(start)
            .find_map(|crossing| crossing.message.status());
        assert_eq!(answer, Some(code), "{spec:?}");
        assert_eq!(
            pair.shown(ANNA, DND) == Some(&Setting::on()),
            applied,
            "{spec:?}"
        );
    }
}

#[test]
fn a_feature_code_changes_the_service_and_the_call_ends() {
    let mut pair = Pair::synchronised(16);
    pair.base.dial(pair.now, &ipui(ANNA), "*722424");
    pair.drain();
    assert!(pair.until(5, |pair| pair.shown(ANNA, CFA)
        == Some(&Setting::to("2424"))));
    let ended = |pair: &Pair| {
        pair.told
            .iter()
            .any(|told| matches!(told, UaIndication::CallEnded { .. }))
    };
    assert!(!ended(&pair));
    assert!(pair.until(15, ended));
}

#[test]
fn a_mute_server_is_found_again() {
    let mut pair = Pair::synchronised(17);
    pair.serve(|server, _| server.load_fault(SITE, Fault::new(Action::Drop)));
    pair.drive(3600);
    pair.serve(|server, _| server.clear_faults(SITE));
    pair.serve(|server, _| server.restart_site(SITE));
    portal(&mut pair, "anna", DND, Setting::on());
    assert!(pair.until(330, |pair| pair.shown(ANNA, DND) == Some(&Setting::on())));
}

#[test]
fn the_switch_is_followed_while_running() {
    let mut pair = Pair::synchronised(18);
    let mut account = anna();
    account.feature_key_sync = false;
    pair.configure(&[account]);
    assert!(pair.until(5, |pair| pair.server.subscriptions("anna").is_empty()));
    pair.drive(120);
    assert!(pair.server.subscriptions("anna").is_empty());
    pair.configure(&[anna()]);
    assert!(pair.until(5, |pair| pair.server.subscriptions("anna").len() == 1));
}

#[test]
fn everything_works_over_a_stream() {
    let mut pair = Pair::new(19);
    let mut account = anna();
    account.provider.transport = Transport::Tcp;
    pair.configure(&[account]);
    assert!(pair.until_synchronised(10));
    pair.ask(ANNA, DND, Setting::on());
    assert!(pair.until(2, |pair| pair.shown(ANNA, DND) == Some(&Setting::on())));
}

#[test]
fn shutdown_leaves_nothing_at_the_server() {
    let mut pair = Pair::synchronised(20);
    pair.base.shutdown(pair.now);
    pair.drain();
    assert!(pair.until(5, |pair| pair.ended));
    pair.drive(1);
    assert!(pair.server.bindings("anna").is_empty());
    assert!(pair.server.subscriptions("anna").is_empty());
}

#[test]
fn an_account_that_is_deleted_leaves_nothing_and_may_come_back() {
    let mut pair = Pair::synchronised(21);
    pair.configure(&[]);
    pair.drive(10);
    assert!(pair.server.bindings("anna").is_empty());
    assert!(pair.server.subscriptions("anna").is_empty());
    pair.configure(&[anna()]);
    assert!(pair.until(10, |pair| pair.server.subscriptions("anna").len() == 1));
}

#[test]
fn the_same_seed_goes_the_same_way() {
    let mut pair = Pair::synchronised(22);
    let mut twin = Pair::synchronised(22);
    for pair in [&mut pair, &mut twin] {
        pair.loss = 20;
        pair.ask(ANNA, DND, Setting::on());
        pair.drive(600);
    }
    let texts = |pair: &Pair| {
        let trace = pair.trace.iter();
        trace
            .map(|crossing| crossing.message.wire().clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(texts(&pair), texts(&twin));
}
