//! The texts of the server, read by the codec of the `sip` crate, which has not written them.

use crate::peer::{Lab, SITE, Sent, subscribe};
use server::dialect::Device;
use server::{Action, Fault, Faults as _, Origin};
use sip::feature_event::{Notification, Service, Setting};

fn stored(number: Option<&str>, rings: Option<u32>) -> Setting {
    Setting {
        active: true,
        number: number.map(str::to_owned),
        rings,
        agent: None,
    }
}

/// A server with a value of its own in each service.
fn filled() -> (Lab, Vec<(Service, Setting)>) {
    let mut lab = Lab::new();
    let settings = vec![
        (Service::DoNotDisturb, stored(None, None)),
        (Service::CallForwardingAlways, stored(Some("2424"), None)),
        (
            Service::CallForwardingBusy,
            stored(Some("<sip:a&b@c>"), None),
        ),
        (
            Service::CallForwardingNoAnswer,
            stored(Some("+49 89\u{fc}"), Some(7)),
        ),
    ];
    for (service, setting) in settings.clone() {
        lab.with(|server, now| server.set_service(now, "anna", service, setting, Origin::Portal));
    }
    (lab, settings)
}

fn read(notify: &Sent) -> Notification {
    let content_type = notify.header("Content-Type").expect("a type");
    Notification::parse(content_type, notify.body().as_bytes()).expect("readable")
}

fn first_notify(lab: &mut Lab) -> Sent {
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    lab.next_notify()
}

#[test]
fn the_full_state_is_read_as_it_is_stored() {
    let (mut lab, settings) = filled();
    let notification = read(&first_notify(&mut lab));
    for (service, setting) in &settings {
        assert_eq!(notification.setting(*service), Some(setting), "{service}");
    }
}

#[test]
fn every_form_of_the_device_is_read() {
    for form in [
        Device::Own,
        Device::Other,
        Device::Empty,
        Device::NotKnown,
        Device::Missing,
    ] {
        let (mut lab, settings) = filled();
        lab.server
            .load_fault(SITE, Fault::new(Action::Device { form }));
        let notification = read(&first_notify(&mut lab));
        for (service, setting) in &settings {
            assert_eq!(
                notification.setting(*service),
                Some(setting),
                "{form:?} {service}"
            );
        }
    }
}

#[test]
fn sloppy_framing_is_read_by_a_tolerant_reader() {
    for action in [
        Action::QuotedBoundary,
        Action::LineFeedOnly,
        Action::ClosingDelimiterMissing,
    ] {
        let (mut lab, settings) = filled();
        lab.server.load_fault(SITE, Fault::new(action.clone()));
        let notification = read(&first_notify(&mut lab));
        assert_eq!(
            notification.setting(Service::CallForwardingNoAnswer),
            settings.get(3).map(|(_, setting)| setting),
            "{action:?}"
        );
    }
}

#[test]
fn single_documents_are_read_one_by_one() {
    let (mut lab, settings) = filled();
    lab.server
        .load_fault(SITE, Fault::new(Action::SingleDocuments));
    lab.say(&subscribe(1, "", "Expires: 1800\n", ""));
    for (service, setting) in &settings {
        let notification = read(&lab.next_notify());
        assert_eq!(notification.setting(*service), Some(setting));
    }
}

#[test]
fn garbage_is_refused_by_the_reader() {
    for action in [
        Action::MalformedXml,
        Action::DtdBomb,
        Action::ExternalEntity {
            uri: "http://127.0.0.1:1/canary".to_owned(),
        },
    ] {
        let (mut lab, _) = filled();
        lab.server.load_fault(SITE, Fault::new(action.clone()));
        let notify = first_notify(&mut lab);
        let content_type = notify.header("Content-Type").expect("a type");
        let read = Notification::parse(content_type, notify.body().as_bytes());
        assert!(read.is_err(), "{action:?}");
    }
}
