//! FAIL-05: a digest challenge is answered once, in the same Call-ID; and what FAIL-06 shares with it.

use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::{SECOND, clock, span};
use crate::monitor::scene::traffic::{Purpose, Request, digest};
use sip::message::Method;
use std::collections::BTreeMap;

/// How soon a challenge is answered: our choice, as long as the CHG-01 limit of the change that it repeats.
pub(crate) const PROMPT: u64 = 2 * SECOND;
/// How long a base rests after its credentials were refused.
const REST: u64 = 9 * SECOND;

/// A digest challenge.
pub(crate) struct Challenge<'a> {
    pub(crate) stale: bool,
    pub(crate) nonce: &'a str,
    /// The base can be expected to answer it.
    pub(crate) answerable: bool,
    pub(crate) qop: bool,
}

impl<'a> Challenge<'a> {
    pub(crate) fn of(request: &'a Request) -> Option<Self> {
        let value = request.challenge()?;

        let algorithm = digest(value, "algorithm").unwrap_or("MD5");
        let qop = digest(value, "qop");
        Some(Self {
            stale: digest(value, "stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
            nonce: digest(value, "nonce")?,
            answerable: (algorithm.eq_ignore_ascii_case("MD5")
                || algorithm.eq_ignore_ascii_case("SHA-256"))
                && qop.is_none_or(|qop| qop.split(',').any(|word| word.trim() == "auth")),
            qop: qop.is_some(),
        })
    }
}

/// The credentials that a request carries.
pub(crate) fn credentials(request: &Request) -> Option<&str> {
    let message = &request.message;
    message
        .header("Authorization")
        .or_else(|| message.header("Proxy-Authorization"))
}

/// Whether a request belongs to a kind whose challenges are judged.
pub(crate) fn is_judged(request: &Request) -> bool {
    request.subscribe().is_some() || request.method == Method::Register
}

/// What is wrong with a repeat, apart from its nonce.
pub(crate) fn lint_repeat(repeat: &Request, challenged: &Request) -> Option<String> {
    let header = match challenged.status() {
        Some(407) => "Proxy-Authorization",
        _ => "Authorization",
    };
    if repeat.message.header(header).is_none() {
        return Some(format!("it has no {header}"));
    }
    // The Call-ID and CSeq of REGISTERs are the business of REG-01.
    let counted = repeat.method != Method::Register;
    if counted && repeat.message.call_id() != challenged.message.call_id() {
        return Some("it has another Call-ID".to_owned());
    }
    if counted && repeat.cseq != challenged.cseq.wrapping_add(1) {
        return Some(format!(
            "its CSeq is {} after {}",
            repeat.cseq, challenged.cseq
        ));
    }
    if repeat.message.from_tag() != challenged.message.from_tag() {
        return Some("its From tag is another one".to_owned());
    }
    (repeat.message.body() != challenged.message.body())
        .then(|| "its body is another one".to_owned())
}

/// FAIL-05
#[derive(Clone, Debug, Default)]
pub(crate) struct AnswersChallenge {
    waiting: Deadlines<Place>,
    /// Attempts that a second challenge has ended.
    ended: BTreeMap<(usize, bool), (u64, u64)>,
}

impl AnswersChallenge {
    fn on_answer(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place).filter(|request| is_judged(request))?;
        let account = request.account?;
        let key = (account, request.subscribe().is_some());
        if request.granted() {
            self.ended.remove(&key);
        }
        let challenge = Challenge::of(request).filter(|challenge| !challenge.stale)?;
        if request.repeats.is_some() {
            tell.exercise();
            let answer = request.answer.as_ref()?;
            self.ended.insert(key, (answer.at, answer.seq));
        } else if credentials(request).is_none() && challenge.answerable && !request.gives_up() {
            tell.exercise();
            self.waiting.set(scene.now + PROMPT, place.owner(), place);
        }
        None
    }

    fn on_request(&mut self, request: &Request, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let account = request.account.filter(|_| is_judged(request))?;
        let key = (account, request.subscribe().is_some());
        let user_driven = match request.subscribe() {
            Some(subscribe) => match subscribe.purpose {
                Purpose::Change => request.repeats.is_none(),
                Purpose::Unsubscribe => true,
                Purpose::Initial | Purpose::Refresh => false,
            },
            None => request.gives_up(),
        };
        if let Some((at, seq)) = self.ended.get(&key).copied()
            && request.at < at + REST
            && !user_driven
        {
            let text = format!(
                "a second challenge ends the attempt: the credentials of {} were refused at {}, but it tried again at {}",
                user_of(scene, account),
                clock(at),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[seq, request.seq]);
            return None;
        }
        if let Some(challenged) = request.repeats.and_then(|before| scene.request(before)) {
            self.waiting.retain_of(challenged.account, |waiting| {
                Some(*waiting) != request.repeats
            });
            let fresh = Challenge::of(challenged).is_some_and(|challenge| !challenge.stale);
            if fresh && let Some(wrong) = lint_repeat(request, challenged) {
                let text = format!(
                    "the challenge of {} must be answered by the same {} with credentials, but {wrong}",
                    clock(challenged.at),
                    request.method
                );
                tell.find(self, request.at, text, &[challenged.seq, request.seq]);
            }
            return None;
        }
        let mut elsewhere = None;
        self.waiting.retain_of(Some(account), |waiting| {
            let challenged = scene.request(*waiting);
            let mine = challenged.is_some_and(|challenged| {
                challenged.account == Some(account)
                    && challenged.method == request.method
                    && challenged.message.call_id() != request.message.call_id()
            });
            if mine {
                elsewhere = challenged;
            }
            !mine
        });
        let challenged = elsewhere?;
        let text = format!(
            "the challenge of {} must be answered in the same Call-ID, but the next {} of {} has another one",
            clock(challenged.at),
            request.method,
            user_of(scene, account)
        );
        tell.find(self, request.at, text, &[challenged.seq, request.seq]);
        None
    }
}

impl Rule for AnswersChallenge {
    fn requirement(&self) -> &'static str {
        "FAIL-05"
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
                self.ended.clear();
            }
            Moment::Provisioned(account) => {
                self.waiting.forget(account);
                self.ended.retain(|(ended, _), _| *ended != account);
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
                }
            }
            _ => {}
        }
    }
}

pub(crate) fn tell_unanswered(
    rule: &dyn Rule,
    place: Place,
    at: u64,
    scene: &Scene,
    tell: &mut Tell,
) {
    let Some(request) = scene.request(place) else {
        return;
    };
    let who = request
        .account
        .map(|account| user_of(scene, account))
        .unwrap_or_default();
    let text = format!(
        "the {} of {who} sent at {} was challenged and must be repeated with credentials within {}, but was not",
        request.method,
        clock(request.at),
        span(PROMPT)
    );
    let seq = request
        .answer
        .as_ref()
        .map_or(request.seq, |answer| answer.seq);
    tell.find(rule, at, text, &[request.seq, seq]);
}
