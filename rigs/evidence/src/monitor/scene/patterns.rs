//! How the profile says that displays read: the `display.` claims, compiled once for all logs of a process.

use crate::record::{ClaimStatus, Screen, Service, View};
use regex::Regex;
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// What one display says of one service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) active: bool,
    pub(crate) number: Option<String>,
    pub(crate) rings: Option<u32>,
}

/// The patterns of one profile.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    idle: BTreeMap<Service, Regex>,
    titles: BTreeMap<Service, Regex>,
    status: Option<Regex>,
    on: String,
    off: String,
    number: Option<Regex>,
    rings: Option<Regex>,
}

impl Patterns {
    pub(crate) fn of(claims: &BTreeMap<String, (String, ClaimStatus)>) -> Self {
        let text = |key: &str| claims.get(key).map(|(value, _)| value.clone());
        let regex = |key: &str| compiled(&text(key)?);
        let mut patterns = Self {
            status: regex("display.menu.status"),
            on: text("display.menu.on").unwrap_or_default(),
            off: text("display.menu.off").unwrap_or_default(),
            number: regex("display.menu.number"),
            rings: regex("display.menu.rings"),
            ..Self::default()
        };
        for service in Service::CALL {
            let word = service.key();
            if let Some(pattern) = regex(&format!("display.idle.{word}")) {
                patterns.idle.insert(service, pattern);
            }
            // A title is told whole, as a plain text or as a pattern.
            let title = text(&format!("display.menu.{word}.title"));
            if let Some(title) = title.and_then(|title| compiled(&format!("^(?:{title})$"))) {
                patterns.titles.insert(service, title);
            }
        }
        patterns
    }

    /// Whether this is the editor of a service.
    pub(crate) fn editor(&self, screen: &Screen) -> Option<Service> {
        let mut titles = self.titles.iter();
        let found =
            titles.find(|(_, title)| screen.view == View::Menu && title.is_match(&screen.title))?;
        Some(*found.0)
    }

    /// What a display says, service by service.
    pub(crate) fn read(&self, screen: &Screen) -> Vec<(Service, Shown)> {
        match screen.view {
            View::Idle => self.read_idle(screen),
            View::Menu => self.read_menu(screen).into_iter().collect(),
        }
    }

    fn read_idle(&self, screen: &Screen) -> Vec<(Service, Shown)> {
        let one = |(service, pattern): (&Service, &Regex)| {
            let found = screen.lines.iter().find_map(|line| pattern.captures(line));
            let number = found.as_ref().and_then(|found| found.name("number"));
            let shown = Shown {
                active: found.is_some(),
                number: number.map(|number| number.as_str().trim().to_owned()),
                rings: None,
            };
            (*service, shown)
        };
        self.idle.iter().map(one).collect()
    }

    fn read_menu(&self, screen: &Screen) -> Option<(Service, Shown)> {
        let service = self.editor(screen)?;
        let find = |pattern: &Option<Regex>, group: &str| {
            let pattern = pattern.as_ref()?;
            let found = screen
                .lines
                .iter()
                .find_map(|line| pattern.captures(line))?;
            Some(found.name(group)?.as_str().trim().to_owned())
        };
        let status = find(&self.status, "status")?;
        let active = match status {
            status if status == self.on => true,
            status if status == self.off => false,
            _ => return None,
        };
        let shown = Shown {
            active,
            number: find(&self.number, "number"),
            rings: find(&self.rings, "rings").and_then(|rings| rings.parse().ok()),
        };
        Some((service, shown))
    }
}

/// A compiled pattern. Scenarios share profiles, and compiling costs more than a whole scenario.
fn compiled(pattern: &str) -> Option<Regex> {
    static COMPILED: Mutex<BTreeMap<String, Option<Regex>>> = Mutex::new(BTreeMap::new());
    let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = known.get(pattern) {
        return regex.clone();
    }
    let regex = Regex::new(pattern).ok();
    known.insert(pattern.to_owned(), regex.clone());
    regex
}
