//! The users of `lockstep server`, from the command line and from a file: `NAME:PASSWORD`, or a range of numbers.
//!
//! `2000-5999:secret` is 4,000 users with one password. Both ends of a range have as many digits, so `0098-0102` is five
//! users of four digits. A name that looks like a range cannot be had. A complaint never shows a password: what was
//! given may be one.

use crate::command::UsageError;
use document::FileError;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// So many users a server takes: our choice, far beyond any site and soon held in memory.
const MOST: usize = 100_000;
/// What a user is written like.
const FORM: &str = "NAME:PASSWORD or FIRST-LAST:PASSWORD";

/// The passwords by user.
pub(super) fn users(
    words: &[String],
    file: Option<&Path>,
) -> Result<BTreeMap<String, String>, UsageError> {
    let mut users = Users::default();
    for word in words {
        let problem = |problem| UsageError::Words(format!("--user {}: {problem}", shown(word)));
        users.take(word, "--user").map_err(problem)?;
    }
    if let Some(file) = file {
        let text = fs::read_to_string(file).map_err(|error| FileError::unreadable(file, &error))?;
        users.take_file(&text, &file.display().to_string())?;
    }
    Ok(users
        .0
        .into_iter()
        .map(|(name, user)| (name, user.password))
        .collect())
}

#[derive(Debug)]
struct User {
    password: String,
    /// Where it was named.
    place: String,
}

#[derive(Debug, Default)]
struct Users(BTreeMap<String, User>);

impl Users {
    fn take_file(&mut self, text: &str, file: &str) -> Result<(), FileError> {
        let wrong = |line, problem| FileError {
            file: file.to_owned(),
            line,
            key: String::new(),
            problem,
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut any = false;
        for (index, line) in text.lines().enumerate() {
            let (number, line) = (index + 1, line.trim());
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            any = true;
            self.take(line, &format!("line {number}"))
                .map_err(|problem| wrong(number, problem))?;
        }
        if any {
            Ok(())
        } else {
            Err(wrong(
                1,
                format!("names no user; expected {FORM}, one a line"),
            ))
        }
    }

    /// Takes one user or one range.
    fn take(&mut self, text: &str, place: &str) -> Result<(), String> {
        let Some((name, password)) = text.split_once(':') else {
            return Err(format!("no `:`; expected {FORM}"));
        };
        if name.is_empty() {
            return Err(format!("no name before the `:`; expected {FORM}"));
        }
        if password.is_empty() {
            return Err(format!("no password behind the `:`; expected {FORM}"));
        }
        for name in names(name)? {
            if self.0.len() >= MOST {
                return Err(format!("more than {MOST} users"));
            }
            let user = User {
                password: password.to_owned(),
                place: place.to_owned(),
            };
            if let Some(before) = self.0.get(&name) {
                return Err(format!("user {name} is named before, by {}", before.place));
            }
            self.0.insert(name, user);
        }
        Ok(())
    }
}

/// The names that are meant: one, or every number of a range.
fn names(name: &str) -> Result<Vec<String>, String> {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let range = name.split_once('-');
    let Some((first, last)) = range.filter(|(first, last)| number(first) && number(last)) else {
        return match name.chars().find(|c| c.is_whitespace() || c.is_control()) {
            Some(_) => Err(format!("a blank in the name; expected {FORM}")),
            None => Ok(vec![name.to_owned()]),
        };
    };
    let digits = first.len();
    if digits != last.len() {
        return Err(format!(
            "the range {name} needs as many digits at both ends"
        ));
    }
    let (Ok(from), Ok(to)) = (first.parse::<u64>(), last.parse::<u64>()) else {
        return Err(format!("the range {name} is beyond all numbers"));
    };
    if from > to {
        return Err(format!("the range {name} ends before it begins"));
    }
    if usize::try_from(to - from).map_or(true, |more| more >= MOST) {
        return Err(format!("the range {name} has more than {MOST} users"));
    }
    Ok((from..=to)
        .map(|number| format!("{number:0digits$}"))
        .collect())
}

/// What may be shown of a word: no password, and nothing that could be one.
fn shown(word: &str) -> String {
    match word.split_once(':') {
        Some((name, _)) => format!("`{name}:..`"),
        None => format!("`{word}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<Users, String> {
        let mut users = Users::default();
        users
            .take_file(text, "users.txt")
            .map_err(|error| error.to_string())?;
        Ok(users)
    }

    #[test]
    fn a_file_names_users_and_ranges_a_line_each() {
        let text = "\u{feff}# the house\r\n\r\nanna:s:3 c\r\n  098-101:secret \nben-2:x\n";
        let users = file(text).unwrap().0;
        let passwords: Vec<_> = users
            .iter()
            .map(|(name, user)| (name.as_str(), user.password.as_str()))
            .collect();
        assert_eq!(
            passwords,
            [
                ("098", "secret"),
                ("099", "secret"),
                ("100", "secret"),
                ("101", "secret"),
                ("anna", "s:3 c"),
                ("ben-2", "x"),
            ]
        );
    }

    #[test]
    fn a_bad_file_is_refused_at_its_line_with_what_is_expected() {
        let expected = "expected NAME:PASSWORD or FIRST-LAST:PASSWORD";
        for (text, complaint) in [
            ("a:b\nsecret\n", format!("users.txt:2: no `:`; {expected}")),
            (
                "\n:b",
                format!("users.txt:2: no name before the `:`; {expected}"),
            ),
            (
                "2000-2001:",
                format!("users.txt:1: no password behind the `:`; {expected}"),
            ),
            (
                "an na:b",
                format!("users.txt:1: a blank in the name; {expected}"),
            ),
            (
                "# nobody\n",
                format!("users.txt:1: names no user; {expected}, one a line"),
            ),
            (
                "98-101:b",
                "users.txt:1: the range 98-101 needs as many digits at both ends".to_owned(),
            ),
            (
                "5999-2000:b",
                "users.txt:1: the range 5999-2000 ends before it begins".to_owned(),
            ),
            (
                "000000-999999:b",
                "users.txt:1: the range 000000-999999 has more than 100000 users".to_owned(),
            ),
            (
                "2000-2999:b\n\n2100:c",
                "users.txt:3: user 2100 is named before, by line 1".to_owned(),
            ),
        ] {
            assert_eq!(file(text).unwrap_err(), complaint, "{text}");
        }
    }

    #[test]
    fn a_complaint_shows_no_password() {
        let words = ["2000-1:hidden".to_owned()];
        let error = users(&words, None).unwrap_err().to_string();
        assert!(
            error.contains("2000-1:..") && !error.contains("hidden"),
            "{error}"
        );
    }
}
