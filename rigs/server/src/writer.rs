//! Writes the server's messages in the style of its dialect.
//!
//! `sip::message::Builder` writes every header with a blank after the colon; some products write none. This writer
//! differs in nothing else: header fields stand in the order of the calls, Content-Length comes last, and what it
//! yields has been read again by the parser that reads everything.

use crate::dialect::Dialect;
use bytes::Bytes;
use sip::message::{Message, ParseError};

/// A message that is being written.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    colon: &'static str,
    head: String,
    body: Bytes,
}

impl Writer {
    fn new(dialect: &Dialect, start: &str) -> Self {
        Self {
            colon: dialect.style.colon(),
            head: format!("{start}\r\n"),
            body: Bytes::new(),
        }
    }

    /// A request without headers.
    pub(crate) fn request(dialect: &Dialect, method: &str, uri: &str) -> Self {
        Self::new(dialect, &format!("{method} {uri} SIP/2.0"))
    }

    /// A response with what RFC 3261 §8.2.6.2 copies from the request; `to_tag` is added where To has none.
    pub(crate) fn response_to(
        dialect: &Dialect,
        request: &Message,
        code: u16,
        reason: Option<&str>,
        to_tag: Option<&str>,
    ) -> Self {
        let reason = reason.unwrap_or_else(|| reason_phrase(code));
        let mut writer = Self::new(dialect, &format!("SIP/2.0 {code} {reason}"));
        for header in request.header_list() {
            match header.name.as_str() {
                "Via" | "From" | "Call-ID" | "CSeq" => {
                    writer = writer.header(&header.name, &header.value);
                }
                "To" => {
                    let tag = to_tag.filter(|_| request.to_tag().is_none());
                    let tag = tag.map_or_else(String::new, |tag| format!(";tag={tag}"));
                    writer = writer.header("To", &format!("{}{tag}", header.value));
                }
                _ => {}
            }
        }
        let product = &dialect.style.product.value;
        if product.is_empty() {
            writer
        } else {
            writer.header("Server", product)
        }
    }

    /// Appends a header field.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.head.push_str(name);
        self.head.push_str(self.colon);
        self.head.push_str(value);
        self.head.push_str("\r\n");
        self
    }

    /// Appends a header field if there is a value.
    pub(crate) fn header_if(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.header(name, value.as_ref()),
            None => self,
        }
    }

    /// Sets the body and its Content-Type.
    pub(crate) fn body(mut self, content_type: &str, body: Bytes) -> Self {
        self = self.header("Content-Type", content_type);
        self.body = body;
        self
    }

    /// The bytes.
    pub(crate) fn to_bytes(&self) -> Bytes {
        let length = format!("Content-Length{}{}\r\n\r\n", self.colon, self.body.len());
        [self.head.as_bytes(), length.as_bytes(), &self.body]
            .concat()
            .into()
    }

    /// The message.
    pub(crate) fn build(&self) -> Result<Message, ParseError> {
        Message::parse(self.to_bytes())
    }
}

/// The usual reason phrase of a status code.
pub(crate) const fn reason_phrase(code: u16) -> &'static str {
    match code {
        100 => "Trying",
        180 => "Ringing",
        183 => "Session Progress",
        200 => "OK",
        202 => "Accepted",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        415 => "Unsupported Media Type",
        416 => "Unsupported URI Scheme",
        420 => "Bad Extension",
        423 => "Interval Too Brief",
        480 => "Temporarily Unavailable",
        481 => "Call/Transaction Does Not Exist",
        482 => "Loop Detected",
        483 => "Too Many Hops",
        484 => "Address Incomplete",
        485 => "Ambiguous",
        486 => "Busy Here",
        487 => "Request Terminated",
        488 => "Not Acceptable Here",
        489 => "Bad Event",
        500 => "Server Internal Error",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        504 => "Server Time-out",
        600 => "Busy Everywhere",
        603 => "Decline",
        604 => "Does Not Exist Anywhere",
        _ => match code / 100 {
            1 => "Session Progress",
            2 => "OK",
            3 => "Multiple Choices",
            4 => "Request Failure",
            5 => "Server Failure",
            _ => "Global Failure",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_decides_about_the_blank_after_the_colon() {
        let mut dialect = Dialect::broadsoft();
        let write = |dialect: &Dialect| {
            Writer::request(dialect, "OPTIONS", "sip:a@b")
                .header("Max-Forwards", "69")
                .to_bytes()
        };
        assert_eq!(
            write(&dialect),
            "OPTIONS sip:a@b SIP/2.0\r\nMax-Forwards:69\r\nContent-Length:0\r\n\r\n"
        );
        dialect.style.blank_after_colon.value = true;
        assert_eq!(
            write(&dialect),
            "OPTIONS sip:a@b SIP/2.0\r\nMax-Forwards: 69\r\nContent-Length: 0\r\n\r\n"
        );
    }

    #[test]
    fn a_response_repeats_every_via_and_tags_to_once() {
        let request = Message::parse(Bytes::from_static(
            b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nv: SIP/2.0/UDP y\r\n\
              From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n",
        ))
        .expect("sound");
        let dialect = Dialect::broadsoft();
        let response = Writer::response_to(&dialect, &request, 200, None, Some("t"))
            .build()
            .expect("sound");
        assert_eq!(response.headers("Via").count(), 2);
        assert_eq!(response.to_tag(), Some("t"));
        let again = Writer::response_to(&dialect, &request, 200, None, None).build();
        assert_eq!(again.expect("sound").to_tag(), None);
    }
}
