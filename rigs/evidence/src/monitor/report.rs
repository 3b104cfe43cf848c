//! What the monitor says: findings, and one report for each rule.

use crate::catalogue::RequirementId;
use crate::record::Observation;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Evidence that the base broke a requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The requirement.
    pub requirement: RequirementId,
    /// What was expected and what was seen, for a telephony tester.
    pub text: String,
    /// The records that show it, the decisive one last.
    pub records: Vec<u64>,
    /// When it was established, lab time in microseconds.
    pub at: u64,
}

impl Finding {
    /// The finding as a record of the log.
    #[must_use]
    pub fn to_observation(&self) -> Observation {
        Observation::Finding {
            requirement: self.requirement.to_string(),
            text: self.text.clone(),
            records: self.records.clone(),
        }
    }
}

/// A kind of observation that a rule needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// What the profile says about displays and timers.
    Claim,
    /// What the user pressed.
    Key,
    /// The provisioning file.
    Provisioning,
    /// What the displays show.
    Screen,
    /// SIP at the base's own interface.
    Sip,
}

impl Need {
    /// The word as reports show it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Key => "key",
            Self::Provisioning => "provisioning",
            Self::Screen => "screen",
            Self::Sip => "sip",
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a rule came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Judgement {
    /// It was broken.
    Fail,
    /// What it watches for did not occur.
    NotExercised,
    /// The log lacks what it judges by.
    NotJudged {
        /// Which kinds of observation are missing.
        needs: Vec<Need>,
    },
    /// It was exercised and held.
    Pass,
}

/// What one rule says about one log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleReport {
    /// The requirement.
    pub requirement: RequirementId,
    /// How often what it watches for occurred.
    pub exercised: u64,
    /// How it was broken.
    pub findings: Vec<Finding>,
    /// What it came to.
    pub judgement: Judgement,
    /// Claims marked `assumed` that it read.
    pub assumed_claims: Vec<String>,
}

impl Judgement {
    /// What two units come to together: the worst that is known of one of them, and nothing when it is known of none.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Fail, _) | (_, Self::Fail) => Self::Fail,
            (Self::Pass, _) | (_, Self::Pass) => Self::Pass,
            (Self::NotExercised, _) | (_, Self::NotExercised) => Self::NotExercised,
            (Self::NotJudged { mut needs }, Self::NotJudged { needs: more }) => {
                needs.extend(more);
                needs.sort_unstable();
                needs.dedup();
                Self::NotJudged { needs }
            }
        }
    }
}

impl RuleReport {
    /// What a rule says about two units together.
    pub(super) fn and(mut self, other: Self) -> Self {
        self.exercised += other.exercised;
        self.findings.extend(other.findings);
        self.findings.sort_by_key(|finding| finding.at);
        self.judgement = self.judgement.and(other.judgement);
        self.assumed_claims.extend(other.assumed_claims);
        self.assumed_claims.sort_unstable();
        self.assumed_claims.dedup();
        self
    }
}
