//! What a handset's display shows in each of its states, out of the texts and the menu tree of its model.
//!
//! Nothing changes here: the same handset shows the same display however often it is asked.

use super::path::Path;
use super::texts::{Word, filled};
use super::tree::Shown;
use super::{Handset, Open, Screen, View};
use crate::defect::Defect;
use sip::service::Service;

impl Handset {
    /// What the display shows now.
    #[must_use]
    pub fn screen(&self) -> Screen {
        match &self.open {
            Open::Calling { digits } => {
                self.call_screen(Word::Calling, digits, [None, Some(Word::EndKey)])
            }
            Open::Dialling { digits } => {
                self.call_screen(Word::Dial, digits, [Some(Word::BackKey), Some(Word::Dial)])
            }
            Open::Editor { editor, .. } => {
                let known = self.services().known(editor.service);
                let waiting = self.waiting.contains(&editor.service);
                let form = self.model.menu.form(editor.service);
                Screen {
                    view: View::Menu,
                    title: form.map_or_else(String::new, |form| self.text(&form.title)),
                    lines: editor.lines(known, self.texts(), waiting),
                    cursor: Some(editor.cursor()),
                    softkeys: self.softkeys([Some(Word::BackKey), Some(Word::SaveKey)]),
                }
            }
            Open::Idle => Screen {
                view: View::Idle,
                title: String::new(),
                lines: self.idle_lines(),
                cursor: None,
                softkeys: self.softkeys([None, Some(Word::MenuKey)]),
            },
            Open::Page(path) => self.page_screen(path),
            Open::Ringer { path, on } => {
                let texts = self.texts();
                let entry = path.entry(&self.model.menu);
                let value = texts.word(if *on { Word::On } else { Word::Off });
                Screen {
                    view: View::Menu,
                    title: entry.map_or_else(String::new, |entry| self.text(&entry.label)),
                    lines: vec![filled(texts.word(Word::Status), value)],
                    cursor: Some(0),
                    softkeys: self.softkeys([Some(Word::BackKey), Some(Word::SaveKey)]),
                }
            }
        }
    }

    fn page_screen(&self, path: &Path) -> Screen {
        let softkeys = self.softkeys([Some(Word::BackKey), Some(Word::SelectKey)]);
        let Some(page) = path.page(&self.model.menu) else {
            return Screen::default();
        };
        let entries = page.entries.iter();
        Screen {
            view: View::Menu,
            title: self.text(&page.title),
            lines: entries.map(|entry| self.text(&entry.label)).collect(),
            cursor: Some(path.cursor()),
            softkeys,
        }
    }

    fn call_screen(&self, title: Word, digits: &str, softkeys: [Option<Word>; 2]) -> Screen {
        Screen {
            view: View::Menu,
            title: self.texts().word(title).to_owned(),
            lines: vec![digits.to_owned()],
            cursor: None,
            softkeys: self.softkeys(softkeys),
        }
    }

    fn idle_lines(&self) -> Vec<String> {
        let lines = self.model.menu.idle.iter();
        lines
            .filter_map(|line| match line.show {
                Shown::Name => Some(self.name.clone()),
                Shown::Ringer => self
                    .ringer_dnd
                    .then(|| self.ringer_line(line.text.as_deref())),
                Shown::Service(_) if self.defects.has(Defect::ShowsNoIndicators) => None,
                Shown::Service(service) => self.indicators.get(&service).cloned(),
            })
            .collect()
    }

    fn ringer_line(&self, own: Option<&str>) -> String {
        let service = self
            .model
            .menu
            .idle_text(Shown::Service(Service::DoNotDisturb));
        let as_service = service.filter(|_| self.defects.has(Defect::ShowsRingerAsService));
        self.text(as_service.or(own).unwrap_or_default())
    }

    fn softkeys(&self, words: [Option<Word>; 2]) -> [String; 2] {
        let texts = self.texts();
        words.map(|word| word.map_or("", |word| texts.word(word)).to_owned())
    }

    fn text(&self, key: &str) -> String {
        self.texts().text(key).to_owned()
    }
}
