//! A NOTIFY that reached the base: which subscription it belongs to, and how the base has to answer it.
//!
//! Where a base may rightly answer either way, nothing is due. That is so for every NOTIFY of a subscription that has
//! ended or is being ended, one whose CSeq equals an earlier one, and one whose form this release does not judge.

use crate::body::Reading;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::subscription::Subscription;
use sip::message::{Message, parameter};

/// What the monitor knows of a NOTIFY.
#[derive(Clone, Debug)]
pub(crate) struct Notice {
    /// The account it is for.
    pub(crate) account: Option<usize>,
    pub(crate) subscription: Option<Place>,
    pub(crate) due: Due,
    pub(crate) reading: Reading,
    pub(crate) cseq: Option<u32>,
    pub(crate) state: State,
    /// It is the first one after a refresh.
    pub(crate) refreshed: bool,
    /// It is the first one of a subscription that follows an earlier one.
    pub(crate) resubscribed: bool,
    /// A device element is not the account's own number.
    pub(crate) device_odd: bool,
    /// Event has parameters that do not matter.
    pub(crate) parameters: bool,
    /// It is the first one after a 202.
    pub(crate) after_202: bool,
    /// It answers these changes of the user.
    pub(crate) changes: Vec<Place>,
    /// A display has shown a state that only this NOTIFY can have brought.
    pub(crate) shown: bool,
}

/// How the base has to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// With 200, for this reason.
    Accept(Reason),
    /// With a refusal.
    Refuse(Refusal),
    /// One way or the other.
    Open,
}

/// What is special about a NOTIFY that must be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    After202,
    Closing,
    Early,
    Gap,
    Parameters,
    Plain,
}

/// Why a NOTIFY must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its Event is another one.
    Event,
    /// Its CSeq is lower than that of an accepted one.
    Past,
    /// There is no such subscription.
    Unknown,
}

/// The Subscription-State header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct State {
    /// The word, empty when missing.
    pub(crate) name: String,
    pub(crate) expires: Option<u64>,
}

impl State {
    pub(crate) fn of(message: &Message) -> Self {
        let value = message.header("Subscription-State").unwrap_or_default();
        Self {
            name: value
                .split(';')
                .next()
                .unwrap_or_default()
                .trim()
                .to_ascii_lowercase(),
            expires: parameter(value, "expires").and_then(|text| text.parse().ok()),
        }
    }

    fn is_known(&self) -> bool {
        matches!(self.name.as_str(), "active" | "pending" | "terminated")
    }

    pub(crate) fn terminated(&self) -> bool {
        self.name == "terminated"
    }
}

/// The Event header compared with ours, byte by byte on package and id (RFC 6665 §8.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventMatch {
    Exact,
    Missing,
    Other,
    WithParameters,
}

impl EventMatch {
    pub(crate) fn of(message: &Message) -> Self {
        let Some(event) = message.header("Event") else {
            return Self::Missing;
        };
        let package = event.split(';').next().unwrap_or_default().trim();
        if package != crate::monitor::PACKAGE || parameter(event, "id").is_some() {
            Self::Other
        } else if event.contains(';') {
            Self::WithParameters
        } else {
            Self::Exact
        }
    }
}

/// What is known around a NOTIFY when it arrives.
pub(crate) struct Circumstances<'a> {
    pub(crate) now: u64,
    pub(crate) message: &'a Message,
    pub(crate) event: EventMatch,
    pub(crate) state: &'a State,
    pub(crate) reading: &'a Reading,
    pub(crate) subscription: Option<&'a Subscription>,
    /// Whether the log has seen this base boot, so that all its subscriptions are known.
    pub(crate) complete: bool,
    /// A SUBSCRIBE of its subscription has no final response.
    pub(crate) early: bool,
}

impl Due {
    pub(crate) fn of(around: &Circumstances<'_>) -> Self {
        let sound = around.state.is_known() && around.reading.is_regular();
        let Some(subscription) = around.subscription else {
            let ours = around.event == EventMatch::Exact && around.message.to_tag().is_some();
            return if around.complete && ours && sound {
                Self::Refuse(Refusal::Unknown)
            } else {
                Self::Open
            };
        };
        if let Some(unsubscribed) = subscription.left() {
            let closing = around.state.terminated()
                && around.event == EventMatch::Exact
                && sound
                && !subscription.is_ended()
                && subscription.is_ordered(around.message) != Some(false)
                && around.now < unsubscribed + crate::monitor::scene::time::TIMER_F;
            return if closing {
                Self::Accept(Reason::Closing)
            } else {
                Self::Open
            };
        }
        if !subscription.is_sure(around.now) {
            return Self::Open;
        }
        if subscription.confirmed && subscription.remote_tag.as_deref() != around.message.from_tag()
        {
            return if around.event == EventMatch::Exact && sound {
                Self::Refuse(Refusal::Unknown)
            } else {
                Self::Open
            };
        }
        match (around.event, subscription.is_ordered(around.message)) {
            (EventMatch::Missing, _) | (_, None) => Self::Open,
            (EventMatch::Other, Some(true)) => Self::Refuse(Refusal::Event),
            (EventMatch::Other, Some(false)) => Self::Open,
            (_, Some(false)) => Self::Refuse(Refusal::Past),
            (_, Some(true)) if !sound => Self::Open,
            (EventMatch::WithParameters, _) => Self::Accept(Reason::Parameters),
            _ if around.early => Self::Accept(Reason::Early),
            _ if subscription.leaves_gap(around.message) => Self::Accept(Reason::Gap),
            _ if subscription.awaits_after_202() => Self::Accept(Reason::After202),
            _ => Self::Accept(Reason::Plain),
        }
    }
}
