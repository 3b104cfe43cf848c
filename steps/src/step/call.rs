//! Ordinary calls from a handset: feature access codes.

use super::setting;
use crate::scene::StepFailure;
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::when;

#[when(regex = r"^(\w+) dials the feature access code for ((?:Do Not Disturb|call forwarding).*)$")]
async fn dials_code(
    world: &mut World,
    step: &Step,
    name: String,
    wanted: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let wanted = setting(&wanted)?;
            let service = wanted.0.service;
            let digits = scene.server(|server, _| {
                let number = wanted.0.number.as_deref();
                server.dialect().dialled(service, wanted.0.active, number)
            })?;
            let digits = digits.ok_or_else(|| {
                StepFailure::Rig(format!(
                    "the server's dialect has no feature access code for {wanted}"
                ))
            })?;
            scene.mark()?;
            scene.handset(&name)?.dial(&digits)?;
            Ok(())
        })
        .await
}
