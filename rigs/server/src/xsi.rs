//! The documents of the portal interface: BroadWorks Xsi-Actions for the four services.
//!
//! Read are only the elements that matter here; others, such as `ringSplash`, are passed over, because a real portal sends
//! whole documents. Paths and HTTP belong to `control`.

use crate::flat_xml::{self, FlatXmlError};
use sip::ascii_xml::escaped;
use sip::service::{Service, Setting};
use std::fmt::Write as _;

/// The namespace of every Xsi document.
pub(crate) const NAMESPACE: &str = "http://schema.broadsoft.com/xsi";

/// The services that have a document, each with its name in paths and as the root element.
const NAMES: [(Service, &str); 4] = [
    (Service::DoNotDisturb, "DoNotDisturb"),
    (Service::CallForwardingAlways, "CallForwardingAlways"),
    (Service::CallForwardingBusy, "CallForwardingBusy"),
    (Service::CallForwardingNoAnswer, "CallForwardingNoAnswer"),
];

/// The service with this name.
pub(crate) fn service_named(wanted: &str) -> Option<Service> {
    let mut names = NAMES.into_iter();
    names
        .find(|(_, name)| *name == wanted)
        .map(|(service, _)| service)
}

/// The name of a service; empty for one that has no document.
fn name(wanted: Service) -> &'static str {
    let mut names = NAMES.into_iter();
    names
        .find(|(service, _)| *service == wanted)
        .map_or("", |(_, name)| name)
}

/// What a PUT asks for; what its document leaves out is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) active: Option<bool>,
    pub(crate) number: Option<String>,
    pub(crate) rings: Option<u32>,
}

/// Why a document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XsiError {
    #[error(transparent)]
    Document(#[from] FlatXmlError),
    #[error("{element} cannot be `{value}`")]
    BadValue {
        element: &'static str,
        value: String,
    },
}

/// The document that describes a service.
pub(crate) fn document(service: Service, setting: &Setting) -> String {
    let root = name(service);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{root} xmlns=\"{NAMESPACE}\"><active>{}</active>",
        setting.active
    );
    let number = escaped(setting.number.as_deref().unwrap_or_default());
    match service {
        Service::DoNotDisturb => text.push_str("<ringSplash>false</ringSplash>"),
        _ if number.is_empty() => text.push_str("<forwardToPhoneNumber/>"),
        _ => {
            let _ = write!(
                text,
                "<forwardToPhoneNumber>{number}</forwardToPhoneNumber>"
            );
        }
    }
    if let (Service::CallForwardingNoAnswer, Some(rings)) = (service, setting.rings) {
        let _ = write!(text, "<numberOfRings>{rings}</numberOfRings>");
    }
    let _ = write!(text, "</{root}>");
    text
}

/// The document that says what went wrong.
pub(crate) fn error_document(summary: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ErrorInfo xmlns=\"{NAMESPACE}\"><summary>{}</summary></ErrorInfo>",
        escaped(summary)
    )
}

/// Reads the document of a PUT.
pub(crate) fn parse(service: Service, bytes: &[u8]) -> Result<Change, XsiError> {
    let mut change = Change::default();
    for (element, value) in flat_xml::read(bytes, name(service), NAMESPACE)? {
        change.take(&element, &value)?;
    }
    Ok(change)
}

impl Change {
    fn take(&mut self, element: &str, value: &str) -> Result<(), XsiError> {
        let bad = |element| XsiError::BadValue {
            element,
            value: value.to_owned(),
        };
        match element {
            "active" => {
                self.active = Some(match value {
                    "true" | "1" => true,
                    "false" | "0" => false,
                    _ => return Err(bad("active")),
                });
            }
            "forwardToPhoneNumber" => self.number = Some(value.to_owned()),
            "numberOfRings" => {
                self.rings = Some(value.parse().map_err(|_| bad("numberOfRings"))?);
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(service: Service, inner: &str) -> Result<Change, XsiError> {
        let root = name(service);
        let text = format!("<{root} xmlns=\"{NAMESPACE}\">{inner}</{root}>");
        parse(service, text.as_bytes())
    }

    #[test]
    fn a_document_is_read_as_it_was_written() {
        let setting = Setting {
            active: true,
            number: Some("+49<&>".to_owned()),
            rings: Some(4),
            agent: None,
        };
        let service = Service::CallForwardingNoAnswer;
        let change = parse(service, document(service, &setting).as_bytes());
        let wanted = Change {
            active: Some(true),
            number: setting.number,
            rings: Some(4),
        };
        assert_eq!(change, Ok(wanted));
    }

    #[test]
    fn what_is_left_out_is_not_asked_for() {
        let change = put(Service::CallForwardingBusy, "<active>false</active>");
        let wanted = Change {
            active: Some(false),
            ..Change::default()
        };
        assert_eq!(change, Ok(wanted));
    }

    #[test]
    fn other_elements_are_passed_over() {
        let inner = "<ringSplash>true</ringSplash><x><active>no</active></x><active>1</active>";
        let change = put(Service::DoNotDisturb, inner).expect("sound");
        assert_eq!(change.active, Some(true));
    }

    #[test]
    fn a_dtd_is_refused() {
        let text = "<!DOCTYPE a [<!ENTITY b \"c\">]><DoNotDisturb/>";
        let refused = parse(Service::DoNotDisturb, text.as_bytes());
        assert_eq!(refused, Err(FlatXmlError::Dtd.into()));
    }

    #[test]
    fn bad_documents_are_refused_with_the_reason() {
        let service = Service::DoNotDisturb;
        let refused = parse(service, b"<Other/>").expect_err("bad");
        assert_eq!(
            refused.to_string(),
            "the root element is Other, expected DoNotDisturb"
        );
        let maybe = put(service, "<active>maybe</active>").expect_err("bad");
        assert_eq!(maybe.to_string(), "active cannot be `maybe`");
    }
}
