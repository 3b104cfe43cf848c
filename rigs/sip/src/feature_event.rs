//! The bodies of the event package `as-feature-event`: the changes that a base asks for and the events that a server
//! notifies (domain notes, protocol.md 1.3 to 1.6).
//!
//! Reading is tolerant where servers in the field differ, and each tolerance is named in the result; printing is strict
//! unless a [`Style`] says otherwise. A document type definition is refused, and so is what is too large or too deep.
//!
//! This is the codec of the rig's own parties. The monitor reads bodies with a reader of its own.

mod document;
mod multipart;
mod notification;
mod print;

pub use crate::service::{Service, Setting};
pub use notification::{Notification, Unread};
pub use print::{Declaration, IdleNumber, PartHeaders, Style};

use document::Element;
use std::fmt;

/// The type of a single document.
pub const CONTENT_TYPE: &str = "application/x-as-feature-event+xml";
/// The namespace of every document (ECMA-323, third edition).
pub const NAMESPACE: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";

/// The value of `forwardingType`; `None` for a service that forwards nothing.
#[must_use]
pub const fn forwarding_type(service: Service) -> Option<&'static str> {
    match service {
        Service::CallForwardingAlways => Some("forwardImmediate"),
        Service::CallForwardingBusy => Some("forwardBusy"),
        Service::CallForwardingNoAnswer => Some("forwardNoAns"),
        _ => None,
    }
}

/// The service with this `forwardingType`.
#[must_use]
pub fn from_forwarding_type(text: &str) -> Option<Service> {
    Service::CALL
        .into_iter()
        .find(|service| forwarding_type(*service) == Some(text))
}

/// What the `device` element holds. Both sides may fill it as they like and must not use it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Device {
    /// The element is empty.
    #[default]
    Empty,
    /// There is no such element.
    Missing,
    /// The element holds an empty `notKnown`.
    NotKnown,
    /// A text.
    Text(String),
}

/// What a base asks for: one service a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Not used.
    pub device: Device,
    /// Which service.
    pub service: Service,
    /// What is asked for.
    pub setting: Setting,
}

/// What a server says about one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Not used.
    pub device: Device,
    /// Which service.
    pub service: Service,
    /// Its state.
    pub setting: Setting,
}

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// A document type definition, which could hold entity bombs and references to files.
    #[error("a document type definition is not accepted")]
    DocumentType,
    /// Bytes that are no text in the declared encoding.
    #[error("not readable as {0}")]
    Encoding(String),
    /// A required element is missing.
    #[error("<{root}> has no <{element}>")]
    Missing {
        /// The document element.
        root: String,
        /// What it lacks.
        element: &'static str,
    },
    /// There is no document where one is needed.
    #[error("no document")]
    NoDocument,
    /// Multipart syntax that cannot be followed.
    #[error("multipart body: {0}")]
    Multipart(&'static str),
    /// Too many bytes, elements or levels.
    #[error("more than {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much is accepted.
        limit: usize,
    },
    /// A document element or media type that means nothing here.
    #[error("unknown {0}")]
    Unknown(String),
    /// An element with a value that it cannot have.
    #[error("<{element}> is `{value}`")]
    Value {
        /// Which.
        element: &'static str,
        /// What it holds.
        value: String,
    },
    /// Not well-formed XML.
    #[error("not well-formed: {0}")]
    Xml(String),
}

/// A liberty that the writer of a body took and the reader accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oddity(pub String);

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Change {
    /// Reads the document of a SUBSCRIBE.
    ///
    /// # Errors
    /// When it is no change, or lacks what a change needs.
    pub fn parse(body: &[u8]) -> Result<Self, BodyError> {
        Self::parse_tolerant(body).map(|(change, _)| change)
    }

    /// Reads the document and says what was odd about it.
    ///
    /// # Errors
    /// As [`Change::parse`].
    pub fn parse_tolerant(body: &[u8]) -> Result<(Self, Vec<Oddity>), BodyError> {
        let mut oddities = Vec::new();
        let roots = document::parse(body, &mut oddities)?;
        let root = roots.first().ok_or(BodyError::NoDocument)?;
        if roots.len() > 1 {
            oddities.push(Oddity(
                "more than one document: the rest is ignored".to_owned(),
            ));
        }
        let names = match root.name.as_str() {
            "SetDoNotDisturb" => Names::DO_NOT_DISTURB,
            "SetForwarding" => Names::SET_FORWARDING,
            other => return Err(BodyError::Unknown(format!("document <{other}>"))),
        };
        let (device, service, setting) = names.read(root, &mut oddities)?;
        let change = Self {
            device,
            service,
            setting,
        };
        Ok((change, oddities))
    }
}

impl Event {
    fn read(root: &Element, oddities: &mut Vec<Oddity>) -> Result<Self, BodyError> {
        let names = match root.name.as_str() {
            "DoNotDisturbEvent" => Names::DO_NOT_DISTURB,
            "ForwardingEvent" => Names::FORWARDING_EVENT,
            other => return Err(BodyError::Unknown(format!("document <{other}>"))),
        };
        let (device, service, setting) = names.read(root, oddities)?;
        Ok(Self {
            device,
            service,
            setting,
        })
    }
}

/// The element names of one kind of document.
struct Names {
    active: &'static str,
    /// Absent for Do Not Disturb, which has no type and no number.
    number: Option<&'static str>,
}

impl Names {
    const DO_NOT_DISTURB: Self = Self {
        active: "doNotDisturbOn",
        number: None,
    };
    const SET_FORWARDING: Self = Self {
        active: "activateForward",
        number: Some("forwardDN"),
    };
    const FORWARDING_EVENT: Self = Self {
        active: "forwardStatus",
        number: Some("forwardTo"),
    };

    fn read(
        &self,
        root: &Element,
        oddities: &mut Vec<Oddity>,
    ) -> Result<(Device, Service, Setting), BodyError> {
        note_namespace(root, oddities);
        let device = read_device(root);
        let active = truth(self.active, required(root, self.active)?, oddities)?;
        let Some(number) = self.number else {
            let setting = Setting {
                active,
                ..Setting::default()
            };
            return Ok((device, Service::DoNotDisturb, setting));
        };
        let kind = required(root, "forwardingType")?.text.trim();
        let service = from_forwarding_type(kind).ok_or_else(|| BodyError::Value {
            element: "forwardingType",
            value: kind.to_owned(),
        })?;
        let number = root.child(number).map(|element| element.text.trim());
        // A server that cannot send an empty element sends `0` while the service is off.
        let number = number.filter(|text| !text.is_empty() && (active || *text != "0"));
        let setting = Setting {
            active,
            number: number.map(str::to_owned),
            rings: read_rings(root, oddities),
            agent: None,
        };
        Ok((device, service, setting))
    }
}

fn note_namespace(root: &Element, oddities: &mut Vec<Oddity>) {
    match root.namespace.as_deref() {
        Some(NAMESPACE) => {}
        Some(other) => oddities.push(Oddity(format!("namespace `{other}`"))),
        None => oddities.push(Oddity("no namespace".to_owned())),
    }
}

fn read_device(root: &Element) -> Device {
    match root.child("device") {
        None => Device::Missing,
        Some(device) if device.child("notKnown").is_some() => Device::NotKnown,
        Some(device) if device.text.trim().is_empty() => Device::Empty,
        Some(device) => Device::Text(device.text.trim().to_owned()),
    }
}

fn required<'a>(root: &'a Element, element: &'static str) -> Result<&'a Element, BodyError> {
    root.child(element).ok_or_else(|| BodyError::Missing {
        root: root.name.clone(),
        element,
    })
}

fn truth(
    element: &'static str,
    holder: &Element,
    oddities: &mut Vec<Oddity>,
) -> Result<bool, BodyError> {
    let text = holder.text.trim();
    let value = match text {
        "true" => return Ok(true),
        "false" => return Ok(false),
        "1" => true,
        "0" => false,
        other if other.eq_ignore_ascii_case("true") => true,
        other if other.eq_ignore_ascii_case("false") => false,
        other => {
            let value = other.to_owned();
            return Err(BodyError::Value { element, value });
        }
    };
    oddities.push(Oddity(format!("<{element}> is `{text}`")));
    Ok(value)
}

fn read_rings(root: &Element, oddities: &mut Vec<Oddity>) -> Option<u32> {
    let text = root.child("ringCount")?.text.trim();
    if text.is_empty() {
        return None;
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let rings = text.parse().ok().filter(|_| digits);
    if rings.is_none() {
        oddities.push(Oddity(format!("<ringCount> is `{text}`")));
    }
    rings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(inner: &str) -> Result<Change, BodyError> {
        let text = format!("<SetForwarding xmlns=\"{NAMESPACE}\">{inner}</SetForwarding>");
        Change::parse(text.as_bytes())
    }

    #[test]
    fn the_order_of_the_elements_does_not_matter() {
        let read = change(
            "<ringCount>3</ringCount><forwardDN>2424</forwardDN><activateForward>true</activateForward>\
             <forwardingType>forwardNoAns</forwardingType><device>7659366</device>",
        )
        .expect("readable");
        assert_eq!(read.device, Device::Text("7659366".to_owned()));
        assert_eq!(read.service, Service::CallForwardingNoAnswer);
        assert_eq!(
            read.setting,
            Setting {
                active: true,
                number: Some("2424".to_owned()),
                rings: Some(3),
                agent: None,
            }
        );
    }

    #[test]
    fn a_change_without_device_and_number_is_readable() {
        let read = change(
            "<forwardingType>forwardBusy</forwardingType><activateForward>false</activateForward>",
        )
        .expect("readable");
        assert_eq!(read.device, Device::Missing);
        assert_eq!(read.setting, Setting::default());
    }

    #[test]
    fn what_a_change_needs_is_named_when_it_is_missing() {
        let error = change("<activateForward>true</activateForward>").expect_err("no type");
        assert_eq!(error.to_string(), "<SetForwarding> has no <forwardingType>");
        let error = change("<forwardingType>forwardBusy</forwardingType>")
            .expect_err("nothing is asked for");
        assert_eq!(
            error.to_string(),
            "<SetForwarding> has no <activateForward>"
        );
    }

    #[test]
    fn a_type_of_forwarding_that_is_not_synchronised_is_refused() {
        let error = change(
            "<forwardingType>forwardDND</forwardingType><activateForward>true</activateForward>",
        );
        assert!(matches!(
            error,
            Err(BodyError::Value {
                element: "forwardingType",
                ..
            })
        ));
    }

    #[test]
    fn other_spellings_of_truth_are_read_and_noted() {
        for (text, value) in [("TRUE", true), ("1", true), ("False", false), ("0", false)] {
            let body = format!(
                "<SetDoNotDisturb xmlns=\"{NAMESPACE}\"><doNotDisturbOn>{text}</doNotDisturbOn></SetDoNotDisturb>"
            );
            let (read, oddities) = Change::parse_tolerant(body.as_bytes()).expect("readable");
            assert_eq!((read.setting.active, oddities.len()), (value, 1), "{text}");
        }
        let maybe = "<SetDoNotDisturb><doNotDisturbOn>maybe</doNotDisturbOn></SetDoNotDisturb>";
        assert!(matches!(
            Change::parse(maybe.as_bytes()),
            Err(BodyError::Value { .. })
        ));
    }

    #[test]
    fn an_event_is_no_change() {
        let body = b"<DoNotDisturbEvent><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>";
        assert!(matches!(Change::parse(body), Err(BodyError::Unknown(_))));
        assert_eq!(Change::parse(b" \r\n"), Err(BodyError::NoDocument));
    }
}
