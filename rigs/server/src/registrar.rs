//! The location service: which contacts an account is bound to, and until when (RFC 3261 §10.3).
//!
//! It keeps bindings and judges REGISTERs; the challenge comes before it and the response is written by the server.

use sip::message::{Message, address_uri, parameter};
use sip::node::Flow;
use sip::time::Instant;
use std::time::Duration;

/// How lifetimes are granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpiresPolicy {
    /// For a request that asks for nothing.
    pub default: u32,
    /// Anything shorter, zero apart, is refused with 423.
    pub min: u32,
    /// Anything longer is granted as this.
    pub max: u32,
}

impl ExpiresPolicy {
    /// No more than this, and anything shorter too: what a bench grants that has little time.
    #[must_use]
    pub const fn at_most(seconds: u32) -> Self {
        Self {
            default: seconds,
            min: 1,
            max: seconds,
        }
    }

    /// What is granted to someone who asks for this; the minimum when it is too short.
    pub(crate) fn grant(&self, asked: Option<u32>) -> Result<u32, u32> {
        match asked.unwrap_or(self.default) {
            0 => Ok(0),
            seconds if seconds < self.min => Err(self.min),
            seconds => Ok(seconds.min(self.max)),
        }
    }
}

/// One contact of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    /// The URI of the Contact.
    pub contact: String,
    /// The flow that the REGISTER came on.
    pub flow: Flow,
    /// The Call-ID of the REGISTER.
    pub call_id: String,
    /// Its CSeq number.
    pub cseq: u32,
    /// When the binding ends.
    pub expires_at: Instant,
}

/// Why a REGISTER is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// 423 with this Min-Expires.
    TooBrief(u32),
    /// 500: the CSeq number is not above the one before.
    OutOfOrder,
    /// 400: a Contact that makes no sense.
    BadContact,
    /// 403: one binding too many.
    TooMany,
}

/// The bindings of one account.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bindings {
    list: Vec<Binding>,
}

impl Bindings {
    pub(crate) fn list(&self) -> &[Binding] {
        &self.list
    }

    /// When the bindings end that this REGISTER has made.
    pub(crate) fn ends_of(&self, request: &Message) -> Vec<Instant> {
        let cseq = request.cseq().map_or(0, |(number, _)| number);
        self.list
            .iter()
            .filter(|binding| binding.call_id == request.call_id() && binding.cseq == cseq)
            .map(|binding| binding.expires_at)
            .collect()
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) {
        self.list.retain(|binding| binding.expires_at > now);
    }

    /// Takes a REGISTER. Nothing changes when it is refused. `forced` is a lifetime that no policy can change.
    pub(crate) fn register(
        &mut self,
        now: Instant,
        flow: Flow,
        request: &Message,
        policy: &ExpiresPolicy,
        max: usize,
        forced: Option<u32>,
    ) -> Result<(), Refusal> {
        self.handle_timeout(now);
        let call_id = request.call_id();
        let cseq = request.cseq().map_or(0, |(number, _)| number);
        let stale = |binding: &Binding| binding.call_id == call_id && binding.cseq >= cseq;
        let contacts = request.values("Contact");
        if contacts.first() == Some(&"*") {
            if contacts.len() > 1 || request.expires() != Some(0) {
                return Err(Refusal::BadContact);
            }
            if self.list.iter().any(stale) {
                return Err(Refusal::OutOfOrder);
            }
            self.list.clear();
            return Ok(());
        }
        let mut after = self.list.clone();
        for value in contacts {
            let uri = address_uri(value);
            if !uri.contains(':') {
                return Err(Refusal::BadContact);
            }
            let behind = value.rfind('>').and_then(|close| value.get(close..));
            let asked = behind
                .and_then(|parameters| parameter(parameters, "expires"))
                .and_then(|seconds| seconds.parse().ok())
                .or_else(|| request.expires());
            let asked_to_leave = asked == Some(0);
            let seconds = match forced.filter(|_| !asked_to_leave) {
                Some(seconds) => seconds,
                None => policy.grant(asked).map_err(Refusal::TooBrief)?,
            };
            if after.iter().any(|old| old.contact == uri && stale(old)) {
                return Err(Refusal::OutOfOrder);
            }
            after.retain(|binding| binding.contact != uri);
            if seconds > 0 {
                after.push(Binding {
                    contact: uri.to_owned(),
                    flow,
                    call_id: call_id.to_owned(),
                    cseq,
                    expires_at: now + Duration::from_secs(u64::from(seconds)),
                });
            }
        }
        if after.len() > max {
            return Err(Refusal::TooMany);
        }
        self.list = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::node::Transport;

    const POLICY: ExpiresPolicy = ExpiresPolicy {
        default: 3600,
        min: 60,
        max: 90,
    };

    fn register(cseq: u32, rest: &str) -> Message {
        let text = format!(
            "REGISTER sip:as.test SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{cseq}\r\n\
             From: <sip:anna@as.test>;tag=1\r\nTo: <sip:anna@as.test>\r\nCall-ID: boot\r\n\
             CSeq: {cseq} REGISTER\r\n{rest}\r\n"
        );
        Message::parse(text.into_bytes().into()).expect("sound")
    }

    fn apply(bindings: &mut Bindings, request: &Message) -> Result<(), Refusal> {
        let flow = Flow {
            transport: Transport::Udp,
            local: "127.0.0.1:5060".parse().expect("address"),
            remote: "127.0.0.2:5060".parse().expect("address"),
        };
        bindings.register(Instant::EPOCH, flow, request, &POLICY, 2, None)
    }

    fn expiries(bindings: &Bindings) -> Vec<u64> {
        let end = |binding: &Binding| binding.expires_at.since(Instant::EPOCH).as_secs();
        bindings.list().iter().map(end).collect()
    }

    #[test]
    fn a_contact_is_bound_for_no_longer_than_the_policy_allows() {
        let mut bindings = Bindings::default();
        let request = register(1, "Contact: <sip:anna@127.0.0.2>\r\nExpires: 600\r\n");
        assert_eq!(apply(&mut bindings, &request), Ok(()));
        assert_eq!(expiries(&bindings), [90]);
    }

    #[test]
    fn the_parameter_of_the_contact_goes_before_the_header() {
        let mut bindings = Bindings::default();
        let request = register(
            1,
            "Contact: <sip:anna@127.0.0.2>;expires=70\r\nExpires: 80\r\n",
        );
        assert_eq!(apply(&mut bindings, &request), Ok(()));
        assert_eq!(expiries(&bindings), [70]);
    }

    #[test]
    fn too_brief_a_lifetime_is_refused_with_the_minimum() {
        let mut bindings = Bindings::default();
        let request = register(1, "Contact: <sip:anna@127.0.0.2>\r\nExpires: 10\r\n");
        assert_eq!(apply(&mut bindings, &request), Err(Refusal::TooBrief(60)));
        assert!(bindings.list().is_empty());
    }

    #[test]
    fn an_older_cseq_changes_nothing() {
        let mut bindings = Bindings::default();
        let contact = "Contact: <sip:anna@127.0.0.2>\r\n";
        assert_eq!(apply(&mut bindings, &register(2, contact)), Ok(()));
        let again = apply(&mut bindings, &register(2, contact));
        assert_eq!(again, Err(Refusal::OutOfOrder));
    }

    #[test]
    fn a_star_with_expires_zero_removes_every_binding() {
        let mut bindings = Bindings::default();
        let two = "Contact: <sip:anna@127.0.0.2>, <sip:anna@127.0.0.3>\r\n";
        assert_eq!(apply(&mut bindings, &register(1, two)), Ok(()));
        assert_eq!(bindings.list().len(), 2);
        let star = register(2, "Contact: *\r\n");
        assert_eq!(apply(&mut bindings, &star), Err(Refusal::BadContact));
        let star = register(3, "Contact: *\r\nExpires: 0\r\n");
        assert_eq!(apply(&mut bindings, &star), Ok(()));
        assert!(bindings.list().is_empty());
    }

    #[test]
    fn one_binding_too_many_is_refused() {
        let mut bindings = Bindings::default();
        let three = "Contact: <sip:a@h>, <sip:b@h>, <sip:c@h>\r\n";
        let refused = apply(&mut bindings, &register(1, three));
        assert_eq!(refused, Err(Refusal::TooMany));
    }

    #[test]
    fn a_binding_ends_when_its_time_has_come() {
        let mut bindings = Bindings::default();
        let contact = register(1, "Contact: <sip:anna@127.0.0.2>\r\n");
        assert_eq!(apply(&mut bindings, &contact), Ok(()));
        let end = bindings.ends_of(&contact)[0];
        bindings.handle_timeout(Instant::from_micros(end.as_micros() - 1));
        assert_eq!(bindings.list().len(), 1);
        bindings.handle_timeout(end);
        assert!(bindings.list().is_empty());
    }
}
