//! What is remembered of each account, and for how long.
//!
//! A [`History`] forgets by count and by lab time; each account has its own, so that a busy neighbour never makes an
//! account forget, and many accounts are judged as one is. A [`Place`] stays true as long as its entry is kept and
//! leads nowhere afterwards: who holds one has to live with that.
//!
//! Entries are shared with the copies of a monitor until one of them changes them. What is found by a text is found by
//! a [`Name`] of it, so that no text is copied to look for it.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

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
    entries: VecDeque<(u64, Arc<T>)>,
    /// The number of the oldest entry that is kept.
    first: u64,
    horizon: Horizon,
}

impl<T: Clone> History<T> {
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
        self.entries.push_back((at, Arc::new(entry)));
        while self.entries.len() > self.horizon.entries.max(1) {
            self.forget_first();
        }
        self.forget_before(at.saturating_sub(self.horizon.time));
        number
    }

    fn forget_first(&mut self) {
        self.first += u64::from(self.entries.pop_front().is_some());
    }

    /// Forgets what is older.
    fn forget_before(&mut self, earliest: u64) {
        while self.entries.front().is_some_and(|(at, _)| *at < earliest) {
            self.forget_first();
        }
        if self.entries.is_empty() {
            self.entries.shrink_to_fit();
        }
    }

    /// Forgets everything; the numbers go on.
    fn forget_all(&mut self) {
        self.first = self.next();
        self.entries = VecDeque::new();
    }

    /// The number that the next entry gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn get(&self, number: u64) -> Option<&T> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.entries.get(at).map(|(_, entry)| entry.as_ref())
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        let (_, entry) = self.entries.get_mut(at)?;
        Some(Arc::make_mut(entry))
    }

    /// What is kept, oldest first, with its numbers.
    pub(crate) fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &T)> {
        let numbered = self.entries.iter().enumerate();
        numbered.map(|(at, (_, entry))| (self.first + at as u64, entry.as_ref()))
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
    /// That of no account first, then account by account.
    histories: Vec<History<T>>,
    /// Whose entries get old next, when they are forgotten in time and not only by newer ones of the same account.
    ageing: Option<VecDeque<(u64, Option<usize>)>>,
}

/// Where the history of an account stands.
fn slot(owner: Option<usize>) -> usize {
    owner.map_or(0, |owner| owner + 1)
}

impl<T: Clone> PerAccount<T> {
    pub(crate) const fn new(horizon: Horizon) -> Self {
        Self {
            horizon,
            histories: Vec::new(),
            ageing: None,
        }
    }

    /// As `new`, but nothing older than `time` is kept, whether anything newer comes or not.
    pub(crate) const fn ageing(entries: usize, time: u64) -> Self {
        Self {
            horizon: Horizon { entries, time },
            histories: Vec::new(),
            ageing: Some(VecDeque::new()),
        }
    }

    fn history(&self, owner: Option<usize>) -> Option<&History<T>> {
        self.histories.get(slot(owner))
    }

    /// Adds the newest entry of an account.
    pub(crate) fn push(&mut self, owner: Option<usize>, at: u64, entry: T) -> Place {
        let slot = slot(owner);
        if slot >= self.histories.len() {
            let horizon = self.horizon;
            self.histories
                .resize_with(slot + 1, || History::new(horizon));
        }
        if let Some(ageing) = &mut self.ageing {
            ageing.push_back((at, owner));
        }
        let history = self.histories.get_mut(slot);
        Place {
            owner,
            number: history.map_or(0, |history| history.push(at, entry)),
        }
    }

    /// Forgets what has become too old, of whatever account.
    pub(crate) fn advance(&mut self, now: u64) {
        let Some(ageing) = &mut self.ageing else {
            return;
        };
        let earliest = now.saturating_sub(self.horizon.time);
        while let Some((at, owner)) = ageing.front().copied()
            && at < earliest
        {
            ageing.pop_front();
            if let Some(history) = self.histories.get_mut(slot(owner)) {
                history.forget_before(earliest);
            }
        }
    }

    /// Where the next entry of an account will stand.
    pub(crate) fn next(&self, owner: Option<usize>) -> Place {
        Place {
            owner,
            number: self.history(owner).map_or(0, History::next),
        }
    }

    /// The entry, as long as it is kept.
    pub(crate) fn get(&self, place: Place) -> Option<&T> {
        self.history(place.owner)?.get(place.number)
    }

    pub(crate) fn get_mut(&mut self, place: Place) -> Option<&mut T> {
        let history = self.histories.get_mut(slot(place.owner))?;
        history.get_mut(place.number)
    }

    /// What is kept of one account, oldest first.
    pub(crate) fn of(&self, owner: Option<usize>) -> impl DoubleEndedIterator<Item = (Place, &T)> {
        let history = self.history(owner).into_iter();
        history.flat_map(move |history| {
            let entries = history.iter();
            entries.map(move |(number, entry)| (Place { owner, number }, entry))
        })
    }

    /// What is kept of one account, oldest first, to be changed.
    pub(crate) fn of_mut(&mut self, owner: Option<usize>) -> impl Iterator<Item = (Place, &mut T)> {
        let history = self.histories.get_mut(slot(owner)).into_iter();
        history.flat_map(move |history| {
            let first = history.first;
            let entries = history.entries.iter_mut().enumerate();
            entries.map(move |(at, (_, entry))| {
                let number = first + at as u64;
                (Place { owner, number }, Arc::make_mut(entry))
            })
        })
    }

    /// What is kept of all accounts, account by account.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Place, &T)> {
        let slots = 0..self.histories.len();
        slots.flat_map(|slot| self.of(slot.checked_sub(1)))
    }

    /// Every entry that is kept, to be changed.
    pub(crate) fn all_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let entries = self.histories.iter_mut().flat_map(|it| &mut it.entries);
        entries.map(|(_, entry)| Arc::make_mut(entry))
    }

    /// Forgets what is kept of one account.
    pub(crate) fn forget(&mut self, owner: Option<usize>) {
        if let Some(history) = self.histories.get_mut(slot(owner)) {
            history.forget_all();
        }
    }

    pub(crate) fn clear(&mut self) {
        for history in &mut self.histories {
            history.forget_all();
        }
    }

    /// How many entries are kept.
    pub(crate) fn len(&self) -> usize {
        self.histories.iter().map(History::len).sum()
    }
}

/// What stands for some texts and numbers in an index. Two that differ have the same name once in 2^128.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name(u64, u64);

impl Name {
    /// The name of these texts, in this order, with a number.
    pub(crate) fn of(texts: &[&str], number: u32) -> Self {
        let mut hasher = DefaultHasher::new();
        texts.hash(&mut hasher);
        hasher.write_u32(number);
        let first = hasher.finish();
        // The state of the hasher is twice as long as what it gives at once.
        hasher.write_u64(first);
        Self(first, hasher.finish())
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

    pub(crate) fn is_empty(&self) -> bool {
        self.places.is_empty()
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
    fn what_ages_is_forgotten_although_nothing_newer_comes() {
        let mut all = PerAccount::ageing(3, 100);
        let mine = all.push(Some(1), 0, 'a');
        all.push(Some(2), 60, 'b');
        all.advance(100);
        assert_eq!(all.get(mine), Some(&'a'));
        all.advance(101);
        assert_eq!((all.get(mine), all.len()), (None, 1));
        let next = all.push(Some(1), 102, 'c');
        assert!(next > mine, "numbers go on");
        all.forget(Some(1));
        assert!(all.get(next).is_none() && all.next(Some(1)) > next);
    }

    #[test]
    fn names_tell_texts_apart_wherever_they_are_cut() {
        let names = [
            Name::of(&["ab", "c"], 1),
            Name::of(&["a", "bc"], 1),
            Name::of(&["ab", "c"], 2),
            Name::of(&["abc"], 1),
        ];
        let different: std::collections::BTreeSet<Name> = names.into_iter().collect();
        assert_eq!(different.len(), names.len());
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
