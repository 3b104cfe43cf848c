//! The tap: whoever wants to see what a host puts on its wires and takes from them.

use crate::sockets::Sockets;
use bytes::Bytes;
use sip::node::{Flow, TransmitReason};
use sip::time::Instant;

/// SIP bytes that crossed a host's socket: a datagram, or a piece of a stream as it came. Whoever wants the messages
/// of a stream frames them.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// The flow, named as by the host's node.
    pub flow: Flow,
    /// Why the node sent it; absent when it was received.
    pub sent: Option<TransmitReason>,
    /// The bytes.
    pub bytes: Bytes,
}

/// Observes a host and its node. All methods do nothing unless written.
pub trait Observer<N> {
    /// The host has its sockets; nothing has happened yet.
    fn bound(&mut self, _sockets: &Sockets) {}

    /// SIP bytes were received and are about to be given to the node, or were sent.
    fn sip(&mut self, _now: Instant, _sighting: &Sighting) {}

    /// An input was handled and every output of it carried out.
    fn settled(&mut self, _now: Instant, _node: &N) {}

    /// When [`Observer::settled`] is to be called at the latest, whether anything happens or not.
    fn wake(&self) -> Option<Instant> {
        None
    }
}

/// Observes nothing.
impl<N> Observer<N> for () {}
