//! Runs the cases of a plan through cucumber.
//!
//! Cucumber gets a parser that hands it the planned cases and a writer that discards its events: what happened is in the
//! evidence, and verdicts are folded from there. Each laboratory is a pass of its own: virtual cases use the cores, wire
//! cases mostly wait, and a wire laboratory must not be starved by a virtual one.

use crate::plan::{Case, Plan};
use crate::scene::{self, Scene};
use crate::stage::Stage;
use crate::world::World;
use bench::rig::LabKind;
use cucumber::event::ScenarioFinished;
use cucumber::{World as _, cli, gherkin, parser, writer};
use evidence::identifier::Identifier;
use futures::stream;
use reports::fold;
use reports::index::CaseEntry;
use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::vec;

/// Where evidence goes and how a scene is opened.
pub trait Opener: Send + Sync {
    /// Opens the scene of a case; called on the thread that will own the scene. A scene that cannot be opened fails
    /// its first step with the reason.
    fn open(&self, case: &Case, entry: &CaseEntry) -> Scene;

    /// Where the evidence of a case goes, when it goes into a file.
    fn evidence(&self, entry: &CaseEntry) -> Option<PathBuf>;
}

/// One pass: the cases of one laboratory.
pub struct Pass<'a> {
    /// The plan.
    pub plan: &'a Arc<Plan>,
    /// Which laboratory.
    pub lab: LabKind,
    /// How many cases at once.
    pub jobs: usize,
    /// Start nothing new after the first case that does not pass.
    pub fail_fast: bool,
    /// Opens the scenes.
    pub opener: Arc<dyn Opener>,
}

impl Pass<'_> {
    /// Runs the cases. As each ends, `sum_up` makes of it what shall be kept, on the case's own thread, and `ended` hears
    /// of that.
    pub async fn run<T: Send + 'static>(
        &self,
        sum_up: impl Fn(fold::Case) -> T + Send + Sync + 'static,
        ended: impl FnMut(T) + 'static,
    ) {
        let features = self.plan.features(self.lab);
        if features.is_empty() {
            return;
        }
        let (sum_up, ended) = (Arc::new(sum_up), Rc::new(RefCell::new(ended)));
        let (plan, opener) = (Arc::clone(self.plan), Arc::clone(&self.opener));
        let (plan_after, opener_after) = (Arc::clone(self.plan), Arc::clone(&self.opener));
        let cucumber = cucumber::Cucumber::<World, _, (), _, _>::custom(
            Planned(features),
            cucumber::runner::Basic::default().steps(World::collection()),
            Silent,
        )
        .max_concurrent_scenarios(self.jobs)
        .before(move |_, _, scenario, world| {
            if let Some(case) = plan.case_of(scenario) {
                enter(world, case, &opener);
            }
            Box::pin(async {})
        })
        .after(move |_, _, scenario, finished, world| {
            let case = plan_after.case_of(scenario).cloned();
            let (sum_up, ended) = (Arc::clone(&sum_up), Rc::clone(&ended));
            let opener = Arc::clone(&opener_after);
            Box::pin(async move {
                if let (Some(case), Some(world)) = (case, world) {
                    let summed_up = leave(world, &case, finished, &opener, sum_up).await;
                    (ended.borrow_mut())(summed_up);
                }
            })
        });
        let cucumber = if self.fail_fast {
            cucumber.fail_fast()
        } else {
            cucumber
        };
        let options: cli::Opts<cli::Empty, cucumber::runner::basic::Cli, cli::Empty> =
            cli::Opts::default();
        cucumber.with_cli(options).run(()).await;
    }
}

fn enter(world: &mut World, case: &Case, opener: &Arc<dyn Opener>) {
    let (case, opener) = (case.clone(), Arc::clone(opener));
    let name = case.id.clone();
    // Without a stage every step says so, and the case ends as an error.
    if let Ok(stage) = Stage::start(&name, move || opener.open(&case, &entry_of(&case))) {
        world.enter(stage);
    }
}

async fn leave<T: Send + 'static>(
    world: &mut World,
    case: &Case,
    finished: &ScenarioFinished,
    opener: &Arc<dyn Opener>,
    sum_up: Arc<impl Fn(fold::Case) -> T + Send + Sync + 'static>,
) -> T {
    let entry = entry_of(case);
    let (undefined, failed) = match finished {
        ScenarioFinished::StepPassed => (false, false),
        ScenarioFinished::StepSkipped => (true, false),
        ScenarioFinished::BeforeHookFailed(_) | ScenarioFinished::StepFailed(..) => (false, true),
    };
    let (copy, there) = (entry.clone(), Arc::clone(&sum_up));
    let ended = world.leave(move |scene| there(scene.end(&copy, undefined, failed)));
    match ended.await {
        Ok(summed_up) => summed_up,
        Err(failure) => {
            let reason = failure.to_string();
            if let Some(path) = opener.evidence(&entry) {
                scene::write_broken(&path, &reason);
            }
            sum_up(fold::Case::broken(&entry, &reason))
        }
    }
}

/// The case as the index of a run lists it.
#[must_use]
pub fn entry_of(case: &Case) -> CaseEntry {
    let (scenario, on) = (&case.scenario, &case.configuration);
    let checked =
        |text: &str| Identifier::new(text).expect("its parts were checked when they were read");
    CaseEntry {
        id: checked(&case.id),
        scenario_id: checked(&scenario.id),
        scenario: scenario.name.clone(),
        feature: scenario.feature.name.clone(),
        file: scenario.path.display().to_string(),
        line: scenario.line,
        tags: scenario.facts.tags.clone(),
        requirements: scenario.facts.requirements.clone(),
        rig: checked(&on.rig.name),
        face: on.face.to_string(),
        dialect: on.dialect.clone(),
        lab: case.lab.to_string(),
        not_applicable: case.decision.reason().map(str::to_owned),
    }
}

/// A parser that has parsed already.
struct Planned(Vec<gherkin::Feature>);

impl parser::Parser<()> for Planned {
    type Cli = cli::Empty;
    type Output = stream::Iter<vec::IntoIter<parser::Result<gherkin::Feature>>>;

    fn parse(self, (): (), _cli: cli::Empty) -> Self::Output {
        stream::iter(self.0.into_iter().map(Ok).collect::<Vec<_>>())
    }
}

/// A writer that says nothing: the evidence does.
struct Silent;

impl cucumber::Writer<World> for Silent {
    type Cli = cli::Empty;

    async fn handle_event(
        &mut self,
        _event: parser::Result<cucumber::Event<cucumber::event::Cucumber<World>>>,
        _cli: &cli::Empty,
    ) {
    }
}

impl writer::Normalized for Silent {}
