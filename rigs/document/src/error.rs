//! What is wrong in a file, and where: the one error of all configuration files.

use crate::node::joined;
use std::path::Path;

/// What is wrong in a file, and where. Printed as `file:line: key: problem`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {}{problem}", key_prefix(key))]
pub struct FileError {
    /// The file as it was named to us.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The dotted key, elements of lists as `key[0]`; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub problem: String,
}

impl FileError {
    /// A file that the caller could not read.
    #[must_use]
    pub fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self {
            file: path.display().to_string(),
            line: 1,
            key: String::new(),
            problem: format!("cannot be read: {error}"),
        }
    }
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}

/// What is wrong, before the file's name is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) line: usize,
    pub(crate) key: String,
    pub(crate) problem: String,
}

impl Wrong {
    /// The same, where the key is one below another.
    pub(crate) fn below(mut self, key: &str) -> Self {
        self.key = joined(key, &self.key);
        self
    }

    pub(crate) fn in_file(self, file: &str) -> FileError {
        FileError {
            file: file.to_owned(),
            line: self.line,
            key: self.key,
            problem: self.problem,
        }
    }
}
