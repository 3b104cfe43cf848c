//! Subscriptions: what the base asks the server for, when, and how often.

use super::{counted, number, seconds};
use crate::scene::{Mark, Scene, StepFailure};
use crate::sight;
use crate::vocabulary::Setting;
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{given, then, when};
use evidence::message::{Message, Method};
use evidence::record::{Direction, Fate, Record};
use server::{NotifySpec, SiteId};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// How long a base may take from power to a synchronised handset, where a step does not say: our choice.
const STARTS: Duration = Duration::from_secs(60);

/// How long the number of subscriptions may take to settle, where a step does not say: our choice, because answers and
/// closing NOTIFYs that are lost once are repeated within it.
const SETTLES: Duration = Duration::from_secs(5);

/// How long a refresh may be away: the longest lifetime that a scenario grants, and some.
const LONGEST_LIFE: Duration = Duration::from_secs(4000);

#[given(regex = r#"^handset "(\w+)" is synchronised with the server$"#)]
async fn synchronised(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            scene.power_on()?;
            // Two handsets synchronise after one start: the second one may be there already.
            let start = scene.start;
            is_synchronised(scene, &name, start, start.at + STARTS)?;
            // What the handset shows before anything happens is evidence too.
            scene.handset(&name)?.read_screen()?;
            scene.mark()?;
            Ok(())
        })
        .await
}

#[then(regex = r#"^handset "(\w+)" is synchronised within (\d+) seconds$"#)]
async fn synchronised_within(
    world: &mut World,
    step: &Step,
    name: String,
    limit: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let start = scene.stimulus;
            let deadline = start.at + seconds(&limit)?;
            is_synchronised(scene, &name, start, deadline)
        })
        .await
}

/// The handset is synchronised when a NOTIFY for it reached the base after `start`, was answered 200, and a subscription of
/// it is live then.
fn is_synchronised(
    scene: &mut Scene,
    name: &str,
    start: Mark,
    deadline: Instant,
) -> Result<(), StepFailure> {
    let user = scene.person(name)?.user;
    let limit = deadline.since(start.at);
    let mut branches = Vec::new();
    let answered = scene.await_record(start, limit, |record| {
        if let Some(notify) = sight::notify_for(record, &user)
            && !notify
                .header("Subscription-State")
                .is_some_and(|it| it.starts_with("terminated"))
        {
            branches.extend(notify.branch().map(str::to_owned));
        }
        let response = sight::response(record, Direction::FromBase, Fate::Sent);
        response.is_some_and(|response| {
            response.status() == Some(200)
                && response
                    .branch()
                    .is_some_and(|own| branches.iter().any(|it| it == own))
        })
    })?;
    if answered.is_none() {
        let limit = limit.as_secs();
        return Err(StepFailure::Base(format!(
            "no NOTIFY for {name} was accepted within {limit} s"
        )));
    }
    if live_subscriptions(scene, &user)? == 0 {
        return Err(StepFailure::Base(format!(
            "{name}'s subscription is over again"
        )));
    }
    Ok(())
}

fn live_subscriptions(scene: &mut Scene, user: &str) -> Result<usize, StepFailure> {
    let now = scene.here()?.at;
    Ok(scene.subscriptions()?.count(user, now))
}

#[then(regex = r"^the base has (\d+|no) subscriptions? for (\w+)$")]
async fn base_has_subscriptions(
    world: &mut World,
    step: &Step,
    count: String,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let wanted: usize = if count == "no" { 0 } else { number(&count)? };
            let user = scene.person(&name)?.user;
            let deadline = scene.here()?.at + SETTLES;
            loop {
                let have = live_subscriptions(scene, &user)?;
                if have == wanted {
                    return Ok(());
                }
                if scene.here()?.at >= deadline {
                    let have = counted(have, "subscription");
                    return Err(StepFailure::Base(format!(
                        "the base has {have} for {name}, not {wanted}"
                    )));
                }
                scene.run_on(deadline)?;
            }
        })
        .await
}

#[then(expr = "the base asks the server for {setting} within {int} seconds")]
async fn asks_for(
    world: &mut World,
    step: &Step,
    wanted: Setting,
    limit: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let limit = seconds(&limit)?;
            let mark = scene.stimulus;
            let mut asked = Vec::new();
            let found = scene.await_record(mark, limit, |record| {
                let request = sight::subscribe(record);
                let Some(intent) = request.as_deref().and_then(sight::asked) else {
                    return false;
                };
                let agrees = wanted.is_met_by(&intent);
                asked.push(Setting(intent).to_string());
                agrees
            })?;
            let Some(found) = found else {
                let limit = limit.as_secs();
                let instead = if asked.is_empty() {
                    "nothing".to_owned()
                } else {
                    asked.join(", ")
                };
                return Err(StepFailure::Base(format!(
                    "the base asked the server for {instead} within {limit} s, not for {wanted}"
                )));
            };
            scene.seen = found;
            Ok(())
        })
        .await
}

#[then(regex = r"^the base asks the server for nothing for (\d+) seconds$")]
async fn asks_for_nothing(
    world: &mut World,
    step: &Step,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let start = scene.stimulus;
            no_change_for(scene, start, seconds(&length)?)
        })
        .await
}

#[then(regex = r"^the base does not ask again for (\d+) seconds$")]
async fn does_not_ask_again(
    world: &mut World,
    step: &Step,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            // The request itself, its retransmissions and its repetition with credentials are one asking: from the
            // moment that the server has answered with a NOTIFY, whatever is asked is asked again.
            let start = scene.stimulus;
            let (mut asked, mut notified) = (None, None);
            let records = scene.bench()?.log().after(start.seq);
            for record in records {
                if asked.is_none() {
                    let request = sight::subscribe(record);
                    asked = request.filter(|request| !request.body().is_empty());
                } else if let (Some(asked), Some(notify)) =
                    (&asked, sight::delivered_notify(record))
                    && notify.call_id() == asked.call_id()
                {
                    notified = Some(Mark {
                        seq: record.seq,
                        at: Instant::from_micros(record.at),
                    });
                    break;
                }
            }
            let start = notified.ok_or_else(|| {
                StepFailure::Undecided(
                    "no NOTIFY has reached the base since the user's change".to_owned(),
                )
            })?;
            no_change_for(scene, start, seconds(&length)?)
        })
        .await
}

/// No request with a new change leaves the base; one that left before `start` may be repeated on the wire.
fn no_change_for(scene: &mut Scene, start: Mark, length: Duration) -> Result<(), StepFailure> {
    let before: Vec<Vec<u8>> = scene
        .bench()?
        .log()
        .records()
        .iter()
        .take_while(|record| record.seq <= start.seq)
        .filter_map(|record| sight::subscribe(record))
        .map(|request| request.wire().to_vec())
        .collect();
    let records = scene.run_until(start, length)?;
    let asked = records.iter().find_map(|record| {
        let request = sight::subscribe(record)?;
        let is_new = !before
            .iter()
            .any(|old| old.as_slice() == request.wire().as_ref());
        sight::asked(&request)
            .filter(|_| is_new)
            .map(|intent| (record.at, intent))
    });
    match asked {
        None => Ok(()),
        Some((at, intent)) => {
            let (at, asked) = (Instant::from_micros(at), Setting(intent));
            Err(StepFailure::Base(format!(
                "the base asked the server for {asked} at {at} s"
            )))
        }
    }
}

#[then(
    regex = r"^the base subscribes for (\w+) within (\d+) seconds( of (?:her|his) registration)?$"
)]
async fn subscribes(
    world: &mut World,
    step: &Step,
    name: String,
    limit: String,
    of_registration: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (user, limit) = (scene.person(&name)?.user, seconds(&limit)?);
            let start = if of_registration.is_empty() {
                scene.stimulus
            } else {
                first_registration(scene, &name, &user)?
            };
            let found = scene.await_record(start, limit, |record| {
                let request = sight::subscribe_for(record, &user);
                request.is_some_and(|it| it.to_tag().is_none())
            })?;
            scene.seen = found.ok_or_else(|| {
                let limit = limit.as_secs();
                StepFailure::Base(format!(
                    "the base did not subscribe for {name} within {limit} s"
                ))
            })?;
            Ok(())
        })
        .await
}

/// When the first 2xx to a REGISTER of this user reached the base.
fn first_registration(scene: &mut Scene, name: &str, user: &str) -> Result<Mark, StepFailure> {
    let start = scene.stimulus;
    let found = scene.await_record(start, STARTS, |record| {
        let response = sight::response(record, Direction::ToBase, Fate::Delivered);
        response.is_some_and(|it| {
            it.status().is_some_and(|status| status / 100 == 2)
                && it
                    .cseq()
                    .is_some_and(|(_, method)| method == Method::Register)
                && sight::is_from(&it, user)
        })
    })?;
    found.ok_or_else(|| {
        StepFailure::Base(format!(
            "{name} was not registered within {} s",
            STARTS.as_secs()
        ))
    })
}

#[then(regex = r"^the base does not subscribe for (\w+) for (\d+) seconds$")]
async fn does_not_subscribe(
    world: &mut World,
    step: &Step,
    name: String,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let start = scene.here()?;
            let (user, length) = (scene.person(&name)?.user, seconds(&length)?);
            let sent = initial_subscribes(scene.run_until(start, length)?, &user);
            if sent == 0 {
                return Ok(());
            }
            let sent = counted(sent, "new SUBSCRIBE");
            Err(StepFailure::Base(format!(
                "the base sent {sent} for {name}"
            )))
        })
        .await
}

fn initial_subscribes(records: &[Arc<Record>], user: &str) -> usize {
    distinct_subscribes(records, user)
        .into_iter()
        .filter(|it| it.to_tag().is_none())
        .count()
}

/// The SUBSCRIBEs of a user, each once however often it was retransmitted.
fn distinct_subscribes(records: &[Arc<Record>], user: &str) -> Vec<Arc<Message>> {
    let mut by_branch = BTreeMap::new();
    for record in records {
        if let Some(request) = sight::subscribe_for(record, user) {
            by_branch
                .entry(request.branch().map(str::to_owned))
                .or_insert(request);
        }
    }
    by_branch.into_values().collect()
}

#[then(regex = r"^the base sends nothing for (\w+)'s services for (\d+) seconds$")]
async fn sends_nothing(
    world: &mut World,
    step: &Step,
    name: String,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let start = scene.stimulus;
            let (user, length) = (scene.person(&name)?.user, seconds(&length)?);
            // A feature access code is dialled as an ordinary call; what else is sent names its package.
            let may_tell = [Method::Subscribe, Method::Invite, Method::Publish];
            let sent = scene.run_until(start, length)?.iter().find_map(|record| {
                may_tell.iter().find(|method| {
                    let request = sight::request_from_base(record, method);
                    request.is_some_and(|request| {
                        sight::is_from(&request, &user)
                            && (**method == Method::Invite || sight::is_about_services(&request))
                    })
                })
            });
            match sent {
                None => Ok(()),
                Some(method) => Err(StepFailure::Base(format!(
                    "the base sent {method} for {name}"
                ))),
            }
        })
        .await
}

#[then(regex = r"^the base sends at most (\d+) SUBSCRIBEs? for (\w+) in (\d+) seconds$")]
async fn sends_at_most(
    world: &mut World,
    step: &Step,
    most: String,
    name: String,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (user, most) = (scene.person(&name)?.user, number::<usize>(&most)?);
            let start = scene.stimulus;
            let length = seconds(&length)?;
            let sent = distinct_subscribes(scene.run_until(start, length)?, &user).len();
            if sent <= most {
                return Ok(());
            }
            let sent = counted(sent, "SUBSCRIBE");
            let length = length.as_secs();
            Err(StepFailure::Base(format!(
                "the base sent {sent} for {name} in {length} s, more than {most}"
            )))
        })
        .await
}

#[then(
    regex = r"^the base (repeats|does not repeat) its first SUBSCRIBE for (\w+) during (\d+) seconds$"
)]
async fn sends_copies(
    world: &mut World,
    step: &Step,
    wanted: String,
    name: String,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (user, length) = (scene.person(&name)?.user, seconds(&length)?);
            let start = scene.stimulus;
            let mut branch = None;
            let first = scene.await_record(start, STARTS, |record| {
                let request = sight::subscribe_for(record, &user);
                branch = request
                    .as_ref()
                    .and_then(|it| it.branch().map(str::to_owned));
                request.is_some()
            })?;
            let first = first.ok_or_else(|| {
                let limit = STARTS.as_secs();
                StepFailure::Base(format!(
                    "the base did not subscribe for {name} within {limit} s"
                ))
            })?;
            // How often and when is the schedule of the profile's T1, and not a step's business.
            let records = scene.run_until(first, length)?;
            let copies = records
                .iter()
                .filter_map(|record| sight::subscribe_for(record, &user))
                .filter(|copy| copy.branch() == branch.as_deref())
                .count();
            if (copies > 0) == (wanted == "repeats") {
                return Ok(());
            }
            let (copies, length) = (counted(copies, "time"), length.as_secs());
            Err(StepFailure::Base(format!(
                "the base repeated its first SUBSCRIBE for {name} {copies} in {length} s"
            )))
        })
        .await
}

#[when(regex = r"^the subscription of (\w+) is refreshed(?: (\d+) times)?$")]
async fn is_refreshed(
    world: &mut World,
    step: &Step,
    name: String,
    times: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let times = if times.is_empty() { 1 } else { number(&times)? };
            let user = scene.person(&name)?.user;
            for _ in 0..times {
                let start = scene.here()?;
                refresh_leaves(scene, &name, &user, start)?;
                // Deadlines of what follows count from the refresh, not from what was forgotten before it.
                scene.stimulate(scene.seen, &user);
                scene.notify_for(&name)?;
            }
            Ok(())
        })
        .await
}

#[when(regex = r"^the subscription of (\w+) comes up for refresh$")]
async fn comes_up(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&name)?.user;
            let start = scene.here()?;
            refresh_leaves(scene, &name, &user, start)?;
            scene.stimulate(scene.seen, &user);
            Ok(())
        })
        .await
}

/// Lets the world run until the base refreshes the subscription; `scene.seen` is that moment.
fn refresh_leaves(
    scene: &mut Scene,
    name: &str,
    user: &str,
    start: Mark,
) -> Result<(), StepFailure> {
    let found = scene.await_record(start, LONGEST_LIFE, |record| {
        let request = sight::subscribe_for(record, user);
        request.is_some_and(|it| it.to_tag().is_some())
    })?;
    scene.seen = found.ok_or_else(|| {
        let limit = LONGEST_LIFE.as_secs();
        StepFailure::Base(format!(
            "the base did not refresh {name}'s subscription within {limit} s"
        ))
    })?;
    Ok(())
}

#[when(regex = r"^the subscription of (\w+) is up to date$")]
async fn is_up_to_date(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            // A base that refused a NOTIFY may have lost its subscription: it must see to it by itself. A full state
            // that is notified once it has one is what it has to show.
            let user = scene.person(&name)?.user;
            let deadline = scene.here()?.at + LONGEST_LIFE;
            loop {
                let now = scene.here()?.at;
                if scene.subscriptions()?.has_sure_one(&user, now) {
                    break;
                }
                if now >= deadline {
                    return Err(StepFailure::Base(format!(
                        "{name} has no subscription any more"
                    )));
                }
                scene.run_on(deadline)?;
            }
            scene.mark_for(&user)?;
            scene.inject(|server, now| {
                server.notify(now, SiteId::FIRST, &user, &NotifySpec::new())
            })?;
            scene.notify_for(&name)?;
            Ok(())
        })
        .await
}

#[then(regex = r"^the subscription of (\w+) lives on for (\d+) seconds$")]
async fn lives_on(
    world: &mut World,
    step: &Step,
    name: String,
    length: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&name)?.user;
            let start = scene.here()?;
            let records = scene.run_until(start, seconds(&length)?)?;
            let lost = records.iter().find_map(|record| {
                let notify = sight::notify_for(record, &user)?;
                let state = notify.header("Subscription-State")?;
                state.starts_with("terminated").then_some(record.at)
            });
            if let Some(at) = lost {
                let at = Instant::from_micros(at);
                return Err(StepFailure::Base(format!(
                    "{name}'s subscription was over at {at} s"
                )));
            }
            let live = live_subscriptions(scene, &user)?;
            if live == 1 {
                return Ok(());
            }
            let live = counted(live, "subscription");
            Err(StepFailure::Base(format!(
                "the base has {live} for {name} in the end"
            )))
        })
        .await
}

#[then(regex = r"^the base ends the subscription of (\w+) within (\d+) seconds$")]
async fn ends(
    world: &mut World,
    step: &Step,
    name: String,
    limit: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let (user, limit) = (scene.person(&name)?.user, seconds(&limit)?);
            let start = scene.stimulus;
            let found = scene.await_record(start, limit, |record| {
                let request = sight::subscribe_for(record, &user);
                request.is_some_and(|it| it.to_tag().is_some() && it.expires() == Some(0))
            })?;
            let found = found.ok_or_else(|| {
                let limit = limit.as_secs();
                StepFailure::Base(format!(
                    "the base did not end {name}'s subscription within {limit} s"
                ))
            })?;
            // What the base answers next is the closing NOTIFY, not the one that made it look for its provisioning.
            scene.stimulate(found, &user);
            Ok(())
        })
        .await
}

#[then(regex = r"^the base answered a challenge of a SUBSCRIBE for (\w+)$")]
async fn answered_challenge(
    world: &mut World,
    step: &Step,
    name: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&name)?.user;
            let start = scene.stimulus;
            let mut challenged: Vec<(Arc<Message>, &str)> = Vec::new();
            for record in scene.bench()?.log().after(start.seq) {
                if let Some(response) = sight::response(record, Direction::ToBase, Fate::Delivered)
                    && sight::is_from(&response, &user)
                    && response
                        .cseq()
                        .is_some_and(|(_, method)| method == Method::Subscribe)
                {
                    match response.status() {
                        Some(401) => challenged.push((response, "Authorization")),
                        Some(407) => challenged.push((response, "Proxy-Authorization")),
                        _ => {}
                    }
                }
                let answers = |request: &Message| {
                    challenged.iter().any(|(challenge, credentials)| {
                        challenge.call_id() == request.call_id()
                            && challenge.branch() != request.branch()
                            && request.header(credentials).is_some()
                    })
                };
                if sight::subscribe_for(record, &user).is_some_and(|request| answers(&request)) {
                    return Ok(());
                }
            }
            if challenged.is_empty() {
                return Err(StepFailure::Undecided(
                    "no SUBSCRIBE was challenged".to_owned(),
                ));
            }
            Err(StepFailure::Base(format!(
                "the base left a challenge of {name}'s SUBSCRIBE unanswered"
            )))
        })
        .await
}
