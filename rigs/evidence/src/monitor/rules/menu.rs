//! The rules of the menu group: MENU-01, MENU-02, MENU-03. Which of them a wrong screen breaks says `display`.

use crate::monitor::report::Need;
use crate::monitor::rules::rule::{Rule, Tell};
use crate::monitor::scene::Scene;
use crate::monitor::scene::display::Check;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::patterns::Shown;
use crate::monitor::scene::time::clock;
use crate::record::{Service, View};
use std::collections::BTreeMap;

/// What a rule over screens needs.
pub(crate) const SCREENS: &[Need] = &[Need::Sip, Need::Provisioning, Need::Claim, Need::Screen];

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(Displayed {
            requirement: "MENU-01",
            trigger: |_| true,
        }),
        Box::new(NobodyElsesScreen::default()),
        Box::new(Displayed {
            requirement: "MENU-03",
            trigger: |check| check.view == View::Idle && check.changed && !check.origin.asked_for,
        }),
    ]
}

/// A requirement that screens keep or break, nothing else.
#[derive(Clone)]
pub(crate) struct Displayed {
    pub(crate) requirement: &'static str,
    /// Whether a screen that agrees exercises it.
    pub(crate) trigger: fn(&Check) -> bool,
}

impl Rule for Displayed {
    fn requirement(&self) -> &'static str {
        self.requirement
    }

    fn needs(&self) -> &'static [Need] {
        SCREENS
    }

    fn claims(&self) -> &'static [&'static str] {
        &["display."]
    }

    fn hears(&self) -> Kinds {
        Kinds::CHECK
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Moment::Check(place) = moment else {
            return;
        };
        let Some(check) = scene.checks.get(place) else {
            return;
        };
        if check.wrong.is_none() && (self.trigger)(check) {
            tell.exercise();
        }
        tell_wrong(self, check, scene, tell);
    }
}

/// Reports a wrong screen when it breaks this rule's requirement.
pub(crate) fn tell_wrong(rule: &dyn Rule, check: &Check, scene: &Scene, tell: &mut Tell) {
    if let Some(wrong) = &check.wrong
        && wrong.requirement == rule.requirement()
    {
        tell.exercise();
        tell.find(rule, scene.now, wrong.text.clone(), &wrong.records);
    }
}

/// MENU-02
#[derive(Clone, Debug, Default)]
struct NobodyElsesScreen {
    /// What handsets without synchronisation showed last, and in which record.
    shown: BTreeMap<(String, Service), (Shown, u64)>,
}

impl NobodyElsesScreen {
    fn on_unsynced(&mut self, place: usize, scene: &Scene, tell: &mut Tell) {
        let Some(screen) = scene.unsynced.get(place) else {
            return;
        };
        for (service, shown) in &screen.shown {
            let key = (screen.handset.clone(), *service);
            let before = self.shown.insert(key, (shown.clone(), scene.seq));
            let Some((before, seq)) = before else {
                continue;
            };
            if before.active == shown.active || screen.worked {
                continue;
            }
            let later = scene
                .arrivals
                .all()
                .filter(|(_, arrival)| arrival.seq > seq);
            let leaked = later.filter(|(_, arrival)| {
                arrival.notice.as_ref().is_some_and(|notice| {
                    let told = notice.reading.told_of(*service);
                    notice.account != Some(screen.account)
                        && told.is_some_and(|told| told.active == Some(shown.active))
                })
            });
            let culprit = leaked.map(|(_, arrival)| arrival);
            let culprit = culprit.max_by_key(|arrival| arrival.seq);
            if let Some(culprit) = culprit {
                let text = format!(
                    "handset {} follows no server, but {} changed on its screen at {}, as another account was told at {}",
                    screen.handset,
                    service.title(),
                    clock(scene.now),
                    clock(culprit.at)
                );
                tell.find(self, scene.now, text, &[culprit.seq, scene.seq]);
            }
        }
    }
}

impl Rule for NobodyElsesScreen {
    fn requirement(&self) -> &'static str {
        "MENU-02"
    }

    fn needs(&self) -> &'static [Need] {
        SCREENS
    }

    fn claims(&self) -> &'static [&'static str] {
        &["display."]
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::REPLY,
                Kinds::CHECK,
                Kinds::UNSYNCED_SCREEN,
            ])
        }
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.shown.clear(),
            Moment::Provisioned(account) => {
                self.shown
                    .retain(|(handset, _), _| scene.account_of_handset(handset) != Some(account));
            }
            Moment::Reply(place) => {
                let Some(arrival) = scene.arrival(place) else {
                    return;
                };
                let account = arrival.notice.as_ref().and_then(|notice| notice.account);
                let told = arrival
                    .notice
                    .as_ref()
                    .is_some_and(|notice| notice.reading.told().next().is_some());
                let others = scene.displays.seen().any(|handset| {
                    scene
                        .account_of_handset(handset)
                        .is_some_and(|other| Some(other) != account)
                });
                if arrival.replies.len() == 1 && arrival.accepted() && told && others {
                    tell.exercise();
                }
            }
            Moment::Check(place) => {
                if let Some(check) = scene.checks.get(place) {
                    let own = check.origin.account;
                    let others = scene.accounts.iter().enumerate();
                    let mut told =
                        others.filter(|(account, other)| *account != own && other.has_state);
                    if check.wrong.is_none() && told.next().is_some() {
                        tell.exercise();
                    }
                    tell_wrong(self, check, scene, tell);
                }
            }
            Moment::UnsyncedScreen(place) => self.on_unsynced(place, scene, tell),
            _ => {}
        }
    }
}
