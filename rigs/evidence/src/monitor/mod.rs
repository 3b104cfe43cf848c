//! The monitor: every rule over every record, once.
//!
//! It only reads. It sees the records of one log in their order and judges what the base's own interface sent and
//! received. A rule that was not exercised did not pass; a rule that lacks a kind of observation does not judge.
//!
//! Two floors: `scene` is what is known, first as data, then as behaviour (how records change it); `rules` has one
//! module for each group of the catalogue and reads the scene only. A defect breaks as few rules as possible:
//! `scene::blame` decides for wrong screens, `scene::notice` for answers to NOTIFYs, `scene::unasked` for SUBSCRIBEs
//! that nobody asked for, `rules::refresh` for late refreshes.

mod report;
mod rules;
mod scene;

pub use report::{Finding, Judgement, Need, RuleReport};

use crate::catalogue::RequirementId;
use crate::record::{ClaimStatus, Record};
use rules::rule::{Rule, Tell};
use scene::Scene;
use scene::moment::Moment;
use std::fmt;

/// The event package of feature key synchronisation.
const PACKAGE: &str = "as-feature-event";

/// All rules, over one log. A clone judges on by itself from where its original stands.
#[derive(Clone)]
pub struct Monitor {
    scene: Scene,
    watches: Vec<Watch>,
    moments: Vec<Moment>,
}

/// A rule with what it has told.
#[derive(Clone)]
struct Watch {
    rule: Box<dyn Rule>,
    tell: Tell,
    /// How many of its findings were handed out.
    told: usize,
}

impl Default for Monitor {
    fn default() -> Self {
        let watch = |rule| Watch {
            rule,
            tell: Tell::default(),
            told: 0,
        };
        Self {
            scene: Scene::default(),
            watches: rules::all().map(watch).collect(),
            moments: Vec::new(),
        }
    }
}

impl fmt::Debug for Monitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Monitor")
            .field("rules", &self.watches.len())
            .field("seq", &self.scene.seq)
            .finish_non_exhaustive()
    }
}

impl Monitor {
    /// A monitor before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record and tells what has been proven wrong by it.
    pub fn observe(&mut self, record: &Record) -> Vec<Finding> {
        if record.at > self.scene.now {
            self.scene.now = record.at;
            self.tell(Moment::Clock);
        }
        let mut moments = std::mem::take(&mut self.moments);
        self.scene.take(record, &mut moments);
        for moment in moments.drain(..) {
            self.tell(moment);
        }
        self.moments = moments;
        self.fresh()
    }

    /// Ends the log at lab time `at`: deadlines before it are judged, later ones are not.
    pub fn finish(&mut self, at: u64) -> Vec<RuleReport> {
        self.scene.now = self.scene.now.max(at);
        self.tell(Moment::Clock);
        self.tell(Moment::End);
        self.fresh();
        self.watches
            .iter()
            .map(|watch| self.report(watch))
            .collect()
    }

    /// The whole of a log at once.
    #[must_use]
    pub fn judge(records: &[Record]) -> Vec<RuleReport> {
        let mut monitor = Self::new();
        for record in records {
            monitor.observe(record);
        }
        monitor.finish(records.last().map_or(0, |record| record.at))
    }

    /// The requirements that have a rule, in the order of the reports.
    #[must_use]
    pub fn requirements() -> Vec<&'static str> {
        let monitor = Self::new();
        monitor
            .watches
            .iter()
            .map(|watch| watch.rule.requirement())
            .collect()
    }

    /// How many entries it remembers, of every kind that grows with the log: it stays bounded however long that is.
    #[must_use]
    pub fn remembered(&self) -> usize {
        self.scene.len()
    }

    fn tell(&mut self, moment: Moment) {
        for watch in &mut self.watches {
            watch.rule.on(moment, &self.scene, &mut watch.tell);
        }
    }

    /// The findings that were not handed out yet.
    fn fresh(&mut self) -> Vec<Finding> {
        let mut fresh = Vec::new();
        for watch in &mut self.watches {
            if let Some(new) = watch.tell.findings.get(watch.told..)
                && !new.is_empty()
            {
                fresh.extend_from_slice(new);
                watch.told = watch.tell.findings.len();
            }
        }
        fresh
    }

    fn report(&self, watch: &Watch) -> RuleReport {
        let needs = watch.rule.needs().iter().copied();
        let missing: Vec<Need> = needs
            .filter(|need| !self.scene.available.contains(need))
            .collect();
        let judgement = if !watch.tell.findings.is_empty() {
            Judgement::Fail
        } else if !missing.is_empty() {
            Judgement::NotJudged { needs: missing }
        } else if watch.tell.exercised == 0 {
            Judgement::NotExercised
        } else {
            Judgement::Pass
        };
        let reads = |key: &str| {
            watch
                .rule
                .claims()
                .iter()
                .any(|prefix| key.starts_with(prefix))
        };
        let assumed = self
            .scene
            .claims
            .iter()
            .filter(|(key, (_, status))| *status == ClaimStatus::Assumed && reads(key));
        RuleReport {
            requirement: RequirementId::from_static(watch.rule.requirement()),
            exercised: watch.tell.exercised,
            findings: watch.tell.findings.clone(),
            judgement,
            assumed_claims: assumed.map(|(key, _)| key.clone()).collect(),
        }
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
