//! Feature codes: the digits that switch a service when they are dialled.
//!
//! A [`Pattern`] consists of literal digits and at most one `{number}`, which stands for the destination: `*78`,
//! `*72{number}`, `*57*{number}#`. Whoever leaves the number out means the stored one. When several codes fit what was
//! dialled, the one with the most literal digits wins; a dialect in which that does not decide is refused when it is read.

use crate::dialect::{Dialect, FeatureCode};
use serde::Deserialize;
use sip::service::Service;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

const NUMBER: &str = "{number}";

/// The digits of a feature code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    /// The literal digits, those in front of the number where there is one; never empty.
    before: String,
    /// The literal digits behind the number; `None` when the code takes no number.
    behind: Option<String>,
}

/// Why a text is no feature code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Something that no telephone can dial.
    #[error("must consist of digits, * and #, and {NUMBER} at most once")]
    NotDialable,
    /// Nothing literal in front of the number.
    #[error("must begin with a digit, * or #")]
    NoLiteral,
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        let (before, behind) = match text.split_once(NUMBER) {
            Some((before, behind)) => (before, Some(behind)),
            None => (text, None),
        };
        let literal = |text: &str| text.chars().all(|c| c.is_ascii_digit() || "*#".contains(c));
        if !literal(before) || !behind.is_none_or(literal) {
            return Err(PatternError::NotDialable);
        }
        if before.is_empty() {
            return Err(PatternError::NoLiteral);
        }
        Ok(Self {
            before: before.to_owned(),
            behind: behind.map(str::to_owned),
        })
    }
}

impl TryFrom<String> for Pattern {
    type Error = PatternError;

    fn try_from(text: String) -> Result<Self, PatternError> {
        text.parse()
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.behind {
            Some(behind) => write!(f, "{}{NUMBER}{behind}", self.before),
            None => f.write_str(&self.before),
        }
    }
}

impl Pattern {
    /// Whether a destination can be dialled with it.
    #[must_use]
    pub const fn takes_number(&self) -> bool {
        self.behind.is_some()
    }

    /// The digits to dial. A number that the code does not take is left out.
    #[must_use]
    pub fn dialled(&self, number: Option<&str>) -> String {
        match &self.behind {
            Some(behind) => format!("{}{}{behind}", self.before, number.unwrap_or_default()),
            None => self.before.clone(),
        }
    }

    /// The number within dialled digits, empty when it was left out; `None` when this code was not dialled.
    fn number_in<'d>(&self, digits: &'d str) -> Option<&'d str> {
        let rest = digits.strip_prefix(&self.before)?;
        match &self.behind {
            None => rest.is_empty().then_some(rest),
            Some(behind) => rest
                .strip_suffix(behind.as_str())
                .filter(|number| is_number(number)),
        }
    }

    fn literals(&self) -> usize {
        self.before.len() + self.behind.as_ref().map_or(0, String::len)
    }

    /// Whether some digits can mean either, and the number of literal digits does not decide. Says so too of a few pairs
    /// that only nearly meet, because a user could not tell them apart either.
    #[must_use]
    pub fn is_ambiguous_with(&self, other: &Self) -> bool {
        if self.literals() != other.literals() {
            return false;
        }
        match (&self.behind, &other.behind) {
            (Some(one), Some(two)) => {
                let starts = self.before.starts_with(&other.before)
                    || other.before.starts_with(&self.before);
                starts && (one.ends_with(two.as_str()) || two.ends_with(one.as_str()))
            }
            _ => self.dialled(None) == other.dialled(None),
        }
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    digits.chars().all(|c| c.is_ascii_digit())
}

/// Which way a code switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Switch {
    Off,
    On,
    Toggle,
}

/// What a caller asks for with a feature code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dialled {
    pub(crate) service: Service,
    pub(crate) switch: Switch,
    /// The destination, if one was dialled.
    pub(crate) number: Option<String>,
}

/// Each code with its service and the way it switches.
pub(crate) fn codes(
    codes: &BTreeMap<Service, FeatureCode>,
) -> impl Iterator<Item = (Service, Switch, &Pattern)> {
    codes.iter().flat_map(|(service, code)| {
        let on = if code.toggles() {
            Switch::Toggle
        } else {
            Switch::On
        };
        let off = code.deactivate.as_ref();
        [
            Some((on, &code.activate)),
            off.map(|off| (Switch::Off, off)),
        ]
        .into_iter()
        .flatten()
        .map(|(switch, pattern)| (*service, switch, &pattern.value))
    })
}

impl Dialect {
    /// What dialled digits ask for; `None` when they are no feature code of this product.
    pub(crate) fn meaning(&self, digits: &str) -> Option<Dialled> {
        let offered = self.mechanism.feature_codes.as_ref()?;
        codes(&offered.code)
            .filter_map(|(service, switch, pattern)| {
                let number = pattern.number_in(digits)?;
                let number = (!number.is_empty()).then(|| number.to_owned());
                let dialled = Dialled {
                    service,
                    switch,
                    number,
                };
                Some((pattern.literals(), dialled))
            })
            .max_by_key(|(literals, _)| *literals)
            .map(|(_, dialled)| dialled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        text.parse().expect(text)
    }

    #[test]
    fn a_code_is_read_as_it_is_written() {
        for text in ["*78", "#57#", "*72{number}", "*57*{number}#", "30"] {
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    #[test]
    fn malformed_codes_are_refused() {
        for (text, why) in [
            ("", PatternError::NoLiteral),
            ("{number}", PatternError::NoLiteral),
            ("{number}#", PatternError::NoLiteral),
            ("*72 {number}", PatternError::NotDialable),
            ("*72{numbr}", PatternError::NotDialable),
            ("*72{number}{number}", PatternError::NotDialable),
            ("*72+", PatternError::NotDialable),
            ("dnd", PatternError::NotDialable),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(why), "{text}");
        }
    }

    #[test]
    fn dialled_digits_fit_or_do_not() {
        for (code, digits, number) in [
            ("*78", "*78", Some("")),
            ("*78", "*781", None),
            ("*78", "78", None),
            ("*72{number}", "*722424", Some("2424")),
            ("*72{number}", "*72", Some("")),
            ("*72{number}", "*72+4989", Some("+4989")),
            ("*72{number}", "*722424#", None),
            ("*72{number}", "*72*2424", None),
            ("*57*{number}#", "*57*2424#", Some("2424")),
            ("*57*{number}#", "*57*#", Some("")),
            ("*57*{number}#", "*57*2424", None),
            ("*57*{number}#", "*57#", None),
            ("*57*{number}#", "*57*24#24#", None),
        ] {
            assert_eq!(pattern(code).number_in(digits), number, "{code} {digits}");
        }
    }

    #[test]
    fn what_is_dialled_is_written_from_the_code() {
        for (code, number, digits) in [
            ("*78", None, "*78"),
            ("*78", Some("2424"), "*78"),
            ("*72{number}", Some("2424"), "*722424"),
            ("*72{number}", None, "*72"),
            ("*57*{number}#", Some("2424"), "*57*2424#"),
        ] {
            assert_eq!(pattern(code).dialled(number), digits);
        }
    }

    #[test]
    fn codes_that_cannot_be_told_apart_are_ambiguous() {
        for (one, two, ambiguous) in [
            ("*72", "*72", true),
            ("*72", "*73", false),
            ("*72", "*72{number}", true),
            ("*72{number}", "*72{number}", true),
            ("*72{number}", "*7{number}", false),
            ("*72", "*7{number}", false),
            ("*72{number}", "*73{number}", false),
            ("*57*{number}#", "#57#", false),
            ("*57*{number}#", "*57*{number}#", true),
            ("*1{number}2#", "*12{number}#", true),
            ("*1{number}##", "*1{number}#*", false),
        ] {
            let (one, two) = (pattern(one), pattern(two));
            assert_eq!(one.is_ambiguous_with(&two), ambiguous, "{one} {two}");
            assert_eq!(two.is_ambiguous_with(&one), ambiguous, "{two} {one}");
        }
    }

    fn dial(dialect: &Dialect, digits: &str) -> Option<(Service, Switch, Option<String>)> {
        let dialled = dialect.meaning(digits)?;
        Some((dialled.service, dialled.switch, dialled.number))
    }

    #[test]
    fn codes_switch_their_own_service_and_direction() {
        let dialect = Dialect::broadsoft();
        let dial = |digits| dial(&dialect, digits);
        let always = Service::CallForwardingAlways;
        let number = Some("2424".to_owned());
        assert_eq!(dial("*78"), Some((Service::DoNotDisturb, Switch::On, None)));
        assert_eq!(
            dial("*79"),
            Some((Service::DoNotDisturb, Switch::Off, None))
        );
        assert_eq!(
            dial("*91"),
            Some((Service::CallForwardingBusy, Switch::Off, None))
        );
        assert_eq!(dial("*722424"), Some((always, Switch::On, number)));
        assert_eq!(dial("*72"), Some((always, Switch::On, None)));
    }

    #[test]
    fn what_is_no_code_means_nothing() {
        let dialect = Dialect::broadsoft();
        for digits in ["2424", "*732424", "*781", ""] {
            assert_eq!(dial(&dialect, digits), None, "{digits}");
        }
    }

    /// The dialect with these codes for Do Not Disturb and call forwarding always instead of its own.
    fn with_codes(dnd: &str, always: &str) -> Dialect {
        let mut dialect = Dialect::broadsoft();
        let offered = dialect.mechanism.feature_codes.as_mut().expect("offered");
        for (service, text) in [
            (Service::DoNotDisturb, dnd),
            (Service::CallForwardingAlways, always),
        ] {
            let code = offered.code.get_mut(&service).expect("a code");
            code.activate.value = pattern(text);
        }
        dialect
    }

    #[test]
    fn the_code_with_the_most_literal_digits_wins() {
        let dialect = with_codes("*742", "*74{number}");
        let always = Service::CallForwardingAlways;
        assert_eq!(
            dial(&dialect, "*742"),
            Some((Service::DoNotDisturb, Switch::On, None))
        );
        let number = Some("2424".to_owned());
        assert_eq!(
            dial(&dialect, "*742424"),
            Some((always, Switch::On, number))
        );
    }

    #[test]
    fn one_code_may_switch_on_and_off() {
        let mut dialect = with_codes("*76", "*72{number}");
        let offered = dialect.mechanism.feature_codes.as_mut().expect("offered");
        let code = offered
            .code
            .get_mut(&Service::DoNotDisturb)
            .expect("a code");
        let off = code.deactivate.take().expect("a code");
        code.toggle = Some(document::Fact {
            value: true,
            claim: off.claim,
            source: off.source,
        });
        let toggled = Some((Service::DoNotDisturb, Switch::Toggle, None));
        assert_eq!(dial(&dialect, "*76"), toggled);
        for active in [true, false] {
            let dialled = dialect.dialled(Service::DoNotDisturb, active, None);
            assert_eq!(dialled.as_deref(), Some("*76"));
        }
    }
}
