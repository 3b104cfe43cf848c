//! JUnit XML for CI servers: one test case a case of the plan, exactly once each.
//!
//! A `fail` is a failure; an `error` is an error; what was not run, does not apply, or could not be decided is skipped
//! with its reason, because JUnit has no other word for it: the exit code and the HTML report have.

use crate::run::Run;
use crate::sheet::Sheet;
use evidence::verdict::Verdict;
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use std::collections::BTreeMap;
use std::time::Duration;

/// The run as JUnit XML.
///
/// # Errors
/// When the XML cannot be written.
pub fn write(run: &Run) -> Result<String, quick_junit::SerializeError> {
    let mut suites: BTreeMap<String, TestSuite> = BTreeMap::new();
    for sheet in run.sheets() {
        let entry = &sheet.entry;
        let on = [
            entry.rig.as_str(),
            entry.face.as_str(),
            &entry.dialect,
            &entry.lab,
        ];
        let on: Vec<&str> = (on.into_iter()).filter(|word| !word.is_empty()).collect();
        let name = format!("{} [{}]", entry.feature, on.join(" "));
        let name = fit(&name);
        let suite = suites
            .entry(name.clone())
            .or_insert_with(|| TestSuite::new(name));
        suite.add_test_case(test_case(sheet));
    }
    let mut report = Report::new(fit(&format!("lockstep {}", run.index.run)));
    report.add_test_suites(suites.into_values());
    report.to_string()
}

fn test_case(sheet: &Sheet) -> TestCase {
    let reasons = &sheet.reasons;
    let mut test = TestCase::new(fit(&sheet.entry.scenario), status(sheet));
    test.set_classname(fit(sheet.entry.id.as_str()));
    test.set_time(Duration::from_micros(sheet.took));
    if !matches!(sheet.verdict, Verdict::Pass) && !reasons.is_empty() {
        test.set_system_out(fit(&reasons.join("\n")));
    }
    test
}

fn status(sheet: &Sheet) -> TestCaseStatus {
    let first = sheet.reasons.first().map(|reason| fit(reason));
    let mut status = match sheet.verdict {
        Verdict::Pass => return TestCaseStatus::success(),
        Verdict::Fail => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Error => TestCaseStatus::non_success(NonSuccessKind::Error),
        Verdict::Inconclusive | Verdict::NotApplicable | Verdict::NotRun | Verdict::Waived => {
            TestCaseStatus::skipped()
        }
    };
    status
        .set_type(sheet.verdict.as_str())
        .set_message(first.unwrap_or_default());
    status
}

/// Text fit for XML 1.0 §2.2: `quick_junit` leaves out control characters, but not the two that are no characters.
fn fit(text: &str) -> String {
    text.replace(['\u{fffe}', '\u{ffff}'], "\u{fffd}")
}
