//! The reports of one fixed small run, read back from its evidence.
//!
//! The run in `tests/run` was killed: one case passed, one failed with findings, one was cut off in the middle of a
//! record, one was never started and one does not apply.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod page;

use evidence::record::{ClaimStatus, Observation};
use evidence::verdict::Verdict;
use page::unpacked;
use reports::console::{Console, Ended, Style};
use reports::fold::Case;
use reports::index::RunIndex;
use reports::run::Run;
use reports::sheet::Sheet;
use reports::{html, junit};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run")
}

fn run() -> Run {
    Run::load(&folder()).unwrap()
}

fn page_of(run: &Run) -> String {
    let mut page = Vec::new();
    html::write(run, &mut page).unwrap();
    String::from_utf8(page).unwrap()
}

/// The page without its style, its script and its pictures.
fn text_of(page: &str) -> String {
    let mut text = page.to_owned();
    for (from, to) in [
        ("<style>", "</style>"),
        ("<script>", "</script>"),
        ("<svg", "</svg>"),
    ] {
        while let Some(start) = text.find(from) {
            let end = text[start..].find(to).unwrap() + start + to.len();
            text.replace_range(start..end, "");
        }
    }
    let lines = text.lines().map(str::trim_end);
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn a_killed_run_has_a_verdict_for_each_case_of_its_plan() {
    let run = run();
    let verdicts: Vec<(&str, Verdict)> = run
        .sheets()
        .map(|sheet| (sheet.entry.scenario_id.as_str(), sheet.verdict))
        .collect();
    assert_eq!(
        verdicts,
        [
            ("ID-BSFT-DND-010", Verdict::Pass),
            ("ID-BSFT-DND-020", Verdict::Fail),
            ("ID-BSFT-DND-011", Verdict::Inconclusive),
            ("ID-BSFT-DND-012", Verdict::NotRun),
            ("ID-MENU-DND-001", Verdict::NotApplicable),
        ]
    );
    assert_eq!((run.verdict(), run.exit_code()), (Verdict::Fail, 1));
}

#[test]
fn the_junit_file_has_each_case_once() {
    let text = junit::write(&run()).unwrap();
    assert_eq!(text.matches("<testcase ").count(), run().index.cases.len());
    insta::assert_snapshot!("junit", text);
}

#[test]
fn the_console_says_what_did_not_pass_and_where() {
    let run = run();
    let mut out = Vec::new();
    let mut console = Console::new(&mut out, Style::default(), 5);
    for case in run.sheets() {
        let place = format!("{}:{}", case.entry.file, case.entry.line);
        console
            .ended(&Ended {
                verdict: case.verdict,
                id: case.entry.id.as_str(),
                scenario: &case.entry.scenario,
                place: &place,
                reasons: &case.reasons,
            })
            .unwrap();
    }
    console.finish(&[], Duration::from_millis(1500)).unwrap();
    insta::assert_snapshot!("console", String::from_utf8(out).unwrap());
}

#[test]
fn the_page_says_the_same() {
    insta::assert_snapshot!("page", text_of(&unpacked(&page_of(&run()))));
}

#[test]
fn the_page_needs_nothing_else() {
    let page = page_of(&run());
    for outside in [
        "href=\"http",
        "href=\"//",
        " src=",
        "@import",
        "url(",
        "<link",
    ] {
        let found = page.find(outside);
        assert!(found.is_none(), "{outside} at {found:?}");
    }
}

#[test]
fn every_link_inside_the_page_leads_somewhere() {
    let page = unpacked(&page_of(&run()));
    for link in page.split("href=\"#").skip(1) {
        let name = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
    }
}

#[test]
fn what_did_not_pass_can_be_read_without_a_script() {
    let page = page_of(&run());
    assert!(
        page.contains("⚑ CHG-06"),
        "no ladder of the case that failed"
    );
    assert!(page.contains("the run was cut off before the scenario ended"));
    let passed = "When the portal turns Do Not Disturb on for Anna";
    assert!(!page.contains(passed) && unpacked(&page).contains(passed));
}

#[test]
fn what_is_assumed_about_the_server_is_listed_apart() {
    let index = RunIndex::load(&folder()).unwrap();
    let mut case = Case::load(&folder(), &index.cases[0]);
    let mut claim = evidence::record::Record::clone(&case.records[0]);
    claim.observation = Observation::Claim {
        key: "dialect.broadsoft.registrar.min-expires".to_owned(),
        value: "60".to_owned(),
        status: ClaimStatus::Assumed,
        source: "INFERRED".to_owned(),
    };
    case.records.push(claim.into());
    let mut run = Run::new(&folder(), index);
    run.add(Sheet::of(&case));
    let page = page_of(&run);
    let (base, server) = page.split_once("Assumptions about the server").unwrap();
    assert!(base.contains("Assumptions about the base"));
    assert!(server.contains("dialect.broadsoft.registrar.min-expires"));
    assert!(!server.contains("display.idle.do-not-disturb"));
}

#[test]
fn the_ladder_marks_what_the_findings_cite() {
    let page = page_of(&run());
    assert!(page.contains("⚑ CHG-06"), "no flag in the ladder");
}

/// The same run in a folder that may be written into.
fn copied() -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    fs::create_dir(copy.path().join("evidence")).unwrap();
    fs::copy(folder().join("run.json"), copy.path().join("run.json")).unwrap();
    for entry in RunIndex::load(&folder()).unwrap().cases {
        let (from, to) = (
            folder().join(entry.evidence()),
            copy.path().join(entry.evidence()),
        );
        if from.exists() {
            fs::copy(from, to).unwrap();
        }
    }
    copy
}

#[test]
fn all_reports_are_written_beside_the_evidence() {
    let folder = copied();
    let mut run = Run::load_and_capture(folder.path()).unwrap();
    assert!(reports::write_all(&mut run).is_empty());
    for sheet in run.sheets() {
        let capture = folder.path().join(sheet.entry.capture());
        assert_eq!(capture.exists(), sheet.records > 0, "{}", sheet.entry.id);
    }
    assert!(folder.path().join("junit.xml").exists());
    assert!(folder.path().join("report.html").exists());
}

#[test]
fn a_capture_that_is_the_same_is_left_alone_and_another_is_replaced() {
    let folder = copied();
    let mut run = Run::load_and_capture(folder.path()).unwrap();
    assert!(reports::write_all(&mut run).is_empty());
    let begun = run.sheets().filter(|sheet| sheet.records > 0);
    let captures: Vec<PathBuf> = begun
        .map(|sheet| folder.path().join(sheet.entry.capture()))
        .collect();
    let state = || -> Vec<(u64, Vec<u8>)> {
        let of = |path: &PathBuf| (fs::metadata(path).unwrap().ino(), fs::read(path).unwrap());
        captures.iter().map(of).collect()
    };
    let first = state();
    fs::write(&captures[0], "another").unwrap();
    let mut again = Run::load_and_capture(folder.path()).unwrap();
    assert!(reports::write_all(&mut again).is_empty());
    let second = state();
    assert_eq!(second[0].1, first[0].1);
    assert_ne!(
        second[0].0, first[0].0,
        "it is written beside and put in place"
    );
    assert_eq!(second[1..], first[1..]);
}

#[test]
fn a_report_that_cannot_be_written_does_not_silence_the_others() {
    let folder = copied();
    fs::create_dir(folder.path().join("junit.xml")).unwrap();
    let mut run = Run::load(folder.path()).unwrap();
    assert_eq!(reports::write_all(&mut run).len(), 1);
    assert!(folder.path().join("report.html").exists());
}

#[test]
fn the_reports_do_not_depend_on_the_order_in_which_cases_ended() {
    let index = RunIndex::load(&folder()).unwrap();
    let mut run_backwards = Run::new(&folder(), index.clone());
    for entry in index.cases.iter().rev().take(3) {
        run_backwards.add(Sheet::of(&Case::load(&folder(), entry)));
    }
    for entry in index.cases.iter().take(index.cases.len() - 3) {
        run_backwards.add(Sheet::of(&Case::load(&folder(), entry)));
    }
    assert_eq!(page_of(&run_backwards), page_of(&run()));
    assert_eq!(
        junit::write(&run_backwards).unwrap(),
        junit::write(&run()).unwrap()
    );
}
