//! The same seed gives the same evidence, whatever runs beside a scenario; another seed gives another.
//!
//! What is compared is the whole log of every case, as the bytes that would stand in its file.
#![expect(
    clippy::unwrap_used,
    reason = "a record that cannot be written ends the test"
)]

mod suite;

use bench::rig::HandsetFace;
use evidence::record::{Direction, Fate, Observation, Record};
use reports::fold::Case;
use std::collections::BTreeSet;
use std::sync::Arc;
use steps::plan::Selection;

/// The evidence of the cases, as it would be written.
fn evidence(cases: &[Case]) -> Vec<(String, Vec<u8>)> {
    let lines = |case: &Case| {
        let mut bytes = Vec::new();
        for record in &case.records {
            assert_eq!(record.wall, None, "the virtual laboratory has no wall");
            bytes.extend(serde_json::to_vec(record).unwrap());
            bytes.push(b'\n');
        }
        bytes
    };
    cases
        .iter()
        .map(|case| (case.entry.id.to_string(), lines(case)))
        .collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    suite::at_the_top();
    let rigs = suite::emulated_rig();
    // Loss makes the network draw from its seed as well.
    let some = || Selection {
        name: Some("DND|NET|FAC".parse().unwrap()),
        ..Selection::default()
    };
    let run = |jobs, seed, selection| {
        evidence(&suite::run(
            &suite::plan(&rigs, selection),
            jobs,
            suite::benches(&rigs, seed, None),
        ))
    };
    let one_job = run(1, 7, some());
    assert!(one_job.len() > 8, "{} cases", one_job.len());
    assert!(one_job.iter().all(|(_, bytes)| !bytes.is_empty()));
    let four_jobs = run(4, 7, some());
    for (one, four) in one_job.iter().zip(&four_jobs) {
        assert_eq!(one.0, four.0);
        assert!(
            one.1 == four.1,
            "{} differs between one job and four",
            one.0
        );
    }
    let alone = Selection {
        name: Some("ID-REC-NET-002".parse().unwrap()),
        ..Selection::default()
    };
    let alone = run(1, 7, alone);
    let (id, bytes) = &alone[0];
    let among = one_job.iter().find(|(other, _)| other == id).unwrap();
    assert!(&among.1 == bytes, "{id} differs when it runs alone");
    let other_seed = run(4, 8, some());
    for (one, other) in one_job.iter().zip(&other_seed) {
        assert!(one.1 != other.1, "{} is the same with another seed", one.0);
    }
}

/// The branches of the requests on one side, in the part of a case that is its own.
fn own_branches(case: &Case, side: Direction) -> BTreeSet<String> {
    let is_begin = |record: &Arc<Record>| matches!(&record.observation, Observation::Note { text } if text.starts_with("scenario "));
    let begun = case.records.iter().position(is_begin).unwrap();
    let sent = case.records[begun..]
        .iter()
        .filter_map(|record| match &record.observation {
            Observation::Sip(sip) if sip.direction == side && sip.fate == Fate::Sent => {
                sip.message()
            }
            _ => None,
        });
    let requests = sent.filter(|message| message.method().is_some());
    requests
        .filter_map(|it| it.branch().map(str::to_owned))
        .collect()
}

#[test]
fn cases_that_begin_as_one_go_on_with_lots_of_their_own() {
    suite::at_the_top();
    let rigs = suite::emulated_rig();
    let some = Selection {
        name: Some("ID-BSFT-DND".parse().unwrap()),
        faces: vec![HandsetFace::Console],
        ..Selection::default()
    };
    let cases = suite::run(&suite::plan(&rigs, some), 2, suite::benches(&rigs, 7, None));
    let shared = |one: &Case, other: &Case| {
        let both = one.records.iter().zip(&other.records);
        both.take_while(|(one, other)| one == other).count()
    };
    let mut compared = 0;
    for (place, one) in cases.iter().enumerate() {
        for other in &cases[..place] {
            // All that a boot records, if they begin at the same snapshot.
            if shared(one, other) < 100 {
                continue;
            }
            for side in [Direction::FromBase, Direction::ToBase] {
                let (own, others) = (own_branches(one, side), own_branches(other, side));
                let both: Vec<_> = own.intersection(&others).collect();
                assert!(
                    both.is_empty(),
                    "{} and {}: {both:?}",
                    one.entry.id,
                    other.entry.id
                );
                compared += own.len();
            }
        }
    }
    assert!(compared > 10, "{compared} requests");
}
