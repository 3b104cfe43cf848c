//! The accounts of a user agent, and what finds one without asking the others: its handset, its user name, the Call-IDs of
//! its dialogs, and the time at which it has something to do.
//!
//! It is no machine. Whoever works an account does it through [`Roster::work`], which brings up to date what finds it. A
//! Call-ID and a name only narrow the search: whether a message is an account's own is for the account to say.

use super::account::Account;
use super::request::{Shared, escaped};
use crate::accounts::{AccountSettings, Ipui};
use sip::time::Instant;
use std::collections::{BTreeMap, BTreeSet};

/// The accounts, in the order of their handsets.
#[derive(Clone, Debug, Default)]
pub(super) struct Roster {
    entries: BTreeMap<Ipui, Entry>,
    by_call_id: BTreeSet<(String, Ipui)>,
    /// By user name as it is, and as it stands in a URI.
    by_name: BTreeSet<(String, Ipui)>,
    deadlines: BTreeSet<(Instant, Ipui)>,
    gone: BTreeSet<Ipui>,
}

#[derive(Clone, Debug)]
struct Entry {
    account: Account,
    /// What it is found by now.
    deadline: Option<Instant>,
    user_name: String,
    call_ids: Vec<String>,
}

impl Roster {
    /// Takes an account that has begun.
    pub(super) fn insert(&mut self, shared: &Shared, handset: &Ipui, account: Account) {
        let entry = Entry {
            user_name: account.settings().user_name.clone(),
            account,
            deadline: None,
            call_ids: Vec::new(),
        };
        insert_name(&mut self.by_name, &entry.user_name, handset);
        self.entries.insert(handset.clone(), entry);
        self.follow(shared, handset);
    }

    /// Lets an account work; `None` when the handset has none.
    pub(super) fn work<R>(
        &mut self,
        shared: &mut Shared,
        handset: &Ipui,
        work: impl FnOnce(&mut Account, &mut Shared) -> R,
    ) -> Option<R> {
        let entry = self.entries.get_mut(handset)?;
        let result = work(&mut entry.account, shared);
        self.follow(shared, handset);
        Some(result)
    }

    /// The handsets with an account.
    pub(super) fn handsets(&self) -> impl Iterator<Item = &Ipui> {
        self.entries.keys()
    }

    /// What the account of a handset was last given.
    pub(super) fn settings(&self, handset: &Ipui) -> Option<&AccountSettings> {
        let entry = self.entries.get(handset)?;
        Some(entry.account.settings())
    }

    pub(super) fn contains(&self, handset: &Ipui) -> bool {
        self.entries.contains_key(handset)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The accounts that may have a dialog with this Call-ID, in the order of their handsets.
    pub(super) fn with_call_id(&self, call_id: &str) -> Vec<Ipui> {
        found(&self.by_call_id, call_id).cloned().collect()
    }

    /// The first account whose user is called so, or is written so in a URI.
    pub(super) fn named(&self, user: &str) -> Option<Ipui> {
        found(&self.by_name, user).next().cloned()
    }

    /// The accounts that have something to do by now, in the order of their handsets.
    pub(super) fn due(&self, now: Instant) -> BTreeSet<Ipui> {
        let due = self.deadlines.iter().take_while(|(at, _)| *at <= now);
        due.map(|(_, handset)| handset.clone()).collect()
    }

    /// When the next account has something to do.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// Lets go of the accounts that have left for good.
    pub(super) fn dismiss_gone(&mut self) {
        for handset in std::mem::take(&mut self.gone) {
            let left = |entry: &Entry| entry.account.is_gone();
            if !self.entries.get(&handset).is_some_and(left) {
                continue;
            }
            if let Some(entry) = self.entries.remove(&handset) {
                remove_name(&mut self.by_name, &entry.user_name, &handset);
                for call_id in entry.call_ids {
                    self.by_call_id.remove(&(call_id, handset.clone()));
                }
                if let Some(at) = entry.deadline {
                    self.deadlines.remove(&(at, handset));
                }
            }
        }
    }

    /// Brings what finds an account in line with what it has become.
    fn follow(&mut self, shared: &Shared, handset: &Ipui) {
        let Some(entry) = self.entries.get_mut(handset) else {
            return;
        };
        let deadline = entry.account.deadline(shared);
        if deadline != entry.deadline {
            if let Some(old) = entry.deadline {
                self.deadlines.remove(&(old, handset.clone()));
            }
            if let Some(new) = deadline {
                self.deadlines.insert((new, handset.clone()));
            }
            entry.deadline = deadline;
        }
        let known = entry.call_ids.iter().map(String::as_str);
        if !entry.account.call_ids().eq(known) {
            let fresh = entry.account.call_ids().map(str::to_owned).collect();
            for old in std::mem::replace(&mut entry.call_ids, fresh) {
                self.by_call_id.remove(&(old, handset.clone()));
            }
            let fresh = entry.call_ids.iter();
            self.by_call_id
                .extend(fresh.map(|call_id| (call_id.clone(), handset.clone())));
        }
        let user_name = &entry.account.settings().user_name;
        if *user_name != entry.user_name {
            remove_name(&mut self.by_name, &entry.user_name, handset);
            insert_name(&mut self.by_name, user_name, handset);
            entry.user_name.clone_from(user_name);
        }
        if entry.account.is_gone() {
            self.gone.insert(handset.clone());
        }
    }
}

fn found<'a>(
    index: &'a BTreeSet<(String, Ipui)>,
    key: &'a str,
) -> impl Iterator<Item = &'a Ipui> + use<'a> {
    index
        .range((key.to_owned(), Ipui::FIRST)..)
        .take_while(move |(known, _)| known == key)
        .map(|(_, handset)| handset)
}

fn insert_name(index: &mut BTreeSet<(String, Ipui)>, user: &str, handset: &Ipui) {
    index.insert((user.to_owned(), handset.clone()));
    index.insert((escaped(user), handset.clone()));
}

fn remove_name(index: &mut BTreeSet<(String, Ipui)>, user: &str, handset: &Ipui) {
    index.remove(&(user.to_owned(), handset.clone()));
    index.remove(&(escaped(user), handset.clone()));
}
