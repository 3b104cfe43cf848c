//! The services that a base and an application server keep in lockstep: one table of names, packages and kinds of value.
//!
//! Everybody who names a service (files, feature steps, reports, findings, both ends of the wire) takes the name from here.
//! How a service is written in a document is the business of the codec of its package; the monitor reads documents with a
//! reader of its own and takes nothing from here but the names.
//!
//! A new service is one variant, one row of [`TABLE`], and its place in a codec.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// The event package of Do Not Disturb, call forwarding and agent state.
pub const AS_FEATURE_EVENT: &str = "as-feature-event";
/// The event package of hoteling: a guest uses the handset.
pub const HOTELING: &str = "x-broadworks-hoteling";

/// A service whose state is synchronised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// DND.
    DoNotDisturb,
    /// CFA.
    CallForwardingAlways,
    /// CFB.
    CallForwardingBusy,
    /// CFNA.
    CallForwardingNoAnswer,
    /// The state of a call-centre agent.
    AgentState,
    /// The guest who uses the handset.
    HotelingGuest,
}

/// What the value of a service consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ValueKind {
    /// On or off.
    Switch,
    /// On or off, with a destination.
    Forward {
        /// Whether a number of rings belongs to it.
        rings: bool,
    },
    /// Logged on or off, a state, and a reason for some states.
    AgentState,
    /// Somebody's address, or nobody's.
    Guest,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct ServiceFacts {
    /// Which service.
    pub service: Service,
    /// The word in files and records.
    pub key: &'static str,
    /// The name for people.
    pub title: &'static str,
    /// The short name for people.
    pub abbreviation: &'static str,
    /// The event package that carries it.
    pub package: &'static str,
    /// What its value consists of.
    pub value: ValueKind,
}

/// Every service, in the order of [`Service`].
pub const TABLE: [ServiceFacts; 6] = [
    ServiceFacts {
        service: Service::DoNotDisturb,
        key: "do-not-disturb",
        title: "Do Not Disturb",
        abbreviation: "DND",
        package: AS_FEATURE_EVENT,
        value: ValueKind::Switch,
    },
    ServiceFacts {
        service: Service::CallForwardingAlways,
        key: "call-forwarding-always",
        title: "call forwarding always",
        abbreviation: "CFA",
        package: AS_FEATURE_EVENT,
        value: ValueKind::Forward { rings: false },
    },
    ServiceFacts {
        service: Service::CallForwardingBusy,
        key: "call-forwarding-busy",
        title: "call forwarding busy",
        abbreviation: "CFB",
        package: AS_FEATURE_EVENT,
        value: ValueKind::Forward { rings: false },
    },
    ServiceFacts {
        service: Service::CallForwardingNoAnswer,
        key: "call-forwarding-no-answer",
        title: "call forwarding no answer",
        abbreviation: "CFNA",
        package: AS_FEATURE_EVENT,
        value: ValueKind::Forward { rings: true },
    },
    ServiceFacts {
        service: Service::AgentState,
        key: "agent-state",
        title: "agent state",
        abbreviation: "ACD",
        package: AS_FEATURE_EVENT,
        value: ValueKind::AgentState,
    },
    ServiceFacts {
        service: Service::HotelingGuest,
        key: "hoteling-guest",
        title: "hoteling guest",
        abbreviation: "HOT",
        package: HOTELING,
        value: ValueKind::Guest,
    },
];

/// The words of [`TABLE`], for complaints about a word that is none of them.
const KEYS: [&str; TABLE.len()] = {
    let [dnd, always, busy, no_answer, agent, guest] = &TABLE;
    [
        dnd.key,
        always.key,
        busy.key,
        no_answer.key,
        agent.key,
        guest.key,
    ]
};

impl Service {
    /// Do Not Disturb and the call forwardings, in the usual order of the parts.
    pub const CALL: [Self; 4] = [
        Self::DoNotDisturb,
        Self::CallForwardingAlways,
        Self::CallForwardingBusy,
        Self::CallForwardingNoAnswer,
    ];

    /// Its row of the table.
    #[must_use]
    pub const fn facts(self) -> &'static ServiceFacts {
        static ROWS: [ServiceFacts; TABLE.len()] = TABLE;
        let [dnd, always, busy, no_answer, agent, guest] = &ROWS;
        match self {
            Self::DoNotDisturb => dnd,
            Self::CallForwardingAlways => always,
            Self::CallForwardingBusy => busy,
            Self::CallForwardingNoAnswer => no_answer,
            Self::AgentState => agent,
            Self::HotelingGuest => guest,
        }
    }

    /// Every service, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        TABLE.iter().map(|row| row.service)
    }

    /// The services of an event package.
    pub fn of_package(package: &str) -> impl Iterator<Item = Self> {
        TABLE
            .iter()
            .filter(move |row| row.package == package)
            .map(|row| row.service)
    }

    /// The service with this key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::all().find(|service| service.key() == key)
    }

    /// The service with this name for people.
    #[must_use]
    pub fn from_title(title: &str) -> Option<Self> {
        Self::all().find(|service| service.title() == title)
    }

    /// The service with this short name.
    #[must_use]
    pub fn from_abbreviation(abbreviation: &str) -> Option<Self> {
        Self::all().find(|service| service.abbreviation() == abbreviation)
    }

    /// The word in files and records.
    #[must_use]
    pub const fn key(self) -> &'static str {
        self.facts().key
    }

    /// The name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        self.facts().title
    }

    /// The short name for people.
    #[must_use]
    pub const fn abbreviation(self) -> &'static str {
        self.facts().abbreviation
    }

    /// The event package that carries it.
    #[must_use]
    pub const fn package(self) -> &'static str {
        self.facts().package
    }

    /// What its value consists of.
    #[must_use]
    pub const fn value(self) -> ValueKind {
        self.facts().value
    }

    /// Whether it forwards calls to a destination.
    #[must_use]
    pub const fn forwards(self) -> bool {
        matches!(self.value(), ValueKind::Forward { .. })
    }

    /// Whether a number of rings belongs to it.
    #[must_use]
    pub const fn counts_rings(self) -> bool {
        matches!(self.value(), ValueKind::Forward { rings: true })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.title())
    }
}

impl Serialize for Service {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

impl<'de> Deserialize<'de> for Service {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = String::deserialize(deserializer)?;
        Self::from_key(&key).ok_or_else(|| de::Error::unknown_variant(&key, &KEYS))
    }
}

/// What an agent does, in the words of the call-centre extension of the package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AgentStatus {
    /// Not logged on.
    LoggedOff,
    /// Logged on, nothing said yet.
    LoggedOn,
    /// Takes no calls, for a reason.
    NotReady,
    /// Takes calls.
    Ready,
    /// Finishes the work of the last call.
    WorkingAfterCall,
}

/// The state of an agent.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Agent {
    /// What the agent does.
    pub status: AgentStatus,
    /// Why not ready, as the server numbers reasons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The state of one service, or the change that somebody asks for. Which fields mean something follows from the
/// service's [`ValueKind`].
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Setting {
    /// On or off; of an agent or a guest, whether somebody is logged on.
    pub active: bool,
    /// Where calls go, or who the guest is; `None` when nothing usable was said.
    pub number: Option<String>,
    /// How often it rings before call forwarding on no answer.
    pub rings: Option<u32>,
    /// The state of an agent.
    pub agent: Option<Agent>,
}

impl Setting {
    /// Off, and nothing is known beside that.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            active: false,
            number: None,
            rings: None,
            agent: None,
        }
    }

    /// On, without a value.
    #[must_use]
    pub fn on() -> Self {
        Self {
            active: true,
            ..Self::off()
        }
    }

    /// On, to a destination or for a guest.
    #[must_use]
    pub fn to(number: &str) -> Self {
        Self {
            number: Some(number.to_owned()),
            ..Self::on()
        }
    }

    /// On, to a destination after so many rings.
    #[must_use]
    pub fn after(number: &str, rings: u32) -> Self {
        Self {
            rings: Some(rings),
            ..Self::to(number)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_service_has_its_own_row_in_the_order_of_the_type() {
        let mut services: Vec<Service> = Service::all().collect();
        assert!(
            services
                .iter()
                .all(|service| service.facts().service == *service)
        );
        let listed = services.clone();
        services.sort_unstable();
        services.dedup();
        assert_eq!(services, listed);
    }

    #[test]
    fn no_two_services_share_a_name() {
        for name in [Service::key, Service::title, Service::abbreviation] {
            let names: BTreeSet<&str> = Service::all().map(name).collect();
            assert_eq!(names.len(), TABLE.len());
        }
        for service in Service::all() {
            assert_eq!(Service::from_key(service.key()), Some(service));
            assert_eq!(Service::from_title(service.title()), Some(service));
            assert_eq!(
                Service::from_abbreviation(service.abbreviation()),
                Some(service)
            );
        }
    }

    #[test]
    fn the_call_services_are_those_of_a_switch_or_a_forward() {
        let call: Vec<Service> = Service::all()
            .filter(|service| service.forwards() || service.value() == ValueKind::Switch)
            .collect();
        assert_eq!(call, Service::CALL);
        let hoteling: Vec<Service> = Service::of_package(HOTELING).collect();
        assert_eq!(hoteling, [Service::HotelingGuest]);
    }
}
