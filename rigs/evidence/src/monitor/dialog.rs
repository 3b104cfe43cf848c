//! A subscription of the base for feature key synchronisation, as far as its own interface shows it.
//!
//! | state | told by |
//! |---|---|
//! | asked | a SUBSCRIBE was sent, nothing has come back |
//! | granted | a 2xx reached the base |
//! | confirmed | a NOTIFY was accepted |
//! | unsubscribed | a SUBSCRIBE with Expires 0 was sent |
//! | ended | terminated, refused, replaced, or its life has run out |
//!
//! `trouble` means that something happened after which a base may rightly refresh early or begin anew.

use super::rule::{SECOND, TIMER_F};
use super::traffic::Purpose;
use sip::message::Message;

/// One subscription, named by Call-ID and the base's tag.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) line: usize,
    pub(super) call_id: String,
    pub(super) boot: u32,
    pub(super) remote_tag: Option<String>,
    pub(super) confirmed: bool,
    pub(super) last_cseq: u32,
    /// When its last SUBSCRIBE was sent, while it has no final response.
    pub(super) asking: Option<u64>,
    pub(super) grant: Option<Grant>,
    /// When a 2xx to a SUBSCRIBE without body last arrived.
    pub(super) plain_grant: u64,
    /// The life that the last accepted NOTIFY told, in microseconds.
    pub(super) told_life: Option<u64>,
    /// The end of its life as a NOTIFY shortened it.
    pub(super) shortened: Option<(u64, u64)>,
    pub(super) unsubscribed: Option<u64>,
    /// The closing NOTIFY has come.
    pub(super) closed: bool,
    pub(super) ended: Option<u64>,
    /// The final response that refused it.
    pub(super) refused: Option<u16>,
    pub(super) trouble: bool,
    /// What the next NOTIFY answers.
    pub(super) awaits: Option<Purpose>,
    pub(super) accepted_cseq: Option<u32>,
    pub(super) seen_cseq: Option<u32>,
}

/// What a 2xx granted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grant {
    pub(super) at: u64,
    pub(super) seq: u64,
    pub(super) status: u16,
    /// How long, in microseconds; nothing when the 2xx does not say.
    pub(super) life: Option<u64>,
    /// What the base asked for, in seconds.
    pub(super) requested: Option<u32>,
}

impl Subscription {
    /// When its life runs out, as far as that is known.
    pub(super) fn expiry(&self) -> Option<u64> {
        let grant = self.grant?;
        let granted = grant.at.saturating_add(grant.life?);
        Some(self.shortened.map_or(granted, |(at, _)| at.min(granted)))
    }

    /// Whether it was granted and nothing has ended it.
    pub(super) fn is_live(&self, now: u64) -> bool {
        self.grant.is_some()
            && self.ended.is_none()
            && self.unsubscribed.is_none()
            && self.expiry().is_none_or(|expiry| now < expiry)
    }

    /// Whether the base must know it: it is asked for or live, and no SUBSCRIBE of it stays without answer.
    pub(super) fn is_sure(&self, now: u64) -> bool {
        self.ended.is_none()
            && self.unsubscribed.is_none()
            && self
                .asking
                .is_none_or(|asked| now + SECOND < asked + TIMER_F)
            && self.expiry().is_none_or(|expiry| now < expiry)
    }

    /// Whether all it asked for was granted and notified, and nothing has gone wrong since.
    pub(super) const fn is_settled(&self) -> bool {
        self.asking.is_none() && self.awaits.is_none() && !self.trouble
    }

    /// Whether this NOTIFY comes after all accepted ones (RFC 3261 §12.2.2); nothing when that is open.
    pub(super) fn is_ordered(&self, notify: &Message) -> Option<bool> {
        let (cseq, _) = notify.cseq()?;
        match (self.accepted_cseq, self.seen_cseq) {
            (Some(accepted), _) if cseq < accepted => Some(false),
            (_, Some(seen)) if cseq <= seen => None,
            _ => Some(true),
        }
    }

    /// Whether numbers are left out between the last accepted NOTIFY and this one.
    pub(super) fn leaves_gap(&self, notify: &Message) -> bool {
        match (self.accepted_cseq, notify.cseq()) {
            (Some(accepted), Some((cseq, _))) => cseq > accepted.saturating_add(1),
            _ => false,
        }
    }

    /// Whether the next NOTIFY is the first after a 202.
    pub(super) fn awaits_after_202(&self) -> bool {
        self.awaits.is_some() && self.grant.is_some_and(|grant| grant.status == 202)
    }
}
