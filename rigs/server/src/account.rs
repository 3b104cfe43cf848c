//! The accounts of the server: who may register, and the state of each one's services.
//!
//! An account outlives every restart of the server, as a database does. Bindings and subscriptions do not belong here.

use crate::service::{Origin, ServiceState};
use sip::service::{Agent, AgentStatus, Service, Setting, ValueKind};
use sip::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// An account as it is set up.
#[derive(Clone)]
pub struct UserConfig {
    /// The user part of the AOR, also the name in digest credentials.
    pub name: String,
    /// The digest password.
    pub password: String,
    /// The settings to begin with; a service that is not named is off.
    pub services: BTreeMap<Service, Setting>,
    /// The services that the account does not have.
    pub unassigned: BTreeSet<Service>,
}

impl UserConfig {
    /// An account with Do Not Disturb and the call forwardings, all off. Agent state and hoteling it has only when it is
    /// given a value for them ([`with_service`](Self::with_service)).
    #[must_use]
    pub fn new(name: &str, password: &str) -> Self {
        Self {
            name: name.to_owned(),
            password: password.to_owned(),
            services: BTreeMap::new(),
            unassigned: BTreeSet::from([Service::AgentState, Service::HotelingGuest]),
        }
    }

    /// The account with this service set.
    #[must_use]
    pub fn with_service(mut self, service: Service, setting: Setting) -> Self {
        self.unassigned.remove(&service);
        self.services.insert(service, setting);
        self
    }

    /// The account without this service.
    #[must_use]
    pub fn without_service(mut self, service: Service) -> Self {
        self.unassigned.insert(service);
        self
    }
}

impl fmt::Debug for UserConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserConfig")
            .field("name", &self.name)
            .field("password", &"***")
            .field("services", &self.services)
            .field("unassigned", &self.unassigned)
            .finish()
    }
}

/// An account with the state of its services.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    config: UserConfig,
    services: BTreeMap<Service, ServiceState>,
}

impl Account {
    pub(crate) fn new(config: UserConfig) -> Self {
        let state = |service: Service| ServiceState {
            setting: config.services.get(&service).cloned().unwrap_or_default(),
            assigned: !config.unassigned.contains(&service),
            origin: None,
            changed_at: Instant::EPOCH,
        };
        let services = Service::all()
            .map(|service| (service, state(service)))
            .collect();
        Self { config, services }
    }

    pub(crate) fn password(&self) -> &str {
        &self.config.password
    }

    pub(crate) fn service(&self, service: Service) -> Option<&ServiceState> {
        self.services.get(&service)
    }

    /// The setting of a service that the account has.
    pub(crate) fn assigned(&self, service: Service) -> Option<&Setting> {
        self.services
            .get(&service)
            .filter(|state| state.assigned)
            .map(|state| &state.setting)
    }

    /// The settings of every service that the account has.
    pub(crate) fn full_state(&self) -> Vec<(Service, Setting)> {
        self.services
            .iter()
            .filter(|(_, state)| state.assigned)
            .map(|(service, state)| (*service, state.setting.clone()))
            .collect()
    }

    /// Stores a setting. Whether anything is different now.
    pub(crate) fn store(
        &mut self,
        now: Instant,
        service: Service,
        setting: Setting,
        origin: Origin,
    ) -> bool {
        let Some(state) = self.services.get_mut(&service) else {
            return false;
        };
        let differs = state.setting != setting;
        state.setting = setting;
        state.origin = Some(origin);
        state.changed_at = now;
        differs
    }

    /// Gives the account a service or takes it away. Whether anything is different now.
    pub(crate) fn assign(&mut self, service: Service, assigned: bool) -> bool {
        self.services.get_mut(&service).is_some_and(|state| {
            let differs = state.assigned != assigned;
            state.assigned = assigned;
            differs
        })
    }
}

/// What a change asks for, on top of what is stored: a part that the request leaves out stays as it is, and a part that
/// means nothing for this service is left out.
pub(crate) fn merged(service: Service, stored: Option<&Setting>, asked: &Setting) -> Setting {
    let number = asked.number.as_deref().map(str::trim);
    let number = number
        .filter(|number| !number.is_empty())
        .map(str::to_owned);
    let active = asked.active;
    match service.value() {
        ValueKind::Switch => Setting {
            active,
            ..Setting::default()
        },
        ValueKind::Forward { rings } => Setting {
            active,
            number: number.or_else(|| stored.and_then(|stored| stored.number.clone())),
            rings: asked
                .rings
                .or_else(|| stored.and_then(|stored| stored.rings))
                .filter(|_| rings),
            agent: None,
        },
        ValueKind::AgentState => {
            let agent = asked.agent.clone();
            let agent = agent.or_else(|| stored.and_then(|stored| stored.agent.clone()));
            let is_on = |agent: &Agent| agent.status != AgentStatus::LoggedOff;
            Setting {
                active: agent.as_ref().is_some_and(is_on),
                agent,
                ..Setting::default()
            }
        }
        ValueKind::Guest => Setting {
            active: active && number.is_some(),
            number: number.filter(|_| active),
            ..Setting::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_account_has_every_service_off() {
        let account = Account::new(UserConfig::new("anna", "secret"));
        let state = account.full_state();
        assert_eq!(state.len(), 4);
        assert!(state.iter().all(|(_, setting)| !setting.active));
    }

    #[test]
    fn the_password_is_never_shown() {
        let shown = format!("{:?}", UserConfig::new("anna", "s3cret"));
        assert!(!shown.contains("s3cret"), "{shown}");
    }

    #[test]
    fn storing_the_same_again_changes_nothing() {
        let mut account = Account::new(UserConfig::new("anna", "x"));
        let on = Setting {
            active: true,
            ..Setting::default()
        };
        let store = |account: &mut Account| {
            account.store(
                Instant::EPOCH,
                Service::DoNotDisturb,
                on.clone(),
                Origin::Portal,
            )
        };
        assert!(store(&mut account));
        assert!(!store(&mut account));
    }

    #[test]
    fn a_change_keeps_the_number_that_it_does_not_name() {
        let stored = Setting {
            active: true,
            number: Some("2424".to_owned()),
            rings: Some(3),
            agent: None,
        };
        let asked = Setting {
            number: Some(" ".to_owned()),
            ..Setting::default()
        };
        let off = merged(Service::CallForwardingNoAnswer, Some(&stored), &asked);
        assert_eq!((off.active, off.rings), (false, Some(3)));
        assert_eq!(off.number.as_deref(), Some("2424"));
    }

    #[test]
    fn a_part_that_means_nothing_for_a_service_is_left_out() {
        let asked = Setting {
            active: true,
            number: Some("2005".to_owned()),
            rings: Some(3),
            agent: Some(Agent {
                status: AgentStatus::NotReady,
                reason: Some("17".to_owned()),
            }),
        };
        let kept = |service| {
            let Setting {
                number,
                rings,
                agent,
                active,
            } = merged(service, None, &asked);
            assert!(active, "{service}");
            (number.is_some(), rings.is_some(), agent.is_some())
        };
        for (service, parts) in [
            (Service::DoNotDisturb, (false, false, false)),
            (Service::CallForwardingBusy, (true, false, false)),
            (Service::CallForwardingNoAnswer, (true, true, false)),
            (Service::AgentState, (false, false, true)),
            (Service::HotelingGuest, (true, false, false)),
        ] {
            assert_eq!(kept(service), parts, "{service}");
        }
    }

    #[test]
    fn a_guest_is_not_kept_when_the_next_change_names_nobody() {
        let stored = Setting {
            active: true,
            number: Some("2005".to_owned()),
            ..Setting::default()
        };
        let out = merged(Service::HotelingGuest, Some(&stored), &Setting::default());
        assert_eq!(out, Setting::default());
    }

    #[test]
    fn an_unassigned_service_is_not_in_the_full_state() {
        let config = UserConfig::new("anna", "x").without_service(Service::CallForwardingBusy);
        let account = Account::new(config);
        assert_eq!(account.full_state().len(), 3);
        assert!(account.assigned(Service::CallForwardingBusy).is_none());
    }
}
