//! Subscriptions (RFC 6665): the subscriber that a base is and the notifier that an application server is.
//!
//! Both are pure machines over one dialog each. They decide what is sent and when, and never write a message: a
//! [`SubscribeRequest`] or [`NotifyRequest`] holds the values, and the owner puts them into the text of its own kind,
//! adds credentials and sends it in a client transaction of its [`Endpoint`](crate::endpoint::Endpoint). What a server
//! does not do, or a firmware does wrong, is a value in [`SubscriberPolicy`] or [`NotifierPolicy`].

mod notifier;
mod notifier_policy;
mod state_header;
mod subscriber;
mod subscriber_policy;

pub use notifier::{
    Notifier, NotifierEnd, NotifierIndication, NotifierOutput, NotifyRequest, SubscribeAnswer,
    SubscribeKind,
};
pub use notifier_policy::{Grant, NotifierPolicy, Pace, RefusalRule, StateSyntax};
pub use state_header::{MalformedState, SubscriptionState, Substate};
pub use subscriber::{
    ChangeFailure, EndReason, NotifyAnswer, Purpose, SubscribeRequest, Subscriber,
    SubscriberIndication, SubscriberOutput,
};
pub use subscriber_policy::{
    ChangeDialog, Comeback, EarlyNotify, EventMatch, Lifetime, NotifyOrder, On202, RefreshRule,
    StateReading, SubscriberPolicy, Unsubscribe,
};

use crate::message::{Message, parameter};
use bytes::Bytes;

/// A body with its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Content {
    /// The value of Content-Type.
    pub content_type: String,
    /// The bytes.
    pub body: Bytes,
}

impl Content {
    /// What this message carries: nothing when its body is empty.
    #[must_use]
    pub fn of(message: &Message) -> Option<Self> {
        let body = message.body();
        (!body.is_empty()).then(|| Self {
            content_type: message
                .header("Content-Type")
                .unwrap_or_default()
                .to_owned(),
            body: Bytes::copy_from_slice(body),
        })
    }
}

/// Codes that end a dialog's subscription whichever request they answer (RFC 6665 §4.1.2.2).
const ENDING_CODES: &[u16] = &[
    404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604,
];

/// The package of an Event value.
fn package(event: &str) -> &str {
    event.split(';').next().unwrap_or_default().trim()
}

/// The `id` of an Event value.
fn event_id(event: &str) -> Option<&str> {
    parameter(event, "id")
}

/// Seconds at the beginning of Retry-After; a comment or parameter may follow.
fn retry_after(message: &Message) -> Option<u32> {
    let value = message.header("Retry-After")?;
    let digits = value.split(|c: char| !c.is_ascii_digit()).next()?;
    digits.parse().ok()
}
