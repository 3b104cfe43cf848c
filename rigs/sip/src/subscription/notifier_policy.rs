//! What a notifier may decide, as values: the habits of server products, and the odd things a scenario asks for.

use std::time::Duration;

/// How many seconds a SUBSCRIBE is granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grant {
    /// What it asks for.
    Echo,
    /// What it asks for, but not more than this.
    AtMost(u32),
    /// This, unless it asks for nothing.
    Exactly(u32),
}

impl Grant {
    /// The seconds granted for the seconds asked.
    #[must_use]
    pub fn of(self, asked: u32) -> u32 {
        match self {
            _ if asked == 0 => 0,
            Self::Echo => asked,
            Self::AtMost(most) => asked.min(most),
            Self::Exactly(seconds) => seconds,
        }
    }
}

/// How many NOTIFYs may be unanswered at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// One; the next leaves when it was answered.
    OneAtATime,
    /// Any number.
    Pipelined,
}

/// Which refusals of a NOTIFY end the subscription. Silence always does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalRule {
    /// The codes that end a dialog (RFC 6665 §4.2.2).
    EndingCodes,
    /// Every code unless Retry-After stands beside it (RFC 3265 §3.2.2).
    AllWithoutRetryAfter,
    /// None, not even silence.
    None,
}

/// How the seconds left are written in Subscription-State.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateSyntax {
    /// `active;expires=3599`
    Parameter,
    /// `active, 3599`, as FreeSWITCH does.
    Comma,
    /// `active`
    Omitted,
}

/// All that a notifier may decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifierPolicy {
    /// The event package, as in the Event header.
    pub event: String,
    /// What is granted.
    pub grant: Grant,
    /// Taken for a SUBSCRIBE without Expires.
    pub default_expires: u32,
    /// The fewest seconds that may be asked for; fewer get 423.
    pub min_expires: Option<u32>,
    /// Whether the 423 says how many.
    pub min_expires_header: bool,
    /// Whether the 2xx has an Expires header.
    pub expires_header: bool,
    /// 200 or 202.
    pub accept_code: u16,
    /// The answer to a CSeq number that is not above the last.
    pub out_of_order_code: u16,
    /// The CSeq number of the first NOTIFY.
    pub first_cseq: u32,
    /// How many NOTIFYs may be unanswered.
    pub pace: Pace,
    /// What a refused NOTIFY means.
    pub on_refusal: RefusalRule,
    /// How Subscription-State is written.
    pub state_syntax: StateSyntax,
    /// The reason in the NOTIFY that closes after Expires 0.
    pub unsubscribe_reason: String,
    /// The reason in the NOTIFY that closes at the expiry.
    pub expiry_reason: String,
    /// How long after its expiry a subscription is ended.
    pub expiry_grace: Duration,
}

impl NotifierPolicy {
    /// A sound notifier for this event package.
    #[must_use]
    pub fn new(event: &str) -> Self {
        Self {
            event: event.to_owned(),
            grant: Grant::AtMost(3600),
            default_expires: 3600,
            min_expires: None,
            min_expires_header: true,
            expires_header: true,
            accept_code: 200,
            out_of_order_code: 500,
            first_cseq: 1,
            pace: Pace::OneAtATime,
            on_refusal: RefusalRule::EndingCodes,
            state_syntax: StateSyntax::Parameter,
            unsubscribe_reason: "timeout".to_owned(),
            expiry_reason: "timeout".to_owned(),
            expiry_grace: Duration::ZERO,
        }
    }
}
