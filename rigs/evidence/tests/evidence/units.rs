//! Several units in one log: each is judged by itself, and one's reboot forgets nothing of another.

use crate::stage::{ANNA, Stage, dnd};
use evidence::log::{Log, Stamp};
use evidence::monitor::{Judgement, Monitor};
use evidence::record::{Observation, PowerChange, Record, Unit};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The logs of two units as one.
fn beside(east: &Stage, west: &Stage) -> Log {
    let mut records: Vec<Record> = Vec::new();
    for (name, stage) in [("east", east), ("west", west)] {
        for record in stage.log.records() {
            let mut record = Record::clone(record);
            let claim = matches!(record.observation, Observation::Claim { .. });
            record.unit = (!claim).then(|| Unit::new(name));
            records.push(record);
        }
    }
    records.sort_by_key(|record| record.at);
    let mut log = Log::new();
    for record in records {
        log.append(Stamp::of(&record), record.observation);
    }
    log
}

fn broken(log: &Log) -> BTreeSet<String> {
    let reports = Monitor::judge(log.records()).into_iter();
    reports
        .filter(|report| report.judgement == Judgement::Fail)
        .map(|report| report.requirement.to_string())
        .collect()
}

fn refreshed() -> Stage {
    let mut stage = Stage::synced_for(600);
    stage.wait(400_000).refresh();
    stage.wait(20).answer(200, &["Expires: 600"]);
    stage
}

/// A unit whose power comes and goes at this time, and which does nothing else.
fn restarted(milliseconds: u64) -> Stage {
    let mut stage = Stage::bare();
    stage.wait(milliseconds);
    for change in [PowerChange::Off, PowerChange::On] {
        stage.record(Observation::Power { change });
    }
    stage
}

#[test]
fn a_reboot_forgets_nothing_of_another_unit() {
    let mut east = refreshed();
    east.wait(4_000)
        .menu(ANNA, "Do Not Disturb", &["Status: On"]);
    assert_eq!(
        broken(&beside(&east, &restarted(300_000))),
        BTreeSet::from(["MENU-01".to_owned()])
    );
    // The same reboot of the unit itself: the state is forgotten, and its refresh belongs to no subscription.
    let mut log = Log::new();
    for record in beside(&east, &restarted(300_000)).records() {
        log.append(Stamp::at(record.at), record.observation.clone());
    }
    let own = broken(&log);
    assert!(!own.contains("MENU-01"), "{own:?}");
    assert!(own.contains("REG-02"), "{own:?}");
}

#[test]
fn the_same_account_at_two_units_is_two_accounts() {
    let (east, west) = (refreshed(), refreshed());
    assert_eq!(broken(&beside(&east, &west)), BTreeSet::new());
    let mut west = refreshed();
    west.wait(60_000).notify("1001", &dnd(true));
    west.wait(1_000).idle(ANNA, &[]);
    assert_eq!(
        broken(&beside(&east, &west)),
        BTreeSet::from(["NOT-02".to_owned()])
    );
}

#[test]
fn a_rule_that_one_unit_can_be_judged_by_is_judged() {
    let mut west = Stage::bare();
    west.register("1001", 3600);
    let log = beside(&refreshed(), &west);
    let reports = Monitor::judge(log.records());
    let judgement = |id: &str| {
        let mut reports = reports.iter();
        let report = reports.find(|report| report.requirement.as_str() == id);
        report.unwrap().judgement.clone()
    };
    assert_eq!(judgement("MENU-01"), Judgement::Pass);
    let of_west = |record: &&Arc<Record>| record.unit == Some(Unit::new("west"));
    let west: Vec<Arc<Record>> = log.records().iter().filter(of_west).cloned().collect();
    let alone = Monitor::judge(&west).into_iter();
    let mut alone = alone.filter(|report| report.requirement.as_str() == "MENU-01");
    assert!(matches!(
        alone.next().unwrap().judgement,
        Judgement::NotJudged { .. }
    ));
}
