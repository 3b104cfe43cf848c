//! What a handset changes by the body of a SUBSCRIBE.
//!
//! The server has the last word: a service that the account does not have stays as it is, a guest who is not allowed is
//! not logged in, and a fault may want other values stored than those that were asked for.

use crate::account::merged;
use crate::accounts::Accounts;
use crate::body::ServiceChange;
use crate::service::{Origin, ServiceValue};
use sip::service::{Service, Setting};
use sip::time::Instant;

/// What a change has done.
#[derive(Clone, Debug, Default)]
pub(super) struct Applied {
    /// The services that it was about.
    pub(super) services: Vec<Service>,
    /// What held before.
    pub(super) before: Vec<(Service, Setting)>,
    pub(super) differs: bool,
}

/// Stores what a change asks for, or what a fault wants instead.
pub(super) fn apply(
    accounts: &mut Accounts,
    now: Instant,
    user: &str,
    change: &ServiceChange,
    contradiction: Option<Vec<ServiceValue>>,
) -> Applied {
    let mut applied = Applied {
        services: vec![change.service],
        before: accounts.stored(user, None),
        differs: false,
    };
    match contradiction {
        Some(values) => {
            for value in values {
                let service = value.service;
                if !applied.services.contains(&service) {
                    applied.services.push(service);
                }
                let setting = value.setting();
                applied.differs |= accounts.store(now, user, service, setting, Origin::Portal);
            }
        }
        None => {
            if let Some(stored) = accounts.assigned(user, change.service) {
                let setting = merged(change.service, Some(stored), &change.setting);
                applied.differs = accounts.accepts(user, change.service, &setting)
                    && accounts.store(now, user, change.service, setting, Origin::Handset);
            }
        }
    }
    applied
}
