//! How requests that reach the base change the scene: NOTIFYs, what the base answers, and what must be shown from then on.

use crate::body::{Device, Reading};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::{Name, Place};
use crate::monitor::scene::moment::Moment;
use crate::monitor::scene::notice::{Circumstances, Due, EventMatch, Notice, Refusal, State};
use crate::monitor::scene::outgoing::dialog;
use crate::monitor::scene::package::Package;
use crate::monitor::scene::subscription::Subscription;
use crate::monitor::scene::time::{DISPLAY, SECOND, TIMER_F};
use crate::monitor::scene::traffic::{Arrival, Purpose, Reply, user};
use crate::record::Sip;
use bytes::Bytes;
use sip::message::{Message, Method};
use std::sync::Arc;

impl Scene {
    /// The NOTIFYs that have reached an account since then and need not be refused, latest first.
    pub(crate) fn told_since(
        &self,
        account: usize,
        since: u64,
    ) -> impl Iterator<Item = (&Arrival, &Notice)> {
        let latest = self.arrivals.of(Some(account)).rev();
        let recent = latest
            .map(|(_, arrival)| arrival)
            .take_while(move |arrival| arrival.at >= since);
        recent.filter_map(move |arrival| {
            let notice = arrival.notice.as_ref()?;
            let counts = notice.subscription.is_some() && !matches!(notice.due, Due::Refuse(_));
            counts.then_some((arrival, notice))
        })
    }

    pub(crate) fn arrived(&mut self, message: Arc<Message>, moments: &mut Vec<Moment>) {
        let Some((cseq, method)) = message.cseq() else {
            return;
        };
        let name = arrival_name(&message, cseq, &method);
        if let Some(known) = self.arrival_places.get(&name) {
            if let Some(arrival) = self.arrivals.get_mut(known) {
                arrival.copies.push((self.seq, self.now));
                moments.push(Moment::ArrivalCopy(known));
            }
            return;
        }
        let notice = (method == Method::Notify).then(|| self.notice(&message));
        let owner = notice.as_ref().and_then(|notice| notice.account);
        let arrival = Arrival {
            seq: self.seq,
            at: self.now,
            message,
            copies: Vec::new(),
            replies: Vec::new(),
            first_reply: Bytes::new(),
            boot: self.boot,
            notice,
        };
        let place = self.arrivals.push(owner, self.now, arrival);
        let arrivals = &self.arrivals;
        let kept = |place| arrivals.get(place).is_some();
        self.arrival_places.insert(name, place, kept);
        moments.push(Moment::Arrival(place));
    }

    /// Whether a NOTIFY belongs to a dialog in which the base has subscribed for another service. A base may answer it
    /// by its dialog or by its Event; what must be answered in a dialog of ours alone is not judged there.
    fn is_elsewhere(&self, message: &Message) -> bool {
        let named = message.to_uri().and_then(user);
        let named = named.and_then(|user| self.account_of_user(user));
        let Some(account) = named.and_then(|place| self.accounts.get(place)) else {
            return false;
        };
        let package = Package::of(message);
        let tag = message.to_tag().unwrap_or_default();
        account.others.iter().any(|(other, held)| {
            let same = held.call_id == message.call_id() && held.local_tag == tag;
            let ours = dialog(&held.call_id, Some(&held.local_tag));
            same && (Some(other) == package.as_ref() || self.dialogs.get(&ours).is_none())
        })
    }

    fn notice(&mut self, message: &Message) -> Notice {
        let name = dialog(message.call_id(), message.to_tag());
        let known = self.dialogs.get(&name);
        let known = known.filter(|&at| {
            let subscription = self.subscriptions.get(at);
            subscription.is_some_and(|subscription| subscription.boot == self.boot)
        });
        let elsewhere = self.is_elsewhere(message);
        let known = known.filter(|_| !elsewhere || Package::of(message).is_none());
        let subscription = known.and_then(|at| self.subscriptions.get(at));
        let addressed = message.to_uri().and_then(user);
        let account = subscription
            .map(|subscription| subscription.account)
            .or_else(|| self.account_of_user(addressed?));
        let early = subscription.is_some_and(|subscription| subscription.asking.is_some());
        let event = EventMatch::of(message);
        let state = State::of(message);
        let reading = Reading::of(message.header("Content-Type"), message.body());
        let due = if self.down || elsewhere {
            Due::Open
        } else {
            Due::of(&Circumstances {
                now: self.now,
                message,
                event,
                state: &state,
                reading: &reading,
                subscription,
                complete: self.is_complete(),
                early,
            })
        };
        let own = account.and_then(|account| self.accounts.get(account));
        let own = Device::Text(own.map_or_else(String::new, |account| account.user.clone()));
        let device_odd = reading.told().any(|told| told.device != own);
        let notice = Notice {
            account,
            subscription: known,
            due,
            cseq: message.cseq().map(|(number, _)| number),
            refreshed: subscription
                .is_some_and(|subscription| subscription.awaits == Some(Purpose::Refresh)),
            resubscribed: subscription.is_some_and(|subscription| {
                subscription.awaits == Some(Purpose::Initial)
                    && self
                        .accounts
                        .get(subscription.account)
                        .is_some_and(|account| account.has_state)
            }),
            device_odd,
            parameters: event == EventMatch::WithParameters,
            after_202: subscription.is_some_and(Subscription::awaits_after_202),
            changes: Vec::new(),
            shown: false,
            state,
            reading,
        };
        if let Some(subscription) = known.and_then(|at| self.subscriptions.get_mut(at)) {
            subscription.seen_cseq = subscription.seen_cseq.max(notice.cseq);
            // A base may begin anew before it has answered the NOTIFY that ends the subscription.
            subscription.trouble |= notice.state.terminated() && !matches!(due, Due::Refuse(_));
        }
        if !matches!(due, Due::Refuse(_))
            && let Some(account) = account.and_then(|account| self.accounts.get(account))
        {
            for handset in &account.handsets {
                let place = self.arrivals.next(notice.account);
                for told in notice.reading.told() {
                    Arc::make_mut(&mut self.displays).expect(handset, told.service, place);
                }
            }
        }
        notice
    }

    pub(crate) fn replied(
        &mut self,
        sip: &Sip,
        status: u16,
        message: &Message,
        moments: &mut Vec<Moment>,
    ) {
        let Some((cseq, method)) = message.cseq() else {
            return;
        };
        if status < 200 {
            return;
        }
        let name = arrival_name(message, cseq, &method);
        let Some(place) = self.arrival_places.get(&name) else {
            return;
        };
        let Some(arrival) = self.arrivals.get_mut(place) else {
            return;
        };
        let first = arrival.replies.is_empty();
        if first {
            arrival.first_reply.clone_from(&sip.bytes);
        }
        let identical = arrival.first_reply == sip.bytes;
        arrival.replies.push(Reply {
            seq: self.seq,
            at: self.now,
            status,
            identical,
        });
        // A rightful 481 is about another subscription; after any other refusal a base may check its own.
        if let Some(notice) = &arrival.notice
            && status >= 300
            && notice.due != Due::Refuse(Refusal::Unknown)
            && let Some(known) = notice
                .subscription
                .and_then(|at| self.subscriptions.get_mut(at))
        {
            known.trouble = true;
        }
        if first && arrival.notice.is_some() {
            if status / 100 == 2 {
                self.accept(place, moments);
            } else {
                self.reject(place);
            }
        }
        moments.push(Moment::Reply(place));
    }

    /// The base took a NOTIFY: what it says counts from now on, unless it should have been refused.
    fn accept(&mut self, place: Place, moments: &mut Vec<Moment>) {
        let now = self.now;
        let Some(arrival) = self.arrivals.get_mut(place) else {
            return;
        };
        let Some(notice) = &mut arrival.notice else {
            return;
        };
        if matches!(notice.due, Due::Refuse(_)) {
            return;
        }
        let Some(subscription) = notice
            .subscription
            .and_then(|at| self.subscriptions.get_mut(at))
        else {
            return;
        };
        subscription.confirmed = true;
        subscription.remote_tag = arrival.message.from_tag().map(str::to_owned);
        subscription.accepted_cseq = subscription.accepted_cseq.max(notice.cseq);
        if arrival.at >= subscription.asking.unwrap_or(0) {
            subscription.awaits = None;
        }
        let told = notice.state.expires;
        if let Some(grant) = subscription.grant_mut() {
            grant.told_lifetime = told.map(|seconds| seconds.saturating_mul(SECOND));
        }
        if notice.state.terminated() {
            subscription.end(None);
        } else if let (Some(seconds), Some(expiry)) = (notice.state.expires, subscription.expiry())
        {
            let ends = arrival.at.saturating_add(seconds.saturating_mul(SECOND));
            if ends + 5 * SECOND < expiry {
                let seq = arrival.seq;
                if let Some(grant) = subscription.grant_mut() {
                    grant.shortened = Some((ends, seq));
                }
            }
        }
        let account = subscription.account;
        if let Some(account) = self.accounts.get_mut(account) {
            account.has_state = true;
        }
        let arrived = arrival.at;
        let mut answered = Vec::new();
        for (number, change) in self.changes.of_mut(Some(account)) {
            let Some(told) = notice.reading.told_of(change.intent.service) else {
                continue;
            };
            if change.closed {
                continue;
            }
            let sent = change.sent.last().and_then(|at| self.requests.get(*at));
            match sent {
                Some(sent) if sent.at <= arrived => {
                    change.notified = true;
                    change.contradicted = change.contradicts(told);
                    answered.push(number);
                    if change.finals.is_some() || now >= sent.at + TIMER_F {
                        change.closed = true;
                    }
                }
                Some(_) => {}
                None if arrived > change.at + 2 * SECOND => change.closed = true,
                None => {}
            }
        }
        // The latest first: it is the one that a display may show.
        answered.reverse();
        notice.changes = answered;
        self.apply(place, moments);
    }

    fn reject(&mut self, place: Place) {
        let Some(notice) = self
            .arrivals
            .get(place)
            .and_then(|arrival| arrival.notice.as_ref())
        else {
            return;
        };
        let refused = matches!(notice.due, Due::Refuse(_));
        if let Some(subscription) = notice
            .subscription
            .and_then(|at| self.subscriptions.get_mut(at))
            && notice.state.terminated()
            && !refused
        {
            subscription.end(None);
        }
        Arc::make_mut(&mut self.displays).settle_unchanged(place, self.now + DISPLAY);
    }
}

/// The name of a request that reached the base: its transaction, and the Call-ID for peers whose branches are not
/// unique.
fn arrival_name(message: &Message, cseq: u32, method: &Method) -> Name {
    let branch = message.branch().unwrap_or_default();
    Name::of(&[branch, method.as_str(), message.call_id()], cseq)
}
