//! What users asked for at their handsets, and how far each wish has come.
//!
//! A wish belongs to the first change that fits it. A change that only says what the server has just told belongs to
//! none, and a change sent again after a failure belongs to the wish of the one that failed.

use crate::body::{Asked, Reading, Told};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::outgoing::activation;
use crate::monitor::scene::time::TIMER_F;
use crate::monitor::scene::unasked::ECHO;
use crate::record::{Intent, Service};

/// A change that a user completed at a handset.
#[derive(Clone, Debug)]
pub(crate) struct Wish {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) handset: String,
    pub(crate) line: usize,
    pub(crate) intent: Intent,
    /// Whether the account synchronises, as far as that is known.
    pub(crate) synced: Option<bool>,
    /// Whether the base could send it at once: a live subscription with nothing outstanding.
    pub(crate) sendable: bool,
    /// Whether it asks for what was already shown.
    pub(crate) idle: bool,
    /// The SUBSCRIBEs that carry it; repeats with credentials are not counted.
    pub(crate) sent: Vec<Place>,
    /// A later wish for the same service went out in its place.
    pub(crate) superseded: bool,
    /// A final response to the SUBSCRIBE that carries it has come.
    pub(crate) finals: Option<u16>,
    /// The service was notified since it was sent.
    pub(crate) notified: bool,
    /// It is answered: the display owes the server's state.
    pub(crate) closed: bool,
    /// The NOTIFY that answered it said something else.
    pub(crate) contradicted: bool,
}

impl Wish {
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
    /// The user's wish that a change carries: the one it fits best, the oldest one else.
    pub(crate) fn carry(
        &mut self,
        line: usize,
        request: Place,
        reading: &Reading,
    ) -> Option<Place> {
        let asked = reading.asked().next();
        let service = asked.and_then(|asked| asked.service);
        let open: Vec<Place> = self
            .wishes
            .of(Some(line))
            .filter(|(_, wish)| wish.is_unsent())
            .map(|(place, _)| place)
            .collect();
        let fits = |place: &Place| {
            let wish = self.wishes.get(*place)?;
            (Some(wish.intent.service) == service).then_some(wish)
        };
        let chosen = open
            .iter()
            .rev()
            .find(|place| {
                fits(place)
                    .is_some_and(|wish| asked.and_then(activation) == Some(wish.intent.active))
            })
            .or_else(|| {
                let wished = open.first().and_then(|place| self.wishes.get(*place));
                let wished = wished.map_or(0, |wish| wish.at);
                let echoes = asked.is_some_and(|asked| self.echoes(line, asked, wished));
                let near = open.iter().rev().find(|place| fits(place).is_some());
                near.or_else(|| open.first()).filter(|_| !echoes)
            })
            .copied()
            .or_else(|| self.retried(line, service))?;
        let service = self.wishes.get(chosen).map(|wish| wish.intent.service);
        for place in open {
            if let Some(wish) = self.wishes.get_mut(place)
                && place < chosen
                && Some(wish.intent.service) == service
            {
                wish.superseded = true;
                wish.closed = true;
            }
        }
        let wish = self.wishes.get_mut(chosen)?;
        wish.sent.push(request);
        wish.finals = None;
        Some(chosen)
    }

    /// Whether a change says what the server has told since then.
    fn echoes(&self, line: usize, asked: &Asked, since: u64) -> bool {
        let Some(service) = asked.service else {
            return false;
        };
        self.told_since(line, since.max(self.now.saturating_sub(ECHO)))
            .any(|(_, notice)| {
                let told = notice.reading.told_of(service);
                told.is_some_and(|told| told.active.is_some() && told.active == activation(asked))
            })
    }

    /// A wish whose request failed in a way that lets the base send it once more.
    fn retried(&self, line: usize, service: Option<Service>) -> Option<Place> {
        let mut wishes = self.wishes.of(Some(line)).rev();
        let (place, wish) = wishes
            .find(|(_, wish)| Some(wish.intent.service) == service && !wish.sent.is_empty())?;
        let last = self.requests.get(*wish.sent.last()?)?;
        let ended = self
            .subscriptions
            .get(last.subscription()?)
            .is_some_and(|subscription| subscription.is_ended());
        let failed = match wish.finals {
            Some(408 | 423 | 481 | 500..=599) => true,
            Some(_) => false,
            None => ended || self.now >= last.at + TIMER_F,
        };
        (wish.sent.len() < 2 && failed).then_some(place)
    }
}
