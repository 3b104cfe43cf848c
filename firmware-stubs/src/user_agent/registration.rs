//! The registration of one account (RFC 3261 §10): one Call-ID for a boot, CSeq rising by one, refreshed before the
//! granted expiry.
//!
//! | state | input | next |
//! |---|---|---|
//! | Idle | `begin` | Trying, or Waiting where many begin together |
//! | Idle | `start` | Trying |
//! | Trying | 2xx | Registered, or Idle when the binding was to go |
//! | Trying | 401, 407 with a challenge that can be answered | Trying, CSeq+1 |
//! | Trying | 423 with a longer Min-Expires | Trying |
//! | Trying | any other final response, no answer | Waiting, or Idle when the binding was to go |
//! | Registered | the refresh is due | Trying |
//! | Waiting | the wait is over | Trying |
//! | any | `remove` | Trying with Expires 0, or Idle without binding |
//!
//! The binding lives beside the state: a refresh that fails does not end it, its expiry does.

use super::challenge::Challenge;
use super::request::{Draft, Server, Shared};
use crate::accounts::AccountSettings;
use crate::defect::Defect;
use crate::user_agent::template::TemplateName;
use sip::endpoint::TransactionId;
use sip::message::{Message, Method, address_uri, parameter};
use sip::time::Instant;
use std::time::Duration;

/// The wait after the first failure; it doubles up to the model's registration retry timer.
const FIRST_RETRY: Duration = Duration::from_secs(30);
/// How long before the expiry a refresh starts: long enough to be sent again and to fail once.
const MARGIN: Duration = Duration::from_secs(40);
/// The registrations of a lost connection are spread over this long: our choice.
const HURRY: Duration = Duration::from_secs(1);
/// How far behind the expiry the refresh of `refreshes-registration-too-late` starts: our choice.
const TOO_LATE: Duration = Duration::from_secs(10);

/// What a registration tells its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RegistrationEvent {
    /// The binding is there.
    Registered,
    /// The binding goes on.
    Refreshed,
    /// The binding has run out.
    Lost,
    /// The binding was given up, or could not be.
    Removed,
}

#[derive(Clone, Debug)]
enum State {
    Idle,
    Trying(TransactionId),
    Registered { refresh_at: Instant },
    Waiting { retry_at: Instant },
}

/// One account's registration.
#[derive(Clone, Debug)]
pub(super) struct Registration {
    state: State,
    /// When the binding runs out, while there is one.
    binding: Option<Instant>,
    removing: bool,
    call_id: String,
    tag: String,
    cseq: u32,
    expires: u32,
    failures: u32,
    challenge: Challenge,
}

impl Registration {
    pub(super) fn new(shared: &mut Shared, settings: &AccountSettings) -> Self {
        Self {
            state: State::Idle,
            binding: None,
            removing: false,
            call_id: shared.endpoint.new_call_id(),
            tag: shared.endpoint.new_tag(),
            cseq: 0,
            expires: seconds(settings.provider.refresh_timer),
            failures: 0,
            challenge: Challenge::new(shared, settings),
        }
    }

    pub(super) fn reseed(&mut self, shared: &mut Shared) {
        self.challenge.reseed(shared);
    }

    /// Whether the server holds a binding, as far as this side knows.
    pub(super) const fn is_bound(&self) -> bool {
        self.binding.is_some()
    }

    pub(super) fn owns(&self, transaction: TransactionId) -> bool {
        matches!(self.state, State::Trying(open) if open == transaction)
    }

    /// Registers for the first time: at once, or soon where many begin together.
    pub(super) fn begin(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Option<RegistrationEvent> {
        if shared.register_spread.is_zero() {
            return self.start(now, shared, settings);
        }
        self.state = State::Waiting {
            retry_at: now + shared.below(shared.register_spread),
        };
        None
    }

    /// Registers, or refreshes ahead of time. A request that is under way is left alone.
    pub(super) fn start(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Option<RegistrationEvent> {
        if matches!(self.state, State::Trying(_)) {
            return None;
        }
        self.removing = false;
        if self.cseq > 0 && shared.has(Defect::SkipsCseqOfRegister) {
            self.cseq += 1;
        }
        if self.cseq > 0 && shared.has(Defect::NewCallIdForEveryRegister) {
            self.call_id = shared.endpoint.new_call_id();
        }
        self.send(now, shared, settings)
    }

    /// Gives the binding up.
    pub(super) fn remove(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Option<RegistrationEvent> {
        self.removing = true;
        if self.binding.is_none() && !matches!(self.state, State::Trying(_)) {
            self.state = State::Idle;
            return Some(RegistrationEvent::Removed);
        }
        self.send(now, shared, settings)
    }

    /// The way to the registrar is gone: the binding counts for nothing, and another one is made soon.
    pub(super) fn hurry(&mut self, now: Instant, shared: &mut Shared) -> Option<RegistrationEvent> {
        self.binding.take()?;
        self.state = State::Waiting {
            retry_at: now + shared.below(HURRY),
        };
        Some(RegistrationEvent::Lost)
    }

    fn send(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Option<RegistrationEvent> {
        self.cseq += 1;
        let uri = format!("sip:{}", settings.provider.domain);
        let authorization = self.challenge.authorize(&Method::Register, &uri, &[]);
        let draft = Draft {
            template: TemplateName::Register,
            uri,
            call_id: self.call_id.clone(),
            cseq: self.cseq,
            local_tag: self.tag.clone(),
            remote_tag: None,
            route: Vec::new(),
            expires: Some(if self.removing { 0 } else { self.expires }),
            remote: String::new(),
            authorization,
            body: None,
            package: None,
        };
        match shared.send(now, settings, Server::Registrar, &draft) {
            Some((transaction, _)) => {
                self.state = State::Trying(transaction);
                None
            }
            None => self.fail(now, shared, None),
        }
    }

    pub(super) fn handle_response(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
        response: &Message,
    ) -> Option<RegistrationEvent> {
        let code = response.status().unwrap_or_default();
        if code >= 200 && !matches!(code, 401 | 407) {
            self.challenge.accepted(response);
        }
        match code {
            ..200 => None,
            200..300 if self.removing => self.end(),
            200..300 => {
                self.failures = 0;
                let renewed = self.binding.is_some();
                self.on_granted(now, shared, settings, response);
                Some(if renewed {
                    RegistrationEvent::Refreshed
                } else {
                    RegistrationEvent::Registered
                })
            }
            401 | 407 if self.challenge.take(shared, response) => self.send(now, shared, settings),
            423 if self.heeds_min_expires(response) => self.send(now, shared, settings),
            _ => {
                let reason = format!("registration refused with {code}");
                shared.log(settings, &reason);
                let retry_after = response.header("Retry-After").and_then(leading_number);
                self.fail(now, shared, retry_after)
            }
        }
    }

    pub(super) fn handle_failure(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Option<RegistrationEvent> {
        shared.log(settings, "no answer from the registrar");
        self.fail(now, shared, None)
    }

    pub(super) fn handle_timeout(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        settings: &AccountSettings,
    ) -> Option<RegistrationEvent> {
        let due = match self.state {
            State::Registered { refresh_at } => refresh_at <= now,
            State::Waiting { retry_at } => retry_at <= now,
            State::Idle | State::Trying(_) => false,
        };
        if due {
            return self.start(now, shared, settings);
        }
        if self.binding.is_some_and(|expiry| expiry <= now) && !keeps_lapsed(shared) {
            self.binding = None;
            return Some(RegistrationEvent::Lost);
        }
        None
    }

    /// When something is due.
    pub(super) fn deadline(&self, shared: &Shared) -> Option<Instant> {
        let own = match self.state {
            State::Idle | State::Trying(_) => None,
            State::Registered { refresh_at } => Some(refresh_at),
            State::Waiting { retry_at } => Some(retry_at),
        };
        let binding = self.binding.filter(|_| !keeps_lapsed(shared));
        own.into_iter().chain(binding).min()
    }

    fn on_granted(
        &mut self,
        now: Instant,
        shared: &Shared,
        settings: &AccountSettings,
        response: &Message,
    ) {
        let granted = granted(response, &shared.contact(settings)).unwrap_or(self.expires);
        let granted = Duration::from_secs(u64::from(granted.max(1)));
        self.binding = Some(now + granted);
        let refresh_after = if shared.has(Defect::RefreshesRegistrationTooLate) {
            granted + TOO_LATE
        } else {
            granted - MARGIN.min(granted / 2)
        };
        self.state = State::Registered {
            refresh_at: now + refresh_after,
        };
    }

    fn heeds_min_expires(&mut self, response: &Message) -> bool {
        let least = response.header("Min-Expires").and_then(leading_number);
        match least {
            Some(least) if least > self.expires && !self.removing => {
                self.expires = least;
                true
            }
            _ => false,
        }
    }

    fn fail(
        &mut self,
        now: Instant,
        shared: &mut Shared,
        retry_after: Option<u32>,
    ) -> Option<RegistrationEvent> {
        if self.removing {
            return self.end();
        }
        let ceiling = shared.model.timers.registration_retry;
        let wait = FIRST_RETRY
            .saturating_mul(1 << self.failures.min(8))
            .min(ceiling);
        let asked = Duration::from_secs(u64::from(retry_after.unwrap_or_default()));
        // Spread, so that the accounts of one base do not come back in one moment.
        let wait = wait.max(asked) + shared.below(Duration::from_secs(2));
        self.failures += 1;
        self.state = State::Waiting {
            retry_at: now + wait,
        };
        None
    }

    fn end(&mut self) -> Option<RegistrationEvent> {
        self.state = State::Idle;
        self.binding = None;
        Some(RegistrationEvent::Removed)
    }
}

/// Read at the expiry: a base that refreshes too late does not know that its binding is gone.
fn keeps_lapsed(shared: &Shared) -> bool {
    shared.has(Defect::RefreshesRegistrationTooLate)
}

/// What the registrar granted to this contact: its own expiry, else that of the whole response.
fn granted(response: &Message, contact: &str) -> Option<u32> {
    let values = response.values("Contact");
    let uri = |value: &&&str| address_uri(value) == contact;
    let own = values
        .iter()
        .find(uri)
        .or_else(|| values.first().filter(|_| values.len() == 1));
    let own = own.and_then(|value| parameter(after_address(value), "expires"));
    own.and_then(leading_number).or_else(|| response.expires())
}

fn after_address(value: &str) -> &str {
    value
        .rfind('>')
        .and_then(|close| value.get(close..))
        .unwrap_or(value)
}

fn leading_number(text: &str) -> Option<u32> {
    text.split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()
}

fn seconds(length: Duration) -> u32 {
    u32::try_from(length.as_secs()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::message::Builder;

    fn granted_by(contact: &str) -> Option<u32> {
        let response = Builder::response(200, "OK")
            .header("Contact", contact)
            .header("Expires", "3600")
            .build()
            .unwrap();
        granted(&response, "sip:a@127.0.0.2:5060")
    }

    #[test]
    fn the_expiry_of_the_own_contact_counts_before_that_of_the_response() {
        assert_eq!(
            granted_by("<sip:a@127.0.0.2:5060>;expires=90;q=0.5"),
            Some(90)
        );
        assert_eq!(
            granted_by("<sip:x@127.0.0.9>;expires=7, <sip:a@127.0.0.2:5060>;expires=91"),
            Some(91)
        );
        assert_eq!(granted_by("<sip:a@127.0.0.2:5060>"), Some(3600));
        assert_eq!(granted_by("<sip:other@127.0.0.2:5060>;expires=5"), Some(5));
    }
}
