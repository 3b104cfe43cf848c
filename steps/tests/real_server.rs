//! What becomes of scenarios on a server that cannot be made to misbehave: each says so, or is judged as on our own.

mod suite;

use evidence::record::{Observation, StepOutcome};
use evidence::verdict::Verdict;
use reports::fold::Case;
use steps::plan::Selection;

fn cases() -> Vec<Case> {
    suite::at_the_top();
    let rigs = suite::emulated_rig();
    let plan = suite::plan(&rigs, Selection::default());
    let benches = suite::benches(&rigs, 1, None);
    suite::run(&plan, 2, benches.without_faults())
}

fn injects(case: &Case) -> bool {
    case.records
        .iter()
        .any(|record| matches!(&record.observation, Observation::Fault { text } if text.starts_with("the server")))
}

#[test]
fn a_scenario_passes_or_says_that_a_real_server_cannot_be_made_to_misbehave() {
    let cases = cases();
    let count = |verdict| {
        let met = cases.iter().filter(|case| case.outcome.verdict == verdict);
        met.count()
    };
    let (passed, not_applicable) = (count(Verdict::Pass), count(Verdict::NotApplicable));
    assert!(
        passed > 0 && not_applicable > 0,
        "{passed} {not_applicable}"
    );
    for case in &cases {
        let (id, outcome) = (&case.entry.id, &case.outcome);
        assert!(!injects(case), "{id}");
        match outcome.verdict {
            Verdict::Pass => {}
            Verdict::NotApplicable => {
                let [reason] = outcome.reasons.as_slice() else {
                    panic!("{id}: {outcome:?}")
                };
                let end = "a real server cannot be made to misbehave";
                assert!(reason.ends_with(end), "{id}: {reason}");
                let last = case.records.iter().rev().find_map(|record| {
                    let Observation::Step { outcome, .. } = &record.observation else {
                        return None;
                    };
                    *outcome
                });
                assert_eq!(last, Some(StepOutcome::NotApplicable), "{id}");
            }
            _ => panic!("{id}: {outcome:?}"),
        }
    }
}
