//! The documents of the portal interface: BroadWorks Xsi-Actions for the four services.
//!
//! Read are only the elements that matter here; others, such as `ringSplash`, are passed over, because a real portal sends
//! whole documents. A DTD is refused. Paths and HTTP belong to `control`.

use crate::body::escaped;
use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event;
use quick_xml::name::{Namespace, ResolveResult};
use sip::feature_event::{Service, Setting};
use std::fmt::Write as _;

/// The namespace of every Xsi document.
pub(crate) const NAMESPACE: &str = "http://schema.broadsoft.com/xsi";

/// A document longer than this is not read.
const LONGEST: usize = 64 * 1024;

/// The name of a service in paths and as the root element; empty for one that the portal does not offer.
pub(crate) const fn name(service: Service) -> &'static str {
    match service {
        Service::DoNotDisturb => "DoNotDisturb",
        Service::CallForwardingAlways => "CallForwardingAlways",
        Service::CallForwardingBusy => "CallForwardingBusy",
        Service::CallForwardingNoAnswer => "CallForwardingNoAnswer",
        _ => "",
    }
}

/// What a PUT asks for; what its document leaves out is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) active: Option<bool>,
    pub(crate) number: Option<String>,
    pub(crate) rings: Option<u32>,
}

/// Why a document cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum XsiError {
    #[error("the document is longer than 64 KiB")]
    TooLong,
    #[error("the document is not UTF-8")]
    NotText,
    #[error("not well-formed XML: {0}")]
    Malformed(String),
    #[error("a document type declaration is not accepted")]
    Dtd,
    #[error("the root element is {got}, expected {wanted}")]
    WrongRoot { got: String, wanted: &'static str },
    #[error("the root element is not in the namespace {NAMESPACE}")]
    WrongNamespace,
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
pub(crate) fn parse(service: Service, bytes: &[u8]) -> Result<Wish, XsiError> {
    if bytes.len() > LONGEST {
        return Err(XsiError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| XsiError::NotText)?;
    let mut reader = NsReader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut value = String::new();
    let mut wish = Wish::default();
    let mut has_root = false;
    loop {
        let malformed = |error: quick_xml::Error| XsiError::Malformed(error.to_string());
        let (resolved, event) = reader.read_resolved_event().map_err(malformed)?;
        match event {
            Event::DocType(_) => return Err(XsiError::Dtd),
            Event::Start(start) | Event::Empty(start) if path.is_empty() && has_root => {
                let name = start.local_name().as_ref().to_owned();
                return Err(XsiError::Malformed(format!("a second root element {name}")));
            }
            Event::Start(start) => {
                let element = start.local_name().as_ref().to_owned();
                if path.is_empty() {
                    check_root(service, &element, &resolved)?;
                    has_root = true;
                }
                path.push(element);
                value.clear();
            }
            Event::Empty(start) => {
                let element = start.local_name().as_ref().to_owned();
                if path.is_empty() {
                    check_root(service, &element, &resolved)?;
                    has_root = true;
                } else if path.len() == 1 {
                    wish.take(&element, "")?;
                }
            }
            Event::Text(text) => value.push_str(&text.xml10_content()),
            Event::CData(text) => value.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                match reference.resolve_char_ref().map_err(malformed)? {
                    Some(c) => value.push(c),
                    None => value
                        .push_str(resolve_predefined_entity(&name).ok_or_else(|| {
                            XsiError::Malformed(format!("unknown entity {name}"))
                        })?),
                }
            }
            Event::End(_) => {
                if let (2, Some(element)) = (path.len(), path.last()) {
                    wish.take(element, value.trim())?;
                }
                path.pop();
            }
            Event::Eof if has_root && path.is_empty() => return Ok(wish),
            Event::Eof => return Err(XsiError::Malformed("the document ends early".to_owned())),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

fn check_root(
    service: Service,
    element: &str,
    resolved: &ResolveResult<'_>,
) -> Result<(), XsiError> {
    if element != name(service) {
        return Err(XsiError::WrongRoot {
            got: element.to_owned(),
            wanted: name(service),
        });
    }
    match resolved {
        ResolveResult::Bound(Namespace(NAMESPACE)) => Ok(()),
        _ => Err(XsiError::WrongNamespace),
    }
}

impl Wish {
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

    fn put(service: Service, inner: &str) -> Result<Wish, XsiError> {
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
        let wish = parse(service, document(service, &setting).as_bytes());
        let wanted = Wish {
            active: Some(true),
            number: setting.number,
            rings: Some(4),
        };
        assert_eq!(wish, Ok(wanted));
    }

    #[test]
    fn what_is_left_out_is_not_asked_for() {
        let wish = put(Service::CallForwardingBusy, "<active>false</active>");
        let wanted = Wish {
            active: Some(false),
            ..Wish::default()
        };
        assert_eq!(wish, Ok(wanted));
    }

    #[test]
    fn other_elements_are_passed_over() {
        let inner = "<ringSplash>true</ringSplash><x><active>no</active></x><active>1</active>";
        let wish = put(Service::DoNotDisturb, inner).expect("sound");
        assert_eq!(wish.active, Some(true));
    }

    #[test]
    fn a_dtd_is_refused() {
        let text = "<!DOCTYPE a [<!ENTITY b \"c\">]><DoNotDisturb/>";
        let refused = parse(Service::DoNotDisturb, text.as_bytes());
        assert_eq!(refused, Err(XsiError::Dtd));
    }

    #[test]
    fn bad_documents_are_refused_with_the_reason() {
        let service = Service::DoNotDisturb;
        let root = |got: &str| XsiError::WrongRoot {
            got: got.to_owned(),
            wanted: "DoNotDisturb",
        };
        assert_eq!(parse(service, b"<Other/>"), Err(root("Other")));
        assert_eq!(
            parse(service, b"<DoNotDisturb/>"),
            Err(XsiError::WrongNamespace)
        );
        let maybe = put(service, "<active>maybe</active>").expect_err("bad");
        assert_eq!(maybe.to_string(), "active cannot be `maybe`");
        for text in ["", "<DoNotDisturb", "<a>&b;</a>"] {
            assert!(parse(service, text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(parse(service, b"\xff"), Err(XsiError::NotText));
    }
}
