//! One observed unit: the scene at its interfaces, and every rule that judges it.
//!
//! Units share nothing: what one forgets with its power, another still knows. Time passes for all of them.

use super::report::{Finding, Judgement, Need, RuleReport};
use super::rules::{
    self,
    rule::{Rule, Tell},
};
use super::scene::{Scene, moment::Moment};
use crate::catalogue::RequirementId;
use crate::record::{ClaimStatus, Record};
use std::fmt;

/// One unit as its records show it.
#[derive(Clone)]
pub(super) struct Observed {
    scene: Scene,
    rules: Vec<RuleState>,
    moments: Vec<Moment>,
}

/// A rule with what it has told.
#[derive(Clone)]
struct RuleState {
    rule: Box<dyn Rule>,
    tell: Tell,
    /// How many of its findings were handed out.
    told: usize,
}

impl Default for Observed {
    fn default() -> Self {
        let state = |rule| RuleState {
            rule,
            tell: Tell::default(),
            told: 0,
        };
        Self {
            scene: Scene::default(),
            rules: rules::all().map(state).collect(),
            moments: Vec::new(),
        }
    }
}

impl fmt::Debug for Observed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observed")
            .field("rules", &self.rules.len())
            .field("seq", &self.scene.seq)
            .finish_non_exhaustive()
    }
}

impl Observed {
    /// Time has passed, whoever observed it.
    pub(super) fn advance(&mut self, now: u64) {
        if now > self.scene.now {
            self.scene.now = now;
            self.tell(Moment::Clock);
        }
    }

    /// Takes a record of this unit, or of the whole case.
    pub(super) fn take(&mut self, record: &Record) {
        self.advance(record.at);
        let mut moments = std::mem::take(&mut self.moments);
        self.scene.take(record, &mut moments);
        for moment in moments.drain(..) {
            self.tell(moment);
        }
        self.moments = moments;
    }

    /// The log has ended.
    pub(super) fn end(&mut self, at: u64) {
        self.scene.now = self.scene.now.max(at);
        self.tell(Moment::Clock);
        self.tell(Moment::End);
        self.drain_findings(&mut Vec::new());
    }

    fn tell(&mut self, moment: Moment) {
        for state in &mut self.rules {
            state.rule.on(moment, &self.scene, &mut state.tell);
        }
    }

    /// Hands out the findings that were not handed out yet.
    pub(super) fn drain_findings(&mut self, into: &mut Vec<Finding>) {
        for state in &mut self.rules {
            if let Some(new) = state.tell.findings.get(state.told..)
                && !new.is_empty()
            {
                into.extend_from_slice(new);
                state.told = state.tell.findings.len();
            }
        }
    }

    /// The requirements that have a rule.
    pub(super) fn requirements(&self) -> impl Iterator<Item = &'static str> {
        self.rules.iter().map(|state| state.rule.requirement())
    }

    /// How many entries are remembered.
    pub(super) fn remembered(&self) -> usize {
        self.scene.len()
    }

    /// What each rule says about this unit.
    pub(super) fn reports(&self) -> Vec<RuleReport> {
        self.rules.iter().map(|state| self.report(state)).collect()
    }

    fn report(&self, state: &RuleState) -> RuleReport {
        let needs = state.rule.needs().iter().copied();
        let missing: Vec<Need> = needs
            .filter(|need| !self.scene.available.contains(need))
            .collect();
        let judgement = if !state.tell.findings.is_empty() {
            Judgement::Fail
        } else if !missing.is_empty() {
            Judgement::NotJudged { needs: missing }
        } else if state.tell.exercised == 0 {
            Judgement::NotExercised
        } else {
            Judgement::Pass
        };
        let prefixes = state.rule.claims();
        let reads = |key: &str| prefixes.iter().any(|prefix| key.starts_with(prefix));
        let assumed = self
            .scene
            .claims
            .iter()
            .filter(|(key, (_, status))| *status == ClaimStatus::Assumed && reads(key));
        RuleReport {
            requirement: RequirementId::from_static(state.rule.requirement()),
            exercised: state.tell.exercised,
            findings: state.tell.findings.clone(),
            judgement,
            assumed_claims: assumed.map(|(key, _)| key.clone()).collect(),
        }
    }
}
