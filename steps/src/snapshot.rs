//! Worlds that have come as far as many scenarios begin: booted once, forked for each.
//!
//! A scenario whose first steps only say that handsets are synchronised begins at a *snapshot*: the first case that
//! needs it performs these steps and leaves a copy; later cases go on from a fork of the copy. Other scenarios begin at
//! a snapshot in which the laboratory is built and the base is still off. What was drawn by lot up to there follows from the
//! run's seed and the configuration alone, what comes after it from the scenario too; so a case has the same evidence to
//! the byte whether it runs alone or among others.

use crate::plan::Case;
use crate::scene::Scene;
use bench::rig::LabKind;
use cucumber::gherkin::StepType;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The end of the steps that a snapshot may consist of.
const SYNCHRONISED: &str = " is synchronised with the server";

/// What a case begins with: the same for all cases that can share a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Opening {
    rig: String,
    face: String,
    dialect: String,
    /// Keyword and text of each step; none for a laboratory whose base is off.
    steps: Vec<String>,
}

impl Opening {
    /// How this case begins, if a snapshot can stand for it.
    #[must_use]
    pub fn of(case: &Case) -> Option<Self> {
        if case.lab != LabKind::Virtual {
            return None;
        }
        let (scenario, on) = (&case.scenario, &case.configuration);
        let background = scenario.feature.background.iter();
        let steps = background
            .flat_map(|background| &background.steps)
            .chain(&scenario.gherkin.steps);
        let steps: Vec<String> = steps
            .take_while(|step| step.ty == StepType::Given && step.value.ends_with(SYNCHRONISED))
            .map(|step| format!("{} {}", step.keyword.trim(), step.value))
            .collect();
        Some(Self {
            rig: on.rig.name.clone(),
            face: on.face.to_string(),
            dialect: on.dialect.clone(),
            steps,
        })
    }

    /// How many steps it has.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.steps.len()
    }

    /// The seed of everything up to the snapshot. Faces share it, so that two cases which differ in their face differ in
    /// nothing else.
    #[must_use]
    pub fn seed(&self, run: u64, mutant: Option<&str>) -> u64 {
        seed_of(run, &[&self.rig, &self.dialect, mutant.unwrap_or_default()])
    }
}

/// A seed that follows from the run's and from these words.
#[must_use]
pub fn seed_of(run: u64, words: &[&str]) -> u64 {
    let mut hash = Sha256::new();
    hash.update(run.to_be_bytes());
    for text in words {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let digest = hash.finalize();
    digest
        .iter()
        .take(8)
        .fold(0, |seed, byte| seed << 8 | u64::from(*byte))
}

/// The snapshots of one run.
#[derive(Clone, Default)]
pub struct Snapshots(Arc<Mutex<BTreeMap<Opening, Scene>>>);

impl Snapshots {
    /// A scene that goes on from this snapshot, if there is one.
    #[must_use]
    pub fn fork(&self, opening: &Opening) -> Option<Scene> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(opening).and_then(Scene::fork)
    }

    /// Keeps a copy of a scene that has come so far; the first one stays.
    pub fn keep(&self, opening: &Opening, scene: &Scene) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(opening)
            && let Some(copy) = scene.fork()
        {
            kept.insert(opening.clone(), copy);
        }
    }
}

/// How the rest of a scenario goes on from its opening.
#[derive(Clone, Debug)]
pub struct Rest {
    /// The scenario, for the record.
    pub scenario: String,
    /// The seed of everything that follows.
    pub seed: u64,
}

/// The part of a scenario that comes before its own.
#[derive(Clone)]
pub enum Prelude {
    /// This many steps are in the evidence already: the scene is a fork of a snapshot.
    Done(usize),
    /// This many steps are to be performed; then a copy is kept.
    Ahead {
        /// How many are left.
        steps: usize,
        /// What they are.
        opening: Opening,
        /// Where the copy goes.
        snapshots: Snapshots,
        /// How it goes on.
        rest: Rest,
    },
}
