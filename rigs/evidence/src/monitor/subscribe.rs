//! The rules of the subscribe group: SUB-01, SUB-02, SUB-03, SUB-04, SUB-05, SUB-08.

use super::change::{Unasked, unasked};
use super::menu::tell_wrong;
use super::notice::{Due, Reason};
use super::registration::user_of;
use super::report::Need;
use super::rule::{
    Deadlines, MILLISECOND, Moment, Rule, SECOND, SLACK, TIMER_F, Tell, clock, span,
};
use super::scene::Scene;
use super::traffic::{Feature, Purpose, Request, host};
use sip::message::Method;
use std::collections::BTreeMap;

pub(super) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(WellFormedSubscribe),
        Box::new(ConfiguredExpires),
        Box::new(NoBodyUnasked),
        Box::new(RepeatedByTheBook::default()),
        Box::new(AcceptedIsGranted::default()),
        Box::new(TakesLeave::default()),
    ]
}

/// The SUBSCRIBE of a moment that is one.
pub(super) fn subscribe(
    moment: Moment,
    scene: &Scene,
) -> Option<(usize, &Request, &Feature, usize)> {
    let Moment::Request(place) = moment else {
        return None;
    };
    let request = scene.request(place)?;
    Some((place, request, request.feature.as_ref()?, request.line?))
}

/// SUB-01
#[derive(Debug)]
struct WellFormedSubscribe;

impl WellFormedSubscribe {
    fn lint(request: &Request, feature: &Feature, scene: &Scene) -> Option<String> {
        let message = &request.message;
        let events: Vec<&str> = message.headers("Event").collect();
        if events.as_slice() != [super::PACKAGE] {
            return Some(format!(
                "it must have one Event header with the value {}, but has {}",
                super::PACKAGE,
                if events.is_empty() {
                    "none".to_owned()
                } else {
                    events.join(" and ")
                }
            ));
        }
        for name in [
            "Via",
            "Max-Forwards",
            "From",
            "To",
            "Call-ID",
            "CSeq",
            "Contact",
        ] {
            if message.header(name).is_none_or(str::is_empty) {
                return Some(format!("the header {name} is missing"));
            }
        }
        if message.from_tag().is_none_or(str::is_empty) {
            return Some("From has no tag".to_owned());
        }
        if message
            .cseq()
            .is_none_or(|(_, method)| method != Method::Subscribe)
        {
            return Some("CSeq names another method".to_owned());
        }
        let contact = message.contact_uri().unwrap_or_default();
        if message.values("Contact").len() != 1
            || !(contact.starts_with("sip:") || contact.starts_with("sips:"))
            || matches!(host(contact), "" | "0.0.0.0" | "::")
        {
            return Some(format!("its Contact `{contact}` cannot be reached"));
        }
        if scene.other_call_ids.contains(message.call_id()) {
            return Some("it has the Call-ID of a REGISTER or INVITE".to_owned());
        }
        let invented = message.to_tag().is_some()
            && !feature.in_dialog
            && feature.previous_cseq.is_none()
            && scene.is_complete();
        invented.then(|| "it is the first of its Call-ID and has a To tag".to_owned())
    }
}

impl Rule for WellFormedSubscribe {
    fn requirement(&self) -> &'static str {
        "SUB-01"
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((_, request, feature, line)) = subscribe(moment, scene) else {
            return;
        };
        tell.exercise();
        if let Some(wrong) = Self::lint(request, feature, scene) {
            let who = user_of(scene, line);
            let text = format!(
                "the SUBSCRIBE of {who} at {} is malformed: {wrong}",
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

/// SUB-02
#[derive(Debug)]
struct ConfiguredExpires;

impl Rule for ConfiguredExpires {
    fn requirement(&self) -> &'static str {
        "SUB-02"
    }

    fn claims(&self) -> &'static [&'static str] {
        &["sip.subscription-timer"]
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((_, request, feature, line)) = subscribe(moment, scene) else {
            return;
        };
        tell.exercise();
        let who = user_of(scene, line);
        let Some(expires) = request.message.expires() else {
            let text = format!(
                "the SUBSCRIBE of {who} at {} has no Expires",
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
            return;
        };
        let configured = scene
            .claim("sip.subscription-timer")
            .and_then(|text| text.trim().parse().ok());
        let Some(configured) = configured.filter(|_| feature.purpose == Purpose::Initial) else {
            return;
        };
        let forced = scene
            .requests
            .iter()
            .rev()
            .take(64)
            .filter(|before| before.line == Some(line) && before.status() == Some(423))
            .filter_map(|before| {
                before
                    .answer
                    .as_ref()?
                    .message
                    .header("Min-Expires")?
                    .parse()
                    .ok()
            })
            .any(|minimum: u32| expires >= minimum);
        let asked: u32 = configured;
        if expires != asked && !forced {
            let text = format!(
                "the initial SUBSCRIBE of {who} at {} must ask for the configured {asked} s, but asks for {expires} s",
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

/// SUB-03
#[derive(Debug)]
struct NoBodyUnasked;

impl Rule for NoBodyUnasked {
    fn requirement(&self) -> &'static str {
        "SUB-03"
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((place, request, feature, line)) = subscribe(moment, scene) else {
            return;
        };
        let wrong = match feature.purpose {
            Purpose::Initial | Purpose::Refresh => {
                tell.exercise();
                let typed = request.message.header("Content-Type");
                typed.map(|typed| format!("no body, but the Content-Type {typed}"))
            }
            Purpose::Change if unasked(scene, place) == Some(Unasked::Plain) => Some(format!(
                "a body of {} bytes, and no user asked for anything",
                request.message.body().len()
            )),
            Purpose::Change | Purpose::Unsubscribe => None,
        };
        if let Some(wrong) = wrong {
            let text = format!(
                "a SUBSCRIBE without a change must have no body: that of {} at {} has {wrong}",
                user_of(scene, line),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

/// The number of copies that Timer E sends before Timer F fires.
const COPIES: usize = 10;

/// SUB-04
#[derive(Debug, Default)]
struct RepeatedByTheBook {
    /// The next copy of a request: the request, and how many copies it then has.
    due: Deadlines<(usize, usize)>,
}

impl RepeatedByTheBook {
    /// How long before the copy with this number, from 1 (RFC 3261 §17.1.2.2).
    fn interval(copy: usize, t1: u64) -> u64 {
        match copy {
            1 => t1,
            2 => 2 * t1,
            3 => 4 * t1,
            _ => 8 * t1,
        }
    }

    fn t1(scene: &Scene) -> u64 {
        let claimed = scene
            .claim("sip.t1")
            .and_then(|text| text.trim().parse::<u64>().ok());
        claimed.map_or(SECOND / 2, |milliseconds| milliseconds * MILLISECOND)
    }

    fn on_copy(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene
            .request(place)
            .filter(|request| request.feature.is_some())?;
        let count = request.copies.len();
        let copy = request.copies.last()?;
        let before = match count.checked_sub(2).and_then(|at| request.copies.get(at)) {
            Some(before) => before.at,
            None => request.at,
        };
        tell.exercise();
        let t1 = Self::t1(scene);
        let gap = copy.at.saturating_sub(before);
        let due = Self::interval(count, t1);
        let after = request
            .answer
            .as_ref()
            .filter(|answer| copy.at > answer.at + SLACK);
        let wrong = if request.reliable {
            Some("a reliable transport repeats by itself".to_owned())
        } else if !copy.identical {
            Some("it differs from the first".to_owned())
        } else if let Some(answer) = after {
            Some(format!(
                "the answer {} had come at {}",
                answer.status,
                clock(answer.at)
            ))
        } else if count > COPIES {
            Some(format!("only {COPIES} copies may follow the first"))
        } else if !request.provisional && gap.abs_diff(due) > due / 5 {
            Some(format!(
                "it came {} after the one before, due was {}",
                span(gap),
                span(due)
            ))
        } else {
            None
        };
        if let Some(wrong) = wrong {
            let text = format!(
                "copy {count} of the SUBSCRIBE of {} left at {}, but {wrong}",
                user_of(scene, request.line?),
                clock(copy.at)
            );
            tell.find(self, copy.at, text, &[request.seq, copy.seq]);
        } else if count < COPIES && !request.provisional {
            let next = Self::interval(count + 1, t1);
            self.due.set(copy.at + next + next / 5, (place, count + 1));
        }
        None
    }

    fn on_clock(&mut self, scene: &Scene, tell: &mut Tell) {
        while let Some((at, (place, count))) = self.due.pass(scene.now) {
            let Some(request) = scene.request(place) else {
                continue;
            };
            let answered = request
                .answer
                .as_ref()
                .is_some_and(|answer| answer.at <= at);
            if answered || request.provisional || request.copies.len() >= count {
                continue;
            }
            tell.exercise();
            if request.reliable {
                continue;
            }
            let who = request
                .line
                .map(|line| user_of(scene, line))
                .unwrap_or_default();
            let text = format!(
                "the SUBSCRIBE of {who} sent at {} had no answer, but its copy {count} was not sent by {}",
                clock(request.at),
                clock(at)
            );
            tell.find(self, at, text, &[request.seq]);
        }
    }
}

impl Rule for RepeatedByTheBook {
    fn requirement(&self) -> &'static str {
        "SUB-04"
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.due.clear(),
            Moment::Clock => self.on_clock(scene, tell),
            Moment::Provisioned(line) => {
                self.due.retain(|(place, _)| {
                    scene
                        .request(*place)
                        .is_some_and(|request| request.line != Some(line))
                });
            }
            Moment::RequestCopy(place) => {
                self.on_copy(place, scene, tell);
            }
            _ => {
                let Some((place, request, ..)) = subscribe(moment, scene) else {
                    return;
                };
                let first = Self::interval(1, Self::t1(scene));
                let wait = if request.reliable {
                    SECOND
                } else {
                    first + first / 5
                };
                self.due.set(request.at + wait, (place, 1));
            }
        }
    }
}

/// SUB-05
#[derive(Debug, Default)]
struct AcceptedIsGranted {
    /// The 202 that each account was given last: when, which record, for how long.
    watched: BTreeMap<usize, Accepted>,
}

#[derive(Clone, Copy, Debug)]
struct Accepted {
    at: u64,
    seq: u64,
    subscription: usize,
    life: u64,
    notified: bool,
}

impl AcceptedIsGranted {
    fn on_answer(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place)?;
        let feature = request.feature.as_ref()?;
        let answer = request.answer.as_ref()?;
        let line = request.line?;
        self.watched.remove(&line);
        if answer.status == 202 && feature.purpose != Purpose::Unsubscribe {
            tell.exercise();
            let life = request
                .granted_seconds()
                .map(|seconds| seconds.saturating_mul(SECOND));
            self.watched.insert(
                line,
                Accepted {
                    at: answer.at,
                    seq: answer.seq,
                    subscription: feature.subscription,
                    life: life.unwrap_or(60 * SECOND),
                    notified: scene
                        .subscription(feature.subscription)
                        .is_some_and(|subscription| subscription.awaits.is_none()),
                },
            );
        }
        None
    }

    fn on_subscribe(
        &mut self,
        request: &Request,
        feature: &Feature,
        line: usize,
        scene: &Scene,
        tell: &mut Tell,
    ) {
        let Some(accepted) = self.watched.get(&line).copied() else {
            return;
        };
        let again = matches!(feature.purpose, Purpose::Initial | Purpose::Refresh);
        if !again || request.repeats.is_some() {
            return;
        }
        let patience = accepted.life / 2;
        let patience = if accepted.notified {
            patience
        } else {
            patience.min(TIMER_F)
        };
        let troubled = if feature.in_dialog {
            scene
                .subscription(accepted.subscription)
                .is_some_and(|known| known.trouble)
        } else {
            feature
                .replaces
                .is_none_or(|old| old.subscription != accepted.subscription)
        };
        let refetched = scene.line(line).and_then(|line| line.refetched);
        let refetched = refetched.is_some_and(|at| scene.now <= at + 10 * SECOND);
        if request.at + SLACK < accepted.at + patience && !troubled && !refetched {
            let text = format!(
                "a 202 at {} is as good as a 200, but {} subscribed again at {}",
                clock(accepted.at),
                user_of(scene, line),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[accepted.seq, request.seq]);
        }
    }

    fn on_reply(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let arrival = scene.arrival(place)?;
        let notice = arrival.notice.as_ref()?;
        let reply = arrival.reply().filter(|_| arrival.replies.len() == 1)?;
        if arrival.accepted() {
            let watched = self.watched.get_mut(&notice.line?)?;
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

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.watched.clear(),
            Moment::Provisioned(line) => {
                self.watched.remove(&line);
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
                if let Some((_, request, feature, line)) = subscribe(moment, scene) {
                    self.on_subscribe(request, feature, line, scene, tell);
                }
            }
        }
    }
}

/// How soon a subscription is ended, or begun again. The catalogue gives no figure; this one is shorter than the ten
/// seconds that scenarios wait, so that a scenario which waits in vain does not end its log first.
const PROMPT: u64 = 9 * SECOND;

/// SUB-08
#[derive(Debug, Default)]
struct TakesLeave {
    /// Subscriptions that have to be ended: the account, why, which record.
    leaving: Deadlines<(usize, &'static str, u64)>,
    /// Accounts that have to subscribe again, and the record of the switch.
    returning: Deadlines<(usize, u64)>,
    /// Closing NOTIFYs without answer.
    closing: Deadlines<usize>,
}

impl TakesLeave {
    fn must_leave(&mut self, line: usize, why: &'static str, scene: &Scene) {
        let live = scene
            .current(line)
            .is_some_and(|(_, subscription)| subscription.is_live(scene.now));
        let mut already = false;
        self.leaving.retain(|(leaving, ..)| {
            already |= *leaving == line;
            true
        });
        if live && !already {
            self.leaving.set(scene.now + PROMPT, (line, why, scene.seq));
        }
    }

    fn on_clock(&mut self, scene: &Scene, tell: &mut Tell) {
        while let Some((_, (line, why, seq))) = self.leaving.pass(scene.now) {
            let text = format!(
                "{why}, so {} must end its subscription with Expires 0 within {}, but it did not",
                user_of(scene, line),
                span(PROMPT)
            );
            tell.find(self, scene.now, text, &[seq]);
        }
        while let Some((_, (line, seq))) = self.returning.pass(scene.now) {
            let text = format!(
                "synchronisation was switched on again, so {} must subscribe within {}, but it did not",
                user_of(scene, line),
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
        let Some(line) = scene.line(place) else {
            return;
        };
        self.returning.retain(|(returning, _)| *returning != place);
        match line.sync {
            Some(false) => {
                let why = if line.deleted {
                    "the account was deleted"
                } else {
                    "synchronisation was switched off"
                };
                self.must_leave(place, why, scene);
            }
            Some(true) => {
                self.leaving.retain(|(leaving, ..)| *leaving != place);
                let gone = scene
                    .current(place)
                    .is_some_and(|(_, known)| known.unsubscribed.is_some());
                let registered = line
                    .registration
                    .is_some_and(|binding| binding.is_live(scene.now));
                if line.has_subscribed && gone && registered && line.switched == scene.now {
                    self.returning.set(scene.now + PROMPT, (place, scene.seq));
                }
            }
            None => self.leaving.retain(|(leaving, ..)| *leaving != place),
        }
    }

    fn on_request(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene.request(place)?;
        let line = request.line?;
        if request.method == Method::Register && request.gives_up() {
            self.must_leave(line, "the handset was de-registered", scene);
            return None;
        }
        let feature = request.feature.as_ref()?;
        if feature.purpose != Purpose::Unsubscribe {
            let mut awaited = false;
            self.returning.retain(|(returning, _)| {
                awaited |= *returning == line;
                *returning != line
            });
            if awaited {
                tell.exercise();
            }
            return None;
        }
        let mut awaited = false;
        self.leaving.retain(|(leaving, ..)| {
            awaited |= *leaving == line;
            *leaving != line
        });
        if !awaited && !feature.in_dialog {
            return None;
        }
        tell.exercise();
        let known = scene.subscription(feature.subscription)?;
        let wrong = if !feature.in_dialog {
            "it belongs to no subscription of the base"
        } else if request.message.to_tag() != known.remote_tag.as_deref() {
            "its To tag is not that of the subscription"
        } else {
            return None;
        };
        let text = format!(
            "the SUBSCRIBE with Expires 0 of {} at {} must end the subscription, but {wrong}",
            user_of(scene, line),
            clock(request.at)
        );
        tell.find(self, request.at, text, &[request.seq]);
        None
    }

    fn on_reply(&mut self, place: usize, scene: &Scene, tell: &mut Tell) -> Option<()> {
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
                    self.closing.set(scene.now + 500 * MILLISECOND, place);
                }
            }
            Moment::Reply(place) => {
                self.on_reply(place, scene, tell);
            }
            _ => {}
        }
    }
}
