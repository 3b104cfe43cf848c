//! A run folded from its evidence.
//!
//! Nothing here was told by the runner: the index says what was planned, the logs say what happened, the monitor is run
//! over them again, and the verdict follows. So a killed run still has a report, and any report can be written again.

use crate::index::{CaseEntry, IndexError, RunIndex};
use evidence::catalogue::RequirementId;
use evidence::log::Log;
use evidence::monitor::{Monitor, RuleReport};
use evidence::record::{Observation, Record};
use evidence::verdict::{Facts, Outcome, Verdict};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A run with everything that its evidence says.
#[derive(Debug)]
pub struct Run {
    /// The run's folder.
    pub folder: PathBuf,
    /// What was planned.
    pub index: RunIndex,
    /// All cases of the plan.
    pub cases: Vec<Case>,
}

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

impl Run {
    /// Reads a run's folder and folds it.
    ///
    /// # Errors
    /// When the index cannot be read. A log that cannot be read makes its case an error, not the run.
    pub fn load(folder: &Path) -> Result<Self, IndexError> {
        let index = RunIndex::load(folder)?;
        let cases = index
            .cases
            .iter()
            .map(|entry| Case::load(folder, entry))
            .collect();
        Ok(Self {
            folder: folder.to_owned(),
            index,
            cases,
        })
    }

    /// The worst verdict, `not-run` for a run without cases.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let all = self.cases.iter().map(|case| case.outcome.verdict);
        Verdict::worst(all).unwrap_or(Verdict::NotRun)
    }

    /// The process exit code: 1 a fail, 3 a rig error, 4 inconclusive, incomplete or nothing executed, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let has = |wanted: Verdict| self.cases.iter().any(|case| case.outcome.verdict == wanted);
        if has(Verdict::Fail) {
            1
        } else if has(Verdict::Error) {
            3
        } else if self.cases.is_empty()
            || has(Verdict::Inconclusive)
            || has(Verdict::NotRun)
            || !self.idle().is_empty()
        {
            4
        } else {
            0
        }
    }

    /// The rigs, dialects and faces that were selected and for which nothing was executed: `on emulated-n870`,
    /// `with the dialect broadsoft`, `by the face web`.
    #[must_use]
    pub fn idle(&self) -> Vec<String> {
        let idle = [Verdict::NotApplicable, Verdict::NotRun];
        let executed = |case: &&Case| !idle.contains(&case.outcome.verdict);
        let met = |of: fn(&CaseEntry) -> &str| -> BTreeSet<&str> {
            let done = self.cases.iter().filter(executed);
            done.map(|case| of(&case.entry)).collect()
        };
        let selected = &self.index.selected;
        let planned = self.cases.iter().map(|case| case.entry.rig.as_str());
        let rigs = selected.rigs.iter().map(String::as_str);
        let rigs: BTreeSet<&str> = rigs.chain(planned).collect();
        let dialects: BTreeSet<&str> = selected.dialects.iter().map(String::as_str).collect();
        let faces: BTreeSet<&str> = selected.faces.iter().map(String::as_str).collect();
        let parts = [
            ("on", rigs, met(|entry| entry.rig.as_str())),
            ("with the dialect", dialects, met(|entry| &entry.dialect)),
            ("by the face", faces, met(|entry| &entry.face)),
        ];
        let mut told = Vec::new();
        for (word, wanted, met) in parts {
            told.extend(wanted.difference(&met).map(|name| format!("{word} {name}")));
        }
        told
    }
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
            let cut_off = "the run was cut off before the scenario ended: what its last step did is not in the evidence"
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
