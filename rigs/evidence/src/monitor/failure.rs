//! The rules of the failure group: FAIL-03, FAIL-05, FAIL-06.
//!
//! A stale nonce and a 401 without a challenge are the business of FAIL-06, every other challenge that of FAIL-05.

use super::registration::{Lapse, Renewals, is_refused, user_of};
use super::rule::{Deadlines, Moment, Rule, SECOND, Tell, clock, span};
use super::scene::Scene;
use super::traffic::{Purpose, Request, digest};
use sip::message::Method;
use std::collections::{BTreeMap, BTreeSet};

/// How soon a challenge is answered.
const PROMPT: u64 = 2 * SECOND;
/// How long a base rests after its credentials were refused.
const REST: u64 = 9 * SECOND;
/// How often a base may subscribe when it is refused without a challenge.
const RATE: u64 = 30 * SECOND;

pub(super) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(LeavesInPeace::default()),
        Box::new(AnswersChallenge::default()),
        Box::new(TakesNewNonce::default()),
    ]
}

/// FAIL-03
#[derive(Debug, Default)]
struct LeavesInPeace {
    /// Attempts that were refused, by account.
    refused: BTreeMap<usize, Vec<(u64, u64)>>,
    renewals: Renewals,
    /// De-registrations shortly after a refusal.
    left: Deadlines<(usize, u64)>,
}

impl LeavesInPeace {
    fn on_request(&mut self, request: &Request, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let line = request.line?;
        if request.method == Method::Register {
            let refusal = self.refused.get(&line).and_then(|refused| refused.last());
            if !request.gives_up() {
                self.left.retain(|(left, _)| *left != line);
            } else if refusal.is_some_and(|(at, _)| request.at <= at + 10 * SECOND) {
                self.left.set(request.at + 5 * SECOND, (line, request.seq));
            }
        }
        let feature = request.feature.as_ref()?;
        if feature.in_dialog || request.repeats.is_some() || feature.purpose == Purpose::Unsubscribe
        {
            return None;
        }
        let refused = self.refused.get(&line)?;
        let recent: Vec<u64> = refused
            .iter()
            .filter(|(at, _)| request.at < at + 1800 * SECOND)
            .map(|(_, seq)| *seq)
            .collect();
        if recent.len() >= 2 {
            let text = format!(
                "the server has refused {} the package {} times within 30 minutes, but it asked again at {}",
                user_of(scene, line),
                recent.len(),
                clock(request.at)
            );
            let mut records = recent;
            records.push(request.seq);
            tell.find(self, request.at, text, &records);
        }
        None
    }

    fn on_answer(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place)?;
        let feature = request.feature.as_ref()?;
        let answer = request.answer.as_ref()?;
        match answer.status {
            403 | 489 if !feature.in_dialog => {
                tell.exercise();
                let first = first_of(request, scene);
                let refused = self.refused.entry(request.line?).or_default();
                refused.push((first.at, answer.seq));
            }
            200..=299 => {
                self.refused.remove(&request.line?);
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

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        if let Some(Lapse {
            binding,
            late: None,
        }) = self.renewals.on(moment, scene)
            && is_refused(scene, binding.line)
        {
            let text = format!(
                "the refused subscription must not touch the registration of {}, but no REGISTER has renewed it since {}",
                user_of(scene, binding.line),
                clock(binding.granted)
            );
            tell.find(self, scene.now, text, &[binding.seq]);
        }

        match moment {
            Moment::Boot => {
                self.refused.clear();
                self.left.clear();
            }
            Moment::Provisioned(line) => {
                self.refused.remove(&line);
                self.left.retain(|(left, _)| *left != line);
            }
            Moment::Clock => {
                while let Some((_, (line, seq))) = self.left.pass(scene.now) {
                    let text = format!(
                        "the refused subscription must not touch the registration, but {} gave it up",
                        user_of(scene, line)
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

/// A digest challenge.
struct Challenge<'a> {
    stale: bool,
    nonce: &'a str,
    /// The base can be expected to answer it.
    answerable: bool,
    qop: bool,
}

impl<'a> Challenge<'a> {
    fn of(request: &'a Request) -> Option<Self> {
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
fn credentials(request: &Request) -> Option<&str> {
    let message = &request.message;
    message
        .header("Authorization")
        .or_else(|| message.header("Proxy-Authorization"))
}

/// Whether a request belongs to a kind whose challenges are judged.
fn is_judged(request: &Request) -> bool {
    request.feature.is_some() || request.method == Method::Register
}

/// What is wrong with a repeat, apart from its nonce.
fn lint_repeat(repeat: &Request, challenged: &Request) -> Option<String> {
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
#[derive(Debug, Default)]
struct AnswersChallenge {
    waiting: Deadlines<usize>,
    /// Attempts that a second challenge has ended.
    ended: BTreeMap<(usize, bool), (u64, u64)>,
}

impl AnswersChallenge {
    fn on_answer(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place).filter(|request| is_judged(request))?;
        let line = request.line?;
        let key = (line, request.feature.is_some());
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
            self.waiting.set(scene.now + PROMPT, place);
        }
        None
    }

    fn on_request(&mut self, request: &Request, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let line = request.line.filter(|_| is_judged(request))?;
        let key = (line, request.feature.is_some());
        let user_driven = match &request.feature {
            Some(feature) => match feature.purpose {
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
                user_of(scene, line),
                clock(at),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[seq, request.seq]);
            return None;
        }
        if let Some(challenged) = request.repeats.and_then(|before| scene.request(before)) {
            self.waiting
                .retain(|waiting| Some(*waiting) != request.repeats);
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
        self.waiting.retain(|waiting| {
            let challenged = scene.request(*waiting);
            let mine = challenged.is_some_and(|challenged| {
                challenged.line == Some(line)
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
            user_of(scene, line)
        );
        tell.find(self, request.at, text, &[challenged.seq, request.seq]);
        None
    }
}

impl Rule for AnswersChallenge {
    fn requirement(&self) -> &'static str {
        "FAIL-05"
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => {
                self.waiting.clear();
                self.ended.clear();
            }
            Moment::Provisioned(line) => {
                self.waiting.retain(|waiting| {
                    scene
                        .request(*waiting)
                        .is_some_and(|request| request.line != Some(line))
                });
                self.ended.retain(|(ended, _), _| *ended != line);
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

fn tell_unanswered(rule: &dyn Rule, place: usize, at: u64, scene: &Scene, tell: &mut Tell) {
    let Some(request) = scene.request(place) else {
        return;
    };
    let who = request
        .line
        .map(|line| user_of(scene, line))
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

/// FAIL-06
#[derive(Debug, Default)]
struct TakesNewNonce {
    waiting: Deadlines<usize>,
    /// Nonces that each account has used.
    used: BTreeSet<(usize, String)>,
    /// SUBSCRIBEs that were answered 401 without a challenge.
    refused: BTreeMap<usize, (u64, u64)>,
}

impl TakesNewNonce {
    fn on_answer(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place).filter(|request| is_judged(request))?;
        let line = request.line?;
        if request.granted() && request.feature.is_some() {
            self.refused.remove(&line);
        }
        if !request.challenged() {
            return None;
        }
        match Challenge::of(request) {
            Some(challenge) if challenge.stale && challenge.answerable => {
                tell.exercise();
                self.waiting.set(scene.now + PROMPT, place);
            }
            Some(_) => {}
            None if request.feature.is_some() => {
                let answer = request.answer.as_ref()?;
                let bare = !answer.message.header_list().iter().any(|header| {
                    header.name.eq_ignore_ascii_case("WWW-Authenticate")
                        || header.name.eq_ignore_ascii_case("Proxy-Authenticate")
                });
                if bare {
                    tell.exercise();
                    self.refused.insert(line, (request.at, answer.seq));
                }
            }
            None => {}
        }
        None
    }

    fn on_request(&mut self, request: &Request, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let line = request.line.filter(|_| is_judged(request))?;
        let routine = request.feature.as_ref().is_some_and(|feature| {
            matches!(feature.purpose, Purpose::Initial | Purpose::Refresh)
                || request.repeats.is_some()
        });
        if let Some((at, seq)) = self.refused.get(&line).copied()
            && routine
            && !self.is_over(request, line, scene)
            && request.at + SECOND < at + RATE
        {
            let text = format!(
                "the SUBSCRIBE of {} at {} was answered 401 without a challenge: the next may follow after {}, but left at {}",
                user_of(scene, line),
                clock(at),
                span(RATE),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[seq, request.seq]);
        }
        self.on_repeat(request, line, scene, tell);
        if let Some(nonce) = credentials(request).and_then(|value| digest(value, "nonce")) {
            self.used.insert((line, nonce.to_owned()));
        }
        None
    }

    /// Whether the life of the subscription that was refused has run out, so that another one may begin.
    fn is_over(&self, request: &Request, line: usize, scene: &Scene) -> bool {
        let begins = request.feature.as_ref().is_some_and(|feature| {
            feature.purpose == Purpose::Initial && !feature.in_dialog && feature.replaces.is_none()
        });
        let refused = self.refused.get(&line).and_then(|(at, _)| {
            let mut recent = scene.requests.iter().rev().take(64);
            recent.find(|request| request.at == *at && request.line == Some(line))
        });
        let refused = refused.and_then(|refused| refused.feature.as_ref());
        begins && refused.is_some_and(|feature| feature.in_dialog)
    }

    fn on_repeat(
        &mut self,
        request: &Request,
        line: usize,
        scene: &Scene,
        tell: &mut Tell,
    ) -> Option<()> {
        let challenged = request.repeats.and_then(|before| scene.request(before))?;
        self.waiting
            .retain(|waiting| Some(*waiting) != request.repeats);
        let challenge = Challenge::of(challenged)?;
        let renewed = challenged
            .feature
            .as_ref()
            .is_some_and(|feature| feature.in_dialog)
            || credentials(challenged).is_some();
        if !challenge.answerable || !(challenge.stale || renewed) {
            return None;
        }
        tell.exercise();
        let wrong = self.lint_nonce(request, &challenge, line).or_else(|| {
            challenge
                .stale
                .then(|| lint_repeat(request, challenged))
                .flatten()
        })?;
        let text = format!(
            "the new nonce of {} must be used at once and counted from 1, but in the {} of {} at {} {wrong}",
            clock(challenged.at),
            request.method,
            user_of(scene, line),
            clock(request.at)
        );
        tell.find(self, request.at, text, &[challenged.seq, request.seq]);
        None
    }

    fn lint_nonce(
        &self,
        request: &Request,
        challenge: &Challenge<'_>,
        line: usize,
    ) -> Option<String> {
        let value = credentials(request)?;
        let nonce = digest(value, "nonce").unwrap_or_default();
        if nonce != challenge.nonce {
            return Some("the nonce is another one".to_owned());
        }
        let known = self.used.contains(&(line, nonce.to_owned()));
        let count = digest(value, "nc").unwrap_or_default();
        (challenge.qop && !known && count != "00000001").then(|| format!("nc is `{count}`"))
    }
}

impl Rule for TakesNewNonce {
    fn requirement(&self) -> &'static str {
        "FAIL-06"
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => {
                self.waiting.clear();
                self.used.clear();
                self.refused.clear();
            }
            Moment::Provisioned(line) => {
                self.waiting.retain(|waiting| {
                    scene
                        .request(*waiting)
                        .is_some_and(|request| request.line != Some(line))
                });
                self.refused.remove(&line);
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
