//! The bench: one scenario's laboratory, log, monitor and instruments behind synchronous calls.
//!
//! A bench stays on one thread and is driven by the steps of one scenario. Nothing happens between two calls; time passes
//! only inside calls that wait or that work an instrument. Whatever is observed becomes a record, every record goes to
//! the monitor, and what the monitor finds is recorded right after it.

mod instruments;
mod running;

use crate::console::Engine;
use crate::error::RigError;
use crate::handset::Handset;
use crate::lab::network::Fault;
use crate::lab::{Addresses, Lab, Party};
use crate::profile::Profile;
use crate::provisioning::{Account, ProvisioningFile};
use crate::rig::Rig;
use crate::setup::{DOMAIN, Setup, open_lab};
use crate::web::Driver;
use bytes::Bytes;
use evidence::log::Log;
use evidence::monitor::{Finding, Monitor, RuleReport};
use evidence::record::{Observation, PowerChange, Record, Screen, StepOutcome, StepPhase, Unit};
use serde_json::Value;
use server::{AppServer, UserConfig};
use sip::node::{ExchangeId, HttpFailure};
use sip::time::Instant;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How long the control interface of our own server may take.
const PORTAL: Duration = Duration::from_secs(10);

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
    accounts: Vec<Account>,
    file: ProvisioningFile,
    console: Option<Engine>,
    web: Option<Driver>,
    answers: VecDeque<Vec<String>>,
    web_answers: VecDeque<Value>,
    logged_out: bool,
    portal: BTreeMap<ExchangeId, Option<Reply>>,
    screens: BTreeMap<String, Screen>,
    unit: Unit,
    ending: bool,
    ended: bool,
    broken: Option<RigError>,
    sip_messages: u64,
}

type Reply = Result<http::Response<Bytes>, HttpFailure>;

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
    pub fn open(mut setup: Setup) -> Result<Self, RigError> {
        let lab = open_lab(&mut setup)?;
        let log = match &setup.evidence {
            None => Log::new(),
            Some(path) => Log::create(path.clone()).map_err(|error| RigError::Evidence {
                path: path.clone(),
                reason: with_source(&error),
            })?,
        };
        let Addresses { server, .. } = lab.addresses();
        let mut file = ProvisioningFile::new(&setup.rig.mac, DOMAIN, server);
        file.accounts.clone_from(&setup.accounts);
        let (console, web) = instruments::instruments(&setup.rig, &setup.profile)?;
        let mut bench = Self {
            lab,
            log,
            monitor: Monitor::new(),
            findings: Vec::new(),
            rig: setup.rig,
            profile: setup.profile,
            accounts: setup.accounts,
            file,
            console,
            web,
            answers: VecDeque::new(),
            web_answers: VecDeque::new(),
            logged_out: false,
            portal: BTreeMap::new(),
            screens: BTreeMap::new(),
            unit: Unit::default(),
            ending: false,
            ended: false,
            broken: None,
            sip_messages: 0,
        };
        let profile = Arc::clone(&bench.profile);
        for claim in profile.observations() {
            bench.record(claim);
        }
        bench.note(&format!(
            "scenario {} on rig {} in the {} laboratory",
            setup.scenario, bench.rig.name, setup.lab
        ));
        for account in bench.accounts.clone() {
            let user = UserConfig::new(&account.user, &account.password);
            bench.server(|server, now| server.add_user(now, user));
        }
        Ok(bench)
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

    /// Where everybody is.
    #[must_use]
    pub fn addresses(&self) -> Addresses {
        self.lab.addresses()
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
        let account = self.accounts.iter().find(|account| account.name == name)?;
        self.screens.get(&account.handset)
    }

    // The server.

    /// Runs verbs of the application server, or reads from it.
    pub fn server<T>(&mut self, verb: impl FnOnce(&mut AppServer, Instant) -> T) -> T {
        let mut verb = Some(verb);
        let mut result = None;
        self.lab.with_server(&mut |server, now| {
            if let Some(verb) = verb.take() {
                result = Some(verb(server, now));
            }
        });
        match result {
            Some(result) => result,
            None => unreachable!("a laboratory runs the verb it is given"),
        }
    }

    /// Sends a request to the server's control interface, as a portal does, and waits for the answer.
    ///
    /// # Errors
    /// When there is no answer.
    pub fn portal(
        &mut self,
        request: http::Request<Bytes>,
    ) -> Result<http::Response<Bytes>, RigError> {
        self.intact()?;
        let line = format!("{} {}", request.method(), request.uri());
        self.note(&format!("the portal sends {line}"));
        let exchange = self.lab.request(Party::Server, request);
        self.portal.insert(exchange, None);
        let deadline = self.now() + PORTAL;
        loop {
            let answered = self.portal.get(&exchange).is_some_and(Option::is_some);
            if answered || self.now() >= deadline {
                break;
            }
            self.step(deadline)?;
        }
        let reason = match self.portal.remove(&exchange).flatten() {
            Some(Ok(response)) => return Ok(response),
            Some(Err(HttpFailure(reason))) => reason,
            None => "no answer".to_owned(),
        };
        let part = format!("the server's control interface, {line}");
        Err(self.breaks(RigError::Lab { part, reason }))
    }

    // The base.

    /// Switches the base on and lets the instruments listen. Takes no lab time.
    ///
    /// # Errors
    /// When the base cannot be started.
    pub fn power_on(&mut self) -> Result<(), RigError> {
        self.intact()?;
        self.lab.power_on().map_err(|error| self.breaks(error))?;
        self.power_changed(PowerChange::On);
        let now = self.now();
        (self.ending, self.ended) = (false, false);
        if let Some(console) = &mut self.console {
            console.listen(now);
        }
        if let Some(web) = &mut self.web {
            web.connect(now);
        }
        self.flush()
    }

    /// Takes the power away from the base. Takes no lab time.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn power_off(&mut self) -> Result<(), RigError> {
        self.intact()?;
        self.settle()?;
        self.power_changed(PowerChange::Off);
        self.ending = true;
        self.screens.clear();
        if let Some(console) = &mut self.console {
            console.switch_off();
        }
        if let Some(web) = &mut self.web {
            web.switch_off();
        }
        self.lab.power_off().map_err(|error| self.breaks(error))
    }

    fn power_changed(&mut self, change: PowerChange) {
        let unit = self.unit.clone();
        self.record_of(&unit, Observation::Power { change });
    }

    /// Takes the power away and gives it back at once.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn restart_base(&mut self) -> Result<(), RigError> {
        self.power_off()?;
        self.power_on()
    }

    /// Asks the base to shut down cleanly and waits for its end.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn shut_down_base(&mut self, within: Duration) -> Result<bool, RigError> {
        self.intact()?;
        self.settle()?;
        self.note("the base is asked to end");
        self.ending = true;
        self.lab.shut_down().map_err(|error| self.breaks(error))?;
        let deadline = self.now() + within;
        while !self.ended && self.now() < deadline {
            self.step(deadline)?;
        }
        Ok(self.ended)
    }

    /// Changes what the base finds when it fetches its provisioning file next.
    pub fn provision<T>(&mut self, change: impl FnOnce(&mut ProvisioningFile) -> T) -> T {
        change(&mut self.file)
    }

    /// Lets the server tell the base, over this user's account, to fetch its provisioning file again.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn check_sync(&mut self, name: &str) -> Result<(), RigError> {
        let user = self.account(name)?.user.clone();
        self.server(|server, now| server.check_sync(now, &user));
        Ok(())
    }

    // The network.

    /// Makes the network misbehave.
    pub fn disturb(&mut self, fault: Fault) {
        let text = fault.to_string();
        self.record(Observation::Fault { text });
        self.lab.disturb(fault);
    }

    /// Ends all network faults.
    pub fn calm(&mut self) {
        let text = "the network works normally again".to_owned();
        self.record(Observation::Fault { text });
        self.lab.calm();
    }

    /// Breaks every SIP stream between base and server.
    pub fn reset_streams(&mut self) {
        let text = "the network breaks every stream".to_owned();
        self.record(Observation::Fault { text });
        self.lab.reset_streams();
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

    /// The handset of this user, to be worked. It waits by itself until the instruments are ready.
    ///
    /// # Errors
    /// When there is no such account.
    pub fn handset(&mut self, name: &str) -> Result<Handset<'_>, RigError> {
        let ipui = self.account(name)?.handset.clone();
        Ok(Handset::new(self, ipui))
    }

    /// Types a command on the console and gives its answer, without echo and log lines.
    ///
    /// # Errors
    /// When the rig has no console, or it does not answer.
    pub fn console_command(&mut self, command: &str) -> Result<Vec<String>, RigError> {
        self.console_ready()?;
        self.type_command(command)
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
        let failure = self.log.failure().map(|error| RigError::Evidence {
            path: self.log.path().map(Into::into).unwrap_or_default(),
            reason: with_source(error),
        });
        BenchReport {
            findings: self.findings,
            rules,
            lagged: matches!(self.broken, Some(RigError::Lag { .. })),
            rig_error: self.broken.or(failure),
            sip_messages: self.sip_messages,
            lab_time: self.lab.now().since(Instant::EPOCH),
            log: self.log,
        }
    }
}

/// An error with its cause, for one line.
fn with_source(error: &dyn std::error::Error) -> String {
    match error.source() {
        None => error.to_string(),
        Some(source) => format!("{error}: {source}"),
    }
}
