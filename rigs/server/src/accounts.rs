//! What the sites of a server share: the users with their services, and which site serves which subscription.
//!
//! Accounts outlive every restart of a site, as a database does. Bindings, dialogs and the plan of faults belong to a site. A
//! change that subscriptions have to be notified of waits here as an [`Update`] until the server has taken it to each site.

use crate::account::{Account, UserConfig};
use crate::dialect::Extent;
use crate::service::Origin;
use crate::site::SiteId;
use crate::subscription::SubscriptionId;
use sip::service::{Service, Setting, ValueKind};
use sip::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// A change of an account that its subscriptions are to be notified of.
#[derive(Clone, Debug)]
pub(crate) struct Update {
    pub(crate) user: String,
    /// The services that it is about; never empty.
    pub(crate) services: Vec<Service>,
    /// What held before.
    pub(crate) before: Vec<(Service, Setting)>,
    /// What a NOTIFY carries, where that is not left to the dialect.
    pub(crate) extent: Option<Extent>,
    /// How long the NOTIFYs wait.
    pub(crate) delay: Duration,
    /// The subscription through which the change was asked for; it is notified apart from this.
    pub(crate) except: Option<(SiteId, SubscriptionId)>,
}

/// The accounts of a server.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    users: BTreeMap<String, Account>,
    /// The subscriptions by user, each with the site that serves it, in this order. A user who was removed may still have some that are
    /// about to end.
    served: BTreeMap<String, Vec<(SiteId, SubscriptionId)>>,
    /// Empty after every verb of the server.
    updates: VecDeque<Update>,
}

impl Accounts {
    pub(crate) fn insert(&mut self, user: UserConfig) {
        self.users.insert(user.name.clone(), Account::new(user));
    }

    pub(crate) fn remove(&mut self, user: &str) {
        self.users.remove(user);
    }

    pub(crate) fn get(&self, user: &str) -> Option<&Account> {
        self.users.get(user)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.users.keys().map(String::as_str)
    }

    /// The setting of a service that the user has.
    pub(crate) fn assigned(&self, user: &str, service: Service) -> Option<&Setting> {
        self.get(user)?.assigned(service)
    }

    /// The settings of the services that the user has; of `only` these where it is given.
    pub(crate) fn stored(&self, user: &str, only: Option<&[Service]>) -> Vec<(Service, Setting)> {
        let mut settings = self.get(user).map_or_else(Vec::new, Account::full_state);
        settings.retain(|(service, _)| only.is_none_or(|only| only.contains(service)));
        settings
    }

    /// Whether the account can have this value: a guest has to be somebody else who has an account here. That is our
    /// choice; the sources say that a login can be refused, not when.
    pub(crate) fn accepts(&self, user: &str, service: Service, setting: &Setting) -> bool {
        if service.value() != ValueKind::Guest || !setting.active {
            return true;
        }
        let guest = setting.number.as_deref().unwrap_or_default();
        let guest = guest.split_once('@').map_or(guest, |(name, _)| name);
        let guest = guest.strip_prefix("sip:").unwrap_or(guest);
        guest != user && self.users.contains_key(guest)
    }

    /// Stores a setting and notifies nobody. Whether anything is different now.
    pub(crate) fn store(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: Setting,
        origin: Origin,
    ) -> bool {
        self.users
            .get_mut(user)
            .is_some_and(|account| account.store(now, service, setting, origin))
    }

    /// Stores a setting, and has every subscription notified of a difference. Whether there is one.
    pub(crate) fn change(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: Setting,
        origin: Origin,
    ) -> bool {
        let before = self.assigned(user, service).cloned();
        let differs = self.store(now, user, service, setting, origin);
        if let Some(before) = before.filter(|_| differs) {
            self.announce(Update {
                user: user.to_owned(),
                services: vec![service],
                before: vec![(service, before)],
                extent: None,
                delay: Duration::ZERO,
                except: None,
            });
        }
        differs
    }

    /// Gives the user a service or takes it away, and has every subscription notified of the whole state. Whether
    /// anything is different now.
    pub(crate) fn assign(&mut self, user: &str, service: Service, assigned: bool) -> bool {
        let differs = self
            .users
            .get_mut(user)
            .is_some_and(|account| account.assign(service, assigned));
        if differs {
            self.announce(Update {
                user: user.to_owned(),
                services: vec![service],
                before: Vec::new(),
                extent: Some(Extent::FullState),
                delay: Duration::ZERO,
                except: None,
            });
        }
        differs
    }

    /// Has the subscriptions of an account notified at every site.
    pub(crate) fn announce(&mut self, update: Update) {
        self.updates.push_back(update);
    }

    /// The oldest change that no site has heard of.
    pub(crate) fn poll_update(&mut self) -> Option<Update> {
        self.updates.pop_front()
    }

    /// Notes that this site serves this subscription.
    pub(crate) fn own(&mut self, user: &str, site: SiteId, subscription: SubscriptionId) {
        let served = self.served.entry(user.to_owned()).or_default();
        let one = (site, subscription);
        if let Err(place) = served.binary_search(&one) {
            // Most users have one subscription and no other ever.
            served.reserve_exact(1);
            served.insert(place, one);
        }
    }

    /// Notes that this subscription is over.
    pub(crate) fn disown(&mut self, user: &str, site: SiteId, subscription: SubscriptionId) {
        if let Some(served) = self.served.get_mut(user) {
            served.retain(|one| *one != (site, subscription));
            if served.is_empty() {
                self.served.remove(user);
            }
        }
    }

    /// Notes that a site has lost its subscriptions.
    pub(crate) fn disown_all(&mut self, site: SiteId) {
        self.served.retain(|_, served| {
            served.retain(|(owner, _)| *owner != site);
            !served.is_empty()
        });
    }

    /// The subscriptions of a user that a site serves, the oldest first.
    pub(crate) fn served_at(&self, site: SiteId, user: &str) -> Vec<SubscriptionId> {
        let served = self.served.get(user).into_iter().flatten();
        served
            .filter(|(owner, _)| *owner == site)
            .map(|(_, subscription)| *subscription)
            .collect()
    }
}
