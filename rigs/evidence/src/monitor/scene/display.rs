//! What displays owe, and what they showed last. How records change it says `screens`, which requirement a wrong one
//! breaks `blame`.

use crate::body::Told;
use crate::monitor::scene::patterns::{Patterns, Shown};
use crate::record::KeyEffect;
use crate::record::{Intent, Screen, Service, View};
use std::collections::{BTreeMap, BTreeSet};

/// The state that one handset owes for one service.
#[derive(Clone, Debug)]
pub(crate) struct Owed {
    pub(crate) active: Option<bool>,
    pub(crate) number: Option<String>,
    pub(crate) rings: Option<u32>,
    /// The NOTIFY that told it.
    pub(crate) source: usize,
    /// What was owed before, or shown when nothing was.
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

/// A screen held against what it owes for one service.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) service: Service,
    pub(crate) view: View,
    /// The NOTIFY that it follows.
    pub(crate) source: usize,
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
    pub(crate) line: usize,
    pub(crate) shown: Vec<(Service, Shown)>,
    /// Keys were pressed since the screen before.
    pub(crate) worked: bool,
}

impl Owed {
    /// The record in which this kind of screen last showed it.
    pub(crate) const fn agreed_in(&self, view: View) -> Option<u64> {
        match view {
            View::Idle => self.idle_agreed,
            View::Menu => self.menu_agreed,
        }
    }
}

pub(crate) type Place = (String, Service);

/// All displays.
#[derive(Debug, Default)]
pub(crate) struct Displays {
    pub(crate) patterns: Option<Patterns>,
    pub(crate) owed: BTreeMap<Place, Owed>,
    /// NOTIFYs that have reached the base and are not answered.
    pub(crate) pending: BTreeMap<Place, BTreeSet<usize>>,
    /// Not before then does a wrong screen prove anything.
    pub(crate) settles: BTreeMap<Place, u64>,
    /// Handsets whose editor holds what the user has not saved.
    pub(crate) edited: BTreeSet<String>,
    pub(crate) worked: BTreeSet<String>,
    /// The latest screens, with the number of their record.
    pub(crate) latest: BTreeMap<String, (u64, Screen)>,
    /// What is shown of each service, and since which record it is known.
    pub(crate) shown: BTreeMap<Place, Shown>,
    pub(crate) reported: BTreeSet<(Place, usize, &'static str)>,
    pub(crate) crossed: BTreeSet<usize>,
}

impl Displays {
    pub(crate) fn forget_patterns(&mut self) {
        self.patterns = None;
    }

    pub(crate) fn forget_states(&mut self) {
        self.owed.clear();
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

    /// The handsets whose display was ever seen.
    pub(crate) fn seen(&self) -> impl Iterator<Item = &String> {
        self.latest.keys()
    }

    /// A NOTIFY that may count has reached the base.
    pub(crate) fn expect(&mut self, handset: &str, service: Service, source: usize) {
        let place = (handset.to_owned(), service);
        self.pending.entry(place).or_default().insert(source);
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
    pub(crate) fn settle_unchanged(&mut self, source: usize, until: u64) {
        for (place, pending) in &mut self.pending {
            if pending.remove(&source) {
                let settles = self.settles.entry(place.clone()).or_default();
                *settles = until.max(*settles);
            }
        }
    }

    /// Whether a wish asks for what is owed already.
    pub(crate) fn already_shows(&self, handset: &str, intent: &Intent) -> bool {
        let place = (handset.to_owned(), intent.service);
        self.owed.get(&place).is_some_and(|owed| {
            owed.active == Some(intent.active)
                && (intent.number.is_none() || owed.number == intent.number)
                && (intent.rings.is_none() || owed.rings == intent.rings)
        })
    }

    /// What the NOTIFY owes from now on.
    pub(crate) fn owe(
        &mut self,
        place: &Place,
        told: &Told,
        source: usize,
        regular: bool,
        wished: bool,
    ) {
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
