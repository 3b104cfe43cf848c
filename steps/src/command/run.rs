//! `lockstep run`: runs a plan, tells how it goes, and writes the reports.

use super::UsageError;
use crate::cli::{ColorArg, RunArgs, SelectArgs};
use crate::opener::Benches;
use crate::plan::{Decision, Plan};
use crate::suite::{Opener, Pass, entry_of};
use crate::world::World;
use bench::rig::{HandsetFace, LabKind, Rig};
use cucumber::World as _;
use evidence::record::SCHEMA;
use evidence::verdict::{Outcome, Verdict};
use reports::console::{Console, Ended, Style};
use reports::fold;
use reports::index::{CaseEntry, RunIndex, Selected};
use reports::run::Run;
use reports::sheet::Sheet;
use rustix::time::{ClockId, clock_gettime};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{self, IsTerminal as _, Write};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// How many wire cases at once: they mostly wait, but each is a process, a pty and a few sockets; our choice.
const WIRE_JOBS: usize = 12;

/// Where runs go.
const OUT: &str = "reports/out";

/// Runs what the arguments select. Gives the exit code.
///
/// # Errors
/// When the run cannot begin, or its folder cannot be written.
pub fn run(args: &RunArgs, out: impl Write + 'static) -> Result<u8, UsageError> {
    let rigs = super::rigs(&args.select)?;
    let dialects = super::dialects(&rigs)?;
    let plan = Arc::new(super::plan(&args.select, &rigs, &dialects)?);
    let begun = wall_seconds();
    let (folder, name) = make_folder(args.out.as_deref(), begun)?;
    let index = RunIndex {
        v: SCHEMA,
        run: name,
        lockstep: env!("CARGO_PKG_VERSION").to_owned(),
        seed: args.seed,
        started: begun,
        ended: None,
        mutant: args.mutant.clone(),
        selected: selected(&args.select, &rigs),
        cases: plan.cases.iter().map(entry_of).collect(),
    };
    let unwritable = |source| UsageError::Unreadable {
        what: "run folder",
        path: folder.clone(),
        source,
    };
    index.save(&folder).map_err(unwritable)?;
    let program = std::env::current_exe().map_err(unwritable)?;
    let benches = Benches::new(
        &rigs,
        dialects,
        args.seed,
        Some(&folder),
        &program,
        args.mutant.as_deref(),
    )?;
    let benches = if args.no_snapshot {
        benches.without_snapshots()
    } else {
        benches
    };
    let total = u64::try_from(plan.cases.len()).unwrap_or(u64::MAX);
    let console = Rc::new(RefCell::new(Console::new(out, style(args), total)));
    tell_unexecuted(&plan, &console);
    let start = now();
    let run = Rc::new(RefCell::new(Run::new(&folder, index)));
    let lines = execute(&plan, args, Arc::new(benches), &console, &run)?;
    let mut run = run.borrow_mut();
    run.index.ended = Some(wall_seconds());
    run.index.save(&folder).map_err(unwritable)?;
    let took = start.elapsed();
    run.complete();
    let errors = reports::write_all(&mut run);
    point_latest(&folder);
    let mut lines = lines;
    lines.extend(
        errors
            .iter()
            .map(|error| format!("report: {}", chain(error))),
    );
    let idle = run.idle().into_iter();
    lines.extend(idle.map(|what| format!("nothing was executed {what}")));
    if plan.cases.is_empty() {
        lines.push("no scenario matches what was selected".to_owned());
    }
    lines.push(format!("report: {}", folder.join("report.html").display()));
    let _ = console.borrow_mut().finish(&lines, took);
    let code = run.exit_code();
    // A report that cannot be written is the rig's fault, and never hides a fail.
    Ok(if code == 0 && !errors.is_empty() {
        3
    } else {
        code
    })
}

fn execute<W: Write + 'static>(
    plan: &Arc<Plan>,
    args: &RunArgs,
    opener: Arc<dyn Opener>,
    console: &Rc<RefCell<Console<W>>>,
    run: &Rc<RefCell<Run>>,
) -> Result<Vec<String>, UsageError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| UsageError::Shell(format!("cannot start a runtime: {error}")))?;
    // The patterns of all steps are compiled once a process: that is no part of a case.
    drop(World::collection());
    let mut lines = Vec::new();
    let failed = Rc::new(RefCell::new(false));
    for lab in args.select.lab.kinds() {
        if args.fail_fast && *failed.borrow() {
            continue;
        }
        let jobs = match lab {
            LabKind::Virtual => args.jobs.unwrap_or(cores),
            LabKind::Wire => args.jobs.unwrap_or(WIRE_JOBS),
        };
        let pass = Pass {
            plan,
            lab,
            jobs,
            fail_fast: args.fail_fast,
            opener: Arc::clone(&opener),
        };
        let count = Rc::new(RefCell::new(0_u32));
        let (start, worked) = (now(), processor_time());
        let (console, counted, bad) = (Rc::clone(console), Rc::clone(&count), Rc::clone(&failed));
        let (folder, run) = (run.borrow().folder.clone(), Rc::clone(run));
        let sheets = Arc::new(AtomicU64::new(0));
        let spent = Arc::clone(&sheets);
        let sum_up = move |case: fold::Case| {
            let before = thread_time();
            let sheet = Sheet::with_capture(&folder, &case);
            let took = thread_time().saturating_sub(before).as_micros();
            spent.fetch_add(u64::try_from(took).unwrap_or(u64::MAX), Ordering::Relaxed);
            sheet
        };
        runtime.block_on(pass.run(sum_up, move |sheet| {
            *counted.borrow_mut() += 1;
            if sheet.verdict > Verdict::Waived {
                *bad.borrow_mut() = true;
            }
            tell(&console, &sheet.entry, sheet.verdict, &sheet.reasons);
            // What went wrong before there were records, or on the thread that had them, is in the evidence alone.
            if sheet.records > 0 {
                run.borrow_mut().add(sheet);
            }
        }));
        let count = *count.borrow();
        if count > 0 {
            let worked = processor_time().saturating_sub(worked);
            let sheets = Duration::from_micros(sheets.load(Ordering::Relaxed));
            let mut line = cost(lab, count, start.elapsed(), worked.saturating_sub(sheets));
            if lab == LabKind::Virtual {
                let with = worked.as_secs_f64() * 1000.0 / f64::from(count);
                line.push_str(&format!(", {with:.2} ms with its report"));
            }
            lines.push(line);
        }
    }
    Ok(lines)
}

/// What the cases of this laboratory cost: time on the wall, and time of a processor in the virtual laboratory, which
/// does nothing but compute.
pub(super) fn cost(lab: LabKind, count: u32, took: Duration, worked: Duration) -> String {
    let seconds = took.as_secs_f64();
    match lab {
        LabKind::Virtual => {
            let each = worked.as_secs_f64() * 1000.0 / f64::from(count);
            format!(
                "virtual laboratory: {count} cases in {seconds:.2} s, {each:.2} ms of processor time each"
            )
        }
        LabKind::Wire => format!("wire laboratory: {count} cases in {seconds:.1} s"),
    }
}

/// The processor time that this thread has used.
fn thread_time() -> Duration {
    let used = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(used).unwrap_or_default()
}

/// The processor time that this process has used.
pub(super) fn processor_time() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(used).unwrap_or_default()
}

fn tell<W: Write>(
    console: &Rc<RefCell<Console<W>>>,
    entry: &CaseEntry,
    verdict: Verdict,
    reasons: &[String],
) {
    let place = format!("{}:{}", entry.file, entry.line);
    let ended = Ended {
        verdict,
        id: entry.id.as_str(),
        scenario: &entry.scenario,
        place: &place,
        reasons,
    };
    // A closed pipe must not stop the run: the evidence is on disk.
    let _ = console.borrow_mut().ended(&ended);
}

fn tell_unexecuted<W: Write>(plan: &Plan, console: &Rc<RefCell<Console<W>>>) {
    for case in &plan.cases {
        if let Decision::NotApplicable(reason) = &case.decision {
            let Outcome {
                verdict, reasons, ..
            } = Outcome::not_applicable(reason);
            tell(console, &entry_of(case), verdict, &reasons);
        }
    }
}

/// What was selected, so that a silence can be told from a pass. Whoever picks scenarios does not thereby ask for every
/// dialect and face.
fn selected(args: &SelectArgs, rigs: &[Arc<Rig>]) -> Selected {
    let picks = args.tags.is_some() || args.name.is_some();
    let unless_picked = |named: Vec<String>, all: BTreeSet<String>| match (named.is_empty(), picks)
    {
        (false, _) => named,
        (true, false) => all.into_iter().collect(),
        (true, true) => Vec::new(),
    };
    let faces = |faces: &[HandsetFace]| faces.iter().map(ToString::to_string).collect::<Vec<_>>();
    Selected {
        plan: args.plan.to_string(),
        rigs: rigs.iter().map(|rig| rig.name.clone()).collect(),
        dialects: unless_picked(
            args.dialects.clone(),
            rigs.iter().flat_map(|rig| rig.dialects.clone()).collect(),
        ),
        faces: unless_picked(
            faces(&args.faces),
            rigs.iter().flat_map(|rig| faces(&rig.faces)).collect(),
        ),
    }
}

fn style(args: &RunArgs) -> Style {
    let terminal = io::stdout().is_terminal();
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let color = match args.color {
        ColorArg::Always => true,
        ColorArg::Never => false,
        ColorArg::Auto => terminal && !no_color,
    };
    Style {
        color,
        bar: terminal && !args.quiet,
        quiet: args.quiet,
    }
}

fn make_folder(wanted: Option<&Path>, begun: u64) -> Result<(PathBuf, String), UsageError> {
    let unwritable = |path: &Path, source| UsageError::Unreadable {
        what: "run folder",
        path: path.to_owned(),
        source,
    };
    if let Some(folder) = wanted {
        if folder.join(reports::index::FILE).exists() {
            let words = format!(
                "{} holds a run already: choose another --out",
                folder.display()
            );
            return Err(UsageError::Words(words));
        }
        fs::create_dir_all(folder).map_err(|source| unwritable(folder, source))?;
        let name = folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        return Ok((folder.to_owned(), name.unwrap_or_else(|| "run".to_owned())));
    }
    let parent = Path::new(OUT);
    fs::create_dir_all(parent).map_err(|source| unwritable(parent, source))?;
    let stamp = reports::folder_name(begun);
    for attempt in 1_u32.. {
        let name = if attempt == 1 {
            stamp.clone()
        } else {
            format!("{stamp}-{attempt}")
        };
        let folder = parent.join(&name);
        match fs::create_dir(&folder) {
            Ok(()) => return Ok((folder, name)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(source) => return Err(unwritable(&folder, source)),
        }
    }
    unreachable!("the loop ends with a folder or an error")
}

/// Lets `latest` beside the run's folder point at it; a file system without links does without.
fn point_latest(folder: &Path) {
    let (Some(parent), Some(name)) = (folder.parent(), folder.file_name()) else {
        return;
    };
    if parent != Path::new(OUT) {
        return;
    }
    let link = parent.join("latest");
    let _ = fs::remove_file(&link);
    #[cfg(unix)]
    let _ = std::os::unix::fs::symlink(name, &link);
}

/// An error with everything that led to it.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    text
}

#[expect(
    clippy::disallowed_methods,
    reason = "the run's own cost is printed; no verdict depends on it"
)]
pub(super) fn now() -> Instant {
    Instant::now()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a run is named and dated by the wall"
)]
fn wall_seconds() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}
