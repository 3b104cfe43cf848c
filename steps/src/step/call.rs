//! Ordinary calls from a handset: feature access codes.

use super::setting;
use crate::scene::Miss;
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::when;

#[when(regex = r"^(\w+) dials the feature access code for ((?:Do Not Disturb|call forwarding).*)$")]
async fn dials_code(
    world: &mut World,
    step: &Step,
    name: String,
    wish: String,
) -> Result<(), Miss> {
    world
        .perform(step, move |scene| {
            let wish = setting(&wish)?;
            let service = wish.0.service;
            let digits = scene.server(|server, _| {
                let number = wish.0.number.as_deref();
                server.dialect().dialled(service, wish.0.active, number)
            })?;
            let digits = digits.ok_or_else(|| {
                Miss::Rig(format!(
                    "the server's dialect has no feature access code for {wish}"
                ))
            })?;
            scene.mark()?;
            scene.handset(&name)?.dial(&digits)?;
            Ok(())
        })
        .await
}
