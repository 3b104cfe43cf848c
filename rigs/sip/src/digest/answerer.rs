//! The client: takes challenges and writes credentials.
//!
//! | state | challenge | request | accepted |
//! |---|---|---|---|
//! | nothing | take it | no credentials | - |
//! | challenged | take it when `stale` or when the answer before was accepted, else refuse | next count | keep the nonce |
//!
//! One answerer serves one server: a 401 and a 407 that come in turn need two. The owner says when an answer was
//! accepted; only then a new challenge without `stale` is no verdict on the password.

use super::fields::{Fields, pairs, quotable};
use super::{Algorithm, Computation, Credentials, Qop, random_hex};
use crate::message::{Message, Method};

/// Why a challenge is not answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// A 401 or 407 without a challenge, or not a 401 or 407 at all.
    #[error("the response holds no challenge")]
    Missing,
    /// The credentials were refused.
    #[error("the server refuses the credentials of {username}")]
    Refused {
        /// Whose.
        username: String,
    },
    /// The server calls each nonce stale.
    #[error("the server called {count} nonces stale in a row")]
    StaleAgain {
        /// How many.
        count: u32,
    },
    /// No challenge has a scheme, algorithm and qop that we know.
    #[error("no supported challenge among: {offered}")]
    Unsupported {
        /// What was offered.
        offered: String,
    },
}

/// How the nonce count is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountStyle {
    /// Eight hexadecimal digits, as RFC 7616 §3.4 wants.
    Hex,
    /// Eight decimal digits, as a known defect has it.
    Decimal,
    /// Always `00000001`, as another has it.
    Constant,
}

/// What a client does; the default is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerPolicy {
    /// The algorithms it knows. The topmost challenge with one of them is answered (RFC 8760 §2.4).
    pub algorithms: Vec<Algorithm>,
    /// How it counts.
    pub count: CountStyle,
    /// Whether a stale nonce is answered again.
    pub honours_stale: bool,
    /// How many times in a row.
    pub stale_limit: u32,
    /// Whether it answers with the qop that is offered.
    pub uses_qop: bool,
    /// Whether a nonce serves for the requests after the challenged one too.
    pub keeps_nonce: bool,
    /// Whether a refused password is tried again and again.
    pub repeats_refused: bool,
}

impl Default for AnswerPolicy {
    fn default() -> Self {
        Self {
            algorithms: vec![
                Algorithm::MD5,
                Algorithm::MD5_SESS,
                Algorithm::SHA_256,
                Algorithm::SHA_256_SESS,
            ],
            count: CountStyle::Hex,
            honours_stale: true,
            stale_limit: 3,
            uses_qop: true,
            keeps_nonce: true,
            repeats_refused: false,
        }
    }
}

#[derive(Clone, Debug)]
struct Challenge {
    header: &'static str,
    realm: String,
    nonce: String,
    opaque: Option<String>,
    /// As written by the server, to be repeated only when it was there.
    algorithm_named: bool,
    algorithm: Algorithm,
    qop: Option<Qop>,
    cnonce: String,
    count: u32,
    accepted: bool,
}

/// The client of one server.
#[derive(Clone, Debug)]
pub struct Answerer {
    /// What it does.
    pub policy: AnswerPolicy,
    credentials: Credentials,
    rng: fastrand::Rng,
    challenge: Option<Challenge>,
    stale_in_a_row: u32,
}

impl Answerer {
    /// A client that was never challenged. Client nonces follow from the seed.
    #[must_use]
    pub fn new(credentials: Credentials, seed: u64) -> Self {
        Self {
            policy: AnswerPolicy::default(),
            credentials,
            rng: fastrand::Rng::with_seed(seed),
            challenge: None,
            stale_in_a_row: 0,
        }
    }

    /// Draws client nonces from this seed from now on.
    pub fn reseed(&mut self, seed: u64) {
        self.rng = fastrand::Rng::with_seed(seed);
    }

    /// Whose credentials it writes.
    #[must_use]
    pub const fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// A 401 or 407 has come. After `Ok` the request is worth sending again with what [`Self::authorize`] writes.
    ///
    /// # Errors
    /// When the challenge cannot or should not be answered.
    pub fn handle_challenge(&mut self, response: &Message) -> Result<(), ChallengeError> {
        let (asked, header) = match response.status() {
            Some(401) => ("WWW-Authenticate", "Authorization"),
            Some(407) => ("Proxy-Authenticate", "Proxy-Authorization"),
            _ => return Err(ChallengeError::Missing),
        };
        let mut offered = Vec::new();
        let mut chosen = None;
        for value in response.headers(asked) {
            offered.push(value);
            if chosen.is_none() {
                chosen = Fields::of_digest(value).and_then(|fields| self.read(header, &fields));
            }
        }
        if offered.is_empty() {
            return Err(ChallengeError::Missing);
        }
        let (challenge, stale) = chosen.ok_or_else(|| ChallengeError::Unsupported {
            offered: offered.join(" | "),
        })?;
        self.judge(&challenge, stale)?;
        self.challenge = Some(challenge);
        Ok(())
    }

    /// Whether the challenge says more than that the password is wrong.
    fn judge(&mut self, new: &Challenge, stale: bool) -> Result<(), ChallengeError> {
        let Some(old) = &self.challenge else {
            return Ok(());
        };
        let answered = old.count > 0 && old.realm == new.realm && old.header == new.header;
        if !answered || (old.accepted && !stale) {
            self.stale_in_a_row = 0;
            return Ok(());
        }
        if stale && self.policy.honours_stale && old.nonce != new.nonce {
            self.stale_in_a_row = if old.accepted {
                1
            } else {
                self.stale_in_a_row + 1
            };
            if self.stale_in_a_row > self.policy.stale_limit {
                let count = self.stale_in_a_row;
                return Err(ChallengeError::StaleAgain { count });
            }
            return Ok(());
        }
        if self.policy.repeats_refused {
            return Ok(());
        }
        Err(ChallengeError::Refused {
            username: self.credentials.username.clone(),
        })
    }

    fn read(&mut self, header: &'static str, fields: &Fields<'_>) -> Option<(Challenge, bool)> {
        let named = fields.value("algorithm");
        let algorithm = named.map_or(Some(Algorithm::MD5), Algorithm::from_token)?;
        if !self.policy.algorithms.contains(&algorithm) {
            return None;
        }
        let offered: Option<Vec<Qop>> = fields.value("qop").map(|list| {
            let tokens = list.split(',').map(str::trim);
            tokens.filter_map(Qop::from_token).collect()
        });
        let qop = match offered {
            // `auth` is enough for a phone; `auth-int` alone is obeyed.
            Some(offered) => Some(offered.iter().copied().min()?).filter(|_| self.policy.uses_qop),
            None => None,
        };
        let stale = fields
            .value("stale")
            .is_some_and(|stale| stale.eq_ignore_ascii_case("true"));
        let challenge = Challenge {
            header,
            realm: fields.value("realm")?.to_owned(),
            nonce: fields.value("nonce")?.to_owned(),
            opaque: fields.value("opaque").map(str::to_owned),
            algorithm_named: named.is_some(),
            algorithm,
            qop,
            cnonce: random_hex(&mut self.rng, 16),
            count: 0,
            accepted: false,
        };
        Some((challenge, stale))
    }

    /// A request with credentials was accepted: anything but 401 or 407. Takes up a `nextnonce`.
    pub fn handle_accepted(&mut self, response: &Message) {
        let Some(challenge) = self.challenge.as_mut().filter(|it| it.count > 0) else {
            return;
        };
        challenge.accepted = true;
        self.stale_in_a_row = 0;
        let info = response.header("Authentication-Info").unwrap_or_default();
        let next = pairs(info)
            .into_iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("nextnonce"));
        if let Some((_, nonce)) = next {
            nonce.clone_into(&mut challenge.nonce);
            challenge.cnonce = random_hex(&mut self.rng, 16);
            challenge.count = 0;
        }
    }

    /// Forgets nonce and history, as a restart does.
    pub fn forget(&mut self) {
        self.challenge = None;
        self.stale_in_a_row = 0;
    }

    /// Name and value of the header to add to a request; `None` before the first challenge. Each call is one use of the
    /// nonce.
    pub fn authorize(
        &mut self,
        method: &Method,
        uri: &str,
        body: &[u8],
    ) -> Option<(&'static str, String)> {
        let challenge = self.challenge.as_mut()?;
        if challenge.count > 0 && !self.policy.keeps_nonce {
            return None;
        }
        challenge.count += 1;
        let nonce_count = match self.policy.count {
            CountStyle::Hex => format!("{:08x}", challenge.count),
            CountStyle::Decimal => format!("{:08}", challenge.count),
            CountStyle::Constant => "00000001".to_owned(),
        };
        let username = quotable(&self.credentials.username);
        let response = Computation {
            algorithm: challenge.algorithm,
            username: &username,
            realm: &challenge.realm,
            password: &self.credentials.password,
            nonce: &challenge.nonce,
            cnonce: &challenge.cnonce,
            nonce_count: &nonce_count,
            qop: challenge.qop,
            method: method.as_str(),
            uri,
            body,
        }
        .response();
        let mut value = format!(
            "Digest username=\"{username}\", realm=\"{}\", nonce=\"{}\", uri=\"{uri}\", \
             response=\"{response}\"",
            challenge.realm, challenge.nonce
        );
        if challenge.algorithm_named {
            value.push_str(&format!(", algorithm={}", challenge.algorithm));
        }
        if let Some(qop) = challenge.qop {
            value.push_str(&format!(", qop={qop}, nc={nonce_count}"));
        }
        if challenge.qop.is_some() || challenge.algorithm.session {
            value.push_str(&format!(", cnonce=\"{}\"", challenge.cnonce));
        }
        if let Some(opaque) = &challenge.opaque {
            value.push_str(&format!(", opaque=\"{opaque}\""));
        }
        Some((challenge.header, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Builder;

    fn challenge(code: u16, values: &[&str]) -> Message {
        let name = if code == 407 {
            "Proxy-Authenticate"
        } else {
            "WWW-Authenticate"
        };
        let builder = values
            .iter()
            .fold(Builder::response(code, "No"), |builder, value| {
                builder.header(name, value)
            });
        builder.build().expect("a response")
    }

    fn ok() -> Message {
        Builder::response(200, "OK").build().expect("a response")
    }

    fn answerer() -> Answerer {
        Answerer::new(Credentials::new("anna", "secret"), 1)
    }

    fn answer(answerer: &mut Answerer) -> String {
        let answer = answerer.authorize(&Method::Register, "sip:as.example", b"");
        answer.expect("credentials").1
    }

    const PLAIN: &str = r#"Digest realm="BroadWorks",qop="auth",algorithm=MD5,nonce="n1""#;
    const OTHER: &str = r#"Digest realm="BroadWorks",qop="auth",algorithm=MD5,nonce="n2""#;
    const STALE: &str = r#"Digest realm="BroadWorks",qop="auth",stale=TRUE,nonce="n3""#;

    #[test]
    fn no_challenge_no_credentials() {
        assert_eq!(answerer().authorize(&Method::Register, "sip:a", b""), None);
    }

    #[test]
    fn the_tenth_use_of_a_nonce_counts_in_hex() {
        let mut client = answerer();
        client
            .handle_challenge(&challenge(401, &[PLAIN]))
            .expect("taken");
        for use_of_nonce in 1..=16 {
            let count = format!("nc={use_of_nonce:08x},");
            assert!(answer(&mut client).contains(&count), "{count}");
        }
        assert!(answer(&mut client).contains("nc=00000011,"));
    }

    #[test]
    fn the_answer_has_the_form_of_section_22() {
        let mut client = answerer();
        let challenged = r#"Digest realm="a \"b\"", nonce="n", opaque="o""#;
        client
            .handle_challenge(&challenge(407, &[challenged]))
            .expect("taken");
        let (name, value) = client
            .authorize(&Method::Register, "sip:x", b"")
            .expect("one");
        assert_eq!(name, "Proxy-Authorization");
        let response = Computation {
            algorithm: Algorithm::MD5,
            username: "anna",
            realm: r#"a \"b\""#,
            password: "secret",
            nonce: "n",
            cnonce: "",
            nonce_count: "",
            qop: None,
            method: "REGISTER",
            uri: "sip:x",
            body: b"",
        }
        .response();
        assert_eq!(
            value,
            format!(
                r#"Digest username="anna", realm="a \"b\"", nonce="n", uri="sip:x", response="{response}", opaque="o""#
            )
        );
    }

    #[test]
    fn a_second_challenge_without_stale_is_a_refusal() {
        let mut client = answerer();
        client
            .handle_challenge(&challenge(401, &[PLAIN]))
            .expect("taken");
        answer(&mut client);
        let refused = client.handle_challenge(&challenge(401, &[OTHER]));
        assert!(matches!(refused, Err(ChallengeError::Refused { .. })));
    }

    #[test]
    fn a_new_challenge_after_an_accepted_answer_is_taken() {
        let mut client = answerer();
        client
            .handle_challenge(&challenge(401, &[PLAIN]))
            .expect("taken");
        answer(&mut client);
        client.handle_accepted(&ok());
        client
            .handle_challenge(&challenge(401, &[OTHER]))
            .expect("taken");
        assert!(answer(&mut client).contains(r#"nonce="n2""#));
        let refused = client.handle_challenge(&challenge(401, &[PLAIN]));
        assert!(matches!(refused, Err(ChallengeError::Refused { .. })));
    }

    #[test]
    fn a_stale_nonce_is_answered_with_the_count_back_at_one() {
        let mut client = answerer();
        client
            .handle_challenge(&challenge(401, &[PLAIN]))
            .expect("taken");
        answer(&mut client);
        answer(&mut client);
        client
            .handle_challenge(&challenge(401, &[STALE]))
            .expect("taken");
        let again = answer(&mut client);
        assert!(
            again.contains(r#"nonce="n3""#) && again.contains("nc=00000001"),
            "{again}"
        );
    }

    #[test]
    fn a_server_that_calls_everything_stale_is_left() {
        let mut client = answerer();
        client
            .handle_challenge(&challenge(401, &[PLAIN]))
            .expect("taken");
        for round in 0..3 {
            answer(&mut client);
            let stale = format!(r#"Digest realm="BroadWorks",stale=true,nonce="s{round}""#);
            client
                .handle_challenge(&challenge(401, &[&stale]))
                .expect("taken");
        }
        answer(&mut client);
        let last = client.handle_challenge(&challenge(401, &[STALE]));
        assert_eq!(last, Err(ChallengeError::StaleAgain { count: 4 }));
    }

    #[test]
    fn the_topmost_supported_challenge_is_answered() {
        let mut client = answerer();
        let values = [
            r#"Basic realm="r""#,
            r#"Digest realm="r",algorithm=SHA-512-256,nonce="a""#,
            r#"Digest realm="r",algorithm=SHA-256,qop="auth-int,auth",nonce="b""#,
            r#"Digest realm="r",algorithm=MD5,nonce="c""#,
        ];
        client
            .handle_challenge(&challenge(401, &values))
            .expect("taken");
        let answer = answer(&mut client);
        assert!(
            answer.contains("algorithm=SHA-256, qop=auth, nc"),
            "{answer}"
        );
    }

    #[test]
    fn what_cannot_be_answered_is_named() {
        let mut client = answerer();
        assert_eq!(
            client.handle_challenge(&challenge(401, &[])),
            Err(ChallengeError::Missing)
        );
        for odd in [
            r#"Basic realm="r""#,
            r#"Digest realm="r",qop="none",nonce="a""#,
            "Digest x",
        ] {
            let result = client.handle_challenge(&challenge(401, &[odd]));
            assert!(
                matches!(result, Err(ChallengeError::Unsupported { .. })),
                "{odd}"
            );
        }
    }

    #[test]
    fn a_next_nonce_is_used() {
        let mut client = answerer();
        client
            .handle_challenge(&challenge(401, &[PLAIN]))
            .expect("taken");
        answer(&mut client);
        let info = Builder::response(200, "OK").header("Authentication-Info", "nextnonce=\"n9\"");
        client.handle_accepted(&info.build().expect("a response"));
        let next = answer(&mut client);
        assert!(
            next.contains(r#"nonce="n9""#) && next.contains("nc=00000001"),
            "{next}"
        );
    }

    #[test]
    fn a_defect_of_counting_is_a_value() {
        let mut client = answerer();
        client.policy.count = CountStyle::Decimal;
        client
            .handle_challenge(&challenge(401, &[PLAIN]))
            .expect("taken");
        let tenth = (0..10).map(|_| answer(&mut client)).last();
        assert!(tenth.is_some_and(|tenth| tenth.contains("nc=00000010")));
    }
}
