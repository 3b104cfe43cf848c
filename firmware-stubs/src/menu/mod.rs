//! One handset as its user sees it: keys in, a display out, and now and then a request to the network.
//!
//! Where synchronisation is on, the display shows what the server said last and nothing else; a change that was saved
//! counts once the server notifies it. Where it is off, the services are kept in the handset and no request leaves it.
//! The ringer's own Do Not Disturb is neither: it never leaves the handset, and it is not the service. Which pages there
//! are, and what they say, is data ([`tree`]).
//!
//! | open | key | next |
//! |---|---|---|
//! | idle | menu, right display key | the root page |
//! | idle | digit | dialling |
//! | dialling | talk | calling, request to dial |
//! | calling | end | idle, request to hang up |
//! | page | ok, right, right display key | what the entry opens |
//! | page, any editor | back, left display key | the page above |
//! | editor | ok, right display key | the same editor, request to change |
//! | any | end | idle |

pub(crate) mod check;
mod display;
mod editor;
mod key;
mod path;
mod screen;
mod services;
pub mod texts;
pub mod tree;

pub use key::{Key, UnknownKey};
pub use screen::{Screen, View};
pub use services::{Known, Services};

use crate::defect::{Defect, Defects};
use crate::model::Model;
use editor::{Draft, Editor, Note};
use path::Path;
use sip::service::{Service, Setting};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use texts::{Texts, filled};
use tree::{Effect, Menu, Shown};

/// What a user asks of the network by a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
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
    Editor {
        /// The pages above.
        path: Path,
        editor: Editor,
    },
    Idle,
    Page(Path),
    /// The ringer's own Do Not Disturb.
    Ringer {
        /// The pages above.
        path: Path,
        /// As the user would have it.
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
            local: Services::off(&model.services),
            model,
            defects,
            name: name.to_owned(),
            synchronised: false,
            notified: Services::default(),
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
            for service in self.model.services.clone() {
                self.remember_indicator(service);
            }
            self.open = match std::mem::replace(&mut self.open, Open::Idle) {
                Open::Editor { path, editor } => Open::Editor {
                    path,
                    editor: editor.opened_again(),
                },
                open => open,
            };
        }
    }

    /// Whether the ringer's own Do Not Disturb is on.
    #[must_use]
    pub const fn ringer_dnd(&self) -> bool {
        self.ringer_dnd
    }

    /// The server has spoken.
    pub fn handle_state(&mut self, service: Service, setting: &Setting) {
        if !self.synchronised || !self.model.services.contains(&service) {
            return;
        }
        self.waiting.remove(&service);
        self.notified.take(service, setting);
        self.remember_indicator(service);
        if let Open::Editor { editor, .. } = &mut self.open
            && editor.service == service
            && editor.note == Some(Note::Refused)
        {
            editor.note = None;
        }
    }

    /// A change will not be made.
    pub fn handle_refusal(&mut self, service: Service) {
        self.waiting.remove(&service);
        if let Open::Editor { editor, .. } = &mut self.open
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
    pub fn press(&mut self, key: Key) -> Option<Request> {
        if key == Key::End {
            let calling = matches!(self.open, Open::Calling { .. });
            self.open = Open::Idle;
            return calling.then_some(Request::HangUp);
        }
        match std::mem::replace(&mut self.open, Open::Idle) {
            Open::Calling { digits } => self.press_in_call(key, digits),
            Open::Dialling { digits } => self.press_while_dialling(key, digits),
            Open::Editor { path, editor } => self.press_in_editor(key, path, editor),
            Open::Idle => {
                self.press_on_idle(key);
                None
            }
            Open::Page(path) => {
                self.press_on_page(key, path);
                None
            }
            Open::Ringer { path, on } => self.press_in_ringer(key, path, on),
        }
    }

    fn press_on_idle(&mut self, key: Key) {
        match key {
            Key::Digit(digit) => {
                self.open = Open::Dialling {
                    digits: digit.to_string(),
                };
            }
            Key::Menu | Key::SoftRight => self.open_root(),
            _ => {}
        }
    }

    fn press_in_call(&mut self, key: Key, digits: String) -> Option<Request> {
        if matches!(key, Key::Back | Key::SoftRight) {
            return Some(Request::HangUp);
        }
        self.open = Open::Calling { digits };
        None
    }

    fn press_while_dialling(&mut self, key: Key, mut digits: String) -> Option<Request> {
        match key {
            Key::Back | Key::SoftLeft => return None,
            Key::Ok | Key::SoftRight | Key::Talk => {
                self.open = Open::Calling {
                    digits: digits.clone(),
                };
                return Some(Request::Dial(digits));
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

    fn press_on_page(&mut self, key: Key, mut path: Path) {
        let model = Arc::clone(&self.model);
        match key {
            Key::Back | Key::SoftLeft => {
                self.open = path.leave().map_or(Open::Idle, Open::Page);
                return;
            }
            Key::Down => path.move_cursor(&model.menu, true),
            Key::Menu => return self.open_root(),
            Key::Ok | Key::Right | Key::SoftRight => return self.choose(&model.menu, path),
            Key::Up => path.move_cursor(&model.menu, false),
            _ => {}
        }
        self.open = Open::Page(path);
    }

    /// Does what the entry under the cursor does.
    fn choose(&mut self, menu: &Menu, path: Path) {
        self.open = match path.entry(menu).map(|entry| &entry.effect) {
            Some(Effect::Edit(service)) => match menu.form(*service) {
                Some(form) => {
                    let stays = self.defects.has(Defect::OpenMenuIgnoresServer);
                    let draft = stays.then(|| Draft::of(self.services().known(*service)));
                    let editor = Editor::new(form, draft);
                    Open::Editor { path, editor }
                }
                None => Open::Page(path),
            },
            Some(Effect::Open(id)) => match menu.position(id) {
                Some(page) => Open::Page(path.enter(page)),
                None => Open::Page(path),
            },
            Some(Effect::ToggleRinger) => Open::Ringer {
                path,
                on: self.ringer_dnd,
            },
            None => Open::Page(path),
        };
    }

    fn press_in_ringer(&mut self, key: Key, path: Path, on: bool) -> Option<Request> {
        match key {
            Key::Back | Key::SoftLeft => self.open = Open::Page(path),
            Key::Left | Key::Right => self.open = Open::Ringer { path, on: !on },
            Key::Menu => self.open_root(),
            Key::Ok | Key::SoftRight => {
                self.ringer_dnd = on;
                self.open = Open::Ringer { path, on };
                return self.ringer_request();
            }
            _ => self.open = Open::Ringer { path, on },
        }
        None
    }

    fn press_in_editor(&mut self, key: Key, path: Path, mut editor: Editor) -> Option<Request> {
        let service = editor.service;
        let known = self.services().known(service).cloned();
        let known = known.as_ref();
        let limits = &self.model.limits;
        let mut request = None;
        editor.note = None;
        match key {
            Key::Back | Key::SoftLeft => {
                self.open = Open::Page(path);
                return None;
            }
            Key::Clear => editor.delete(known),
            Key::Digit(digit) => editor.append(digit, known, limits),
            Key::Down => editor.move_cursor(true),
            Key::Left | Key::Right => editor.toggle(known),
            Key::Menu => {
                self.open_root();
                return None;
            }
            Key::Ok | Key::SoftRight => {
                let setting = editor.save(known, limits);
                request = setting.and_then(|setting| self.change(service, setting));
            }
            Key::Up => editor.move_cursor(false),
            Key::End | Key::Talk => {}
        }
        self.open = Open::Editor { path, editor };
        request
    }

    /// Where the services are the handset's own they change at once; else it is for the server to say.
    fn change(&mut self, service: Service, setting: Setting) -> Option<Request> {
        if self.synchronised {
            self.waiting.insert(service);
            return Some(Request::Change { service, setting });
        }
        self.local.take(service, &setting);
        self.remember_indicator(service);
        None
    }

    fn ringer_request(&self) -> Option<Request> {
        let sends = self.synchronised && self.defects.has(Defect::SendsRingerToServer);
        sends.then_some(Request::Change {
            service: Service::DoNotDisturb,
            setting: Setting {
                active: self.ringer_dnd,
                ..Setting::default()
            },
        })
    }

    fn open_root(&mut self) {
        let menu = &self.model.menu;
        // A model that was read has its root.
        let root = menu.position(&menu.root).unwrap_or_default();
        self.open = Open::Page(Path::new(root));
    }

    const fn services(&self) -> &Services {
        if self.synchronised {
            &self.notified
        } else {
            &self.local
        }
    }

    fn texts(&self) -> &Texts {
        self.model.texts()
    }

    fn remember_indicator(&mut self, service: Service) {
        let known = self.services().known(service).filter(|known| known.active);
        let text = self.model.menu.idle_text(Shown::Service(service));
        let text = known
            .zip(text)
            .map(|(known, text)| filled(self.texts().text(text), &known.number));
        match text {
            Some(text) => drop(self.indicators.insert(service, text)),
            None if self.defects.has(Defect::KeepsIndicators) => {}
            None => drop(self.indicators.remove(&service)),
        }
    }
}
