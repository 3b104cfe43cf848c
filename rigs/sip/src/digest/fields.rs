//! The parameter lists of the four headers of RFC 3261 §22: a scheme, then `name=value` pairs between commas.

use crate::message::{Message, unquoted};

/// The parameters of one challenge or of one set of credentials, values as they stand between their quotes.
#[derive(Clone, Debug)]
pub(super) struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    /// Reads the value of a header, when its scheme is Digest.
    pub(super) fn of_digest(value: &'a str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        Some(Self(pairs(rest)))
    }

    pub(super) fn value(&self, name: &str) -> Option<&'a str> {
        let found = self
            .0
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| *value)
    }
}

/// The pairs of a list without scheme, such as Authentication-Info.
pub(super) fn pairs(list: &str) -> Vec<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    let parts = list.split(move |c: char| {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        c == ',' && !quoted
    });
    parts
        .filter_map(|part| part.split_once('='))
        .map(|(name, value)| (name.trim(), between_quotes(value.trim())))
        .collect()
}

fn between_quotes(value: &str) -> &str {
    value
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(value)
}

/// A text as it stands between quotes.
pub(super) fn quotable(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

/// The user name in the credentials of a request, of the first Digest that has one.
#[must_use]
pub fn username(request: &Message) -> Option<String> {
    request
        .headers("Authorization")
        .chain(request.headers("Proxy-Authorization"))
        .filter_map(Fields::of_digest)
        .find_map(|fields| fields.value("username").map(unescaped))
}

fn unescaped(inner: &str) -> String {
    unquoted(&format!("\"{inner}\"")).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_and_escapes_inside_quotes_belong_to_the_value() {
        let text = r#"digest realm="a, \"b\"", qop="auth,auth-int" ,stale=TRUE , nonce = "x==""#;
        let fields = Fields::of_digest(text).expect("digest");
        assert_eq!(fields.value("realm"), Some(r#"a, \"b\""#));
        assert_eq!(fields.value("QOP"), Some("auth,auth-int"));
        assert_eq!(fields.value("stale"), Some("TRUE"));
        assert_eq!(fields.value("nonce"), Some("x=="));
    }

    #[test]
    fn another_scheme_is_not_digest() {
        assert!(Fields::of_digest("Basic realm=\"a\"").is_none());
        assert!(Fields::of_digest("Digest").is_none());
    }
}
