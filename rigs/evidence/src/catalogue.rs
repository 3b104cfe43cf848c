//! The requirement catalogue: `requirements.csv` beside this crate, the only place of requirement texts.
//!
//! A row is `observed` when a rule of the monitor claims it, else `planned`; a test holds both against each other.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;

/// The name of a requirement: an area in capitals and a number, such as `NOT-01`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequirementId(Cow<'static, str>);

impl RequirementId {
    /// The id that a rule is written for.
    #[must_use]
    pub const fn from_static(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequirementId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for RequirementId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let well_formed = text.split_once('-').is_some_and(|(area, number)| {
            !area.is_empty()
                && area.bytes().all(|byte| byte.is_ascii_uppercase())
                && !number.is_empty()
                && number
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-')
        });
        if well_formed {
            Ok(Self(Cow::Owned(text.to_owned())))
        } else {
            Err(NotAnId(text.to_owned()))
        }
    }
}

impl TryFrom<String> for RequirementId {
    type Error = NotAnId;

    fn try_from(text: String) -> Result<Self, NotAnId> {
        text.parse()
    }
}

impl From<RequirementId> for String {
    fn from(id: RequirementId) -> Self {
        id.0.into_owned()
    }
}

/// A text that does not have the form of a requirement id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a requirement id such as NOT-01")]
pub struct NotAnId(pub String);

/// Whether a rule of the monitor judges a requirement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// A rule judges it.
    Observed,
    /// No rule yet.
    Planned,
}

/// One row of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Requirement {
    /// Its name.
    pub id: RequirementId,
    /// The subject it belongs to.
    pub group: String,
    /// Where it is written.
    #[serde(rename = "source_clause")]
    pub source: String,
    /// What must be true.
    #[serde(rename = "requirement")]
    pub text: String,
    /// How it is decided.
    pub check: String,
    /// Whether a rule judges it.
    pub status: Status,
}

/// Why a catalogue is refused.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// A row cannot be read.
    #[error("a row of the requirement catalogue cannot be read")]
    Row(#[from] csv::Error),
    /// Two rows have one name.
    #[error("the requirement catalogue has {0} twice")]
    Duplicate(RequirementId),
}

/// All requirements, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalogue {
    rows: Vec<Requirement>,
}

impl Catalogue {
    /// The catalogue that this crate was built with.
    ///
    /// # Panics
    /// Never in a build that passes the tests of this crate: they read it.
    #[must_use]
    pub fn embedded() -> &'static Self {
        static EMBEDDED: OnceLock<Catalogue> = OnceLock::new();
        EMBEDDED.get_or_init(|| {
            Self::parse(include_str!("../requirements.csv"))
                .expect("the embedded catalogue is well-formed")
        })
    }

    /// Reads a catalogue.
    ///
    /// # Errors
    /// When a row is malformed or an id stands twice.
    pub fn parse(text: &str) -> Result<Self, CatalogueError> {
        let mut catalogue = Self::default();
        for row in csv::Reader::from_reader(text.as_bytes()).deserialize() {
            let row: Requirement = row?;
            if catalogue.requirement(row.id.as_str()).is_some() {
                return Err(CatalogueError::Duplicate(row.id));
            }
            catalogue.rows.push(row);
        }
        Ok(catalogue)
    }

    /// The requirement with this id.
    #[must_use]
    pub fn requirement(&self, id: &str) -> Option<&Requirement> {
        self.rows.iter().find(|row| row.id.as_str() == id)
    }

    /// All requirements.
    pub fn iter(&self) -> impl Iterator<Item = &Requirement> {
        self.rows.iter()
    }

    /// The requirements that a rule judges.
    pub fn observed(&self) -> impl Iterator<Item = &Requirement> {
        self.iter().filter(|row| row.status == Status::Observed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_catalogue_has_every_row() {
        let catalogue = Catalogue::embedded();
        assert_eq!(catalogue.iter().count(), 119);
        let row = catalogue.requirement("NOT-01").unwrap();
        assert_eq!(row.group, "notify");
        assert_eq!(row.status, Status::Observed);
        assert!(row.text.contains("before the SUBSCRIBE's 2xx"));
    }

    #[test]
    fn an_id_that_stands_twice_is_refused() {
        let row = "REG-01,registration,a,b,c,planned\n";
        let text = format!("id,group,source_clause,requirement,check,status\n{row}{row}");
        let refused = Catalogue::parse(&text).unwrap_err();
        assert!(matches!(refused, CatalogueError::Duplicate(_)));
    }

    #[test]
    fn an_id_has_an_area_and_a_number() {
        assert!("NOT-01".parse::<RequirementId>().is_ok());
        assert!("SUB-6665-07".parse::<RequirementId>().is_ok());
        for text in ["", "NOT", "not-01", "-01", "NOT-", "NOT 01"] {
            assert!(text.parse::<RequirementId>().is_err(), "{text}");
        }
    }
}
