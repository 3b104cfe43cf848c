//! From the text of a JSON file to the tree. The parser can read more than JSON; here it reads JSON only.

use crate::error::Wrong;
use crate::lines::Lines;
use crate::node::{Node, Value, joined};
use jsonc_parser::ast;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use std::collections::BTreeSet;

const STRICT: ParseOptions = ParseOptions {
    allow_comments: false,
    allow_loose_object_property_names: false,
    allow_trailing_commas: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

/// The tree of a whole file.
pub(crate) fn parse(text: &str) -> Result<Node, Wrong> {
    let broken = |line: usize, problem: String| Wrong {
        line,
        key: String::new(),
        problem,
    };
    let parsed = parse_to_ast(text, &CollectOptions::default(), &STRICT);
    let parsed = parsed.map_err(|error| {
        let problem = format!("is not JSON: {}", error.kind());
        broken(error.line_display(), problem)
    })?;
    let value = parsed.value;
    let value = value.ok_or_else(|| broken(1, "is empty".to_owned()))?;
    let lines = Lines::of(text);
    let line = lines.line(value.start());
    node("", line, value, &lines)
}

fn node(path: &str, line: usize, value: ast::Value<'_>, lines: &Lines) -> Result<Node, Wrong> {
    let value = match value {
        ast::Value::StringLit(text) => Value::Text(text.value.into_owned()),
        ast::Value::NumberLit(number) => self::number(number.value).ok_or_else(|| Wrong {
            line,
            key: path.to_owned(),
            problem: format!("the number {} is out of range", number.value),
        })?,
        ast::Value::BooleanLit(flag) => Value::Boolean(flag.value),
        ast::Value::NullKeyword(_) => Value::Nothing,
        ast::Value::Array(array) => {
            let mut list = Vec::new();
            for value in array.elements {
                let line = lines.line(value.start());
                let path = format!("{path}[{}]", list.len());
                list.push(node(&path, line, value, lines)?);
            }
            Value::List(list)
        }
        ast::Value::Object(object) => table(path, object, lines)?,
    };
    Ok(Node { line, value })
}

fn table(path: &str, object: ast::Object<'_>, lines: &Lines) -> Result<Value, Wrong> {
    let mut entries = Vec::new();
    let mut names = BTreeSet::new();
    for property in object.properties {
        let line = lines.line(property.start());
        let name = property.name.into_string();
        let path = joined(path, &name);
        if !names.insert(name.clone()) {
            return Err(Wrong {
                line,
                key: path,
                problem: "duplicate key".to_owned(),
            });
        }
        entries.push((name, node(&path, line, property.value, lines)?));
    }
    Ok(Value::Table(entries))
}

fn number(text: &str) -> Option<Value> {
    if text.contains(['.', 'e', 'E']) {
        text.parse()
            .ok()
            .filter(|n: &f64| n.is_finite())
            .map(Value::Float)
    } else {
        text.parse().ok().map(Value::Integer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (usize, String) {
        let wrong = parse(text).unwrap_err();
        (wrong.line, wrong.key)
    }

    #[test]
    fn a_key_that_stands_there_twice_is_named() {
        let text = "[\n{\"a\": {\"b\": 1,\n\"b\": 2}}]";
        assert_eq!(wrong(text), (3, "[0].a.b".to_owned()));
    }

    #[test]
    fn only_json_is_json() {
        for text in [
            "",
            "{\n'a': 1}",
            "{\n\"a\": 1,}",
            "{\n\"a\": 0x1}",
            "{\n// x\n}",
            "{}\n{}",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
        assert_eq!(wrong("{\n\"a\": \n}").1, "");
    }

    #[test]
    fn a_deep_file_is_refused_and_not_followed() {
        assert!(parse(&"[".repeat(100_000)).is_err());
    }

    #[test]
    fn numbers_keep_their_kind() {
        assert!(matches!(number("-7"), Some(Value::Integer(-7))));
        assert!(matches!(number("1e3"), Some(Value::Float(n)) if n == 1000.0));
        assert!(number("99999999999999999999").is_none());
    }
}
