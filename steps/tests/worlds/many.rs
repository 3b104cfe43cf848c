//! Five hundred accounts at one unit, as a multi-cell system has them.

use crate::world::{N870, Plan, World, person, tell};
use bench::rig::LabKind;
use evidence::message::Method;
use sip::service::{Service, Setting};
use std::collections::BTreeSet;
use std::time::Duration;

const DND: Service = Service::DoNotDisturb;
const ACCOUNTS: usize = 500;

/// In lab time. Our choice: ten seconds in which each account has to subscribe once it is registered, and one for the boot
/// and the registrations before.
const SYNCHRONISED_WITHIN: Duration = Duration::from_secs(11);

fn name(number: usize) -> String {
    format!("Nr {number}")
}

fn handset(number: usize) -> String {
    format!("02{number:08x}")
}

fn five_hundred() -> Plan {
    let limit = "handsets = 250 ";
    assert!(N870.contains(limit), "the model has changed");
    let numbers = 0..ACCOUNTS;
    Plan {
        model: N870.replace(limit, &format!("handsets = {ACCOUNTS} ")),
        units: vec![numbers.clone().map(handset).collect()],
        people: numbers
            .map(|number| {
                person(
                    &name(number),
                    &handset(number),
                    &(2000 + number).to_string(),
                )
            })
            .collect(),
        ..Plan::two_units()
    }
}

/// Everybody is synchronised; a change for some shows on their displays and on no others.
fn each_of_five_hundred_displays_follows_its_own_account(world: &mut World) {
    world.bench.power_on().unwrap();
    let names: Vec<String> = (0..ACCOUNTS).map(name).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    world.until_synchronised(&names, 0);
    if !world.has_wall() {
        let took = world.bench.now().since(sip::time::Instant::EPOCH);
        assert!(took <= SYNCHRONISED_WITHIN, "{took:?}");
    }
    let users = |world: &World, method: &Method| -> BTreeSet<String> {
        let requests = world.requests(method, 0);
        requests.into_iter().map(|(_, user, _)| user).collect()
    };
    assert_eq!(users(world, &Method::Register).len(), ACCOUNTS);
    assert_eq!(users(world, &Method::Subscribe).len(), ACCOUNTS);
    let some = [0, 1, 250, 498, 499];
    let mark = world.mark();
    for number in some {
        world.change(&name(number), DND, &Setting::on());
    }
    for number in some {
        world.until_shown(&name(number), DND, true, mark);
    }
    // Their neighbours are looked at after them.
    for number in [2, 249, 251, 497] {
        world.until_shown(&name(number), DND, false, mark);
    }
    assert_eq!(world.showing(DND, 0), some.map(handset).into());
}

#[test]
fn each_of_five_hundred_displays_follows_its_own_account_in_the_virtual_laboratory() {
    tell(
        LabKind::Virtual,
        &five_hundred(),
        each_of_five_hundred_displays_follows_its_own_account,
    );
}

#[test]
fn each_of_five_hundred_displays_follows_its_own_account_in_the_wire_laboratory() {
    tell(
        LabKind::Wire,
        &five_hundred(),
        each_of_five_hundred_displays_follows_its_own_account,
    );
}
