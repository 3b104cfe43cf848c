//! What a subscriber may decide, as values. The defaults are a sound base; every other value is a defect that firmware
//! is known for, or a habit that a profile needs.

use super::Content;
use std::collections::BTreeMap;
use std::time::Duration;

/// What to do with a NOTIFY that overtakes the 2xx of its SUBSCRIBE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EarlyNotify {
    /// Take it (RFC 6665 §4.1.2.4).
    Accept,
    /// Refuse it with this code and forget it.
    Refuse(u16),
}

/// When Event of a NOTIFY names this subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventMatch {
    /// Package and `id` byte by byte, other parameters ignored (RFC 6665 §8.2.1).
    Exact,
    /// The package in any case.
    IgnoreCase,
    /// Whatever it names.
    Any,
}

/// What to do with a NOTIFY whose CSeq number is not above the last one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyOrder {
    /// Refuse it with 500 (RFC 3261 §12.2.2).
    Strict,
    /// Take it.
    AcceptLower,
}

/// What to do with a Subscription-State that is missing or malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateReading {
    /// Read what can be read, and take a missing one for `active`.
    Lenient,
    /// Refuse the NOTIFY with 400.
    Strict,
}

/// What a 202 means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum On202 {
    /// The same as 200.
    LikeOk,
    /// The end of the attempt.
    Drop,
}

/// Whose word on the length of the subscription counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// The notifier's: Expires of the 2xx, then `expires` of the NOTIFY.
    Granted,
    /// The subscriber's own.
    Requested,
}

/// When the subscription is refreshed, out of the seconds it was granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefreshRule {
    /// After `percent` of them, but `margin` ahead of the end, and in no case before half of them.
    Ahead {
        /// Per cent of the granted seconds.
        percent: u32,
        /// How long before the end at the latest.
        margin: Duration,
    },
    /// After `percent` of them, which may be too early or, above 100, too late.
    AtPercent(u32),
    /// Not at all.
    Never,
}

impl RefreshRule {
    /// How long after the grant the refresh goes out.
    #[must_use]
    pub fn delay(self, granted: Duration) -> Option<Duration> {
        match self {
            Self::Ahead { percent, margin } => {
                let share = granted.saturating_mul(percent) / 100;
                Some(share.min(granted.saturating_sub(margin)).max(granted / 2))
            }
            Self::AtPercent(percent) => Some(granted.saturating_mul(percent) / 100),
            Self::Never => None,
        }
    }
}

/// In which dialog a change is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeDialog {
    /// In that of the subscription.
    Same,
    /// In a new one for every change.
    New,
}

/// How a subscription is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsubscribe {
    /// SUBSCRIBE with Expires 0, then the closing NOTIFY is awaited.
    AwaitNotify,
    /// SUBSCRIBE with Expires 0, and the dialog is forgotten at its response: the closing NOTIFY is refused.
    ForgetAtResponse,
    /// Nothing is sent.
    Silent,
}

/// When a subscription that ended is asked for again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    /// At once, if that was not done within the retry floor before.
    AtOnce,
    /// After Retry-After or the back-off, whichever is longer.
    Later,
    /// Only when the owner says so.
    Never,
}

/// All that a subscriber may decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriberPolicy {
    /// The event package, as in the Event header.
    pub event: String,
    /// The `id` of the Event header.
    pub event_id: Option<String>,
    /// Requested seconds.
    pub expires: u32,
    /// Content types that it understands; empty means all. Any other gets 415.
    pub accept: Vec<String>,
    /// The Route headers of an initial SUBSCRIBE.
    pub initial_route: Vec<String>,
    /// What an initial SUBSCRIBE carries.
    pub initial_content: Option<Content>,
    /// What a plain refresh carries.
    pub refresh_content: Option<Content>,
    /// A NOTIFY before the 2xx.
    pub early_notify: EarlyNotify,
    /// How Event is compared.
    pub event_match: EventMatch,
    /// How CSeq is checked.
    pub notify_order: NotifyOrder,
    /// How Subscription-State is read.
    pub state_reading: StateReading,
    /// What 202 means.
    pub on_202: On202,
    /// Whose lifetime counts.
    pub lifetime: Lifetime,
    /// When it is refreshed.
    pub refresh: RefreshRule,
    /// Timer N; none means that a NOTIFY is not waited for.
    pub timer_n: Option<Duration>,
    /// Where changes are sent.
    pub change_dialog: ChangeDialog,
    /// How it is given up.
    pub unsubscribe: Unsubscribe,
    /// Whether Min-Expires of a 423 is taken over and the request sent again.
    pub heed_min_expires: bool,
    /// Whether Retry-After is honoured, in responses and in Subscription-State.
    pub heed_retry_after: bool,
    /// How soon after an answer of 4xx or 5xx to a NOTIFY the state is read again.
    pub recheck_after: Option<Duration>,
    /// Codes that refuse an initial SUBSCRIBE for good.
    pub refused_codes: Vec<u16>,
    /// When an initial SUBSCRIBE that was refused for good is sent again all the same.
    pub retry_refused: Option<Duration>,
    /// The shortest wait between automatic attempts.
    pub retry_floor: Duration,
    /// The longest wait that the back-off grows to.
    pub retry_ceiling: Duration,
    /// What each reason of a terminated subscription asks for (RFC 6665 §4.1.3).
    pub reasons: BTreeMap<String, Comeback>,
    /// What a missing or unknown reason asks for.
    pub other_reason: Comeback,
}

impl SubscriberPolicy {
    /// A sound subscriber for this event package.
    #[must_use]
    pub fn new(event: &str) -> Self {
        let reasons = [
            ("deactivated", Comeback::AtOnce),
            ("probation", Comeback::Later),
            ("rejected", Comeback::Never),
            ("timeout", Comeback::AtOnce),
            ("giveup", Comeback::Later),
            ("noresource", Comeback::Never),
            ("invariant", Comeback::Never),
        ];
        Self {
            event: event.to_owned(),
            event_id: None,
            expires: 1800,
            accept: Vec::new(),
            initial_route: Vec::new(),
            initial_content: None,
            refresh_content: None,
            early_notify: EarlyNotify::Accept,
            event_match: EventMatch::Exact,
            notify_order: NotifyOrder::Strict,
            state_reading: StateReading::Lenient,
            on_202: On202::LikeOk,
            lifetime: Lifetime::Granted,
            refresh: RefreshRule::Ahead {
                percent: 80,
                margin: Duration::from_secs(4),
            },
            timer_n: Some(Duration::from_secs(32)),
            change_dialog: ChangeDialog::Same,
            unsubscribe: Unsubscribe::AwaitNotify,
            heed_min_expires: true,
            heed_retry_after: true,
            recheck_after: Some(Duration::from_secs(30)),
            refused_codes: vec![403, 405, 410, 416, 489, 501, 603, 604, 606],
            retry_refused: None,
            retry_floor: Duration::from_secs(30),
            retry_ceiling: Duration::from_secs(300),
            reasons: reasons
                .into_iter()
                .map(|(reason, comeback)| (reason.to_owned(), comeback))
                .collect(),
            other_reason: Comeback::Later,
        }
    }

    /// What the end of a subscription for this reason asks for.
    #[must_use]
    pub fn comeback(&self, reason: Option<&str>) -> Comeback {
        let known = reason.and_then(|reason| self.reasons.get(&reason.to_ascii_lowercase()));
        known.copied().unwrap_or(self.other_reason)
    }
}
