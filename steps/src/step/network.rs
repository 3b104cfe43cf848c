//! What the network does to SIP messages.

use super::number;
use crate::scene::StepFailure;
use crate::world::World;
use bench::lab::network::{Effect, Fault};
use cucumber::gherkin::Step;
use cucumber::given;
use std::time::Duration;

/// How much later the second copy of a message arrives: our choice.
const COPY_LAG: Duration = Duration::from_millis(30);

#[given(regex = r"^the network loses the next (\d+) messages from the base$")]
async fn loses_next(world: &mut World, step: &Step, count: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let fault = Fault::new(Effect::Drop).from_base().next(number(&count)?);
            scene.bench()?.disturb(fault);
            Ok(())
        })
        .await
}

#[given(regex = r"^the network loses (\d+) percent of all messages$")]
async fn loses_some(world: &mut World, step: &Step, percent: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            scene
                .bench()?
                .disturb(Fault::new(Effect::Lose(number(&percent)?)));
            Ok(())
        })
        .await
}

#[given(regex = r"^the network duplicates every message$")]
async fn duplicates(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            scene
                .bench()?
                .disturb(Fault::new(Effect::Duplicate(COPY_LAG)));
            Ok(())
        })
        .await
}
