//! SUB-08: a base ends its subscription when synchronisation ends, and subscribes again when it is back.

use crate::monitor::report::Need;
use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::notice::{Due, Reason};
use crate::monitor::scene::time::{MILLISECOND, SECOND, clock, span};
use crate::monitor::scene::traffic::Purpose;
use sip::message::Method;

/// How soon a subscription is ended, or begun again. The catalogue gives no figure; this one is shorter than the ten
/// seconds that scenarios wait, so that a scenario which waits in vain does not end its log first.
const PROMPT: u64 = 9 * SECOND;

/// SUB-08
#[derive(Clone, Debug, Default)]
pub(crate) struct TakesLeave {
    /// Subscriptions that have to be ended: the account, why, which record.
    leaving: Deadlines<(usize, &'static str, u64)>,
    /// Accounts that have to subscribe again, and the record of the switch.
    returning: Deadlines<(usize, u64)>,
    /// Closing NOTIFYs without answer.
    closing: Deadlines<Place>,
}

impl TakesLeave {
    fn must_leave(&mut self, account: usize, why: &'static str, scene: &Scene) {
        let live = scene
            .current(account)
            .is_some_and(|(_, subscription)| subscription.is_live(scene.now));
        if live && !self.leaving.has(account) {
            let leaving = (account, why, scene.seq);
            self.leaving.set(scene.now + PROMPT, Some(account), leaving);
        }
    }

    fn on_clock(&mut self, scene: &Scene, tell: &mut Tell) {
        while let Some((at, (account, why, seq))) = self.leaving.pass(scene.now) {
            // The server may have ended it, or it has run out.
            let current = scene.current(account);
            if !current.is_some_and(|(_, subscription)| subscription.is_live(at)) {
                continue;
            }
            let text = format!(
                "{why}, so {} must end its subscription with Expires 0 within {}, but it did not",
                user_of(scene, account),
                span(PROMPT)
            );
            tell.find(self, scene.now, text, &[seq]);
        }
        while let Some((_, (account, seq))) = self.returning.pass(scene.now) {
            let text = format!(
                "synchronisation was switched on again, so {} must subscribe within {}, but it did not",
                user_of(scene, account),
                span(PROMPT)
            );
            tell.find(self, scene.now, text, &[seq]);
        }
        while let Some((at, place)) = self.closing.pass(scene.now) {
            let Some(arrival) = scene.arrival(place) else {
                continue;
            };
            if arrival.reply().is_none_or(|reply| reply.at > at) {
                let text = format!(
                    "the NOTIFY that closes the subscription came at {} and must be answered 200 within 500 ms",
                    clock(arrival.at)
                );
                tell.find(self, at, text, &[arrival.seq]);
            }
        }
    }

    fn on_provisioned(&mut self, place: usize, scene: &Scene) {
        let Some(account) = scene.account(place) else {
            return;
        };
        self.returning.forget(place);
        match account.sync {
            Some(false) => {
                let why = if account.deleted {
                    "the account was deleted"
                } else {
                    "synchronisation was switched off"
                };
                self.must_leave(place, why, scene);
            }
            Some(true) => {
                self.leaving.forget(place);
                let gone = scene
                    .current(place)
                    .is_some_and(|(_, known)| known.left().is_some());
                let registered = account
                    .registration
                    .is_some_and(|binding| binding.is_live(scene.now));
                if account.has_subscribed && gone && registered && account.switched == scene.now {
                    let returning = (place, scene.seq);
                    self.returning
                        .set(scene.now + PROMPT, Some(place), returning);
                }
            }
            None => {
                self.leaving.forget(place);
            }
        }
    }

    fn on_request(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place)?;
        let account = request.account?;
        if request.method == Method::Register && request.gives_up() {
            self.must_leave(account, "the handset was de-registered", scene);
            return None;
        }
        let subscribe = request.subscribe()?;
        if subscribe.purpose != Purpose::Unsubscribe {
            if self.returning.forget(account).is_some() {
                tell.exercise();
            }
            return None;
        }
        let awaited = self.leaving.forget(account).is_some();
        if !awaited && !subscribe.in_dialog {
            return None;
        }
        tell.exercise();
        let known = scene.subscription(subscribe.subscription)?;
        let wrong = if !subscribe.in_dialog {
            "it belongs to no subscription of the base"
        } else if request.message.to_tag() != known.remote_tag.as_deref() {
            "its To tag is not that of the subscription"
        } else {
            return None;
        };
        let text = format!(
            "the SUBSCRIBE with Expires 0 of {} at {} must end the subscription, but {wrong}",
            user_of(scene, account),
            clock(request.at)
        );
        tell.find(self, request.at, text, &[request.seq]);
        None
    }

    fn on_reply(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let arrival = scene.arrival(place)?;
        let reply = arrival.reply().filter(|_| arrival.replies.len() == 1)?;
        let closing = arrival.notice.as_ref()?.due == Due::Accept(Reason::Closing);
        if closing && reply.status != 200 {
            let text = format!(
                "the NOTIFY that closes the subscription came at {} and must be answered 200, but was answered {}",
                clock(arrival.at),
                reply.status
            );
            tell.find(self, reply.at, text, &[arrival.seq, reply.seq]);
        }
        None
    }
}

impl Rule for TakesLeave {
    fn requirement(&self) -> &'static str {
        "SUB-08"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sip, Need::Provisioning]
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::REQUEST,
                Kinds::ARRIVAL,
                Kinds::REPLY,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        [
            self.leaving.next(),
            self.returning.next(),
            self.closing.next(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => {
                self.leaving.clear();
                self.returning.clear();
                self.closing.clear();
            }
            Moment::Clock => self.on_clock(scene, tell),
            Moment::Provisioned(place) => self.on_provisioned(place, scene),
            Moment::Request(place) => {
                self.on_request(place, scene, tell);
            }
            Moment::Arrival(place) => {
                let notice = scene
                    .arrival(place)
                    .and_then(|arrival| arrival.notice.as_ref());
                if notice.is_some_and(|notice| notice.due == Due::Accept(Reason::Closing)) {
                    tell.exercise();
                    self.closing
                        .set(scene.now + 500 * MILLISECOND, place.owner(), place);
                }
            }
            Moment::Reply(place) => {
                self.on_reply(place, scene, tell);
            }
            _ => {}
        }
    }
}
