//! The NOTIFYs that a SUBSCRIBE or a change causes: what they say, how they are written, and what their answers mean.
//!
//! What a NOTIFY says is read from the accounts when it leaves, not when it is owed: a change in between is not undone by
//! an older NOTIFY behind a newer one. The order of the NOTIFYs of one subscription is kept by its notifier machine.

use super::{AppServer, Job};
use crate::account::Account;
use crate::address::socket_address;
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

    pub(super) fn owe_others(
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

    pub(super) fn forget(&mut self, id: WatchId) {
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
            .map_or_else(Vec::new, Account::full_state);
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

    pub(super) fn extras(&mut self, user: &str, purpose: Purpose) -> Extras {
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
