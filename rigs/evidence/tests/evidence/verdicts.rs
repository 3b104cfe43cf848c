//! How steps, findings and rig errors fold into one word.

use crate::stage::{Stage, dnd};
use evidence::catalogue::RequirementId;
use evidence::monitor::RuleReport;
use evidence::record::{Observation, Record, StepOutcome, StepPhase};
use evidence::verdict::{Facts, Outcome, Verdict, requirements};
use std::sync::Arc;

const NOT_02: RequirementId = RequirementId::from_static("NOT-02");
const REG_03: RequirementId = RequirementId::from_static("REG-03");

fn good() -> Stage {
    Stage::synced()
}

fn bad() -> Stage {
    let mut stage = Stage::synced();
    stage.notify("1001", &dnd(true));
    stage.wait(10).reply(500, &[]);
    stage
}

fn step(stage: &mut Stage, outcome: StepOutcome) {
    stage.record(Observation::Step {
        text: "Then it works".to_owned(),
        outcome: Some(outcome),
        reason: "because".to_owned(),
        phase: StepPhase::Rig,
    });
}

fn fold(mut stage: Stage, with: impl FnOnce(Facts<'_>) -> Outcome) -> Outcome {
    let rules: Vec<RuleReport> = stage.judge();
    let records: Vec<Arc<Record>> = stage.log.records().to_vec();
    with(Facts {
        records: &records,
        rules: &rules,
        ..Facts::default()
    })
}

#[test]
fn steps_and_rules_that_hold_are_a_pass() {
    let mut stage = good();
    step(&mut stage, StepOutcome::Pass);
    let outcome = fold(stage, |facts| Outcome::fold(&facts));
    assert_eq!(outcome.verdict, Verdict::Pass);
    assert!(outcome.reasons.is_empty());
}

#[test]
fn a_finding_fails_a_scenario_whose_steps_pass() {
    let mut stage = bad();
    step(&mut stage, StepOutcome::Pass);
    let outcome = fold(stage, |facts| Outcome::fold(&facts));
    assert_eq!(outcome.verdict, Verdict::Fail);
    assert!(outcome.reasons[0].starts_with("NOT-02: "));
}

#[test]
fn a_failed_step_fails_without_a_finding() {
    let mut stage = good();
    step(&mut stage, StepOutcome::Fail);
    assert_eq!(
        fold(stage, |facts| Outcome::fold(&facts)).verdict,
        Verdict::Fail
    );
}

#[test]
fn a_step_that_is_not_applicable_ends_its_scenario_with_its_reason() {
    let mut stage = good();
    step(&mut stage, StepOutcome::Inconclusive);
    step(&mut stage, StepOutcome::NotApplicable);
    let outcome = fold(stage, |facts| {
        Outcome::fold(&Facts {
            requirements: &[REG_03],
            ..facts
        })
    });
    assert_eq!(outcome.verdict, Verdict::NotApplicable);
    assert_eq!(outcome.reasons, ["Then it works: because"]);
}

#[test]
fn what_a_base_did_wrong_before_a_step_that_is_not_applicable_counts() {
    let mut found = bad();
    step(&mut found, StepOutcome::NotApplicable);
    let outcome = fold(found, |facts| Outcome::fold(&facts));
    assert_eq!(outcome.verdict, Verdict::Fail);
    let mut failed = good();
    step(&mut failed, StepOutcome::Fail);
    step(&mut failed, StepOutcome::NotApplicable);
    let outcome = fold(failed, |facts| Outcome::fold(&facts));
    assert_eq!(outcome.verdict, Verdict::Fail);
    let mut broken = good();
    step(&mut broken, StepOutcome::NotApplicable);
    step(&mut broken, StepOutcome::Error);
    let outcome = fold(broken, |facts| Outcome::fold(&facts));
    assert_eq!(outcome.verdict, Verdict::Error);
}

#[test]
fn a_rig_error_is_an_error_whatever_was_found() {
    let outcome = fold(bad(), |facts| {
        Outcome::fold(&Facts {
            rig_error: Some("the console is silent"),
            ..facts
        })
    });
    assert_eq!(outcome.verdict, Verdict::Error);
    assert_eq!(outcome.reasons, ["the console is silent"]);
    let mut stage = bad();
    step(&mut stage, StepOutcome::Error);
    assert_eq!(
        fold(stage, |facts| Outcome::fold(&facts)).verdict,
        Verdict::Error
    );
}

#[test]
fn a_requirement_that_was_not_exercised_did_not_pass() {
    let outcome = fold(good(), |facts| {
        Outcome::fold(&Facts {
            requirements: &[REG_03],
            ..facts
        })
    });
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert_eq!(outcome.reasons, ["REG-03: not exercised"]);
}

/// The planner refuses such a tag; evidence that somebody else wrote may have it.
#[test]
fn a_requirement_that_no_rule_judges_did_not_pass() {
    let unknown = RequirementId::from_static("RACE-03");
    let outcome = fold(good(), |facts| {
        Outcome::fold(&Facts {
            requirements: &[unknown],
            ..facts
        })
    });
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
    assert_eq!(outcome.reasons, ["RACE-03: no rule judges it"]);
}

#[test]
fn a_waived_requirement_still_fails_and_says_so() {
    let outcome = fold(bad(), |facts| {
        Outcome::fold(&Facts {
            waived: &[NOT_02],
            ..facts
        })
    });
    assert_eq!(outcome.verdict, Verdict::Waived);
    assert_eq!(outcome.reasons.len(), 1);
}

#[test]
fn a_lagging_rig_decides_nothing() {
    let outcome = fold(bad(), |facts| {
        Outcome::fold(&Facts {
            lagged: true,
            ..facts
        })
    });
    assert_eq!(outcome.verdict, Verdict::Inconclusive);
}

#[test]
fn the_worst_verdict_and_the_verdict_of_a_requirement() {
    let all = [Verdict::Pass, Verdict::Error, Verdict::NotApplicable];
    assert_eq!(Verdict::worst(all), Some(Verdict::Error));
    assert_eq!(Verdict::worst([]), None);
    let (good, bad) = (good().judge(), bad().judge());
    let verdicts = requirements(good.iter().chain(&bad));
    assert_eq!(verdicts[&NOT_02], Verdict::Fail);
    assert_eq!(verdicts[&REG_03], Verdict::Inconclusive);
    let verdicts = requirements(&good);
    assert_eq!(verdicts[&NOT_02], Verdict::Pass);
}
