//! A program that is one node: binds, builds the node from its real addresses, and runs it until SIGTERM or SIGINT.

use crate::error::WireError;
use crate::fetch::Fetcher;
use crate::host::{Ending, Host};
use crate::signal::Termination;
use crate::sockets::{SocketSpec, Sockets};
use crate::tap::Observer;
use sip::node::Node;

/// What a program of one node needs.
#[derive(Clone, Debug)]
pub struct Program {
    sockets: SocketSpec,
    fetcher: Option<Fetcher>,
}

impl Program {
    /// A program that listens there.
    #[must_use]
    pub fn new(sockets: SocketSpec) -> Self {
        Self {
            sockets,
            fetcher: None,
        }
    }

    /// Uses this HTTP client instead of a plain one.
    #[must_use]
    pub fn with_fetcher(mut self, fetcher: Fetcher) -> Self {
        self.fetcher = Some(fetcher);
        self
    }

    /// Runs until SIGTERM or SIGINT, on a runtime of its own in this thread. `make` is told the bound sockets; when it is
    /// called, they listen, so it may say that the program is ready.
    ///
    /// # Errors
    /// When something cannot be bound; the error names it.
    pub fn run<N: Node>(
        self,
        make: impl FnOnce(&Sockets) -> N,
        observer: &mut impl Observer<N>,
    ) -> Result<Ending, WireError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|source| WireError::Runtime { source })?;
        runtime.block_on(async {
            let termination = Termination::listen()?;
            self.run_until(termination.wait(), make, observer).await
        })
    }

    /// Runs until `stop` completes.
    ///
    /// # Errors
    /// When something cannot be bound; the error names it.
    pub async fn run_until<N: Node>(
        self,
        stop: impl Future<Output = ()>,
        make: impl FnOnce(&Sockets) -> N,
        observer: &mut impl Observer<N>,
    ) -> Result<Ending, WireError> {
        let sockets = Sockets::bind(&self.sockets).await?;
        let node = make(&sockets);
        let mut host = Host::new(sockets, node)?;
        if let Some(fetcher) = self.fetcher {
            host = host.with_fetcher(fetcher);
        }
        let (_, ending) = host.run(stop, observer).await;
        Ok(ending)
    }
}
