//! Addresses in headers: a name-addr or addr-spec with its header parameters (RFC 3261 §20.10), and Via values.
//!
//! These readers are strict, for checks and for typed access. The forgiving ones that machines route by are
//! [`super::address_uri`] and [`super::parameter`].

use super::ParseError;
use super::header::{after_address, bracket, is_token, split_outside, unquoted};
use super::uri::{Uri, split_hostport};
use std::borrow::Cow;

/// What From, To, Contact, Route and their kin hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address<'a> {
    /// The display name without its quotes; `None` when there is none.
    pub display_name: Option<Cow<'a, str>>,
    /// The URI.
    pub uri: Uri<'a>,
    /// The header parameters; a value keeps its quotes.
    pub parameters: Vec<(&'a str, Option<&'a str>)>,
}

/// One value of a Via header (RFC 3261 §20.42).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// The transport as sent.
    pub transport: &'a str,
    /// The host that wrote it.
    pub host: &'a str,
    /// Its port.
    pub port: Option<u16>,
    /// The parameters.
    pub parameters: Vec<(&'a str, Option<&'a str>)>,
}

fn refuse(text: impl Into<String>) -> ParseError {
    ParseError::new("RFC 3261 §20.10", text)
}

impl<'a> Address<'a> {
    /// Reads one value; a list has to be cut before ([`super::Message::values`]).
    ///
    /// # Errors
    /// When it breaks the syntax.
    pub fn parse(value: &'a str) -> Result<Self, ParseError> {
        if !quotes_are_closed(value) {
            return Err(refuse("an unterminated quote"));
        }
        let Some(open) = bracket(value) else {
            return Self::parse_bare(value);
        };
        let (before, after) = value.split_at(open);
        let after = after.strip_prefix('<').unwrap_or_default();
        let (uri, _) = after
            .split_once('>')
            .ok_or_else(|| refuse("an angle bracket that is not closed"))?;
        let rest = after_address(value).strip_prefix('>').unwrap_or_default();
        Ok(Self {
            display_name: parse_display_name(before.trim())?,
            uri: Uri::parse(uri)?,
            parameters: parse_parameters(rest)?,
        })
    }

    /// An addr-spec: its semicolons begin header parameters, and what only a name-addr may hold is refused.
    fn parse_bare(value: &'a str) -> Result<Self, ParseError> {
        let end = value.find(';').unwrap_or(value.len());
        let (uri, parameters) = value.split_at(end);
        let uri = uri.trim();
        if uri.contains([',', '?']) {
            return Err(refuse(
                "a comma or question mark in a URI outside angle brackets",
            ));
        }
        Ok(Self {
            display_name: None,
            uri: Uri::parse(uri)?,
            parameters: parse_parameters(parameters)?,
        })
    }

    /// The value of a header parameter, empty for a flag.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        find(&self.parameters, name)
    }
}

impl<'a> Via<'a> {
    /// Reads one value.
    ///
    /// # Errors
    /// When it breaks the syntax.
    pub fn parse(value: &'a str) -> Result<Self, ParseError> {
        let refuse = |text: &str| ParseError::new("RFC 3261 §20.42", text);
        let end = value.find(';').unwrap_or(value.len());
        let (head, rest) = value.split_at(end);
        let mut protocol = head.splitn(3, '/').map(str::trim);
        let (name, version) = (protocol.next(), protocol.next());
        if !name.is_some_and(|name| name.eq_ignore_ascii_case("SIP")) || version != Some("2.0") {
            return Err(refuse("not SIP/2.0"));
        }
        let tail = protocol.next().unwrap_or_default();
        let (transport, sent_by) = tail
            .split_once([' ', '\t'])
            .ok_or_else(|| refuse("no sent-by"))?;
        if !is_token(transport) {
            return Err(refuse("the transport is no token"));
        }
        let sent_by = sent_by.trim();
        // White space may stand around the colon of the port.
        let (host, port) = match sent_by.split_once([' ', '\t']) {
            None => split_hostport(sent_by)?,
            Some((host, port)) => {
                let digits = port.trim().strip_prefix(':').map(str::trim);
                let port = digits.and_then(|digits| digits.parse().ok());
                let port = port.ok_or_else(|| refuse("text behind the sent-by"))?;
                (split_hostport(host.trim_end_matches(':'))?.0, Some(port))
            }
        };
        Ok(Self {
            transport,
            host,
            port,
            parameters: parse_parameters(rest)?,
        })
    }

    /// The value of a parameter, empty for a flag.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        find(&self.parameters, name)
    }
}

fn find<'a>(parameters: &[(&str, Option<&'a str>)], name: &str) -> Option<&'a str> {
    let found = parameters
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name));
    found.map(|(_, value)| value.unwrap_or_default())
}

fn parse_display_name(text: &str) -> Result<Option<Cow<'_, str>>, ParseError> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Some(inner) = text.strip_prefix('"') {
        let mut escaped = false;
        let close = inner.find(|c: char| {
            let closes = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            closes
        });
        return match close {
            Some(close) if close + 1 == inner.len() => Ok(Some(unquoted(text))),
            _ => Err(refuse("text behind the quoted display name")),
        };
    }
    if text
        .split([' ', '\t'])
        .all(|word| word.is_empty() || is_token(word))
    {
        Ok(Some(Cow::Borrowed(text)))
    } else {
        Err(refuse("a display name that must be quoted"))
    }
}

/// Reads `;name=value` pairs. White space may stand around every separator.
pub(super) fn parse_parameters(text: &str) -> Result<Vec<(&str, Option<&str>)>, ParseError> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut parts = split_outside(text, ';');
    if parts.next().is_some_and(|before| !before.trim().is_empty()) {
        return Err(refuse("text before the parameters"));
    }
    parts.map(parse_parameter).collect()
}

fn parse_parameter(part: &str) -> Result<(&str, Option<&str>), ParseError> {
    let (name, value) = match part.split_once('=') {
        Some((name, value)) => (name.trim(), Some(value.trim())),
        None => (part.trim(), None),
    };
    if name.is_empty() {
        return Err(refuse("an empty parameter"));
    }
    if !is_token(name) {
        return Err(refuse("a parameter name that is no token"));
    }
    let sound = |value: &str| {
        value.starts_with('"') || (!value.is_empty() && !value.contains([' ', '\t', ',', '"']))
    };
    if value.is_some_and(|value| !sound(value)) {
        return Err(refuse(
            "a parameter value that is neither token, host nor quoted",
        ));
    }
    Ok((name, value))
}

pub(super) fn quotes_are_closed(value: &str) -> bool {
    let (mut quoted, mut escaped) = (false, false);
    for c in value.chars() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
    }
    !quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Address<'_> {
        Address::parse(value).expect(value)
    }

    #[test]
    fn display_names_come_in_three_forms() {
        for (value, name) in [
            ("<sip:a@b>", None),
            ("sip:a@b;tag=1", None),
            ("caller<sip:a@b>;tag=1", Some("caller")),
            ("Anna  Base <sip:a@b>", Some("Anna  Base")),
            (r#""J \"R\" \\" <sip:a@b>;tag=1"#, Some(r#"J "R" \"#)),
            (r#""" <sip:a@b>"#, Some("")),
        ] {
            assert_eq!(read(value).display_name.as_deref(), name, "{value}");
        }
    }

    #[test]
    fn parameters_belong_to_the_uri_only_inside_brackets() {
        let inside = read("<sip:a@b;x=1> ; tag = 2 ;ob");
        assert_eq!(inside.parameters, [("tag", Some("2")), ("ob", None)]);
        assert_eq!(
            inside.uri.as_sip().and_then(|uri| uri.parameter("x")),
            Some("1")
        );
        let outside = read("sip:a@b;x=1");
        assert_eq!(outside.parameter("X"), Some("1"));
    }

    #[test]
    fn quoted_parameter_values_may_hold_anything() {
        let value = r#"<sip:a@b>;+sip.instance="<urn:uuid:0000;1,2>";expires=90"#;
        assert_eq!(read(value).parameter("expires"), Some("90"));
    }

    #[test]
    fn broken_addresses_are_refused() {
        for value in [
            "",
            "<sip:a@b",
            "\"Anna <sip:a@b>",
            "Bell, Alexander <sip:a@b>",
            "< sip:a@b >",
            "<sip:a@b>;;",
            "<sip:a@b>;=1",
            "<sip:a@b>;tag=",
            "<sip:a@b> tag=1",
            "sip:a@b?x=y",
            "\"a\"b <sip:a@b>",
            "<sip:a@b>;tag=1 2",
        ] {
            assert!(Address::parse(value).is_err(), "{value}");
        }
    }

    #[test]
    fn via_is_read_with_the_white_space_that_the_grammar_allows() {
        let via = Via::parse("SIP  / 2.0\t/ UDP\t 192.0.2.2 : 5061 ;branch=390skdjuw; rport")
            .expect("a Via");
        assert_eq!(
            (via.transport, via.host, via.port),
            ("UDP", "192.0.2.2", Some(5061))
        );
        assert_eq!(via.parameter("rport"), Some(""));
        let via = Via::parse("SIP/2.0/UNKNOWN [2001:db8::9:1]:6050;received=::1").expect("a Via");
        assert_eq!((via.host, via.port), ("[2001:db8::9:1]", Some(6050)));
    }

    #[test]
    fn broken_via_values_are_refused() {
        for value in [
            "",
            "SIP/2.0/UDP",
            "SIP/1.0/UDP a",
            "HTTP/2.0/UDP a",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP a;;",
        ] {
            assert!(Via::parse(value).is_err(), "{value}");
        }
    }
}
