//! How many cases there are: possible, not applicable, and run; in all, and for each laboratory, dialect, device and face.

use super::configuration::Configuration;
use bench::rig::LabKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;

/// Three numbers of cases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// The product of scenarios and configurations.
    pub possible: usize,
    /// Those of them that do not apply.
    pub not_applicable: usize,
    /// Those of them that run.
    pub chosen: usize,
}

/// The tallies of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All cases.
    pub all: Tally,
    /// By what they have in common: `laboratory`, `dialect`, `device` or `face`, and its name.
    pub parts: BTreeMap<(&'static str, String), Tally>,
}

/// What becomes of a possible case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Chosen,
    NotApplicable,
    NotChosen,
}

impl Counts {
    pub(super) fn count(&mut self, lab: LabKind, at: &Configuration, fate: Fate) {
        let parts = [
            ("laboratory", lab.to_string()),
            ("dialect", at.dialect.clone()),
            ("device", at.rig.name.clone()),
            ("face", at.face.to_string()),
        ];
        self.all.count(fate);
        for part in parts {
            self.parts.entry(part).or_default().count(fate);
        }
    }

    /// The tally of one laboratory.
    #[must_use]
    pub fn lab(&self, lab: LabKind) -> Tally {
        let part = ("laboratory", lab.to_string());
        self.parts.get(&part).copied().unwrap_or_default()
    }

    /// The tallies as JSON: `all`, and one object a kind of part.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut whole = json!({ "all": self.all.to_json() });
        for ((kind, name), tally) in &self.parts {
            whole[*kind][name] = tally.to_json();
        }
        whole
    }
}

impl Tally {
    fn count(&mut self, fate: Fate) {
        self.possible += 1;
        self.not_applicable += usize::from(fate == Fate::NotApplicable);
        self.chosen += usize::from(fate == Fate::Chosen);
    }

    fn to_json(self) -> Value {
        json!({
            "possible": self.possible,
            "not_applicable": self.not_applicable,
            "chosen": self.chosen,
        })
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<32} possible  not applicable  chosen", "cases")?;
        let mut row = |name: &str, tally: &Tally| {
            let (possible, unfit, chosen) = (tally.possible, tally.not_applicable, tally.chosen);
            writeln!(f, "{name:<32} {possible:>8}  {unfit:>14}  {chosen:>6}")
        };
        row("all", &self.all)?;
        for ((kind, name), tally) in &self.parts {
            row(&format!("{kind} {name}"), tally)?;
        }
        Ok(())
    }
}
