//! What becomes of a request: first the fault plan, then the method, then the credentials.
//!
//! | method | answer |
//! |--------|--------|
//! | REGISTER | 200 with the bindings; 401, 404, 423, 400, 403, 500 |
//! | SUBSCRIBE | see `subscribe` |
//! | INVITE, CANCEL, BYE | see `calls` |
//! | OPTIONS | 200 |
//! | NOTIFY | 481: the server subscribes to nothing |
//! | others | 405 with Allow |

use super::{Job, Site};
use crate::accounts::Accounts;
use crate::address::{user_part, with_source};
use crate::fault::{Action, Stage, Subject};
use crate::package::Package;
use crate::registrar::{Binding, Refusal};
use crate::writer::Writer;
use sip::digest::{Verification, username};
use sip::endpoint::TransactionId;
use sip::message::{Message, Method};
use sip::node::Flow;
use sip::time::Instant;
use std::time::Duration;

impl Site {
    /// A request has come for the first time.
    pub(super) fn on_request(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        message: Message,
    ) {
        let message = with_source(message, flow.remote);
        if message.method() == Some(&Method::Cancel) {
            self.on_cancel(now, transaction, &message);
            return;
        }
        if let Some(refused) = self.refuse_malformed(&message) {
            self.respond(now, transaction, &refused);
            return;
        }
        let subject = Subject::of_request(&message);
        if flow.transport.is_reliable() && self.faults.drops(&subject) {
            return;
        }
        let mut delay = Duration::ZERO;
        for action in self.faults.take(Stage::Arrival, &subject) {
            let writer = match action {
                Action::Delay { milliseconds } => {
                    delay += Duration::from_millis(milliseconds);
                    continue;
                }
                Action::ForgetSubscription => {
                    self.forget_dialog(accounts, &message);
                    continue;
                }
                Action::Answer {
                    code,
                    reason,
                    headers,
                } => headers.iter().fold(
                    self.answer_with_reason(&message, code, reason.as_deref()),
                    |writer, (name, value)| writer.header(name, value),
                ),
                Action::BareUnauthorized => self.answer(&message, 401),
                Action::EndlessChallenge => self.challenge(now, &message, false),
                Action::StaleChallenge => self.challenge(now, &message, true),
                _ => continue,
            };
            self.respond_later(now, delay, transaction, &writer);
            return;
        }
        if delay.is_zero() {
            self.look_at(accounts, now, transaction, flow, &message);
        } else {
            let job = Job::Look {
                transaction,
                flow,
                message: Box::new(message),
            };
            self.later(now + delay, job);
        }
    }

    /// The answer to a request that lacks what every request has, or requires what this server does not have.
    fn refuse_malformed(&mut self, message: &Message) -> Option<Writer> {
        let sound = ["From", "To", "Call-ID"]
            .into_iter()
            .all(|name| message.header(name).is_some_and(|value| !value.is_empty()))
            && message.from_tag().is_some()
            && message
                .cseq()
                .is_some_and(|(_, method)| Some(&method) == message.method());
        if !sound {
            return Some(self.answer(message, 400));
        }
        let required = message.values("Require").join(", ");
        (!required.is_empty()).then(|| self.answer(message, 420).header("Unsupported", &required))
    }

    /// Judges a request that no fault has kept away.
    pub(super) fn look_at(
        &mut self,
        accounts: &mut Accounts,
        now: Instant,
        transaction: TransactionId,
        flow: Flow,
        message: &Message,
    ) {
        let writer = match message.method() {
            Some(Method::Register) => self.on_register(accounts, now, flow, message),
            Some(Method::Subscribe) => {
                self.on_subscribe(accounts, now, transaction, flow, message);
                return;
            }
            Some(Method::Invite) => {
                self.on_invite(accounts, now, transaction, flow, message);
                return;
            }
            Some(Method::Bye) => self.on_bye(accounts, now, message),
            Some(Method::Options) => {
                let writer = self.answer(message, 200);
                self.with_abilities(writer)
            }
            Some(Method::Notify) => self.answer(message, 481),
            _ => {
                let writer = self.answer(message, 405);
                writer.header("Allow", &self.dialect.style.allow.value.join(", "))
            }
        };
        self.respond(now, transaction, &writer);
    }

    /// A response with the usual reason; To gets a tag if it has none.
    pub(super) fn answer(&mut self, request: &Message, code: u16) -> Writer {
        self.answer_with_reason(request, code, None)
    }

    fn answer_with_reason(&mut self, request: &Message, code: u16, reason: Option<&str>) -> Writer {
        let tag = self.endpoint.new_tag();
        Writer::response_to(&self.dialect, request, code, reason, Some(&tag))
    }

    pub(super) fn respond_later(
        &mut self,
        now: Instant,
        delay: Duration,
        transaction: TransactionId,
        writer: &Writer,
    ) {
        match writer.build() {
            Ok(response) if !delay.is_zero() => {
                let job = Job::Respond {
                    transaction,
                    response: Box::new(response),
                };
                self.later(now + delay, job);
            }
            _ => self.respond(now, transaction, writer),
        }
    }

    fn challenge(&mut self, now: Instant, request: &Message, stale: bool) -> Writer {
        let value = self.challenger.challenge(now, stale);
        self.answer(request, 401).header("WWW-Authenticate", &value)
    }

    /// Whether the request may act for this account; if not, the answer to it.
    pub(super) fn authenticate(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        request: &Message,
        user: &str,
    ) -> Result<(), Writer> {
        let method = request.method().map_or("", Method::as_str);
        let Some(account) = accounts.get(user) else {
            return Err(self.answer(request, 404));
        };
        if !self.dialect.digest.challenged.value.contains(method) {
            return Ok(());
        }
        let verification = self.challenger.verify(now, request, account.password());
        match verification {
            Verification::Granted if username(request).as_deref() == Some(user) => Ok(()),
            Verification::Granted => Err(self.answer(request, 403)),
            Verification::Stale => Err(self.challenge(now, request, true)),
            Verification::Denied | Verification::Absent => Err(self.challenge(now, request, false)),
        }
    }

    fn on_register(
        &mut self,
        accounts: &Accounts,
        now: Instant,
        flow: Flow,
        request: &Message,
    ) -> Writer {
        let user = request.to_uri().map_or("", user_part);
        if let Err(refused) = self.authenticate(accounts, now, request, user) {
            return refused;
        }
        let subject = Subject::of_request(request);
        let (mut forced, mut tells_expires) = (None, true);
        for action in self.faults.take(Stage::Acceptance, &subject) {
            match action {
                Action::GrantExpires { seconds } => forced = Some(seconds),
                Action::OmitExpires => tells_expires = false,
                _ => {}
            }
        }
        let max = self.dialect.registration.max_bindings.value;
        let policy = self.register_expires;
        let bindings = self.bindings.entry(user.to_owned()).or_default();
        match bindings.register(now, flow, request, &policy, max, forced) {
            Ok(()) => {
                for end in bindings.ends_of(request) {
                    self.later(end, Job::ExpireBindings(user.to_owned()));
                }
                self.registered(now, request, user, tells_expires)
            }
            Err(Refusal::TooBrief(min)) => {
                let writer = self.answer(request, 423);
                writer.header("Min-Expires", &min.to_string())
            }
            Err(Refusal::OutOfOrder) => self.answer(request, 500),
            Err(Refusal::BadContact) => self.answer(request, 400),
            Err(Refusal::TooMany) => self.answer(request, 403),
        }
    }

    fn registered(&mut self, now: Instant, request: &Message, user: &str, tells: bool) -> Writer {
        let mut writer = self.answer(request, 200);
        let habits = &self.dialect.registration;
        let further = &habits.contact_parameters.value;
        for binding in self.bindings(user) {
            let Binding {
                contact,
                expires_at,
                ..
            } = binding;
            let expires = if tells {
                format!(";expires={}", expires_at.since(now).as_secs())
            } else {
                String::new()
            };
            writer = writer.header("Contact", &format!("<{contact}>{expires}{further}"));
        }
        writer.header("Allow-Events", &habits.allow_events.value.join(","))
    }

    /// The types of body that a request may carry: session descriptions and the documents of each package.
    fn accepted_types(&self) -> String {
        let served = Package::ALL.into_iter();
        let mut types = vec!["application/sdp"];
        types.extend(served.filter_map(|package| self.dialect.content_type(package)));
        types.join(", ")
    }

    fn with_abilities(&self, writer: Writer) -> Writer {
        writer
            .header("Allow", &self.dialect.style.allow.value.join(", "))
            .header("Accept", &self.accepted_types())
            .header(
                "Allow-Events",
                &self.dialect.registration.allow_events.value.join(","),
            )
    }
}
