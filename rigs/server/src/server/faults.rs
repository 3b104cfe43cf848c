//! The faults of this server: each verb is passed on to the site that it is for.

use super::AppServer;
use crate::fault::{Ending, Fault, FaultId, Faults, LoadedFault, SubscriptionFilter};
use crate::notify_spec::{NotifySent, NotifySpec};
use crate::registrar::ExpiresPolicy;
use crate::service::Origin;
use crate::site::{Lifetime, Site, SiteId};
use sip::service::{Service, Setting};
use sip::time::Instant;

impl AppServer {
    /// The plan of faults of a site, with how many times each was used.
    #[must_use]
    pub fn faults(&self, site: SiteId) -> Vec<&LoadedFault> {
        let site = self.sites.get(site.0);
        site.map_or_else(Vec::new, |site| site.faults().list().collect())
    }
}

impl Faults for AppServer {
    fn site(&self, name: &str) -> Option<SiteId> {
        self.site_named(name)
    }

    fn load_fault(&mut self, site: SiteId, fault: Fault) -> FaultId {
        self.at(site, |site, _| site.faults_mut().load(fault))
            .unwrap_or(FaultId(0))
    }

    fn remove_fault(&mut self, site: SiteId, id: FaultId) -> bool {
        self.at(site, |site, _| site.faults_mut().remove(id)) == Some(true)
    }

    fn clear_faults(&mut self, site: SiteId) {
        self.at(site, |site, _| site.faults_mut().clear());
    }

    fn set_expires_policy(&mut self, site: SiteId, of: Lifetime, policy: ExpiresPolicy) {
        self.at(site, |site, _| site.set_expires_policy(of, policy));
    }

    fn expire_nonces(&mut self, site: SiteId) {
        self.at(site, |site, _| site.expire_nonces());
    }

    fn end_subscriptions(
        &mut self,
        now: Instant,
        site: SiteId,
        which: &SubscriptionFilter,
        ending: &Ending,
    ) {
        self.now = now;
        self.at(site, |site, accounts| {
            site.end_subscriptions(accounts, now, which, ending);
        });
    }

    fn forget_subscriptions(&mut self, site: SiteId, which: &SubscriptionFilter) {
        self.at(site, |site, accounts| {
            site.forget_subscriptions(accounts, which);
        });
    }

    fn notify(
        &mut self,
        now: Instant,
        site: SiteId,
        user: &str,
        spec: &NotifySpec,
    ) -> Vec<NotifySent> {
        self.now = now;
        self.at(site, |site, accounts| {
            site.notify_oddly(accounts, now, user, spec)
        })
        .unwrap_or_default()
    }

    fn check_sync(&mut self, now: Instant, site: SiteId, user: &str) -> usize {
        self.now = now;
        self.at(site, |site, accounts| site.check_sync(accounts, now, user))
            .unwrap_or_default()
    }

    fn stop_site(&mut self, site: SiteId) {
        self.at(site, Site::stop);
    }

    fn start_site(&mut self, site: SiteId) {
        self.at(site, |site, _| site.start());
    }

    fn set_service_silently(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: Setting,
    ) -> bool {
        self.accounts
            .store(now, user, service, setting, Origin::Portal)
    }
}
