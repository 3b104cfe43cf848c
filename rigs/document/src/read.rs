//! From the tree to a type, and from what the type objects to back to the place in the file.
//!
//! `serde` says what is wrong and `serde_path_to_error` where. A type that is chosen by a word inside its table
//! (`#[serde(tag = ..)]`) is read from a copy whose places are not known any more: there the value that is objected to is
//! looked for among those of the table.

use crate::error::Wrong;
use crate::node::{Node, Value, joined};
use crate::objection::{Objection, described};
use serde::de::value::{MapAccessDeserializer, MapDeserializer, SeqDeserializer};
use serde::de::{DeserializeOwned, Error, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserializer, forward_to_deserialize_any};
use serde_path_to_error::{Path, Segment};

/// Everything below a node as a `T`.
pub(crate) fn read<T: DeserializeOwned>(root: &Node) -> Result<T, Wrong> {
    serde_path_to_error::deserialize(root).map_err(|error| {
        let path = error.path().clone();
        located(root, &path, &error.into_inner())
    })
}

impl<'de> IntoDeserializer<'de, Objection> for &'de Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for &'de Node {
    type Error = Objection;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Objection> {
        match &self.value {
            Value::Boolean(flag) => visitor.visit_bool(*flag),
            Value::Date(_) => Err(Objection::invalid_type(self.unexpected(), &visitor)),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::List(list) => SeqDeserializer::new(list.iter()).deserialize_any(visitor),
            Value::Nothing => visitor.visit_unit(),
            Value::Table(entries) => table(entries).deserialize_any(visitor),
            Value::Text(text) => visitor.visit_borrowed_str(text),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Objection> {
        match self.value {
            Value::Nothing => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Objection> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        words: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Objection> {
        match &self.value {
            Value::Text(word) => visitor.visit_enum(word.as_str().into_deserializer()),
            Value::Table(entries) if entries.len() == 1 => {
                visitor.visit_enum(MapAccessDeserializer::new(table(entries)))
            }
            Value::Table(_) => Err(Objection::Other(format!(
                "must have exactly one of the keys {}",
                words.join(", ")
            ))),
            _ => Err(Objection::Wrong {
                is: described(self.unexpected()),
                wanted: format!("one of {}", words.join(", ")),
            }),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

type Entries<'n> = std::iter::Map<
    std::slice::Iter<'n, (String, Node)>,
    fn(&'n (String, Node)) -> (&'n str, &'n Node),
>;

fn table(entries: &[(String, Node)]) -> MapDeserializer<'_, Entries<'_>, Objection> {
    let entry: fn(&(String, Node)) -> (&str, &Node) = |(key, node)| (key, node);
    MapDeserializer::new(entries.iter().map(entry))
}

/// A place in the tree: the node that is nearest, its line and the whole key.
struct Place<'n> {
    node: &'n Node,
    line: usize,
    key: String,
}

impl<'n> Place<'n> {
    /// Goes one key down, as far as there is anything.
    fn enter(&mut self, key: &str) {
        // A fact stands for its value: nobody looks for the key `value`.
        let hidden = key == "value" && self.node.fact_value().is_some();
        if !hidden {
            self.key = joined(&self.key, key);
        }
        if let Some(below) = self.node.get(key) {
            self.step(below);
        }
    }

    fn enter_element(&mut self, index: usize) {
        self.key = format!("{}[{index}]", self.key);
        if let Some(below) = self.node.element(index) {
            self.step(below);
        }
    }

    fn step(&mut self, below: &'n Node) {
        self.node = below;
        self.line = below.line;
    }

    /// Goes to the one value in this table that is such, if there is exactly one.
    fn enter_only(&mut self, such: impl Fn(Unexpected<'_>) -> bool) {
        let Value::Table(entries) = &self.node.value else {
            return;
        };
        let mut found = entries.iter().filter(|(_, node)| such(node.unexpected()));
        if let (Some((key, _)), None) = (found.next(), found.next()) {
            self.enter(key);
        }
    }
}

fn located(root: &Node, path: &Path, objection: &Objection) -> Wrong {
    let mut place = Place {
        node: root,
        line: root.line,
        key: String::new(),
    };
    let mut last = None;
    for segment in path {
        match segment {
            Segment::Map { key } => place.enter(key),
            Segment::Enum { variant } if place.node.get(variant).is_some() => place.enter(variant),
            Segment::Seq { index } => place.enter_element(*index),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
        last = Some(segment);
    }
    let is_last = |word: &str| matches!(last, Some(Segment::Map { key }) if key == word);
    let mut problem = objection.to_string();
    match objection {
        Objection::UnknownKey { key, .. } if !is_last(key) => place.enter(key),
        // The keys of a map are words too.
        Objection::UnknownWord { word, known } if is_last(word) => {
            let (key, known) = (word.clone(), *known);
            problem = Objection::UnknownKey { key, known }.to_string();
        }
        Objection::UnknownWord { word, known } if place.node.get(word).is_some() => {
            place.enter(word);
            let (key, known) = (word.clone(), *known);
            problem = Objection::UnknownKey { key, known }.to_string();
        }
        Objection::UnknownWord { word, .. } => {
            place.enter_only(|value| value == Unexpected::Str(word));
        }
        Objection::Wrong { is, .. } => place.enter_only(|value| described(value) == *is),
        Objection::Missing(key) => place.key = joined(&place.key, key),
        Objection::UnknownKey { .. } | Objection::Other(_) => {}
    }
    Wrong {
        line: place.line,
        key: place.key,
        problem,
    }
}
