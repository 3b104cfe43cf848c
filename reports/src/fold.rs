//! A case folded from its evidence.
//!
//! Nothing here was told by the runner: the index says what was planned, the log says what happened, the monitor is run
//! over it, and the verdict follows. So a killed run still has a report, and any report can be written again. What the
//! reports need of a case is its [`Sheet`](crate::sheet::Sheet); a case with its records is not kept.

use crate::index::CaseEntry;
use evidence::catalogue::RequirementId;
use evidence::log::Log;
use evidence::monitor::{Monitor, RuleReport};
use evidence::record::{Observation, Record};
use evidence::verdict::{Facts, Outcome, Verdict};
use std::path::Path;
use std::sync::Arc;

/// One case with everything that its evidence says.
#[derive(Debug)]
pub struct Case {
    /// What was planned.
    pub entry: CaseEntry,
    /// What was observed.
    pub records: Vec<Arc<Record>>,
    /// What each rule says.
    pub rules: Vec<RuleReport>,
    /// What it came to.
    pub outcome: Outcome,
}

impl Case {
    /// Reads the log of a case and folds it.
    #[must_use]
    pub fn load(folder: &Path, entry: &CaseEntry) -> Self {
        let path = folder.join(entry.evidence());
        if let Some(reason) = &entry.not_applicable {
            return Self::without_log(entry, Outcome::not_applicable(reason));
        }
        if !path.exists() {
            return Self::without_log(entry, Outcome::not_run("it was not started"));
        }
        // A pipe or a device would be read for ever.
        if !path.is_file() {
            return Self::broken(entry, "the evidence is not a file");
        }
        match Log::load(&path) {
            Ok(log) => Self::fold(entry, log.into_records()),
            Err(error) => Self::broken(entry, &format!("the evidence cannot be read: {error}")),
        }
    }

    /// Folds the records of a case.
    #[must_use]
    pub fn fold(entry: &CaseEntry, records: Vec<Arc<Record>>) -> Self {
        let mut monitor = Monitor::new();
        for record in &records {
            monitor.observe(record);
        }
        let end = records.last().map_or(0, |record| record.at);
        let rules = monitor.finish(end);
        Self::with_rules(entry, records, rules)
    }

    /// Folds the records of a case with what the monitor said while they were made.
    #[must_use]
    pub fn with_rules(
        entry: &CaseEntry,
        records: Vec<Arc<Record>>,
        rules: Vec<RuleReport>,
    ) -> Self {
        let requirements: Vec<RequirementId> = entry
            .requirements
            .iter()
            .filter_map(|id| id.parse().ok())
            .collect();
        let facts = Facts {
            records: &records,
            rules: &rules,
            requirements: &requirements,
            ..Facts::default()
        };
        let mut outcome = Outcome::fold(&facts);
        if !records.iter().any(|record| is_end(record)) && outcome.verdict <= Verdict::Inconclusive
        {
            outcome.verdict = Verdict::Inconclusive;
            // What else is undecided follows from this.
            let cut_off =
                "the run was cut off before the scenario ended, and its last step may be missing"
                    .to_owned();
            outcome.reasons.insert(0, cut_off);
        }
        Self {
            entry: entry.clone(),
            records,
            rules,
            outcome,
        }
    }

    /// A case that the rig could not run.
    #[must_use]
    pub fn broken(entry: &CaseEntry, reason: &str) -> Self {
        let reasons = vec![reason.to_owned()];
        Self::without_log(
            entry,
            Outcome {
                verdict: Verdict::Error,
                reasons,
                assumed: Vec::new(),
            },
        )
    }

    fn without_log(entry: &CaseEntry, outcome: Outcome) -> Self {
        Self {
            entry: entry.clone(),
            records: Vec::new(),
            rules: Vec::new(),
            outcome,
        }
    }
}

fn is_end(record: &Record) -> bool {
    matches!(record.observation, Observation::ScenarioEnd)
}
