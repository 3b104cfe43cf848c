//! What users asked for at their handsets, and how far each wish has come.

use crate::body::Told;
use crate::record::Intent;

/// A change that a user completed at a handset.
#[derive(Debug)]
pub(super) struct Wish {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) handset: String,
    pub(super) line: usize,
    pub(super) intent: Intent,
    /// Whether the account synchronises, as far as that is known.
    pub(super) synced: Option<bool>,
    /// Whether the base could send it at once: a live subscription with nothing outstanding.
    pub(super) sendable: bool,
    /// Whether it asks for what was already shown.
    pub(super) idle: bool,
    /// The SUBSCRIBEs that carry it; repeats with credentials are not counted.
    pub(super) sent: Vec<usize>,
    /// A later wish for the same service went out in its place.
    pub(super) superseded: bool,
    /// A final response to the SUBSCRIBE that carries it has come.
    pub(super) finals: Option<u16>,
    /// The service was notified since it was sent.
    pub(super) notified: bool,
    /// It is answered: the display owes the server's state.
    pub(super) closed: bool,
    /// The NOTIFY that answered it said something else.
    pub(super) contradicted: bool,
}

impl Wish {
    /// Whether the server tells something else than it asks for.
    pub(super) fn contradicts(&self, told: &Told) -> bool {
        let other_number = self.intent.number.is_some()
            && told.shown_number().is_some()
            && told.shown_number() != self.intent.number.as_deref();
        told.active != Some(self.intent.active) || other_number
    }

    /// Whether it still waits to be sent.
    pub(super) fn is_unsent(&self) -> bool {
        self.sent.is_empty() && !self.superseded && !self.closed
    }
}
