//! Calibration: every mutant on its device, and what it breaks held against what it must and may break.
//!
//! A mutant runs in the virtual laboratory, by the usual face of the first emulated rig that has a base of its model, each
//! scenario with the reference dialect of its mechanism. The good base runs the same cases and must pass them all. Mutants
//! share nothing, so each is worked by one core, and no evidence is written. What is wrong comes out as [`Complaint`]s and as
//! a [`Outcome::diff`] of the files that would have to say so; nothing changes them here.

mod complaint;

pub use complaint::Complaint;

use crate::cli::{CalibrateArgs, SelectArgs};
use crate::command::{self, UsageError};
use crate::opener::Benches;
use crate::plan::{Case, Decision, Extent, Plan, Selection};
use crate::suite::Pass;
use bench::rig::{BaseUnderTest, LabKind, Rig};
use document::{FileError, did_you_mean};
use evidence::catalogue::Catalogue;
use evidence::verdict::Verdict;
use firmware_stubs::{Matrix, Mutant};
use futures::{StreamExt as _, TryFutureExt as _, TryStreamExt as _, stream};
use server::Dialect;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::num::NonZeroUsize;
use std::panic;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Everything that is compared, read and planned, before anything runs.
pub struct Calibration {
    subjects: Vec<Subject>,
    matrix: Matrix,
    /// The file of the matrix, and its text.
    written: (PathBuf, String),
    devices: BTreeMap<String, Device>,
    seed: u64,
    /// Whether all scenarios run, so that an entry which nothing needed is known to be too many.
    all: bool,
    /// Whether all mutants run, so that a requirement which none must break is known to be unguarded.
    whole: bool,
}

/// One mutant.
struct Subject {
    name: String,
    /// The name or file that was asked for: what `lockstep run` would be given, and so the same lots are drawn.
    given: String,
    file: PathBuf,
    text: String,
    mutant: Mutant,
    plan: Arc<Plan>,
}

/// Where the mutants of one model run.
struct Device {
    rig: Arc<Rig>,
    dialects: BTreeMap<String, Arc<Dialect>>,
    plan: Plan,
}

/// What one base did: a mutant, or a good one.
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The mutant; of a good base, its model.
    pub name: String,
    /// The model.
    pub model: String,
    /// How many cases ran.
    pub cases: usize,
    /// In how many cases each requirement was broken.
    pub broken: BTreeMap<String, usize>,
    /// The ids of the cases in which the rig could not work.
    pub errors: Vec<String>,
    /// The cases that did not pass, in words: a good base has none.
    pub not_passed: Vec<String>,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// One row for each model.
    pub good: Vec<Row>,
    /// One row for each mutant, in the order of names.
    pub mutants: Vec<(Row, Expected)>,
    /// What is wrong.
    pub complaints: Vec<Complaint>,
    /// The files as they would have to be for nothing to be wrong, as a unified diff.
    pub diff: String,
}

/// What a mutant is expected to break.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    /// What it must break.
    pub must: BTreeSet<String>,
    /// What it may break.
    pub may: BTreeSet<String>,
}

impl Calibration {
    /// Reads the mutants, the matrix, the rigs and the features.
    ///
    /// # Errors
    /// When a file is missing or wrong, there is no such mutant, or no emulated rig has a base of its model.
    pub fn read(args: &CalibrateArgs) -> Result<Self, UsageError> {
        let names = if args.mutants.is_empty() {
            command::mutant_names()?
        } else {
            args.mutants.clone()
        };
        let mut known = BTreeMap::new();
        for name in command::mutant_names()? {
            known.insert(name.clone(), command::mutant(&name)?);
        }
        let mut calibration = Self {
            subjects: Vec::new(),
            matrix: Matrix::default(),
            written: (args.matrix.clone(), String::new()),
            devices: BTreeMap::new(),
            seed: args.seed,
            all: args.all,
            whole: args.mutants.is_empty(),
        };
        let rigs = command::rigs(&SelectArgs::default())?;
        for name in &names {
            let subject = calibration.subject(name, &rigs)?;
            known.insert(subject.name.clone(), subject.mutant.clone());
            calibration.subjects.push(subject);
        }
        calibration
            .subjects
            .sort_by(|one, two| one.name.cmp(&two.name));
        let (file, text) = &mut calibration.written;
        *text = fs::read_to_string(&*file).map_err(|error| FileError::unreadable(file, &error))?;
        let ids = Catalogue::embedded().iter().map(|row| row.id.as_str());
        let name = file.display().to_string();
        calibration.matrix = Matrix::from_toml(text, &name, &known, &ids.collect())?;
        Ok(calibration)
    }

    fn subject(&mut self, given: &str, rigs: &[Arc<Rig>]) -> Result<Subject, UsageError> {
        let file = command::mutant_file(given)?;
        let text =
            fs::read_to_string(&file).map_err(|error| FileError::unreadable(&file, &error))?;
        let mutant = command::mutant(given)?;
        let name = file.file_stem().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        let model = mutant.model();
        if !self.devices.contains_key(model) {
            let device = Device::of(model, rigs)?.ok_or_else(|| {
                let hint = did_you_mean(model, models(rigs).iter().map(String::as_str));
                UsageError::Words(format!("{name}: no emulated rig has a `{model}`{hint}"))
            })?;
            self.devices.insert(model.to_owned(), device);
        }
        let must = (!self.all).then_some(mutant.requirements().must.as_slice());
        let plan = Arc::new(narrowed(&self.devices[model].plan, must));
        Ok(Subject {
            name,
            given: given.to_owned(),
            file,
            text,
            mutant,
            plan,
        })
    }

    /// Runs the good bases and the mutants, with so many workers, and compares.
    ///
    /// # Errors
    /// When a file is wrong that a rig names, or no runtime can be started.
    pub fn run(&self, workers: NonZeroUsize) -> Result<Outcome, UsageError> {
        let good = self.devices.iter().map(|(model, device)| Task {
            name: model,
            device,
            mutant: None,
            plan: Arc::new(self.plan_of_the_good(model, device)),
        });
        let mutants = self.subjects.iter().map(|subject| Task {
            name: &subject.name,
            device: &self.devices[subject.mutant.model()],
            mutant: Some(&subject.given),
            plan: Arc::clone(&subject.plan),
        });
        let tasks: Vec<Task<'_>> = good.chain(mutants).collect();
        let mut rows = work(&tasks, workers, self.seed)?;
        let mutants = rows.split_off(self.devices.len());
        Ok(self.compare(rows, mutants))
    }

    /// All cases that a mutant of this model runs.
    fn plan_of_the_good(&self, model: &str, device: &Device) -> Plan {
        let own = self.subjects.iter().filter(|it| it.mutant.model() == model);
        let ids: BTreeSet<&str> = own
            .flat_map(|subject| &subject.plan.cases)
            .map(|case| case.id.as_str())
            .collect();
        let cases = device.plan.cases.iter();
        numbered(cases.filter(|case| ids.contains(case.id.as_str())))
    }

    fn compare(&self, good: Vec<Row>, mutants: Vec<Row>) -> Outcome {
        let mut complaints: Vec<Complaint> = Complaint::about_good(&good).collect();
        let expected = self.subjects.iter().map(|subject| Expected {
            must: subject.mutant.requirements().must.iter().cloned().collect(),
            may: (self.matrix.permitted(&subject.name).map(str::to_owned)).collect(),
        });
        let mutants: Vec<(Row, Expected)> = mutants.into_iter().zip(expected).collect();
        for (row, expected) in &mutants {
            complaints.extend(Complaint::about_mutant(row, expected, self.all));
        }
        if self.whole {
            let all = mutants.iter().flat_map(|(_, expected)| &expected.must);
            complaints.extend(Complaint::about_catalogue(&all.collect()));
        }
        let diff = self.diff(&complaints);
        Outcome {
            good,
            mutants,
            complaints,
            diff,
        }
    }

    /// The files as these complaints would have them.
    fn diff(&self, complaints: &[Complaint]) -> String {
        let mut matrix = self.matrix.clone();
        let mut diff = String::new();
        for subject in &self.subjects {
            let about = |complaint: &&Complaint| complaint.mutant() == Some(subject.name.as_str());
            let mut text = subject.text.clone();
            for complaint in complaints.iter().filter(about) {
                complaint.amend(&mut matrix, &mut text);
            }
            diff.push_str(&complaint::unified(&subject.file, &subject.text, &text));
        }
        if matrix != self.matrix {
            let (file, text) = &self.written;
            diff.push_str(&complaint::unified(file, text, &matrix.to_string()));
        }
        diff
    }
}

impl Outcome {
    /// How many cases ran.
    #[must_use]
    pub fn cases(&self) -> usize {
        let rows = self.mutants.iter().map(|(row, _)| row).chain(&self.good);
        rows.map(|row| row.cases).sum()
    }
}

impl Device {
    fn of(model: &str, rigs: &[Arc<Rig>]) -> Result<Option<Self>, UsageError> {
        let Some(rig) = rigs
            .iter()
            .find(|rig| models_of(rig).any(|own| own == model))
        else {
            return Ok(None);
        };
        let rigs = [Arc::clone(rig)];
        let dialects = command::dialects(&rigs)?;
        let selection = Selection {
            extent: Extent::Reference,
            labs: vec![LabKind::Virtual],
            faces: rig.faces.iter().take(1).copied().collect(),
            ..Selection::default()
        };
        let vendors = command::vendors(&dialects);
        let plan = Plan::new(Path::new("features"), &rigs, &vendors, &selection)?;
        Ok(Some(Self {
            rig: Arc::clone(rig),
            dialects,
            plan,
        }))
    }
}

fn models_of(rig: &Rig) -> impl Iterator<Item = String> {
    rig.units().into_iter().filter_map(|unit| match unit.base {
        BaseUnderTest::Emulated { model } => Some(model),
        _ => None,
    })
}

fn models(rigs: &[Arc<Rig>]) -> BTreeSet<String> {
    rigs.iter().flat_map(|rig| models_of(rig)).collect()
}

/// The cases whose scenarios are tagged with one of these requirements; all when none is, or nothing is asked for.
fn narrowed(plan: &Plan, must: Option<&[String]>) -> Plan {
    let runs = |case: &&Case| case.decision == Decision::Run;
    let tagged = |case: &&Case| {
        let tags = &case.scenario.facts.requirements;
        must.is_some_and(|must| tags.iter().any(|id| must.contains(id)))
    };
    let some = numbered(plan.cases.iter().filter(runs).filter(tagged));
    if some.cases.is_empty() {
        numbered(plan.cases.iter().filter(runs))
    } else {
        some
    }
}

/// A plan of these cases.
fn numbered<'c>(cases: impl Iterator<Item = &'c Case>) -> Plan {
    let cases = cases.cloned().enumerate();
    Plan {
        cases: cases
            .map(|(number, case)| Case { number, ..case })
            .collect(),
        ..Plan::default()
    }
}

/// One base and its cases.
struct Task<'t> {
    name: &'t str,
    device: &'t Device,
    mutant: Option<&'t str>,
    plan: Arc<Plan>,
}

/// Runs all tasks, so many at once; the rows are in the order of the tasks. Each case has a thread of its own, so one thread
/// is enough to hand out the work.
fn work(tasks: &[Task<'_>], workers: NonZeroUsize, seed: u64) -> Result<Vec<Row>, UsageError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| UsageError::Shell(format!("cannot start a runtime: {error}")))?;
    // Where there are more workers than bases, a base gets several.
    let jobs = (workers.get() / tasks.len().max(1)).max(1);
    // Each of cucumber's suites takes the process's hook away and puts back what it found, in the order of their ends: what
    // all of them find must be the same.
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| {}));
    let rows = stream::iter(tasks.iter().enumerate())
        .map(|(at, task)| task.run(jobs, seed).map_ok(move |row| (at, row)))
        .buffer_unordered(workers.get())
        .try_collect::<BTreeMap<usize, Row>>();
    let rows = runtime.block_on(rows);
    panic::set_hook(hook);
    Ok(rows?.into_values().collect())
}

impl Task<'_> {
    async fn run(&self, jobs: usize, seed: u64) -> Result<Row, UsageError> {
        let device = self.device;
        let benches = Benches::new(
            &[Arc::clone(&device.rig)],
            device.dialects.clone(),
            seed,
            None,
            Path::new("lockstep"),
            self.mutant,
        )?;
        let row = Rc::new(RefCell::new(Row {
            name: self.name.to_owned(),
            model: models_of(&device.rig).next().unwrap_or_default(),
            ..Row::default()
        }));
        let heard = Rc::clone(&row);
        let pass = Pass {
            plan: &self.plan,
            lab: LabKind::Virtual,
            jobs,
            fail_fast: false,
            opener: Arc::new(benches),
        };
        pass.run(
            |case| Row::of(&case),
            move |one| heard.borrow_mut().add(one),
        )
        .await;
        Ok(row.take())
    }
}

impl Row {
    /// One case alone.
    fn of(case: &reports::fold::Case) -> Self {
        let broken = case.rules.iter().filter(|rule| !rule.findings.is_empty());
        let broken = broken.map(|rule| (rule.requirement.to_string(), 1));
        let (id, outcome) = (case.entry.id.to_string(), &case.outcome);
        let in_words = || {
            let (verdict, reasons) = (outcome.verdict.as_str(), outcome.reasons.join("; "));
            format!("{id}: {verdict} {reasons}")
        };
        let not_passed = (outcome.verdict != Verdict::Pass).then(in_words);
        let error = (outcome.verdict == Verdict::Error).then(|| id.clone());
        Self {
            cases: 1,
            broken: broken.collect(),
            errors: error.into_iter().collect(),
            not_passed: not_passed.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Adds what happened in other cases of the same base.
    fn add(&mut self, other: Self) {
        self.cases += other.cases;
        for (id, times) in other.broken {
            *self.broken.entry(id).or_default() += times;
        }
        self.errors.extend(other.errors);
        self.not_passed.extend(other.not_passed);
    }
}
