//! A subscription of the base for feature key synchronisation, as far as its own interface shows it.
//!
//! | state | `ask` | `ask` with Expires 0 | `grant` (2xx) | `end` (refused, closing NOTIFY, replaced, reboot) |
//! |---|---|---|---|---|
//! | Asked | stays | Leaving | Granted | Ended |
//! | Granted | stays | Leaving | Granted anew | Ended |
//! | Leaving | stays | stays | stays, keeps the grant | Ended |
//! | Ended | stays | stays, has left | stays, keeps the grant | stays, keeps the refusal |
//!
//! A lifetime that runs out is no change of state: nothing at the interface shows it, so that
//! [`is_live`](Subscription::is_live) asks for the time. Beside the state stand the SUBSCRIBE that is under way and what
//! NOTIFYs have shown, because a NOTIFY may come before the 2xx (RFC 6665 §4.1.2.4). `trouble` means that something
//! happened after which a base may rightly refresh early or begin anew.

use crate::monitor::scene::time::{SECOND, SLACK, TIMER_F};
use crate::monitor::scene::traffic::Purpose;
use sip::message::Message;

/// Lifetimes below this leave no window between half of them and the two seconds of REF-01; our choice, three times that.
pub(crate) const SHORTEST: u64 = 6 * SECOND;

/// One subscription, named by Call-ID and the base's tag.
#[derive(Clone, Debug)]
pub(crate) struct Subscription {
    pub(crate) account: usize,
    pub(crate) call_id: String,
    pub(crate) boot: u32,
    pub(crate) remote_tag: Option<String>,
    pub(crate) state: State,
    /// A NOTIFY was accepted.
    pub(crate) confirmed: bool,
    pub(crate) last_cseq: u32,
    /// When its last SUBSCRIBE was sent, while it has no final response.
    pub(crate) asking: Option<u64>,
    pub(crate) trouble: bool,
    /// What the next NOTIFY answers.
    pub(crate) awaits: Option<Purpose>,
    pub(crate) accepted_cseq: Option<u32>,
    pub(crate) seen_cseq: Option<u32>,
}

/// How far a subscription has come.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// A SUBSCRIBE was sent, and no 2xx has come.
    Asked,
    Granted(Grant),
    /// A SUBSCRIBE with Expires 0 was sent, then.
    Leaving {
        since: u64,
        grant: Option<Grant>,
    },
    Ended {
        grant: Option<Grant>,
        /// When the base had sent a SUBSCRIBE with Expires 0.
        left: Option<u64>,
        /// The final response that refused it.
        refused: Option<u16>,
    },
}

/// What a 2xx granted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    pub(crate) at: u64,
    pub(crate) seq: u64,
    pub(crate) status: u16,
    /// How long, in microseconds; nothing when the 2xx does not say.
    pub(crate) lifetime: Option<u64>,
    /// What the base asked for, in seconds.
    pub(crate) requested: Option<u32>,
    /// When a 2xx to a SUBSCRIBE without body last arrived; never later than `at`.
    pub(crate) plain: u64,
    /// The lifetime that the last accepted NOTIFY told, in microseconds.
    pub(crate) told_lifetime: Option<u64>,
    /// The end of its lifetime as a NOTIFY shortened it, and the record of that.
    pub(crate) shortened: Option<(u64, u64)>,
}

impl Grant {
    /// Whether half of its lifetime has not passed, so that a refresh comes too early; nothing when it states none.
    pub(crate) fn is_young(&self, now: u64) -> Option<bool> {
        let granted = self.lifetime?;
        let half = self.told_lifetime.map_or(granted, |told| told.min(granted)) / 2;
        Some(self.shortened.is_none() && granted >= SHORTEST && now + SLACK < self.plain + half)
    }
}

impl Subscription {
    /// A subscription before its first SUBSCRIBE.
    pub(crate) const fn new(account: usize, call_id: String, boot: u32) -> Self {
        Self {
            account,
            call_id,
            boot,
            remote_tag: None,
            state: State::Asked,
            confirmed: false,
            last_cseq: 0,
            asking: None,
            trouble: false,
            awaits: None,
            accepted_cseq: None,
            seen_cseq: None,
        }
    }

    /// The base sent a SUBSCRIBE.
    pub(crate) fn ask(&mut self, now: u64, cseq: u32, purpose: Purpose) {
        self.last_cseq = cseq;
        self.asking = Some(now);
        self.awaits = Some(purpose);
        if purpose != Purpose::Unsubscribe {
            return;
        }
        match &mut self.state {
            State::Asked | State::Granted(_) => {
                let grant = self.grant();
                self.state = State::Leaving { since: now, grant };
            }
            State::Leaving { .. } => {}
            State::Ended { left, .. } => {
                left.get_or_insert(now);
            }
        }
    }

    /// A 2xx granted what the base had asked for.
    pub(crate) fn grant_anew(&mut self, new: Grant) {
        self.trouble = false;
        match &mut self.state {
            State::Asked | State::Granted(_) => self.state = State::Granted(new),
            State::Leaving { grant, .. } | State::Ended { grant, .. } => *grant = Some(new),
        }
    }

    /// It is over: refused with this status, closed by a NOTIFY, replaced, or forgotten with the base's power.
    pub(crate) fn end(&mut self, status: Option<u16>) {
        if let State::Ended { refused, .. } = &mut self.state {
            *refused = status.or(*refused);
            return;
        }
        self.state = State::Ended {
            grant: self.grant(),
            left: self.left(),
            refused: status,
        };
    }

    /// What was granted last, whatever became of it.
    pub(crate) const fn grant(&self) -> Option<Grant> {
        match self.state {
            State::Asked => None,
            State::Granted(grant) => Some(grant),
            State::Leaving { grant, .. } | State::Ended { grant, .. } => grant,
        }
    }

    pub(crate) const fn grant_mut(&mut self) -> Option<&mut Grant> {
        match &mut self.state {
            State::Asked => None,
            State::Granted(grant) => Some(grant),
            State::Leaving { grant, .. } | State::Ended { grant, .. } => grant.as_mut(),
        }
    }

    /// When the base sent a SUBSCRIBE with Expires 0.
    pub(crate) const fn left(&self) -> Option<u64> {
        match self.state {
            State::Asked | State::Granted(_) => None,
            State::Leaving { since, .. } => Some(since),
            State::Ended { left, .. } => left,
        }
    }

    /// The final response that refused it.
    pub(crate) const fn refused(&self) -> Option<u16> {
        match self.state {
            State::Ended { refused, .. } => refused,
            _ => None,
        }
    }

    pub(crate) const fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended { .. })
    }

    /// Whether nothing has ended it, and the base has not left it.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.state, State::Asked | State::Granted(_))
    }

    /// When its lifetime runs out, as far as that is known.
    pub(crate) fn expiry(&self) -> Option<u64> {
        let grant = self.grant()?;
        let granted = grant.at.saturating_add(grant.lifetime?);
        Some(grant.shortened.map_or(granted, |(at, _)| at.min(granted)))
    }

    /// Whether it was granted and nothing has ended it.
    pub(crate) fn is_live(&self, now: u64) -> bool {
        matches!(self.state, State::Granted(_)) && self.expiry().is_none_or(|expiry| now < expiry)
    }

    /// Whether the base must know it: it is asked for or live, and no SUBSCRIBE of it stays without answer.
    pub(crate) fn is_sure(&self, now: u64) -> bool {
        self.is_open()
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

    /// Whether numbers are skipped between the last accepted NOTIFY and this one.
    pub(crate) fn leaves_gap(&self, notify: &Message) -> bool {
        match (self.accepted_cseq, notify.cseq()) {
            (Some(accepted), Some((cseq, _))) => cseq > accepted.saturating_add(1),
            _ => false,
        }
    }

    /// Whether the next NOTIFY is the first after a 202.
    pub(crate) fn awaits_after_202(&self) -> bool {
        self.awaits.is_some() && self.grant().is_some_and(|grant| grant.status == 202)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Subscription {
        let mut subscription = Subscription::new(0, "c".to_owned(), 0);
        subscription.ask(1, 1, Purpose::Initial);
        subscription
    }

    fn grant(at: u64) -> Grant {
        Grant {
            at,
            seq: at,
            status: 200,
            lifetime: Some(100),
            requested: None,
            plain: at,
            told_lifetime: None,
            shortened: None,
        }
    }

    fn granted() -> Subscription {
        let mut subscription = asked();
        subscription.grant_anew(grant(2));
        subscription
    }

    fn leaving() -> Subscription {
        let mut subscription = granted();
        subscription.ask(3, 2, Purpose::Unsubscribe);
        subscription
    }

    fn ended() -> Subscription {
        let mut subscription = granted();
        subscription.end(None);
        subscription
    }

    #[test]
    fn asked_stays_leaves_is_granted_or_ends() {
        let mut again = asked();
        again.ask(2, 2, Purpose::Initial);
        assert!(matches!(again.state, State::Asked) && again.is_open() && !again.is_live(2));
        let mut left = asked();
        left.ask(2, 2, Purpose::Unsubscribe);
        assert!(matches!(
            left.state,
            State::Leaving {
                since: 2,
                grant: None
            }
        ));
        assert!(matches!(
            granted().state,
            State::Granted(Grant { at: 2, .. })
        ));
        let mut refused = asked();
        refused.end(Some(489));
        assert_eq!((refused.refused(), refused.is_ended()), (Some(489), true));
    }

    #[test]
    fn granted_stays_is_granted_anew_leaves_or_ends() {
        let mut refreshed = granted();
        refreshed.ask(50, 2, Purpose::Refresh);
        assert!(refreshed.is_live(101) && !refreshed.is_live(102));
        refreshed.grant_anew(grant(60));
        assert!(refreshed.is_live(159) && !refreshed.is_live(160));
        assert!(matches!(
            leaving().state,
            State::Leaving {
                since: 3,
                grant: Some(_)
            }
        ));
        assert!(ended().is_ended() && ended().grant().is_some() && !ended().is_live(3));
    }

    #[test]
    fn leaving_stays_keeps_a_grant_and_ends() {
        let mut again = leaving();
        again.ask(9, 3, Purpose::Unsubscribe);
        again.ask(9, 4, Purpose::Refresh);
        again.grant_anew(grant(9));
        assert_eq!(again.left(), Some(3));
        assert_eq!(again.grant().map(|grant| grant.at), Some(9));
        assert!(!again.is_live(9) && !again.is_open());
        again.end(None);
        assert_eq!((again.is_ended(), again.left()), (true, Some(3)));
    }

    #[test]
    fn ended_stays_whatever_comes() {
        let mut after = ended();
        after.ask(9, 2, Purpose::Refresh);
        after.grant_anew(grant(9));
        assert!(after.is_ended() && !after.is_live(9));
        assert_eq!(after.grant().map(|grant| grant.at), Some(9));
        after.ask(10, 3, Purpose::Unsubscribe);
        after.ask(11, 4, Purpose::Unsubscribe);
        assert_eq!(after.left(), Some(10));
        after.end(Some(481));
        after.end(None);
        assert_eq!(after.refused(), Some(481));
    }

    #[test]
    fn a_notify_may_shorten_the_life() {
        let mut shortened = granted();
        if let Some(grant) = shortened.grant_mut() {
            grant.shortened = Some((50, 7));
        }
        assert!(shortened.is_live(49) && !shortened.is_live(50));
        shortened.grant_anew(grant(60));
        assert!(shortened.is_live(159));
    }
}
