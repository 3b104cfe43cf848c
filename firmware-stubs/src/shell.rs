//! An emulated base as a program: real sockets, a pseudo terminal or TCP console, a web listener.
//!
//! It says that it is ready in one line of JSON, once it has booted and knows about its provisioning (or the answer is
//! long in coming), and shuts down cleanly at SIGTERM. All behaviour is in [`Base`]; here are only its wires.

use crate::base::{Base, BaseConfig};
use crate::model::Model;
use crate::mutant::Mutant;
use serde_json::json;
use sip::node::Transport;
use sip::time::Instant;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;
use wire::error::WireError;
use wire::fetch::{Fetcher, file_url};
use wire::program::Program;
use wire::sockets::{SocketSpec, Sockets};
use wire::tap::Observer;

pub use wire::console::ConsoleSpec;
pub use wire::host::Ending;

/// After this the base says that it is ready whatever its provisioning server does: our choice, below the
/// fifteen seconds that the laboratory waits for it.
const LONGEST_START: Duration = Duration::from_secs(8);

/// What a base needs to run on its own.
#[derive(Clone, Debug)]
pub struct ShellOptions {
    /// How the product behaves.
    pub model: Model,
    /// What is wrong with it.
    pub mutant: Option<Mutant>,
    /// Its hardware address.
    pub mac: String,
    /// Its provisioning: a file, a folder, or a URL of either; in a folder it looks for `<mac>.xml`.
    pub provisioning: String,
    /// Where it speaks SIP, over UDP and TCP; port 0 takes a free one.
    pub sip: SocketAddr,
    /// Its serial console, if it has one.
    pub console: Option<ConsoleSpec>,
    /// Its web interface, if it has one.
    pub web: Option<SocketAddr>,
    /// The source of everything that hardware would draw by lot.
    pub seed: u64,
}

/// Why a base cannot run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShellError {
    /// The provisioning is neither a URL nor there.
    #[error("cannot read provisioning {}: {source}", .path.display())]
    Provisioning {
        /// What was given.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Nobody could be told that the base is ready.
    #[error("cannot say that the base is ready: {0}")]
    Ready(#[source] std::io::Error),
    /// A wire cannot be used.
    #[error(transparent)]
    Wire(#[from] WireError),
}

/// Runs a base until SIGTERM or SIGINT; it writes one line of JSON to `ready`.
///
/// # Errors
/// When an address cannot be bound or the provisioning file is not there.
pub fn run(options: ShellOptions, ready: &mut (impl Write + Send)) -> Result<Ending, ShellError> {
    let (program, config) = prepare(options)?;
    let mut announcer = Announcer::new(ready);
    let ending = program.run(|sockets| build(config, sockets), &mut announcer)?;
    announcer.finish(ending)
}

/// Runs a base until `stop` completes, on the runtime of the caller.
///
/// # Errors
/// As [`run`].
pub async fn run_until(
    options: ShellOptions,
    stop: impl Future<Output = ()>,
    ready: &mut (impl Write + Send),
) -> Result<Ending, ShellError> {
    let (program, config) = prepare(options)?;
    let mut announcer = Announcer::new(ready);
    let ending = program
        .run_until(stop, |sockets| build(config, sockets), &mut announcer)
        .await?;
    announcer.finish(ending)
}

fn prepare(options: ShellOptions) -> Result<(Program, BaseConfig), ShellError> {
    let (provisioning_url, alias) = provisioning(&options.provisioning)?;
    let mut program = Program::new(SocketSpec {
        sip: vec![(Transport::Udp, options.sip), (Transport::Tcp, options.sip)],
        console: options.console,
        web: options.web,
    });
    if let Some(path) = alias {
        program = program.with_fetcher(Fetcher::new()?.with_alias(&provisioning_url, &path));
    }
    let config = BaseConfig {
        model: options.model,
        mutant: options.mutant,
        mac: options.mac,
        sip: options.sip,
        provisioning_url,
        seed: options.seed,
    };
    Ok((program, config))
}

fn build(config: BaseConfig, sockets: &Sockets) -> Base {
    Base::new(BaseConfig {
        sip: sockets.sip_addr(),
        ..config
    })
}

/// The URL that a base is told, and the file behind it when the URL is not the file's own.
fn provisioning(text: &str) -> Result<(String, Option<PathBuf>), ShellError> {
    if text.contains("://") {
        return Ok((text.to_owned(), None));
    }
    let path = Path::new(text);
    let missing = |source| ShellError::Provisioning {
        path: path.to_owned(),
        source,
    };
    let kind = std::fs::metadata(path).map_err(missing)?;
    let url = file_url(path).ok_or_else(|| missing(std::io::ErrorKind::InvalidInput.into()))?;
    // A base takes a URL without this ending for a folder.
    if kind.is_dir() || url.ends_with(".xml") {
        Ok((url, None))
    } else {
        Ok((format!("{url}.xml"), Some(path.to_owned())))
    }
}

/// Waits until the base is up and says so, once.
struct Announcer<'w, W> {
    writer: &'w mut W,
    failed: Option<std::io::Error>,
    addresses: Option<Addresses>,
    said: bool,
}

struct Addresses {
    sip: SocketAddr,
    console: Option<String>,
    web: Option<SocketAddr>,
}

impl<'w, W: Write> Announcer<'w, W> {
    fn new(writer: &'w mut W) -> Self {
        Self {
            writer,
            failed: None,
            addresses: None,
            said: false,
        }
    }

    fn finish(self, ending: Ending) -> Result<Ending, ShellError> {
        self.failed
            .map_or(Ok(ending), |error| Err(ShellError::Ready(error)))
    }

    fn announce(&mut self, base: &Base) -> std::io::Result<()> {
        let Some(addresses) = &self.addresses else {
            return Ok(());
        };
        let handsets: Vec<_> = base
            .accounts()
            .iter()
            .map(|account| {
                json!({
                    "ipui": account.handset.as_str(),
                    "account": format!("sip:{}@{}", account.user_name, account.provider.domain),
                })
            })
            .collect();
        let line = json!({
            "sip": addresses.sip.to_string(),
            "console": addresses.console,
            "web": addresses.web.map(|address| address.to_string()),
            "handsets": handsets,
        });
        writeln!(self.writer, "{line}")?;
        self.writer.flush()
    }
}

impl<W: Write + Send> Observer<Base> for Announcer<'_, W> {
    fn bound(&mut self, sockets: &Sockets) {
        self.addresses = Some(Addresses {
            sip: sockets.sip_addr(),
            console: sockets.console_path().map(str::to_owned),
            web: sockets.web_addr(),
        });
    }

    fn settled(&mut self, now: Instant, base: &Base) {
        if !self.said && (base.is_settled() || now >= Instant::EPOCH + LONGEST_START) {
            self.said = true;
            self.failed = self.announce(base).err();
        }
    }

    fn wake(&self) -> Option<Instant> {
        (!self.said).then_some(Instant::EPOCH + LONGEST_START)
    }
}
