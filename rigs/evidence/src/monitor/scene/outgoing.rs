//! How SIP records change the scene: requests of the base and their answers, registrations, subscriptions.

use crate::body::{Asked, Reading};
use crate::monitor::report::Need;
use crate::monitor::scene::history::{Name, Place};
use crate::monitor::scene::moment::Moment;
use crate::monitor::scene::package::{OtherSubscription, Package};
use crate::monitor::scene::subscription::{Grant, Subscription};
use crate::monitor::scene::time::{DISPLAY, SECOND};
use crate::monitor::scene::traffic::{
    Answer, Purpose, Replaced, Request, Retransmission, Role, Subscribe, asks_for_nothing, digest,
    user,
};
use crate::monitor::scene::unasked::unasked;
use crate::monitor::scene::{Registration, Scene};
use crate::record::{Direction, Fate, Sip};
use sip::message::{Message, Method};
use std::sync::Arc;

/// Responses that end a subscription when they answer a SUBSCRIBE within it (RFC 6665 §4.1.2.2).
const ENDING: [u16; 13] = [
    404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
];

/// How many other packages one account is remembered with; our choice: more than all services have.
const OTHERS: usize = 8;

/// Within this time after a challenge, a request of the same method is its repeat: our choice.
const REPEAT: u64 = 5 * SECOND;

impl Scene {
    pub(crate) fn take_sip(&mut self, sip: &Sip, moments: &mut Vec<Moment>) {
        let outward = match (sip.direction, sip.fate) {
            (Direction::FromBase, Fate::Sent) => true,
            (Direction::ToBase, Fate::Delivered) => false,
            _ => return,
        };
        self.available.insert(Need::Sip);
        self.spoken |= outward;
        let Some(message) = sip.message() else {
            return;
        };
        match (outward, message.status()) {
            (true, None) => self.sent(sip, message, moments),
            (false, Some(status)) => self.answered(status, message, moments),
            (false, None) => self.arrived(message, moments),
            (true, Some(status)) => self.replied(sip, status, &message, moments),
        }
    }

    fn sent(&mut self, sip: &Sip, message: Arc<Message>, moments: &mut Vec<Moment>) {
        let Some(method) = message.method().cloned() else {
            return;
        };
        let Some((cseq, _)) = message.cseq() else {
            return;
        };
        if method == Method::Ack {
            return;
        }

        let place = key(&message, cseq, &method);
        let same = self.request_places.get(&place);
        if let Some(known) = same.or_else(|| self.disguised_copy(sip, &message, cseq, &method)) {
            self.name_request(place, known);
            if let Some(request) = self.requests.get_mut(known) {
                request.copies.push(Retransmission {
                    seq: self.seq,
                    at: self.now,
                    identical: request.message.wire() == message.wire(),
                });
                moments.push(Moment::RequestCopy(known));
            }
            return;
        }

        let featured = method == Method::Subscribe && self.is_featured(&message);
        let repeats = self.challenged_before(&message, &method, featured);
        let account = match (
            featured || method == Method::Register,
            message.from_uri().and_then(user),
        ) {
            (true, Some(user)) => Some(self.account_for(user)),
            (false, Some(user)) => self.account_of_user(user),
            (_, None) => None,
        };
        let account = match account {
            Some(account) if featured => Some(self.owner(account, &message)),
            account => account,
        };
        let number = self.requests.next(account);
        let role = match account {
            Some(account) if featured => {
                let subscribe = self.subscribe(account, number, &message, cseq, repeats);
                let subscribe = Box::new(subscribe);
                if subscribe.purpose == Purpose::Change {
                    Role::Change(subscribe)
                } else {
                    Role::Subscribe(subscribe)
                }
            }
            _ => Role::of(&method, &message),
        };
        if let (Role::SubscribeElsewhere(Some(package)), Some(account)) = (&role, account) {
            self.subscribe_elsewhere(account, package, &message, cseq);
        }
        let call = (method == Method::Invite).then(|| Name::of(&[message.call_id()], 0));
        if method == Method::Register
            && let Some(place) = account
            && let Some(account) = self.accounts.get_mut(place)
        {
            account.registering = Some(self.now);
            self.accounts.register_in(place, message.call_id());
        }
        let name = number_key(&message, cseq, &method);
        let request = Request {
            seq: self.seq,
            at: self.now,
            gives_up: asks_for_nothing(&message),
            message,
            method,
            cseq,
            account,
            boot: self.boot,
            reliable: sip.transport != "UDP",
            destination: sip.destination,
            copies: Vec::new(),
            provisional: false,
            answer: None,
            repeats,
            role,
        };
        let number = self.requests.push(account, self.now, request);
        self.name_request(place, number);
        let requests = &self.requests;
        let kept = |place| requests.get(place).is_some();
        self.request_numbers.insert(name, number, kept);
        if let Some(call_id) = call {
            self.calls.insert(call_id, number, kept);
        }
        let why = unasked(self, number);
        let sent = self.requests.get_mut(number);
        if let Some(subscribe) = sent.and_then(Request::subscribe_mut) {
            subscribe.unasked = why;
        }
        moments.push(Moment::Request(number));
    }

    /// A subscription for another package: it may share a dialog with ours, and then its CSeq (RFC 3261 §12.2.1.1).
    fn subscribe_elsewhere(
        &mut self,
        account: usize,
        package: &Package,
        message: &Message,
        cseq: u32,
    ) {
        if let Some(ours) = self
            .known_dialog(message)
            .and_then(|place| self.subscriptions.get_mut(place))
        {
            ours.last_cseq = cseq;
        }
        let Some(account) = self.accounts.get_mut(account) else {
            return;
        };
        let other = OtherSubscription {
            call_id: message.call_id().to_owned(),
            local_tag: message.from_tag().unwrap_or_default().to_owned(),
        };
        account.others.insert(package.clone(), other);
        if account.others.len() > OTHERS {
            account.others.pop_first();
        }
    }

    /// Remembers a request by its transaction.
    fn name_request(&mut self, name: Name, place: Place) {
        let requests = &self.requests;
        let kept = |place| requests.get(place).is_some();
        self.request_places.insert(name, place, kept);
    }

    /// The unanswered request that this one copies with another branch.
    fn disguised_copy(
        &self,
        sip: &Sip,
        message: &Message,
        cseq: u32,
        method: &Method,
    ) -> Option<Place> {
        let name = number_key(message, cseq, method);
        let place = self.request_numbers.get(&name)?;
        let before = self.requests.get(place)?;
        let waits = before.answer.is_none()
            && before.boot == self.boot
            && before.destination == sip.destination
            && before.message.from_tag() == message.from_tag();
        waits.then_some(place)
    }

    /// The challenged request that this one repeats: that of its Call-ID, or the one whose nonce it answers.
    fn challenged_before(
        &mut self,
        message: &Message,
        method: &Method,
        featured: bool,
    ) -> Option<Place> {
        if self.challenges.is_empty() {
            return None;
        }
        let key = challenge_key(message, method);
        let package = Package::of(message);
        let place = self.challenges.remove(&key).or_else(|| {
            let nonce = digest(message.header("Authorization")?, "nonce")?;
            let answers = |place: Place| {
                let before = self.requests.get(place);
                before.is_some_and(|before| {
                    let challenge = before.challenge();
                    before.method == *method
                        && before.other_package() == package.as_ref().filter(|_| !featured)
                        && before.message.from_uri() == message.from_uri()
                        && challenge.is_some_and(|value| digest(value, "nonce") == Some(nonce))
                })
            };
            let found = self.challenges.iter().find(|(_, place)| answers(*place))?;
            let (key, place) = (found.0.clone(), found.1);
            self.challenges.remove(&key);
            Some(place)
        })?;
        let answer = self.requests.get(place)?.answer.as_ref()?;
        (self.now <= answer.at + REPEAT).then_some(place)
    }

    /// Whether a SUBSCRIBE belongs to feature key synchronisation, be it ever so badly written.
    fn is_featured(&self, message: &Message) -> bool {
        let package = |text: &str| {
            let package = text.split(';').next().unwrap_or_default().trim();
            package.eq_ignore_ascii_case(crate::monitor::PACKAGE)
        };
        if Package::of(message).is_some_and(|package| package.is_other_service()) {
            return false;
        }
        let mut events = message.headers("Event").peekable();
        if events.peek().is_none() {
            let types = message
                .header("Accept")
                .into_iter()
                .chain(message.header("Content-Type"));
            let named = types
                .into_iter()
                .any(|text| text.contains(crate::monitor::PACKAGE));
            return named || self.known_dialog(message).is_some();
        }
        events.any(package) || self.known_dialog(message).is_some()
    }

    fn known_dialog(&self, message: &Message) -> Option<Place> {
        let name = dialog(message.call_id(), message.from_tag());
        let place = self.dialogs.get(&name)?;
        let known = self.subscriptions.get(place)?;
        (known.boot == self.boot).then_some(place)
    }

    fn subscribe(
        &mut self,
        account: usize,
        request: Place,
        message: &Message,
        cseq: u32,
        repeats: Option<Place>,
    ) -> Subscribe {
        let now = self.now;
        let known = self.known_dialog(message);
        let in_dialog = known
            .and_then(|place| self.subscriptions.get(place))
            .is_some_and(|known| known.grant().is_some() || known.confirmed);
        let reading = Reading::of(message.header("Content-Type"), message.body());
        let purpose = if message.expires() == Some(0) {
            Purpose::Unsubscribe
        } else if !message.body().is_empty() {
            Purpose::Change
        } else if in_dialog || (known.is_none() && message.to_tag().is_some()) {
            Purpose::Refresh
        } else {
            Purpose::Initial
        };
        let settled = known
            .and_then(|place| self.subscriptions.get(place))
            .is_some_and(Subscription::is_settled);
        let replaces = match known {
            Some(_) => None,
            None => self.replaced_by_new(account),
        };
        let place = known.unwrap_or_else(|| self.begin(account, message));
        let inherited = repeats
            .and_then(|before| self.requests.get(before))
            .and_then(|before| before.subscribe())
            .and_then(|subscribe| subscribe.change);
        let change = match (purpose, repeats) {
            (Purpose::Change, None) => self.carry(account, request, &reading),
            _ => inherited,
        };
        let mut previous_cseq = None;
        if let Some(subscription) = self.subscriptions.get_mut(place) {
            previous_cseq = known.map(|_| subscription.last_cseq);
            subscription.ask(now, cseq, purpose);
        }
        Subscribe {
            purpose,
            subscription: place,
            previous_cseq,
            in_dialog,
            settled,
            replaces,
            reading,
            change,
            unasked: None,
        }
    }

    /// The subscription that a new one of this account puts an end to.
    fn replaced_by_new(&self, account: usize) -> Option<Replaced> {
        let (place, current) = self.current(account)?;
        let account = self.accounts.get(account)?;
        if !current.is_live(self.now) {
            return None;
        }
        let calm = account.is_calm(self.now)
            && account.registering.is_none()
            && account
                .registration
                .is_some_and(|binding| binding.is_live(self.now));
        Some(Replaced {
            subscription: place,
            sound: calm && current.confirmed && current.is_settled(),
        })
    }

    /// The account that a SUBSCRIBE is really for: a base that subscribes with the wrong identity leaves the
    /// other without.
    fn owner(&self, account: usize, message: &Message) -> usize {
        if let Some(known) = self
            .known_dialog(message)
            .and_then(|at| self.subscriptions.get(at))
        {
            return known.account;
        }
        let Some(named) = self.accounts.get(account) else {
            return account;
        };
        let current = named.current.and_then(|at| self.subscriptions.get(at));
        let calm = named.is_calm(self.now);
        let taken = current.filter(|_| calm).is_some_and(|current| {
            current.is_sure(self.now)
                && !current.trouble
                && current.grant().is_none_or(|grant| grant.status != 202)
        });

        if !taken || !named.provisioned || !message.body().is_empty() {
            return account;
        }
        let other = self.accounts.iter().position(|other| {
            other.sync == Some(true)
                && !other.has_subscribed
                && other
                    .registration
                    .is_some_and(|binding| binding.is_live(self.now))
        });
        other.unwrap_or(account)
    }

    /// A subscription that was not there before; the one before it is given up by that.
    fn begin(&mut self, account: usize, message: &Message) -> Place {
        let name = dialog(message.call_id(), message.from_tag());
        let call_id = message.call_id().to_owned();
        let subscription = Subscription::new(account, call_id, self.boot);
        let place = self
            .subscriptions
            .push(Some(account), self.now, subscription);
        let subscriptions = &self.subscriptions;
        let kept = |place| subscriptions.get(place).is_some();
        self.dialogs.insert(name, place, kept);
        if let Some(account) = self.accounts.get_mut(account) {
            account.has_subscribed = true;
            let before = account.current.replace(place);
            if let Some(before) = before.and_then(|before| self.subscriptions.get_mut(before)) {
                before.end(None);
            }
        }
        place
    }

    fn answered(&mut self, status: u16, message: Arc<Message>, moments: &mut Vec<Moment>) {
        let Some((cseq, method)) = message.cseq() else {
            return;
        };
        let Some(place) = self.request_places.get(&key(&message, cseq, &method)) else {
            return;
        };
        let now = self.now;
        let Some(request) = self.requests.get_mut(place) else {
            return;
        };
        if status < 200 {
            request.provisional = true;
            return;
        }
        if request.answer.is_some() {
            return;
        }

        request.answer = Some(Answer {
            seq: self.seq,
            at: now,
            status,
            message,
        });
        let challenge = request.challenge().is_some();
        let challenge = challenge.then(|| challenge_key(&request.message, &method));
        let featured = request.subscribe().is_some();
        if let Some(key) = challenge {
            let requests = &self.requests;
            let kept = |place| requests.get(place).is_some();
            self.challenges.insert(key, place, kept);
        }

        if method == Method::Register {
            self.registered(place);
        } else if featured {
            self.subscribed(place, status, moments);
        }
        moments.push(Moment::Answer(place));
    }

    fn registered(&mut self, place: Place) {
        let now = self.now;
        let Some(request) = self.requests.get(place) else {
            return;
        };
        let Some(account) = request
            .account
            .and_then(|account| self.accounts.get_mut(account))
        else {
            return;
        };
        account.registering = None;
        if request.granted() {
            if request.gives_up() {
                account.registration = None;
            } else {
                account.registration = Some(Registration {
                    at: now,
                    lifetime: request
                        .granted_seconds()
                        .map(|seconds| seconds.saturating_mul(SECOND)),
                });
                account.first_registered.get_or_insert(now);
            }
        } else if !request.challenged() {
            let current = account
                .current
                .and_then(|at| self.subscriptions.get_mut(at));
            if let Some(current) = current {
                current.trouble = true;
            }
        }
    }

    fn subscribed(&mut self, place: Place, status: u16, moments: &mut Vec<Moment>) {
        let now = self.now;
        let seq = self.seq;
        let Some(request) = self.requests.get(place) else {
            return;
        };
        let Some(subscribe) = request.subscribe() else {
            return;
        };
        let (purpose, in_dialog, change) =
            (subscribe.purpose, subscribe.in_dialog, subscribe.change);
        let Some(subscription) = self.subscriptions.get_mut(subscribe.subscription) else {
            return;
        };
        subscription.asking = None;
        match status {
            200..=299 if purpose == Purpose::Unsubscribe => {}
            200..=299 => {
                let plain = subscription.grant().map_or(0, |grant| grant.plain);
                let plain = if purpose == Purpose::Change {
                    plain
                } else {
                    now
                };
                subscription.grant_anew(Grant {
                    at: now,
                    seq,
                    status,
                    lifetime: request
                        .granted_seconds()
                        .map(|seconds| seconds.saturating_mul(SECOND)),
                    requested: request.message.expires(),
                    plain,
                    told_lifetime: None,
                    shortened: None,
                });
                if subscription.remote_tag.is_none() {
                    let tag = request
                        .answer
                        .as_ref()
                        .and_then(|answer| answer.message.to_tag());
                    subscription.remote_tag = tag.map(str::to_owned);
                }
            }
            401 | 407 => {}
            423 => subscription.trouble = true,
            _ if !in_dialog || ENDING.contains(&status) => {
                subscription.end(Some(status));
            }
            _ => subscription.trouble = true,
        }
        if matches!(status, 401 | 407) {
            return;
        }
        let change_sent = request.seq;
        if let Some(change) = change.and_then(|change| self.changes.get_mut(change)) {
            change.finals = Some(status);
            if status >= 300 || change.notified {
                change.closed = true;
                let handset = change.handset.clone();
                Arc::make_mut(&mut self.displays).unsettle(
                    &handset,
                    change.intent.service,
                    now + DISPLAY,
                );
                self.check_again(&handset, change_sent, moments);
            }
        }
    }
}

/// Whether a request for a change switches on, when it says so.
pub(crate) fn activation(asked: &Asked) -> Option<bool> {
    let name = match asked.document.name.as_str() {
        "SetDoNotDisturb" => "doNotDisturbOn",
        _ => "activateForward",
    };
    match asked.document.child(name)?.text.trim() {
        "true" => Some(true),
        "false" => Some(false),
        _ => None,
    }
}

/// The name of a transaction (RFC 3261 §17.1.3), with the CSeq for peers whose branches are not unique.
pub(crate) fn key(message: &Message, cseq: u32, method: &Method) -> Name {
    Name::of(
        &[message.branch().unwrap_or_default(), method.as_str()],
        cseq,
    )
}

/// The name of a dialog that the base began: Call-ID and the base's tag.
pub(crate) fn dialog(call_id: &str, tag: Option<&str>) -> Name {
    Name::of(&[call_id, tag.unwrap_or_default()], 0)
}

/// What two copies of a request have in common, even with another branch.
fn number_key(message: &Message, cseq: u32, method: &Method) -> Name {
    Name::of(&[method.as_str(), message.call_id()], cseq)
}

fn challenge_key(message: &Message, method: &Method) -> String {
    let package = Package::of(message).filter(Package::is_other_service);
    let name = package.map_or_else(String::new, |package| package.name);
    format!("{method} {name} {}", message.call_id())
}
