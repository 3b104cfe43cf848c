//! One handset as its user sees it: keys in, a display out, and now and then a wish for the network.
//!
//! Where synchronisation is on, the display shows what the server said last and nothing else; a change that was saved is
//! a wish until the server speaks. Where it is off, the services live in the handset and no wish leaves it. The ringer's
//! own Do Not Disturb is neither: it never leaves the handset, and it is not the service.
//!
//! | open | key | next |
//! |---|---|---|
//! | idle | menu, right display key | main menu |
//! | idle | digit | dialling |
//! | dialling | talk | calling, wish to dial |
//! | calling | end | idle, wish to hang up |
//! | page | ok, right, right display key | what the entry opens |
//! | page, any editor | back, left display key | the page above |
//! | editor | ok, right display key | the same editor, wish to change |
//! | any | end | idle |

mod editor;
mod key;
mod page;
mod screen;
mod services;
pub mod texts;

pub use key::{Key, UnknownKey};
pub use screen::{Screen, View};
pub use services::{Known, Services};

use crate::defect::{Defect, Defects};
use crate::model::Model;
use editor::{Draft, Editor, Note};
use page::{Entry, Page};
use sip::feature_event::{Service, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use texts::{Texts, filled};

/// What a user asks of the network by a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Change a service.
    Change {
        /// Which.
        service: Service,
        /// To what.
        setting: Setting,
    },
    /// Call.
    Dial(String),
    /// End the call.
    HangUp,
}

#[derive(Clone, Debug)]
enum Open {
    Calling {
        digits: String,
    },
    Dialling {
        digits: String,
    },
    Editor(Editor),
    Idle,
    Page {
        page: Page,
        cursor: usize,
    },
    /// The ringer's own Do Not Disturb, as the user would have it.
    Ringer {
        on: bool,
    },
}

/// One handset's keys and display.
#[derive(Clone, Debug)]
pub struct Handset {
    model: Arc<Model>,
    defects: Defects,
    name: String,
    synchronised: bool,
    notified: Services,
    local: Services,
    waiting: BTreeSet<Service>,
    indicators: BTreeMap<Service, String>,
    ringer_dnd: bool,
    open: Open,
}

impl Handset {
    /// A handset that shows this name. `ringer_dnd` is what it has kept over a restart of its base.
    #[must_use]
    pub fn new(model: Arc<Model>, defects: Defects, name: &str, ringer_dnd: bool) -> Self {
        Self {
            model,
            defects,
            name: name.to_owned(),
            synchronised: false,
            notified: Services::default(),
            local: Services::off(),
            waiting: BTreeSet::new(),
            indicators: BTreeMap::new(),
            ringer_dnd,
            open: Open::Idle,
        }
    }

    /// Takes what provisioning says.
    pub fn configure(&mut self, name: &str, synchronised: bool) {
        name.clone_into(&mut self.name);
        if self.synchronised != synchronised {
            self.synchronised = synchronised;
            self.notified = Services::default();
            self.waiting.clear();
            self.indicators.clear();
            for service in Service::CALL {
                self.remember_indicator(service);
            }
            if let Open::Editor(editor) = &self.open {
                self.open = Open::Editor(Editor::new(editor.service, None));
            }
        }
    }

    /// Whether the ringer's own Do Not Disturb is on.
    #[must_use]
    pub const fn ringer_dnd(&self) -> bool {
        self.ringer_dnd
    }

    /// The server has spoken.
    pub fn handle_state(&mut self, service: Service, setting: &Setting) {
        if !self.synchronised {
            return;
        }
        self.waiting.remove(&service);
        self.notified.take(service, setting);
        self.remember_indicator(service);
        if let Open::Editor(editor) = &mut self.open
            && editor.service == service
            && editor.note == Some(Note::Refused)
        {
            editor.note = None;
        }
    }

    /// A change will not be.
    pub fn handle_refusal(&mut self, service: Service) {
        self.waiting.remove(&service);
        if let Open::Editor(editor) = &mut self.open
            && editor.service == service
        {
            editor.note = Some(Note::Refused);
        }
    }

    /// The call is over.
    pub fn handle_call_ended(&mut self) {
        if matches!(self.open, Open::Calling { .. }) {
            self.open = Open::Idle;
        }
    }

    /// A key was pressed.
    pub fn press(&mut self, key: Key) -> Option<Wish> {
        if key == Key::End {
            let calling = matches!(self.open, Open::Calling { .. });
            self.open = Open::Idle;
            return calling.then_some(Wish::HangUp);
        }
        match std::mem::replace(&mut self.open, Open::Idle) {
            Open::Calling { digits } => self.press_in_call(key, digits),
            Open::Dialling { digits } => self.press_while_dialling(key, digits),
            Open::Editor(editor) => self.press_in_editor(key, editor),
            Open::Idle => {
                self.press_on_idle(key);
                None
            }
            Open::Page { page, cursor } => {
                self.press_on_page(key, page, cursor);
                None
            }
            Open::Ringer { on } => self.press_in_ringer(key, on),
        }
    }

    fn press_on_idle(&mut self, key: Key) {
        match key {
            Key::Digit(digit) => {
                self.open = Open::Dialling {
                    digits: digit.to_string(),
                };
            }
            Key::Menu | Key::SoftRight => self.open_page(Page::Main, 0),
            _ => {}
        }
    }

    fn press_in_call(&mut self, key: Key, digits: String) -> Option<Wish> {
        if matches!(key, Key::Back | Key::SoftRight) {
            return Some(Wish::HangUp);
        }
        self.open = Open::Calling { digits };
        None
    }

    fn press_while_dialling(&mut self, key: Key, mut digits: String) -> Option<Wish> {
        match key {
            Key::Back | Key::SoftLeft => return None,
            Key::Ok | Key::SoftRight | Key::Talk => {
                self.open = Open::Calling {
                    digits: digits.clone(),
                };
                return Some(Wish::Dial(digits));
            }
            Key::Clear => drop(digits.pop()),
            Key::Digit(digit) if digits.len() < self.model.limits.number => digits.push(digit),
            _ => {}
        }
        if !digits.is_empty() {
            self.open = Open::Dialling { digits };
        }
        None
    }

    fn press_on_page(&mut self, key: Key, page: Page, cursor: usize) {
        let entries = page.entries();
        let count = entries.len();
        match key {
            Key::Back | Key::SoftLeft => self.leave(page),
            Key::Down => self.open_page(page, (cursor + 1) % count),
            Key::Menu => self.open_page(Page::Main, 0),
            Key::Ok | Key::Right | Key::SoftRight => match entries.get(cursor) {
                Some(Entry::Editor(service)) => self.open_editor(*service),
                Some(Entry::Page(below)) => self.open_page(*below, 0),
                Some(Entry::Ringer) => {
                    self.open = Open::Ringer {
                        on: self.ringer_dnd,
                    }
                }
                None => self.open_page(page, 0),
            },
            Key::Up => self.open_page(page, (cursor + count - 1) % count),
            _ => self.open_page(page, cursor),
        }
    }

    fn press_in_ringer(&mut self, key: Key, on: bool) -> Option<Wish> {
        match key {
            Key::Back | Key::SoftLeft => self.open_page(Page::AudioSettings, 0),
            Key::Left | Key::Right => self.open = Open::Ringer { on: !on },
            Key::Menu => self.open_page(Page::Main, 0),
            Key::Ok | Key::SoftRight => {
                self.ringer_dnd = on;
                self.open = Open::Ringer { on };
                return self.ringer_wish();
            }
            _ => self.open = Open::Ringer { on },
        }
        None
    }

    fn press_in_editor(&mut self, key: Key, mut editor: Editor) -> Option<Wish> {
        let service = editor.service;
        let known = self.services().known(service).cloned();
        let known = known.as_ref();
        let limits = &self.model.limits;
        let mut wish = None;
        editor.note = None;
        match key {
            Key::Back | Key::SoftLeft => {
                let page = Page::of(service);
                self.open_page(page, page.position(Entry::Editor(service)));
                return None;
            }
            Key::Clear => editor.delete(known),
            Key::Digit(digit) => editor.append(digit, known, limits),
            Key::Down => editor.move_cursor(true),
            Key::Left | Key::Right => editor.toggle(known),
            Key::Menu => {
                self.open_page(Page::Main, 0);
                return None;
            }
            Key::Ok | Key::SoftRight => {
                let setting = editor.save(known, limits);
                wish = setting.and_then(|setting| self.change(service, setting));
            }
            Key::Up => editor.move_cursor(false),
            Key::End | Key::Talk => {}
        }
        self.open = Open::Editor(editor);
        wish
    }

    /// Where the services are the handset's own they change at once; else it is for the server to say.
    fn change(&mut self, service: Service, setting: Setting) -> Option<Wish> {
        if self.synchronised {
            self.waiting.insert(service);
            return Some(Wish::Change { service, setting });
        }
        self.local.take(service, &setting);
        self.remember_indicator(service);
        None
    }

    fn ringer_wish(&self) -> Option<Wish> {
        let sends = self.synchronised && self.defects.has(Defect::SendsRingerToServer);
        sends.then_some(Wish::Change {
            service: Service::DoNotDisturb,
            setting: Setting {
                active: self.ringer_dnd,
                number: None,
                rings: None,
                agent: None,
            },
        })
    }

    fn open_page(&mut self, page: Page, cursor: usize) {
        self.open = Open::Page { page, cursor };
    }

    fn open_editor(&mut self, service: Service) {
        let stays = self.defects.has(Defect::OpenMenuIgnoresServer);
        let draft = stays.then(|| Draft::of(self.services().known(service)));
        self.open = Open::Editor(Editor::new(service, draft));
    }

    fn leave(&mut self, page: Page) {
        match page.parent() {
            Some(parent) => self.open_page(parent, parent.position(Entry::Page(page))),
            None => self.open = Open::Idle,
        }
    }

    const fn services(&self) -> &Services {
        if self.synchronised {
            &self.notified
        } else {
            &self.local
        }
    }

    fn texts(&self) -> &Texts {
        &self.model.display
    }

    /// What the display shows now.
    #[must_use]
    pub fn screen(&self) -> Screen {
        let texts = self.texts();
        match &self.open {
            Open::Calling { digits } => {
                self.menu_screen(&texts.calling, digits, ["", &texts.end_key])
            }
            Open::Dialling { digits } => {
                self.menu_screen(&texts.dial, digits, [&texts.back_key, &texts.dial])
            }
            Open::Editor(editor) => {
                let service = editor.service;
                let known = self.services().known(service);
                Screen {
                    view: View::Menu,
                    title: texts.service(service).title.clone(),
                    lines: editor.lines(known, texts, self.waiting.contains(&service)),
                    cursor: Some(editor.cursor()),
                    softkeys: [texts.back_key.clone(), texts.save_key.clone()],
                }
            }
            Open::Idle => Screen {
                view: View::Idle,
                title: String::new(),
                lines: self.idle_lines(),
                cursor: None,
                softkeys: [String::new(), texts.menu_key.clone()],
            },
            Open::Page { page, cursor } => {
                let label = |entry: &Entry| entry.label(texts).to_owned();
                Screen {
                    view: View::Menu,
                    title: page.title(texts).to_owned(),
                    lines: page.entries().iter().map(label).collect(),
                    cursor: Some(*cursor),
                    softkeys: [texts.back_key.clone(), texts.select_key.clone()],
                }
            }
            Open::Ringer { on } => Screen {
                view: View::Menu,
                title: texts.ringer_dnd.clone(),
                lines: vec![filled(
                    &texts.status,
                    if *on { &texts.on } else { &texts.off },
                )],
                cursor: Some(0),
                softkeys: [texts.back_key.clone(), texts.save_key.clone()],
            },
        }
    }

    fn menu_screen(&self, title: &str, line: &str, softkeys: [&str; 2]) -> Screen {
        Screen {
            view: View::Menu,
            title: title.to_owned(),
            lines: vec![line.to_owned()],
            cursor: None,
            softkeys: softkeys.map(str::to_owned),
        }
    }

    fn idle_lines(&self) -> Vec<String> {
        let texts = self.texts();
        let mut lines = vec![self.name.clone()];
        if !self.defects.has(Defect::ShowsNoIndicators) {
            lines.extend(
                Service::CALL
                    .iter()
                    .filter_map(|service| self.indicators.get(service).cloned()),
            );
        }
        if self.ringer_dnd {
            lines.push(if self.defects.has(Defect::ShowsRingerAsService) {
                texts.service(Service::DoNotDisturb).idle.clone()
            } else {
                texts.ringer_dnd_idle.clone()
            });
        }
        lines
    }

    fn remember_indicator(&mut self, service: Service) {
        let known = self.services().known(service).filter(|known| known.active);
        let text = known.map(|known| filled(&self.texts().service(service).idle, &known.number));
        match text {
            Some(text) => drop(self.indicators.insert(service, text)),
            None if self.defects.has(Defect::KeepsIndicators) => {}
            None => drop(self.indicators.remove(&service)),
        }
    }
}
