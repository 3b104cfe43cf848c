//! The portal as a capability: what a user can read and change there.

use crate::peer::Lab;
use server::{Portal, PortalError, UserConfig};
use sip::service::{Agent, AgentStatus, Service, Setting};

fn forward(number: Option<&str>) -> Setting {
    Setting {
        active: true,
        number: number.map(str::to_owned),
        ..Setting::default()
    }
}

#[test]
fn the_services_of_a_user_are_those_that_the_user_has() {
    let mut lab = Lab::new();
    let services = lab.with(|server, now| server.services(now, "anna"));
    let services = services.expect("a user");
    let services: Vec<Service> = services.into_iter().map(|(service, _)| service).collect();
    assert_eq!(services, Service::CALL);
}

#[test]
fn what_is_changed_is_read_and_notified() {
    let mut lab = Lab::new();
    lab.subscribe();
    let service = Service::CallForwardingBusy;
    let wanted = forward(Some("2424"));
    lab.with(|server, now| server.change(now, "anna", service, &wanted))
        .expect("a change");
    let read = lab.with(|server, now| server.read(now, "anna", service));
    assert_eq!(read, Ok(wanted));
    assert!(lab.next_notify().body().contains("<forwardTo>2424<"));
}

#[test]
fn the_portal_says_what_it_does_not_do() {
    let mut lab = Lab::new();
    lab.subscribe();
    let mut change = |user: &str, service, setting: &Setting| {
        lab.with(|server, now| server.change(now, user, service, setting))
    };
    let busy = Service::CallForwardingBusy;
    assert!(matches!(
        change("anna", busy, &forward(None)),
        Err(PortalError::Refused(_))
    ));
    assert_eq!(
        change("nobody", busy, &forward(Some("1"))),
        Err(PortalError::NoUser("nobody".to_owned()))
    );
    let missing = change("anna", Service::HotelingGuest, &forward(Some("1")));
    assert_eq!(
        missing.map_err(|error| error.to_string()),
        Err("anna does not have the service hoteling guest".to_owned())
    );
    assert_eq!(lab.notifies().len(), 1, "nothing has changed");
}

#[test]
fn a_guest_without_a_name_is_refused() {
    let mut lab = Lab::new();
    let service = Service::HotelingGuest;
    lab.with(|server, now| {
        let anna = UserConfig::new("anna", "secret");
        server.add_user(now, anna.with_service(service, Setting::default()));
        server.add_user(now, UserConfig::new("2005", "secret"));
    });
    let guest = forward(Some("2005"));
    let mut change = |setting: &Setting| {
        let changed = lab.with(|server, now| server.change(now, "anna", service, setting));
        let read = lab.with(|server, now| server.read(now, "anna", service));
        (changed, read)
    };
    assert_eq!(change(&guest), (Ok(()), Ok(guest.clone())));
    for nobody in [None, Some(" ")] {
        let (changed, read) = change(&forward(nobody));
        assert!(matches!(changed, Err(PortalError::Refused(_))));
        assert_eq!(read, Ok(guest.clone()));
    }
}

#[test]
fn what_means_nothing_for_a_service_is_not_stored() {
    let mut lab = Lab::new();
    let wanted = forward(Some("2424"));
    lab.with(|server, now| server.change(now, "anna", Service::DoNotDisturb, &wanted))
        .expect("a change");
    let read = lab.with(|server, now| server.read(now, "anna", Service::DoNotDisturb));
    let on = Setting {
        active: true,
        ..Setting::default()
    };
    assert_eq!(read, Ok(on));
}

#[test]
fn the_state_of_an_agent_is_kept_with_its_reason() {
    let mut lab = Lab::new();
    lab.with(|server, now| {
        let anna = UserConfig::new("anna", "secret");
        server.add_user(
            now,
            anna.with_service(Service::AgentState, Setting::default()),
        );
    });
    lab.subscribe();
    let wanted = Setting {
        active: true,
        agent: Some(Agent {
            status: AgentStatus::NotReady,
            reason: Some("17".to_owned()),
        }),
        ..Setting::default()
    };
    lab.with(|server, now| server.change(now, "anna", Service::AgentState, &wanted))
        .expect("a change");
    let read = lab.with(|server, now| server.read(now, "anna", Service::AgentState));
    assert_eq!(read, Ok(wanted));
    assert_eq!(lab.notifies().len(), 1, "no document says it");
}
