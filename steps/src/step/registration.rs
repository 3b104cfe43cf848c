//! Power and registration: the base starts, registers, and stays registered.

use super::{counted, number, seconds};
use crate::scene::{Scene, StepFailure};
use crate::sight;
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use evidence::message::Method;
use evidence::record::{Direction, Fate, Record};
use server::fault::{Action, Fault};
use server::{ExpiresPolicy, Lifetime, SiteId};
use sip::time::Instant;
use std::collections::BTreeSet;
use std::time::Duration;

/// How long a base may take from power to its first registration, where a step does not say: our choice.
const STARTS: Duration = Duration::from_secs(60);

#[when(regex = r"^the base is switched on$")]
async fn switched_on(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world.perform(step, Scene::power_on).await
}

#[when(regex = r"^the base is switched on again after (\d+) seconds$")]
async fn switched_on_again(
    world: &mut World,
    step: &Step,
    dark: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let now = scene.here()?;
            scene.run_until(now, seconds(&dark)?)?;
            scene.power_on()
        })
        .await
}

#[when(regex = r"^the base loses its power$")]
async fn loses_power(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world.perform(step, Scene::power_off).await
}

#[when(regex = r"^an administrator reboots the base on its console$")]
async fn rebooted(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world.perform(step, Scene::reboot).await
}

#[given(regex = r#"^handset "(\w+)" is registered$"#)]
async fn registered(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            scene.power_on()?;
            let deadline = scene.here()?.at + STARTS;
            is_registered(scene, &name, deadline)
        })
        .await
}

#[then(regex = r#"^handset "(\w+)" is registered within (\d+) seconds$"#)]
async fn registered_within(
    world: &mut World,
    step: &Step,
    name: String,
    limit: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let deadline = scene.stimulus.at + seconds(&limit)?;
            is_registered(scene, &name, deadline)
        })
        .await
}

#[then(regex = r#"^handset "(\w+)" stays registered(?: for (\d+) seconds)?$"#)]
async fn stays_registered(
    world: &mut World,
    step: &Step,
    name: String,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let length = if length.is_empty() {
                Duration::ZERO
            } else {
                seconds(&length)?
            };
            let end = scene.here()?.at + length;
            stays_registered_until(scene, &name, end)
        })
        .await
}

fn stays_registered_until(scene: &mut Scene, name: &str, end: Instant) -> Result<(), StepFailure> {
    let user = scene.person(name)?.user;
    loop {
        let now = scene.here()?.at;
        let registrations = scene.registrations()?;
        let until = registrations.lasts_until(&user, now);
        if until.is_none() && !registrations.is_being_renewed(&user, now) {
            return Err(StepFailure::Base(format!(
                "{name}'s registration had run out at {now} s"
            )));
        }
        match until {
            Some(_) if now >= end => return Ok(()),
            // Just beyond the moment at which the registration is over.
            Some(until) => {
                let next = (until + Duration::from_millis(1)).min(end);
                scene.bench()?.run_for(next.since(now))?;
            }
            // The answer to a REGISTER that left in time is on its way.
            None => scene.run_on(now + Duration::from_secs(1))?,
        }
    }
}

#[then(regex = r"^the base registers (\w+) (\d+) more times within (\d+) seconds$")]
async fn registers_again(
    world: &mut World,
    step: &Step,
    name: String,
    times: String,
    limit: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (user, wanted) = (scene.person(&name)?.user, number::<usize>(&times)?);
            let limit = seconds(&limit)?;
            let start = scene.here()?;
            // A challenge grants nothing, and neither does a copy of what was granted already.
            let records = scene.bench()?.log().records().iter();
            let before: BTreeSet<_> = records
                .filter_map(|record| granted_to(record, &user))
                .collect();
            let mut granted = BTreeSet::new();
            scene.await_record(start, limit, |record| {
                let grant = granted_to(record, &user).filter(|grant| !before.contains(grant));
                granted.extend(grant);
                granted.len() >= wanted
            })?;
            if granted.len() >= wanted {
                return Ok(());
            }
            let (granted, limit) = (counted(granted.len(), "time"), limit.as_secs());
            Err(StepFailure::Base(format!(
                "the base registered {name} {granted} within {limit} s, not {wanted}"
            )))
        })
        .await
}

/// The Call-ID and the CSeq number of the REGISTER of this user that a 2xx grants, when the record is that 2xx.
fn granted_to(record: &Record, user: &str) -> Option<(String, u32)> {
    let response = sight::response(record, Direction::ToBase, Fate::Delivered)?;
    let (cseq, method) = response.cseq()?;
    let is_grant = response.status()? / 100 == 2 && method == Method::Register;
    (is_grant && sight::is_from(&response, user)).then(|| (response.call_id().to_owned(), cseq))
}

#[given(regex = r"^the server grants (registrations|subscriptions) for (\d+) seconds$")]
async fn grants(
    world: &mut World,
    step: &Step,
    of: String,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let of = if of == "registrations" {
                Lifetime::Registration
            } else {
                Lifetime::Subscription
            };
            let policy = ExpiresPolicy::at_most(number(&length)?);
            scene.inject(|server, _| server.set_expires_policy(SiteId::FIRST, of, policy))?;
            Ok(())
        })
        .await
}

#[given(regex = r"^the server is silent to the next (\d+) REGISTERs$")]
async fn silent_to_registers(
    world: &mut World,
    step: &Step,
    times: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let fault = Fault::new(Action::Drop)
                .on_method(&Method::Register)
                .times(number(&times)?);
            scene.load_fault(
                &format!("the server does not see the next {times} REGISTERs"),
                fault,
            )
        })
        .await
}

fn is_registered(scene: &mut Scene, name: &str, deadline: Instant) -> Result<(), StepFailure> {
    let user = scene.person(name)?.user;
    loop {
        let now = scene.here()?.at;
        if scene.registrations()?.lasts_until(&user, now).is_some() {
            return Ok(());
        }
        if now >= deadline {
            return Err(StepFailure::Base(format!(
                "{name} is not registered at {now} s"
            )));
        }
        scene.run_on(deadline)?;
    }
}
