//! What a bench is opened with, and the choice of its laboratory.

use crate::error::RigError;
use crate::lab::names::Names;
use crate::lab::virtual_lab::{BaseFactory, VirtualLab, VirtualSetup};
use crate::lab::wire_lab::{WireBase, WireLab, WireServer, WireSetup, WireUnit};
use crate::lab::{BaseSpec, Lab};
use crate::profile::Profile;
use crate::provisioning::Account;
use crate::rig::{BaseUnderTest, HandsetFace, LabKind, Rig, RigUnit};
use server::dialect::Dialect;
use server::{AppServer, ServerConfig, SiteConfig};
use sip::node::Transport;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;

/// The SIP domain of every laboratory.
pub const DOMAIN: &str = "lockstep.example";

/// What a bench is opened with.
pub struct Setup {
    /// Which laboratory.
    pub lab: LabKind,
    /// The seed of everything random in this scenario on this rig.
    pub seed: u64,
    /// The rig.
    pub rig: Arc<Rig>,
    /// How handsets are worked and read: one of the rig's faces. The instruments of the others stay unplugged.
    pub face: HandsetFace,
    /// The profile that the rig names.
    pub profile: Arc<Profile>,
    /// The dialect of the server: one of those that the rig can meet.
    pub dialect: Arc<Dialect>,
    /// Makes an emulated base in the virtual laboratory.
    pub factory: BaseFactory,
    /// The program that runs an emulated base in the wire laboratory (`lockstep`; it is given `base MODEL ..`).
    pub base_command: PathBuf,
    /// What that program is given besides, such as a mutant.
    pub base_arguments: Vec<String>,
    /// The evidence file to be written.
    pub evidence: Option<PathBuf>,
    /// The accounts, at the server and in the provisioning file.
    pub accounts: Vec<Account>,
    /// The application servers: how many sites each has. The first site of the first server is where units register.
    pub servers: Vec<usize>,
    /// Whether scenarios can make the application servers misbehave: ours can, a real one cannot.
    pub faults: bool,
    /// What names resolve to.
    pub names: Names,
}

/// Seeds for the parts of one scenario, so that none draws from another's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seeds {
    /// The application server's.
    pub server: u64,
    /// The base's.
    pub base: u64,
    /// The network's.
    pub network: u64,
}

impl Seeds {
    /// The seeds that follow from the scenario's.
    #[must_use]
    pub fn from_scenario(seed: u64) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        Self {
            server: rng.u64(..),
            base: rng.u64(..),
            network: rng.u64(..),
        }
    }
}

pub(crate) fn open_lab(setup: &Setup) -> Result<Box<dyn Lab>, RigError> {
    match setup.lab {
        LabKind::Virtual => virtual_lab(setup),
        LabKind::Wire => wire_lab(setup),
    }
}

/// An application server with one site for each list of listeners.
fn server_of(
    dialect: &Arc<Dialect>,
    seed: u64,
    listen: &[Vec<(Transport, SocketAddr)>],
) -> AppServer {
    let site = |(number, listen): (usize, &Vec<(Transport, SocketAddr)>)| SiteConfig {
        name: format!("site-{}", number + 1),
        listen: listen.clone(),
    };
    AppServer::new(ServerConfig {
        dialect: Arc::clone(dialect),
        sites: listen.iter().enumerate().map(site).collect(),
        domain: DOMAIN.to_owned(),
        seed,
    })
}

/// The seed of the n-th of several parts of one kind; the first one keeps the seed itself.
pub(crate) const fn nth(seed: u64, number: usize) -> u64 {
    seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Where the units of a virtual laboratory are, and the emulated ones of a wire laboratory: each has a host of its own.
fn unit_host(number: usize) -> IpAddr {
    let [high, low] = u16::try_from(number + 2).unwrap_or(u16::MAX).to_be_bytes();
    Ipv4Addr::new(127, 100, high, low).into()
}

/// Where a site of a virtual laboratory is.
fn site_address(server: usize, site: usize) -> SocketAddr {
    let part = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    ([127, part(server), part(site), 1], 5060).into()
}

fn virtual_lab(setup: &Setup) -> Result<Box<dyn Lab>, RigError> {
    let seeds = Seeds::from_scenario(setup.seed);
    let provisioning_url = "http://127.0.0.1:8080/provisioning".to_owned();
    let unit = |(number, unit): (usize, RigUnit)| match unit.base {
        BaseUnderTest::Emulated { model } => Ok(BaseSpec {
            model,
            mac: unit.mac,
            sip: SocketAddr::new(unit_host(number), 5060),
            provisioning_url: provisioning_url.clone(),
            seed: nth(seeds.base, number),
        }),
        BaseUnderTest::Real { .. } => Err(RigError::Missing {
            what: "emulated base, so it has no virtual laboratory".to_owned(),
        }),
    };
    let units = setup.rig.units().into_iter().enumerate().map(unit);
    let server = |(number, sites): (usize, &usize)| {
        let addresses: Vec<SocketAddr> =
            (0..*sites).map(|site| site_address(number, site)).collect();
        let listen: Vec<_> = addresses
            .iter()
            .map(|address| listeners(*address))
            .collect();
        let seed = nth(seeds.server, number);
        (server_of(&setup.dialect, seed, &listen), addresses)
    };
    Ok(Box::new(VirtualLab::new(VirtualSetup {
        servers: setup.servers.iter().enumerate().map(server).collect(),
        factory: Arc::clone(&setup.factory),
        units: units.collect::<Result<_, _>>()?,
        names: setup.names.clone(),
        seed: seeds.network,
    })))
}

fn listeners(address: SocketAddr) -> Vec<(Transport, SocketAddr)> {
    vec![(Transport::Udp, address), (Transport::Tcp, address)]
}

fn wire_lab(setup: &Setup) -> Result<Box<dyn Lab>, RigError> {
    let seeds = Seeds::from_scenario(setup.seed);
    let mut address: IpAddr = Ipv4Addr::LOCALHOST.into();
    let mut units = Vec::new();
    for (number, unit) in setup.rig.units().into_iter().enumerate() {
        let base = match &unit.base {
            BaseUnderTest::Emulated { model } => {
                emulated(setup, model, &unit.mac, nth(seeds.base, number))
            }
            BaseUnderTest::Real { address: text } => {
                let sip = sip_address(text)?;
                address = address_towards(sip)?;
                let console = unit.console.filter(|_| setup.face == HandsetFace::Console);
                let web = unit.web.filter(|_| setup.face == HandsetFace::Web);
                WireBase::Real {
                    sip,
                    console: console.map(|console| console.port),
                    web: web.map(|web| web.url),
                }
            }
        };
        let bind = unit_host(number);
        let baud = setup.profile.console.baud;
        units.push(WireUnit { base, baud, bind });
    }
    let server = |(number, sites): (usize, &usize)| {
        let (dialect, seed) = (Arc::clone(&setup.dialect), nth(seeds.server, number));
        WireServer {
            sites: *sites,
            make: Box::new(move |listen| server_of(&dialect, seed, listen)),
        }
    };
    let lab = WireLab::open(WireSetup {
        units,
        address,
        servers: setup.servers.iter().enumerate().map(server).collect(),
        names: setup.names.clone(),
        seed: seeds.network,
    })?;
    Ok(Box::new(lab))
}

fn emulated(setup: &Setup, model: &str, mac: &str, seed: u64) -> WireBase {
    let arguments = ["--seed".to_owned(), seed.to_string()];
    WireBase::Emulated {
        command: setup.base_command.clone(),
        model: model.to_owned(),
        mac: mac.to_owned(),
        arguments: arguments
            .iter()
            .chain(&setup.base_arguments)
            .map(Into::into)
            .collect(),
    }
}

/// Where a real base speaks SIP: `IP:PORT`, or an IP address with SIP's own port.
fn sip_address(text: &str) -> Result<SocketAddr, RigError> {
    let with_port = text.parse().ok();
    let plain = || Some(SocketAddr::new(text.parse().ok()?, 5060));
    with_port.or_else(plain).ok_or_else(|| RigError::Lab {
        part: "the base's address".to_owned(),
        reason: format!("`{text}` is neither an IP address nor IP:PORT"),
    })
}

/// The address of this machine that a base there can reach. No datagram is sent to find it.
fn address_towards(base: SocketAddr) -> Result<IpAddr, RigError> {
    let any: IpAddr = match base {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    UdpSocket::bind((any, 0))
        .and_then(|socket| {
            socket.connect(base)?;
            socket.local_addr()
        })
        .map(|own| own.ip())
        .map_err(|error| RigError::Lab {
            part: format!("the way to the base at {base}"),
            reason: error.to_string(),
        })
}
