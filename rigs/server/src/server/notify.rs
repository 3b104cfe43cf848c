//! The NOTIFYs that a SUBSCRIBE or a change causes: what they say, how they are written, and what their answers mean.
//!
//! What a NOTIFY says is read from the accounts when it leaves, not when it is owed: a change in between is not undone by
//! an older NOTIFY behind a newer one. The order of the NOTIFYs of one subscription is kept by its notifier machine.

use super::{AppServer, Job};
use crate::account::Account;
use crate::address::{socket_address, user_part};
use crate::body::Form;
use crate::dialect::Extent;
use crate::fault::{Action, Purpose, Stage, Subject};
use crate::notify_spec::HeaderChoice;
use crate::watch::{End, Extras, Outgoing, Watch, WatchId};
use crate::writer::Writer;
use sip::endpoint::{Failure, TransactionId};
use sip::feature_event::{Service, Setting};
use sip::message::Message;
use sip::node::Flow;
use sip::subscription::NotifyRequest;
use sip::time::Instant;
use std::time::Duration;

/// A NOTIFY that is owed to a subscription.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    pub(super) purpose: Purpose,
    pub(super) what: What,
    pub(super) end: Option<End>,
}

/// What happened to an account.
#[derive(Clone, Debug)]
pub(super) struct News {
    /// What a NOTIFY carries.
    pub(super) extent: Extent,
    /// The services it is about.
    pub(super) services: Vec<Service>,
    /// What held before.
    pub(super) before: Vec<(Service, Setting)>,
}

/// What the fault plan wants done with a NOTIFY that is due.
#[derive(Clone, Debug, Default)]
pub(super) struct Sending {
    withholds: bool,
    duplicates: bool,
    old_then_new: bool,
    /// How much later than usual.
    pub(super) delay: Duration,
    /// The end of the subscription.
    pub(super) end: Option<End>,
}

impl Sending {
    pub(super) fn new(actions: Vec<Action>) -> Self {
        let mut sending = Self::default();
        for action in actions {
            match action {
                Action::DelayNotify { milliseconds } => {
                    sending.delay += Duration::from_millis(milliseconds);
                }
                Action::DuplicateNotify => sending.duplicates = true,
                Action::EndSubscription {
                    reason,
                    retry_after,
                } => {
                    sending.end = Some(End {
                        reason,
                        retry_after,
                    });
                }
                Action::OldThenNewNotify => sending.old_then_new = true,
                Action::WithholdNotify => sending.withholds = true,
                _ => {}
            }
        }
        sending
    }

    /// Whether no NOTIFY is to be sent.
    pub(super) const fn withholds(&self) -> bool {
        self.withholds
    }

    /// The NOTIFYs that tell these news.
    pub(super) fn owed(&self, purpose: Purpose, news: &News) -> Vec<Owed> {
        if self.withholds {
            return Vec::new();
        }
        let one = |what| Owed {
            purpose,
            what,
            end: None,
        };
        if let Some(end) = self.end.clone() {
            return vec![Owed {
                end: Some(end),
                ..one(What::Nothing)
            }];
        }
        let mut owed = Vec::new();
        if self.old_then_new && !news.services.is_empty() {
            let asked = |(service, _): &&(Service, Setting)| news.services.contains(service);
            owed.push(one(What::Values(
                news.before.iter().filter(asked).cloned().collect(),
            )));
        }
        let what = What::new(news.extent, &news.services);
        if self.duplicates {
            owed.push(one(what.clone()));
        }
        owed.push(one(what));
        owed
    }
}

/// What an owed NOTIFY says.
#[derive(Clone, Debug)]
pub(super) enum What {
    Everything,
    Nothing,
    Services(Vec<Service>),
    Values(Vec<(Service, Setting)>),
}
impl AppServer {
    pub(super) fn owe(&mut self, now: Instant, delay: Duration, watch: WatchId, owed: Vec<Owed>) {
        if delay.is_zero() {
            self.enqueue(now, watch, owed);
        } else {
            self.later(now + delay, Job::Notify { watch, owed });
        }
    }

    /// Tells every subscription of an account what happened at the server, except the one that asked for it.
    pub(super) fn tell(
        &mut self,
        now: Instant,
        delay: Duration,
        user: &str,
        news: &News,
        except: Option<WatchId>,
    ) {
        let purpose = Purpose::ServerChange;
        for watch in self.watches.of(user) {
            if Some(watch) == except {
                continue;
            }
            let subject = Subject::of_notify(user, purpose, true);
            let sending = Sending::new(self.faults.take(Stage::Sending, &subject));
            let owed = sending.owed(purpose, news);
            self.owe(now, delay + sending.delay, watch, owed);
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
        for watch in self.watches.of(user) {
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
        for id in self.watches.of(user) {
            self.forget(id);
        }
    }

    /// Forgets the subscription that a request belongs to.
    pub(super) fn forget_dialog(&mut self, message: &Message) {
        let user = message.from_uri().map_or("", user_part);
        if let Some(id) = self.watches.owner(user, message) {
            self.forget(id);
        }
    }

    pub(super) fn forget(&mut self, id: WatchId) {
        if let Some(watch) = self.watches.remove(id) {
            self.ended.insert(watch.user().to_owned(), watch);
        }
        self.notifies.retain(|_, (watch, _)| *watch != id);
    }

    /// Writes what is owed and hands it to the subscription.
    pub(super) fn enqueue(&mut self, now: Instant, id: WatchId, owed: Vec<Owed>) {
        for one in owed {
            let Some(user) = self.watches.get(id).map(|watch| watch.user().to_owned()) else {
                return;
            };
            for outgoing in self.write_owed(&user, one) {
                if let Some(watch) = self.watches.get_mut(id) {
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
            .map_or_else(Vec::new, Account::full_state);
        settings.retain(|(service, _)| only.is_none_or(|only| only.contains(service)));
        settings
    }

    fn notify_actions(&mut self, user: &str, purpose: Purpose, body: bool) -> Vec<Action> {
        let subject = Subject::of_notify(user, purpose, body);
        self.faults.take(Stage::Writing, &subject)
    }

    pub(super) fn extras(&mut self, user: &str, purpose: Purpose) -> Extras {
        extras_of(&self.notify_actions(user, purpose, false))
    }

    /// The time of a subscription may be over; if it was refreshed, this comes again.
    pub(super) fn expire_watch(&mut self, now: Instant, id: WatchId) {
        let Some(user) = self
            .watches
            .get(id)
            .filter(|watch| watch.is_due(now))
            .map(|watch| watch.user().to_owned())
        else {
            return;
        };
        let extras = self.extras(&user, Purpose::Termination);
        if let Some(watch) = self.watches.get_mut(id) {
            watch.expire(now, extras);
        }
        self.send_notifies(now, id);
    }

    /// Sends every NOTIFY that the subscription has ready, and lets go of it when it is over.
    fn send_notifies(&mut self, now: Instant, id: WatchId) {
        while let Some(watch) = self.watches.get_mut(id) {
            let Some((request, extras)) = watch.poll_notify() else {
                if watch.is_over() {
                    self.forget(id);
                }
                return;
            };
            let Some(flow) = self.watches.get(id).map(|watch| self.notify_flow(watch)) else {
                return;
            };
            let branch = self.new_branch();
            let writer = self.write_notify(&request, flow, &branch, &HeaderChoice::Usual, &extras);
            if let Ok(message) = writer.build() {
                if let Some(watch) = self.watches.get_mut(id) {
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
        if let Some(watch) = self.watches.get_mut(id) {
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
        if let Some(watch) = self.watches.get_mut(id) {
            watch.handle_failure(now, cseq, failure);
        }
        self.send_notifies(now, id);
    }
}

impl What {
    pub(super) fn new(extent: Extent, services: &[Service]) -> Self {
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
