//! The subscriber of one package and resource (RFC 6665 §4.1).
//!
//! | state       | verb or event                     | what follows                                                     |
//! |-------------|-----------------------------------|------------------------------------------------------------------|
//! | Idle        | `subscribe`                       | initial SUBSCRIBE -> Subscribing                                 |
//! | Waiting     | retry time, `subscribe`           | initial SUBSCRIBE -> Subscribing                                 |
//! | Subscribing | NOTIFY active or pending          | -> Active                                                        |
//! |             | refused; silence; Timer N         | -> Waiting, or Idle when refused for good                        |
//! | Active      | `change`, `refresh`, refresh time | SUBSCRIBE in the dialog, one outstanding at a time               |
//! |             | NOTIFY terminated; ending code; Timer F, Timer N; expiry | -> Waiting or Idle, as the policy says    |
//! |             | any other refusal                 | stays until its expiry                                           |
//! | Ending      | closing NOTIFY; refusal; Timer N  | -> Idle                                                          |
//!
//! The 2xx alone makes no subscription: the NOTIFY does, before or after it. One SUBSCRIBE is outstanding at a time, in
//! every state, so [`handle_failure`](Subscriber::handle_failure) needs no name; while one is, no timer of this machine
//! runs, because its transaction ends by itself.

mod notify;
mod response;

use super::{ChangeDialog, Comeback, Content, SubscriberPolicy, Unsubscribe};
use crate::dialog::Dialog;
use crate::time::Instant;
use crate::transaction::Failure;
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::Duration;

/// What a SUBSCRIBE is sent for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// To begin.
    Initial,
    /// To go on, and to read the whole state.
    Refresh,
    /// To ask for a change of the state.
    Change,
    /// To end.
    Unsubscribe,
}

/// The values of a SUBSCRIBE that the owner is to write and send in a client transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeRequest {
    /// What for.
    pub purpose: Purpose,
    /// Call-ID.
    pub call_id: String,
    /// The number in CSeq.
    pub cseq: u32,
    /// The tag in From.
    pub local_tag: String,
    /// The tag in To; none outside a dialog.
    pub remote_tag: Option<String>,
    /// The Request-URI.
    pub request_uri: String,
    /// The Route headers, in order.
    pub route: Vec<String>,
    /// The value of Expires.
    pub expires: u32,
    /// Content-Type and body.
    pub body: Option<(String, Bytes)>,
}

/// How a NOTIFY is to be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyAnswer {
    /// It belongs to no subscription of this machine. If it is nobody's, the answer is 481.
    NotMine,
    /// Answer so.
    Answer {
        /// The status code.
        code: u16,
        /// The reason phrase.
        reason: &'static str,
        /// Further headers.
        headers: Vec<(&'static str, String)>,
    },
}

/// Why a change did not take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeFailure {
    /// There is no subscription to send it in, or it ended first.
    NoSubscription,
    /// It was refused with this code.
    Refused(u16),
    /// It was not answered.
    Unanswered(Failure),
    /// It was accepted, and no NOTIFY came by Timer N.
    Unconfirmed,
}

/// Why a subscription ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The server said so, with this reason if any.
    Terminated(Option<String>),
    /// A request in it got a response that ends it.
    Refused(u16),
    /// A request in it, or the initial one, got no response.
    Unanswered(Failure),
    /// No NOTIFY came by Timer N.
    NoNotify,
    /// It was not refreshed in time.
    Expired,
    /// The owner gave it up.
    Unsubscribed,
    /// The initial SUBSCRIBE got a 202, and the policy takes that for no.
    Accepted202,
}

/// What a subscriber tells its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriberIndication {
    /// A 2xx came.
    Accepted {
        /// For what.
        purpose: Purpose,
        /// 200 or 202.
        code: u16,
    },
    /// A NOTIFY said `active`.
    Active {
        /// When it ends unless it is refreshed.
        until: Instant,
    },
    /// A NOTIFY said `pending`: there is no state to show.
    Pending {
        /// When it ends unless it is refreshed.
        until: Instant,
    },
    /// A NOTIFY brought state.
    State {
        /// Content-Type.
        content_type: String,
        /// The body.
        body: Bytes,
    },
    /// A change did not take.
    ChangeFailed {
        /// Why.
        cause: ChangeFailure,
    },
    /// It is over.
    Ended {
        /// Why.
        reason: EndReason,
        /// When the next attempt follows by itself.
        retry_at: Option<Instant>,
    },
    /// An initial SUBSCRIBE was refused.
    Refused {
        /// The status code.
        code: u16,
        /// When the next attempt follows by itself.
        retry_at: Option<Instant>,
    },
}

/// What a subscriber wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubscriberOutput {
    /// Send this SUBSCRIBE in a client transaction.
    Send(SubscribeRequest),
    /// Something for the owner.
    Indication(SubscriberIndication),
    /// Nothing more until then, or until the next input.
    Timeout(Option<Instant>),
}

#[derive(Clone, Debug)]
enum State {
    Idle,
    Waiting {
        retry_at: Instant,
    },
    Subscribing {
        dialog: Dialog,
        /// The lifetime in the 2xx, once it has come.
        granted: Option<Duration>,
        /// Timer N.
        notify_by: Option<Instant>,
    },
    Active {
        dialog: Dialog,
        refresh_at: Option<Instant>,
        expires_at: Instant,
        /// Timer N, until a NOTIFY follows the latest SUBSCRIBE.
        notify_by: Option<Instant>,
        /// Whether a NOTIFY has named a lifetime since the latest SUBSCRIBE.
        lifetime_told: bool,
    },
    Ending {
        dialog: Dialog,
        /// Timer N.
        notify_by: Instant,
    },
}

#[derive(Clone, Debug)]
enum Want {
    Change(Content),
    Refresh,
    Unsubscribe,
}

#[derive(Clone, Debug)]
struct Outstanding {
    request: SubscribeRequest,
    /// What it was sent for is over; its response only ends the wait.
    moot: bool,
}

/// The subscriber of one package and resource.
#[derive(Clone, Debug)]
pub struct Subscriber {
    policy: SubscriberPolicy,
    aor: String,
    rng: fastrand::Rng,
    state: State,
    outstanding: Option<Outstanding>,
    wants: VecDeque<Want>,
    /// The latest change was accepted and not yet followed by a NOTIFY.
    unconfirmed: bool,
    /// A new subscription is wanted as soon as the old one has ended.
    again: bool,
    failures: u32,
    last_initial: Option<Instant>,
    last_at_once: Option<Instant>,
    /// Call-ID and local tag of changes sent outside the dialog.
    strays: Vec<(String, String)>,
    out: VecDeque<SubscriberOutput>,
}

impl Subscriber {
    /// A subscriber to the state of `aor`, at rest. Its Call-IDs and tags follow from the seed and the address.
    #[must_use]
    pub fn new(policy: SubscriberPolicy, aor: &str, seed: u64) -> Self {
        Self {
            policy,
            aor: aor.to_owned(),
            rng: generator(aor, seed),
            state: State::Idle,
            outstanding: None,
            wants: VecDeque::new(),
            unconfirmed: false,
            again: false,
            failures: 0,
            last_initial: None,
            last_at_once: None,
            strays: Vec::new(),
            out: VecDeque::new(),
        }
    }

    /// Draws Call-IDs, tags and the spread of refreshes from this seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = generator(&self.aor, seed);
    }

    /// The policy in force.
    #[must_use]
    pub const fn policy(&self) -> &SubscriberPolicy {
        &self.policy
    }

    /// The policy, to be changed before the next input.
    pub const fn policy_mut(&mut self) -> &mut SubscriberPolicy {
        &mut self.policy
    }

    /// Whether a NOTIFY has made a subscription that has not ended.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }

    /// Whether it has no subscription and no attempt ahead.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// The dialog, while there is one.
    #[must_use]
    pub const fn dialog(&self) -> Option<&Dialog> {
        match &self.state {
            State::Subscribing { dialog, .. }
            | State::Active { dialog, .. }
            | State::Ending { dialog, .. } => Some(dialog),
            State::Idle | State::Waiting { .. } => None,
        }
    }

    /// The Call-IDs of all NOTIFYs that can be of this machine: one with another is not, in whatever state.
    pub fn call_ids(&self) -> impl Iterator<Item = &str> {
        let joined = self.dialog().map(|dialog| dialog.call_id.as_str());
        let asked = self.outstanding().map(|request| request.call_id.as_str());
        let strays = self.strays.iter().map(|(call_id, _)| call_id.as_str());
        let asked = asked.filter(move |asked| joined != Some(asked));
        joined.into_iter().chain(asked).chain(strays)
    }

    /// The SUBSCRIBE that has no final response yet.
    #[must_use]
    pub fn outstanding(&self) -> Option<&SubscribeRequest> {
        self.outstanding
            .as_ref()
            .map(|outstanding| &outstanding.request)
    }

    /// Begins. While there is an attempt or a subscription this changes nothing; a wait for the next attempt is cut short
    /// if the retry floor has passed.
    pub fn subscribe(&mut self, now: Instant) {
        match self.state {
            State::Idle => self.state = State::Waiting { retry_at: now },
            State::Waiting { retry_at } => {
                let floor = self
                    .last_initial
                    .map_or(now, |last| last + self.policy.retry_floor);
                self.state = State::Waiting {
                    retry_at: retry_at.min(floor),
                };
            }
            State::Ending { .. } => self.again = true,
            State::Subscribing { .. } | State::Active { .. } => {
                self.wants.retain(|want| !matches!(want, Want::Unsubscribe));
            }
        }
        self.pump(now);
    }

    /// Asks for a change of the state, after those asked for before.
    pub fn change(&mut self, now: Instant, content_type: &str, body: impl Into<Bytes>) {
        if !matches!(self.state, State::Subscribing { .. } | State::Active { .. }) {
            self.change_failed(ChangeFailure::NoSubscription);
            return;
        }
        self.wants.push_back(Want::Change(Content {
            content_type: content_type.to_owned(),
            body: body.into(),
        }));
        self.pump(now);
    }

    /// Refreshes now, or as soon as nothing is outstanding.
    pub fn refresh(&mut self, now: Instant) {
        let queued = self.wants.iter().any(|want| matches!(want, Want::Refresh));
        if !queued && matches!(self.state, State::Active { .. }) {
            self.wants.push_back(Want::Refresh);
        }
        self.pump(now);
    }

    /// Gives the subscription up. Changes that were not sent yet fail.
    pub fn unsubscribe(&mut self, now: Instant) {
        self.again = false;
        match self.state {
            State::Idle | State::Ending { .. } => {}
            State::Waiting { .. } => self.end(now, EndReason::Unsubscribed, Comeback::Never, None),
            State::Subscribing { .. } | State::Active { .. }
                if self.policy.unsubscribe == Unsubscribe::Silent =>
            {
                self.end(now, EndReason::Unsubscribed, Comeback::Never, None);
            }
            State::Subscribing { .. } | State::Active { .. } => {
                self.fail_queued_changes();
                self.wants.clear();
                self.wants.push_back(Want::Unsubscribe);
                self.pump(now);
            }
        }
    }

    /// Forgets everything silently and begins anew in a new dialog: after a failover, or when the flow is gone.
    /// The owner must no longer report the fate of a SUBSCRIBE that was sent before.
    pub fn restart(&mut self, now: Instant) {
        self.abandon();
        self.state = State::Waiting { retry_at: now };
        self.pump(now);
    }

    /// Forgets everything silently. The owner must no longer report the fate of a SUBSCRIBE that was sent before.
    pub fn abandon(&mut self) {
        self.state = State::Idle;
        self.outstanding = None;
        self.wants.clear();
        self.unconfirmed = false;
        self.again = false;
        self.failures = 0;
    }

    /// Sends the outstanding SUBSCRIBE again with the next CSeq number, body included: after a digest challenge that
    /// the owner can answer, in place of [`handle_response`](Self::handle_response).
    pub fn repeat(&mut self, now: Instant) {
        let Some(outstanding) = &mut self.outstanding else {
            return;
        };
        let mut request = outstanding.request.clone();
        request.cseq = match &mut self.state {
            State::Subscribing { dialog, .. }
            | State::Active { dialog, .. }
            | State::Ending { dialog, .. }
                if dialog.call_id == request.call_id =>
            {
                dialog.next_cseq()
            }
            _ => request.cseq.saturating_add(1),
        };
        outstanding.request = request.clone();
        self.start_timer_n(now);
        self.out.push_back(SubscriberOutput::Send(request));
    }

    /// The next thing that the subscriber wants.
    pub fn poll_output(&mut self) -> SubscriberOutput {
        self.out
            .pop_front()
            .unwrap_or_else(|| SubscriberOutput::Timeout(self.deadline()))
    }

    fn deadline(&self) -> Option<Instant> {
        if self.outstanding.is_some() {
            return None;
        }
        match self.state {
            State::Idle => None,
            State::Waiting { retry_at } => Some(retry_at),
            State::Subscribing { notify_by, .. } => notify_by,
            State::Active {
                refresh_at,
                expires_at,
                notify_by,
                ..
            } => [refresh_at, Some(expires_at), notify_by]
                .into_iter()
                .flatten()
                .min(),
            State::Ending { notify_by, .. } => Some(notify_by),
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let due = self.deadline().is_some_and(|deadline| now >= deadline);
        if !due {
            return;
        }
        let passed = |at: Option<Instant>| at.is_some_and(|at| now >= at);
        match self.state {
            State::Idle => {}
            State::Waiting { .. } => self.pump(now),
            State::Subscribing { .. } => {
                self.end(now, EndReason::NoNotify, Comeback::Later, None);
            }
            State::Active { notify_by, .. } if passed(notify_by) => {
                self.end(now, EndReason::NoNotify, Comeback::AtOnce, None);
            }
            State::Active { refresh_at, .. } if passed(refresh_at) => self.refresh(now),
            State::Active { .. } => self.end(now, EndReason::Expired, Comeback::AtOnce, None),
            State::Ending { .. } => {
                self.end(now, EndReason::Unsubscribed, Comeback::Never, None);
            }
        }
    }

    /// Sends what is wanted next, if nothing is outstanding.
    fn pump(&mut self, now: Instant) {
        if self.outstanding.is_some() {
            return;
        }
        match &self.state {
            State::Waiting { retry_at } if now >= *retry_at => self.send_initial(now),
            State::Subscribing {
                granted: Some(_), ..
            } if matches!(self.wants.front(), Some(Want::Unsubscribe)) => {
                self.wants.clear();
                self.send_unsubscribe(now);
            }
            State::Active { .. } => match self.wants.pop_front() {
                Some(Want::Change(content)) => {
                    self.unconfirmed = false;
                    self.send_in_dialog(now, Purpose::Change, Some(content));
                }
                Some(Want::Refresh) => {
                    let content = self.policy.refresh_content.clone();
                    self.send_in_dialog(now, Purpose::Refresh, content);
                }
                Some(Want::Unsubscribe) => self.send_unsubscribe(now),
                None => {}
            },
            _ => {}
        }
    }

    fn send_initial(&mut self, now: Instant) {
        self.last_initial = Some(now);
        let call_id = format!("{:032x}", self.rng.u128(..));
        let local_tag = format!("{:08x}", self.rng.u32(..));
        let aor = &self.aor;
        let mut dialog = Dialog::outgoing(call_id, local_tag, aor.clone(), aor.clone(), 1);
        let request = SubscribeRequest {
            purpose: Purpose::Initial,
            call_id: dialog.call_id.clone(),
            cseq: dialog.next_cseq(),
            local_tag: dialog.local_tag.clone(),
            remote_tag: None,
            request_uri: aor.clone(),
            route: self.policy.initial_route.clone(),
            expires: self.policy.expires,
            body: body_of(self.policy.initial_content.clone()),
        };
        self.state = State::Subscribing {
            dialog,
            granted: None,
            notify_by: None,
        };
        self.send(now, request);
    }

    fn send_in_dialog(&mut self, now: Instant, purpose: Purpose, content: Option<Content>) {
        let outside = purpose == Purpose::Change && self.policy.change_dialog == ChangeDialog::New;
        let expires = match purpose {
            Purpose::Unsubscribe => 0,
            _ => self.policy.expires,
        };
        let (State::Active { dialog, .. }
        | State::Ending { dialog, .. }
        | State::Subscribing { dialog, .. }) = &mut self.state
        else {
            return;
        };
        let mut request = SubscribeRequest {
            purpose,
            call_id: dialog.call_id.clone(),
            cseq: 1,
            local_tag: dialog.local_tag.clone(),
            remote_tag: dialog.remote_tag.clone(),
            request_uri: dialog.remote_target.clone(),
            route: dialog.route_set.clone(),
            expires,
            body: body_of(content),
        };
        if outside {
            request.call_id = format!("{:032x}", self.rng.u128(..));
            request.local_tag = format!("{:08x}", self.rng.u32(..));
            request.remote_tag = None;
            request.request_uri.clone_from(&self.aor);
            request.route.clone_from(&self.policy.initial_route);
            let names = (request.call_id.clone(), request.local_tag.clone());
            self.strays.push(names);
        } else {
            request.cseq = dialog.next_cseq();
        }
        self.send(now, request);
    }

    fn send_unsubscribe(&mut self, now: Instant) {
        let state = std::mem::replace(&mut self.state, State::Idle);
        if let State::Subscribing { dialog, .. } | State::Active { dialog, .. } = state {
            self.state = State::Ending {
                dialog,
                notify_by: now,
            };
            self.send_in_dialog(now, Purpose::Unsubscribe, None);
        }
    }

    fn send(&mut self, now: Instant, request: SubscribeRequest) {
        self.outstanding = Some(Outstanding {
            request: request.clone(),
            moot: false,
        });
        self.start_timer_n(now);
        self.out.push_back(SubscriberOutput::Send(request));
    }

    /// Timer N runs from every SUBSCRIBE that is sent.
    fn start_timer_n(&mut self, now: Instant) {
        let timer_n = self.policy.timer_n;
        match &mut self.state {
            State::Subscribing { notify_by, .. } => *notify_by = timer_n.map(|n| now + n),
            State::Active {
                notify_by,
                refresh_at,
                lifetime_told,
                ..
            } => {
                *notify_by = timer_n.map(|n| now + n);
                *refresh_at = None;
                *lifetime_told = false;
            }
            State::Ending { notify_by, .. } => {
                *notify_by = now + timer_n.unwrap_or(Duration::from_secs(32));
            }
            State::Idle | State::Waiting { .. } => {}
        }
    }

    /// The subscription or the attempt is over.
    fn end(
        &mut self,
        now: Instant,
        reason: EndReason,
        comeback: Comeback,
        retry_after: Option<u32>,
    ) {
        let retry_at = self.leave(now, comeback, retry_after);
        self.indicate(SubscriberIndication::Ended { reason, retry_at });
        self.pump(now);
    }

    /// Gives the dialog up and says when the next attempt follows.
    fn leave(
        &mut self,
        now: Instant,
        comeback: Comeback,
        retry_after: Option<u32>,
    ) -> Option<Instant> {
        self.fail_queued_changes();
        if self.unconfirmed {
            self.unconfirmed = false;
            self.change_failed(ChangeFailure::Unconfirmed);
        }
        if let Some(outstanding) = &mut self.outstanding {
            let open = !std::mem::replace(&mut outstanding.moot, true);
            if open && outstanding.request.purpose == Purpose::Change {
                self.change_failed(ChangeFailure::NoSubscription);
            }
        }
        let given_up = self
            .wants
            .iter()
            .any(|want| matches!(want, Want::Unsubscribe));
        self.wants.clear();
        let again = std::mem::take(&mut self.again);
        let retry_at = match comeback {
            _ if again => Some(now),
            _ if given_up => None,
            Comeback::Never => None,
            Comeback::AtOnce => Some(self.at_once(now)),
            Comeback::Later => Some(self.later(now, retry_after)),
        };
        self.state = retry_at.map_or(State::Idle, |retry_at| State::Waiting { retry_at });
        retry_at
    }

    /// Now, unless that was said within the retry floor before.
    fn at_once(&mut self, now: Instant) -> Instant {
        let earliest = self
            .last_at_once
            .map_or(now, |last| last + self.policy.retry_floor);
        let at = earliest.max(now);
        self.last_at_once = Some(at);
        at
    }

    /// After Retry-After or the back-off, whichever is longer.
    fn later(&mut self, now: Instant, retry_after: Option<u32>) -> Instant {
        let doublings = self.failures.min(16);
        self.failures = self.failures.saturating_add(1);
        let backoff = self
            .policy
            .retry_floor
            .saturating_mul(1 << doublings)
            .min(self.policy.retry_ceiling.max(self.policy.retry_floor));
        let asked = retry_after.filter(|_| self.policy.heed_retry_after);
        let asked = Duration::from_secs(asked.unwrap_or(0).into());
        now + backoff.max(asked)
    }

    fn fail_queued_changes(&mut self) {
        let queued = self
            .wants
            .iter()
            .filter(|want| matches!(want, Want::Change(_)))
            .count();
        for _ in 0..queued {
            self.change_failed(ChangeFailure::NoSubscription);
        }
    }

    fn change_failed(&mut self, cause: ChangeFailure) {
        self.indicate(SubscriberIndication::ChangeFailed { cause });
    }

    fn indicate(&mut self, indication: SubscriberIndication) {
        self.out.push_back(SubscriberOutput::Indication(indication));
    }
}

fn body_of(content: Option<Content>) -> Option<(String, Bytes)> {
    content.map(|content| (content.content_type, content.body))
}

/// Mixed, so that neither two addresses nor an endpoint with the same seed draw the same names.
fn generator(aor: &str, seed: u64) -> fastrand::Rng {
    let mixed = aor.bytes().fold(seed ^ 0x5355_4253, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    fastrand::Rng::with_seed(mixed)
}
