//! The rig is calibrated: the good base breaks no requirement, and each mutant breaks those that its file names, and no
//! others.
//!
//! Every mutant runs all features in the virtual laboratory. A requirement that a mutant `must` break and that no finding
//! names is a hole in the rules or the features; one that it breaks beyond `must` and `may` is a rule that blames wrongly.

mod suite;

use evidence::catalogue::Catalogue;
use evidence::verdict::Verdict;
use reports::fold::Case;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Mutex, PoisonError};
use steps::command;
use steps::plan::Selection;

/// Cucumber swaps the panic hook of the process while it runs: a test that fails beside it would lose its words.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn broken(cases: &[Case]) -> BTreeSet<String> {
    let rules = cases.iter().flat_map(|case| &case.rules);
    rules
        .flat_map(|rule| &rule.findings)
        .map(|it| it.requirement.to_string())
        .collect()
}

fn not_passed(cases: &[Case]) -> Vec<String> {
    let bad = cases
        .iter()
        .filter(|case| case.outcome.verdict != Verdict::Pass);
    bad.map(|case| format!("{}: {:?}", case.entry.id, case.outcome))
        .collect()
}

#[test]
fn the_good_base_passes_everything() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let rigs = suite::emulated_rig();
    let plan = suite::plan(&rigs, Selection::default());
    let cases = suite::run(&plan, 2, suite::benches(&rigs, 1, None));
    let bad = not_passed(&cases);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
    let exercised: BTreeSet<&str> = cases
        .iter()
        .flat_map(|case| &case.rules)
        .filter(|rule| rule.exercised > 0)
        .map(|rule| rule.requirement.as_str())
        .collect();
    let idle: Vec<&str> = Catalogue::embedded()
        .observed()
        .map(|row| row.id.as_str())
        .filter(|id| !exercised.contains(id))
        .collect();
    assert!(idle.is_empty(), "no feature exercises {}", idle.join(", "));
}

/// A subscription to another event package of the same account is none of the services' business.
#[test]
fn a_good_base_that_subscribes_to_the_guests_of_its_handsets_passes_everything_too() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let top = suite::at_the_top();
    let folder = tempfile::tempdir().unwrap();
    let (model, rig) = (
        folder.path().join("guests.toml"),
        folder.path().join("rig.toml"),
    );
    let gate = "body = \"hoteling\"\ngate = \"off\"";
    let text = fs::read_to_string("firmware-stubs/models/n870.toml").unwrap();
    assert!(text.contains(gate), "the model has changed");
    fs::write(
        &model,
        text.replace(gate, "body = \"hoteling\"\ngate = \"on\""),
    )
    .unwrap();
    let text = fs::read_to_string("rigs/emulated-n870.toml").unwrap();
    let named = format!("emulated = \"{}\"", model.display());
    let text = text.replace("emulated = \"n870\"", &named);
    let profile = top.join("rigs/profiles/n870.toml").display().to_string();
    fs::write(&rig, text.replace("profiles/n870.toml", &profile)).unwrap();
    let args = steps::cli::SelectArgs {
        rigs: vec![rig.display().to_string()],
        ..Default::default()
    };
    let rigs = command::rigs(&args).unwrap();
    let plan = suite::plan(&rigs, Selection::default());
    let cases = suite::run(&plan, 2, suite::benches(&rigs, 1, None));
    let bad = not_passed(&cases);
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

#[test]
fn each_mutant_breaks_what_its_file_names_and_nothing_else() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let rigs = suite::emulated_rig();
    let plan = suite::plan(&rigs, Selection::default());
    let mut names: Vec<String> = fs::read_dir("firmware-stubs/mutants")
        .unwrap()
        .map(|entry| {
            entry
                .unwrap()
                .path()
                .file_stem()
                .unwrap()
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    let only = std::env::var("LOCKSTEP_MUTANT").ok();
    names.retain(|name| {
        only.as_ref()
            .is_none_or(|only| name.contains(only.as_str()))
    });
    assert!(!names.is_empty());
    let mut complaints = Vec::new();
    let mut caught_by: BTreeMap<String, usize> = BTreeMap::new();
    for name in &names {
        let mutant = command::mutant(name).unwrap();
        let must: BTreeSet<String> = mutant.requirements().must.iter().cloned().collect();
        let may: BTreeSet<String> = mutant
            .requirements()
            .may
            .iter()
            .map(|permitted| permitted.id.clone())
            .collect();
        let broken = broken(&suite::run(&plan, 2, suite::benches(&rigs, 1, Some(name))));
        for id in must.difference(&broken) {
            complaints.push(format!("{name}: {id} was not broken (broken: {broken:?})"));
        }
        for id in broken
            .iter()
            .filter(|id| !must.contains(*id) && !may.contains(*id))
        {
            complaints.push(format!(
                "{name}: {id} was broken, which neither must nor may"
            ));
        }
        for id in must {
            *caught_by.entry(id).or_default() += 1;
        }
    }
    if only.is_none() {
        for row in Catalogue::embedded().observed() {
            if !caught_by.contains_key(row.id.as_str()) {
                complaints.push(format!("no mutant must break {}", row.id));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
