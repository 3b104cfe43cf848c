//! The phrases of the feature files: people, services, settings and time limits.
//!
//! A setting is written the same way wherever it stands: `Do Not Disturb on`, `call forwarding always on to 2424`,
//! `call forwarding no answer on to 2426 after 4 rings`, `call forwarding busy off`. Step patterns name these phrases
//! (`{setting}`, `{service}`, `{person}`, `{limit}`); what they look like is said here and nowhere else, and the names of
//! services come from the table, so that a new service changes no pattern.
//!
//! Whatever a pattern lets through can be read: a step that panicked before it began would leave no record.

use cucumber::Parameter;
use evidence::record::Intent;
use evidence::record::Service;
use sip::service::{self, TABLE};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

/// The titles of all services as alternatives, followed by this.
macro_rules! services_and {
    ($tail:expr) => {{
        const LENGTH: usize = alternatives_length() + $tail.len();
        const BYTES: [u8; LENGTH] = alternatives_and($tail);
        match std::str::from_utf8(&BYTES) {
            Ok(pattern) => pattern,
            Err(_) => panic!("titles are ASCII"),
        }
    }};
}

const fn alternatives_length() -> usize {
    // `(?:`, then each title with the `|` or `)` behind it.
    let (mut length, mut row) = (3, 0);
    while row < TABLE.len() {
        length += TABLE[row].title.len() + 1;
        row += 1;
    }
    length
}

/// # Panics
/// At compile time, when a title has a character that means something in a regular expression.
const fn alternatives_and<const N: usize>(tail: &str) -> [u8; N] {
    let mut bytes = [0; N];
    let mut at = append(&mut bytes, 0, b"(?:");
    let mut row = 0;
    while row < TABLE.len() {
        let title = TABLE[row].title.as_bytes();
        let mut place = 0;
        while place < title.len() {
            assert!(title[place].is_ascii_alphanumeric() || title[place] == b' ');
            place += 1;
        }
        at = append(&mut bytes, at, title);
        row += 1;
        at = append(&mut bytes, at, if row < TABLE.len() { b"|" } else { b")" });
    }
    append(&mut bytes, at, tail.as_bytes());
    bytes
}

const fn append<const N: usize>(bytes: &mut [u8; N], start: usize, piece: &[u8]) -> usize {
    let mut place = 0;
    while place < piece.len() {
        bytes[start + place] = piece[place];
        place += 1;
    }
    start + place
}

/// Somebody by the name that the features use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person(pub String);

impl Parameter for Person {
    const REGEX: &'static str = r"\w+";
    const NAME: &'static str = "person";
}

impl FromStr for Person {
    type Err = Infallible;

    fn from_str(name: &str) -> Result<Self, Infallible> {
        Ok(Self(name.to_owned()))
    }
}

/// A service by its name for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceName(pub Service);

impl Parameter for ServiceName {
    const REGEX: &'static str = services_and!("");
    const NAME: &'static str = "service";
}

impl FromStr for ServiceName {
    type Err = NotASetting;

    fn from_str(title: &str) -> Result<Self, NotASetting> {
        let service = Service::from_title(title);
        service
            .map(Self)
            .ok_or_else(|| NotASetting(title.to_owned()))
    }
}

/// By when something must be true: nothing, ` within 3 seconds`, ` within 3 seconds of the NOTIFY`. The space before it
/// belongs to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// The step does not say.
    Unsaid,
    /// So long after the stimulus.
    OfStimulus(Duration),
    /// So long after the NOTIFY that the stimulus led to.
    OfNotify(Duration),
}

impl Parameter for Limit {
    const REGEX: &'static str = r"(?: within \d{1,9} seconds(?: of the NOTIFY)?)?";
    const NAME: &'static str = "limit";
}

/// A phrase that is no time limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time limit")]
pub struct NotALimit(String);

impl FromStr for Limit {
    type Err = NotALimit;

    fn from_str(phrase: &str) -> Result<Self, NotALimit> {
        let words: Vec<&str> = phrase.split_whitespace().collect();
        let (number, limit): (_, fn(Duration) -> Self) = match words.as_slice() {
            [] => return Ok(Self::Unsaid),
            ["within", number, "seconds"] => (number, Self::OfStimulus),
            ["within", number, "seconds", "of", "the", "NOTIFY"] => (number, Self::OfNotify),
            _ => return Err(NotALimit(phrase.to_owned())),
        };
        let seconds = number.parse().map_err(|_| NotALimit(phrase.to_owned()))?;
        Ok(limit(Duration::from_secs(seconds)))
    }
}

/// A service and what it is, should be, or is shown to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(pub Intent);

/// A phrase that is not a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a service setting")]
pub struct NotASetting(String);

impl Parameter for Setting {
    const REGEX: &'static str = services_and!(r" (?:on|off)(?: to \S+)?(?: after \d{1,9} rings?)?");
    const NAME: &'static str = "setting";
}

impl FromStr for Setting {
    type Err = NotASetting;

    fn from_str(phrase: &str) -> Result<Self, NotASetting> {
        let value = Service::all().find_map(|service| {
            let value = phrase.strip_prefix(service.title())?.strip_prefix(' ')?;
            Some((service, value_of(value)?))
        });
        let (service, value) = value.ok_or_else(|| NotASetting(phrase.to_owned()))?;
        Ok(Self::new(service, value))
    }
}

/// What `on`, `off`, `on to 2424` and `on to 2424 after 3 rings` say.
fn value_of(words: &str) -> Option<service::Setting> {
    let mut words = words.split(' ');
    let mut value = service::Setting {
        active: match words.next()? {
            "on" => true,
            "off" => false,
            _ => return None,
        },
        ..service::Setting::default()
    };
    while let Some(word) = words.next() {
        match (word, words.next()?) {
            ("to", number) => value.number = Some(number.to_owned()),
            ("after", rings) => {
                value.rings = Some(rings.parse().ok()?);
                words
                    .next()
                    .filter(|unit| ["ring", "rings"].contains(unit))?;
            }
            _ => return None,
        }
    }
    Some(value)
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Intent {
            service,
            active,
            number,
            rings,
            ..
        } = &self.0;
        write!(
            f,
            "{} {}",
            service.title(),
            if *active { "on" } else { "off" }
        )?;
        if let Some(number) = number {
            write!(f, " to {number}")?;
        }
        if let Some(rings) = rings {
            write!(f, " after {rings} rings")?;
        }
        Ok(())
    }
}

impl Setting {
    /// This value of this service.
    #[must_use]
    pub fn new(service: Service, value: service::Setting) -> Self {
        let service::Setting {
            active,
            number,
            rings,
            agent,
        } = value;
        Self(Intent {
            service,
            active,
            number,
            rings,
            agent,
        })
    }

    /// Which service it is about.
    #[must_use]
    pub const fn service(&self) -> Service {
        self.0.service
    }

    /// What it says of the service.
    #[must_use]
    pub fn value(&self) -> service::Setting {
        service::Setting {
            active: self.0.active,
            number: self.0.number.clone(),
            rings: self.0.rings,
            agent: self.0.agent.clone(),
        }
    }

    /// Whether `seen` agrees in everything that this phrase says.
    #[must_use]
    pub fn is_met_by(&self, seen: &Intent) -> bool {
        let wanted = &self.0;
        wanted.service == seen.service
            && wanted.active == seen.active
            && (wanted.number.is_none() || wanted.number == seen.number)
            && (wanted.rings.is_none() || wanted.rings == seen.rings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_read_back_as_they_were_written() {
        for phrase in [
            "Do Not Disturb on",
            "call forwarding always off",
            "call forwarding busy on to +49301234",
            "call forwarding no answer on to 2426 after 4 rings",
        ] {
            assert_eq!(phrase.parse::<Setting>().unwrap().to_string(), phrase);
        }
    }

    fn matches<P: Parameter>(phrase: &str) -> bool {
        let whole = format!("^(?:{})$", P::REGEX);
        regex::Regex::new(&whole).unwrap().is_match(phrase)
    }

    #[test]
    fn every_title_of_the_table_is_a_service_and_begins_settings() {
        for row in &TABLE {
            assert!(matches::<ServiceName>(row.title), "{}", row.title);
            assert_eq!(row.title.parse(), Ok(ServiceName(row.service)));
            for value in ["on", "off", "on to 2424", "on to +49301 after 3 rings"] {
                let phrase = format!("{} {value}", row.title);
                assert!(matches::<Setting>(&phrase), "{phrase}");
                let setting: Setting = phrase.parse().unwrap();
                assert_eq!(setting.service(), row.service);
                assert_eq!(setting.to_string(), phrase);
            }
        }
    }

    #[test]
    fn a_pattern_lets_nothing_through_that_cannot_be_read() {
        let phrases = [
            "Do Not Disturb on after 999999999 rings",
            "Do Not Disturb on after 4294967296 rings",
            "call forwarding busy on to",
            "call forwarding busy on  to 2424",
            "call forwarding sometimes on",
        ];
        for phrase in phrases {
            let read = phrase.parse::<Setting>();
            assert_eq!(matches::<Setting>(phrase), read.is_ok(), "{phrase}");
        }
        for limit in [
            "",
            " within 999999999 seconds",
            " within 1 seconds of the NOTIFY",
        ] {
            assert!(matches::<Limit>(limit) && limit.parse::<Limit>().is_ok());
        }
        assert!(!matches::<Limit>(" within 9999999999 seconds"));
    }

    #[test]
    fn a_limit_says_what_it_counts_from() {
        let three = Duration::from_secs(3);
        for (phrase, limit) in [
            ("", Limit::Unsaid),
            (" within 3 seconds", Limit::OfStimulus(three)),
            (" within 3 seconds of the NOTIFY", Limit::OfNotify(three)),
        ] {
            assert_eq!(phrase.parse(), Ok(limit));
        }
        assert!(" within 3 hours".parse::<Limit>().is_err());
    }

    #[test]
    fn a_phrase_that_says_neither_on_nor_off_is_refused() {
        for phrase in [
            "Do Not Disturb",
            "call forwarding sometimes on",
            "call forwarding busy on to",
        ] {
            assert!(phrase.parse::<Setting>().is_err(), "{phrase}");
        }
    }

    #[test]
    fn a_setting_without_a_number_is_met_by_any_number() {
        let wanted: Setting = "call forwarding busy on".parse().unwrap();
        let seen: Setting = "call forwarding busy on to 2424".parse().unwrap();
        assert!(wanted.is_met_by(&seen.0));
        assert!(!seen.is_met_by(&wanted.0));
    }
}
