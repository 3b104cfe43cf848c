//! REG-03: an account without synchronisation works locally and tells the server nothing.

use super::PROMPT;
use crate::monitor::report::Need;
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::scene::Scene;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::{DISPLAY, SECOND, clock};
use crate::monitor::scene::traffic::{Purpose, Request};
use crate::record::Service;
use sip::message::Method;
use std::collections::{BTreeMap, BTreeSet};

/// REG-03
#[derive(Clone, Debug, Default)]
pub(crate) struct SwitchedOffIsSilent {
    ever_on: BTreeSet<usize>,
    /// The latest local change of an account: when, which record.
    asked_for: BTreeMap<usize, (u64, u64, String)>,
    /// What must be shown locally: since when, on or off, which record.
    local: BTreeMap<(String, Service), (u64, bool, u64)>,
}

impl SwitchedOffIsSilent {
    fn on_request(&self, request: &Request, scene: &Scene, tell: &mut Tell) {
        let Some(account) = request.account else {
            return;
        };
        let Some(known) = scene.account(account) else {
            return;
        };
        if known.sync != Some(false) {
            return;
        }
        if let Some(subscribe) = request.subscribe() {
            let since = scene.now.saturating_sub(known.switched);
            let ongoing = subscribe.in_dialog || request.repeats.is_some();
            let grace = match (self.ever_on.contains(&account), ongoing) {
                (false, _) => 0,
                (true, false) => SECOND,
                (true, true) => PROMPT,
            };
            if subscribe.purpose != Purpose::Unsubscribe && (since > grace || grace == 0) {
                let text = format!(
                    "feature key synchronisation is off for {}, but it sent a SUBSCRIBE at {}",
                    user_of(scene, account),
                    clock(request.at)
                );
                tell.find(self, request.at, text, &[request.seq]);
            }
            return;
        }
        let Some((at, seq, handset)) = self.asked_for.get(&account) else {
            return;
        };
        let dialled = scene
            .dialled
            .get(handset)
            .is_some_and(|dialled| dialled + 60 * SECOND > scene.now);
        let telling = match request.method {
            Method::Invite => !dialled,
            Method::Info | Method::Message | Method::Publish => true,
            _ => false,
        };
        if telling && scene.now <= at + 5 * SECOND {
            let text = format!(
                "feature key synchronisation is off for {}: a change in the menu at {} must stay local, but a {} left at {}",
                user_of(scene, account),
                clock(*at),
                request.method,
                clock(request.at)
            );
            tell.find(self, request.at, text, &[*seq, request.seq]);
        }
    }

    fn on_screen(&mut self, place: usize, scene: &Scene, tell: &mut Tell) {
        let Some(screen) = scene.unsynced.get(place) else {
            return;
        };
        for (service, shown) in &screen.shown {
            let key = (screen.handset.clone(), *service);
            let Some(&(at, active, seq)) = self.local.get(&key) else {
                continue;
            };
            if scene.now < at + DISPLAY {
                continue;
            }
            self.local.remove(&key);
            if shown.active == active {
                tell.exercise();
                continue;
            }
            let text = format!(
                "without synchronisation {} must work locally: the user asked for {} at {}, but handset {} shows {} at {}",
                service.title(),
                on_or_off(active),
                clock(at),
                screen.handset,
                on_or_off(shown.active),
                clock(scene.now)
            );
            tell.find(self, scene.now, text, &[seq, scene.seq]);
        }
    }
}

const fn on_or_off(active: bool) -> &'static str {
    if active { "on" } else { "off" }
}

impl Rule for SwitchedOffIsSilent {
    fn requirement(&self) -> &'static str {
        "REG-03"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sip, Need::Provisioning]
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::ANSWER,
                Kinds::CHANGE,
                Kinds::REQUEST,
                Kinds::UNSYNCED_SCREEN,
            ])
        }
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => {
                self.asked_for.clear();
                self.local.clear();
            }
            Moment::Provisioned(place) => {
                self.asked_for.remove(&place);
                self.local
                    .retain(|(handset, _), _| scene.account_of_handset(handset) != Some(place));
                if scene
                    .account(place)
                    .is_some_and(|account| account.sync == Some(true))
                {
                    self.ever_on.insert(place);
                }
            }
            Moment::Answer(place) => {
                let Some(request) = scene.request(place) else {
                    return;
                };
                let account = request.account.and_then(|account| scene.account(account));
                let fresh = account.is_some_and(|account| {
                    account.sync == Some(false) && account.first_registered == Some(scene.now)
                });
                if fresh && request.method == Method::Register && request.granted() {
                    tell.exercise();
                }
            }
            Moment::Change(place) => {
                let Some(change) = scene.changes.get(place) else {
                    return;
                };
                if change.synced == Some(false) {
                    tell.exercise();
                    let service = change.intent.service;
                    self.asked_for.insert(
                        change.account,
                        (change.at, change.seq, change.handset.clone()),
                    );
                    self.local.insert(
                        (change.handset.clone(), service),
                        (change.at, change.intent.active, change.seq),
                    );
                }
            }
            Moment::Request(place) => {
                if let Some(request) = scene.request(place) {
                    self.on_request(request, scene, tell);
                }
            }
            Moment::UnsyncedScreen(place) => self.on_screen(place, scene, tell),
            _ => {}
        }
    }
}
