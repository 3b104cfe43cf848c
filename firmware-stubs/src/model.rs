//! How one product behaves, as data: names, limits, timers, the texts of its displays and of its SIP requests.
//!
//! A model is a TOML file; the N870 is built in. Every text that a peer or a user sees comes from here, so that a mutant
//! can replace one text and nothing else. The menu texts are inferred from the manufacturer's usual wording, no public
//! description of these displays exists (domain notes, gigaset.md section 5).

mod pace;

pub use pace::Pace;

use crate::menu::check::check;
use crate::menu::texts::Texts;
use crate::menu::tree::Menu;
use crate::user_agent::package::{self, Package};
use crate::user_agent::template::Templates;
use document::{Document, FileError};
use serde::{Deserialize, Deserializer};
use sip::service::Service;
use std::collections::BTreeMap;
use std::time::Duration;

/// The text of the built-in N870.
const N870: &str = include_str!("../models/n870.toml");

/// One product.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Model {
    /// The word on the command line, such as `n870`.
    pub name: String,
    /// The product name on the web interface, the console and in User-Agent.
    pub product: String,
    /// The firmware version as these bases write it.
    pub firmware: String,
    /// What is paired with it.
    pub handset: HandsetModel,
    /// How many of what.
    pub limits: Limits,
    /// How long.
    pub timers: Timers,
    /// How fast many accounts begin.
    #[serde(default)]
    pub pace: Pace,
    /// The log of a boot.
    pub boot: Vec<BootLine>,
    /// The services that it keeps in step with a server, or in its handsets.
    pub services: Vec<Service>,
    /// The menu of its handsets.
    pub menu: Menu,
    /// The texts on displays, by language.
    pub text: BTreeMap<String, Texts>,
    /// The texts on SIP.
    pub sip: SipTexts,
}

/// The handsets of the emulation.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct HandsetModel {
    /// The product name.
    pub product: String,
    /// Its firmware.
    pub firmware: String,
}

/// How many of what.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Handsets of one base.
    pub handsets: usize,
    /// Characters of a number in a menu.
    pub number: usize,
    /// The ring count that the menu offers when none is known.
    pub default_rings: u32,
    /// Wrong logins on the console until it starts again.
    pub console_logins: u32,
    /// Bytes of a provisioning file.
    pub provisioning_file: usize,
    /// Bytes of one typed console line.
    pub console_line: usize,
}

/// How long. The file gives seconds, with fractions where needed.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Timers {
    /// T1 of SIP.
    #[serde(deserialize_with = "seconds")]
    pub t1: Duration,
    /// T2 of SIP.
    #[serde(deserialize_with = "seconds")]
    pub t2: Duration,
    /// T4 of SIP.
    #[serde(deserialize_with = "seconds")]
    pub t4: Duration,
    /// Expires of an initial SUBSCRIBE and of a refresh.
    #[serde(deserialize_with = "seconds")]
    pub subscription: Duration,
    /// Expires of a REGISTER where provisioning gives none.
    #[serde(deserialize_with = "seconds")]
    pub registration_refresh: Duration,
    /// The wait after a registration failed.
    #[serde(deserialize_with = "seconds")]
    pub registration_retry: Duration,
    /// The shortest wait after a subscription failed.
    #[serde(deserialize_with = "seconds")]
    pub subscription_retry: Duration,
    /// From the start of pairing to its end.
    #[serde(deserialize_with = "seconds")]
    pub pairing: Duration,
    /// The longest wait for a provisioning file.
    #[serde(deserialize_with = "seconds")]
    pub provisioning_answer: Duration,
    /// The waits after a failed fetch; the last one repeats.
    #[serde(deserialize_with = "many_seconds")]
    pub provisioning_retries: Vec<Duration>,
    /// Between two fetches that nothing asked for.
    #[serde(deserialize_with = "seconds")]
    pub provisioning_check: Duration,
    /// How long an unused web session lasts.
    #[serde(deserialize_with = "seconds")]
    pub web_session: Duration,
}

/// One line of the boot log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct BootLine {
    /// Seconds after power-on.
    #[serde(deserialize_with = "seconds")]
    pub at: Duration,
    /// What it says; `{product}`, `{firmware}` and `{mac}` are filled in.
    pub text: String,
}

/// The texts on SIP.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct SipTexts {
    /// The value of User-Agent.
    pub user_agent: String,
    /// The event packages that it subscribes.
    #[serde(rename = "package", default = "Package::usual")]
    pub packages: Vec<Package>,
    /// Requests and bodies.
    pub templates: Templates,
}

impl Model {
    /// Reads a model file.
    ///
    /// # Errors
    /// When the text is not TOML, a key is missing, unknown or of the wrong kind, or the menu cannot be walked.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, FileError> {
        let document = Document::from_toml(text, file)?;
        let model: Self = document.read()?;
        check(&model.menu, &model.services, &model.text).map_err(|misfit| FileError {
            file: file.to_owned(),
            line: last_line_with(text, &misfit.near),
            key: misfit.key,
            problem: misfit.problem,
        })?;
        match package::problem(&model.sip.packages) {
            Some((key, problem)) => Err(document.error(&key, problem)),
            None => Ok(model),
        }
    }

    /// The texts on displays in the language of this model.
    #[must_use]
    pub fn texts(&self) -> &Texts {
        static NONE: Texts = Texts::none();
        self.text.get(&self.menu.language).unwrap_or(&NONE)
    }

    /// The built-in model with this name.
    #[must_use]
    pub fn built_in(name: &str) -> Option<Self> {
        match name {
            "n870" => Self::from_toml(N870, "models/n870.toml").ok(),
            _ => None,
        }
    }

    /// The value of User-Agent on this base.
    #[must_use]
    pub fn user_agent(&self) -> String {
        self.inscribe(&self.sip.user_agent, "")
    }

    /// A text of the model with `{product}`, `{firmware}` and `{mac}` filled in.
    #[must_use]
    pub fn inscribe(&self, text: &str, mac: &str) -> String {
        text.replace("{product}", &self.product)
            .replace("{firmware}", &self.firmware)
            .replace("{mac}", mac)
    }
}

/// The last line that has this in it, from 1; of two that are alike the second is wrong. Pages and editors are named by
/// their ids, which are no keys of the file.
fn last_line_with(text: &str, part: &str) -> usize {
    let lines = text.lines().collect::<Vec<_>>();
    let found = lines.iter().rposition(|line| line.contains(part));
    found.map_or(1, |line| line + 1)
}

fn seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    Seconds::deserialize(from).map(|Seconds(duration)| duration)
}

fn many_seconds<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Duration>, D::Error> {
    let many = Vec::<Seconds>::deserialize(from)?;
    if many.is_empty() {
        return Err(serde::de::Error::custom("at least one number of seconds"));
    }
    Ok(many.into_iter().map(|Seconds(one)| one).collect())
}

/// A length of time that is written in seconds.
struct Seconds(Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let seconds = f64::deserialize(from)?;
        let duration = Duration::try_from_secs_f64(seconds);
        duration
            .map(Self)
            .map_err(|_| serde::de::Error::custom("is not a length of time in seconds"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_model_reads() {
        Model::from_toml(N870, "models/n870.toml").unwrap();
        assert!(Model::built_in("n871").is_none());
    }

    #[test]
    fn what_is_wrong_in_the_shipped_file_is_named_at_its_line() {
        // What is changed, into what, a text on the line that is named, and what is said.
        for (from, to, at, complaint) in [
            (
                "firmware =",
                "firmwaer =",
                "firmwaer",
                "firmwaer: unknown key; did you mean `firmware`?",
            ),
            (
                "default-rings",
                "default-rinks",
                "default-rinks",
                "limits.default-rinks: unknown key; did you mean `default-rings`?",
            ),
            (
                "default-rings",
                "# default-rings",
                "[limits]",
                "limits.default-rings: is missing",
            ),
            (
                "default-rings = 3",
                "default-rings = \"three\"",
                "\"three\"",
                "limits.default-rings: is the string \"three\" but must be a whole number from 0 to 4294967295",
            ),
            (
                "t1 = ",
                "t1 = -",
                "t1 = -",
                "timers.t1: is not a length of time in seconds",
            ),
            (
                "t1 = ",
                "t2 = 7\nt1 = ",
                "t2 = 4",
                "timers.t2: duplicate key",
            ),
            (
                "subscribe = ",
                "subscrbie = ",
                "subscrbie",
                "sip.templates.subscrbie: unknown key; did you mean `subscribe`?",
            ),
            (
                "branch={branch}",
                "branch={brunch}",
                "register = ",
                "sip.templates.register: line 2: unknown placeholder `brunch`; did you mean `branch`?",
            ),
        ] {
            assert!(N870.contains(from), "{from}");
            let text = N870.replacen(from, to, 1);
            let line = 1 + text.lines().position(|line| line.contains(at)).unwrap();
            let error = Model::from_toml(&text, "my.toml").unwrap_err();
            assert_eq!(error.to_string(), format!("my.toml:{line}: {complaint}"));
        }
        let text = N870.replacen("[limits]", "[limits", 1);
        let line = text.lines().position(|line| line == "[limits").unwrap();
        assert_eq!(Model::from_toml(&text, "x").unwrap_err().line, line + 1);
    }
}
