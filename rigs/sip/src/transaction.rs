//! The four transaction machines of RFC 3261 §17, with the accepted states of RFC 6026.
//!
//! Each machine takes messages, verbs and time, and appends [`Action`]s to a list that its driver, the
//! [`Endpoint`](crate::endpoint::Endpoint), carries out in order. A machine is one enum whose states own their
//! deadlines, and its file shows the table. Matching messages to machines is the endpoint's business.

mod client_invite;
mod client_non_invite;
mod server_invite;
mod server_non_invite;

pub use client_invite::{ClientInvite, ClientInviteState};
pub use client_non_invite::{ClientNonInvite, ClientNonInviteState};
pub use server_invite::{ServerInvite, ServerInviteState};
pub use server_non_invite::{ServerNonInvite, ServerNonInviteState};

use crate::message::Message;
use crate::node::TransmitReason;
use crate::time::Instant;
use bytes::Bytes;

/// Why a transaction ended without what it was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The timer with this letter fired: B, F, H or L.
    Timeout(char),
    /// The flow could not be opened, or closed.
    Transport,
}

/// What a machine wants done after a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Put these bytes on the transaction's flow.
    Transmit(Bytes, TransmitReason),
    /// Hand this message to the owner.
    Deliver(Message),
    /// Tell the owner that it failed.
    Fail(Failure),
}

/// The earliest of some deadlines.
fn earliest<const N: usize>(deadlines: [Option<Instant>; N]) -> Option<Instant> {
    deadlines.into_iter().flatten().min()
}
