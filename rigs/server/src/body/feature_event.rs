//! The documents of `as-feature-event`: one for each service, several of them as parts of one body.
//!
//! What is not named by the dialect's order (agent state) is not written.

use super::{Form, content, element};
use crate::dialect::{Device, FeatureEventPackage, FullStateForm, IdleNumber};
use crate::fault::Action;
use sip::ascii_xml::escaped;
use sip::service::{Service, Setting};
use sip::subscription::Content;
use std::fmt::Write as _;

/// The documents in the order in which they travel.
pub(super) fn documents(
    form: &Form<'_>,
    habits: &FeatureEventPackage,
    user: &str,
    settings: &[(Service, Setting)],
) -> Vec<String> {
    let mut words = Words::new(habits);
    let (mut first, mut omitted) = (Vec::new(), Vec::new());
    for action in form.actions {
        match action {
            Action::OmitServices { services } => {
                omitted.extend(services.iter().copied());
            }
            Action::Order { services } => first.clone_from(services),
            other => words.apply(other),
        }
    }
    let mut order: Vec<Service> = Vec::new();
    for service in first.into_iter().chain(habits.services()) {
        if !order.contains(&service) && !omitted.contains(&service) {
            order.push(service);
        }
    }
    order
        .into_iter()
        .filter_map(|wanted| settings.iter().find(|(service, _)| *service == wanted))
        .filter_map(|(service, setting)| words.document(form, user, *service, setting))
        .collect()
}

/// Several documents, in one NOTIFY or in one each.
pub(super) fn several(
    form: &Form<'_>,
    habits: &FeatureEventPackage,
    documents: &[String],
) -> Vec<Option<Content>> {
    let frame = Frame::new(form, habits);
    if frame.is_absent {
        form.one_each(documents)
    } else {
        vec![Some(frame.multipart(form, habits, documents))]
    }
}

/// What stands in a document.
#[derive(Clone, Debug)]
struct Words<'a> {
    habits: &'a FeatureEventPackage,
    device: Device,
    /// What stands in `ringCount` instead of the setting, if that is forced.
    rings: Option<Option<&'a str>>,
    /// What stands in `forwardTo` instead of the setting, if that is forced.
    forward_to: Option<Option<&'a str>>,
}

impl<'a> Words<'a> {
    const fn new(habits: &'a FeatureEventPackage) -> Self {
        Self {
            habits,
            device: habits.device.value,
            rings: None,
            forward_to: None,
        }
    }

    fn apply(&mut self, action: &'a Action) {
        match action {
            Action::Device { form } => self.device = *form,
            Action::ForwardTo { value } => self.forward_to = Some(value.as_deref()),
            Action::RingCount { value } => self.rings = Some(value.as_deref()),
            _ => {}
        }
    }

    fn document(
        &self,
        form: &Form<'_>,
        user: &str,
        service: Service,
        setting: &Setting,
    ) -> Option<String> {
        let mut inside = self.device(user);
        if service == Service::DoNotDisturb {
            element(&mut inside, "doNotDisturbOn", truth(setting.active));
            return Some(form.document("DoNotDisturbEvent", &inside));
        }
        let kind = forwarding_type(service)?;
        element(&mut inside, "forwardingType", kind);
        element(&mut inside, "forwardStatus", truth(setting.active));
        if let Some(number) = self.forward_to(setting) {
            element(&mut inside, "forwardTo", number);
        }
        if let Some(rings) = self.ring_count(service, setting) {
            element(&mut inside, "ringCount", &rings);
        }
        Some(form.document("ForwardingEvent", &inside))
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
        match self.habits.forward_to_when_off.value {
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
}

/// How several documents are held together.
#[derive(Clone, Copy, Debug)]
struct Frame {
    is_absent: bool,
    quoted_boundary: bool,
    line_end: &'static str,
    closing: &'static str,
}

impl Frame {
    fn new(form: &Form<'_>, habits: &FeatureEventPackage) -> Self {
        let mut frame = Self {
            is_absent: habits.full_state.value == FullStateForm::SingleDocuments,
            quoted_boundary: habits.quoted_boundary.value,
            line_end: "\r\n",
            closing: "--",
        };
        for action in form.actions {
            match action {
                Action::ClosingDelimiterMissing => frame.closing = "",
                Action::LineFeedOnly => frame.line_end = "\n",
                Action::QuotedBoundary => frame.quoted_boundary = true,
                Action::SingleDocuments => frame.is_absent = true,
                _ => {}
            }
        }
        frame
    }

    fn multipart(
        &self,
        form: &Form<'_>,
        habits: &FeatureEventPackage,
        documents: &[String],
    ) -> Content {
        let boundary = &habits.boundary.value;
        let quote = if self.quoted_boundary { "\"" } else { "" };
        let (end, colon) = (self.line_end, form.colon);
        let part_type = &habits.content_type.value;
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
}

const fn truth(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}

/// The value of `forwardingType`; `None` for a service that forwards nothing.
const fn forwarding_type(service: Service) -> Option<&'static str> {
    match service {
        Service::CallForwardingAlways => Some("forwardImmediate"),
        Service::CallForwardingBusy => Some("forwardBusy"),
        Service::CallForwardingNoAnswer => Some("forwardNoAns"),
        Service::DoNotDisturb | Service::AgentState | Service::HotelingGuest => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::contents;
    use super::*;
    use crate::dialect::Dialect;
    use crate::package::Package;

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
        contents(&dialect, Package::FeatureEvent, actions, "anna", settings)
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
