//! The profile: what a base claims, and how this rig works and reads it.
//!
//! A profile is flat: every value has a dotted key from one closed list, a claim status and a source. Services, limits,
//! and display texts go into the evidence as claims, so that the monitor judges with them; the console and web
//! conventions are compiled here, once, for the instruments. A profile is read once and shared by all scenarios.

use document::{Claim, ClaimStatus, Document, FileError};
use evidence::record::{self, KeyEffect, Observation, Service};
use regex::Regex;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

mod reader;
mod schema;

use reader::Reader;

/// What a base claims, ready for use.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// The file it was read from.
    pub file: String,
    claims: BTreeMap<String, Claim>,
    /// What the displays show.
    pub display: Display,
    /// How the menu is walked.
    pub menu: Menu,
    /// The names of the keys.
    pub keys: Keys,
    /// The serial console.
    pub console: Console,
    /// The web interface.
    pub web: Web,
}

/// Patterns of display lines.
#[derive(Clone, Debug)]
pub struct Display {
    idle: BTreeMap<Service, Regex>,
    titles: BTreeMap<Service, Regex>,
    /// The idle line of the handset's own ringer setting.
    pub idle_local: Regex,
    /// The title of the handset's own ringer setting.
    pub title_local: Regex,
    /// The status line of an editor, with the group `status`.
    pub status: Regex,
    /// The word for on.
    pub on: String,
    /// The word for off.
    pub off: String,
    /// The destination line of an editor, with the group `number`.
    pub number: Regex,
    /// The line with the number of rings, with the group `rings`.
    pub rings: Regex,
    /// The line that says that a change is outstanding.
    pub wait: Regex,
    /// The line that says that a change was refused.
    pub refused: Regex,
}

impl Display {
    /// The pattern of the idle line that says that the service is active.
    #[must_use]
    pub fn idle(&self, service: Service) -> Option<&Regex> {
        self.idle.get(&service)
    }

    /// The pattern of the title of the service's editor.
    #[must_use]
    pub fn title(&self, service: Service) -> Option<&Regex> {
        self.titles.get(&service)
    }
}

/// How the menu is walked: item texts and labels of display keys.
#[derive(Clone, Debug)]
pub struct Menu {
    /// The title of the first menu.
    pub root: String,
    /// The display key that opens an item.
    pub select: String,
    /// The display key that sends a change.
    pub save: String,
    paths: BTreeMap<Service, Vec<String>>,
    /// The items that lead to the handset's own ringer setting.
    pub local: Vec<String>,
}

impl Menu {
    /// The items that lead to the service's editor.
    #[must_use]
    pub fn path(&self, service: Service) -> &[String] {
        self.paths.get(&service).map_or(&[], Vec::as_slice)
    }
}

/// The names of the keys that a walk presses.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Opens the menu.
    pub menu: String,
    /// Returns to the idle screen from anywhere.
    pub idle: String,
    /// Moves the cursor up.
    pub up: String,
    /// Moves the cursor down.
    pub down: String,
    /// Changes the value under the cursor.
    pub toggle: String,
    /// Opens the item under the cursor where no display key does.
    pub ok: String,
    /// Dials.
    pub talk: String,
    /// Deletes the last character.
    pub clear: String,
    /// The display keys from left to right.
    pub softkeys: Vec<String>,
}

impl Keys {
    /// What a key does outside the moves that a driver names itself.
    #[must_use]
    pub fn effect(&self, key: &str) -> KeyEffect {
        if key == self.talk {
            KeyEffect::Talk
        } else if key == self.toggle || key == self.clear {
            KeyEffect::Edit
        } else {
            KeyEffect::Walk
        }
    }
}

/// The serial console's conventions.
#[derive(Clone, Debug)]
pub struct Console {
    /// The line's speed.
    pub baud: u32,
    /// Asks for the account's name.
    pub login: Regex,
    /// Asks for its password.
    pub password: Regex,
    /// Takes a command.
    pub prompt: Regex,
    /// Says that a login was refused.
    pub refused: Regex,
    /// A line that may come at any time, with the group `text`.
    pub log_line: Regex,
    /// A command was not understood, with the group `text`.
    pub error: Regex,
    /// A changed display in the text of a log line, with the groups `handset`, `view` and `json`.
    pub display_event: Regex,
    /// How long to listen before a silent line is woken by an empty line.
    pub wake_after: Duration,
    /// How long a base may take to show its first prompt.
    pub prompt_within: Duration,
    /// How long a command may take.
    pub answer_within: Duration,
    /// The command that shows a display, with `{ipui}`.
    pub display_command: String,
    /// The command that presses keys, with `{ipui}` and `{keys}`.
    pub keys_command: String,
    /// The command that fetches provisioning again.
    pub provision_command: String,
    /// The command that restarts the base.
    pub reboot_command: String,
    /// The answer to the display command.
    pub display: DisplayBlock,
}

/// The lines that describe a display on the console.
#[derive(Clone, Debug)]
pub struct DisplayBlock {
    /// The first line, with the groups `handset` and `view`.
    pub head: Regex,
    /// The title, with the group `text`.
    pub title: Regex,
    /// One line, with the groups `mark` (`>` at the cursor) and `text`.
    pub line: Regex,
    /// The labels of the display keys, with the group `text`.
    pub softkeys: Regex,
    /// What stands between two labels.
    pub softkey_separator: String,
    /// The last line.
    pub end: Regex,
}

/// The web interface's conventions.
#[derive(Clone, Debug)]
pub struct Web {
    /// Path of the login.
    pub login: String,
    /// Path of the logout.
    pub logout: String,
    /// Path of the page about the base.
    pub device: String,
    /// Path of the handset list.
    pub handsets: String,
    /// Path of a display, with `{ipui}`.
    pub display: String,
    /// Path of the keys, with `{ipui}`.
    pub keys: String,
    /// Path of the event stream.
    pub events: String,
    /// How long an answer may take.
    pub answer_within: Duration,
    /// JSON pointers.
    pub pointer: Pointers,
}

/// Where things stand in the web interface's JSON.
#[derive(Clone, Debug)]
pub struct Pointers {
    /// The token in the answer to a login.
    pub token: String,
    /// The text of an error.
    pub message: String,
    /// The kind of an event.
    pub event: String,
    /// The IPUI.
    pub handset: String,
    /// `idle` or `menu`.
    pub view: String,
    /// The title.
    pub title: String,
    /// The lines.
    pub lines: String,
    /// The line that the cursor is on.
    pub cursor: String,
    /// The labels of the display keys.
    pub softkeys: String,
}

impl Profile {
    /// Reads a profile.
    ///
    /// # Errors
    /// When it cannot be read or is wrong; the error names file, line and key.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        let text = std::fs::read_to_string(path);
        let text = text.map_err(|error| FileError::unreadable(path, &error))?;
        Self::from_toml(&text, &path.display().to_string())
    }

    /// Takes the text of a profile; `file` is its name in errors.
    ///
    /// # Errors
    /// When the text is wrong.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, FileError> {
        let document = Document::from_toml(text, file)?.with_inherited_claims()?;
        Reader::new(&document)?.compile(file)
    }

    /// The claim with this dotted key.
    #[must_use]
    pub fn claim(&self, key: &str) -> Option<&Claim> {
        self.claims.get(key)
    }

    /// Whether the base claims to have what this key tells.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.claim(key)
            .is_some_and(|claim| claim.claim != ClaimStatus::No)
    }

    /// Whether the base claims to have this service.
    #[must_use]
    pub fn has_service(&self, service: &str) -> bool {
        let claim = self.claims.get(&format!("services.{service}"));
        claim.is_some_and(|claim| claim.claim != ClaimStatus::No && claim.value == "yes")
    }

    /// The claims that the monitor may judge with, in the order of their keys.
    pub fn observations(&self) -> impl Iterator<Item = Observation> + '_ {
        let judged = [
            "display.",
            "limits.",
            "menu.",
            "product.",
            "services.",
            "sip.",
        ];
        self.claims
            .iter()
            .filter(move |(key, _)| judged.iter().any(|prefix| key.starts_with(prefix)))
            .map(|(key, claim)| Observation::Claim {
                key: key.clone(),
                value: claim.value.clone(),
                status: recorded(claim.claim),
                source: claim.source.clone(),
            })
    }
}

/// The word of the evidence for how sure a file is.
const fn recorded(claim: ClaimStatus) -> record::ClaimStatus {
    match claim {
        ClaimStatus::Assumed => record::ClaimStatus::Assumed,
        ClaimStatus::Documented => record::ClaimStatus::Documented,
        ClaimStatus::No => record::ClaimStatus::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const N870: &str = include_str!("../../profiles/n870.toml");

    fn error(from: &str, to: &str) -> String {
        assert!(N870.contains(from), "{from}");
        let text = N870.replacen(from, to, 1);
        Profile::from_toml(&text, "n870.toml")
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn the_n870_profile_is_right() {
        let profile = Profile::from_toml(N870, "n870.toml").unwrap();
        assert_eq!(profile.name, "n870");
        assert!(profile.has_service("do-not-disturb"));
        assert!(!profile.has_service("agent-state"));
        let timer = profile.claim("sip.subscription-timer").unwrap();
        assert_eq!(timer.value, "1800");
        assert_eq!(timer.claim, ClaimStatus::Documented);
        assert_eq!(timer.source, "GIGV");
        let idle = profile.claim("display.idle.do-not-disturb").unwrap();
        assert_eq!(idle.claim, ClaimStatus::Assumed);
        assert_eq!(
            profile.menu.path(Service::CallForwardingBusy).join("/"),
            "Select Services/Call Divert/When Busy"
        );
    }

    #[test]
    fn claims_are_in_order_and_leave_the_rigs_own_conventions_out() {
        let profile = Profile::from_toml(N870, "n870.toml").unwrap();
        let keys: Vec<String> = profile
            .observations()
            .map(|claim| match claim {
                Observation::Claim { key, .. } => key,
                other => panic!("{other:?}"),
            })
            .collect();
        assert!(keys.is_sorted());
        assert!(keys.contains(&"display.menu.status".to_owned()));
        assert!(!keys.iter().any(|key| key.starts_with("console.")));
    }

    #[test]
    fn what_is_wrong_in_the_shipped_file_is_named_at_its_line() {
        // What is changed, into what, a text on the line that is named, and what is said.
        for (from, to, at, complaint) in [
            ("name = \"n870\"\n", "", "# What", "name: is missing"),
            (
                "name = \"n870\"",
                "nane = \"n870\"",
                "nane",
                "nane: unknown key; did you mean `name`?",
            ),
            (
                "subscription-timer",
                "subscription-time",
                "subscription-time",
                "sip.subscription-time: unknown key; did you mean `sip.subscription-timer`?",
            ),
            (
                "[keys]",
                "[kyes]",
                "menu = \"menu\"",
                "kyes.menu: unknown key; did you mean `keys.menu`?",
            ),
            (
                "{ value = 250, source",
                "{ value = 250, sorce",
                "sorce",
                "limits.handsets.sorce: unknown key; did you mean `source`?",
            ),
            (
                "prompt = '^n870> $'\n",
                "",
                "[console]",
                "console.prompt: is missing",
            ),
            (
                "baud = 115200",
                "baud = \"fast\"",
                "baud",
                "console.baud: is the string \"fast\" but must be a whole number from 0 to 4294967295",
            ),
            (
                "do-not-disturb = \"yes\"",
                "do-not-disturb = \"yess\"",
                "yess",
                "services.do-not-disturb: unknown word \"yess\"; did you mean `yes`?",
            ),
            (
                "claim = \"no\"",
                "claim = \"none\"",
                "none",
                "services.agent-state.claim: unknown word \"none\"; did you mean `no`?",
            ),
            (
                "[keys]\nclaim = \"assumed\"\n",
                "[keys]\n",
                "menu = \"menu\"",
                "keys.menu: has no claim: say `claim = \"assumed\"`, \"documented\" or \"no\"",
            ),
            (
                "down = \"down\"",
                "up = \"down\"",
                "up = \"down\"",
                "keys.up: duplicate key",
            ),
            (
                "'^Local: Do not disturb$'",
                "'^(Local$'",
                "'^(Local$'",
                "display.idle.local-do-not-disturb: is not a pattern: error: unclosed group",
            ),
        ] {
            let text = N870.replacen(from, to, 1);
            let line = 1 + text.lines().position(|line| line.contains(at)).unwrap();
            assert_eq!(error(from, to), format!("n870.toml:{line}: {complaint}"));
        }
        let line = 1 + N870.lines().position(|line| line == "[keys]").unwrap();
        assert!(error("[keys]", "[keys").starts_with(&format!("n870.toml:{line}: is not TOML")));
    }

    #[test]
    fn a_pattern_without_its_group_is_named() {
        let error = error("(?P<status>.+)", ".+");
        assert!(error.contains("display.menu.status: must have the named group `(?P<status>..)`"));
    }
}
