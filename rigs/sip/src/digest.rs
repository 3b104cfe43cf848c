//! Digest access authentication (RFC 7616, as RFC 3261 §22 and RFC 8760 apply it).
//!
//! This file has the words of the scheme and the computation; [`Answerer`] is the client, [`Challenger`] the server.
//! Both are pure: nonces and cnonces come from a seed, lifetimes from the `now` of the caller. What they do is policy
//! in plain fields, so that a mutant or a server dialect changes a value and no code.
//!
//! The hash is taken over quoted values as they stand between their quotes, escapes included, as RFC 7616 §3.4.1
//! defines `unq`.

mod answerer;
mod challenger;
mod fields;

pub use answerer::{AnswerPolicy, Answerer, ChallengeError, CountStyle};
pub use challenger::{ChallengePolicy, Challenger, Verification};
pub use fields::username;

use md5::{Digest as _, Md5};
use sha2::Sha256;
use std::fmt;
use std::fmt::Write as _;

/// A user name and password. `Debug` shows no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user name of the account, which need not be the user part of its address.
    pub username: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// These two.
    #[must_use]
    pub fn new(username: &str, password: &str) -> Self {
        Self {
            username: username.to_owned(),
            password: password.to_owned(),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

/// The hash of an algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// `MD5`
    Md5,
    /// `SHA-256`
    Sha256,
}

impl Hash {
    fn hex(self, text: &[u8]) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// The `algorithm` parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Algorithm {
    /// The hash.
    pub hash: Hash,
    /// Whether it is the `-sess` form.
    pub session: bool,
}

impl Algorithm {
    /// `MD5`, which is meant when the parameter is missing.
    pub const MD5: Self = Self {
        hash: Hash::Md5,
        session: false,
    };
    /// `SHA-256`
    pub const SHA_256: Self = Self {
        hash: Hash::Sha256,
        session: false,
    };
    /// `MD5-sess`
    pub const MD5_SESS: Self = Self {
        hash: Hash::Md5,
        session: true,
    };
    /// `SHA-256-sess`
    pub const SHA_256_SESS: Self = Self {
        hash: Hash::Sha256,
        session: true,
    };

    /// The algorithm with this name, when it is one of ours.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::MD5, Self::MD5_SESS, Self::SHA_256, Self::SHA_256_SESS]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(token))
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match (self.hash, self.session) {
            (Hash::Md5, false) => "MD5",
            (Hash::Md5, true) => "MD5-sess",
            (Hash::Sha256, false) => "SHA-256",
            (Hash::Sha256, true) => "SHA-256-sess",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Quality of protection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Qop {
    /// `auth`: method and URI are protected.
    Auth,
    /// `auth-int`: the body too.
    AuthInt,
}

impl Qop {
    /// The value with this name.
    #[must_use]
    pub fn from_token(token: &str) -> Option<Self> {
        [Self::Auth, Self::AuthInt]
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(token))
    }

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::AuthInt => "auth-int",
        }
    }
}

impl fmt::Display for Qop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Everything that the `response` parameter is computed from.
#[derive(Clone, Copy)]
pub struct Computation<'a> {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The user name as it stands between its quotes.
    pub username: &'a str,
    /// The realm as it stands between its quotes.
    pub realm: &'a str,
    /// The password.
    pub password: &'a str,
    /// The nonce.
    pub nonce: &'a str,
    /// The client's nonce; used with a qop and by the `-sess` algorithms.
    pub cnonce: &'a str,
    /// The nonce count as it stands on the wire; used with a qop.
    pub nonce_count: &'a str,
    /// The qop in use.
    pub qop: Option<Qop>,
    /// The method of the request.
    pub method: &'a str,
    /// The `uri` parameter.
    pub uri: &'a str,
    /// The body; used with `auth-int`.
    pub body: &'a [u8],
}

impl Computation<'_> {
    /// The value of the `response` parameter (RFC 7616 §3.4.1).
    #[must_use]
    pub fn response(&self) -> String {
        let hash = self.algorithm.hash;
        let secret = format!("{}:{}:{}", self.username, self.realm, self.password);
        let mut secret = hash.hex(secret.as_bytes());
        if self.algorithm.session {
            let session = format!("{secret}:{}:{}", self.nonce, self.cnonce);
            secret = hash.hex(session.as_bytes());
        }
        let mut request = format!("{}:{}", self.method, self.uri);
        if self.qop == Some(Qop::AuthInt) {
            let _ = write!(request, ":{}", hash.hex(self.body));
        }
        let request = hash.hex(request.as_bytes());
        let whole = match self.qop {
            None => format!("{secret}:{}:{request}", self.nonce),
            Some(qop) => format!(
                "{secret}:{}:{}:{}:{qop}:{request}",
                self.nonce, self.nonce_count, self.cnonce
            ),
        };
        hash.hex(whole.as_bytes())
    }
}

impl fmt::Debug for Computation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Computation")
            .field("algorithm", &self.algorithm)
            .field("username", &self.username)
            .field("realm", &self.realm)
            .field("nonce", &self.nonce)
            .field("qop", &self.qop)
            .field("nonce_count", &self.nonce_count)
            .finish_non_exhaustive()
    }
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn random_hex(rng: &mut fastrand::Rng, digits: usize) -> String {
    (0..digits).map(|_| rng.digit(16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of RFC 2617 §3.5.
    const MUFASA: Computation<'_> = Computation {
        algorithm: Algorithm::MD5,
        username: "Mufasa",
        realm: "testrealm@host.com",
        password: "Circle Of Life",
        nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
        cnonce: "0a4f113b",
        nonce_count: "00000001",
        qop: Some(Qop::Auth),
        method: "GET",
        uri: "/dir/index.html",
        body: b"",
    };

    /// The examples of RFC 7616 §3.9.1.
    const SHA: Computation<'_> = Computation {
        algorithm: Algorithm::SHA_256,
        realm: "http-auth@example.org",
        password: "Circle of Life",
        nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
        cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
        ..MUFASA
    };

    #[test]
    fn the_example_of_rfc_2617() {
        assert_eq!(MUFASA.response(), "6629fae49393a05397450978507c4ef1");
    }

    #[test]
    fn the_examples_of_rfc_7616() {
        assert_eq!(
            SHA.response(),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
        let md5 = Computation {
            algorithm: Algorithm::MD5,
            ..SHA
        };
        assert_eq!(md5.response(), "8ca523f5e9506fed4657c9700eebdbec");
    }

    #[test]
    fn without_qop_neither_count_nor_cnonce_matter() {
        let plain = Computation {
            qop: None,
            ..MUFASA
        };
        let other = Computation {
            nonce_count: "00000009",
            cnonce: "other",
            ..plain
        };
        assert_eq!(plain.response(), "670fd8c2df070c60b045671b8b24ff02");
        assert_eq!(plain.response(), other.response());
    }

    #[test]
    fn debug_shows_no_password() {
        let credentials = Credentials::new("anna", "s3cret");
        assert!(!format!("{credentials:?} {MUFASA:?}").contains("s3cret"));
        assert!(!format!("{MUFASA:?}").contains("Circle"));
    }
}
