//! What mutants may break on the way: one reviewed file, `matrix.toml` beside the folder of the mutants.
//!
//! What a mutant `must` break stands in its own file. Here stands what follows from it: for each requirement and each reason
//! the mutants that the reason holds for, everything sorted, so that a rule is said once and a change is a diff of a few
//! lines. Neither mutants nor requirements are known here: who reads the file names them.
//!
//! ```toml
//! [CHG-01]
//! "no user asked for it" = ["echoes_every_notify", "repeats_a_contradicted_change"]
//! ```

use crate::mutant::Mutant;
use document::{Document, FileError, did_you_mean};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::{self, Write as _};

/// The reason of an entry that nobody has reviewed: it is written into proposals and refused when it is read.
pub const UNREVIEWED: &str = "why?";

/// For each requirement and each reason, the mutants that may break it.
type Entries = BTreeMap<String, BTreeMap<String, Vec<String>>>;

/// The file in memory. `Display` writes it as it must look, the comment at its head included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Matrix {
    head: String,
    entries: Entries,
}

impl Matrix {
    /// Reads the file. `mutants` are all that there are, by name, `requirements` all ids that there are.
    ///
    /// # Errors
    /// When the text is not TOML, names a mutant or requirement that does not exist, names one twice or beside the
    /// mutant's own `must`, or a reason is missing.
    pub fn from_toml(
        text: &str,
        file: &str,
        mutants: &BTreeMap<String, Mutant>,
        requirements: &BTreeSet<&str>,
    ) -> Result<Self, FileError> {
        let document = Document::from_toml(text, file)?;
        let matrix = Self {
            head: head_of(text),
            entries: document.read()?,
        };
        match matrix.problem(mutants, requirements) {
            Some((key, problem)) => Err(document.error(&key, problem)),
            None => Ok(matrix),
        }
    }

    /// The first thing that is wrong: its key, and why.
    fn problem(
        &self,
        mutants: &BTreeMap<String, Mutant>,
        requirements: &BTreeSet<&str>,
    ) -> Option<(String, String)> {
        for (id, reasons) in &self.entries {
            if !requirements.contains(id.as_str()) {
                let hint = did_you_mean(id, requirements.iter().copied());
                return Some((id.clone(), format!("no such requirement{hint}")));
            }
            let mut seen = BTreeSet::new();
            for (reason, names) in reasons {
                let key = format!("{id}.{reason}");
                if reason.trim().is_empty() || reason == UNREVIEWED {
                    return Some((key, "is no reason".to_owned()));
                }
                if reason.contains(['.', '[', ']']) {
                    return Some((key, "a reason is one clause without `.` and `[`".to_owned()));
                }
                for (at, name) in names.iter().enumerate() {
                    let problem = match mutants.get(name) {
                        None => {
                            let hint = did_you_mean(name, mutants.keys().map(String::as_str));
                            format!("no mutant `{name}`{hint}")
                        }
                        Some(mutant) if mutant.requirements().must.contains(id) => {
                            format!("`{name}` must break it already")
                        }
                        Some(_) if !seen.insert(name) => format!("`{name}` stands there twice"),
                        Some(_) => continue,
                    };
                    return Some((format!("{key}[{at}]"), problem));
                }
            }
        }
        None
    }

    /// Whether this mutant may break this requirement.
    #[must_use]
    pub fn permits(&self, mutant: &str, requirement: &str) -> bool {
        let reasons = self.entries.get(requirement).into_iter().flatten();
        reasons
            .into_iter()
            .any(|(_, all)| all.iter().any(|own| own == mutant))
    }

    /// What this mutant may break.
    pub fn permitted<'m>(&'m self, mutant: &'m str) -> impl Iterator<Item = &'m str> {
        let ids = self.entries.keys().map(String::as_str);
        ids.filter(move |id| self.permits(mutant, id))
    }

    /// The same with one more entry, whose reason is still to be written.
    pub fn propose(&mut self, mutant: &str, requirement: &str) {
        let reasons = self.entries.entry(requirement.to_owned()).or_default();
        let names = reasons.entry(UNREVIEWED.to_owned()).or_default();
        names.push(mutant.to_owned());
    }

    /// The same without this entry.
    pub fn strike(&mut self, mutant: &str, requirement: &str) {
        let Some(reasons) = self.entries.get_mut(requirement) else {
            return;
        };
        for names in reasons.values_mut() {
            names.retain(|own| own != mutant);
        }
        reasons.retain(|_, names| !names.is_empty());
        if reasons.is_empty() {
            self.entries.remove(requirement);
        }
    }
}

/// The comment with which a file begins.
fn head_of(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.starts_with('#'));
    lines.map(|line| format!("{line}\n")).collect()
}

impl fmt::Display for Matrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.head)?;
        for (at, (id, reasons)) in self.entries.iter().enumerate() {
            if at > 0 || !self.head.is_empty() {
                f.write_char('\n')?;
            }
            writeln!(f, "[{id}]")?;
            for (reason, names) in reasons {
                let mut names: Vec<&String> = names.iter().collect();
                names.sort();
                write!(f, "{} = ", quoted(reason))?;
                if let [name] = names.as_slice() {
                    writeln!(f, "[{}]", quoted(name))?;
                    continue;
                }
                f.write_str("[\n")?;
                for name in names {
                    writeln!(f, "    {},", quoted(name))?;
                }
                f.write_str("]\n")?;
            }
        }
        Ok(())
    }
}

/// A text as a string of TOML.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Reviewed.\n\n[CHG-01]\n\"no user asked for it\" = [\n    \"echoes\",\n    \"repeats\",\n]\n\n\
                        [NOT-06]\n\"a \\\"copy\\\" is one\" = [\"echoes\"]\n";

    fn read(text: &str) -> Result<Matrix, FileError> {
        let mutant =
            "model = 'n870'\ndefect = 'echoes-notify'\n[requirements]\nmust = ['CHG-09']\n";
        let mutant = Mutant::from_toml(mutant, "m.toml").unwrap();
        let mutants = ["echoes", "repeats"].map(|name| (name.to_owned(), mutant.clone()));
        let requirements = ["CHG-01", "CHG-09", "NOT-06"];
        Matrix::from_toml(text, "x.toml", &mutants.into(), &requirements.into())
    }

    #[test]
    fn a_file_that_is_written_again_is_the_same() {
        let matrix = read(TEXT).unwrap();
        assert_eq!(matrix.to_string(), TEXT);
        assert!(matrix.permits("echoes", "NOT-06") && !matrix.permits("repeats", "NOT-06"));
        let permitted: Vec<&str> = matrix.permitted("echoes").collect();
        assert_eq!(permitted, ["CHG-01", "NOT-06"]);
    }

    #[test]
    fn an_entry_that_is_proposed_and_struck_leaves_nothing_behind() {
        let mut matrix = read(TEXT).unwrap();
        matrix.propose("repeats", "NOT-06");
        assert!(matrix.permits("repeats", "NOT-06"));
        assert_ne!(matrix.to_string(), TEXT);
        matrix.strike("repeats", "NOT-06");
        assert_eq!(matrix.to_string(), TEXT);
    }

    #[test]
    fn a_proposal_is_refused_until_its_reason_is_written() {
        let mut matrix = read(TEXT).unwrap();
        matrix.propose("repeats", "NOT-06");
        let refused = read(&matrix.to_string()).unwrap_err().to_string();
        assert_eq!(refused, "x.toml:11: NOT-06.why?: is no reason");
    }

    #[test]
    fn what_is_wrong_is_named_at_its_line() {
        // What is changed, into what, the line, and what is said.
        for (from, to, line, complaint) in [
            (
                "[CHG-01]",
                "[CHG-O1]",
                3,
                "no such requirement; did you mean `CHG-01`?",
            ),
            (
                "    \"echoes\"",
                "    \"echos\"",
                5,
                "no mutant `echos`; did you mean `echoes`?",
            ),
            (
                "\"repeats\"",
                "\"echoes\"",
                6,
                "`echoes` stands there twice",
            ),
            ("[CHG-01]", "[CHG-09]", 5, "`echoes` must break it already"),
            ("no user asked for it", " ", 4, "is no reason"),
            (
                "no user asked",
                "no. user asked",
                3,
                "a reason is one clause",
            ),
            ("[\"echoes\"]", "3", 10, "is the number 3 but must be"),
        ] {
            assert!(TEXT.contains(from), "{from}");
            let refused = read(&TEXT.replacen(from, to, 1)).unwrap_err();
            assert_eq!(refused.line, line, "{refused}");
            assert!(refused.problem.contains(complaint), "{refused}");
        }
    }
}
