//! A file as a tree of values, each with its line. It is the same for TOML and JSON.

use serde::de::Unexpected;

/// One value, on the line of its key, or on its own line in a list.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    pub(crate) line: usize,
    pub(crate) value: Value,
}

#[derive(Clone, Debug)]
pub(crate) enum Value {
    Boolean(bool),
    /// Only TOML has dates, and no file of ours wants one.
    Date(String),
    Float(f64),
    Integer(i64),
    List(Vec<Node>),
    Nothing,
    Table(Vec<(String, Node)>),
    Text(String),
}

impl Node {
    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Table(entries) = &self.value else {
            return None;
        };
        let entry = entries.iter().find(|(name, _)| name == key);
        entry.map(|(_, node)| node)
    }

    pub(crate) fn element(&self, index: usize) -> Option<&Self> {
        match &self.value {
            Value::List(list) => list.get(index),
            _ => None,
        }
    }

    /// The value of a fact, a table with `value` and `claim`.
    pub(crate) fn fact_value(&self) -> Option<&Self> {
        self.get("claim").and_then(|_| self.get("value"))
    }

    /// What stands at a dotted key.
    pub(crate) fn at(&self, key: &str) -> Option<&Self> {
        steps(key).try_fold(self, Self::step)
    }

    /// The line of a dotted key, or of what is nearest around it.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        let mut node = self;
        for step in steps(key) {
            match node.step(step) {
                Some(below) => node = below,
                None => break,
            }
        }
        node.line
    }

    fn step(&self, step: Step<'_>) -> Option<&Self> {
        match step {
            Step::Key(key) => self.get(key).or_else(|| self.fact_value()?.get(key)),
            Step::Element(index) => self.fact_value().unwrap_or(self).element(index),
        }
    }

    pub(crate) fn unexpected(&self) -> Unexpected<'_> {
        match &self.value {
            Value::Boolean(flag) => Unexpected::Bool(*flag),
            Value::Date(_) => Unexpected::Other("a date"),
            Value::Float(number) => Unexpected::Float(*number),
            Value::Integer(number) => Unexpected::Signed(*number),
            Value::List(_) => Unexpected::Seq,
            Value::Nothing => Unexpected::Unit,
            Value::Table(_) => Unexpected::Map,
            Value::Text(text) => Unexpected::Str(text),
        }
    }
}

/// One step of a dotted key.
#[derive(Clone, Copy)]
enum Step<'k> {
    Element(usize),
    Key(&'k str),
}

fn steps(key: &str) -> impl Iterator<Item = Step<'_>> {
    key.split(['.', '['])
        .filter(|part| !part.is_empty())
        .map(|part| match part.strip_suffix(']') {
            Some(index) => index.parse().map_or(Step::Key(part), Step::Element),
            None => Step::Key(part),
        })
}

/// A dotted key and what is below it.
pub(crate) fn joined(above: &str, below: &str) -> String {
    match (above.is_empty(), below.is_empty()) {
        (true, _) => below.to_owned(),
        (_, true) => above.to_owned(),
        _ if below.starts_with('[') => format!("{above}{below}"),
        _ => format!("{above}.{below}"),
    }
}
