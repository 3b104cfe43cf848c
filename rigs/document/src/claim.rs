//! Claims and facts: a value, how sure we are of it, and who says so.
//!
//! A table may say `claim` and `source` once for everything below it; a table or an inline value below says otherwise for
//! itself. After [`inherit`] every value below such a table stands in the tree as a whole fact,
//! `{ value, claim, source }`, so that a type reads it as [`Fact`] however it was written.

use crate::error::Wrong;
use crate::node::{Node, Value, joined};
use crate::objection::described;
use crate::read::read;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::fmt;

/// How sure we are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimStatus {
    /// Borrowed, deduced or chosen.
    Assumed,
    /// Stated by the source.
    Documented,
    /// The product does not have it.
    No,
}

impl ClaimStatus {
    /// The word in a file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Assumed => "assumed",
            Self::Documented => "documented",
            Self::No => "no",
        }
    }
}

impl fmt::Display for ClaimStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value with where it comes from, for types that are read from a file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a table with `value`, `claim` and `source`, or a value in a table that says claim and source"
)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// How sure we are.
    pub claim: ClaimStatus,
    /// Who says so: a key of the domain notes, or words.
    pub source: String,
}

/// One claim of a file, for listings, evidence and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Dotted path, such as `notify.first-cseq`.
    pub key: String,
    /// The value as text; a list is joined by ` > `.
    pub value: String,
    /// How sure we are.
    pub claim: ClaimStatus,
    /// Who says so.
    pub source: String,
    /// The line of its key.
    pub line: usize,
}

const VALUE: &str = "value";
const CLAIM: &str = "claim";
const SOURCE: &str = "source";

/// What a table says about everything below it.
#[derive(Clone, Default)]
struct Inherited {
    claim: Option<Node>,
    source: Option<Node>,
}

/// Makes a whole fact of every value below a table that says `claim`.
pub(crate) fn inherit(root: &mut Node) -> Result<(), Wrong> {
    hand_down("", root, Inherited::default())
}

fn hand_down(path: &str, node: &mut Node, mut inherited: Inherited) -> Result<(), Wrong> {
    let line = node.line;
    let Value::Table(entries) = &mut node.value else {
        inherited.make_fact(node);
        return Ok(());
    };
    let is_fact = entries.iter().any(|(key, _)| key == VALUE);
    let (said, mut rest): (Vec<_>, Vec<_>) = std::mem::take(entries)
        .into_iter()
        .partition(|(key, _)| key == CLAIM || key == SOURCE);
    if rest.is_empty() && !said.is_empty() {
        return Err(Wrong {
            line,
            key: joined(path, VALUE),
            problem: "is missing".to_owned(),
        });
    }
    for (key, node) in said {
        inherited.take(path, &key, node)?;
    }
    if is_fact {
        inherited.add_to(&mut rest);
    } else {
        for (key, below) in &mut rest {
            hand_down(&joined(path, key), below, inherited.clone())?;
        }
    }
    *entries = rest;
    Ok(())
}

impl Inherited {
    fn take(&mut self, path: &str, key: &str, node: Node) -> Result<(), Wrong> {
        let word = if key == CLAIM {
            read::<ClaimStatus>(&node).map(drop)
        } else {
            read::<String>(&node).map(drop)
        };
        word.map_err(|wrong| wrong.below(&joined(path, key)))?;
        if key == CLAIM {
            self.claim = Some(node);
        } else {
            self.source = Some(node);
        }
        Ok(())
    }

    fn make_fact(&self, node: &mut Node) {
        if self.claim.is_none() {
            return;
        }
        let line = node.line;
        let value = std::mem::replace(&mut node.value, Value::Nothing);
        let mut entries = vec![(VALUE.to_owned(), Node { line, value })];
        self.add_to(&mut entries);
        node.value = Value::Table(entries);
    }

    fn add_to(&self, entries: &mut Vec<(String, Node)>) {
        for (key, node) in [(CLAIM, &self.claim), (SOURCE, &self.source)] {
            if let Some(node) = node {
                entries.push((key.to_owned(), node.clone()));
            }
        }
    }
}

/// Every fact of a tree, in its order. Values outside of facts are left out.
pub(crate) fn claims(root: &Node) -> Result<Vec<Claim>, Wrong> {
    let mut claims = Vec::new();
    for (key, node) in leaves(root) {
        let Some(value) = node.get(VALUE) else {
            continue;
        };
        let fact: Fact<IgnoredAny> = read(node).map_err(|wrong| wrong.below(&key))?;
        claims.push(Claim {
            key,
            value: as_text(value),
            claim: fact.claim,
            source: fact.source,
            line: node.line,
        });
    }
    Ok(claims)
}

/// The keys of all values that no claim stands for.
pub(crate) fn unclaimed(root: &Node) -> Vec<String> {
    leaves(root)
        .into_iter()
        .filter(|(_, node)| node.get(VALUE).is_none())
        .map(|(key, _)| key)
        .collect()
}

/// Every fact, and every value outside of one, with its dotted key.
fn leaves(root: &Node) -> Vec<(String, &Node)> {
    let mut leaves = Vec::new();
    let mut below = vec![(String::new(), root)];
    while let Some((path, node)) = below.pop() {
        match &node.value {
            Value::Table(entries) if node.get(VALUE).is_none() => {
                let entries = entries.iter().rev();
                below.extend(entries.map(|(key, node)| (joined(&path, key), node)));
            }
            _ => leaves.push((path, node)),
        }
    }
    leaves
}

fn as_text(node: &Node) -> String {
    match &node.value {
        Value::Text(text) | Value::Date(text) => text.clone(),
        Value::Boolean(flag) => flag.to_string(),
        Value::Integer(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::List(list) => list.iter().map(as_text).collect::<Vec<_>>().join(" > "),
        Value::Nothing | Value::Table(_) => described(node.unexpected()),
    }
}
