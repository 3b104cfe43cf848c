//! What users asked for at their handsets, and how far each change has come on its way to the server.
//!
//! A SUBSCRIBE with a body carries the first change that fits it. One that only says what the server has just told
//! carries none, and one sent again after a failure carries the change of the one that failed.

use crate::body::{Asked, Reading, Told};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::outgoing::activation;
use crate::monitor::scene::time::TIMER_F;
use crate::monitor::scene::unasked::ECHO;
use crate::record::{Intent, Service};

/// A change that a user completed at a handset.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) handset: String,
    pub(crate) account: usize,
    pub(crate) intent: Intent,
    /// Whether the account synchronises, as far as that is known.
    pub(crate) synced: Option<bool>,
    /// Whether the base could send it at once: a live subscription with nothing outstanding.
    pub(crate) sendable: bool,
    /// Whether it asks for what was already shown.
    pub(crate) idle: bool,
    /// The SUBSCRIBEs that carry it; repeats with credentials are not counted.
    pub(crate) sent: Vec<Place>,
    /// A later change for the same service went out in its place.
    pub(crate) superseded: bool,
    /// A final response to the SUBSCRIBE that carries it has come.
    pub(crate) finals: Option<u16>,
    /// The service was notified since it was sent.
    pub(crate) notified: bool,
    /// It is answered: the display must show the server's state.
    pub(crate) closed: bool,
    /// The NOTIFY that answered it said something else.
    pub(crate) contradicted: bool,
}

impl Change {
    /// Whether the server tells something else than it asks for.
    pub(crate) fn contradicts(&self, told: &Told) -> bool {
        let other_number = self.intent.number.is_some()
            && told.shown_number().is_some()
            && told.shown_number() != self.intent.number.as_deref();
        told.active != Some(self.intent.active) || other_number
    }

    /// Whether it still waits to be sent.
    pub(crate) fn is_unsent(&self) -> bool {
        self.sent.is_empty() && !self.superseded && !self.closed
    }
}

impl Scene {
    /// The user's change that a SUBSCRIBE carries: the one it fits best, the oldest one else.
    pub(crate) fn carry(
        &mut self,
        account: usize,
        request: Place,
        reading: &Reading,
    ) -> Option<Place> {
        let asked = reading.asked().next();
        let service = asked.and_then(|asked| asked.service);
        let open: Vec<Place> = self
            .changes
            .of(Some(account))
            .filter(|(_, change)| change.is_unsent())
            .map(|(place, _)| place)
            .collect();
        let fits = |place: &Place| {
            let change = self.changes.get(*place)?;
            (Some(change.intent.service) == service).then_some(change)
        };
        let chosen = open
            .iter()
            .rev()
            .find(|place| {
                fits(place)
                    .is_some_and(|change| asked.and_then(activation) == Some(change.intent.active))
            })
            .or_else(|| {
                let asked_for = open.first().and_then(|place| self.changes.get(*place));
                let asked_for = asked_for.map_or(0, |change| change.at);
                let echoes = asked.is_some_and(|asked| self.echoes(account, asked, asked_for));
                let near = open.iter().rev().find(|place| fits(place).is_some());
                near.or_else(|| open.first()).filter(|_| !echoes)
            })
            .copied()
            .or_else(|| self.retried(account, service))?;
        let service = self.changes.get(chosen).map(|change| change.intent.service);
        for place in open {
            if let Some(change) = self.changes.get_mut(place)
                && place < chosen
                && Some(change.intent.service) == service
            {
                change.superseded = true;
                change.closed = true;
            }
        }
        let change = self.changes.get_mut(chosen)?;
        change.sent.push(request);
        change.finals = None;
        Some(chosen)
    }

    /// Whether a change says what the server has told since then.
    fn echoes(&self, account: usize, asked: &Asked, since: u64) -> bool {
        let Some(service) = asked.service else {
            return false;
        };
        self.told_since(account, since.max(self.now.saturating_sub(ECHO)))
            .any(|(_, notice)| {
                let told = notice.reading.told_of(service);
                told.is_some_and(|told| told.active.is_some() && told.active == activation(asked))
            })
    }

    /// A change whose request failed in a way that lets the base send it once more.
    fn retried(&self, account: usize, service: Option<Service>) -> Option<Place> {
        let mut changes = self.changes.of(Some(account)).rev();
        let (place, change) = changes.find(|(_, change)| {
            Some(change.intent.service) == service && !change.sent.is_empty()
        })?;
        let last = self.requests.get(*change.sent.last()?)?;
        let ended = self
            .subscriptions
            .get(last.subscription()?)
            .is_some_and(|subscription| subscription.is_ended());
        let failed = match change.finals {
            Some(408 | 423 | 481 | 500..=599) => true,
            Some(_) => false,
            None => ended || self.now >= last.at + TIMER_F,
        };
        (change.sent.len() < 2 && failed).then_some(place)
    }
}
