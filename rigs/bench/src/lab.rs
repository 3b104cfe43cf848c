//! A laboratory: the world around the units under test, behind one trait.
//!
//! There are two: [`VirtualLab`](virtual_lab::VirtualLab) runs everything in one thread on lab time that jumps; the wire
//! laboratory runs bases as processes or takes real ones, on real sockets and lines. [`Bench`](crate::Bench) and all
//! instruments are written against [`Lab`] only and never ask which one they have.
//!
//! A laboratory holds any number of nodes: *units* (bases, DECT managers) and application servers with one or more
//! *sites*. They reach each other by address; whoever works them names them by [`NodeId`].
//!
//! The contract in one sentence: nothing happens, and nothing is observed, except inside [`Lab::advance`], which lets the
//! world run until there is one thing to report or the deadline has come. What a method other than `advance` sets off is
//! reported by later calls of `advance`, in the order of lab time.

pub mod names;
pub mod network;
pub mod virtual_lab;
pub mod wire_lab;

use crate::error::RigError;
use bytes::Bytes;
use evidence::record::Sip;
use server::AppServer;
use sip::node::{ExchangeId, Flow, HttpFailure};
use sip::time::Instant;
use std::net::SocketAddr;
use std::time::Duration;

use network::Fault;

/// Names a node of a laboratory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// The world around the units.
pub trait Lab: Send {
    /// The lab time. It moves only inside [`advance`](Self::advance) (in the wire laboratory: it is read from the wall
    /// there and when this is called).
    fn now(&self) -> Instant;

    /// The wall time in microseconds since the Unix epoch; `None` in a laboratory that has no wall.
    fn wall(&self) -> Option<u64>;

    /// Who is there, and where.
    fn layout(&self) -> Layout;

    /// An independent copy of the whole world; nothing in a laboratory whose world is not ours to copy.
    fn fork(&self) -> Option<Box<dyn Lab>>;

    /// Draws everything random from this seed from now on: the choices of our own nodes, the network's, and those of boots
    /// to come.
    fn reseed(&mut self, seed: u64);

    /// Runs a verb of an application server at the present lab time and drains its output.
    ///
    /// # Panics
    /// When the node is no server: the caller has mixed up its own nodes.
    fn with_server(&mut self, server: NodeId, verb: &mut dyn FnMut(&mut AppServer, Instant));

    /// Switches a unit on: an emulated one starts with no memory, a real one gets power where the rig can do that. Does
    /// nothing while it is on.
    ///
    /// # Errors
    /// When it cannot be started.
    fn power_on(&mut self, unit: NodeId) -> Result<(), RigError>;

    /// Takes the power away from a unit: no goodbye. Streams break, datagrams to it are lost, its timers are gone.
    ///
    /// # Errors
    /// When the rig cannot do that.
    fn power_off(&mut self, unit: NodeId) -> Result<(), RigError>;

    /// Asks a unit to shut down cleanly (`Input::Shutdown`, SIGTERM). [`Indication::BaseEnded`] follows.
    ///
    /// # Errors
    /// When the rig cannot do that.
    fn shut_down(&mut self, unit: NodeId) -> Result<(), RigError>;

    /// Puts bytes on a unit's serial line.
    ///
    /// # Errors
    /// When the line is broken or the rig has none.
    fn write_console(&mut self, unit: NodeId, bytes: Bytes) -> Result<(), RigError>;

    /// Sends an HTTP request to a unit's web interface or a server's control interface; the URI is a path.
    /// [`Indication::HttpReply`] with the returned id follows, also when there is no answer. A request with `Upgrade:
    /// websocket` that is answered 101 opens the event stream; its messages follow as [`Indication::Event`].
    fn request(&mut self, to: NodeId, request: http::Request<Bytes>) -> ExchangeId;

    /// Answers an [`Indication::Fetch`].
    fn reply(&mut self, exchange: ExchangeId, response: http::Response<Bytes>);

    /// Makes the network misbehave, until [`calm`](Self::calm) or until the fault has used itself up. Several faults act
    /// together; for one message the first that matches decides.
    fn disturb(&mut self, fault: Fault);

    /// Ends all network faults. Messages that were held back go on.
    fn calm(&mut self);

    /// Resets every TCP connection that carries SIP: both sides are told.
    fn reset_streams(&mut self);

    /// Lets the world run until there is one thing to report, or until the deadline (then `None`, and [`now`](Self::now)
    /// is at least the deadline).
    fn advance(&mut self, deadline: Instant) -> Option<Observed>;
}

/// Who is in a laboratory, and where.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    /// The application servers, in the order of the setup.
    pub servers: Vec<ServerPlace>,
    /// The units, in the order of the setup.
    pub units: Vec<UnitPlace>,
    /// The URL below which units find their provisioning files, without the file's name and without a final slash.
    pub provisioning: String,
}

/// One application server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerPlace {
    /// Its name in the laboratory.
    pub node: NodeId,
    /// The SIP address of each of its sites; there is one at least.
    pub sites: Vec<SocketAddr>,
}

/// One unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnitPlace {
    /// Its name in the laboratory.
    pub node: NodeId,
    /// Its SIP address. A rig that cannot know it says where the unit is expected.
    pub sip: SocketAddr,
}

/// One thing that happened, with its time.
#[derive(Clone, Debug)]
pub struct Observed {
    /// When, in lab time. Never earlier than that of the observation before.
    pub at: Instant,
    /// Wall time in microseconds since the Unix epoch; `None` in a laboratory that has no wall.
    pub wall: Option<u64>,
    /// At which unit; nothing where that does not tell, or cannot be told.
    pub unit: Option<NodeId>,
    /// What.
    pub indication: Indication,
}

/// What a laboratory reports.
#[derive(Clone, Debug)]
pub enum Indication {
    /// The tap saw a SIP datagram, or one framed message of a stream, being sent, delivered or dropped.
    Sip(Sip),
    /// Bytes came on the serial line, cut anywhere.
    Console(Bytes),
    /// A request of ours was answered, or has no answer.
    HttpReply {
        /// Which, as returned by [`Lab::request`].
        exchange: ExchangeId,
        /// The answer, or why there is none.
        reply: Result<http::Response<Bytes>, HttpFailure>,
    },
    /// A message came on the unit's event stream.
    Event(String),
    /// The unit's event stream has ended.
    EventsClosed,
    /// A unit fetches something from the rig's provisioning server. The bench answers with [`Lab::reply`].
    Fetch {
        /// To be named in the answer.
        exchange: ExchangeId,
        /// What it asks for; the URI's path counts.
        request: http::Request<Bytes>,
    },
    /// Something worth recording that is none of the others.
    Note(String),
    /// Two readers of SIP read the message that was just sent differently: what they say, in words. The laboratory goes on.
    ReadDifferently(String),
    /// The unit has ended, whether asked to or not.
    BaseEnded,
    /// The rig cannot go on.
    Broken(RigError),
}

/// What an emulated base is told when it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseSpec {
    /// The model's name, as the rig file says.
    pub model: String,
    /// Its MAC address: 12 hexadecimal digits.
    pub mac: String,
    /// Its SIP address.
    pub sip: SocketAddr,
    /// The URL below which it finds its provisioning file.
    pub provisioning_url: String,
    /// The seed of its own randomness.
    pub seed: u64,
}

/// The longest time that the steps of one scenario may plausibly ask for at once; a longer wait is a slip of the pen.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is recorded when a party closes a stream because it cannot tell any more where a message begins.
fn framing_lost(party: &str, flow: Flow) -> Indication {
    let Flow {
        transport, remote, ..
    } = flow;
    Indication::Note(format!(
        "{party} closed the {transport} connection with {remote}: its framing is lost"
    ))
}
