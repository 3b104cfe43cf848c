//! The reports of one fixed small run, read back from its evidence.
//!
//! The run in `tests/run` was killed: one case passed, one failed with findings, one was cut off in the middle of a
//! record, one was never started and one does not apply.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use evidence::record::{ClaimStatus, Observation};
use evidence::verdict::Verdict;
use reports::console::{Console, Ended, Style};
use reports::fold::Run;
use reports::{html, junit};
use std::path::Path;
use std::time::Duration;

fn run() -> Run {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
    Run::load(&folder).unwrap()
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
        .cases
        .iter()
        .map(|case| (case.entry.scenario_id.as_str(), case.outcome.verdict))
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
    assert_eq!(text.matches("<testcase ").count(), run().cases.len());
    insta::assert_snapshot!("junit", text);
}

#[test]
fn the_console_says_what_did_not_pass_and_where() {
    let run = run();
    let mut out = Vec::new();
    let mut console = Console::new(&mut out, Style::default(), 5);
    for case in &run.cases {
        let place = format!("{}:{}", case.entry.file, case.entry.line);
        console
            .ended(&Ended {
                verdict: case.outcome.verdict,
                id: case.entry.id.as_str(),
                scenario: &case.entry.scenario,
                place: &place,
                reasons: &case.outcome.reasons,
            })
            .unwrap();
    }
    console.finish(&[], Duration::from_millis(1500)).unwrap();
    insta::assert_snapshot!("console", String::from_utf8(out).unwrap());
}

#[test]
fn the_page_says_the_same() {
    insta::assert_snapshot!("page", text_of(&html::write(&run()).unwrap()));
}

#[test]
fn the_page_needs_nothing_else() {
    let page = html::write(&run()).unwrap();
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
    let page = html::write(&run()).unwrap();
    for link in page.split("href=\"#").skip(1) {
        let name = link.split('"').next().unwrap();
        assert!(page.contains(&format!("id=\"{name}\"")), "{name}");
    }
}

#[test]
fn what_is_assumed_about_the_server_is_listed_apart() {
    let mut run = run();
    let mut claim = evidence::record::Record::clone(&run.cases[0].records[0]);
    claim.observation = Observation::Claim {
        key: "dialect.broadsoft.registrar.min-expires".to_owned(),
        value: "60".to_owned(),
        status: ClaimStatus::Assumed,
        source: "INFERRED".to_owned(),
    };
    run.cases[0].records.push(claim.into());
    let page = html::write(&run).unwrap();
    let (base, server) = page.split_once("Assumptions about the server").unwrap();
    assert!(base.contains("Assumptions about the base"));
    assert!(server.contains("dialect.broadsoft.registrar.min-expires"));
    assert!(!server.contains("display.idle.do-not-disturb"));
}

#[test]
fn the_ladder_marks_what_the_findings_cite() {
    let page = html::write(&run()).unwrap();
    assert!(page.contains("⚑ CHG-06"), "no flag in the ladder");
}

#[test]
fn all_reports_are_written_beside_the_evidence() {
    let folder = tempfile::tempdir().unwrap();
    let mut run = run();
    run.folder = folder.path().to_owned();
    assert!(reports::write_all(&run).is_empty());
    for case in &run.cases {
        let capture = folder.path().join(case.entry.capture());
        assert_eq!(
            capture.exists(),
            !case.records.is_empty(),
            "{}",
            case.entry.id
        );
    }
    assert!(folder.path().join("junit.xml").exists());
    assert!(folder.path().join("report.html").exists());
}

#[test]
fn a_report_that_cannot_be_written_does_not_silence_the_others() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("junit.xml")).unwrap();
    let mut run = run();
    run.folder = folder.path().to_owned();
    assert_eq!(reports::write_all(&run).len(), 1);
    assert!(folder.path().join("report.html").exists());
}
