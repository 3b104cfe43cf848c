//! The accounts of a unit, found by user and by the Call-ID of their REGISTERs.
//!
//! An account has a number for as long as it is known. Where their number is limited, the least recently used ones are
//! given up, several at once so that looking for them costs little, and their numbers are given to others.

use crate::monitor::scene::Account;
use crate::monitor::scene::history::Name;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Of so many accounts one is given up at a time; our choice.
const SHARE: usize = 8;

/// All accounts, shared with the copies of a monitor until one of them changes them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Accounts {
    accounts: Vec<Arc<Account>>,
    users: Arc<BTreeMap<String, usize>>,
    /// How many accounts register in a Call-ID.
    registering: BTreeMap<Name, usize>,
    limited: Option<Limited>,
}

/// Accounts that are limited in number.
#[derive(Clone, Debug)]
struct Limited {
    most: usize,
    /// When each account was last used.
    used: Vec<u64>,
    /// Numbers that no account has.
    free: Vec<usize>,
    evicted: u64,
}

impl Accounts {
    /// No accounts, and never more than these and one.
    pub(crate) fn within(most: usize) -> Self {
        Self {
            limited: Some(Limited {
                most: most.max(1),
                used: Vec::new(),
                free: Vec::new(),
                evicted: 0,
            }),
            ..Self::default()
        }
    }

    pub(crate) fn evicted(&self) -> u64 {
        self.limited.as_ref().map_or(0, |limited| limited.evicted)
    }

    pub(crate) fn len(&self) -> usize {
        self.accounts.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    pub(crate) fn get(&self, place: usize) -> Option<&Account> {
        self.accounts.get(place).map(Arc::as_ref)
    }

    pub(crate) fn get_mut(&mut self, place: usize) -> Option<&mut Account> {
        self.accounts.get_mut(place).map(Arc::make_mut)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().map(Arc::as_ref)
    }

    /// The number of the account with this user.
    pub(crate) fn find(&self, user: &str) -> Option<usize> {
        self.users.get(user).copied()
    }

    /// The number of the account with this user, which is made when it is new.
    pub(crate) fn find_or_add(&mut self, user: &str, now: u64) -> usize {
        let place = self.find(user).unwrap_or_else(|| self.add(user));
        let used = self.limited.as_mut().and_then(|it| it.used.get_mut(place));
        if let Some(used) = used {
            *used = now;
        }
        place
    }

    fn add(&mut self, user: &str) -> usize {
        let account = Arc::new(Account {
            user: user.to_owned(),
            ..Account::default()
        });
        let free = self.limited.as_mut().and_then(|it| it.free.pop());
        let place = free.unwrap_or(self.accounts.len());
        match self.accounts.get_mut(place) {
            Some(room) => *room = account,
            None => {
                self.accounts.push(account);
                if let Some(limited) = &mut self.limited {
                    limited.used.push(0);
                }
            }
        }
        Arc::make_mut(&mut self.users).insert(user.to_owned(), place);
        place
    }

    /// An account sends REGISTERs in this Call-ID.
    pub(crate) fn register_in(&mut self, place: usize, call_id: &str) {
        let name = Name::of(&[call_id], 0);
        let Some(account) = self.accounts.get_mut(place) else {
            return;
        };
        if account.register_call_id == Some(name) {
            return;
        }
        let before = Arc::make_mut(account).register_call_id.replace(name);
        *self.registering.entry(name).or_default() += 1;
        self.leave(before);
    }

    fn leave(&mut self, call_id: Option<Name>) {
        let Some(name) = call_id else { return };
        if let Some(count) = self.registering.get_mut(&name) {
            *count -= 1;
            if *count == 0 {
                self.registering.remove(&name);
            }
        }
    }

    /// Whether an account sends REGISTERs in this Call-ID.
    pub(crate) fn registers_in(&self, call_id: &str) -> bool {
        self.registering.contains_key(&Name::of(&[call_id], 0))
    }

    /// What a base keeps in memory is gone.
    pub(crate) fn reboot(&mut self) {
        self.registering.clear();
        for account in &mut self.accounts {
            let account = Arc::make_mut(account);
            account.registration = None;
            account.first_registered = None;
            account.register_call_id = None;
            account.registering = None;
            account.has_subscribed = false;
            account.has_state = false;
            account.current = None;
            account.others.clear();
        }
    }

    /// Gives up the least recently used accounts when there are too many; their numbers come back.
    pub(crate) fn evict(&mut self) -> Vec<usize> {
        let Some(limited) = &mut self.limited else {
            return Vec::new();
        };
        if self.accounts.len() - limited.free.len() <= limited.most {
            return Vec::new();
        }
        let known = self.accounts.iter().zip(&limited.used).enumerate();
        let known = known.filter(|(_, (account, _))| !account.user.is_empty());
        let mut known: Vec<(u64, usize)> = known.map(|(place, (_, used))| (*used, place)).collect();
        known.sort_unstable();
        let share = (limited.most / SHARE).max(1);
        let oldest: Vec<usize> = known
            .into_iter()
            .take(share)
            .map(|(_, place)| place)
            .collect();
        limited.evicted += oldest.len() as u64;
        limited.free.extend(&oldest);
        for place in &oldest {
            let Some(account) = self.accounts.get_mut(*place) else {
                continue;
            };
            let account = std::mem::take(account);
            Arc::make_mut(&mut self.users).remove(&account.user);
            self.leave(account.register_call_id);
        }
        oldest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_account_makes_room_and_its_number_is_free() {
        let mut accounts = Accounts::within(2);
        let anna = accounts.find_or_add("anna", 1);
        let ben = accounts.find_or_add("ben", 2);
        accounts.register_in(ben, "call");
        accounts.find_or_add("anna", 3);
        assert!(accounts.evict().is_empty());
        let cleo = accounts.find_or_add("cleo", 4);
        assert_eq!(accounts.evict(), [ben]);
        assert_eq!((accounts.evicted(), accounts.find("ben")), (1, None));
        assert!(!accounts.registers_in("call"));
        assert_eq!(accounts.find_or_add("dora", 5), ben);
        assert_eq!(accounts.evict(), [anna]);
        assert_eq!(accounts.find("cleo"), Some(cleo));
    }

    #[test]
    fn a_call_id_is_known_as_long_as_anybody_registers_in_it() {
        let mut accounts = Accounts::default();
        let (one, two) = (accounts.find_or_add("1", 0), accounts.find_or_add("2", 0));
        accounts.register_in(one, "same");
        accounts.register_in(one, "same");
        accounts.register_in(two, "same");
        accounts.register_in(one, "other");
        assert!(accounts.registers_in("same") && accounts.registers_in("other"));
        accounts.register_in(two, "other");
        assert!(!accounts.registers_in("same"));
        accounts.reboot();
        assert!(!accounts.registers_in("other"));
    }
}
