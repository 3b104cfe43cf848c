//! The event packages that a base subscribes, as its model file names them.
//!
//! Each has a subscription of its own in every account: its own dialog, lifetime, refreshes and refusals. Which kind of
//! body it brings is a closed list here; everything else about it is data.
//!
//! ```toml
//! [[sip.package]]
//! name = "as-feature-event"
//! body = "feature-event"
//! gate = "FeatureKeySyncActive"
//! accept = ["application/x-as-feature-event+xml", "multipart/mixed"]
//! ```

use super::template::{Overrides, TemplateName};
use crate::accounts::AccountSettings;
use serde::Deserialize;
use sip::feature_event::CONTENT_TYPE;
use sip::service::AS_FEATURE_EVENT;

/// One event package.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Package {
    /// The value of Event.
    pub name: String,
    /// What its NOTIFYs bring.
    pub body: BodyKind,
    /// What switches it.
    pub gate: Gate,
    /// The content types that it takes.
    pub accept: Vec<String>,
    /// Requested seconds; without them those of the account.
    pub expires: Option<u32>,
    /// The SUBSCRIBE of this package, where it differs from that of the model.
    #[serde(default)]
    pub templates: Overrides,
}

/// What the NOTIFYs of a package bring.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// The services of a user; a SUBSCRIBE with body asks for a change of one.
    FeatureEvent,
    /// The guest who uses the handset.
    Hoteling,
}

/// What switches a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Gate {
    /// The provisioning parameter of the account.
    #[serde(rename = "FeatureKeySyncActive")]
    FeatureKeySync,
    /// Nothing: the base never subscribes it and does not know it.
    #[serde(rename = "off")]
    Off,
    /// Nothing: every account subscribes it.
    #[serde(rename = "on")]
    On,
}

impl Package {
    /// The packages of a model that names none.
    #[must_use]
    pub fn usual() -> Vec<Self> {
        vec![Self {
            name: AS_FEATURE_EVENT.to_owned(),
            body: BodyKind::FeatureEvent,
            gate: Gate::FeatureKeySync,
            accept: vec![CONTENT_TYPE.to_owned(), "multipart/mixed".to_owned()],
            expires: None,
            templates: Overrides::default(),
        }]
    }

    /// Whether an account with these settings subscribes it.
    #[must_use]
    pub const fn is_wanted(&self, settings: &AccountSettings) -> bool {
        match self.gate {
            Gate::FeatureKeySync => settings.feature_key_sync,
            Gate::Off => false,
            Gate::On => true,
        }
    }

    /// Whether a NOTIFY with this Event is of this package (RFC 6665 §8.2.1: byte by byte, parameters apart).
    pub(super) fn is_named(&self, event: &str, any_case: bool) -> bool {
        let package = event.split(';').next().unwrap_or_default().trim();
        package == self.name || (any_case && package.eq_ignore_ascii_case(&self.name))
    }
}

/// What is wrong with the packages of a model: the name of one, and why.
pub(crate) fn problem(packages: &[Package]) -> Option<(String, String)> {
    packages.iter().enumerate().find_map(|(index, package)| {
        let mut before = packages.iter().take(index);
        let other = |name: &TemplateName| *name != TemplateName::Subscribe;
        let problem = if before.any(|earlier| earlier.name == package.name) {
            "a second package with the same name".to_owned()
        } else if let Some(name) = package.templates.names().find(other) {
            format!("template `{name}` is not used by a package; only `subscribe` is")
        } else {
            return None;
        };
        Some((format!("sip.package[{index}]"), problem))
    })
}
