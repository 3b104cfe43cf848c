//! SIP at the base's interface, as transactions: what the base asked and was answered, what it was asked and answered.
//!
//! Each message is parsed once, by the record that brings it, and shared. Copies of a request are kept with its first one. Nothing is judged here.

use crate::body::Reading;
use crate::monitor::scene::history::Place;
use crate::monitor::scene::notice::Notice;
use crate::monitor::scene::package::Package;
use crate::monitor::scene::unasked::Unasked;
use bytes::Bytes;
use sip::message::{Message, Method};
use std::net::SocketAddr;
use std::sync::Arc;

/// A request that the base sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) message: Arc<Message>,
    pub(crate) method: Method,
    pub(crate) cseq: u32,
    /// The account whose identity it carries.
    pub(crate) account: Option<usize>,
    /// The boot of the base in which it was sent.
    pub(crate) boot: u32,
    /// Whether the transport retransmits by itself.
    pub(crate) reliable: bool,
    pub(crate) destination: SocketAddr,
    pub(crate) copies: Vec<Retransmission>,
    pub(crate) provisional: bool,
    /// It asks for a lifetime of 0.
    pub(crate) gives_up: bool,
    pub(crate) answer: Option<Answer>,
    /// The challenged request that this one repeats with credentials.
    pub(crate) repeats: Option<Place>,
    pub(crate) role: Role,
}

/// A request sent again.
#[derive(Clone, Debug)]
pub(crate) struct Retransmission {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) identical: bool,
}

/// The final response that the base received first.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) status: u16,
    pub(crate) message: Arc<Message>,
}

/// What a SUBSCRIBE is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Initial,
    Refresh,
    Change,
    Unsubscribe,
}

/// What a request of the base is for.
#[derive(Clone, Debug)]
pub(crate) enum Role {
    Register,
    /// A SUBSCRIBE for feature key synchronisation that carries no change.
    Subscribe(Box<Subscribe>),
    /// A SUBSCRIBE for feature key synchronisation that carries a change to the server.
    Change(Box<Subscribe>),
    /// A SUBSCRIBE for another package, or none that is named.
    SubscribeElsewhere(Option<Package>),
    /// An INVITE to a feature code.
    FeatureCodeCall,
    /// A request with CSTA in its body (ECMA TR/87).
    Csta,
    Other,
}

impl Role {
    /// What a request is for that is no SUBSCRIBE for feature key synchronisation.
    pub(crate) fn of(method: &Method, message: &Message) -> Self {
        let typed = message.header("Content-Type").unwrap_or_default();
        let csta = typed.to_ascii_lowercase().contains("csta+xml");
        let called = message.request_uri().and_then(user).unwrap_or_default();
        let code = called.starts_with(['*', '#']) || called.starts_with("%23");
        match method {
            Method::Register => Self::Register,
            Method::Subscribe => Self::SubscribeElsewhere(Package::of(message)),
            Method::Invite if code => Self::FeatureCodeCall,
            _ if csta => Self::Csta,
            _ => Self::Other,
        }
    }
}

/// A SUBSCRIBE for feature key synchronisation.
#[derive(Clone, Debug)]
pub(crate) struct Subscribe {
    pub(crate) purpose: Purpose,
    pub(crate) subscription: Place,
    /// The CSeq of the request before it in the subscription.
    pub(crate) previous_cseq: Option<u32>,
    /// Whether the subscription was there and accepted before this request.
    pub(crate) in_dialog: bool,
    /// Before it, the last SUBSCRIBE was granted, its NOTIFY accepted, and nothing was wrong.
    pub(crate) settled: bool,
    /// The subscription that it puts another one in place of.
    pub(crate) replaces: Option<Replaced>,
    /// What its body asks for.
    pub(crate) reading: Reading,
    /// The user's change that it carries to the server.
    pub(crate) change: Option<Place>,
    /// Why it carries a change although no user asked for one.
    pub(crate) unasked: Option<Unasked>,
}

/// A subscription that was begun anew although it had not ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Replaced {
    pub(crate) subscription: Place,
    /// Nothing was wrong with it.
    pub(crate) sound: bool,
}

/// A request that reached the base.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) message: Arc<Message>,
    pub(crate) copies: Vec<(u64, u64)>,
    pub(crate) replies: Vec<Reply>,
    /// The bytes of the first final response.
    pub(crate) first_reply: Bytes,
    /// The boot of the base in which it arrived.
    pub(crate) boot: u32,
    /// Set on a NOTIFY.
    pub(crate) notice: Option<Notice>,
}

/// A final response that the base sent.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) seq: u64,
    pub(crate) at: u64,
    pub(crate) status: u16,
    /// Whether it is byte for byte the first one.
    pub(crate) identical: bool,
}

impl Request {
    /// The status of the answer, when there is one.
    pub(crate) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Whether it was answered with a success.
    pub(crate) fn granted(&self) -> bool {
        self.status().is_some_and(|status| status / 100 == 2)
    }

    /// The digest challenge that it was answered with.
    pub(crate) fn challenge(&self) -> Option<&str> {
        let answer = self.answer.as_ref()?;
        let name = match answer.status {
            401 => "WWW-Authenticate",
            407 => "Proxy-Authenticate",
            _ => return None,
        };
        answer
            .message
            .headers(name)
            .find(|value| digest(value, "nonce").is_some())
    }

    /// Whether it was answered with a digest challenge or a refusal in the form of one.
    pub(crate) fn challenged(&self) -> bool {
        matches!(self.status(), Some(401 | 407))
    }

    /// Whose registration it is about, when it is a REGISTER of a known account.
    pub(crate) fn register(&self) -> Option<usize> {
        let is_register = matches!(self.role, Role::Register);
        self.account.filter(|_| is_register)
    }

    /// What it is, when it is a SUBSCRIBE for feature key synchronisation.
    pub(crate) fn subscribe(&self) -> Option<&Subscribe> {
        match &self.role {
            Role::Subscribe(subscribe) | Role::Change(subscribe) => Some(subscribe),
            _ => None,
        }
    }

    pub(crate) fn subscribe_mut(&mut self) -> Option<&mut Subscribe> {
        match &mut self.role {
            Role::Subscribe(subscribe) | Role::Change(subscribe) => Some(subscribe),
            _ => None,
        }
    }

    /// The package of a SUBSCRIBE for another one.
    pub(crate) fn other_package(&self) -> Option<&Package> {
        match &self.role {
            Role::SubscribeElsewhere(package) => package.as_ref(),
            _ => None,
        }
    }

    pub(crate) fn purpose(&self) -> Option<Purpose> {
        self.subscribe().map(|subscribe| subscribe.purpose)
    }

    pub(crate) fn subscription(&self) -> Option<Place> {
        self.subscribe().map(|subscribe| subscribe.subscription)
    }

    /// The lifetime that the answer grants, in seconds: of the base's own binding for a REGISTER.
    pub(crate) fn granted_seconds(&self) -> Option<u64> {
        let answer = &self.answer.as_ref()?.message;
        let expires = answer
            .header("Expires")
            .and_then(|text| text.trim().parse().ok());
        if self.method != Method::Register {
            return expires;
        }
        let own = self.message.contact_uri().unwrap_or_default();
        let bindings = answer.values("Contact");
        let binding = bindings
            .iter()
            .find(|binding| sip::message::address_uri(binding) == own)
            .or(match bindings.as_slice() {
                [only] => Some(only),
                _ => None,
            });
        binding
            .and_then(|binding| {
                let close = binding.rfind('>').unwrap_or(0);
                sip::message::parameter(binding.get(close..)?, "expires")?
                    .parse()
                    .ok()
            })
            .or(expires)
    }

    /// Whether a REGISTER gives up bindings instead of making one.
    pub(crate) fn gives_up(&self) -> bool {
        self.gives_up
    }
}

impl Arrival {
    /// The first final response of the base.
    pub(crate) fn reply(&self) -> Option<&Reply> {
        self.replies.first()
    }

    /// Whether the base took it.
    pub(crate) fn accepted(&self) -> bool {
        self.reply().is_some_and(|reply| reply.status / 100 == 2)
    }
}

/// A parameter of a Digest challenge or of Digest credentials.
pub(crate) fn digest<'a>(value: &'a str, name: &str) -> Option<&'a str> {
    let (scheme, mut rest) = value.trim().split_once([' ', '\t'])?;
    if !scheme.eq_ignore_ascii_case("Digest") {
        return None;
    }
    while let Some((key, after)) = rest.split_once('=') {
        let after = after.trim_start();
        let (text, next) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key
            .trim_matches([',', ' ', '\t'])
            .eq_ignore_ascii_case(name)
        {
            return Some(text.trim());
        }
        rest = next;
    }
    None
}

/// Whether a request asks for a lifetime of 0, for one Contact or all.
pub(crate) fn asks_for_nothing(message: &Message) -> bool {
    message.expires() == Some(0)
        || message
            .headers("Contact")
            .any(|contacts| contacts.contains(['*', '0']))
            && message.values("Contact").iter().any(|contact| {
                contact.trim() == "*" || sip::message::parameter(contact, "expires") == Some("0")
            })
}

/// The user part of a SIP URI.
pub(crate) fn user(uri: &str) -> Option<&str> {
    let rest = uri.split_once(':')?.1;
    let user = rest.rsplit_once('@')?.0;
    Some(user.split([';', ':']).next().unwrap_or(user))
}

/// The host part of a SIP URI, without port and parameters.
pub(crate) fn host(uri: &str) -> &str {
    let rest = uri.split_once(':').map_or(uri, |(_, rest)| rest);
    let rest = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    let rest = rest.split([';', '?', '>']).next().unwrap_or(rest);
    match rest.strip_prefix('[') {
        Some(inner) => inner.split(']').next().unwrap_or(inner),
        None => rest.split(':').next().unwrap_or(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_parameters_are_found_quoted_or_bare() {
        let value = "Digest realm=\"a, b\", nonce=\"n=1\" , stale=TRUE,qop=\"auth,auth-int\"";
        assert_eq!(digest(value, "realm"), Some("a, b"));
        assert_eq!(digest(value, "nonce"), Some("n=1"));
        assert_eq!(digest(value, "stale"), Some("TRUE"));
        assert_eq!(digest(value, "qop"), Some("auth,auth-int"));
        assert_eq!(digest(value, "nc"), None);
        assert_eq!(digest("Basic realm=\"a\"", "realm"), None);
    }

    #[test]
    fn users_and_hosts_are_found_in_all_forms_of_uris() {
        assert_eq!(user("sip:1013@as.example:5060;x=y"), Some("1013"));
        assert_eq!(user("sip:as.example"), None);
        assert_eq!(host("sip:1013@as.example:5060;x=y"), "as.example");
        assert_eq!(host("sips:a@[::1]:5061"), "::1");
        assert_eq!(host("sip:127.0.0.1"), "127.0.0.1");
    }
}
