//! Two units with one handset each: each has its own registration, subscription, displays, instruments and power.

use crate::world::{Plan, World, tell};
use bench::rig::{HandsetFace, LabKind};
use evidence::message::Method;
use evidence::record::{Observation, PowerChange};
use sip::service::{AS_FEATURE_EVENT, Service, Setting};

const DND: Service = Service::DoNotDisturb;
const CFA: Service = Service::CallForwardingAlways;

fn two_units(face: HandsetFace) -> Plan {
    Plan {
        face,
        ..Plan::two_units()
    }
}

/// A change at the portal for one person shows on that person's display only.
fn each_display_follows_its_own_account(world: &mut World) {
    world.bench.power_on().unwrap();
    world.until_synchronised(&["Anna", "Ben"], 0);
    let mark = world.mark();
    world.change("Anna", DND, &Setting::on());
    world.until_shown("Anna", DND, true, mark);
    let mark = world.mark();
    world.change("Ben", CFA, &Setting::to("2003"));
    world.until_shown("Ben", CFA, true, mark);
    // What Ben's base was told of Anna, it would have been told, and shown, before.
    let handset = |world: &World, name: &str| world.bench.account(name).unwrap().handset.clone();
    assert_eq!(world.showing(DND, 0), [handset(world, "Anna")].into());
    assert_eq!(world.showing(CFA, 0), [handset(world, "Ben")].into());
    // Each is worked by its own instruments as well.
    let mark = world.mark();
    world.set("Ben", DND, true);
    world.until_shown("Ben", DND, true, mark);
    let mark = world.mark();
    world.set("Anna", DND, false);
    world.until_shown("Anna", DND, false, mark);
}

/// One unit loses its power and comes back; the other does not notice.
fn one_power_cut_leaves_the_other_unit_alone(world: &mut World) {
    world.bench.power_on().unwrap();
    world.until_synchronised(&["Anna", "Ben"], 0);
    let mark = world.mark();
    world.change("Anna", DND, &Setting::on());
    let before = world.until_accepted("Anna", AS_FEATURE_EVENT, mark);
    let (own, other) = (world.unit_of("Anna"), world.unit_of("Ben"));
    let cut = world.mark();
    world.bench.power_off_unit(&other).unwrap();
    // It misses this, and learns it when it subscribes anew.
    world.change("Ben", CFA, &Setting::to("2003"));
    world.bench.power_on_unit(&other).unwrap();
    world.until_synchronised(&["Ben"], cut);
    world.until_shown("Ben", CFA, true, cut);
    let mark = world.mark();
    world.change("Anna", CFA, &Setting::to("2004"));
    let after = world.until_accepted("Anna", AS_FEATURE_EVENT, mark);
    world.until_shown("Anna", CFA, true, mark);
    assert_eq!(after.call_id, before.call_id, "the subscription goes on");
    let begun = |method: &Method, mark: u64| -> usize {
        let requests = world.requests(method, mark);
        let new = requests.iter().filter(|(unit, _, request)| {
            *unit == own && request.to_tag().is_none() && request.header("Authorization").is_none()
        });
        new.count()
    };
    assert_eq!(
        begun(&Method::Subscribe, cut),
        0,
        "it does not subscribe anew"
    );
    assert_eq!(
        begun(&Method::Register, cut),
        0,
        "it does not register anew"
    );
    assert_eq!(begun(&Method::Register, 0), 1, "it did once");
    let powers = world.bench.log().records().iter();
    let powers: Vec<_> = powers
        .filter_map(|record| match record.observation {
            Observation::Power { change } => Some((record.unit.clone().unwrap(), change)),
            _ => None,
        })
        .collect();
    let wanted = [
        (own, PowerChange::On),
        (other.clone(), PowerChange::On),
        (other.clone(), PowerChange::Off),
        (other, PowerChange::On),
    ];
    assert_eq!(powers, wanted);
}

#[test]
fn each_display_follows_its_own_account_in_the_virtual_laboratory() {
    for face in HandsetFace::ALL {
        tell(
            LabKind::Virtual,
            &two_units(face),
            each_display_follows_its_own_account,
        );
    }
}

#[test]
fn each_display_follows_its_own_account_in_the_wire_laboratory() {
    for face in HandsetFace::ALL {
        tell(
            LabKind::Wire,
            &two_units(face),
            each_display_follows_its_own_account,
        );
    }
}

#[test]
fn one_power_cut_leaves_the_other_unit_alone_in_the_virtual_laboratory() {
    for face in HandsetFace::ALL {
        tell(
            LabKind::Virtual,
            &two_units(face),
            one_power_cut_leaves_the_other_unit_alone,
        );
    }
}

#[test]
fn one_power_cut_leaves_the_other_unit_alone_in_the_wire_laboratory() {
    for face in HandsetFace::ALL {
        tell(
            LabKind::Wire,
            &two_units(face),
            one_power_cut_leaves_the_other_unit_alone,
        );
    }
}
