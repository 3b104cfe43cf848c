//! Writes changes and events.
//!
//! The default [`Style`] is the plain reading of the domain notes. The other values are habits of servers that were seen
//! on the wire; each is a field, so that a dialect is a value.

use super::{CONTENT_TYPE, Change, Device, Event, NAMESPACE, Service, Setting, forwarding_type};
use crate::ascii_xml::escaped;
use bytes::Bytes;
use std::fmt::Write as _;

/// The XML declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declaration {
    /// With double quotes, naming ISO-8859-1.
    DoubleQuoted,
    /// With single quotes, naming ISO-8859-1.
    SingleQuoted,
    /// With double quotes, naming UTF-8.
    Utf8,
    /// None.
    Absent,
}

/// What `forwardTo` holds while the service is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdleNumber {
    /// There is no such element.
    Absent,
    /// One blank.
    Blank,
    /// Nothing.
    Empty,
    /// The number that is stored.
    Stored,
    /// The digit zero.
    Zero,
}

/// The headers of a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartHeaders {
    /// Content-Type, Content-Length and Content-ID.
    All,
    /// Content-Type alone.
    ContentType,
}

/// How bodies are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Style {
    /// The XML declaration.
    pub declaration: Declaration,
    /// The namespace of the document element; `None` leaves it out.
    pub namespace: Option<String>,
    /// What stands between the elements.
    pub between_elements: &'static str,
    /// What stands behind the document.
    pub behind_document: &'static str,
    /// What `forwardTo` holds while the service is off.
    pub idle_number: IdleNumber,
    /// The boundary.
    pub boundary: String,
    /// Whether it is quoted in Content-Type.
    pub quoted_boundary: bool,
    /// What separates `multipart/mixed` from its parameter.
    pub parameter_separator: &'static str,
    /// The order of the parts; services that are not named follow in their own order.
    pub order: Vec<Service>,
    /// The headers of each part.
    pub part_headers: PartHeaders,
    /// The end of each line of the multipart frame.
    pub line_end: &'static str,
    /// What stands between the document of a part and the next delimiter.
    pub before_delimiter: &'static str,
    /// What follows the boundary at the end.
    pub closing: &'static str,
    /// Whether a single event is written as a multipart of one.
    pub always_multipart: bool,
}

impl Default for Style {
    fn default() -> Self {
        Self {
            declaration: Declaration::DoubleQuoted,
            namespace: Some(NAMESPACE.to_owned()),
            between_elements: "",
            behind_document: "",
            idle_number: IdleNumber::Stored,
            boundary: "lockstep-boundary".to_owned(),
            quoted_boundary: true,
            parameter_separator: "; ",
            order: Service::CALL.to_vec(),
            part_headers: PartHeaders::ContentType,
            line_end: "\r\n",
            before_delimiter: "\r\n",
            closing: "--",
            always_multipart: false,
        }
    }
}

impl Style {
    /// The document that asks for a change.
    #[must_use]
    pub fn change(&self, change: &Change) -> String {
        let Change {
            device,
            service,
            setting,
        } = change;
        let root = match service {
            Service::DoNotDisturb => "SetDoNotDisturb",
            _ => "SetForwarding",
        };
        self.document(root, device, |page| match forwarding_type(*service) {
            None => page.element("doNotDisturbOn", truth(setting.active)),
            Some(kind) => {
                page.element("forwardingType", kind);
                page.element("activateForward", truth(setting.active));
                // Two servers ignore a change without a number, so it stands there even when it is empty.
                page.element("forwardDN", setting.number.as_deref().unwrap_or_default());
                page.rings(*service, setting);
            }
        })
    }

    /// The document that tells an event.
    #[must_use]
    pub fn event(&self, event: &Event) -> String {
        let Event {
            device,
            service,
            setting,
        } = event;
        let root = match service {
            Service::DoNotDisturb => "DoNotDisturbEvent",
            _ => "ForwardingEvent",
        };
        self.document(root, device, |page| match forwarding_type(*service) {
            None => page.element("doNotDisturbOn", truth(setting.active)),
            Some(kind) => {
                page.element("forwardingType", kind);
                page.element("forwardStatus", truth(setting.active));
                if let Some(number) = self.forward_to(setting) {
                    page.element("forwardTo", number);
                }
                page.rings(*service, setting);
            }
        })
    }

    /// Content-Type and body of a NOTIFY with these events; `None` when there are none.
    #[must_use]
    pub fn notification(&self, events: &[Event]) -> Option<(String, Bytes)> {
        match self.in_order(events).as_slice() {
            [] => None,
            [only] if !self.always_multipart => {
                Some((CONTENT_TYPE.to_owned(), Bytes::from(self.event(only))))
            }
            several => Some(self.multipart(several)),
        }
    }

    fn in_order<'a>(&self, events: &'a [Event]) -> Vec<&'a Event> {
        let place = |event: &&Event| {
            let found = self.order.iter().position(|named| *named == event.service);
            found.unwrap_or(self.order.len())
        };
        let mut ordered: Vec<&Event> = events.iter().collect();
        ordered.sort_by_key(place);
        ordered
    }

    fn multipart(&self, events: &[&Event]) -> (String, Bytes) {
        let (boundary, end) = (&self.boundary, self.line_end);
        let mut text = String::new();
        for event in events {
            let document = self.event(event);
            let _ = write!(text, "--{boundary}{end}Content-Type: {CONTENT_TYPE}{end}");
            if self.part_headers == PartHeaders::All {
                let length = document.len();
                let id = forwarding_type(event.service).unwrap_or("doNotDisturb");
                let _ = write!(
                    text,
                    "Content-Length: {length}{end}Content-ID: <{id}@as>{end}"
                );
            }
            let _ = write!(text, "{end}{document}{}", self.before_delimiter);
        }
        let _ = write!(text, "--{boundary}{}{end}", self.closing);
        let quote = if self.quoted_boundary { "\"" } else { "" };
        let separator = self.parameter_separator;
        let content_type = format!("multipart/mixed{separator}boundary={quote}{boundary}{quote}");
        (content_type, Bytes::from(text))
    }

    fn forward_to<'a>(&self, setting: &'a Setting) -> Option<&'a str> {
        let stored = setting.number.as_deref().unwrap_or_default();
        if setting.active {
            return Some(stored);
        }
        match self.idle_number {
            IdleNumber::Absent => None,
            IdleNumber::Blank => Some(" "),
            IdleNumber::Empty => Some(""),
            IdleNumber::Stored => Some(stored),
            IdleNumber::Zero => Some("0"),
        }
    }

    fn document(&self, root: &str, device: &Device, fill: impl FnOnce(&mut Page)) -> String {
        let between = self.between_elements;
        let mut text = String::from(match self.declaration {
            Declaration::DoubleQuoted => "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>",
            Declaration::SingleQuoted => "<?xml version='1.0' encoding='ISO-8859-1'?>",
            Declaration::Utf8 => "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
            Declaration::Absent => "",
        });
        if self.declaration != Declaration::Absent {
            text.push_str(between);
        }
        let _ = write!(text, "<{root}");
        if let Some(namespace) = &self.namespace {
            let _ = write!(text, " xmlns=\"{}\"", escaped(namespace));
        }
        let _ = write!(text, ">{between}");
        let mut page = Page { text, between };
        match device {
            Device::Empty => page.element("device", ""),
            Device::Missing => {}
            Device::NotKnown => {
                let _ = write!(page.text, "<device><notKnown/></device>{between}");
            }
            Device::Text(device) => page.element("device", device),
        }
        fill(&mut page);
        let _ = write!(page.text, "</{root}>{}", self.behind_document);
        page.text
    }
}

struct Page {
    text: String,
    between: &'static str,
}

impl Page {
    fn element(&mut self, name: &str, value: &str) {
        let value = escaped(value);
        let _ = write!(self.text, "<{name}>{value}</{name}>{}", self.between);
    }

    fn rings(&mut self, service: Service, setting: &Setting) {
        if let Some(rings) = setting
            .rings
            .filter(|_| service == Service::CallForwardingNoAnswer)
        {
            self.element("ringCount", &rings.to_string());
        }
    }
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::feature_event::Notification;

    fn event(service: Service, active: bool, number: Option<&str>, rings: Option<u32>) -> Event {
        Event {
            device: Device::Text("anna".to_owned()),
            service,
            setting: Setting {
                active,
                number: number.map(str::to_owned),
                rings,
                agent: None,
            },
        }
    }

    fn four() -> Vec<Event> {
        vec![
            event(Service::DoNotDisturb, true, None, None),
            event(Service::CallForwardingAlways, true, Some("+49<1>"), None),
            event(Service::CallForwardingBusy, false, Some("ü"), None),
            event(Service::CallForwardingNoAnswer, true, Some("2424"), Some(3)),
        ]
    }

    fn styles() -> Vec<Style> {
        let plain = Style::default();
        vec![
            plain.clone(),
            Style {
                declaration: Declaration::SingleQuoted,
                between_elements: "\n",
                behind_document: "\n\r\n",
                quoted_boundary: false,
                parameter_separator: ";",
                closing: "",
                ..plain.clone()
            },
            Style {
                declaration: Declaration::Absent,
                between_elements: "\n  ",
                before_delimiter: "\n",
                part_headers: PartHeaders::All,
                ..plain.clone()
            },
            Style {
                declaration: Declaration::Utf8,
                line_end: "\n",
                before_delimiter: "\n",
                namespace: None,
                ..plain
            },
        ]
    }

    #[test]
    fn what_every_style_writes_is_read_back() {
        for style in styles() {
            for count in 0..=4 {
                let events: Vec<Event> = four().into_iter().take(count).collect();
                let told = match style.notification(&events) {
                    None => Notification::default(),
                    Some((content_type, body)) => {
                        Notification::parse(&content_type, &body).expect("readable")
                    }
                };
                assert_eq!(told.events, events, "{style:?}");
                assert_eq!(told.unread, []);
            }
        }
    }

    #[test]
    fn changes_are_read_back() {
        for style in styles() {
            for event in four() {
                let change = Change {
                    device: event.device,
                    service: event.service,
                    setting: event.setting,
                };
                let read = Change::parse(style.change(&change).as_bytes());
                assert_eq!(read, Ok(change));
            }
        }
    }

    #[test]
    fn the_plain_document_is_the_one_of_the_domain_notes() {
        let text = Style::default().event(&event(
            Service::CallForwardingNoAnswer,
            true,
            Some("2424"),
            Some(3),
        ));
        assert_eq!(
            text,
            format!(
                "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><ForwardingEvent xmlns=\"{NAMESPACE}\">\
                 <device>anna</device><forwardingType>forwardNoAns</forwardingType>\
                 <forwardStatus>true</forwardStatus><forwardTo>2424</forwardTo>\
                 <ringCount>3</ringCount></ForwardingEvent>"
            )
        );
    }

    #[test]
    fn a_change_that_switches_off_still_holds_a_number_element() {
        let off = Change {
            device: Device::Empty,
            service: Service::CallForwardingBusy,
            setting: Setting::default(),
        };
        let text = Style::default().change(&off);
        assert!(text.contains("<device></device>") && text.contains("<forwardDN></forwardDN>"));
    }

    #[test]
    fn an_idle_number_reads_as_no_number_in_each_of_its_forms() {
        for idle_number in [
            IdleNumber::Absent,
            IdleNumber::Blank,
            IdleNumber::Empty,
            IdleNumber::Zero,
        ] {
            let style = Style {
                idle_number,
                ..Style::default()
            };
            let off = event(Service::CallForwardingAlways, false, Some("2424"), None);
            let (content_type, body) = style.notification(&[off]).expect("a body");
            let told = Notification::parse(&content_type, &body).expect("readable");
            let setting = told.setting(Service::CallForwardingAlways).expect("told");
            assert_eq!(setting.number, None, "{idle_number:?}");
        }
    }

    #[test]
    fn the_order_is_the_one_of_the_style() {
        let style = Style {
            order: vec![Service::CallForwardingBusy, Service::DoNotDisturb],
            ..Style::default()
        };
        let (content_type, body) = style.notification(&four()).expect("a body");
        let told = Notification::parse(&content_type, &body).expect("readable");
        let order: Vec<Service> = told.events.iter().map(|event| event.service).collect();
        assert_eq!(
            order,
            [
                Service::CallForwardingBusy,
                Service::DoNotDisturb,
                Service::CallForwardingAlways,
                Service::CallForwardingNoAnswer,
            ]
        );
    }
}
