//! The monitor's own reader of `as-feature-event` bodies, single documents and `multipart/mixed`.
//!
//! It reads more than a base must take, and says so: a [`Reading`] is `regular` only when every base must read it
//! alike. What is irregular proves nothing about the values that follow from it. Requests of the base come back as a
//! tree, so that the rules can count elements. Names and forms: domain notes, protocol.md sections 1.3 to 1.5.

use crate::record::Service;
use crate::xml::Element;
use sip::message::parameter;

/// The namespace of the documents, ECMA-323 edition 3.
pub const NAMESPACE: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";
/// The type of a single document.
pub const CONTENT_TYPE: &str = "application/x-as-feature-event+xml";
/// The largest number of parts that is read.
pub const MAX_PARTS: usize = 64;

/// What a body says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Its documents in their order.
    pub parts: Vec<Part>,
    /// Whether it came as `multipart/mixed`.
    pub multipart: bool,
    /// What is odd about its framing or its type; nothing when every base must read it alike.
    pub oddity: Option<String>,
}

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The base asks for a change.
    Asked(Asked),
    /// The server tells a state.
    Told(Told),
    /// Well-formed, but none of the known documents.
    Unknown {
        /// Its root element.
        root: String,
    },
    /// Not a document.
    Unreadable(String),
}

/// A request for a change, as its tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which service it is for, when that can be told.
    pub service: Option<Service>,
    /// The document.
    pub document: Element,
}

/// A state of one service as the server tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Which service.
    pub service: Service,
    /// On or off; nothing when the document does not say so in a form that all must read.
    pub active: Option<bool>,
    /// The destination as written, nothing when the element is missing.
    pub number: Option<String>,
    /// The ring count as written, nothing when the element is missing.
    pub rings: Option<String>,
    /// The device element.
    pub device: Device,
    /// Whether the namespace is the right one.
    pub namespaced: bool,
}

/// What stands in the device element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Device {
    /// There is none.
    Absent,
    /// It is empty.
    Empty,
    /// It holds an element.
    Nested,
    /// It holds text.
    Text(String),
}

impl Told {
    /// The ring count when it is one that counts.
    #[must_use]
    pub fn valid_rings(&self) -> Option<u32> {
        let rings = self.rings.as_deref()?.trim().parse().ok()?;
        (self.service == Service::CallForwardingNoAnswer && (1..=100).contains(&rings))
            .then_some(rings)
    }

    /// The destination when the service is on and it is plain digits as a handset shows them.
    #[must_use]
    pub fn shown_number(&self) -> Option<&str> {
        let number = self.number.as_deref()?.trim();
        let plain = !number.is_empty()
            && number
                .bytes()
                .all(|byte| byte.is_ascii_digit() || b"*#+".contains(&byte));
        (self.active == Some(true) && plain).then_some(number)
    }
}

impl Reading {
    /// Reads a body of this Content-Type.
    #[must_use]
    pub fn of(content_type: Option<&str>, body: &[u8]) -> Self {
        let kind = content_type.unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default().trim();
        if body.is_empty() {
            return Self::default();
        }
        if media.eq_ignore_ascii_case("multipart/mixed") {
            return Self::of_multipart(parameter(kind, "boundary").unwrap_or_default(), body);
        }
        let part = Part::of(body);
        let mut oddity = part.oddity();
        if !media.eq_ignore_ascii_case(CONTENT_TYPE) {
            oddity = Some(format!("the Content-Type is `{kind}`"));
        }
        Self {
            parts: vec![part],
            multipart: false,
            oddity,
        }
    }

    fn of_multipart(boundary: &str, body: &[u8]) -> Self {
        let mut reading = Self {
            multipart: true,
            ..Self::default()
        };
        if boundary.is_empty() || boundary.len() > 70 {
            reading.oddity = Some("the boundary is missing or too long".to_owned());
            return reading;
        }
        let framing = Framing::split(boundary.as_bytes(), body);
        reading.oddity = framing.oddity.map(str::to_owned);
        for part in framing.parts.into_iter().take(MAX_PARTS) {
            let (head, document) = split_head(part);
            let head = String::from_utf8_lossy(head).to_ascii_lowercase();
            let part = Part::of(document);
            if !head.contains(CONTENT_TYPE) {
                reading.oddity = Some("a part has another Content-Type".to_owned());
            }
            if let Some(oddity) = part.oddity() {
                reading.oddity = Some(oddity);
            }
            reading.parts.push(part);
        }
        reading
    }

    /// The states it tells, in their order.
    pub fn told(&self) -> impl Iterator<Item = &Told> {
        self.parts.iter().filter_map(|part| match part {
            Part::Told(told) => Some(told),
            _ => None,
        })
    }

    /// The state it tells of one service.
    #[must_use]
    pub fn told_of(&self, service: Service) -> Option<&Told> {
        self.told().find(|told| told.service == service)
    }

    /// The requests it holds.
    pub fn asked(&self) -> impl Iterator<Item = &Asked> {
        self.parts.iter().filter_map(|part| match part {
            Part::Asked(asked) => Some(asked),
            _ => None,
        })
    }

    /// Whether every base must read it alike.
    #[must_use]
    pub const fn is_regular(&self) -> bool {
        self.oddity.is_none()
    }
}

impl Part {
    fn of(document: &[u8]) -> Self {
        let root = match Element::parse(document) {
            Ok(root) => root,
            Err(error) => return Self::Unreadable(error.to_string()),
        };
        match root.name.as_str() {
            "DoNotDisturbEvent" => Self::told(&root, Service::DoNotDisturb, "doNotDisturbOn"),
            "ForwardingEvent" => match forwarding(&root) {
                Some(service) => Self::told(&root, service, "forwardStatus"),
                None => Self::Unknown { root: root.name },
            },
            "SetDoNotDisturb" => Self::Asked(Asked {
                service: Some(Service::DoNotDisturb),
                document: root,
            }),
            "SetForwarding" => Self::Asked(Asked {
                service: forwarding(&root),
                document: root,
            }),
            _ => Self::Unknown { root: root.name },
        }
    }

    fn told(root: &Element, service: Service, status: &str) -> Self {
        let text = |name| root.child(name).map(|child| child.text.clone());
        let device = match root.child("device") {
            None => Device::Absent,
            Some(device) if !device.children.is_empty() => Device::Nested,
            Some(device) if device.text.trim().is_empty() => Device::Empty,
            Some(device) => Device::Text(device.text.trim().to_owned()),
        };
        let active = match text(status).as_deref().map(str::trim) {
            Some("true") => Some(true),
            Some("false") => Some(false),
            _ => None,
        };
        Self::Told(Told {
            service,
            active,
            number: text("forwardTo"),
            rings: text("ringCount"),
            device,
            namespaced: root.namespace.as_deref() == Some(NAMESPACE),
        })
    }

    /// Why bases may differ over this document.
    fn oddity(&self) -> Option<String> {
        match self {
            Self::Told(told) if !told.namespaced => Some("the namespace is not the one".to_owned()),
            Self::Told(told) if told.active.is_none() => {
                Some("the status is neither `true` nor `false`".to_owned())
            }
            Self::Unreadable(why) => Some(why.clone()),
            _ => None,
        }
    }
}

/// The service that a forwarding document names.
fn forwarding(root: &Element) -> Option<Service> {
    match root.child("forwardingType")?.text.trim() {
        "forwardImmediate" => Some(Service::CallForwardingAlways),
        "forwardBusy" => Some(Service::CallForwardingBusy),
        "forwardNoAns" => Some(Service::CallForwardingNoAnswer),
        _ => None,
    }
}

/// The parts between the delimiter lines of RFC 2046 §5.1.1.
struct Framing<'a> {
    parts: Vec<&'a [u8]>,
    oddity: Option<&'static str>,
}

impl<'a> Framing<'a> {
    fn split(boundary: &[u8], body: &'a [u8]) -> Self {
        let mut framing = Self {
            parts: Vec::new(),
            oddity: None,
        };
        let mut begun = None;
        let mut closed = false;
        let mut offset = 0;
        for line in body.split_inclusive(|&byte| byte == b'\n') {
            let start = offset;
            offset += line.len();
            let tail = line
                .strip_prefix(b"--")
                .and_then(|rest| rest.strip_prefix(boundary))
                .map(<[u8]>::trim_ascii);
            let closes = match tail {
                Some(b"") => false,
                Some(b"--") => true,
                _ => continue,
            };
            if let Some(begin) = begun {
                let part = body.get(begin..start).unwrap_or_default();
                let part = match part.strip_suffix(b"\r\n") {
                    Some(part) => part,
                    None => {
                        framing.oddity = Some("a delimiter does not follow CR LF");
                        part.strip_suffix(b"\n").unwrap_or(part)
                    }
                };
                framing.parts.push(part);
            }
            begun = Some(offset);
            if closes {
                closed = true;
                break;
            }
        }
        if !closed {
            framing.oddity = Some("the closing delimiter is missing");
            if let Some(rest) = begun.and_then(|begin| body.get(begin..))
                && !rest.trim_ascii().is_empty()
            {
                framing.parts.push(rest);
            }
        }
        if framing.parts.is_empty() {
            framing.oddity = Some("there is no part");
        }
        framing
    }
}

/// Splits a part at its first empty line.
fn split_head(part: &[u8]) -> (&[u8], &[u8]) {
    let mut offset = 0;
    for line in part.split_inclusive(|&byte| byte == b'\n') {
        let start = offset;
        offset += line.len();
        if line.trim_ascii().is_empty() {
            return (
                part.get(..start).unwrap_or_default(),
                part.get(offset..).unwrap_or_default(),
            );
        }
    }
    (b"", part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dnd(on: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>\r\n<DoNotDisturbEvent xmlns=\"{NAMESPACE}\">\
             <device>1</device><doNotDisturbOn>{on}</doNotDisturbOn></DoNotDisturbEvent>"
        )
    }

    fn cfna(inner: &str) -> String {
        format!(
            "<f:ForwardingEvent xmlns:f=\"{NAMESPACE}\"><f:forwardingType>forwardNoAns</f:forwardingType>\
             {inner}</f:ForwardingEvent>"
        )
    }

    fn multipart(parts: &[String], end: &str) -> Reading {
        let mut body = String::from("preamble\r\n");
        for part in parts {
            body += &format!("--B\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n{part}\r\n");
        }
        Reading::of(
            Some("multipart/mixed;boundary=\"B\""),
            (body + end).as_bytes(),
        )
    }

    #[test]
    fn a_single_document_tells_one_service() {
        let reading = Reading::of(Some(CONTENT_TYPE), dnd("true").as_bytes());
        assert!(reading.is_regular() && !reading.multipart);
        let told = reading.told_of(Service::DoNotDisturb).unwrap();
        assert_eq!(told.active, Some(true));
        assert_eq!(told.device, Device::Text("1".to_owned()));
    }

    #[test]
    fn every_part_of_a_multipart_is_read_whatever_its_order() {
        let number = "<f:forwardStatus>true</f:forwardStatus><f:forwardTo>2424</f:forwardTo>\
                      <f:ringCount>3</f:ringCount>";
        for parts in [[dnd("false"), cfna(number)], [cfna(number), dnd("false")]] {
            let reading = multipart(&parts, "--B--\r\nepilogue");
            assert!(reading.is_regular(), "{:?}", reading.oddity);
            let told = reading.told_of(Service::CallForwardingNoAnswer).unwrap();
            assert_eq!(told.shown_number(), Some("2424"));
            assert_eq!(told.valid_rings(), Some(3));
            let told = reading.told_of(Service::DoNotDisturb).unwrap();
            assert_eq!(told.active, Some(false));
        }
    }

    #[test]
    fn odd_framing_is_read_and_named() {
        let open = multipart(&[dnd("true")], "--B\r\n");
        assert_eq!(open.told().count(), 1);
        assert!(open.oddity.unwrap().contains("closing"));
        let bare = format!(
            "--B\r\nContent-Type: {CONTENT_TYPE}\r\n\r\n{}\n--B--",
            dnd("true")
        );
        let bare = Reading::of(Some("multipart/mixed; boundary=B"), bare.as_bytes());
        assert_eq!(bare.told().count(), 1);
        assert!(bare.oddity.unwrap().contains("CR LF"));
    }

    #[test]
    fn ring_counts_that_do_not_count_are_none() {
        for rings in ["", "0", "101", "x", "-1"] {
            let document = cfna(&format!(
                "<f:forwardStatus>true</f:forwardStatus><f:ringCount>{rings}</f:ringCount>"
            ));
            let reading = Reading::of(Some(CONTENT_TYPE), document.as_bytes());
            let told = reading.told().next().unwrap();
            assert_eq!(told.valid_rings(), None, "{rings}");
        }
    }

    #[test]
    fn unknown_and_unreadable_documents_are_told_apart() {
        let unknown = Reading::of(Some(CONTENT_TYPE), b"<AgentReadyEvent/>");
        assert!(matches!(unknown.parts.first(), Some(Part::Unknown { .. })));
        assert!(unknown.is_regular());
        let broken = Reading::of(Some(CONTENT_TYPE), b"<DoNotDisturbEvent>");
        assert!(!broken.is_regular());
        let other = Reading::of(Some("text/plain"), dnd("true").as_bytes());
        assert!(!other.is_regular());
        let bomb = Reading::of(Some(CONTENT_TYPE), b"<!DOCTYPE a><DoNotDisturbEvent/>");
        assert!(matches!(bomb.parts.first(), Some(Part::Unreadable(_))));
    }
}
