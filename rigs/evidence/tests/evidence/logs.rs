//! The log in memory and in its file.

use crate::stage::Stage;
use evidence::log::{Log, LogError, Stamp};
use evidence::record::Observation;
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
    assert!(log.failure().is_none());
    let again = Log::load(&path).unwrap();
    assert_eq!(again.records(), log.records());
    assert_eq!(again.record(3), log.record(3));
    assert_eq!(again.after(log.last_seq() - 1).len(), 1);
}

#[test]
fn every_record_is_in_the_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let mut log = Log::create(&path).unwrap();
    log.append(Stamp::at(1), note("one"));
    log.append(Stamp::at(2), note("two"));
    assert_eq!(Log::load(&path).unwrap().records().len(), 2);
}

#[test]
fn a_log_that_was_cut_short_is_read_to_its_last_record() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("evidence.jsonl");
    let mut log = Log::create(&path).unwrap();
    log.append(Stamp::at(1), note("one"));
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
