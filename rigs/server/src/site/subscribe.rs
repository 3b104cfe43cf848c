//! SUBSCRIBEs to an account's services: who may, what is granted, what a body changes.
//!
//! | SUBSCRIBE | answer | then |
//! |-----------|--------|------|
//! | another package | 489 with Allow-Events | |
//! | unknown dialog | 481 | |
//! | too brief, out of order | 423 with Min-Expires, 500 | |
//! | new, or without a body | 2xx | the full state |
//! | with a body | 2xx | what holds now of the services asked for; other subscriptions are notified of a change too |
//! | Expires 0 | 2xx | the closing NOTIFY |
//!
//! The NOTIFYs themselves are written in `notify`.

use super::change::{self, Applied};
use super::due::{DueNotify, Notice, Sending};
use super::{Job, Site};
use crate::accounts::{Accounts, Update};
use crate::address::user_part;
use crate::body::change_in;
use crate::dialect::{Audience, Extent, Order, RefusedNotify, UnreadableBody};
use crate::fault::{Action, Purpose, Stage, Subject};
use crate::package::Package;
use crate::service::ServiceValue;
use crate::subscription::{Extras, Subscription, SubscriptionId};
use crate::writer::Writer;
use sip::endpoint::TransactionId;
use sip::message::Message;
use sip::node::Flow;
use sip::subscription::{Grant, NotifierPolicy, Pace, RefusalRule, SubscribeAnswer, SubscribeKind};
use sip::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// So many policies are kept to be shared: our choice, more than there are packages and faults at a time.
const POLICIES: usize = 8;

/// What the fault plan wants done with an accepted SUBSCRIBE.
#[derive(Clone, Debug, Default)]
struct Handling {
    code: Option<u16>,
    granted: Option<u32>,
    omits_expires: bool,
    lead: Option<Duration>,
    contradiction: Option<Vec<ServiceValue>>,
    sending: Sending,
}

impl Handling {
    fn new(actions: Vec<Action>, sending: Sending) -> Self {
        let mut handling = Self {
            sending,
            ..Self::default()
        };
        for action in actions {
            match action {
                Action::AcceptWith { code } => handling.code = Some(code),
                Action::Contradict { values } => handling.contradiction = Some(values),
                Action::GrantExpires { seconds } => handling.granted = Some(seconds),
                Action::NotifyBeforeResponse { lead_milliseconds } => {
                    handling.lead = Some(Duration::from_millis(lead_milliseconds));
                }
                Action::OmitExpires => handling.omits_expires = true,
                _ => {}
            }
        }
        handling
    }
}

/// A SUBSCRIBE that nothing speaks against.
#[derive(Clone, Debug)]
struct Accepted {
    user: String,
    package: Package,
    /// The subscription that it goes on with.
    existing: Option<SubscriptionId>,
}

impl Site {
    pub(super) fn on_subscribe(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        message: &Message,
    ) {
        match self.judge_subscribe(accounts, now, message) {
            Err(refused) => self.respond(now, transaction, &refused),
            Ok(accepted) => {
                self.accept_subscribe(accounts, now, transaction, flow, message, &accepted);
            }
        }
    }

    /// Whose subscription it is, to what, and which one if it exists; or the refusal.
    fn judge_subscribe(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        message: &Message,
    ) -> Result<Accepted, Writer> {
        let served = Package::of(message).filter(|package| self.dialect.serves(*package));
        let Some(package) = served else {
            let code = self.dialect.subscription.unknown_package_code.value;
            let events = self.dialect.registration.allow_events.value.join(",");
            return Err(self.answer(message, code).header("Allow-Events", &events));
        };
        let user = message.from_uri().map_or("", user_part);
        self.authenticate(accounts, now, message, user)?;
        let existing = self.subscription_of(accounts, message);
        if message.to_tag().is_some() && existing.is_none() {
            return Err(self.answer(message, 481));
        }
        if let Some(subscription) = existing.and_then(|id| self.subscriptions.get(id)) {
            let answer = subscription.rehearse(now, message);
            if answer.kind == SubscribeKind::Refused {
                return Err(self.subscribe_answer(message, &answer, None));
            }
        } else if let Err(answer) = self.try_accept(now, package, message) {
            return Err(self.subscribe_answer(message, &answer, None));
        }
        let refuses = self.dialect.subscription.unreadable_body.value == UnreadableBody::Refuse;
        if refuses
            && !message.body().is_empty()
            && change_in(&self.dialect, package, message).is_none()
        {
            let code = self.dialect.subscription.unreadable_body_code.value;
            return Err(self.answer(message, code));
        }
        Ok(Accepted {
            user: user.to_owned(),
            package,
            existing,
        })
    }

    fn try_accept(
        &self,
        now: Instant,
        package: Package,
        message: &Message,
    ) -> Result<(), SubscribeAnswer> {
        let policy = self.notifier_policy(package, &Handling::default());
        sip::subscription::Notifier::accept(now, policy, message, String::new()).map(|_| ())
    }

    fn accept_subscribe(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        message: &Message,
        accepted: &Accepted,
    ) {
        let mut handling = self.handling(message);
        let subscribed = self.subscribe(accounts, now, flow, message, accepted, &handling);
        let Some((id, answer)) = subscribed else {
            return;
        };
        let changes = !message.body().is_empty() && answer.kind != SubscribeKind::Unsubscribed;
        let contradiction = handling.contradiction.take();
        let change = changes.then(|| change_in(&self.dialect, accepted.package, message));
        let applied = match &change {
            Some(Some(change)) => {
                change::apply(accounts, now, &accepted.user, change, contradiction)
            }
            _ => Applied::default(),
        };
        let due = match change {
            Some(None) => self.due_for_unreadable(&handling.sending),
            _ => self.due(answer.kind, &applied, &handling.sending),
        };
        let tag = self
            .subscriptions
            .get(id)
            .map(|subscription| subscription.local_tag().to_owned());
        let writer = self
            .subscribe_answer(message, &answer, tag.as_deref())
            .header("Contact", &Self::contact(flow));

        if let Some(end) = self.subscriptions.get(id).and_then(Subscription::deadline) {
            self.later(end, Job::ExpireSubscription(id));
        }
        let (response_delay, notify_delay) = self.order(&handling);
        self.respond_later(now, response_delay, transaction, &writer);
        let closes = answer.kind == SubscribeKind::Unsubscribed;
        if closes && handling.sending.withholds() {
            self.subscriptions.remove(id);
            accounts.disown(&accepted.user, self.id, id);
        } else if closes || !due.is_empty() {
            self.send_due(accounts, now, notify_delay, id, due);
        }
        if applied.differs && self.dialect.notify.audience.value == Audience::All {
            accounts.announce(Update {
                user: accepted.user.clone(),
                services: applied.services,
                before: applied.before,
                extent: None,
                delay: notify_delay - handling.sending.delay,
                except: Some((self.id, id)),
            });
        }
    }

    /// What the plan of faults wants done with a SUBSCRIBE that is accepted, and with the NOTIFY that follows.
    fn handling(&mut self, message: &Message) -> Handling {
        let subject = Subject::of_request(message);
        let accepting = self.faults.take(Stage::Acceptance, &subject);
        let subject = Subject {
            method: "NOTIFY",
            cause: Some(subject.method),
            ..subject
        };
        let sending = Sending::new(self.faults.take(Stage::Sending, &subject));
        Handling::new(accepting, sending)
    }

    /// Begins a subscription or goes on with one; `None` when the machine takes no such SUBSCRIBE.
    fn subscribe(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        flow: Flow,
        message: &Message,
        accepted: &Accepted,
        handling: &Handling,
    ) -> Option<(SubscriptionId, SubscribeAnswer)> {
        let policy = self.shared_policy(accepted.package, handling);
        if let Some(id) = accepted.existing {
            let answer = self.renew(now, id, policy, flow, message)?;
            return Some((id, answer));
        }
        let tag = self.endpoint.new_tag();
        let account = (accepted.user.as_str(), accepted.package);
        let begun = Subscription::accept(now, policy, account, flow, message, tag);
        let (subscription, answer) = begun.ok()?;
        let id = SubscriptionId(self.next_number());
        self.subscriptions.insert(id, subscription);
        accounts.own(&accepted.user, self.id, id);
        Some((id, answer))
    }

    /// How long the response and the NOTIFY wait.
    fn order(&self, handling: &Handling) -> (Duration, Duration) {
        let gap = self.dialect.gap();
        let first = self.dialect.notify.order.value;
        match (handling.lead, first) {
            (Some(lead), _) => (lead, handling.sending.delay),
            (None, Order::BeforeResponse) => (gap, handling.sending.delay),
            (None, Order::AfterResponse) => (Duration::ZERO, gap + handling.sending.delay),
        }
    }

    fn renew(
        &mut self,
        now: Instant,
        id: SubscriptionId,
        policy: Arc<NotifierPolicy>,
        flow: Flow,
        message: &Message,
    ) -> Option<SubscribeAnswer> {
        let subscription = self.subscriptions.get(id)?;
        let (user, package) = (subscription.user().to_owned(), subscription.package());
        let extras = if message.expires() == Some(0) {
            self.extras(&user, package, Purpose::Unsubscribe)
        } else {
            Extras::default()
        };
        let subscription = self.subscriptions.get_mut(id)?;
        Some(subscription.handle_subscribe(now, policy, flow, message, || extras))
    }

    /// The policy of a subscription: the very one of another that is granted alike.
    fn shared_policy(&mut self, package: Package, handling: &Handling) -> Arc<NotifierPolicy> {
        let policy = self.notifier_policy(package, handling);
        let known = self.policies.iter().find(|known| ***known == policy);
        if let Some(known) = known {
            return Arc::clone(known);
        }
        if self.policies.len() >= POLICIES {
            self.policies.pop_front();
        }
        let policy = Arc::new(policy);
        self.policies.push_back(Arc::clone(&policy));
        policy
    }

    fn notifier_policy(&self, package: Package, handling: &Handling) -> NotifierPolicy {
        let (habits, notify) = (&self.dialect.subscription, &self.dialect.notify);
        let expires = &self.subscribe_expires;
        NotifierPolicy {
            grant: handling
                .granted
                .map_or(Grant::AtMost(expires.max), Grant::Exactly),
            default_expires: expires.default,
            min_expires: Some(expires.min),
            expires_header: !handling.omits_expires,
            accept_code: handling.code.unwrap_or(habits.accept_code.value),
            first_cseq: notify.first_cseq.value,
            pace: if notify.one_at_a_time.value {
                Pace::OneAtATime
            } else {
                Pace::Pipelined
            },
            on_refusal: match notify.refused.value {
                RefusedNotify::EndsByCode => RefusalRule::EndingCodes,
                RefusedNotify::EndsWithoutRetryAfter => RefusalRule::AllWithoutRetryAfter,
                RefusedNotify::NeverEnds => RefusalRule::None,
            },
            unsubscribe_reason: handling
                .sending
                .end
                .as_ref()
                .and_then(|end| end.reason.clone())
                .unwrap_or_else(|| habits.end_reason.value.clone()),
            expiry_reason: habits.end_reason.value.clone(),
            ..NotifierPolicy::new(package.event())
        }
    }

    fn subscribe_answer(
        &mut self,
        message: &Message,
        answer: &SubscribeAnswer,
        tag: Option<&str>,
    ) -> Writer {
        let fresh = self.endpoint.new_tag();
        let tag = tag.unwrap_or(&fresh);
        let (code, reason) = (answer.code, answer.reason);
        let writer = Writer::response_to(&self.dialect, message, code, Some(reason), Some(tag));
        answer
            .headers
            .iter()
            .fold(writer, |writer, (name, value)| writer.header(name, value))
    }

    fn due(&self, kind: SubscribeKind, applied: &Applied, sending: &Sending) -> Vec<DueNotify> {
        let notify = &self.dialect.notify;
        let (purpose, extent) = match kind {
            SubscribeKind::Initial | SubscribeKind::Fetch => {
                (Purpose::Initial, notify.after_subscribe.value)
            }
            SubscribeKind::Refreshed => (Purpose::Refresh, notify.after_subscribe.value),
            SubscribeKind::Changed => (Purpose::Change, notify.after_change.value),
            SubscribeKind::Unsubscribed | SubscribeKind::Refused => return Vec::new(),
        };
        let notice = Notice {
            extent,
            services: applied.services.clone(),
            before: applied.before.clone(),
        };
        sending.due(purpose, &notice)
    }

    fn due_for_unreadable(&self, sending: &Sending) -> Vec<DueNotify> {
        let notice = Notice {
            extent: Extent::FullState,
            services: Vec::new(),
            before: Vec::new(),
        };
        match self.dialect.subscription.unreadable_body.value {
            UnreadableBody::FullState => sending.due(Purpose::Change, &notice),
            UnreadableBody::Refuse | UnreadableBody::Silent => Vec::new(),
        }
    }
}
