//! One subscription of an account to one package: the subscriber of the sip crate, worked by what the base wants.
//!
//! | state | input | next |
//! |---|---|---|
//! | off | `begin` after a registration | soon: a random wait, as the model paces it |
//! | soon | the wait is over | on: the subscriber subscribes |
//! | on | the subscriber's own states | as its table says |
//! | on | a change | the change goes to the subscriber, one at a time |
//! | soon, on | `disable` | off: the subscriber unsubscribes |
//! | soon, on | `abandon` | off: silently, the binding is gone |
//!
//! The subscriber decides what is sent and when. This file writes the requests and answers challenges;
//! `states` has what the handset is told.

mod states;

use super::UaIndication;
use super::body::write_body;
use super::challenge::Challenge;
use super::change::{Change, Changes};
use super::package::{BodyKind, Package};
use super::policy;
use super::request::{Draft, Server, Shared, address_of_record};
use crate::accounts::{AccountSettings, Ipui};
use crate::defect::Defect;
use crate::user_agent::template::TemplateName;
use bytes::Bytes;
use sip::endpoint::{Failure, TransactionId};
use sip::feature_event::{Service, Setting};
use sip::message::{Message, Method};
use sip::subscription::{NotifyAnswer, Purpose, SubscribeRequest, Subscriber, SubscriberOutput};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long `subscribes-late` waits: our choice, beyond the 10 s of REG-02.
const LATE_START: Duration = Duration::from_secs(15);
/// How long `loops-on-empty-401` waits between two requests: our choice.
const LOOP: Duration = Duration::from_secs(1);

/// What becomes of a NOTIFY.
#[derive(Clone, Debug)]
pub(super) enum Reaction {
    /// It belongs to another subscription, or to none.
    NotMine,
    /// It is not answered: a defect.
    Silence,
    /// It is answered with this code, phrase and headers.
    Answer(u16, &'static str, Vec<(&'static str, String)>),
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    Off,
    Soon(Instant),
    On,
}

/// One subscription of one account.
#[derive(Clone, Debug)]
pub(super) struct Subscription {
    package: Arc<Package>,
    stage: Stage,
    /// The account it subscribes as.
    identity: Arc<AccountSettings>,
    subscriber: Subscriber,
    next_timeout: Option<Instant>,
    challenge: Challenge,
    open: Option<(TransactionId, SubscribeRequest)>,
    changes: Changes,
    known: BTreeMap<Service, Setting>,
    told_synchronised: bool,
    last_cseq: Option<u32>,
    recheck_at: Option<Instant>,
    /// What the defects need to remember.
    odd: Odd,
}

#[derive(Clone, Debug, Default)]
struct Odd {
    late: Vec<(Instant, UaIndication)>,
    loop_at: Option<Instant>,
    last_body: Option<(String, Bytes)>,
    deaf_to: Option<Service>,
    ignore_next_state: bool,
    subscribed_again: bool,
    ever_disabled: bool,
    surrender: bool,
    closing: bool,
}

impl Subscription {
    pub(super) fn new(
        shared: &mut Shared,
        settings: &AccountSettings,
        identity: &Arc<AccountSettings>,
        package: Arc<Package>,
    ) -> Self {
        let policy = policy::of(shared, settings, &package);
        let seed = shared.endpoint.rng().u64(..);
        Self {
            stage: Stage::Off,
            subscriber: Subscriber::new(policy, &address_of_record(identity), seed),
            identity: Arc::clone(identity),
            package,
            next_timeout: None,
            challenge: Challenge::new(shared, settings),
            open: None,
            changes: Changes::default(),
            known: BTreeMap::new(),
            told_synchronised: false,
            last_cseq: None,
            recheck_at: None,
            odd: Odd::default(),
        }
    }

    pub(super) fn reseed(&mut self, shared: &mut Shared) {
        self.subscriber.reseed(shared.endpoint.rng().u64(..));
        self.challenge.reseed(shared);
    }

    pub(super) fn package(&self) -> &Package {
        &self.package
    }

    /// The Call-IDs of NOTIFYs that may belong here.
    pub(super) fn call_ids(&self) -> impl Iterator<Item = &str> {
        self.subscriber.call_ids()
    }

    pub(super) fn body_kind(&self) -> BodyKind {
        self.package.body
    }

    /// Whether an account with these settings subscribes it.
    pub(super) fn is_wanted(&self, settings: &AccountSettings) -> bool {
        self.package.is_wanted(settings)
    }

    pub(super) fn owns(&self, transaction: TransactionId) -> bool {
        self.open
            .as_ref()
            .is_some_and(|(open, _)| *open == transaction)
    }

    /// Whether no subscription is there, under way or about to be made.
    pub(super) const fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Off) && self.subscriber.is_idle()
    }

    /// Whether a defect gives the registration up with the subscription. Asked once.
    pub(super) const fn take_surrender(&mut self) -> bool {
        std::mem::replace(&mut self.odd.surrender, false)
    }

    /// There is a binding: subscribes soon, unless it has begun before.
    pub(super) fn begin(&mut self, now: Instant, shared: &mut Shared, settings: &AccountSettings) {
        let again = self.odd.ever_disabled && shared.has(Defect::NeverSubscribesAgain);
        if !matches!(self.stage, Stage::Off) || again || shared.has(Defect::NeverSubscribes) {
            return;
        }
        if !self.is_wanted(settings) {
            return;
        }
        let wait = if shared.has(Defect::SubscribesLate) {
            LATE_START
        } else if shared.has(Defect::SubscribesBeforeRegistered) {
            Duration::ZERO
        } else {
            shared.below(shared.subscribe_spread)
        };
        self.stage = Stage::Soon(now + wait);
        self.handle_timeout(now, shared, settings);
    }

    /// The switch was turned on again.
    pub(super) const fn enable(&mut self) {
        self.odd.closing = false;
    }

    /// Gives the subscription up.
    pub(super) fn disable(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) {
        self.stage = Stage::Off;
        self.odd.ever_disabled = true;
        self.odd.closing = true;
        self.subscriber.unsubscribe(now);
        self.refuse_all(shared, settings);
        self.settle(now, shared, settings);
        self.tell_synchronised(shared, settings, false);
    }

    /// Forgets the subscription silently.
    pub(super) fn abandon(&mut self, shared: &mut Shared, settings: &AccountSettings) {
        if matches!(self.stage, Stage::Off) {
            return;
        }
        self.stage = Stage::Off;
        self.subscriber.abandon();
        self.open = None;
        self.recheck_at = None;
        self.refuse_all(shared, settings);
        self.tell_synchronised(shared, settings, false);
    }

    /// Asks the server for a change, as soon as the ones before are done.
    pub(super) fn change(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        change: Change,
        bound: bool,
    ) {
        if !bound || !self.subscriber.is_active() || !matches!(self.stage, Stage::On) {
            refuse(shared, settings, change.service);
            return;
        }
        self.changes.ask(change);
        self.settle(now, shared, settings);
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        response: &Message,
    ) {
        let code = response.status().unwrap_or_default();
        if code < 200 {
            return;
        }
        let Some((_, request)) = self.open.take() else {
            return;
        };
        if matches!(code, 401 | 407) {
            let refused = shared.has(Defect::NeverAnswersChallenges);
            if !refused && self.challenge.take(shared, response) {
                self.repeat(now, shared, settings, request);
                self.settle(now, shared, settings);
                return;
            }
            let bare = response.header("WWW-Authenticate").is_none();
            if bare && code == 401 && shared.has(Defect::LoopsOnEmpty401) {
                self.odd.loop_at = Some(now + LOOP);
                return;
            }
            // Without credentials the next attempt is challenged anew.
            self.challenge.forget();
        } else {
            self.challenge.accepted(response);
        }
        self.subscriber.handle_response(now, response);
        self.settle(now, shared, settings);
    }

    /// Sends the challenged request again, with credentials.
    fn repeat(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        request: SubscribeRequest,
    ) {
        if shared.has(Defect::KeepsCseqAfterChallenge) {
            self.send(now, shared, settings, request);
        } else {
            self.subscriber.repeat(now);
        }
    }

    pub(super) fn handle_failure(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        failure: Failure,
    ) {
        self.open = None;
        self.subscriber.handle_failure(now, failure);
        self.settle(now, shared, settings);
    }

    /// Judges a NOTIFY. What it brings is taken by [`Self::settle`], after the answer is on its way.
    pub(super) fn handle_notify(
        &mut self,
        now: Instant,
        shared: &Shared,
        request: &Message,
    ) -> Reaction {
        let early = self.subscriber.outstanding();
        let early = early.is_some_and(|open| {
            open.purpose == Purpose::Initial && open.call_id == request.call_id()
        });
        if early && shared.has(Defect::DropsNotifyBefore2xx) {
            return Reaction::Silence;
        }
        let number = request.cseq().map(|(number, _)| number);
        let mine = self
            .subscriber
            .dialog()
            .is_some_and(|dialog| dialog.owns(request));
        if mine && shared.has(Defect::RefusesCseqGaps) {
            let expected = self.last_cseq.map(|last| last.saturating_add(1));
            if expected.is_some() && number > expected {
                return Reaction::Answer(500, "Server Internal Error", Vec::new());
            }
        }
        let answer = self.subscriber.handle_notify(now, request);
        let NotifyAnswer::Answer {
            code,
            reason,
            headers,
        } = answer
        else {
            return Reaction::NotMine;
        };
        if mine && code < 300 {
            self.last_cseq = number;
        }
        let state = request.header("Subscription-State").unwrap_or_default();
        let closes = state.trim_start().starts_with("terminated");
        if closes && self.odd.closing && shared.has(Defect::AnswersClosingNotify481) {
            let reason = "Subscription Does Not Exist";
            return Reaction::Answer(481, reason, Vec::new());
        }
        Reaction::Answer(code, reason, headers)
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) {
        if let Stage::Soon(at) = self.stage
            && at <= now
        {
            self.stage = Stage::On;
            self.last_cseq = None;
            self.subscriber.subscribe(now);
        }
        if self.odd.loop_at.is_some_and(|at| at <= now) {
            self.odd.loop_at = None;
            self.subscriber.repeat(now);
        }
        if self.recheck_at.is_some_and(|at| at <= now) {
            self.recheck_at = None;
            self.subscriber.refresh(now);
        }
        let (due, later) = std::mem::take(&mut self.odd.late)
            .into_iter()
            .partition(|(at, _)| *at <= now);
        self.odd.late = later;
        let due: Vec<(Instant, UaIndication)> = due;
        due.into_iter()
            .for_each(|(_, state)| shared.indicate(state));
        self.subscriber.handle_timeout(now);
        if let Some(service) = self.changes.handle_timeout(now) {
            refuse(shared, settings, service);
        }
        self.settle(now, shared, settings);
    }

    /// When something is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        let soon = match self.stage {
            Stage::Soon(at) => Some(at),
            Stage::Off | Stage::On => None,
        };
        let late = self.odd.late.iter().map(|(at, _)| *at).min();
        let others = [self.next_timeout, self.changes_deadline(), self.recheck_at];
        others
            .into_iter()
            .chain([soon, late, self.odd.loop_at])
            .flatten()
            .min()
    }

    /// A change that waits for another request of the subscriber has no deadline of its own.
    fn changes_deadline(&self) -> Option<Instant> {
        self.changes.deadline()
    }

    /// Does what the subscriber wants, and sends the next change when it can.
    pub(super) fn settle(&mut self, now: Instant, shared: &mut Shared, settings: &AccountSettings) {
        loop {
            match self.subscriber.poll_output() {
                SubscriberOutput::Send(request) => self.on_send(now, shared, settings, request),
                SubscriberOutput::Indication(indication) => {
                    self.on_indication(now, shared, settings, indication);
                }
                SubscriberOutput::Timeout(at) => {
                    self.next_timeout = at;
                    if !self.subscriber.is_active() {
                        return;
                    }
                    let Some(change) = self.changes.take(now) else {
                        return;
                    };
                    let (content_type, body) = write_body(shared, settings, &change);
                    self.odd.last_body = Some((content_type.clone(), body.clone()));
                    self.subscriber.change(now, &content_type, body);
                }
            }
        }
    }

    fn on_send(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        mut request: SubscribeRequest,
    ) {
        if request.purpose == Purpose::Refresh {
            if shared.has(Defect::RefreshesOnNewDialog) {
                self.subscriber.restart(now);
                return;
            }
            if shared.has(Defect::RepeatsChangeInRefresh) {
                request.body.clone_from(&self.odd.last_body);
            }
            self.odd.ignore_next_state = shared.has(Defect::IgnoresStateAfterRefresh);
        }
        self.send(now, shared, settings, request);
    }

    fn send(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        request: SubscribeRequest,
    ) {
        let body: &[u8] = request.body.as_ref().map_or(&[], |(_, body)| body.as_ref());
        let authorization =
            self.challenge
                .authorize(&Method::Subscribe, &request.request_uri, body);
        let draft = Draft {
            template: TemplateName::Subscribe,
            uri: request.request_uri.clone(),
            call_id: request.call_id.clone(),
            cseq: request.cseq,
            local_tag: request.local_tag.clone(),
            remote_tag: request.remote_tag.clone(),
            route: request.route.clone(),
            expires: Some(request.expires),
            remote: String::new(),
            authorization,
            body: request.body.clone(),
            package: Some(Arc::clone(&self.package)),
        };
        let identity = AccountSettings {
            provider: settings.provider.clone(),
            handset: settings.handset.clone(),
            ..AccountSettings::clone(&self.identity)
        };
        match shared.send(now, &identity, Server::Proxy, &draft) {
            Some((transaction, _)) => self.open = Some((transaction, request)),
            None => self.subscriber.handle_failure(now, Failure::Transport),
        }
    }

    /// Only the services of a user are what a handset is synchronised in.
    fn tell_synchronised(&mut self, shared: &mut Shared, settings: &AccountSettings, on: bool) {
        let counts = self.package.body == BodyKind::FeatureEvent;
        if counts && self.told_synchronised != on {
            self.told_synchronised = on;
            let handset = settings.handset.clone();
            shared.indicate(UaIndication::Synchronised { handset, on });
        }
    }

    fn refuse_all(&mut self, shared: &mut Shared, settings: &AccountSettings) {
        for service in self.changes.refuse_all() {
            refuse(shared, settings, service);
        }
    }
}

/// A change will not be made.
pub(super) fn refuse(shared: &mut Shared, settings: &AccountSettings, service: Service) {
    let handset: Ipui = settings.handset.clone();
    shared.indicate(UaIndication::ChangeRefused { handset, service });
}
