//! What came of a scenario: one word, with its reasons.
//!
//! Three kinds of trouble are never mixed. A finding says that the base is wrong; a rig error says that nothing can be
//! said. When the rig breaks, the verdict is `error` whatever the monitor found, because what was observed on a broken
//! bench convicts nobody; the findings made before stay in the outcome for a person to read. A step that failed after
//! the rig broke is not counted.
//!
//! Precedence: not-run, not-applicable as the plan decides, error, fail, not-applicable as a step finds out, inconclusive,
//! pass. A step that needs what is not there ends its scenario, so nothing else must have been exercised; what the base did
//! wrong before counts. A waiver turns a fail into `waived` only when
//! every finding and failed step belongs to a waived requirement.

use crate::catalogue::RequirementId;
use crate::monitor::{Judgement, RuleReport};
use crate::record::{Observation, Record, StepOutcome};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// The word. The order is from best to worst, so that the worst of many is their maximum.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The profile does not claim it.
    NotApplicable,
    /// It holds.
    Pass,
    /// It fails, and the fail is accepted for this profile.
    Waived,
    /// Nothing was executed.
    NotRun,
    /// It could not be decided.
    Inconclusive,
    /// The rig could not work.
    Error,
    /// The base is wrong.
    Fail,
}

impl Verdict {
    /// The word as reports show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotApplicable => "not-applicable",
            Self::Pass => "pass",
            Self::Waived => "waived",
            Self::NotRun => "not-run",
            Self::Inconclusive => "inconclusive",
            Self::Error => "error",
            Self::Fail => "fail",
        }
    }

    /// The worst of many, nothing when there is none.
    pub fn worst(verdicts: impl IntoIterator<Item = Self>) -> Option<Self> {
        verdicts.into_iter().max()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a scenario came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// The word.
    pub verdict: Verdict,
    /// Why, in words; empty for a pass.
    pub reasons: Vec<String>,
    /// Claims marked `assumed` that it rests on.
    pub assumed: Vec<String>,
}

/// Everything a verdict is folded from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Facts<'a> {
    /// The records, of which only the steps are read.
    pub records: &'a [Arc<Record>],
    /// What the rules say.
    pub rules: &'a [RuleReport],
    /// What the rig said when it broke.
    pub rig_error: Option<&'a str>,
    /// The requirements that the scenario is tagged with: each must have been exercised.
    pub requirements: &'a [RequirementId],
    /// The requirements waived for this profile.
    pub waived: &'a [RequirementId],
    /// Whether the wire laboratory lagged so much that times prove nothing.
    pub lagged: bool,
}

impl Outcome {
    /// Folds the facts of one scenario that was run.
    #[must_use]
    pub fn fold(facts: &Facts<'_>) -> Self {
        let steps = Steps::read(facts.records);
        let mut outcome = Self {
            verdict: Verdict::Pass,
            reasons: Vec::new(),
            assumed: assumed(facts),
        };
        let rig_error = facts.rig_error.map(str::to_owned).or(steps.error);
        if let Some(reason) = rig_error {
            outcome.raise(Verdict::Error, reason);
            return outcome;
        }
        let is_waived = |id: &RequirementId| facts.waived.contains(id);
        for rule in facts.rules {
            for finding in &rule.findings {
                let word = if is_waived(&rule.requirement) {
                    Verdict::Waived
                } else {
                    Verdict::Fail
                };
                outcome.raise(word, format!("{}: {}", rule.requirement, finding.text));
            }
        }
        let excused = outcome.verdict == Verdict::Waived
            || (!facts.requirements.is_empty() && facts.requirements.iter().all(is_waived));
        if let Some(reason) = steps.fail {
            let word = if excused {
                Verdict::Waived
            } else {
                Verdict::Fail
            };
            outcome.raise(word, reason);
        }
        if let Some(reason) = steps.not_applicable {
            if outcome.verdict == Verdict::Pass {
                outcome.verdict = Verdict::NotApplicable;
            }
            outcome.reasons.push(reason);
            return outcome;
        }
        if let Some(reason) = steps.inconclusive {
            outcome.raise(Verdict::Inconclusive, reason);
        }
        for id in facts.requirements {
            let Some(rule) = facts.rules.iter().find(|rule| rule.requirement == *id) else {
                outcome.raise(Verdict::Inconclusive, format!("{id}: no rule judges it"));
                continue;
            };
            match &rule.judgement {
                Judgement::NotExercised => {
                    outcome.raise(Verdict::Inconclusive, format!("{id}: not exercised"));
                }
                Judgement::NotJudged { needs } => {
                    let needs: Vec<_> = needs.iter().map(|need| need.as_str()).collect();
                    let reason = format!("{id}: not judged: needs {}", needs.join(", "));
                    outcome.raise(Verdict::Inconclusive, reason);
                }
                Judgement::Pass | Judgement::Fail => {}
            }
        }
        if facts.lagged {
            // A fail that rests on times measured by a rig that lagged cannot be told from the rig's own delay.
            outcome.verdict = Verdict::Inconclusive;
            outcome
                .reasons
                .push("the rig lagged behind its own deadlines".to_owned());
        }
        outcome
    }

    /// A scenario that the profile does not claim.
    #[must_use]
    pub fn not_applicable(reason: impl Into<String>) -> Self {
        Self::unexecuted(Verdict::NotApplicable, reason.into())
    }

    /// A scenario that was planned and not executed.
    #[must_use]
    pub fn not_run(reason: impl Into<String>) -> Self {
        Self::unexecuted(Verdict::NotRun, reason.into())
    }

    fn unexecuted(verdict: Verdict, reason: String) -> Self {
        Self {
            verdict,
            reasons: vec![reason],
            assumed: Vec::new(),
        }
    }

    fn raise(&mut self, verdict: Verdict, reason: String) {
        self.verdict = self.verdict.max(verdict);
        self.reasons.push(reason);
    }
}

/// The verdict of each requirement over many scenarios: `fail` when it failed anywhere, `pass` when it was exercised
/// somewhere, else `inconclusive`.
#[must_use]
pub fn requirements<'a>(
    reports: impl IntoIterator<Item = &'a RuleReport>,
) -> BTreeMap<RequirementId, Verdict> {
    let mut verdicts = BTreeMap::new();
    for report in reports {
        let word = match report.judgement {
            Judgement::Fail => Verdict::Fail,
            Judgement::Pass => Verdict::Pass,
            Judgement::NotExercised | Judgement::NotJudged { .. } => Verdict::Inconclusive,
        };
        verdicts
            .entry(report.requirement.clone())
            .and_modify(|so_far| {
                *so_far = match (*so_far, word) {
                    (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
                    (Verdict::Pass, _) | (_, Verdict::Pass) => Verdict::Pass,
                    _ => Verdict::Inconclusive,
                };
            })
            .or_insert(word);
    }
    verdicts
}

fn assumed(facts: &Facts<'_>) -> Vec<String> {
    let decisive = facts.rules.iter().filter(|rule| {
        rule.judgement == Judgement::Fail
            || (rule.judgement == Judgement::Pass && facts.requirements.contains(&rule.requirement))
    });
    let mut claims: Vec<String> = decisive
        .flat_map(|rule| rule.assumed_claims.iter().cloned())
        .collect();
    claims.sort();
    claims.dedup();
    claims
}

/// The first step of each bad kind.
#[derive(Default)]
struct Steps {
    error: Option<String>,
    fail: Option<String>,
    inconclusive: Option<String>,
    not_applicable: Option<String>,
}

impl Steps {
    fn read(records: &[Arc<Record>]) -> Self {
        let mut steps = Self::default();
        for record in records {
            let Observation::Step {
                text,
                outcome: Some(outcome),
                reason,
                ..
            } = &record.observation
            else {
                continue;
            };
            let place = match outcome {
                StepOutcome::Error => &mut steps.error,
                StepOutcome::Fail => &mut steps.fail,
                StepOutcome::Inconclusive => &mut steps.inconclusive,
                StepOutcome::NotApplicable => &mut steps.not_applicable,
                StepOutcome::Pass => continue,
            };
            place.get_or_insert_with(|| format!("{text}: {reason}"));
        }
        steps
    }
}
