//! Faults from outside: read from JSON and checked before they are loaded.

use super::{Action, Fault};

/// Why a fault cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FaultError {
    /// The JSON does not describe a fault.
    #[error("not a fault: {0}")]
    Unreadable(String),
    /// A value that would break the message it is put into.
    #[error("{field}: {problem}")]
    Unusable {
        /// Which part of the fault.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
}

impl Fault {
    /// Reads one fault, or a list of faults, from JSON.
    ///
    /// # Errors
    /// When the text is not JSON, names something unknown, or would break the messages of the server.
    pub fn list_from_json(text: &[u8]) -> Result<Vec<Self>, FaultError> {
        let unreadable = |error: serde_json::Error| FaultError::Unreadable(error.to_string());
        let value: serde_json::Value = serde_json::from_slice(text).map_err(unreadable)?;
        let values = match value {
            serde_json::Value::Array(values) => values,
            one => vec![one],
        };
        let faults = values
            .into_iter()
            .map(serde_json::from_value)
            .collect::<Result<Vec<Self>, _>>()
            .map_err(unreadable)?;
        faults.iter().try_for_each(Self::check)?;
        Ok(faults)
    }

    /// Whether the values fit into the messages that the server writes.
    ///
    /// # Errors
    /// Names the value that does not.
    pub fn check(&self) -> Result<(), FaultError> {
        let one_line = |field, text: &str| check_line(field, text);
        match &self.action {
            Action::Answer {
                code,
                reason,
                headers,
            } => {
                check_code("code", *code, 200..700)?;
                one_line("reason", reason.as_deref().unwrap_or_default())?;
                headers
                    .iter()
                    .try_for_each(|(name, value)| check_header(name, value))
            }
            Action::AcceptWith { code } => check_code("code", *code, 200..300),
            Action::Header { name, value } => check_header(name, value),
            Action::Body { content_type, .. } | Action::WrongContentType { content_type } => {
                one_line("content_type", content_type)
            }
            Action::SubscriptionState { value: Some(value) } => one_line("value", value),
            Action::EndSubscription {
                reason: Some(reason),
                ..
            } => one_line("reason", reason),
            _ => Ok(()),
        }
    }
}

fn check_code(
    field: &'static str,
    code: u16,
    range: std::ops::Range<u16>,
) -> Result<(), FaultError> {
    if range.contains(&code) {
        return Ok(());
    }
    Err(FaultError::Unusable {
        field,
        problem: format!(
            "{code} is not between {} and {}",
            range.start,
            range.end - 1
        ),
    })
}

fn check_line(field: &'static str, text: &str) -> Result<(), FaultError> {
    if text.contains(['\r', '\n']) {
        return Err(FaultError::Unusable {
            field,
            problem: "has a line end in it".to_owned(),
        });
    }
    Ok(())
}

fn check_header(name: &str, value: &str) -> Result<(), FaultError> {
    check_line("headers", value)?;
    let token = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c);
    if name.is_empty() || !name.chars().all(token) {
        return Err(FaultError::Unusable {
            field: "headers",
            problem: format!("`{name}` is not a header name"),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_survives_json() {
        let text = br#"{"on":{"method":"SUBSCRIBE","purpose":"change"},"times":2,"action":{"do":"answer","code":503,"headers":[["Retry-After","30"]]}}"#;
        let faults = Fault::list_from_json(text).expect("readable");
        let again = serde_json::to_vec(&faults).expect("writable");
        assert_eq!(Fault::list_from_json(&again).expect("readable"), faults);
        assert_eq!(faults[0].times, Some(2));
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_name() {
        for (text, name) in [
            (r#"{"action":{"do":"explode"}}"#, "explode"),
            (r#"{"action":{"do":"drop"},"tmies":1}"#, "tmies"),
            (r#"{"on":{"metod":"X"},"action":{"do":"drop"}}"#, "metod"),
            (r#"{"action":{"do":"order","services":["dnd"]}}"#, "dnd"),
        ] {
            let error = Fault::list_from_json(text.as_bytes()).expect_err(name);
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_header_that_would_break_the_message_is_refused() {
        let fault = Fault::new(Action::Header {
            name: "X-Odd".to_owned(),
            value: "a\r\nVia: b".to_owned(),
        });
        assert!(fault.check().is_err());
    }
}
