//! What responses to a SUBSCRIBE, and their absence, do to the subscription (RFC 6665 §4.1.2.1 and §4.1.2.2).

use super::{
    ChangeFailure, EndReason, Outstanding, Purpose, State, Subscriber, SubscriberIndication,
};
use crate::message::Message;
use crate::subscription::{Comeback, ENDING_CODES, Lifetime, On202, Unsubscribe, retry_after};
use crate::time::Instant;
use crate::transaction::Failure;
use std::time::Duration;

impl Subscriber {
    /// Takes a response to the outstanding SUBSCRIBE; any other is ignored. A digest challenge that the owner can
    /// answer does not come here but leads to [`repeat`](Self::repeat).
    pub fn handle_response(&mut self, now: Instant, response: &Message) {
        let code = response.status().unwrap_or_default();
        let number = response.cseq().map(|(number, _)| number);
        let Some(outstanding) = self.outstanding.take_if(|outstanding| {
            code >= 200
                && response.call_id() == outstanding.request.call_id
                && number == Some(outstanding.request.cseq)
        }) else {
            return;
        };
        if !outstanding.moot {
            match code {
                ..300 => self.on_accepted(now, &outstanding, code, response),
                423 => self.on_too_brief(now, outstanding, response),
                _ => self.on_refused(now, &outstanding, code, response),
            }
        }
        self.pump(now);
    }

    /// The outstanding SUBSCRIBE got no response.
    pub fn handle_failure(&mut self, now: Instant, failure: Failure) {
        let Some(outstanding) = self.outstanding.take() else {
            return;
        };
        if !outstanding.moot {
            self.on_unanswered(now, &outstanding, failure);
        }
        self.pump(now);
    }

    fn on_accepted(
        &mut self,
        now: Instant,
        outstanding: &Outstanding,
        code: u16,
        response: &Message,
    ) {
        let request = &outstanding.request;
        let purpose = request.purpose;
        let asked = request.expires;
        let granted = match self.policy.lifetime {
            Lifetime::Granted => response
                .expires()
                .map_or(asked, |granted| granted.min(asked)),
            Lifetime::Requested => asked,
        };
        let lifetime = Duration::from_secs(granted.into());
        self.indicate(SubscriberIndication::Accepted { purpose, code });
        if code == 202 && self.policy.on_202 == On202::Drop && purpose == Purpose::Initial {
            self.end(now, EndReason::Accepted202, Comeback::Later, None);
            return;
        }
        match &mut self.state {
            State::Subscribing {
                dialog,
                granted,
                notify_by,
            } => {
                dialog.join_by_response(response);
                *granted = Some(lifetime);
                if notify_by.is_none() {
                    let dialog = dialog.clone();
                    self.activate(now, dialog, lifetime);
                }
            }
            State::Active {
                dialog,
                expires_at,
                refresh_at,
                lifetime_told,
                ..
            } => {
                let outside = dialog.call_id != request.call_id;
                if !outside {
                    dialog.refresh_target(response);
                }
                // The NOTIFY has the better word; the 2xx may only shorten it.
                let left = if outside || *lifetime_told {
                    expires_at.since(now).min(lifetime)
                } else {
                    lifetime
                };
                if refresh_at.is_none() || now + left + SLACK < *expires_at {
                    self.schedule(now, left);
                }
                self.unconfirmed = purpose == Purpose::Change && self.awaits_notify();
            }
            State::Ending { .. } => {
                if self.policy.unsubscribe == Unsubscribe::ForgetAtResponse {
                    self.end(now, EndReason::Unsubscribed, Comeback::Never, None);
                }
            }
            State::Idle | State::Waiting { .. } => {}
        }
    }

    /// RFC 3261 §21.4.17: the same request with at least Min-Expires, if that is more than was asked for.
    fn on_too_brief(&mut self, now: Instant, outstanding: Outstanding, response: &Message) {
        let minimum: Option<u32> = response
            .header("Min-Expires")
            .and_then(|value| value.parse().ok());
        let asked = outstanding.request.expires;
        let minimum = minimum.filter(|minimum| asked > 0 && *minimum > asked);
        if let Some(minimum) = minimum.filter(|_| self.policy.heed_min_expires) {
            self.policy.expires = minimum;
            let mut outstanding = outstanding;
            outstanding.request.expires = minimum;
            self.outstanding = Some(outstanding);
            self.repeat(now);
            return;
        }
        // Without a usable Min-Expires another try soon would end the same way.
        if outstanding.request.purpose == Purpose::Initial {
            self.failures = self.failures.max(16);
        }
        self.on_refused(now, &outstanding, 423, response);
    }

    fn on_refused(
        &mut self,
        now: Instant,
        outstanding: &Outstanding,
        code: u16,
        response: &Message,
    ) {
        let wait = retry_after(response);
        match outstanding.request.purpose {
            Purpose::Initial => self.on_initial_refused(now, code, wait),
            Purpose::Refresh | Purpose::Change => {
                if outstanding.request.purpose == Purpose::Change {
                    self.change_failed(ChangeFailure::Refused(code));
                }
                // RFC 3261 §12.2.1.2: 408 ends a dialog as silence does.
                if ENDING_CODES.contains(&code) || code == 408 {
                    self.end(now, EndReason::Refused(code), Comeback::AtOnce, wait);
                } else {
                    self.on_survived(now, outstanding.request.purpose, wait);
                }
            }
            Purpose::Unsubscribe => {
                self.end(now, EndReason::Unsubscribed, Comeback::Never, None);
            }
        }
    }

    fn on_initial_refused(&mut self, now: Instant, code: u16, wait: Option<u32>) {
        let for_good = self.policy.refused_codes.contains(&code);
        let comeback = match (for_good, self.policy.retry_refused) {
            (true, None) => Comeback::Never,
            _ => Comeback::Later,
        };
        let mut retry_at = self.leave(now, comeback, wait);
        if let (State::Waiting { retry_at: planned }, true) = (&mut self.state, for_good) {
            let wait = self.policy.retry_refused.unwrap_or_default();
            *planned = now + wait;
            retry_at = Some(*planned);
        }
        self.indicate(SubscriberIndication::Refused { code, retry_at });
    }

    /// A refusal that leaves the subscription valid until its last known expiry: no NOTIFY is due, and a refresh is
    /// tried again if there is time.
    fn on_survived(&mut self, now: Instant, purpose: Purpose, wait: Option<u32>) {
        let floor = self.policy.retry_floor;
        let wait = wait.filter(|_| self.policy.heed_retry_after);
        let asked = Duration::from_secs(wait.unwrap_or(0).into());
        let rule = self.policy.refresh;
        let State::Active {
            refresh_at,
            expires_at,
            notify_by,
            ..
        } = &mut self.state
        else {
            return;
        };
        *notify_by = None;
        let next = match purpose {
            Purpose::Change => rule
                .delay(expires_at.since(now))
                .map(|delay| now + delay.max(asked)),
            _ => Some(now + floor.max(asked)),
        };
        *refresh_at = next;
    }

    fn on_unanswered(&mut self, now: Instant, outstanding: &Outstanding, failure: Failure) {
        let reason = EndReason::Unanswered(failure);
        match outstanding.request.purpose {
            // A NOTIFY has come: the subscription stands although the 2xx was lost.
            Purpose::Initial if self.is_active() => {}
            Purpose::Initial => self.end(now, reason, Comeback::Later, None),
            Purpose::Refresh => self.end(now, reason, Comeback::AtOnce, None),
            Purpose::Change => {
                self.change_failed(ChangeFailure::Unanswered(failure));
                self.end(now, reason, Comeback::AtOnce, None);
            }
            Purpose::Unsubscribe => {
                self.end(now, EndReason::Unsubscribed, Comeback::Never, None);
            }
        }
    }
}

/// Lifetimes are whole seconds that travelled: differences below this mean nothing (our choice).
pub(super) const SLACK: Duration = Duration::from_secs(2);
