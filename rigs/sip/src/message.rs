//! A SIP message that keeps the bytes it came in.
//!
//! Parsing never changes, reorders or repairs anything: the headers are a list of names, values and ranges over the
//! original bytes, the body is bytes. What is odd but readable becomes a [`Lint`] with the clause it offends: the
//! parser notes what it meets on its way, [`Message::check`] looks at everything. Messages of our own are written by
//! [`Builder`] and then parsed by the same parser, so both kinds are one type.
//!
//! It deliberately is not a typed model: what a header means is read by whoever asks.

pub mod address;
mod builder;
mod check;
mod header;
mod start_line;
pub mod stream;
pub mod uri;

pub use builder::Builder;
pub use header::{Header, address_uri, parameter, unquoted};
pub use start_line::{Method, StartLine};

use bytes::Bytes;
use header::{after_address, canonical_name, split_list};
use std::ops::Range;

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
impl ParseError {
    fn new(clause: &'static str, text: impl Into<String>) -> Self {
        Self {
            clause,
            text: text.into(),
        }
    }
}

impl Message {
    /// Parses one datagram.
    ///
    /// # Errors
    /// When the bytes have no start line, no end of headers, a line that is no header, or a Content-Length that exceeds
    /// the datagram or contradicts itself.
    pub fn parse(datagram: Bytes) -> Result<Self, ParseError> {
        let bytes = datagram.as_ref();
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            return Err(unended_head(bytes));
        };
        let Ok(head) = std::str::from_utf8(bytes.get(..end).unwrap_or_default()) else {
            return Err(ParseError::new("RFC 3261 §7", "the headers are not UTF-8"));
        };
        let (start, headers, mut lints) = parse_head(head)?;
        let body_start = end + 4;
        let available = bytes.len() - body_start;
        let length = announced_length(&headers, &mut lints)?.unwrap_or(available);
        if length > available {
            let text = format!("Content-Length is {length}, but {available} bytes are left");
            return Err(ParseError::new("RFC 3261 §18.3", text));
        }
        if length < available {
            lints.push(Lint {
                clause: "RFC 3261 §18.3",
                text: format!("{} bytes behind the body", available - length),
            });
        }
        Ok(Self {
            start,
            headers,
            body: body_start..body_start + length,
            lints,
            wire: datagram,
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

fn unended_head(bytes: &[u8]) -> ParseError {
    let bare = bytes.windows(2).any(|two| two == b"\n\n");
    let text = if bare {
        "lines end in LF instead of CR LF"
    } else {
        "no empty line after the headers"
    };
    ParseError::new("RFC 3261 §7", text)
}

type Head = (StartLine, Vec<Header>, Vec<Lint>);

fn parse_head(head: &str) -> Result<Head, ParseError> {
    let mut headers: Vec<Header> = Vec::with_capacity(16);
    let mut lints = Vec::new();
    let mut start = None;
    let mut offset = 0;
    for line in head.split("\r\n") {
        let range = offset..offset + line.len() + 2;
        offset = range.end;
        if line.contains(['\r', '\n']) {
            return Err(ParseError::new(
                "RFC 3261 §25.1",
                "a lone CR or LF in the headers",
            ));
        }
        if start.is_none() {
            // RFC 3261 §7.5: empty lines before the start line are ignored.
            if !line.is_empty() {
                start = Some(start_line::parse(line)?);
            }
        } else if line.starts_with([' ', '\t']) {
            let Some(last) = headers.last_mut() else {
                let text = "a folded line before any header";
                return Err(ParseError::new("RFC 3261 §7.3.1", text));
            };
            let more = line.trim_matches([' ', '\t']);
            if !last.value.is_empty() && !more.is_empty() {
                last.value.push(' ');
            }
            last.value.push_str(more);
            last.as_sent.end = range.end;
        } else {
            headers.push(parse_field(line, range, &mut lints)?);
        }
    }
    let start = start.ok_or_else(|| ParseError::new("RFC 3261 §7", "no start line"))?;
    Ok((start, headers, lints))
}

fn parse_field(
    line: &str,
    as_sent: Range<usize>,
    lints: &mut Vec<Lint>,
) -> Result<Header, ParseError> {
    let Some((name, value)) = line.split_once(':') else {
        let text = format!("a header without a colon: {}", header::shortened(line));
        return Err(ParseError::new("RFC 3261 §7.3.1", text));
    };
    let name = name.trim_end_matches([' ', '\t']);
    if !header::is_token(name) {
        let text = format!(
            "a header name that is no token: {}",
            header::shortened(name)
        );
        return Err(ParseError::new("RFC 3261 §7.3.1", text));
    }
    let value = value.trim_matches([' ', '\t']);
    if value.contains('\0') && !value.contains('"') {
        lints.push(Lint {
            clause: "RFC 3261 §25.1",
            text: format!("a NUL in {name}"),
        });
    }
    Ok(Header {
        name: canonical_name(name),
        value: value.to_owned(),
        as_sent,
    })
}

fn announced_length(
    headers: &[Header],
    lints: &mut Vec<Lint>,
) -> Result<Option<usize>, ParseError> {
    let mut found = None;
    for header in headers
        .iter()
        .filter(|header| header.name == "Content-Length")
    {
        let digits = header.value.bytes().all(|byte| byte.is_ascii_digit());
        let length = header.value.parse::<usize>().ok().filter(|_| digits);
        let Some(length) = length else {
            let text = "Content-Length is not a number";
            return Err(ParseError::new("RFC 3261 §20.14", text));
        };
        match found {
            None => found = Some(length),
            Some(other) if other == length => lints.push(Lint {
                clause: "RFC 3261 §7.3.1",
                text: "Content-Length twice".to_owned(),
            }),
            Some(_) => {
                let text = "two Content-Length headers that differ";
                return Err(ParseError::new("RFC 3261 §20.14", text));
            }
        }
    }
    Ok(found)
}
