//! What a bench is opened with, and the choice of its laboratory.

use crate::error::RigError;
use crate::lab::virtual_lab::{BaseFactory, Chooser, VirtualLab, VirtualSetup};
use crate::lab::wire_lab::{WireBase, WireLab, WireSetup};
use crate::lab::{Addresses, BaseSpec, Lab};
use crate::profile::Profile;
use crate::provisioning::Account;
use crate::rig::{BaseUnderTest, HandsetFace, LabKind, Rig};
use server::dialect::Dialect;
use server::{AppServer, ServerConfig};
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
    /// The scenario's id, for the record.
    pub scenario: String,
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
    /// Decides the order of arrival in the virtual laboratory; nobody means the network's jitter.
    pub chooser: Option<Box<dyn Chooser>>,
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

pub(crate) fn open_lab(setup: &mut Setup) -> Result<Box<dyn Lab>, RigError> {
    match setup.lab {
        LabKind::Virtual => virtual_lab(setup),
        LabKind::Wire => wire_lab(setup),
    }
}

fn virtual_lab(setup: &mut Setup) -> Result<Box<dyn Lab>, RigError> {
    let BaseUnderTest::Emulated { model } = &setup.rig.base else {
        return Err(RigError::Missing {
            what: "emulated base, so it has no virtual laboratory".to_owned(),
        });
    };
    let seeds = Seeds::from_scenario(setup.seed);
    let addresses = Addresses {
        base: ([127, 0, 0, 2], 5060).into(),
        server: ([127, 0, 0, 1], 5060).into(),
        provisioning: "http://127.0.0.1:8080/provisioning".to_owned(),
    };
    let server = AppServer::new(ServerConfig {
        dialect: Dialect::clone(&setup.dialect),
        listen: vec![
            (Transport::Udp, addresses.server),
            (Transport::Tcp, addresses.server),
        ],
        domain: DOMAIN.to_owned(),
        seed: seeds.server,
    });
    Ok(Box::new(VirtualLab::new(VirtualSetup {
        server,
        factory: Arc::clone(&setup.factory),
        base: BaseSpec {
            model: model.clone(),
            mac: setup.rig.mac.clone(),
            sip: addresses.base,
            provisioning_url: addresses.provisioning.clone(),
            seed: seeds.base,
        },
        addresses,
        seed: seeds.network,
        chooser: setup.chooser.take(),
    })))
}

fn wire_lab(setup: &Setup) -> Result<Box<dyn Lab>, RigError> {
    let seeds = Seeds::from_scenario(setup.seed);
    let rig = &setup.rig;
    let (base, address) = match &rig.base {
        BaseUnderTest::Emulated { model } => {
            let base = WireBase::Emulated {
                command: setup.base_command.clone(),
                model: model.clone(),
                mac: rig.mac.clone(),
                arguments: ["--seed".to_owned(), seeds.base.to_string()]
                    .iter()
                    .chain(&setup.base_arguments)
                    .map(Into::into)
                    .collect(),
            };
            (base, Ipv4Addr::LOCALHOST.into())
        }
        BaseUnderTest::Real { address } => {
            let sip = sip_address(address)?;
            let console = (rig.console.as_ref()).filter(|_| setup.face == HandsetFace::Console);
            let web = (rig.web.as_ref()).filter(|_| setup.face == HandsetFace::Web);
            let base = WireBase::Real {
                sip,
                console: console.map(|console| console.port.clone()),
                web: web.map(|web| web.url.clone()),
            };
            (base, address_towards(sip)?)
        }
    };
    let dialect = Dialect::clone(&setup.dialect);
    let lab = WireLab::open(WireSetup {
        base,
        address,
        server: Box::new(move |listen| {
            AppServer::new(ServerConfig {
                dialect,
                listen: listen.to_vec(),
                domain: DOMAIN.to_owned(),
                seed: seeds.server,
            })
        }),
        seed: seeds.network,
    })?;
    Ok(Box::new(lab))
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
