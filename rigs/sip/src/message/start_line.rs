//! The first line of a message: method and Request-URI, or status code and reason phrase.

use super::{ParseError, header};
use std::fmt;

/// A request method. Methods are case-sensitive (RFC 3261 §7.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// ACK
    Ack,
    /// BYE
    Bye,
    /// CANCEL
    Cancel,
    /// INFO
    Info,
    /// INVITE
    Invite,
    /// MESSAGE
    Message,
    /// NOTIFY
    Notify,
    /// OPTIONS
    Options,
    /// PRACK
    Prack,
    /// PUBLISH
    Publish,
    /// REFER
    Refer,
    /// REGISTER
    Register,
    /// SUBSCRIBE
    Subscribe,
    /// UPDATE
    Update,
    /// Any other token.
    Extension(String),
}

impl Method {
    /// The method with this name.
    #[must_use]
    pub fn from_token(token: &str) -> Self {
        match token {
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "INFO" => Self::Info,
            "INVITE" => Self::Invite,
            "MESSAGE" => Self::Message,
            "NOTIFY" => Self::Notify,
            "OPTIONS" => Self::Options,
            "PRACK" => Self::Prack,
            "PUBLISH" => Self::Publish,
            "REFER" => Self::Refer,
            "REGISTER" => Self::Register,
            "SUBSCRIBE" => Self::Subscribe,
            "UPDATE" => Self::Update,
            other => Self::Extension(other.to_owned()),
        }
    }

    /// The name on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Info => "INFO",
            Self::Invite => "INVITE",
            Self::Message => "MESSAGE",
            Self::Notify => "NOTIFY",
            Self::Options => "OPTIONS",
            Self::Prack => "PRACK",
            Self::Publish => "PUBLISH",
            Self::Refer => "REFER",
            Self::Register => "REGISTER",
            Self::Subscribe => "SUBSCRIBE",
            Self::Update => "UPDATE",
            Self::Extension(name) => name,
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartLine {
    /// A request.
    Request {
        /// The method.
        method: Method,
        /// The Request-URI as sent.
        uri: String,
    },
    /// A response.
    Response {
        /// 100 to 699.
        code: u16,
        /// The reason phrase as sent.
        reason: String,
    },
}

/// Reads the first line, without its line end.
pub(super) fn parse(line: &str) -> Result<StartLine, ParseError> {
    let version = line.get(..7).unwrap_or_default();
    if version.eq_ignore_ascii_case("SIP/2.0") && matches!(line.get(7..8), None | Some(" ")) {
        return parse_status_line(line.get(8..).unwrap_or_default());
    }
    let mut words = line.split(' ');
    let (Some(method), Some(uri), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        let text = "the request line must have two single blanks";
        return Err(ParseError::new("RFC 3261 §7.1", text));
    };
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        let text = format!("version {}", header::shortened(version));
        return Err(ParseError::new("RFC 3261 §7.1", text));
    }
    if !header::is_token(method) {
        return Err(ParseError::new("RFC 3261 §7.1", "the method is no token"));
    }
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let mut letters = scheme.bytes();
    let is_scheme = letters
        .next()
        .is_some_and(|first| first.is_ascii_alphabetic())
        && letters.all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if !is_scheme {
        let text = "the Request-URI begins with no scheme";
        return Err(ParseError::new("RFC 3261 §7.1", text));
    }
    Ok(StartLine::Request {
        method: Method::from_token(method),
        uri: uri.to_owned(),
    })
}

fn parse_status_line(rest: &str) -> Result<StartLine, ParseError> {
    let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    let digits = code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit());
    let code = code
        .parse()
        .ok()
        .filter(|code| digits && (100..700).contains(code));
    let Some(code) = code else {
        return Err(ParseError::new("RFC 3261 §7.2", "bad status code"));
    };
    Ok(StartLine::Response {
        code,
        reason: reason.to_owned(),
    })
}
