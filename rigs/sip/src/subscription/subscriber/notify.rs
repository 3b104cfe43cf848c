//! What a NOTIFY does to the subscription, and how it is answered (RFC 6665 §4.1.3).

use super::response::SLACK;
use super::{EndReason, NotifyAnswer, State, Subscriber, SubscriberIndication};
use crate::dialog::Dialog;
use crate::message::Message;
use crate::subscription::{
    Comeback, Content, EarlyNotify, EventMatch, Lifetime, NotifyOrder, StateReading,
    SubscriptionState, Substate, event_id, package,
};
use crate::time::Instant;
use std::time::Duration;

impl Subscriber {
    /// Takes a NOTIFY, once: its copies are absorbed by its transaction. The owner sends the answer before it drains
    /// [`poll_output`](Self::poll_output).
    pub fn handle_notify(&mut self, now: Instant, notify: &Message) -> NotifyAnswer {
        let names = (notify.call_id(), notify.to_tag().unwrap_or_default());
        let stray = self
            .strays
            .iter()
            .any(|(call_id, tag)| (call_id.as_str(), tag.as_str()) == names);
        if stray {
            self.show_content(notify);
            return ok();
        }
        let joined = matches!(self.state, State::Active { .. } | State::Ending { .. });
        let Some(dialog) = self.dialog() else {
            return NotifyAnswer::NotMine;
        };
        if names != (dialog.call_id.as_str(), dialog.local_tag.as_str())
            || (joined && !dialog.owns(notify))
        {
            return NotifyAnswer::NotMine;
        }
        if let State::Subscribing { granted: None, .. } = self.state
            && let EarlyNotify::Refuse(code) = self.policy.early_notify
        {
            return match code {
                481 => NotifyAnswer::NotMine,
                482 => answer(code, "Loop Detected"),
                _ => answer(code, "Server Internal Error"),
            };
        }
        match self.examine(notify) {
            Ok(state) => {
                self.on_notified(now, notify, &state);
                ok()
            }
            Err(refusal) => {
                self.recheck(now);
                refusal
            }
        }
    }

    /// Everything that may be wrong with a NOTIFY of this dialog, in the order in which it is looked at.
    fn examine(&mut self, notify: &Message) -> Result<SubscriptionState, NotifyAnswer> {
        if !self.event_matches(notify) {
            let headers = vec![("Allow-Events", self.policy.event.clone())];
            return Err(NotifyAnswer::Answer {
                code: 489,
                reason: "Bad Event",
                headers,
            });
        }
        let order = self.policy.notify_order;
        if let State::Subscribing { dialog, .. }
        | State::Active { dialog, .. }
        | State::Ending { dialog, .. } = &mut self.state
            && dialog.check_order(notify).is_err()
            && order == NotifyOrder::Strict
        {
            return Err(answer(500, "Server Internal Error"));
        }
        let value = notify.header("Subscription-State").unwrap_or_default();
        let state = match SubscriptionState::parse(value) {
            Ok(state) => state,
            Err(_) if self.policy.state_reading == StateReading::Strict => {
                return Err(answer(400, "Bad Subscription-State"));
            }
            Err(_) if value.trim().is_empty() => SubscriptionState::parse_leniently("active"),
            Err(_) => SubscriptionState::parse_leniently(value),
        };
        if Content::of(notify).is_some_and(|content| !self.understands(&content)) {
            return Err(NotifyAnswer::Answer {
                code: 415,
                reason: "Unsupported Media Type",
                headers: vec![("Accept", self.policy.accept.join(", "))],
            });
        }
        Ok(state)
    }

    fn event_matches(&self, notify: &Message) -> bool {
        let event = notify.header("Event").unwrap_or_default();
        let same_id = event_id(event) == self.policy.event_id.as_deref();
        match self.policy.event_match {
            EventMatch::Exact => package(event) == self.policy.event && same_id,
            EventMatch::IgnoreCase => {
                package(event).eq_ignore_ascii_case(&self.policy.event) && same_id
            }
            EventMatch::Any => true,
        }
    }

    fn understands(&self, content: &Content) -> bool {
        let essence = content.content_type.split(';').next().unwrap_or_default();
        self.policy.accept.is_empty()
            || self
                .policy
                .accept
                .iter()
                .any(|accepted| accepted.eq_ignore_ascii_case(essence.trim()))
    }

    fn on_notified(&mut self, now: Instant, notify: &Message, state: &SubscriptionState) {
        if matches!(self.state, State::Ending { .. }) {
            if state.substate == Substate::Terminated {
                let reason = EndReason::Terminated(state.reason.clone());
                self.end(now, reason, Comeback::Never, None);
            }
            return;
        }
        if state.substate == Substate::Terminated {
            self.show_content(notify);
            let comeback = self.policy.comeback(state.reason.as_deref());
            let reason = EndReason::Terminated(state.reason.clone());
            self.failures = 0;
            self.end(now, reason, comeback, state.retry_after);
            return;
        }
        let told = state
            .expires
            .filter(|_| self.policy.lifetime == Lifetime::Granted)
            .map(|seconds| Duration::from_secs(seconds.into()));
        self.on_alive(now, notify, told);
        self.failures = 0;
        let until = self.expires_at().unwrap_or(now);
        if state.substate == Substate::Pending {
            self.indicate(SubscriberIndication::Pending { until });
        } else {
            self.indicate(SubscriberIndication::Active { until });
            self.show_content(notify);
        }
        self.pump(now);
    }

    /// The subscription stands, for `told` from now if the NOTIFY says so.
    fn on_alive(&mut self, now: Instant, notify: &Message, told: Option<Duration>) {
        self.unconfirmed = false;
        let wanted = Duration::from_secs(self.policy.expires.into());
        match &mut self.state {
            State::Subscribing {
                dialog, granted, ..
            } => {
                dialog.join_by_request(notify);
                let dialog = dialog.clone();
                let lifetime = told.or(*granted).unwrap_or(wanted);
                self.activate(now, dialog, lifetime);
                if let State::Active { lifetime_told, .. } = &mut self.state {
                    *lifetime_told = told.is_some();
                }
            }
            State::Active {
                dialog,
                expires_at,
                notify_by,
                lifetime_told,
                ..
            } => {
                dialog.refresh_target(notify);
                let first = notify_by.take().is_some();
                let Some(told) = told else { return };
                *lifetime_told = true;
                let end = now + told;
                let moved = end + SLACK < *expires_at || *expires_at + SLACK < end;
                if first || moved {
                    self.schedule(now, told);
                }
            }
            State::Idle | State::Waiting { .. } | State::Ending { .. } => {}
        }
    }

    /// There is a subscription now.
    pub(super) fn activate(&mut self, now: Instant, dialog: Dialog, lifetime: Duration) {
        self.state = State::Active {
            dialog,
            refresh_at: None,
            expires_at: now,
            notify_by: None,
            lifetime_told: false,
        };
        self.schedule(now, lifetime);
    }

    /// The subscription lasts so long from now. A rule that refreshes too late is let go on until then.
    pub(super) fn schedule(&mut self, now: Instant, lifetime: Duration) {
        let next = self.policy.refresh.delay(lifetime).map(|delay| now + delay);
        if let State::Active {
            refresh_at,
            expires_at,
            ..
        } = &mut self.state
        {
            // A lifetime of nothing is about to end by a NOTIFY: no refresh would be in time.
            *refresh_at = next.filter(|_| !lifetime.is_zero());
            *expires_at =
                refresh_at.map_or(now + lifetime, |refresh_at| refresh_at.max(now + lifetime));
        }
    }

    pub(super) const fn awaits_notify(&self) -> bool {
        matches!(
            self.state,
            State::Active {
                notify_by: Some(_),
                ..
            }
        )
    }

    const fn expires_at(&self) -> Option<Instant> {
        match self.state {
            State::Active { expires_at, .. } => Some(expires_at),
            _ => None,
        }
    }

    /// The server drops a subscription whose NOTIFY was refused: find out soon.
    fn recheck(&mut self, now: Instant) {
        let Some(wait) = self.policy.recheck_after else {
            return;
        };
        if let State::Active { refresh_at, .. } = &mut self.state {
            let at = refresh_at.map_or(now + wait, |planned| planned.min(now + wait));
            *refresh_at = Some(at);
        }
    }

    fn show_content(&mut self, notify: &Message) {
        if let Some(content) = Content::of(notify) {
            self.indicate(SubscriberIndication::State {
                content_type: content.content_type,
                body: content.body,
            });
        }
    }
}

fn ok() -> NotifyAnswer {
    answer(200, "OK")
}

fn answer(code: u16, reason: &'static str) -> NotifyAnswer {
    NotifyAnswer::Answer {
        code,
        reason,
        headers: Vec::new(),
    }
}
