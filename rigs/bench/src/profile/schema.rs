//! The closed list of keys that a profile may hold, each with the kind of its value. It is a table and no code: a key
//! that is not here does not exist, and whoever adds one adds a row.

use document::{Document, FileError, did_you_mean};
use regex::Regex;

/// What a value must be.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A list of strings.
    List,
    /// A whole number.
    Number,
    /// A regular expression.
    Pattern,
    /// Any string.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
}

impl Kind {
    /// Whether the value at this key is of this kind.
    pub(super) fn check(self, document: &Document, key: &str) -> Result<(), FileError> {
        match self {
            Self::List => document.read_at::<Vec<String>>(key).map(drop),
            Self::Number => document.read_at::<u32>(key).map(drop),
            Self::Pattern => pattern(document, key).map(drop),
            Self::Text => document.read_at::<String>(key).map(drop),
            Self::Word(words) => {
                let word: String = document.read_at(key)?;
                if words.contains(&word.as_str()) {
                    return Ok(());
                }
                let known = did_you_mean(&word, words.iter().copied());
                Err(document.error(key, format!("unknown word \"{word}\"{known}")))
            }
        }
    }
}

/// The pattern at this key.
pub(super) fn pattern(document: &Document, key: &str) -> Result<Regex, FileError> {
    Regex::new(&document.read_at::<String>(key)?).map_err(|error| {
        let problem = error.to_string();
        let last = problem.lines().last().unwrap_or_default();
        document.error(key, format!("is not a pattern: {last}"))
    })
}

const YES_OR_NO: Kind = Kind::Word(&["yes", "no"]);

const KEYS: &[(&str, Kind)] = &[
    ("console.answer-within-seconds", Kind::Number),
    ("console.baud", Kind::Number),
    ("console.command.display", Kind::Text),
    ("console.command.keys", Kind::Text),
    ("console.command.provision", Kind::Text),
    ("console.command.reboot", Kind::Text),
    ("console.display-event", Kind::Pattern),
    ("console.display.end", Kind::Pattern),
    ("console.display.head", Kind::Pattern),
    ("console.display.line", Kind::Pattern),
    ("console.display.softkey-separator", Kind::Text),
    ("console.display.softkeys", Kind::Pattern),
    ("console.display.title", Kind::Pattern),
    ("console.error", Kind::Pattern),
    ("console.log-line", Kind::Pattern),
    ("console.login", Kind::Pattern),
    ("console.password", Kind::Pattern),
    ("console.prompt", Kind::Pattern),
    ("console.prompt-within-seconds", Kind::Number),
    ("console.refused", Kind::Pattern),
    ("console.wake-after-seconds", Kind::Number),
    ("display.idle.call-forwarding-always", Kind::Pattern),
    ("display.idle.call-forwarding-busy", Kind::Pattern),
    ("display.idle.call-forwarding-no-answer", Kind::Pattern),
    ("display.idle.do-not-disturb", Kind::Pattern),
    ("display.idle.local-do-not-disturb", Kind::Pattern),
    ("display.menu.call-forwarding-always.title", Kind::Pattern),
    ("display.menu.call-forwarding-busy.title", Kind::Pattern),
    (
        "display.menu.call-forwarding-no-answer.title",
        Kind::Pattern,
    ),
    ("display.menu.do-not-disturb.title", Kind::Pattern),
    ("display.menu.local-do-not-disturb.title", Kind::Pattern),
    ("display.menu.number", Kind::Pattern),
    ("display.menu.off", Kind::Text),
    ("display.menu.on", Kind::Text),
    ("display.menu.refused", Kind::Pattern),
    ("display.menu.rings", Kind::Pattern),
    ("display.menu.status", Kind::Pattern),
    ("display.menu.wait", Kind::Pattern),
    ("keys.clear", Kind::Text),
    ("keys.down", Kind::Text),
    ("keys.idle", Kind::Text),
    ("keys.menu", Kind::Text),
    ("keys.ok", Kind::Text),
    ("keys.softkeys", Kind::List),
    ("keys.talk", Kind::Text),
    ("keys.toggle", Kind::Text),
    ("keys.up", Kind::Text),
    ("limits.handsets", Kind::Number),
    ("menu.call-forwarding-always", Kind::List),
    ("menu.call-forwarding-busy", Kind::List),
    ("menu.call-forwarding-no-answer", Kind::List),
    ("menu.do-not-disturb", Kind::List),
    ("menu.local-do-not-disturb", Kind::List),
    ("menu.root", Kind::Text),
    ("menu.save", Kind::Text),
    ("menu.select", Kind::Text),
    ("product.name", Kind::Text),
    ("services.agent-state", YES_OR_NO),
    ("services.call-forwarding-always", YES_OR_NO),
    ("services.call-forwarding-busy", YES_OR_NO),
    ("services.call-forwarding-no-answer", YES_OR_NO),
    ("services.do-not-disturb", YES_OR_NO),
    ("sip.failed-registration-retry", Kind::Number),
    ("sip.registration-refresh", Kind::Number),
    ("sip.subscription-timer", Kind::Number),
    ("sip.t1-milliseconds", Kind::Number),
    ("web.answer-within-seconds", Kind::Number),
    ("web.device", Kind::Text),
    ("web.display", Kind::Text),
    ("web.events", Kind::Text),
    ("web.handsets", Kind::Text),
    ("web.keys", Kind::Text),
    ("web.login", Kind::Text),
    ("web.logout", Kind::Text),
    ("web.pointer.cursor", Kind::Text),
    ("web.pointer.event", Kind::Text),
    ("web.pointer.handset", Kind::Text),
    ("web.pointer.lines", Kind::Text),
    ("web.pointer.message", Kind::Text),
    ("web.pointer.softkeys", Kind::Text),
    ("web.pointer.title", Kind::Text),
    ("web.pointer.token", Kind::Text),
    ("web.pointer.view", Kind::Text),
];

/// All keys in alphabetical order.
pub(super) fn keys() -> impl Iterator<Item = &'static str> {
    KEYS.iter().map(|(key, _)| *key)
}

/// What the value of this key must be; `None` for a key that does not exist.
pub(super) fn kind(key: &str) -> Option<Kind> {
    KEYS.iter()
        .find(|(known, _)| *known == key)
        .map(|(_, kind)| *kind)
}
