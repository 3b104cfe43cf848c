//! What stands in a NOTIFY: the event documents, alone or in a multipart body, and everything odd that a fault asks for.
//!
//! The texts are written here and not by the codec of the `sip` crate, so that the base's reader never reads what its own
//! writer wrote; a test lets the codec read every regular form. Numbers are escaped; characters beyond ASCII are written as
//! references, which are right in every encoding a declaration may name.

use crate::dialect::{Device, Dialect, FullStateForm, IdleNumber};
use crate::fault::Action;
use bytes::Bytes;
use sip::feature_event::{Service, Setting};
use sip::subscription::Content;
use std::fmt::Write as _;

/// How the documents of one NOTIFY are written: the habits of the dialect, changed by faults.
#[derive(Clone, Debug)]
pub(crate) struct Form<'a> {
    dialect: &'a Dialect,
    device: Device,
    namespace: Option<&'a str>,
    rings: Option<Option<&'a str>>,
    forward_to: Option<Option<&'a str>>,
    quoted_boundary: bool,
    line_end: &'static str,
    closing: &'static str,
    single_documents: bool,
    first: Vec<Service>,
    omitted: Vec<Service>,
    instead: Option<Instead<'a>>,
}

#[derive(Clone, Copy, Debug)]
enum Instead<'a> {
    Nothing,
    Text(&'a str, &'a str),
    DtdBomb,
    ExternalEntity(&'a str),
    Malformed,
    Typed(&'a str),
}

impl<'a> Form<'a> {
    /// The habits of the dialect, changed by these actions.
    pub(crate) fn new(dialect: &'a Dialect, actions: &'a [Action]) -> Self {
        let habits = &dialect.body;
        let mut form = Self {
            dialect,
            device: habits.device.value,
            namespace: Some(&habits.namespace.value),
            rings: None,
            forward_to: None,
            quoted_boundary: habits.quoted_boundary.value,
            line_end: "\r\n",
            closing: "--",
            single_documents: habits.full_state.value == FullStateForm::SingleDocuments,
            first: Vec::new(),
            omitted: Vec::new(),
            instead: None,
        };
        actions.iter().for_each(|action| form.apply(action));
        form
    }

    fn apply(&mut self, action: &'a Action) {
        match action {
            Action::Body { content_type, text } => {
                self.instead = Some(Instead::Text(content_type, text));
            }
            Action::ClosingDelimiterMissing => self.closing = "",
            Action::Device { form } => self.device = *form,
            Action::DtdBomb => self.instead = Some(Instead::DtdBomb),
            Action::EmptyBody => self.instead = Some(Instead::Nothing),
            Action::ExternalEntity { uri } => self.instead = Some(Instead::ExternalEntity(uri)),
            Action::ForwardTo { value } => self.forward_to = Some(value.as_deref()),
            Action::LineFeedOnly => self.line_end = "\n",
            Action::MalformedXml => self.instead = Some(Instead::Malformed),
            Action::Namespace { value } => self.namespace = value.as_deref(),
            Action::OmitServices { services } => {
                self.omitted.extend(services.iter().copied());
            }
            Action::Order { services } => {
                self.first = services.iter().copied().collect();
            }
            Action::QuotedBoundary => self.quoted_boundary = true,
            Action::RingCount { value } => self.rings = Some(value.as_deref()),
            Action::SingleDocuments => self.single_documents = true,
            Action::WrongContentType { content_type } => {
                self.instead = Some(Instead::Typed(content_type));
            }
            _ => {}
        }
    }

    /// The contents of the NOTIFYs that carry these settings: one NOTIFY a value, `None` for one without a body.
    pub(crate) fn contents(
        &self,
        user: &str,
        settings: &[(Service, Setting)],
    ) -> Vec<Option<Content>> {
        let documents = self.documents(user, settings);
        match self.instead {
            Some(Instead::Nothing) => return vec![None],
            Some(Instead::Text(content_type, text)) => {
                return vec![Some(content(content_type, text))];
            }
            Some(Instead::DtdBomb) => return vec![Some(self.plain(&self.dtd_bomb()))],
            Some(Instead::ExternalEntity(uri)) => {
                return vec![Some(self.plain(&self.external_entity(uri)))];
            }
            Some(Instead::Malformed) => {
                let whole = documents.first().cloned().unwrap_or_default();
                let half = whole.len() * 2 / 3;
                return vec![Some(self.plain(whole.get(..half).unwrap_or("<")))];
            }
            Some(Instead::Typed(_)) | None => {}
        }
        let mut contents = match documents.as_slice() {
            [] => vec![None],
            [only] => vec![Some(self.plain(only))],
            several if self.single_documents => several
                .iter()
                .map(|document| Some(self.plain(document)))
                .collect(),
            several => vec![Some(self.multipart(several))],
        };
        if let Some(Instead::Typed(content_type)) = self.instead {
            for content in contents.iter_mut().flatten() {
                content_type.clone_into(&mut content.content_type);
            }
        }
        contents
    }

    /// The documents in the order in which they travel.
    fn documents(&self, user: &str, settings: &[(Service, Setting)]) -> Vec<String> {
        let usual = self.dialect.order();
        let mut order: Vec<Service> = Vec::new();
        for service in self.first.iter().copied().chain(usual) {
            if !order.contains(&service) && !self.omitted.contains(&service) {
                order.push(service);
            }
        }
        order
            .into_iter()
            .filter_map(|wanted| settings.iter().find(|(service, _)| *service == wanted))
            .map(|(service, setting)| self.document(user, *service, setting))
            .collect()
    }

    fn document(&self, user: &str, service: Service, setting: &Setting) -> String {
        let mut text = self.dialect.body.declaration.value.clone();
        let xmlns = self
            .namespace
            .map_or_else(String::new, |uri| format!(" xmlns=\"{}\"", escaped(uri)));
        let root = match service {
            Service::DoNotDisturb => "DoNotDisturbEvent",
            _ => "ForwardingEvent",
        };
        let _ = write!(text, "<{root}{xmlns}>{}", self.device(user));
        match forwarding_type(service) {
            None => element(&mut text, "doNotDisturbOn", truth(setting.active)),
            Some(kind) => {
                element(&mut text, "forwardingType", kind);
                element(&mut text, "forwardStatus", truth(setting.active));
                if let Some(number) = self.forward_to(setting) {
                    element(&mut text, "forwardTo", number);
                }
                if let Some(rings) = self.ring_count(service, setting) {
                    element(&mut text, "ringCount", &rings);
                }
            }
        }
        let _ = write!(text, "</{root}>");
        text
    }

    fn device(&self, user: &str) -> String {
        match self.device {
            Device::Empty => "<device></device>".to_owned(),
            Device::Missing => String::new(),
            Device::NotKnown => "<device><notKnown/></device>".to_owned(),
            Device::Other => "<device>9995060044</device>".to_owned(),
            Device::Own => format!("<device>{}</device>", escaped(user)),
        }
    }

    fn forward_to<'s>(&'s self, setting: &'s Setting) -> Option<&'s str> {
        if let Some(forced) = self.forward_to {
            return forced;
        }
        let stored = setting.number.as_deref().unwrap_or_default();
        if setting.active {
            return Some(stored);
        }
        match self.dialect.body.forward_to_when_off.value {
            IdleNumber::Absent => None,
            IdleNumber::Empty => Some(""),
            IdleNumber::Stored => Some(stored),
        }
    }

    fn ring_count(&self, service: Service, setting: &Setting) -> Option<String> {
        if service != Service::CallForwardingNoAnswer {
            return None;
        }
        match self.rings {
            Some(forced) => forced.map(str::to_owned),
            None => setting.rings.map(|rings| rings.to_string()),
        }
    }

    fn plain(&self, document: &str) -> Content {
        content(&self.dialect.body.content_type.value, document)
    }

    fn multipart(&self, documents: &[String]) -> Content {
        let boundary = &self.dialect.body.boundary.value;
        let quote = if self.quoted_boundary { "\"" } else { "" };
        let (end, colon) = (self.line_end, self.colon());
        let part_type = &self.dialect.body.content_type.value;
        let mut text = String::new();
        for document in documents {
            let _ = write!(
                text,
                "--{boundary}{end}Content-Type{colon}{part_type}{end}{end}{document}{end}"
            );
        }
        let _ = write!(text, "--{boundary}{}{end}", self.closing);
        let content_type = format!("multipart/mixed;boundary={quote}{boundary}{quote}");
        content(&content_type, &text)
    }

    const fn colon(&self) -> &'static str {
        if self.dialect.style.blank_after_colon.value {
            ": "
        } else {
            ":"
        }
    }

    fn dtd_bomb(&self) -> String {
        let mut entities = String::from("<!ENTITY a \"boom\">");
        for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
            let (inner, outer) = pair.split_at(1);
            let ten = format!("&{inner};").repeat(10);
            let _ = write!(entities, "<!ENTITY {outer} \"{ten}\">");
        }
        self.with_dtd(&entities, "&i;")
    }

    fn external_entity(&self, uri: &str) -> String {
        let entity = format!("<!ENTITY canary SYSTEM \"{}\">", escaped(uri));
        self.with_dtd(&entity, "&canary;")
    }

    fn with_dtd(&self, entities: &str, device: &str) -> String {
        format!(
            "{}<!DOCTYPE DoNotDisturbEvent [{entities}]><DoNotDisturbEvent xmlns=\"{}\">\
             <device>{device}</device><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>",
            self.dialect.body.declaration.value, self.dialect.body.namespace.value
        )
    }
}

fn content(content_type: &str, text: &str) -> Content {
    Content {
        content_type: content_type.to_owned(),
        body: Bytes::copy_from_slice(text.as_bytes()),
    }
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

const fn forwarding_type(service: Service) -> Option<&'static str> {
    match service {
        Service::CallForwardingAlways => Some("forwardImmediate"),
        Service::CallForwardingBusy => Some("forwardBusy"),
        Service::CallForwardingNoAnswer => Some("forwardNoAns"),
        _ => None,
    }
}

fn element(text: &mut String, name: &str, value: &str) {
    let _ = write!(text, "<{name}>{}</{name}>", escaped(value));
}

/// The text with markup and everything beyond ASCII written as references.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_ascii() => safe.push(c),
            c => {
                let _ = write!(safe, "&#{};", u32::from(c));
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::feature_event::Service;

    const NS: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";

    fn on(number: &str, rings: Option<u32>) -> Setting {
        Setting {
            active: true,
            number: Some(number.to_owned()),
            rings,
            agent: None,
        }
    }

    fn off() -> Setting {
        Setting {
            active: false,
            number: None,
            rings: None,
            agent: None,
        }
    }

    fn written(actions: &[Action], settings: &[(Service, Setting)]) -> Vec<Option<Content>> {
        let dialect = Dialect::broadsoft();
        Form::new(&dialect, actions).contents("anna", settings)
    }

    fn only(actions: &[Action], settings: &[(Service, Setting)]) -> (String, String) {
        let mut contents = written(actions, settings);
        assert_eq!(contents.len(), 1);
        let content = contents.remove(0).expect("a body");
        let text = String::from_utf8(content.body.to_vec()).expect("text");
        (content.content_type, text)
    }

    #[test]
    fn one_service_is_one_plain_document() {
        let (content_type, text) = only(&[], &[(Service::DoNotDisturb, on("", None))]);
        assert_eq!(content_type, "application/x-as-feature-event+xml");
        assert_eq!(
            text,
            format!(
                "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><DoNotDisturbEvent xmlns=\"{NS}\">\
                 <device>anna</device><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>"
            )
        );
    }

    #[test]
    fn no_answer_forwarding_carries_its_rings() {
        let settings = [(Service::CallForwardingNoAnswer, on("2424", Some(3)))];
        let (_, text) = only(&[], &settings);
        assert!(text.ends_with(
            "<device>anna</device><forwardingType>forwardNoAns</forwardingType>\
             <forwardStatus>true</forwardStatus><forwardTo>2424</forwardTo>\
             <ringCount>3</ringCount></ForwardingEvent>"
        ));
    }

    #[test]
    fn several_services_are_parts_in_the_order_of_the_dialect() {
        let settings = [
            (Service::CallForwardingBusy, off()),
            (Service::DoNotDisturb, off()),
        ];
        let (content_type, text) = only(&[], &settings);
        assert_eq!(
            content_type,
            "multipart/mixed;boundary=UniqueBroadWorksBoundary"
        );
        assert!(text.starts_with(
            "--UniqueBroadWorksBoundary\r\nContent-Type:application/x-as-feature-event+xml\r\n\r\n<?xml"
        ));
        assert!(text.ends_with("</ForwardingEvent>\r\n--UniqueBroadWorksBoundary--\r\n"));
        assert!(text.find("DoNotDisturbEvent") < text.find("forwardBusy"));
    }

    #[test]
    fn no_service_is_a_notify_without_a_body() {
        assert_eq!(written(&[], &[]), [None]);
    }

    #[test]
    fn an_order_puts_the_named_services_first() {
        let settings = [
            (Service::DoNotDisturb, off()),
            (Service::CallForwardingBusy, off()),
        ];
        let order = Action::Order {
            services: vec![Service::CallForwardingBusy],
        };
        let (_, text) = only(&[order], &settings);
        assert!(text.find("forwardBusy") < text.find("DoNotDisturbEvent"));
    }

    #[test]
    fn single_documents_become_one_notify_each() {
        let settings = [
            (Service::DoNotDisturb, off()),
            (Service::CallForwardingBusy, off()),
        ];
        assert_eq!(written(&[Action::SingleDocuments], &settings).len(), 2);
    }

    #[test]
    fn every_form_of_the_device_can_be_written() {
        for (form, wanted) in [
            (Device::Own, "<device>anna</device>"),
            (Device::Other, "<device>9995060044</device>"),
            (Device::Empty, "<device></device>"),
            (Device::NotKnown, "<device><notKnown/></device>"),
        ] {
            let settings = [(Service::DoNotDisturb, off())];
            let (_, text) = only(&[Action::Device { form }], &settings);
            assert!(text.contains(wanted), "{text}");
        }
        let missing = Action::Device {
            form: Device::Missing,
        };
        let (_, text) = only(&[missing], &[(Service::DoNotDisturb, off())]);
        assert!(!text.contains("device"), "{text}");
    }

    #[test]
    fn ring_counts_are_written_as_they_are_asked_for() {
        for (value, wanted) in [
            (Some(""), Some("<ringCount></ringCount>")),
            (Some("101"), Some("<ringCount>101</ringCount>")),
            (Some("x"), Some("<ringCount>x</ringCount>")),
            (None, None),
        ] {
            let action = Action::RingCount {
                value: value.map(str::to_owned),
            };
            let settings = [(Service::CallForwardingNoAnswer, on("1", Some(3)))];
            let (_, text) = only(&[action], &settings);
            match wanted {
                Some(wanted) => assert!(text.contains(wanted), "{text}"),
                None => assert!(!text.contains("ringCount"), "{text}"),
            }
        }
    }

    #[test]
    fn markup_in_a_number_is_escaped() {
        let (_, text) = only(&[], &[(Service::CallForwardingBusy, on("<&ü>", None))]);
        assert!(
            text.contains("<forwardTo>&lt;&amp;&#252;&gt;</forwardTo>"),
            "{text}"
        );
    }

    #[test]
    fn the_bomb_is_small_on_the_wire_and_has_a_dtd() {
        let (_, text) = only(&[Action::DtdBomb], &[(Service::DoNotDisturb, off())]);
        assert!(
            text.contains("<!DOCTYPE") && text.len() < 2000,
            "{}",
            text.len()
        );
    }

    #[test]
    fn malformed_xml_ends_in_the_middle() {
        let (_, text) = only(&[Action::MalformedXml], &[(Service::DoNotDisturb, off())]);
        assert!(text.starts_with("<?xml") && !text.contains("</DoNotDisturbEvent>"));
    }

    #[test]
    fn a_wrong_type_keeps_the_body() {
        let action = Action::WrongContentType {
            content_type: "text/plain".to_owned(),
        };
        let (content_type, text) = only(&[action], &[(Service::DoNotDisturb, off())]);
        assert_eq!(content_type, "text/plain");
        assert!(text.contains("doNotDisturbOn"));
    }
}
