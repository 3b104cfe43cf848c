//! What the server does wrong, or otherwise than a base may expect.

use super::number;
use crate::scene::StepFailure;
use crate::vocabulary::Setting;
use crate::world::World;
use cucumber::gherkin::Step;
use cucumber::{given, when};
use evidence::message::Method;
use server::dialect::Device;
use server::fault::{Action, Ending, Fault, Purpose};
use server::{Package, ServiceValue, SiteId, SubscriptionFilter};
use sip::service::Service;

fn on_subscribe(action: Action) -> Fault {
    Fault::new(action).on_method(&Method::Subscribe)
}

/// The subscriptions of a user that the features are about.
fn services_of(user: &str) -> SubscriptionFilter {
    SubscriptionFilter::of_user(user).in_package(Package::FeatureEvent)
}

#[given(expr = "the server notifies {setting} whatever it is asked")]
async fn contradicts(world: &mut World, step: &Step, wanted: Setting) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let values = vec![ServiceValue::new(wanted.service(), &wanted.value())];
            let words = format!("the server keeps {wanted} whatever it is asked");
            scene.load_fault(
                &words,
                on_subscribe(Action::Contradict { values }).on_purpose(Purpose::Change),
            )
        })
        .await
}

#[given(regex = r"^the server notifies the old state before the new one$")]
async fn old_then_new(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = on_subscribe(Action::OldThenNewNotify).on_purpose(Purpose::Change);
            scene.load_fault(
                "the server notifies the old state before the new one",
                fault,
            )
        })
        .await
}

#[given(regex = r"^the server loses the NOTIFYs of its changes$")]
async fn withholds(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = Fault::new(Action::WithholdNotify).on_purpose(Purpose::ServerChange);
            scene.load_fault("the server does not notify its own changes", fault)
        })
        .await
}

#[given(regex = r"^the server sends the full state in the order (.+)$")]
async fn part_order(world: &mut World, step: &Step, order: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let services: Result<Vec<Service>, StepFailure> = order
                .split(", ")
                .map(|name| {
                    let service = Service::from_abbreviation(name);
                    service.ok_or_else(|| StepFailure::Rig(format!("`{name}` is no service")))
                })
                .collect();
            let words = format!("the server sends the documents in the order {order}");
            scene.load_fault(
                &words,
                Fault::new(Action::Order {
                    services: services?,
                }),
            )
        })
        .await
}

#[given(regex = r"^the server writes (.+) as the device$")]
async fn device(world: &mut World, step: &Step, form: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let device = match form.as_str() {
                "the own number" => Device::Own,
                "another number" => Device::Other,
                "nothing" => Device::Empty,
                "a notKnown child" => Device::NotKnown,
                "no element" => Device::Missing,
                other => {
                    return Err(StepFailure::Rig(format!(
                        "`{other}` is no form of the device element"
                    )));
                }
            };
            let words = format!("the server writes {form} as the device");
            scene.load_fault(&words, Fault::new(Action::Device { form: device }))
        })
        .await
}

#[given(regex = r"^the server writes (.+) as the ring count$")]
async fn ring_count(world: &mut World, step: &Step, form: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let value = match form.as_str() {
                "nothing" => Some(String::new()),
                "no element" => None,
                other => Some(other.to_owned()),
            };
            let words = format!("the server writes {form} as the ring count");
            scene.load_fault(&words, Fault::new(Action::RingCount { value }))
        })
        .await
}

#[given(regex = r"^the server challenges every new SUBSCRIBE$")]
async fn challenges(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = on_subscribe(Action::StaleChallenge)
                .on_purpose(Purpose::Initial)
                .times(1);
            scene.load_fault(
                "the server challenges the first SUBSCRIBE with a new nonce",
                fault,
            )
        })
        .await
}

#[when(regex = r"^the server forgets its nonces$")]
async fn forgets_nonces(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            scene.mark()?;
            scene.inject_fault("the server forgets its nonces", |server, _| {
                server.expire_nonces(SiteId::FIRST);
            })
        })
        .await
}

#[given(regex = r"^the server refuses the credentials of every SUBSCRIBE$")]
async fn refuses_credentials(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = on_subscribe(Action::EndlessChallenge);
            scene.load_fault(
                "the server challenges every SUBSCRIBE, with credentials or without",
                fault,
            )
        })
        .await
}

#[when(regex = r"^the server answers SUBSCRIBEs with 401 and no challenge$")]
async fn bare_unauthorized(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = on_subscribe(Action::BareUnauthorized);
            scene.load_fault(
                "the server answers SUBSCRIBEs with 401 and no challenge",
                fault,
            )
        })
        .await
}

#[given(regex = r"^the server answers every SUBSCRIBE with (\d+)$")]
async fn answers(world: &mut World, step: &Step, code: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let action = Action::Answer {
                code: number(&code)?,
                reason: None,
                headers: Vec::new(),
            };
            scene.load_fault(
                &format!("the server answers every SUBSCRIBE with {code}"),
                on_subscribe(action),
            )
        })
        .await
}

#[given(regex = r"^the server answers SUBSCRIBEs with 202$")]
async fn accepts_with_202(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = on_subscribe(Action::AcceptWith { code: 202 });
            scene.load_fault("the server answers SUBSCRIBEs with 202", fault)
        })
        .await
}

#[given(regex = r"^the server sends its NOTIFY (\d+) milliseconds before its answer$")]
async fn notify_first(world: &mut World, step: &Step, lead: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            // On top of the network's own jitter, so that the NOTIFY also arrives first.
            let lead_milliseconds = number::<u64>(&lead)? + 40;
            let fault = on_subscribe(Action::NotifyBeforeResponse { lead_milliseconds });
            scene.load_fault("the server sends its NOTIFY before its answer", fault)
        })
        .await
}

#[given(regex = r"^the server leaves Expires out of its answers to SUBSCRIBE$")]
async fn omits_expires(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = on_subscribe(Action::OmitExpires);
            scene.load_fault(
                "the server leaves Expires out of its answers to SUBSCRIBE",
                fault,
            )
        })
        .await
}

#[given(regex = r"^the server is silent to every SUBSCRIBE$")]
async fn silent(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            let fault = on_subscribe(Action::Drop);
            scene.load_fault("the server does not see SUBSCRIBEs", fault)
        })
        .await
}

#[when(regex = r"^the server speaks again$")]
async fn speaks_again(world: &mut World, step: &Step) -> Result<(), StepFailure> {
    world
        .perform(step, |scene| {
            scene.mark()?;
            scene.inject_fault("the server works as it should again", |server, _| {
                server.clear_faults(SiteId::FIRST);
            })
        })
        .await
}

#[given(regex = r"^the server closes subscriptions with reason (\w+)$")]
async fn closes_with(world: &mut World, step: &Step, reason: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let words = format!("the server closes subscriptions with reason {reason}");
            let action = Action::EndSubscription {
                reason: Some(reason),
                retry_after: None,
            };
            scene.load_fault(
                &words,
                on_subscribe(action).on_purpose(Purpose::Unsubscribe),
            )
        })
        .await
}

#[when(regex = r"^the server forgets the subscription of (\w+)$")]
async fn forgets(world: &mut World, step: &Step, name: String) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&name)?.user;
            scene.mark_for(&user)?;
            let words = format!("the server forgets the subscription of {name}");
            scene.inject_fault(&words, |server, _| {
                server.forget_subscriptions(SiteId::FIRST, &services_of(&user));
            })
        })
        .await
}

#[when(regex = r"^the server ends the subscription of (\w+) with reason (\w+)$")]
async fn ends_with(
    world: &mut World,
    step: &Step,
    name: String,
    reason: String,
) -> Result<(), StepFailure> {
    world
        .perform(step, move |scene| {
            let user = scene.person(&name)?.user;
            scene.mark_for(&user)?;
            let (which, ending) = (services_of(&user), Ending::because(&reason));
            scene.inject(|server, now| {
                server.end_subscriptions(now, SiteId::FIRST, &which, &ending);
            })
        })
        .await
}
