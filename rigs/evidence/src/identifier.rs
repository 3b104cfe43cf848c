//! Names that become names of files: of cases, scenarios and rigs.
//!
//! A name comes from a feature, a rig file or the index of a run that a stranger has sent. It is checked where it enters,
//! and nowhere else: what holds an [`Identifier`] may join it to a folder. It names nothing outside that folder, on no
//! usual file system.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A name that can only name a file of the folder that it is joined to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identifier(String);

/// What stands between a scenario and where it runs.
const JOINT: char = '@';

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{shown}` cannot name a file: expected 1 to {longest} letters, digits, `.`, `_` or `-` (`@` between two parts), no \
     `.` at the beginning and no `..`"
)]
pub struct IdentifierError {
    shown: String,
    longest: usize,
}

impl Identifier {
    /// The longest one. Our choice: with an extension it fits the 255 bytes of the usual file systems.
    pub const LONGEST: usize = 200;
    /// The longest part of one. Our choice: a scenario's, a rig's and a dialect's, joined with a face and a laboratory, are
    /// still short enough.
    pub const LONGEST_PART: usize = 50;

    /// Checks a text.
    ///
    /// # Errors
    /// When it is no identifier.
    pub fn new(text: impl Into<String>) -> Result<Self, IdentifierError> {
        Self::within(Self::LONGEST, text.into())
    }

    /// Checks a text that others will be joined to.
    ///
    /// # Errors
    /// When it is no identifier, or too long for a part of one.
    pub fn part(text: impl Into<String>) -> Result<Self, IdentifierError> {
        let part = Self::within(Self::LONGEST_PART, text.into())?;
        if part.0.contains(JOINT) {
            return Err(IdentifierError {
                shown: part.0,
                longest: Self::LONGEST_PART,
            });
        }
        Ok(part)
    }

    fn within(longest: usize, text: String) -> Result<Self, IdentifierError> {
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@".contains(&byte);
        let is_good = (1..=longest).contains(&text.len())
            && text.bytes().all(is_allowed)
            && !text.starts_with('.')
            && !text.contains("..");
        if is_good {
            return Ok(Self(text));
        }
        let shown = text.chars().take(longest).flat_map(char::escape_debug);
        Err(IdentifierError {
            shown: shown.collect(),
            longest,
        })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Identifier> for String {
    fn from(identifier: Identifier) -> Self {
        identifier.0
    }
}

impl TryFrom<String> for Identifier {
    type Error = IdentifierError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_of_a_run_is_named_by_one() {
        for good in ["ID-BSFT-CF-001.2@emulated-n870-wire", "a", "_", "-x.y"] {
            assert_eq!(Identifier::new(good).unwrap().as_str(), good);
        }
        assert!(Identifier::new("x".repeat(Identifier::LONGEST)).is_ok());
        assert!(Identifier::part("x".repeat(Identifier::LONGEST_PART)).is_ok());
        assert!(Identifier::part("x".repeat(Identifier::LONGEST_PART + 1)).is_err());
        assert!(Identifier::part("a@b").is_err());
    }

    #[test]
    fn what_could_name_something_else_is_refused() {
        for bad in [
            "", ".", "..", "../x", "/etc/x", "a/b", "a\\b", "C:x", ".hidden", "a..b", "a b",
            "a\0b", "a\nb", "ä", "a%2fb",
        ] {
            assert!(Identifier::new(bad).is_err(), "{bad:?}");
        }
        assert!(Identifier::new("x".repeat(Identifier::LONGEST + 1)).is_err());
    }

    #[test]
    fn the_complaint_shows_the_text_without_its_controls() {
        let error = Identifier::new("a\0\u{1b}b".repeat(99))
            .unwrap_err()
            .to_string();
        assert!(error.starts_with("`a\\0\\u{1b}b"), "{error}");
        assert!(!error.contains('\0') && error.len() < 2_000);
        let read: Result<Identifier, _> = serde_json::from_str("\"../x\"");
        assert!(
            read.unwrap_err()
                .to_string()
                .contains("`../x` cannot name a file")
        );
    }
}
