//! The portal of this server: what a user sees and changes there.

use super::AppServer;
use crate::account::{Account, merged};
use crate::portal::{Portal, PortalError};
use crate::service::Origin;
use sip::service::{Service, Setting, ValueKind};
use sip::time::Instant;

impl AppServer {
    fn account(&self, user: &str) -> Result<&Account, PortalError> {
        let missing = || PortalError::NoUser(user.to_owned());
        self.accounts.get(user).ok_or_else(missing)
    }
}

impl Portal for AppServer {
    fn services(
        &mut self,
        _now: Instant,
        user: &str,
    ) -> Result<Vec<(Service, Setting)>, PortalError> {
        self.account(user).map(Account::full_state)
    }

    fn read(
        &mut self,
        _now: Instant,
        user: &str,
        service: Service,
    ) -> Result<Setting, PortalError> {
        let assigned = self.account(user)?.assigned(service).cloned();
        assigned.ok_or_else(|| PortalError::NoService {
            user: user.to_owned(),
            service,
        })
    }

    fn change(
        &mut self,
        now: Instant,
        user: &str,
        service: Service,
        setting: &Setting,
    ) -> Result<(), PortalError> {
        self.read(now, user, service)?;
        let number = setting.number.as_deref().unwrap_or_default().trim();
        if setting.active && number.is_empty() {
            let problem = match service.value() {
                ValueKind::Forward { .. } => "a service that forwards needs a destination",
                ValueKind::Guest => "a guest needs a name",
                ValueKind::Switch | ValueKind::AgentState => "",
            };
            if !problem.is_empty() {
                return Err(PortalError::Refused(problem.to_owned()));
            }
        }
        // A portal has fields only for what the service consists of.
        let setting = merged(service, None, setting);
        if !self.accounts.accepts(user, service, &setting) {
            let guest = setting.number.as_deref().unwrap_or_default();
            return Err(PortalError::Refused(format!(
                "{guest} cannot be the guest of {user}"
            )));
        }
        self.set_service(now, user, service, setting, Origin::Portal);
        Ok(())
    }
}
