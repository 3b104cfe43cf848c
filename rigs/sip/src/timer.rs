//! The timers of SIP by letter (RFC 3261 table 4, RFC 6026, RFC 6665), as values.
//!
//! Every length and every habit is a field, so that a firmware defect (no retransmission, a fixed interval, giving up
//! early) is a different value and never different code. Nothing here runs: a state of a machine owns its deadlines and
//! asks this table how far away they are.

use crate::time::Instant;
use std::time::Duration;

/// How the wait before the next copy develops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Growth {
    /// It doubles with every copy, as RFC 3261 asks.
    Doubling,
    /// It stays what it was at first: a defect.
    Fixed,
}

/// Timer lengths and retransmission habits of one node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timers {
    /// T1, the estimate of a round trip.
    pub t1: Duration,
    /// T2, the longest wait between two copies of a non-INVITE request or of a response to INVITE.
    pub t2: Duration,
    /// T4, how long a message may stay in the network: Timers I and K.
    pub t4: Duration,
    /// How many T1 a transaction waits in all: Timers B, F, H, J, L, M and N.
    pub patience: u32,
    /// Timer D over unreliable transports.
    pub d: Duration,
    /// The first value of Timers A, E and G, where it is not T1: a defect.
    pub first_interval: Option<Duration>,
    /// How Timers A, E and G grow.
    pub growth: Growth,
    /// Whether requests are sent again over unreliable transports (Timers A and E).
    pub retransmit_requests: bool,
    /// Whether final responses to INVITE are sent again (Timer G, and 2xx until the ACK).
    pub retransmit_responses: bool,
    /// Whether a request that came before is answered from store instead of being shown to the owner again.
    pub absorb_retransmissions: bool,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            t1: Duration::from_millis(500),
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            patience: 64,
            d: Duration::from_secs(32),
            first_interval: None,
            growth: Growth::Doubling,
            retransmit_requests: true,
            retransmit_responses: true,
            absorb_retransmissions: true,
        }
    }
}

impl Timers {
    /// The common length of Timers B, F, H, J, L, M and N: 64*T1 unless the policy says otherwise.
    #[must_use]
    pub fn give_up(&self) -> Duration {
        self.t1.saturating_mul(self.patience)
    }

    /// Timer A or E, started at `now`; none where requests are not sent again.
    #[must_use]
    pub fn request_resend(&self, now: Instant, reliable: bool) -> Option<Resend> {
        (self.retransmit_requests && !reliable).then(|| self.first_resend(now))
    }

    /// Timer G, started at `now`; none where responses are not sent again.
    #[must_use]
    pub fn response_resend(&self, now: Instant, reliable: bool) -> Option<Resend> {
        (self.retransmit_responses && !reliable).then(|| self.first_resend(now))
    }

    fn first_resend(&self, now: Instant) -> Resend {
        let interval = self.first_interval.unwrap_or(self.t1);
        Resend {
            at: now + interval,
            interval,
        }
    }

    /// The wait that follows a wait of `interval`, not longer than `ceiling`.
    #[must_use]
    pub fn grown(&self, interval: Duration, ceiling: Duration) -> Duration {
        match self.growth {
            Growth::Doubling => interval.saturating_mul(2).min(ceiling),
            Growth::Fixed => interval,
        }
    }
}

/// A running Timer A, E or G.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// When the next copy goes out.
    pub at: Instant,
    /// The wait that ends then.
    pub interval: Duration,
}

impl Resend {
    /// Whether a copy is due.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        now >= self.at
    }

    /// The timer set anew with this wait. A driver that is late sends one copy, not a burst.
    #[must_use]
    pub fn after(self, now: Instant, interval: Duration) -> Self {
        let planned = self.at + interval;
        Self {
            at: if planned > now {
                planned
            } else {
                now + interval
            },
            interval,
        }
    }
}
