//! Writes messages of our own.
//!
//! The builder prints what it is told, in the order it is told; only Content-Length is its own, and it can be told to
//! leave that out. It does not check anything: a rig sends wrong messages on purpose.

use super::{Message, Method, ParseError};
use bytes::Bytes;

/// Writes a message. Header fields stand in the order of the calls; Content-Length comes last.
#[derive(Clone, Debug)]
pub struct Builder {
    head: String,
    body: Bytes,
    length: Length,
}

#[derive(Clone, Debug)]
enum Length {
    OfBody,
    Given(String),
    Absent,
}

impl Builder {
    /// A request with this method and Request-URI, no header yet.
    #[must_use]
    pub fn request(method: &Method, uri: &str) -> Self {
        Self {
            head: format!("{method} {uri} SIP/2.0\r\n"),
            body: Bytes::new(),
            length: Length::OfBody,
        }
    }

    /// A response with no header yet.
    #[must_use]
    pub fn response(code: u16, reason: &str) -> Self {
        Self {
            head: format!("SIP/2.0 {code} {reason}\r\n"),
            body: Bytes::new(),
            length: Length::OfBody,
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

    /// Says something else in Content-Length than the length of the body; `None` leaves the header out.
    #[must_use]
    pub fn content_length(mut self, value: Option<&str>) -> Self {
        self.length = value.map_or(Length::Absent, |value| Length::Given(value.to_owned()));
        self
    }

    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let mut bytes = Vec::with_capacity(self.head.len() + self.body.len() + 32);
        bytes.extend_from_slice(self.head.as_bytes());
        match &self.length {
            Length::OfBody => {
                let line = format!("Content-Length: {}\r\n", self.body.len());
                bytes.extend_from_slice(line.as_bytes());
            }
            Length::Given(value) => {
                bytes.extend_from_slice(format!("Content-Length: {value}\r\n").as_bytes());
            }
            Length::Absent => {}
        }
        bytes.extend_from_slice(b"\r\n");
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
