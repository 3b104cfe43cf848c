//! The rig is calibrated: the good base breaks no requirement, and each mutant breaks those that its file names, and no
//! others.
//!
//! The mutants run as `lockstep calibrate` runs them, each the scenarios that are tagged with what it must break; all
//! scenarios are for the night, with `--all`. A requirement that a mutant `must` break and that no finding names is a hole
//! in the rules or the features; one that it breaks beyond that and the matrix is a rule that blames wrongly.
#![expect(
    clippy::unwrap_used,
    reason = "a mutant that cannot be copied ends the test"
)]

mod suite;

use evidence::catalogue::Catalogue;
use evidence::verdict::Verdict;
use reports::fold::Case;
use std::collections::BTreeSet;
use std::fs;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;
use steps::calibration::Calibration;
use steps::cli::{CalibrateArgs, MatrixFormat};
use steps::command::{self, calibrate::calibrate};
use steps::plan::Selection;

/// Cucumber swaps the panic hook of the process while it runs: a test that fails beside it would lose its words.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

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

fn arguments(mutants: &[&str]) -> CalibrateArgs {
    CalibrateArgs {
        mutants: mutants.iter().map(ToString::to_string).collect(),
        all: false,
        matrix: PathBuf::from("firmware-stubs/matrix.toml"),
        seed: 1,
        jobs: None,
        format: MatrixFormat::Text,
    }
}

/// What the command prints, and its exit code.
fn printed(args: &CalibrateArgs) -> (String, u8) {
    let mut out = Vec::new();
    let code = calibrate(args, &mut out).unwrap();
    (String::from_utf8(out).unwrap(), code)
}

/// A copy of a shipped mutant that must break something else.
fn mutant_that_must(folder: &Path, name: &str, must: &str) -> String {
    let text = fs::read_to_string(format!("firmware-stubs/mutants/{name}.toml")).unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("must = "))
        .unwrap();
    let file = folder.join(format!("{name}.toml"));
    fs::write(&file, text.replace(line, &format!("must = [\"{must}\"]"))).unwrap();
    file.display().to_string()
}

#[test]
fn each_mutant_breaks_what_its_file_names_and_nothing_else() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let calibration = Calibration::read(&arguments(&[])).unwrap();
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let outcome = calibration.run(cores).unwrap();
    assert!(!outcome.mutants.is_empty());
    let complaints: Vec<String> = outcome.complaints.iter().map(ToString::to_string).collect();
    let (complaints, diff) = (complaints.join("\n"), &outcome.diff);
    assert!(complaints.is_empty(), "{complaints}\n{diff}");
}

#[test]
fn a_mutant_that_survives_is_exit_code_1_and_a_diff_of_its_file() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let folder = tempfile::tempdir().unwrap();
    let file = mutant_that_must(folder.path(), "asks_for_no_rings_at_all", "REG-05");
    let (text, code) = printed(&arguments(&[&file]));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains(" REG-05×0 SURVIVES"), "{text}");
    assert!(
        text.contains("survivor: asks_for_no_rings_at_all must break REG-05"),
        "{text}"
    );
    let diff = "\n-must = [\"REG-05\"]\n+must = []\n";
    assert!(
        text.contains(&format!("--- a/{file}\n+++ b/{file}\n@@ ")),
        "{text}"
    );
    assert!(text.contains(diff), "{text}");
}

#[test]
fn a_requirement_that_breaks_unexpectedly_is_exit_code_1_and_a_diff_of_the_matrix() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let folder = tempfile::tempdir().unwrap();
    let matrix = folder.path().join("matrix.toml");
    let shipped = fs::read_to_string("firmware-stubs/matrix.toml").unwrap();
    let entry = "    \"accepts_notify_of_an_unknown_dialog\",\n";
    assert!(shipped.contains(entry), "the matrix has changed");
    fs::write(&matrix, shipped.replace(entry, "")).unwrap();
    let args = CalibrateArgs {
        matrix: matrix.clone(),
        ..arguments(&["accepts_notify_of_an_unknown_dialog"])
    };
    let (text, code) = printed(&args);
    assert_eq!(code, 1, "{text}");
    let complaint = "unexpected: accepts_notify_of_an_unknown_dialog broke MENU-03";
    assert!(text.contains(complaint), "{text}");
    assert!(
        text.contains(&format!("--- a/{}\n", matrix.display())),
        "{text}"
    );
    let proposal = "\n+\"why?\" = [\"accepts_notify_of_an_unknown_dialog\"]\n";
    assert!(text.contains(proposal), "{text}");
}

#[test]
fn an_entry_that_nothing_needs_is_told_with_a_diff_and_is_no_failure() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let folder = tempfile::tempdir().unwrap();
    let matrix = folder.path().join("matrix.toml");
    let shipped = fs::read_to_string("firmware-stubs/matrix.toml").unwrap();
    let more =
        format!("{shipped}\n[SUB-09]\n\"never\" = [\"asks_for_an_hour_whatever_is_configured\"]\n");
    fs::write(&matrix, more).unwrap();
    let mut args = CalibrateArgs {
        matrix,
        ..arguments(&["asks_for_an_hour_whatever_is_configured"])
    };
    let (text, code) = printed(&args);
    assert_eq!(code, 0, "{text}");
    assert!(
        !text.contains("unneeded"),
        "only a run of all scenarios can tell: {text}"
    );
    args.all = true;
    let (text, code) = printed(&args);
    // Another seed may need it.
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("\n-[SUB-09]\n-\"never\" = "), "{text}");
}

#[test]
fn what_does_not_exist_is_refused_with_the_nearest_that_does() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let refused = |args: &CalibrateArgs| calibrate(args, &mut Vec::new()).unwrap_err().to_string();
    let unknown = refused(&arguments(&["echoes_every_notfy"]));
    assert!(
        unknown.contains("no mutant `echoes_every_notfy`"),
        "{unknown}"
    );
    assert!(
        unknown.ends_with("; did you mean `echoes_every_notify`?"),
        "{unknown}"
    );
    let folder = tempfile::tempdir().unwrap();
    let matrix = folder.path().join("matrix.toml");
    fs::write(&matrix, "[CHG-02]\n\"no\" = [\"echoes_every_notfy\"]\n").unwrap();
    let unknown = refused(&CalibrateArgs {
        matrix: matrix.clone(),
        ..arguments(&["echoes_every_notify"])
    });
    let line = format!(
        "{}:2: CHG-02.no[0]: no mutant `echoes_every_notfy`",
        matrix.display()
    );
    assert!(unknown.starts_with(&line), "{unknown}");
}

#[test]
fn json_says_the_same() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    suite::at_the_top();
    let args = CalibrateArgs {
        format: MatrixFormat::Json,
        ..arguments(&["asks_for_the_opposite"])
    };
    let (text, code) = printed(&args);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let row = &value["mutants"][0];
    assert_eq!(
        (code, row["mutant"].as_str()),
        (0, Some("asks_for_the_opposite"))
    );
    assert!(row["must"]["CHG-02"].as_u64() > Some(0), "{text}");
    assert_eq!(value["good"][0]["cases"], row["cases"]);
    assert_eq!(value["complaints"], serde_json::json!([]));
    assert_eq!(value["diff"], "");
}
