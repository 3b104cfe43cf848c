//! The index of a run: what was planned, with which seed, and where the evidence of each case lies.
//!
//! It is written before the first case starts, so that a killed run still knows what it had left to do. Verdicts do not
//! stand in it: they are folded from the evidence.

use serde::{Deserialize, Serialize};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The file's name in a run's folder.
pub const FILE: &str = "run.json";

/// What was planned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunIndex {
    /// The schema version.
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
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseEntry {
    /// What names it in this run, fit for a file name.
    pub id: String,
    /// The scenario's identifier.
    pub scenario_id: String,
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
    pub rig: String,
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
    /// When the file is missing or is not an index.
    pub fn load(folder: &Path) -> io::Result<Self> {
        let text = fs::read_to_string(folder.join(FILE))?;
        serde_json::from_str(&text).map_err(io::Error::other)
    }

    /// Writes the index into this folder: under another name first, so that a reader never sees half of it.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn save(&self, folder: &Path) -> io::Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        let draft = folder.join(format!("{FILE}.new"));
        fs::write(&draft, text)?;
        fs::rename(draft, folder.join(FILE))
    }
}
