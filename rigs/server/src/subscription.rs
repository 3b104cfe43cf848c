//! One subscription to one account: the notifier machine, and what a scenario wants done differently with its NOTIFYs.
//!
//! The machine of the `sip` crate keeps the dialog, the expiry and the queue. What this adds travels beside that queue: every
//! content that goes in has its [`Extras`], and they come out together.

use crate::fault::Ending;
use crate::notify_spec::HeaderChoice;
use crate::package::Package;
use crate::site::SiteId;
use sip::endpoint::Failure;
use sip::message::{Message, parameter};
use sip::node::Flow;
use sip::service::{Service, Setting};
use sip::subscription::{
    Content, Notifier, NotifierIndication, NotifierOutput, NotifierPolicy, NotifyRequest,
    SubscribeAnswer, SubscribeKind,
};
use sip::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Names a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SubscriptionId(pub(crate) u64);

/// A subscription as the server sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionView {
    /// The site that serves it.
    pub site: SiteId,
    /// The event package.
    pub package: Package,
    /// The Call-ID of its dialog.
    pub call_id: String,
    /// The tag that the base chose.
    pub remote_tag: String,
    /// The tag that the server chose.
    pub local_tag: String,
    /// The Contact of the base.
    pub contact: String,
    /// The flow that its last SUBSCRIBE came on.
    pub flow: Flow,
    /// The number of the last NOTIFY.
    pub notify_cseq: u32,
    /// When it ends if it is not refreshed.
    pub expires_at: Option<Instant>,
}

/// What is different about one NOTIFY.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extras {
    pub(crate) subscription_state: HeaderChoice,
    pub(crate) headers: Vec<(String, String)>,
    /// What its content was written from, where no fault had a hand in it.
    pub(crate) source: Option<Source>,
}

/// What a content was written from: the settings of a user, and which of the contents it is that they give.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(crate) settings: Arc<[(Service, Setting)]>,
    pub(crate) index: usize,
}

/// The last NOTIFY, as far as its dialog does not tell: most subscriptions wait for hours, and a text that can be written
/// again is not kept.
#[derive(Clone, Debug)]
pub(crate) struct LastNotify {
    pub(crate) flow: Flow,
    pub(crate) branch: String,
    pub(crate) extras: Extras,
    /// The content, where it has no source.
    pub(crate) content: Option<Content>,
    cseq: u32,
    request_uri: String,
    subscription_state: String,
}

impl LastNotify {
    pub(crate) fn new(flow: Flow, branch: String, request: NotifyRequest, extras: Extras) -> Self {
        let kept = extras.source.is_none();
        Self {
            flow,
            branch,
            extras,
            content: request.content.filter(|_| kept),
            cseq: request.cseq,
            request_uri: request.request_uri,
            subscription_state: request.subscription_state,
        }
    }
}

/// A NOTIFY that is to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) content: Option<Content>,
    pub(crate) extras: Extras,
    pub(crate) end: Option<Ending>,
}

/// One subscription.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    user: String,
    package: Package,
    flow: Flow,
    notifier: Notifier,
    fetching: bool,
    is_over: bool,
    extras: VecDeque<Extras>,
    last: Option<Box<LastNotify>>,
}

impl Subscription {
    /// Takes a SUBSCRIBE outside a dialog, or says how to refuse it.
    pub(crate) fn accept(
        now: Instant,
        policy: Arc<NotifierPolicy>,
        account: (&str, Package),
        flow: Flow,
        subscribe: &Message,
        local_tag: String,
    ) -> Result<(Self, SubscribeAnswer), SubscribeAnswer> {
        let (user, package) = account;
        let (notifier, answer) = Notifier::accept(now, policy, subscribe, local_tag)?;
        let subscription = Self {
            user: user.to_owned(),
            package,
            flow,
            notifier,
            fetching: answer.kind == SubscribeKind::Fetch,
            is_over: false,
            extras: VecDeque::new(),
            last: None,
        };
        Ok((subscription, answer))
    }

    /// How a SUBSCRIBE in this dialog would be answered; nothing changes.
    pub(crate) fn rehearse(&self, now: Instant, subscribe: &Message) -> SubscribeAnswer {
        self.notifier.clone().handle_subscribe(now, subscribe)
    }

    /// Takes a SUBSCRIBE in this dialog. `extras` are for the closing NOTIFY, if it asks for one.
    pub(crate) fn handle_subscribe(
        &mut self,
        now: Instant,
        policy: Arc<NotifierPolicy>,
        flow: Flow,
        subscribe: &Message,
        extras: impl FnOnce() -> Extras,
    ) -> SubscribeAnswer {
        self.notifier.set_policy(policy);
        self.flow = flow;
        let answer = self.notifier.handle_subscribe(now, subscribe);
        if answer.kind == SubscribeKind::Unsubscribed {
            self.extras.push_back(extras());
        }
        answer
    }

    /// Puts a NOTIFY into the queue; a subscription that is over takes none.
    pub(crate) fn enqueue(&mut self, now: Instant, outgoing: Outgoing) {
        if !self.notifier.is_active() && !self.fetching {
            return;
        }
        self.fetching = false;
        self.extras.push_back(outgoing.extras);
        match outgoing.end {
            None => self.notifier.notify(now, outgoing.content),
            Some(Ending {
                reason,
                retry_after,
            }) => {
                let reason = reason.as_deref();
                self.notifier
                    .terminate_with(now, reason, retry_after, outgoing.content);
            }
        }
    }

    /// Whether it ends at this time if nothing happens.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.deadline().is_some_and(|deadline| deadline <= now)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.notifier.expires_at()
    }

    /// Its time is over; `extras` are for the closing NOTIFY.
    pub(crate) fn expire(&mut self, now: Instant, extras: Extras) {
        self.extras.push_back(extras);
        self.notifier.handle_timeout(now);
    }

    pub(crate) fn handle_response(&mut self, now: Instant, response: &Message) {
        self.notifier.handle_response(now, response);
    }

    pub(crate) fn handle_failure(&mut self, now: Instant, cseq: u32, failure: Failure) {
        self.notifier.handle_failure(now, cseq, failure);
    }

    /// The next NOTIFY to be sent.
    pub(crate) fn poll_notify(&mut self) -> Option<(NotifyRequest, Extras)> {
        loop {
            match self.notifier.poll_output() {
                NotifierOutput::Send(request) => {
                    let extras = self.extras.pop_front().unwrap_or_default();
                    return Some((*request, extras));
                }
                NotifierOutput::Indication(NotifierIndication::Ended { .. }) => {
                    self.is_over = true;
                    self.extras.clear();
                }
                NotifierOutput::Indication(_) => {}
                NotifierOutput::Timeout(_) => {
                    if self.extras.is_empty() {
                        self.extras = VecDeque::new();
                    }
                    return None;
                }
            }
        }
    }

    /// The values of a NOTIFY of this dialog that the machine does not know of, with this number.
    pub(crate) fn odd_request(&self, cseq: u32, now: Instant) -> NotifyRequest {
        let dialog = self.notifier.dialog();
        let left = self
            .notifier
            .expires_at()
            .map(|end| end.since(now).as_secs());
        NotifyRequest {
            call_id: dialog.call_id.clone(),
            cseq,
            local_uri: dialog.local_uri.clone(),
            local_tag: dialog.local_tag.clone(),
            remote_uri: dialog.remote_uri.clone(),
            remote_tag: dialog.remote_tag.clone().unwrap_or_default(),
            request_uri: dialog.remote_target.clone(),
            route: dialog.route_set.clone(),
            event: self.notifier.event().to_owned(),
            subscription_state: left.map_or_else(
                || "active".to_owned(),
                |left| format!("active;expires={left}"),
            ),
            content: None,
        }
    }

    /// The number of the last NOTIFY.
    pub(crate) const fn last_cseq(&self) -> u32 {
        self.notifier.dialog().local_cseq
    }

    /// Lets the count go on from this number.
    pub(crate) const fn count_from(&mut self, cseq: u32) {
        self.notifier.dialog_mut().local_cseq = cseq;
    }

    /// Whether a SUBSCRIBE in a dialog belongs here: the dialog, the package and its `id` are the same (RFC 6665 §8.2.1).
    pub(crate) fn owns(&self, subscribe: &Message) -> bool {
        let id = |event| parameter(event, "id");
        self.notifier.owns(subscribe)
            && Package::of(subscribe) == Some(self.package)
            && subscribe.header("Event").and_then(id) == id(self.notifier.event())
    }

    pub(crate) fn local_tag(&self) -> &str {
        &self.notifier.dialog().local_tag
    }

    pub(crate) fn remote_target(&self) -> &str {
        &self.notifier.dialog().remote_target
    }

    pub(crate) fn has_route(&self) -> bool {
        !self.notifier.dialog().route_set.is_empty()
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) const fn package(&self) -> Package {
        self.package
    }

    pub(crate) const fn flow(&self) -> Flow {
        self.flow
    }

    /// Whether nothing more will come of it.
    pub(crate) const fn is_over(&self) -> bool {
        self.is_over
    }

    /// Whether the base hears of changes.
    pub(crate) const fn is_active(&self) -> bool {
        self.notifier.is_active()
    }

    /// The last NOTIFY, and its values without the content.
    pub(crate) fn last(&self, now: Instant) -> Option<(&LastNotify, NotifyRequest)> {
        let last = self.last.as_deref()?;
        let mut request = self.odd_request(last.cseq, now);
        request.request_uri.clone_from(&last.request_uri);
        request
            .subscription_state
            .clone_from(&last.subscription_state);
        Some((last, request))
    }

    pub(crate) fn remember(&mut self, last: LastNotify) {
        self.last = Some(Box::new(last));
    }

    pub(crate) fn view(&self, site: SiteId) -> SubscriptionView {
        let dialog = self.notifier.dialog();
        SubscriptionView {
            site,
            package: self.package,
            call_id: dialog.call_id.clone(),
            remote_tag: dialog.remote_tag.clone().unwrap_or_default(),
            local_tag: dialog.local_tag.clone(),
            contact: dialog.remote_target.clone(),
            flow: self.flow,
            notify_cseq: dialog.local_cseq,
            expires_at: self.notifier.expires_at(),
        }
    }
}

/// The subscriptions that a site serves. Which of them are a user's is known to the accounts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscriptions {
    /// Boxed, because a map of large values is half empty.
    all: BTreeMap<SubscriptionId, Box<Subscription>>,
}

impl Subscriptions {
    pub(crate) fn insert(&mut self, id: SubscriptionId, subscription: Subscription) {
        self.all.insert(id, Box::new(subscription));
    }

    pub(crate) fn remove(&mut self, id: SubscriptionId) -> Option<Subscription> {
        self.all.remove(&id).map(|subscription| *subscription)
    }

    pub(crate) fn clear(&mut self) {
        self.all.clear();
    }

    pub(crate) fn flows(&self) -> impl Iterator<Item = Flow> {
        self.all.values().map(|subscription| subscription.flow())
    }

    pub(crate) fn get(&self, id: SubscriptionId) -> Option<&Subscription> {
        self.all.get(&id).map(Box::as_ref)
    }

    pub(crate) fn get_mut(&mut self, id: SubscriptionId) -> Option<&mut Subscription> {
        self.all.get_mut(&id).map(Box::as_mut)
    }
}
