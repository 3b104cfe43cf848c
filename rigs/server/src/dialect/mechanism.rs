//! The mechanisms by which a base and a server keep a service alike, and which of them a dialect offers.

use super::Dialect;
use std::fmt;

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

impl Mechanism {
    /// Every mechanism.
    pub const ALL: [Self; 3] = [Self::Csta, Self::FeatureCodes, Self::SubscribeNotify];

    /// The mechanism of this name.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|own| own.as_str() == word)
    }

    /// Its name in dialect files and tags.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Csta => "csta",
            Self::FeatureCodes => "feature-codes",
            Self::SubscribeNotify => "subscribe-notify",
        }
    }
}

impl fmt::Display for Mechanism {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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
