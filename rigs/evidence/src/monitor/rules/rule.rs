//! What a rule is: it is told each moment of a scenario with the scene it happens in, and reports findings.

use crate::catalogue::RequirementId;
use crate::monitor::report::{Finding, Need};
use crate::monitor::scene::Scene;
use crate::monitor::scene::moment::{Kinds, Moment};

/// One requirement, watched.
pub(crate) trait Rule: Copied + Send + Sync {
    /// The requirement.
    fn requirement(&self) -> &'static str;

    /// Without these kinds of observation it cannot judge.
    fn needs(&self) -> &'static [Need] {
        &[Need::Sip]
    }

    /// The beginnings of the claims that it reads.
    fn claims(&self) -> &'static [&'static str] {
        &[]
    }

    /// The kinds of moments that it is told; it hears of no others.
    fn hears(&self) -> Kinds;

    /// Its earliest deadline, lab time in microseconds: [`Moment::Clock`] comes when that has passed.
    fn due(&self) -> Option<u64> {
        None
    }

    /// Takes the next moment.
    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell);
}

/// A rule that can be copied with all it has seen, so that a monitor can be.
pub(crate) trait Copied {
    fn copied(&self) -> Box<dyn Rule>;
}

impl<T: Rule + Clone + 'static> Copied for T {
    fn copied(&self) -> Box<dyn Rule> {
        Box::new(self.clone())
    }
}

impl Clone for Box<dyn Rule> {
    fn clone(&self) -> Self {
        self.as_ref().copied()
    }
}

/// What a rule has told so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tell {
    pub(crate) exercised: u64,
    pub(crate) findings: Vec<Finding>,
}

impl Tell {
    /// The trigger of the rule occurred.
    pub(crate) fn exercise(&mut self) {
        self.exercised += 1;
    }

    /// The rule is broken.
    pub(crate) fn find(&mut self, rule: &dyn Rule, at: u64, text: String, records: &[u64]) {
        let mut records = records.to_vec();
        records.sort_unstable();
        records.dedup();
        self.exercised = self.exercised.max(1);
        self.findings.push(Finding {
            requirement: RequirementId::from_static(rule.requirement()),
            text,
            records,
            at,
        });
    }
}

/// The account's name in findings.
pub(crate) fn user_of(scene: &Scene, account: usize) -> String {
    scene
        .account(account)
        .map_or_else(String::new, |account| format!("account {}", account.user))
}
