//! SUBSCRIBEs to an account's services: who may, what is granted, what a body changes.
//!
//! | SUBSCRIBE | answer | then |
//! |-----------|--------|------|
//! | another package | 489 with Allow-Events | |
//! | unknown dialog | 481 | |
//! | too brief, out of order | 423 with Min-Expires, 500 | |
//! | new, or without a body | 2xx | the full state |
//! | with a body | 2xx | what holds now of the services asked for; other subscriptions hear of a change too |
//! | Expires 0 | 2xx | the closing NOTIFY |
//!
//! The NOTIFYs themselves are written in `notify`.

use super::notify::{News, Owed, Sending};
use super::{AppServer, Job};
use crate::account::merged;
use crate::address::user_part;
use crate::dialect::{Audience, Extent, Order, RefusedNotify, UnreadableBody};
use crate::fault::{Action, Purpose, Stage, Subject};
use crate::service::{Origin, ServiceValue};
use crate::watch::{Extras, Watch, WatchId};
use crate::writer::Writer;
use sip::endpoint::TransactionId;
use sip::feature_event::{CONTENT_TYPE, Change, Service, Setting};
use sip::message::Message;
use sip::node::Flow;
use sip::subscription::{Grant, NotifierPolicy, Pace, RefusalRule, SubscribeAnswer, SubscribeKind};
use sip::time::Instant;
use std::time::Duration;

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

/// What a change has done.
#[derive(Clone, Debug, Default)]
struct Applied {
    services: Vec<Service>,
    before: Vec<(Service, Setting)>,
    differs: bool,
}

impl AppServer {
    pub(super) fn on_subscribe(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        message: &Message,
    ) {
        match self.judge_subscribe(now, message) {
            Err(refused) => self.respond(now, transaction, &refused),
            Ok((user, existing)) => {
                self.accept_subscribe(now, transaction, flow, message, &user, existing);
            }
        }
    }

    /// Whose subscription it is, and which one if it exists; or the refusal.
    fn judge_subscribe(
        &mut self,
        now: Instant,
        message: &Message,
    ) -> Result<(String, Option<WatchId>), Writer> {
        let event = message.header("Event").unwrap_or_default();
        let package = event.split(';').next().unwrap_or_default().trim();
        let habits = &self.dialect.subscription;
        if package != habits.package.value {
            let code = habits.unknown_package_code.value;
            let events = self.dialect.registration.allow_events.value.join(",");
            return Err(self.answer(message, code).header("Allow-Events", &events));
        }
        let user = message.from_uri().map_or("", user_part);
        self.authenticate(now, message, user)?;
        let existing = self.watches.owner(user, message);
        if message.to_tag().is_some() && existing.is_none() {
            return Err(self.answer(message, 481));
        }
        if let Some(watch) = existing.and_then(|id| self.watches.get(id)) {
            let answer = watch.rehearse(now, message);
            if answer.kind == SubscribeKind::Refused {
                return Err(self.subscribe_answer(message, &answer, None));
            }
        } else if let Err(answer) = self.try_accept(now, message) {
            return Err(self.subscribe_answer(message, &answer, None));
        }
        let refuses = self.dialect.subscription.unreadable_body.value == UnreadableBody::Refuse;
        if refuses && !message.body().is_empty() && change_in(message).is_none() {
            let code = self.dialect.subscription.unreadable_body_code.value;
            return Err(self.answer(message, code));
        }
        Ok((user.to_owned(), existing))
    }

    fn try_accept(&self, now: Instant, message: &Message) -> Result<(), SubscribeAnswer> {
        let policy = self.notifier_policy(&Handling::default());
        sip::subscription::Notifier::accept(now, policy, message, String::new()).map(|_| ())
    }

    fn accept_subscribe(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        message: &Message,
        user: &str,
        existing: Option<WatchId>,
    ) {
        let subject = Subject::of_request(message);
        let accepting = self.faults.take(Stage::Acceptance, &subject);
        let subject = Subject {
            method: "NOTIFY",
            cause: Some(subject.method),
            ..subject
        };
        let sending = Sending::new(self.faults.take(Stage::Sending, &subject));
        let mut handling = Handling::new(accepting, sending);
        let policy = self.notifier_policy(&handling);
        let (id, answer) = match existing {
            Some(id) => (id, self.renew(now, id, policy, flow, message)),
            None => {
                let tag = self.endpoint.new_tag();
                let Ok((watch, answer)) = Watch::accept(now, policy, user, flow, message, tag)
                else {
                    return;
                };
                let id = WatchId(self.next_number());
                self.watches.insert(id, watch);
                (id, answer)
            }
        };
        let changes = !message.body().is_empty() && answer.kind != SubscribeKind::Unsubscribed;
        let contradiction = handling.contradiction.take();
        let change = changes.then(|| change_in(message));
        let applied = match &change {
            Some(Some(change)) => self.apply(now, user, change, contradiction),
            _ => Applied::default(),
        };
        let owed = match change {
            Some(None) => self.owed_for_unreadable(&handling.sending),
            _ => self.owed(answer.kind, &applied, &handling.sending),
        };
        let tag = self
            .watches
            .get(id)
            .map(|watch| watch.local_tag().to_owned());
        let writer = self
            .subscribe_answer(message, &answer, tag.as_deref())
            .header("Contact", &Self::contact(flow));

        if let Some(end) = self.watches.get(id).and_then(Watch::deadline) {
            self.later(end, Job::ExpireWatch(id));
        }
        let (response_delay, notify_delay) = self.order(&handling);
        self.respond_later(now, response_delay, transaction, &writer);
        let closes = answer.kind == SubscribeKind::Unsubscribed;
        if closes && handling.sending.withholds() {
            self.watches.remove(id);
        } else if closes || !owed.is_empty() {
            self.owe(now, notify_delay, id, owed);
        }
        if applied.differs && self.dialect.notify.watchers.value == Audience::All {
            let news = News {
                extent: self.dialect.notify.after_server_change.value,
                services: applied.services,
                before: applied.before,
            };
            let gap = notify_delay - handling.sending.delay;
            self.tell(now, gap, user, &news, Some(id));
        }
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
        id: WatchId,
        policy: NotifierPolicy,
        flow: Flow,
        message: &Message,
    ) -> SubscribeAnswer {
        let user = message.from_uri().map_or("", user_part);
        let unsubscribes = message.expires() == Some(0);
        let extras = if unsubscribes {
            self.extras(user, Purpose::Unsubscribe)
        } else {
            Extras::default()
        };
        match self.watches.get_mut(id) {
            Some(watch) => watch.handle_subscribe(now, policy, flow, message, || extras),
            None => SubscribeAnswer {
                kind: SubscribeKind::Refused,
                code: 481,
                reason: "Subscription Does Not Exist",
                headers: Vec::new(),
            },
        }
    }

    fn notifier_policy(&self, handling: &Handling) -> NotifierPolicy {
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
            ..NotifierPolicy::new(&habits.package.value)
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

    /// Stores what a change asks for, or what a fault wants instead.
    fn apply(
        &mut self,
        now: Instant,
        user: &str,
        change: &Change,
        contradiction: Option<Vec<ServiceValue>>,
    ) -> Applied {
        let mut applied = Applied::default();
        let Some(account) = self.accounts.get_mut(user) else {
            return applied;
        };
        applied.before = account.full_state();
        applied.services.push(change.service);
        match contradiction {
            Some(values) => {
                for value in values {
                    let service = value.service;
                    if !applied.services.contains(&service) {
                        applied.services.push(service);
                    }
                    let setting = value.setting();
                    applied.differs |= account.store(now, service, setting, Origin::Portal);
                }
            }
            None => {
                if let Some(stored) = account.assigned(change.service) {
                    let wish = &change.setting;
                    let setting = merged(
                        change.service,
                        Some(stored),
                        wish.active,
                        wish.number.as_deref(),
                        wish.rings,
                    );
                    applied.differs = account.store(now, change.service, setting, Origin::Handset);
                }
            }
        }
        applied
    }

    fn owed(&self, kind: SubscribeKind, applied: &Applied, sending: &Sending) -> Vec<Owed> {
        let notify = &self.dialect.notify;
        let (purpose, extent) = match kind {
            SubscribeKind::Initial | SubscribeKind::Fetch => {
                (Purpose::Initial, notify.after_subscribe.value)
            }
            SubscribeKind::Refreshed => (Purpose::Refresh, notify.after_subscribe.value),
            SubscribeKind::Changed => (Purpose::Change, notify.after_change.value),
            SubscribeKind::Unsubscribed | SubscribeKind::Refused => return Vec::new(),
        };
        let news = News {
            extent,
            services: applied.services.clone(),
            before: applied.before.clone(),
        };
        sending.owed(purpose, &news)
    }

    fn owed_for_unreadable(&self, sending: &Sending) -> Vec<Owed> {
        let news = News {
            extent: Extent::FullState,
            services: Vec::new(),
            before: Vec::new(),
        };
        match self.dialect.subscription.unreadable_body.value {
            UnreadableBody::FullState => sending.owed(Purpose::Change, &news),
            UnreadableBody::Refuse | UnreadableBody::Silent => Vec::new(),
        }
    }
}

/// The change in the body of a SUBSCRIBE, if it can be read.
fn change_in(message: &Message) -> Option<Change> {
    let named = message.header("Content-Type").unwrap_or_default();
    let media_type = named.split(';').next().unwrap_or_default().trim();
    media_type
        .eq_ignore_ascii_case(CONTENT_TYPE)
        .then(|| Change::parse(message.body()).ok())
        .flatten()
}
