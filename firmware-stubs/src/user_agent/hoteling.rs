//! What a NOTIFY of `x-broadworks-hoteling` says about the guest of a handset (domain notes, protocol.md 1.9).
//!
//! An empty `guestAddress` means nobody. Elements that mean nothing here, such as the challenge of a login, are passed over;
//! a document type definition is refused, so nothing expands.

use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::Event as Xml;
use sip::feature_event::{BodyError, Device, Event};
use sip::service::{Service, Setting};

/// The guest in a body, as the state of its service.
pub(super) fn read(body: &[u8]) -> Result<Vec<Event>, BodyError> {
    let text = std::str::from_utf8(body).map_err(|_| BodyError::Encoding("UTF-8".to_owned()))?;
    let guest = guest(text)?;
    let number = Some(guest.trim().to_owned()).filter(|guest| !guest.is_empty());
    Ok(vec![Event {
        device: Device::Missing,
        service: Service::HotelingGuest,
        setting: Setting {
            active: number.is_some(),
            number,
            ..Setting::default()
        },
    }])
}

/// The text of `guestAddress`.
fn guest(text: &str) -> Result<String, BodyError> {
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut path: Vec<String> = Vec::new();
    let mut guest: Option<String> = None;
    loop {
        let event = reader.read_event().map_err(malformed)?;
        let inside = matches!(path.as_slice(), [_, element] if element == "guestAddress");
        match event {
            Xml::DocType(_) => return Err(BodyError::DocumentType),
            Xml::Start(element) | Xml::Empty(element) if path.is_empty() && !is_root(&element) => {
                let name = AsRef::<str>::as_ref(&element.local_name()).to_owned();
                return Err(BodyError::Unknown(format!("document <{name}>")));
            }
            Xml::Start(element) => {
                path.push(AsRef::<str>::as_ref(&element.local_name()).to_owned());
                if is_guest(&path) {
                    guest = Some(String::new());
                }
            }
            Xml::Empty(element) => {
                path.push(AsRef::<str>::as_ref(&element.local_name()).to_owned());
                if is_guest(&path) {
                    guest = Some(String::new());
                }
                path.pop();
            }
            Xml::End(_) => drop(path.pop()),
            Xml::Text(text) if inside => {
                guest
                    .get_or_insert_default()
                    .push_str(&text.xml10_content());
            }
            Xml::GeneralRef(reference) if inside => {
                let name = AsRef::<str>::as_ref(&*reference);
                let resolved = resolve_predefined_entity(name);
                let resolved =
                    resolved.ok_or_else(|| BodyError::Xml(format!("entity `{name}`")))?;
                guest.get_or_insert_default().push_str(resolved);
            }
            Xml::Eof if !path.is_empty() => {
                return Err(BodyError::Xml("the document ends early".to_owned()));
            }
            Xml::Eof => break,
            _ => {}
        }
    }
    guest.ok_or_else(|| BodyError::Missing {
        root: ROOT.to_owned(),
        element: "guestAddress",
    })
}

const ROOT: &str = "HotelingEvent";

fn is_root(element: &quick_xml::events::BytesStart<'_>) -> bool {
    AsRef::<str>::as_ref(&element.local_name()) == ROOT
}

fn is_guest(path: &[String]) -> bool {
    matches!(path, [_, element] if element == "guestAddress")
}

fn malformed(error: impl std::fmt::Display) -> BodyError {
    BodyError::Xml(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: &str = "xmlns=\"http://schema.broadsoft.com/hoteling\"";

    fn guest_of(inside: &str) -> Option<String> {
        let body = format!("<?xml version=\"1.0\"?><HotelingEvent {NS}>{inside}</HotelingEvent>");
        let mut events = read(body.as_bytes()).unwrap();
        let setting = events.remove(0).setting;
        assert_eq!(setting.active, setting.number.is_some());
        setting.number
    }

    #[test]
    fn a_guest_has_an_address_and_nobody_has_an_empty_one() {
        let guest = guest_of("<guestAddress>2005</guestAddress><expires>3424</expires>");
        assert_eq!(guest.as_deref(), Some("2005"));
        let guest = guest_of("<guestAddress>a&amp;b</guestAddress>");
        assert_eq!(guest.as_deref(), Some("a&b"));
        assert_eq!(guest_of("<guestAddress/>"), None);
        assert_eq!(guest_of("<guestAddress> </guestAddress>"), None);
    }

    #[test]
    fn what_is_no_hoteling_is_refused() {
        for (body, problem) in [
            ("<HotelingEvent/>", "has no <guestAddress>"),
            ("<DoNotDisturbEvent/>", "unknown document"),
            ("<!DOCTYPE x><HotelingEvent/>", "document type"),
            ("<HotelingEvent><guestAddress>1", "ends early"),
            (
                "<HotelingEvent><guestAddress>&x;</guestAddress></HotelingEvent>",
                "entity `x`",
            ),
        ] {
            let error = read(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(problem), "{body}: {error}");
        }
    }
}
