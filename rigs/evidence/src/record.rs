//! One line of the evidence log.
//!
//! A log belongs to one scenario on one rig in one laboratory and has its own sequence numbers and epoch. A record is
//! written once and never changed. Text records are redacted before they get here; SIP bytes never are.
//!
//! What a base did, showed or was sent names the *unit* that observed it: one base, or one DECT manager of an
//! integrator. What belongs to the scenario as a whole (claims, steps, faults, notes) names none.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sip::message::Message;
pub use sip::service::{Agent, AgentStatus, Service};
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The schema version that every record carries as `v`.
pub const SCHEMA: u32 = 2;

/// One observation with its place in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The schema version.
    pub v: u32,
    /// Position in the log, from 1.
    pub seq: u64,
    /// Lab time in microseconds.
    pub at: u64,
    /// Wall time in microseconds since the Unix epoch; absent where a laboratory has no wall.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wall: Option<u64>,
    /// Which unit observed it; absent for what belongs to the whole scenario.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<Unit>,
    /// What was observed.
    #[serde(flatten)]
    pub observation: Observation,
}

/// The name of an observed party with its own power, boot and interfaces, as the rig file gives it. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(Arc<str>);

impl Unit {
    /// The unit with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for Unit {
    /// The only unit of a rig that has one.
    fn default() -> Self {
        Self::new("base")
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What was observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Observation {
    /// What the profile claims about the base: the key is the dotted path in the profile.
    Claim {
        /// Dotted path, such as `display.idle.do-not-disturb`.
        key: String,
        /// The claimed value as text.
        value: String,
        /// How sure we are.
        status: ClaimStatus,
        /// Where it is written, a key of the domain notes.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        source: String,
    },
    /// Text on the serial line, one complete line or prompt at a time.
    Console {
        /// Which way.
        direction: Direction,
        /// The text without its line end.
        text: String,
    },
    /// A fault was injected.
    Fault {
        /// What, in words.
        text: String,
    },
    /// A rule was broken.
    Finding {
        /// The requirement.
        requirement: String,
        /// What is wrong, for a person.
        text: String,
        /// The records that show it.
        records: Vec<u64>,
    },
    /// A key was pressed at a handset.
    Key {
        /// The handset's IPUI.
        handset: String,
        /// The key's name.
        key: String,
        /// What it does in the menu where it was pressed.
        effect: KeyEffect,
        /// What the user asks for with this very key, when it completes a change of a service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        intent: Option<Intent>,
    },
    /// Something worth knowing that is none of the others.
    Note {
        /// In words.
        text: String,
    },
    /// The power of a unit changed.
    Power {
        /// How.
        change: PowerChange,
    },
    /// The base fetched its provisioning.
    Provisioning {
        /// The path it asked for.
        path: String,
        /// The status it was answered.
        status: u16,
        /// The document it was served, redacted.
        document: String,
    },
    /// The scenario has ended: what is missing behind it is missing for good.
    ScenarioEnd,
    /// A display was read, or reported by the base unasked.
    Screen(Screen),
    /// A SIP datagram, or one framed message of a SIP stream.
    Sip(Sip),
    /// A Gherkin step began or ended.
    Step {
        /// What the step is in its scenario.
        phase: StepPhase,
        /// Keyword and text.
        text: String,
        /// Absent when it begins.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<StepOutcome>,
        /// Why it did not pass.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// A request, answer or event on the web interface.
    Web {
        /// Which way.
        direction: Direction,
        /// Method and path, or status, or `event`.
        line: String,
        /// The body, redacted.
        body: String,
    },
}

/// Which way something went, seen from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// The base sent it.
    FromBase,
    /// The base was sent it.
    ToBase,
}

/// What became of a SIP message. A message has one `Sent` record, and a `Delivered` or `Dropped` one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It reached its destination.
    Delivered,
    /// It was lost on the way.
    Dropped,
    /// It left its source.
    Sent,
}

/// A SIP datagram, or one framed message of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sip {
    /// Which way.
    pub direction: Direction,
    /// What became of it.
    pub fate: Fate,
    /// `UDP`, `TCP` or `TLS`.
    pub transport: String,
    /// Who sent it.
    pub source: SocketAddr,
    /// Whom it was sent to.
    pub destination: SocketAddr,
    /// The raw bytes, base64 in the log.
    #[serde(with = "base64_bytes")]
    pub bytes: Bytes,
    /// The bytes as a message, read when somebody first asks.
    #[serde(skip)]
    pub parsed: Parsed,
}

impl Sip {
    /// The bytes as a message; nothing when they are none.
    #[must_use]
    pub fn message(&self) -> Option<Arc<Message>> {
        let read = || Message::parse(self.bytes.clone()).ok().map(Arc::new);
        self.parsed.held().get_or_insert_with(read).clone()
    }

    /// The same message with another fate; it is not read again.
    #[must_use]
    pub fn with_fate(&self, fate: Fate) -> Self {
        Self {
            fate,
            ..self.clone()
        }
    }
}

/// A message that travels beside its bytes: copies of a record share it, and it counts for nothing in comparisons.
#[derive(Clone, Default)]
pub struct Parsed(Arc<Mutex<Option<Option<Arc<Message>>>>>);

impl Parsed {
    /// Lets the message go; it is read again when somebody asks again. It takes several times the room of its bytes.
    pub(crate) fn forget(&self) {
        *self.held() = None;
    }

    fn held(&self) -> MutexGuard<'_, Option<Option<Arc<Message>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PartialEq for Parsed {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Parsed {}

impl fmt::Debug for Parsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("..")
    }
}

/// What a display shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Screen {
    /// The handset's IPUI.
    pub handset: String,
    /// `idle` or `menu`.
    pub view: View,
    /// The headline of a menu; empty on the idle screen.
    pub title: String,
    /// The lines below it.
    pub lines: Vec<String>,
    /// The line that the cursor is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<usize>,
    /// The labels of the display keys, left to right.
    pub softkeys: Vec<String>,
}

/// Whether a handset rests or is being worked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum View {
    /// The idle screen.
    Idle,
    /// Any menu.
    Menu,
}

/// What a user asks for at a handset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// Which service.
    pub service: Service,
    /// On or off.
    pub active: bool,
    /// The destination that the menu shows, for a forwarding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The number of rings that the menu shows, for forwarding on no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rings: Option<u32>,
    /// The state that an agent asks for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Agent>,
}

/// What a key does in the menu where it is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyEffect {
    /// Enters a digit of a number to be called.
    Dial,
    /// Changes what an editor shows, without saving it.
    Edit,
    /// Saves what an editor shows.
    Save,
    /// Takes the line: begins the call.
    Talk,
    /// Moves through menus.
    Walk,
}

/// How the power of a unit changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerChange {
    /// It shut down cleanly, as it was asked, and is off.
    Ended,
    /// It lost its power.
    Off,
    /// It was switched on, the first time or again: it remembers nothing but what it stores.
    On,
    /// It restarts by a command, without losing its power. [`On`](Self::On) follows once it is back.
    Rebooting,
}

/// How sure a claim is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClaimStatus {
    /// Our assumption; a verdict that rests on it says so.
    Assumed,
    /// Published by the manufacturer or seen on hardware.
    Documented,
    /// The base does not have it.
    No,
}

/// What a step is in its scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepPhase {
    /// A `Given`: what holds before anything is tested.
    Given,
    /// The rig itself, beside the scenario's own steps.
    Rig,
    /// A `Then`: what must be true.
    Then,
    /// A `When`: the stimulus.
    When,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// The rig could not work.
    Error,
    /// The base is wrong.
    Fail,
    /// It could not be decided.
    Inconclusive,
    /// What it needs is not there: a real server cannot be made to misbehave.
    NotApplicable,
    /// It holds.
    Pass,
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use bytes::Bytes;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Bytes, D::Error> {
        STANDARD
            .decode(String::deserialize(from)?)
            .map(Bytes::from)
            .map_err(de::Error::custom)
    }
}
