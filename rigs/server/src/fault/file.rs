//! Faults from outside: read from JSON and checked before they are loaded.

use super::{Action, Fault};
use document::{Document, FileError};
use std::ops::Range;

/// What is wrong with a value: its key below the fault, and why.
type Problem = (&'static str, String);

impl Fault {
    /// Reads one fault, or a list of faults, from JSON. `file` is only named in errors.
    ///
    /// # Errors
    /// When the text is not JSON, names something unknown, or would break the messages of the server.
    pub fn list_from_json(text: &[u8], file: &str) -> Result<Vec<Self>, FileError> {
        let text = str::from_utf8(text).map_err(|error| FileError {
            file: file.to_owned(),
            line: 1,
            key: String::new(),
            problem: error.to_string(),
        })?;
        let document = Document::from_json(text, file)?;
        let faults: Vec<Self> = if document.is_list() {
            document.read()?
        } else {
            vec![document.read()?]
        };
        for (index, fault) in faults.iter().enumerate() {
            if let Some((key, problem)) = fault.problem() {
                let key = if document.is_list() {
                    format!("[{index}].{key}")
                } else {
                    key.to_owned()
                };
                return Err(document.error(&key, problem));
            }
        }
        Ok(faults)
    }

    /// What would break the messages that the server writes: the key of the value, and why.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        match &self.action {
            Action::Answer {
                code,
                reason,
                headers,
            } => code_problem(*code, 200..700)
                .or_else(|| line_problem("action.reason", reason.as_deref()))
                .or_else(|| {
                    let mut headers = headers.iter();
                    headers.find_map(|(name, value)| {
                        header_problem("action.headers", "action.headers", name, value)
                    })
                }),
            Action::AcceptWith { code } => code_problem(*code, 200..300),
            Action::Header { name, value } => {
                header_problem("action.name", "action.value", name, value)
            }
            Action::Body { content_type, .. } | Action::WrongContentType { content_type } => {
                line_problem("action.content_type", Some(content_type))
            }
            Action::SubscriptionState { value } => line_problem("action.value", value.as_deref()),
            Action::EndSubscription { reason, .. } => {
                line_problem("action.reason", reason.as_deref())
            }
            _ => None,
        }
    }
}

fn code_problem(code: u16, range: Range<u16>) -> Option<Problem> {
    let (first, last) = (range.start, range.end - 1);
    let problem = || format!("{code} is not between {first} and {last}");
    (!range.contains(&code)).then(|| ("action.code", problem()))
}

fn line_problem(key: &'static str, text: Option<&str>) -> Option<Problem> {
    let broken = text.is_some_and(|text| text.contains(['\r', '\n']));
    broken.then(|| (key, "has a line end in it".to_owned()))
}

fn header_problem(
    name_key: &'static str,
    value_key: &'static str,
    name: &str,
    value: &str,
) -> Option<Problem> {
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Some((name_key, format!("`{name}` is not a header name")));
    }
    if ["Content-Length", "l"]
        .iter()
        .any(|own| name.eq_ignore_ascii_case(own))
    {
        return Some((
            name_key,
            format!("`{name}` is written by the server itself"),
        ));
    }
    line_problem(value_key, Some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_survives_json() {
        let text = br#"{"on":{"method":"SUBSCRIBE","purpose":"change"},"times":2,"action":{"do":"answer","code":503,"headers":[["Retry-After","30"]]}}"#;
        let faults = Fault::list_from_json(text, "x").expect("readable");
        let again = serde_json::to_vec(&faults).expect("writable");
        assert_eq!(
            Fault::list_from_json(&again, "x").expect("readable"),
            faults
        );
        assert_eq!(faults[0].times, Some(2));
    }

    #[test]
    fn what_is_wrong_in_a_list_of_faults_is_named_at_its_line() {
        const FAULTS: &str = "[\n\
            {\"action\": {\"do\": \"drop\"}},\n\
            {\"on\": {\"method\": \"SUBSCRIBE\"},\n\
            \"times\": 2,\n\
            \"action\": {\"do\": \"answer\",\n\
            \"code\": 503,\n\
            \"headers\": [[\"Retry-After\", \"30\"]]}},\n\
            {\"action\": {\"do\": \"order\", \"services\": [\"do-not-disturb\"]}}\n]\n";
        assert!(Fault::list_from_json(FAULTS.as_bytes(), "x").is_ok());
        for (from, to, complaint) in [
            (
                "\"times\"",
                "\"tmies\"",
                "4: [1].tmies: unknown key; did you mean `times`?",
            ),
            (
                "\"method\"",
                "\"metod\"",
                "3: [1].on.metod: unknown key; did you mean `method`?",
            ),
            (
                "\"code\"",
                "\"coed\"",
                "6: [1].action.coed: unknown key; did you mean `code`?",
            ),
            ("\"code\": 503,\n", "", "5: [1].action.code: is missing"),
            (
                "\"drop\"",
                "\"dorp\"",
                "2: [0].action.do: unknown word \"dorp\"; did you mean `drop`?",
            ),
            (
                "\"code\": 503",
                "\"code\": \"503\"",
                "6: [1].action.code: is the string \"503\" but must be a whole number from 0 to 65535",
            ),
            (
                "503",
                "99",
                "6: [1].action.code: 99 is not between 200 and 699",
            ),
            (
                "Retry-After",
                "Retry After",
                "7: [1].action.headers: `Retry After` is not a header name",
            ),
            ("\"times\": 2", "\"on\": 2", "4: [1].on: duplicate key"),
            (
                "\"times\": 2",
                "\"times\": ",
                "4: is not JSON: Unexpected comma",
            ),
        ] {
            assert!(FAULTS.contains(from), "{from}");
            let text = FAULTS.replacen(from, to, 1);
            let error = Fault::list_from_json(text.as_bytes(), "x").expect_err(complaint);
            assert_eq!(error.to_string(), format!("x:{complaint}"));
        }
        let error = Fault::list_from_json(br#"{"action": {"do": "drop"}, "tmies": 1}"#, "x");
        assert_eq!(error.expect_err("one fault").key, "tmies");
    }

    #[test]
    fn a_second_content_length_is_refused() {
        for name in ["Content-Length", "content-length", "l", "L"] {
            let (name, value) = (name.to_owned(), "0".to_owned());
            let header = Action::Header {
                name: name.clone(),
                value: value.clone(),
            };
            let answer = Action::Answer {
                code: 503,
                reason: None,
                headers: vec![(name, value)],
            };
            for (action, key) in [(header, "action.name"), (answer, "action.headers")] {
                let problem = Fault::new(action).problem().expect("a second length");
                assert_eq!(problem.0, key);
            }
        }
    }

    #[test]
    fn a_header_that_would_break_the_message_is_refused() {
        let fault = Fault::new(Action::Header {
            name: "X-Odd".to_owned(),
            value: "a\r\nVia: b".to_owned(),
        });
        let problem = fault.problem().expect("a line end");
        assert_eq!(problem.0, "action.value");
    }
}
