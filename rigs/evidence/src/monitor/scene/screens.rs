//! What each display must show after a NOTIFY, and whether it does.
//!
//! After an accepted NOTIFY each handset of its account must show the told state, from three seconds after the answer on.
//! A screen within that time may agree, and then counts; if it does not, it proves nothing. Nothing is due while a
//! change of the user has no answer, while the user is editing, or without a live subscription.

use crate::monitor::scene::Scene;
use crate::monitor::scene::blame::Aspect;
use crate::monitor::scene::display::{Check, Entry, Origin, Unsynced};
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::Moment;
use crate::monitor::scene::patterns::{Patterns, Shown};
use crate::monitor::scene::time::DISPLAY;
use crate::record::{Screen, Service, View};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Scene {
    /// The base took this NOTIFY.
    pub(crate) fn apply(&mut self, source: Place, moments: &mut Vec<Moment>) {
        let until = self.now + DISPLAY;
        let Some(arrival) = self.arrivals.get(source) else {
            return;
        };
        let arrived = arrival.seq;
        let Some(notice) = &arrival.notice else {
            return;
        };
        let Some(owner) = notice.account else { return };
        let Some(account) = self.accounts.get(owner) else {
            return;
        };
        let handsets = account.handsets.clone();
        let origin = Origin {
            place: source,
            seq: arrived,
            account: owner,
            answered: arrival.reply().map_or(arrival.at, |reply| reply.at),
            refreshed: notice.refreshed,
            resubscribed: notice.resubscribed,
            device_odd: notice.device_odd,
            parameters: notice.parameters,
            after_202: notice.after_202,
            multipart: notice.reading.multipart,
            asked_for: !notice.changes.is_empty(),
        };
        for handset in &handsets {
            for told in notice.reading.told() {
                let place = (handset.clone(), told.service);
                let asked_for = notice.changes.iter().any(|change| {
                    let change = self.changes.get(*change);
                    change.is_some_and(|change| change.intent.service == told.service)
                });
                let twice = notice
                    .reading
                    .told()
                    .filter(|other| other.service == told.service)
                    .count();
                let regular = notice.reading.is_regular() && twice == 1;
                let displays = Arc::make_mut(&mut self.displays);
                displays.set_due(&place, told, origin, regular, asked_for);
                if let Some(pending) = displays.pending.get_mut(&place) {
                    pending.retain(|other| *other > source);
                }
                displays.unsettle(handset, told.service, until);
            }
        }
        // The display may have followed before the base sent its answer.
        for handset in handsets {
            self.check_again(&handset, arrived, moments);
        }
    }

    /// Holds the latest screen once more against what is due by now, if it came after this record.
    pub(crate) fn check_again(&mut self, handset: &str, after: u64, moments: &mut Vec<Moment>) {
        let latest = self.displays.latest.get(handset);
        if let Some((_, screen)) = latest.filter(|(seq, _)| *seq > after) {
            let screen = screen.clone();
            self.check_screen(&screen, moments);
        }
    }

    pub(crate) fn take_screen(&mut self, screen: &Screen, moments: &mut Vec<Moment>) {
        let claims = &self.claims;
        let displays = Arc::make_mut(&mut self.displays);
        let patterns = displays
            .patterns
            .get_or_insert_with(|| Arc::new(Patterns::of(claims)));
        let editor = patterns.editor(screen);
        let before = displays.latest.get(&screen.handset);
        let same = before.is_some_and(|(_, before)| before.title == screen.title);
        if editor.is_none() || !same {
            displays.edited.remove(&screen.handset);
        }
        let latest = (self.seq, screen.clone());
        displays.latest.insert(screen.handset.clone(), latest);
        self.check_screen(screen, moments);
        Arc::make_mut(&mut self.displays)
            .worked
            .remove(&screen.handset);
    }

    fn check_screen(&mut self, screen: &Screen, moments: &mut Vec<Moment>) {
        let Some(place) = self.account_of_handset(&screen.handset) else {
            return;
        };
        let Some(patterns) = &self.displays.patterns else {
            return;
        };
        if screen.view == View::Menu && self.displays.edited.contains(&screen.handset) {
            return;
        }
        let shown = patterns.read(screen);
        if shown.is_empty() {
            return;
        }
        let sync = self.accounts.get(place).and_then(|account| account.sync);
        if sync == Some(false) {
            self.unsynced.push(Unsynced {
                handset: screen.handset.clone(),
                account: place,
                shown: shown.clone(),
                worked: self.displays.worked.contains(&screen.handset),
            });
            moments.push(Moment::UnsyncedScreen(self.unsynced.len() - 1));
        } else if sync == Some(true) && self.is_due(place) {
            self.hold_against(screen, &shown, moments);
        }
        for (service, shown) in shown {
            let place = (screen.handset.clone(), service);
            Arc::make_mut(&mut self.displays).shown.insert(place, shown);
        }
    }

    /// Whether the displays of an account follow the server now.
    fn is_due(&self, account: usize) -> bool {
        self.current(account).is_some_and(|(_, subscription)| {
            subscription.confirmed && subscription.is_live(self.now)
        })
    }

    fn hold_against(
        &mut self,
        screen: &Screen,
        shown: &[(Service, Shown)],
        moments: &mut Vec<Moment>,
    ) {
        let mut wrong = Vec::new();
        for (service, shown) in shown {
            let place = (screen.handset.clone(), *service);
            if self.is_asked_for(&screen.handset, *service) {
                continue;
            }
            let Some(due) = self.displays.due.get(&place) else {
                continue;
            };
            let Some(aspect) = Aspect::of(due, shown) else {
                let check = self.agree(&place, shown, screen.view);
                self.record_check(check, moments);
                continue;
            };
            let pending = self.displays.pending.get(&place);
            let unsettled = pending.is_some_and(|pending| !pending.is_empty())
                || self
                    .displays
                    .settles
                    .get(&place)
                    .is_some_and(|until| self.now < *until);
            let flickers = !due.changed && due.agreed && self.is_only_equal(&place, due.origin);
            if !unsettled || flickers {
                wrong.push((place, shown.clone(), aspect, unsettled));
            }
        }
        // What another service shows explains what is missing, so the stale ones come last.
        wrong.sort_by_key(|(place, shown, ..)| self.is_stale(place, shown, screen.view));
        for (place, shown, aspect, flickers) in wrong {
            let check = self.blame(&place, &shown, aspect, flickers, screen);
            self.record_check(check, moments);
        }
    }

    /// Whether this NOTIFY is the only thing that makes the service unsettled.
    fn is_only_equal(&self, place: &Entry, origin: Origin) -> bool {
        let pending = self.displays.pending.get(place);
        let until = self
            .displays
            .settles
            .get(place)
            .copied()
            .unwrap_or_default();
        pending.is_none_or(BTreeSet::is_empty) && until <= origin.answered + DISPLAY
    }

    fn record_check(&mut self, check: Option<Check>, moments: &mut Vec<Moment>) {
        if let Some(check) = check {
            moments.push(Moment::Check(self.checks.len()));
            self.checks.push(check);
        }
    }

    /// The display shows what it must.
    fn agree(&mut self, place: &Entry, shown: &Shown, view: View) -> Option<Check> {
        let due = Arc::make_mut(&mut self.displays).due.get_mut(place)?;
        due.agreed = true;
        match view {
            View::Idle => due.idle_agreed = Some(self.seq),
            View::Menu => due.menu_agreed = Some(self.seq),
        }
        if due.changed
            && let Some(arrival) = self.arrivals.get_mut(due.origin.place)
            && let Some(notice) = &mut arrival.notice
        {
            notice.shown = true;
        }
        Some(Check {
            service: place.1,
            view,
            origin: due.origin,
            changed: due.changed,
            rings: due.rings.is_some() && shown.rings.is_some(),
            wrong: None,
        })
    }

    pub(crate) fn is_stale(&self, place: &Entry, shown: &Shown, view: View) -> bool {
        let Some(due) = self.displays.due.get(place) else {
            return false;
        };
        let before = due.before.clone().unwrap_or_default();
        let number =
            before.number.is_none() || shown.number.is_none() || before.number == shown.number;
        due.agreed_in(view).is_none()
            && (due.changed || !due.agreed)
            && before.active == shown.active
            && (!shown.active || number)
    }
}
