//! The texts of a handset's display, by language, from the model file.
//!
//! A text has a key. Some keys are words of the interpreter itself ([`Word`]), the others are named by the menu tree.
//! `{value}` stands for what the display fills in.

use serde::Deserialize;
use std::collections::BTreeMap;

/// Makes the list of the interpreter's own words out of one row for each.
macro_rules! words {
    ($($(#[doc = $doc:literal])* $word:ident = $key:literal;)+) => {
        /// A text that every display needs, whatever its menu tree.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Word {
            $($(#[doc = $doc])* $word,)+
        }

        impl Word {
            /// Every word.
            pub const ALL: &[Self] = &[$(Self::$word),+];

            /// The key of its text.
            #[must_use]
            pub const fn key(self) -> &'static str {
                match self {
                    $(Self::$word => $key,)+
                }
            }
        }
    };
}

words! {
    /// The label of the key that closes.
    BackKey = "back-key";
    /// The headline of a call.
    Calling = "calling";
    /// The headline while digits are typed, and the label of the key that calls.
    Dial = "dial";
    /// The label of the key that ends a call.
    EndKey = "end-key";
    /// Below an editor that cannot be saved as it is.
    Incomplete = "incomplete";
    /// The label of the key that opens the menu.
    MenuKey = "menu-key";
    /// The line of a number, with `{value}`.
    Number = "number";
    /// The value of a service that is off.
    Off = "off";
    /// The value of a service that is on.
    On = "on";
    /// Below an editor whose change will not be made.
    Refused = "refused";
    /// The line of a number of rings, with `{value}`.
    Rings = "rings";
    /// The label of the key that saves.
    SaveKey = "save-key";
    /// The label of the key that chooses.
    SelectKey = "select-key";
    /// The line of on and off, with `{value}`.
    Status = "status";
    /// In place of on and off while the server has not said which.
    Unknown = "unknown";
    /// Below an editor while a change is outstanding.
    Wait = "wait";
}

impl Word {
    /// Whether its text needs a place for a value.
    #[must_use]
    pub const fn has_value(self) -> bool {
        matches!(self, Self::Number | Self::Rings | Self::Status)
    }
}

/// The texts of one language, by key.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Texts(BTreeMap<String, String>);

impl Texts {
    /// No texts at all.
    #[must_use]
    pub const fn none() -> Self {
        Self(BTreeMap::new())
    }

    /// The text with this key; a model that was read has each one that it names.
    #[must_use]
    pub fn text(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    /// The text of this word.
    #[must_use]
    pub fn word(&self, word: Word) -> &str {
        self.text(word.key())
    }

    /// The keys of all texts.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// Whether there is a text with this key.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }
}

/// The text with its value filled in.
pub(super) fn filled(text: &str, value: &str) -> String {
    text.replace("{value}", value)
}
