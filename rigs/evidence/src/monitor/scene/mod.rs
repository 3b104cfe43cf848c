//! What the monitor knows at a point in time: accounts, traffic, subscriptions, changes and what displays must show.
//!
//! It is built from records alone and judges nothing except whether a display agrees with the last accepted NOTIFY.
//! Rules read it. A base that is switched on again has forgotten what it keeps in memory; one that is off may be silent.

pub(crate) mod accounts;
mod blame;
pub(crate) mod change;
pub(crate) mod display;
pub(crate) mod history;
mod incoming;
pub(crate) mod moment;
pub(crate) mod notice;
pub(crate) mod outgoing;
pub(crate) mod package;
pub(crate) mod patterns;
mod screens;
pub(crate) mod subscription;
pub(crate) mod time;
pub(crate) mod traffic;
pub(crate) mod unasked;

use crate::monitor::report::Need;
use crate::monitor::scene::accounts::Accounts;
use crate::monitor::scene::change::Change;
use crate::monitor::scene::display::{Check, Displays, Unsynced};
use crate::monitor::scene::history::{Horizon, Index, Name, PerAccount, Place};
use crate::monitor::scene::moment::Moment;
use crate::monitor::scene::package::{OtherSubscription, Package};
use crate::monitor::scene::subscription::Subscription;
use crate::monitor::scene::time::{SECOND, TIMER_F};
use crate::monitor::scene::traffic::{Arrival, Request};
use crate::provisioning::{self, Provisioning};
use crate::record::{ClaimStatus, Intent, KeyEffect, Observation, PowerChange, Record, Service};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// An account as it is seen on the wire: one address-of-record, one or more handsets.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    /// Empty when it was given up.
    pub(crate) user: String,
    pub(crate) auth_name: String,
    pub(crate) domain: String,
    pub(crate) handsets: Vec<String>,
    /// Whether provisioning has it.
    pub(crate) provisioned: bool,
    /// Provisioning had it and has it no more.
    pub(crate) deleted: bool,
    /// The switch of feature key synchronisation, when it is known.
    pub(crate) sync: Option<bool>,
    /// When the switch last changed.
    pub(crate) switched: u64,
    /// When an account that was there was last provisioned again, changed or not.
    pub(crate) refetched: Option<u64>,
    pub(crate) registration: Option<Registration>,
    /// When its first binding of this boot was granted.
    pub(crate) first_registered: Option<u64>,
    /// The Call-ID of its REGISTERs in this boot.
    pub(crate) register_call_id: Option<Name>,
    /// When a REGISTER without final response was sent.
    pub(crate) registering: Option<u64>,
    /// It has subscribed in this boot.
    pub(crate) has_subscribed: bool,
    /// A NOTIFY was accepted in this boot.
    pub(crate) has_state: bool,
    /// Its latest subscription for feature key synchronisation.
    pub(crate) current: Option<Place>,
    /// Its latest subscriptions for other packages.
    pub(crate) others: BTreeMap<Package, OtherSubscription>,
}

impl Account {
    /// Whether it was not provisioned again a moment ago, after which a base may begin anew.
    pub(crate) fn is_calm(&self, now: u64) -> bool {
        self.refetched.is_none_or(|at| now > at + 10 * SECOND)
    }
}

/// A binding as the registrar granted it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Registration {
    pub(crate) at: u64,
    /// How long, in microseconds.
    pub(crate) lifetime: Option<u64>,
}

impl Registration {
    pub(crate) fn is_live(&self, now: u64) -> bool {
        self.lifetime
            .is_none_or(|lifetime| now < self.at.saturating_add(lifetime))
    }
}

/// Everything known.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) now: u64,
    pub(crate) seq: u64,
    pub(crate) boot: u32,
    /// The base is switched off.
    pub(crate) down: bool,
    /// Its power was seen to change.
    powered: bool,
    /// It restarts by a command and has not been seen to be back.
    rebooting: bool,
    /// The base has sent SIP since its boot.
    pub(crate) spoken: bool,
    pub(crate) available: BTreeSet<Need>,
    pub(crate) claims: Arc<BTreeMap<String, (String, ClaimStatus)>>,
    pub(crate) accounts: Accounts,
    pub(crate) requests: PerAccount<Request>,
    pub(crate) arrivals: PerAccount<Arrival>,
    pub(crate) subscriptions: PerAccount<Subscription>,
    pub(crate) changes: PerAccount<Change>,
    /// What the displays came to that this very record decides.
    pub(crate) checks: Vec<Check>,
    /// The displays without server that this very record shows.
    pub(crate) unsynced: Vec<Unsynced>,
    pub(crate) displays: Arc<Displays>,
    /// Handsets at which a call was begun by hand, and when.
    pub(crate) dialled: BTreeMap<String, u64>,
    /// When a key was last pressed at each handset.
    pub(crate) pressed: BTreeMap<String, u64>,
    /// INVITEs by Call-ID.
    pub(crate) calls: Index<Name>,
    /// Requests by transaction.
    pub(crate) request_places: Index<Name>,
    /// Requests by Call-ID, CSeq and method, whatever their branch.
    pub(crate) request_numbers: Index<Name>,
    /// Requests that reached the base, by transaction and Call-ID.
    pub(crate) arrival_places: Index<Name>,
    /// Subscriptions by Call-ID and the base's tag.
    pub(crate) dialogs: Index<Name>,
    /// Challenged requests that were not repeated yet, by method and Call-ID.
    pub(crate) challenges: Index<String>,
    handsets: Arc<BTreeMap<String, usize>>,
}

/// How much is remembered of a capture that may never end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many accounts each base is followed with; the least recently used ones are given up.
    pub accounts: usize,
}

impl Default for Limits {
    /// Our choice: more than any base or integrator has, and no burden on memory.
    fn default() -> Self {
        Self { accounts: 65_536 }
    }
}

/// How long a transaction of a capture is remembered: until the client and the server have certainly given it up
/// (RFC 3261 §17.1.2.2 and §17.2.2, both 64*T1), and five seconds for the way of the capture.
const TRANSACTION: u64 = TIMER_F + 5 * SECOND;

/// 75 minutes; our choice: more than one refresh of a registration or subscription for an hour, because what is older
/// can only explain a defect that showed long ago.
const LONG: u64 = 4500 * SECOND;

/// Requests of one account; our choice: a hundred minutes of a base that does something every three minutes, and all
/// copies of one transaction count once.
const REQUESTS: Horizon = Horizon {
    entries: 64,
    time: LONG,
};
/// Requests to one account; our choice, as above.
const ARRIVALS: Horizon = Horizon {
    entries: 64,
    time: LONG,
};
/// Subscriptions of one account. They are forgotten by count only: one that is refreshed for days has begun long ago.
/// Our choice: NOTIFYs of more than the last few are no longer under way.
const SUBSCRIPTIONS: Horizon = Horizon {
    entries: 16,
    time: u64::MAX,
};
/// Changes that the users of one account asked for. They are forgotten by count only, because one that is not answered
/// excuses displays for as long as it is not.
const CHANGES: Horizon = Horizon {
    entries: 64,
    time: u64::MAX,
};

impl Default for Scene {
    fn default() -> Self {
        Self {
            now: 0,
            seq: 0,
            boot: 0,
            down: false,
            powered: false,
            rebooting: false,
            spoken: false,
            available: BTreeSet::new(),
            claims: Arc::default(),
            accounts: Accounts::default(),
            requests: PerAccount::new(REQUESTS),
            arrivals: PerAccount::new(ARRIVALS),
            subscriptions: PerAccount::new(SUBSCRIPTIONS),
            changes: PerAccount::new(CHANGES),
            checks: Vec::new(),
            unsynced: Vec::new(),
            displays: Arc::default(),
            dialled: BTreeMap::new(),
            pressed: BTreeMap::new(),
            calls: Index::default(),
            request_places: Index::default(),
            request_numbers: Index::default(),
            arrival_places: Index::default(),
            dialogs: Index::default(),
            challenges: Index::default(),
            handsets: Arc::default(),
        }
    }
}

impl Scene {
    /// A scene that forgets transactions when they are over, and accounts when there are too many.
    pub(crate) fn within(limits: Limits) -> Self {
        Self {
            accounts: Accounts::within(limits.accounts),
            requests: PerAccount::ageing(REQUESTS.entries, TRANSACTION),
            arrivals: PerAccount::ageing(ARRIVALS.entries, TRANSACTION),
            ..Self::default()
        }
    }

    /// Forgets what has become too old.
    pub(crate) fn age(&mut self) {
        self.requests.advance(self.now);
        self.arrivals.advance(self.now);
    }

    /// How many accounts were given up.
    pub(crate) fn evicted(&self) -> u64 {
        self.accounts.evicted()
    }

    /// Gives up accounts when there are too many.
    fn evict(&mut self, moments: &mut Vec<Moment>) {
        for place in self.accounts.evict() {
            self.requests.forget(Some(place));
            self.arrivals.forget(Some(place));
            self.subscriptions.forget(Some(place));
            self.changes.forget(Some(place));
            Arc::make_mut(&mut self.handsets).retain(|_, owner| *owner != place);
            moments.push(Moment::Provisioned(place));
        }
    }

    /// Takes a record and says what happened.
    pub(crate) fn take(&mut self, record: &Record, moments: &mut Vec<Moment>) {
        // What the rig says of itself shows nothing, and what it says at the end is not there yet when a live log ends.
        let of_the_rig = matches!(
            record.observation,
            Observation::Finding { .. }
                | Observation::Note { .. }
                | Observation::ScenarioEnd
                | Observation::Step { .. }
        );
        if !of_the_rig {
            self.seq = record.seq;
        }
        self.evict(moments);
        self.checks.clear();
        self.unsynced.clear();
        match &record.observation {
            Observation::Claim {
                key, value, status, ..
            } => {
                self.available.insert(Need::Claim);
                let claims = Arc::make_mut(&mut self.claims);
                claims.insert(key.clone(), (value.clone(), *status));
                Arc::make_mut(&mut self.displays).forget_patterns();
            }
            Observation::Key {
                handset,
                effect,
                intent,
                ..
            } => self.take_key(handset, *effect, intent.as_ref(), moments),
            Observation::Power { change } => self.take_power(*change, moments),
            Observation::Provisioning {
                status, document, ..
            } => {
                if *status == 200
                    && let Ok(file) = Provisioning::parse(document)
                {
                    self.available.insert(Need::Provisioning);
                    self.provision(&file, moments);
                }
            }
            Observation::Screen(screen) => {
                self.available.insert(Need::Screen);
                self.take_screen(screen, moments);
            }
            Observation::Sip(sip) => self.take_sip(sip, moments),
            Observation::Console { .. }
            | Observation::Fault { .. }
            | Observation::Finding { .. }
            | Observation::Note { .. }
            | Observation::ScenarioEnd
            | Observation::Step { .. }
            | Observation::Web { .. } => {}
        }
        if !matches!(record.observation, Observation::Sip(_)) {
            // Only a laboratory records anything but SIP, and a laboratory records every key.
            self.available.insert(Need::Key);
        }
    }

    /// Whether the log has seen the base boot, so that what it owns is known from the start.
    pub(crate) fn is_complete(&self) -> bool {
        self.boot > 0 || self.available.contains(&Need::Provisioning)
    }

    /// Whether every change of a user is on record.
    pub(crate) fn knows_keys(&self) -> bool {
        self.available.contains(&Need::Key)
    }

    pub(crate) fn claim(&self, key: &str) -> Option<&str> {
        self.claims.get(key).map(|(value, _)| value.as_str())
    }

    pub(crate) fn account(&self, place: usize) -> Option<&Account> {
        self.accounts.get(place)
    }

    pub(crate) fn request(&self, place: Place) -> Option<&Request> {
        self.requests.get(place)
    }

    pub(crate) fn arrival(&self, place: Place) -> Option<&Arrival> {
        self.arrivals.get(place)
    }

    pub(crate) fn subscription(&self, place: Place) -> Option<&Subscription> {
        self.subscriptions.get(place)
    }

    /// The latest subscription of an account, with its place.
    pub(crate) fn current(&self, account: usize) -> Option<(Place, &Subscription)> {
        let place = self.accounts.get(account)?.current?;
        Some((place, self.subscriptions.get(place)?))
    }

    pub(crate) fn account_of_handset(&self, handset: &str) -> Option<usize> {
        self.handsets.get(handset).copied()
    }

    pub(crate) fn account_of_user(&self, user: &str) -> Option<usize> {
        self.accounts.find(user)
    }

    /// The account with this user, made when it is new.
    pub(crate) fn account_for(&mut self, user: &str) -> usize {
        self.accounts.find_or_add(user, self.now)
    }

    /// How many entries are kept, of every kind that grows with the log.
    pub(crate) fn len(&self) -> usize {
        let indexes = [
            &self.calls,
            &self.request_places,
            &self.request_numbers,
            &self.arrival_places,
            &self.dialogs,
        ];
        let names: usize = indexes.into_iter().map(Index::len).sum();
        let kept = self.requests.len() + self.arrivals.len() + self.subscriptions.len();
        names + kept + self.challenges.len() + self.changes.len() + self.displays.len()
    }

    /// Whether a REGISTER or an INVITE of this boot has this Call-ID.
    pub(crate) fn is_other_call_id(&self, call_id: &str) -> bool {
        self.calls.get(&Name::of(&[call_id], 0)).is_some() || self.accounts.registers_in(call_id)
    }

    /// A base of which nothing was seen before has nothing to forget.
    fn take_power(&mut self, change: PowerChange, moments: &mut Vec<Moment>) {
        match change {
            PowerChange::On => {
                self.down = false;
                // One that restarted has forgotten already, and may have spoken before its console is back.
                if !self.rebooting && (self.powered || self.spoken || !self.accounts.is_empty()) {
                    self.reboot(moments);
                }
                self.powered = true;
                self.rebooting = false;
            }
            PowerChange::Ended | PowerChange::Off | PowerChange::Rebooting => {
                self.down = true;
                self.powered = true;
                self.rebooting = change == PowerChange::Rebooting;
                self.reboot(moments);
            }
        }
    }

    fn reboot(&mut self, moments: &mut Vec<Moment>) {
        self.boot += 1;
        self.spoken = false;
        self.request_places.clear();
        self.request_numbers.clear();
        self.arrival_places.clear();
        self.challenges.clear();
        self.calls.clear();
        self.accounts.reboot();
        for subscription in self.subscriptions.all_mut() {
            subscription.end(None);
        }
        for change in self.changes.all_mut() {
            change.closed = true;
        }
        Arc::make_mut(&mut self.displays).forget_states();
        moments.push(Moment::Boot);
    }

    fn provision(&mut self, file: &Provisioning, moments: &mut Vec<Moment>) {
        let provided = file.accounts();
        let now = self.now;
        for place in 0..self.accounts.len() {
            let Some(account) = self.accounts.get_mut(place) else {
                continue;
            };
            let kept = provided.iter().any(|given| given.user == account.user);
            if kept || !account.provisioned {
                continue;
            }
            account.refetched = Some(now);
            account.provisioned = false;
            account.deleted = true;
            account.switched = now;
            account.sync = file.deletes_others.then_some(false);
            account.handsets.clear();
            Arc::make_mut(&mut self.handsets).retain(|_, owner| *owner != place);
            moments.push(Moment::Provisioned(place));
        }
        for given in &provided {
            let place = self.account_for(&given.user);
            if self.adopt(place, given) {
                moments.push(Moment::Provisioned(place));
            }
        }
    }

    /// Gives an account what its provisioning says; whether that changes anything.
    fn adopt(&mut self, place: usize, given: &provisioning::Account) -> bool {
        let now = self.now;
        let before = Arc::make_mut(&mut self.handsets).insert(given.handset.clone(), place);
        let moved = before != Some(place);
        if moved && let Some(before) = before.and_then(|before| self.accounts.get_mut(before)) {
            before.handsets.retain(|handset| *handset != given.handset);
        }
        let Some(account) = self.accounts.get_mut(place) else {
            return false;
        };
        if moved {
            account.handsets.push(given.handset.clone());
        }
        let sync = match (given.sync, account.provisioned) {
            (Some(sync), _) => Some(sync),
            (None, false) => Some(false),
            // A parameter that vanishes from a later file may keep its value: nothing is known then.
            (None, true) if account.sync == Some(false) => Some(false),
            (None, true) => None,
        };
        let switched = sync != account.sync || !account.provisioned;
        let changed = moved
            || switched
            || account.domain != given.domain
            || account.auth_name != given.auth_name;
        if switched {
            account.switched = now;
        }
        if account.provisioned {
            account.refetched = Some(now);
        }
        account.sync = sync;
        account.provisioned = true;
        account.deleted = false;
        account.domain.clone_from(&given.domain);
        account.auth_name.clone_from(&given.auth_name);
        changed
    }

    fn take_key(
        &mut self,
        handset: &str,
        effect: KeyEffect,
        intent: Option<&Intent>,
        moments: &mut Vec<Moment>,
    ) {
        Arc::make_mut(&mut self.displays).press(handset, effect);
        self.pressed.insert(handset.to_owned(), self.now);
        if effect == KeyEffect::Talk {
            self.dialled.insert(handset.to_owned(), self.now);
        }
        let Some(intent) = intent else { return };
        let Some(place) = self.account_of_handset(handset) else {
            return;
        };
        let Some(account) = self.accounts.get(place) else {
            return;
        };
        let subscription = account.current.and_then(|at| self.subscriptions.get(at));
        let free = self
            .changes
            .of(Some(place))
            .all(|(_, change)| change.closed || change.superseded);
        let sendable = account.sync == Some(true)
            && free
            && !self.down
            && account
                .registration
                .is_some_and(|binding| binding.is_live(self.now))
            && subscription.is_some_and(|subscription| {
                subscription.is_live(self.now)
                    && subscription.confirmed
                    && subscription.asking.is_none()
                    && subscription.awaits.is_none()
            });
        let change = Change {
            seq: self.seq,
            at: self.now,
            handset: handset.to_owned(),
            account: place,
            intent: intent.clone(),
            synced: account.sync,
            sendable,
            idle: self.displays.already_shows(handset, intent),
            sent: Vec::new(),
            superseded: false,
            finals: None,
            notified: false,
            closed: account.sync != Some(true),
            contradicted: false,
        };
        let change = self.changes.push(Some(place), self.now, change);
        moments.push(Moment::Change(change));
    }

    /// Whether a change for this service of this handset has no answer yet.
    pub(crate) fn is_asked_for(&self, handset: &str, service: Service) -> bool {
        let Some(account) = self.account_of_handset(handset) else {
            return false;
        };
        let mut changes = self.changes.of(Some(account));
        changes.any(|(_, change)| {
            !change.closed && change.handset == handset && change.intent.service == service
        })
    }
}
