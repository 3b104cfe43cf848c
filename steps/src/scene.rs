//! What a scenario has on its stage: the bench, the people, and the moment that deadlines count from.
//!
//! A step is performed here: its beginning and its outcome are records of the evidence, its body is a closure over the
//! scene. Deadlines of a `Then` count from the last stimulus, or from the NOTIFY that the step names.

use crate::sight;
use crate::sight::registration::Registrations;
use crate::sight::subscription::Subscriptions;
use crate::snapshot::{Opening, Prelude, Rest, Snapshots};
use crate::vocabulary::{Limit, Setting};
use bench::{Account, Bench, Handset, PortalNow, RigError};
use evidence::log::{Log, Stamp};
use evidence::message::Message;
use evidence::record::{Observation, Record, Screen, StepOutcome, StepPhase};
use reports::fold;
use reports::index::CaseEntry;
use server::fault::Fault;
use server::{Faults, PortalError, SiteId};
use sip::time::Instant;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Why a step did not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StepFailure {
    /// The base is wrong.
    #[error("{0}")]
    Base(String),
    /// What it needs is not there.
    #[error("not applicable: {0}")]
    NotApplicable(String),
    /// It cannot be decided.
    #[error("inconclusive: {0}")]
    Undecided(String),
    /// The rig cannot work.
    #[error("rig error: {0}")]
    Rig(String),
}

impl From<RigError> for StepFailure {
    fn from(error: RigError) -> Self {
        match error {
            // A menu that is not as the profile says may be the base's fault or the profile's: nobody can tell.
            RigError::Menu { .. } => Self::Undecided(error.to_string()),
            _ => Self::Rig(error.to_string()),
        }
    }
}

impl From<PortalError> for StepFailure {
    fn from(error: PortalError) -> Self {
        Self::Rig(format!("the portal: {error}"))
    }
}

/// A point in the evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mark {
    /// The last record before it.
    pub seq: u64,
    /// When it was.
    pub at: Instant,
}

/// What a scenario has on its stage.
pub struct Scene {
    bench: Result<Box<Bench>, String>,
    log_file: Option<PathBuf>,
    /// What comes before the scenario's own part, if that is shared.
    prelude: Option<Prelude>,
    powered: bool,
    registrations: Registrations,
    subscriptions: Subscriptions,
    /// The last record that the two have taken in.
    read: u64,
    /// When the base was switched on last.
    pub start: Mark,
    /// The last stimulus.
    pub stimulus: Mark,
    /// The user whom it was about, when it was about one.
    pub addressee: Option<String>,
    /// The request of the base that a later step refers to.
    pub seen: Mark,
}

impl Scene {
    /// A scene with this bench, or with the reason why there is none.
    #[must_use]
    pub fn new(bench: Result<Bench, RigError>, log_file: Option<PathBuf>) -> Self {
        let bench = bench.map(Box::new).map_err(|error| error.to_string());
        Self {
            bench,
            log_file,
            prelude: None,
            powered: false,
            registrations: Registrations::default(),
            subscriptions: Subscriptions::default(),
            read: 0,
            start: Mark::default(),
            stimulus: Mark::default(),
            addressee: None,
            seen: Mark::default(),
        }
    }

    /// A scene without a bench.
    #[must_use]
    pub fn broken(reason: &str, log_file: Option<PathBuf>) -> Self {
        Self {
            bench: Err(reason.to_owned()),
            log_file,
            prelude: None,
            powered: false,
            registrations: Registrations::default(),
            subscriptions: Subscriptions::default(),
            read: 0,
            start: Mark::default(),
            stimulus: Mark::default(),
            addressee: None,
            seen: Mark::default(),
        }
    }

    /// Performs a step between its two records.
    ///
    /// # Errors
    /// As the body.
    pub fn perform(
        &mut self,
        phase: StepPhase,
        text: &str,
        body: impl FnOnce(&mut Self) -> Result<(), StepFailure>,
    ) -> Result<(), StepFailure> {
        if let Some(Prelude::Done(steps)) = &mut self.prelude {
            *steps -= 1;
            if *steps == 0 {
                self.prelude = None;
            }
            return Ok(());
        }
        self.bench()?.step_began(phase, text);
        let result = body(self);
        let (outcome, reason) = outcome_of(&result);
        self.bench()?.step_ended(phase, text, outcome, &reason);
        self.go_on(result.is_ok())?;
        result
    }

    /// A step of the prelude has ended, or the prelude has none: after its last one a copy is kept, and the scenario's own
    /// part begins.
    fn go_on(&mut self, holds: bool) -> Result<(), StepFailure> {
        if let Some(Prelude::Ahead { steps, .. }) = &mut self.prelude
            && *steps > 1
            && holds
        {
            *steps -= 1;
            return Ok(());
        }
        let Some(Prelude::Ahead {
            opening,
            snapshots,
            rest,
            ..
        }) = self.prelude.take()
        else {
            return Ok(());
        };
        if holds {
            snapshots.keep(&opening, self);
            self.begin(&rest)?;
        }
        Ok(())
    }

    /// Performs these steps first; a copy of what they lead to is kept, and then the rest begins.
    #[must_use]
    pub fn with_prelude(mut self, opening: Opening, snapshots: Snapshots, rest: Rest) -> Self {
        let steps = opening.steps();
        self.prelude = Some(Prelude::Ahead {
            steps,
            opening,
            snapshots,
            rest,
        });
        if steps == 0 {
            // A scene without a bench says so in its first step.
            let _ = self.go_on(self.bench.is_ok());
        }
        self
    }

    /// Goes on from a snapshot, whose steps are in the evidence already: writes them into the case's file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn resume(
        &mut self,
        opening: &Opening,
        log_file: Option<PathBuf>,
        rest: &Rest,
    ) -> Result<(), StepFailure> {
        if let Some(path) = &log_file {
            self.bench()?.write_evidence(path)?;
        }
        self.log_file = log_file;
        let steps = opening.steps();
        self.prelude = (steps > 0).then_some(Prelude::Done(steps));
        self.begin(rest)
    }

    /// From here on the scenario is its own: what is drawn by lot follows from its own seed.
    fn begin(&mut self, rest: &Rest) -> Result<(), StepFailure> {
        self.name(rest);
        self.bench()?.reseed(rest.seed);
        Ok(())
    }

    /// Names the scenario in its evidence.
    pub fn name(&mut self, rest: &Rest) {
        if let Ok(bench) = self.bench() {
            bench.note(&format!("scenario {}", rest.scenario));
        }
    }

    /// An independent copy whose evidence is in memory; nothing where the laboratory cannot be copied.
    #[must_use]
    pub fn fork(&self) -> Option<Self> {
        let bench = self.bench.as_ref().ok()?.fork()?;
        Some(Self {
            bench: Ok(Box::new(bench)),
            log_file: None,
            prelude: None,
            powered: self.powered,
            registrations: self.registrations.clone(),
            subscriptions: self.subscriptions.clone(),
            read: self.read,
            start: self.start,
            stimulus: self.stimulus,
            addressee: self.addressee.clone(),
            seen: self.seen,
        })
    }

    /// Ends the scenario and folds it. `undefined` says that a step has no definition, `failed` that one did not hold:
    /// one that failed before it began has left no record.
    pub fn end(&mut self, entry: &CaseEntry, undefined: bool, failed: bool) -> fold::Case {
        let gone = Err("the scenario has ended".to_owned());
        let mut bench = match std::mem::replace(&mut self.bench, gone) {
            Ok(bench) => bench,
            Err(reason) => {
                if let Some(path) = &self.log_file {
                    write_broken(path, &reason);
                }
                return fold::Case::broken(entry, &reason);
            }
        };
        if undefined {
            bench.step_ended(
                StepPhase::Rig,
                "(undefined)",
                StepOutcome::Error,
                "a step has no definition",
            );
        }
        if failed
            && !bench
                .log()
                .records()
                .iter()
                .any(|record| is_step_that_did_not_hold(record))
        {
            bench.step_ended(
                StepPhase::Rig,
                "(step)",
                StepOutcome::Error,
                "a step failed before it began",
            );
        }
        self.look_once_more(&mut bench);
        let report = bench.finish();
        let mut log = report.log;
        let at = log.records().last().map_or(0, |record| record.at);
        if let Some(error) = report.rig_error {
            let (outcome, reason) = outcome_of(&Err(StepFailure::from(error)));
            log.append(Stamp::at(at), step_record("(bench)", outcome, reason));
        }
        if let Some(reason) = read_differently(&report.read_differently) {
            log.append(
                Stamp::at(at),
                step_record("(second reader)", StepOutcome::Error, reason),
            );
        }
        if report.lagged {
            let reason = "the rig lagged behind its own deadlines".to_owned();
            log.append(
                Stamp::at(at),
                step_record("(bench)", StepOutcome::Inconclusive, reason),
            );
        }
        log.append(Stamp::at(at), Observation::ScenarioEnd);
        fold::Case::with_rules(entry, log.into_records(), report.rules)
    }

    /// Lets the deadlines of the base pass, and looks at the resting handsets: rules judge displays at rest. In the wire
    /// laboratory, where it takes as long as it says, only after a step that failed.
    fn look_once_more(&self, bench: &mut Bench) {
        let failed = bench.log().records().iter().any(|record| {
            let Observation::Step { outcome, .. } = &record.observation else {
                return false;
            };
            matches!(outcome, Some(StepOutcome::Fail))
        });
        let records = bench.log().records();
        let free = records.first().is_some_and(|record| record.wall.is_none());
        if !self.powered || !(free || failed) {
            return;
        }
        let accounts: Vec<Account> = bench.provisioned().cloned().collect();
        // What goes wrong from here on breaks the bench, and the report says so.
        let _ = bench.run_for(LAST_LOOK).and_then(|()| {
            accounts
                .iter()
                .try_for_each(|account| bench.face(&account.name)?.read().map(|_| ()))
        });
    }

    /// The bench.
    ///
    /// # Errors
    /// When it could not be opened.
    pub fn bench(&mut self) -> Result<&mut Bench, StepFailure> {
        self.bench
            .as_deref_mut()
            .map_err(|reason| StepFailure::Rig(reason.clone()))
    }

    /// Somebody by the name that the features use.
    ///
    /// # Errors
    /// When the rig has no handset for them.
    pub fn person(&mut self, name: &str) -> Result<Account, StepFailure> {
        Ok(self.bench()?.account(name)?.clone())
    }

    /// Somebody's handset.
    ///
    /// # Errors
    /// When the rig has no handset for them.
    pub fn handset(&mut self, name: &str) -> Result<Handset<'_>, StepFailure> {
        Ok(Handset::new(self.bench()?.face(name)?))
    }

    /// The portal of the application server.
    ///
    /// # Errors
    /// When there is no bench.
    pub fn portal(&mut self) -> Result<PortalNow<'_>, StepFailure> {
        Ok(self.bench()?.portal()?)
    }

    /// Makes the application server do what no user can have it do.
    ///
    /// # Errors
    /// When there is no bench, or the server cannot be made to.
    pub fn inject<R>(
        &mut self,
        verb: impl FnOnce(&mut dyn Faults, Instant) -> R,
    ) -> Result<R, StepFailure> {
        match self.bench()?.faults() {
            Some(mut faults) => Ok(faults.inject(verb)),
            None => Err(StepFailure::NotApplicable(
                "a real server cannot be made to misbehave".to_owned(),
            )),
        }
    }

    /// The same, with a record of it in these words.
    ///
    /// # Errors
    /// As [`inject`](Self::inject).
    pub fn inject_fault<R>(
        &mut self,
        words: &str,
        verb: impl FnOnce(&mut dyn Faults, Instant) -> R,
    ) -> Result<R, StepFailure> {
        // What the server does at once is recorded after what made it do so.
        self.inject(|_, _| ())?;
        self.bench()?.fault(words);
        self.inject(verb)
    }

    /// Which accounts the base has registered by now, as its own interface shows.
    ///
    /// # Errors
    /// When there is no bench.
    pub fn registrations(&mut self) -> Result<&Registrations, StepFailure> {
        self.read_on()?;
        Ok(&self.registrations)
    }

    /// Which subscriptions the base has by now, as its own interface shows.
    ///
    /// # Errors
    /// When there is no bench.
    pub fn subscriptions(&mut self) -> Result<&Subscriptions, StepFailure> {
        self.read_on()?;
        Ok(&self.subscriptions)
    }

    fn read_on(&mut self) -> Result<(), StepFailure> {
        let bench = self.bench.as_deref();
        let bench = bench.map_err(|reason| StepFailure::Rig(reason.clone()))?;
        for record in bench.log().after(self.read) {
            self.registrations.observe(record);
            self.subscriptions.observe(record);
        }
        self.read = bench.last_seq();
        Ok(())
    }

    /// Lets the world run until something more is recorded, until the deadline at the latest.
    ///
    /// # Errors
    /// When the rig breaks.
    pub fn run_on(&mut self, deadline: Instant) -> Result<(), StepFailure> {
        let bench = self.bench()?;
        let (seq, left) = (bench.last_seq(), deadline.since(bench.now()));
        bench.until_record(seq, left, |_| true)?;
        Ok(())
    }

    /// Switches the base on, unless it is on.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn power_on(&mut self) -> Result<(), StepFailure> {
        if !self.powered {
            self.start = self.mark()?;
            self.bench()?.power_on()?;
            self.powered = true;
        }
        Ok(())
    }

    /// Takes the base's power away.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn power_off(&mut self) -> Result<(), StepFailure> {
        self.powered = false;
        Ok(self.bench()?.power_off()?)
    }

    /// Restarts the base by a command on its console.
    ///
    /// # Errors
    /// When the rig cannot do that.
    pub fn reboot(&mut self) -> Result<(), StepFailure> {
        let bench = self.bench()?;
        for unit in bench.units() {
            bench.reboot(&unit)?;
        }
        // What reaches the base before it is back belongs to the boot before.
        self.start = self.mark()?;
        Ok(())
    }

    /// Loads a fault into the server's plan and records it.
    ///
    /// # Errors
    /// As [`inject`](Self::inject).
    pub fn load_fault(&mut self, words: &str, fault: Fault) -> Result<(), StepFailure> {
        self.inject_fault(words, |server, _| server.load_fault(SiteId::FIRST, fault))?;
        Ok(())
    }

    /// What follows is a reaction to what happens now.
    ///
    /// # Errors
    /// When there is no bench.
    pub fn mark(&mut self) -> Result<Mark, StepFailure> {
        self.stimulus = self.here()?;
        self.addressee = None;
        Ok(self.stimulus)
    }

    /// The same, of what happens to this user alone.
    ///
    /// # Errors
    /// When there is no bench.
    pub fn mark_for(&mut self, user: &str) -> Result<Mark, StepFailure> {
        let mark = self.mark()?;
        self.stimulate(mark, user);
        Ok(mark)
    }

    /// What follows is a reaction to what happened to this user then.
    pub fn stimulate(&mut self, mark: Mark, user: &str) {
        self.stimulus = mark;
        self.addressee = Some(user.to_owned());
    }

    /// The present point in the evidence.
    ///
    /// # Errors
    /// When there is no bench.
    pub fn here(&mut self) -> Result<Mark, StepFailure> {
        let bench = self.bench()?;
        Ok(Mark {
            seq: bench.last_seq(),
            at: bench.now(),
        })
    }

    /// Lets the world run until a record satisfies the condition: those after `mark` that are there already, then those
    /// that come, up to `limit` after the mark. Gives the moment of that record.
    ///
    /// # Errors
    /// When the rig breaks.
    pub fn await_record(
        &mut self,
        mark: Mark,
        limit: Duration,
        condition: impl FnMut(&Record) -> bool,
    ) -> Result<Option<Mark>, StepFailure> {
        let deadline = mark.at + limit;
        let bench = self.bench()?;
        let left = deadline.since(bench.now());
        let found = bench.until_record(mark.seq, left, condition)?;
        let record = found.and_then(|seq| bench.log().record(seq));
        let found = record.map(|record| Mark {
            seq: record.seq,
            at: Instant::from_micros(record.at),
        });
        Ok(found.filter(|found| found.at <= deadline))
    }

    /// Lets the world run until this long after the mark and gives what was recorded since the mark.
    ///
    /// # Errors
    /// When the rig breaks.
    pub fn run_until(
        &mut self,
        mark: Mark,
        length: Duration,
    ) -> Result<&[Arc<Record>], StepFailure> {
        let bench = self.bench()?;
        let left = (mark.at + length).since(bench.now());
        bench.run_for(left)?;
        Ok(bench.log().after(mark.seq))
    }

    /// The NOTIFY that the last stimulus led to: waits for the first one of the services that reaches this account's
    /// handset, copies of earlier ones apart. Gives the moment at which it was delivered.
    ///
    /// # Errors
    /// When none comes: that alone says nothing about the base.
    pub fn notify_for(&mut self, name: &str) -> Result<Mark, StepFailure> {
        let user = self.person(name)?.user;
        let mark = self.stimulus;
        let underway = self.notified_by(mark)?;
        let found = self.await_record(mark, NOTIFY_COMES, |record| {
            sight::notify_for(record, &user).is_some_and(|notify| !is_on(&notify, &underway))
        })?;
        found.ok_or_else(|| {
            let limit = NOTIFY_COMES.as_secs();
            StepFailure::Undecided(format!(
                "no NOTIFY for {name} reached the base within {limit} s"
            ))
        })
    }

    /// The branches of the NOTIFYs that had left for the base by then.
    ///
    /// # Errors
    /// When there is no bench.
    pub fn notified_by(&mut self, mark: Mark) -> Result<BTreeSet<String>, StepFailure> {
        let records = self.bench()?.log().records();
        let until = records.partition_point(|record| record.seq <= mark.seq);
        Ok(sight::notified_on(records.get(..until).unwrap_or_default()))
    }

    /// When the time limit of a step is over that is about this person; `unsaid` when the step does not say.
    ///
    /// # Errors
    /// When it counts from a NOTIFY and none comes.
    pub fn deadline(
        &mut self,
        name: &str,
        limit: Limit,
        unsaid: Instant,
    ) -> Result<Instant, StepFailure> {
        Ok(match limit {
            Limit::Unsaid => unsaid,
            Limit::OfStimulus(length) => self.stimulus.at + length,
            Limit::OfNotify(length) => self.notify_for(name)?.at + length,
        })
    }

    /// Waits until the idle screen shows the setting.
    ///
    /// # Errors
    /// When it does not in time.
    pub fn idle_shows(
        &mut self,
        name: &str,
        wanted: &Setting,
        deadline: Instant,
    ) -> Result<(), StepFailure> {
        self.handset(name)?.go_idle()?;
        let profile = self.bench()?.shared_profile();
        let left = deadline.since(self.bench()?.now());
        let shows = |screen: &Screen| sight::idle_agrees(&profile.display, screen, wanted);
        if self.handset(name)?.until_screen(left, shows)?.is_some() {
            return Ok(());
        }
        let shown = self.handset(name)?.read_screen()?;
        let shown = sight::words(&shown);
        Err(StepFailure::Base(format!(
            "{name}'s idle screen shows {shown}, which is not {wanted}"
        )))
    }

    /// Lets this much time pass, in which the idle screen shows the setting and nothing else.
    ///
    /// # Errors
    /// When it shows something else in between.
    pub fn idle_goes_on_showing(
        &mut self,
        name: &str,
        wanted: &Setting,
        length: Duration,
    ) -> Result<(), StepFailure> {
        self.handset(name)?.go_idle()?;
        let start = self.here()?;
        self.handset(name)?.read_screen()?;
        self.run_until(start, length)?;
        self.handset(name)?.read_screen()?;
        let (profile, own) = (self.bench()?.shared_profile(), self.person(name)?.handset);
        let records = self.bench()?.log().after(start.seq);
        let other = records.iter().find_map(|record| match &record.observation {
            Observation::Screen(screen) if screen.handset == own => {
                let agrees = sight::idle_agrees(&profile.display, screen, wanted);
                (!agrees).then(|| (Instant::from_micros(record.at), sight::words(screen)))
            }
            _ => None,
        });
        match other {
            None => Ok(()),
            Some((at, shown)) => Err(StepFailure::Base(format!(
                "{name}'s idle screen showed {shown} at {at} s, which is not {wanted}"
            ))),
        }
    }
}

/// Whether a request came on one of these branches.
#[must_use]
pub fn is_on(request: &Message, branches: &BTreeSet<String>) -> bool {
    request
        .branch()
        .is_some_and(|branch| branches.contains(branch))
}

fn is_step_that_did_not_hold(record: &Record) -> bool {
    let Observation::Step { outcome, .. } = &record.observation else {
        return false;
    };
    outcome.is_some_and(|outcome| outcome != StepOutcome::Pass)
}

/// The longest deadline of a rule, and then some.
const LAST_LOOK: Duration = Duration::from_secs(12);

/// How long a NOTIFY may take to come before the scenario gives up on it: longer than any retransmission.
const NOTIFY_COMES: Duration = Duration::from_secs(40);

fn outcome_of(result: &Result<(), StepFailure>) -> (StepOutcome, String) {
    let outcome = match result {
        Ok(()) => return (StepOutcome::Pass, String::new()),
        Err(StepFailure::Base(_)) => StepOutcome::Fail,
        Err(StepFailure::NotApplicable(_)) => StepOutcome::NotApplicable,
        Err(StepFailure::Undecided(_)) => StepOutcome::Inconclusive,
        Err(StepFailure::Rig(_)) => StepOutcome::Error,
    };
    (
        outcome,
        result
            .as_ref()
            .err()
            .map(ToString::to_string)
            .unwrap_or_default(),
    )
}

/// The first message that two readers of SIP read differently, and how many more there were.
fn read_differently(told: &[String]) -> Option<String> {
    let first = told.first()?;
    Some(match told.len() - 1 {
        0 => first.clone(),
        1 => format!("{first} (and one message more)"),
        more => format!("{first} (and {more} messages more)"),
    })
}

fn step_record(text: &str, outcome: StepOutcome, reason: String) -> Observation {
    Observation::Step {
        phase: StepPhase::Rig,
        text: text.to_owned(),
        outcome: Some(outcome),
        reason,
    }
}

/// Leaves a log for a case whose bench was never there, or is gone, so that later folds know why. What is there already
/// stays: a log that cannot be read says enough, and one that can is replaced as a whole.
pub fn write_broken(path: &Path, reason: &str) {
    let Ok(before) = path.exists().then(|| Log::load(path)).transpose() else {
        return;
    };
    if let Some(folder) = path.parent() {
        let _ = fs::create_dir_all(folder);
    }
    let draft = path.with_extension("new");
    let Ok(mut log) = Log::create(&draft) else {
        return;
    };
    let mut last = 0;
    for record in before.iter().flat_map(Log::records) {
        last = record.at;
        log.append(Stamp::of(record), record.observation.clone());
    }
    log.append(
        Stamp::at(last),
        step_record("(rig)", StepOutcome::Error, reason.to_owned()),
    );
    log.append(Stamp::at(last), Observation::ScenarioEnd);
    if log.failure().is_none() {
        let _ = fs::rename(&draft, path);
    }
}
