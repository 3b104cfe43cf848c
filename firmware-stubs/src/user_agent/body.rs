//! The body of a change, in the words of the model's templates.

use super::change::Change;
use super::request::Shared;
use super::template::{TemplateName, Values};
use crate::accounts::AccountSettings;
use crate::defect::Defect;
use bytes::Bytes;
use sip::feature_event::{CONTENT_TYPE, Service, forwarding_type};

/// The body that asks for a change, with its Content-Type.
pub(super) fn write_body(
    shared: &Shared,
    settings: &AccountSettings,
    change: &Change,
) -> (String, Bytes) {
    let inverted =
        shared.has(Defect::InvertsDoNotDisturb) && change.service == Service::DoNotDisturb;
    let setting = &change.setting;
    let values = Values::new()
        .with("device", &settings.user_name)
        .with("active", setting.active != inverted);
    let template = match change.service {
        Service::DoNotDisturb => TemplateName::SetDoNotDisturb,
        _ => TemplateName::SetForwarding,
    };
    let values = match change.service {
        Service::DoNotDisturb => values,
        service => values
            .with("type", forwarding_type(service).unwrap_or_default())
            .with("on", if setting.active { "on" } else { "" })
            .with("number", setting.number.as_deref().unwrap_or_default())
            .with("rings", rings(shared, change)),
    };
    let text = shared.model.sip.templates.text(template, &values);
    (CONTENT_TYPE.to_owned(), text.into())
}

/// The ring count belongs to forwarding on no answer, and switching that on needs one.
fn rings(shared: &Shared, change: &Change) -> String {
    if change.service != Service::CallForwardingNoAnswer {
        return String::new();
    }
    let usual = change
        .setting
        .active
        .then_some(shared.model.limits.default_rings);
    let rings = change.setting.rings.or(usual);
    rings.map_or_else(String::new, |rings| rings.to_string())
}
