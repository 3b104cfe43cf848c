//! Every mutant file is one wrong base that can be built, and names requirements that exist.
//!
//! Whether the requirements notice is not asked here: that takes a laboratory.

use firmware_stubs::defect::Defect;
use firmware_stubs::{Matrix, Model, Mutant};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

fn folder(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn mutants() -> BTreeMap<String, Mutant> {
    let files = fs::read_dir(folder("mutants")).expect("the folder of the mutants");
    let mutants = files.map(|file| {
        let path = file.expect("a readable folder").path();
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        assert!(is_sentence(&name), "{name}");
        let text = fs::read_to_string(&path).expect("a readable file");
        let mutant = Mutant::from_toml(&text, &name).unwrap_or_else(|error| panic!("{error}"));
        (name, mutant)
    });
    mutants.collect()
}

/// Lower-case words with underscores between, several of them.
fn is_sentence(name: &str) -> bool {
    let Some(stem) = name.strip_suffix(".toml") else {
        return false;
    };
    let word = |word: &str| {
        !word.is_empty()
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    stem.split('_').count() > 1 && stem.split('_').all(word)
}

#[test]
fn every_mutant_spoils_a_model_that_exists() {
    for (name, mutant) in mutants() {
        let model = Model::built_in(mutant.model());
        let model = model.unwrap_or_else(|| panic!("{name}: no model {}", mutant.model()));
        let spoilt = mutant.apply(model.clone());
        let by_text = spoilt != model;
        let defects = mutant.defects();
        let by_defect = Defect::ALL.iter().any(|&defect| defects.has(defect));
        let faults = [by_text, by_defect, defects.interceptor().is_some()];
        let faults = faults.into_iter().filter(|fault| *fault).count();
        assert_eq!(faults, 1, "{name}");
    }
}

#[test]
fn every_requirement_that_a_mutant_names_exists() {
    let catalogue = fs::read_to_string(folder("../rigs/evidence/requirements.csv")).unwrap();
    let known: BTreeSet<&str> = catalogue
        .lines()
        .filter_map(|line| line.split(',').next())
        .collect();
    for (name, mutant) in mutants() {
        for id in &mutant.requirements().must {
            assert!(known.contains(id.as_str()), "{name}: no requirement {id}");
        }
    }
}

#[test]
fn every_requirement_that_a_rule_judges_has_a_mutant() {
    let mutants = mutants();
    let broken: BTreeSet<&str> = mutants
        .values()
        .flat_map(|mutant| mutant.requirements().must.iter().map(String::as_str))
        .collect();
    let catalogue = fs::read_to_string(folder("../rigs/evidence/requirements.csv")).unwrap();
    let judged = catalogue.lines().filter(|line| line.ends_with(",observed"));
    let mut count = 0;
    for id in judged.filter_map(|line| line.split(',').next()) {
        assert!(broken.contains(id), "{id}");
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn every_defect_has_a_mutant() {
    let mutants = mutants();
    for &defect in Defect::ALL {
        let has = |mutant: &Mutant| mutant.defects().has(defect);
        assert!(mutants.values().any(has), "{defect}");
    }
}

#[test]
fn the_matrix_is_sorted_and_every_mutant_and_requirement_in_it_exists() {
    let mutants = mutants().into_iter();
    let mutants = mutants.map(|(file, mutant)| (file.replace(".toml", ""), mutant));
    let catalogue = fs::read_to_string(folder("../rigs/evidence/requirements.csv")).unwrap();
    let ids = catalogue.lines().filter_map(|line| line.split(',').next());
    let text = fs::read_to_string(folder("matrix.toml")).unwrap();
    let matrix = Matrix::from_toml(&text, "matrix.toml", &mutants.collect(), &ids.collect());
    let matrix = matrix.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(matrix.to_string(), text);
}
