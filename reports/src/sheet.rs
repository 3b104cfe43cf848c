//! What the reports need of a case, so that its records can be let go.
//!
//! A sheet is made once, on whatever thread has the case: by `lockstep run` as the case ends, by `lockstep report` as its
//! log is read. It has the row, the reasons and the findings in plain words and the details compressed. What belongs to the
//! run as a whole (how often each rule was exercised, what was only assumed) is taken out of it by
//! [`Run::add`](crate::run::Run::add).

use crate::ReportError;
use crate::fold::Case;
use crate::index::CaseEntry;
use crate::packed::Packed;
use crate::template;
use crate::view::CaseView;
use evidence::catalogue::RequirementId;
use evidence::monitor::Finding;
use evidence::record::{ClaimStatus, Observation, Record};
use evidence::verdict::{self, Verdict};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// A case on one sheet.
#[derive(Debug)]
pub struct Sheet {
    /// What was planned.
    pub entry: CaseEntry,
    /// What it came to.
    pub verdict: Verdict,
    /// Why, in words; empty for a pass.
    pub reasons: Vec<String>,
    /// What the monitor found.
    pub findings: Vec<Finding>,
    /// How long it took, lab time in microseconds.
    pub took: u64,
    /// How many records its evidence has.
    pub records: usize,
    /// The details as the page shows them.
    pub(crate) details: Packed,
    /// Why its capture could not be written.
    pub(crate) error: Option<ReportError>,
    pub(crate) share: Share,
}

/// What a case adds to the run as a whole.
#[derive(Debug, Default)]
pub(crate) struct Share {
    pub(crate) rules: Vec<Judged>,
    pub(crate) assumed: BTreeSet<Assumption>,
    /// The keys of the claims that the verdict rests on.
    pub(crate) rests_on: Vec<String>,
}

/// What one rule came to in one case.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) requirement: RequirementId,
    pub(crate) verdict: Verdict,
    pub(crate) exercised: u64,
}

/// A claim that is only assumed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Assumption {
    pub(crate) key: String,
    pub(crate) value: String,
    pub(crate) source: String,
}

impl Sheet {
    /// The sheet of a case.
    #[must_use]
    pub fn of(case: &Case) -> Self {
        let verdicts = verdict::requirements(&case.rules);
        // What a broken rig observed convicts nobody, and acquits nobody either.
        let broken = case.outcome.verdict == Verdict::Error;
        let rules = case.rules.iter().filter(|_| !broken);
        let judged = rules.map(|rule| Judged {
            requirement: rule.requirement.clone(),
            verdict: verdicts[&rule.requirement],
            exercised: rule.exercised,
        });
        let findings = case.rules.iter().flat_map(|rule| &rule.findings);
        Self {
            entry: case.entry.clone(),
            verdict: case.outcome.verdict,
            reasons: case.outcome.reasons.clone(),
            findings: findings.cloned().collect(),
            took: case.records.last().map_or(0, |record| record.at),
            records: case.records.len(),
            details: Packed::new(&template::fill(template::CASE, &CaseView::new(case))),
            error: None,
            share: Share {
                rules: judged.collect(),
                assumed: assumptions(&case.records),
                rests_on: case.outcome.assumed.clone(),
            },
        }
    }

    /// The sheet of a case, whose capture is written into the run's folder. What goes wrong with that is told by
    /// [`write_all`](crate::write_all).
    #[must_use]
    pub fn with_capture(folder: &Path, case: &Case) -> Self {
        let error = crate::write_capture(folder, case).err();
        Self {
            error,
            ..Self::of(case)
        }
    }
}

fn assumptions(records: &[Arc<Record>]) -> BTreeSet<Assumption> {
    let assumed = records
        .iter()
        .filter_map(|record| match &record.observation {
            Observation::Claim {
                key,
                value,
                status: ClaimStatus::Assumed,
                source,
            } => Some(Assumption {
                key: key.clone(),
                value: value.clone(),
                source: source.clone(),
            }),
            _ => None,
        });
    assumed.collect()
}
