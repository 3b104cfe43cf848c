//! From the text of a TOML file to the tree.

use crate::error::Wrong;
use crate::lines::Lines;
use crate::node::{Node, Value, joined};
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

/// The tree of a whole file.
pub(crate) fn parse(text: &str) -> Result<Node, Wrong> {
    let lines = Lines::of(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    if let Some(error) = errors.first() {
        return Err(broken(text, &lines, root.get_ref(), error));
    }
    Ok(Node {
        line: 1,
        value: table("", root.get_ref(), &lines)?,
    })
}

fn table(path: &str, table: &DeTable<'_>, lines: &Lines) -> Result<Value, Wrong> {
    // The parser sorts by name; complaints come in the order of the file.
    let mut in_order: Vec<_> = table.iter().collect();
    in_order.sort_by_key(|(key, _)| key.span().start);
    let entry = |(key, value): (&Spanned<DeString<'_>>, &Spanned<DeValue<'_>>)| {
        let line = lines.line(key.span().start);
        let name = key.get_ref().to_string();
        let node = node(&joined(path, &name), line, value.get_ref(), lines)?;
        Ok((name, node))
    };
    let entries = in_order.into_iter().map(entry);
    Ok(Value::Table(entries.collect::<Result<_, _>>()?))
}

fn node(path: &str, line: usize, value: &DeValue<'_>, lines: &Lines) -> Result<Node, Wrong> {
    let out_of_range = |number: &str| Wrong {
        line,
        key: path.to_owned(),
        problem: format!("the number {number} is out of range"),
    };
    let value = match value {
        DeValue::String(text) => Value::Text(text.to_string()),
        DeValue::Integer(number) => {
            let parsed = i64::from_str_radix(number.as_str(), number.radix());
            Value::Integer(parsed.map_err(|_| out_of_range(number.as_str()))?)
        }
        DeValue::Float(number) => {
            let parsed = number.as_str().parse();
            Value::Float(parsed.map_err(|_| out_of_range(number.as_str()))?)
        }
        DeValue::Boolean(flag) => Value::Boolean(*flag),
        DeValue::Datetime(date) => Value::Date(date.to_string()),
        DeValue::Array(array) => Value::List(list(path, array.iter(), lines)?),
        DeValue::Table(below) => table(path, below, lines)?,
    };
    Ok(Node { line, value })
}

fn list<'a, 'i: 'a>(
    path: &str,
    elements: impl Iterator<Item = &'a Spanned<DeValue<'i>>>,
    lines: &Lines,
) -> Result<Vec<Node>, Wrong> {
    elements
        .enumerate()
        .map(|(index, value)| {
            let line = lines.line(value.span().start);
            node(&format!("{path}[{index}]"), line, value.get_ref(), lines)
        })
        .collect()
}

/// The parser's own complaint. A key that stands there twice is named, with the table that it is in.
fn broken(text: &str, lines: &Lines, root: &DeTable<'_>, error: &toml::de::Error) -> Wrong {
    let span = error.span().unwrap_or(0..0);
    let message = error.message();
    let (key, problem) = if message.contains("duplicate key") {
        let word = text.get(span.clone()).unwrap_or_default();
        let word = word.trim_matches(['"', '\'', ' ']);
        let (_, table) = table_around(text, span.start, "", root);
        (joined(&table, word), message.to_owned())
    } else {
        (String::new(), format!("is not TOML: {message}"))
    };
    Wrong {
        line: lines.line(span.start),
        key,
        problem,
    }
}

/// Where the innermost table around a place begins, and its dotted key.
fn table_around(text: &str, offset: usize, path: &str, table: &DeTable<'_>) -> (usize, String) {
    let mut around = (0, path.to_owned());
    for (key, value) in table {
        let Some(below) = value.get_ref().as_table() else {
            continue;
        };
        let span = value.span();
        let inline = text.get(span.start..).is_some_and(|t| t.starts_with('{'));
        let begins = key.span().start;
        if begins > offset || inline && !span.contains(&offset) {
            continue;
        }
        let path = joined(path, key.get_ref());
        let (deeper, name) = table_around(text, offset, &path, below);
        let begins = begins.max(deeper);
        if begins >= around.0 {
            around = (begins, name);
        }
    }
    around
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(text: &str) -> (usize, String) {
        let wrong = parse(text).unwrap_err();
        (wrong.line, wrong.key)
    }

    #[test]
    fn a_key_that_stands_there_twice_is_named_with_its_table() {
        assert_eq!(wrong("a = 1\na = 2\n"), (2, "a".to_owned()));
        let text = "[a]\nx = 1\n[a.b]\nq = {z = 1}\ny = 1\ny = 2\n[c]\ny = 3\n";
        assert_eq!(wrong(text), (6, "a.b.y".to_owned()));
        let text = "[a]\nx = { v = 1, v = 2 }\n";
        assert_eq!(wrong(text), (2, "a.x.v".to_owned()));
    }

    #[test]
    fn broken_toml_is_reported_with_its_line() {
        assert_eq!(wrong("a = 1\nb = \n"), (2, String::new()));
    }

    #[test]
    fn a_number_that_no_machine_holds_is_named() {
        let text = "[a]\nx = [1, 99999999999999999999]\n";
        assert_eq!(wrong(text), (2, "a.x[1]".to_owned()));
    }
}
