//! Requests from the server, and from anybody else: NOTIFY to the subscription it belongs to, everything else answered
//! as a phone without a conversation does.
//!
//! | request | answer |
//! |---|---|
//! | NOTIFY check-sync | 200, and the owner is told |
//! | NOTIFY of another package, or without Event | 489 with Allow-Events |
//! | NOTIFY of a package of the model, of a subscription | as the subscription says |
//! | NOTIFY of a package of the model, of none | 481 |
//! | OPTIONS | 200 with Allow, Accept, Allow-Events |
//! | INVITE to an account | 180, and 487 when it is cancelled or 480 after a minute |
//! | INVITE, OPTIONS to nobody | 404 |
//! | CANCEL | 200, or 481 |
//! | BYE of a call | 200, and the call ends |
//! | BYE, INFO and others of no dialog | 481 |
//! | any other | 405 with Allow |

use super::account::Account;
use super::request::Shared;
use super::subscription::Reaction;
use super::{UaIndication, UserAgent};
use crate::accounts::Ipui;
use crate::defect::Defect;
use sip::endpoint::TransactionId;
use sip::message::{Builder, Message, Method, parameter};
use sip::time::Instant;
use std::time::Duration;

const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, INFO";
const CHECK_SYNC: &str = "check-sync";
const DESCRIPTION: &str = "application/sdp";
/// How long a handset rings: our choice.
const RINGING: Duration = Duration::from_secs(60);

/// An INVITE whose handset rings.
#[derive(Clone, Debug)]
pub(super) struct Ringing {
    transaction: TransactionId,
    request: Message,
    tag: String,
    until: Instant,
}

impl Ringing {
    pub(super) const fn deadline(&self) -> Instant {
        self.until
    }
}

/// An answer on its way.
struct Answer<'a> {
    code: u16,
    reason: &'a str,
    headers: Vec<(&'a str, String)>,
}

impl<'a> Answer<'a> {
    const fn new(code: u16, reason: &'a str) -> Self {
        Self {
            code,
            reason,
            headers: Vec::new(),
        }
    }

    fn with(mut self, name: &'a str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

impl UserAgent {
    pub(super) fn on_request(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Message,
    ) {
        let method = request.method().cloned().unwrap_or(Method::Options);
        let answer = match method {
            Method::Notify => return self.on_notify(now, transaction, request),
            Method::Options if self.addressee(request).is_some() || is_to_host(request) => {
                Answer::new(200, "OK")
                    .with("Allow", ALLOW)
                    .with("Accept", &accept(&self.shared))
                    .with("Allow-Events", &allow_events(&self.shared))
            }
            Method::Options => Answer::new(404, "Not Found"),
            Method::Invite => match self.on_invite(now, transaction, request) {
                Some(answer) => answer,
                None => return,
            },
            Method::Cancel => self.on_cancel(now, transaction),
            Method::Bye => self.on_bye(now, request),
            _ if request.to_tag().is_some() || method == Method::Info => gone(),
            _ => Answer::new(405, "Method Not Allowed").with("Allow", ALLOW),
        };
        self.respond(now, transaction, request, &answer);
    }

    /// Answers a NOTIFY at once, then takes what it brings (RFC 6665 §4.1.3 allows no wait for the user).
    fn on_notify(&mut self, now: Instant, transaction: TransactionId, request: &Message) {
        let event = request.header("Event").unwrap_or_default().to_owned();
        let package = event.split(';').next().unwrap_or_default().trim();
        let any_case = self.shared.has(Defect::ComparesEventWithoutCase);
        let mut packages = self.shared.packages.iter();
        let known = packages.any(|package| package.is_named(&event, any_case));
        let strict = self.shared.has(Defect::RefusesEventParameters);
        if package == CHECK_SYNC {
            self.respond(now, transaction, request, &Answer::new(200, "OK"));
            let reboot = parameter(&event, "reboot").is_some_and(|value| value == "true");
            self.shared.indicate(UaIndication::CheckSync { reboot });
        } else if !known || (strict && event.contains(';')) {
            let answer = bad_event(&self.shared);
            self.respond(now, transaction, request, &answer);
        } else {
            self.on_state(now, transaction, request);
        }
    }

    /// A NOTIFY of the package goes to the subscription it belongs to.
    fn on_state(&mut self, now: Instant, transaction: TransactionId, request: &Message) {
        for handset in self.roster.with_call_id(request.call_id()) {
            let judge = |account: &mut Account, shared: &mut Shared| {
                account.handle_notify(now, shared, request)
            };
            let answer = match self.work(&handset, judge) {
                None | Some(Reaction::NotMine) => continue,
                Some(Reaction::Silence) => return,
                Some(Reaction::Answer(code, reason, headers)) => Answer {
                    code,
                    reason,
                    headers,
                },
            };
            self.respond(now, transaction, request, &answer);
            self.work(&handset, |account, shared| {
                account.after_notify(now, shared)
            });
            return;
        }
        let addressee = self.addressee(request);
        let accepts = self.shared.has(Defect::AcceptsUnknownDialogs);
        if let Some(handset) = addressee.filter(|_| accepts) {
            self.respond(now, transaction, request, &Answer::new(200, "OK"));
            self.work(&handset, |account, shared| {
                account.apply_foreign(now, shared, request);
            });
            return;
        }
        let event = request.header("Event").unwrap_or_default();
        let answer = if parameter(event, "id").is_some() {
            bad_event(&self.shared)
        } else {
            gone()
        };
        self.respond(now, transaction, request, &answer);
    }

    fn respond(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Message,
        answer: &Answer<'_>,
    ) {
        respond(&mut self.shared, now, transaction, request, answer, None);
    }

    fn on_invite(
        &mut self,
        now: Instant,
        transaction: TransactionId,
        request: &Message,
    ) -> Option<Answer<'static>> {
        if request.to_tag().is_some() {
            return Some(gone());
        }
        if self.addressee(request).is_none() {
            return Some(Answer::new(404, "Not Found"));
        }
        let tag = self.shared.endpoint.new_tag();
        let ringing = Answer::new(180, "Ringing");
        respond(
            &mut self.shared,
            now,
            transaction,
            request,
            &ringing,
            Some(&tag),
        );
        self.ringing.push(Ringing {
            transaction,
            request: request.clone(),
            tag,
            until: now + RINGING,
        });
        None
    }

    fn on_cancel(&mut self, now: Instant, transaction: TransactionId) -> Answer<'static> {
        let Some(invite) = self.shared.endpoint.invite_of(transaction) else {
            return gone();
        };
        let answer = Answer::new(487, "Request Terminated");
        self.stop_ringing(now, &answer, |ringing| ringing.transaction == invite);
        Answer::new(200, "OK")
    }

    /// The handsets that nobody answers stop ringing.
    pub(super) fn give_up_ringing(&mut self, now: Instant) {
        let answer = Answer::new(480, "Temporarily Unavailable");
        self.stop_ringing(now, &answer, |ringing| ringing.until <= now);
    }

    fn stop_ringing(&mut self, now: Instant, answer: &Answer<'_>, stop: impl Fn(&Ringing) -> bool) {
        let ringing = std::mem::take(&mut self.ringing);
        let (stopped, going_on) = ringing.into_iter().partition(stop);
        self.ringing = going_on;
        for call in stopped {
            let Ringing {
                transaction,
                request,
                tag,
                ..
            } = call;
            respond(
                &mut self.shared,
                now,
                transaction,
                &request,
                answer,
                Some(&tag),
            );
        }
    }

    fn on_bye(&mut self, now: Instant, request: &Message) -> Answer<'static> {
        let end = |account: &mut Account, shared: &mut Shared| {
            let mine = account.has_call(request);
            if mine {
                account.on_call_ended_by_peer(now, shared);
            }
            mine
        };
        let mut with = self.roster.with_call_id(request.call_id()).into_iter();
        if with.any(|handset| self.work(&handset, end) == Some(true)) {
            Answer::new(200, "OK")
        } else {
            gone()
        }
    }

    /// The account that the Request-URI names.
    fn addressee(&self, request: &Message) -> Option<Ipui> {
        let uri = request.request_uri()?;
        let (_, rest) = uri.split_once(':')?;
        let (user, _) = rest.split_once('@')?;
        self.roster.named(user)
    }
}

/// Whether the Request-URI names the base and no account.
fn is_to_host(request: &Message) -> bool {
    request.request_uri().is_some_and(|uri| !uri.contains('@'))
}

fn gone() -> Answer<'static> {
    Answer::new(481, "Call/Transaction Does Not Exist")
}

fn bad_event(shared: &Shared) -> Answer<'static> {
    Answer::new(489, "Bad Event").with("Allow-Events", &allow_events(shared))
}

fn allow_events(shared: &Shared) -> String {
    let packages = shared.packages.iter().map(|package| package.name.as_str());
    packages.chain([CHECK_SYNC]).collect::<Vec<_>>().join(", ")
}

/// Every content type that is taken, each once.
fn accept(shared: &Shared) -> String {
    let accepted = shared.packages.iter().flat_map(|package| &package.accept);
    let mut types: Vec<&str> = Vec::new();
    for one in accepted.map(String::as_str).chain([DESCRIPTION]) {
        if !types.contains(&one) {
            types.push(one);
        }
    }
    types.join(", ")
}

fn respond(
    shared: &mut Shared,
    now: Instant,
    transaction: TransactionId,
    request: &Message,
    answer: &Answer<'_>,
    tag: Option<&str>,
) {
    let fresh;
    let tag = match tag {
        Some(tag) => tag,
        None => {
            fresh = shared.endpoint.new_tag();
            &fresh
        }
    };
    let mut builder = Builder::response_to(request, answer.code, answer.reason, Some(tag));
    for (name, value) in &answer.headers {
        builder = builder.header(name, value);
    }
    let agent = shared.model.user_agent();
    match builder.header("User-Agent", &agent).build() {
        Ok(response) => shared.endpoint.respond(now, transaction, response),
        Err(error) => {
            let line = format!("sip answer {} not sent: {error}", answer.code);
            shared.indicate(UaIndication::Log(line));
        }
    }
}
