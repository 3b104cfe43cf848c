//! What users do at their handsets, and what the displays show them.

use super::seconds;
use crate::scene::{Scene, StepFailure};
use crate::sight::{self, EditorWords};
use crate::vocabulary::{Limit, Person, ServiceName, Setting};
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use sip::time::Instant;
use std::time::Duration;

/// How long a display may take to follow, where a step does not say: no NOTIFY is on its way then; the limit of
/// MENU-01.
const AT_ONCE: Duration = Duration::from_secs(3);

#[when(expr = "{person} turns/sets {setting} in the menu")]
async fn user_changes(
    world: &mut World,
    step: &Step,
    person: Person,
    wanted: Setting,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&person.0)?.user;
            scene.mark_for(&user)?;
            scene.handset(&person.0)?.set_service(wanted.0)?;
            Ok(())
        })
        .await
}

#[when(regex = r"^(\w+) turns the ringer's Do Not Disturb (on|off)$")]
async fn user_changes_ringer(
    world: &mut World,
    step: &Step,
    name: String,
    state: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            scene.mark()?;
            let mut handset = scene.handset(&name)?;
            handset.set_local_do_not_disturb(state == "on")?;
            handset.go_idle()?;
            Ok(())
        })
        .await
}

#[given(expr = "{person} has the {service} menu open")]
async fn menu_is_open(
    world: &mut World,
    step: &Step,
    person: Person,
    service: ServiceName,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            scene.handset(&person.0)?.open_service_menu(service.0)?;
            Ok(())
        })
        .await
}

#[then(expr = "{person}'s idle screen shows {setting}{limit}")]
async fn idle_screen_shows(
    world: &mut World,
    step: &Step,
    person: Person,
    wanted: Setting,
    limit: Limit,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let deadline = deadline(scene, &person.0, limit)?;
            scene.idle_shows(&person.0, &wanted, deadline)
        })
        .await
}

#[then(expr = "{person}'s idle screen goes on showing {setting} for {int} seconds")]
async fn idle_screen_goes_on_showing(
    world: &mut World,
    step: &Step,
    person: Person,
    wanted: Setting,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            scene.idle_goes_on_showing(&person.0, &wanted, seconds(&length)?)
        })
        .await
}

#[then(expr = "{person}'s menu shows {setting}{limit}")]
async fn menu_shows(
    world: &mut World,
    step: &Step,
    person: Person,
    wanted: Setting,
    limit: Limit,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let name = person.0;
            let deadline = deadline(scene, &name, limit)?;
            scene.handset(&name)?.open_service_menu(wanted.service())?;
            editor_shows(scene, &name, &wanted, deadline)?;
            scene.handset(&name)?.go_idle()?;
            Ok(())
        })
        .await
}

#[then(expr = "the open menu shows {person} {setting}{limit}")]
async fn open_menu_shows(
    world: &mut World,
    step: &Step,
    person: Person,
    wanted: Setting,
    limit: Limit,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let deadline = deadline(scene, &person.0, limit)?;
            editor_shows(scene, &person.0, &wanted, deadline)
        })
        .await
}

fn deadline(scene: &mut Scene, name: &str, limit: Limit) -> Result<Instant, StepFailure> {
    let at_once = scene.bench()?.now() + AT_ONCE;
    scene.deadline(name, limit, at_once)
}

fn editor_shows(
    scene: &mut Scene,
    name: &str,
    wanted: &Setting,
    deadline: Instant,
) -> Result<(), StepFailure> {
    let profile = scene.bench()?.shared_profile();
    let display = &profile.display;
    let left = deadline.since(scene.bench()?.now());
    let shows = |screen: &evidence::record::Screen| {
        let shown = display.setting(screen);
        !shown.waiting && sight::editor_agrees(&shown, wanted)
    };
    if scene.handset(name)?.until_screen(left, shows)?.is_some() {
        return Ok(());
    }
    let screen = scene.handset(name)?.read_screen()?;
    let shown = display.setting(&screen);
    let words = EditorWords(&shown);
    Err(StepFailure::Base(format!(
        "{name}'s menu shows \"{}\" {words}, not {wanted}",
        screen.title
    )))
}
