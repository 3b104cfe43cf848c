//! The mechanisms by which a base and a server keep a service alike, and which of them a dialect offers.

use super::Dialect;

/// One mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mechanism {
    /// uaCSTA: the server asks and sets services at the base.
    Csta,
    /// Calls to codes that switch a service.
    FeatureCodes,
    /// Feature key synchronisation: the base subscribes, and the server notifies.
    SubscribeNotify,
}

impl Dialect {
    /// Whether a server of this dialect offers this mechanism.
    #[must_use]
    pub fn offers(&self, mechanism: Mechanism) -> bool {
        match mechanism {
            Mechanism::Csta => false,
            Mechanism::FeatureCodes => !self.feature_codes.is_empty(),
            Mechanism::SubscribeNotify => true,
        }
    }
}
