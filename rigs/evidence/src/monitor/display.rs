//! What displays owe, and whether they pay.
//!
//! After an accepted NOTIFY each handset of its account owes the told state, from three seconds after the answer on.
//! A screen within that time may agree, and then counts; if it does not, it proves nothing. Nothing is owed while a
//! wish of the user has no answer, while the user is editing, or without a live subscription.
//!
//! A screen that is wrong breaks exactly one requirement, the first of this list that explains what it shows:
//!
//! | requirement | what explains the screen |
//! |---|---|
//! | NOT-04, NOT-05, NOT-06 | it shows a NOTIFY that had to be refused |
//! | NOT-03 | it shows an older NOTIFY that came again |
//! | MENU-02 | it shows what another account was told |
//! | CHG-06 | it shows the user's wish, which the server contradicted |
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

use super::notice::{Due, Notice, Refusal};
use super::patterns::{Patterns, Shown};
use super::rule::{DISPLAY, Moment, clock};
use super::scene::Scene;
use crate::body::Told;
use crate::record::{Intent, KeyEffect, Screen, Service, View};
use std::collections::{BTreeMap, BTreeSet};

/// How far back a wrong screen is explained, in requests that reached the base.
const MEMORY: usize = 128;

/// The state that one handset owes for one service.
#[derive(Clone, Debug)]
pub(super) struct Owed {
    active: Option<bool>,
    number: Option<String>,
    rings: Option<u32>,
    /// The NOTIFY that told it.
    source: usize,
    /// What was owed before, or shown when nothing was.
    before: Option<Shown>,
    /// The NOTIFY changed it, as far as that is known.
    changed: bool,
    /// It has been shown before.
    agreed: bool,
    /// The record in which the idle screen last showed it, and the one in which a menu did.
    idle_agreed: Option<u64>,
    menu_agreed: Option<u64>,
    /// A menu has shown something else.
    menu_wrong: bool,
}

/// A screen held against what it owes for one service.
#[derive(Clone, Debug)]
pub(super) struct Check {
    pub(super) service: Service,
    pub(super) view: View,
    /// The NOTIFY that it follows.
    pub(super) source: usize,
    /// The NOTIFY changed the state.
    pub(super) changed: bool,
    /// It shows rings that could be compared.
    pub(super) rings: bool,
    /// What is wrong, nothing when it agrees.
    pub(super) wrong: Option<Wrong>,
}

/// A wrong screen.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    /// The requirement that it breaks.
    pub(super) requirement: &'static str,
    pub(super) text: String,
    pub(super) records: Vec<u64>,
}

/// A screen of a handset that follows no server.
#[derive(Clone, Debug)]
pub(super) struct Unsynced {
    pub(super) handset: String,
    pub(super) line: usize,
    pub(super) shown: Vec<(Service, Shown)>,
    /// Keys were pressed since the screen before.
    pub(super) worked: bool,
}

impl Owed {
    /// The record in which this kind of screen last showed it.
    const fn agreed_in(&self, view: View) -> Option<u64> {
        match view {
            View::Idle => self.idle_agreed,
            View::Menu => self.menu_agreed,
        }
    }
}

type Place = (String, Service);

/// All displays.
#[derive(Debug, Default)]
pub(super) struct Displays {
    patterns: Option<Patterns>,
    owed: BTreeMap<Place, Owed>,
    /// NOTIFYs that have reached the base and are not answered.
    pending: BTreeMap<Place, BTreeSet<usize>>,
    /// Not before then does a wrong screen prove anything.
    settles: BTreeMap<Place, u64>,
    /// Handsets whose editor holds what the user has not saved.
    edited: BTreeSet<String>,
    worked: BTreeSet<String>,
    /// The latest screens, with the number of their record.
    latest: BTreeMap<String, (u64, Screen)>,
    /// What is shown of each service, and since which record it is known.
    shown: BTreeMap<Place, Shown>,
    reported: BTreeSet<(Place, usize, &'static str)>,
    crossed: BTreeSet<usize>,
}

impl Displays {
    pub(super) fn forget_patterns(&mut self) {
        self.patterns = None;
    }

    pub(super) fn forget_states(&mut self) {
        self.owed.clear();
        self.pending.clear();
        self.settles.clear();
        self.edited.clear();
        self.latest.clear();
        self.shown.clear();
    }

    pub(super) fn press(&mut self, handset: &str, effect: KeyEffect) {
        self.worked.insert(handset.to_owned());
        match effect {
            KeyEffect::Save => {
                self.edited.remove(handset);
            }
            KeyEffect::Edit => {
                self.edited.insert(handset.to_owned());
            }
            KeyEffect::Dial | KeyEffect::Talk | KeyEffect::Walk => {}
        }
    }

    /// The handsets whose display was ever seen.
    pub(super) fn seen(&self) -> impl Iterator<Item = &String> {
        self.latest.keys()
    }

    /// A NOTIFY that may count has reached the base.
    pub(super) fn expect(&mut self, handset: &str, service: Service, source: usize) {
        let place = (handset.to_owned(), service);
        self.pending.entry(place).or_default().insert(source);
    }

    /// A wrong screen proves nothing before then.
    pub(super) fn unsettle(&mut self, handset: &str, service: Service, until: u64) {
        let settles = self
            .settles
            .entry((handset.to_owned(), service))
            .or_default();
        *settles = until.max(*settles);
    }

    /// The base refused a NOTIFY: all stays as it was.
    pub(super) fn settle_unchanged(&mut self, source: usize, until: u64) {
        for (place, pending) in &mut self.pending {
            if pending.remove(&source) {
                let settles = self.settles.entry(place.clone()).or_default();
                *settles = until.max(*settles);
            }
        }
    }

    /// Whether a wish asks for what is owed already.
    pub(super) fn already_shows(&self, handset: &str, intent: &Intent) -> bool {
        let place = (handset.to_owned(), intent.service);
        self.owed.get(&place).is_some_and(|owed| {
            owed.active == Some(intent.active)
                && (intent.number.is_none() || owed.number == intent.number)
                && (intent.rings.is_none() || owed.rings == intent.rings)
        })
    }

    /// What the NOTIFY owes from now on.
    fn owe(&mut self, place: &Place, told: &Told, source: usize, regular: bool, wished: bool) {
        let before = self.owed.remove(place);
        if !regular {
            return;
        }
        let same = |owed: &Owed| {
            owed.active == told.active
                && (told.shown_number().is_none() || owed.number.as_deref() == told.shown_number())
        };
        let previous = match &before {
            Some(owed) => owed.active.map(|active| Shown {
                active,
                number: owed.number.clone(),
                rings: owed.rings,
            }),
            None => self.shown.get(place).cloned(),
        };
        let changed = match (&before, &previous) {
            (Some(owed), _) => !same(owed),
            (None, Some(previous)) => Some(previous.active) != told.active,
            (None, None) => told.active == Some(true),
        };
        let kept = before.as_ref().filter(|_| !wished);
        let same = before.as_ref().filter(|_| !changed);
        let rings = told
            .valid_rings()
            .or_else(|| kept.and_then(|owed| owed.rings));
        let owed = Owed {
            active: told.active,
            number: told.shown_number().map(str::to_owned),
            rings,
            source,
            before: previous,
            changed,
            idle_agreed: same.and_then(|owed| owed.idle_agreed),
            menu_agreed: same.and_then(|owed| owed.menu_agreed),
            agreed: same.is_some_and(|owed| owed.agreed),
            menu_wrong: false,
        };
        self.owed.insert(place.clone(), owed);
    }
}

impl Scene {
    /// The base took this NOTIFY.
    pub(super) fn apply(&mut self, source: usize, moments: &mut Vec<Moment>) {
        let until = self.now + DISPLAY;
        let Some(arrival) = self.arrivals.get(source) else {
            return;
        };
        let arrived = arrival.seq;
        let Some(notice) = &arrival.notice else {
            return;
        };
        let Some(line) = notice.line.and_then(|line| self.lines.get(line)) else {
            return;
        };
        let handsets = line.handsets.clone();
        for handset in &handsets {
            for told in notice.reading.told() {
                let place = (handset.clone(), told.service);
                let wished = notice.wishes.iter().any(|wish| {
                    let wish = self.wishes.get(*wish);
                    wish.is_some_and(|wish| wish.intent.service == told.service)
                });
                let twice = notice
                    .reading
                    .told()
                    .filter(|other| other.service == told.service)
                    .count();
                let regular = notice.reading.is_regular() && twice == 1;
                self.displays.owe(&place, told, source, regular, wished);
                if let Some(pending) = self.displays.pending.get_mut(&place) {
                    pending.retain(|other| *other > source);
                }
                self.displays.unsettle(handset, told.service, until);
            }
        }
        // The display may have followed before the base sent its answer.
        for handset in handsets {
            self.check_again(&handset, arrived, moments);
        }
    }

    /// Holds the latest screen once more against what is owed by now, if it came after this record.
    pub(super) fn check_again(&mut self, handset: &str, after: u64, moments: &mut Vec<Moment>) {
        let latest = self.displays.latest.get(handset);
        if let Some((_, screen)) = latest.filter(|(seq, _)| *seq > after) {
            let screen = screen.clone();
            self.check_screen(&screen, moments);
        }
    }

    pub(super) fn take_screen(&mut self, screen: &Screen, moments: &mut Vec<Moment>) {
        let patterns = self.displays.patterns.take();
        let patterns = patterns.unwrap_or_else(|| Patterns::of(&self.claims));
        let editor = patterns.editor(screen);
        self.displays.patterns = Some(patterns);
        let before = self.displays.latest.get(&screen.handset);
        let same = before.is_some_and(|(_, before)| before.title == screen.title);
        if editor.is_none() || !same {
            self.displays.edited.remove(&screen.handset);
        }
        let latest = (self.seq, screen.clone());
        self.displays.latest.insert(screen.handset.clone(), latest);
        self.check_screen(screen, moments);
        self.displays.worked.remove(&screen.handset);
    }

    fn check_screen(&mut self, screen: &Screen, moments: &mut Vec<Moment>) {
        let Some(place) = self.line_of_handset(&screen.handset) else {
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
        let sync = self.lines.get(place).and_then(|line| line.sync);
        if sync == Some(false) {
            self.unsynced.push(Unsynced {
                handset: screen.handset.clone(),
                line: place,
                shown: shown.clone(),
                worked: self.displays.worked.contains(&screen.handset),
            });
            moments.push(Moment::UnsyncedScreen(self.unsynced.len() - 1));
        } else if sync == Some(true) && self.owes(place) {
            self.hold_against(screen, &shown, moments);
        }
        for (service, shown) in shown {
            let place = (screen.handset.clone(), service);
            self.displays.shown.insert(place, shown);
        }
    }

    /// Whether the displays of an account follow the server now.
    fn owes(&self, line: usize) -> bool {
        self.current(line).is_some_and(|(_, subscription)| {
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
            if self.is_wished(&screen.handset, *service) {
                continue;
            }
            let Some(owed) = self.displays.owed.get(&place) else {
                continue;
            };
            let Some(aspect) = Aspect::of(owed, shown) else {
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
            let flickers = !owed.changed && owed.agreed && self.is_only_equal(&place, owed.source);
            if !unsettled || flickers {
                wrong.push((place, shown.clone(), aspect, unsettled));
            }
        }
        // What another service shows explains what is missing, so the stale ones come last.
        wrong.sort_by_key(|(place, shown, ..)| self.is_stale(place, shown, screen.view));
        for (place, shown, aspect, flickers) in wrong {
            let check = self.blame(&place, &shown, aspect, flickers, screen);
            if let Some(check) = check {
                self.record_check(check, moments);
            }
        }
    }

    /// Whether this NOTIFY is the only thing that makes the service unsettled.
    fn is_only_equal(&self, place: &Place, source: usize) -> bool {
        let pending = self.displays.pending.get(place);
        let answered = self
            .arrivals
            .get(source)
            .and_then(|arrival| arrival.reply());
        let until = self
            .displays
            .settles
            .get(place)
            .copied()
            .unwrap_or_default();
        pending.is_none_or(BTreeSet::is_empty)
            && answered.is_some_and(|reply| until <= reply.at + DISPLAY)
    }

    fn record_check(&mut self, check: Check, moments: &mut Vec<Moment>) {
        self.checks.push(check);
        moments.push(Moment::Check(self.checks.len() - 1));
    }

    fn agree(&mut self, place: &Place, shown: &Shown, view: View) -> Check {
        let mut check = Check {
            service: place.1,
            view,
            source: 0,
            changed: false,
            rings: false,
            wrong: None,
        };
        if let Some(owed) = self.displays.owed.get_mut(place) {
            owed.agreed = true;
            match view {
                View::Idle => owed.idle_agreed = Some(self.seq),
                View::Menu => owed.menu_agreed = Some(self.seq),
            }
            check.source = owed.source;
            check.changed = owed.changed;
            check.rings = owed.rings.is_some() && shown.rings.is_some();
            if owed.changed
                && let Some(arrival) = self.arrivals.get_mut(owed.source)
                && let Some(notice) = &mut arrival.notice
            {
                notice.shown = true;
            }
        }
        check
    }

    fn is_stale(&self, place: &Place, shown: &Shown, view: View) -> bool {
        let Some(owed) = self.displays.owed.get(place) else {
            return false;
        };
        let before = owed.before.clone().unwrap_or_default();
        let number =
            before.number.is_none() || shown.number.is_none() || before.number == shown.number;
        owed.agreed_in(view).is_none()
            && (owed.changed || !owed.agreed)
            && before.active == shown.active
            && (!shown.active || number)
    }

    fn blame(
        &mut self,
        place: &Place,
        shown: &Shown,
        aspect: Aspect,
        flickers: bool,
        screen: &Screen,
    ) -> Option<Check> {
        let owed = self.displays.owed.get(place)?.clone();
        let arrival = self.arrivals.get(owed.source)?;
        let notice = arrival.notice.as_ref()?;
        let stale = self.is_stale(place, shown, screen.view);
        let (requirement, culprit) =
            self.explain(place, shown, aspect, &owed, stale, flickers, screen.view);
        if !self
            .displays
            .reported
            .insert((place.clone(), owed.source, requirement))
        {
            return None;
        }
        let answered = arrival.reply().map_or(arrival.at, |reply| reply.at);
        let mut records = vec![arrival.seq, self.seq];
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
                owed.active == Some(true),
                owed.number.as_deref(),
                aspect.rings(owed.rings)
            ),
            clock(answered),
            clock(self.now),
            describe(
                shown.active,
                shown.number.as_deref(),
                aspect.rings(shown.rings)
            ),
            reason(requirement, notice),
        );
        let check = Check {
            service: place.1,
            view: screen.view,
            source: owed.source,
            changed: owed.changed,
            rings: aspect == Aspect::Rings,
            wrong: Some(Wrong {
                requirement,
                text,
                records,
            }),
        };
        if requirement == "BODY-01" {
            self.displays.crossed.insert(owed.source);
            self.displays
                .crossed
                .extend(self.crossing(place, shown, owed.source));
        }
        if let Some(owed) = self.displays.owed.get_mut(place) {
            match screen.view {
                View::Idle => owed.idle_agreed = None,
                View::Menu => {
                    owed.menu_agreed = None;
                    owed.menu_wrong = true;
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
        place: &Place,
        shown: &Shown,
        aspect: Aspect,
        owed: &Owed,
        stale: bool,
        flickers: bool,
        view: View,
    ) -> (&'static str, Option<u64>) {
        let Some(arrival) = self.arrivals.get(owed.source) else {
            return ("MENU-01", None);
        };
        let Some(notice) = &arrival.notice else {
            return ("MENU-01", None);
        };
        if flickers {
            return (
                if notice.refreshed {
                    "REF-03"
                } else {
                    "MENU-01"
                },
                None,
            );
        }
        let anywhere = owed.idle_agreed.max(owed.menu_agreed);
        if aspect == Aspect::Status
            && let Some(since) = anywhere
            && let Some(culprit) = self.told_another(place.1, notice.line, since)
        {
            return ("BODY-01", Some(culprit));
        }
        if !stale && let Some(found) = self.explain_by_other(place, shown, owed, notice.line, view)
        {
            return found;
        }
        let wish = notice
            .wishes
            .iter()
            .filter_map(|wish| self.wishes.get(*wish))
            .find(|wish| {
                wish.contradicted
                    && wish.intent.service == place.1
                    && wish.intent.active == shown.active
                    && (wish.intent.number.is_none()
                        || shown.number.is_none()
                        || wish.intent.number == shown.number)
            });
        if let Some(wish) = wish {
            return ("CHG-06", Some(wish.seq));
        }
        if aspect == Aspect::Rings {
            return ("BODY-11", None);
        }
        if view == View::Idle && stale && owed.menu_agreed.is_some() && notice.wishes.is_empty() {
            return ("MENU-03", None);
        }
        let crossed = self.displays.crossed.contains(&owed.source);
        if (aspect == Aspect::Number && !stale)
            || crossed
            || (!stale && self.crossing(place, shown, owed.source).is_some())
        {
            return ("BODY-01", None);
        }
        if stale {
            let multipart = notice.reading.multipart;
            if multipart && notice.shown {
                return ("BODY-02", None);
            }
            if notice.parameters {
                return ("NOT-06", None);
            }
            if notice.device_odd {
                return ("BODY-07", None);
            }
            if notice.refreshed || notice.resubscribed {
                return ("REF-03", None);
            }
            if multipart {
                return ("BODY-02", None);
            }
            if notice.after_202 {
                return ("SUB-05", None);
            }
        }
        if view == View::Idle && notice.wishes.is_empty() && !owed.menu_wrong {
            ("MENU-03", None)
        } else {
            ("MENU-01", None)
        }
    }

    /// An accepted NOTIFY after this record that told other services than this one.
    fn told_another(&self, service: Service, line: Option<usize>, since: u64) -> Option<u64> {
        let recent = self
            .arrivals
            .iter()
            .rev()
            .take_while(|arrival| arrival.seq > since);
        let mut told = recent.filter(|arrival| {
            let notice = arrival.notice.as_ref().filter(|notice| notice.line == line);
            arrival.accepted()
                && notice.is_some_and(|notice| {
                    notice.reading.told().next().is_some()
                        && notice.reading.told_of(service).is_none()
                })
        });
        told.next().map(|arrival| arrival.seq)
    }

    /// A NOTIFY other than the one that counts which says what is shown.
    fn explain_by_other(
        &self,
        place: &Place,
        shown: &Shown,
        owed: &Owed,
        line: Option<usize>,
        view: View,
    ) -> Option<(&'static str, Option<u64>)> {
        let source = self.arrivals.get(owed.source)?.seq;
        let since = match owed.agreed_in(view) {
            Some(seq) => seq,
            None if owed.agreed => return None,
            None => source,
        };
        for (number, arrival) in self.arrivals.iter().enumerate().rev().take(MEMORY) {
            let Some(notice) = &arrival.notice else {
                continue;
            };
            let told = notice.reading.told_of(place.1);
            let own = notice.line == line;

            if number == owed.source || !told.is_some_and(|told| says(told, shown)) {
                continue;
            }
            let later = arrival.seq > source;
            let again = arrival.copies.last().filter(|(seq, _)| *seq > source);
            match (notice.due, again) {
                (Due::Refuse(refusal), _) if own && later => {
                    let requirement = match refusal {
                        Refusal::Event => "NOT-06",
                        Refusal::Past => "NOT-04",
                        Refusal::Unknown => "NOT-05",
                    };
                    return Some((requirement, Some(arrival.seq)));
                }
                (_, Some((seq, _))) if own && !later => return Some(("NOT-03", Some(*seq))),
                // An entry that has stayed off was told nothing by anybody.
                _ if !own
                    && arrival.seq > since
                    && arrival.accepted()
                    && (shown.active || owed.agreed_in(view).is_some()) =>
                {
                    return Some(("MENU-02", Some(arrival.seq)));
                }
                _ => {}
            }
        }
        None
    }

    /// A NOTIFY, not older than the one that counts, that told another service what is shown.
    fn crossing(&self, place: &Place, shown: &Shown, source: usize) -> Option<usize> {
        let line = self.arrivals.get(source)?.notice.as_ref()?.line;
        let recent = self.arrivals.iter().enumerate().skip(source);
        recent
            .filter(|(_, arrival)| arrival.accepted())
            .filter_map(|(number, arrival)| Some((number, arrival.notice.as_ref()?)))
            .find(|(_, notice)| {
                let mut told = notice.reading.told();
                notice.line == line
                    && shown.active
                    && told.any(|told| told.service != place.1 && says(told, shown))
            })
            .map(|(number, _)| number)
    }
}

/// What of a service is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Aspect {
    Status,
    Number,
    Rings,
}

impl Aspect {
    fn of(owed: &Owed, shown: &Shown) -> Option<Self> {
        if owed.active? != shown.active {
            return Some(Self::Status);
        }
        let differ = |owed: Option<&str>, shown: Option<&str>| matches!((owed, shown), (Some(owed), Some(shown)) if owed != shown);
        if shown.active && differ(owed.number.as_deref(), shown.number.as_deref()) {
            return Some(Self::Number);
        }
        let rings = matches!((owed.rings, shown.rings), (Some(owed), Some(shown)) if owed != shown);
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

fn reason(requirement: &str, notice: &Notice) -> &'static str {
    match requirement {
        "NOT-03" => ", as an older NOTIFY that came again says",
        "NOT-04" => ", as a NOTIFY with a lower CSeq says",
        "NOT-05" => ", as a NOTIFY of no known subscription says",
        "NOT-06" if notice.parameters => "; a parameter of Event must not matter",
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
