//! The monitor: every rule over every record, once.
//!
//! It only reads. It sees the records of one log in their order and judges what the base's own interface sent and
//! received. A rule that was not exercised did not pass; a rule that lacks a kind of observation does not judge.

mod report;

pub use report::{Finding, Judgement, Need, RuleReport};

use crate::record::Record;

/// All rules, over one log.
#[derive(Debug, Default)]
pub struct Monitor {
    findings: Vec<Finding>,
}

impl Monitor {
    /// A monitor before the first record.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next record and tells what it proves wrong.
    pub fn observe(&mut self, _record: &Record) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Ends the log at lab time `at`: deadlines up to then are judged, later ones are not.
    pub fn finish(&mut self, _at: u64) -> Vec<RuleReport> {
        Vec::new()
    }

    /// The requirements that have a rule.
    #[must_use]
    pub fn requirements() -> Vec<&'static str> {
        Vec::new()
    }
}
