//! What a NOTIFY says about the services, and what the defects make of it.
//!
//! Reading is the sip crate's business; this file turns each event into settings for the handset. Fields that are absent
//! stay absent: what a handset keeps then is for the handset to say.

use crate::defect::{Defect, Defects};
use sip::feature_event::{BodyError, Device, Event, Notification, Service, Setting};
use std::collections::BTreeMap;

/// The ring count that `resets-rings-when-absent` falls back to: our choice, none that a scenario uses.
const OWN_RINGS: u32 = 20;

/// The events of a body. A document that is readable and means nothing here is passed over.
pub(super) fn read(content_type: &str, body: &[u8]) -> Result<Vec<Event>, BodyError> {
    match Notification::parse(content_type, body) {
        Ok(notification) => Ok(notification.events),
        Err(BodyError::Unknown(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The settings that one event is for the handset of this user.
pub(super) fn settle(
    defects: &Defects,
    user: &str,
    known: &BTreeMap<Service, Setting>,
    event: Event,
) -> Vec<(Service, Setting)> {
    let Event {
        device,
        mut service,
        mut setting,
    } = event;
    if defects.has(Defect::FiltersByDevice) && device != Device::Text(user.to_owned()) {
        return Vec::new();
    }
    if defects.has(Defect::SwapsBusyAndNoAnswer) {
        service = match service {
            Service::CallForwardingBusy => Service::CallForwardingNoAnswer,
            Service::CallForwardingNoAnswer => Service::CallForwardingBusy,
            other => other,
        };
    }
    if defects.has(Defect::DropsNumber) {
        setting.number = None;
    }
    if service == Service::CallForwardingNoAnswer {
        if defects.has(Defect::ResetsRingsWhenAbsent) && setting.rings.is_none() {
            setting.rings = Some(OWN_RINGS);
        }
        if defects.has(Defect::ClampsRings) {
            setting.rings = setting.rings.map(|rings| rings.clamp(1, 100));
        }
    }
    let mut settings = Vec::new();
    if defects.has(Defect::ClearsOtherForwardings) && service != Service::DoNotDisturb {
        let others = known.iter().filter(|(other, setting)| {
            **other != service && **other != Service::DoNotDisturb && setting.active
        });
        settings.extend(others.map(|(other, setting)| {
            let off = Setting {
                active: false,
                ..setting.clone()
            };
            (*other, off)
        }));
    }
    settings.push((service, setting));
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(service: Service) -> Event {
        Event {
            device: Device::NotKnown,
            service,
            setting: Setting {
                active: true,
                number: Some("2424".to_owned()),
                rings: None,
                agent: None,
            },
        }
    }

    fn settled(defects: &Defects, service: Service) -> Vec<(Service, Setting)> {
        let on = Setting {
            active: true,
            ..Setting::default()
        };
        let known = BTreeMap::from([
            (Service::CallForwardingAlways, on.clone()),
            (Service::CallForwardingBusy, on),
        ]);
        settle(defects, "anna", &known, event(service))
    }

    #[test]
    fn the_good_base_takes_an_event_as_it_is() {
        let service = Service::CallForwardingBusy;
        let expected = vec![(service, event(service).setting)];
        assert_eq!(settled(&Defects::default(), service), expected);
    }

    #[test]
    fn each_defect_of_reading_turns_one_thing_round() {
        let busy = Service::CallForwardingBusy;
        let with = |defect| settled(&Defects::from(defect), busy);
        assert_eq!(with(Defect::FiltersByDevice), []);
        assert_eq!(
            with(Defect::SwapsBusyAndNoAnswer)[0].0,
            Service::CallForwardingNoAnswer
        );
        assert_eq!(with(Defect::DropsNumber)[0].1.number, None);
        let cleared = with(Defect::ClearsOtherForwardings);
        assert_eq!(cleared[0].0, Service::CallForwardingAlways);
        assert!(!cleared[0].1.active && cleared[1].1.active);
    }

    #[test]
    fn what_means_nothing_here_is_passed_over() {
        let body = b"<AgentReadyEvent/>";
        let read = read("application/x-as-feature-event+xml", body);
        assert_eq!(read, Ok(Vec::new()));
    }
}
