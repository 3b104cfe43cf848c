//! Which requirement a wrong screen breaks.
//!
//! A screen that is wrong breaks exactly one requirement, the first of this list that explains what it shows:
//!
//! | requirement | what explains the screen |
//! |---|---|
//! | NOT-04, NOT-05, NOT-06 | it shows a NOTIFY that had to be refused |
//! | NOT-03 | it shows an older NOTIFY that came again |
//! | MENU-02 | it shows what another account was told |
//! | CHG-06 | it shows the user's change, which the server contradicted |
//! | BODY-11 | the rings are wrong |
//! | MENU-03 | the idle screen is stale, but the menu is right |
//! | BODY-01 | another service shows it, it changed with a NOTIFY of another service, or the status is right and the number wrong |
//! | BODY-02 | it is stale, and another part of the same multipart is shown |
//! | NOT-06 | it is stale, and Event had a parameter that does not matter |
//! | BODY-07 | it is stale, and the device element is not the account's own number |
//! | REF-03 | it is stale, and the NOTIFY followed a refresh or a new subscription; or it flickers at an equal state |
//! | BODY-02 | it is stale, and the NOTIFY was a multipart |
//! | SUB-05 | it is stale, and the NOTIFY followed a 202 |
//! | MENU-03 | the idle screen is wrong after a change at the server, and no menu was wrong before |
//! | MENU-01 | anything else |
//!
//! Stale means that it still shows what it showed before that NOTIFY.

use crate::body::Told;
use crate::monitor::scene::Scene;
use crate::monitor::scene::display::{Check, DueState, Entry, Origin, Wrong};
use crate::monitor::scene::history::Place;
use crate::monitor::scene::notice::{Due, Notice, Refusal};
use crate::monitor::scene::patterns::Shown;
use crate::monitor::scene::time::clock;
use crate::monitor::scene::traffic::Arrival;
use crate::record::{Screen, Service, View};
use std::sync::Arc;

/// When more NOTIFYs than this told other accounts what a display shows, that is coincidence and no explanation; our
/// choice, because in a crowd somebody is always told just that.
const LEAKS: usize = 16;

impl Scene {
    pub(crate) fn blame(
        &mut self,
        place: &Entry,
        shown: &Shown,
        aspect: Aspect,
        flickers: bool,
        screen: &Screen,
    ) -> Option<Check> {
        let due = self.displays.due.get(place)?.clone();
        let origin = due.origin;
        let stale = self.is_stale(place, shown, screen.view);
        let (requirement, culprit) =
            self.explain(place, shown, aspect, &due, stale, flickers, screen.view);
        let displays = Arc::make_mut(&mut self.displays);
        let reported = displays.reported.entry(place.clone()).or_default();
        if !reported.insert(requirement) {
            return None;
        }
        let mut records = vec![origin.seq, self.seq];
        records.extend(culprit);
        let what = match screen.view {
            View::Idle => "idle screen",
            View::Menu => "menu",
        };
        let text = format!(
            "the {what} of handset {} must show {} {} since the NOTIFY answered at {}, but at {} it shows {}{}",
            place.0,
            place.1.title(),
            describe(
                due.active == Some(true),
                due.number.as_deref(),
                aspect.rings(due.rings)
            ),
            clock(origin.answered),
            clock(self.now),
            describe(
                shown.active,
                shown.number.as_deref(),
                aspect.rings(shown.rings)
            ),
            reason(requirement, origin),
        );
        let check = Check {
            service: place.1,
            view: screen.view,
            origin,
            changed: due.changed,
            rings: aspect == Aspect::Rings,
            wrong: Some(Wrong {
                requirement,
                text,
                records,
            }),
        };
        if requirement == "BODY-01" {
            let other = self.crossing(place, shown, origin);
            let displays = Arc::make_mut(&mut self.displays);
            displays.cross(origin.place);
            if let Some(other) = other {
                displays.cross(other);
            }
        }
        let displays = Arc::make_mut(&mut self.displays);
        if let Some(due) = displays.due.get_mut(place) {
            match screen.view {
                View::Idle => due.idle_agreed = None,
                View::Menu => {
                    due.menu_agreed = None;
                    due.menu_wrong = true;
                }
            }
        }
        Some(check)
    }

    /// The requirement that a wrong screen breaks, and the record that explains it; the table is in the head of this
    /// file.
    #[expect(
        clippy::too_many_arguments,
        reason = "the explanation weighs all of it once"
    )]
    fn explain(
        &self,
        place: &Entry,
        shown: &Shown,
        aspect: Aspect,
        due: &DueState,
        stale: bool,
        flickers: bool,
        view: View,
    ) -> (&'static str, Option<u64>) {
        let origin = due.origin;
        let told = self.arrivals.get(origin.place);
        let notice = told.and_then(|arrival| arrival.notice.as_ref());
        if flickers {
            return (
                if origin.refreshed {
                    "REF-03"
                } else {
                    "MENU-01"
                },
                None,
            );
        }
        let anywhere = due.idle_agreed.max(due.menu_agreed);
        if aspect == Aspect::Status
            && let Some(since) = anywhere
            && let Some(culprit) = self.told_another(place.1, origin.account, since)
        {
            return ("BODY-01", Some(culprit));
        }
        if !stale && let Some(found) = self.explain_by_other(place, shown, due, view) {
            return found;
        }
        let changes = notice.map_or(&[][..], |notice| &notice.changes);
        let change = changes
            .iter()
            .filter_map(|change| self.changes.get(*change))
            .find(|change| {
                change.contradicted
                    && change.intent.service == place.1
                    && change.intent.active == shown.active
                    && (change.intent.number.is_none()
                        || shown.number.is_none()
                        || change.intent.number == shown.number)
            });
        if let Some(change) = change {
            return ("CHG-06", Some(change.seq));
        }
        if aspect == Aspect::Rings {
            return ("BODY-11", None);
        }
        if view == View::Idle && stale && due.menu_agreed.is_some() && !origin.asked_for {
            return ("MENU-03", None);
        }
        let crossed = self.displays.is_crossed(origin.place);
        if (aspect == Aspect::Number && !stale)
            || crossed
            || (!stale && self.crossing(place, shown, origin).is_some())
        {
            return ("BODY-01", None);
        }
        if stale {
            let multipart = origin.multipart;
            if multipart && notice.is_some_and(|notice| notice.shown) {
                return ("BODY-02", None);
            }
            if origin.parameters {
                return ("NOT-06", None);
            }
            if origin.device_odd {
                return ("BODY-07", None);
            }
            if origin.refreshed || origin.resubscribed {
                return ("REF-03", None);
            }
            if multipart {
                return ("BODY-02", None);
            }
            if origin.after_202 {
                return ("SUB-05", None);
            }
        }
        if view == View::Idle && !origin.asked_for && !due.menu_wrong {
            ("MENU-03", None)
        } else {
            ("MENU-01", None)
        }
    }

    /// An accepted NOTIFY after this record that told other services than this one.
    fn told_another(&self, service: Service, account: usize, since: u64) -> Option<u64> {
        let latest = self.arrivals.of(Some(account)).rev();
        let mut recent = latest
            .map(|(_, arrival)| arrival)
            .take_while(|arrival| arrival.seq > since);
        let told = recent.find(|arrival| {
            arrival.accepted()
                && arrival.notice.as_ref().is_some_and(|notice| {
                    notice.reading.told().next().is_some()
                        && notice.reading.told_of(service).is_none()
                })
        });
        told.map(|arrival| arrival.seq)
    }

    /// A NOTIFY other than the one that counts which says what is shown: the latest one, of whatever account.
    fn explain_by_other(
        &self,
        place: &Entry,
        shown: &Shown,
        due: &DueState,
        view: View,
    ) -> Option<(&'static str, Option<u64>)> {
        let origin = due.origin;
        let since = match due.agreed_in(view) {
            Some(seq) => seq,
            None if due.agreed => return None,
            None => origin.seq,
        };
        let others = self
            .arrivals
            .all()
            .filter(|(other, _)| *other != origin.place);
        let explained = others.filter_map(|(_, arrival)| {
            let notice = arrival.notice.as_ref()?;
            let told = notice.reading.told_of(place.1)?;
            let explained = if !says(told, shown) {
                None
            } else if notice.account == Some(origin.account) {
                explain_by_own(arrival, notice, origin.seq)
            } else {
                // An entry that has stayed off was told nothing by anybody.
                let leaked = arrival.seq > since
                    && arrival.accepted()
                    && (shown.active || due.agreed_in(view).is_some());
                leaked.then_some(("MENU-02", Some(arrival.seq)))
            };
            let own = notice.account == Some(origin.account);
            Some((arrival.seq, explained?, own))
        });
        let explained: Vec<_> = explained.collect();
        let leaks = explained.iter().filter(|(_, _, own)| !own).count();
        let counting = explained
            .into_iter()
            .filter(|(_, _, own)| *own || leaks <= LEAKS);
        counting.max_by_key(|(seq, ..)| *seq).map(|(_, why, _)| why)
    }

    /// A NOTIFY, not older than the one that counts, that told another service what is shown.
    fn crossing(&self, place: &Entry, shown: &Shown, origin: Origin) -> Option<Place> {
        let mut recent = self
            .arrivals
            .of(Some(origin.account))
            .filter(|(other, arrival)| *other >= origin.place && arrival.accepted());
        let crossing = recent.find(|(_, arrival)| {
            arrival.notice.as_ref().is_some_and(|notice| {
                let mut told = notice.reading.told();
                shown.active && told.any(|told| told.service != place.1 && says(told, shown))
            })
        });
        crossing.map(|(other, _)| other)
    }
}

/// How a NOTIFY of the same account explains what is shown, although it does not count.
fn explain_by_own(
    arrival: &Arrival,
    notice: &Notice,
    source: u64,
) -> Option<(&'static str, Option<u64>)> {
    let later = arrival.seq > source;
    let again = arrival.copies.last().filter(|(seq, _)| *seq > source);
    match (notice.due, again) {
        (Due::Refuse(refusal), _) if later => {
            let requirement = match refusal {
                Refusal::Event => "NOT-06",
                Refusal::Past => "NOT-04",
                Refusal::Unknown => "NOT-05",
            };
            Some((requirement, Some(arrival.seq)))
        }
        (_, Some((seq, _))) if !later => Some(("NOT-03", Some(*seq))),
        _ => None,
    }
}

/// What of a service is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aspect {
    Status,
    Number,
    Rings,
}

impl Aspect {
    pub(crate) fn of(due: &DueState, shown: &Shown) -> Option<Self> {
        if due.active? != shown.active {
            return Some(Self::Status);
        }
        let differ = |due: Option<&str>, shown: Option<&str>| matches!((due, shown), (Some(due), Some(shown)) if due != shown);
        if shown.active && differ(due.number.as_deref(), shown.number.as_deref()) {
            return Some(Self::Number);
        }
        let rings = matches!((due.rings, shown.rings), (Some(due), Some(shown)) if due != shown);
        (shown.active && rings).then_some(Self::Rings)
    }

    fn rings(self, rings: Option<u32>) -> Option<u32> {
        rings.filter(|_| self == Self::Rings)
    }
}

/// Whether a NOTIFY tells what a display shows.
fn says(told: &Told, shown: &Shown) -> bool {
    let number = match (told.shown_number(), shown.number.as_deref()) {
        (Some(told), Some(shown)) => told == shown,
        _ => true,
    };
    told.active == Some(shown.active) && number
}

fn describe(active: bool, number: Option<&str>, rings: Option<u32>) -> String {
    let mut text = String::from(if active { "on" } else { "off" });
    if let Some(number) = number.filter(|number| active && !number.is_empty()) {
        text += &format!(" to {number}");
    }
    if let Some(rings) = rings {
        text += &format!(" after {rings} rings");
    }
    text
}

fn reason(requirement: &str, origin: Origin) -> &'static str {
    match requirement {
        "NOT-03" => ", as an older NOTIFY that came again says",
        "NOT-04" => ", as a NOTIFY with a lower CSeq says",
        "NOT-05" => ", as a NOTIFY of no known subscription says",
        "NOT-06" if origin.parameters => "; a parameter of Event must not matter",
        "NOT-06" => ", as a NOTIFY of another Event says",
        "MENU-02" => ", as another account was told",
        "CHG-06" => ", as the user asked, although the server decided otherwise",
        "BODY-01" => "; a NOTIFY sets its own entry, all of it, and no other",
        "BODY-02" => "; each part of a multipart must be applied",
        "BODY-07" => "; the device element must not matter",
        "REF-03" => " after the full state that followed a refresh",
        "SUB-05" => " after a 202",
        _ => "",
    }
}
