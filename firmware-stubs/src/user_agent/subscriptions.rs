//! All subscriptions of one account, one for each package of the model, told apart by their packages and dialogs.
//!
//! They live beside each other: the end or refusal of one leaves the others alone. A verb here goes to all of them, a
//! message to the one it belongs to.

use super::change::Change;
use super::package::BodyKind;
use super::request::Shared;
use super::subscription::{Reaction, Subscription, refuse};
use crate::accounts::AccountSettings;
use crate::defect::Defect;
use sip::endpoint::{Failure, TransactionId};
use sip::message::Message;
use sip::time::Instant;
use std::sync::Arc;

/// The subscriptions of one account, in the order of the model's packages.
#[derive(Clone, Debug)]
pub(super) struct Subscriptions(Vec<Subscription>);

impl Subscriptions {
    pub(super) fn new(
        shared: &mut Shared,
        settings: &AccountSettings,
        identity: &Arc<AccountSettings>,
    ) -> Self {
        let packages = shared.packages.clone();
        let packages = packages.into_iter();
        let begun = packages.map(|package| Subscription::new(shared, settings, identity, package));
        Self(begun.collect())
    }

    /// The Call-IDs of NOTIFYs that may belong to one of them.
    pub(super) fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(Subscription::call_ids)
    }

    pub(super) fn reseed(&mut self, shared: &mut Shared) {
        for one in &mut self.0 {
            one.reseed(shared);
        }
    }

    pub(super) fn owns(&self, transaction: TransactionId) -> bool {
        self.0.iter().any(|one| one.owns(transaction))
    }

    /// Whether none is there, under way or about to be made.
    pub(super) fn is_over(&self) -> bool {
        self.0.iter().all(Subscription::is_over)
    }

    /// Whether a defect gives the registration up with a subscription. Asked once.
    pub(super) fn take_surrender(&mut self) -> bool {
        let mut any = false;
        for one in &mut self.0 {
            any |= one.take_surrender();
        }
        any
    }

    /// There is a binding: subscribes soon what is wanted and was not begun before.
    pub(super) fn begin(&mut self, now: Instant, shared: &mut Shared, settings: &AccountSettings) {
        for one in &mut self.0 {
            one.begin(now, shared, settings);
        }
    }

    /// A gate was opened again.
    pub(super) fn enable(&mut self) {
        self.0.iter_mut().for_each(Subscription::enable);
    }

    /// Gives up what these settings do not want.
    pub(super) fn disable_unwanted(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) {
        for one in self.0.iter_mut().filter(|one| !one.is_wanted(settings)) {
            one.disable(now, shared, settings);
        }
    }

    /// Gives all of them up.
    pub(super) fn disable(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) {
        for one in &mut self.0 {
            one.disable(now, shared, settings);
        }
    }

    /// Forgets all of them silently.
    pub(super) fn abandon(&mut self, shared: &mut Shared, settings: &AccountSettings) {
        for one in &mut self.0 {
            one.abandon(shared, settings);
        }
    }

    /// Asks for a change where services can be changed.
    pub(super) fn change(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        change: Change,
        bound: bool,
    ) {
        let mut all = self.0.iter_mut();
        match all.find(|one| one.body_kind() == BodyKind::FeatureEvent) {
            Some(one) => one.change(now, shared, settings, change, bound),
            None => refuse(shared, settings, change.service),
        }
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        transaction: TransactionId,
        response: &Message,
    ) {
        if let Some(one) = self.0.iter_mut().find(|one| one.owns(transaction)) {
            one.handle_response(now, shared, settings, response);
        }
    }

    pub(super) fn handle_failure(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        transaction: TransactionId,
        failure: Failure,
    ) {
        if let Some(one) = self.0.iter_mut().find(|one| one.owns(transaction)) {
            one.handle_failure(now, shared, settings, failure);
        }
    }

    /// Judges a NOTIFY: it belongs to the subscription of its Event and its dialog (RFC 6665 §4.4.1).
    pub(super) fn handle_notify(
        &mut self,
        now: Instant,
        shared: &Shared,
        request: &Message,
    ) -> Reaction {
        for one in self.of_event(shared, request) {
            match one.handle_notify(now, shared, request) {
                Reaction::NotMine => {}
                reaction => return reaction,
            }
        }
        Reaction::NotMine
    }

    /// Takes what a NOTIFY has brought, after the answer is on its way.
    pub(super) fn settle(&mut self, now: Instant, shared: &mut Shared, settings: &AccountSettings) {
        for one in &mut self.0 {
            one.settle(now, shared, settings);
        }
    }

    /// Applies the body of a NOTIFY that belongs to no subscription.
    pub(super) fn apply_foreign(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        request: &Message,
    ) {
        if let Some(one) = self.of_event(shared, request).next() {
            one.apply_foreign(now, shared, settings, request);
        }
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) {
        for one in &mut self.0 {
            one.handle_timeout(now, shared, settings);
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.0.iter().filter_map(Subscription::deadline).min()
    }

    /// Those of the package that a NOTIFY names; read here: `compares-event-without-case`.
    fn of_event<'a>(
        &'a mut self,
        shared: &Shared,
        request: &Message,
    ) -> impl Iterator<Item = &'a mut Subscription> + use<'a> {
        let event = request.header("Event").unwrap_or_default().to_owned();
        let any_case = shared.has(Defect::ComparesEventWithoutCase);
        self.0
            .iter_mut()
            .filter(move |one| one.package().is_named(&event, any_case))
    }
}
