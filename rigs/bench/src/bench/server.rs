//! How a scenario reaches the application server: by two capabilities and in no other way.
//!
//! [`Bench::portal`] reads and changes what a user has there, as a person in a browser does; every server has one.
//! [`Bench::faults`] makes a server misbehave; a real one has no such thing. Both act at the present lab time. Nothing here
//! tells what a server keeps in its memory: that is read from the evidence.

use super::Bench;
use crate::error::RigError;
use crate::lab::{Lab, NodeId};
use ::server::{AppServer, Dialect, Faults, Portal, PortalError, UserConfig};
use sip::service::{Service, Setting};
use sip::time::Instant;

/// The portal of an application server, at the present lab time.
pub struct PortalNow<'b> {
    lab: &'b mut dyn Lab,
    server: NodeId,
}

impl PortalNow<'_> {
    /// The services that a user has, as they are stored.
    ///
    /// # Errors
    /// As [`Portal::services`].
    pub fn services(&mut self, user: &str) -> Result<Vec<(Service, Setting)>, PortalError> {
        self.ask(|portal, now| portal.services(now, user))
    }

    /// One service of a user, as it is stored.
    ///
    /// # Errors
    /// As [`Portal::read`].
    pub fn read(&mut self, user: &str, service: Service) -> Result<Setting, PortalError> {
        self.ask(|portal, now| portal.read(now, user, service))
    }

    /// Changes a service of a user.
    ///
    /// # Errors
    /// As [`Portal::change`].
    pub fn change(
        &mut self,
        user: &str,
        service: Service,
        setting: &Setting,
    ) -> Result<(), PortalError> {
        self.ask(|portal, now| portal.change(now, user, service, setting))
    }

    fn ask<T>(&mut self, verb: impl FnOnce(&mut dyn Portal, Instant) -> T) -> T {
        run(self.lab, self.server, |server, now| verb(server, now))
    }
}

/// The power to make the first application server misbehave, at the present lab time.
pub struct FaultsNow<'b> {
    lab: &'b mut dyn Lab,
    server: NodeId,
}

impl FaultsNow<'_> {
    /// Runs verbs of the capability.
    pub fn inject<T>(&mut self, verb: impl FnOnce(&mut dyn Faults, Instant) -> T) -> T {
        run(self.lab, self.server, |server, now| verb(server, now))
    }
}

/// Runs a verb of an application server of our own.
fn run<T>(lab: &mut dyn Lab, server: NodeId, verb: impl FnOnce(&mut AppServer, Instant) -> T) -> T {
    let mut verb = Some(verb);
    let mut result = None;
    lab.with_server(server, &mut |server, now| {
        if let Some(verb) = verb.take() {
            result = Some(verb(server, now));
        }
    });
    match result {
        Some(result) => result,
        None => unreachable!("a laboratory runs the verb it is given"),
    }
}

impl Bench {
    /// The portal of the first application server.
    ///
    /// # Errors
    /// When the laboratory has no server.
    pub fn portal(&mut self) -> Result<PortalNow<'_>, RigError> {
        self.portal_of(0)
    }

    /// The portal of the application server with this number, counted from 0.
    ///
    /// # Errors
    /// When the laboratory has no such server.
    pub fn portal_of(&mut self, server: usize) -> Result<PortalNow<'_>, RigError> {
        let server = self.server(server)?;
        Ok(PortalNow {
            lab: self.lab.as_mut(),
            server,
        })
    }

    /// The power to make the first application server misbehave; nothing on a server that does not have it.
    pub fn faults(&mut self) -> Option<FaultsNow<'_>> {
        let server = self.server(0).ok().filter(|_| self.has_faults)?;
        Some(FaultsNow {
            lab: self.lab.as_mut(),
            server,
        })
    }

    /// The dialect of the application servers.
    #[must_use]
    pub fn dialect(&self) -> &Dialect {
        &self.dialect
    }

    /// Gives every server an account, as its administrator does before anybody uses it; one of the same name is replaced.
    pub fn add_user(&mut self, user: &UserConfig) {
        for place in self.lab.layout().servers {
            run(self.lab.as_mut(), place.node, |server, now| {
                server.add_user(now, user.clone());
            });
        }
    }

    fn server(&self, number: usize) -> Result<NodeId, RigError> {
        let server = self
            .lab
            .layout()
            .servers
            .get(number)
            .map(|place| place.node);
        server.ok_or_else(|| RigError::Missing {
            what: "application server".to_owned(),
        })
    }
}
