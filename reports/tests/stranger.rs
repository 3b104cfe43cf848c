//! A run's folder that comes from a stranger is reported inside that folder, or refused.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use evidence::log::{Log, Stamp};
use evidence::record::{Observation, SCHEMA};
use evidence::verdict::Verdict;
use reports::index::{FILE, IndexError, RunIndex};
use reports::run::Run;
use reports::write_all;
use serde_json::{Value, json};
use std::error::Error as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

const GOOD: &str = "ID-A-001@emulated-n870-virtual";

fn case(id: &str) -> Value {
    json!({
        "id": id, "scenario_id": "ID-A-001", "scenario": "s", "feature": "f", "file": "f.feature", "line": 1, "tags": [],
        "requirements": [], "rig": "emulated-n870", "lab": "virtual",
    })
}

fn index(cases: Vec<Value>) -> Value {
    json!({
        "v": SCHEMA, "run": "r", "lockstep": "0.1.0", "seed": 1, "started": 1, "ended": 2, "cases": cases,
    })
}

/// A run's folder in a folder of its own, with the log of one case.
fn folder_with(index: &Value) -> (tempfile::TempDir, std::path::PathBuf) {
    let top = tempfile::tempdir().unwrap();
    let run = top.path().join("run");
    fs::create_dir_all(run.join("evidence")).unwrap();
    fs::write(run.join(FILE), index.to_string()).unwrap();
    let mut log = Log::create(run.join(format!("evidence/{GOOD}.jsonl"))).unwrap();
    log.append(Stamp::default(), Observation::ScenarioEnd);
    (top, run)
}

fn refusal(index: &Value) -> IndexError {
    let (_top, run) = folder_with(index);
    let error = Run::load(&run).unwrap_err();
    let named = run.join(FILE).display().to_string();
    assert!(error.to_string().contains(&named), "{error}");
    error
}

#[test]
fn a_name_that_leads_elsewhere_is_refused_with_its_file() {
    let long = "x".repeat(300);
    for bad in [
        "../x", "/etc/x", "a/b", "", &long, "a\0b", "..", ".x", "a\\b",
    ] {
        for key in ["id", "scenario_id", "rig"] {
            let mut wrong = case(GOOD);
            wrong[key] = json!(bad);
            let error = refusal(&index(vec![case("good"), wrong]));
            let why = error.source().unwrap().to_string();
            assert!(why.contains("cannot name a file"), "{key} {bad:?}: {why}");
        }
    }
}

#[test]
fn two_cases_of_one_name_are_refused() {
    let error = refusal(&index(vec![case(GOOD), case("other"), case(GOOD)]));
    assert!(matches!(&error, IndexError::Twice { id, .. } if id.as_str() == GOOD));
}

#[test]
fn another_schema_is_refused_with_a_way_out() {
    for found in [SCHEMA - 1, SCHEMA + 1] {
        // Nothing else of it can be read.
        let text = refusal(&json!({"v": found, "lockstep": "9.9.9\u{1b}[31m"})).to_string();
        let sentence = format!(
            "has schema {found}, and this release of lockstep reads schema {SCHEMA}: run the plan again, or use the \
             release that wrote it (9.9.9\\u{{1b}}[31m)"
        );
        assert!(text.ends_with(&sentence), "{text}");
    }
    assert!(matches!(refusal(&json!([])), IndexError::Malformed { .. }));
}

/// Everything below a folder that is not the run's.
fn outside(top: &Path) -> Vec<(String, String)> {
    let entries = fs::read_dir(top.join("outside")).unwrap();
    let mut files: Vec<(String, String)> = entries
        .map(|entry| {
            let entry = entry.unwrap();
            let text = fs::read_to_string(entry.path()).unwrap();
            (entry.file_name().into_string().unwrap(), text)
        })
        .collect();
    files.sort();
    files
}

#[test]
fn links_in_the_folder_are_not_written_through() {
    let (top, run) = folder_with(&index(vec![case(GOOD)]));
    let place = top.path().join("outside");
    fs::create_dir(&place).unwrap();
    for name in ["report.html", "report.html.new", "junit.xml", FILE] {
        fs::write(place.join(name), "mine").unwrap();
        let _ = fs::remove_file(run.join(name));
        symlink(place.join(name), run.join(name)).unwrap();
    }
    fs::write(place.join(FILE), index(vec![case(GOOD)]).to_string()).unwrap();
    symlink(&place, run.join("captures")).unwrap();
    let before = outside(top.path());

    let mut loaded = Run::load_and_capture(&run).unwrap();
    let errors: Vec<String> = write_all(&mut loaded)
        .iter()
        .map(|error| format!("{error}: {}", error.source().unwrap()))
        .collect();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("captures is not a folder of its own"),
        "{errors:?}"
    );
    loaded.index.save(&run).unwrap();

    assert_eq!(outside(top.path()), before);
    for name in ["report.html", "junit.xml", FILE] {
        let written = fs::symlink_metadata(run.join(name)).unwrap();
        assert!(written.is_file() && written.len() > 4, "{name}");
    }
    assert_eq!(RunIndex::load(&run).unwrap(), loaded.index);
}

#[test]
fn a_folder_that_is_named_by_a_link_is_written_into() {
    let (top, run) = folder_with(&index(vec![case(GOOD)]));
    let latest = top.path().join("latest");
    symlink(&run, &latest).unwrap();
    let mut loaded = Run::load_and_capture(&latest).unwrap();
    assert!(write_all(&mut loaded).is_empty());
    for place in [
        "report.html",
        "junit.xml",
        &format!("captures/{GOOD}.pcapng"),
    ] {
        assert!(run.join(place).is_file(), "{place}");
    }
}

#[test]
fn evidence_that_is_no_file_is_an_error_of_its_case() {
    let (_top, run) = folder_with(&index(vec![case(GOOD)]));
    let log = run.join(format!("evidence/{GOOD}.jsonl"));
    fs::remove_file(&log).unwrap();
    symlink("/dev/zero", &log).unwrap();
    let loaded = Run::load(&run).unwrap();
    let sheet = loaded.sheets().next().unwrap();
    assert_eq!(sheet.verdict, Verdict::Error);
    assert_eq!(sheet.reasons, ["the evidence is not a file"]);
}
