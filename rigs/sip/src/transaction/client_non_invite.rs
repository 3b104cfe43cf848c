//! The non-INVITE client transaction (RFC 3261 §17.1.2).
//!
//! | state      | 1xx                    | 200-699                | Timer E                | Timer F          | Timer K    |
//! |------------|------------------------|------------------------|------------------------|------------------|------------|
//! | Trying     | deliver -> Proceeding  | deliver -> Completed   | send, grow up to T2    | fail -> Terminated |          |
//! | Proceeding | deliver                | deliver -> Completed   | send, T2               | fail -> Terminated |          |
//! | Completed  | absorb                 | absorb                 |                        |                  | -> Terminated |
//!
//! Over a reliable transport there is no Timer E and Timer K is zero.

use super::{Action, Failure, earliest};
use crate::message::Message;
use crate::node::TransmitReason;
use crate::time::Instant;
use crate::timer::{Resend, Timers};
use bytes::Bytes;

/// Where the machine is, with its deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientNonInviteState {
    /// No response yet.
    Trying {
        /// Timer E.
        resend: Option<Resend>,
        /// Timer F.
        give_up_at: Instant,
    },
    /// A provisional response has come.
    Proceeding {
        /// Timer E, from now on every T2.
        resend: Option<Resend>,
        /// Timer F.
        give_up_at: Instant,
    },
    /// A final response has come.
    Completed {
        /// Timer K.
        linger_until: Instant,
    },
    /// Nothing is left to do.
    Terminated,
}

/// A request other than INVITE and ACK, and the wait for its answer.
#[derive(Clone, Debug)]
pub struct ClientNonInvite {
    request: Bytes,
    reliable: bool,
    state: ClientNonInviteState,
}

impl ClientNonInvite {
    /// Sends the request.
    pub fn new(
        now: Instant,
        timers: &Timers,
        request: Bytes,
        reliable: bool,
        out: &mut Vec<Action>,
    ) -> Self {
        out.push(Action::Transmit(request.clone(), TransmitReason::First));
        Self {
            request,
            reliable,
            state: ClientNonInviteState::Trying {
                resend: timers.request_resend(now, reliable),
                give_up_at: now + timers.give_up(),
            },
        }
    }

    /// Where the machine is.
    #[must_use]
    pub const fn state(&self) -> &ClientNonInviteState {
        &self.state
    }

    /// Takes a response that belongs to this transaction.
    pub fn handle_response(
        &mut self,
        now: Instant,
        timers: &Timers,
        response: Message,
        out: &mut Vec<Action>,
    ) {
        use ClientNonInviteState as S;
        let provisional = response.status().is_some_and(|code| code < 200);
        match self.state {
            S::Trying { resend, give_up_at } | S::Proceeding { resend, give_up_at }
                if provisional =>
            {
                out.push(Action::Deliver(response));
                self.state = S::Proceeding { resend, give_up_at };
            }
            S::Trying { .. } | S::Proceeding { .. } => {
                out.push(Action::Deliver(response));
                self.state = if self.reliable {
                    S::Terminated
                } else {
                    S::Completed {
                        linger_until: now + timers.t4,
                    }
                };
            }
            S::Completed { .. } | S::Terminated => {}
        }
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant, timers: &Timers, out: &mut Vec<Action>) {
        use ClientNonInviteState as S;
        match &mut self.state {
            S::Trying { give_up_at, .. } | S::Proceeding { give_up_at, .. }
                if now >= *give_up_at =>
            {
                out.push(Action::Fail(Failure::Timeout('F')));
                self.state = S::Terminated;
            }
            S::Trying {
                resend: Some(resend),
                ..
            } if resend.is_due(now) => {
                *resend = resend.after(now, timers.grown(resend.interval, timers.t2));
                self.send_again(out);
            }
            S::Proceeding {
                resend: Some(resend),
                ..
            } if resend.is_due(now) => {
                *resend = resend.after(now, timers.t2);
                self.send_again(out);
            }
            S::Completed { linger_until } if now >= *linger_until => self.state = S::Terminated,
            S::Trying { .. } | S::Proceeding { .. } | S::Completed { .. } | S::Terminated => {}
        }
    }

    /// The flow is gone.
    pub fn handle_flow_closed(&mut self, out: &mut Vec<Action>) {
        use ClientNonInviteState as S;
        if matches!(self.state, S::Trying { .. } | S::Proceeding { .. }) {
            out.push(Action::Fail(Failure::Transport));
        }
        self.state = S::Terminated;
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        use ClientNonInviteState as S;
        match &self.state {
            S::Trying { resend, give_up_at } | S::Proceeding { resend, give_up_at } => {
                earliest([resend.map(|resend| resend.at), Some(*give_up_at)])
            }
            S::Completed { linger_until } => Some(*linger_until),
            S::Terminated => None,
        }
    }

    fn send_again(&self, out: &mut Vec<Action>) {
        let reason = TransmitReason::Retransmission('E');
        out.push(Action::Transmit(self.request.clone(), reason));
    }
}
