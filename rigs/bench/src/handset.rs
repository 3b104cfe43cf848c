//! The handset driver: a user with patience, who looks at the display after each key.
//!
//! It walks menus by what the display shows: it looks for an item's text, follows the cursor, reads the labels of the
//! display keys. It never counts key presses. A menu that is not as the profile says is [`RigError::Menu`], with the
//! display in words. The key that completes a change carries the intent. Whether keys go over a serial line, a web
//! interface or a person's fingers is the business of its [`Face`].

use crate::error::RigError;
use crate::face::{Face, Press};
use crate::profile::Profile;
use crate::screen::{InWords, Setting};
use evidence::record::{Intent, KeyEffect, Screen, Service, View};
use regex::Regex;
use std::sync::Arc;
use std::time::Duration;

/// No menu needs more keys than this for one purpose.
const PATIENCE: usize = 40;

/// One handset, worked through a face.
pub struct Handset<'b> {
    face: Box<dyn Face + 'b>,
    profile: Arc<Profile>,
}

impl<'b> Handset<'b> {
    /// The handset behind this face.
    #[must_use]
    pub fn new(face: Box<dyn Face + 'b>) -> Self {
        let profile = face.profile();
        Self { face, profile }
    }

    /// The handset's IPUI.
    #[must_use]
    pub fn ipui(&self) -> &str {
        self.face.ipui()
    }

    /// Reads the display.
    ///
    /// # Errors
    /// When the face does not answer.
    pub fn read_screen(&mut self) -> Result<Screen, RigError> {
        self.face.read()
    }

    /// Presses a key and reads the display after it.
    ///
    /// # Errors
    /// When the face does not answer.
    pub fn press(&mut self, key: &str) -> Result<Screen, RigError> {
        let effect = self.profile.keys.effect(key);
        self.press_keys(&[key], effect, None)
    }

    /// Returns to the idle screen from anywhere.
    ///
    /// # Errors
    /// When the handset does not get there.
    pub fn go_idle(&mut self) -> Result<Screen, RigError> {
        let profile = Arc::clone(&self.profile);
        let key = &profile.keys.idle;
        let mut screen = self.read_screen()?;
        for _ in 0..PATIENCE {
            if screen.view == View::Idle {
                return Ok(screen);
            }
            screen = self.press(key)?;
        }
        Err(self.lost("the idle screen was expected", &screen))
    }

    /// Walks from the idle screen to the service's editor.
    ///
    /// # Errors
    /// When the menu is not as the profile says.
    pub fn open_service_menu(&mut self, service: Service) -> Result<Screen, RigError> {
        let profile = Arc::clone(&self.profile);
        let screen = self.walk(profile.menu.path(service))?;
        if profile.display.is_editor_of(&screen, service) {
            return Ok(screen);
        }
        let title = profile.display.title(service);
        let title = title.map_or("", Regex::as_str);
        let expected = format!("an editor with the title /{title}/ and a status line was expected");
        Err(self.lost(&expected, &screen))
    }

    /// Walks to the service's editor, reads it and returns to the idle screen.
    ///
    /// # Errors
    /// When the menu is not as the profile says.
    pub fn read_service(&mut self, service: Service) -> Result<Setting, RigError> {
        let screen = self.open_service_menu(service)?;
        let setting = self.profile.display.setting(&screen);
        self.go_idle()?;
        Ok(setting)
    }

    /// Makes the change that a user has in mind: walks to the editor, sets status, number and rings as far as the intent
    /// names them, and saves. The recorded intent holds what the display showed when the save key was pressed. Gives the
    /// display right after the save; the handset stays in the editor.
    ///
    /// # Errors
    /// When the menu is not as the profile says, or does not take what is typed.
    pub fn set_service(&mut self, intent: Intent) -> Result<Screen, RigError> {
        let screen = self.open_service_menu(intent.service)?;
        self.edit(screen, intent)
    }

    /// Switches the handset's own ringer setting, which is no service of the server.
    ///
    /// # Errors
    /// When the menu is not as the profile says.
    pub fn set_local_do_not_disturb(&mut self, active: bool) -> Result<Screen, RigError> {
        let profile = Arc::clone(&self.profile);
        let screen = self.walk(&profile.menu.local)?;
        let screen = self.set_status(screen, active)?;
        self.press_save(&screen, None)
    }

    /// Dials digits from the idle screen: an ordinary call.
    ///
    /// # Errors
    /// When the face does not answer.
    pub fn dial(&mut self, digits: &str) -> Result<Screen, RigError> {
        self.go_idle()?;
        self.type_text(digits, KeyEffect::Dial)?;
        let profile = Arc::clone(&self.profile);
        self.press(&profile.keys.talk)
    }

    /// Waits until the display satisfies the condition: reads it at once, looks at what the base reports, and reads again
    /// now and then. `None` when time is up.
    ///
    /// # Errors
    /// When the face does not answer.
    pub fn until_screen(
        &mut self,
        within: Duration,
        mut condition: impl FnMut(&Screen) -> bool,
    ) -> Result<Option<Screen>, RigError> {
        self.face.until(within, &mut condition)
    }

    // Walking.

    fn walk(&mut self, path: &[String]) -> Result<Screen, RigError> {
        self.go_idle()?;
        let profile = Arc::clone(&self.profile);
        let mut screen = self.press(&profile.keys.menu)?;
        if screen.view != View::Menu || screen.title != profile.menu.root {
            let expected = format!("the menu \"{}\" was expected", profile.menu.root);
            return Err(self.lost(&expected, &screen));
        }
        for item in path {
            screen = self.open_item(screen, item)?;
        }
        Ok(screen)
    }

    fn open_item(&mut self, screen: Screen, item: &str) -> Result<Screen, RigError> {
        let what = format!("the item \"{item}\" was expected");
        let screen = self.move_to(screen, &what, |line| line == item)?;
        let profile = Arc::clone(&self.profile);
        let opened = match soft_key(&profile, &screen, &profile.menu.select) {
            Some(key) => self.press(key)?,
            None => self.press(&profile.keys.ok)?,
        };
        if opened.view == View::Menu && opened.title == item {
            Ok(opened)
        } else {
            let expected = format!("\"{item}\" was expected to open");
            Err(self.lost(&expected, &opened))
        }
    }

    /// Moves the cursor to the line that satisfies the condition: towards it where it is shown, else down until the menu
    /// starts again.
    fn move_to(
        &mut self,
        mut screen: Screen,
        expected: &str,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<Screen, RigError> {
        let profile = Arc::clone(&self.profile);
        let (up, down) = (&profile.keys.up, &profile.keys.down);
        let mut seen = Vec::new();
        for _ in 0..PATIENCE {
            let Some(cursor) = screen.cursor else { break };
            let target = screen.lines.iter().position(|line| wanted(line));
            let next = match target {
                Some(target) if target == cursor => return Ok(screen),
                Some(target) if target < cursor => self.press(up)?,
                Some(_) => self.press(down)?,
                None => {
                    let here = (cursor, screen.lines.clone());
                    if seen.contains(&here) {
                        break;
                    }
                    seen.push(here);
                    self.press(down)?
                }
            };
            if next.cursor == screen.cursor && next.lines == screen.lines && target.is_some() {
                break;
            }
            screen = next;
        }
        Err(self.lost(expected, &screen))
    }

    // Editing.

    fn edit(&mut self, screen: Screen, intent: Intent) -> Result<Screen, RigError> {
        let profile = Arc::clone(&self.profile);
        let display = &profile.display;
        let mut screen = self.set_status(screen, intent.active)?;
        if let Some(number) = &intent.number {
            screen = self.set_field(screen, &display.number, "number", number)?;
        }
        if let Some(rings) = intent.rings {
            screen = self.set_field(screen, &display.rings, "rings", &rings.to_string())?;
        }
        let shown = display.setting(&screen);
        let asked = Intent {
            service: intent.service,
            active: shown.active.unwrap_or(intent.active),
            number: shown.number.filter(|_| intent.service.forwards()),
            rings: shown.rings.filter(|_| intent.service.counts_rings()),
            agent: None,
        };
        self.press_save(&screen, Some(asked))
    }

    fn set_status(&mut self, screen: Screen, active: bool) -> Result<Screen, RigError> {
        let profile = Arc::clone(&self.profile);
        let display = &profile.display;
        let expected = "a status line was expected";
        let mut screen = self.move_to(screen, expected, |line| display.status.is_match(line))?;
        for _ in 0..3 {
            if display.setting(&screen).active == Some(active) {
                return Ok(screen);
            }
            screen = self.press(&profile.keys.toggle)?;
        }
        let expected = format!(
            "the status was expected to become {}",
            if active { "on" } else { "off" }
        );
        Err(self.lost(&expected, &screen))
    }

    fn set_field(
        &mut self,
        screen: Screen,
        pattern: &Regex,
        group: &str,
        value: &str,
    ) -> Result<Screen, RigError> {
        let text_of = |screen: &Screen| {
            screen.lines.iter().find_map(|line| {
                let found = pattern.captures(line)?;
                Some(found.name(group)?.as_str().trim().to_owned())
            })
        };
        let expected = format!("a line for the {group} was expected");
        let mut screen = self.move_to(screen, &expected, |line| pattern.is_match(line))?;
        if text_of(&screen).as_deref() == Some(value) {
            return Ok(screen);
        }
        let profile = Arc::clone(&self.profile);
        for _ in 0..PATIENCE {
            let Some(text) = text_of(&screen).filter(|text| !text.is_empty()) else {
                break;
            };
            let before = text.len();
            screen = self.press(&profile.keys.clear)?;
            if text_of(&screen).is_some_and(|text| text.len() >= before) {
                break;
            }
        }
        if text_of(&screen).is_some_and(|text| text.is_empty()) {
            screen = self.type_text(value, KeyEffect::Edit)?;
        }
        if text_of(&screen).as_deref() == Some(value) {
            Ok(screen)
        } else {
            let expected = format!("the {group} was expected to become \"{value}\"");
            Err(self.lost(&expected, &screen))
        }
    }

    /// Presses the keys of a text one after the other and reads the display once, after the last.
    fn type_text(&mut self, text: &str, effect: KeyEffect) -> Result<Screen, RigError> {
        let keys: Vec<String> = text.chars().map(String::from).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.press_keys(&keys, effect, None)
    }

    fn press_save(&mut self, screen: &Screen, intent: Option<Intent>) -> Result<Screen, RigError> {
        let profile = Arc::clone(&self.profile);
        let label = &profile.menu.save;
        let Some(key) = soft_key(&profile, screen, label) else {
            let expected = format!("the display key \"{label}\" was expected");
            return Err(self.lost(&expected, screen));
        };
        self.press_keys(&[key], KeyEffect::Save, intent)
    }

    fn press_keys(
        &mut self,
        keys: &[&str],
        effect: KeyEffect,
        intent: Option<Intent>,
    ) -> Result<Screen, RigError> {
        let press = Press {
            keys,
            effect,
            intent,
        };
        self.face.press(&press)
    }

    fn lost(&self, expected: &str, screen: &Screen) -> RigError {
        RigError::Menu {
            handset: self.face.ipui().to_owned(),
            expected: expected.to_owned(),
            shown: InWords(screen).to_string(),
        }
    }
}

/// The key under this label. Two labels stand left and right; a single one stands right.
fn soft_key<'p>(profile: &'p Profile, screen: &Screen, label: &str) -> Option<&'p str> {
    let index = screen.softkeys.iter().position(|shown| shown == label)?;
    let keys = &profile.keys.softkeys;
    let offset = keys.len().saturating_sub(screen.softkeys.len());
    keys.get(index + offset).map(String::as_str)
}
