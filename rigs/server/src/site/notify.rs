//! The NOTIFYs that a SUBSCRIBE or a change causes: what they say, how they are written, and what their answers mean.
//!
//! What a NOTIFY says is read from the accounts when it leaves, not when it becomes due: a change in between is not undone by
//! an older NOTIFY behind a newer one. The order of the NOTIFYs of one subscription is kept by its notifier machine.

use super::due::{DueNotify, Notice, Says, Sending};
use super::{Job, Site};
use crate::accounts::{Accounts, Update};
use crate::address::{socket_address, user_part};
use crate::body::contents;
use crate::fault::{Action, Ending, Purpose, Stage, Subject, SubscriptionFilter};
use crate::notify_spec::HeaderChoice;
use crate::package::Package;
use crate::service::package_of;
use crate::subscription::{Extras, LastNotify, Outgoing, Source, Subscription, SubscriptionId};
use crate::writer::Writer;
use sip::endpoint::{Failure, TransactionId};
use sip::message::Message;
use sip::node::Flow;
use sip::subscription::NotifyRequest;
use sip::time::Instant;
use std::sync::Arc;
use std::time::Duration;

impl Site {
    /// The subscriptions of an account at this site, the oldest first; of one package where it is named.
    pub(super) fn subscriptions_of(
        &self,
        accounts: &Accounts,
        user: &str,
        package: Option<Package>,
    ) -> Vec<SubscriptionId> {
        let mut served = accounts.served_at(self.id, user);
        served.retain(|id| {
            let subscription = self.subscriptions.get(*id);
            subscription.is_some_and(|it| package.is_none_or(|package| it.package() == package))
        });
        served
    }

    pub(super) fn send_due(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        delay: Duration,
        subscription: SubscriptionId,
        due: Vec<DueNotify>,
    ) {
        if delay.is_zero() {
            self.enqueue(accounts, now, subscription, due);
        } else {
            self.later(now + delay, Job::Notify { subscription, due });
        }
    }

    /// Notifies the subscriptions of an account of a change, except the one that asked for it.
    pub(crate) fn notify_update(&mut self, accounts: &mut Accounts, now: Instant, update: &Update) {
        let purpose = Purpose::ServerChange;
        let usual = self.dialect.notify.after_server_change.value;
        for id in self.subscriptions_of(accounts, &update.user, None) {
            let Some(package) = self.subscriptions.get(id).map(Subscription::package) else {
                continue;
            };
            let notice = Notice::of_update(update, package, usual);
            let Some(notice) = notice.filter(|_| update.except != Some((self.id, id))) else {
                continue;
            };
            let subject = Subject::of_notify(&update.user, package, purpose, true);
            let sending = Sending::new(self.faults.take(Stage::Sending, &subject));
            let due = sending.due(purpose, &notice);
            self.send_due(accounts, now, update.delay + sending.delay, id, due);
        }
    }

    /// Ends subscriptions, each with a closing NOTIFY.
    pub(crate) fn end_subscriptions(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        which: &SubscriptionFilter,
        ending: &Ending,
    ) {
        for id in self.subscriptions_of(accounts, &which.user, which.package) {
            let due = DueNotify {
                purpose: Purpose::Termination,
                says: Says::Nothing,
                end: Some(ending.clone()),
            };
            self.enqueue(accounts, now, id, vec![due]);
        }
    }

    /// Forgets subscriptions silently: the next SUBSCRIBE in one is answered 481.
    pub(crate) fn forget_subscriptions(
        &mut self,
        accounts: &mut Accounts,
        which: &SubscriptionFilter,
    ) {
        for id in self.subscriptions_of(accounts, &which.user, which.package) {
            self.forget(accounts, id);
        }
    }

    /// Forgets the subscription that a request belongs to.
    pub(super) fn forget_dialog(&mut self, accounts: &mut Accounts, message: &Message) {
        if let Some(id) = self.subscription_of(accounts, message) {
            self.forget(accounts, id);
        }
    }

    /// The subscription that a SUBSCRIBE in a dialog belongs to.
    pub(super) fn subscription_of(
        &self,
        accounts: &Accounts,
        subscribe: &Message,
    ) -> Option<SubscriptionId> {
        let user = subscribe.from_uri().map_or("", user_part);
        let mut mine = accounts.served_at(self.id, user).into_iter();
        mine.find(|id| {
            let subscription = self.subscriptions.get(*id);
            subscription.is_some_and(|it| it.owns(subscribe))
        })
    }

    pub(super) fn forget(&mut self, accounts: &mut Accounts, id: SubscriptionId) {
        if let Some(subscription) = self.subscriptions.remove(id) {
            let user = subscription.user().to_owned();
            accounts.disown(&user, self.id, id);
            let last = (user, subscription.package());
            self.ended.insert(last, subscription);
        }
        self.notifies.retain(|_, (of, _)| *of != id);
    }

    /// Writes what is due and hands it to the subscription.
    pub(super) fn enqueue(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        id: SubscriptionId,
        due: Vec<DueNotify>,
    ) {
        for one in due {
            let subscription = self.subscriptions.get(id);
            let Some((user, package)) = subscription.map(|it| (it.user().to_owned(), it.package()))
            else {
                return;
            };
            for outgoing in self.write_due(accounts, &user, package, one) {
                if let Some(subscription) = self.subscriptions.get_mut(id) {
                    subscription.enqueue(now, outgoing);
                }
            }
        }
        self.send_notifies(accounts, now, id);
    }

    fn write_due(
        &mut self,
        accounts: &Accounts,
        user: &str,
        package: Package,
        due: DueNotify,
    ) -> Vec<Outgoing> {
        let mut settings = match due.says {
            Says::Nothing => Vec::new(),
            Says::Values(values) => values,
            Says::Everything => accounts.stored(user, None),
            Says::Services(services) => accounts.stored(user, Some(&services)),
        };
        settings.retain(|(service, _)| package_of(*service) == Some(package));
        let actions = self.notify_actions(user, package, due.purpose, !settings.is_empty());
        let extras = extras_of(&actions);
        if due.end.is_some() {
            return vec![Outgoing {
                content: None,
                extras,
                end: due.end,
            }];
        }
        let contents = contents(&self.dialect, package, &actions, user, &settings);
        let settings = Some(settings).filter(|_| actions.is_empty());
        let settings: Option<Arc<[_]>> = settings.map(Into::into);
        let outgoing = |(index, content)| {
            let source = settings.clone();
            let source = source.map(|settings| Source { settings, index });
            Outgoing {
                content,
                extras: Extras {
                    source,
                    ..extras.clone()
                },
                end: None,
            }
        };
        contents.into_iter().enumerate().map(outgoing).collect()
    }

    fn notify_actions(
        &mut self,
        user: &str,
        package: Package,
        purpose: Purpose,
        body: bool,
    ) -> Vec<Action> {
        let subject = Subject::of_notify(user, package, purpose, body);
        self.faults.take(Stage::Writing, &subject)
    }

    /// What the fault plan makes of a NOTIFY without a body.
    pub(super) fn extras(&mut self, user: &str, package: Package, purpose: Purpose) -> Extras {
        extras_of(&self.notify_actions(user, package, purpose, false))
    }

    /// The time of a subscription may be over; if it was refreshed, this comes again.
    pub(super) fn expire_subscription(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        id: SubscriptionId,
    ) {
        let subscription = self.subscriptions.get(id).filter(|it| it.is_due(now));
        let Some((user, package)) = subscription.map(|it| (it.user().to_owned(), it.package()))
        else {
            return;
        };
        let extras = self.extras(&user, package, Purpose::Termination);
        if let Some(subscription) = self.subscriptions.get_mut(id) {
            subscription.expire(now, extras);
        }
        self.send_notifies(accounts, now, id);
    }

    /// Sends every NOTIFY that the subscription has ready, and lets go of it when it is over.
    fn send_notifies(&mut self, accounts: &mut Accounts, now: Instant, id: SubscriptionId) {
        while let Some(subscription) = self.subscriptions.get_mut(id) {
            let Some((request, extras)) = subscription.poll_notify() else {
                if subscription.is_over() {
                    self.forget(accounts, id);
                }
                return;
            };
            let Some(flow) = self
                .subscriptions
                .get(id)
                .map(|subscription| self.notify_flow(subscription))
            else {
                return;
            };
            let branch = self.new_branch();
            let writer = self.write_notify(&request, flow, &branch, &HeaderChoice::Usual, &extras);
            if let Ok(message) = writer.build() {
                let transaction = self.endpoint.send_request(now, flow, message);
                self.notifies.insert(transaction, (id, request.cseq));
                if let Some(subscription) = self.subscriptions.get_mut(id) {
                    subscription.remember(LastNotify::new(flow, branch, request, extras));
                }
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
    pub(super) fn notify_flow(&self, subscription: &Subscription) -> Flow {
        let flow = subscription.flow();
        let contact = socket_address(subscription.remote_target())
            .filter(|_| !subscription.has_route())
            .map_or(flow, |remote| Flow { remote, ..flow });
        if !flow.transport.is_reliable() {
            return contact;
        }
        if !self.closed_flows.contains(&flow) {
            return flow;
        }
        let registered = self
            .bindings(subscription.user())
            .iter()
            .rev()
            .map(|binding| binding.flow)
            .find(|other| other.transport == flow.transport && !self.closed_flows.contains(other));
        registered.unwrap_or(contact)
    }

    pub(super) fn on_notify_answer(
        &mut self,
        accounts: &mut Accounts,
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
        if let Some(subscription) = self.subscriptions.get_mut(id) {
            subscription.handle_response(now, response);
        }
        self.send_notifies(accounts, now, id);
    }

    pub(super) fn on_notify_failure(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        transaction: TransactionId,
        failure: Failure,
    ) {
        let Some((id, cseq)) = self.notifies.remove(&transaction) else {
            return;
        };
        if let Some(subscription) = self.subscriptions.get_mut(id) {
            subscription.handle_failure(now, cseq, failure);
        }
        self.send_notifies(accounts, now, id);
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
