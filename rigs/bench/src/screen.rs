//! Reading a display with the profile's patterns: what an idle screen and an editor say about a service. Nothing here
//! asks a base; it judges text that was read already.

use crate::profile::Display;
use evidence::record::{Screen, Service, View};
use std::fmt;

/// An idle line that says that a service is active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdleMark {
    /// The destination it shows, for a forwarding.
    pub number: Option<String>,
}

/// What an editor shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// On or off; `None` when no line says so.
    pub active: Option<bool>,
    /// The destination, empty when its line is empty; `None` when there is no such line.
    pub number: Option<String>,
    /// The number of rings; `None` when there is no such line or no number in it.
    pub rings: Option<u32>,
    /// The display says that a change is outstanding.
    pub waiting: bool,
    /// The display says that a change was refused.
    pub refused: bool,
}

impl Display {
    /// What an idle screen says about the service: `None` when it shows nothing of it, or when it is no idle screen.
    #[must_use]
    pub fn idle_mark(&self, screen: &Screen, service: Service) -> Option<IdleMark> {
        if screen.view != View::Idle {
            return None;
        }
        let pattern = self.idle(service)?;
        screen.lines.iter().find_map(|line| {
            let found = pattern.captures(line)?;
            let number = found
                .name("number")
                .map(|number| number.as_str().to_owned());
            Some(IdleMark { number })
        })
    }

    /// Whether the idle screen shows the handset's own ringer setting.
    #[must_use]
    pub fn shows_local(&self, screen: &Screen) -> bool {
        screen.view == View::Idle
            && screen
                .lines
                .iter()
                .any(|line| self.idle_local.is_match(line))
    }

    /// Whether this screen is the service's editor.
    #[must_use]
    pub fn is_editor_of(&self, screen: &Screen, service: Service) -> bool {
        let title = self.title(service);
        screen.view == View::Menu
            && title.is_some_and(|title| title.is_match(&screen.title))
            && screen.lines.iter().any(|line| self.status.is_match(line))
    }

    /// What an editor shows; all empty for any other screen.
    #[must_use]
    pub fn setting(&self, screen: &Screen) -> Setting {
        let mut setting = Setting::default();
        for line in &screen.lines {
            if let Some(found) = self.status.captures(line) {
                setting.active = match found.name("status").map(|word| word.as_str().trim()) {
                    Some(word) if word == self.on => Some(true),
                    Some(word) if word == self.off => Some(false),
                    _ => None,
                };
            } else if let Some(found) = self.number.captures(line) {
                setting.number = found
                    .name("number")
                    .map(|text| text.as_str().trim().to_owned());
            } else if let Some(found) = self.rings.captures(line) {
                setting.rings = found
                    .name("rings")
                    .and_then(|text| text.as_str().trim().parse().ok());
            } else if self.wait.is_match(line) {
                setting.waiting = true;
            } else if self.refused.is_match(line) {
                setting.refused = true;
            }
        }
        setting
    }
}

/// A screen in words, for errors.
#[derive(Debug)]
pub struct InWords<'s>(pub &'s Screen);

impl fmt::Display for InWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Screen {
            title,
            lines,
            cursor,
            softkeys,
            ..
        } = self.0;
        match self.0.view {
            View::Idle => f.write_str("the idle screen")?,
            View::Menu => write!(f, "\"{title}\"")?,
        }
        let marked: Vec<String> = lines
            .iter()
            .enumerate()
            .map(|(index, line)| {
                if Some(index) == *cursor {
                    format!("> {line}")
                } else {
                    line.clone()
                }
            })
            .collect();
        write!(f, " [{}] ({})", marked.join(" / "), softkeys.join(" | "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn display() -> Display {
        let text = include_str!("../../profiles/n870.toml");
        Profile::from_toml(text, "n870.toml").unwrap().display
    }

    fn screen(view: View, title: &str, lines: &[&str]) -> Screen {
        Screen {
            handset: "029e74a599".to_owned(),
            view,
            title: title.to_owned(),
            lines: lines.iter().map(|line| (*line).to_owned()).collect(),
            cursor: Some(0),
            softkeys: vec!["Back".to_owned(), "Save".to_owned()],
        }
    }

    #[test]
    fn idle_lines_are_read_with_their_number() {
        let idle = screen(View::Idle, "", &["Anna", "Divert busy: 2424"]);
        let mark = display().idle_mark(&idle, Service::CallForwardingBusy);
        assert_eq!(mark.unwrap().number.as_deref(), Some("2424"));
        assert_eq!(display().idle_mark(&idle, Service::DoNotDisturb), None);
        let local = screen(View::Idle, "", &["Anna", "Local: Do not disturb"]);
        assert_eq!(display().idle_mark(&local, Service::DoNotDisturb), None);
        assert!(display().shows_local(&local));
    }

    #[test]
    fn an_editor_is_read_line_by_line() {
        let lines = ["Status: On", "Phone Number: ", "Rings: 3", "Please wait..."];
        let editor = screen(View::Menu, "No Reply", &lines);
        assert!(display().is_editor_of(&editor, Service::CallForwardingNoAnswer));
        assert_eq!(
            display().setting(&editor),
            Setting {
                active: Some(true),
                number: Some(String::new()),
                rings: Some(3),
                waiting: true,
                refused: false,
            }
        );
    }

    #[test]
    fn a_menu_item_of_the_same_name_is_no_editor() {
        let menu = screen(View::Menu, "Do Not Disturb", &["Do Not Disturb"]);
        assert!(!display().is_editor_of(&menu, Service::DoNotDisturb));
    }

    #[test]
    fn a_screen_in_words_shows_the_cursor() {
        let menu = screen(View::Menu, "Call Divert", &["All Calls", "When Busy"]);
        assert_eq!(
            InWords(&menu).to_string(),
            "\"Call Divert\" [> All Calls / When Busy] (Back | Save)"
        );
    }
}
