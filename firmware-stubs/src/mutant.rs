//! A mutant: a model with exactly one thing wrong, and the requirements that must notice.
//!
//! One TOML file each, named as a sentence. What is wrong is a text of the model, an interceptor on the base's own wire,
//! or a defect in its code; a file has exactly one of the three. The ids under `must` are written from the text of the
//! requirements before the first run and are never copied from output. What the defect may reach besides stands in the
//! [matrix](crate::matrix) of all mutants.
//!
//! ```toml
//! model = "n870"
//! defect = "echoes-notify"
//!
//! [requirements]
//! must = ["CHG-09"]
//! ```

use crate::defect::{Defect, Defects};
use crate::interceptor::InterceptorRule;
use crate::model::Model;
use crate::user_agent::template::Overrides;
use document::{Document, FileError};
use serde::Deserialize;

/// One wrong base. The base asks it two things: what it changes in the model, and which defects it has.
#[derive(Clone, Debug)]
pub struct Mutant {
    model: String,
    requirements: Requirements,
    fault: Fault,
}

/// What notices a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Requirements {
    /// Ids that must be found broken.
    pub must: Vec<String>,
}

/// The one thing that is wrong.
#[derive(Clone, Debug)]
enum Fault {
    Defect(Defect),
    Interceptor(InterceptorRule),
    Template(Overrides),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    model: String,
    requirements: Requirements,
    defect: Option<Defect>,
    interceptor: Option<InterceptorRule>,
    template: Option<Overrides>,
}

impl Mutant {
    /// Reads a mutant file.
    ///
    /// # Errors
    /// When the text is not TOML, a key is missing, unknown or of the wrong kind, not exactly one thing is wrong, or a
    /// requirement stands there without need.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, FileError> {
        let document = Document::from_toml(text, file)?;
        let read: File = document.read()?;
        if let Some((key, problem)) = read.requirements.problem() {
            return Err(document.error(&format!("requirements.{key}"), problem));
        }
        let fault = match (read.defect, read.interceptor, read.template) {
            (Some(defect), None, None) => Fault::Defect(defect),
            (None, Some(rule), None) => Fault::Interceptor(rule),
            (None, None, Some(texts)) if !texts.is_empty() => Fault::Template(texts),
            _ => {
                let problem = "exactly one of `defect`, `interceptor` and `template` is needed";
                return Err(document.error("", problem));
            }
        };
        Ok(Self {
            model: read.model,
            requirements: read.requirements,
            fault,
        })
    }

    /// The name of the model that it spoils.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What notices it.
    #[must_use]
    pub const fn requirements(&self) -> &Requirements {
        &self.requirements
    }

    /// The model with this mutant's texts in place of its own.
    #[must_use]
    pub fn apply(&self, mut model: Model) -> Model {
        if let Fault::Template(texts) = &self.fault {
            model.sip.templates.replace(texts);
        }
        model
    }

    /// What is wrong with it besides its texts.
    #[must_use]
    pub fn defects(&self) -> Defects {
        match &self.fault {
            Fault::Defect(defect) => Defects::from(*defect),
            Fault::Interceptor(rule) => Defects::from(rule.clone()),
            Fault::Template(_) => Defects::default(),
        }
    }
}

impl Requirements {
    /// The first id that must not stand where it does: its key, and why.
    fn problem(&self) -> Option<(String, String)> {
        if self.must.is_empty() {
            return Some(("must".to_owned(), "is empty".to_owned()));
        }
        for (index, id) in self.must.iter().enumerate() {
            if self.must.iter().take(index).any(|earlier| earlier == id) {
                let problem = format!("`{id}` stands there twice");
                return Some((format!("must[{index}]"), problem));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MUST: &str = "[requirements]\nmust = ['CHG-09']\n";

    fn problem(text: &str) -> String {
        Mutant::from_toml(text, "m.toml").unwrap_err().to_string()
    }

    #[test]
    fn a_defect_is_read() {
        let text = format!("model = 'n870'\ndefect = 'echoes-notify'\n{MUST}");
        let mutant = Mutant::from_toml(&text, "m.toml").unwrap();
        assert!(mutant.defects().has(Defect::EchoesNotify));
        assert_eq!(mutant.model(), "n870");
    }

    #[test]
    fn two_wrong_things_are_refused() {
        let text =
            format!("model = 'n870'\ndefect = 'echoes-notify'\n[template]\nregister = 'x'\n{MUST}");
        assert!(problem(&text).starts_with("m.toml:1: exactly one of"));
        assert!(
            problem(&format!("model = 'n870'\n{MUST}")).starts_with("m.toml:1: exactly one of")
        );
    }

    #[test]
    fn what_is_wrong_in_a_shipped_file_is_named_at_its_line() {
        let defect = include_str!("../mutants/echoes_every_notify.toml");
        let interceptor = include_str!("../mutants/answers_any_event_with_200.toml");
        let template = include_str!("../mutants/subscribes_without_expires.toml");
        // A file, what is changed, into what, a text on the line that is named, and what is said.
        for (file, from, to, at, complaint) in [
            (
                defect,
                "model =",
                "modle =",
                "modle",
                "modle: unknown key; did you mean `model`?",
            ),
            (defect, "model =", "# model =", "#", "model: is missing"),
            (
                defect,
                "must =",
                "most =",
                "most",
                "requirements.most: unknown key; did you mean `must`?",
            ),
            (
                defect,
                "must =",
                "# must =",
                "[requirements]",
                "requirements.must: is missing",
            ),
            (
                defect,
                "\"echoes-notify\"",
                "\"echos-notify\"",
                "echos",
                "defect: unknown word \"echos-notify\"; did you mean `echoes-notify`?",
            ),
            (
                defect,
                "must = [",
                "must = [3, ",
                "must",
                "requirements.must[0]: is the number 3 but must be a string in quotes",
            ),
            (
                defect,
                "model =",
                "defect = \"x\"\nmodel =",
                "defect = \"echoes",
                "defect: duplicate key",
            ),
            (
                interceptor,
                "method =",
                "metod =",
                "metod",
                "interceptor.matches.metod: unknown key; did you mean `method`?",
            ),
            (
                interceptor,
                "on = \"send\"",
                "on = \"sent\"",
                "\"sent\"",
                "interceptor.on: unknown word \"sent\"; did you mean `send`?",
            ),
            (
                interceptor,
                "action.rewrite.status",
                "action.rewirte.status",
                "rewirte",
                "interceptor.action.rewirte: unknown key; did you mean `rewrite`?",
            ),
            (
                interceptor,
                "[200, \"OK\"]",
                "[\"OK\", 200]",
                "rewrite",
                "interceptor.action.rewrite.status[0]: is the string \"OK\" but must be a whole number from 0 to 65535",
            ),
            (
                template,
                "subscribe =",
                "subscribes =",
                "subscribes =",
                "template.subscribes: unknown key; did you mean `subscribe`?",
            ),
            (
                template,
                "{sent_by}",
                "{sent_bye}",
                "subscribe =",
                "template.subscribe: line 2: unknown placeholder `sent_bye`; did you mean `sent_by`?",
            ),
        ] {
            assert!(file.contains(from), "{from}");
            let text = file.replacen(from, to, 1);
            let line = 1 + text.lines().position(|line| line.contains(at)).unwrap();
            assert_eq!(problem(&text), format!("m.toml:{line}: {complaint}"));
        }
        let text = defect.replacen("[requirements]", "[requirements", 1);
        let line = text.lines().position(|line| line == "[requirements");
        let error = Mutant::from_toml(&text, "x").unwrap_err();
        assert_eq!(Some(error.line - 1), line);
    }

    #[test]
    fn a_requirement_stands_there_once() {
        let head = "model = 'n870'\ndefect = 'echoes-notify'\n[requirements]\n";
        assert!(problem(&format!("{head}must = []")).contains("empty"));
        assert!(problem(&format!("{head}must = ['A-1', 'A-1']")).contains("twice"));
        let moved = problem(&format!("{head}must = ['A-1']\nmay = []"));
        assert!(
            moved.starts_with("m.toml:5: requirements.may: unknown key"),
            "{moved}"
        );
    }
}
