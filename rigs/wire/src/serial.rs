//! The console as a rig uses it: a serial port, a pseudo terminal's path, or a TCP console of a terminal server.
//!
//! A device is opened exclusively: one owner per console. What comes in arrives as [`Arrival::Console`]; when the line
//! ends, [`Arrival::ConsoleClosed`] says why, once.

use crate::arrival::{Arrival, Arrivals};
use crate::console::{Left, converse};
use crate::error::WireError;
use bytes::Bytes;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_serial::SerialStream;

/// How long a connection may take: our choice, because it is one step away.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// How many writes wait for a port that does not take them: our choice.
const WAITING_WRITES: usize = 1024;

/// An open line. Dropping it closes the line.
#[derive(Debug)]
pub struct SerialLine {
    address: String,
    outbox: mpsc::Sender<Bytes>,
    task: Option<JoinHandle<()>>,
}

impl SerialLine {
    /// Opens a device (8N1) or `tcp://IP:PORT`.
    ///
    /// # Errors
    /// When the address makes no sense, the device is absent or in use, or nobody listens there.
    pub async fn open(address: &str, baud: u32, arrivals: Arrivals) -> Result<Self, WireError> {
        let open_error = |source| WireError::ConsoleOpen {
            address: address.to_owned(),
            source,
        };
        let (outbox, waiting) = mpsc::channel(WAITING_WRITES);
        let task = if let Some(host) = address.strip_prefix("tcp://") {
            let peer: SocketAddr = host.parse().map_err(|_| WireError::ConsoleAddress {
                address: address.to_owned(),
                expected: "expected a device path or `tcp://IP:PORT`",
            })?;
            let stream = timeout(CONNECT_LIMIT, TcpStream::connect(peer))
                .await
                .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
                .map_err(open_error)?;
            tokio::spawn(carry(stream, waiting, arrivals))
        } else {
            let port = SerialStream::open(&tokio_serial::new(address, baud))
                .map_err(|error| open_error(error.into()))?;
            tokio::spawn(carry(port, waiting, arrivals))
        };
        Ok(Self {
            address: address.to_owned(),
            outbox,
            task: Some(task),
        })
    }

    /// The address it was opened with.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Writes on the line, in the order of the calls.
    ///
    /// # Errors
    /// When the line is gone, or has taken nothing for long.
    pub fn write(&self, bytes: Bytes) -> Result<(), WireError> {
        self.outbox.try_send(bytes).map_err(|error| {
            let source = match error {
                mpsc::error::TrySendError::Full(_) => io::Error::other("it takes no more bytes"),
                mpsc::error::TrySendError::Closed(_) => io::ErrorKind::BrokenPipe.into(),
            };
            WireError::ConsoleOpen {
                address: self.address.clone(),
                source,
            }
        })
    }
}

impl SerialLine {
    /// Closes the line; afterwards the device is free for the next owner, which a drop only promises for soon.
    pub async fn close(mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
    }
}

impl Drop for SerialLine {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn carry<S>(line: S, mut waiting: mpsc::Receiver<Bytes>, arrivals: Arrivals)
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Send,
{
    let reason = match converse(line, &mut waiting, &arrivals).await {
        Ok(Left::Owner) => return,
        Ok(Left::Peer) => "the other side hung up".to_owned(),
        Err(error) => error.to_string(),
    };
    let _ = arrivals.send(Arrival::ConsoleClosed(reason)).await;
}
