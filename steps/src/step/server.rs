//! The application server's side: the portal, the stored services, the active subscriptions.

use super::{counted, number, seconds, setting};
use crate::scene::{Scene, StepFailure};
use crate::vocabulary::{self, Setting};
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use server::{Faults as _, Origin};
use std::time::Duration;

/// How long the server may take to have something, where a step does not say.
const AT_ONCE: Duration = Duration::from_secs(5);

#[given(regex = r"^the server has ((?:Do Not Disturb|call forwarding).*) for (\w+)$")]
async fn server_starts_with(
    world: &mut World,
    step: &Step,
    wanted: String,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (wanted, person) = (setting(&wanted)?, scene.person(&name)?);
            let (service, value) = stored(scene, &person.user, &wanted)?;
            scene.server(|server, now| {
                server.set_service_silently(now, &person.user, service, value)
            })?;
            Ok(())
        })
        .await
}

#[when(regex = r"^the portal (?:turns|sets) ((?:Do Not Disturb|call forwarding).*) for (\w+)$")]
async fn portal_sets(
    world: &mut World,
    step: &Step,
    wanted: String,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| set_at_portal(scene, &wanted, &name))
        .await
}

#[given(
    regex = r"^the portal has (?:turned|set) ((?:Do Not Disturb|call forwarding).*) for (\w+)$"
)]
async fn portal_has_set(
    world: &mut World,
    step: &Step,
    wanted: String,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            set_at_portal(scene, &wanted, &name)?;
            let shown = setting(&wanted)?;
            let deadline = scene.notify_for(&name)?.at + AT_ONCE;
            scene.idle_shows(&name, &shown, deadline)?;
            scene.mark()?;
            Ok(())
        })
        .await
}

fn set_at_portal(scene: &mut Scene, wanted: &str, name: &str) -> Result<(), StepFailure> {
    let (wanted, person) = (setting(wanted)?, scene.person(name)?);
    let (service, value) = stored(scene, &person.user, &wanted)?;
    scene.mark()?;
    scene.server(|server, now| {
        server.set_service(now, &person.user, service, value, Origin::Portal)
    })?;
    Ok(())
}

/// What the server is to store: what the phrase does not say stays as it is.
fn stored(
    scene: &mut Scene,
    user: &str,
    wanted: &Setting,
) -> Result<(sip::feature_event::Service, sip::feature_event::Setting), StepFailure> {
    let service = wanted.0.service;
    let before = scene.server(|server, _| server.service(user, service).cloned())?;
    let before = before
        .ok_or_else(|| StepFailure::Rig(format!("the server has no such service for {user}")))?;
    let mut value = before.setting.clone();
    value.active = wanted.0.active;
    value.number = wanted.0.number.clone().or(value.number);
    value.rings = wanted.0.rings.or(value.rings);
    Ok((service, value))
}

#[then(
    regex = r"^the server has ((?:Do Not Disturb|call forwarding).*?) for (\w+)(?: within (\d+) seconds)?$"
)]
async fn server_has(
    world: &mut World,
    step: &Step,
    wanted: String,
    name: String,
    limit: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (wanted, person) = (setting(&wanted)?, scene.person(&name)?);
            let limit = if limit.is_empty() {
                Duration::ZERO
            } else {
                seconds(&limit)?
            };
            let service = wanted.0.service;
            let deadline = scene.stimulus.at + limit;
            loop {
                let kept =
                    scene.server(|server, _| server.service(&person.user, service).cloned())?;
                let kept = kept.map(|state| vocabulary::setting_of(service, &state.setting));
                if kept.as_ref().is_some_and(|kept| wanted.is_met_by(&kept.0)) {
                    return Ok(());
                }
                let now = scene.bench()?.now();
                if now >= deadline {
                    let kept = kept.map_or_else(|| "nothing".to_owned(), |kept| kept.to_string());
                    return Err(StepFailure::Base(format!(
                        "the server has {kept} for {name}, not {wanted}"
                    )));
                }
                let seq = scene.bench()?.last_seq();
                scene.bench()?.until_record(seq, deadline - now, |_| true)?;
            }
        })
        .await
}

#[then(regex = r"^the server has (\d+|no) subscriptions? of (\w+)$")]
async fn server_has_subscriptions(
    world: &mut World,
    step: &Step,
    count: String,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let wanted: usize = if count == "no" { 0 } else { number(&count)? };
            let person = scene.person(&name)?;
            let deadline = scene.here()?.at + AT_ONCE;
            loop {
                let have = scene.server(|server, _| server.subscriptions(&person.user).len())?;
                if have == wanted {
                    return Ok(());
                }
                let now = scene.bench()?.now();
                if now >= deadline {
                    let have = counted(have, "subscription");
                    return Err(StepFailure::Base(format!(
                        "the server has {have} of {name}, not {wanted}"
                    )));
                }
                let seq = scene.bench()?.last_seq();
                scene.bench()?.until_record(seq, deadline - now, |_| true)?;
            }
        })
        .await
}
