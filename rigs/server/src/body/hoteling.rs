//! The documents of `x-broadworks-hoteling` (domain notes, protocol.md 1.9): `SetHoteling` asks for a guest or for none,
//! `HotelingEvent` says who is logged in.
//!
//! The challenge that some servers put into the event is not played: a guest is taken by name alone.

use super::{Form, ServiceChange, element};
use crate::dialect::HotelingPackage;
use crate::flat_xml;
use sip::service::{Service, Setting};

/// What `SetHoteling` asks for, if it can be read: without `guestAddress` it asks for nothing.
pub(super) fn parse(habits: &HotelingPackage, body: &[u8]) -> Option<ServiceChange> {
    let elements = flat_xml::read(body, "SetHoteling", &habits.namespace.value).ok()?;
    let (_, guest) = elements
        .into_iter()
        .find(|(name, _)| name == "guestAddress")?;
    let number = Some(guest).filter(|guest| !guest.is_empty());
    Some(ServiceChange {
        service: Service::HotelingGuest,
        setting: Setting {
            active: number.is_some(),
            number,
            ..Setting::default()
        },
    })
}

/// The document; none when the account has no hoteling.
pub(super) fn documents(
    form: &Form<'_>,
    habits: &HotelingPackage,
    settings: &[(Service, Setting)],
) -> Vec<String> {
    let mut settings = settings.iter();
    let hoteling = settings.find(|(service, _)| *service == Service::HotelingGuest);
    let document = |(_, setting): &(Service, Setting)| {
        let mut inside = String::new();
        match setting.number.as_deref().filter(|_| setting.active) {
            None => inside.push_str("<guestAddress/>"),
            Some(guest) => {
                element(&mut inside, "guestAddress", guest);
                let seconds = habits.association_seconds.value.to_string();
                element(&mut inside, "expires", &seconds);
            }
        }
        form.document("HotelingEvent", &inside)
    };
    hoteling.map(document).into_iter().collect()
}
