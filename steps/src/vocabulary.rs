//! The phrases of the feature files: services, settings and their short names.
//!
//! A setting is written the same way wherever it stands: `Do Not Disturb on`, `call forwarding always on to 2424`,
//! `call forwarding no answer on to 2426 after 4 rings`, `call forwarding busy off`.

use evidence::record::Intent;
use evidence::record::Service;
use sip::feature_event;
use std::fmt;
use std::str::FromStr;

/// A setting that the server stores.
#[must_use]
pub fn setting_of(service: Service, stored: &feature_event::Setting) -> Setting {
    Setting(Intent {
        service,
        active: stored.active,
        number: stored.number.clone(),
        rings: stored.rings,
        agent: stored.agent.clone(),
    })
}

/// A service and what it is, should be, or is shown to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(pub Intent);

/// A phrase that is not a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a service setting")]
pub struct NotASetting(String);

impl FromStr for Setting {
    type Err = NotASetting;

    fn from_str(phrase: &str) -> Result<Self, NotASetting> {
        let wrong = || NotASetting(phrase.to_owned());
        let (service, rest) = Service::all()
            .find_map(|service| Some((service, phrase.strip_prefix(service.title())?)))
            .ok_or_else(wrong)?;
        let mut words = rest.split_whitespace();
        let active = match words.next() {
            Some("on") => true,
            Some("off") => false,
            _ => return Err(wrong()),
        };
        let (mut number, mut rings) = (None, None);
        while let Some(word) = words.next() {
            let value = words.next().ok_or_else(wrong)?;
            match word {
                "to" => number = Some(value.to_owned()),
                "after" => {
                    rings = Some(value.parse().map_err(|_| wrong())?);
                    words.next();
                }
                _ => return Err(wrong()),
            }
        }
        Ok(Self(Intent {
            service,
            active,
            number,
            rings,
            agent: None,
        }))
    }
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
