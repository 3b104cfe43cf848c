//! How one kind of request of an account answers digest challenges (RFC 3261 §22): once for each attempt, and again when
//! the server says that only the nonce was stale.
//!
//! The rules and the arithmetic are those of the sip crate's answerer; here they meet the defects of answering, and the
//! rule that an attempt that ended in a refusal leaves nothing behind: the next one begins without credentials.

use super::request::Shared;
use crate::accounts::AccountSettings;
use crate::defect::Defect;
use sip::digest::{Answerer, Credentials};
use sip::message::{Message, Method};

/// The answers to challenges of one kind of request.
#[derive(Clone, Debug)]
pub(super) struct Challenge {
    answerer: Answerer,
    /// How many times the nonce in use was used; read by `continues-nonce-count` alone.
    uses: u32,
}

impl Challenge {
    pub(super) fn new(shared: &mut Shared, settings: &AccountSettings) -> Self {
        let credentials = Credentials::new(&settings.auth_name, settings.auth_password.expose());
        let mut answerer = Answerer::new(credentials, shared.endpoint.rng().u64(..));
        answerer.policy.honours_stale = !shared.has(Defect::IgnoresStale);
        if shared.has(Defect::AnswersEveryChallenge) {
            answerer.policy.repeats_refused = true;
            answerer.policy.stale_limit = u32::MAX;
        }
        Self { answerer, uses: 0 }
    }

    /// Draws client nonces from numbers of its own from now on.
    pub(super) fn reseed(&mut self, shared: &mut Shared) {
        self.answerer.reseed(shared.endpoint.rng().u64(..));
    }

    /// The server took the request for what it said it was.
    pub(super) fn accepted(&mut self, response: &Message) {
        self.answerer.handle_accepted(response);
    }

    /// Takes a challenge. Whether the request is to be sent again; if not, the nonce is forgotten.
    pub(super) fn take(&mut self, shared: &Shared, response: &Message) -> bool {
        if self.answerer.handle_challenge(response).is_err() {
            self.forget();
            return false;
        }
        if shared.has(Defect::ContinuesNonceCount) {
            for _ in 0..self.uses {
                let _ = self.answerer.authorize(&Method::Options, "sip:", &[]);
            }
        } else {
            self.uses = 0;
        }
        true
    }

    /// Forgets the nonce.
    pub(super) fn forget(&mut self) {
        self.uses = 0;
        self.answerer.forget();
    }

    /// The header and value of the credentials, once there was a challenge.
    pub(super) fn authorize(
        &mut self,
        method: &Method,
        uri: &str,
        body: &[u8],
    ) -> Option<(&'static str, String)> {
        self.uses += 1;
        self.answerer.authorize(method, uri, body)
    }
}
