//! One reader of configuration files: rig, profile, dialect, model, mutant and fault files, in TOML or JSON.
//!
//! Whatever is wrong in such a file is said in one form, `file:line: key: problem`, and a key or word that does not exist is
//! answered with the nearest one that does. A file is read into types with `serde`; what types cannot say is checked by
//! the owner of the file, who asks the [`Document`] for the line of a key. Facts and claims, a value with how sure we are
//! of it and who says so, are read and listed here for all files that hold any.
//!
//! It opens no file and writes none: texts come from the caller.

mod claim;
mod error;
mod json_text;
mod lines;
mod node;
mod objection;
mod read;
mod suggestion;
mod toml_text;

pub use claim::{Claim, ClaimStatus, Fact};
pub use error::FileError;
pub use suggestion::did_you_mean;

use node::Node;
use serde::de::DeserializeOwned;

/// One file in memory, which knows on which line each key stands.
#[derive(Clone, Debug)]
pub struct Document {
    file: String,
    root: Node,
}

/// Reads a TOML file. `file` is its name in errors.
///
/// # Errors
/// When the text is not TOML or does not describe a `T`.
pub fn from_toml<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, FileError> {
    Document::from_toml(text, file)?.read()
}

/// Reads a JSON file. `file` is its name in errors.
///
/// # Errors
/// When the text is not JSON or does not describe a `T`.
pub fn from_json<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, FileError> {
    Document::from_json(text, file)?.read()
}

impl Document {
    /// Takes the text of a TOML file. `file` is its name in errors.
    ///
    /// # Errors
    /// When the text is not TOML.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, FileError> {
        let root = toml_text::parse(text).map_err(|wrong| wrong.in_file(file))?;
        let file = file.to_owned();
        Ok(Self { file, root })
    }

    /// Takes the text of a JSON file. `file` is its name in errors.
    ///
    /// # Errors
    /// When the text is not JSON.
    pub fn from_json(text: &str, file: &str) -> Result<Self, FileError> {
        let root = json_text::parse(text).map_err(|wrong| wrong.in_file(file))?;
        let file = file.to_owned();
        Ok(Self { file, root })
    }

    /// Lets `claim` and `source` of a table hold for everything below it, until a table or an inline value says otherwise.
    ///
    /// # Errors
    /// When a claim or source that is handed down is none.
    pub fn with_inherited_claims(mut self) -> Result<Self, FileError> {
        claim::inherit(&mut self.root).map_err(|wrong| wrong.in_file(&self.file))?;
        Ok(self)
    }

    /// The whole file as a `T`.
    ///
    /// # Errors
    /// At the first key that is unknown, missing or of the wrong kind.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, FileError> {
        read::read(&self.root).map_err(|wrong| wrong.in_file(&self.file))
    }

    /// The value of one dotted key as a `T`; of a fact, its value.
    ///
    /// # Errors
    /// When the key is missing or its value is of the wrong kind.
    pub fn read_at<T: DeserializeOwned>(&self, key: &str) -> Result<T, FileError> {
        let node = self.root.at(key);
        let node = node.ok_or_else(|| self.error(key, "is missing"))?;
        let value = node.fact_value().unwrap_or(node);
        read::read(value).map_err(|wrong| wrong.below(key).in_file(&self.file))
    }

    /// Every fact with its dotted key, in the order of the file. Values outside of facts are left out.
    ///
    /// # Errors
    /// When a fact lacks its claim or source.
    pub fn claims(&self) -> Result<Vec<Claim>, FileError> {
        claim::claims(&self.root).map_err(|wrong| wrong.in_file(&self.file))
    }

    /// The dotted keys of all values that no claim stands for, in the order of the file.
    #[must_use]
    pub fn unclaimed(&self) -> Vec<String> {
        claim::unclaimed(&self.root)
    }

    /// Whether the file is a list and not a table.
    #[must_use]
    pub fn is_list(&self) -> bool {
        matches!(self.root.value, node::Value::List(_))
    }

    /// A complaint about a dotted key, at its line, or at that of the nearest table around it when it is not there.
    #[must_use]
    pub fn error(&self, key: &str, problem: impl Into<String>) -> FileError {
        FileError {
            file: self.file.clone(),
            line: self.root.line_of(key),
            key: key.to_owned(),
            problem: problem.into(),
        }
    }
}
