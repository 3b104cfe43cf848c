//! NOTIFYs that a scenario words itself, and how the base answers them.

use super::number;
use crate::scene::{Mark, Scene, StepFailure};
use crate::sight;
use crate::vocabulary::{Person, Setting};
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{then, when};
use evidence::message::Method;
use evidence::record::{Direction, Fate, Record};
use server::SiteId;
use server::fault::Action;
use server::notify_spec::{NotifyDialog, NotifySpec};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long copies and answers of a NOTIFY may go on: Timer F of the server, and some.
const COPIES_END: Duration = Duration::from_secs(40);

#[when(expr = "the server sends {person} a NOTIFY of {setting} with {}")]
async fn odd_notify(
    world: &mut World,
    step: &Step,
    person: Person,
    told: Setting,
    odd: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let spec = NotifySpec::new().with_values(vec![(told.service(), told.value())]);
            let spec = if odd == "an unknown Call-ID" {
                spec.in_dialog(NotifyDialog::UnknownCallId)
            } else if odd == "an unknown To tag" {
                spec.in_dialog(NotifyDialog::UnknownToTag)
            } else if let Some(event) = odd.strip_prefix("Event ") {
                spec.with_event(event)
            } else if let Some(by) = between(&odd, "a CSeq ", " lower than the last") {
                spec.with_cseq_offset(-number::<i64>(by)?)
            } else if let Some(by) = between(&odd, "a CSeq ", " higher than the last") {
                spec.with_cseq_offset(number(by)?)
            } else {
                return Err(StepFailure::Rig(format!("no NOTIFY is known with {odd}")));
            };
            send(scene, &person.0, spec)
        })
        .await
}

#[when(
    regex = r"^the server sends (\w+) a NOTIFY with (malformed XML|an entity bomb|an unsupported type|a document of wrong bytes)$"
)]
async fn bad_body(
    world: &mut World,
    step: &Step,
    name: String,
    body: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let form = match body.as_str() {
                "malformed XML" => Action::MalformedXml,
                "an entity bomb" => Action::DtdBomb,
                "an unsupported type" => Action::WrongContentType {
                    content_type: "application/x-unheard-of".to_owned(),
                },
                _ => Action::Body {
                    content_type: "application/x-as-feature-event+xml".to_owned(),
                    text: "\u{1}\u{2}not a document\u{0}".to_owned(),
                },
            };
            send(scene, &name, NotifySpec::new().with_form(form))
        })
        .await
}

#[when(regex = r"^the server sends (\w+) the last NOTIFY again$")]
async fn same_notify(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&name)?.user;
            // The stimulus stays the change itself: its NOTIFY and the copy belong together.
            scene.inject(|server, now| {
                server.notify(now, SiteId::FIRST, &user, &NotifySpec::retransmission())
            })?;
            Ok(())
        })
        .await
}

fn send(scene: &mut Scene, name: &str, spec: NotifySpec) -> Result<(), StepFailure> {
    let user = scene.person(name)?.user;
    scene.mark()?;
    scene.inject(|server, now| server.notify(now, SiteId::FIRST, &user, &spec))?;
    Ok(())
}

fn between<'t>(text: &'t str, start: &str, end: &str) -> Option<&'t str> {
    text.strip_prefix(start)?.strip_suffix(end)
}

#[then(regex = r"^the base answers the NOTIFY with (\d+)(?: or (\d+))? within (\d+) milliseconds$")]
async fn base_answers(
    world: &mut World,
    step: &Step,
    code: String,
    other: String,
    limit: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let mut codes = vec![number::<u16>(&code)?];
            if !other.is_empty() {
                codes.push(number(&other)?);
            }
            let limit = Duration::from_millis(number(&limit)?);
            let mark = scene.stimulus;
            // A NOTIFY that was on its way already is not the one that is meant.
            let records = scene.bench()?.log().records().iter();
            let underway: BTreeSet<String> = records
                .take_while(|record| record.seq <= mark.seq)
                .filter_map(|record| sight::sent_notify(record))
                .filter_map(|notify| notify.branch().map(str::to_owned))
                .collect();
            let mut notify = None;
            let delivered = scene.await_record(mark, COPIES_END, |record| {
                notify = sight::delivered_notify(record).filter(|notify| {
                    notify
                        .branch()
                        .is_none_or(|branch| !underway.contains(branch))
                });
                notify.is_some()
            })?;
            let (Some(delivered), Some(notify)) = (delivered, notify) else {
                return Err(StepFailure::Undecided(
                    "no NOTIFY reached the base".to_owned(),
                ));
            };
            let branch = notify.branch().map(str::to_owned);
            let mut status = None;
            let answered = scene.await_record(delivered, limit, |record| {
                status = answer(record, branch.as_deref());
                status.is_some()
            })?;
            match (answered, status) {
                (Some(_), Some(status)) if codes.contains(&status) => Ok(()),
                (Some(_), Some(status)) => Err(StepFailure::Base(format!(
                    "the base answered the NOTIFY with {status}"
                ))),
                _ => Err(StepFailure::Base(format!(
                    "the base did not answer the NOTIFY within {} ms",
                    limit.as_millis()
                ))),
            }
        })
        .await
}

/// The final status with which the base answers the NOTIFY on this branch, when the record is that answer.
fn answer(record: &Record, branch: Option<&str>) -> Option<u16> {
    let response = sight::response(record, Direction::FromBase, Fate::Sent)?;
    let (_, method) = response.cseq()?;
    let final_answer = response.status().filter(|status| *status >= 200)?;
    (method == Method::Notify && response.branch() == branch).then_some(final_answer)
}

#[then(regex = r"^the base answers every copy of the NOTIFY alike$")]
async fn copies_alike(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let Mark { seq, at } = scene.stimulus;
            let left = (at + COPIES_END).since(scene.here()?.at);
            let settled = Mark { seq, at };
            let records = scene.run_until(settled, left.min(COPIES_END))?;
            let mut copies = 0;
            let mut branch = None;
            let mut answers = BTreeSet::new();
            for record in records {
                if let Some(notify) = sight::delivered_notify(record) {
                    let own = notify.branch().map(str::to_owned);
                    if branch.is_none() || branch == own {
                        branch = own;
                        copies += 1;
                    }
                }
                if branch.is_some() && answer(record, branch.as_deref()).is_some() {
                    let response = sight::response(record, Direction::FromBase, Fate::Sent);
                    answers.extend(response.map(|response| response.wire().to_vec()));
                }
            }
            match (copies, answers.len()) {
                (0 | 1, _) => Err(StepFailure::Undecided(
                    "the NOTIFY came only once".to_owned(),
                )),
                (_, 1) => Ok(()),
                (copies, different) => Err(StepFailure::Base(format!(
                    "{copies} copies of the NOTIFY were answered in {different} different ways"
                ))),
            }
        })
        .await
}
