//! Deadlines of one rule, in their order.
//!
//! They are judged at the first record after them: nothing in the monitor knows a clock.

use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use std::collections::BTreeMap;

/// Deadlines in their order.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines<T> {
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
    pub(crate) fn set(&mut self, at: u64, what: T) {
        self.count += 1;
        self.due.insert((at, self.count), what);
    }

    /// Takes the earliest deadline that has passed.
    pub(crate) fn pass(&mut self, now: u64) -> Option<(u64, T)> {
        let entry = self.due.first_entry()?;
        let at = entry.key().0;
        (at < now).then(|| (at, entry.remove()))
    }

    /// Gives up deadlines.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        self.due.retain(|_, what| keep(what));
    }

    /// Gives up the deadlines of an account's requests.
    pub(crate) fn forget(&mut self, account: usize, scene: &Scene, of: impl Fn(&T) -> Place) {
        self.retain(|what| {
            scene
                .request(of(what))
                .is_some_and(|request| request.account != Some(account))
        });
    }

    /// Gives up all deadlines.
    pub(crate) fn clear(&mut self) {
        self.due.clear();
    }
}
