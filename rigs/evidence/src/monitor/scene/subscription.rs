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

use crate::monitor::scene::time::{SECOND, TIMER_F};
use crate::monitor::scene::traffic::Purpose;
use sip::message::Message;

/// One subscription, named by Call-ID and the base's tag.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) line: usize,
    pub(crate) call_id: String,
    pub(crate) boot: u32,
    pub(crate) remote_tag: Option<String>,
    pub(crate) confirmed: bool,
    pub(crate) last_cseq: u32,
    /// When its last SUBSCRIBE was sent, while it has no final response.
    pub(crate) asking: Option<u64>,
    pub(crate) grant: Option<Grant>,
    /// When a 2xx to a SUBSCRIBE without body last arrived.
    pub(crate) plain_grant: u64,
    /// The life that the last accepted NOTIFY told, in microseconds.
    pub(crate) told_life: Option<u64>,
    /// The end of its life as a NOTIFY shortened it.
    pub(crate) shortened: Option<(u64, u64)>,
    pub(crate) unsubscribed: Option<u64>,
    /// The closing NOTIFY has come.
    pub(crate) closed: bool,
    pub(crate) ended: Option<u64>,
    /// The final response that refused it.
    pub(crate) refused: Option<u16>,
    pub(crate) trouble: bool,
    /// What the next NOTIFY answers.
    pub(crate) awaits: Option<Purpose>,
    pub(crate) accepted_cseq: Option<u32>,
    pub(crate) seen_cseq: Option<u32>,
}

/// What a 2xx granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) at: u64,
    pub(crate) seq: u64,
    pub(crate) status: u16,
    /// How long, in microseconds; nothing when the 2xx does not say.
    pub(crate) life: Option<u64>,
    /// What the base asked for, in seconds.
    pub(crate) requested: Option<u32>,
}

impl Subscription {
    /// When its life runs out, as far as that is known.
    pub(crate) fn expiry(&self) -> Option<u64> {
        let grant = self.grant?;
        let granted = grant.at.saturating_add(grant.life?);
        Some(self.shortened.map_or(granted, |(at, _)| at.min(granted)))
    }

    /// Whether it was granted and nothing has ended it.
    pub(crate) fn is_live(&self, now: u64) -> bool {
        self.grant.is_some()
            && self.ended.is_none()
            && self.unsubscribed.is_none()
            && self.expiry().is_none_or(|expiry| now < expiry)
    }

    /// Whether the base must know it: it is asked for or live, and no SUBSCRIBE of it stays without answer.
    pub(crate) fn is_sure(&self, now: u64) -> bool {
        self.ended.is_none()
            && self.unsubscribed.is_none()
            && self
                .asking
                .is_none_or(|asked| now + SECOND < asked + TIMER_F)
            && self.expiry().is_none_or(|expiry| now < expiry)
    }

    /// Whether all it asked for was granted and notified, and nothing has gone wrong since.
    pub(crate) const fn is_settled(&self) -> bool {
        self.asking.is_none() && self.awaits.is_none() && !self.trouble
    }

    /// Whether this NOTIFY comes after all accepted ones (RFC 3261 §12.2.2); nothing when that is open.
    pub(crate) fn is_ordered(&self, notify: &Message) -> Option<bool> {
        let (cseq, _) = notify.cseq()?;
        match (self.accepted_cseq, self.seen_cseq) {
            (Some(accepted), _) if cseq < accepted => Some(false),
            (_, Some(seen)) if cseq <= seen => None,
            _ => Some(true),
        }
    }

    /// Whether numbers are left out between the last accepted NOTIFY and this one.
    pub(crate) fn leaves_gap(&self, notify: &Message) -> bool {
        match (self.accepted_cseq, notify.cseq()) {
            (Some(accepted), Some((cseq, _))) => cseq > accepted.saturating_add(1),
            _ => false,
        }
    }

    /// Whether the next NOTIFY is the first after a 202.
    pub(crate) fn awaits_after_202(&self) -> bool {
        self.awaits.is_some() && self.grant.is_some_and(|grant| grant.status == 202)
    }
}
