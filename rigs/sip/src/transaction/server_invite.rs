//! The INVITE server transaction (RFC 3261 §17.2.1, RFC 6026 §7.1).
//!
//! | state      | INVITE again  | 1xx    | 2xx                | 300-699            | ACK          | Timer                  |
//! |------------|---------------|--------|--------------------|--------------------|--------------|------------------------|
//! | Proceeding | send last 1xx | send   | send -> Accepted   | send -> Completed  |              |                        |
//! | Accepted   | absorb        |        | send               |                    | deliver      | L: -> Terminated       |
//! | Completed  | send again    |        |                    |                    | -> Confirmed | G: send, up to T2; H: fail -> Terminated |
//! | Confirmed  | absorb        |        |                    |                    | absorb       | I: -> Terminated       |
//!
//! Over a reliable transport there is no Timer G and Timer I is zero. The 100 is the owner's business. One duty of the
//! owner is kept here because the response is stored here: a 2xx is sent again, over any transport, until its ACK comes
//! (RFC 3261 §13.3.1.4). That timer has no letter; its copies are marked `2`, and no ACK by Timer L is a failure.

use super::{Action, Failure, earliest};
use crate::message::Message;
use crate::node::TransmitReason;
use crate::time::Instant;
use crate::timer::{Resend, Timers};
use bytes::Bytes;

/// Where the machine is, with its deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerInviteState {
    /// No final response yet.
    Proceeding {
        /// The latest provisional response.
        last: Option<Bytes>,
    },
    /// The owner has accepted.
    Accepted {
        /// The 2xx.
        last: Bytes,
        /// When the 2xx goes out again, until the ACK.
        resend: Option<Resend>,
        /// Whether the ACK has come.
        acknowledged: bool,
        /// Timer L.
        linger_until: Instant,
    },
    /// The owner has refused.
    Completed {
        /// The final response.
        last: Bytes,
        /// Timer G.
        resend: Option<Resend>,
        /// Timer H.
        give_up_at: Instant,
    },
    /// The refusal was acknowledged.
    Confirmed {
        /// Timer I.
        linger_until: Instant,
    },
    /// Nothing is left to do.
    Terminated,
}

/// An INVITE that was received, its answer, and the wait for the ACK.
#[derive(Clone, Debug)]
pub struct ServerInvite {
    reliable: bool,
    state: ServerInviteState,
}

impl ServerInvite {
    /// An INVITE has come. The endpoint shows it to the owner.
    #[must_use]
    pub const fn new(reliable: bool) -> Self {
        Self {
            reliable,
            state: ServerInviteState::Proceeding { last: None },
        }
    }

    /// Where the machine is.
    #[must_use]
    pub const fn state(&self) -> &ServerInviteState {
        &self.state
    }

    /// The INVITE came again.
    pub fn handle_retransmission(&self, out: &mut Vec<Action>) {
        use ServerInviteState as S;
        match &self.state {
            S::Proceeding { last: Some(last) } | S::Completed { last, .. } => {
                out.push(Action::Transmit(last.clone(), TransmitReason::Replay));
            }
            S::Proceeding { last: None }
            | S::Accepted { .. }
            | S::Confirmed { .. }
            | S::Terminated => {}
        }
    }

    /// An ACK has come: with the branch of the INVITE, or, after a 2xx, with its Call-ID and CSeq number.
    pub fn handle_ack(
        &mut self,
        now: Instant,
        timers: &Timers,
        ack: Message,
        out: &mut Vec<Action>,
    ) {
        use ServerInviteState as S;
        match &mut self.state {
            S::Completed { .. } if self.reliable => self.state = S::Terminated,
            S::Completed { .. } => {
                self.state = S::Confirmed {
                    linger_until: now + timers.t4,
                }
            }
            S::Accepted {
                resend,
                acknowledged,
                ..
            } => {
                *resend = None;
                *acknowledged = true;
                out.push(Action::Deliver(ack));
            }
            S::Proceeding { .. } | S::Confirmed { .. } | S::Terminated => {}
        }
    }

    /// The owner answers.
    pub fn respond(
        &mut self,
        now: Instant,
        timers: &Timers,
        response: &Message,
        out: &mut Vec<Action>,
    ) {
        use ServerInviteState as S;
        let code = response.status().unwrap_or_default();
        let last = response.wire().clone();
        let next = match (&self.state, code) {
            (S::Proceeding { .. }, ..200) => S::Proceeding {
                last: Some(last.clone()),
            },
            (S::Proceeding { .. }, 200..300) => S::Accepted {
                last: last.clone(),
                resend: timers.response_resend(now, false),
                acknowledged: false,
                linger_until: now + timers.give_up(),
            },
            (S::Proceeding { .. }, 300..) => S::Completed {
                last: last.clone(),
                resend: timers.response_resend(now, self.reliable),
                give_up_at: now + timers.give_up(),
            },
            (S::Accepted { .. }, 200..300) => self.state.clone(),
            _ => return,
        };
        out.push(Action::Transmit(last, TransmitReason::First));
        self.state = next;
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant, timers: &Timers, out: &mut Vec<Action>) {
        use ServerInviteState as S;
        let again = |last: &Bytes, letter| {
            Action::Transmit(last.clone(), TransmitReason::Retransmission(letter))
        };
        match &mut self.state {
            S::Accepted {
                acknowledged,
                linger_until,
                ..
            } if now >= *linger_until => {
                if !*acknowledged {
                    out.push(Action::Fail(Failure::Timeout('L')));
                }
                self.state = S::Terminated;
            }
            S::Completed { give_up_at, .. } if now >= *give_up_at => {
                out.push(Action::Fail(Failure::Timeout('H')));
                self.state = S::Terminated;
            }
            S::Confirmed { linger_until } if now >= *linger_until => self.state = S::Terminated,
            S::Accepted {
                last,
                resend: Some(resend),
                ..
            } if resend.is_due(now) => {
                *resend = resend.after(now, timers.grown(resend.interval, timers.t2));
                out.push(again(last, '2'));
            }
            S::Completed {
                last,
                resend: Some(resend),
                ..
            } if resend.is_due(now) => {
                *resend = resend.after(now, timers.grown(resend.interval, timers.t2));
                out.push(again(last, 'G'));
            }
            S::Proceeding { .. }
            | S::Accepted { .. }
            | S::Completed { .. }
            | S::Confirmed { .. }
            | S::Terminated => {}
        }
    }

    /// The flow is gone.
    pub fn handle_flow_closed(&mut self, out: &mut Vec<Action>) {
        use ServerInviteState as S;
        if matches!(self.state, S::Proceeding { .. } | S::Completed { .. }) {
            out.push(Action::Fail(Failure::Transport));
        }
        self.state = S::Terminated;
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        use ServerInviteState as S;
        match &self.state {
            S::Accepted {
                resend,
                linger_until,
                ..
            } => earliest([resend.map(|resend| resend.at), Some(*linger_until)]),
            S::Completed {
                resend, give_up_at, ..
            } => earliest([resend.map(|resend| resend.at), Some(*give_up_at)]),
            S::Confirmed { linger_until } => Some(*linger_until),
            S::Proceeding { .. } | S::Terminated => None,
        }
    }
}
