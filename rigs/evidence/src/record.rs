//! One line of the evidence log.
//!
//! A log belongs to one scenario on one rig in one laboratory and has its own sequence numbers and epoch. A record is
//! written once and never changed. Text records are redacted before they get here; SIP bytes never are.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The schema version that every record carries as `v`.
pub const SCHEMA: u32 = 1;

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
    /// What was observed.
    #[serde(flatten)]
    pub observation: Observation,
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
        /// What the user asks for with this very key, when it completes a change of a service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        intent: Option<Intent>,
    },
    /// Something worth knowing that is none of the others.
    Note {
        /// In words.
        text: String,
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
    /// A display was read, or reported by the base unasked.
    Screen(Screen),
    /// A SIP datagram, or one framed message of a SIP stream.
    Sip(Sip),
    /// A Gherkin step began or ended.
    Step {
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
    pub bytes: Vec<u8>,
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
}

/// The services that are kept in lockstep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// DND.
    DoNotDisturb,
    /// CFA.
    CallForwardingAlways,
    /// CFB.
    CallForwardingBusy,
    /// CFNA.
    CallForwardingNoAnswer,
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
    /// It holds.
    Pass,
}

mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD
            .decode(String::deserialize(from)?)
            .map_err(de::Error::custom)
    }
}
