//! FAIL-06: a new nonce is taken at once and counted from 1; a 401 without a challenge is no reason to hurry.

use super::challenge::{Challenge, PROMPT, credentials, is_judged, lint_repeat, tell_unanswered};
use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::{Horizon, PerAccount, Place};
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::{SECOND, clock, span};
use crate::monitor::scene::traffic::{Purpose, Request, digest};
use std::collections::BTreeMap;

/// How often a base may subscribe when it is refused without a challenge: the limit of FAIL-06.
const RATE: u64 = 30 * SECOND;

/// FAIL-06
/// Nonces of one account; our choice: a server that takes back one older than that is not one we have met.
const NONCES: Horizon = Horizon {
    entries: 64,
    time: u64::MAX,
};

#[derive(Clone, Debug)]
pub(crate) struct TakesNewNonce {
    waiting: Deadlines<Place>,
    /// Nonces that each account has used.
    used: PerAccount<String>,
    /// SUBSCRIBEs that were answered 401 without a challenge.
    refused: BTreeMap<usize, (u64, u64)>,
}

impl Default for TakesNewNonce {
    fn default() -> Self {
        Self {
            waiting: Deadlines::default(),
            used: PerAccount::new(NONCES),
            refused: BTreeMap::new(),
        }
    }
}

impl TakesNewNonce {
    fn on_answer(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place).filter(|request| is_judged(request))?;
        let account = request.account?;
        if request.granted() && request.subscribe().is_some() {
            self.refused.remove(&account);
        }
        if !request.challenged() {
            return None;
        }
        match Challenge::of(request) {
            Some(challenge) if challenge.stale && challenge.answerable => {
                tell.exercise();
                self.waiting.set(scene.now + PROMPT, place.owner(), place);
            }
            Some(_) => {}
            None if request.subscribe().is_some() => {
                let answer = request.answer.as_ref()?;
                let bare = !answer.message.header_list().iter().any(|header| {
                    header.name.eq_ignore_ascii_case("WWW-Authenticate")
                        || header.name.eq_ignore_ascii_case("Proxy-Authenticate")
                });
                if bare {
                    tell.exercise();
                    self.refused.insert(account, (request.at, answer.seq));
                }
            }
            None => {}
        }
        None
    }

    fn on_request(&mut self, request: &Request, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let account = request.account.filter(|_| is_judged(request))?;
        let routine = request.subscribe().is_some_and(|subscribe| {
            matches!(subscribe.purpose, Purpose::Initial | Purpose::Refresh)
                || request.repeats.is_some()
        });
        if let Some((at, seq)) = self.refused.get(&account).copied()
            && routine
            && !self.is_over(request, account, scene)
            && request.at + SECOND < at + RATE
        {
            let text = format!(
                "the SUBSCRIBE of {} at {} was answered 401 without a challenge: the next may follow after {}, but left at {}",
                user_of(scene, account),
                clock(at),
                span(RATE),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[seq, request.seq]);
        }
        self.on_repeat(request, account, scene, tell);
        None
    }

    /// Whatever carries a nonce, for this package or not, spends its count.
    fn remember(&mut self, request: &Request) -> Option<()> {
        let account = request.account?;
        let nonce = credentials(request).and_then(|value| digest(value, "nonce"));
        if let Some(nonce) = nonce.filter(|nonce| !self.has_used(account, nonce)) {
            self.used.push(Some(account), request.at, nonce.to_owned());
        }
        None
    }

    fn has_used(&self, account: usize, nonce: &str) -> bool {
        let mut used = self.used.of(Some(account)).rev();
        used.any(|(_, other)| other == nonce)
    }

    /// Whether the lifetime of the subscription that was refused has run out, so that another one may begin.
    fn is_over(&self, request: &Request, account: usize, scene: &Scene) -> bool {
        let begins = request.subscribe().is_some_and(|subscribe| {
            subscribe.purpose == Purpose::Initial
                && !subscribe.in_dialog
                && subscribe.replaces.is_none()
        });
        let refused = self.refused.get(&account).and_then(|(at, _)| {
            let mut recent = scene.requests.of(Some(account)).rev();
            recent.find(|(_, request)| request.at == *at)
        });
        let refused = refused.and_then(|(_, refused)| refused.subscribe());
        begins && refused.is_some_and(|subscribe| subscribe.in_dialog)
    }

    fn on_repeat(
        &mut self,
        request: &Request,
        account: usize,
        scene: &Scene,
        tell: &mut Tell,
    ) -> Option<()> {
        let challenged = request.repeats.and_then(|before| scene.request(before))?;
        self.waiting.retain_of(challenged.account, |waiting| {
            Some(*waiting) != request.repeats
        });
        let challenge = Challenge::of(challenged)?;
        let renewed = challenged
            .subscribe()
            .is_some_and(|subscribe| subscribe.in_dialog)
            || credentials(challenged).is_some();
        if !challenge.answerable || !(challenge.stale || renewed) {
            return None;
        }
        tell.exercise();
        let wrong = self.lint_nonce(request, &challenge, account).or_else(|| {
            challenge
                .stale
                .then(|| lint_repeat(request, challenged))
                .flatten()
        })?;
        let text = format!(
            "the new nonce of {} must be used at once and counted from 1, but in the {} of {} at {} {wrong}",
            clock(challenged.at),
            request.method,
            user_of(scene, account),
            clock(request.at)
        );
        tell.find(self, request.at, text, &[challenged.seq, request.seq]);
        None
    }

    fn lint_nonce(
        &self,
        request: &Request,
        challenge: &Challenge<'_>,
        account: usize,
    ) -> Option<String> {
        let value = credentials(request)?;
        let nonce = digest(value, "nonce").unwrap_or_default();
        if nonce != challenge.nonce {
            return Some("the nonce is another one".to_owned());
        }
        let known = self.has_used(account, nonce);
        let count = digest(value, "nc").unwrap_or_default();
        (challenge.qop && !known && count != "00000001").then(|| format!("nc is `{count}`"))
    }
}

impl Rule for TakesNewNonce {
    fn requirement(&self) -> &'static str {
        "FAIL-06"
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::ANSWER,
                Kinds::REQUEST,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        self.waiting.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => {
                self.waiting.clear();
                self.used.clear();
                self.refused.clear();
            }
            Moment::Provisioned(account) => {
                self.waiting.forget(account);
                self.refused.remove(&account);
            }
            Moment::Clock => {
                while let Some((at, place)) = self.waiting.pass(scene.now) {
                    tell_unanswered(self, place, at, scene, tell);
                }
            }
            Moment::Answer(place) => {
                self.on_answer(place, scene, tell);
            }
            Moment::Request(place) => {
                if let Some(request) = scene.request(place) {
                    self.on_request(request, scene, tell);
                    self.remember(request);
                }
            }
            _ => {}
        }
    }
}
