//! The words for services in files and on the control interface, and the state that the server keeps of each.
//!
//! The codec of the `as-feature-event` documents is `sip::feature_event`; here stand only the names that people write
//! (`do-not-disturb`) and what an account's service remembers: its setting, whether it is assigned, who changed it last.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sip::feature_event::{Service, Setting};
use sip::time::Instant;

/// The word for a service in files, such as `call-forwarding-busy`.
#[must_use]
pub const fn service_word(service: Service) -> &'static str {
    match service {
        Service::DoNotDisturb => "do-not-disturb",
        Service::CallForwardingAlways => "call-forwarding-always",
        Service::CallForwardingBusy => "call-forwarding-busy",
        Service::CallForwardingNoAnswer => "call-forwarding-no-answer",
    }
}

/// The service with this word.
#[must_use]
pub fn service_from_word(word: &str) -> Option<Service> {
    Service::ALL
        .into_iter()
        .find(|service| service_word(*service) == word)
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
    /// On or off, number and rings.
    pub setting: Setting,
    /// Whether the account has this service at all.
    pub assigned: bool,
    /// Who changed it last; absent while it is as configured.
    pub origin: Option<Origin>,
    /// When it changed last.
    pub changed_at: Instant,
}

/// A service that can be written in a file or sent as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceName(pub Service);

impl From<Service> for ServiceName {
    fn from(service: Service) -> Self {
        Self(service)
    }
}

impl Serialize for ServiceName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(service_word(self.0))
    }
}

impl<'de> Deserialize<'de> for ServiceName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        service_from_word(&word).map(Self).ok_or_else(|| {
            let known: Vec<_> = Service::ALL.into_iter().map(service_word).collect();
            serde::de::Error::custom(format!(
                "unknown service `{word}`, expected one of {}",
                known.join(", ")
            ))
        })
    }
}

/// A setting that can be sent as JSON, together with its service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServiceValue {
    /// Which service.
    pub service: ServiceName,
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
            service: ServiceName(service),
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
        }
    }
}
