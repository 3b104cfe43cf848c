//! What is remembered of each account, and for how long.
//!
//! A [`History`] forgets by count and by lab time; each account has its own, so that a busy neighbour never makes an
//! account forget, and many accounts are judged as one is. A [`Place`] stays true as long as its entry is kept and
//! leads nowhere afterwards: who holds one has to live with that.

use std::collections::{BTreeMap, VecDeque};

/// How far back a history reaches: an entry is kept while it is among the last `entries` and not older than `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Horizon {
    pub(crate) entries: usize,
    /// Lab time in microseconds, counted from the newest entry.
    pub(crate) time: u64,
}

/// The latest entries of one kind, oldest first.
#[derive(Clone, Debug)]
pub(crate) struct History<T> {
    entries: VecDeque<(u64, T)>,
    /// The number of the oldest entry that is kept.
    first: u64,
    horizon: Horizon,
}

impl<T> History<T> {
    pub(crate) const fn new(horizon: Horizon) -> Self {
        Self {
            entries: VecDeque::new(),
            first: 0,
            horizon,
        }
    }

    /// Adds the newest entry and forgets what lies beyond the horizon; its number comes back.
    pub(crate) fn push(&mut self, at: u64, entry: T) -> u64 {
        let number = self.next();
        self.entries.push_back((at, entry));
        let earliest = at.saturating_sub(self.horizon.time);
        while self.entries.len() > self.horizon.entries.max(1)
            || self.entries.front().is_some_and(|(at, _)| *at < earliest)
        {
            self.entries.pop_front();
            self.first += 1;
        }
        number
    }

    /// The number that the next entry gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get(at).map(|(_, entry)| entry)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get_mut(at).map(|(_, entry)| entry)
    }

    /// What is kept, oldest first, with its numbers.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let numbered = self.entries.iter().enumerate();
        numbered.map(|(at, (_, entry))| (self.first + at as u64, entry))
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// Where an entry stands: whose it is, and its number among theirs. Later entries of one account are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    owner: Option<usize>,
    number: u64,
}

impl Place {
    /// The account it belongs to, if any.
    pub(crate) const fn owner(self) -> Option<usize> {
        self.owner
    }
}

/// One history for each account, and one for what belongs to no account that is known.
#[derive(Clone, Debug)]
pub(crate) struct PerAccount<T> {
    horizon: Horizon,
    histories: BTreeMap<Option<usize>, History<T>>,
}

impl<T> PerAccount<T> {
    pub(crate) const fn new(horizon: Horizon) -> Self {
        Self {
            horizon,
            histories: BTreeMap::new(),
        }
    }

    /// Adds the newest entry of an account.
    pub(crate) fn push(&mut self, owner: Option<usize>, at: u64, entry: T) -> Place {
        let horizon = self.horizon;
        let history = self.histories.entry(owner);
        let history = history.or_insert_with(|| History::new(horizon));
        Place {
            owner,
            number: history.push(at, entry),
        }
    }

    /// Where the next entry of an account will stand.
    pub(crate) fn next(&self, owner: Option<usize>) -> Place {
        Place {
            owner,
            number: self.histories.get(&owner).map_or(0, History::next),
        }
    }

    /// The entry, as long as it is kept.
    pub(crate) fn get(&self, place: Place) -> Option<&T> {
        self.histories.get(&place.owner)?.get(place.number)
    }

    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        self.histories.get_mut(&place.owner)?.get_mut(place.number)
    }

    /// What is kept of one account, oldest first.
    pub(crate) fn of(&self, owner: Option<usize>) -> impl DoubleEndedIterator<Item = (Place, &T)> {
        let history = self.histories.get(&owner).into_iter();
        history.flat_map(move |history| {
            let entries = history.iter();
            entries.map(move |(number, entry)| (Place { owner, number }, entry))
        })
    }

    /// What is kept of one account, oldest first, to be changed.
    pub(crate) fn of_mut(&mut self, owner: Option<usize>) -> impl Iterator<Item = (Place, &mut T)> {
        let history = self.histories.get_mut(&owner).into_iter();
        history.flat_map(move |history| {
            let first = history.first;
            let entries = history.entries.iter_mut().enumerate();
            entries.map(move |(at, (_, entry))| {
                let number = first + at as u64;
                (Place { owner, number }, entry)
            })
        })
    }

    /// What is kept of all accounts, account by account.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Place, &T)> {
        let owners = self.histories.keys();
        owners.flat_map(|owner| self.of(*owner))
    }

    /// Every entry that is kept, to be changed.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let histories = self.histories.values_mut();
        histories.flat_map(|history| history.entries.iter_mut().map(|(_, entry)| entry))
    }

    pub(crate) fn clear(&mut self) {
        self.histories.clear();
    }

    /// How many entries are kept.
    pub(crate) fn len(&self) -> usize {
        self.histories.values().map(History::len).sum()
    }
}

/// Names of entries. A name whose entry was forgotten is forgotten a little later.
#[derive(Clone, Debug)]
pub(crate) struct Index<K> {
    places: BTreeMap<K, Place>,
    /// Above this number of names it is time to look which of them still lead anywhere.
    full: usize,
}

/// An index smaller than this is never looked through; our choice, because looking costs more than it holds.
const SMALL: usize = 128;

impl<K> Default for Index<K> {
    fn default() -> Self {
        Self {
            places: BTreeMap::new(),
            full: SMALL,
        }
    }
}

impl<K: Ord> Index<K> {
    /// Names an entry; names whose entry is not `kept` any more make room.
    pub(crate) fn insert(&mut self, name: K, place: Place, kept: impl Fn(Place) -> bool) {
        self.places.insert(name, place);
        if self.places.len() > self.full {
            self.places
                .retain(|_, other| *other == place || kept(*other));
            // Twice what is kept, so that looking costs a constant for each name.
            self.full = SMALL.max(2 * self.places.len());
        }
    }

    pub(crate) fn get<Q: Ord + ?Sized>(&self, name: &Q) -> Option<Place>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.places.get(name).copied()
    }

    pub(crate) fn remove<Q: Ord + ?Sized>(&mut self, name: &Q) -> Option<Place>
    where
        K: std::borrow::Borrow<Q>,
    {
        self.places.remove(name)
    }

    pub(crate) fn clear(&mut self) {
        self.places.clear();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, Place)> {
        self.places.iter().map(|(name, place)| (name, *place))
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HORIZON: Horizon = Horizon {
        entries: 3,
        time: 100,
    };

    #[test]
    fn a_history_forgets_by_count_and_numbers_stay() {
        let mut history = History::new(HORIZON);
        let numbers: Vec<u64> = (0..5).map(|at| history.push(at, at * 10)).collect();
        let found: Vec<Option<u64>> = numbers.iter().map(|at| history.get(*at).copied()).collect();
        assert_eq!(found, [None, None, Some(20), Some(30), Some(40)]);
        assert_eq!(history.len(), 3);
    }

    #[test]
    fn a_history_forgets_by_time_but_never_the_newest() {
        let mut history = History::new(HORIZON);
        let old = history.push(0, 'a');
        let edge = history.push(100, 'b');
        assert_eq!(history.get(old), Some(&'a'));
        let new = history.push(201, 'c');
        assert_eq!((history.get(old), history.get(edge)), (None, None));
        assert_eq!(history.get(new), Some(&'c'));
    }

    #[test]
    fn a_busy_account_does_not_make_another_forget() {
        let mut all = PerAccount::new(HORIZON);
        let mine = all.push(Some(1), 0, 0);
        for at in 1..1000 {
            all.push(Some(2), at, at);
            all.push(None, at, at);
        }
        assert_eq!(all.get(mine), Some(&0));
        assert_eq!(all.len(), 7);
    }

    #[test]
    fn an_index_forgets_the_names_of_what_is_forgotten() {
        let mut all = PerAccount::new(HORIZON);
        let mut index = Index::default();
        for at in 0..10_000 {
            let place = all.push(None, at, at);
            index.insert(at, place, |place| all.get(place).is_some());
        }
        assert!(index.len() <= SMALL + 1, "{} names", index.len());
        assert!(index.get(&9_999).is_some());
    }
}
