//! What users do at their handsets, and what the displays show them.

use super::{seconds, setting};
use crate::scene::{Scene, StepFailure};
use crate::sight::{self, EditorWords};
use crate::vocabulary::Setting;
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use evidence::record::Service;
use std::time::Duration;

/// How long a display may take to follow, where a step does not say: no NOTIFY is on its way then.
const AT_ONCE: Duration = Duration::from_secs(3);

#[when(regex = r"^(\w+) (?:turns|sets) ((?:Do Not Disturb|call forwarding).*) in the menu$")]
async fn user_changes(
    world: &mut World,
    step: &Step,
    name: String,
    wanted: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let wanted = setting(&wanted)?;
            scene.mark()?;
            scene.handset(&name)?.set_service(wanted.0)?;
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

#[given(regex = r"^(\w+) has the Do Not Disturb menu open$")]
async fn menu_is_open(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            scene
                .handset(&name)?
                .open_service_menu(Service::DoNotDisturb)?;
            Ok(())
        })
        .await
}

#[then(
    regex = r"^(\w+)'s idle screen shows ((?:Do Not Disturb|call forwarding).*?)(?: within (\d+) seconds( of the NOTIFY)?)?$"
)]
async fn idle_screen_shows(
    world: &mut World,
    step: &Step,
    name: String,
    wanted: String,
    limit: String,
    of_the_notify: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let wanted = setting(&wanted)?;
            let deadline = deadline(scene, &name, &limit, &of_the_notify)?;
            scene.idle_shows(&name, &wanted, deadline)
        })
        .await
}

#[then(
    regex = r"^(\w+)'s menu shows ((?:Do Not Disturb|call forwarding).*?)(?: within (\d+) seconds( of the NOTIFY)?)?$"
)]
async fn menu_shows(
    world: &mut World,
    step: &Step,
    name: String,
    wanted: String,
    limit: String,
    of_the_notify: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let wanted = setting(&wanted)?;
            let deadline = deadline(scene, &name, &limit, &of_the_notify)?;
            scene.handset(&name)?.open_service_menu(wanted.0.service)?;
            editor_shows(scene, &name, &wanted, deadline)?;
            scene.handset(&name)?.go_idle()?;
            Ok(())
        })
        .await
}

#[then(
    regex = r"^the open menu shows (\w+) ((?:Do Not Disturb|call forwarding).*?) within (\d+) seconds( of the NOTIFY)$"
)]
async fn open_menu_shows(
    world: &mut World,
    step: &Step,
    name: String,
    wanted: String,
    limit: String,
    of_the_notify: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let wanted = setting(&wanted)?;
            let deadline = deadline(scene, &name, &limit, &of_the_notify)?;
            editor_shows(scene, &name, &wanted, deadline)
        })
        .await
}

fn deadline(
    scene: &mut Scene,
    name: &str,
    limit: &str,
    of_the_notify: &str,
) -> Result<sip::time::Instant, StepFailure> {
    if limit.is_empty() {
        return Ok(scene.bench()?.now() + AT_ONCE);
    }
    let start = if of_the_notify.is_empty() {
        scene.stimulus
    } else {
        scene.notify_for(name)?
    };
    Ok(start.at + seconds(limit)?)
}

fn editor_shows(
    scene: &mut Scene,
    name: &str,
    wanted: &Setting,
    deadline: sip::time::Instant,
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
