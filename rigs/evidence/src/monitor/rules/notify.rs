//! The rules of the notify group: NOT-01 to NOT-06. How a NOTIFY must be answered is decided in `notice`.
//!
//! A NOTIFY that must be accepted and is not breaks the rule of what is special about it, NOT-02 when nothing is.

use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::menu::tell_wrong;
use crate::monitor::rules::rule::{Rule, Tell};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::notice::{Due, Notice, Reason, Refusal};
use crate::monitor::scene::time::{MILLISECOND, SECOND, TIMER_F, clock, span};
use crate::monitor::scene::traffic::Arrival;
use bytes::Bytes;
use sip::message::Message;

/// How soon a NOTIFY is answered: the limit of NOT-02.
const PROMPT: u64 = 500 * MILLISECOND;
/// When a NOTIFY that came before the 2xx counts as not answered at all: our choice, four times that.
const NEVER: u64 = 2 * SECOND;

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(Answered::new("NOT-01", |due| {
            due == Due::Accept(Reason::Early)
        })),
        Box::new(PromptAnswer::default()),
        Box::new(SameAnswerAgain::default()),
        Box::new(Answered::new("NOT-04", |due| {
            matches!(due, Due::Accept(Reason::Gap) | Due::Refuse(Refusal::Past))
        })),
        Box::new(Answered::new("NOT-05", |due| {
            due == Due::Refuse(Refusal::Unknown)
        })),
        Box::new(Answered::new("NOT-06", |due| {
            matches!(
                due,
                Due::Accept(Reason::Parameters) | Due::Refuse(Refusal::Event)
            )
        })),
    ]
}

/// The NOTIFY of a moment that is about one.
fn notify(place: Place, scene: &Scene) -> Option<(&Arrival, &Notice)> {
    let arrival = scene.arrival(place)?;
    Some((arrival, arrival.notice.as_ref()?))
}

/// NOT-01, NOT-04, NOT-05, NOT-06: the right answer to a NOTIFY that is special in some way.
#[derive(Clone)]
struct Answered {
    requirement: &'static str,
    concerns: fn(Due) -> bool,
    waiting: Deadlines<Place>,
}

impl Answered {
    fn new(requirement: &'static str, concerns: fn(Due) -> bool) -> Self {
        Self {
            requirement,
            concerns,
            waiting: Deadlines::default(),
        }
    }

    fn on_reply(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let (arrival, notice) = notify(place, scene)?;
        let reply = arrival.reply().filter(|_| arrival.replies.len() == 1)?;
        if !(self.concerns)(notice.due) {
            return None;
        }
        let (peculiar, due) = wanted(notice.due)?;
        let right = match notice.due {
            Due::Accept(_) => reply.status == 200,
            Due::Refuse(Refusal::Past) => reply.status == 500,
            Due::Refuse(Refusal::Unknown) => reply.status == 481,
            Due::Refuse(Refusal::Event) => match reply.status {
                481 => true,
                489 => names_events(&arrival.first_reply),
                _ => false,
            },
            Due::Open => true,
        };
        if !right {
            let text = format!(
                "a NOTIFY {peculiar} must be answered {due}: the one at {} was answered {}{}",
                clock(arrival.at),
                reply.status,
                if reply.status == 489 {
                    " without Allow-Events"
                } else {
                    ""
                }
            );
            tell.find(self, reply.at, text, &[arrival.seq, reply.seq]);
        }
        None
    }

    fn on_clock(&mut self, scene: &Scene, tell: &mut Tell) {
        while let Some((at, place)) = self.waiting.pass(scene.now) {
            let Some((arrival, notice)) = notify(place, scene) else {
                continue;
            };
            if arrival.reply().is_some_and(|reply| reply.at <= at) {
                continue;
            }
            let Some((peculiar, due)) = wanted(notice.due) else {
                continue;
            };
            let text = format!(
                "a NOTIFY {peculiar} must be answered {due}: the one at {} was not answered within {}",
                clock(arrival.at),
                span(at - arrival.at)
            );
            tell.find(self, at, text, &[arrival.seq]);
        }
    }
}

impl Rule for Answered {
    fn requirement(&self) -> &'static str {
        self.requirement
    }

    fn hears(&self) -> Kinds {
        const { Kinds::of(&[Kinds::BOOT, Kinds::ARRIVAL, Kinds::REPLY, Kinds::CHECK]) }
    }

    fn due(&self) -> Option<u64> {
        self.waiting.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.waiting.clear(),
            Moment::Clock => self.on_clock(scene, tell),
            Moment::Arrival(place) => {
                let Some((_, notice)) = notify(place, scene) else {
                    return;
                };
                if !(self.concerns)(notice.due) {
                    return;
                }
                tell.exercise();
                match notice.due {
                    Due::Accept(Reason::Early) => {
                        self.waiting.set(scene.now + NEVER, place.owner(), place)
                    }
                    // A base that has said nothing yet may still be starting, and hear nothing.
                    Due::Refuse(_) if scene.spoken => {
                        self.waiting.set(scene.now + PROMPT, place.owner(), place);
                    }
                    Due::Accept(_) | Due::Refuse(_) | Due::Open => {}
                }
            }
            Moment::Reply(place) => {
                self.on_reply(place, scene, tell);
            }
            Moment::Check(place) => {
                if let Some(check) = scene.checks.get(place) {
                    tell_wrong(self, check, scene, tell);
                }
            }
            _ => {}
        }
    }
}

/// What is special about a NOTIFY, and how it has to be answered, in words.
const fn wanted(due: Due) -> Option<(&'static str, &'static str)> {
    Some(match due {
        Due::Accept(Reason::Early) => ("that overtakes the answer to the SUBSCRIBE", "200"),
        Due::Accept(Reason::Gap) => ("whose CSeq skips numbers", "200"),
        Due::Accept(Reason::Parameters) => ("with another parameter of Event", "200"),
        Due::Accept(_) | Due::Open => return None,
        Due::Refuse(Refusal::Event) => ("of another Event", "489 with Allow-Events, or 481"),
        Due::Refuse(Refusal::Past) => ("with a lower CSeq than one before", "500"),
        Due::Refuse(Refusal::Unknown) => ("of no known subscription", "481"),
    })
}

fn names_events(reply: &[u8]) -> bool {
    Message::parse(Bytes::copy_from_slice(reply))
        .is_ok_and(|reply| reply.header("Allow-Events").is_some())
}

/// NOT-02
#[derive(Clone, Debug, Default)]
struct PromptAnswer {
    waiting: Deadlines<Place>,
}

impl PromptAnswer {
    fn on_reply(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let (arrival, notice) = notify(place, scene)?;
        let reply = arrival.reply().filter(|_| arrival.replies.len() == 1)?;
        let Due::Accept(reason) = notice.due else {
            return None;
        };
        let late = reply.at > arrival.at + PROMPT;
        // A late answer to any other NOTIFY was found when the time was over.
        let text = if reason == Reason::Early && late && reply.status == 200 {
            format!("was answered only after {}", span(reply.at - arrival.at))
        } else if reason == Reason::Plain && reply.status != 200 {
            format!("was answered {}", reply.status)
        } else {
            return None;
        };
        let text = format!(
            "a valid NOTIFY must be answered 200 within 500 ms: the one at {} {text}",
            clock(arrival.at)
        );
        tell.find(self, reply.at, text, &[arrival.seq, reply.seq]);
        None
    }
}

impl Rule for PromptAnswer {
    fn requirement(&self) -> &'static str {
        "NOT-02"
    }

    fn hears(&self) -> Kinds {
        const { Kinds::of(&[Kinds::BOOT, Kinds::ARRIVAL, Kinds::REPLY]) }
    }

    fn due(&self) -> Option<u64> {
        self.waiting.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.waiting.clear(),
            Moment::Clock => {
                while let Some((at, place)) = self.waiting.pass(scene.now) {
                    let Some((arrival, _)) = notify(place, scene) else {
                        continue;
                    };
                    if arrival.reply().is_some_and(|reply| reply.at <= at) {
                        continue;
                    }
                    let text = format!(
                        "a valid NOTIFY must be answered 200 within 500 ms: the one at {} was not",
                        clock(arrival.at)
                    );
                    tell.find(self, at, text, &[arrival.seq]);
                }
            }
            Moment::Arrival(place) => {
                let Some((_, notice)) = notify(place, scene) else {
                    return;
                };
                match notice.due {
                    Due::Accept(Reason::Early | Reason::Closing) => tell.exercise(),
                    Due::Accept(_) => {
                        tell.exercise();
                        self.waiting.set(scene.now + PROMPT, place.owner(), place);
                    }
                    Due::Refuse(_) | Due::Open => {}
                }
            }
            Moment::Reply(place) => {
                self.on_reply(place, scene, tell);
            }
            _ => {}
        }
    }
}

/// NOT-03
#[derive(Clone, Debug, Default)]
struct SameAnswerAgain {
    /// Copies that came after the answer, and how many answers there were.
    waiting: Deadlines<(Place, usize, u64)>,
}

impl Rule for SameAnswerAgain {
    fn requirement(&self) -> &'static str {
        "NOT-03"
    }

    fn hears(&self) -> Kinds {
        const { Kinds::of(&[Kinds::BOOT, Kinds::ARRIVAL_COPY, Kinds::REPLY, Kinds::CHECK]) }
    }

    fn due(&self) -> Option<u64> {
        self.waiting.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.waiting.clear(),
            Moment::Clock => {
                while let Some((at, (place, answers, copy))) = self.waiting.pass(scene.now) {
                    let Some((arrival, _)) = notify(place, scene) else {
                        continue;
                    };
                    let by_then = arrival
                        .replies
                        .iter()
                        .filter(|reply| reply.at <= at)
                        .count();
                    if by_then <= answers {
                        let text = format!(
                            "the NOTIFY of {} came again at {} and must get the same answer again, but got none",
                            clock(arrival.at),
                            clock(at - PROMPT)
                        );
                        tell.find(self, at, text, &[arrival.seq, copy]);
                    }
                }
            }
            Moment::ArrivalCopy(place) => {
                let Some((arrival, _)) = notify(place, scene) else {
                    return;
                };
                let Some(reply) = arrival.reply() else { return };
                // Timer J keeps the answer on UDP for 64*T1.
                if arrival.boot == scene.boot && scene.now + SECOND < reply.at + TIMER_F {
                    tell.exercise();
                    let waiting = (place, arrival.replies.len(), scene.seq);
                    self.waiting.set(scene.now + PROMPT, place.owner(), waiting);
                }
            }
            Moment::Reply(place) => {
                let Some((arrival, _)) = notify(place, scene) else {
                    return;
                };
                let (Some(first), Some(last)) = (arrival.replies.first(), arrival.replies.last())
                else {
                    return;
                };
                if !last.identical {
                    let text = format!(
                        "every copy of a NOTIFY must get the same answer: the one of {} got {} at {} and then {} {} at {}",
                        clock(arrival.at),
                        first.status,
                        clock(first.at),
                        if first.status == last.status {
                            "another"
                        } else {
                            "a"
                        },
                        last.status,
                        clock(last.at)
                    );
                    tell.find(self, last.at, text, &[arrival.seq, first.seq, last.seq]);
                }
            }
            Moment::Check(place) => {
                if let Some(check) = scene.checks.get(place) {
                    tell_wrong(self, check, scene, tell);
                }
            }
            _ => {}
        }
    }
}
