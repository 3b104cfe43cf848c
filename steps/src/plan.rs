//! What will run: every scenario, on every rig, in every laboratory that it is meant for.
//!
//! Cucumber cannot expand a scenario per rig, combine a name with a tag filter, or tell "does not apply" from "was not
//! selected". So the plan is made before cucumber sees anything: feature files are parsed, outlines are expanded, each
//! scenario is crossed with rigs and laboratories, and each of these cases is decided. Cucumber then gets exactly the
//! cases that run, each with a tag that leads back to the plan.

use crate::catalogue_tags;
use bench::rig::{LabKind, Rig};
use cucumber::feature::Ext as _;
use cucumber::gherkin::{self, tagexpr::TagOperation};
use regex::Regex;
use std::collections::BTreeMap;
use std::fs;
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
    /// There is not a single scenario.
    #[error("no feature file with a scenario under {0}")]
    Empty(PathBuf),
}

/// What is to be run, in the words of the command line.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only scenarios whose tags satisfy this.
    pub tags: Option<TagOperation>,
    /// Only scenarios whose name or identifier matches this.
    pub name: Option<Regex>,
    /// Only these laboratories; empty means both.
    pub labs: Vec<LabKind>,
}

/// Whether a case runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It runs.
    Run,
    /// The rig's profile or dialect does not claim what the scenario is about.
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

/// One scenario on one rig in one laboratory.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its place in the plan.
    pub number: usize,
    /// The scenario's identifier, with the row for an outline: `ID-BSFT-CF-001.2`.
    pub scenario_id: String,
    /// The scenario's name, with values filled in.
    pub scenario: String,
    /// The feature's name.
    pub feature: String,
    /// The feature file, as found.
    pub path: PathBuf,
    /// The scenario's line in it.
    pub line: usize,
    /// All tags, without `@`.
    pub tags: Vec<String>,
    /// The requirements that the tags name.
    pub requirements: Vec<String>,
    /// The rig.
    pub rig: Arc<Rig>,
    /// The laboratory.
    pub lab: LabKind,
    /// Whether it runs.
    pub decision: Decision,
}

impl Case {
    /// What names this case among all of a run, fit for a file name.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}@{}-{}", self.scenario_id, self.rig.name, self.lab)
    }
}

/// The cases of a run and the scenarios behind them.
#[derive(Debug, Default)]
pub struct Plan {
    /// All cases, in the order of files, scenarios, laboratories and rigs.
    pub cases: Vec<Case>,
    scenarios: BTreeMap<usize, (Arc<gherkin::Feature>, gherkin::Scenario)>,
}

impl Plan {
    /// Reads the features under `root` and crosses them with the rigs.
    ///
    /// # Errors
    /// When a file cannot be read, is not Gherkin, or has tags that break the rules.
    pub fn new(root: &Path, rigs: &[Arc<Rig>], selection: &Selection) -> Result<Self, PlanError> {
        let mut plan = Self::default();
        let mut seen = BTreeMap::new();
        for path in feature_files(root)? {
            let feature = read_feature(&path)?;
            let feature = Arc::new(feature);
            let mut rows: BTreeMap<String, usize> = BTreeMap::new();
            let in_rules = feature.rules.iter().flat_map(|rule| &rule.scenarios);
            for scenario in feature.scenarios.iter().chain(in_rules) {
                let facts = catalogue_tags::read(&feature, scenario).map_err(|text| {
                    PlanError::BadTags {
                        path: path.clone(),
                        line: scenario.position.line,
                        text,
                    }
                })?;
                let row = rows.entry(facts.id.clone()).or_default();
                *row += 1;
                let scenario_id = if scenario.examples.is_empty() {
                    facts.id.clone()
                } else {
                    format!("{}.{row}", facts.id)
                };
                let place = (path.clone(), scenario.position.line);
                if let Some((other, line)) = seen.insert(scenario_id.clone(), place) {
                    let other = other.display();
                    let text = format!("{scenario_id} stands at {other}:{line} already");
                    return Err(PlanError::BadTags {
                        path,
                        line: scenario.position.line,
                        text,
                    });
                }
                plan.cross(
                    &feature,
                    scenario,
                    &scenario_id,
                    &facts,
                    &path,
                    rigs,
                    selection,
                );
            }
        }
        if seen.is_empty() {
            return Err(PlanError::Empty(root.to_owned()));
        }
        Ok(plan)
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "a private step of `new` with its whole context"
    )]
    fn cross(
        &mut self,
        feature: &Arc<gherkin::Feature>,
        scenario: &gherkin::Scenario,
        scenario_id: &str,
        facts: &catalogue_tags::Facts,
        path: &Path,
        rigs: &[Arc<Rig>],
        selection: &Selection,
    ) {
        if !is_selected(scenario_id, scenario, facts, selection) {
            return;
        }
        for lab in [LabKind::Virtual, LabKind::Wire] {
            if !selection.labs.is_empty() && !selection.labs.contains(&lab) {
                continue;
            }
            if lab == LabKind::Wire && !facts.tags.iter().any(|tag| tag == "wire") {
                continue;
            }
            for rig in rigs.iter().filter(|rig| rig.labs.contains(&lab)) {
                let number = self.cases.len();
                let decision = decide(facts, rig);
                if decision == Decision::Run {
                    let mut copy = scenario.clone();
                    copy.tags.push(format!("{CASE_TAG}{number}"));
                    self.scenarios.insert(number, (Arc::clone(feature), copy));
                }
                self.cases.push(Case {
                    number,
                    scenario_id: scenario_id.to_owned(),
                    scenario: scenario.name.clone(),
                    feature: feature.name.clone(),
                    path: path.to_owned(),
                    line: scenario.position.line,
                    tags: facts.tags.clone(),
                    requirements: facts.requirements.clone(),
                    rig: Arc::clone(rig),
                    lab,
                    decision,
                });
            }
        }
    }

    /// The cases that run in this laboratory, as features for cucumber. Each feature holds the cases of one file on one
    /// rig: cucumber's cost grows with the square of a feature's size.
    #[must_use]
    pub fn features(&self, lab: LabKind) -> Vec<gherkin::Feature> {
        let mut features: BTreeMap<(usize, &str), gherkin::Feature> = BTreeMap::new();
        let mut order: BTreeMap<*const gherkin::Feature, usize> = BTreeMap::new();
        for case in self.cases.iter().filter(|case| case.lab == lab) {
            let Some((feature, scenario)) = self.scenarios.get(&case.number) else {
                continue;
            };
            let next = order.len();
            let place = *order.entry(Arc::as_ptr(feature)).or_insert(next);
            let copy = features.entry((place, &case.rig.name)).or_insert_with(|| {
                let mut empty = gherkin::Feature::clone(feature);
                empty.scenarios.clear();
                empty.rules.clear();
                empty.name = format!("{} [{} {}]", empty.name, case.rig.name, case.lab);
                empty
            });
            copy.scenarios.push(scenario.clone());
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

fn is_selected(
    scenario_id: &str,
    scenario: &gherkin::Scenario,
    facts: &catalogue_tags::Facts,
    selection: &Selection,
) -> bool {
    let by_tags = selection
        .tags
        .as_ref()
        .is_none_or(|tags| tags.eval_tags(&facts.tags));
    let by_name = selection
        .name
        .as_ref()
        .is_none_or(|name| name.is_match(&scenario.name) || name.is_match(scenario_id));
    by_tags && by_name
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

fn decide(facts: &catalogue_tags::Facts, rig: &Rig) -> Decision {
    if let Some(vendor) = &facts.vendor
        && *vendor != rig.dialect
    {
        let text = format!(
            "the rig's server is {}, the scenario is about {vendor}",
            rig.dialect
        );
        return Decision::NotApplicable(text);
    }
    Decision::Run
}

fn read_feature(path: &Path) -> Result<gherkin::Feature, PlanError> {
    let not_gherkin = |text: String| PlanError::NotGherkin {
        path: path.to_owned(),
        text,
    };
    let text = fs::read_to_string(path).map_err(|source| PlanError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut feature = gherkin::Feature::parse(text, gherkin::GherkinEnv::default())
        .map_err(|error| not_gherkin(error.to_string()))?;
    feature.path = Some(path.to_owned());
    feature
        .expand_examples()
        .map_err(|error| not_gherkin(error.to_string()))
}

fn feature_files(root: &Path) -> Result<Vec<PathBuf>, PlanError> {
    let unreadable = |source| PlanError::Unreadable {
        path: root.to_owned(),
        source,
    };
    if root.is_file() {
        return Ok(vec![root.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(root).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            files.extend(feature_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "feature")
        {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
