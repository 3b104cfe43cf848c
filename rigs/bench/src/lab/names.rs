//! The table from which a laboratory answers DNS questions of its nodes.
//!
//! It answers NAPTR, SRV, A and AAAA as a responder would, at once and always; a responder that is a node of its own, and
//! can be slow or wrong, is not here.

use sip::resolution::{Answer, DnsRecord, Question, RecordData, RecordKind, ResolutionFailure};
use std::collections::BTreeMap;

/// How long an answer may be kept, in seconds: our choice, longer than any scenario that changes nothing.
const TTL: u32 = 3600;

/// Names and their records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    records: BTreeMap<String, Vec<DnsRecord>>,
}

impl Names {
    /// Adds a record under a name.
    #[must_use]
    pub fn with(mut self, name: &str, data: RecordData) -> Self {
        let name = Question::new(name, kind(&data)).name;
        let record = DnsRecord { ttl: TTL, data };
        self.records.entry(name).or_default().push(record);
        self
    }

    /// The answer to a question.
    ///
    /// # Errors
    /// When the name does not exist, or has no such record.
    pub fn answer(&self, question: &Question) -> Answer {
        let all = self
            .records
            .get(&question.name)
            .ok_or(ResolutionFailure::NoSuchName)?;
        let wanted: Vec<DnsRecord> = all
            .iter()
            .filter(|record| kind(&record.data) == question.kind)
            .cloned()
            .collect();
        if wanted.is_empty() {
            return Err(ResolutionFailure::NoData);
        }
        Ok(wanted)
    }
}

const fn kind(data: &RecordData) -> RecordKind {
    match data {
        RecordData::A(_) => RecordKind::A,
        RecordData::Aaaa(_) => RecordKind::Aaaa,
        RecordData::Naptr { .. } => RecordKind::Naptr,
        RecordData::Srv { .. } => RecordKind::Srv,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn names() -> Names {
        let srv = RecordData::Srv {
            priority: 1,
            weight: 0,
            port: 5060,
            target: "one.as.example".to_owned(),
        };
        Names::default()
            .with("_sip._udp.as.example", srv)
            .with("one.as.example", RecordData::A(Ipv4Addr::LOCALHOST))
    }

    #[test]
    fn a_name_is_answered_with_its_records_of_the_kind() {
        let question = Question::new("_SIP._udp.as.example.", RecordKind::Srv);
        let answer = names().answer(&question).unwrap();
        assert!(matches!(answer[0].data, RecordData::Srv { port: 5060, .. }));
    }

    #[test]
    fn a_missing_record_is_told_from_a_missing_name() {
        let missing = Question::new("one.as.example", RecordKind::Aaaa);
        assert_eq!(names().answer(&missing), Err(ResolutionFailure::NoData));
        let nobody = Question::new("two.as.example", RecordKind::A);
        assert_eq!(names().answer(&nobody), Err(ResolutionFailure::NoSuchName));
    }
}
