//! Why a SUBSCRIBE has a body, when no user asked for anything.
//!
//! A SUBSCRIBE with a body that no user asked for breaks exactly one requirement, the first that explains it: SUB-03
//! for an initial one, CHG-06 for a change the server has contradicted, CHG-01 for a second copy of a change that is not
//! notified yet or was sent just before, CHG-09 within five seconds of a NOTIFY or after keys that change no service,
//! SUB-03 else.

use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::time::{SECOND, TIMER_F};
use crate::monitor::scene::traffic::{Purpose, Request};

/// How soon a change is sent: the limit of CHG-01.
const PROMPT: u64 = 2 * SECOND;
/// How long after a NOTIFY a change counts as its echo: the limit of CHG-09.
pub(crate) const ECHO: u64 = 5 * SECOND;

/// Why a SUBSCRIBE has a body although no user asked for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// It insists on what the server has contradicted.
    Contradicted,
    /// It says the same again.
    Doubled,
    /// It follows a NOTIFY.
    Echo,
    /// It follows a key that asks for no change of a service.
    Misread,
    /// Nothing explains it.
    Plain,
}

/// Why this SUBSCRIBE has a body, when no user asked for anything.
pub(crate) fn unasked(scene: &Scene, place: Place) -> Option<Unasked> {
    let request = scene.request(place)?;
    let subscribe = request.subscribe()?;
    if subscribe.purpose != Purpose::Change
        || request.repeats.is_some()
        || subscribe.change.is_some()
    {
        return None;
    }
    if !subscribe.in_dialog && request.message.to_tag().is_none() {
        return Some(Unasked::Plain);
    }
    if !scene.knows_keys() {
        return None;
    }
    let before = scene.requests.of(request.account).rev();
    let same = before
        .filter(|(other, _)| *other < place)
        .map(|(_, before)| before)
        .find(|before| {
            before.purpose() == Some(Purpose::Change)
                && before.message.body() == request.message.body()
        });

    let account = request.account?;
    let told = |since: u64| {
        scene
            .told_since(account, since)
            .next()
            .map(|(arrival, _)| arrival.at)
    };
    if let Some(same) = same {
        if is_contradicted(scene, account, same) {
            return Some(Unasked::Contradicted);
        }
        let untold = told(same.at).is_none() && request.at < same.at + TIMER_F;
        let asked_for = same
            .subscribe()
            .is_some_and(|subscribe| subscribe.change.is_some());
        if untold || (asked_for && request.at <= same.at + ECHO) {
            return Some(Unasked::Doubled);
        }
    }
    let echo = told(request.at.saturating_sub(ECHO));
    let handsets = scene
        .account(account)
        .map_or(&[][..], |account| &account.handsets);
    let pressed = handsets
        .iter()
        .filter_map(|handset| scene.pressed.get(handset))
        .max();
    let worked = pressed.is_some_and(|pressed| {
        request.at <= pressed + PROMPT && echo.is_none_or(|echo| echo < *pressed)
    });
    Some(if worked {
        Unasked::Misread
    } else if echo.is_some() {
        Unasked::Echo
    } else {
        Unasked::Plain
    })
}

/// Whether the server has told something else since this SUBSCRIBE carried a change to it.
fn is_contradicted(scene: &Scene, account: usize, change: &Request) -> bool {
    let change = change
        .subscribe()
        .and_then(|subscribe| scene.changes.get(subscribe.change?));
    change.is_some_and(|change| {
        change.contradicted
            || scene.told_since(account, change.at).any(|(_, notice)| {
                let told = notice.reading.told_of(change.intent.service);
                told.is_some_and(|told| change.contradicts(told))
            })
    })
}
