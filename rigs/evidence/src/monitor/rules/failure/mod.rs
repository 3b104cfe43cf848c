//! The rules of the failure group: FAIL-03, FAIL-05, FAIL-06.
//!
//! A stale nonce and a 401 without a challenge are the business of FAIL-06, every other challenge that of FAIL-05.

mod challenge;
mod nonce;
mod refusal;

use crate::monitor::rules::rule::Rule;

pub(crate) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(refusal::LeavesInPeace::default()),
        Box::new(challenge::AnswersChallenge::default()),
        Box::new(nonce::TakesNewNonce::default()),
    ]
}
