//! What a scenario can do to a server that no user can: the capability to inject faults.
//!
//! It is one of the two capabilities by which steps reach a server ([`Portal`](crate::portal::Portal) is the other). A real
//! server does not have it, and a scenario that needs it is then not applicable.

use super::{Fault, FaultId};
use crate::notify_spec::{NotifySent, NotifySpec};
use crate::package::Package;
use crate::registrar::ExpiresPolicy;
use crate::site::{Lifetime, SiteId};
use sip::service::{Service, Setting};
use sip::time::Instant;

/// Which subscriptions of a site are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionFilter {
    /// The account.
    pub user: String,
    /// The event package; absent: every one.
    pub package: Option<Package>,
}

impl SubscriptionFilter {
    /// The subscriptions of this account.
    #[must_use]
    pub fn of_user(user: &str) -> Self {
        Self {
            user: user.to_owned(),
            package: None,
        }
    }

    /// Only those to this package.
    #[must_use]
    pub const fn in_package(mut self, package: Package) -> Self {
        self.package = Some(package);
        self
    }
}

impl From<&str> for SubscriptionFilter {
    fn from(user: &str) -> Self {
        Self::of_user(user)
    }
}

/// How a subscription is ended by the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ending {
    /// The `reason` parameter; none when absent.
    pub reason: Option<String>,
    /// The `retry-after` parameter in seconds; none when absent.
    pub retry_after: Option<u32>,
}

impl Ending {
    /// For this reason.
    #[must_use]
    pub fn because(reason: &str) -> Self {
        Self {
            reason: Some(reason.to_owned()),
            retry_after: None,
        }
    }

    /// With this many seconds as `retry-after`.
    #[must_use]
    pub const fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }
}

/// The power to make a server misbehave. A verb that names a site works there alone.
pub trait Faults {
    /// The site of this name.
    fn site(&self, name: &str) -> Option<SiteId>;

    /// Adds a fault to the plan of a site. The caller has checked it if it came from outside ([`Fault::problem`]).
    fn load_fault(&mut self, site: SiteId, fault: Fault) -> FaultId;

    /// Removes one fault. Whether there was one.
    fn remove_fault(&mut self, site: SiteId, id: FaultId) -> bool;

    /// Empties the plan of a site. What faults have already delayed still comes.
    fn clear_faults(&mut self, site: SiteId);

    /// Sets how a site grants lifetimes from now on.
    fn set_expires_policy(&mut self, site: SiteId, of: Lifetime, policy: ExpiresPolicy);

    /// Makes every nonce that a site has given out stale: the next request with one is challenged with `stale=true`.
    fn expire_nonces(&mut self, site: SiteId);

    /// Ends subscriptions, each with a closing NOTIFY.
    fn end_subscriptions(
        &mut self,
        now: Instant,
        site: SiteId,
        which: &SubscriptionFilter,
        ending: &Ending,
    );

    /// Forgets subscriptions silently: the next SUBSCRIBE in one is answered 481.
    fn forget_subscriptions(&mut self, site: SiteId, which: &SubscriptionFilter);

    /// Sends what the spec says to every subscription of the account, to the one that ended last, or to every contact, as
    /// its dialog says. Returns what has left; nothing when there is no subscription or contact to send it to.
    fn notify(
        &mut self,
        now: Instant,
        site: SiteId,
        user: &str,
        spec: &NotifySpec,
    ) -> Vec<NotifySent>;

    /// Asks the base to fetch its provisioning again: an out-of-dialog NOTIFY to every contact of the account. Returns how
    /// many have left.
    fn check_sync(&mut self, now: Instant, site: SiteId, user: &str) -> usize;

    /// The process of a site dies: it is silent, and its bindings, subscriptions, calls, transactions and nonces are lost.
    /// Accounts with their services remain, and so do its plan of faults and its policies.
    fn stop_site(&mut self, site: SiteId);

    /// A site that was stopped comes back and knows nobody.
    fn start_site(&mut self, site: SiteId);

    /// The process of a site dies and comes back at once.
    fn restart_site(&mut self, site: SiteId) {
        self.stop_site(site);
        self.start_site(site);
    }

    /// Changes a stored service and notifies nobody: what a refresh then brings to light. Whether anything is different
    /// now.
    fn set_service_silently(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: Setting,
    ) -> bool;
}
