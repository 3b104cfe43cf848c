//! The server: writes challenges and judges credentials.
//!
//! A nonce is known from its challenge until its lifetime is over. Credentials whose hash is right but whose nonce is
//! unknown, too old or used with the same count before are stale, not wrong (RFC 7616 §3.3): the client is to try
//! again with a new nonce, and its user is not asked for a password.

use super::fields::Fields;
use super::{Algorithm, Computation, Qop, random_hex};
use crate::message::Message;
use crate::time::Instant;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// What a server asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChallengePolicy {
    /// The realm, as it stands between its quotes.
    pub realm: String,
    /// The algorithms it accepts. [`Challenger::challenge`] names the first.
    pub algorithms: Vec<Algorithm>,
    /// The qop values it offers; none is the scheme of RFC 2069.
    pub qop: Vec<Qop>,
    /// How long a nonce is valid.
    pub nonce_life: Duration,
    /// What each nonce begins with.
    pub nonce_prefix: String,
    /// What each nonce ends with.
    pub nonce_suffix: String,
    /// The opaque value to be repeated by the client.
    pub opaque: Option<String>,
    /// Whether the challenge is a proxy's (407) or a registrar's and notifier's (401).
    pub proxy: bool,
    /// Whether the `uri` parameter must be the Request-URI. Well-known test clients offend this.
    pub checks_uri: bool,
    /// Whether the same count may come only once for a nonce.
    pub checks_count: bool,
    /// Whether credentials without qop are refused when one was offered.
    pub requires_qop: bool,
}

impl ChallengePolicy {
    /// MD5 with `qop="auth"` for this realm, and nonces that are valid for an hour.
    #[must_use]
    pub fn new(realm: &str) -> Self {
        Self {
            realm: realm.to_owned(),
            algorithms: vec![Algorithm::MD5],
            qop: vec![Qop::Auth],
            nonce_life: Duration::from_secs(3600),
            nonce_prefix: String::new(),
            nonce_suffix: String::new(),
            opaque: None,
            proxy: false,
            checks_uri: false,
            checks_count: true,
            requires_qop: false,
        }
    }
}

/// What credentials are worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    /// They are right.
    Granted,
    /// They are right for a nonce that no longer counts: challenge again with `stale`.
    Stale,
    /// They are wrong.
    Denied,
    /// There are none for this realm.
    Absent,
}

#[derive(Clone, Debug)]
struct Nonce {
    ends: Instant,
    /// Every count from one to this was used.
    used_to: u32,
    /// And these, which came out of turn.
    used: BTreeSet<u32>,
}

impl Nonce {
    /// Takes note of a count. Whether it was not used before.
    fn spend(&mut self, count: u32) -> bool {
        if (1..=self.used_to).contains(&count) || !self.used.insert(count) {
            return false;
        }
        while let Some(next) = self.used_to.checked_add(1) {
            if !self.used.remove(&next) {
                break;
            }
            self.used_to = next;
        }
        if self.used.is_empty() {
            // An emptied set keeps its memory.
            self.used = BTreeSet::new();
        }
        true
    }
}

/// More nonces than a load test of 20,000 bases needs at a time.
const NONCE_LIMIT: usize = 65_536;

/// The server side of one realm.
#[derive(Clone, Debug)]
pub struct Challenger {
    /// What it asks for.
    pub policy: ChallengePolicy,
    rng: fastrand::Rng,
    nonces: BTreeMap<Arc<str>, Nonce>,
    by_age: BTreeSet<(Instant, Arc<str>)>,
}

impl Challenger {
    /// A server that issued no nonce yet. Nonces follow from the seed.
    #[must_use]
    pub fn new(policy: ChallengePolicy, seed: u64) -> Self {
        Self {
            policy,
            rng: fastrand::Rng::with_seed(seed),
            nonces: BTreeMap::new(),
            by_age: BTreeSet::new(),
        }
    }

    /// Draws nonces from this seed from now on; those that were issued stay valid.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = fastrand::Rng::with_seed(seed);
    }

    /// The name of the header that carries a challenge.
    #[must_use]
    pub const fn header_name(&self) -> &'static str {
        if self.policy.proxy {
            "Proxy-Authenticate"
        } else {
            "WWW-Authenticate"
        }
    }

    /// The status code that goes with it.
    #[must_use]
    pub const fn status(&self) -> u16 {
        if self.policy.proxy { 407 } else { 401 }
    }

    /// The value of a challenge with a new nonce and the first algorithm.
    pub fn challenge(&mut self, now: Instant, stale: bool) -> String {
        let first = self.policy.algorithms.first().copied();
        self.challenge_with(now, stale, first.unwrap_or(Algorithm::MD5))
    }

    /// The values of one challenge for each algorithm, the preferred one first (RFC 8760 §2.3).
    pub fn challenges(&mut self, now: Instant, stale: bool) -> Vec<String> {
        let algorithms = self.policy.algorithms.clone();
        let one = |algorithm| self.challenge_with(now, stale, algorithm);
        algorithms.into_iter().map(one).collect()
    }

    fn challenge_with(&mut self, now: Instant, stale: bool, algorithm: Algorithm) -> String {
        let nonce = self.issue(now);
        let mut value = format!("Digest realm=\"{}\",nonce=\"{nonce}\"", self.policy.realm);
        if !self.policy.qop.is_empty() {
            let names: Vec<&str> = self.policy.qop.iter().map(|qop| qop.as_str()).collect();
            let _ = write!(value, ",qop=\"{}\"", names.join(","));
        }
        let _ = write!(value, ",algorithm={algorithm}");
        if let Some(opaque) = &self.policy.opaque {
            let _ = write!(value, ",opaque=\"{opaque}\"");
        }
        if stale {
            value.push_str(",stale=true");
        }
        value
    }

    fn issue(&mut self, now: Instant) -> Arc<str> {
        while let Some((ends, nonce)) = self.by_age.first() {
            if *ends > now && self.nonces.len() < NONCE_LIMIT {
                break;
            }
            self.nonces.remove(nonce);
            self.by_age.pop_first();
        }
        let nonce: Arc<str> = format!(
            "{}{}{}",
            self.policy.nonce_prefix,
            random_hex(&mut self.rng, 24),
            self.policy.nonce_suffix
        )
        .into();
        let ends = now + self.policy.nonce_life;
        self.by_age.insert((ends, Arc::clone(&nonce)));
        let fresh = Nonce {
            ends,
            used_to: 0,
            used: BTreeSet::new(),
        };
        self.nonces.insert(Arc::clone(&nonce), fresh);
        nonce
    }

    /// Forgets every nonce, as a restart does: the next credentials are stale.
    pub fn expire_nonces(&mut self) {
        self.nonces.clear();
        self.by_age.clear();
    }

    /// Judges the credentials of a request against the password of its user, which [`super::username`] names.
    pub fn verify(&mut self, now: Instant, request: &Message, password: &str) -> Verification {
        let name = if self.policy.proxy {
            "Proxy-Authorization"
        } else {
            "Authorization"
        };
        let mine = request
            .headers(name)
            .filter_map(Fields::of_digest)
            .find(|fields| fields.value("realm") == Some(self.policy.realm.as_str()));
        let Some(fields) = mine else {
            return Verification::Absent;
        };
        match self.read(request, &fields, password) {
            None => Verification::Denied,
            Some((nonce, count)) => self.spend(now, nonce, count),
        }
    }

    /// The nonce and its count, when the hash is right.
    fn read<'a>(
        &self,
        request: &Message,
        fields: &Fields<'a>,
        password: &str,
    ) -> Option<(&'a str, Option<u32>)> {
        let named = fields.value("algorithm");
        let algorithm = named.map_or(Some(Algorithm::MD5), Algorithm::from_token)?;
        let qop = match fields.value("qop") {
            Some(token) => Some(Qop::from_token(token)?),
            None => None,
        };
        let offered = qop.map_or(
            self.policy.qop.is_empty() || !self.policy.requires_qop,
            |qop| self.policy.qop.contains(&qop),
        );
        let uri = fields.value("uri")?;
        let same_uri = Some(uri) == request.request_uri();
        if !offered
            || !self.policy.algorithms.contains(&algorithm)
            || (self.policy.checks_uri && !same_uri)
        {
            return None;
        }
        let nonce = fields.value("nonce")?;
        let (nonce_count, cnonce) = match qop {
            Some(_) => (fields.value("nc")?, fields.value("cnonce")?),
            None => ("", fields.value("cnonce").unwrap_or_default()),
        };
        let count = match qop {
            Some(_) => Some(eight_hex_digits(nonce_count)?),
            None => None,
        };
        let right = Computation {
            algorithm,
            username: fields.value("username")?,
            realm: fields.value("realm")?,
            password,
            nonce,
            cnonce,
            nonce_count,
            qop,
            method: request.method()?.as_str(),
            uri,
            body: request.body(),
        }
        .response();
        right
            .eq_ignore_ascii_case(fields.value("response")?)
            .then_some((nonce, count))
    }

    fn spend(&mut self, now: Instant, nonce: &str, count: Option<u32>) -> Verification {
        let Some(known) = self.nonces.get_mut(nonce).filter(|nonce| now < nonce.ends) else {
            return Verification::Stale;
        };
        let fresh = count.is_none_or(|count| known.spend(count));
        if fresh || !self.policy.checks_count {
            Verification::Granted
        } else {
            Verification::Stale
        }
    }
}

fn eight_hex_digits(text: &str) -> Option<u32> {
    let digits = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u32::from_str_radix(text, 16).ok().filter(|_| digits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::{Answerer, Credentials, username};
    use crate::message::{Builder, Method};

    const START: Instant = Instant::EPOCH;

    struct Pair {
        client: Answerer,
        server: Challenger,
    }

    impl Pair {
        fn new(policy: ChallengePolicy) -> Self {
            Self {
                client: Answerer::new(Credentials::new("anna", "secret"), 1),
                server: Challenger::new(policy, 2),
            }
        }

        fn challenge(&mut self, now: Instant, stale: bool) {
            let value = self.server.challenge(now, stale);
            let response = Builder::response(self.server.status(), "No")
                .header(self.server.header_name(), &value)
                .build()
                .expect("a response");
            self.client.handle_challenge(&response).expect("answerable");
        }

        fn request(&mut self) -> Message {
            let uri = "sip:anna@as.example";
            let body = "<body/>";
            let mut builder = Builder::request(&Method::Subscribe, uri);
            let answer = self
                .client
                .authorize(&Method::Subscribe, uri, body.as_bytes());
            if let Some((name, value)) = answer {
                builder = builder.header(name, &value);
            }
            builder.body("text/xml", body).build().expect("a request")
        }

        fn verify(&mut self, now: Instant) -> Verification {
            let request = self.request();
            self.server.verify(now, &request, "secret")
        }
    }

    #[test]
    fn every_algorithm_and_qop_is_granted() {
        let algorithms = [
            Algorithm::MD5,
            Algorithm::MD5_SESS,
            Algorithm::SHA_256,
            Algorithm::SHA_256_SESS,
        ];
        for algorithm in algorithms {
            for qop in [vec![], vec![Qop::Auth], vec![Qop::AuthInt]] {
                for proxy in [false, true] {
                    let mut pair = Pair::new(ChallengePolicy {
                        algorithms: vec![algorithm],
                        qop: qop.clone(),
                        proxy,
                        checks_uri: true,
                        ..ChallengePolicy::new("BroadWorks")
                    });
                    assert_eq!(pair.verify(START), Verification::Absent);
                    pair.challenge(START, false);
                    for _ in 0..20 {
                        assert_eq!(
                            pair.verify(START),
                            Verification::Granted,
                            "{algorithm} {qop:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_wrong_password_is_denied() {
        let mut pair = Pair::new(ChallengePolicy::new("r"));
        pair.challenge(START, false);
        let request = pair.request();
        assert_eq!(username(&request).as_deref(), Some("anna"));
        let verification = pair.server.verify(START, &request, "other");
        assert_eq!(verification, Verification::Denied);
    }

    #[test]
    fn a_nonce_becomes_stale_with_the_end_of_its_life() {
        let mut pair = Pair::new(ChallengePolicy::new("r"));
        pair.challenge(START, false);
        let end = START + pair.server.policy.nonce_life;
        assert_eq!(
            pair.verify(START + Duration::from_secs(3599)),
            Verification::Granted
        );
        assert_eq!(pair.verify(end), Verification::Stale);
        pair.challenge(end, true);
        assert_eq!(pair.verify(end), Verification::Granted);
    }

    #[test]
    fn forgotten_nonces_are_stale_but_a_wrong_password_stays_wrong() {
        let mut pair = Pair::new(ChallengePolicy::new("r"));
        pair.challenge(START, false);
        pair.server.expire_nonces();
        let request = pair.request();
        assert_eq!(
            pair.server.verify(START, &request, "secret"),
            Verification::Stale
        );
        assert_eq!(
            pair.server.verify(START, &request, "other"),
            Verification::Denied
        );
    }

    #[test]
    fn the_same_count_twice_is_stale() {
        let mut pair = Pair::new(ChallengePolicy::new("r"));
        pair.challenge(START, false);
        let request = pair.request();
        assert_eq!(
            pair.server.verify(START, &request, "secret"),
            Verification::Granted
        );
        assert_eq!(
            pair.server.verify(START, &request, "secret"),
            Verification::Stale
        );
    }

    #[test]
    fn a_changed_body_is_denied_under_auth_int() {
        let mut pair = Pair::new(ChallengePolicy {
            qop: vec![Qop::AuthInt],
            ..ChallengePolicy::new("r")
        });
        pair.challenge(START, false);
        let wire = String::from_utf8(pair.request().wire().to_vec()).expect("text");
        let changed = wire.replace("<body/>", "<evil/>").into_bytes();
        let changed = Message::parse(changed.into()).expect("a request");
        assert_eq!(
            pair.server.verify(START, &changed, "secret"),
            Verification::Denied
        );
    }

    #[test]
    fn the_nonce_has_the_form_of_the_dialect() {
        let mut server = Challenger::new(
            ChallengePolicy {
                nonce_prefix: "BroadWorksX".to_owned(),
                nonce_suffix: "BW".to_owned(),
                ..ChallengePolicy::new("BroadWorks")
            },
            7,
        );
        let value = server.challenge(START, true);
        assert!(
            value.starts_with("Digest realm=\"BroadWorks\",nonce=\"BroadWorksX"),
            "{value}"
        );
        assert!(
            value.ends_with("BW\",qop=\"auth\",algorithm=MD5,stale=true"),
            "{value}"
        );
        assert_ne!(value, server.challenge(START, true));
    }

    #[test]
    fn old_nonces_are_forgotten() {
        let mut server = Challenger::new(ChallengePolicy::new("r"), 7);
        for hour in 0..100 {
            server.challenge(START + Duration::from_secs(hour * 3600), false);
        }
        assert_eq!(server.nonces.len(), 1);
        assert_eq!(server.by_age.len(), 1);
    }

    #[test]
    fn a_count_that_is_not_eight_hex_digits_is_denied() {
        for odd in ["1", "0000000g", "+0000001", "000000001"] {
            assert_eq!(eight_hex_digits(odd), None);
        }
        assert_eq!(eight_hex_digits("0000000a"), Some(10));
    }
}
