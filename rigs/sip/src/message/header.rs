//! Header fields: names, and the small readers that cut a value into its parts.
//!
//! They never fail and never repair; what a value offends beyond that is found by `check`. Cutting respects quoted
//! strings and angle brackets, so a comma in a display name or in a URI separates nothing.

use std::borrow::Cow;
use std::ops::Range;

/// One header field as it stood on the wire.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The name in its canonical spelling when it is a known one (compact names expanded), else as sent.
    pub name: String,
    /// The value, unfolded and trimmed. Not split at commas.
    pub value: String,
    /// Where the whole field, name to line end, stands in the original bytes.
    pub as_sent: Range<usize>,
}

/// Compact names and their long forms (RFC 3261 §7.3.3, RFC 6665 §8.2, and the extensions that have one).
const COMPACT: &[(u8, &str)] = &[
    (b'a', "Accept-Contact"),
    (b'b', "Referred-By"),
    (b'c', "Content-Type"),
    (b'd', "Request-Disposition"),
    (b'e', "Content-Encoding"),
    (b'f', "From"),
    (b'i', "Call-ID"),
    (b'j', "Reject-Contact"),
    (b'k', "Supported"),
    (b'l', "Content-Length"),
    (b'm', "Contact"),
    (b'n', "Identity-Info"),
    (b'o', "Event"),
    (b'r', "Refer-To"),
    (b's', "Subject"),
    (b't', "To"),
    (b'u', "Allow-Events"),
    (b'v', "Via"),
    (b'x', "Session-Expires"),
    (b'y', "Identity"),
];

/// Names whose spelling is made canonical.
const KNOWN: &[&str] = &[
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Allow-Events",
    "Authentication-Info",
    "Authorization",
    "Call-ID",
    "Call-Info",
    "Contact",
    "Content-Disposition",
    "Content-Encoding",
    "Content-Language",
    "Content-Length",
    "Content-Type",
    "CSeq",
    "Date",
    "Error-Info",
    "Event",
    "Expires",
    "From",
    "In-Reply-To",
    "Max-Forwards",
    "MIME-Version",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "RAck",
    "Reason",
    "Record-Route",
    "Refer-To",
    "Referred-By",
    "Reply-To",
    "Require",
    "Retry-After",
    "Route",
    "RSeq",
    "Server",
    "Service-Route",
    "Session-Expires",
    "SIP-ETag",
    "SIP-If-Match",
    "Subject",
    "Subscription-State",
    "Supported",
    "Timestamp",
    "To",
    "Unsupported",
    "User-Agent",
    "Via",
    "Warning",
    "WWW-Authenticate",
];

pub(super) fn canonical_name(name: &str) -> String {
    if let &[letter] = name.as_bytes() {
        let letter = letter.to_ascii_lowercase();
        let long = COMPACT.iter().find(|(short, _)| *short == letter);
        return long.map_or(name, |(_, long)| long).to_owned();
    }
    let known = KNOWN.iter().find(|known| known.eq_ignore_ascii_case(name));
    known.map_or(name, |known| known).to_owned()
}

/// Whether a text is a token (RFC 3261 §25.1).
pub(super) fn is_token(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-.!%*_+`'~".contains(&byte);
    !text.is_empty() && text.bytes().all(token)
}

/// The first characters of a text, for an error that must stay short.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(40).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// The value of `;name=value` in the parameters that follow `text`'s first semicolon; an empty string for a flag.
/// Quotes around the value are dropped, what they escape is not touched ([`unquoted`] does that).
#[must_use]
pub fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    split_outside(text, ';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| without_quotes(value.trim()))
    })
}

/// The URI of a name-addr or addr-spec.
#[must_use]
pub fn address_uri(value: &str) -> &str {
    match bracket(value) {
        Some(open) => {
            let rest = value.get(open + 1..).unwrap_or_default();
            rest.split('>').next().unwrap_or_default()
        }
        None => value.split(';').next().unwrap_or_default().trim(),
    }
}

/// What follows the URI of a name-addr: its header parameters, from the closing bracket on.
pub(super) fn after_address(value: &str) -> &str {
    let Some(open) = bracket(value) else {
        return value;
    };
    let rest = value.get(open..).unwrap_or_default();
    rest.find('>')
        .and_then(|close| rest.get(close..))
        .unwrap_or_default()
}

/// The text of a quoted string, or the text itself when it is not quoted.
#[must_use]
pub fn unquoted(text: &str) -> Cow<'_, str> {
    let inner = without_quotes(text);
    if inner.len() == text.len() || !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            plain.push(c);
        }
    }
    Cow::Owned(plain)
}

fn without_quotes(text: &str) -> &str {
    text.strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'))
        .unwrap_or(text)
}

/// Where the first `<` outside quotes stands.
pub(super) fn bracket(value: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in value.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'<' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

pub(super) fn split_list(value: &str) -> impl Iterator<Item = &str> {
    split_outside(value, ',').map(str::trim)
}

pub(super) fn split_outside(value: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut quoted, mut angle, mut escaped) = (false, false, false);
    value.split(move |c: char| {
        if escaped {
            escaped = false;
            return false;
        }
        match c {
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '<' if !quoted => angle = true,
            '>' if !quoted => angle = false,
            _ => {}
        }
        c == separator && !quoted && !angle
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_inside_quotes_opens_no_uri() {
        let value = r#""a \"<b>\" ;tag=no" <sip:a@b;x=1>;tag=yes"#;
        assert_eq!(address_uri(value), "sip:a@b;x=1");
        assert_eq!(parameter(after_address(value), "tag"), Some("yes"));
    }

    #[test]
    fn quoted_text_loses_its_escapes() {
        assert_eq!(unquoted(r#""a \"b\" \\c""#), r#"a "b" \c"#);
        assert_eq!(unquoted("plain"), "plain");
    }

    #[test]
    fn names_are_canonical_in_every_spelling() {
        for (sent, name) in [
            ("CSEQ", "CSeq"),
            ("L", "Content-Length"),
            ("x-Own", "x-Own"),
        ] {
            assert_eq!(canonical_name(sent), name);
        }
    }

    #[test]
    fn a_flag_is_a_parameter_without_value() {
        assert_eq!(parameter("<sip:a@b>;ob;q=0.5", "OB"), Some(""));
        assert_eq!(parameter("<sip:a@b;ob>", "ob"), None);
    }
}
