//! What a rule is: it is told each moment of a scenario with the scene it happens in, and reports findings.
//!
//! Deadlines are judged at the first record after them: nothing in the monitor knows a clock.

use super::report::{Finding, Need};
use super::scene::Scene;
use crate::catalogue::RequirementId;
use std::collections::BTreeMap;

/// A millisecond in lab time.
pub(super) const MILLISECOND: u64 = 1_000;
/// A second in lab time.
pub(super) const SECOND: u64 = 1_000_000;
/// 64*T1, the life of a non-INVITE client transaction and of Timer N.
pub(super) const TIMER_F: u64 = 32 * SECOND;
/// How long a display may take to follow.
pub(super) const DISPLAY: u64 = 3 * SECOND;
/// What may pass between two observations of one instant on real sockets.
pub(super) const SLACK: u64 = 100 * MILLISECOND;

/// Something that happened. Numbers are places in the scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A final response to a request of the base reached it, the first one.
    Answer(usize),
    /// A request reached the base for the first time.
    Arrival(usize),
    /// A request reached the base again.
    ArrivalCopy(usize),
    /// The base restarted and has forgotten everything.
    Boot,
    /// A display was read and says what a NOTIFY lets it say, or not.
    Check(usize),
    /// The log has ended.
    End,
    /// Lab time has gone on; what comes at this time has not happened yet.
    Clock,
    /// The account was provisioned anew, switched or deleted.
    Provisioned(usize),
    /// The base answered a request, for the first time or again.
    Reply(usize),
    /// The base sent a request for the first time.
    Request(usize),
    /// The base sent a request again.
    RequestCopy(usize),
    /// A display that does not follow a server was read.
    UnsyncedScreen(usize),
    /// A user completed a change at a handset.
    Wish(usize),
}

/// One requirement, watched.
pub(super) trait Rule: Send {
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

    /// Takes the next moment.
    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell);
}

/// What a rule has told so far.
#[derive(Debug, Default)]
pub(super) struct Tell {
    pub(super) exercised: u64,
    pub(super) findings: Vec<Finding>,
}

impl Tell {
    /// The trigger of the rule occurred.
    pub(super) fn exercise(&mut self) {
        self.exercised += 1;
    }

    /// The rule is broken.
    pub(super) fn find(&mut self, rule: &dyn Rule, at: u64, text: String, records: &[u64]) {
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

/// Deadlines in their order.
#[derive(Debug)]
pub(super) struct Deadlines<T> {
    due: BTreeMap<(u64, u64), T>,
    count: u64,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            count: 0,
        }
    }
}

impl<T> Deadlines<T> {
    /// Adds a deadline.
    pub(super) fn set(&mut self, at: u64, what: T) {
        self.count += 1;
        self.due.insert((at, self.count), what);
    }

    /// Takes the earliest deadline that has passed.
    pub(super) fn pass(&mut self, now: u64) -> Option<(u64, T)> {
        let entry = self.due.first_entry()?;
        let at = entry.key().0;
        (at < now).then(|| (at, entry.remove()))
    }

    /// Gives up deadlines.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.due.retain(|_, what| keep(what));
    }

    /// Gives up all deadlines.
    pub(super) fn clear(&mut self) {
        self.due.clear();
    }
}

/// A point in lab time as findings write it.
pub(super) fn clock(at: u64) -> String {
    format!("{}.{:03} s", at / SECOND, at % SECOND / MILLISECOND)
}

/// A length of lab time as findings write it.
pub(super) fn span(length: u64) -> String {
    if length < SECOND {
        format!("{} ms", length / MILLISECOND)
    } else {
        format!("{:.1} s", length as f64 / SECOND as f64)
    }
}
