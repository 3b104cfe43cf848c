//! The second reader over evidence that was recorded before: nothing in it is read differently.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bench::second_reader::disagreement;
use evidence::log::Log;
use evidence::record::{Fate, Observation, Sip};
use sip::second_reader::{Comparison, compare};
use std::path::PathBuf;

/// Every message that was sent in the logs that the reports are tested with.
fn recorded() -> Vec<Sip> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../reports/tests/run/evidence");
    let mut sent = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let log = Log::load(file.unwrap().path()).unwrap();
        for record in log.records() {
            if let Observation::Sip(sip) = &record.observation {
                sent.extend((sip.fate == Fate::Sent).then(|| sip.clone()));
            }
        }
    }
    sent
}

#[test]
fn recorded_messages_are_read_the_same_and_most_of_them_whole() {
    let sent = recorded();
    let told: Vec<String> = sent.iter().filter_map(disagreement).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    let whole = |sip: &&Sip| {
        let message = sip.message().map(AsRef::as_ref);
        compare(&sip.bytes, message) == Comparison::Agreement
    };
    let whole = sent.iter().filter(whole).count();
    assert!(
        whole > 20 && whole * 2 > sent.len(),
        "{whole} of {}",
        sent.len()
    );
}

#[test]
fn a_record_that_is_read_from_other_bytes_is_told() {
    let mut sip = recorded().into_iter().next().unwrap();
    assert!(sip.message().is_some());
    let text = String::from_utf8(sip.bytes.to_vec()).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("Call-ID:"))
        .unwrap();
    sip.bytes = text.replace(line, "Call-ID: another").into();
    assert!(disagreement(&sip).unwrap().contains("rsip says `another`"));
}
