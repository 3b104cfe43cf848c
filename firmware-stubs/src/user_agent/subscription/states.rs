//! What the subscriber tells, turned into what the handset is told: states, refusals, and the end of the subscription.
//!
//! The defects of applying a state have their points here.

use super::super::UaIndication;
use super::super::change::Change;
use super::super::notification;
use super::super::request::Shared;
use super::{BodyKind, Subscription, refuse};
use crate::accounts::AccountSettings;
use crate::defect::Defect;
use crate::user_agent::hoteling;
use sip::feature_event::{BodyError, Event, Service, Setting};
use sip::message::Message;
use sip::subscription::{Purpose, SubscriberIndication};
use sip::time::Instant;
use std::time::Duration;

/// How long `applies-state-late` waits: our choice, beyond the 3 s of MENU-01.
const LATE_STATE: Duration = Duration::from_secs(5);
/// How soon the state is read again after a body that could not be read: our choice.
const RECHECK: Duration = Duration::from_secs(30);

impl Subscription {
    /// Applies the body of a NOTIFY that belongs to no subscription.
    pub(in super::super) fn apply_foreign(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        request: &Message,
    ) {
        let content_type = request.header("Content-Type").unwrap_or_default();
        if let Ok(told) = self.read(content_type, request.body()) {
            self.apply(now, shared, settings, told);
        }
    }

    pub(super) fn on_indication(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        indication: SubscriberIndication,
    ) {
        match indication {
            SubscriberIndication::Accepted { purpose, code } => {
                self.on_accepted(now, shared, settings, purpose, code);
            }
            SubscriberIndication::Active { .. } => {
                self.tell_synchronised(shared, settings, true);
                self.changes.on_notify(now);
            }
            SubscriberIndication::Pending { .. } => {
                self.tell_synchronised(shared, settings, false);
            }
            SubscriberIndication::State { content_type, body } => {
                match self.read(&content_type, &body) {
                    Ok(told) => self.apply(now, shared, settings, told),
                    Err(problem) => {
                        self.log(shared, settings, &format!("state not read: {problem}"));
                        self.recheck_at.get_or_insert(now + RECHECK);
                    }
                }
            }
            SubscriberIndication::ChangeFailed { cause } => {
                shared.log(settings, &format!("change not made: {cause:?}"));
                if let Some(service) = self.changes.on_failure() {
                    refuse(shared, settings, service);
                }
            }
            SubscriberIndication::Ended { reason, .. } => {
                self.log(shared, settings, &format!("subscription ended: {reason:?}"));
                self.on_down(shared, settings);
            }
            SubscriberIndication::Refused { code, .. } => {
                self.log(
                    shared,
                    settings,
                    &format!("subscription refused with {code}"),
                );
                let for_good = matches!(code, 403 | 489);
                self.odd.surrender = for_good && shared.has(Defect::StopsRegisteringAfterRefusal);
                self.on_down(shared, settings);
            }
        }
    }

    fn on_accepted(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        purpose: Purpose,
        code: u16,
    ) {
        let again = shared.has(Defect::SubscribesAfter202Again) && !self.odd.subscribed_again;
        if code == 202 && purpose == Purpose::Initial && again {
            self.odd.subscribed_again = true;
            self.subscriber.restart(now);
            return;
        }
        let Some(change) = self
            .changes
            .outstanding()
            .filter(|_| purpose == Purpose::Change)
        else {
            return;
        };
        let change = change.clone();
        self.changes
            .on_accepted(now, shared.endpoint.timers().give_up());
        if shared.has(Defect::SendsChangeTwice) && change.original {
            self.changes.ask(Change {
                original: false,
                ..change.clone()
            });
        }
        if shared.has(Defect::BelievesThe2xx) {
            self.changes.on_state(change.service);
            self.odd.deaf_to = Some(change.service);
            let state = UaIndication::State {
                handset: settings.handset.clone(),
                service: change.service,
                setting: change.setting,
            };
            shared.indicate(state);
        }
    }

    fn read(&self, content_type: &str, body: &[u8]) -> Result<Vec<Event>, BodyError> {
        match self.package.body {
            BodyKind::FeatureEvent => notification::read(content_type, body),
            BodyKind::Hoteling => hoteling::read(body),
        }
    }

    /// A line of the log; which package it is about is said where that is not the services of the user.
    fn log(&self, shared: &mut Shared, settings: &AccountSettings, text: &str) {
        match self.package.body {
            BodyKind::FeatureEvent => shared.log(settings, text),
            BodyKind::Hoteling => shared.log(settings, &format!("{} {text}", self.package.name)),
        }
    }

    fn on_down(&mut self, shared: &mut Shared, settings: &AccountSettings) {
        self.last_cseq = None;
        self.recheck_at = None;
        self.refuse_all(shared, settings);
        self.tell_synchronised(shared, settings, false);
    }

    /// Takes the states of one NOTIFY.
    fn apply(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        mut told: Vec<Event>,
    ) {
        let skip = shared.has(Defect::AppliesFirstNotifyOnly) && !self.known.is_empty();
        if skip || std::mem::take(&mut self.odd.ignore_next_state) {
            return;
        }
        if shared.has(Defect::AppliesFirstPartOnly) {
            told.truncate(1);
        }
        for one in told {
            let user = &settings.user_name;
            let states = notification::settle(&shared.defects, user, &self.known, one);
            for (service, setting) in states {
                self.apply_state(now, shared, settings, service, setting);
            }
        }
    }

    fn apply_state(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        service: Service,
        setting: Setting,
    ) {
        let change = self.changes.on_state(service);
        if self.odd.deaf_to == Some(service) {
            self.odd.deaf_to = None;
            return;
        }
        let before = self.known.insert(service, setting.clone());
        let changed = before.is_some_and(|before| before != setting);
        let contradicted = change.filter(|change| {
            change.original && change.setting.active != setting.active
                || change.setting.active && change.setting.number != setting.number
        });
        if let Some(change) = contradicted
            && change.original
            && shared.has(Defect::RepeatsContradictedChange)
        {
            self.changes.ask(Change {
                original: false,
                ..change
            });
        }
        if changed && shared.has(Defect::EchoesNotify) {
            self.changes.ask(Change {
                service,
                setting: setting.clone(),
                not_before: now,
                original: false,
            });
        }
        let state = UaIndication::State {
            handset: settings.handset.clone(),
            service,
            setting,
        };
        if shared.has(Defect::AppliesStateLate) {
            self.odd.late.push((now + LATE_STATE, state));
        } else {
            shared.indicate(state);
        }
    }
}
