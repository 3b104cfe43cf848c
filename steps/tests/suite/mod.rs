//! Runs plans inside a test, in memory.
#![expect(
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test"
)]

use bench::rig::{HandsetFace, LabKind, Rig};
use reports::fold::Case;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use steps::cli::SelectArgs;
use steps::command;
use steps::opener::Benches;
use steps::plan::{Extent, Plan, Selection};
use steps::suite::{Opener, Pass};

/// The top of the work tree: features, rigs and mutants are named from here.
pub(crate) fn at_the_top() -> PathBuf {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::env::set_current_dir(&top).unwrap();
    top
}

/// The emulated N870.
pub(crate) fn emulated_rig() -> Vec<Arc<Rig>> {
    let args = SelectArgs {
        rigs: vec!["emulated-n870".to_owned()],
        ..SelectArgs::default()
    };
    command::rigs(&args).unwrap()
}

/// Every case of the virtual laboratory on these rigs, with the handsets worked over the serial console.
pub(crate) fn plan(rigs: &[Arc<Rig>], selection: Selection) -> Arc<Plan> {
    let selection = Selection {
        extent: Extent::Full,
        labs: vec![LabKind::Virtual],
        faces: vec![HandsetFace::Console],
        ..selection
    };
    let vendors = command::vendors(&command::dialects(rigs).unwrap());
    Arc::new(Plan::new(Path::new("features"), rigs, &vendors, &selection).unwrap())
}

/// Runs a plan and gives its cases, by id.
pub(crate) fn run(plan: &Arc<Plan>, jobs: usize, opener: impl Opener + 'static) -> Vec<Case> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let cases = Rc::new(RefCell::new(Vec::new()));
    let heard = Rc::clone(&cases);
    let pass = Pass {
        plan,
        lab: LabKind::Virtual,
        jobs,
        fail_fast: false,
        opener: Arc::new(opener),
    };
    runtime.block_on(pass.run(|case| case, move |case| heard.borrow_mut().push(case)));
    let mut cases = Rc::try_unwrap(cases).ok().unwrap().into_inner();
    cases.sort_by(|one, two| one.entry.id.cmp(&two.entry.id));
    cases
}

/// Benches in memory for these rigs.
pub(crate) fn benches(rigs: &[Arc<Rig>], seed: u64, mutant: Option<&str>) -> Benches {
    let dialects = command::dialects(rigs).unwrap();
    Benches::new(rigs, dialects, seed, None, Path::new("lockstep"), mutant).unwrap()
}
