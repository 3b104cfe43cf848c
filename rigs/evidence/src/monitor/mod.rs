//! The monitor: every rule over every record, once.
//!
//! It only reads. It sees the records of one log in their order and judges what the base's own interface sent and
//! received. A rule that was not exercised did not pass; a rule that lacks a kind of observation does not judge.
//!
//! Two floors: `scene` is what is known, first as data, then as behaviour (how records change it); `rules` has one
//! module for each group of the catalogue and reads the scene only. A defect breaks as few rules as possible:
//! `scene::blame` decides for wrong screens, `scene::notice` for answers to NOTIFYs, `scene::unasked` for SUBSCRIBEs
//! that nobody asked for, `rules::refresh` for late refreshes.

mod observed;
mod report;
mod rules;
mod scene;

pub use report::{Finding, Judgement, Need, RuleReport};
pub use scene::Limits;

use crate::record::{Observation, Record, Unit};
use observed::Observed;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The event package of feature key synchronisation.
const PACKAGE: &str = sip::service::AS_FEATURE_EVENT;

/// All rules, over one log. A clone judges on by itself from where its original stands.
#[derive(Clone, Debug, Default)]
pub struct Monitor {
    /// A unit that has seen nothing but what belongs to the whole case; each unit begins like it.
    case: Arc<Observed>,
    units: BTreeMap<Unit, Observed>,
}

impl Monitor {
    /// A monitor before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A monitor for a capture that may never end: what it remembers is bounded by these limits, and findings are handed
    /// out once and not kept for the reports.
    #[must_use]
    pub fn within(limits: Limits) -> Self {
        Self {
            case: Arc::new(Observed::within(limits)),
            units: BTreeMap::new(),
        }
    }

    /// A monitor whose rules are told everything, also what they do not ask for and times at which they await nothing. It
    /// says the same as any other, and takes longer: what a rule forgets to ask for shows in the difference.
    #[must_use]
    pub fn attentive() -> Self {
        Self {
            case: Arc::new(Observed::attentive()),
            units: BTreeMap::new(),
        }
    }

    /// Takes the next record and tells what has been proven wrong by it.
    pub fn observe(&mut self, record: &Record) -> Vec<Finding> {
        let mut fresh = Vec::new();
        self.follow(record, |_, finding| fresh.push(finding));
        fresh
    }

    /// As [`observe`](Self::observe), and tells which unit is wrong.
    pub fn follow(&mut self, record: &Record, mut found: impl FnMut(&Unit, Finding)) {
        for unit in self.units.values_mut() {
            unit.advance(record.at);
        }
        if let Some(name) = self.unit_of(record) {
            if let Some(unit) = self.units.get_mut(&name) {
                unit.take(record);
            } else {
                let mut unit = Observed::clone(&self.case);
                unit.take(record);
                self.units.insert(name, unit);
            }
        } else {
            Arc::make_mut(&mut self.case).take(record);
            for unit in self.units.values_mut() {
                unit.take(record);
            }
        }
        for (name, unit) in &mut self.units {
            unit.drain_findings(|finding| found(name, finding));
        }
    }

    /// The unit that a record is about; nothing when it belongs to the whole case. What a base does belongs to the only
    /// unit when it names none, as in a capture of one base.
    fn unit_of(&self, record: &Record) -> Option<Unit> {
        let whole = match &record.observation {
            Observation::Claim { .. }
            | Observation::Fault { .. }
            | Observation::Finding { .. }
            | Observation::Note { .. }
            | Observation::ScenarioEnd
            | Observation::Step { .. } => true,
            Observation::Console { .. }
            | Observation::Key { .. }
            | Observation::Power { .. }
            | Observation::Provisioning { .. }
            | Observation::Screen(_)
            | Observation::Sip(_)
            | Observation::Web { .. } => false,
        };
        if whole {
            return None;
        }
        let only = || self.units.keys().next().filter(|_| self.units.len() == 1);
        let named = record.unit.clone();
        Some(named.or_else(|| only().cloned()).unwrap_or_default())
    }

    /// Ends the log at lab time `at`: deadlines before it are judged, later ones are not.
    pub fn finish(&mut self, at: u64) -> Vec<RuleReport> {
        self.finish_with(at, |_, _| ())
    }

    /// As [`finish`](Self::finish), and tells what has been proven wrong by the end.
    pub fn finish_with(
        &mut self,
        at: u64,
        mut found: impl FnMut(&Unit, Finding),
    ) -> Vec<RuleReport> {
        if self.units.is_empty() {
            let unit = Observed::clone(&self.case);
            self.units.insert(Unit::default(), unit);
        }
        for (name, unit) in &mut self.units {
            unit.end(at);
            unit.drain_findings(|finding| found(name, finding));
        }
        let mut units = self.units.values();
        let first = units.next().map(Observed::reports).unwrap_or_default();
        units.fold(first, |reports, unit| {
            let both = reports.into_iter().zip(unit.reports());
            both.map(|(report, other)| report.and(other)).collect()
        })
    }

    /// The whole of a log at once.
    #[must_use]
    pub fn judge(records: &[Arc<Record>]) -> Vec<RuleReport> {
        let mut monitor = Self::new();
        for record in records {
            monitor.observe(record);
        }
        monitor.finish(records.last().map_or(0, |record| record.at))
    }

    /// The requirements that have a rule, in the order of the reports.
    #[must_use]
    pub fn requirements() -> Vec<&'static str> {
        Observed::default().requirements().collect()
    }

    /// How many accounts it has given up, with their registrations and dialogs, because there were too many.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.units.values().map(Observed::evicted).sum()
    }

    /// How many entries it remembers, of every kind that grows with the log: it stays bounded however long that is.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.units.values().map(Observed::remembered).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn every_observed_requirement_is_claimed_by_one_rule() {
        let mut claimed = Monitor::requirements();
        claimed.sort_unstable();
        let mut observed: Vec<&str> = Catalogue::embedded()
            .observed()
            .map(|row| row.id.as_str())
            .collect();
        observed.sort_unstable();
        assert_eq!(claimed, observed);
    }
}
