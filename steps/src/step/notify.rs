//! NOTIFYs that a scenario words itself, and how the base answers them.

use super::number;
use crate::scene::{Mark, Scene, StepFailure, is_on};
use crate::sight;
use crate::vocabulary::{Person, Setting};
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{then, when};
use evidence::message::Method;
use evidence::record::{Direction, Fate, Record};
use server::SiteId;
use server::fault::Action;
use server::notify_spec::{NotifyDialog, NotifySent, NotifySpec};
use sip::feature_event::{CONTENT_TYPE, Device, Event, Style};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long copies and answers of a NOTIFY may go on: Timer F of the server, and some.
const COPIES_END: Duration = Duration::from_secs(40);

/// What stands before a document that makes its reader expand entities, for as long as it will.
const BOMB: &str = "<!DOCTYPE DoNotDisturbEvent [<!ENTITY a \"boom\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">\
    <!ENTITY c \"&b;&b;&b;&b;&b;&b;&b;&b;\"><!ENTITY d \"&c;&c;&c;&c;&c;&c;&c;&c;\">]>";

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
            send(scene, &person.0, &spec)?;
            Ok(())
        })
        .await
}

#[when(expr = "the server sends {person} a bad NOTIFY of {setting}: {}")]
async fn bad_body(
    world: &mut World,
    step: &Step,
    person: Person,
    told: Setting,
    body: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let form = bad_form(&body, &told)?;
            let sent = send(scene, &person.0, &NotifySpec::new().with_form(form))?;
            // Whatever comes next would overtake it, and then be refused for what it is not.
            for NotifySent { branch, .. } in sent {
                let mark = scene.stimulus;
                let delivered = scene.await_record(mark, COPIES_END, |record| {
                    sight::delivered_notify(record)
                        .is_some_and(|notify| notify.branch() == Some(&branch))
                })?;
                let delivered = delivered.ok_or_else(not_delivered)?;
                if status_within(scene, delivered, COPIES_END, Some(&branch))?.is_none() {
                    return Err(StepFailure::Base(format!(
                        "the base did not answer the NOTIFY within {} s",
                        COPIES_END.as_secs()
                    )));
                }
            }
            Ok(())
        })
        .await
}

/// A body that says this, and that a base must not believe.
fn bad_form(body: &str, told: &Setting) -> Result<Action, StepFailure> {
    let said = Event {
        device: Device::NotKnown,
        service: told.service(),
        setting: told.value(),
    };
    let document = Style::default().event(&said);
    let (content_type, text) = match body {
        "its root element has no end" => {
            let end = document.rfind("</").unwrap_or(document.len());
            (CONTENT_TYPE, document[..end].to_owned())
        }
        "an entity bomb stands before it" => {
            let start = document.find("?>").map_or(0, |end| end + 2);
            let (declaration, root) = document.split_at(start);
            (CONTENT_TYPE, format!("{declaration}{BOMB}{root}"))
        }
        "its type is unsupported" => ("application/x-unheard-of", document),
        "it has bytes that no document has" => {
            (CONTENT_TYPE, document.replace("</", "\u{1}\u{0}</"))
        }
        other => {
            return Err(StepFailure::Rig(format!("no bad NOTIFY is known: {other}")));
        }
    };
    Ok(Action::Body {
        content_type: content_type.to_owned(),
        text,
    })
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

/// Sends it as a stimulus, and gives what has left.
fn send(scene: &mut Scene, name: &str, spec: &NotifySpec) -> Result<Vec<NotifySent>, StepFailure> {
    let user = scene.person(name)?.user;
    scene.mark_for(&user)?;
    let sent = scene.inject(|server, now| server.notify(now, SiteId::FIRST, &user, spec))?;
    if sent.is_empty() {
        return Err(StepFailure::Undecided(format!(
            "the server has no subscription of {name} to notify"
        )));
    }
    Ok(sent)
}

fn not_delivered() -> StepFailure {
    StepFailure::Undecided("no NOTIFY reached the base".to_owned())
}

/// The user whose NOTIFY the last stimulus led to.
fn addressee(scene: &Scene) -> Result<String, StepFailure> {
    let addressee = scene.addressee.clone();
    addressee
        .ok_or_else(|| StepFailure::Rig("no step before says whose NOTIFY is meant".to_owned()))
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
            let (mark, user) = (scene.stimulus, addressee(scene)?);
            // A NOTIFY that was on its way already is not the one that is meant.
            let underway = scene.notified_by(mark)?;
            let mut notify = None;
            let delivered = scene.await_record(mark, COPIES_END, |record| {
                notify = sight::delivered_notify(record)
                    .filter(|notify| sight::is_to(notify, &user) && !is_on(notify, &underway));
                notify.is_some()
            })?;
            let (delivered, notify) = delivered.zip(notify).ok_or_else(not_delivered)?;
            match status_within(scene, delivered, limit, notify.branch())? {
                Some(status) if codes.contains(&status) => Ok(()),
                Some(status) => Err(StepFailure::Base(format!(
                    "the base answered the NOTIFY with {status}"
                ))),
                None => Err(StepFailure::Base(format!(
                    "the base did not answer the NOTIFY within {} ms",
                    limit.as_millis()
                ))),
            }
        })
        .await
}

/// The final status with which the base answers the NOTIFY on this branch, when it does so in time.
fn status_within(
    scene: &mut Scene,
    delivered: Mark,
    limit: Duration,
    branch: Option<&str>,
) -> Result<Option<u16>, StepFailure> {
    let mut status = None;
    let answered = scene.await_record(delivered, limit, |record| {
        status = answer(record, branch);
        status.is_some()
    })?;
    Ok(answered.and(status))
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
            let (start, user) = (scene.stimulus, addressee(scene)?);
            let underway = scene.notified_by(start)?;
            let records = scene.run_until(start, COPIES_END)?;
            let (mut copies, mut unanswered) = (0, 0);
            let mut branch = None;
            let mut answers = BTreeSet::new();
            for record in records {
                if let Some(notify) = sight::notify_for(record, &user)
                    && !is_on(&notify, &underway)
                {
                    let own = notify.branch().map(str::to_owned);
                    if branch.is_none() || branch == own {
                        branch = own;
                        copies += 1;
                        // Until the base has answered once, it may pass over copies (RFC 3261 §17.2.2).
                        unanswered += usize::from(!answers.is_empty());
                    }
                }
                if branch.is_some() && answer(record, branch.as_deref()).is_some() {
                    let response = sight::response(record, Direction::FromBase, Fate::Sent);
                    unanswered = unanswered.saturating_sub(usize::from(!answers.is_empty()));
                    answers.extend(response.map(|response| response.wire().to_vec()));
                }
            }
            match (copies, answers.len()) {
                (0 | 1, _) => Err(StepFailure::Undecided(
                    "the NOTIFY came only once".to_owned(),
                )),
                (_, 1) if unanswered == 0 => Ok(()),
                (_, 1) => Err(StepFailure::Base(format!(
                    "{unanswered} of {copies} copies of the NOTIFY got no answer"
                ))),
                (copies, different) => Err(StepFailure::Base(format!(
                    "{copies} copies of the NOTIFY were answered in {different} different ways"
                ))),
            }
        })
        .await
}
