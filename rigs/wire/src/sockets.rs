//! Everything a host listens on, bound before its node is made, so that the node can be told its real addresses.
//!
//! Port 0 asks the system for a free port. SIP entries with port 0 on the same IP address share one port over all
//! transports, as a SIP node expects.

use crate::arrival::{Arrival, Arrivals, channel};
use crate::console::{ConsoleFace, ConsoleSpec};
use crate::error::WireError;
use crate::flows::Flows;
use crate::http_face::HttpFace;
use sip::node::Transport;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// What to listen on.
#[derive(Clone, Debug, Default)]
pub struct SocketSpec {
    /// SIP listeners, at least one.
    pub sip: Vec<(Transport, SocketAddr)>,
    /// The serial line.
    pub console: Option<ConsoleSpec>,
    /// The HTTP face.
    pub web: Option<SocketAddr>,
}

impl SocketSpec {
    /// SIP over UDP and TCP on one address, nothing else.
    #[must_use]
    pub fn sip(address: SocketAddr) -> Self {
        Self {
            sip: vec![(Transport::Udp, address), (Transport::Tcp, address)],
            ..Self::default()
        }
    }
}

/// Bound sockets that wait for their node. What arrives before the node runs waits too.
#[derive(Debug)]
pub struct Sockets {
    pub(crate) flows: Flows,
    pub(crate) console: Option<ConsoleFace>,
    pub(crate) web: Option<HttpFace>,
    pub(crate) arrivals: Arrivals,
    pub(crate) arrived: mpsc::Receiver<Arrival>,
}

impl Sockets {
    /// Binds them all. Needs a tokio runtime.
    ///
    /// # Errors
    /// When one cannot be bound; the error names it.
    pub async fn bind(spec: &SocketSpec) -> Result<Self, WireError> {
        let (arrivals, arrived) = channel();
        let console = match &spec.console {
            Some(console) => Some(ConsoleFace::offer(console, arrivals.clone()).await?),
            None => None,
        };
        let web = match spec.web {
            Some(address) => Some(HttpFace::bind(address, arrivals.clone()).await?),
            None => None,
        };
        Ok(Self {
            flows: Flows::bind(&spec.sip, arrivals.clone()).await?,
            console,
            web,
            arrivals,
            arrived,
        })
    }

    /// The first SIP address, with its real port.
    #[must_use]
    pub fn sip_addr(&self) -> SocketAddr {
        self.flows.first_address()
    }

    /// All SIP listeners in the order of the specification, with their real ports.
    #[must_use]
    pub fn sip_addrs(&self) -> &[(Transport, SocketAddr)] {
        self.flows.addresses()
    }

    /// Where the console is to be opened: a device path, or `tcp://IP:PORT`.
    #[must_use]
    pub fn console_path(&self) -> Option<&str> {
        self.console.as_ref().map(ConsoleFace::address)
    }

    /// The address of the HTTP face.
    #[must_use]
    pub fn web_addr(&self) -> Option<SocketAddr> {
        self.web.as_ref().map(HttpFace::address)
    }
}
