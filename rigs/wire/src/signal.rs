//! The signals that ask a program to end: SIGTERM from a supervisor, SIGINT from a terminal.

use crate::error::WireError;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens from its creation on, so that no signal is lost between start and the first wait.
#[derive(Debug)]
pub struct Termination {
    terminate: Signal,
    interrupt: Signal,
}

impl Termination {
    /// Starts to listen. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a signal handler.
    pub fn listen() -> Result<Self, WireError> {
        let open = |kind, name| {
            signal(kind).map_err(|source| WireError::Signal {
                signal: name,
                source,
            })
        };
        Ok(Self {
            terminate: open(SignalKind::terminate(), "SIGTERM")?,
            interrupt: open(SignalKind::interrupt(), "SIGINT")?,
        })
    }

    /// Completes at the first of the two signals.
    pub async fn wait(mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
