//! SIP at the base's interface, as transactions: what the base asked and was answered, what it was asked and answered.
//!
//! Each message is parsed once. Copies of a request are kept with its first one. Nothing is judged here.

use super::notice::Notice;
use crate::body::Reading;
use bytes::Bytes;
use sip::message::{Message, Method};
use std::net::SocketAddr;

/// A request that the base sent.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) message: Message,
    pub(super) method: Method,
    pub(super) cseq: u32,
    /// The account it speaks for.
    pub(super) line: Option<usize>,
    /// The boot of the base in which it was sent.
    pub(super) boot: u32,
    /// Whether the transport repeats by itself.
    pub(super) reliable: bool,
    pub(super) destination: SocketAddr,
    pub(super) copies: Vec<Copy>,
    pub(super) provisional: bool,
    pub(super) answer: Option<Answer>,
    /// The challenged request that this one repeats with credentials.
    pub(super) repeats: Option<usize>,
    /// Set on a SUBSCRIBE for feature key synchronisation.
    pub(super) feature: Option<Feature>,
}

/// A request sent again.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) identical: bool,
}

/// The final response that the base received first.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) status: u16,
    pub(super) message: Message,
}

/// What a SUBSCRIBE is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    Initial,
    Refresh,
    Change,
    Unsubscribe,
}

/// A SUBSCRIBE for feature key synchronisation.
#[derive(Debug)]
pub(super) struct Feature {
    pub(super) purpose: Purpose,
    pub(super) subscription: usize,
    /// The CSeq of the request before it in the subscription.
    pub(super) previous_cseq: Option<u32>,
    /// Whether the subscription was there and accepted before this request.
    pub(super) in_dialog: bool,
    /// Before it, the last SUBSCRIBE was granted, its NOTIFY accepted, and nothing was wrong.
    pub(super) settled: bool,
    /// The subscription that it puts another one in place of.
    pub(super) replaces: Option<Replaced>,
    /// What its body asks for.
    pub(super) reading: Reading,
    /// The user's wish that it carries to the server.
    pub(super) wish: Option<usize>,
}

/// A subscription that was begun anew although it had not ended.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replaced {
    pub(super) subscription: usize,
    /// Nothing was wrong with it.
    pub(super) sound: bool,
}

/// A request that reached the base.
#[derive(Debug)]
pub(super) struct Arrival {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) message: Message,
    pub(super) copies: Vec<(u64, u64)>,
    pub(super) replies: Vec<Reply>,
    /// The bytes of the first final response.
    pub(super) first_reply: Bytes,
    /// The boot of the base in which it arrived.
    pub(super) boot: u32,
    /// Set on a NOTIFY.
    pub(super) notice: Option<Notice>,
}

/// A final response that the base sent.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) seq: u64,
    pub(super) at: u64,
    pub(super) status: u16,
    /// Whether it is byte for byte the first one.
    pub(super) identical: bool,
}

impl Request {
    /// The status of the answer, when there is one.
    pub(super) fn status(&self) -> Option<u16> {
        self.answer.as_ref().map(|answer| answer.status)
    }

    /// Whether it was answered with a success.
    pub(super) fn granted(&self) -> bool {
        self.status().is_some_and(|status| status / 100 == 2)
    }

    /// The digest challenge that it was answered with.
    pub(super) fn challenge(&self) -> Option<&str> {
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
    pub(super) fn challenged(&self) -> bool {
        matches!(self.status(), Some(401 | 407))
    }

    pub(super) fn purpose(&self) -> Option<Purpose> {
        self.feature.as_ref().map(|feature| feature.purpose)
    }

    pub(super) fn subscription(&self) -> Option<usize> {
        self.feature.as_ref().map(|feature| feature.subscription)
    }

    /// The lifetime that the answer grants, in seconds: of the base's own binding for a REGISTER.
    pub(super) fn granted_seconds(&self) -> Option<u64> {
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
    pub(super) fn gives_up(&self) -> bool {
        self.message.expires() == Some(0)
            || self.message.values("Contact").iter().any(|contact| {
                contact.trim() == "*" || sip::message::parameter(contact, "expires") == Some("0")
            })
    }
}

impl Arrival {
    /// The first final response of the base.
    pub(super) fn reply(&self) -> Option<&Reply> {
        self.replies.first()
    }

    /// Whether the base took it.
    pub(super) fn accepted(&self) -> bool {
        self.reply().is_some_and(|reply| reply.status / 100 == 2)
    }
}

/// A parameter of a Digest challenge or of Digest credentials.
pub(super) fn digest<'a>(value: &'a str, name: &str) -> Option<&'a str> {
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

/// The user part of a SIP URI.
pub(super) fn user(uri: &str) -> Option<&str> {
    let rest = uri.split_once(':')?.1;
    let user = rest.rsplit_once('@')?.0;
    Some(user.split([';', ':']).next().unwrap_or(user))
}

/// The host part of a SIP URI, without port and parameters.
pub(super) fn host(uri: &str) -> &str {
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
