//! Two event packages in one account: the services of the user, and the guest of the handset.

use crate::world::{N870, Plan, World, tell};
use bench::rig::LabKind;
use evidence::message::Method;
use server::{Ending, Package, SiteId, SubscriptionFilter, UserConfig};
use sip::service::{AS_FEATURE_EVENT, HOTELING, Service, Setting};

const DND: Service = Service::DoNotDisturb;
const GUEST: Service = Service::HotelingGuest;

/// An N870 that subscribes to hoteling as well.
fn two_packages() -> Plan {
    let gate = "body = \"hoteling\"\ngate = \"off\"";
    assert!(N870.contains(gate), "the model has changed");
    Plan {
        model: N870.replace(gate, "body = \"hoteling\"\ngate = \"on\""),
        ..Plan::two_units()
    }
}

fn start(world: &mut World) {
    for name in ["Anna", "Ben"] {
        let account = world.bench.account(name).unwrap();
        let user =
            UserConfig::new(&account.user, &account.password).with_service(GUEST, Setting::off());
        world.bench.add_user(&user);
    }
    world.bench.power_on().unwrap();
    for package in [AS_FEATURE_EVENT, HOTELING] {
        world.until_accepted("Anna", package, 0);
        world.until_accepted("Ben", package, 0);
    }
}

/// Each package is notified in its own subscription.
fn two_packages_live_side_by_side(world: &mut World) {
    start(world);
    let subscribes = world.requests(&Method::Subscribe, 0);
    let anna = world.user_of("Anna");
    let call_id = |package: &str| {
        let mut own = subscribes
            .iter()
            .filter(|(_, user, request)| *user == anna && request.header("Event") == Some(package));
        own.next().unwrap().2.call_id().to_owned()
    };
    let (services, guests) = (call_id(AS_FEATURE_EVENT), call_id(HOTELING));
    assert_ne!(services, guests);
    let mark = world.mark();
    world.change("Anna", GUEST, &Setting::to("2002"));
    let guest = world.until_accepted("Anna", HOTELING, mark);
    assert_eq!(guest.call_id, guests);
    assert!(guest.body.contains("2002"), "{}", guest.body);
    let mark = world.mark();
    world.change("Anna", DND, &Setting::on());
    let service = world.until_accepted("Anna", AS_FEATURE_EVENT, mark);
    assert_eq!(service.call_id, services);
    world.until_shown("Anna", DND, true, mark);
    let packages = world
        .accepted(mark)
        .into_iter()
        .map(|notice| notice.package);
    assert_eq!(
        packages.collect::<Vec<_>>(),
        [AS_FEATURE_EVENT],
        "and nothing else"
    );
}

/// The server ends the subscription to guests for good: that of the services goes on.
fn the_end_of_the_guests_leaves_the_services(world: &mut World) {
    start(world);
    let user = world.user_of("Anna");
    let mark = world.mark();
    let which = SubscriptionFilter::of_user(&user).in_package(Package::Hoteling);
    world
        .bench
        .fault("the server ends Anna's subscription to guests");
    world.bench.faults().unwrap().inject(|server, now| {
        server.end_subscriptions(now, SiteId::FIRST, &which, &Ending::because("rejected"))
    });
    world.until_accepted("Anna", HOTELING, mark);
    let mark = world.mark();
    world.change("Anna", GUEST, &Setting::to("2002"));
    world.change("Anna", DND, &Setting::on());
    world.until_shown("Anna", DND, true, mark);
    let told = world.accepted(mark);
    assert!(
        told.iter().all(|it| it.package == AS_FEATURE_EVENT),
        "{told:?}"
    );
    assert!(
        world.requests(&Method::Subscribe, mark).is_empty(),
        "it stays away"
    );
}

/// Provisioning switches the services off: the subscription to guests goes on.
fn the_end_of_the_services_leaves_the_guests(world: &mut World) {
    start(world);
    let mark = world.mark();
    let switched = world.bench.provision_for("Anna", |file| {
        file.account("Anna").unwrap().sync = bench::Sync::Off;
    });
    switched.unwrap();
    let user = world.user_of("Anna");
    world
        .bench
        .faults()
        .unwrap()
        .inject(|server, now| server.check_sync(now, SiteId::FIRST, &user));
    world.until("end of the services", mark, |record| {
        ended(record, &user, AS_FEATURE_EVENT)
    });
    let mark = world.mark();
    world.change("Anna", DND, &Setting::on());
    world.change("Anna", GUEST, &Setting::to("2002"));
    let guest = world.until_accepted("Anna", HOTELING, mark);
    assert!(guest.body.contains("2002"), "{}", guest.body);
    let alone = world.mark();
    world.change("Anna", GUEST, &Setting::off());
    let nobody = world.until_accepted("Anna", HOTELING, alone);
    assert!(!nobody.body.contains("2002"), "{}", nobody.body);
    let told = world.accepted(mark);
    assert!(told.iter().all(|it| it.package == HOTELING), "{told:?}");
    let own = world.bench.account("Anna").unwrap().handset.clone();
    assert!(!world.showing(DND, mark).contains(&own));
}

/// Whether this record is the closing NOTIFY of a user's subscription, reaching the base.
fn ended(record: &evidence::record::Record, user: &str, package: &str) -> bool {
    use evidence::record::{Direction, Fate, Observation};
    let Observation::Sip(sip) = &record.observation else {
        return false;
    };
    let to_base = sip.direction == Direction::ToBase && sip.fate == Fate::Delivered;
    to_base
        && sip.message().is_some_and(|message| {
            let is_his = message.to_uri().is_some_and(|uri| uri.contains(user));
            let state = message.header("Subscription-State").unwrap_or_default();
            let event = message.header("Event").unwrap_or_default();
            message.method() == Some(&Method::Notify)
                && is_his
                && event.starts_with(package)
                && state.starts_with("terminated")
        })
}

#[test]
fn two_packages_live_side_by_side_in_the_virtual_laboratory() {
    tell(
        LabKind::Virtual,
        &two_packages(),
        two_packages_live_side_by_side,
    );
}

#[test]
fn two_packages_live_side_by_side_in_the_wire_laboratory() {
    tell(
        LabKind::Wire,
        &two_packages(),
        two_packages_live_side_by_side,
    );
}

#[test]
fn the_end_of_the_guests_leaves_the_services_in_the_virtual_laboratory() {
    tell(
        LabKind::Virtual,
        &two_packages(),
        the_end_of_the_guests_leaves_the_services,
    );
}

#[test]
fn the_end_of_the_guests_leaves_the_services_in_the_wire_laboratory() {
    tell(
        LabKind::Wire,
        &two_packages(),
        the_end_of_the_guests_leaves_the_services,
    );
}

#[test]
fn the_end_of_the_services_leaves_the_guests_in_the_virtual_laboratory() {
    tell(
        LabKind::Virtual,
        &two_packages(),
        the_end_of_the_services_leaves_the_guests,
    );
}

#[test]
fn the_end_of_the_services_leaves_the_guests_in_the_wire_laboratory() {
    tell(
        LabKind::Wire,
        &two_packages(),
        the_end_of_the_services_leaves_the_guests,
    );
}
