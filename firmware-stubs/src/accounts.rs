//! The handsets of a base and their accounts, as provisioning names them.
//!
//! A handset is named by its IPUI, ten lower-case hexadecimal digits, case-exact. Provisioning may also name a place that
//! any handset can take (`00001` or `0_1`); its settings then belong to the handset that took it. A document is the whole
//! configuration: an account that it does not mention has none of its settings any more.
//!
//! | DECT state | input | next |
//! |---|---|---|
//! | (none) | `add_hs` with `ToReg` | ToReg, pairing begins |
//! | (none) | `add_hs` otherwise | NotReg |
//! | ToReg | half of the pairing time | InReg |
//! | InReg | the rest of it | Registered, the account goes to SIP |
//! | any | missing in a document with `DeleteNotProvisionedHS` | (none) |

mod ipui;
mod parameter;

pub use ipui::Ipui;

use crate::defect::{Defect, Defects};
use crate::model::Model;
use crate::provisioning::{Document, Operation};
use parameter::{
    ACCEPTED, Account, ProviderSettings, accepted, apply_account_field, apply_provider_field,
};
use sip::node::Transport;
use sip::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// A password; it does not show itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps this text.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// A host and a port as provisioning gives them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// An address or a name.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl HostPort {
    /// The address, when the host is one (or `localhost`).
    #[must_use]
    pub fn socket_address(&self) -> Option<SocketAddr> {
        let host = match self.host.as_str() {
            "localhost" => "127.0.0.1",
            host => host.trim_start_matches('[').trim_end_matches(']'),
        };
        let address: IpAddr = host.parse().ok()?;
        Some(SocketAddr::new(address, self.port))
    }
}

/// The server of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Provider {
    /// The domain of the AOR.
    pub domain: String,
    /// Where requests go.
    pub proxy: HostPort,
    /// Where REGISTER goes.
    pub registrar: HostPort,
    /// Expires of a REGISTER.
    pub refresh_timer: Duration,
    /// How SIP travels.
    pub transport: Transport,
    /// Expires of a SUBSCRIBE.
    pub subscription_timer: Duration,
}

/// One account, as the user agent needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountSettings {
    /// Whose.
    pub handset: Ipui,
    /// The user part of the AOR.
    pub user_name: String,
    /// The user of digest.
    pub auth_name: String,
    /// The password of digest.
    pub auth_password: Secret,
    /// The name shown to others.
    pub display_name: String,
    /// The server.
    pub provider: Provider,
    /// Whether feature key synchronisation is on (`FeatureKeySyncActive`, default 0).
    pub feature_key_sync: bool,
}

/// Where a handset stands on the air interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DectState {
    /// It may not pair.
    NotReg,
    /// It may pair.
    ToReg,
    /// It is pairing.
    InReg,
    /// It is paired.
    Registered,
}

impl DectState {
    /// The word of the web interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotReg => "NotReg",
            Self::ToReg => "ToReg",
            Self::InReg => "InReg",
            Self::Registered => "Registered",
        }
    }
}

/// One row of the handset table.
#[derive(Clone, Debug)]
pub struct Handset {
    /// Its IPUI; for a place in the table that is still open, none yet.
    pub ipui: Option<Ipui>,
    /// Where it stands on the air interface.
    pub dect: DectState,
    account: Account,
}

impl Handset {
    /// The user part of its AOR, empty without account.
    #[must_use]
    pub fn user_name(&self) -> &str {
        &self.account.user_name
    }

    /// The name on its idle screen: the display name, else the user name.
    #[must_use]
    pub fn display_name(&self) -> &str {
        if self.account.display_name.is_empty() {
            &self.account.user_name
        } else {
            &self.account.display_name
        }
    }

    /// Whether its services are kept in step with the server.
    #[must_use]
    pub const fn feature_key_sync(&self) -> bool {
        self.account.feature_key_sync
    }
}

/// All handsets of a base with their accounts.
#[derive(Clone, Debug)]
pub struct HandsetTable {
    rows: BTreeMap<String, Handset>,
    /// The row of each handset that has a name.
    places: BTreeMap<Ipui, String>,
    /// The rows that are pairing, by when it goes on.
    pairing: BTreeSet<(Instant, String)>,
    providers: BTreeMap<u32, ProviderSettings>,
    admin_password: Secret,
    provisioned: bool,
    rng: fastrand::Rng,
}

impl HandsetTable {
    /// A base as it leaves the factory. The seed names the handsets that take open places.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            rows: BTreeMap::new(),
            places: BTreeMap::new(),
            pairing: BTreeSet::new(),
            providers: BTreeMap::new(),
            admin_password: Secret::new("admin"),
            provisioned: false,
            rng: generator(seed),
        }
    }

    /// Names handsets from this seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = generator(seed);
    }

    /// The base boots: the table is kept, and the next document is the first again.
    pub fn reboot(&mut self) {
        self.provisioned = false;
    }

    /// The password of the administrator.
    #[must_use]
    pub fn admin_password(&self) -> &str {
        self.admin_password.expose()
    }

    /// The rows in the order of their names.
    pub fn rows(&self) -> impl Iterator<Item = &Handset> {
        self.rows.values()
    }

    /// The paired handsets in the order of the table.
    pub fn paired(&self) -> impl Iterator<Item = (&Ipui, &Handset)> {
        self.rows()
            .filter(|row| row.dect == DectState::Registered)
            .filter_map(|row| Some((row.ipui.as_ref()?, row)))
    }

    /// Takes a document. Answers what it ignored, one line each.
    pub fn provision(
        &mut self,
        now: Instant,
        document: &Document,
        model: &Model,
        defects: &Defects,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        self.apply_operations(now, document, model, &mut notes);
        let before: BTreeMap<String, bool> = self
            .rows
            .iter()
            .map(|(name, row)| (name.clone(), row.account.feature_key_sync))
            .collect();
        self.providers.clear();
        for row in self.rows.values_mut() {
            row.account = Account::default();
        }
        for parameter in &document.parameters {
            if let Err(problem) = self.apply_parameter(&parameter.name, &parameter.value) {
                notes.push(format!("ignored {}: {problem}", parameter.name));
            }
        }
        for (name, row) in &mut self.rows {
            if self.provisioned && defects.has(Defect::SwitchNeedsReboot) {
                row.account.feature_key_sync = before.get(name).copied().unwrap_or_default();
            }
            if defects.has(Defect::SwitchIsIgnored) {
                row.account.feature_key_sync = true;
            }
        }
        self.provisioned = true;
        notes
    }

    fn apply_operations(
        &mut self,
        now: Instant,
        document: &Document,
        model: &Model,
        notes: &mut Vec<String>,
    ) {
        let mut named = BTreeSet::new();
        let mut delete_others = false;
        for operation in &document.operations {
            match operation {
                Operation::AddHandset { handset, status } => {
                    match self.add(now, handset, status.as_deref(), model) {
                        Ok(name) => drop(named.insert(name)),
                        Err(problem) => notes.push(format!("ignored add_hs {handset}: {problem}")),
                    }
                }
                Operation::DeleteNotProvisioned => delete_others = true,
                Operation::UpdateManager => {}
                Operation::Unknown(name) => notes.push(format!("ignored oper {name}: not known")),
            }
        }
        if delete_others {
            self.rows.retain(|name, _| named.contains(name));
            self.pairing.retain(|(_, name)| named.contains(name));
            self.places.retain(|_, name| named.contains(name));
        }
    }

    fn add(
        &mut self,
        now: Instant,
        handset: &str,
        status: Option<&str>,
        model: &Model,
    ) -> Result<String, String> {
        if let Some(name) = self.row_name(handset) {
            return Ok(name);
        }
        let ipui = Ipui::parse(handset);
        if ipui.is_none() && !is_open_place(handset) {
            return Err("neither an IPUI nor an open place".to_owned());
        }
        if self.rows.len() >= model.limits.handsets {
            return Err(format!("more than {} handsets", model.limits.handsets));
        }
        let to_register = status == Some("ToReg");
        let row = Handset {
            ipui,
            dect: if to_register {
                DectState::ToReg
            } else {
                DectState::NotReg
            },
            account: Account::default(),
        };
        let name = handset.to_owned();
        if to_register {
            let next = now + model.timers.pairing / 2;
            self.pairing.insert((next, name.clone()));
        }
        if let Some(ipui) = &row.ipui {
            self.places.insert(ipui.clone(), name.clone());
        }
        self.rows.insert(name.clone(), row);
        Ok(name)
    }

    /// The row that a document means by this name: the place, or the handset that took it.
    fn row_name(&self, name: &str) -> Option<String> {
        if self.rows.contains_key(name) {
            return Some(name.to_owned());
        }
        self.places.get(&Ipui::parse(name)?).cloned()
    }

    fn apply_parameter(&mut self, name: &str, value: &str) -> Result<(), String> {
        let mut parts = name.splitn(3, '.');
        let (area, key, field) = (parts.next(), parts.next(), parts.next());
        match (area, key, field) {
            (Some("SipAccount"), Some(key), Some(field)) => {
                let account = self.account(key)?;
                apply_account_field(account, field, value)
            }
            (Some("hs"), Some(key), Some(field)) => {
                self.account(key)?;
                accepted(field)
            }
            (Some("SipProvider"), Some(index), Some(field)) => {
                let index = index.parse().map_err(|_| "not a provider number")?;
                let provider = self.providers.entry(index).or_default();
                apply_provider_field(provider, field, value)
            }
            (Some("WebUIAccounts"), Some("1"), Some("Password")) if !value.is_empty() => {
                self.admin_password = Secret::new(value);
                Ok(())
            }
            (Some(area), Some(_), _) if ACCEPTED.contains(&area) => Ok(()),
            _ => Err("not known".to_owned()),
        }
    }

    fn account(&mut self, key: &str) -> Result<&mut Account, String> {
        let name = self.row_name(key);
        let row = name.and_then(|name| self.rows.get_mut(&name));
        row.map(|row| &mut row.account)
            .ok_or_else(|| format!("no handset {key}"))
    }

    /// When pairing goes on.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.pairing.first().map(|(at, _)| *at)
    }

    /// Time has passed. Whether anything changed.
    pub fn handle_timeout(&mut self, now: Instant, model: &Model) -> bool {
        let due = self.pairing.iter().take_while(|(at, _)| *at <= now);
        let due: BTreeMap<String, Instant> = due.map(|(at, name)| (name.clone(), *at)).collect();
        let changed = !due.is_empty();
        for (name, at) in due {
            self.pairing.remove(&(at, name.clone()));
            let Some(row) = self.rows.get_mut(&name) else {
                continue;
            };
            if row.dect == DectState::ToReg {
                row.dect = DectState::InReg;
                let next = now + model.timers.pairing / 2;
                self.pairing.insert((next, name));
            } else {
                row.dect = DectState::Registered;
                if row.ipui.is_none() {
                    let ipui = Ipui::of_lot(self.rng.u32(..));
                    self.places.entry(ipui.clone()).or_insert(name);
                    row.ipui = Some(ipui);
                }
            }
        }
        changed
    }

    /// The accounts for SIP: those of paired handsets with a user name and a provider.
    #[must_use]
    pub fn settings(&self, model: &Model) -> Vec<AccountSettings> {
        let mut settings = Vec::new();
        for (ipui, row) in self.paired() {
            let account = &row.account;
            let provider = self.providers.get(&account.provider);
            let Some(provider) = provider.and_then(|provider| provider.settle(model)) else {
                continue;
            };
            if account.user_name.is_empty() {
                continue;
            }
            let auth_name = if account.auth_name.is_empty() {
                &account.user_name
            } else {
                &account.auth_name
            };
            settings.push(AccountSettings {
                handset: ipui.clone(),
                user_name: account.user_name.clone(),
                auth_name: auth_name.clone(),
                auth_password: account.auth_password.clone(),
                display_name: account.display_name.clone(),
                provider,
                feature_key_sync: account.feature_key_sync,
            });
        }
        settings
    }
}

/// Whether provisioning means a place that any handset can take: `00001` or `0_1`.
fn is_open_place(name: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wildcard = name.strip_prefix("0_").is_some_and(number);
    wildcard || (name.len() == 5 && number(name))
}

/// Its numbers are not those of the user agent, which has the same seed.
fn generator(seed: u64) -> fastrand::Rng {
    fastrand::Rng::with_seed(seed ^ 0x4950_5549)
}
