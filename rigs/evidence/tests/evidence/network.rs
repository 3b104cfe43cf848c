//! What a bad network does is not the base's fault: loss, doubling, overtaking, partition.

use crate::stage::{ANNA, Ask, Stage, dnd, set_dnd};
use evidence::log::Stamp;
use evidence::monitor::Monitor;
use evidence::record::{Direction, Fate, Observation, Record, Service::DoNotDisturb, Unit};
use std::sync::Arc;

/// A day in the life of a handset.
fn ordinary() -> Stage {
    let mut stage = Stage::synced();
    stage.wait(5_000).notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(50).idle(ANNA, &["Do Not Disturb"]);
    stage
        .wait(5_000)
        .request_change(ANNA, DoNotDisturb, false, None, None);
    stage.wait(50).change(&set_dnd(false));
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(20).notify("1001", &dnd(false));
    stage.wait(10).reply(200, &[]);
    stage.wait(50).idle(ANNA, &[]);
    stage.wait(1_000_000).refresh();
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(20).full_state("1001", &[]);
    stage.wait(50).idle(ANNA, &[]);
    stage.wait(5_000);
    stage
}

#[test]
fn an_ordinary_day_exercises_much_and_breaks_nothing() {
    ordinary().keeps(&[
        "REG-01", "REG-02", "REG-05", "SUB-01", "SUB-02", "SUB-03", "NOT-02", "BODY-01", "BODY-02",
        "BODY-07", "MENU-01", "MENU-03", "CHG-01", "CHG-02", "CHG-06", "CHG-09", "REF-01",
        "REF-02", "REF-03",
    ]);
}

#[test]
fn answers_that_come_twice_change_nothing() {
    let mut stage = ordinary();
    let doubled: Vec<Arc<Record>> = stage
        .log
        .records()
        .iter()
        .flat_map(|record| {
            let twice = matches!(&record.observation, Observation::Sip(sip)
                if sip.direction == Direction::ToBase && sip.bytes.starts_with(b"SIP/2.0"));
            std::iter::repeat_n(record.clone(), if twice { 2 } else { 1 })
        })
        .collect();
    let mut log = evidence::log::Log::new();
    for record in doubled {
        log.append(Stamp::of(&record), record.observation.clone());
    }
    stage.log = log;
    stage.breaks(&[]);
}

#[test]
fn what_was_sent_to_the_base_and_lost_does_not_count() {
    let mut stage = ordinary();
    let last = stage.log.records().len();
    stage.notify("1001", &dnd(true));
    let record = stage.log.records()[last].clone();
    let Observation::Sip(mut sip) = record.observation.clone() else {
        unreachable!()
    };
    let mut log = evidence::log::Log::new();
    for record in &stage.log.records()[..last] {
        log.append(Stamp::of(record), record.observation.clone());
    }
    for fate in [Fate::Sent, Fate::Dropped] {
        sip.fate = fate;
        log.append(
            Stamp::at(stage.at).by(&Unit::default()),
            Observation::Sip(sip.clone()),
        );
    }
    stage.log = log;
    stage.wait(5_000).breaks(&[]);
}

#[test]
fn a_partition_is_survived_without_findings() {
    let mut stage = Stage::synced();
    stage.wait(1_000_000);
    stage.record(Observation::Fault {
        text: "partition".to_owned(),
    });
    let start = stage.at;
    stage.refresh();
    for copy in [
        500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
    ] {
        stage.at = start + copy * 1000;
        stage.again();
    }
    stage.at = start + 32_000_000;
    // Timer F: the base begins anew, again and again, until the network is back.
    for number in 0..3u32 {
        stage.wait(60_000);
        let begun = stage.at;
        let call = format!("anew{number}");
        stage.request(&Ask {
            call: &call,
            ..Ask::subscribe("1001", 1)
        });
        for copy in [
            500, 1500, 3500, 7500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500,
        ] {
            stage.at = begun + copy * 1000;
            stage.again();
        }
    }
    stage.wait(60_000);
    stage.request(&Ask {
        call: "last",
        ..Ask::subscribe("1001", 1)
    });
    stage.wait(30).answer(200, &["Expires: 1800"]);
    stage.wait(30).idle(ANNA, &["Do Not Disturb"]);
    stage.breaks(&[]);
}

#[test]
fn findings_come_as_soon_as_they_are_proven() {
    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(10);
    let answer = stage.reply(500, &[]);
    let mut monitor = Monitor::new();
    let mut told = Vec::new();
    for record in stage.log.records() {
        for finding in monitor.observe(record) {
            told.push((record.seq, finding.requirement.to_string()));
        }
    }
    assert_eq!(told, [(answer, "NOT-02".to_owned())]);
}
