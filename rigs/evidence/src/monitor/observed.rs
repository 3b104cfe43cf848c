//! One observed unit: the scene at its interfaces, and every rule that judges it.
//!
//! Units share nothing: what one forgets with its power, another still knows. Time passes for all of them, but a rule
//! hears of it only when one of its deadlines has passed, and of what happens only what it asks for.

use super::report::{Finding, Judgement, Need, RuleReport};
use super::rules::{
    self,
    rule::{Rule, Tell},
};
use super::scene::moment::{Kinds, Moment};
use super::scene::{Limits, Scene};
use crate::catalogue::RequirementId;
use crate::record::{ClaimStatus, Record};
use std::fmt;

/// One unit as its records show it.
#[derive(Clone)]
pub(super) struct Observed {
    scene: Scene,
    rules: Vec<RuleState>,
    moments: Vec<Moment>,
    /// No rule has an earlier deadline.
    due: u64,
    /// A rule has findings that were not handed out.
    has_news: bool,
    /// Findings are forgotten when they are handed out.
    forgets: bool,
    /// Every rule is told everything, asked for or not.
    attentive: bool,
}

/// A rule with what it has told.
#[derive(Clone)]
struct RuleState {
    rule: Box<dyn Rule>,
    /// What it is told.
    hears: Kinds,
    /// Its earliest deadline, the end of time when it has none.
    due: u64,
    tell: Tell,
    /// How many of its findings were handed out.
    told: usize,
    /// How many of them were forgotten.
    forgotten: usize,
}

impl Default for Observed {
    fn default() -> Self {
        Self::new(Scene::default())
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

impl RuleState {
    fn on(&mut self, moment: Moment, scene: &Scene) {
        self.rule.on(moment, scene, &mut self.tell);
        self.due = self.rule.due().unwrap_or(u64::MAX);
    }
}

impl Observed {
    fn new(scene: Scene) -> Self {
        let state = |rule: Box<dyn Rule>| RuleState {
            hears: rule.hears(),
            rule,
            due: u64::MAX,
            tell: Tell::default(),
            told: 0,
            forgotten: 0,
        };
        Self {
            scene,
            rules: rules::all().map(state).collect(),
            moments: Vec::new(),
            due: u64::MAX,
            has_news: false,
            forgets: false,
            attentive: false,
        }
    }

    /// A unit whose rules are told everything, and each step of time.
    pub(super) fn attentive() -> Self {
        Self {
            attentive: true,
            ..Self::default()
        }
    }

    /// A unit of a capture that never ends: what it remembers is bounded, findings included.
    pub(super) fn within(limits: Limits) -> Self {
        Self {
            forgets: true,
            ..Self::new(Scene::within(limits))
        }
    }

    /// Time has passed, whoever observed it.
    pub(super) fn advance(&mut self, now: u64) {
        if now > self.scene.now {
            self.scene.now = now;
            if now > self.due || self.attentive {
                self.wake(now);
            }
            // Whatever had a deadline in the silence before was still known at it.
            self.scene.age();
        }
    }

    /// Tells the time to the rules that have a deadline behind them.
    fn wake(&mut self, now: u64) {
        let mut due = u64::MAX;
        for state in &mut self.rules {
            if state.due < now || self.attentive {
                state.on(Moment::Clock, &self.scene);
                self.has_news |= state.tell.findings.len() > state.told;
            }
            due = due.min(state.due);
        }
        self.due = due;
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
        self.wake(self.scene.now);
        self.tell(Moment::End);
    }

    fn tell(&mut self, moment: Moment) {
        let kind = moment.kind();
        for state in &mut self.rules {
            if state.hears.meets(kind) || self.attentive {
                state.on(moment, &self.scene);
                self.due = self.due.min(state.due);
                self.has_news |= state.tell.findings.len() > state.told;
            }
        }
    }

    /// Hands out the findings that were not handed out yet.
    pub(super) fn drain_findings(&mut self, mut into: impl FnMut(Finding)) {
        if !std::mem::take(&mut self.has_news) {
            return;
        }
        for state in &mut self.rules {
            if self.forgets {
                state.forgotten += state.tell.findings.len();
                state.tell.findings.drain(..).for_each(&mut into);
            } else {
                let new = state.tell.findings.iter().skip(state.told);
                new.cloned().for_each(&mut into);
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

    /// How many accounts were given up to make room.
    pub(super) fn evicted(&self) -> u64 {
        self.scene.evicted()
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
        let judgement = if state.forgotten + state.tell.findings.len() > 0 {
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
