//! What the server keeps of each service of an account: its setting, whether it is assigned, who changed it last.
//!
//! The names of the services are `sip::service`, the documents are written in `body` and read by `sip::feature_event`.

use serde::{Deserialize, Serialize};
use sip::feature_event::{Service, Setting};
use sip::time::Instant;

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
    /// On or off, number and rings.
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
    /// On or off.
    pub active: bool,
    /// The number calls are forwarded to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// How often the handset rings before a call is forwarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rings: Option<u32>,
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
        }
    }

    /// The setting alone.
    #[must_use]
    pub fn setting(&self) -> Setting {
        Setting {
            active: self.active,
            number: self.number.clone(),
            rings: self.rings,
            agent: None,
        }
    }
}
