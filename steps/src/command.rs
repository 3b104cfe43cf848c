//! The commands of the command line, one file each.

pub mod base;
pub mod list;
pub mod run;
pub mod server;

use crate::cli::SelectArgs;
use crate::plan::{Plan, PlanError, Selection};
use bench::document::FileError;
use bench::rig::{BaseUnderTest, Rig};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where rig files are.
const RIGS: &str = "rigs";

/// Why a command did not do its work: the user has to change something.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// A rig, profile or dialect file is wrong.
    #[error(transparent)]
    File(#[from] FileError),
    /// The server's dialect file is wrong.
    #[error(transparent)]
    Dialect(#[from] ::server::DialectError),
    /// The emulated base's model or mutant file is wrong.
    #[error(transparent)]
    Model(#[from] firmware_stubs::ModelError),
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

/// The plan that the arguments ask for.
///
/// # Errors
/// When features or rigs cannot be read.
pub fn plan(args: &SelectArgs, rigs: &[Arc<Rig>]) -> Result<Plan, UsageError> {
    let selection = Selection {
        tags: args.tags.clone(),
        name: args.name.clone(),
        labs: args.lab.kinds(),
    };
    Ok(Plan::new(&args.features, rigs, &selection)?)
}

/// The text of a file that is named by itself or by its short name in a folder.
fn named_file(
    what: &'static str,
    name: &str,
    folder: &str,
) -> Result<(PathBuf, String), UsageError> {
    let as_given = PathBuf::from(name);
    let by_name = Path::new(folder).join(format!("{name}.toml"));
    let path = if as_given.is_file() {
        as_given
    } else {
        by_name
    };
    let text = fs::read_to_string(&path).map_err(|source| UsageError::Unreadable {
        what,
        path: path.clone(),
        source,
    })?;
    Ok((path, text))
}

/// The model of an emulated base, by name or file.
///
/// # Errors
/// When there is none, or its file is wrong.
pub fn model(name: &str) -> Result<firmware_stubs::Model, UsageError> {
    if let Some(model) = firmware_stubs::Model::built_in(name) {
        return Ok(model);
    }
    let (path, text) = named_file("model", name, "firmware-stubs/models")?;
    Ok(firmware_stubs::Model::from_toml(
        &text,
        &path.display().to_string(),
    )?)
}

/// A mutant, by name or file.
///
/// # Errors
/// When there is none, or its file is wrong.
pub fn mutant(name: &str) -> Result<firmware_stubs::Mutant, UsageError> {
    let (path, text) = named_file("mutant", name, "firmware-stubs/mutants")?;
    Ok(firmware_stubs::Mutant::from_toml(
        &text,
        &path.display().to_string(),
    )?)
}

/// A server's dialect, by name or file.
///
/// # Errors
/// When there is none, or its file is wrong.
pub fn dialect(name: &str) -> Result<::server::Dialect, UsageError> {
    let (path, text) = named_file("dialect", name, "rigs/dialects")?;
    Ok(::server::Dialect::from_toml(
        &text,
        &path.display().to_string(),
    )?)
}

/// Whether a rig has an emulated base on it.
#[must_use]
pub fn is_emulated(rig: &Rig) -> bool {
    matches!(rig.base, BaseUnderTest::Emulated { .. })
}
