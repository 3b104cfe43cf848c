//! An application server as the wire laboratory runs it: the machine, the sockets of its sites, its control interface, and
//! the framing of the streams that come to it. It knows no unit; what passes between them is the laboratory's business.

use super::WireServer;
use super::base_port::broken;
use super::framing::Framer;
use crate::error::RigError;
use bytes::Bytes;
use server::AppServer;
use sip::node::{ExchangeId, Flow, Transport};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::sync::mpsc;
use wire::arrival::{Arrival, channel};
use wire::flows::Flows;
use wire::http_face::{Answer, HttpFace};

/// An application server with its sockets.
pub(super) struct ServerPort {
    pub(super) machine: AppServer,
    /// When it wants to be woken.
    pub(super) due: Option<Instant>,
    /// One for each site.
    flows: Vec<Flows>,
    pub(super) control: HttpFace,
    /// From its sockets and its control interface.
    pub(super) arrived: mpsc::Receiver<Arrival>,
    unanswered: BTreeMap<ExchangeId, Answer>,
    framers: BTreeMap<Flow, Framer>,
}

impl ServerPort {
    pub(super) async fn open(free: SocketAddr, server: WireServer) -> Result<Self, RigError> {
        let WireServer { sites, make } = server;
        let (arrivals, arrived) = channel();
        let mut flows = Vec::new();
        for site in 0..sites.max(1) {
            let free = SocketAddr::new(host_of(free.ip(), site), 0);
            let listen = [(Transport::Udp, free), (Transport::Tcp, free)];
            let bound = Flows::bind(&listen, arrivals.clone()).await;
            flows.push(bound.map_err(|error| broken("the application server", &error))?);
        }
        let control = HttpFace::bind(free, arrivals)
            .await
            .map_err(|error| broken("the application server's control interface", &error))?;
        let listen: Vec<_> = flows.iter().map(|site| site.addresses().to_vec()).collect();
        Ok(Self {
            machine: make(&listen),
            due: Some(Instant::EPOCH),
            flows,
            control,
            arrived,
            unanswered: BTreeMap::new(),
            framers: BTreeMap::new(),
        })
    }

    /// The SIP addresses of its sites.
    pub(super) fn sites(&self) -> Vec<SocketAddr> {
        self.flows.iter().map(Flows::first_address).collect()
    }

    fn site_of(&self, flow: Flow) -> Option<&Flows> {
        let mut sites = self.flows.iter();
        sites.find(|site| site.first_address() == flow.local)
    }

    /// Puts bytes on a flow of one of its sites; whether there is a way.
    pub(super) async fn send(&self, flow: Flow, bytes: Bytes) -> bool {
        match self.site_of(flow) {
            Some(site) => site.send(flow, bytes).await.is_ok(),
            None => false,
        }
    }

    /// Cuts the connection of a flow.
    pub(super) fn cut(&self, flow: Flow) {
        if let Some(site) = self.site_of(flow) {
            site.cut(flow);
        }
    }

    /// Closes the connection of a flow once what waits is written.
    pub(super) fn end(&self, flow: Flow) {
        if let Some(site) = self.site_of(flow) {
            site.end(flow);
        }
    }

    /// The flows that have a connection.
    pub(super) fn streams(&self) -> Vec<Flow> {
        self.flows.iter().flat_map(Flows::streams).collect()
    }

    /// The messages in what was received on a flow.
    pub(super) fn frame(&mut self, flow: Flow, bytes: Bytes) -> Vec<Bytes> {
        if flow.transport.is_reliable() {
            self.framers.entry(flow).or_default().push(&bytes)
        } else {
            vec![bytes]
        }
    }

    /// The unfinished last message of a stream that has ended.
    pub(super) fn unframe(&mut self, flow: Flow) -> Option<Bytes> {
        self.framers.remove(&flow).and_then(Framer::finish)
    }

    /// Somebody asks its control interface and waits there.
    pub(super) fn asked(&mut self, exchange: ExchangeId, answer: Answer) {
        self.unanswered.insert(exchange, answer);
    }

    pub(super) fn answer(&mut self, exchange: ExchangeId, response: http::Response<Bytes>) {
        if let Some(answer) = self.unanswered.remove(&exchange) {
            self.control.answer(answer, response);
        }
    }
}

/// The host of a site. On the loopback each site has one of its own, so that one of them can be cut off by its address;
/// a rig with one real address has one host for all.
const fn host_of(address: IpAddr, site: usize) -> IpAddr {
    match address {
        IpAddr::V4(ip) if ip.is_loopback() && site > 0 => {
            let [net, zero, _, host] = ip.octets();
            IpAddr::V4(Ipv4Addr::new(net, zero, site as u8, host))
        }
        other => other,
    }
}
