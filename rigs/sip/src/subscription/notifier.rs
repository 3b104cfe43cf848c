//! The notifier of one subscription (RFC 6665 §4.2).
//!
//! | state   | SUBSCRIBE          | Expires 0              | `notify`        | `terminate`          | expiry              |
//! |---------|--------------------|------------------------|-----------------|----------------------|---------------------|
//! | (none)  | `accept` -> Active | `accept` -> Fetching   |                 |                      |                     |
//! | Active  | stays, new expiry  | closing NOTIFY -> Closing | NOTIFY active | closing NOTIFY -> Closing | closing NOTIFY -> Closing |
//! | Fetching|                    |                        | closing NOTIFY -> Closing |            |                     |
//! | Closing | 481                | 481                    | nothing         | nothing              |                     |
//! | Ended   | 481                | 481                    | nothing         | nothing              |                     |
//!
//! Closing becomes Ended when the closing NOTIFY was answered or lost; a NOTIFY that is refused or lost ends any state,
//! as the policy says. The state of the resource is the owner's: it calls [`notify`](Notifier::notify) after every
//! SUBSCRIBE that it accepts, and when something changes. Several changes that wait are not merged here.

use super::{Content, ENDING_CODES, NotifierPolicy, Pace, RefusalRule, StateSyntax};
use super::{SubscriptionState, Substate, package, retry_after};
use crate::dialog::Dialog;
use crate::message::Message;
use crate::time::Instant;
use crate::transaction::Failure;
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// The values of a NOTIFY that the owner is to write and send in a client transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyRequest {
    /// Call-ID.
    pub call_id: String,
    /// The number in CSeq.
    pub cseq: u32,
    /// The URI in From.
    pub local_uri: String,
    /// The tag in From.
    pub local_tag: String,
    /// The URI in To.
    pub remote_uri: String,
    /// The tag in To.
    pub remote_tag: String,
    /// The Request-URI.
    pub request_uri: String,
    /// The Route headers, in order.
    pub route: Vec<String>,
    /// The value of Event.
    pub event: String,
    /// The value of Subscription-State.
    pub subscription_state: String,
    /// The body, if any.
    pub content: Option<Content>,
}

/// How a SUBSCRIBE is to be answered. The owner adds the To tag (the dialog's local tag) and Contact.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeAnswer {
    /// What the SUBSCRIBE was.
    pub kind: SubscribeKind,
    /// The status code.
    pub code: u16,
    /// The reason phrase.
    pub reason: &'static str,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
}

/// What a SUBSCRIBE was, for the notifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscribeKind {
    /// It began a subscription: a NOTIFY with the full state is due.
    Initial,
    /// It fetched the state once: a NOTIFY with the full state is due, and it will be the closing one.
    Fetch,
    /// It went on, without body: a NOTIFY with the full state is due.
    Refreshed,
    /// It went on, with a body: a NOTIFY with the resulting state is due.
    Changed,
    /// It ended the subscription: the closing NOTIFY follows by itself.
    Unsubscribed,
    /// It was refused and changed nothing.
    Refused,
}

/// Why a subscription is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifierEnd {
    /// The closing NOTIFY was answered or lost.
    Closed,
    /// A NOTIFY was refused with this code.
    Refused(u16),
    /// A NOTIFY was not answered.
    Unanswered(Failure),
}

/// What a notifier tells its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifierIndication {
    /// A NOTIFY was answered 2xx.
    Delivered {
        /// Its CSeq number.
        cseq: u32,
    },
    /// A NOTIFY was refused, and the subscription stands.
    Refused {
        /// Its CSeq number.
        cseq: u32,
        /// The status code.
        code: u16,
    },
    /// It was not refreshed in time; the closing NOTIFY follows.
    Expired,
    /// It is over, and nothing more will come of it.
    Ended {
        /// Why.
        cause: NotifierEnd,
    },
}

/// What a notifier wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifierOutput {
    /// Send this NOTIFY in a client transaction.
    Send(Box<NotifyRequest>),
    /// Something for the owner.
    Indication(NotifierIndication),
    /// Nothing more until then, or until the next input.
    Timeout(Option<Instant>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Active { expires_at: Instant },
    Fetching,
    Closing,
    Ended,
}

#[derive(Clone, Debug)]
struct Pending {
    content: Option<Content>,
    /// Subscription-State of a closing NOTIFY; that of the others is written when they leave.
    closing: Option<SubscriptionState>,
}

/// The notifier of one subscription.
#[derive(Clone, Debug)]
pub struct Notifier {
    /// Shared, because many subscriptions of one server have the same.
    policy: Arc<NotifierPolicy>,
    dialog: Dialog,
    event: String,
    state: State,
    queue: VecDeque<Pending>,
    unanswered: BTreeSet<u32>,
    closing_cseq: Option<u32>,
    out: VecDeque<NotifierOutput>,
}

impl Notifier {
    /// Accepts a SUBSCRIBE outside a dialog, or says how to refuse it. The machine never asks who sent it.
    ///
    /// # Errors
    /// With the answer, when the package is another one (489) or the time is too brief (423).
    pub fn accept(
        now: Instant,
        policy: impl Into<Arc<NotifierPolicy>>,
        subscribe: &Message,
        local_tag: String,
    ) -> Result<(Self, SubscribeAnswer), SubscribeAnswer> {
        let policy = policy.into();
        let event = subscribe.header("Event").unwrap_or_default().to_owned();
        if package(&event) != policy.event {
            let headers = vec![("Allow-Events", policy.event.clone())];
            return Err(refusal(489, "Bad Event", headers));
        }
        let granted = grant(&policy, subscribe)?;
        let (state, kind) = if granted == 0 {
            (State::Fetching, SubscribeKind::Fetch)
        } else {
            let expires_at = now + Duration::from_secs(granted.into());
            (State::Active { expires_at }, SubscribeKind::Initial)
        };
        let answer = acceptance(&policy, kind, granted);
        let notifier = Self {
            dialog: Dialog::from_request(subscribe, local_tag, policy.first_cseq),
            policy,
            event,
            state,
            queue: VecDeque::new(),
            unanswered: BTreeSet::new(),
            closing_cseq: None,
            out: VecDeque::new(),
        };
        Ok((notifier, answer))
    }

    /// Takes another policy, before the next input.
    pub fn set_policy(&mut self, policy: impl Into<Arc<NotifierPolicy>>) {
        self.policy = policy.into();
    }

    /// The dialog.
    #[must_use]
    pub const fn dialog(&self) -> &Dialog {
        &self.dialog
    }

    /// The dialog, for a scenario that sends something wrong on purpose: the next CSeq number follows `local_cseq`.
    pub const fn dialog_mut(&mut self) -> &mut Dialog {
        &mut self.dialog
    }

    /// The value of Event.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// Whether the subscriber hears of changes.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.state, State::Active { .. })
    }

    /// Whether nothing more will come of it.
    #[must_use]
    pub const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// When it ends unless it is refreshed.
    #[must_use]
    pub const fn expires_at(&self) -> Option<Instant> {
        match self.state {
            State::Active { expires_at } => Some(expires_at),
            State::Fetching | State::Closing | State::Ended => None,
        }
    }

    /// Whether a SUBSCRIBE in a dialog belongs here.
    #[must_use]
    pub fn owns(&self, subscribe: &Message) -> bool {
        self.dialog.owns(subscribe)
    }

    /// Takes a SUBSCRIBE of this dialog, once. The owner sends the answer, calls [`notify`](Self::notify) where one is
    /// due, and drains [`poll_output`](Self::poll_output); in which order is a habit of servers.
    pub fn handle_subscribe(&mut self, now: Instant, subscribe: &Message) -> SubscribeAnswer {
        if !self.is_active() {
            return refusal(481, "Subscription Does Not Exist", Vec::new());
        }
        if self.dialog.check_order(subscribe).is_err() {
            let code = self.policy.out_of_order_code;
            return refusal(code, "CSeq Out Of Order", Vec::new());
        }
        let granted = match grant(&self.policy, subscribe) {
            Ok(granted) => granted,
            Err(refusal) => return refusal,
        };
        self.dialog.refresh_target(subscribe);
        let kind = if granted == 0 {
            SubscribeKind::Unsubscribed
        } else if subscribe.body().is_empty() {
            SubscribeKind::Refreshed
        } else {
            SubscribeKind::Changed
        };
        if granted == 0 {
            let reason = self.policy.unsubscribe_reason.clone();
            self.close(now, Some(reason), None, None);
        } else {
            let expires_at = now + Duration::from_secs(granted.into());
            self.state = State::Active { expires_at };
        }
        acceptance(&self.policy, kind, granted)
    }

    /// Notifies this content, after those before it.
    pub fn notify(&mut self, now: Instant, content: Option<Content>) {
        match self.state {
            State::Active { .. } => {
                let closing = None;
                self.queue.push_back(Pending { content, closing });
                self.pump(now);
            }
            State::Fetching => {
                let reason = self.policy.unsubscribe_reason.clone();
                self.close(now, Some(reason), None, content);
            }
            State::Closing | State::Ended => {}
        }
    }

    /// Ends the subscription with a closing NOTIFY without body.
    pub fn terminate(&mut self, now: Instant, reason: Option<&str>, retry_after: Option<u32>) {
        self.terminate_with(now, reason, retry_after, None);
    }

    /// Ends the subscription with a closing NOTIFY that carries this content.
    pub fn terminate_with(
        &mut self,
        now: Instant,
        reason: Option<&str>,
        retry_after: Option<u32>,
        content: Option<Content>,
    ) {
        if matches!(self.state, State::Active { .. } | State::Fetching) {
            self.close(now, reason.map(str::to_owned), retry_after, content);
        }
    }

    /// Takes a response to a NOTIFY.
    pub fn handle_response(&mut self, now: Instant, response: &Message) {
        let code = response.status().unwrap_or_default();
        let Some((cseq, _)) = response.cseq() else {
            return;
        };
        if code < 200 || !self.unanswered.remove(&cseq) {
            return;
        }
        let ends = match self.policy.on_refusal {
            _ if code < 300 => false,
            RefusalRule::EndingCodes => ENDING_CODES.contains(&code),
            RefusalRule::AllWithoutRetryAfter => retry_after(response).is_none(),
            RefusalRule::None => false,
        };
        if code < 300 {
            self.indicate(NotifierIndication::Delivered { cseq });
        } else if !ends {
            self.indicate(NotifierIndication::Refused { cseq, code });
        }
        if self.closing_cseq == Some(cseq) {
            self.end(NotifierEnd::Closed);
        } else if ends {
            self.end(NotifierEnd::Refused(code));
        }
        self.pump(now);
    }

    /// The NOTIFY with this CSeq number got no response.
    pub fn handle_failure(&mut self, now: Instant, cseq: u32, failure: Failure) {
        if !self.unanswered.remove(&cseq) {
            return;
        }
        if self.closing_cseq == Some(cseq) {
            self.end(NotifierEnd::Closed);
        } else if self.policy.on_refusal != RefusalRule::None {
            self.end(NotifierEnd::Unanswered(failure));
        }
        self.pump(now);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.indicate(NotifierIndication::Expired);
            let reason = self.policy.expiry_reason.clone();
            self.close(now, Some(reason), None, None);
        }
    }

    /// The next thing that the notifier wants.
    pub fn poll_output(&mut self) -> NotifierOutput {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        self.give_back();
        NotifierOutput::Timeout(self.deadline())
    }

    /// Gives back the memory of what has left: a subscription that waits for an hour holds its dialog and nothing else.
    fn give_back(&mut self) {
        self.out = VecDeque::new();
        if self.queue.is_empty() {
            self.queue = VecDeque::new();
        }
        if self.unanswered.is_empty() {
            self.unanswered = BTreeSet::new();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.expires_at()
            .map(|expires_at| expires_at + self.policy.expiry_grace)
    }

    fn close(
        &mut self,
        now: Instant,
        reason: Option<String>,
        retry_after: Option<u32>,
        content: Option<Content>,
    ) {
        self.state = State::Closing;
        let closing = Some(SubscriptionState {
            substate: Substate::Terminated,
            expires: None,
            reason,
            retry_after,
        });
        self.queue.push_back(Pending { content, closing });
        self.pump(now);
    }

    /// Sends what waits, as far as the pace allows.
    fn pump(&mut self, now: Instant) {
        while self.unanswered.is_empty() || self.policy.pace == Pace::Pipelined {
            let Some(pending) = self.queue.pop_front() else {
                return;
            };
            let cseq = self.dialog.next_cseq();
            self.unanswered.insert(cseq);
            if pending.closing.is_some() {
                self.closing_cseq = Some(cseq);
            }
            let request = NotifyRequest {
                call_id: self.dialog.call_id.clone(),
                cseq,
                local_uri: self.dialog.local_uri.clone(),
                local_tag: self.dialog.local_tag.clone(),
                remote_uri: self.dialog.remote_uri.clone(),
                remote_tag: self.dialog.remote_tag.clone().unwrap_or_default(),
                request_uri: self.dialog.remote_target.clone(),
                route: self.dialog.route_set.clone(),
                event: self.event.clone(),
                subscription_state: self.state_text(now, pending.closing),
                content: pending.content,
            };
            self.out.push_back(NotifierOutput::Send(Box::new(request)));
        }
    }

    fn state_text(&self, now: Instant, closing: Option<SubscriptionState>) -> String {
        if let Some(closing) = closing {
            return closing.to_string();
        }
        let left = self.expires_at().map(|at| at.since(now).as_secs());
        match (self.policy.state_syntax, left) {
            (StateSyntax::Parameter, Some(left)) => format!("active;expires={left}"),
            (StateSyntax::Comma, Some(left)) => format!("active, {left}"),
            _ => "active".to_owned(),
        }
    }

    fn end(&mut self, cause: NotifierEnd) {
        self.state = State::Ended;
        self.queue.clear();
        self.indicate(NotifierIndication::Ended { cause });
    }

    fn indicate(&mut self, indication: NotifierIndication) {
        self.out.push_back(NotifierOutput::Indication(indication));
    }
}

fn grant(policy: &NotifierPolicy, subscribe: &Message) -> Result<u32, SubscribeAnswer> {
    let asked = subscribe.expires().unwrap_or(policy.default_expires);
    match policy.min_expires {
        Some(minimum) if asked > 0 && asked < minimum => {
            let header = ("Min-Expires", minimum.to_string());
            let headers = policy.min_expires_header.then_some(header);
            Err(refusal(
                423,
                "Interval Too Brief",
                headers.into_iter().collect(),
            ))
        }
        _ => Ok(policy.grant.of(asked)),
    }
}

fn acceptance(policy: &NotifierPolicy, kind: SubscribeKind, granted: u32) -> SubscribeAnswer {
    let header = ("Expires", granted.to_string());
    SubscribeAnswer {
        kind,
        code: policy.accept_code,
        reason: if policy.accept_code == 202 {
            "Accepted"
        } else {
            "OK"
        },
        headers: policy
            .expires_header
            .then_some(header)
            .into_iter()
            .collect(),
    }
}

fn refusal(
    code: u16,
    reason: &'static str,
    headers: Vec<(&'static str, String)>,
) -> SubscribeAnswer {
    SubscribeAnswer {
        kind: SubscribeKind::Refused,
        code,
        reason,
        headers,
    }
}
