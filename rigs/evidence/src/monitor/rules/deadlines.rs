//! Deadlines of one rule, in their order and by account.
//!
//! They are judged at the first record after them: nothing in the monitor knows a clock. A rule is woken when the
//! earliest one has passed, and not before.

use std::collections::{BTreeMap, BTreeSet};

/// When, and which of those at one time.
type Key = (u64, u64);

/// Deadlines in their order.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines<T> {
    due: BTreeMap<Key, (Option<usize>, T)>,
    /// The same ones, by the account that they belong to.
    owned: BTreeSet<(Option<usize>, Key)>,
    count: u64,
}

impl<T> Default for Deadlines<T> {
    fn default() -> Self {
        Self {
            due: BTreeMap::new(),
            owned: BTreeSet::new(),
            count: 0,
        }
    }
}

impl<T> Deadlines<T> {
    /// Adds a deadline of an account.
    pub(crate) fn set(&mut self, at: u64, owner: Option<usize>, what: T) {
        self.count += 1;
        let key = (at, self.count);
        self.due.insert(key, (owner, what));
        self.owned.insert((owner, key));
    }

    /// The earliest deadline.
    pub(crate) fn next(&self) -> Option<u64> {
        self.due.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the earliest deadline that has passed.
    pub(crate) fn pass(&mut self, now: u64) -> Option<(u64, T)> {
        let entry = self.due.first_entry()?;
        let key = *entry.key();
        if key.0 >= now {
            return None;
        }
        let (owner, what) = entry.remove();
        self.owned.remove(&(owner, key));
        Some((key.0, what))
    }

    /// Whether an account has any.
    pub(crate) fn has(&self, owner: usize) -> bool {
        self.keys_of(Some(owner)).next().is_some()
    }

    /// Gives up deadlines of an account; the last of them comes back.
    pub(crate) fn retain_of(
        &mut self,
        owner: Option<usize>,
        mut keep: impl FnMut(&T) -> bool,
    ) -> Option<T> {
        let keys: Vec<Key> = self.keys_of(owner).collect();
        let mut last = None;
        for key in keys {
            if self.due.get(&key).is_some_and(|(_, what)| !keep(what)) {
                self.owned.remove(&(owner, key));
                last = self.due.remove(&key).map(|(_, what)| what);
            }
        }
        last
    }

    /// Gives up all deadlines of an account; the last of them comes back.
    pub(crate) fn forget(&mut self, owner: usize) -> Option<T> {
        self.retain_of(Some(owner), |_| false)
    }

    /// Gives up all deadlines.
    pub(crate) fn clear(&mut self) {
        self.due.clear();
        self.owned.clear();
    }

    fn keys_of(&self, owner: Option<usize>) -> impl Iterator<Item = Key> {
        let all = (owner, (0, 0))..=(owner, (u64::MAX, u64::MAX));
        self.owned.range(all).map(|(_, key)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_pass_in_their_order_and_after_their_time() {
        let mut deadlines = Deadlines::default();
        deadlines.set(20, Some(1), 'b');
        deadlines.set(10, Some(2), 'a');
        deadlines.set(20, None, 'c');
        assert_eq!((deadlines.next(), deadlines.pass(10)), (Some(10), None));
        let passed: Vec<_> = std::iter::from_fn(|| deadlines.pass(21)).collect();
        assert_eq!(passed, [(10, 'a'), (20, 'b'), (20, 'c')]);
        assert!(deadlines.next().is_none() && !deadlines.has(1));
    }

    #[test]
    fn an_account_gives_up_its_own_only() {
        let mut deadlines = Deadlines::default();
        for (at, owner) in [(1, Some(1)), (2, Some(2)), (3, Some(1)), (4, None)] {
            deadlines.set(at, owner, at);
        }
        assert_eq!(deadlines.retain_of(Some(1), |at| *at != 1), Some(1));
        assert!(deadlines.has(1));
        assert_eq!(deadlines.forget(1), Some(3));
        assert_eq!(deadlines.forget(1), None);
        let left: Vec<_> = std::iter::from_fn(|| deadlines.pass(9)).collect();
        assert_eq!(left, [(2, 2), (4, 4)]);
    }
}
