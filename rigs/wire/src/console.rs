//! The console as a host offers it: the master end of a pseudo terminal, or a TCP port with one client at a time.
//!
//! A serial line does not wait for a listener. What a node writes while nobody reads is kept as far as the system
//! buffers it and then lost, as on copper.

use crate::arrival::{Arrival, Arrivals};
use crate::error::WireError;
use bytes::{Bytes, BytesMut};
use serialport::{SerialPort as _, TTYPort};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_serial::SerialStream;
use tracing::{debug, warn};

/// How many bytes are read at once: our choice, a page.
const PIECE: usize = 4096;
/// How many writes wait for a peer that does not read: our choice.
const WAITING_WRITES: usize = 1024;
/// How long the last bytes may take: our choice.
const CLOSE_LIMIT: Duration = Duration::from_millis(200);

/// Where a console is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleSpec {
    /// A pseudo terminal; its path is known once it exists.
    Pty,
    /// A TCP listener.
    Tcp(SocketAddr),
}

impl FromStr for ConsoleSpec {
    type Err = WireError;

    fn from_str(text: &str) -> Result<Self, WireError> {
        let expected = "expected `pty` or `tcp://IP:PORT`";
        if text == "pty" {
            return Ok(Self::Pty);
        }
        text.strip_prefix("tcp://")
            .and_then(|address| address.parse().ok())
            .map(Self::Tcp)
            .ok_or_else(|| WireError::ConsoleAddress {
                address: text.to_owned(),
                expected,
            })
    }
}

impl fmt::Display for ConsoleSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pty => f.write_str("pty"),
            Self::Tcp(address) => write!(f, "tcp://{address}"),
        }
    }
}

/// An offered console.
#[derive(Debug)]
pub struct ConsoleFace {
    address: String,
    outbox: mpsc::Sender<Bytes>,
    task: JoinHandle<()>,
    /// Held so that raw mode stays and the master does not hang up when a client leaves. Its lock must stay untouched:
    /// releasing it would take a shared one that keeps clients out.
    _slave: Option<TTYPort>,
}

impl ConsoleFace {
    /// Offers a console; what clients type arrives as [`Arrival::Console`].
    ///
    /// # Errors
    /// When there is no pseudo terminal, or the TCP address cannot be bound.
    pub async fn offer(spec: &ConsoleSpec, arrivals: Arrivals) -> Result<Self, WireError> {
        let (outbox, waiting) = mpsc::channel(WAITING_WRITES);
        match spec {
            ConsoleSpec::Pty => {
                let (master, slave) = TTYPort::pair().map_err(pty_error)?;
                let address = slave.name().ok_or_else(|| WireError::Pty {
                    source: io::Error::other("it has no path"),
                })?;
                let master = SerialStream::try_from(master).map_err(pty_error)?;
                Ok(Self {
                    address,
                    outbox,
                    task: tokio::spawn(serve_pty(master, waiting, arrivals)),
                    _slave: Some(slave),
                })
            }
            ConsoleSpec::Tcp(address) => {
                let bind_error = |source| WireError::Bind {
                    transport: "console tcp",
                    address: *address,
                    source,
                };
                let listener = TcpListener::bind(address).await.map_err(bind_error)?;
                let bound = listener.local_addr().map_err(bind_error)?;
                Ok(Self {
                    address: format!("tcp://{bound}"),
                    outbox,
                    task: tokio::spawn(serve_tcp(listener, waiting, arrivals)),
                    _slave: None,
                })
            }
        }
    }

    /// What a client opens: a device path, or `tcp://IP:PORT`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Writes on the line; lost when the line is full.
    pub fn write(&self, bytes: Bytes) {
        if self.outbox.try_send(bytes).is_err() {
            debug!(console = self.address, "nobody reads; output lost");
        }
    }

    /// Writes what waits, within a bound, and hangs up.
    pub async fn close(self) {
        drop(self.outbox);
        let mut task = self.task;
        if timeout(CLOSE_LIMIT, &mut task).await.is_err() {
            task.abort();
        }
    }
}

fn pty_error(error: serialport::Error) -> WireError {
    WireError::Pty {
        source: error.into(),
    }
}

async fn serve_pty(master: SerialStream, mut waiting: mpsc::Receiver<Bytes>, arrivals: Arrivals) {
    if let Err(error) = converse(master, &mut waiting, &arrivals).await {
        warn!(%error, "pseudo terminal failed");
    }
}

/// One client at a time; without one, output is lost.
async fn serve_tcp(listener: TcpListener, mut waiting: mpsc::Receiver<Bytes>, arrivals: Arrivals) {
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted,
            written = waiting.recv() => match written {
                Some(_) => continue,
                None => return,
            },
        };
        let Ok((client, peer)) = client else {
            tokio::task::yield_now().await;
            continue;
        };
        debug!(%peer, "console client");
        let refuse_others = async {
            loop {
                if let Ok((mut other, _)) = listener.accept().await {
                    let _ = other.try_write(b"console in use\r\n");
                    let _ = other.shutdown().await;
                }
            }
        };
        tokio::select! {
            ended = converse(client, &mut waiting, &arrivals) => match ended {
                Ok(Left::Owner) => return,
                Ok(Left::Peer) => {}
                Err(error) => debug!(%peer, %error, "console client lost"),
            },
            () = refuse_others => {}
        }
    }
}

/// Who ended a conversation.
pub(crate) enum Left {
    Owner,
    Peer,
}

/// Carries bytes both ways until one side leaves.
pub(crate) async fn converse<S: AsyncRead + AsyncWrite + Send>(
    line: S,
    waiting: &mut mpsc::Receiver<Bytes>,
    arrivals: &Arrivals,
) -> io::Result<Left> {
    let (mut reader, mut writer) = tokio::io::split(line);
    let reading = async {
        let mut buffer = BytesMut::new();
        loop {
            buffer.reserve(PIECE);
            if reader.read_buf(&mut buffer).await? == 0 {
                return Ok(Left::Peer);
            }
            let piece = Arrival::Console(buffer.split().freeze());
            if arrivals.send(piece).await.is_err() {
                return Ok(Left::Owner);
            }
        }
    };
    let writing = async {
        while let Some(bytes) = waiting.recv().await {
            writer.write_all(&bytes).await?;
            writer.flush().await?;
        }
        Ok(Left::Owner)
    };
    tokio::select! {
        left = reading => left,
        left = writing => left,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_a_pty_or_a_tcp_address() {
        assert_eq!("pty".parse::<ConsoleSpec>().unwrap(), ConsoleSpec::Pty);
        let tcp: ConsoleSpec = "tcp://127.0.0.1:4001".parse().unwrap();
        assert_eq!(tcp.to_string(), "tcp://127.0.0.1:4001");
    }

    #[test]
    fn any_other_console_is_refused_with_what_was_expected() {
        let error = "ptty".parse::<ConsoleSpec>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot use console `ptty`: expected `pty` or `tcp://IP:PORT`"
        );
    }
}
