//! Provisioning: which handset is switched on for feature key synchronisation, and when that changes.

use crate::scene::{Scene, StepFailure};
use crate::world::World;
use bench::Sync;
use bench::provisioning::Transport;
use cucumber::gherkin::Step;
use cucumber::{given, when};
use server::SiteId;

#[given(regex = r#"^handset "(\w+)" has feature key synchronisation off$"#)]
async fn switched_off(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| switch(scene, &name, Sync::Off))
        .await
}

#[given(regex = r#"^handset "(\w+)" has no switch for feature key synchronisation$"#)]
async fn no_switch(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| switch(scene, &name, Sync::Absent))
        .await
}

#[given(regex = r"^the base is provisioned for TCP$")]
async fn over_tcp(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            scene
                .bench()?
                .provision(|file| file.transport = Transport::Tcp);
            Ok(())
        })
        .await
}

#[when(regex = r"^provisioning switches feature key synchronisation (on|off) for (\w+)$")]
async fn switches(
    world: &mut World,
    step: &Step,
    state: String,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            switch(scene, &name, sync(&state))?;
            tell(scene, &name)
        })
        .await
}

#[when(regex = r"^provisioning deletes the account of (\w+)$")]
async fn deletes(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let account = name.clone();
            scene
                .bench()?
                .provision_for(&name, move |file| file.remove_account(&account))?;
            tell(scene, &name)
        })
        .await
}

#[when(
    regex = r"^an administrator switches feature key synchronisation (on|off) for (\w+) and has the base fetch its file$"
)]
async fn switches_on_the_console(
    world: &mut World,
    step: &Step,
    state: String,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            switch(scene, &name, sync(&state))?;
            scene.mark()?;
            let bench = scene.bench()?;
            for unit in bench.units() {
                bench.reprovision(&unit)?;
            }
            Ok(())
        })
        .await
}

/// What provisioning says of a switch that is `on` or `off`.
fn sync(state: &str) -> Sync {
    if state == "on" { Sync::On } else { Sync::Off }
}

fn switch(scene: &mut Scene, name: &str, sync: Sync) -> Result<(), StepFailure> {
    let found = scene.bench()?.provision_for(name, |file| {
        let account = file.account(name);
        account.map(|account| account.sync = sync).is_some()
    })?;
    if found {
        Ok(())
    } else {
        Err(StepFailure::Rig(format!(
            "the provisioning file has no account of {name}"
        )))
    }
}

/// Has the server tell the base to fetch its file again.
fn tell(scene: &mut Scene, name: &str) -> Result<(), StepFailure> {
    let user = scene.person(name)?.user;
    scene.mark_for(&user)?;
    scene.inject(|server, now| server.check_sync(now, SiteId::FIRST, &user))?;
    Ok(())
}
