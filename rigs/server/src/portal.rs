//! What a user can do at the server's portal: read the own services and change one.
//!
//! It is one of the two capabilities by which steps reach a server ([`Faults`](crate::fault::Faults) is the other), and the
//! only one that a real server has too: whatever implements it acts as a person in a browser or an Xsi client does, and no
//! answer tells more than such a client sees.

use sip::service::{Service, Setting};
use sip::time::Instant;

/// Why the portal did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PortalError {
    /// There is no such user.
    #[error("there is no user {0}")]
    NoUser(String),
    /// The user does not have this service.
    #[error("{user} does not have the service {service}")]
    NoService {
        /// Who.
        user: String,
        /// Which.
        service: Service,
    },
    /// The portal accepts no such value.
    #[error("{0}")]
    Refused(String),
    /// The portal cannot be reached, or answers what nobody understands.
    #[error("the portal does not work: {0}")]
    Unusable(String),
}

/// The portal of a server.
pub trait Portal {
    /// The services that a user has, as they are stored.
    ///
    /// # Errors
    /// When there is no such user, or the portal does not work.
    fn services(
        &mut self,
        now: Instant,
        user: &str,
    ) -> Result<Vec<(Service, Setting)>, PortalError>;

    /// One service of a user, as it is stored.
    ///
    /// # Errors
    /// When there is no such user, the user does not have the service, or the portal does not work.
    fn read(&mut self, now: Instant, user: &str, service: Service) -> Result<Setting, PortalError>;

    /// Changes a service of a user; subscriptions are notified as of any change by the server. To store what is stored
    /// already is no error and notifies nobody.
    ///
    /// # Errors
    /// As [`read`](Self::read), and when the value is refused.
    fn change(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: &Setting,
    ) -> Result<(), PortalError>;
}
