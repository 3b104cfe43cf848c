//! The event packages that a server product serves, and how it words their documents.
//!
//! What all packages have in common (lifetimes, order, CSeq) stands in `[subscription]` and `[notify]`.

use super::{Device, Dialect, Fact, FullStateForm, IdleNumber, Mechanism};
use crate::package::Package;
use serde::Deserialize;
use sip::service::Service;

/// `[package]`: the packages that are served. What is not in the file is answered as an unknown package is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Packages {
    /// Do Not Disturb and call forwarding.
    pub as_feature_event: Option<FeatureEventPackage>,
    /// Hoteling.
    pub x_broadworks_hoteling: Option<HotelingPackage>,
}

/// `[package.as-feature-event]`: what stands in its NOTIFYs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeatureEventPackage {
    /// The type of one document.
    pub content_type: Fact<String>,
    /// The XML declaration.
    pub declaration: Fact<String>,
    /// The namespace of the root element.
    pub namespace: Fact<String>,
    /// What stands in `device`.
    pub device: Fact<Device>,
    /// What stands in `forwardTo` while the service is off.
    pub forward_to_when_off: Fact<IdleNumber>,
    /// How the whole state travels.
    pub full_state: Fact<FullStateForm>,
    /// The order of the services.
    pub order: Fact<Vec<Service>>,
    /// The multipart boundary.
    pub boundary: Fact<String>,
    /// Whether the boundary parameter is quoted.
    pub quoted_boundary: Fact<bool>,
}

/// `[package.x-broadworks-hoteling]`: what stands in its NOTIFYs, and in the SUBSCRIBEs with a change.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct HotelingPackage {
    /// The type of the document, in both directions.
    pub content_type: Fact<String>,
    /// The XML declaration.
    pub declaration: Fact<String>,
    /// The namespace of the root element, in both directions.
    pub namespace: Fact<String>,
    /// What stands in `expires` while a guest is logged in; without one there is no such element.
    pub association_seconds: Fact<u32>,
}

impl Dialect {
    /// Whether the product notifies this package.
    #[must_use]
    pub const fn serves(&self, package: Package) -> bool {
        self.offers(Mechanism::SubscribeNotify)
            && match package {
                Package::FeatureEvent => self.package.as_feature_event.is_some(),
                Package::Hoteling => self.package.x_broadworks_hoteling.is_some(),
            }
    }

    /// The type of one document of a package; `None` when the package is not served.
    #[must_use]
    pub fn content_type(&self, package: Package) -> Option<&str> {
        let fact = match package {
            Package::FeatureEvent => &self.package.as_feature_event.as_ref()?.content_type,
            Package::Hoteling => &self.package.x_broadworks_hoteling.as_ref()?.content_type,
        };
        Some(&fact.value)
    }
}

impl FeatureEventPackage {
    /// The order of the services in a full state.
    pub fn services(&self) -> impl Iterator<Item = Service> {
        self.order.value.iter().copied()
    }
}
