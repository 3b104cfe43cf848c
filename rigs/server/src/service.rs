//! What the server keeps of each service of an account, and how a service with its value is written in JSON.
//!
//! Which services there are, and what they are called, stands in [`sip::service`].

use crate::package::Package;
use serde::{Deserialize, Serialize};
use sip::service::{Agent, Service, Setting, ValueKind};
use sip::time::Instant;

/// The event package in which this server notifies a service; `None` for agent state, of which it writes no document.
pub(crate) fn package_of(service: Service) -> Option<Package> {
    let is_written = service.value() != ValueKind::AgentState;
    Package::ALL
        .into_iter()
        .find(|package| is_written && package.event() == service.package())
}

/// Who changed a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Origin {
    /// A feature code dialled from the handset.
    FeatureCode,
    /// The menu of the handset, by a SUBSCRIBE with a body.
    Handset,
    /// The web portal, by Xsi.
    Portal,
}

/// What the server keeps of one service of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceState {
    /// Its value.
    pub setting: Setting,
    /// Whether the account has this service at all.
    pub assigned: bool,
    /// Who changed it last; absent while it is as configured.
    pub origin: Option<Origin>,
    /// When it changed last.
    pub changed_at: Instant,
}

/// A setting that can be sent as JSON, together with its service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceValue {
    /// Which service.
    pub service: Service,
    /// On or off; of an agent or a guest, whether somebody is logged on.
    pub active: bool,
    /// The number calls are forwarded to, or the guest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// How many times the handset rings before a call is forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rings: Option<u32>,
    /// The state of an agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

impl ServiceValue {
    /// This service with this setting.
    #[must_use]
    pub fn new(service: Service, setting: &Setting) -> Self {
        Self {
            service,
            active: setting.active,
            number: setting.number.clone(),
            rings: setting.rings,
            agent: setting.agent.clone(),
        }
    }

    /// The setting alone.
    #[must_use]
    pub fn setting(&self) -> Setting {
        Setting {
            active: self.active,
            number: self.number.clone(),
            rings: self.rings,
            agent: self.agent.clone(),
        }
    }
}
