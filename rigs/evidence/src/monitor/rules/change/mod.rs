//! The rules of the change group: CHG-01, CHG-02, CHG-03, CHG-04, CHG-06, CHG-09.
//!
//! Why a SUBSCRIBE has a body that no user asked for says `scene::unasked`.

/// How soon a change is sent: the limit of CHG-01.
const PROMPT: u64 = 2 * SECOND;

mod document;

use crate::monitor::report::Need;
use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::menu::{SCREENS, tell_wrong};
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::rules::subscribe::subscribe;
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::{SECOND, clock, span};
use crate::monitor::scene::traffic::{Purpose, Request, Subscribe};
use crate::monitor::scene::unasked::Unasked;
use document::{Document, lint_dnd, lint_forwarding, lint_rings};

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(OneChangeOneSubscribe::default()),
        Box::new(Document {
            requirement: "CHG-02",
            lint: lint_dnd,
        }),
        Box::new(Document {
            requirement: "CHG-03",
            lint: lint_forwarding,
        }),
        Box::new(Document {
            requirement: "CHG-04",
            lint: lint_rings,
        }),
        Box::new(LastWord),
        Box::new(NoEcho),
    ]
}

/// CHG-01
#[derive(Clone, Debug, Default)]
struct OneChangeOneSubscribe {
    waiting: Deadlines<Place>,
}

impl OneChangeOneSubscribe {
    fn on_change(
        &mut self,
        request: &Request,
        subscribe: &Subscribe,
        scene: &Scene,
        tell: &mut Tell,
    ) {
        if subscribe.purpose != Purpose::Change || request.repeats.is_some() {
            return;
        }
        let account = request.account.unwrap_or_default();

        if subscribe.unasked == Some(Unasked::Doubled) {
            let text = format!(
                "one change by the user is one SUBSCRIBE, but {} sent the same change again at {}",
                user_of(scene, account),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
            return;
        }

        let Some(change) = subscribe
            .change
            .and_then(|change| scene.changes.get(change))
        else {
            return;
        };
        tell.exercise();
        self.waiting.retain_of(Some(account), |waiting| {
            scene
                .changes
                .get(*waiting)
                .is_some_and(crate::monitor::scene::change::Change::is_unsent)
        });
        let known = scene.subscription(subscribe.subscription);
        let tag = known.and_then(|known| known.remote_tag.as_deref());
        let wrong = if !subscribe.in_dialog {
            let sound = subscribe.replaces.is_some_and(|old| old.sound) || change.sendable;
            sound.then(|| "it does not belong to the subscription".to_owned())
        } else if request.message.to_tag() != tag {
            Some(format!(
                "its To tag is {}, that of the subscription {}",
                request.message.to_tag().unwrap_or("missing"),
                tag.unwrap_or("unknown")
            ))
        } else {
            let previous = subscribe.previous_cseq.unwrap_or_default();
            (request.cseq != previous.wrapping_add(1) && !is_sent_elsewhere(request, scene))
                .then(|| format!("its CSeq is {} after {previous}", request.cseq))
        };
        if let Some(wrong) = wrong {
            let text = format!(
                "the change that the user asked for at {} must be a SUBSCRIBE within the subscription, but {wrong}",
                clock(change.at)
            );
            tell.find(self, request.at, text, &[change.seq, request.seq]);
        }
    }

    fn on_clock(&mut self, scene: &Scene, tell: &mut Tell) {
        while let Some((at, place)) = self.waiting.pass(scene.now) {
            let Some(change) = scene.changes.get(place).filter(|change| change.is_unsent()) else {
                continue;
            };
            let sound = scene
                .current(change.account)
                .is_some_and(|(_, known)| known.is_live(scene.now) && known.is_settled());
            if sound {
                let text = format!(
                    "{} asked for {} {} at {}, but no SUBSCRIBE carried it to the server within {}",
                    user_of(scene, change.account),
                    change.intent.service.title(),
                    if change.intent.active { "on" } else { "off" },
                    clock(change.at),
                    span(PROMPT)
                );
                tell.find(self, at, text, &[change.seq]);
            }
        }
    }
}

/// Whether it was sent to another destination before, with the same CSeq (RFC 3263 §4.3).
fn is_sent_elsewhere(request: &Request, scene: &Scene) -> bool {
    let mut others = scene.requests.of(request.account).rev();
    others.any(|(_, before)| {
        before.seq != request.seq
            && before.destination != request.destination
            && before.cseq == request.cseq
            && before.boot == request.boot
            && before.message.call_id() == request.message.call_id()
    })
}

impl Rule for OneChangeOneSubscribe {
    fn requirement(&self) -> &'static str {
        "CHG-01"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sip, Need::Provisioning, Need::Key]
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::CHANGE,
                Kinds::REQUEST,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        self.waiting.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.waiting.clear(),
            Moment::Clock => self.on_clock(scene, tell),
            Moment::Provisioned(account) => {
                self.waiting.forget(account);
            }
            Moment::Change(place) => {
                let change = scene.changes.get(place);
                if change.is_some_and(|change| change.sendable && !change.idle) {
                    self.waiting.set(scene.now + PROMPT, place.owner(), place);
                }
            }
            _ => {
                if let Some((_, request, subscribe, _)) = subscribe(moment, scene) {
                    self.on_change(request, subscribe, scene, tell);
                }
            }
        }
    }
}

/// CHG-06
#[derive(Clone, Debug)]
struct LastWord;

impl Rule for LastWord {
    fn requirement(&self) -> &'static str {
        "CHG-06"
    }

    fn needs(&self) -> &'static [Need] {
        SCREENS
    }

    fn claims(&self) -> &'static [&'static str] {
        &["display."]
    }

    fn hears(&self) -> Kinds {
        const { Kinds::of(&[Kinds::REPLY, Kinds::CHECK, Kinds::REQUEST]) }
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        if let Moment::Reply(place) = moment
            && let Some(arrival) = scene.arrival(place)
            && arrival.replies.len() == 1
            && arrival
                .notice
                .as_ref()
                .is_some_and(|notice| !notice.changes.is_empty())
        {
            tell.exercise();
        }
        if let Moment::Check(place) = moment
            && let Some(check) = scene.checks.get(place)
        {
            if check.wrong.is_none() && check.origin.asked_for {
                tell.exercise();
            }
            tell_wrong(self, check, scene, tell);
        }
        if let Some((_, request, subscribe, account)) = subscribe(moment, scene)
            && subscribe.unasked == Some(Unasked::Contradicted)
        {
            let text = format!(
                "the server has decided otherwise, but {} asked for the same again at {}",
                user_of(scene, account),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

/// CHG-09
#[derive(Clone, Debug)]
struct NoEcho;

impl Rule for NoEcho {
    fn requirement(&self) -> &'static str {
        "CHG-09"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sip, Need::Key]
    }

    fn hears(&self) -> Kinds {
        const { Kinds::of(&[Kinds::REPLY, Kinds::REQUEST]) }
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        if let Moment::Reply(place) = moment
            && let Some(arrival) = scene.arrival(place)
            && let Some(notice) = &arrival.notice
            && arrival.replies.len() == 1
            && arrival.accepted()
            && notice.reading.told().next().is_some()
        {
            tell.exercise();
        }
        if let Some((_, request, subscribe, account)) = subscribe(moment, scene)
            && matches!(subscribe.unasked, Some(Unasked::Echo | Unasked::Misread))
        {
            let told = scene
                .told_since(account, 0)
                .next()
                .map(|(arrival, _)| arrival);

            let text = format!(
                "no user asked for anything, but {} sent a change at {}, {} after a NOTIFY",
                user_of(scene, account),
                clock(request.at),
                span(request.at.saturating_sub(told.map_or(0, |told| told.at)))
            );
            let mut records = vec![request.seq];
            records.extend(told.map(|told| told.seq));
            tell.find(self, request.at, text, &records);
        }
    }
}
