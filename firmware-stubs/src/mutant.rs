//! A mutant: a model with exactly one thing wrong, and the requirements that must notice.
//!
//! One TOML file each, named as a sentence. What is wrong is a text of the model, an interceptor on the base's own wire,
//! or a defect in its code; a file has exactly one of the three. The ids under `must` are written from the text of the
//! requirements before the first run and are never copied from output; each id under `may` gives the reason why the
//! defect can reach that requirement too.
//!
//! ```toml
//! model = "n870"
//! defect = "echoes-notify"
//!
//! [requirements]
//! must = ["CHG-09"]
//! may = [{ id = "CHG-01", reason = "the echo is a change that no user made" }]
//! ```

use crate::defect::{Defect, Defects};
use crate::interceptor::InterceptorRule;
use crate::model::{Model, ModelError};
use crate::user_agent::template::Overrides;
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
    /// Ids that may be found broken as well.
    #[serde(default)]
    pub may: Vec<Permitted>,
}

/// A requirement that a mutant may break on the way.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permitted {
    /// The requirement.
    pub id: String,
    /// Why the defect can reach it.
    pub reason: String,
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
    pub fn from_toml(text: &str, file: &str) -> Result<Self, ModelError> {
        let read: File =
            toml::from_str(text).map_err(|error| ModelError::from_toml(text, file, &error))?;
        let refuse = |key: &str, problem: String| {
            let line = text
                .lines()
                .position(|line| line.trim_start().starts_with(key));
            Err(ModelError {
                file: file.to_owned(),
                line: line.map_or(1, |line| line + 1),
                problem,
            })
        };
        if let Some(problem) = read.requirements.problem() {
            return refuse("must", problem);
        }
        let fault = match (read.defect, read.interceptor, read.template) {
            (Some(defect), None, None) => Fault::Defect(defect),
            (None, Some(rule), None) => Fault::Interceptor(rule),
            (None, None, Some(texts)) if !texts.is_empty() => Fault::Template(texts),
            _ => {
                let problem = "exactly one of `defect`, `interceptor` and `template` is needed";
                return refuse("model", problem.to_owned());
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
    fn problem(&self) -> Option<String> {
        if self.must.is_empty() {
            return Some("`requirements.must` is empty".to_owned());
        }
        for (index, permitted) in self.may.iter().enumerate() {
            let id = &permitted.id;
            let before = self.may.iter().take(index).map(|earlier| &earlier.id);
            if self.must.iter().chain(before).any(|earlier| earlier == id) {
                return Some(format!("`{id}` stands there twice"));
            }
            if permitted.reason.trim().is_empty() {
                return Some(format!("`{id}` may break without a reason"));
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
    fn an_unknown_defect_is_refused_with_its_line() {
        let text = format!("model = 'n870'\ndefect = 'bogus'\n{MUST}");
        assert!(problem(&text).starts_with("m.toml:2: unknown variant `bogus`"));
    }

    #[test]
    fn an_unknown_placeholder_is_refused() {
        let text = format!("model = 'n870'\n{MUST}[template]\nregister = '{{bogus}}'\n");
        assert!(problem(&text).contains("unknown placeholder `bogus`"));
    }

    #[test]
    fn a_requirement_stands_there_once_and_with_a_reason() {
        let head = "model = 'n870'\ndefect = 'echoes-notify'\n[requirements]\n";
        assert!(problem(&format!("{head}must = []")).contains("empty"));
        let text = format!("{head}must = ['A-1']\nmay = [{{ id = 'A-1', reason = 'x' }}]");
        assert!(problem(&text).contains("twice"));
        let text = format!("{head}must = ['A-1']\nmay = [{{ id = 'A-2', reason = ' ' }}]");
        assert!(problem(&text).contains("without a reason"));
    }
}
