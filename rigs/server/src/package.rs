//! The event packages that the server can notify.
//!
//! A dialect says which of them its product serves, and with which habits; how a document of each is written and read is
//! the business of `body`.

use serde::{Deserialize, Serialize};
use sip::message::Message;
use sip::service::{AS_FEATURE_EVENT, HOTELING};

/// An event package.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Package {
    /// `as-feature-event`: Do Not Disturb, call forwarding, agent state.
    #[default]
    #[serde(rename = "as-feature-event")]
    FeatureEvent,
    /// `x-broadworks-hoteling`: a guest uses the handset.
    #[serde(rename = "x-broadworks-hoteling")]
    Hoteling,
}

impl Package {
    /// Every package.
    pub const ALL: [Self; 2] = [Self::FeatureEvent, Self::Hoteling];

    /// Its name, as it stands in the Event header.
    #[must_use]
    pub const fn event(self) -> &'static str {
        match self {
            Self::FeatureEvent => AS_FEATURE_EVENT,
            Self::Hoteling => HOTELING,
        }
    }

    /// The package that a SUBSCRIBE names; the name is compared byte by byte (RFC 6665 §8.2.1).
    #[must_use]
    pub fn of(request: &Message) -> Option<Self> {
        let event = request.header("Event")?;
        let name = event.split(';').next().unwrap_or_default().trim();
        Self::ALL
            .into_iter()
            .find(|package| package.event() == name)
    }
}
