//! Ordinary calls from a handset: feature access codes.

use crate::scene::StepFailure;
use crate::vocabulary::{Person, Setting};
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::when;

#[when(expr = "{person} dials the feature access code for {setting}")]
async fn dials_code(
    world: &mut World,
    step: &Step,
    person: Person,
    wanted: Setting,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let number = wanted.0.number.as_deref();
            let dialect = scene.bench()?.dialect();
            let digits = dialect.dialled(wanted.service(), wanted.0.active, number);
            let digits = digits.ok_or_else(|| {
                StepFailure::NotApplicable(format!(
                    "the server's dialect has no feature access code for {wanted}"
                ))
            })?;
            let user = scene.person(&person.0)?.user;
            scene.mark_for(&user)?;
            scene.handset(&person.0)?.dial(&digits)?;
            Ok(())
        })
        .await
}
