//! The rules of the registration group: REG-01, REG-02, REG-03, REG-05.

use crate::monitor::report::Need;
use crate::monitor::rules::deadlines::Deadlines;
use crate::monitor::rules::registration::renewal::{Lapse, Renewals};
use crate::monitor::rules::rule::{Rule, Tell, user_of};
use crate::monitor::scene::Scene;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::time::{SECOND, clock, span};
use crate::monitor::scene::traffic::{Purpose, Request, digest, host, user};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How soon the first SUBSCRIBE follows what allows it: the limit of REG-02.
pub(crate) const PROMPT: u64 = 10 * SECOND;

pub(crate) mod renewal;
mod switch;

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(OneCallIdPerBoot::default()),
        Box::new(SubscribeFollowsRegistration::default()),
        Box::new(switch::SwitchedOffIsSilent::default()),
        Box::new(OwnAddressOnly),
    ]
}

/// Bindings and when they have to be renewed.
/// Whether the account's subscription was refused for good, which is the business of FAIL-03.
pub(crate) fn is_refused(scene: &Scene, account: usize) -> bool {
    scene
        .current(account)
        .is_some_and(|(_, subscription)| matches!(subscription.refused(), Some(403 | 489)))
}

/// The latest REGISTER of an account. It may be older than anything that the scene remembers.
#[derive(Clone, Debug)]
struct Last {
    seq: u64,
    at: u64,
    call_id: String,
    cseq: u32,
    destination: SocketAddr,
    gives_up: bool,
}

/// REG-01
#[derive(Clone, Debug, Default)]
struct OneCallIdPerBoot {
    last: BTreeMap<usize, Last>,
    renewals: Renewals,
}

impl OneCallIdPerBoot {
    fn on_register(&mut self, place: Place, scene: &Scene, tell: &mut Tell) {
        let Some(request) = scene.request(place) else {
            return;
        };
        let Some(account) = request.register() else {
            return;
        };
        tell.exercise();
        if let Some(text) = foreign_address(request, scene, account) {
            tell.find(self, request.at, text, &[request.seq]);
        }
        let this = Last {
            seq: request.seq,
            at: request.at,
            call_id: request.message.call_id().to_owned(),
            cseq: request.cseq,
            destination: request.destination,
            gives_up: request.gives_up(),
        };
        let Some(last) = self.last.insert(account, this) else {
            return;
        };
        let records = [last.seq, request.seq];
        let (before, now) = (last.call_id, request.message.call_id());
        if before != now {
            if !last.gives_up && !request.gives_up() {
                let text = format!(
                    "the REGISTERs of {} must keep one Call-ID until the base restarts: {before} at {}, {now} at {}",
                    user_of(scene, account),
                    clock(last.at),
                    clock(request.at)
                );
                tell.find(self, request.at, text, &records);
            }
            return;
        }
        let elsewhere = last.destination != request.destination && last.cseq == request.cseq;
        if request.cseq != last.cseq.wrapping_add(1) && !elsewhere {
            let text = format!(
                "the CSeq of the REGISTERs of {} must rise by one: {} at {}, then {} at {}",
                user_of(scene, account),
                last.cseq,
                clock(last.at),
                request.cseq,
                clock(request.at)
            );
            tell.find(self, request.at, text, &records);
        }
    }
}

impl Rule for OneCallIdPerBoot {
    fn requirement(&self) -> &'static str {
        "REG-01"
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::END,
                Kinds::ANSWER,
                Kinds::REQUEST,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        self.renewals.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        for Lapse { binding, late } in self.renewals.on(moment, scene) {
            if late.is_none() && is_refused(scene, binding.account) {
                continue;
            }
            let text = format!(
                "the registration of {} was granted at {} for {} and must be renewed by {}, but the next REGISTER {}",
                user_of(scene, binding.account),
                clock(binding.granted),
                span(binding.lifetime),
                clock(binding.granted.saturating_add(binding.lifetime)),
                late.map_or_else(
                    || "never came".to_owned(),
                    |at| format!("left at {}", clock(at))
                )
            );
            tell.find(self, scene.now, text, &[binding.seq]);
        }

        match moment {
            Moment::Boot => self.last.clear(),
            Moment::Provisioned(account) => {
                self.last.remove(&account);
            }
            Moment::Request(place) => self.on_register(place, scene, tell),
            _ => {}
        }
    }
}

/// What is wrong with the addresses of an account's request.
fn foreign_address(request: &Request, scene: &Scene, account: usize) -> Option<String> {
    let account = scene.account(account)?;
    let message = &request.message;
    let (from, to) = (message.from_uri()?, message.to_uri().unwrap_or_default());
    let method = &request.method;
    if user(from) != user(to) || !host(from).eq_ignore_ascii_case(host(to)) {
        return Some(format!(
            "a {method} must carry the account's address-of-record in From and To alike, but From is {from} and To is {to}"
        ));
    }
    if user(from) != Some(account.user.as_str()) {
        return Some(format!(
            "a {method} of account {} must carry that account in From, but carries {from}",
            account.user
        ));
    }
    if scene.available.contains(&Need::Provisioning) && !account.provisioned && !account.deleted {
        return Some(format!(
            "a {method} carries {from} in From, but provisioning has no account {}",
            account.user
        ));
    }
    if !account.domain.is_empty() && !host(from).eq_ignore_ascii_case(host(&account.domain)) {
        return Some(format!(
            "a {method} carries {from} in From, but the account's domain is {}",
            account.domain
        ));
    }
    None
}

/// The account's name in findings.
/// REG-02
#[derive(Clone, Debug, Default)]
struct SubscribeFollowsRegistration {
    due: Deadlines<(usize, u64)>,
    early: BTreeSet<usize>,
}

impl SubscribeFollowsRegistration {
    fn on_subscribe(&mut self, request: &Request, scene: &Scene, tell: &mut Tell) {
        let Some(subscribe) = request.subscribe() else {
            return;
        };
        let Some(account) = request.account else {
            return;
        };
        if subscribe.in_dialog || request.repeats.is_some() {
            return;
        }
        if self.due.forget(account).is_some() {
            tell.exercise();
        }
        let Some(known) = scene.account(account) else {
            return;
        };
        if subscribe.purpose == Purpose::Unsubscribe || !scene.is_complete() {
            return;
        }
        let text = if known.first_registered.is_none() {
            if !self.early.insert(account) {
                return;
            }
            format!(
                "{} must register before it subscribes, but the SUBSCRIBE left at {} without any 2xx to a REGISTER",
                user_of(scene, account),
                clock(request.at)
            )
        } else {
            let alive = known
                .registration
                .is_some_and(|binding| binding.is_live(scene.now.saturating_sub(SECOND)));
            let refetched = known.refetched.is_some_and(|at| scene.now <= at + PROMPT);
            if alive || refetched {
                return;
            }
            format!(
                "{} must not subscribe without a live registration, but the SUBSCRIBE left at {}",
                user_of(scene, account),
                clock(request.at)
            )
        };
        tell.find(self, request.at, text, &[request.seq]);
    }
}

impl Rule for SubscribeFollowsRegistration {
    fn requirement(&self) -> &'static str {
        "REG-02"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sip, Need::Provisioning]
    }

    fn hears(&self) -> Kinds {
        const {
            Kinds::of(&[
                Kinds::BOOT,
                Kinds::PROVISIONED,
                Kinds::ANSWER,
                Kinds::REQUEST,
            ])
        }
    }

    fn due(&self) -> Option<u64> {
        self.due.next()
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => {
                self.due.clear();
                self.early.clear();
            }
            Moment::Clock => {
                while let Some((_, (account, seq))) = self.due.pass(scene.now) {
                    let text = format!(
                        "{} must subscribe within {} of its registration, but sent no SUBSCRIBE",
                        user_of(scene, account),
                        span(PROMPT)
                    );
                    tell.find(self, scene.now, text, &[seq]);
                }
            }
            Moment::Provisioned(place) => {
                self.due.forget(place);
                let Some(account) = scene.account(place) else {
                    return;
                };
                let live = account
                    .registration
                    .is_some_and(|binding| binding.is_live(scene.now));
                if account.sync == Some(true) && live && !account.has_subscribed {
                    self.due
                        .set(scene.now + PROMPT, Some(place), (place, scene.seq));
                }
            }
            Moment::Answer(place) => {
                let Some(request) = scene.request(place) else {
                    return;
                };
                let Some(account) = request.register() else {
                    return;
                };
                if request.granted() && request.gives_up() {
                    self.due.forget(account);
                } else if request.granted()
                    && let Some(known) = scene.account(account)
                    && known.first_registered == Some(scene.now)
                    && known.sync == Some(true)
                    && !known.has_subscribed
                {
                    self.due
                        .set(scene.now + PROMPT, Some(account), (account, scene.seq));
                }
            }
            Moment::Request(place) => {
                if let Some(request) = scene.request(place) {
                    self.on_subscribe(request, scene, tell);
                }
            }
            _ => {}
        }
    }
}

/// REG-05
#[derive(Clone, Debug)]
struct OwnAddressOnly;

impl Rule for OwnAddressOnly {
    fn requirement(&self) -> &'static str {
        "REG-05"
    }

    fn hears(&self) -> Kinds {
        Kinds::REQUEST
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Moment::Request(place) = moment else {
            return;
        };
        let Some(request) = scene.request(place) else {
            return;
        };
        let (Some(subscribe), Some(account)) = (request.subscribe(), request.account) else {
            return;
        };
        tell.exercise();
        let mut wrong = foreign_address(request, scene, account);
        let uri = request.message.request_uri().unwrap_or_default();
        let own = scene
            .account(account)
            .map_or("", |account| account.user.as_str());
        if wrong.is_none() && !subscribe.in_dialog && request.message.to_tag().is_none() {
            let domain = scene
                .account(account)
                .map_or("", |account| host(&account.domain));
            let elsewhere = !domain.is_empty() && !host(uri).eq_ignore_ascii_case(domain);
            if user(uri) != Some(own) || elsewhere {
                wrong = Some(format!(
                    "the SUBSCRIBE of account {own} must be addressed to its own address-of-record, but its Request-URI is {uri}"
                ));
            }
        }
        if wrong.is_none() {
            wrong = foreign_credentials(request, scene, account);
        }
        let current = scene
            .account(account)
            .filter(|account| account.handsets.len() < 2);
        let current = current.and_then(|account| account.current);
        if wrong.is_none()
            && subscribe.in_dialog
            && subscribe.purpose != Purpose::Unsubscribe
            && let Some(current) = current.filter(|current| *current != subscribe.subscription)
            && let Some(second) = scene.subscription(current)
            && second.is_live(scene.now)
        {
            wrong = Some(format!(
                "account {own} has two subscriptions at once: it renews the one with Call-ID {} and has another with Call-ID {}",
                request.message.call_id(),
                second.call_id
            ));
        }
        if let Some(text) = wrong {
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

fn foreign_credentials(request: &Request, scene: &Scene, account: usize) -> Option<String> {
    let account = scene
        .account(account)
        .filter(|account| !account.auth_name.is_empty())?;
    let mut credentials = request
        .message
        .headers("Authorization")
        .chain(request.message.headers("Proxy-Authorization"));
    let name = credentials.find_map(|value| digest(value, "username"))?;
    (name != account.auth_name).then(|| {
        format!(
            "the SUBSCRIBE of account {} carries the credentials of {name}, its own are those of {}",
            account.user, account.auth_name
        )
    })
}
