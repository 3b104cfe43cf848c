//! SUB-04: an unanswered SUBSCRIBE is retransmitted by Timer E (RFC 3261 §17.1.2.2).

use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::rules::subscribe::subscribe;
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::{MILLISECOND, SECOND, SLACK, clock, span};

/// T1 where the profile claims none (RFC 3261 §17.1.1.1).
const T1: u64 = SECOND / 2;
/// T2: Timer E doubles from T1 up to this (RFC 3261 §17.1.2.2).
const T2: u64 = 4 * SECOND;

/// SUB-04
#[derive(Clone, Debug, Default)]
pub(crate) struct RepeatedByTheBook {
    /// The next copy of a request: the request, and how many copies it then has.
    due: Deadlines<(Place, usize)>,
}

impl RepeatedByTheBook {
    /// How long before the copy with this number, from 1 (RFC 3261 §17.1.2.2).
    fn interval(copy: usize, t1: u64) -> u64 {
        let doublings = u32::try_from(copy.saturating_sub(1)).unwrap_or(u32::MAX);
        let factor = 2_u64.saturating_pow(doublings);
        t1.saturating_mul(factor).min(T2)
    }

    /// How many copies Timer E sends before Timer F fires, 64*T1 after the request (RFC 3261 §17.1.2.2).
    fn copies(t1: u64) -> usize {
        let mut left = 64 * t1;
        let mut copies = 0;
        while let Some(rest) = left.checked_sub(Self::interval(copies + 1, t1)) {
            if rest == 0 {
                break;
            }
            left = rest;
            copies += 1;
        }
        copies
    }

    fn t1(scene: &Scene) -> u64 {
        let claimed = scene
            .claim("sip.t1-milliseconds")
            .and_then(|text| text.trim().parse::<u64>().ok())
            .filter(|milliseconds| (1..=60_000).contains(milliseconds));
        claimed.map_or(T1, |milliseconds| milliseconds * MILLISECOND)
    }

    fn on_copy(&mut self, place: Place, scene: &Scene, tell: &mut Tell) -> Option<()> {
        let request = scene
            .request(place)
            .filter(|request| request.subscribe().is_some())?;
        let count = request.copies.len();
        let copy = request.copies.last()?;
        let before = match count.checked_sub(2).and_then(|at| request.copies.get(at)) {
            Some(before) => before.at,
            None => request.at,
        };
        tell.exercise();
        let t1 = Self::t1(scene);
        let copies = Self::copies(t1);
        let gap = copy.at.saturating_sub(before);
        let due = Self::interval(count, t1);
        let after = request
            .answer
            .as_ref()
            .filter(|answer| copy.at > answer.at + SLACK);
        let wrong = if request.reliable {
            Some("a reliable transport retransmits by itself".to_owned())
        } else if !copy.identical {
            Some("it differs from the first".to_owned())
        } else if let Some(answer) = after {
            Some(format!(
                "the answer {} had come at {}",
                answer.status,
                clock(answer.at)
            ))
        } else if count > copies {
            Some(format!("only {copies} copies may follow the first"))
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
                user_of(scene, request.account?),
                clock(copy.at)
            );
            tell.find(self, copy.at, text, &[request.seq, copy.seq]);
        } else if count < copies && !request.provisional {
            let next = Self::interval(count + 1, t1);
            let due = copy.at + next + next / 5;
            self.due.set(due, place.owner(), (place, count + 1));
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
                .account
                .map(|account| user_of(scene, account))
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

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::REQUEST,
                Kinds::REQUEST_COPY,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        self.due.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.due.clear(),
            Moment::Clock => self.on_clock(scene, tell),
            Moment::Provisioned(account) => {
                self.due.forget(account);
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
                self.due.set(request.at + wait, place.owner(), (place, 1));
            }
        }
    }
}
