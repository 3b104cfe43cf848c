//! FAIL-03: a package that the server refuses for good is left in peace, and the registration stays.

use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::registration::is_refused;
use crate::monitor::rules::registration::renewal::{Lapse, Renewals};
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::{SECOND, clock};
use crate::monitor::scene::traffic::{Purpose, Request};
use sip::message::Method;
use std::collections::BTreeMap;

/// How long a refusal of the package counts; the catalogue's thirty minutes.
const LASTING: u64 = 1800 * SECOND;

/// FAIL-03
#[derive(Clone, Debug, Default)]
pub(crate) struct LeavesInPeace {
    /// Attempts that were refused, by account.
    refused: BTreeMap<usize, Vec<(u64, u64)>>,
    renewals: Renewals,
    /// De-registrations shortly after a refusal.
    left: Deadlines<(usize, u64)>,
}

impl LeavesInPeace {
    fn on_request(&mut self, request: &Request, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let account = request.account?;
        if request.method == Method::Register {
            let refusal = self
                .refused
                .get(&account)
                .and_then(|refused| refused.last());
            if !request.gives_up() {
                self.left.forget(account);
            } else if refusal.is_some_and(|(at, _)| request.at <= at + 10 * SECOND) {
                let left = (account, request.seq);
                self.left.set(request.at + 5 * SECOND, Some(account), left);
            }
        }
        let subscribe = request.subscribe()?;
        if subscribe.in_dialog
            || request.repeats.is_some()
            || subscribe.purpose == Purpose::Unsubscribe
        {
            return None;
        }
        let refused = self.refused.get(&account)?;
        let recent: Vec<u64> = refused
            .iter()
            .filter(|(at, _)| request.at < at + LASTING)
            .map(|(_, seq)| *seq)
            .collect();
        if recent.len() >= 2 {
            let text = format!(
                "the server has refused {} the package {} times within 30 minutes, but it asked again at {}",
                user_of(scene, account),
                recent.len(),
                clock(request.at)
            );
            let mut records = recent;
            records.push(request.seq);
            tell.find(self, request.at, text, &records);
        }
        None
    }

    fn on_answer(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place)?;
        let subscribe = request.subscribe()?;
        let answer = request.answer.as_ref()?;
        match answer.status {
            403 | 489 if !subscribe.in_dialog => {
                tell.exercise();
                let first = first_of(request, scene);
                let refused = self.refused.entry(request.account?).or_default();
                refused.retain(|(at, _)| first.at < at + LASTING);
                refused.push((first.at, answer.seq));
            }
            200..=299 => {
                self.refused.remove(&request.account?);
            }
            _ => {}
        }
        None
    }
}

/// The first request of an attempt, before its repeats with credentials.
fn first_of<'a>(request: &'a Request, scene: &'a Scene) -> &'a Request {
    let mut first = request;
    while let Some(before) = first.repeats.and_then(|before| scene.request(before)) {
        first = before;
    }
    first
}

impl Rule for LeavesInPeace {
    fn requirement(&self) -> &'static str {
        "FAIL-03"
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::END,
                Kinds::ANSWER,
                Kinds::REQUEST,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        [self.renewals.next(), self.left.next()]
            .into_iter()
            .flatten()
            .min()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        for Lapse { binding, late } in self.renewals.on(moment, scene) {
            if late.is_some() || !is_refused(scene, binding.account) {
                continue;
            }
            let text = format!(
                "the refused subscription must not touch the registration of {}, but no REGISTER has renewed it since {}",
                user_of(scene, binding.account),
                clock(binding.granted)
            );
            tell.find(self, scene.now, text, &[binding.seq]);
        }

        match moment {
            Moment::Boot => {
                self.refused.clear();
                self.left.clear();
            }
            Moment::Provisioned(account) => {
                self.refused.remove(&account);
                self.left.forget(account);
            }
            Moment::Clock => {
                while let Some((_, (account, seq))) = self.left.pass(scene.now) {
                    let text = format!(
                        "the refused subscription must not touch the registration, but {} gave it up",
                        user_of(scene, account)
                    );
                    tell.find(self, scene.now, text, &[seq]);
                }
            }
            Moment::Request(place) => {
                if let Some(request) = scene.request(place) {
                    self.on_request(request, scene, tell);
                }
            }
            Moment::Answer(place) => {
                self.on_answer(place, scene, tell);
            }
            _ => {}
        }
    }
}
