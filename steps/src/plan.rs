//! What will run: the cases that cover every scenario, dialect, device and face, or all that are possible.
//!
//! Cucumber cannot expand a scenario per rig, combine a name with a tag filter, or tell "does not apply" from "was not
//! selected". So the plan is made before cucumber sees anything: feature files are parsed, outlines are expanded, each
//! scenario is crossed with the configurations of the laboratories, and each of these possible cases is decided. Cucumber
//! then gets exactly the cases that run, each with a tag that leads back to the plan.

pub mod configuration;
pub mod counts;
pub mod cover;
pub mod scenario;
#[cfg(test)]
mod tests;

use bench::rig::{HandsetFace, LabKind, Rig};
use configuration::{Configuration, Vendors};
use counts::{Counts, Fate};
use cover::{Place, Possible, RULES, Rule};
use cucumber::gherkin::{self, tagexpr::TagOperation};
use regex::Regex;
use scenario::Scenario;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The tag that leads from a scenario in cucumber's hands back to its case.
const CASE_TAG: &str = "lockstep-case-";

/// Why no plan could be made.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The folder or a file in it cannot be read.
    #[error("cannot read features at {path}")]
    Unreadable {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// A feature file is not Gherkin.
    #[error("{path}: {text}")]
    NotGherkin {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        text: String,
    },
    /// A feature file has a `Rule:`, whose Background and tags no scenario would get.
    #[error("{path}:{line}: scenarios stand in features, not in a Rule")]
    HasRule {
        /// The file.
        path: PathBuf,
        /// The line of the rule.
        line: usize,
    },
    /// A scenario's tags break the rules of this project.
    #[error("{path}:{line}: {text}")]
    BadTags {
        /// The file.
        path: PathBuf,
        /// The line of the scenario.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// Two cases would write one file: a rig or dialect has an unlucky name.
    #[error("{id} would name two cases, on {one} and on {other}: give a rig another name")]
    SameName {
        /// The name of both.
        id: String,
        /// The configuration of the first.
        one: String,
        /// The configuration of the second.
        other: String,
    },
    /// There is not a single scenario.
    #[error("no feature file with a scenario under {0}")]
    Empty(PathBuf),
}

/// How many of the possible cases run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Those that cover every scenario, dialect, device and face: [`cover`].
    #[default]
    Cover,
    /// All.
    Full,
    /// Each scenario once, on the first configuration that it applies to.
    Reference,
}

/// What is to be run, in the words of the command line.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// How many of the possible cases.
    pub extent: Extent,
    /// Only scenarios whose tags satisfy this.
    pub tags: Option<TagOperation>,
    /// Only scenarios whose name or identifier matches this.
    pub name: Option<Regex>,
    /// Only these laboratories; empty means both.
    pub labs: Vec<LabKind>,
    /// Only servers of these dialects; empty means all that the rigs can meet.
    pub dialects: Vec<String>,
    /// Only these faces; empty means all that the rigs have.
    pub faces: Vec<HandsetFace>,
}

impl Selection {
    fn takes_lab(&self, lab: LabKind) -> bool {
        self.labs.is_empty() || self.labs.contains(&lab)
    }

    fn takes_dialect(&self, dialect: &str) -> bool {
        self.dialects.is_empty() || self.dialects.iter().any(|own| own == dialect)
    }

    fn takes_face(&self, face: HandsetFace) -> bool {
        self.faces.is_empty() || self.faces.contains(&face)
    }

    fn takes_scenario(&self, scenario: &Scenario) -> bool {
        let tags = &scenario.facts.tags;
        let by_tags = self
            .tags
            .as_ref()
            .is_none_or(|wanted| wanted.eval_tags(tags));
        let by_name = (self.name.as_ref())
            .is_none_or(|name| name.is_match(&scenario.name) || name.is_match(&scenario.id));
        by_tags && by_name
    }
}

/// Whether a case runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It runs.
    Run,
    /// The server or the base does not claim what the scenario is about.
    NotApplicable(String),
}

impl Decision {
    /// Why the case does not run.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Run => None,
            Self::NotApplicable(reason) => Some(reason),
        }
    }
}

/// One scenario on one configuration in one laboratory.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its place in the plan.
    pub number: usize,
    /// What names it among all of a run, fit for a file name.
    pub id: String,
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// What it runs on.
    pub configuration: Configuration,
    /// The laboratory.
    pub lab: LabKind,
    /// Whether it runs.
    pub decision: Decision,
}

/// The cases of a run.
#[derive(Debug, Default)]
pub struct Plan {
    /// The cases that were chosen, in the order of scenarios, laboratories and configurations. One that does not apply is
    /// among them where it stands for a dialect, device or face that the scenario cannot run with.
    pub cases: Vec<Case>,
    /// Every possible case that does not apply, in the same order.
    pub not_applicable: Vec<Case>,
    /// How many cases there are.
    pub counts: Counts,
}

impl Plan {
    /// Reads the features under `root` and chooses among the cases that are possible with these rigs.
    ///
    /// # Errors
    /// When a file cannot be read, is not Gherkin, or has tags that break the rules.
    pub fn new(
        root: &Path,
        rigs: &[Arc<Rig>],
        vendors: &Vendors,
        selection: &Selection,
    ) -> Result<Self, PlanError> {
        let scenarios = scenario::read_all(root, &vendors.known)?;
        Self::choose(scenarios, rigs, vendors, selection, &RULES)
    }

    fn choose(
        mut scenarios: Vec<Arc<Scenario>>,
        rigs: &[Arc<Rig>],
        vendors: &Vendors,
        selection: &Selection,
        rules: &[Rule],
    ) -> Result<Self, PlanError> {
        scenarios.retain(|scenario| selection.takes_scenario(scenario));
        let mut plan = Self::default();
        for lab in [LabKind::Virtual, LabKind::Wire] {
            if selection.takes_lab(lab) {
                let configurations = Configuration::all(rigs, lab, selection);
                let fit = scenarios.iter().filter(|scenario| scenario.fits(lab));
                let crossed = Crossed::new(fit.cloned().collect(), configurations, lab, vendors);
                plan.take(&crossed, &crossed.choice(selection.extent, rules), vendors);
            }
        }
        plan.put_in_order(&scenarios);
        plan.refuse_duplicates()?;
        Ok(plan)
    }

    /// Takes the cases that were chosen and counts the others.
    fn take(&mut self, crossed: &Crossed, chosen: &BTreeSet<Place>, vendors: &Vendors) {
        for place in crossed.places() {
            let is_chosen = chosen.contains(&place);
            let Some(case) = crossed.case(place, vendors) else {
                continue;
            };
            let applies = case.decision == Decision::Run;
            let fate = match (applies, is_chosen) {
                (false, _) => Fate::NotApplicable,
                (true, false) => Fate::NotChosen,
                (true, true) => Fate::Chosen,
            };
            self.counts.count(case.lab, &case.configuration, fate);
            if !applies {
                self.not_applicable.push(case.clone());
            }
            if is_chosen {
                self.cases.push(case);
            }
        }
    }

    /// Brings the cases of both laboratories together.
    fn put_in_order(&mut self, scenarios: &[Arc<Scenario>]) {
        let ids = scenarios.iter().enumerate();
        let order: BTreeMap<&str, usize> = ids.map(|(at, it)| (it.id.as_str(), at)).collect();
        let place = |case: &Case| (order.get(case.scenario.id.as_str()).copied(), case.lab);
        // The sort is stable: configurations keep their order.
        self.cases.sort_by_key(place);
        self.not_applicable.sort_by_key(place);
        for (number, case) in self.cases.iter_mut().enumerate() {
            case.number = number;
        }
    }

    fn refuse_duplicates(&self) -> Result<(), PlanError> {
        let mut seen: BTreeMap<&str, &Case> = BTreeMap::new();
        for case in &self.cases {
            if let Some(other) = seen.insert(&case.id, case) {
                let on = |case: &Case| case.configuration.to_string();
                return Err(PlanError::SameName {
                    id: case.id.clone(),
                    one: on(other),
                    other: on(case),
                });
            }
        }
        Ok(())
    }

    /// The cases that run in this laboratory, as features for cucumber. Each feature holds the cases of one file on one
    /// configuration: cucumber's cost grows with the square of a feature's size.
    #[must_use]
    pub fn features(&self, lab: LabKind) -> Vec<gherkin::Feature> {
        let mut features: BTreeMap<(usize, String), gherkin::Feature> = BTreeMap::new();
        let mut order: BTreeMap<*const gherkin::Feature, usize> = BTreeMap::new();
        let cases = self.cases.iter().filter(|case| case.lab == lab);
        for case in cases.filter(|case| case.decision == Decision::Run) {
            let feature = &case.scenario.feature;
            let next = order.len();
            let place = *order.entry(Arc::as_ptr(feature)).or_insert(next);
            let on = case.configuration.to_string();
            let copy = features.entry((place, on.clone())).or_insert_with(|| {
                let mut empty = gherkin::Feature::clone(feature);
                empty.name = format!("{} [{on} {lab}]", empty.name);
                empty
            });
            let mut scenario = case.scenario.gherkin.clone();
            scenario.tags.push(format!("{CASE_TAG}{}", case.number));
            copy.scenarios.push(scenario);
        }
        features.into_values().collect()
    }

    /// The case that cucumber's scenario was made from.
    #[must_use]
    pub fn case_of(&self, scenario: &gherkin::Scenario) -> Option<&Case> {
        let number = scenario
            .tags
            .iter()
            .find_map(|tag| tag.strip_prefix(CASE_TAG))?;
        self.cases.get(number.parse::<usize>().ok()?)
    }
}

/// The scenarios and configurations of one laboratory, and what stands between them.
struct Crossed {
    scenarios: Vec<Arc<Scenario>>,
    configurations: Vec<Configuration>,
    lab: LabKind,
    obstacles: BTreeMap<Place, String>,
}

impl Crossed {
    fn new(
        scenarios: Vec<Arc<Scenario>>,
        configurations: Vec<Configuration>,
        lab: LabKind,
        vendors: &Vendors,
    ) -> Self {
        let mut obstacles = BTreeMap::new();
        for (one, scenario) in scenarios.iter().enumerate() {
            for (at, configuration) in configurations.iter().enumerate() {
                let obstacle = vendors.obstacle(scenario, &configuration.dialect);
                let obstacle = obstacle.or_else(|| configuration.obstacle(scenario));
                obstacles.extend(obstacle.map(|obstacle| ((one, at), obstacle)));
            }
        }
        Self {
            scenarios,
            configurations,
            lab,
            obstacles,
        }
    }

    fn places(&self) -> impl Iterator<Item = Place> + use<'_> {
        let configurations = self.configurations.len();
        (0..self.scenarios.len()).flat_map(move |one| (0..configurations).map(move |at| (one, at)))
    }

    fn choice(&self, extent: Extent, rules: &[Rule]) -> BTreeSet<Place> {
        let possible = Possible {
            configurations: &self.configurations,
            scenarios: (self.scenarios.iter().enumerate())
                .map(|(one, scenario)| {
                    let all = 0..self.configurations.len();
                    let applies = all.map(|at| !self.obstacles.contains_key(&(one, at)));
                    (scenario.facts.has("smoke"), applies.collect())
                })
                .collect(),
        };
        match (extent, self.lab) {
            (Extent::Cover, LabKind::Virtual) => possible.cover(rules),
            (Extent::Cover, LabKind::Wire) => possible.sparse_cover(rules),
            (Extent::Reference, _) => possible.cover(&[Rule::Reference]),
            (Extent::Full, _) => self.places().collect(),
        }
    }

    fn case(&self, place: Place, vendors: &Vendors) -> Option<Case> {
        let scenario = self.scenarios.get(place.0)?;
        let configuration = self.configurations.get(place.1)?;
        let obstacle = self.obstacles.get(&place).cloned();
        Some(Case {
            number: 0,
            id: configuration.case_id(scenario, self.lab, vendors),
            scenario: Arc::clone(scenario),
            configuration: configuration.clone(),
            lab: self.lab,
            decision: obstacle.map_or(Decision::Run, Decision::NotApplicable),
        })
    }
}

/// Evaluates a tag expression over tags without `@`.
trait EvalTags {
    fn eval_tags(&self, tags: &[String]) -> bool;
}

impl EvalTags for TagOperation {
    fn eval_tags(&self, tags: &[String]) -> bool {
        match self {
            Self::And(left, right) => left.eval_tags(tags) && right.eval_tags(tags),
            Self::Or(left, right) => left.eval_tags(tags) || right.eval_tags(tags),
            Self::Not(inner) => !inner.eval_tags(tags),
            Self::Tag(tag) => tags.iter().any(|own| own == tag.trim_start_matches('@')),
        }
    }
}
