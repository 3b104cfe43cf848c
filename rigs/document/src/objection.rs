//! What a type has against a value, kept in parts until it is known where in the file the value stands.

use crate::suggestion::did_you_mean;
use serde::de::{Error, Expected, Unexpected};
use std::fmt;

/// Why a value is not what a type wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Objection {
    /// A key that must be there.
    Missing(String),
    /// Said by the type in its own words.
    Other(String),
    /// A key that does not exist.
    UnknownKey {
        key: String,
        known: &'static [&'static str],
    },
    /// A word that does not exist.
    UnknownWord {
        word: String,
        known: &'static [&'static str],
    },
    /// Another kind of value, or one out of range.
    Wrong { is: String, wanted: String },
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(_) => f.write_str("is missing"),
            Self::Other(text) => f.write_str(text),
            Self::UnknownKey { key, known } => {
                write!(f, "unknown key{}", did_you_mean(key, known.iter().copied()))
            }
            Self::UnknownWord { word, known } => {
                write!(
                    f,
                    "unknown word \"{word}\"{}",
                    did_you_mean(word, known.iter().copied())
                )
            }
            Self::Wrong { is, wanted } => write!(f, "is {is} but must be {wanted}"),
        }
    }
}

impl std::error::Error for Objection {}

impl Error for Objection {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Other(text.to_string())
    }

    fn invalid_type(is: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::Wrong {
            is: described(is),
            wanted: in_words(&wanted.to_string()),
        }
    }

    fn invalid_value(is: Unexpected<'_>, wanted: &dyn Expected) -> Self {
        Self::invalid_type(is, wanted)
    }

    fn invalid_length(length: usize, wanted: &dyn Expected) -> Self {
        Self::Wrong {
            is: format!("a list of {length}"),
            wanted: in_words(&wanted.to_string()),
        }
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        let word = word.to_owned();
        Self::UnknownWord { word, known }
    }

    fn unknown_field(key: &str, known: &'static [&'static str]) -> Self {
        let key = key.to_owned();
        Self::UnknownKey { key, known }
    }

    fn missing_field(key: &'static str) -> Self {
        Self::Missing(key.to_owned())
    }
}

/// What a value is.
pub(crate) fn described(value: Unexpected<'_>) -> String {
    match value {
        Unexpected::Bool(flag) => flag.to_string(),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the string \"{text}\""),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

/// What a value must be: the words of `serde` for Rust's types, in those of somebody who writes a file.
fn in_words(wanted: &str) -> String {
    let up_to = |most: u64| format!("a whole number from 0 to {most}");
    match wanted {
        "u8" => up_to(u8::MAX.into()),
        "u16" => up_to(u16::MAX.into()),
        "u32" => up_to(u32::MAX.into()),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "i64" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a string" | "str" => "a string in quotes".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        other if other.starts_with("struct ") => "a table".to_owned(),
        other if other.contains("enum") => "one of its words".to_owned(),
        other => other.to_owned(),
    }
}
