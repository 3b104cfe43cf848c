//! The index of a run: what was planned, with which seed, and where the evidence of each case lies.
//!
//! It is written before the first case starts, so that a killed run still knows what it had left to do. Verdicts do not
//! stand in it: they are folded from the evidence. It may come from a stranger: what names files is checked when it is read.

use crate::folder;
use evidence::identifier::Identifier;
use evidence::record::SCHEMA;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file's name in a run's folder.
pub const FILE: &str = "run.json";

/// Why a folder is not a run that this release can read.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// There is no index, or it cannot be read.
    #[error("cannot read {path}")]
    Unreadable {
        /// The index.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not an index, or a name in it cannot name a file.
    #[error("{path} is not the index of a run")]
    Malformed {
        /// The index.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Another release wrote it.
    #[error(
        "{path} has schema {found}, and this release of lockstep reads schema {SCHEMA}: run the plan again, or use the \
         release that wrote it ({release})"
    )]
    Schema {
        /// The index.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The release that wrote it, in its own words.
        release: String,
    },
    /// Two cases would share their files.
    #[error("{path} lists the case {id} twice")]
    Twice {
        /// The index.
        path: PathBuf,
        /// The case.
        id: Identifier,
    },
}

/// The part of an index that every schema has.
#[derive(Deserialize)]
struct Version {
    v: u32,
    #[serde(default)]
    lockstep: String,
}

/// What was planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunIndex {
    /// The schema version, the one of the evidence.
    pub v: u32,
    /// The run's name, the name of its folder.
    pub run: String,
    /// The rig's own version.
    pub lockstep: String,
    /// The seed.
    pub seed: u64,
    /// When it was started, seconds since the Unix epoch.
    pub started: u64,
    /// When it ended; absent while it runs and after it was killed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u64>,
    /// What was run in place of a good emulated base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mutant: Option<String>,
    /// What was selected.
    #[serde(default)]
    pub selected: Selected,
    /// All cases of the plan.
    pub cases: Vec<CaseEntry>,
}

/// What was selected: where nothing was executed for a part of it, the run is no pass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selected {
    /// `cover` or `full`.
    pub plan: String,
    /// The rigs.
    pub rigs: Vec<String>,
    /// The dialects.
    pub dialects: Vec<String>,
    /// The faces.
    pub faces: Vec<String>,
}

/// One case of the plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseEntry {
    /// What names it, and its files, in this run.
    pub id: Identifier,
    /// The scenario's identifier.
    pub scenario_id: Identifier,
    /// The scenario's name.
    pub scenario: String,
    /// The feature's name.
    pub feature: String,
    /// The feature file.
    pub file: String,
    /// The line in it.
    pub line: usize,
    /// Its tags.
    pub tags: Vec<String>,
    /// The requirements that its tags name.
    pub requirements: Vec<String>,
    /// The rig.
    pub rig: Identifier,
    /// How handsets were worked: `console` or `web`.
    #[serde(default)]
    pub face: String,
    /// The server's dialect.
    #[serde(default)]
    pub dialect: String,
    /// `virtual` or `wire`.
    pub lab: String,
    /// Why it does not apply, when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_applicable: Option<String>,
}

impl CaseEntry {
    /// Where the evidence of this case lies, below the run's folder.
    #[must_use]
    pub fn evidence(&self) -> PathBuf {
        Path::new("evidence").join(format!("{}.jsonl", self.id))
    }

    /// Where the capture of this case lies, below the run's folder.
    #[must_use]
    pub fn capture(&self) -> PathBuf {
        Path::new("captures").join(format!("{}.pcapng", self.id))
    }
}

impl RunIndex {
    /// Reads the index of the run in this folder.
    ///
    /// # Errors
    /// When the file is missing, is of another schema or not an index, or names two cases alike.
    pub fn load(folder: &Path) -> Result<Self, IndexError> {
        let path = folder.join(FILE);
        match fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, path),
            Err(source) => Err(IndexError::Unreadable { path, source }),
        }
    }

    fn parse(text: &str, path: PathBuf) -> Result<Self, IndexError> {
        // The schema first: what stands in another one may look different.
        let version: Version = match serde_json::from_str(text) {
            Ok(version) => version,
            Err(source) => return Err(IndexError::Malformed { path, source }),
        };
        if version.v != SCHEMA {
            let release = version.lockstep.escape_debug().take(40).collect();
            let found = version.v;
            return Err(IndexError::Schema {
                path,
                found,
                release,
            });
        }
        let index: Self = match serde_json::from_str(text) {
            Ok(index) => index,
            Err(source) => return Err(IndexError::Malformed { path, source }),
        };
        let mut seen = BTreeSet::new();
        let twice = index.cases.iter().find(|case| !seen.insert(&case.id));
        match twice.map(|case| case.id.clone()) {
            Some(id) => Err(IndexError::Twice { path, id }),
            None => Ok(index),
        }
    }

    /// Writes the index into this folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        folder::write(folder, Path::new(FILE), text.as_bytes())
    }
}
