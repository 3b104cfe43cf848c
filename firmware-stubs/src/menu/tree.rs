//! The menu of one product as data: pages with entries, editors of services, and what an idle screen shows.
//!
//! It is read from the model file and says nothing about keys: [`Handset`](super::Handset) works it. Titles, labels and
//! idle lines are keys into the texts of a language. `check` says what makes a tree that can be walked.
//!
//! ```toml
//! [menu]
//! root = "main"
//! idle = [{ show = "name" }, { show = "do-not-disturb", text = "quiet" }]
//!
//! [[menu.page]]
//! id = "main"
//! title = "menu"
//! entries = [{ label = "quiet", effect = "edit do-not-disturb" }]
//!
//! [[menu.editor]]
//! service = "do-not-disturb"
//! title = "quiet"
//! fields = ["status"]
//! ```

use document::did_you_mean;
use serde::Deserialize;
use sip::service::{Service, ValueKind};

/// The menu tree of one product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Menu {
    /// The language of the displays; there are texts for it.
    #[serde(default = "english")]
    pub language: String,
    /// The id of the page that the menu key opens.
    pub root: String,
    /// What an idle screen shows, from top to bottom.
    pub idle: Vec<IdleLine>,
    /// Every page.
    #[serde(rename = "page")]
    pub pages: Vec<Page>,
    /// Every editor, one for each service that a user can change.
    #[serde(rename = "editor")]
    pub editors: Vec<Form>,
}

fn english() -> String {
    "en".to_owned()
}

/// One page with entries.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Page {
    /// The word by which entries name it.
    pub id: String,
    /// The headline, as the key of a text.
    pub title: String,
    /// What can be chosen; never empty.
    pub entries: Vec<Entry>,
}

/// One line of a page.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Entry {
    /// What it says, as the key of a text.
    pub label: String,
    /// What it does.
    pub effect: Effect,
}

/// What an entry does.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Effect {
    /// `edit SERVICE`: opens its editor.
    Edit(Service),
    /// `open PAGE`
    Open(String),
    /// `toggle-ringer`: opens the ringer's own Do Not Disturb, which stays in the handset.
    ToggleRinger,
}

/// A text that is no effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("effect `{text}`: {problem}")]
pub struct UnknownEffect {
    text: String,
    problem: String,
}

impl TryFrom<String> for Effect {
    type Error = UnknownEffect;

    fn try_from(text: String) -> Result<Self, UnknownEffect> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let problem = match words.as_slice() {
            ["toggle-ringer"] => return Ok(Self::ToggleRinger),
            ["open", page] => return Ok(Self::Open((*page).to_owned())),
            ["edit", key] => match Service::from_key(key) {
                Some(service) => return Ok(Self::Edit(service)),
                None => {
                    let keys = Service::all().map(Service::key);
                    format!("unknown service{}", did_you_mean(key, keys))
                }
            },
            _ => {
                let word = words.first().copied().unwrap_or_default();
                let known = ["edit", "open", "toggle-ringer"];
                format!(
                    "neither `open PAGE` nor `edit SERVICE` nor `toggle-ringer`{}",
                    did_you_mean(word, known)
                )
            }
        };
        Err(UnknownEffect { text, problem })
    }
}

/// The editor of one service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Form {
    /// Which service.
    pub service: Service,
    /// The headline, as the key of a text.
    pub title: String,
    /// Its lines, from top to bottom; never empty, `status` among them.
    pub fields: Vec<Field>,
}

/// What can be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// The destination.
    Number,
    /// The number of rings.
    Rings,
    /// On or off.
    Status,
}

impl Field {
    /// The word in a model file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Number => "number",
            Self::Rings => "rings",
            Self::Status => "status",
        }
    }

    /// The fields that the value of a service has; none when no editor can show it.
    #[must_use]
    pub const fn of(service: Service) -> &'static [Self] {
        match service.value() {
            ValueKind::Switch => &[Self::Status],
            ValueKind::Forward { rings: false } => &[Self::Status, Self::Number],
            ValueKind::Forward { rings: true } => &[Self::Status, Self::Number, Self::Rings],
            ValueKind::AgentState | ValueKind::Guest => &[],
        }
    }
}

/// One line of the idle screen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IdleLine {
    /// What it is about.
    pub show: Shown,
    /// What it says while that is active, as the key of a text; the name stands for itself.
    pub text: Option<String>,
}

/// What a line of the idle screen is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub enum Shown {
    /// `name`: the display name, always there.
    Name,
    /// `ringer`: the ringer's own Do Not Disturb.
    Ringer,
    /// The key of a service.
    Service(Service),
}

/// A word that names nothing an idle screen can show.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an idle screen cannot show `{word}`{hint}")]
pub struct UnknownShown {
    word: String,
    hint: String,
}

impl TryFrom<String> for Shown {
    type Error = UnknownShown;

    fn try_from(word: String) -> Result<Self, UnknownShown> {
        match (word.as_str(), Service::from_key(&word)) {
            ("name", _) => Ok(Self::Name),
            ("ringer", _) => Ok(Self::Ringer),
            (_, Some(service)) => Ok(Self::Service(service)),
            _ => {
                let keys = Service::all().map(Service::key);
                let hint = did_you_mean(&word, keys.chain(["name", "ringer"]));
                Err(UnknownShown { word, hint })
            }
        }
    }
}

impl Menu {
    /// Where the page with this id stands in the list.
    #[must_use]
    pub fn position(&self, id: &str) -> Option<usize> {
        self.pages.iter().position(|page| page.id == id)
    }

    /// The editor of this service.
    #[must_use]
    pub fn form(&self, service: Service) -> Option<&Form> {
        self.editors.iter().find(|form| form.service == service)
    }

    /// The key of the text that an idle screen shows for this while it is active.
    #[must_use]
    pub fn idle_text(&self, shown: Shown) -> Option<&str> {
        let line = self.idle.iter().find(|line| line.show == shown)?;
        line.text.as_deref()
    }
}
