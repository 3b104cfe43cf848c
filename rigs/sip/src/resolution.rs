//! Name resolution as a node sees it: it asks a question and gets the answer, both as values (RFC 3263, RFC 1035).
//!
//! A node never opens a socket to a resolver. Who drives it answers: a laboratory from a table, a program from the system
//! or from a responder on the wire. What order the records have to be tried in is the node's business.

use std::net::{Ipv4Addr, Ipv6Addr};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// IPv4 addresses.
    A,
    /// IPv6 addresses.
    Aaaa,
    /// Which transports a domain offers (RFC 3263 §4.1).
    Naptr,
    /// Which hosts and ports offer a transport (RFC 3263 §4.2).
    Srv,
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Question {
    /// The name, without the final dot, in lower case.
    pub name: String,
    /// What is asked for.
    pub kind: RecordKind,
}

impl Question {
    /// A question; names are compared without regard to case and to a final dot (RFC 1035 §2.3.3).
    #[must_use]
    pub fn new(name: &str, kind: RecordKind) -> Self {
        Self {
            name: name.trim_end_matches('.').to_ascii_lowercase(),
            kind,
        }
    }
}

/// One record of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DnsRecord {
    /// How long it may be kept, in seconds.
    pub ttl: u32,
    /// What it says.
    pub data: RecordData,
}

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordData {
    /// An IPv4 address.
    A(Ipv4Addr),
    /// An IPv6 address.
    Aaaa(Ipv6Addr),
    /// A transport of the domain.
    Naptr {
        /// Lower ones go first.
        order: u16,
        /// Among equal orders, lower ones go first.
        preference: u16,
        /// `s`: the replacement is asked for as SRV.
        flags: String,
        /// Such as `SIP+D2U`.
        service: String,
        /// The next name.
        replacement: String,
    },
    /// A host that offers the transport.
    Srv {
        /// Lower ones go first.
        priority: u16,
        /// The share among equal priorities.
        weight: u16,
        /// The port.
        port: u16,
        /// The host's name.
        target: String,
    },
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum ResolutionFailure {
    /// The name exists, but has no record of this kind.
    #[error("the name has no such record")]
    NoData,
    /// Nobody answered in time.
    #[error("no answer")]
    NoResponse,
    /// The name does not exist (RCODE 3).
    #[error("no such name")]
    NoSuchName,
    /// The responder failed (RCODE 2).
    #[error("the responder failed")]
    ServerFailure,
}

/// What comes back.
pub type Answer = Result<Vec<DnsRecord>, ResolutionFailure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_asked_for_without_regard_to_case_and_final_dot() {
        let asked = Question::new("_sip._udp.AS.Example.", RecordKind::Srv);
        assert_eq!(
            asked,
            Question::new("_sip._udp.as.example", RecordKind::Srv)
        );
        assert_ne!(asked, Question::new("_sip._udp.as.example", RecordKind::A));
    }
}
