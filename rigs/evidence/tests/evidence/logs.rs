//! The log in memory and in its file.

use crate::stage::Stage;
use evidence::log::{Log, LogError, Stamp};
use evidence::record::{Observation, StepOutcome, StepPhase};
use std::io::Write as _;

fn note(text: &str) -> Observation {
    Observation::Note {
        text: text.to_owned(),
    }
}

#[test]
fn a_log_comes_back_from_its_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let mut log = Log::create(&path).unwrap();
    for record in Stage::synced().log.records() {
        log.append(
            Stamp::of(record).on_wall(Some(record.at)),
            record.observation.clone(),
        );
    }
    log.flush();
    assert!(log.failure().is_none());
    let again = Log::load(&path).unwrap();
    assert_eq!(again.records(), log.records());
    assert_eq!(again.record(3), log.record(3));
    assert_eq!(again.after(log.last_seq() - 1).len(), 1);
}

fn step(outcome: Option<StepOutcome>) -> Observation {
    Observation::Step {
        phase: StepPhase::Then,
        text: "Then it works".to_owned(),
        outcome,
        reason: String::new(),
    }
}

#[test]
fn a_step_and_a_finding_bring_everything_so_far_into_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let mut log = Log::create(&path).unwrap();
    let written = || Log::load(&path).unwrap().records().len();
    log.append(Stamp::at(1), step(None));
    log.append(Stamp::at(2), note("in the step"));
    assert_eq!(written(), 1);
    log.append(Stamp::at(3), step(Some(StepOutcome::Pass)));
    assert_eq!(written(), 3);
    log.append(Stamp::at(4), note("after the step"));
    let finding = Observation::Finding {
        requirement: "SUB-01".to_owned(),
        text: "wrong".to_owned(),
        records: vec![4],
    };
    log.append(Stamp::at(5), finding);
    assert_eq!(written(), 5);
    log.append(Stamp::at(6), Observation::ScenarioEnd);
    assert_eq!(written(), 6);
}

#[test]
fn a_log_that_is_given_up_leaves_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let mut log = Log::create(&path).unwrap();
    log.append(Stamp::at(1), note("one"));
    drop(log);
    assert_eq!(Log::load(&path).unwrap().records().len(), 1);
}

#[test]
fn a_step_of_many_records_is_not_held_back_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let mut log = Log::create(&path).unwrap();
    for at in 0..20_000 {
        log.append(Stamp::at(at), note("one of very many"));
    }
    let written = std::fs::metadata(&path).unwrap().len();
    assert!(written > 1_000_000, "{written} bytes");
}

#[test]
fn a_fork_goes_on_by_itself_and_its_file_has_the_beginning_too() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (folder.path().join("1.jsonl"), folder.path().join("2.jsonl"));
    let mut log = Log::new();
    log.append(Stamp::at(1), note("shared"));
    let kept = log.fork();
    log.append(Stamp::at(2), note("the first goes on"));
    for (path, text) in [(&one, "one"), (&two, "two")] {
        let mut fork = kept.fork();
        fork.write_to(path).unwrap();
        fork.append(Stamp::at(3), note(text));
        fork.append(Stamp::at(4), Observation::ScenarioEnd);
        assert_eq!(Log::load(path).unwrap().records(), fork.records());
    }
    assert_eq!((kept.records().len(), log.records().len()), (1, 2));
    let late = folder.path().join("3.jsonl");
    log.write_to(&late).unwrap();
    assert_eq!(Log::load(&late).unwrap().records(), log.records());
}

#[test]
fn a_log_that_was_cut_short_is_read_to_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let mut log = Log::create(&path).unwrap();
    log.append(Stamp::at(1), note("one"));
    log.flush();
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .unwrap();
    file.write_all(b"{\"v\":1,\"seq\":2,\"at\"").unwrap();
    let again = Log::load(&path).unwrap();
    assert_eq!(again.records().len(), 1);
    assert!(again.is_truncated());
}

#[test]
fn a_damaged_log_names_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    std::fs::write(&path, "{}\n").unwrap();
    let error = Log::load(&path).unwrap_err();
    assert!(matches!(error, LogError::Malformed { line: 1, .. }));
    assert!(error.to_string().contains("evidence.jsonl"));
    std::fs::write(
        &path,
        "{\"v\":9,\"seq\":1,\"at\":0,\"kind\":\"note\",\"text\":\"\"}\n",
    )
    .unwrap();
    assert!(matches!(
        Log::load(&path),
        Err(LogError::Schema { found: 9, .. })
    ));
    std::fs::write(
        &path,
        "{\"v\":2,\"seq\":5,\"at\":0,\"kind\":\"note\",\"text\":\"\"}\n",
    )
    .unwrap();
    assert!(matches!(
        Log::load(&path),
        Err(LogError::Sequence { found: 5, .. })
    ));
    assert!(matches!(
        Log::load(folder.path().join("none")),
        Err(LogError::Open { .. })
    ));
}
