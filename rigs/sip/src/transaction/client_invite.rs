//! The INVITE client transaction (RFC 3261 §17.1.1, RFC 6026 §7.2).
//!
//! | state      | 1xx                   | 2xx                  | 300-699                       | Timer A      | Timer B, D, M   |
//! |------------|-----------------------|----------------------|-------------------------------|--------------|-----------------|
//! | Calling    | deliver -> Proceeding | deliver -> Accepted  | ACK, deliver -> Completed     | send, double | B: fail -> Terminated |
//! | Proceeding | deliver               | deliver -> Accepted  | ACK, deliver -> Completed     |              | B, only once cancelled |
//! | Accepted   | absorb                | deliver              | absorb                        |              | M: -> Terminated |
//! | Completed  | absorb                | absorb               | ACK again                     |              | D: -> Terminated |
//!
//! Over a reliable transport there is no Timer A and Timer D is zero. The ACK to a 2xx belongs to the owner (§13.2.2.4).

use super::{Action, Failure, earliest};
use crate::message::{Builder, Message, Method};
use crate::node::TransmitReason;
use crate::time::Instant;
use crate::timer::{Resend, Timers};
use bytes::Bytes;

/// Where the machine is, with its deadlines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientInviteState {
    /// No response yet.
    Calling {
        /// Timer A.
        resend: Option<Resend>,
        /// Timer B.
        give_up_at: Instant,
    },
    /// A provisional response has come.
    Proceeding {
        /// 64*T1 after the CANCEL (RFC 3261 §9.1).
        give_up_at: Option<Instant>,
    },
    /// A 2xx has come; copies and forks of it are still delivered.
    Accepted {
        /// Timer M.
        linger_until: Instant,
    },
    /// Another final response has come and was acknowledged.
    Completed {
        /// The ACK, for every copy of the response.
        ack: Bytes,
        /// Timer D.
        linger_until: Instant,
    },
    /// Nothing is left to do.
    Terminated,
}

/// An INVITE, the wait for its answer, and the ACK to a refusal.
#[derive(Clone, Debug)]
pub struct ClientInvite {
    request: Message,
    reliable: bool,
    cancel: Cancel,
    state: ClientInviteState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cancel {
    No,
    AtProvisional,
    Sent,
}

impl ClientInvite {
    /// Sends the INVITE.
    pub fn new(
        now: Instant,
        timers: &Timers,
        request: Message,
        reliable: bool,
        out: &mut Vec<Action>,
    ) -> Self {
        let bytes = request.wire().clone();
        out.push(Action::Transmit(bytes, TransmitReason::First));
        Self {
            request,
            reliable,
            cancel: Cancel::No,
            state: ClientInviteState::Calling {
                resend: timers.request_resend(now, reliable),
                give_up_at: now + timers.give_up(),
            },
        }
    }

    /// Where the machine is.
    #[must_use]
    pub const fn state(&self) -> &ClientInviteState {
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
        use ClientInviteState as S;
        let code = response.status().unwrap_or_default();
        match &self.state {
            S::Calling { .. } | S::Proceeding { .. } => match code {
                ..200 => {
                    out.push(Action::Deliver(response));
                    if matches!(self.state, S::Calling { .. }) {
                        self.state = S::Proceeding { give_up_at: None };
                    }
                }
                200..300 => {
                    out.push(Action::Deliver(response));
                    self.state = S::Accepted {
                        linger_until: now + timers.give_up(),
                    };
                }
                300.. => self.on_refusal(now, timers, response, out),
            },
            S::Accepted { .. } if (200..300).contains(&code) => out.push(Action::Deliver(response)),
            S::Completed { ack, .. } if code >= 300 => {
                out.push(Action::Transmit(ack.clone(), TransmitReason::Replay));
            }
            S::Accepted { .. } | S::Completed { .. } | S::Terminated => {}
        }
    }

    fn on_refusal(
        &mut self,
        now: Instant,
        timers: &Timers,
        response: Message,
        out: &mut Vec<Action>,
    ) {
        let ack = self.ack_to(&response);
        out.push(Action::Transmit(ack.clone(), TransmitReason::First));
        out.push(Action::Deliver(response));
        self.state = if self.reliable {
            ClientInviteState::Terminated
        } else {
            ClientInviteState::Completed {
                ack,
                linger_until: now + timers.d,
            }
        };
    }

    /// Fires what is due.
    pub fn handle_timeout(&mut self, now: Instant, timers: &Timers, out: &mut Vec<Action>) {
        use ClientInviteState as S;
        match &mut self.state {
            S::Calling { give_up_at, .. }
            | S::Proceeding {
                give_up_at: Some(give_up_at),
            } if now >= *give_up_at => {
                out.push(Action::Fail(Failure::Timeout('B')));
                self.state = S::Terminated;
            }
            S::Calling {
                resend: Some(resend),
                ..
            } if resend.is_due(now) => {
                *resend =
                    resend.after(now, timers.grown(resend.interval, std::time::Duration::MAX));
                let reason = TransmitReason::Retransmission('A');
                out.push(Action::Transmit(self.request.wire().clone(), reason));
            }
            S::Accepted { linger_until } | S::Completed { linger_until, .. }
                if now >= *linger_until =>
            {
                self.state = S::Terminated;
            }
            S::Calling { .. }
            | S::Proceeding { .. }
            | S::Accepted { .. }
            | S::Completed { .. }
            | S::Terminated => {}
        }
    }

    /// The flow is gone.
    pub fn handle_flow_closed(&mut self, out: &mut Vec<Action>) {
        use ClientInviteState as S;
        if matches!(self.state, S::Calling { .. } | S::Proceeding { .. }) {
            out.push(Action::Fail(Failure::Transport));
        }
        self.state = S::Terminated;
    }

    /// Asks for the CANCEL; [`take_cancel`](Self::take_cancel) gives it as soon as it may be sent.
    pub fn cancel(&mut self) {
        if self.cancel == Cancel::No {
            self.cancel = Cancel::AtProvisional;
        }
    }

    /// The CANCEL, once, when it was asked for and a provisional response has come (RFC 3261 §9.1).
    pub fn take_cancel(&mut self, now: Instant, timers: &Timers) -> Option<Message> {
        let ClientInviteState::Proceeding { give_up_at } = &mut self.state else {
            return None;
        };
        if self.cancel != Cancel::AtProvisional {
            return None;
        }
        self.cancel = Cancel::Sent;
        *give_up_at = Some(now + timers.give_up());
        self.companion(&Method::Cancel, self.request.header("To"))
            .build()
            .ok()
    }

    /// When `handle_timeout` has something to do.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        use ClientInviteState as S;
        match &self.state {
            S::Calling { resend, give_up_at } => {
                earliest([resend.map(|resend| resend.at), Some(*give_up_at)])
            }
            S::Proceeding { give_up_at } => *give_up_at,
            S::Accepted { linger_until } | S::Completed { linger_until, .. } => Some(*linger_until),
            S::Terminated => None,
        }
    }

    /// RFC 3261 §17.1.1.3: everything from the INVITE, only To from the response.
    fn ack_to(&self, response: &Message) -> Bytes {
        self.companion(&Method::Ack, response.header("To"))
            .to_bytes()
    }

    /// A request that travels with this INVITE: same Request-URI, topmost Via, From, Call-ID, CSeq number and route.
    fn companion(&self, method: &Method, to: Option<&str>) -> Builder {
        let request = &self.request;
        let mut builder = Builder::request(method, request.request_uri().unwrap_or_default());
        if let Some(via) = request.values("Via").first() {
            builder = builder.header("Via", via);
        }
        builder = builder.header("Max-Forwards", "70");
        for route in request.headers("Route") {
            builder = builder.header("Route", route);
        }
        let number = request.cseq().map_or(0, |(number, _)| number);
        builder
            .header("From", request.header("From").unwrap_or_default())
            .header("To", to.unwrap_or_default())
            .header("Call-ID", request.call_id())
            .header("CSeq", &format!("{number} {method}"))
    }
}
