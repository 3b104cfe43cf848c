//! One account: its registration, its subscriptions, its call, and the order in which they come and go.
//!
//! | state | input | next |
//! |---|---|---|
//! | Staying | `configure` with other settings | Staying, or Leaving with the new settings kept for later |
//! | Staying | `leave` | Leaving: the subscriptions are ended first |
//! | Leaving | the subscriptions are over, or two seconds | Leaving: the binding is removed |
//! | Leaving | the binding is gone | gone, or begun anew with the settings that were kept |
//!
//! Subscriptions begin after the first 2xx to REGISTER and do not outlive the binding.

use super::call::Call;
use super::registration::{Registration, RegistrationEvent};
use super::request::Shared;
use super::subscription::Reaction;
use super::subscriptions::Subscriptions;
use super::{UaIndication, change::Change};
use crate::accounts::AccountSettings;
use crate::defect::Defect;
use sip::endpoint::{Failure, TransactionId};
use sip::feature_event::{Service, Setting};
use sip::message::Message;
use sip::node::Flow;
use sip::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// How long the end of the subscriptions is waited for before the binding goes: our choice, four times T1.
const UNSUBSCRIBE_TIME: Duration = Duration::from_secs(2);
/// How long a change waits under `sends-change-late`: our choice, beyond the 2 s of CHG-01.
const LATE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
enum Stage {
    Staying,
    /// The subscriptions are being ended.
    Unsubscribing {
        until: Instant,
    },
    /// The binding is being removed.
    Deregistering,
    /// Nothing is left.
    Gone,
}

/// One account at work.
#[derive(Clone, Debug)]
pub(super) struct Account {
    settings: Arc<AccountSettings>,
    /// The account it comes back as once it has left.
    next: Option<(Arc<AccountSettings>, Arc<AccountSettings>)>,
    stage: Stage,
    registration: Registration,
    subscriptions: Subscriptions,
    call: Option<Call>,
    /// Digits to be called as soon as the call that the user has hung up is over.
    next_call: Option<String>,
}

impl Account {
    /// Registers, soon where many begin together. `identity` is the account that it subscribes as: its own, unless a defect mixes them up.
    pub(super) fn start(
        now: Instant,
        shared: &mut Shared,
        settings: Arc<AccountSettings>,
        identity: Arc<AccountSettings>,
    ) -> Self {
        let mut account = Self {
            registration: Registration::new(shared, &settings),
            subscriptions: Subscriptions::new(shared, &settings, &identity),
            settings,
            next: None,
            stage: Stage::Staying,
            call: None,
            next_call: None,
        };
        let event = account.registration.begin(now, shared, &account.settings);
        account.on_registration(now, shared, event);
        if shared.has(Defect::SubscribesBeforeRegistered) {
            account.subscriptions.begin(now, shared, &account.settings);
        }
        account
    }

    /// Its parts draw from new numbers, which follow from those of the endpoint.
    pub(super) fn reseed(&mut self, shared: &mut Shared) {
        self.registration.reseed(shared);
        self.subscriptions.reseed(shared);
        if let Some(call) = &mut self.call {
            call.reseed(shared);
        }
    }

    pub(super) fn settings(&self) -> &AccountSettings {
        &self.settings
    }

    /// The Call-IDs by which a request of the server may find it.
    pub(super) fn call_ids(&self) -> impl Iterator<Item = &str> {
        let call = self.call.as_ref().map(Call::call_id);
        self.subscriptions.call_ids().chain(call)
    }

    /// Whether it has left for good.
    pub(super) const fn is_gone(&self) -> bool {
        matches!(self.stage, Stage::Gone)
    }

    /// Takes new settings.
    pub(super) fn configure(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: Arc<AccountSettings>,
        identity: Arc<AccountSettings>,
    ) {
        if !matches!(self.stage, Stage::Staying) || !is_same_account(&self.settings, &settings) {
            self.next = Some((settings, identity));
            self.leave(now, shared);
            return;
        }
        let wanted = settings.feature_key_sync;
        let switched = wanted != self.settings.feature_key_sync;
        self.settings = settings;
        if !switched {
            return;
        }
        if wanted {
            self.subscriptions.enable();
            if self.registration.is_bound() {
                self.subscriptions.begin(now, shared, &self.settings);
            }
        } else if !shared.has(Defect::KeepsSubscriptionWithSwitchOff) {
            self.subscriptions
                .disable_unwanted(now, shared, &self.settings);
        }
    }

    /// Leaves: first the subscriptions end, then the binding.
    pub(super) fn leave(&mut self, now: Instant, shared: &mut Shared) {
        if !matches!(self.stage, Stage::Staying) {
            return;
        }
        self.hang_up(now, shared);
        self.stage = Stage::Unsubscribing {
            until: now + UNSUBSCRIBE_TIME,
        };
        self.subscriptions.disable(now, shared, &self.settings);
        self.go_on_leaving(now, shared);
    }

    /// It is wanted no more, whatever it was to come back as.
    pub(super) fn dismiss(&mut self, now: Instant, shared: &mut Shared) {
        self.next = None;
        self.leave(now, shared);
    }

    fn go_on_leaving(&mut self, now: Instant, shared: &mut Shared) {
        if let Stage::Unsubscribing { until } = self.stage
            && (until <= now || self.subscriptions.is_over())
        {
            self.stage = Stage::Deregistering;
            let event = self.registration.remove(now, shared, &self.settings);
            self.on_registration(now, shared, event);
        }
    }

    fn on_registration(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        event: Option<RegistrationEvent>,
    ) {
        let handset = self.settings.handset.clone();
        match event {
            None => {}
            Some(event @ (RegistrationEvent::Registered | RegistrationEvent::Refreshed)) => {
                if event == RegistrationEvent::Registered {
                    shared.indicate(UaIndication::Registered { handset });
                }
                if matches!(self.stage, Stage::Staying) {
                    self.subscriptions.begin(now, shared, &self.settings);
                }
            }
            Some(RegistrationEvent::Lost) => {
                self.subscriptions.abandon(shared, &self.settings);
                shared.indicate(UaIndication::Unregistered { handset });
            }
            Some(RegistrationEvent::Removed) => {
                shared.indicate(UaIndication::Unregistered { handset });
                if !matches!(self.stage, Stage::Deregistering) {
                    return;
                }
                self.stage = Stage::Gone;
                if let Some((settings, identity)) = self.next.take() {
                    *self = Self::start(now, shared, settings, identity);
                }
            }
        }
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        transaction: TransactionId,
        flow: Flow,
        response: &Message,
    ) {
        if self.registration.owns(transaction) {
            let event = self
                .registration
                .handle_response(now, shared, &self.settings, response);
            self.on_registration(now, shared, event);
        } else if self.subscriptions.owns(transaction) {
            self.subscriptions
                .handle_response(now, shared, &self.settings, transaction, response);
            self.after_subscription(now, shared);
        } else if let Some(call) = &mut self.call
            && call.owns(transaction, Some(response))
        {
            let ended = call.handle_response(now, shared, &self.settings, flow, response);
            self.end_call(now, shared, ended);
        }
    }

    pub(super) fn handle_failure(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        transaction: TransactionId,
        failure: Failure,
    ) {
        if self.registration.owns(transaction) {
            let event = self
                .registration
                .handle_failure(now, shared, &self.settings);
            self.on_registration(now, shared, event);
        } else if self.subscriptions.owns(transaction) {
            self.subscriptions
                .handle_failure(now, shared, &self.settings, transaction, failure);
            self.after_subscription(now, shared);
        } else if let Some(call) = &self.call
            && call.owns(transaction, None)
        {
            let ended = call.handle_failure();
            self.end_call(now, shared, ended);
        }
    }

    /// The stream of this account has ended: everything on it is built up again (RFC 5626 §4.4.1).
    pub(super) fn handle_flow_closed(&mut self, now: Instant, shared: &mut Shared, flow: Flow) {
        let own = super::request::Server::Proxy;
        if shared.flow(&self.settings, own) != Some(flow) || !matches!(self.stage, Stage::Staying) {
            return;
        }
        let event = self.registration.hurry(now, shared);
        self.on_registration(now, shared, event);
    }

    fn after_subscription(&mut self, now: Instant, shared: &mut Shared) {
        if self.subscriptions.take_surrender() {
            let event = self.registration.remove(now, shared, &self.settings);
            self.on_registration(now, shared, event);
        }
        self.go_on_leaving(now, shared);
    }

    pub(super) fn handle_notify(
        &mut self,
        now: Instant,
        shared: &Shared,
        request: &Message,
    ) -> Reaction {
        self.subscriptions.handle_notify(now, shared, request)
    }

    /// Takes what a NOTIFY has brought, now that it is answered.
    pub(super) fn after_notify(&mut self, now: Instant, shared: &mut Shared) {
        self.subscriptions.settle(now, shared, &self.settings);
        self.after_subscription(now, shared);
    }

    /// Applies a NOTIFY that belongs to no subscription, as `accepts-unknown-dialogs` does.
    pub(super) fn apply_foreign(&mut self, now: Instant, shared: &mut Shared, request: &Message) {
        self.subscriptions
            .apply_foreign(now, shared, &self.settings, request);
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, shared: &mut Shared) {
        let event = self
            .registration
            .handle_timeout(now, shared, &self.settings);
        self.on_registration(now, shared, event);
        self.subscriptions
            .handle_timeout(now, shared, &self.settings);
        self.after_subscription(now, shared);
        if let Some(call) = &mut self.call {
            let ended = call.handle_timeout(now, shared, &self.settings);
            self.end_call(now, shared, ended);
        }
    }

    /// When something is due.
    pub(super) fn deadline(&self, shared: &Shared) -> Option<Instant> {
        let leaving = match self.stage {
            Stage::Unsubscribing { until } => Some(until),
            Stage::Staying | Stage::Deregistering | Stage::Gone => None,
        };
        let call = self.call.as_ref().and_then(Call::deadline);
        let deadlines = [
            self.registration.deadline(shared),
            self.subscriptions.deadline(),
            leaving,
            call,
        ];
        deadlines.into_iter().flatten().min()
    }

    pub(super) fn change_service(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        service: Service,
        setting: Setting,
    ) {
        let delay = if shared.has(Defect::SendsChangeLate) {
            LATE
        } else {
            Duration::ZERO
        };
        let change = Change {
            service,
            setting,
            not_before: now + delay,
            original: true,
        };
        let bound = self.registration.is_bound();
        self.subscriptions
            .change(now, shared, &self.settings, change, bound);
    }

    pub(super) fn dial(&mut self, now: Instant, shared: &mut Shared, digits: &str) {
        if self.call.as_ref().is_some_and(Call::is_hung_up) {
            self.next_call = Some(digits.to_owned());
            return;
        }
        let handset = self.settings.handset.clone();
        let cause = if self.call.is_some() {
            "another call"
        } else if !self.registration.is_bound() {
            "not registered"
        } else {
            self.call = Call::start(now, shared, &self.settings, digits);
            if self.call.is_some() {
                return;
            }
            "not sent"
        };
        let cause = cause.to_owned();
        shared.indicate(UaIndication::CallEnded { handset, cause });
    }

    pub(super) fn hang_up(&mut self, now: Instant, shared: &mut Shared) {
        if self.next_call.take().is_some() {
            let handset = self.settings.handset.clone();
            let cause = "hung up".to_owned();
            shared.indicate(UaIndication::CallEnded { handset, cause });
        }
        if let Some(call) = &mut self.call {
            let ended = call.hang_up(now, shared, &self.settings);
            self.end_call(now, shared, ended);
        }
    }

    /// Whether this request of the server belongs to the account's call.
    pub(super) fn has_call(&self, request: &Message) -> bool {
        self.call
            .as_ref()
            .is_some_and(|call| call.owns_request(request))
    }

    pub(super) fn on_call_ended_by_peer(&mut self, now: Instant, shared: &mut Shared) {
        self.end_call(now, shared, Some("ended".to_owned()));
    }

    fn end_call(&mut self, now: Instant, shared: &mut Shared, ended: Option<String>) {
        let Some(cause) = ended else {
            return;
        };
        self.call = None;
        // The handset shows the next call already.
        if let Some(digits) = self.next_call.take() {
            self.dial(now, shared, &digits);
            return;
        }
        let handset = self.settings.handset.clone();
        shared.indicate(UaIndication::CallEnded { handset, cause });
    }
}

/// Whether new settings can be taken while the account stays registered.
fn is_same_account(old: &AccountSettings, new: &AccountSettings) -> bool {
    let fixed = |settings: &AccountSettings| AccountSettings {
        display_name: String::new(),
        feature_key_sync: false,
        ..settings.clone()
    };
    fixed(old) == fixed(new)
}
