//! A SIP message that keeps the bytes it came in.
//!
//! Parsing never changes, reorders or repairs anything: the headers are a list of names, values and ranges over the
//! original bytes, the body is bytes. What is odd but readable becomes a [`Lint`] with the clause it offends. Messages
//! of our own are written by [`Builder`] and then parsed by the same parser, so both kinds are one type.
//!
//! It deliberately is not a typed model: that is `typed`, over rsip.

use bytes::Bytes;
use std::fmt;
use std::ops::Range;

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

/// Something odd that did not stop the parser.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lint {
    /// The clause it offends, such as `RFC 3261 §20.14`.
    pub clause: &'static str,
    /// What is odd.
    pub text: String,
}

/// Why bytes are not a SIP message.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a SIP message ({clause}): {text}")]
pub struct ParseError {
    /// The clause that refuses it.
    pub clause: &'static str,
    /// What is wrong.
    pub text: String,
}

/// A request or response with its original bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    wire: Bytes,
    start: StartLine,
    headers: Vec<Header>,
    body: Range<usize>,
    lints: Vec<Lint>,
}

/// Compact names and their long forms (RFC 3261 §7.3.3, RFC 6665 §8.2).
const COMPACT: &[(&str, &str)] = &[
    ("c", "Content-Type"),
    ("e", "Content-Encoding"),
    ("f", "From"),
    ("i", "Call-ID"),
    ("k", "Supported"),
    ("l", "Content-Length"),
    ("m", "Contact"),
    ("o", "Event"),
    ("r", "Refer-To"),
    ("s", "Subject"),
    ("t", "To"),
    ("u", "Allow-Events"),
    ("v", "Via"),
];

impl Message {
    /// Parses one datagram.
    ///
    /// # Errors
    /// When the bytes have no start line, no end of headers, or a Content-Length that exceeds the datagram.
    pub fn parse(datagram: Bytes) -> Result<Self, ParseError> {
        let refuse = |clause, text: &str| {
            Err(ParseError {
                clause,
                text: text.to_owned(),
            })
        };
        let bytes = datagram.as_ref();
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return refuse("RFC 3261 §7", "no empty line after the headers");
        };
        let Ok(head) = std::str::from_utf8(bytes.get(..end).unwrap_or_default()) else {
            return refuse("RFC 3261 §7", "the headers are not UTF-8");
        };
        let mut headers: Vec<Header> = Vec::new();
        let mut start = None;
        let mut offset = 0;
        for line in head.split("\r\n") {
            let range = offset..offset + line.len() + 2;
            offset = range.end;
            if start.is_none() {
                start = Some(parse_start_line(line)?);
            } else if line.starts_with([' ', '\t']) {
                let Some(last) = headers.last_mut() else {
                    return refuse("RFC 3261 §7.3.1", "a folded line before any header");
                };
                last.value.push(' ');
                last.value.push_str(line.trim());
                last.as_sent.end = range.end;
            } else {
                let Some((name, value)) = line.split_once(':') else {
                    return refuse("RFC 3261 §7.3.1", "a header without a colon");
                };
                headers.push(Header {
                    name: canonical_name(name.trim()),
                    value: value.trim().to_owned(),
                    as_sent: range,
                });
            }
        }
        let Some(start) = start else {
            return refuse("RFC 3261 §7", "no start line");
        };
        let body_start = end + 4;
        let available = bytes.len() - body_start;
        let length = headers
            .iter()
            .find(|header| header.name == "Content-Length");
        let length = match length.map(|header| header.value.parse::<usize>()) {
            None => available,
            Some(Ok(length)) if length <= available => length,
            Some(Ok(_)) => {
                return refuse("RFC 3261 §18.3", "Content-Length larger than the datagram");
            }
            Some(Err(_)) => return refuse("RFC 3261 §20.14", "Content-Length is not a number"),
        };
        Ok(Self {
            wire: datagram,
            start,
            headers,
            body: body_start..body_start + length,
            lints: Vec::new(),
        })
    }

    /// The original bytes, to the end of the datagram.
    #[must_use]
    pub fn wire(&self) -> &Bytes {
        &self.wire
    }

    /// The first line.
    #[must_use]
    pub fn start_line(&self) -> &StartLine {
        &self.start
    }

    /// The method of a request.
    #[must_use]
    pub fn method(&self) -> Option<&Method> {
        match &self.start {
            StartLine::Request { method, .. } => Some(method),
            StartLine::Response { .. } => None,
        }
    }

    /// The Request-URI of a request, as sent.
    #[must_use]
    pub fn request_uri(&self) -> Option<&str> {
        match &self.start {
            StartLine::Request { uri, .. } => Some(uri),
            StartLine::Response { .. } => None,
        }
    }

    /// The status code of a response.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match &self.start {
            StartLine::Request { .. } => None,
            StartLine::Response { code, .. } => Some(*code),
        }
    }

    /// All header fields in the order of the wire.
    #[must_use]
    pub fn header_list(&self) -> &[Header] {
        &self.headers
    }

    /// The value of the first header with this name (long name, any case).
    #[must_use]
    pub fn header<'a>(&'a self, name: &str) -> Option<&'a str> {
        self.headers(name).next()
    }

    /// The values of all headers with this name (long name, any case), unsplit.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value.as_str())
    }

    /// The values of all headers with this name, split at commas outside quotes and angle brackets.
    #[must_use]
    pub fn values<'a>(&'a self, name: &str) -> Vec<&'a str> {
        self.headers(name).flat_map(split_list).collect()
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.wire.get(self.body.clone()).unwrap_or_default()
    }

    /// What was odd.
    #[must_use]
    pub fn lints(&self) -> &[Lint] {
        &self.lints
    }

    /// The Call-ID, empty when missing.
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.header("Call-ID").unwrap_or_default()
    }

    /// The CSeq number and method.
    #[must_use]
    pub fn cseq(&self) -> Option<(u32, Method)> {
        let (number, method) = self.header("CSeq")?.split_once([' ', '\t'])?;
        Some((number.parse().ok()?, Method::from_token(method.trim())))
    }

    /// The tag of the From header.
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        parameter(after_address(self.header("From")?), "tag")
    }

    /// The tag of the To header.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        parameter(after_address(self.header("To")?), "tag")
    }

    /// The URI inside the From header, without parameters of the header.
    #[must_use]
    pub fn from_uri(&self) -> Option<&str> {
        self.header("From").map(address_uri)
    }

    /// The URI inside the To header.
    #[must_use]
    pub fn to_uri(&self) -> Option<&str> {
        self.header("To").map(address_uri)
    }

    /// The URI inside the first Contact.
    #[must_use]
    pub fn contact_uri(&self) -> Option<&str> {
        self.values("Contact")
            .first()
            .map(|value| address_uri(value))
    }

    /// The branch of the topmost Via.
    #[must_use]
    pub fn branch(&self) -> Option<&str> {
        parameter(self.values("Via").first()?, "branch")
    }

    /// The value of Expires in seconds.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        self.header("Expires")?.parse().ok()
    }
}

/// The value of `;name=value` in the parameters that follow `text`'s first semicolon; an empty string for a flag.
#[must_use]
pub fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    split_outside(text, ';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        key.trim()
            .eq_ignore_ascii_case(name)
            .then(|| value.trim().trim_matches('"'))
    })
}

/// The URI of a name-addr or addr-spec.
#[must_use]
pub fn address_uri(value: &str) -> &str {
    match value.find('<') {
        Some(open) => {
            let rest = value.get(open + 1..).unwrap_or_default();
            rest.split('>').next().unwrap_or_default()
        }
        None => value.split(';').next().unwrap_or_default().trim(),
    }
}

fn after_address(value: &str) -> &str {
    value
        .rfind('>')
        .and_then(|close| value.get(close..))
        .unwrap_or(value)
}

fn split_list(value: &str) -> impl Iterator<Item = &str> {
    split_outside(value, ',').map(str::trim)
}

fn split_outside(value: &str, separator: char) -> impl Iterator<Item = &str> {
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

fn canonical_name(name: &str) -> String {
    COMPACT
        .iter()
        .find(|(short, _)| short.eq_ignore_ascii_case(name))
        .map_or_else(|| name.to_owned(), |(_, long)| (*long).to_owned())
}

fn parse_start_line(line: &str) -> Result<StartLine, ParseError> {
    let refuse = |clause, text: &str| ParseError {
        clause,
        text: text.to_owned(),
    };
    if let Some(rest) = line.strip_prefix("SIP/2.0 ") {
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        let code = code
            .parse()
            .map_err(|_| refuse("RFC 3261 §7.2", "bad status code"))?;
        return Ok(StartLine::Response {
            code,
            reason: reason.to_owned(),
        });
    }
    let mut words = line.split(' ');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some(method), Some(uri), Some("SIP/2.0"), None)
            if !method.is_empty() && !uri.is_empty() =>
        {
            Ok(StartLine::Request {
                method: Method::from_token(method),
                uri: uri.to_owned(),
            })
        }
        _ => Err(refuse("RFC 3261 §7.1", "bad request line")),
    }
}

/// Writes a message. Header fields stand in the order of the calls; Content-Length comes last.
#[derive(Clone, Debug)]
pub struct Builder {
    head: String,
    body: Bytes,
}

impl Builder {
    /// A request with this method and Request-URI, no header yet.
    #[must_use]
    pub fn request(method: &Method, uri: &str) -> Self {
        Self {
            head: format!("{method} {uri} SIP/2.0\r\n"),
            body: Bytes::new(),
        }
    }

    /// A response with no header yet.
    #[must_use]
    pub fn response(code: u16, reason: &str) -> Self {
        Self {
            head: format!("SIP/2.0 {code} {reason}\r\n"),
            body: Bytes::new(),
        }
    }

    /// A response to this request: Via, From, To, Call-ID and CSeq are copied (RFC 3261 §8.2.6.2). `to_tag` is added to
    /// To when the request has none.
    #[must_use]
    pub fn response_to(request: &Message, code: u16, reason: &str, to_tag: Option<&str>) -> Self {
        let mut builder = Self::response(code, reason);
        for header in request.header_list() {
            match header.name.as_str() {
                "Via" | "From" | "Call-ID" | "CSeq" => {
                    builder = builder.header(&header.name, &header.value)
                }
                "To" => {
                    let tag = to_tag.filter(|_| request.to_tag().is_none());
                    let value = tag.map_or_else(
                        || header.value.clone(),
                        |tag| format!("{};tag={tag}", header.value),
                    );
                    builder = builder.header("To", &value);
                }
                _ => {}
            }
        }
        builder
    }

    /// Appends a header field.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(name);
        self.head.push_str(": ");
        self.head.push_str(value);
        self.head.push_str("\r\n");
        self
    }

    /// Sets the body and its Content-Type.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
        self = self.header("Content-Type", content_type);
        self.body = body.into();
        self
    }

    /// The bytes, with Content-Length.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = self.head.clone().into_bytes();
        bytes.extend_from_slice(format!("Content-Length: {}\r\n\r\n", self.body.len()).as_bytes());
        bytes.extend_from_slice(&self.body);
        bytes.into()
    }

    /// The message.
    ///
    /// # Errors
    /// When a value given to the builder breaks the syntax.
    pub fn build(&self) -> Result<Message, ParseError> {
        Message::parse(self.to_bytes())
    }
}
