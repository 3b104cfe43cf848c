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
    case: Observed,
    units: BTreeMap<Unit, Observed>,
}

impl Monitor {
    /// A monitor before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record and tells what has been proven wrong by it.
    pub fn observe(&mut self, record: &Record) -> Vec<Finding> {
        let mut fresh = Vec::new();
        for unit in self.units.values_mut() {
            unit.advance(record.at);
        }
        if let Some(name) = self.unit_of(record) {
            let case = &self.case;
            let unit = self.units.entry(name).or_insert_with(|| case.clone());
            unit.take(record);
        } else {
            self.case.take(record);
            for unit in self.units.values_mut() {
                unit.take(record);
            }
        }
        for unit in self.units.values_mut() {
            unit.drain_findings(&mut fresh);
        }
        fresh
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
        if self.units.is_empty() {
            self.units.insert(Unit::default(), self.case.clone());
        }
        for unit in self.units.values_mut() {
            unit.end(at);
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
