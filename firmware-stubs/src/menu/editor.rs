//! The editor of one service: status, number, rings, and what became of the last change.
//!
//! | state | input | next | what happens |
//! |---|---|---|---|
//! | following | the server speaks | following | it shows what the server says |
//! | following | an edit | changing | it shows the user's draft |
//! | changing | the server speaks | changing | the draft stays |
//! | any | save, draft complete | following | the change goes out; it shows what the server said last |
//! | any | save, draft incomplete | changing | a note says so |

use super::services::{Known, RINGS};
use super::texts::{Texts, Word, filled};
use super::tree::{Field, Form};
use crate::model::Limits;
use sip::service::{Service, Setting};

/// What an editor says below its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Note {
    Incomplete,
    Refused,
}

/// What the fields hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Draft {
    active: Option<bool>,
    number: String,
    rings: String,
}

impl Draft {
    pub(super) fn of(known: Option<&Known>) -> Self {
        known.map_or_else(Self::default, |known| Self {
            active: Some(known.active),
            number: known.number.clone(),
            rings: known
                .rings
                .map(|rings| rings.to_string())
                .unwrap_or_default(),
        })
    }
}

/// One open editor.
#[derive(Clone, Debug)]
pub(super) struct Editor {
    pub(super) service: Service,
    pub(super) note: Option<Note>,
    /// From top to bottom; never empty.
    fields: Vec<Field>,
    /// Below the number of fields.
    cursor: usize,
    draft: Option<Draft>,
}

impl Editor {
    /// An editor that follows the server, or one that was opened with `draft` and does not.
    pub(super) fn new(form: &Form, draft: Option<Draft>) -> Self {
        Self {
            service: form.service,
            note: None,
            fields: form.fields.clone(),
            cursor: 0,
            draft,
        }
    }

    /// The same editor as it was when it was opened.
    pub(super) fn opened_again(self) -> Self {
        Self {
            note: None,
            cursor: 0,
            draft: None,
            ..self
        }
    }

    fn field(&self) -> Field {
        self.fields
            .get(self.cursor)
            .copied()
            .unwrap_or(Field::Status)
    }

    pub(super) const fn cursor(&self) -> usize {
        self.cursor
    }

    pub(super) fn move_cursor(&mut self, down: bool) {
        let count = self.fields.len();
        self.cursor = if down {
            (self.cursor + 1) % count
        } else {
            (self.cursor + count - 1) % count
        };
    }

    /// Left or right: turns the status round.
    pub(super) fn toggle(&mut self, known: Option<&Known>) {
        if self.field() == Field::Status {
            let draft = self.draft.get_or_insert_with(|| Draft::of(known));
            draft.active = Some(!draft.active.unwrap_or(false));
        }
    }

    /// A digit, `*` or `#` for the field under the cursor.
    pub(super) fn append(&mut self, digit: char, known: Option<&Known>, limits: &Limits) {
        let field = self.field();
        let draft = self.draft.get_or_insert_with(|| Draft::of(known));
        match field {
            Field::Number if draft.number.chars().count() < limits.number => {
                draft.number.push(digit);
            }
            Field::Rings if digit.is_ascii_digit() && draft.rings.len() < 3 => {
                draft.rings.push(digit);
            }
            Field::Status | Field::Number | Field::Rings => {}
        }
    }

    /// Deletes the last character of the field under the cursor.
    pub(super) fn delete(&mut self, known: Option<&Known>) {
        let field = self.field();
        let draft = self.draft.get_or_insert_with(|| Draft::of(known));
        match field {
            Field::Number => drop(draft.number.pop()),
            Field::Rings => drop(draft.rings.pop()),
            Field::Status => {}
        }
    }

    /// What is to be asked of the server, or nothing when the draft is incomplete.
    pub(super) fn save(&mut self, known: Option<&Known>, limits: &Limits) -> Option<Setting> {
        let draft = self.draft.clone().unwrap_or_else(|| Draft::of(known));
        let setting = self.setting(&draft, limits);
        if setting.is_some() {
            self.draft = None;
        } else {
            self.draft = Some(draft);
            self.note = Some(Note::Incomplete);
        }
        setting
    }

    /// What the draft asks for. A field of the service that no line shows keeps what is known.
    fn setting(&self, draft: &Draft, limits: &Limits) -> Option<Setting> {
        let active = draft.active?;
        let mut setting = Setting {
            active,
            ..Setting::default()
        };
        let fields = Field::of(self.service);
        if fields.contains(&Field::Number) {
            if active && draft.number.is_empty() {
                return None;
            }
            setting.number = (!draft.number.is_empty()).then(|| draft.number.clone());
        }
        if fields.contains(&Field::Rings) {
            let rings = match draft.rings.as_str() {
                "" => Some(limits.default_rings),
                rings => rings.parse().ok(),
            };
            setting.rings = rings.filter(|rings| RINGS.contains(rings));
            if active && setting.rings.is_none() {
                return None;
            }
        }
        Some(setting)
    }

    /// The lines: the fields, then the note.
    pub(super) fn lines(&self, known: Option<&Known>, texts: &Texts, waiting: bool) -> Vec<String> {
        let shown = self.draft.clone().unwrap_or_else(|| Draft::of(known));
        let status = texts.word(match shown.active {
            None => Word::Unknown,
            Some(false) => Word::Off,
            Some(true) => Word::On,
        });
        let field = |field: &Field| match field {
            Field::Status => filled(texts.word(Word::Status), status),
            Field::Number => filled(texts.word(Word::Number), &shown.number),
            Field::Rings => filled(texts.word(Word::Rings), &shown.rings),
        };
        let mut lines: Vec<String> = self.fields.iter().map(field).collect();
        let note = match self.note {
            None if waiting && self.draft.is_none() => Some(Word::Wait),
            None => None,
            Some(Note::Incomplete) => Some(Word::Incomplete),
            Some(Note::Refused) => Some(Word::Refused),
        };
        lines.extend(note.map(|note| texts.word(note).to_owned()));
        lines
    }
}
