//! Typed access to a message, as the types of rsip. The one module that knows that crate.
//!
//! rsip is used as a data model, never as a parser or printer of traffic: its types are filled here from our own
//! readers, and messages built of its types are written by [`to_bytes`]. Nothing is repaired on the way. What rsip
//! cannot hold (an extension method, a Request-URI that breaks its syntax, the headers of a URI) is [`Unfit`], and the
//! message itself is still there to be looked at.
//!
//! Two rules for whoever uses the values: compare status codes by their number, because the reason phrase is kept in
//! the value; and read IPv6 hosts and URIs of other schemes from the domain, because rsip has no better place for them.

use crate::message::address::Address;
use crate::message::uri::{SipUri, Uri};
use crate::message::{Message, Method, ParseError, StartLine};
use bytes::Bytes;
use rsip::headers::UntypedHeader as _;
use rsip::param::{OtherParam, OtherParamValue};
use rsip::{Header, Headers, Param, SipMessage, StatusCode};
use std::net::Ipv4Addr;

/// Why a message or a part of it has no typed form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// The method is none of those that rsip knows.
    #[error("no type for the method {0}")]
    ExtensionMethod(String),
    /// The header is not there.
    #[error("no {0}")]
    Missing(&'static str),
    /// The value breaks its syntax.
    #[error(transparent)]
    Syntax(#[from] ParseError),
    /// A URI with headers, for which rsip has no place.
    #[error("no place for the headers of a URI: {0}")]
    UriHeaders(String),
}

/// The whole message.
///
/// # Errors
/// When the method or the Request-URI has no typed form.
pub fn message(message: &Message) -> Result<SipMessage, Unfit> {
    let mut headers = Headers::default();
    for field in message.header_list() {
        headers.push(header(&field.name, &field.value));
    }
    let body = message.body().to_vec();
    let version = rsip::Version::V2;
    Ok(match message.start_line() {
        StartLine::Request {
            method: name,
            uri: target,
        } => SipMessage::Request(rsip::Request {
            method: method(name)?,
            uri: uri(target)?,
            version,
            headers,
            body,
        }),
        StartLine::Response { code, reason } => SipMessage::Response(rsip::Response {
            status_code: StatusCode::Other(*code, reason.clone()),
            version,
            headers,
            body,
        }),
    })
}

/// The method.
///
/// # Errors
/// When it is an extension method.
pub fn method(method: &Method) -> Result<rsip::Method, Unfit> {
    Ok(match method {
        Method::Ack => rsip::Method::Ack,
        Method::Bye => rsip::Method::Bye,
        Method::Cancel => rsip::Method::Cancel,
        Method::Info => rsip::Method::Info,
        Method::Invite => rsip::Method::Invite,
        Method::Message => rsip::Method::Message,
        Method::Notify => rsip::Method::Notify,
        Method::Options => rsip::Method::Options,
        Method::Prack => rsip::Method::PRack,
        Method::Publish => rsip::Method::Publish,
        Method::Refer => rsip::Method::Refer,
        Method::Register => rsip::Method::Register,
        Method::Subscribe => rsip::Method::Subscribe,
        Method::Update => rsip::Method::Update,
        Method::Extension(name) => return Err(Unfit::ExtensionMethod(name.clone())),
    })
}

/// The status code of a response, with its reason phrase as sent.
#[must_use]
pub fn status(message: &Message) -> Option<StatusCode> {
    match message.start_line() {
        StartLine::Request { .. } => None,
        StartLine::Response { code, reason } => Some(StatusCode::Other(*code, reason.clone())),
    }
}

/// A URI.
///
/// # Errors
/// When it breaks its syntax.
pub fn uri(text: &str) -> Result<rsip::Uri, Unfit> {
    from_uri(&Uri::parse(text)?)
}

/// The From header.
///
/// # Errors
/// When it is missing or breaks its syntax.
pub fn from(message: &Message) -> Result<rsip::typed::From, Unfit> {
    let value = message.header("From").ok_or(Unfit::Missing("From"))?;
    let address = Address::parse(value)?;
    Ok(rsip::typed::From {
        display_name: printed_name(&address),
        uri: from_uri(&address.uri)?,
        params: parameters(&address.parameters),
    })
}

/// The To header.
///
/// # Errors
/// When it is missing or breaks its syntax.
pub fn to(message: &Message) -> Result<rsip::typed::To, Unfit> {
    let value = message.header("To").ok_or(Unfit::Missing("To"))?;
    let address = Address::parse(value)?;
    Ok(rsip::typed::To {
        display_name: printed_name(&address),
        uri: from_uri(&address.uri)?,
        params: parameters(&address.parameters),
    })
}

/// All contacts, from lists and from repeated headers. `*` is none.
///
/// # Errors
/// When one of them breaks its syntax.
pub fn contacts(message: &Message) -> Result<Vec<rsip::typed::Contact>, Unfit> {
    let values = message.values("Contact").into_iter();
    values
        .filter(|value| *value != "*")
        .map(|value| {
            let address = Address::parse(value)?;
            Ok(rsip::typed::Contact {
                display_name: printed_name(&address),
                uri: from_uri(&address.uri)?,
                params: parameters(&address.parameters),
            })
        })
        .collect()
}

/// A header field in rsip's variant for its name, or in `Other`.
#[must_use]
pub fn header(name: &str, value: &str) -> Header {
    // rsip has this variant, but its own reader never makes it.
    if name.eq_ignore_ascii_case("Subscription-State") {
        return Header::SubscriptionState(rsip::headers::SubscriptionState::new(value));
    }
    let parts = rsip::headers::header::Tokenizer::from((name.as_bytes(), value.as_bytes()));
    let read: Result<Header, rsip::Error> = parts.try_into();
    read.unwrap_or_else(|_| Header::Other(name.to_owned(), value.to_owned()))
}

/// Writes a message built of rsip's types, its body as the bytes they are. Nothing is added: the headers are the ones
/// it holds.
#[must_use]
pub fn to_bytes(message: &SipMessage) -> Bytes {
    let (start, headers, body) = match message {
        SipMessage::Request(request) => (
            format!("{} {} SIP/2.0\r\n", request.method, request.uri),
            &request.headers,
            &request.body,
        ),
        SipMessage::Response(response) => (
            format!("SIP/2.0 {}\r\n", response.status_code),
            &response.headers,
            &response.body,
        ),
    };
    let mut bytes = start.into_bytes();
    for header in headers.iter() {
        bytes.extend_from_slice(header.to_string().as_bytes());
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes.into()
}

/// rsip prints a display name as it is, so it is given one that may stand in a header.
fn printed_name(address: &Address<'_>) -> Option<String> {
    let name = address.display_name.as_deref()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-.!%*_+`'~ ".contains(c);
    let safe = !name.is_empty() && name.trim() == name && name.chars().all(plain);
    Some(if safe {
        name.to_owned()
    } else {
        format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
    })
}

fn from_uri(uri: &Uri<'_>) -> Result<rsip::Uri, Unfit> {
    match uri {
        Uri::Sip(uri) => from_sip_uri(uri),
        Uri::Other { scheme, rest } => Ok(rsip::Uri {
            scheme: None,
            auth: None,
            host_with_port: rsip::Host::Domain(format!("{scheme}:{rest}").into()).into(),
            params: Vec::new(),
            headers: Vec::new(),
        }),
    }
}

fn from_sip_uri(uri: &SipUri<'_>) -> Result<rsip::Uri, Unfit> {
    let secure = uri.scheme.eq_ignore_ascii_case("sips");
    let host = match uri.host.parse::<Ipv4Addr>() {
        Ok(address) => rsip::Host::IpAddr(address.into()),
        Err(_) => rsip::Host::Domain(uri.host.into()),
    };
    if let Some(headers) = uri.headers {
        return Err(Unfit::UriHeaders(headers.to_owned()));
    }
    Ok(rsip::Uri {
        scheme: Some(if secure {
            rsip::Scheme::Sips
        } else {
            rsip::Scheme::Sip
        }),
        auth: uri.user.map(|user| rsip::Auth {
            user: user.to_owned(),
            password: uri.password.map(str::to_owned),
        }),
        host_with_port: rsip::HostWithPort {
            host,
            port: uri.port.map(Into::into),
        },
        params: parameters(&uri.parameters),
        headers: Vec::new(),
    })
}

fn parameters(parameters: &[(&str, Option<&str>)]) -> Vec<Param> {
    let one = |(name, value): &(&str, Option<&str>)| parameter(name, *value);
    parameters.iter().map(one).collect()
}

/// The variant for a parameter when it prints back as it was sent, else `Other`.
fn parameter(name: &str, value: Option<&str>) -> Param {
    match (name, value) {
        ("lr", None) => Param::Lr,
        ("branch", Some(value)) => Param::Branch(value.into()),
        ("expires", Some(value)) => Param::Expires(value.into()),
        ("maddr", Some(value)) => Param::Maddr(value.into()),
        ("q", Some(value)) => Param::Q(value.into()),
        ("received", Some(value)) => Param::Received(value.into()),
        ("tag", Some(value)) => Param::Tag(value.into()),
        ("ttl", Some(value)) => Param::Ttl(value.into()),
        ("user", Some(value)) => Param::User(value.into()),
        ("transport", Some("TCP")) => Param::Transport(rsip::Transport::Tcp),
        ("transport", Some("TLS")) => Param::Transport(rsip::Transport::Tls),
        ("transport", Some("UDP")) => Param::Transport(rsip::Transport::Udp),
        _ => other(name, value),
    }
}

fn other(name: &str, value: Option<&str>) -> Param {
    Param::Other(OtherParam::new(name), value.map(OtherParamValue::new))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Message {
        Message::parse(text.replace('\n', "\r\n").into()).expect("readable")
    }

    #[test]
    fn uris_print_back() {
        for text in [
            "sip:first.last@as.example:5060;transport=tcp;lr",
            "sips:a:b@[2001:db8::1]:5061",
            "sip:10.0.0.1",
            "sip:a@b;gr=urn:uuid:f81d4fae;ob",
            "tel:+49-30-1234",
            "urn:service:sos",
        ] {
            assert_eq!(uri(text).expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_rsip_alone_loses_is_kept() {
        let message_read = parsed(
            "SIP/2.0 481 No such call, sorry\nv: SIP/2.0/UDP [::1];branch=z9hG4bK1\n\
             f: \"Last, \\\"First\\\"\" <sip:a.b@[::1]>;tag=1\nt:<sip:a@b>\ni: 1\nCSeq: 1 NOTIFY\n\
             m: <sip:a@b;transport=udp>;+sip.instance=\"<urn:uuid:1>\",\n <sip:c>;expires=90\n\
             Subscription-State: active\nl: 0\n\n",
        );
        let typed = message(&message_read).expect("fits");
        let printed = String::from_utf8(to_bytes(&typed).to_vec()).expect("text");
        assert!(printed.starts_with("SIP/2.0 481 No such call, sorry\r\nVia: SIP/2.0/UDP [::1];"));
        let SipMessage::Response(response) = typed else {
            unreachable!("a response");
        };
        assert_eq!(response.status_code.code(), 481);
        let variant = |header: &Header| matches!(header, Header::SubscriptionState(_));
        assert!(response.headers.iter().any(variant));

        let from = from(&message_read).expect("fits");
        assert_eq!(from.display_name.as_deref(), Some(r#""Last, \"First\"""#));
        assert_eq!(from.uri.user(), Some("a.b"));
        assert_eq!(from.tag().map(ToString::to_string).as_deref(), Some("1"));
        let contacts = contacts(&message_read).expect("fit");
        let printed: Vec<String> = contacts.iter().map(ToString::to_string).collect();
        assert_eq!(
            printed,
            [
                "<sip:a@b;transport=udp>;+sip.instance=\"<urn:uuid:1>\"",
                "<sip:c>;expires=90"
            ]
        );
    }

    #[test]
    fn a_binary_body_stays_as_it_is() {
        let mut bytes = b"MESSAGE sip:a@b SIP/2.0\r\nContent-Length: 4\r\n\r\n".to_vec();
        bytes.extend_from_slice(&[0xff, 0, 0xfe, b'\n']);
        let read = Message::parse(bytes.clone().into()).expect("readable");
        assert_eq!(to_bytes(&message(&read).expect("fits")), bytes);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let odd = parsed("DANCE sip:a@b SIP/2.0\nFrom: Bell, A <sip:a@b>\n\n");
        assert_eq!(
            message(&odd),
            Err(Unfit::ExtensionMethod("DANCE".to_owned()))
        );
        assert!(matches!(from(&odd), Err(Unfit::Syntax(_))));
        assert_eq!(to(&odd), Err(Unfit::Missing("To")));
        assert_eq!(contacts(&odd), Ok(Vec::new()));
        assert_eq!(uri("sip:a@b?x=y"), Err(Unfit::UriHeaders("x=y".to_owned())));
    }
}
