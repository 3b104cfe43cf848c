//! URIs as they stand in start lines and headers (RFC 3261 §19.1), borrowed from the text.
//!
//! A SIP or SIPS URI is taken apart; every other scheme stays whole. Nothing is unescaped, so that printing gives the
//! same text back. Liberties that RFC 5118 asks a reader to take (a third colon before an embedded IPv4 address) are
//! taken.

use super::ParseError;
use super::header::is_token;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A URI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uri<'a> {
    /// `sip:` or `sips:`
    Sip(SipUri<'a>),
    /// Any other scheme, and what follows its colon.
    Other {
        /// The scheme as sent.
        scheme: &'a str,
        /// What follows.
        rest: &'a str,
    },
}

/// The parts of a SIP or SIPS URI, as sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SipUri<'a> {
    /// The scheme as sent, in any case.
    pub scheme: &'a str,
    /// The user part, escapes and user parameters included.
    pub user: Option<&'a str>,
    /// The password.
    pub password: Option<&'a str>,
    /// A name, an IPv4 address, or an IPv6 address in its brackets.
    pub host: &'a str,
    /// The port.
    pub port: Option<u16>,
    /// The parameters, names as sent.
    pub parameters: Vec<(&'a str, Option<&'a str>)>,
    /// What follows the question mark.
    pub headers: Option<&'a str>,
}

fn refuse(text: impl Into<String>) -> ParseError {
    ParseError::new("RFC 3261 §19.1.1", text)
}

impl<'a> Uri<'a> {
    /// Takes a URI apart.
    ///
    /// # Errors
    /// When there is no scheme, or when a SIP URI breaks its syntax.
    pub fn parse(text: &'a str) -> Result<Self, ParseError> {
        let (scheme, rest) = text.split_once(':').ok_or_else(|| refuse("no scheme"))?;
        if !is_scheme(scheme) {
            return Err(refuse("the scheme has odd characters"));
        }
        if let Some(odd) = rest.chars().find(|c| is_excluded(*c)) {
            return Err(refuse(format!("the character {odd:?}")));
        }
        if !scheme.eq_ignore_ascii_case("sip") && !scheme.eq_ignore_ascii_case("sips") {
            return Ok(Self::Other { scheme, rest });
        }
        SipUri::parse(scheme, rest).map(Self::Sip)
    }

    /// The SIP URI, when it is one.
    #[must_use]
    pub const fn as_sip(&self) -> Option<&SipUri<'a>> {
        match self {
            Self::Sip(uri) => Some(uri),
            Self::Other { .. } => None,
        }
    }
}

impl<'a> SipUri<'a> {
    fn parse(scheme: &'a str, rest: &'a str) -> Result<Self, ParseError> {
        let (userinfo, rest) = match rest.split_once('@') {
            Some((userinfo, rest)) => (Some(userinfo), rest),
            None => (None, rest),
        };
        let (user, password) = match userinfo.map(|info| (info, info.split_once(':'))) {
            None => (None, None),
            Some((info, None)) => (Some(info), None),
            Some((_, Some((user, password)))) => (Some(user), Some(password)),
        };
        for part in user.iter().chain(&password) {
            check_userinfo(part)?;
        }
        let (rest, headers) = match rest.split_once('?') {
            Some((rest, headers)) => (rest, Some(headers)),
            None => (rest, None),
        };
        let (hostport, parameters) = match rest.split_once(';') {
            Some((hostport, parameters)) => (hostport, Some(parameters)),
            None => (rest, None),
        };
        let (host, port) = split_hostport(hostport)?;
        let parameters = parameters.map_or(Ok(Vec::new()), parse_parameters)?;
        check_escapes(headers.unwrap_or_default())?;
        Ok(Self {
            scheme,
            user,
            password,
            host,
            port,
            parameters,
            headers,
        })
    }

    /// The value of a parameter, empty for a flag.
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&'a str> {
        let mut all = self.parameters.iter();
        let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.unwrap_or_default())
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sip(uri) => uri.fmt(f),
            Self::Other { scheme, rest } => write!(f, "{scheme}:{rest}"),
        }
    }
}

impl fmt::Display for SipUri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.scheme)?;
        if let Some(user) = self.user {
            f.write_str(user)?;
            if let Some(password) = self.password {
                write!(f, ":{password}")?;
            }
            f.write_str("@")?;
        }
        f.write_str(self.host)?;
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        for (name, value) in &self.parameters {
            write!(f, ";{name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        match self.headers {
            Some(headers) => write!(f, "?{headers}"),
            None => Ok(()),
        }
    }
}

/// Splits `host`, `host:port` and the same with an IPv6 address in brackets.
///
/// # Errors
/// When the host is no name and no address, or the port no number of a port.
pub fn split_hostport(text: &str) -> Result<(&str, Option<u16>), ParseError> {
    let (host, port) = match text.rfind(']') {
        Some(close) => text.split_at(close + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    if !is_host(host) {
        return Err(refuse(format!(
            "the host `{}`",
            super::header::shortened(host)
        )));
    }
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.strip_prefix(':').filter(|port| is_number(port));
    let port = digits.and_then(|port| port.parse().ok());
    port.map(|port| (host, Some(port)))
        .ok_or_else(|| refuse("the port is no number of a port"))
}

/// The address inside the brackets of an IPv6 reference, or of an IPv4 host.
#[must_use]
pub fn host_address(host: &str) -> Option<std::net::IpAddr> {
    match host.strip_prefix('[') {
        Some(inner) => ipv6(inner.strip_suffix(']')?).map(Into::into),
        None => host.parse::<Ipv4Addr>().ok().map(Into::into),
    }
}

fn ipv6(inner: &str) -> Option<Ipv6Addr> {
    // RFC 5118 §4.10: an old grammar allowed three colons before an embedded IPv4 address.
    let read = |text: &str| text.parse().ok();
    read(inner).or_else(|| read(&inner.replacen(":::", "::", 1)))
}

fn is_host(host: &str) -> bool {
    if host.starts_with('[') {
        return host_address(host).is_some();
    }
    let letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !host.is_empty() && host.bytes().all(letter)
}

fn is_scheme(text: &str) -> bool {
    let mut letters = text.bytes();
    letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Characters that no URI holds unescaped (RFC 3986 §2).
const fn is_excluded(c: char) -> bool {
    matches!(c, '\0'..=' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}' | '\u{7f}'..)
}

fn check_userinfo(text: &str) -> Result<(), ParseError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.!~*'()&=+$,;?/%:#[]".contains(c);
    if let Some(odd) = text.chars().find(|c| !plain(*c)) {
        return Err(refuse(format!("the character {odd:?} in the user part")));
    }
    check_escapes(text)
}

fn check_escapes(text: &str) -> Result<(), ParseError> {
    let mut rest = text;
    while let Some((_, after)) = rest.split_once('%') {
        let hex = |digits: &[u8]| digits.iter().all(u8::is_ascii_hexdigit);
        if !after.as_bytes().get(..2).is_some_and(hex) {
            return Err(refuse("a percent sign without two hexadecimal digits"));
        }
        rest = after;
    }
    Ok(())
}

type Parameters<'a> = Vec<(&'a str, Option<&'a str>)>;

fn parse_parameters(text: &str) -> Result<Parameters<'_>, ParseError> {
    let one = |part| -> Result<(&str, Option<&str>), ParseError> {
        let (name, value) = match str::split_once(part, '=') {
            Some((name, value)) => (name, Some(value)),
            None => (part, None),
        };
        // A parameter name may hold brackets, slashes and escapes beside the characters of a token.
        let bare = name.replace(['[', ']', '/', ':', '&', '$', '(', ')'], "");
        if name.is_empty() || !(bare.is_empty() || is_token(&bare)) {
            return Err(refuse("a parameter without a name"));
        }
        check_escapes(part)?;
        Ok((name, value))
    };
    text.split(';').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sip(text: &str) -> SipUri<'_> {
        match Uri::parse(text) {
            Ok(Uri::Sip(uri)) => uri,
            other => unreachable!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_part_is_found() {
        let uri = sip("sips:alice:pw@[2001:db8::1]:5071;transport=tcp;lr?to=bob%40x&a=b");
        assert_eq!((uri.user, uri.password), (Some("alice"), Some("pw")));
        assert_eq!((uri.host, uri.port), ("[2001:db8::1]", Some(5071)));
        assert_eq!(uri.parameter("TRANSPORT"), Some("tcp"));
        assert_eq!(uri.parameter("lr"), Some(""));
        assert_eq!(uri.headers, Some("to=bob%40x&a=b"));
    }

    #[test]
    fn odd_but_legal_uris_print_back() {
        for text in [
            "sip:host",
            "SIP:a.b@h",
            "sip:user;par=u%40example.net@example.com",
            "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*:&it+has=1,weird!*pas$wo~d_too.(doesn't-it)@example.com",
            "sip:%00@h5.example.com",
            "sip:*21*2424%23@as.example;user=phone",
            "sip:[2001:db8::9:1]:6050",
            "sip:vivekg@chair-dnrc.example.com;unknownparam",
            "sip:a@b;gr=urn:uuid:f81d4fae",
            "tel:+49-30-1234;phone-context=x",
            "urn:service:sos",
            "soap.beep://192.0.2.103:3002",
        ] {
            let uri = Uri::parse(text).expect(text);
            assert_eq!(uri.to_string(), text);
        }
    }

    #[test]
    fn broken_uris_are_refused() {
        for text in [
            "",
            "host",
            ":x",
            "sip:",
            "sip:@",
            "sip:a@",
            "sip:a@b:port",
            "sip:a@b:70000",
            "sip:a@b:",
            "sip:a b@c",
            "sip:a%4@b",
            "sip:a%zz@b",
            "sip:a@b;;c",
            "sip:a@b;=1",
            "sip:[::1",
            "sip:[::1]x",
            "sip:[1.2.3.4]",
            "sip:a@b c",
            "<sip:a@b>",
            "sip:ü@b",
        ] {
            assert!(Uri::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn three_colons_before_an_ipv4_address_are_read() {
        assert!(host_address("[2001:db8:::192.0.2.1]").is_some());
        assert_eq!(host_address("192.0.2.1").map(|ip| ip.is_ipv4()), Some(true));
        assert_eq!(host_address("example.com"), None);
    }
}
