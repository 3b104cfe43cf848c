//! The texts of a handset's display, from the model file.
//!
//! `{value}` stands for what the display fills in. They are inferred from the manufacturer's wording on other handsets:
//! no description of these displays with synchronised services is public.

use serde::Deserialize;
use sip::feature_event::Service;

/// Every text that a display can show.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each field is named after what it says")]
pub struct Texts {
    pub on: String,
    pub off: String,
    /// In place of on and off while the server has not said which.
    pub unknown: String,
    pub status: String,
    pub number: String,
    pub rings: String,
    /// Below an editor while a change is outstanding.
    pub wait: String,
    /// Below an editor whose change will not be.
    pub refused: String,
    /// Below an editor that cannot be saved as it is.
    pub incomplete: String,
    pub main_menu: String,
    pub select_services: String,
    pub call_divert: String,
    pub settings: String,
    pub audio_settings: String,
    /// The ringer's own Do Not Disturb: it stays in the handset.
    pub ringer_dnd: String,
    pub ringer_dnd_idle: String,
    pub dial: String,
    pub calling: String,
    pub menu_key: String,
    pub back_key: String,
    pub select_key: String,
    pub save_key: String,
    pub end_key: String,
    do_not_disturb: ServiceTexts,
    call_forwarding_always: ServiceTexts,
    call_forwarding_busy: ServiceTexts,
    call_forwarding_no_answer: ServiceTexts,
}

/// The texts of one service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ServiceTexts {
    /// Its entry in the menu and the headline of its editor.
    pub title: String,
    /// Its line on the idle screen while it is active.
    pub idle: String,
}

impl Texts {
    /// The texts of this service.
    #[must_use]
    pub const fn service(&self, service: Service) -> &ServiceTexts {
        match service {
            Service::DoNotDisturb => &self.do_not_disturb,
            Service::CallForwardingAlways => &self.call_forwarding_always,
            Service::CallForwardingBusy => &self.call_forwarding_busy,
            // This menu has no page for the others.
            Service::CallForwardingNoAnswer | Service::AgentState | Service::HotelingGuest => {
                &self.call_forwarding_no_answer
            }
        }
    }
}

/// The text with its value filled in.
pub(super) fn filled(text: &str, value: &str) -> String {
    text.replace("{value}", value)
}
