//! The rules of the refresh group: REF-01, REF-02, REF-03.
//!
//! A refresh that comes too late breaks REF-02 when the server granted less than was asked for and the base follows its
//! own figure, REF-01 else. Which one it is can be told only when the refresh comes at last, or never.

use crate::monitor::report::Need;
use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::menu::{SCREENS, tell_wrong};
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::rules::subscribe::subscribe;
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::subscription::{SHORTEST, Subscription};
use crate::monitor::scene::time::{MILLISECOND, SECOND, clock, span};
use crate::monitor::scene::traffic::{Purpose, Request};
use std::collections::BTreeMap;

/// How far ahead of the end a refresh is sent: the limit of REF-01.
const AHEAD: u64 = 2 * SECOND;
/// How often a base may subscribe that was not told a lifetime; our choice, because RFC 6665 §4.2.1.1 demands one.
const UNTOLD: u64 = 30 * SECOND;

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(InTime {
            requirement: "REF-01",
            lifetimes: Lifetimes::default(),
        }),
        Box::new(InTime {
            requirement: "REF-02",
            lifetimes: Lifetimes::default(),
        }),
        Box::new(FullStateCounts),
    ]
}

/// The lifetime of a subscription that has to be renewed.
#[derive(Clone, Copy, Debug)]
struct Lifetime {
    subscription: Place,
    account: usize,
    from: u64,
    until: u64,
    seq: u64,
    /// What the base had asked for.
    requested: Option<u64>,
}

impl Lifetime {
    /// Whether less was granted than asked for.
    fn is_shorter(&self) -> bool {
        self.requested
            .is_some_and(|requested| self.until - self.from < requested)
    }

    /// The requirement that a refresh at this time breaks, or that none by the end breaks.
    fn broken(&self, at: Option<u64>) -> &'static str {
        let own_figure = match (at, self.requested) {
            (Some(at), Some(requested)) => at - self.from + SECOND >= requested / 2,
            _ => true,
        };
        if self.is_shorter() && own_figure {
            "REF-02"
        } else {
            "REF-01"
        }
    }
}

/// Lifetimes and what became of them.
#[derive(Clone, Debug, Default)]
struct Lifetimes {
    due: Deadlines<Lifetime>,
    /// Lifetimes whose refresh is overdue, by account.
    overdue: BTreeMap<usize, Lifetime>,
    /// Grants that state no lifetime, until the base has left them alone for [`UNTOLD`].
    untold: Deadlines<Untold>,
}

/// A grant that states no lifetime.
#[derive(Clone, Copy, Debug)]
struct Untold {
    subscription: Place,
    at: u64,
}

/// What became of a lifetime.
enum Seen {
    InTime,
    /// A base that was told no lifetime did not loop.
    Quiet,
    Broken {
        requirement: &'static str,
        text: String,
        records: Vec<u64>,
    },
}

impl Lifetimes {
    fn on(&mut self, moment: Moment, scene: &Scene) -> Vec<Seen> {
        let mut seen = Vec::new();
        match moment {
            Moment::Boot => {
                self.due.clear();
                self.overdue.clear();
                self.untold.clear();
            }
            Moment::Provisioned(account) => {
                self.due.forget(account);
                self.overdue.remove(&account);
                self.untold.forget(account);
            }
            Moment::Clock => {
                while let Some((_, untold)) = self.untold.pass(scene.now) {
                    let known = scene.subscription(untold.subscription);
                    let stands = known.is_some_and(|known| {
                        let grant = known.grant();
                        known.is_open() && grant.is_some_and(|grant| grant.at == untold.at)
                    });
                    seen.extend(stands.then_some(Seen::Quiet));
                }
                while let Some((_, lifetime)) = self.due.pass(scene.now) {
                    if is_due(&lifetime, scene) {
                        self.overdue.insert(lifetime.account, lifetime);
                    }
                }
            }
            Moment::End => {
                for lifetime in std::mem::take(&mut self.overdue).into_values() {
                    seen.push(late(&lifetime, None, scene));
                }
            }
            Moment::Answer(place) => {
                // After a refused refresh the base decides when to begin anew; a change is none.
                let counts = |request: &&Request| {
                    request.granted() || request.purpose() == Some(Purpose::Change)
                };
                let request = scene.request(place).filter(counts);
                self.renew(request.and_then(Request::subscription), scene);
            }
            Moment::Reply(place) => {
                let notice = scene
                    .arrival(place)
                    .and_then(|arrival| arrival.notice.as_ref());
                let shortened = notice.and_then(|notice| notice.subscription).filter(|at| {
                    scene
                        .subscription(*at)
                        .and_then(Subscription::grant)
                        .is_some_and(|grant| grant.shortened.is_some())
                });
                self.renew(shortened, scene);
            }
            Moment::Request(_) => {
                self.on_subscribe(moment, scene, &mut seen);
            }
            _ => {}
        }
        seen
    }

    /// The earliest deadline.
    fn next(&self) -> Option<u64> {
        let deadlines = [self.due.next(), self.untold.next()];
        deadlines.into_iter().flatten().min()
    }

    fn drop_due(&mut self, account: usize, subscription: Place) {
        self.due.retain_of(Some(account), |lifetime| {
            lifetime.subscription != subscription
        });
    }

    /// Sets the deadline of a subscription anew.
    fn renew(&mut self, subscription: Option<Place>, scene: &Scene) -> Option<()> {
        let place = subscription?;
        let known = scene.subscription(place)?;
        let grant = known.grant().filter(|_| known.asking.is_none())?;
        if !known.is_open() {
            self.drop_due(known.account, place);
            return None;
        }
        if grant.lifetime.is_none() {
            let untold = Untold {
                subscription: place,
                at: grant.at,
            };
            self.untold
                .retain_of(Some(known.account), |other| other.subscription != place);
            self.untold
                .set(grant.at + UNTOLD, Some(known.account), untold);
        }
        let (until, seq) = (
            known.expiry()?,
            grant.shortened.map_or(grant.seq, |(_, seq)| seq),
        );
        self.drop_due(known.account, place);
        if until >= grant.at + SHORTEST {
            let lifetime = Lifetime {
                subscription: place,
                account: known.account,
                from: grant.at,
                until,
                seq,
                requested: grant.requested.map(|seconds| u64::from(seconds) * SECOND),
            };
            self.due.set(
                until - AHEAD + 20 * MILLISECOND,
                Some(known.account),
                lifetime,
            );
        }
        None
    }

    fn on_subscribe(&mut self, moment: Moment, scene: &Scene, seen: &mut Vec<Seen>) -> Option<()> {
        let (_, request, subscribe, account) = subscribe(moment, scene)?;
        // A repeat with credentials is as late as its challenge.
        if let Some(lifetime) = self.overdue.remove(&account)
            && request.repeats.is_none()
        {
            let refreshed = subscribe.in_dialog.then_some(request.at);
            seen.push(late(&lifetime, refreshed, scene));
        }
        let known = scene.subscription(subscribe.subscription)?;
        self.due.forget(account);
        if request.repeats.is_some() || subscribe.purpose == Purpose::Unsubscribe {
            return None;
        }
        if let Some(replaced) = subscribe.replaces {
            let old = scene.subscription(replaced.subscription)?;
            let grant = old.grant()?;
            let untold = grant.lifetime.is_none() && request.at < grant.at + UNTOLD;
            if (replaced.sound && grant.status != 202 && !request.reliable) || untold {
                let text = format!(
                    "{} began a new subscription at {} although the one granted at {} lives: a refresh stays in its dialog",
                    user_of(scene, account),
                    clock(request.at),
                    clock(grant.at)
                );
                seen.push(Seen::Broken {
                    requirement: if untold { "REF-02" } else { "REF-01" },
                    text,
                    records: vec![grant.seq, request.seq],
                });
            }
            return None;
        }
        if subscribe.purpose != Purpose::Refresh || !subscribe.in_dialog {
            return None;
        }
        let grant = known.grant()?;
        let Some(granted) = grant.lifetime else {
            if request.at < grant.at + UNTOLD && subscribe.settled {
                let text = format!(
                    "the 2xx at {} states no lifetime, but {} subscribed again at {}, within {}",
                    clock(grant.at),
                    user_of(scene, account),
                    clock(request.at),
                    span(UNTOLD)
                );
                seen.push(Seen::Broken {
                    requirement: "REF-02",
                    text,
                    records: vec![grant.seq, request.seq],
                });
            } else {
                seen.push(Seen::InTime);
            }
            return None;
        };
        seen.push(Seen::InTime);
        if request.message.to_tag() != known.remote_tag.as_deref() {
            seen.push(Seen::Broken {
                requirement: "REF-01",
                text: format!(
                    "the refresh of {} at {} must stay in its dialog, but its To tag is {}",
                    user_of(scene, account),
                    clock(request.at),
                    request.message.to_tag().unwrap_or("missing")
                ),
                records: vec![grant.seq, request.seq],
            });
        }
        let early = grant.is_young(request.at) == Some(true);
        let calm = scene
            .account(account)
            .is_none_or(|account| account.is_calm(request.at));
        if early && subscribe.settled && calm {
            seen.push(Seen::Broken {
                requirement: "REF-01",
                text: format!(
                    "the subscription of {} was granted at {} for {}, but refreshed already at {}, before half of that",
                    user_of(scene, account),
                    clock(grant.at),
                    span(granted),
                    clock(request.at)
                ),
                records: vec![grant.seq, request.seq],
            });
        }
        None
    }
}

/// Whether the base still has to renew this lifetime.
fn is_due(lifetime: &Lifetime, scene: &Scene) -> bool {
    let registered = scene.account(lifetime.account).is_some_and(|account| {
        account.sync != Some(false)
            && account.registering.is_none()
            && account
                .registration
                .is_none_or(|binding| binding.is_live(scene.now))
            && (account.registration.is_some() || account.first_registered.is_none())
    });
    let known = scene.subscription(lifetime.subscription);
    registered
        && !scene.down
        && known.is_some_and(|known| known.is_open() && known.asking.is_none())
}

fn late(lifetime: &Lifetime, at: Option<u64>, scene: &Scene) -> Seen {
    let requested = match lifetime.requested {
        Some(requested) if lifetime.is_shorter() => {
            format!(" instead of the {} asked for", span(requested))
        }
        _ => String::new(),
    };
    let seen = at.map_or_else(
        || "it was not refreshed at all".to_owned(),
        |at| format!("it was refreshed only at {}", clock(at)),
    );
    Seen::Broken {
        requirement: lifetime.broken(at),
        text: format!(
            "the subscription of {} was granted at {} for {}{requested} and must be refreshed by {}, but {seen}",
            user_of(scene, lifetime.account),
            clock(lifetime.from),
            span(lifetime.until - lifetime.from),
            clock(lifetime.until - AHEAD)
        ),
        records: vec![lifetime.seq, scene.seq],
    }
}

/// REF-01, REF-02
#[derive(Clone)]
struct InTime {
    requirement: &'static str,
    lifetimes: Lifetimes,
}

impl Rule for InTime {
    fn requirement(&self) -> &'static str {
        self.requirement
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::END,
                Kinds::ANSWER,
                Kinds::REPLY,
                Kinds::REQUEST,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        self.lifetimes.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        for seen in self.lifetimes.on(moment, scene) {
            match seen {
                Seen::InTime => tell.exercise(),
                Seen::Quiet if self.requirement == "REF-02" => tell.exercise(),
                Seen::Quiet => {}
                Seen::Broken {
                    requirement,
                    text,
                    records,
                } if requirement == self.requirement => {
                    tell.find(self, scene.now, text, &records);
                }
                Seen::Broken { .. } => {}
            }
        }
    }
}

/// REF-03
#[derive(Clone, Debug)]
struct FullStateCounts;

impl Rule for FullStateCounts {
    fn requirement(&self) -> &'static str {
        "REF-03"
    }

    fn needs(&self) -> &'static [Need] {
        SCREENS
    }

    fn claims(&self) -> &'static [&'static str] {
        &["display."]
    }

    fn hears(&self) -> Kinds {
        const { Kinds::of(&[Kinds::REPLY, Kinds::CHECK]) }
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Reply(place) => {
                let arrival = scene
                    .arrival(place)
                    .filter(|arrival| arrival.replies.len() == 1);
                let notice = arrival
                    .filter(|arrival| arrival.accepted())
                    .and_then(|arrival| arrival.notice.as_ref());
                if notice.is_some_and(|notice| {
                    notice.refreshed && notice.reading.told().next().is_some()
                }) {
                    tell.exercise();
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
