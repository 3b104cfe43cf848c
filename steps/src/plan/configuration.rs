//! A configuration: one rig, worked by one face, with a server of one dialect. And whether a scenario applies to it.
//!
//! The possible cases of a scenario are the configurations of a laboratory; which of them run is decided elsewhere.

use super::Selection;
use super::scenario::Scenario;
use crate::catalogue_tags;
use bench::rig::{HandsetFace, LabKind, Rig};
use server::dialect::Mechanism;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What a scenario can run on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Configuration {
    /// The rig.
    pub rig: Arc<Rig>,
    /// How its handsets are worked: one of the rig's faces.
    pub face: HandsetFace,
    /// What its server speaks: one of the rig's dialects.
    pub dialect: String,
}

/// What the plan knows of the vendors' servers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vendors {
    /// Every dialect that there is: a tag may name no other.
    pub known: BTreeSet<String>,
    /// What the dialects of the rigs offer.
    pub offers: BTreeMap<String, BTreeSet<Mechanism>>,
}

impl Vendors {
    /// Why a scenario does not apply to a server of this dialect, if it does not.
    #[must_use]
    pub fn obstacle(&self, scenario: &Scenario, dialect: &str) -> Option<String> {
        let facts = &scenario.facts;
        if !facts.vendors.is_empty() && !facts.vendors.iter().any(|vendor| vendor == dialect) {
            let about = facts.vendors.join(" and ");
            return Some(format!(
                "the server is {dialect}, the scenario is about {about}"
            ));
        }
        let offered = self.offers.get(dialect);
        let offers = |wanted: &Mechanism| offered.is_some_and(|all| all.contains(wanted));
        let missing = facts.mechanisms.iter().find(|wanted| !offers(wanted))?;
        let missing = catalogue_tags::mechanism_word(*missing);
        Some(format!("{dialect} does not offer {missing}"))
    }

    /// The dialect that a rig usually runs a scenario with: the first that offers what the scenario needs.
    #[must_use]
    pub fn reference<'r>(&self, scenario: &Scenario, rig: &'r Rig) -> Option<&'r str> {
        let mut all = rig.dialects.iter();
        all.find(|dialect| self.obstacle(scenario, dialect).is_none())
            .or_else(|| rig.dialects.first())
            .map(String::as_str)
    }
}

impl Configuration {
    /// The configurations of a laboratory, in the order of rigs, faces and dialects; the rig files give the order.
    pub(super) fn all(rigs: &[Arc<Rig>], lab: LabKind, selection: &Selection) -> Vec<Self> {
        let mut all = Vec::new();
        for rig in rigs.iter().filter(|rig| rig.labs.contains(&lab)) {
            for face in rig.faces.iter().filter(|face| selection.takes_face(**face)) {
                let dialects = rig.dialects.iter();
                for dialect in dialects.filter(|name| selection.takes_dialect(name)) {
                    all.push(Self {
                        rig: Arc::clone(rig),
                        face: *face,
                        dialect: dialect.clone(),
                    });
                }
            }
        }
        all
    }

    /// Why a scenario does not apply to a rig that is worked like this, if it does not. A bench plugs in the instrument of
    /// the case's face only.
    pub(super) fn obstacle(&self, scenario: &Scenario) -> Option<String> {
        let missing = scenario.facts.has("console") && self.face != HandsetFace::Console;
        missing.then(|| "the scenario works the base by its console".to_owned())
    }

    /// What names a case among all of a run, fit for a file name. What is usual for the rig is left out.
    pub(super) fn case_id(&self, scenario: &Scenario, lab: LabKind, vendors: &Vendors) -> String {
        let mut id = format!("{}@{}", scenario.id, self.rig.name);
        if self.rig.faces.first() != Some(&self.face) {
            id.push_str(&format!("-{}", self.face));
        }
        if vendors.reference(scenario, &self.rig) != Some(&self.dialect) {
            id.push_str(&format!("-{}", self.dialect));
        }
        id.push_str(&format!("-{lab}"));
        id
    }
}

impl fmt::Display for Configuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rig.name, self.face, self.dialect)
    }
}

impl Scenario {
    /// Whether it may run in this laboratory at all: the wire laboratory is for those that are tagged for it.
    pub(super) fn fits(&self, lab: LabKind) -> bool {
        match lab {
            LabKind::Virtual => true,
            LabKind::Wire => self.facts.has("wire") && !self.facts.has("virtual"),
        }
    }
}
