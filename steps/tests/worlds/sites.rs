//! Two sites with one unit at each: they share their accounts, or each is a server of its own.

use crate::world::{HANDSETS, Plan, World, person, tell};
use bench::rig::LabKind;
use sip::service::{AS_FEATURE_EVENT, Service, Setting};
use std::net::SocketAddr;

const DND: Service = Service::DoNotDisturb;
const CFA: Service = Service::CallForwardingAlways;

/// Anna has a handset at each of two units, and Ben one at the second.
fn one_user_at_two_units(servers: &[usize]) -> Plan {
    let [first, second] = HANDSETS;
    let third = "02c0ffee01";
    Plan {
        units: vec![
            vec![first.to_owned()],
            vec![second.to_owned(), third.to_owned()],
        ],
        people: vec![
            person("Anna", first, "2001"),
            person("Anna elsewhere", second, "2001"),
            person("Ben", third, "2002"),
        ],
        servers: servers.to_vec(),
        ..Plan::two_units()
    }
}

/// Switches both units on, the second with this site in its provisioning file.
fn start(world: &mut World, second: SocketAddr) {
    let provisioned = world
        .bench
        .provision_for("Ben", |file| file.server = second);
    provisioned.unwrap();
    world.bench.power_on().unwrap();
    world.until_synchronised(&["Anna", "Anna elsewhere", "Ben"], 0);
}

/// What one site hears of an account, subscribers at the other are told.
fn a_change_at_one_site_is_notified_at_both(world: &mut World) {
    let sites = world.layout().servers[0].sites.clone();
    let [first, second] = sites.try_into().unwrap();
    assert_ne!(first, second);
    start(world, second);
    // Each unit is served by its own site and no other.
    for notice in world.accepted(0) {
        let own = notice.unit == world.unit_of("Anna");
        assert_eq!(notice.site, if own { first } else { second });
    }
    let mark = world.mark();
    world.set("Anna", DND, true);
    let here = world.until_accepted("Anna", AS_FEATURE_EVENT, mark);
    let there = world.until_accepted("Anna elsewhere", AS_FEATURE_EVENT, mark);
    assert_eq!((here.site, there.site), (first, second));
    for notice in [here, there] {
        assert!(
            notice.body.contains("<doNotDisturbOn>true<"),
            "{}",
            notice.body
        );
    }
    world.until_shown("Anna", DND, true, mark);
    world.until_shown("Anna elsewhere", DND, true, mark);
    // And back, from the second site to the first.
    let mark = world.mark();
    world.set("Anna elsewhere", DND, false);
    world.until_shown("Anna elsewhere", DND, false, mark);
    world.until_shown("Anna", DND, false, mark);
    let ben = world.bench.account("Ben").unwrap().handset.clone();
    assert!(
        !world.showing(DND, 0).contains(&ben),
        "it is not Ben's service"
    );
}

/// Two servers have nothing in common but the name of a user.
fn a_change_at_one_server_is_not_seen_at_the_other(world: &mut World) {
    let servers = world.layout().servers;
    let [first, second] = [0, 1].map(|server| servers[server].sites[0]);
    start(world, second);
    let mark = world.mark();
    world.set("Anna", DND, true);
    let here = world.until_accepted("Anna", AS_FEATURE_EVENT, mark);
    assert_eq!(here.site, first);
    world.until_shown("Anna", DND, true, mark);
    // The other server tells its own subscriber something later, and nothing of this before.
    world.change_at(1, "2001", CFA, &Setting::to("2003"));
    let there = world.until_accepted("Anna elsewhere", AS_FEATURE_EVENT, mark);
    assert_eq!(there.site, second);
    assert!(
        !there.body.contains("<doNotDisturbOn>true<"),
        "{}",
        there.body
    );
    world.until_shown("Anna elsewhere", CFA, true, mark);
    // That server still has the service off: to switch it on there is a change, and is notified.
    let mark = world.mark();
    world.change_at(1, "2001", DND, &Setting::on());
    world.until_shown("Anna elsewhere", DND, true, mark);
    let told = world.accepted(mark);
    assert!(told.iter().all(|notice| notice.site == second), "{told:?}");
    let shows = |name: &str| world.bench.account(name).unwrap().handset.clone();
    assert_eq!(world.showing(CFA, 0), [shows("Anna elsewhere")].into());
}

#[test]
fn a_change_at_one_site_is_notified_at_both_in_the_virtual_laboratory() {
    let plan = one_user_at_two_units(&[2]);
    tell(
        LabKind::Virtual,
        &plan,
        a_change_at_one_site_is_notified_at_both,
    );
}

#[test]
fn a_change_at_one_site_is_notified_at_both_in_the_wire_laboratory() {
    let plan = one_user_at_two_units(&[2]);
    tell(
        LabKind::Wire,
        &plan,
        a_change_at_one_site_is_notified_at_both,
    );
}

#[test]
fn a_change_at_one_server_is_not_seen_at_the_other_in_the_virtual_laboratory() {
    let plan = one_user_at_two_units(&[1, 1]);
    tell(
        LabKind::Virtual,
        &plan,
        a_change_at_one_server_is_not_seen_at_the_other,
    );
}

#[test]
fn a_change_at_one_server_is_not_seen_at_the_other_in_the_wire_laboratory() {
    let plan = one_user_at_two_units(&[1, 1]);
    tell(
        LabKind::Wire,
        &plan,
        a_change_at_one_server_is_not_seen_at_the_other,
    );
}
