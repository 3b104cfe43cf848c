//! What is wrong between a mutant, its file and the matrix, and what the files would have to say instead.
//!
//! A proposal is never taken without a person: a reason that nobody wrote is refused by the matrix, and a mutant that must
//! break nothing is refused by its file.

use super::{Expected, Row};
use evidence::catalogue::Catalogue;
use firmware_stubs::Matrix;
use similar::TextDiff;
use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Complaint {
    /// The good base did not pass a case.
    GoodBase {
        /// Its model.
        model: String,
        /// The case and its reasons.
        case: String,
    },
    /// A mutant did not break what it must.
    Survivor {
        /// The mutant.
        mutant: String,
        /// What it must break.
        requirement: String,
        /// In how many cases it was tried.
        cases: usize,
    },
    /// A mutant broke what it neither must nor may.
    Unexpected {
        /// The mutant.
        mutant: String,
        /// What it broke.
        requirement: String,
        /// In how many cases.
        cases: usize,
    },
    /// A mutant may break what it never breaks.
    Unneeded {
        /// The mutant.
        mutant: String,
        /// What it may break.
        requirement: String,
    },
    /// A rule judges a requirement that no mutant must break.
    Uncalibrated {
        /// The requirement.
        requirement: String,
    },
}

impl Complaint {
    pub(super) fn about_good(rows: &[Row]) -> impl Iterator<Item = Self> + use<'_> {
        let cases = |row: &Row| {
            let model = row.name.clone();
            let complaint = move |case: String| Self::GoodBase {
                model: model.clone(),
                case,
            };
            row.not_passed.clone().into_iter().map(complaint)
        };
        rows.iter().flat_map(cases)
    }

    /// What is wrong with a mutant; an entry is too many only when `all` scenarios ran.
    pub(super) fn about_mutant(row: &Row, expected: &Expected, all: bool) -> Vec<Self> {
        let mutant = || row.name.clone();
        let survived = expected.must.iter();
        let survived = survived.filter(|id| !row.broken.contains_key(*id));
        let survived = survived.map(|id| Self::Survivor {
            mutant: mutant(),
            requirement: id.clone(),
            cases: row.cases,
        });
        let unexpected = row.broken.iter().filter(|(id, _)| !expected.allows(id));
        let unexpected = unexpected.map(|(id, cases)| Self::Unexpected {
            mutant: mutant(),
            requirement: id.clone(),
            cases: *cases,
        });
        let unneeded = expected.may.iter();
        let unneeded = unneeded.filter(|id| all && !row.broken.contains_key(*id));
        let unneeded = unneeded.map(|id| Self::Unneeded {
            mutant: mutant(),
            requirement: id.clone(),
        });
        survived.chain(unexpected).chain(unneeded).collect()
    }

    pub(super) fn about_catalogue(must: &BTreeSet<&String>) -> Vec<Self> {
        let ids = Catalogue::embedded()
            .observed()
            .map(|row| row.id.to_string());
        let unguarded = ids.filter(|id| !must.contains(id));
        unguarded
            .map(|requirement| Self::Uncalibrated { requirement })
            .collect()
    }

    /// The mutant that it is about.
    #[must_use]
    pub fn mutant(&self) -> Option<&str> {
        match self {
            Self::Survivor { mutant, .. }
            | Self::Unexpected { mutant, .. }
            | Self::Unneeded { mutant, .. } => Some(mutant),
            Self::GoodBase { .. } | Self::Uncalibrated { .. } => None,
        }
    }

    /// Whether it makes the calibration fail. An entry that this seed did not need may be what another one needs: it is
    /// told, for a person to review.
    #[must_use]
    pub const fn is_wrong(&self) -> bool {
        !matches!(self, Self::Unneeded { .. })
    }

    /// Its word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::GoodBase { .. } => "good-base",
            Self::Survivor { .. } => "survivor",
            Self::Unexpected { .. } => "unexpected",
            Self::Unneeded { .. } => "unneeded",
            Self::Uncalibrated { .. } => "uncalibrated",
        }
    }

    /// Changes the matrix, or the text of the mutant's file, so that this would be as expected.
    pub(super) fn amend(&self, matrix: &mut Matrix, text: &mut String) {
        match self {
            Self::Survivor { requirement, .. } => *text = without_must(text, requirement),
            Self::Unexpected {
                mutant,
                requirement,
                ..
            } => matrix.propose(mutant, requirement),
            Self::Unneeded {
                mutant,
                requirement,
            } => matrix.strike(mutant, requirement),
            Self::GoodBase { .. } | Self::Uncalibrated { .. } => {}
        }
    }
}

impl Expected {
    /// Whether a mutant must or may break this.
    #[must_use]
    pub fn allows(&self, id: &str) -> bool {
        self.must.contains(id) || self.may.contains(id)
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.kind())?;
        match self {
            Self::GoodBase { model, case } => write!(f, "the good {model} did not pass {case}"),
            Self::Survivor {
                mutant,
                requirement,
                cases,
            } => write!(
                f,
                "{mutant} must break {requirement} and did not in {cases} cases: mend the rule or the scenarios"
            ),
            Self::Unexpected {
                mutant,
                requirement,
                cases,
            } => write!(
                f,
                "{mutant} broke {requirement} in {cases} cases, which it neither must nor may: mend the rule, or say why"
            ),
            Self::Unneeded {
                mutant,
                requirement,
            } => write!(f, "{mutant} may break {requirement} and never does"),
            Self::Uncalibrated { requirement } => {
                write!(f, "no mutant must break {requirement}")
            }
        }
    }
}

/// The text of a mutant's file without this id in the line of its `must`.
fn without_must(text: &str, id: &str) -> String {
    let named = format!("\"{id}\"");
    let amended = |line: &str| {
        let list = line.strip_prefix("must = [")?.split_once(']')?.0;
        let kept: Vec<&str> = list
            .split(',')
            .map(str::trim)
            .filter(|own| *own != named)
            .collect();
        Some(format!("must = [{}]\n", kept.join(", ")))
    };
    text.split_inclusive('\n')
        .map(|line| amended(line).unwrap_or_else(|| line.to_owned()))
        .collect()
}

/// What changes in a file, as `patch` takes it; nothing when nothing does.
pub(super) fn unified(file: &Path, old: &str, new: &str) -> String {
    if old == new {
        return String::new();
    }
    let name = file.display().to_string();
    let diff = TextDiff::from_lines(old, new);
    let mut unified = diff.unified_diff();
    unified
        .header(&format!("a/{name}"), &format!("b/{name}"))
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mutant_must_break_is_taken_out_of_its_line_only() {
        let text = "model = \"n870\"\n[requirements]\nmust = [\"A-1\", \"A-2\"]\n# \"A-1\"\n";
        let amended = without_must(text, "A-1");
        assert_eq!(amended, text.replace("[\"A-1\", ", "["));
        assert_eq!(without_must(text, "A-3"), text);
    }

    #[test]
    fn an_entry_is_too_many_only_when_all_scenarios_ran() {
        let row = Row {
            name: "m".to_owned(),
            broken: [("A-1".to_owned(), 2), ("A-4".to_owned(), 1)].into(),
            ..Row::default()
        };
        let ids = |ids: &[&str]| ids.iter().map(ToString::to_string).collect();
        let expected = Expected {
            must: ids(&["A-1", "A-2"]),
            may: ids(&["A-3"]),
        };
        let kinds = |all| {
            let complaints = Complaint::about_mutant(&row, &expected, all);
            complaints.iter().map(Complaint::kind).collect::<Vec<_>>()
        };
        assert_eq!(kinds(false), ["survivor", "unexpected"]);
        assert_eq!(kinds(true), ["survivor", "unexpected", "unneeded"]);
    }
}
