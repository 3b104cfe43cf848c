//! What each display must show after a NOTIFY, and what it showed last. How records change it says `screens`, which requirement a wrong one
//! breaks `blame`.

use crate::body::Told;
use crate::monitor::scene::history::{Horizon, PerAccount, Place};
use crate::monitor::scene::patterns::{Patterns, Shown};
use crate::record::KeyEffect;
use crate::record::{Intent, Screen, Service, View};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What one handset must show of one service.
#[derive(Clone, Debug)]
pub(crate) struct DueState {
    pub(crate) active: Option<bool>,
    pub(crate) number: Option<String>,
    pub(crate) rings: Option<u32>,
    pub(crate) origin: Origin,
    /// What was due before, or shown when nothing was.
    pub(crate) before: Option<Shown>,
    /// The NOTIFY changed it, as far as that is known.
    pub(crate) changed: bool,
    /// It has been shown before.
    pub(crate) agreed: bool,
    /// The record in which the idle screen last showed it, and the one in which a menu did.
    pub(crate) idle_agreed: Option<u64>,
    pub(crate) menu_agreed: Option<u64>,
    /// A menu has shown something else.
    pub(crate) menu_wrong: bool,
}

/// The NOTIFY that told what is due, as far as rules look back at it: it may be told long ago and forgotten.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Origin {
    pub(crate) place: Place,
    pub(crate) seq: u64,
    /// The account it was for.
    pub(crate) account: usize,
    /// When the base answered it.
    pub(crate) answered: u64,
    pub(crate) refreshed: bool,
    pub(crate) resubscribed: bool,
    pub(crate) device_odd: bool,
    pub(crate) parameters: bool,
    pub(crate) after_202: bool,
    pub(crate) multipart: bool,
    /// It answered a change that a user had asked for.
    pub(crate) asked_for: bool,
}

/// A screen held against what it must show of one service.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) service: Service,
    pub(crate) view: View,
    /// The NOTIFY that it follows.
    pub(crate) origin: Origin,
    /// The NOTIFY changed the state.
    pub(crate) changed: bool,
    /// It shows rings that could be compared.
    pub(crate) rings: bool,
    /// What is wrong, nothing when it agrees.
    pub(crate) wrong: Option<Wrong>,
}

/// A wrong screen.
#[derive(Clone, Debug)]
pub(crate) struct Wrong {
    /// The requirement that it breaks.
    pub(crate) requirement: &'static str,
    pub(crate) text: String,
    pub(crate) records: Vec<u64>,
}

/// A screen of a handset that follows no server.
#[derive(Clone, Debug)]
pub(crate) struct Unsynced {
    pub(crate) handset: String,
    pub(crate) account: usize,
    pub(crate) shown: Vec<(Service, Shown)>,
    /// Keys were pressed since the screen before.
    pub(crate) worked: bool,
}

impl DueState {
    /// The record in which this kind of screen last showed it.
    pub(crate) const fn agreed_in(&self, view: View) -> Option<u64> {
        match view {
            View::Idle => self.idle_agreed,
            View::Menu => self.menu_agreed,
        }
    }
}

/// An entry of one display: the handset and the service.
pub(crate) type Entry = (String, Service);

/// NOTIFYs of one service that wait for an answer of the base; our choice: more of them say no more.
const PENDING: usize = 64;
/// NOTIFYs that were applied to another entry and are remembered; our choice, as above.
const CROSSED: Horizon = Horizon {
    entries: 16,
    time: u64::MAX,
};

/// All displays.
#[derive(Clone, Debug)]
pub(crate) struct Displays {
    pub(crate) patterns: Option<Arc<Patterns>>,
    pub(crate) due: BTreeMap<Entry, DueState>,
    /// NOTIFYs that have reached the base and are not answered.
    pub(crate) pending: BTreeMap<Entry, BTreeSet<Place>>,
    /// Not before then does a wrong screen prove anything.
    pub(crate) settles: BTreeMap<Entry, u64>,
    /// Handsets whose editor holds what the user has not saved.
    pub(crate) edited: BTreeSet<String>,
    pub(crate) worked: BTreeSet<String>,
    /// The latest screens, with the number of their record.
    pub(crate) latest: BTreeMap<String, (u64, Screen)>,
    /// What is shown of each service, and since which record it is known.
    pub(crate) shown: BTreeMap<Entry, Shown>,
    /// What was reported since the last NOTIFY told it.
    pub(crate) reported: BTreeMap<Entry, BTreeSet<&'static str>>,
    /// NOTIFYs that were applied to another entry, too.
    pub(crate) crossed: PerAccount<Place>,
}

impl Default for Displays {
    fn default() -> Self {
        Self {
            patterns: None,
            due: BTreeMap::new(),
            pending: BTreeMap::new(),
            settles: BTreeMap::new(),
            edited: BTreeSet::new(),
            worked: BTreeSet::new(),
            latest: BTreeMap::new(),
            shown: BTreeMap::new(),
            reported: BTreeMap::new(),
            crossed: PerAccount::new(CROSSED),
        }
    }
}

impl Displays {
    pub(crate) fn forget_patterns(&mut self) {
        self.patterns = None;
    }

    pub(crate) fn forget_states(&mut self) {
        self.due.clear();
        self.pending.clear();
        self.settles.clear();
        self.edited.clear();
        self.latest.clear();
        self.shown.clear();
    }

    pub(crate) fn press(&mut self, handset: &str, effect: KeyEffect) {
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

    /// A NOTIFY was applied to another entry, too.
    pub(crate) fn cross(&mut self, source: Place) {
        if !self.is_crossed(source) {
            self.crossed.push(source.owner(), 0, source);
        }
    }

    pub(crate) fn is_crossed(&self, source: Place) -> bool {
        let mut crossed = self.crossed.of(source.owner());
        crossed.any(|(_, other)| *other == source)
    }

    /// How many entries are kept that grow with the log.
    pub(crate) fn len(&self) -> usize {
        let pending: usize = self.pending.values().map(BTreeSet::len).sum();
        self.due.len() + self.shown.len() + self.settles.len() + self.crossed.len() + pending
    }

    /// The handsets whose display was ever seen.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &String> {
        self.latest.keys()
    }

    /// A NOTIFY that may count has reached the base.
    pub(crate) fn expect(&mut self, handset: &str, service: Service, source: Place) {
        let entry = (handset.to_owned(), service);
        let pending = self.pending.entry(entry).or_default();
        pending.insert(source);
        if pending.len() > PENDING {
            pending.pop_first();
        }
    }

    /// A wrong screen proves nothing before then.
    pub(crate) fn unsettle(&mut self, handset: &str, service: Service, until: u64) {
        let settles = self
            .settles
            .entry((handset.to_owned(), service))
            .or_default();
        *settles = until.max(*settles);
    }

    /// The base refused a NOTIFY: all stays as it was.
    pub(crate) fn settle_unchanged(&mut self, source: Place, until: u64) {
        for (place, pending) in &mut self.pending {
            if pending.remove(&source) {
                let settles = self.settles.entry(place.clone()).or_default();
                *settles = until.max(*settles);
            }
        }
    }

    /// Whether a change asks for what is due already.
    pub(crate) fn already_shows(&self, handset: &str, intent: &Intent) -> bool {
        let place = (handset.to_owned(), intent.service);
        self.due.get(&place).is_some_and(|due| {
            due.active == Some(intent.active)
                && (intent.number.is_none() || due.number == intent.number)
                && (intent.rings.is_none() || due.rings == intent.rings)
        })
    }

    /// The NOTIFY says what must be shown from now on.
    pub(crate) fn set_due(
        &mut self,
        place: &Entry,
        told: &Told,
        origin: Origin,
        regular: bool,
        asked_for: bool,
    ) {
        let before = self.due.remove(place);
        self.reported.remove(place);
        if !regular {
            return;
        }
        let same = |due: &DueState| {
            due.active == told.active
                && (told.shown_number().is_none() || due.number.as_deref() == told.shown_number())
        };
        let previous = match &before {
            Some(due) => due.active.map(|active| Shown {
                active,
                number: due.number.clone(),
                rings: due.rings,
            }),
            None => self.shown.get(place).cloned(),
        };
        let changed = match (&before, &previous) {
            (Some(due), _) => !same(due),
            (None, Some(previous)) => Some(previous.active) != told.active,
            (None, None) => told.active == Some(true),
        };
        let kept = before.as_ref().filter(|_| !asked_for);
        let same = before.as_ref().filter(|_| !changed);
        let rings = told
            .valid_rings()
            .or_else(|| kept.and_then(|due| due.rings));
        let due = DueState {
            active: told.active,
            number: told.shown_number().map(str::to_owned),
            rings,
            origin,
            before: previous,
            changed,
            idle_agreed: same.and_then(|due| due.idle_agreed),
            menu_agreed: same.and_then(|due| due.menu_agreed),
            agreed: same.is_some_and(|due| due.agreed),
            menu_wrong: false,
        };
        self.due.insert(place.clone(), due);
    }
}
