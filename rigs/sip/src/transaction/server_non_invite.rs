//! The non-INVITE server transaction (RFC 3261 §17.2.2).
//!
//! | state      | the request again | 1xx from the owner   | 200-699 from the owner | Timer J       |
//! |------------|-------------------|----------------------|------------------------|---------------|
//! | Trying     | absorb            | send -> Proceeding   | send -> Completed      |               |
//! | Proceeding | send it again     | send                 | send -> Completed      |               |
//! | Completed  | send it again     | ignore               | ignore                 | -> Terminated |
//!
//! Over a reliable transport Timer J is zero.

use super::Action;
use crate::message::Message;
use crate::node::TransmitReason;
use crate::time::Instant;
use crate::timer::Timers;
use bytes::Bytes;

/// Where the machine is, with its deadline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerNonInviteState {
    /// The owner has not answered.
    Trying,
    /// The owner has answered provisionally.
    Proceeding {
        /// The latest provisional response.
        last: Bytes,
    },
    /// The owner has answered.
    Completed {
        /// The final response.
        last: Bytes,
        /// Timer J.
        linger_until: Instant,
    },
    /// Nothing is left to do.
    Terminated,
}

/// A request other than INVITE and ACK that was received, and its answer.
#[derive(Clone, Debug)]
pub struct ServerNonInvite {
    reliable: bool,
    state: ServerNonInviteState,
}

impl ServerNonInvite {
    /// A request has come. The endpoint shows it to the owner.
    #[must_use]
    pub const fn new(reliable: bool) -> Self {
        Self {
            reliable,
            state: ServerNonInviteState::Trying,
        }
    }

    /// Where the machine is.
    #[must_use]
    pub const fn state(&self) -> &ServerNonInviteState {
        &self.state
    }

    /// The request came again.
    pub fn handle_retransmission(&self, out: &mut Vec<Action>) {
        use ServerNonInviteState as S;
        match &self.state {
            S::Proceeding { last } | S::Completed { last, .. } => {
                out.push(Action::Transmit(last.clone(), TransmitReason::Replay));
            }
            S::Trying | S::Terminated => {}
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
        use ServerNonInviteState as S;
        if matches!(self.state, S::Completed { .. } | S::Terminated) {
            return;
        }
        let last = response.wire().clone();
        out.push(Action::Transmit(last.clone(), TransmitReason::First));
        self.state = if response.status().is_some_and(|code| code < 200) {
            S::Proceeding { last }
        } else if self.reliable {
            S::Terminated
        } else {
            S::Completed {
                last,
                linger_until: now + timers.give_up(),
            }
        };
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.deadline().is_some_and(|deadline| now >= deadline) {
            self.state = ServerNonInviteState::Terminated;
        }
    }

    /// The flow is gone, and the answer with it.
    pub fn handle_flow_closed(&mut self) {
        self.state = ServerNonInviteState::Terminated;
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        match &self.state {
            ServerNonInviteState::Completed { linger_until, .. } => Some(*linger_until),
            _ => None,
        }
    }
}
