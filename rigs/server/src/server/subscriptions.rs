//! SUBSCRIBEs to an account's services, and the NOTIFYs they and every change cause.
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
//! What a NOTIFY says is read from the accounts when it leaves, not when it is owed: a change in between is not undone by
//! an older NOTIFY behind a newer one.

use super::{AppServer, Job};
use crate::account::merged;
use crate::address::{socket_address, user_part};
use crate::body::Form;
use crate::dialect::{Audience, Extent, Order, RefusedNotify, UnreadableBody};
use crate::fault::{Action, Purpose, Stage, Subject};
use crate::notify_spec::HeaderChoice;
use crate::service::{Origin, ServiceValue};
use crate::watch::{End, Extras, Outgoing, Watch, WatchId};
use crate::writer::Writer;
use sip::endpoint::{Failure, TransactionId};
use sip::feature_event::{Change, Service, Setting};
use sip::message::Message;
use sip::node::Flow;
use sip::subscription::{
    Grant, NotifierPolicy, NotifyRequest, Pace, RefusalRule, SubscribeAnswer, SubscribeKind,
};
use sip::time::Instant;
use std::time::Duration;

/// A NOTIFY that is owed to a subscription.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    purpose: Purpose,
    what: What,
    end: Option<End>,
}

/// What an owed NOTIFY says.
#[derive(Clone, Debug)]
enum What {
    Everything,
    Nothing,
    Services(Vec<Service>),
    Values(Vec<(Service, Setting)>),
}

/// What the fault plan wants done with an accepted SUBSCRIBE.
#[derive(Clone, Debug, Default)]
struct Handling {
    code: Option<u16>,
    granted: Option<u32>,
    omits_expires: bool,
    withholds: bool,
    duplicates: bool,
    old_then_new: bool,
    delay: Duration,
    lead: Option<Duration>,
    contradiction: Option<Vec<ServiceValue>>,
    end: Option<End>,
}

impl Handling {
    fn new(actions: Vec<Action>) -> Self {
        let mut handling = Self::default();
        for action in actions {
            match action {
                Action::AcceptWith { code } => handling.code = Some(code),
                Action::Contradict { values } => handling.contradiction = Some(values),
                Action::DelayNotify { milliseconds } => {
                    handling.delay += Duration::from_millis(milliseconds);
                }
                Action::DuplicateNotify => handling.duplicates = true,
                Action::EndSubscription {
                    reason,
                    retry_after,
                } => {
                    handling.end = Some(End {
                        reason,
                        retry_after,
                    });
                }
                Action::GrantExpires { seconds } => handling.granted = Some(seconds),
                Action::NotifyBeforeResponse { lead_milliseconds } => {
                    handling.lead = Some(Duration::from_millis(lead_milliseconds));
                }
                Action::OldThenNewNotify => handling.old_then_new = true,
                Action::OmitExpires => handling.omits_expires = true,
                Action::WithholdNotify => handling.withholds = true,
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
        let existing = self.watches.iter().find(|(_, watch)| watch.owns(message));
        let existing = existing.map(|(id, _)| *id);
        if message.to_tag().is_some() && existing.is_none() {
            return Err(self.answer(message, 481));
        }
        if let Some(watch) = existing.and_then(|id| self.watches.get(&id)) {
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
        let subject = Subject {
            user,
            ..Subject::of_request(message)
        };
        let mut handling = Handling::new(self.faults.take(Stage::Acceptance, &subject));
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
            Some(None) => self.owed_for_unreadable(),
            _ => self.owed(answer.kind, &applied, &handling),
        };
        let tag = self
            .watches
            .get(&id)
            .map(|watch| watch.local_tag().to_owned());
        let writer = self
            .subscribe_answer(message, &answer, tag.as_deref())
            .header("Contact", &Self::contact(flow));

        let (response_delay, notify_delay) = self.order(&handling);
        self.respond_later(now, response_delay, transaction, &writer);
        if handling.withholds {
            if answer.kind == SubscribeKind::Unsubscribed {
                self.watches.remove(&id);
            }
        } else {
            self.owe(now, notify_delay, id, owed);
        }
        if applied.differs && self.dialect.notify.watchers.value == Audience::All {
            self.owe_others(now, notify_delay, user, id, &applied.services);
        }
    }

    /// How long the response and the NOTIFY wait.
    fn order(&self, handling: &Handling) -> (Duration, Duration) {
        let gap = self.dialect.gap();
        let first = self.dialect.notify.order.value;
        match (handling.lead, first) {
            (Some(lead), _) => (lead, handling.delay),
            (None, Order::BeforeResponse) => (gap, handling.delay),
            (None, Order::AfterResponse) => (Duration::ZERO, gap + handling.delay),
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
        match self.watches.get_mut(&id) {
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
            unsubscribe_reason: habits.end_reason.value.clone(),
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
                    let service = value.service.0;
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

    fn owed(&self, kind: SubscribeKind, applied: &Applied, handling: &Handling) -> Vec<Owed> {
        let notify = &self.dialect.notify;
        let (purpose, extent) = match kind {
            SubscribeKind::Initial | SubscribeKind::Fetch => {
                (Purpose::Initial, notify.after_subscribe.value)
            }
            SubscribeKind::Refreshed => (Purpose::Refresh, notify.after_subscribe.value),
            SubscribeKind::Changed => (Purpose::Change, notify.after_change.value),
            SubscribeKind::Unsubscribed | SubscribeKind::Refused => return Vec::new(),
        };
        if let Some(end) = handling.end.clone() {
            return vec![Owed {
                purpose,
                what: What::Nothing,
                end: Some(end),
            }];
        }
        let one = Owed {
            purpose,
            what: What::new(extent, &applied.services),
            end: None,
        };
        let mut owed = Vec::new();
        if handling.old_then_new && !applied.services.is_empty() {
            let asked = |(service, _): &&(Service, Setting)| applied.services.contains(service);
            let old = applied.before.iter().filter(asked).cloned().collect();
            owed.push(Owed {
                what: What::Values(old),
                ..one.clone()
            });
        }
        if handling.duplicates {
            owed.push(one.clone());
        }
        owed.push(one);
        owed
    }

    fn owed_for_unreadable(&self) -> Vec<Owed> {
        match self.dialect.subscription.unreadable_body.value {
            UnreadableBody::FullState => vec![Owed {
                purpose: Purpose::Change,
                what: What::Everything,
                end: None,
            }],
            UnreadableBody::Refuse | UnreadableBody::Silent => Vec::new(),
        }
    }

    fn owe(&mut self, now: Instant, delay: Duration, watch: WatchId, owed: Vec<Owed>) {
        if delay.is_zero() {
            self.enqueue(now, watch, owed);
        } else {
            self.later(now + delay, Job::Notify { watch, owed });
        }
    }

    fn owe_others(
        &mut self,
        now: Instant,
        delay: Duration,
        user: &str,
        except: WatchId,
        services: &[Service],
    ) {
        let extent = self.dialect.notify.after_server_change.value;
        for watch in self.watches_of(user) {
            if watch != except {
                let owed = Owed {
                    purpose: Purpose::ServerChange,
                    what: What::new(extent, services),
                    end: None,
                };
                self.owe(now, delay, watch, vec![owed]);
            }
        }
    }

    /// Notifies every subscription of an account of a change by the server itself.
    pub(super) fn notify_watchers(
        &mut self,
        now: Instant,
        user: &str,
        extent: Extent,
        services: &[Service],
    ) {
        for watch in self.watches_of(user) {
            let owed = Owed {
                purpose: Purpose::ServerChange,
                what: What::new(extent, services),
                end: None,
            };
            self.enqueue(now, watch, vec![owed]);
        }
    }

    /// Ends every subscription of an account with a closing NOTIFY.
    ///
    /// `reason` is the `reason` parameter, `retry_after` the `retry-after` parameter in seconds; both are left out when
    /// absent.
    pub fn end_subscription(
        &mut self,
        now: Instant,
        user: &str,
        reason: Option<&str>,
        retry_after: Option<u32>,
    ) {
        self.now = now;
        for watch in self.watches_of(user) {
            let owed = Owed {
                purpose: Purpose::Termination,
                what: What::Nothing,
                end: Some(End {
                    reason: reason.map(str::to_owned),
                    retry_after,
                }),
            };
            self.enqueue(now, watch, vec![owed]);
        }
    }

    /// Forgets every subscription of an account without a word: the next SUBSCRIBE in one is answered 481.
    pub fn forget_subscriptions(&mut self, user: &str) {
        for id in self.watches_of(user) {
            self.forget(id);
        }
    }

    /// Forgets the subscription that a request belongs to.
    pub(super) fn forget_dialog(&mut self, message: &Message) {
        let watch = self.watches.iter().find(|(_, watch)| watch.owns(message));
        if let Some(id) = watch.map(|(id, _)| *id) {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: WatchId) {
        if let Some(watch) = self.watches.remove(&id) {
            self.ended.insert(watch.user().to_owned(), watch);
        }
        self.notifies.retain(|_, (watch, _)| *watch != id);
    }

    pub(super) fn watches_of(&self, user: &str) -> Vec<WatchId> {
        let mine = self
            .watches
            .iter()
            .filter(|(_, watch)| watch.user() == user);
        mine.map(|(id, _)| *id).collect()
    }

    /// Writes what is owed and hands it to the subscription.
    pub(super) fn enqueue(&mut self, now: Instant, id: WatchId, owed: Vec<Owed>) {
        for one in owed {
            let Some(user) = self.watches.get(&id).map(|watch| watch.user().to_owned()) else {
                return;
            };
            for outgoing in self.write_owed(&user, one) {
                if let Some(watch) = self.watches.get_mut(&id) {
                    watch.enqueue(now, outgoing);
                }
            }
        }
        self.send_notifies(now, id);
    }

    fn write_owed(&mut self, user: &str, owed: Owed) -> Vec<Outgoing> {
        let settings = match owed.what {
            What::Nothing => Vec::new(),
            What::Values(values) => values,
            What::Everything => self.stored(user, None),
            What::Services(services) => self.stored(user, Some(&services)),
        };
        let actions = self.notify_actions(user, owed.purpose, !settings.is_empty());
        let extras = extras_of(&actions);
        if owed.end.is_some() {
            return vec![Outgoing {
                content: None,
                extras,
                end: owed.end,
            }];
        }
        let contents = Form::new(&self.dialect, &actions).contents(user, &settings);
        let outgoing = |content| Outgoing {
            content,
            extras: extras.clone(),
            end: None,
        };
        contents.into_iter().map(outgoing).collect()
    }

    /// The stored settings of the services that the account has.
    pub(super) fn stored(&self, user: &str, only: Option<&[Service]>) -> Vec<(Service, Setting)> {
        let mut settings = self
            .accounts
            .get(user)
            .map_or_else(Vec::new, crate::account::Account::full_state);
        settings.retain(|(service, _)| only.is_none_or(|only| only.contains(service)));
        settings
    }

    fn notify_actions(&mut self, user: &str, purpose: Purpose, body: bool) -> Vec<Action> {
        let subject = Subject {
            method: "NOTIFY",
            user,
            body,
            in_dialog: true,
            purpose: Some(purpose),
        };
        self.faults.take(Stage::Notify, &subject)
    }

    fn extras(&mut self, user: &str, purpose: Purpose) -> Extras {
        extras_of(&self.notify_actions(user, purpose, false))
    }

    pub(super) fn expire_watches(&mut self, now: Instant) {
        let due: Vec<WatchId> = self
            .watches
            .iter()
            .filter(|(_, watch)| watch.is_due(now))
            .map(|(id, _)| *id)
            .collect();
        for id in due {
            let user = self.watches.get(&id).map_or("", Watch::user).to_owned();
            let extras = self.extras(&user, Purpose::Termination);
            if let Some(watch) = self.watches.get_mut(&id) {
                watch.expire(now, extras);
            }
            self.send_notifies(now, id);
        }
    }

    /// Sends every NOTIFY that the subscription has ready, and lets go of it when it is over.
    fn send_notifies(&mut self, now: Instant, id: WatchId) {
        while let Some(watch) = self.watches.get_mut(&id) {
            let Some((request, extras)) = watch.poll_notify() else {
                if watch.is_over() {
                    self.forget(id);
                }
                return;
            };
            let Some(flow) = self.watches.get(&id).map(|watch| self.notify_flow(watch)) else {
                return;
            };
            let branch = self.new_branch();
            let writer = self.write_notify(&request, flow, &branch, &HeaderChoice::Usual, &extras);
            if let Ok(message) = writer.build() {
                if let Some(watch) = self.watches.get_mut(&id) {
                    watch.remember(flow, message.wire().clone());
                }
                let transaction = self.endpoint.send_request(now, flow, message);
                self.notifies.insert(transaction, (id, request.cseq));
            }
        }
    }

    /// The text of a NOTIFY.
    pub(super) fn write_notify(
        &self,
        request: &NotifyRequest,
        flow: Flow,
        branch: &str,
        event: &HeaderChoice,
        extras: &Extras,
    ) -> Writer {
        let tag = match request.remote_tag.as_str() {
            "" => String::new(),
            tag => format!(";tag={tag}"),
        };
        let via = format!("SIP/2.0/{} {};branch={branch}", flow.transport, flow.local);
        let from = format!("<{}>;tag={}", request.local_uri, request.local_tag);
        let product = &self.dialect.style.product.value;
        let mut writer = Writer::request(&self.dialect, "NOTIFY", &request.request_uri)
            .header("Via", &via)
            .header("From", &from)
            .header("To", &format!("<{}>{tag}", request.remote_uri))
            .header("Call-ID", &request.call_id)
            .header("CSeq", &format!("{} NOTIFY", request.cseq))
            .header("Contact", &Self::contact(flow));
        for route in &request.route {
            writer = writer.header("Route", route);
        }
        writer = writer
            .header_if("Event", event.pick(&request.event))
            .header_if(
                "Subscription-State",
                extras.subscription_state.pick(&request.subscription_state),
            )
            .header(
                "Max-Forwards",
                &self.dialect.style.max_forwards.value.to_string(),
            )
            .header_if(
                "User-Agent",
                Some(product).filter(|product| !product.is_empty()),
            );
        for (name, value) in &extras.headers {
            writer = writer.header(name, value);
        }
        match &request.content {
            Some(content) => writer.body(&content.content_type, content.body.clone()),
            None => writer,
        }
    }

    /// The way to the base: over UDP to its Contact; over a stream on the connection of the SUBSCRIBE, and when that has
    /// ended on the one of the registration.
    pub(super) fn notify_flow(&self, watch: &Watch) -> Flow {
        let flow = watch.flow();
        let contact = socket_address(watch.remote_target())
            .filter(|_| !watch.has_route())
            .map_or(flow, |remote| Flow { remote, ..flow });
        if !flow.transport.is_reliable() {
            return contact;
        }
        if !self.closed_flows.contains(&flow) {
            return flow;
        }
        let registered = self
            .bindings(watch.user())
            .iter()
            .rev()
            .map(|binding| binding.flow)
            .find(|other| other.transport == flow.transport && !self.closed_flows.contains(other));
        registered.unwrap_or(contact)
    }

    pub(super) fn on_notify_answer(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        response: &Message,
    ) {
        let Some((id, _)) = self.notifies.get(&transaction).copied() else {
            return;
        };
        if response.status().is_some_and(|code| code >= 200) {
            self.notifies.remove(&transaction);
        }
        if let Some(watch) = self.watches.get_mut(&id) {
            watch.handle_response(now, response);
        }
        self.send_notifies(now, id);
    }

    pub(super) fn on_notify_failure(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        failure: Failure,
    ) {
        let Some((id, cseq)) = self.notifies.remove(&transaction) else {
            return;
        };
        if let Some(watch) = self.watches.get_mut(&id) {
            watch.handle_failure(now, cseq, failure);
        }
        self.send_notifies(now, id);
    }
}

impl What {
    fn new(extent: Extent, services: &[Service]) -> Self {
        match extent {
            Extent::ChangedServices if !services.is_empty() => Self::Services(services.to_vec()),
            Extent::ChangedServices | Extent::FullState => Self::Everything,
        }
    }
}

fn extras_of(actions: &[Action]) -> Extras {
    let mut extras = Extras::default();
    for action in actions {
        match action {
            Action::SubscriptionState { value } => {
                extras.subscription_state = value
                    .clone()
                    .map_or(HeaderChoice::Missing, HeaderChoice::Value);
            }
            Action::Header { name, value } => {
                extras.headers.push((name.clone(), value.clone()));
            }
            _ => {}
        }
    }
    extras
}

/// The change in the body of a SUBSCRIBE, if it can be read.
fn change_in(message: &Message) -> Option<Change> {
    Change::parse(message.body()).ok()
}
