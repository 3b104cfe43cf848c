//! What a run comes to, from logs that ended well, badly, or not at all.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use evidence::identifier::Identifier;
use evidence::log::Log;
use evidence::record::{Observation, Record, SCHEMA, StepOutcome, StepPhase};
use evidence::verdict::Verdict;
use reports::fold::Case;
use reports::index::{CaseEntry, RunIndex, Selected};
use reports::run::Run;
use reports::sheet::Sheet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn entry(id: &str) -> CaseEntry {
    CaseEntry {
        id: Identifier::new(id).unwrap(),
        scenario_id: Identifier::new("ID-A-001").unwrap(),
        scenario: String::new(),
        feature: String::new(),
        file: String::new(),
        line: 1,
        tags: Vec::new(),
        requirements: Vec::new(),
        rig: Identifier::new("emulated-n870").unwrap(),
        face: "console".to_owned(),
        dialect: "broadsoft".to_owned(),
        lab: "virtual".to_owned(),
        not_applicable: None,
    }
}

fn records(observations: Vec<Observation>) -> Vec<Arc<Record>> {
    let record = |(seq, observation)| Record {
        v: SCHEMA,
        seq,
        at: seq * 1000,
        wall: None,
        observation,
        unit: None,
    };
    let records = (1..).zip(observations).map(record);
    records.map(Arc::new).collect()
}

fn step(outcome: StepOutcome, reason: &str) -> Observation {
    Observation::Step {
        text: "Then it works".to_owned(),
        outcome: Some(outcome),
        reason: reason.to_owned(),
        phase: StepPhase::Rig,
    }
}

fn ended() -> Observation {
    Observation::ScenarioEnd
}

fn case(id: &str, outcome: StepOutcome) -> Case {
    Case::fold(&entry(id), records(vec![step(outcome, "so"), ended()]))
}

fn run(cases: Vec<Case>) -> Run {
    let index = RunIndex {
        cases: cases.iter().map(|case| case.entry.clone()).collect(),
        ..RunIndex::default()
    };
    let mut run = Run::new(Path::new(""), index);
    for case in &cases {
        run.add(Sheet::of(case));
    }
    run
}

#[test]
fn a_fail_weighs_more_than_a_rig_error_and_that_more_than_what_is_open() {
    let good = || case("good", StepOutcome::Pass);
    let fail = || case("fail", StepOutcome::Fail);
    let error = || case("error", StepOutcome::Error);
    let open = || case("open", StepOutcome::Inconclusive);
    assert_eq!(run(vec![good()]).exit_code(), 0);
    assert_eq!(run(vec![good(), open()]).exit_code(), 4);
    assert_eq!(run(vec![good(), open(), error()]).exit_code(), 3);
    assert_eq!(run(vec![good(), open(), error(), fail()]).exit_code(), 1);
}

#[test]
fn a_run_that_executed_nothing_is_not_a_success() {
    let mut unclaimed = entry("unclaimed");
    unclaimed.not_applicable = Some("the profile does not claim it".to_owned());
    let unclaimed = Case::load(Path::new("nowhere"), &unclaimed);
    assert_eq!(unclaimed.outcome.verdict, Verdict::NotApplicable);
    let run_of_nothing = run(vec![unclaimed]);
    assert_eq!(run_of_nothing.exit_code(), 4);
    assert_eq!(run_of_nothing.idle(), ["on emulated-n870"]);
    assert_eq!(
        (run(vec![]).exit_code(), run(vec![]).verdict()),
        (4, Verdict::NotRun)
    );
}

#[test]
fn what_was_selected_and_never_executed_leaves_the_run_open() {
    let mut good = entry("good");
    (good.face, good.dialect) = ("console".to_owned(), "broadsoft".to_owned());
    let good = || Case::fold(&good, records(vec![step(StepOutcome::Pass, ""), ended()]));
    let run_for = |rigs: &[&str], dialects: &[&str], faces: &[&str]| {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut run = run(vec![good()]);
        run.index.selected = Selected {
            plan: "cover".to_owned(),
            rigs: owned(rigs),
            dialects: owned(dialects),
            faces: owned(faces),
        };
        (run.exit_code(), run.idle().join(", "))
    };
    let (rig, dialect, face) = (["emulated-n870"], ["broadsoft"], ["console"]);
    assert_eq!(run_for(&rig, &dialect, &face), (0, String::new()));
    let rows = [
        (run_for(&["lab-n610"], &dialect, &face), "on lab-n610"),
        (
            run_for(&rig, &["genesys"], &face),
            "with the dialect genesys",
        ),
        (
            run_for(&rig, &dialect, &["console", "web"]),
            "by the face web",
        ),
    ];
    for (row, told) in rows {
        assert_eq!(row, (4, told.to_owned()));
    }
}

#[test]
fn a_case_that_was_never_started_leaves_the_run_open() {
    let folder = tempfile::tempdir().unwrap();
    let waiting = Case::load(folder.path(), &entry("waiting"));
    assert_eq!(waiting.outcome.verdict, Verdict::NotRun);
    assert_eq!(
        run(vec![case("good", StepOutcome::Pass), waiting]).exit_code(),
        4
    );
}

#[test]
fn a_case_that_was_cut_off_did_not_pass() {
    let cut = Case::fold(&entry("cut"), records(vec![step(StepOutcome::Pass, "")]));
    assert_eq!(cut.outcome.verdict, Verdict::Inconclusive);
    assert_eq!(
        cut.outcome.reasons,
        ["the run was cut off before the scenario ended, and its last step may be missing"]
    );
}

#[test]
fn a_case_that_was_cut_off_after_a_fail_still_failed() {
    let cut = Case::fold(&entry("cut"), records(vec![step(StepOutcome::Fail, "so")]));
    assert_eq!(cut.outcome.verdict, Verdict::Fail);
}

#[test]
fn a_case_that_the_rig_could_not_run_is_an_error() {
    let broken = Case::broken(&entry("broken"), "the console is silent");
    assert_eq!(run(vec![broken]).exit_code(), 3);
}

fn log_text(folder: &Path, id: &str) -> PathBuf {
    let path = folder.join(entry(id).evidence());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let lines = records(vec![step(StepOutcome::Pass, ""), ended()]);
    let lines = lines
        .iter()
        .map(|it| serde_json::to_string(it).unwrap() + "\n");
    fs::write(&path, lines.collect::<String>()).unwrap();
    path
}

#[test]
fn a_log_that_ends_in_the_middle_of_a_record_is_read_up_to_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = log_text(folder.path(), "cut");
    assert_eq!(
        Case::load(folder.path(), &entry("cut")).outcome.verdict,
        Verdict::Pass
    );
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 9]).unwrap();
    assert!(Log::load(&path).unwrap().is_truncated());
    let cut = Case::load(folder.path(), &entry("cut"));
    assert_eq!(cut.outcome.verdict, Verdict::Inconclusive);
    assert_eq!(cut.records.len(), 1);
}

#[test]
fn a_log_that_nobody_can_read_is_an_error_of_its_case_only() {
    let folder = tempfile::tempdir().unwrap();
    let path = log_text(folder.path(), "bad");
    log_text(folder.path(), "good");
    fs::write(&path, "{\"v\":1,\n{}\n").unwrap();
    let index = RunIndex {
        v: SCHEMA,
        cases: vec![entry("bad"), entry("good")],
        ..RunIndex::default()
    };
    index.save(folder.path()).unwrap();
    let run = Run::load(folder.path()).unwrap();
    let verdicts: Vec<Verdict> = run.sheets().map(|sheet| sheet.verdict).collect();
    assert_eq!(verdicts, [Verdict::Error, Verdict::Pass]);
    let bad = run.sheets().next().unwrap();
    assert!(bad.reasons[0].contains("cannot be read"));
}
