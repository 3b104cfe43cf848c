//! SUB-05: a 202 is as good as a 200.

use crate::monitor::rules::menu::tell_wrong;
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::rules::subscribe::subscribe;
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::notice::{Due, Reason};
use crate::monitor::scene::subscription::Subscription;
use crate::monitor::scene::time::{SECOND, SLACK, TIMER_F, clock};
use crate::monitor::scene::traffic::{Purpose, Request, Subscribe};
use std::collections::BTreeMap;

/// How long a base waits that was not told a lifetime; our choice, as for REF-02.
const UNTOLD: u64 = 30 * SECOND;

/// SUB-05
#[derive(Clone, Debug, Default)]
pub(crate) struct AcceptedIsGranted {
    /// The 202 that each account was given last: when, and which record.
    watched: BTreeMap<usize, Accepted>,
}

#[derive(Clone, Copy, Debug)]
struct Accepted {
    at: u64,
    seq: u64,
    subscription: Place,
    notified: bool,
}

impl AcceptedIsGranted {
    fn on_answer(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place)?;
        let subscribe = request.subscribe()?;
        let answer = request.answer.as_ref()?;
        let account = request.account?;
        self.watched.remove(&account);
        if answer.status == 202 && subscribe.purpose != Purpose::Unsubscribe {
            tell.exercise();
            self.watched.insert(
                account,
                Accepted {
                    at: answer.at,
                    seq: answer.seq,
                    subscription: subscribe.subscription,
                    notified: scene
                        .subscription(subscribe.subscription)
                        .is_some_and(|subscription| subscription.awaits.is_none()),
                },
            );
        }
        None
    }

    fn on_subscribe(
        &mut self,
        request: &Request,
        subscribe: &Subscribe,
        account: usize,
        scene: &Scene,
        tell: &mut Tell,
    ) {
        let Some(accepted) = self.watched.get(&account).copied() else {
            return;
        };
        let again = matches!(subscribe.purpose, Purpose::Initial | Purpose::Refresh);
        if !again || request.repeats.is_some() {
            return;
        }
        let since = request.at + SLACK;
        let grant = scene
            .subscription(accepted.subscription)
            .and_then(Subscription::grant);
        let young = grant
            .and_then(|grant| grant.is_young(request.at))
            .unwrap_or(since < accepted.at + UNTOLD)
            && (accepted.notified || since < accepted.at + TIMER_F);
        let troubled = if subscribe.in_dialog {
            scene
                .subscription(accepted.subscription)
                .is_some_and(|known| known.trouble)
        } else {
            subscribe
                .replaces
                .is_none_or(|old| old.subscription != accepted.subscription)
        };
        let calm = scene
            .account(account)
            .is_none_or(|account| account.is_calm(request.at));
        if young && !troubled && calm {
            let text = format!(
                "a 202 at {} is as good as a 200, but {} subscribed again at {}",
                clock(accepted.at),
                user_of(scene, account),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[accepted.seq, request.seq]);
        }
    }

    fn on_reply(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let arrival = scene.arrival(place)?;
        let notice = arrival.notice.as_ref()?;
        let reply = arrival.reply().filter(|_| arrival.replies.len() == 1)?;
        if arrival.accepted() {
            let watched = self.watched.get_mut(&notice.account?)?;
            watched.notified |= Some(watched.subscription) == notice.subscription;
        } else if notice.due == Due::Accept(Reason::After202) {
            let text = format!(
                "the NOTIFY that follows a 202 must be answered 200, but at {} it was answered {}",
                clock(reply.at),
                reply.status
            );
            tell.find(self, reply.at, text, &[arrival.seq, reply.seq]);
        }
        None
    }
}

impl Rule for AcceptedIsGranted {
    fn requirement(&self) -> &'static str {
        "SUB-05"
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::ANSWER,
                Kinds::REPLY,
                Kinds::CHECK,
                Kinds::REQUEST,
            ])
        }
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.watched.clear(),
            Moment::Provisioned(account) => {
                self.watched.remove(&account);
            }
            Moment::Answer(place) => {
                self.on_answer(place, scene, tell);
            }
            Moment::Reply(place) => {
                self.on_reply(place, scene, tell);
            }
            Moment::Check(place) => {
                if let Some(check) = scene.checks.get(place) {
                    tell_wrong(self, check, scene, tell);
                }
            }
            _ => {
                if let Some((_, request, subscribe, account)) = subscribe(moment, scene) {
                    self.on_subscribe(request, subscribe, account, scene, tell);
                }
            }
        }
    }
}
