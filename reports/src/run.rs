//! A run as the reports see it: the sheets of its cases in the order of the plan, and what they add up to.
//!
//! Sheets may be added in any order, as cases end; a case without one is read from the run's folder. What is added up does
//! not depend on the order, so that the reports of a run are the same whoever writes them, and when.

use crate::ReportError;
use crate::cores;
use crate::fold::Case;
use crate::index::{CaseEntry, IndexError, RunIndex};
use crate::sheet::{Assumption, Share, Sheet};
use evidence::catalogue::RequirementId;
use evidence::identifier::Identifier;
use evidence::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A run with what its evidence says.
#[derive(Debug)]
pub struct Run {
    /// The run's folder.
    pub folder: PathBuf,
    /// What was planned.
    pub index: RunIndex,
    places: BTreeMap<Identifier, usize>,
    sheets: BTreeMap<usize, Sheet>,
    pub(crate) tallies: BTreeMap<RequirementId, Tally>,
    pub(crate) assumed: BTreeSet<Assumption>,
    /// How many verdicts rest on the claim with this key.
    pub(crate) resting: BTreeMap<String, usize>,
}

/// What one rule came to in all cases.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    pub(crate) verdict: Verdict,
    /// How often it was exercised, and in how many cases.
    pub(crate) exercised: u64,
    pub(crate) cases: usize,
}

impl Run {
    /// A run of which nothing is known but its plan.
    #[must_use]
    pub fn new(folder: &Path, index: RunIndex) -> Self {
        let places = index.cases.iter().enumerate();
        Self {
            folder: folder.to_owned(),
            places: places.map(|(at, entry)| (entry.id.clone(), at)).collect(),
            index,
            sheets: BTreeMap::new(),
            tallies: BTreeMap::new(),
            assumed: BTreeSet::new(),
            resting: BTreeMap::new(),
        }
    }

    /// Reads a run's folder and folds its cases one by one, on all cores.
    ///
    /// # Errors
    /// When the index cannot be read. A log that cannot be read makes its case an error, not the run.
    pub fn load(folder: &Path) -> Result<Self, IndexError> {
        let mut run = Self::new(folder, RunIndex::load(folder)?);
        run.complete_with(Sheet::of);
        Ok(run)
    }

    /// The same, and writes the captures of the cases on the way.
    ///
    /// # Errors
    /// As [`load`](Self::load); what cannot be written is told by [`write_all`](crate::write_all).
    pub fn load_and_capture(folder: &Path) -> Result<Self, IndexError> {
        let mut run = Self::new(folder, RunIndex::load(folder)?);
        run.complete();
        Ok(run)
    }

    /// Adds the sheet of a case of the plan that has none yet.
    ///
    /// # Panics
    /// When the plan has no such case, or it has a sheet: what was added up could not be taken back.
    pub fn add(&mut self, mut sheet: Sheet) {
        let at = *self
            .places
            .get(&sheet.entry.id)
            .expect("a case of the plan");
        let share = std::mem::take(&mut sheet.share);
        assert!(
            self.sheets.insert(at, sheet).is_none(),
            "a case has one sheet"
        );
        self.count_in(share);
    }

    /// Reads the cases that have no sheet yet from the run's folder, and writes their captures.
    pub fn complete(&mut self) {
        let folder = self.folder.clone();
        self.complete_with(|case| Sheet::with_capture(&folder, case));
    }

    fn complete_with(&mut self, sheet: impl Fn(&Case) -> Sheet + Sync) {
        let missing = (0..self.index.cases.len()).filter(|at| !self.sheets.contains_key(at));
        let missing: Vec<CaseEntry> = missing.map(|at| self.index.cases[at].clone()).collect();
        let folder = self.folder.clone();
        let read = |at: usize| sheet(&Case::load(&folder, &missing[at]));
        cores::in_order(missing.len(), read, |sheet| self.add(sheet));
    }

    fn count_in(&mut self, share: Share) {
        for rule in share.rules {
            let tally = self.tallies.entry(rule.requirement).or_insert(Tally {
                verdict: Verdict::Inconclusive,
                exercised: 0,
                cases: 0,
            });
            tally.verdict = match (tally.verdict, rule.verdict) {
                (Verdict::Fail, _) | (_, Verdict::Fail) => Verdict::Fail,
                (Verdict::Pass, _) | (_, Verdict::Pass) => Verdict::Pass,
                _ => Verdict::Inconclusive,
            };
            tally.exercised += rule.exercised;
            tally.cases += usize::from(rule.exercised > 0);
        }
        self.assumed.extend(share.assumed);
        for key in share.rests_on {
            *self.resting.entry(key).or_default() += 1;
        }
    }

    /// The sheets so far, in the order of the plan.
    pub fn sheets(&self) -> impl Iterator<Item = &Sheet> {
        self.sheets.values()
    }

    /// What could not be written while the sheets were made.
    pub(crate) fn take_errors(&mut self) -> Vec<ReportError> {
        let sheets = self.sheets.values_mut();
        sheets.filter_map(|sheet| sheet.error.take()).collect()
    }

    /// The same with their places in the plan.
    pub(crate) fn placed(&self) -> impl Iterator<Item = (usize, &Sheet)> {
        self.sheets.iter().map(|(at, sheet)| (*at, sheet))
    }

    /// The worst verdict, `not-run` for a run without cases.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let all = self.sheets().map(|sheet| sheet.verdict);
        Verdict::worst(all).unwrap_or(Verdict::NotRun)
    }

    /// The process exit code: 1 a fail, 3 a rig error, 4 inconclusive, incomplete or nothing executed, else 0.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let has = |wanted: Verdict| self.sheets().any(|sheet| sheet.verdict == wanted);
        if has(Verdict::Fail) {
            1
        } else if has(Verdict::Error) {
            3
        } else if self.sheets.is_empty()
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
        let executed = |sheet: &&Sheet| !idle.contains(&sheet.verdict);
        let met = |of: fn(&CaseEntry) -> &str| -> BTreeSet<&str> {
            let done = self.sheets().filter(executed);
            done.map(|sheet| of(&sheet.entry)).collect()
        };
        let selected = &self.index.selected;
        let planned = self.sheets().map(|sheet| sheet.entry.rig.as_str());
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
