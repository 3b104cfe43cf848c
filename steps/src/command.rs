//! The commands of the command line, one file each.

pub mod base;
pub mod calibrate;
pub mod check;
pub mod list;
pub mod report;
pub mod run;
pub mod server;

use crate::cli::SelectArgs;
use crate::plan::configuration::Vendors;
use crate::plan::{Plan, PlanError, Selection};
use ::server::{Dialect, Mechanism};
use bench::rig::{HandsetFace, Rig};
use document::{FileError, did_you_mean};
use evidence::identifier::Identifier;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where rig files are.
const RIGS: &str = "rigs";

/// Where mutant files are.
const MUTANTS: &str = "firmware-stubs/mutants";

/// Where dialect files are.
const DIALECTS: &str = "rigs/dialects";

/// Why a command did not do its work: the user has to change something.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A rig, profile, dialect, model or mutant file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The folder of a run cannot be read.
    #[error(transparent)]
    Run(#[from] reports::index::IndexError),
    /// The features cannot be planned.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A file is missing or cannot be read or written.
    #[error("{what} {path}: {source}")]
    Unreadable {
        /// What kind of file.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A capture or an evidence log cannot be checked.
    #[error("{path} cannot be checked")]
    Capture {
        /// Which.
        path: PathBuf,
        /// Why.
        source: evidence::check::CheckError,
    },
    /// A word on the command line means nothing here.
    #[error("{0}")]
    Words(String),
    /// A base or server on its own cannot run.
    #[error("{0}")]
    Shell(String),
}

/// The rigs that the arguments name; every emulated rig when they name none.
///
/// # Errors
/// When a file is missing or wrong, or two rigs have one name.
pub fn rigs(args: &SelectArgs) -> Result<Vec<Arc<Rig>>, UsageError> {
    let files = if args.rigs.is_empty() {
        emulated_rigs()?
    } else {
        named_rigs(&args.rigs)?
    };
    let mut rigs: Vec<Arc<Rig>> = Vec::new();
    for file in files {
        let rig = Rig::load(&file)?;
        if let Some(other) = rigs.iter().find(|other| other.name == rig.name) {
            let (one, two) = (other.file.display(), file.display());
            return Err(UsageError::Words(format!(
                "{one} and {two} both name their rig {}",
                rig.name
            )));
        }
        rigs.push(Arc::new(rig));
    }
    Ok(rigs)
}

fn emulated_rigs() -> Result<Vec<PathBuf>, UsageError> {
    let folder = PathBuf::from(RIGS);
    let unreadable = |source| UsageError::Unreadable {
        what: "rig files",
        path: PathBuf::from(RIGS),
        source,
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(&folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if name.starts_with("emulated-") && name.ends_with(".toml") {
            files.push(path);
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(UsageError::Words(format!(
            "no emulated-*.toml under {RIGS}/"
        )));
    }
    Ok(files)
}

fn named_rigs(names: &[String]) -> Result<Vec<PathBuf>, UsageError> {
    let find = |name: &String| {
        let as_given = PathBuf::from(name);
        let by_name = Path::new(RIGS).join(format!("{name}.toml"));
        [as_given, by_name]
            .into_iter()
            .find(|path| path.is_file())
            .ok_or_else(|| {
                UsageError::Words(format!("no rig file `{name}`, and no {RIGS}/{name}.toml"))
            })
    };
    names.iter().map(find).collect()
}

/// The dialects that these rigs can meet, by name.
///
/// # Errors
/// When there is no such dialect, or its file is wrong.
pub fn dialects(rigs: &[Arc<Rig>]) -> Result<BTreeMap<String, Arc<Dialect>>, UsageError> {
    let names: BTreeSet<&String> = rigs.iter().flat_map(|rig| &rig.dialects).collect();
    let read = |name: &String| Ok((name.clone(), Arc::new(dialect(name)?)));
    names.into_iter().map(read).collect()
}

/// What the plan has to know of the vendors: these dialects, and which others there are.
#[must_use]
pub fn vendors(dialects: &BTreeMap<String, Arc<Dialect>>) -> Vendors {
    let offers = |dialect: &Dialect| {
        let all = Mechanism::ALL.into_iter();
        all.filter(|mechanism| dialect.offers(*mechanism)).collect()
    };
    let files = fs::read_dir(DIALECTS).into_iter().flatten().flatten();
    let in_folder = files.filter_map(|file| {
        let name = file.file_name().into_string().ok()?;
        name.strip_suffix(".toml").map(str::to_owned)
    });
    let in_folder = in_folder.filter(|name| Identifier::part(name).is_ok());
    Vendors {
        known: in_folder.chain(dialects.keys().cloned()).collect(),
        offers: (dialects.iter())
            .map(|(name, dialect)| (name.clone(), offers(dialect)))
            .collect(),
    }
}

/// The plan that the arguments ask for.
///
/// # Errors
/// When features cannot be read, or no rig has a dialect or face that is asked for.
pub fn plan(
    args: &SelectArgs,
    rigs: &[Arc<Rig>],
    dialects: &BTreeMap<String, Arc<Dialect>>,
) -> Result<Plan, UsageError> {
    for name in &args.dialects {
        if !dialects.contains_key(name) {
            let hint = did_you_mean(name, dialects.keys().map(String::as_str));
            let words = format!("--dialect {name}: no rig can meet it{hint}");
            return Err(UsageError::Words(words));
        }
    }
    let has_face = |face: &HandsetFace| rigs.iter().any(|rig| rig.faces.contains(face));
    if let Some(face) = args.faces.iter().find(|face| !has_face(face)) {
        return Err(UsageError::Words(format!("--face {face}: no rig has it")));
    }
    let selection = Selection {
        extent: args.plan.extent(),
        tags: args.tags.clone(),
        name: args.name.clone(),
        labs: args.lab.kinds(),
        dialects: args.dialects.clone(),
        faces: args.faces.clone(),
    };
    Ok(Plan::new(
        &args.features,
        rigs,
        &vendors(dialects),
        &selection,
    )?)
}

/// A file that is named by itself or by its short name in a folder, if there is one.
fn find(name: &str, folder: &str) -> Option<PathBuf> {
    let by_name = Path::new(folder).join(format!("{name}.toml"));
    [PathBuf::from(name), by_name]
        .into_iter()
        .find(|path| path.is_file())
}

/// The text of a file, and its name for errors.
fn text_of(path: &Path) -> Result<(String, String), FileError> {
    let text = fs::read_to_string(path).map_err(|error| FileError::unreadable(path, &error))?;
    Ok((text, path.display().to_string()))
}

/// The model of an emulated base, by name or file; those that come with the program need no file.
///
/// # Errors
/// When there is none, or its file is wrong.
pub fn model(name: &str) -> Result<firmware_stubs::Model, UsageError> {
    const FOLDER: &str = "firmware-stubs/models";
    match find(name, FOLDER) {
        Some(path) => {
            let (text, file) = text_of(&path)?;
            Ok(firmware_stubs::Model::from_toml(&text, &file)?)
        }
        None => firmware_stubs::Model::built_in(name).ok_or_else(|| {
            UsageError::Words(format!("no model `{name}`, and no {FOLDER}/{name}.toml"))
        }),
    }
}

/// The file of a mutant that is named by its name or file.
///
/// # Errors
/// When there is none.
pub fn mutant_file(name: &str) -> Result<PathBuf, UsageError> {
    find(name, MUTANTS).ok_or_else(|| {
        let names = mutant_names().unwrap_or_default();
        let hint = did_you_mean(name, names.iter().map(String::as_str));
        let words = format!("no mutant `{name}`, and no {MUTANTS}/{name}.toml{hint}");
        UsageError::Words(words)
    })
}

/// The names of the mutants that there are, in order.
///
/// # Errors
/// When their folder cannot be read.
pub fn mutant_names() -> Result<Vec<String>, UsageError> {
    let unreadable = |source| UsageError::Unreadable {
        what: "mutants",
        path: PathBuf::from(MUTANTS),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(MUTANTS).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.file_name();
        let name = file.to_str().and_then(|name| name.strip_suffix(".toml"));
        names.extend(name.map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

/// A mutant, by name or file.
///
/// # Errors
/// When there is none, or its file is wrong.
pub fn mutant(name: &str) -> Result<firmware_stubs::Mutant, UsageError> {
    let (text, file) = text_of(&mutant_file(name)?)?;
    Ok(firmware_stubs::Mutant::from_toml(&text, &file)?)
}

/// A server's dialect, by name or file; BroadSoft's comes with the program.
///
/// # Errors
/// When there is none, or its file is wrong.
pub fn dialect(name: &str) -> Result<Dialect, UsageError> {
    match find(name, DIALECTS) {
        Some(path) => {
            let (text, file) = text_of(&path)?;
            Ok(Dialect::from_toml(&text, &file)?)
        }
        None if name == "broadsoft" => Ok(Dialect::broadsoft()),
        None => Err(UsageError::Words(format!(
            "no dialect `{name}`, and no {DIALECTS}/{name}.toml"
        ))),
    }
}
