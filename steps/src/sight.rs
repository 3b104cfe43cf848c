//! Reading the evidence for a step: whose message is this, what does it ask for, what does a display say.
//!
//! Bodies are read by the evidence crate's own reader, not by the codec that base and server use. What the base has at the
//! server is read from its own interface too: [`registration`] and [`subscription`].

pub mod registration;
#[cfg(test)]
mod script;
pub mod subscription;

use crate::vocabulary::Setting;
use bench::profile::Display;
use evidence::body::Reading;
use evidence::message::{Message, Method};
use evidence::record::{Direction, Fate, Intent, Observation, Record, Screen, Service, Unit, View};
use sip::service::AS_FEATURE_EVENT;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

/// The response of a record, when it is one with this direction and fate.
#[must_use]
pub fn response(record: &Record, direction: Direction, fate: Fate) -> Option<Arc<Message>> {
    starting_with("SIP/2.0 ", record, direction, fate)
}

/// A request that the base sent, when the record is one.
#[must_use]
pub fn request_from_base(record: &Record, method: &Method) -> Option<Arc<Message>> {
    starting_with(method.as_str(), record, Direction::FromBase, Fate::Sent)
        .filter(|message| message.method() == Some(method))
}

/// A NOTIFY that reached the base, when the record is one.
#[must_use]
pub fn delivered_notify(record: &Record) -> Option<Arc<Message>> {
    starting_with("NOTIFY ", record, Direction::ToBase, Fate::Delivered)
}

/// A SUBSCRIBE to the services of this user that the base sent, when the record is one.
#[must_use]
pub fn subscribe_for(record: &Record, user: &str) -> Option<Arc<Message>> {
    subscribe(record).filter(|request| is_from(request, user))
}

/// The same, whoever the user is.
#[must_use]
pub fn subscribe(record: &Record) -> Option<Arc<Message>> {
    request_from_base(record, &Method::Subscribe).filter(|request| is_about_services(request))
}

/// A NOTIFY of the services of this user that reached the base, when the record is one.
#[must_use]
pub fn notify_for(record: &Record, user: &str) -> Option<Arc<Message>> {
    delivered_notify(record).filter(|notify| is_about_services(notify) && is_to(notify, user))
}

/// The branches of the NOTIFYs that have left for the base in these records: those on which only copies can still come.
#[must_use]
pub fn notified_on(records: &[Arc<Record>]) -> BTreeSet<String> {
    records
        .iter()
        .filter_map(|record| starting_with("NOTIFY ", record, Direction::ToBase, Fate::Sent))
        .filter_map(|notify| notify.branch().map(str::to_owned))
        .collect()
}

/// Whether a request is of the event package of the services that the features are about: an account may hold
/// subscriptions to others.
#[must_use]
pub fn is_about_services(request: &Message) -> bool {
    let event = request.header("Event").unwrap_or_default();
    event.split(';').next().unwrap_or_default().trim() == AS_FEATURE_EVENT
}

/// The message of a record. Steps look at every record, so what cannot be meant is not even asked for.
fn starting_with(
    start: &str,
    record: &Record,
    direction: Direction,
    fate: Fate,
) -> Option<Arc<Message>> {
    let Observation::Sip(sip) = &record.observation else {
        return None;
    };
    let wanted = sip.direction == direction && sip.fate == fate;
    if !wanted || !sip.bytes.starts_with(start.as_bytes()) {
        return None;
    }
    sip.message()
}

/// The user part of a URI.
fn user_part(uri: &str) -> Option<&str> {
    uri.split_once(':')?.1.split('@').next()
}

/// Whether the user part of a URI is this user.
fn has_user(uri: Option<&str>, user: &str) -> bool {
    uri.and_then(user_part) == Some(user)
}

/// Whether two units may be the same one: a laboratory that cannot tell who it was names none.
fn is_same(one: Option<&Unit>, other: Option<&Unit>) -> bool {
    one.zip(other).is_none_or(|(one, other)| one == other)
}

/// Whether a request comes from this user's account.
#[must_use]
pub fn is_from(request: &Message, user: &str) -> bool {
    has_user(request.from_uri(), user)
}

/// Whether a request goes to this user's account.
#[must_use]
pub fn is_to(request: &Message, user: &str) -> bool {
    has_user(request.to_uri(), user)
}

/// What a SUBSCRIBE with a body asks the server for.
#[must_use]
pub fn asked(subscribe: &Message) -> Option<Intent> {
    let reading = Reading::of(subscribe.header("Content-Type"), subscribe.body());
    let asked = reading.asked().next()?;
    let text = |name: &str| {
        asked
            .document
            .child(name)
            .map(|child| child.text.trim().to_owned())
    };
    let switch = match asked.service? {
        Service::DoNotDisturb => "doNotDisturbOn",
        _ => "activateForward",
    };
    Some(Intent {
        service: asked.service?,
        active: text(switch)?.parse().ok()?,
        number: text("forwardDN").filter(|number| !number.is_empty()),
        rings: text("ringCount").and_then(|rings| rings.parse().ok()),
        agent: None,
    })
}

/// Whether an idle screen agrees with a setting. Off means that nothing is shown.
#[must_use]
pub fn idle_agrees(display: &Display, screen: &Screen, wanted: &Setting) -> bool {
    if screen.view != View::Idle {
        return false;
    }
    match display.idle_mark(screen, wanted.0.service) {
        None => !wanted.0.active,
        Some(mark) => {
            wanted.0.active && (wanted.0.number.is_none() || mark.number == wanted.0.number)
        }
    }
}

/// Whether an editor agrees with a setting.
#[must_use]
pub fn editor_agrees(shown: &bench::screen::Setting, wanted: &Setting) -> bool {
    let Intent {
        service,
        active,
        number,
        rings,
        ..
    } = &wanted.0;
    shown.active == Some(*active)
        && (number.is_none() || shown.number == *number)
        && (rings.is_none() || !service.counts_rings() || shown.rings == *rings)
}

/// A display in words.
#[must_use]
pub fn words(screen: &Screen) -> String {
    bench::screen::InWords(screen).to_string()
}

/// An editor's setting in words.
pub struct EditorWords<'a>(pub &'a bench::screen::Setting);

impl fmt::Display for EditorWords<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bench::screen::Setting {
            active,
            number,
            rings,
            ..
        } = self.0;
        match active {
            Some(true) => f.write_str("on")?,
            Some(false) => f.write_str("off")?,
            None => f.write_str("neither on nor off")?,
        }
        if let Some(number) = number {
            write!(f, " to \"{number}\"")?;
        }
        if let Some(rings) = rings {
            write!(f, " after {rings} rings")?;
        }
        Ok(())
    }
}
