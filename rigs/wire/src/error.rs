//! Why a wire cannot be used, with the address, port or file named.
//!
//! These are faults of the rig. What a peer does wrong on a working wire is never an error here.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why a wire cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WireError {
    /// A socket could not be bound.
    #[error("cannot bind {transport} {address}: {}", reason(.source))]
    Bind {
        /// `udp`, `tcp`, or what the listener is for.
        transport: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A console address is neither `pty`, `tcp://IP:PORT` nor a device.
    #[error("cannot use console `{address}`: {expected}")]
    ConsoleAddress {
        /// What was given.
        address: String,
        /// What would have been right.
        expected: &'static str,
    },
    /// A serial port, or a TCP console, could not be opened.
    #[error("cannot open console {address}: {source}")]
    ConsoleOpen {
        /// Device path or TCP address.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// No pseudo terminal is to be had.
    #[error("cannot create a pseudo terminal: {source}")]
    Pty {
        /// What the system says.
        source: io::Error,
    },
    /// The HTTP client could not be made.
    #[error("cannot make an HTTP client: {0}")]
    HttpClient(String),
    /// No SIP address was given.
    #[error("no SIP address to bind")]
    NoSipAddress,
    /// A transport that this rig does not carry yet.
    #[error("cannot bind {address}: {transport} is not carried yet")]
    UnsupportedTransport {
        /// The transport.
        transport: sip::node::Transport,
        /// The address asked for.
        address: SocketAddr,
    },
    /// A process could not be started.
    #[error("cannot start {}: {source}", .program.display())]
    Process {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The machinery that waits for sockets could not be made.
    #[error("cannot wait for sockets: {source}")]
    Runtime {
        /// What the system says.
        source: io::Error,
    },
    /// The signals that end a program could not be listened to.
    #[error("cannot listen for {signal}: {source}")]
    Signal {
        /// The signal's name.
        signal: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// The words of an I/O error: the kind's own where it says enough, without the error number.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        kind @ (io::ErrorKind::AddrInUse
        | io::ErrorKind::AddrNotAvailable
        | io::ErrorKind::PermissionDenied) => kind.to_string(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bind_conflict_names_transport_address_and_reason() {
        let error = WireError::Bind {
            transport: "udp",
            address: "127.0.0.1:5060".parse().unwrap(),
            source: io::Error::from(io::ErrorKind::AddrInUse),
        };
        assert_eq!(
            error.to_string(),
            "cannot bind udp 127.0.0.1:5060: address in use"
        );
    }
}
