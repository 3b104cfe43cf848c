//! The application server's side: what its portal shows and changes.

use crate::scene::{Scene, StepFailure};
use crate::vocabulary::{Limit, Person, Setting};
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use sip::service;
use std::time::Duration;

/// How long a display may take to follow the NOTIFY of a change that only prepares a scenario: our choice, because what is
/// prepared is not what is judged.
const AT_ONCE: Duration = Duration::from_secs(5);

#[given(expr = "the server has {setting} for {person}")]
async fn server_starts_with(
    world: &mut World,
    step: &Step,
    wanted: Setting,
    person: Person,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&person.0)?.user;
            let value = stored(scene, &user, &wanted)?;
            scene.inject(|server, now| {
                server.set_service_silently(now, &user, wanted.service(), value)
            })?;
            Ok(())
        })
        .await
}

#[when(expr = "the portal turns/sets {setting} for {person}")]
async fn portal_sets(
    world: &mut World,
    step: &Step,
    wanted: Setting,
    person: Person,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| set_at_portal(scene, &wanted, &person.0))
        .await
}

#[given(expr = "the portal has turned/set {setting} for {person}")]
async fn portal_has_set(
    world: &mut World,
    step: &Step,
    wanted: Setting,
    person: Person,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            set_at_portal(scene, &wanted, &person.0)?;
            let deadline = scene.notify_for(&person.0)?.at + AT_ONCE;
            scene.idle_shows(&person.0, &wanted, deadline)?;
            scene.mark()?;
            Ok(())
        })
        .await
}

fn set_at_portal(scene: &mut Scene, wanted: &Setting, name: &str) -> Result<(), StepFailure> {
    let user = scene.person(name)?.user;
    let value = stored(scene, &user, wanted)?;
    scene.mark_for(&user)?;
    Ok(scene.portal()?.change(&user, wanted.service(), &value)?)
}

/// What the server is to store: what the phrase does not say stays as it is.
fn stored(
    scene: &mut Scene,
    user: &str,
    wanted: &Setting,
) -> Result<service::Setting, StepFailure> {
    let before = scene.portal()?.read(user, wanted.service())?;
    let wanted = wanted.value();
    Ok(service::Setting {
        active: wanted.active,
        number: wanted.number.or(before.number),
        rings: wanted.rings.or(before.rings),
        agent: wanted.agent.or(before.agent),
    })
}

#[then(expr = "the server has {setting} for {person}{limit}")]
async fn server_has(
    world: &mut World,
    step: &Step,
    wanted: Setting,
    person: Person,
    limit: Limit,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (name, at_once) = (person.0, scene.stimulus.at);
            let user = scene.person(&name)?.user;
            let deadline = scene.deadline(&name, limit, at_once)?;
            loop {
                let kept = scene.portal()?.read(&user, wanted.service())?;
                let kept = Setting::new(wanted.service(), kept);
                if wanted.is_met_by(&kept.0) {
                    return Ok(());
                }
                if scene.bench()?.now() >= deadline {
                    return Err(StepFailure::Base(format!(
                        "the server has {kept} for {name}, not {wanted}"
                    )));
                }
                scene.run_on(deadline)?;
            }
        })
        .await
}
