//! Many accounts are judged as one is, long logs are remembered in bounded memory, and a clone judges on by itself.

use crate::stage::{ANNA, Ask, Stage, cf, dnd, set_dnd};
use evidence::log::{Log, Stamp};
use evidence::monitor::{Finding, Monitor};
use evidence::record::{Observation, Parsed, Record, Service};

/// How many other accounts live beside Anna.
const OTHERS: u32 = 500;

/// A day of an account that does everything right, an hour long.
fn ordinary() -> Stage {
    let mut stage = Stage::registered();
    stage.subscribe_and_state("1001", 600, &[]);
    stage.idle(ANNA, &[]);
    stage
        .wait(2_000)
        .request_change(ANNA, Service::DoNotDisturb, true, None, None);
    stage.wait(50).change(&set_dnd(true));
    stage.wait(20).answer(200, &["Expires: 600"]);
    stage.wait(20).notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(100).idle(ANNA, &["Do Not Disturb"]);
    for _ in 0..6 {
        stage.wait(300_000).refresh();
        stage.wait(20).answer(200, &["Expires: 600"]);
        stage.wait(20).full_state("1001", &[]);
        stage.wait(4_000).idle(ANNA, &[]);
    }
    stage
}

/// The records of this stage as if they were those of another account, without what they all share.
fn retold(stage: &Stage, number: u32) -> Vec<Record> {
    let user = (2000 + number).to_string();
    let handset = format!("03{number:08x}");
    let shift = u64::from(number) * 7_000;
    let own = stage.log.records().iter().filter(|record| {
        !matches!(
            record.observation,
            Observation::Claim { .. } | Observation::Provisioning { .. }
        )
    });
    own.map(|record| {
        let mut record = Record::clone(record);
        record.at += shift;
        match &mut record.observation {
            Observation::Sip(sip) => {
                let text = String::from_utf8(sip.bytes.to_vec()).unwrap();
                sip.bytes = text.replace("1001", &user).into_bytes().into();
                sip.parsed = Parsed::default();
            }
            Observation::Screen(screen) => screen.handset.clone_from(&handset),
            Observation::Key { handset: key, .. } => key.clone_from(&handset),
            _ => {}
        }
        record
    })
    .collect()
}

/// Anna's log with five hundred others around it, and once more with silence in their place; ten seconds longer than
/// Anna's own.
fn crowd(anna: &Stage) -> [Log; 2] {
    let ordinary = ordinary();
    let own = anna.log.records().iter();
    let mut records: Vec<(bool, Record)> =
        own.map(|record| (true, Record::clone(record))).collect();
    for number in 0..OTHERS {
        let retold = retold(&ordinary, number).into_iter();
        records.extend(retold.map(|record| (false, record)));
    }
    records.retain(|(_, record)| record.at <= anna.at + 10_000_000);
    records.sort_by_key(|(_, record)| record.at);
    let [mut together, mut alone] = [Log::new(), Log::new()];
    for (own, record) in records {
        let stamp = Stamp::of(&record);
        let (mut here, mut there) = (record.observation.clone(), record.observation);
        if let Observation::Provisioning { document, .. } = &mut here {
            *document = document.replace("</nvm>", &format!("{}</nvm>", provisioned()));
        }
        if !own {
            let text = String::new();
            there = Observation::Note { text };
        }
        together.append(stamp.clone(), here);
        alone.append(stamp, there);
    }
    for log in [&mut together, &mut alone] {
        let text = "nothing more happens".to_owned();
        log.append(Stamp::at(anna.at + 10_000_000), Observation::Note { text });
    }
    [together, alone]
}

/// What the others add to the provisioning file.
fn provisioned() -> String {
    let mut more = String::new();
    for number in 0..OTHERS {
        let (handset, user) = (format!("03{number:08x}"), (2000 + number).to_string());
        for (name, value) in [
            ("UserName", user.as_str()),
            ("AuthName", user.as_str()),
            ("FeatureKeySyncActive", "1"),
        ] {
            more += &format!("<param name=\"SipAccount.{handset}.{name}\" value=\"{value}\"/>");
        }
    }
    more
}

fn found(log: &Log) -> Vec<Finding> {
    let reports = Monitor::judge(log.records()).into_iter();
    reports.flat_map(|report| report.findings).collect()
}

/// Something that goes wrong at Anna's.
type Defect = (&'static str, fn() -> Stage);

fn defects() -> Vec<Defect> {
    vec![
        ("CHG-01", || {
            let mut stage = Stage::synced();
            stage
                .wait(5_000)
                .request_change(ANNA, Service::DoNotDisturb, true, None, None);
            stage
        }),
        ("CHG-09", || {
            let mut stage = Stage::synced();
            stage.wait(60_000).notify("1001", &dnd(true));
            stage.wait(10).reply(200, &[]);
            stage.wait(1_000);
            stage.change(&set_dnd(true));
            stage
        }),
        ("MENU-01", || {
            let mut stage = Stage::synced();
            stage
                .wait(4_000)
                .menu(ANNA, "Do Not Disturb", &["Status: Off"]);
            stage
                .wait(1_000)
                .menu(ANNA, "Do Not Disturb", &["Status: On"]);
            stage
        }),
        ("BODY-01", || {
            let mut stage = Stage::synced();
            stage
                .wait(60_000)
                .notify("1001", &cf("Immediate", true, "2424", ""));
            stage.wait(10).reply(200, &[]);
            stage.wait(4_000).idle(ANNA, &["Divert busy: 2424"]);
            stage
        }),
        ("NOT-02", || {
            let mut stage = Stage::synced();
            stage.wait(60_000).notify("1001", &dnd(true));
            stage
        }),
        ("REF-01", || {
            let mut stage = Stage::synced_for(600);
            stage.wait(700_000).refresh();
            stage.wait(20).answer(200, &["Expires: 600"]);
            stage
        }),
        ("REG-01", || {
            let mut stage = Stage::provisioned();
            stage.register("1001", 3600);
            stage.wait(1_000_000);
            stage.register_numbered("1001", 9, 3600);
            stage
        }),
        ("SUB-04", || {
            let mut stage = Stage::registered();
            stage.request(&Ask::subscribe("1001", 1));
            stage
        }),
    ]
}

#[test]
fn five_hundred_accounts_get_the_verdicts_of_one() {
    for (requirement, defect) in defects() {
        let [together, alone] = crowd(&defect());
        let alone = found(&alone);
        let named = alone
            .iter()
            .any(|finding| finding.requirement.as_str() == requirement);
        assert!(named, "{requirement} alone: {alone:#?}");
        assert_eq!(found(&together), alone, "{requirement}");
    }
}

#[test]
fn a_long_log_is_remembered_in_bounded_memory() {
    let mut stage = Stage::synced_for(600);
    let mut monitor = Monitor::new();
    let mut most = [0, 0];
    let (mut seen, mut messages) = (0, 0);
    while messages < 20_000 {
        stage.wait(300_000).refresh();
        stage.wait(20).answer(200, &["Expires: 600"]);
        stage.wait(20).full_state("1001", &[dnd(true)]);
        stage
            .wait(4_000)
            .request_change(ANNA, Service::DoNotDisturb, false, None, None);
        stage.wait(20).change(&set_dnd(false));
        stage.wait(20).answer(200, &["Expires: 600"]);
        stage.wait(20).notify("1001", &dnd(false));
        stage.wait(20).reply(200, &[]);
        stage.wait(4_000).idle(ANNA, &[]);
        messages += 8;
        let records = stage.log.after(seen).to_vec();
        seen = stage.log.last_seq();
        for record in &records {
            monitor.observe(record);
        }
        let half = usize::from(messages > 10_000);
        most[half] = most[half].max(monitor.remembered());
    }
    assert!(most[1] <= most[0], "{most:?} entries");
    assert!(most[1] < 1_000, "{most:?} entries");
}

#[test]
fn a_clone_judges_on_like_its_original_and_does_not_disturb_it() {
    for (requirement, defect) in defects() {
        let mut stage = defect();
        stage.wait(1_000);
        let records = stage.log.records();
        let whole = Monitor::judge(records);
        for cut in [0, records.len() / 2, records.len() - 1] {
            let (before, after) = records.split_at(cut);
            let mut original = Monitor::new();
            for record in before {
                original.observe(record);
            }
            let clone = original.clone();
            let mut noise = original.clone();
            for record in ordinary().log.records() {
                let mut record = Record::clone(record);
                record.at += stage.at;
                noise.observe(&record);
            }
            for mut monitor in [original, clone] {
                for record in after {
                    monitor.observe(record);
                }
                let at = records.last().map_or(0, |record| record.at);
                assert_eq!(monitor.finish(at), whole, "{requirement} cut at {cut}");
            }
        }
    }
}
