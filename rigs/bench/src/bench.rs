//! The bench: one scenario's laboratory, log, monitor and instruments behind synchronous calls.
//!
//! It has one or more units, each with its own power, provisioning file and instruments; a person's handset tells which
//! unit is meant. What is said of no unit in particular is done to all.
//!
//! A bench lives on one thread and is driven by the steps of one scenario. Nothing happens between two calls; time passes
//! only inside calls that wait or that work an instrument. Whatever is observed becomes a record, every record goes to
//! the monitor, and what the monitor finds is recorded right after it.

mod administration;
mod instruments;
mod power;
mod running;
mod server;
mod unit;

pub use server::{FaultsNow, PortalNow};

use crate::error::RigError;
use crate::face::{Console, Face, UnitFace, Web};
use crate::lab::network::Fault;
use crate::lab::{Lab, Layout};
use crate::profile::Profile;
use crate::provisioning::{Account, Gate, ProvisioningFile};
use crate::rig::{HandsetFace, Rig};
use crate::setup::{DOMAIN, Setup, open_lab};
use ::server::UserConfig;
use ::server::dialect::{Dialect, Mechanism};
use evidence::log::Log;
use evidence::monitor::{Finding, Monitor, RuleReport};
use evidence::record::{Observation, Record, Screen, StepOutcome, StepPhase, Unit};
use sip::time::Instant;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use unit::UnitBench;

/// One scenario's laboratory and instruments.
///
/// [`open`](Self::open) builds everything with the base switched off, so that a scenario can prepare the server, the
/// network and the provisioning first. [`power_on`](Self::power_on) starts the base and the instruments.
///
/// **Waiting.** [`until`](Self::until), [`until_record`](Self::until_record) and [`run_for`](Self::run_for) let lab time
/// pass. To judge what happened after a stimulus, take [`last_seq`](Self::last_seq) before it and ask `until_record` for a
/// record after that mark; each record has its lab time in `at`.
///
/// **Errors.** The first [`RigError`] breaks the bench: later calls return it again. [`RigError::Menu`] does not break it:
/// the menu is not as the profile says, and the scenario may judge that. `Ok(false)` and `Ok(None)` mean that time is up.
pub struct Bench {
    lab: Box<dyn Lab>,
    log: Log,
    monitor: Monitor,
    findings: Vec<Finding>,
    rig: Arc<Rig>,
    profile: Arc<Profile>,
    accounts: Arc<[Account]>,
    face: HandsetFace,
    units: Vec<UnitBench>,
    dialect: Arc<Dialect>,
    has_faults: bool,
    broken: Option<RigError>,
    sip_messages: u64,
    read_differently: Vec<String>,
}

/// What a scenario leaves behind.
#[derive(Debug)]
pub struct BenchReport {
    /// The complete log.
    pub log: Log,
    /// What the monitor found, in the order of the log.
    pub findings: Vec<Finding>,
    /// What each rule says.
    pub rules: Vec<RuleReport>,
    /// Why the rig could not work, if it could not.
    pub rig_error: Option<RigError>,
    /// Whether the rig itself was so late that limits cannot be judged.
    pub lagged: bool,
    /// What two readers of SIP said differently, message by message. While there is any, the case proves nothing.
    pub read_differently: Vec<String>,
    /// How many SIP messages left either side.
    pub sip_messages: u64,
    /// How much lab time passed.
    pub lab_time: Duration,
}

impl Bench {
    /// Builds the laboratory and the instruments; the base is off. The profile's claims open the log, and the accounts are
    /// at the server and in the provisioning file.
    ///
    /// # Errors
    /// When the rig cannot be set up.
    pub fn open(setup: Setup) -> Result<Self, RigError> {
        let lab = open_lab(&setup)?;
        let log = match &setup.evidence {
            None => Log::new(),
            Some(path) => Log::create(path.clone()).map_err(|error| RigError::Evidence {
                path: path.clone(),
                reason: with_source(&error),
            })?,
        };
        let units = units(&setup, &lab.layout())?;
        let mut bench = Self {
            lab,
            log,
            monitor: Monitor::new(),
            findings: Vec::new(),
            rig: setup.rig,
            profile: setup.profile,
            accounts: setup.accounts.into(),
            face: setup.face,
            units,
            dialect: setup.dialect,
            has_faults: setup.faults,
            broken: None,
            sip_messages: 0,
            read_differently: Vec::new(),
        };
        let profile = Arc::clone(&bench.profile);
        for claim in profile.observations() {
            bench.record(claim);
        }
        bench.note(&format!(
            "rig {} by its {} with {} in the {} laboratory",
            bench.rig.name, bench.face, bench.dialect.name, setup.lab
        ));
        for account in Arc::clone(&bench.accounts).iter() {
            bench.add_user(&UserConfig::new(&account.user, &account.password));
        }
        bench.log.flush();
        Ok(bench)
    }

    // Forks.

    /// An independent copy of everything, as far as it has come, with its evidence in memory; nothing in a laboratory that
    /// cannot be copied.
    #[must_use]
    pub fn fork(&self) -> Option<Self> {
        Some(Self {
            lab: self.lab.fork()?,
            log: self.log.fork(),
            monitor: self.monitor.clone(),
            findings: self.findings.clone(),
            rig: Arc::clone(&self.rig),
            profile: Arc::clone(&self.profile),
            accounts: Arc::clone(&self.accounts),
            face: self.face,
            units: self.units.clone(),
            dialect: Arc::clone(&self.dialect),
            has_faults: self.has_faults,
            broken: self.broken.clone(),
            sip_messages: self.sip_messages,
            read_differently: self.read_differently.clone(),
        })
    }

    /// Draws everything random from this seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.lab.reseed(seed);
    }

    /// Writes the evidence into this file: what there is, and what comes.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_evidence(&mut self, path: &Path) -> Result<(), RigError> {
        self.log.write_to(path).map_err(|error| RigError::Evidence {
            path: path.to_owned(),
            reason: with_source(&error),
        })
    }

    // What there is.

    /// The lab time.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.lab.now()
    }

    /// Everything that was observed so far.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The number of the last record: a mark for [`until_record`](Self::until_record).
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.log.last_seq()
    }

    /// What the monitor found so far.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The rig.
    #[must_use]
    pub fn rig(&self) -> &Rig {
        &self.rig
    }

    /// The profile.
    #[must_use]
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The profile, to be kept while the bench is used.
    #[must_use]
    pub fn shared_profile(&self) -> Arc<Profile> {
        Arc::clone(&self.profile)
    }

    /// Who is in the laboratory, and where.
    #[must_use]
    pub fn layout(&self) -> Layout {
        self.lab.layout()
    }

    /// The names of the units, in the order of the rig.
    #[must_use]
    pub fn units(&self) -> Vec<Unit> {
        self.units.iter().map(|unit| unit.name.clone()).collect()
    }

    /// All accounts, as the bench was opened with them.
    #[must_use]
    pub fn accounts(&self) -> &[Account] {
        &self.accounts
    }

    /// The account of this user.
    ///
    /// # Errors
    /// When there is none.
    pub fn account(&self, name: &str) -> Result<&Account, RigError> {
        self.accounts
            .iter()
            .find(|account| account.name == name)
            .ok_or_else(|| RigError::Missing {
                what: format!("account of {name}"),
            })
    }

    /// The display of this user's handset as far as it was read or reported, without touching the base.
    #[must_use]
    pub fn screen(&self, name: &str) -> Option<&Screen> {
        let handset = &self.account(name).ok()?.handset;
        self.units.get(self.unit_of(handset))?.screens.get(handset)
    }

    /// The place of the unit that a handset is paired with; the first one for a handset that nobody knows.
    pub(crate) fn unit_of(&self, ipui: &str) -> usize {
        let paired = |unit: &UnitBench| unit.handsets.iter().any(|own| own == ipui);
        self.units.iter().position(paired).unwrap_or(0)
    }

    fn place_of(&self, unit: &Unit) -> Result<usize, RigError> {
        let found = self.units.iter().position(|own| own.name == *unit);
        found.ok_or_else(|| RigError::Missing {
            what: format!("unit {unit}"),
        })
    }

    // Provisioning.

    /// Changes what every unit finds when it fetches its provisioning file next.
    pub fn provision(&mut self, mut change: impl FnMut(&mut ProvisioningFile)) {
        for unit in &mut self.units {
            change(&mut unit.file);
        }
    }

    /// Changes what the unit of this user's handset finds when it fetches its provisioning file next.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn provision_for<T>(
        &mut self,
        name: &str,
        change: impl FnOnce(&mut ProvisioningFile) -> T,
    ) -> Result<T, RigError> {
        let handset = self.account(name)?.handset.clone();
        let place = self.unit_of(&handset);
        let unit = self.units.get_mut(place);
        unit.map(|unit| change(&mut unit.file))
            .ok_or_else(|| RigError::Missing {
                what: format!("unit of {name}"),
            })
    }

    /// The accounts that are in the provisioning files now.
    pub fn provisioned(&self) -> impl Iterator<Item = &Account> {
        self.units.iter().flat_map(|unit| &unit.file.accounts)
    }

    // The network.

    /// Makes the network misbehave.
    pub fn disturb(&mut self, fault: Fault) {
        let text = fault.to_string();
        self.record(Observation::Fault { text });
        self.lab.disturb(fault);
    }

    // The record.

    /// Records further claims, such as what is only assumed about the server's product.
    pub fn claims(&mut self, claims: &[Observation]) {
        for claim in claims {
            self.record(claim.clone());
        }
    }

    /// Records something worth knowing.
    pub fn note(&mut self, text: &str) {
        let text = text.to_owned();
        self.record(Observation::Note { text });
    }

    /// Records that a fault was loaded somewhere else than in the network.
    pub fn fault(&mut self, text: &str) {
        let text = text.to_owned();
        self.record(Observation::Fault { text });
    }

    /// Records that a step begins.
    pub fn step_began(&mut self, phase: StepPhase, text: &str) {
        self.record(Observation::Step {
            phase,
            text: text.to_owned(),
            outcome: None,
            reason: String::new(),
        });
    }

    /// Records how a step ended.
    pub fn step_ended(&mut self, phase: StepPhase, text: &str, outcome: StepOutcome, reason: &str) {
        self.record(Observation::Step {
            phase,
            text: text.to_owned(),
            outcome: Some(outcome),
            reason: reason.to_owned(),
        });
    }

    // Waiting.

    /// Lets time pass until the condition holds; `false` when it did not within this time. The condition is asked at once
    /// and after each observation; it should look at the end of the log only.
    ///
    /// # Errors
    /// When the rig breaks.
    pub fn until(
        &mut self,
        within: Duration,
        mut condition: impl FnMut(&Log) -> bool,
    ) -> Result<bool, RigError> {
        self.intact()?;
        let deadline = self.deadline(within)?;
        let mut looked_at = None;
        loop {
            if looked_at != Some(self.log.last_seq()) {
                looked_at = Some(self.log.last_seq());
                if condition(&self.log) {
                    return Ok(true);
                }
            }
            if !self.step(deadline)? && self.now() >= deadline {
                return Ok(looked_at != Some(self.log.last_seq()) && condition(&self.log));
            }
        }
    }

    /// Lets time pass until a record after number `seq` satisfies the condition, and gives its number. Each record is
    /// looked at once.
    ///
    /// # Errors
    /// When the rig breaks.
    pub fn until_record(
        &mut self,
        seq: u64,
        within: Duration,
        mut condition: impl FnMut(&Record) -> bool,
    ) -> Result<Option<u64>, RigError> {
        let (mut mark, mut found) = (seq, None);
        self.until(within, |log| {
            found = log
                .after(mark)
                .iter()
                .find(|record| condition(record))
                .map(|record| record.seq);
            mark = log.last_seq();
            found.is_some()
        })?;
        Ok(found)
    }

    /// Lets this much time pass.
    ///
    /// # Errors
    /// When the rig breaks.
    pub fn run_for(&mut self, length: Duration) -> Result<(), RigError> {
        self.until(length, |_| false).map(|_| ())
    }

    /// The handset of this user through the rig's face, to be worked. It waits by itself until the instruments are ready.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn face(&mut self, name: &str) -> Result<Box<dyn Face + '_>, RigError> {
        let ipui = self.account(name)?.handset.clone();
        Ok(match self.face {
            HandsetFace::Console => Box::new(UnitFace::<Console>::new(self, ipui)),
            HandsetFace::Web => Box::new(UnitFace::<Web>::new(self, ipui)),
        })
    }

    /// Gives the instruments back, asks the monitor for its last word and closes the log.
    #[must_use]
    pub fn finish(mut self) -> BenchReport {
        self.give_web_back();
        let stamp = self.stamp();
        let rules = self.monitor.finish(stamp.at);
        let known = self.findings.len();
        let found: Vec<Finding> = rules
            .iter()
            .flat_map(|rule| &rule.findings)
            .filter(|finding| !self.findings.iter().take(known).any(|old| old == *finding))
            .cloned()
            .collect();
        for finding in found {
            self.log.append(stamp.clone(), finding.to_observation());
            self.findings.push(finding);
        }
        self.log.flush();
        let failure = self.log.failure().map(|error| RigError::Evidence {
            path: self.log.path().map(Into::into).unwrap_or_default(),
            reason: with_source(error),
        });
        BenchReport {
            findings: self.findings,
            rules,
            lagged: matches!(self.broken, Some(RigError::Lag { .. })),
            rig_error: self.broken.or(failure),
            read_differently: self.read_differently,
            sip_messages: self.sip_messages,
            lab_time: self.lab.now().since(Instant::EPOCH),
            log: self.log,
        }
    }
}

/// The units of a rig with their provisioning files: each holds the accounts of its own handsets.
fn units(setup: &Setup, layout: &Layout) -> Result<Vec<UnitBench>, RigError> {
    let server = layout.servers.first().and_then(|place| place.sites.first());
    let server = server.copied().ok_or_else(|| RigError::Missing {
        what: "application server".to_owned(),
    })?;
    let places = setup.rig.units().into_iter().zip(&layout.units);
    let unit = |(unit, place): (crate::rig::RigUnit, &crate::lab::UnitPlace)| {
        let mut file = ProvisioningFile::new(&unit.mac, DOMAIN, server);
        file.gates = gates(&setup.dialect);
        let accounts = setup.accounts.iter();
        file.accounts = accounts
            .filter(|account| unit.handsets.contains(&account.handset))
            .cloned()
            .collect();
        UnitBench::new(unit, place.node, file, setup.face, &setup.profile)
    };
    places.map(unit).collect()
}

/// What the mechanisms of this server need to be switched on at the base.
fn gates(dialect: &Dialect) -> Vec<Gate> {
    let mut gates: Vec<Gate> = Mechanism::ALL
        .into_iter()
        .filter_map(|mechanism| dialect.gate(mechanism))
        .map(|gate| Gate {
            parameter: gate.parameter.value.clone(),
            on: gate.on.value.clone(),
        })
        .collect();
    gates.sort_by(|one, other| one.parameter.cmp(&other.parameter));
    gates.dedup();
    gates
}

/// An error with its cause, for one line.
fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        None => error.to_string(),
        Some(source) => format!("{error}: {source}"),
    }
}
