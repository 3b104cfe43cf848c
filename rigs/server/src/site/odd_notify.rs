//! NOTIFYs outside the regular order: those that a scenario words itself, and the request to fetch the provisioning again.
//!
//! Neither passes the notifier machine: their answers end no subscription, and their numbers are counted only where the spec
//! says so.

use super::Site;
use crate::accounts::Accounts;
use crate::address::socket_address;
use crate::body::contents;
use crate::fault::Action;
use crate::notify_spec::{
    HeaderChoice, NotifyCSeq, NotifyContent, NotifyDialog, NotifySent, NotifySpec,
};
use crate::package::Package;
use crate::registrar::Binding;
use crate::subscription::{Extras, Source, Subscription, SubscriptionId};
use bytes::Bytes;
use sip::message::Message;
use sip::node::Flow;
use sip::subscription::{Content, NotifyRequest};
use sip::time::Instant;

impl Site {
    /// Sends what the spec says, and returns what has left.
    pub(crate) fn notify_oddly(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        user: &str,
        spec: &NotifySpec,
    ) -> Vec<NotifySent> {
        if spec.retransmission {
            return self.send_again(accounts, now, user, spec.package);
        }
        let mut sent = Vec::new();
        match spec.dialog {
            NotifyDialog::Outside => {
                for binding in self.bindings(user).to_vec() {
                    let flow = flow_of(&binding);
                    let request = self.outside_request(user, spec.package, &binding);
                    sent.extend(self.send_odd(accounts, now, user, spec, request, flow));
                }
            }
            NotifyDialog::LastEnded => {
                let ended = (user.to_owned(), spec.package);
                if let Some(subscription) = self.ended.get(&ended).cloned() {
                    let request = subscription.odd_request(odd_cseq(&subscription, spec.cseq), now);
                    if let Some(subscription) = self.ended.get_mut(&ended) {
                        count(subscription, spec.cseq, request.cseq);
                    }
                    let flow = self.notify_flow(&subscription);
                    sent.extend(self.send_odd(accounts, now, user, spec, request, flow));
                }
            }
            NotifyDialog::Current
            | NotifyDialog::UnknownCallId
            | NotifyDialog::UnknownFromTag
            | NotifyDialog::UnknownToTag => {
                for id in self.subscriptions_of(accounts, user, Some(spec.package)) {
                    sent.extend(self.notify_subscription(accounts, now, user, spec, id));
                }
            }
        }
        sent
    }

    fn notify_subscription(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        user: &str,
        spec: &NotifySpec,
        id: SubscriptionId,
    ) -> Vec<NotifySent> {
        let Some(subscription) = self
            .subscriptions
            .get(id)
            .filter(|subscription| subscription.is_active())
        else {
            return Vec::new();
        };
        let flow = self.notify_flow(subscription);
        let mut request = subscription.odd_request(odd_cseq(subscription, spec.cseq), now);
        match spec.dialog {
            NotifyDialog::UnknownCallId => request.call_id = self.endpoint.new_call_id(),
            NotifyDialog::UnknownFromTag => request.local_tag = self.endpoint.new_tag(),
            NotifyDialog::UnknownToTag => request.remote_tag = self.endpoint.new_tag(),
            NotifyDialog::Current | NotifyDialog::LastEnded | NotifyDialog::Outside => {
                if let Some(subscription) = self.subscriptions.get_mut(id) {
                    count(subscription, spec.cseq, request.cseq);
                }
            }
        }
        self.send_odd(accounts, now, user, spec, request, flow)
    }

    /// Sends the last NOTIFY of each subscription again: the same bytes on the same branch.
    fn send_again(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        user: &str,
        package: Package,
    ) -> Vec<NotifySent> {
        let last: Vec<_> = self
            .subscriptions_of(accounts, user, Some(package))
            .into_iter()
            .filter_map(|id| self.last_notify(id, now))
            .collect();
        let mut sent = Vec::new();
        for (flow, bytes) in last {
            sent.extend(Message::parse(bytes.clone()).ok().as_ref().map(sent_of));
            self.endpoint.send_raw(flow, bytes);
        }
        sent
    }

    /// The flow and the bytes of the last NOTIFY of a subscription.
    fn last_notify(&self, id: SubscriptionId, now: Instant) -> Option<(Flow, Bytes)> {
        let subscription = self.subscriptions.get(id)?;
        let (last, mut request) = subscription.last(now)?;
        request.content = match &last.extras.source {
            None => last.content.clone(),
            Some(Source { settings, index }) => {
                let (user, package) = (subscription.user(), subscription.package());
                let contents = contents(&self.dialect, package, &[], user, settings);
                contents.into_iter().nth(*index).flatten()
            }
        };
        let (event, extras) = (&HeaderChoice::Usual, &last.extras);
        let writer = self.write_notify(&request, last.flow, &last.branch, event, extras);
        Some((last.flow, writer.to_bytes()))
    }

    fn outside_request(
        &mut self,
        user: &str,
        package: Package,
        binding: &Binding,
    ) -> NotifyRequest {
        let aor = format!("sip:{user}@{}", self.domain);
        NotifyRequest {
            call_id: self.endpoint.new_call_id(),
            cseq: self.dialect.notify.first_cseq.value,
            local_uri: aor.clone(),
            local_tag: self.endpoint.new_tag(),
            remote_uri: aor,
            remote_tag: String::new(),
            request_uri: binding.contact.clone(),
            route: Vec::new(),
            event: package.event().to_owned(),
            subscription_state: "active".to_owned(),
            content: None,
        }
    }

    fn send_odd(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        user: &str,
        spec: &NotifySpec,
        mut request: NotifyRequest,
        flow: Flow,
    ) -> Vec<NotifySent> {
        let extras = Extras {
            subscription_state: spec.subscription_state.clone(),
            headers: spec.headers.clone(),
            source: None,
        };
        let mut sent = Vec::new();
        for (index, content) in self
            .odd_contents(accounts, user, spec)
            .into_iter()
            .enumerate()
        {
            request.content = content;
            if index > 0 {
                request.cseq += 1;
            }
            let branch = self.new_branch();
            let writer = self.write_notify(&request, flow, &branch, &spec.event, &extras);
            match writer.build() {
                Ok(message) => {
                    sent.push(sent_of(&message));
                    self.endpoint.send_request(now, flow, message);
                }
                // Headers of the scenario's own that no parser reads: they leave without a transaction.
                Err(_) => self.endpoint.send_raw(flow, writer.to_bytes()),
            }
        }
        sent
    }

    fn odd_contents(
        &self,
        accounts: &Accounts,
        user: &str,
        spec: &NotifySpec,
    ) -> Vec<Option<Content>> {
        let settings = match &spec.content {
            NotifyContent::Custom(content) => return vec![Some(content.clone())],
            NotifyContent::Nothing => return vec![None],
            NotifyContent::FullState => accounts.stored(user, None),
            NotifyContent::Services(services) => accounts.stored(user, Some(services)),
            NotifyContent::Values(values) => values.clone(),
        };
        // A number belongs to one NOTIFY: the documents of one spec travel together unless its form says otherwise.
        let actions: &[Action] = &spec.form;
        contents(&self.dialect, spec.package, actions, user, &settings)
    }

    /// Asks the base to fetch its provisioning again. How many requests have left.
    pub(crate) fn check_sync(&mut self, accounts: &Accounts, now: Instant, user: &str) -> usize {
        let event = self.dialect.check_sync.event.value.clone();
        let spec = NotifySpec::new()
            .in_dialog(NotifyDialog::Outside)
            .with_event(&event)
            .without_subscription_state()
            .with_content(NotifyContent::Nothing);
        self.notify_oddly(accounts, now, user, &spec).len()
    }
}

impl HeaderChoice {
    /// The value to be written, if any.
    pub(crate) fn pick<'a>(&'a self, usual: &'a str) -> Option<&'a str> {
        match self {
            Self::Missing => None,
            Self::Usual => Some(usual),
            Self::Value(value) => Some(value),
        }
    }
}

fn odd_cseq(subscription: &Subscription, choice: NotifyCSeq) -> u32 {
    let last = subscription.last_cseq();
    match choice {
        NotifyCSeq::Next => last.saturating_add(1),
        NotifyCSeq::Offset(offset) => {
            let number = i64::from(last).saturating_add(offset).max(0);
            u32::try_from(number).unwrap_or(u32::MAX)
        }
        NotifyCSeq::Restart(number) => number,
    }
}

fn count(subscription: &mut Subscription, choice: NotifyCSeq, number: u32) {
    if matches!(choice, NotifyCSeq::Restart(_)) || number > subscription.last_cseq() {
        subscription.count_from(number);
    }
}

/// The way to a contact: over UDP to the address it names, over a stream on the connection of the registration.
fn flow_of(binding: &Binding) -> Flow {
    let flow = binding.flow;
    if flow.transport.is_reliable() {
        return flow;
    }
    socket_address(&binding.contact).map_or(flow, |remote| Flow { remote, ..flow })
}

fn sent_of(message: &Message) -> NotifySent {
    NotifySent {
        call_id: message.call_id().to_owned(),
        cseq: message.cseq().map_or(0, |(number, _)| number),
        branch: message.branch().unwrap_or_default().to_owned(),
    }
}
