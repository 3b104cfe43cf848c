//! SIP sockets: UDP, TCP listeners, and the table of TCP connections behind flows.
//!
//! A node names a flow and never connects: bytes for a flow go to its open connection, or one is opened. A connection
//! that fails or ends is reported once as `FlowClosed` and leaves the table; the next bytes for that flow open a new
//! one. Streams are passed in pieces as they come.
//!
//! | connection | bytes to send | peer's bytes | peer closes, error | `end`, `close` |
//! |---|---|---|---|---|
//! | none | connect, queue them | - | - | - |
//! | connecting | queue | - | report, forget | forget |
//! | open | queue; full: report, give up | arrive | report, forget | write the rest, give up |
//! | given up | - | arrive, marked as such | forget | - |
//!
//! A connection that is given up is out of the table at once and gone within a bound, whatever its peer does.

use crate::arrival::{Arrival, Arrivals, Connection};
use crate::error::WireError;
use crate::receive_buffer;
use bytes::{Bytes, BytesMut};
use sip::node::{Flow, Transport};
use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tracing::{debug, warn};

/// What the length field of UDP allows (RFC 768).
const LARGEST_DATAGRAM: usize = 65_535;
/// How many bytes of a stream are read at once: our choice.
const STREAM_PIECE: usize = 16 << 10;
/// Messages that wait for a peer that does not read its stream: our choice.
const WAITING_MESSAGES: usize = 1024;
/// How many connections are kept: our choice, beyond the handsets of any base.
const MOST_CONNECTIONS: usize = 4096;
/// How long a connection may take: our choice, below Timer F.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long the last bytes of a stream may take: our choice.
const CLOSE_LIMIT: Duration = Duration::from_secs(1);
/// How often a shared free port is looked for before giving up: our choice.
const PORT_ATTEMPTS: usize = 32;

/// A flow that cannot carry bytes now. For a node this is `FlowClosed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no way from {} to {} over {}", .0.local, .0.remote, .0.transport)]
pub struct FlowRefused(pub Flow);

/// All SIP sockets of one node.
#[derive(Debug)]
pub struct Flows {
    addresses: Vec<(Transport, SocketAddr)>,
    udp: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    streams: Streams,
    /// Readers of datagrams and acceptors of connections; they end with this value.
    listeners: JoinSet<()>,
}

#[derive(Clone, Debug)]
struct Streams {
    table: Arc<Mutex<Table>>,
    arrivals: Arrivals,
}

#[derive(Debug, Default)]
struct Table {
    next: u64,
    open: BTreeMap<Flow, Stream>,
    tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Stream {
    /// Tells this connection from a later one on the same flow.
    id: u64,
    outbox: mpsc::Sender<Bytes>,
    task: AbortHandle,
    given_up: watch::Sender<bool>,
}

impl Flows {
    /// Binds the listeners and starts to read.
    ///
    /// # Errors
    /// When an address cannot be bound, or none is given.
    pub async fn bind(
        specs: &[(Transport, SocketAddr)],
        arrivals: Arrivals,
    ) -> Result<Self, WireError> {
        if specs.is_empty() {
            return Err(WireError::NoSipAddress);
        }
        let (udp, tcp, addresses) = bind_all(specs).await?;
        let streams = Streams {
            table: Arc::default(),
            arrivals: arrivals.clone(),
        };
        let mut listeners = JoinSet::new();
        for (address, socket) in &udp {
            listeners.spawn(read_datagrams(
                Arc::clone(socket),
                *address,
                arrivals.clone(),
            ));
        }
        for (address, listener) in tcp {
            listeners.spawn(accept(listener, address, streams.clone()));
        }
        Ok(Self {
            addresses,
            udp,
            streams,
            listeners,
        })
    }

    /// The listeners in the order of the specification, with their real ports.
    #[must_use]
    pub fn addresses(&self) -> &[(Transport, SocketAddr)] {
        &self.addresses
    }

    /// The address of the first listener.
    #[must_use]
    pub fn first_address(&self) -> SocketAddr {
        self.addresses[0].1
    }

    /// Puts bytes on a flow: a datagram at once, a piece of a stream in the order of the calls.
    ///
    /// # Errors
    /// When the flow starts at no socket of ours, or its peer has not read its stream for long. What goes wrong later
    /// arrives as `FlowClosed`.
    pub async fn send(&self, flow: Flow, bytes: Bytes) -> Result<(), FlowRefused> {
        match flow.transport {
            Transport::Udp => {
                let socket = self.udp.get(&flow.local).ok_or(FlowRefused(flow))?;
                // A datagram that the system refuses is lost like any other: SIP has timers for that.
                if let Err(error) = socket.send_to(&bytes, flow.remote).await {
                    warn!(remote = %flow.remote, size = bytes.len(), %error, "datagram not sent");
                }
                Ok(())
            }
            Transport::Tcp => self.streams.send(flow, bytes),
            Transport::Tls => Err(FlowRefused(flow)),
        }
    }

    /// The flows that have a connection, or are getting one.
    #[must_use]
    pub fn streams(&self) -> Vec<Flow> {
        self.streams.lock().open.keys().copied().collect()
    }

    /// Cuts the connection of a flow, losing what waits. Says whether there was one; no `FlowClosed` follows.
    pub fn cut(&self, flow: Flow) -> bool {
        let stream = self.streams.lock().give_up(flow);
        if let Some(stream) = &stream {
            stream.task.abort();
        }
        stream.is_some()
    }

    /// Closes the connection of a flow once what waits is written. Says whether there was one; no `FlowClosed` follows.
    pub fn end(&self, flow: Flow) -> bool {
        self.streams.lock().give_up(flow).is_some()
    }

    /// Stops listening, writes what waits, and closes every connection, within a bound.
    pub async fn close(mut self) {
        self.listeners.abort_all();
        let mut tasks = {
            let mut table = self.streams.lock();
            table.open.clear();
            std::mem::take(&mut table.tasks)
        };
        let drained = async { while tasks.join_next().await.is_some() {} };
        if timeout(CLOSE_LIMIT, drained).await.is_err() {
            warn!("connections cut that did not take the last bytes in time");
        }
    }
}

impl Table {
    /// Takes a connection out. With the last way into its outbox it ends, as soon as what waits is written.
    fn give_up(&mut self, flow: Flow) -> Option<Stream> {
        let stream = self.open.remove(&flow)?;
        stream.given_up.send_replace(true);
        Some(stream)
    }
}

impl Streams {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send(&self, flow: Flow, bytes: Bytes) -> Result<(), FlowRefused> {
        let mut table = self.lock();
        let stream = match table.open.get(&flow) {
            Some(stream) => stream,
            None => self
                .start(&mut table, flow, None)
                .ok_or(FlowRefused(flow))?,
        };
        match stream.outbox.try_send(bytes) {
            Ok(()) => Ok(()),
            Err(error) => {
                warn!(remote = %flow.remote, %error, "stream given up");
                table.give_up(flow);
                Err(FlowRefused(flow))
            }
        }
    }

    /// Enters a connection into the table: this accepted one, or one that is opened first.
    fn start<'t>(
        &self,
        table: &'t mut Table,
        flow: Flow,
        accepted: Option<TcpStream>,
    ) -> Option<&'t Stream> {
        while table.tasks.try_join_next().is_some() {}
        if table.open.len() >= MOST_CONNECTIONS {
            warn!(remote = %flow.remote, MOST_CONNECTIONS, "too many connections");
            return None;
        }
        let (outbox, waiting) = mpsc::channel(WAITING_MESSAGES);
        let (given_up, connection) = watch::channel(false);
        table.next += 1;
        let id = table.next;
        let task = table
            .tasks
            .spawn(self.clone().carry(id, flow, accepted, waiting, connection));
        let stream = Stream {
            id,
            outbox,
            task,
            given_up,
        };
        table.open.insert(flow, stream);
        table.open.get(&flow)
    }

    /// One connection from beginning to end.
    async fn carry(
        self,
        id: u64,
        flow: Flow,
        accepted: Option<TcpStream>,
        waiting: mpsc::Receiver<Bytes>,
        connection: watch::Receiver<bool>,
    ) {
        let stream = match accepted {
            Some(stream) => Ok(stream),
            None => timeout(CONNECT_LIMIT, connect(flow))
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        };
        let ended = match stream {
            Ok(stream) => exchange(stream, flow, waiting, connection, &self.arrivals).await,
            Err(error) => Err(error),
        };
        if let Err(error) = ended {
            debug!(remote = %flow.remote, %error, "stream ended");
        }
        let ours = {
            let mut table = self.lock();
            let ours = table.open.get(&flow).is_some_and(|stream| stream.id == id);
            if ours {
                table.open.remove(&flow);
            }
            ours
        };
        // A connection that is no longer in the table was given up by its owner, who knows.
        if ours {
            let _ = self.arrivals.send(Arrival::FlowClosed { flow }).await;
        }
    }
}

async fn connect(flow: Flow) -> io::Result<TcpStream> {
    let socket = if flow.remote.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        TcpSocket::new_v6()?
    };
    if !flow.local.ip().is_unspecified() {
        socket.bind(SocketAddr::new(flow.local.ip(), 0))?;
    }
    socket.connect(flow.remote).await
}

/// Completes when a connection was given up and its last bytes have had their time.
async fn overdue(mut given_up: watch::Receiver<bool>) {
    if given_up.wait_for(|given_up| *given_up).await.is_err() {
        // It left the table in another way, and ends in another way.
        std::future::pending::<()>().await;
    }
    let _ = timeout(CLOSE_LIMIT, std::future::pending::<()>()).await;
}

/// Reads and writes until either way ends.
async fn exchange(
    stream: TcpStream,
    flow: Flow,
    mut waiting: mpsc::Receiver<Bytes>,
    given_up: watch::Receiver<bool>,
    arrivals: &Arrivals,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut reader, mut writer) = stream.into_split();
    let connection = Connection(Some(given_up.clone()));
    let reading = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(STREAM_PIECE);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(());
            }
            let bytes = buffer.split().freeze();
            let arrival = Arrival::Sip {
                flow,
                connection: connection.clone(),
                bytes,
            };
            if arrivals.send(arrival).await.is_err() {
                return Ok(());
            }
        }
    };
    let writing = async {
        while let Some(bytes) = waiting.recv().await {
            writer.write_all(&bytes).await?;
        }
        writer.shutdown().await
    };
    tokio::select! {
        ended = reading => ended,
        ended = writing => ended,
        () = overdue(given_up) => Err(io::ErrorKind::TimedOut.into()),
    }
}

async fn read_datagrams(socket: Arc<UdpSocket>, local: SocketAddr, arrivals: Arrivals) {
    let mut buffer = vec![0; LARGEST_DATAGRAM];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((size, remote)) => {
                let flow = Flow {
                    transport: Transport::Udp,
                    local,
                    remote,
                };
                let bytes = Bytes::copy_from_slice(buffer.get(..size).unwrap_or_default());
                let arrival = Arrival::Sip {
                    flow,
                    connection: Connection::default(),
                    bytes,
                };
                if arrivals.send(arrival).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                warn!(%local, %error, "datagram not received");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn accept(listener: TcpListener, local: SocketAddr, streams: Streams) {
    loop {
        match listener.accept().await {
            Ok((stream, remote)) => {
                let flow = Flow {
                    transport: Transport::Tcp,
                    local,
                    remote,
                };
                streams.start(&mut streams.lock(), flow, Some(stream));
            }
            Err(error) => {
                warn!(%local, %error, "connection not accepted");
                tokio::task::yield_now().await;
            }
        }
    }
}

type Bound = (
    BTreeMap<SocketAddr, Arc<UdpSocket>>,
    Vec<(SocketAddr, TcpListener)>,
    Vec<(Transport, SocketAddr)>,
);

/// Binds all, again when a port that the system chose for one transport is taken on another.
async fn bind_all(specs: &[(Transport, SocketAddr)]) -> Result<Bound, WireError> {
    let mut attempt = 1;
    loop {
        match bind_once(specs).await {
            Err((true, _)) if attempt < PORT_ATTEMPTS => attempt += 1,
            outcome => return outcome.map_err(|(_, error)| error),
        }
    }
}

/// Binds all; an error also says whether the port was the system's choice.
async fn bind_once(specs: &[(Transport, SocketAddr)]) -> Result<Bound, (bool, WireError)> {
    let mut chosen = BTreeMap::new();
    let mut udp = BTreeMap::new();
    let mut tcp = Vec::new();
    let mut addresses = Vec::new();
    for (transport, wanted) in specs {
        let mut address = *wanted;
        if address.port() == 0 {
            address.set_port(chosen.get(&address.ip()).copied().unwrap_or(0));
        }
        let shared = wanted.port() == 0 && address.port() != 0;
        let refuse = |name, source| {
            let error = WireError::Bind {
                transport: name,
                address,
                source,
            };
            (shared, error)
        };
        let bound = match transport {
            Transport::Udp => {
                let socket = UdpSocket::bind(address)
                    .await
                    .map_err(|source| refuse("udp", source))?;
                receive_buffer::raise(&socket, address);
                let bound = socket.local_addr().map_err(|error| refuse("udp", error))?;
                udp.insert(bound, Arc::new(socket));
                bound
            }
            Transport::Tcp => {
                let listener = TcpListener::bind(address)
                    .await
                    .map_err(|source| refuse("tcp", source))?;
                let bound = listener
                    .local_addr()
                    .map_err(|error| refuse("tcp", error))?;
                tcp.push((bound, listener));
                bound
            }
            Transport::Tls => {
                let error = WireError::UnsupportedTransport {
                    transport: *transport,
                    address,
                };
                return Err((false, error));
            }
        };
        if wanted.port() == 0 {
            chosen.insert(bound.ip(), bound.port());
        }
        addresses.push((*transport, bound));
    }
    Ok((udp, tcp, addresses))
}
