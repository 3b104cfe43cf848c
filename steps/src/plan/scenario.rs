//! The scenarios of the feature files: found, parsed, outlines expanded, tags read.
//!
//! What is wrong with one is said with file and line, before anything runs.

use super::PlanError;
use crate::catalogue_tags::{self, Facts, TagProblem};
use cucumber::feature::Ext as _;
use cucumber::gherkin;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One scenario, or one row of an outline.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its identifier, with the row for an outline: `ID-BSFT-CF-001.2`. Fit for a file name.
    pub id: String,
    /// Its name, with values filled in.
    pub name: String,
    /// The feature that it stands in, without its scenarios.
    pub feature: Arc<gherkin::Feature>,
    /// The feature file, as found.
    pub path: PathBuf,
    /// Its line there.
    pub line: usize,
    /// What its tags say.
    pub facts: Facts,
    /// What cucumber knows of it.
    pub gherkin: gherkin::Scenario,
}

/// All scenarios below a folder, or of one file, in the order of files and lines. Identifiers are unique.
pub(super) fn read_all(
    root: &Path,
    vendors: &BTreeSet<String>,
) -> Result<Vec<Arc<Scenario>>, PlanError> {
    let mut all = Vec::new();
    for path in feature_files(root)? {
        all.extend(read_file(&path, vendors)?);
    }
    refuse_duplicates(&all)?;
    if all.is_empty() {
        return Err(PlanError::Empty(root.to_owned()));
    }
    Ok(all)
}

fn read_file(path: &Path, vendors: &BTreeSet<String>) -> Result<Vec<Arc<Scenario>>, PlanError> {
    let text = fs::read_to_string(path).map_err(|source| PlanError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    let mut feature = parse(path, &text)?;
    if let Some(rule) = feature.rules.first() {
        return Err(PlanError::HasRule {
            path: path.to_owned(),
            line: rule.position.line,
        });
    }
    let found = std::mem::take(&mut feature.scenarios);
    let feature = Arc::new(feature);
    let mut rows: BTreeMap<String, usize> = BTreeMap::new();
    let scenario = |gherkin: gherkin::Scenario| {
        let facts = catalogue_tags::read(&feature, &gherkin, vendors)
            .map_err(|problem| bad_tags(path, &text, gherkin.position.line, problem))?;
        let row = rows.entry(facts.id.clone()).or_default();
        *row += 1;
        Ok(Arc::new(Scenario {
            id: if gherkin.examples.is_empty() {
                facts.id.clone()
            } else {
                format!("{}.{row}", facts.id)
            },
            name: gherkin.name.clone(),
            feature: Arc::clone(&feature),
            path: path.to_owned(),
            line: gherkin.position.line,
            facts,
            gherkin,
        }))
    };
    found.into_iter().map(scenario).collect()
}

fn parse(path: &Path, text: &str) -> Result<gherkin::Feature, PlanError> {
    let not_gherkin = |text: String| PlanError::NotGherkin {
        path: path.to_owned(),
        text,
    };
    let mut feature = gherkin::Feature::parse(text, gherkin::GherkinEnv::default())
        .map_err(|error| not_gherkin(error.to_string()))?;
    feature.path = Some(path.to_owned());
    feature
        .expand_examples()
        .map_err(|error| not_gherkin(error.to_string()))
}

fn bad_tags(path: &Path, text: &str, scenario: usize, problem: TagProblem) -> PlanError {
    let line = problem
        .tag
        .and_then(|tag| line_of_tag(text, &tag, scenario));
    PlanError::BadTags {
        path: path.to_owned(),
        line: line.unwrap_or(scenario),
        text: problem.text,
    }
}

/// The line on which a scenario, or a row of it, gets a tag: the parser keeps no place of tags. It is the nearest one above.
fn line_of_tag(text: &str, tag: &str, scenario: usize) -> Option<usize> {
    let has_tag = |line: &str| {
        let mut words = line.split_whitespace();
        line.trim_start().starts_with('@') && words.any(|word| word.strip_prefix('@') == Some(tag))
    };
    let lines: Vec<&str> = text.lines().take(scenario).collect();
    lines
        .iter()
        .rposition(|line| has_tag(line))
        .map(|at| at + 1)
}

fn refuse_duplicates(all: &[Arc<Scenario>]) -> Result<(), PlanError> {
    let mut seen: BTreeMap<&str, &Scenario> = BTreeMap::new();
    for scenario in all {
        if let Some(other) = seen.insert(&scenario.id, scenario) {
            let (file, line) = (other.path.display(), other.line);
            return Err(PlanError::BadTags {
                path: scenario.path.clone(),
                line: scenario.line,
                text: format!("{} stands at {file}:{line} already", scenario.id),
            });
        }
    }
    Ok(())
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
