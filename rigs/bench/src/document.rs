//! A TOML file that knows where everything stands in it, so that each complaint names file, line and key.
//!
//! Rig files and profiles are read through [`Section`]: what is asked for is what is known, and a key that nobody asked
//! for is refused with the nearest known one. It is not a general TOML library, and it writes nothing.

use std::cell::RefCell;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What is wrong in a file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {}{problem}", key_prefix(key))]
pub struct FileError {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The dotted key; empty when the file as a whole is meant.
    pub key: String,
    /// What is wrong.
    pub problem: String,
}

fn key_prefix(key: &str) -> String {
    if key.is_empty() {
        String::new()
    } else {
        format!("{key}: ")
    }
}

/// One TOML file in memory.
#[derive(Debug)]
pub struct Document<'t> {
    file: &'t str,
    text: &'t str,
    root: Spanned<DeTable<'t>>,
}

impl<'t> Document<'t> {
    /// Parses a file that was read already.
    ///
    /// # Errors
    /// When it is not TOML.
    pub fn parse(file: &'t str, text: &'t str) -> Result<Self, FileError> {
        let root = DeTable::parse(text).map_err(|error| FileError {
            file: file.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            key: String::new(),
            problem: error.message().to_owned(),
        })?;
        Ok(Self { file, text, root })
    }

    /// The whole file.
    #[must_use]
    pub fn root(&self) -> Section<'_> {
        Section {
            file: self.file,
            text: self.text,
            path: String::new(),
            span: 0..0,
            table: self.root.get_ref(),
            asked: RefCell::new(Vec::new()),
        }
    }
}

/// One table of a file.
#[derive(Debug)]
pub struct Section<'d> {
    file: &'d str,
    text: &'d str,
    path: String,
    span: Range<usize>,
    table: &'d DeTable<'d>,
    asked: RefCell<Vec<&'static str>>,
}

/// One key with its value, for tables whose keys are free.
#[derive(Debug)]
pub struct Entry<'d> {
    /// The key as written.
    pub key: &'d str,
    /// Where it stands.
    pub line: usize,
    /// The value.
    pub value: &'d DeValue<'d>,
}

impl<'d> Section<'d> {
    /// All keys in alphabetical order, known or not. Whoever uses this does not call [`finish`](Self::finish).
    pub fn entries(&self) -> impl Iterator<Item = Entry<'d>> + use<'d> {
        let text = self.text;
        self.table.iter().map(move |(key, value)| Entry {
            key: key.get_ref(),
            line: line_of(text, key.span().start),
            value: value.get_ref(),
        })
    }

    /// A text.
    ///
    /// # Errors
    /// When the value is no string.
    pub fn text(&self, key: &'static str) -> Result<Option<&'d str>, FileError> {
        self.read(key, "a string in quotes", DeValue::as_str)
    }

    /// A text that must be there.
    ///
    /// # Errors
    /// When it is missing or no string.
    pub fn required_text(&self, key: &'static str) -> Result<&'d str, FileError> {
        self.text(key)?.ok_or_else(|| self.error(key, "is missing"))
    }

    /// A yes or no.
    ///
    /// # Errors
    /// When the value is neither.
    pub fn flag(&self, key: &'static str) -> Result<Option<bool>, FileError> {
        self.read(key, "true or false", DeValue::as_bool)
    }

    /// A list of texts.
    ///
    /// # Errors
    /// When the value is anything else.
    pub fn texts(&self, key: &'static str) -> Result<Option<Vec<&'d str>>, FileError> {
        self.read(key, "a list of strings", texts)
    }

    /// A table inside this one.
    ///
    /// # Errors
    /// When the value is no table.
    pub fn section(&self, key: &'static str) -> Result<Option<Self>, FileError> {
        let table = self.read(key, "a table", DeValue::as_table)?;
        Ok(table.map(|table| Self {
            file: self.file,
            text: self.text,
            path: self.dotted(key),
            span: self.span_of(key),
            table,
            asked: RefCell::new(Vec::new()),
        }))
    }

    /// Refuses every key that nobody asked for.
    ///
    /// # Errors
    /// At the first unknown key.
    pub fn finish(&self) -> Result<(), FileError> {
        let asked = self.asked.borrow();
        let unknown = self
            .table
            .keys()
            .find(|key| !asked.contains(&key.get_ref().as_ref()));
        match unknown {
            None => Ok(()),
            Some(key) => {
                let name = key.get_ref().as_ref();
                Err(self.error(name, &unknown_key(name, asked.iter().copied())))
            }
        }
    }

    /// A complaint about a key of this section.
    #[must_use]
    pub fn error(&self, key: &str, problem: &str) -> FileError {
        FileError {
            file: self.file.to_owned(),
            line: line_of(self.text, self.span_of(key).start),
            key: self.dotted(key),
            problem: problem.to_owned(),
        }
    }

    fn read<T>(
        &self,
        key: &'static str,
        expected: &str,
        convert: impl FnOnce(&'d DeValue<'d>) -> Option<T>,
    ) -> Result<Option<T>, FileError> {
        self.asked.borrow_mut().push(key);
        let Some(value) = self.table.get(key) else {
            return Ok(None);
        };
        let value = value.get_ref();
        convert(value).map(Some).ok_or_else(|| {
            let problem = format!("is {} but must be {expected}", describe(value));
            self.error(key, &problem)
        })
    }

    fn span_of(&self, key: &str) -> Range<usize> {
        self.table
            .get_key_value(key)
            .map_or_else(|| self.span.clone(), |(key, _)| key.span())
    }

    fn dotted(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// A list of strings, if it is one.
#[must_use]
pub fn texts<'d>(value: &'d DeValue<'d>) -> Option<Vec<&'d str>> {
    let array = value.as_array()?;
    array.iter().map(|item| item.get_ref().as_str()).collect()
}

/// What a value is, for a complaint.
#[must_use]
pub fn describe(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("the string \"{text}\""),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(date) => format!("the date {date}"),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

/// The complaint about an unknown key, with the nearest known one.
#[must_use]
pub fn unknown_key<'a>(key: &str, known: impl Iterator<Item = &'a str>) -> String {
    match nearest(key, known) {
        Some(nearest) => format!("unknown key; did you mean `{nearest}`?"),
        None => "unknown key".to_owned(),
    }
}

/// The line of a byte offset, from 1.
#[must_use]
pub fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    1 + before.iter().filter(|byte| **byte == b'\n').count()
}

fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (distance(word, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len().max(4) / 2)
        .map(|(_, candidate)| candidate)
}

/// The number of letters to insert, delete or replace to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

impl fmt::Display for Document<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "name = \"a\"\n\n[console]\nport = 7\nbuad = 9\n";

    #[test]
    fn a_typo_is_named_with_file_line_and_the_nearest_key() {
        let document = Document::parse("rig.toml", TEXT).unwrap();
        let root = document.root();
        let console = root.section("console").unwrap().unwrap();
        console.read("port", "", DeValue::as_integer).unwrap();
        console.read("baud", "", DeValue::as_integer).unwrap();
        assert_eq!(
            console.finish().unwrap_err().to_string(),
            "rig.toml:5: console.buad: unknown key; did you mean `baud`?"
        );
    }

    #[test]
    fn a_wrong_type_is_named_with_its_value() {
        let document = Document::parse("rig.toml", TEXT).unwrap();
        let console = document.root().section("console").unwrap().unwrap();
        assert_eq!(
            console.text("port").unwrap_err().to_string(),
            "rig.toml:4: console.port: is the number 7 but must be a string in quotes"
        );
    }

    #[test]
    fn a_missing_key_is_reported_at_its_section() {
        let document = Document::parse("rig.toml", TEXT).unwrap();
        let console = document.root().section("console").unwrap().unwrap();
        let error = console.required_text("user").unwrap_err();
        assert_eq!((error.line, error.key.as_str()), (3, "console.user"));
    }

    #[test]
    fn broken_toml_is_reported_with_its_line() {
        let error = Document::parse("rig.toml", "a = 1\nb = \n").unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("rig.toml", 2));
    }

    #[test]
    fn a_word_far_from_all_known_ones_gets_no_suggestion() {
        assert_eq!(unknown_key("zzzzzz", ["port"].into_iter()), "unknown key");
    }
}
