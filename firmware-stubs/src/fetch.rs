//! When a base fetches its provisioning file, and when it tries again. What is in the file is not known here.
//!
//! | state | input | next | what happens |
//! |---|---|---|---|
//! | off | start | asking | the request goes out |
//! | resting | a day has passed, or somebody asks | asking | the request goes out |
//! | asking | somebody asks | asking | once this one is done, it asks again |
//! | asking | a good file | resting | |
//! | asking | anything else, or no answer in time | waiting | longer each time |
//! | waiting | the wait is over, or somebody asks | asking | the request goes out |

use crate::model::Timers;
use sip::node::ExchangeId;
use sip::time::Instant;

#[derive(Clone, Debug)]
enum State {
    Asking {
        exchange: ExchangeId,
        give_up_at: Instant,
        again: bool,
    },
    Off,
    Resting {
        until: Instant,
    },
    Waiting {
        until: Instant,
    },
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Send the request under this name.
    Ask(ExchangeId),
    /// The last request had no answer; say so.
    Unanswered,
}

/// The fetching of one base.
#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    timers: Timers,
    state: State,
    exchanges: u64,
    failures: usize,
}

impl Fetch {
    pub(crate) const fn new(timers: Timers) -> Self {
        Self {
            timers,
            state: State::Off,
            exchanges: 0,
            failures: 0,
        }
    }

    /// The base restarts: an answer that is still on its way is nobody's.
    pub(crate) fn stop(&mut self) {
        self.state = State::Off;
        self.failures = 0;
    }

    /// Somebody asks for a fetch. Nothing to send when one is under way.
    pub(crate) fn start(&mut self, now: Instant) -> Option<ExchangeId> {
        if let State::Asking { again, .. } = &mut self.state {
            *again = true;
            return None;
        }
        Some(self.ask(now))
    }

    fn ask(&mut self, now: Instant) -> ExchangeId {
        self.exchanges += 1;
        let exchange = ExchangeId(self.exchanges);
        self.state = State::Asking {
            exchange,
            give_up_at: now + self.timers.provisioning_answer,
            again: false,
        };
        exchange
    }

    /// Whether this answer is awaited.
    pub(crate) fn awaits(&self, answered: ExchangeId) -> bool {
        matches!(self.state, State::Asking { exchange, .. } if exchange == answered)
    }

    /// The file was good. Somebody may have asked meanwhile: then the next request.
    pub(crate) fn handle_success(&mut self, now: Instant) -> Option<ExchangeId> {
        self.failures = 0;
        if matches!(self.state, State::Asking { again: true, .. }) {
            return Some(self.ask(now));
        }
        self.state = State::Resting {
            until: now + self.timers.provisioning_check,
        };
        None
    }

    /// There was no file, or it was not good.
    pub(crate) fn handle_failure(&mut self, now: Instant) {
        let retries = &self.timers.provisioning_retries;
        let wait = retries.get(self.failures).or_else(|| retries.last());
        let wait = wait.copied().unwrap_or(self.timers.provisioning_check);
        self.failures = self.failures.saturating_add(1);
        self.state = State::Waiting { until: now + wait };
    }

    /// Whether the last request has had its answer, or been given up.
    pub(crate) const fn has_outcome(&self) -> bool {
        matches!(self.state, State::Resting { .. } | State::Waiting { .. })
    }

    /// How many times in a row it has failed.
    pub(crate) const fn failures(&self) -> usize {
        self.failures
    }

    pub(crate) const fn deadline(&self) -> Option<Instant> {
        match self.state {
            State::Off => None,
            State::Asking { give_up_at, .. } => Some(give_up_at),
            State::Resting { until } | State::Waiting { until } => Some(until),
        }
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Option<Due> {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return None;
        }
        if matches!(self.state, State::Asking { .. }) {
            self.handle_failure(now);
            return Some(Due::Unanswered);
        }
        Some(Due::Ask(self.ask(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Model;
    use std::time::Duration;

    fn fetch() -> Fetch {
        Fetch::new(Model::built_in("n870").unwrap().timers)
    }

    fn at(seconds: u64) -> Instant {
        Instant::EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn it_checks_once_a_day() {
        let mut fetch = fetch();
        let first = fetch.start(at(0)).unwrap();
        assert!(fetch.awaits(first));
        assert_eq!(fetch.handle_success(at(1)), None);
        assert_eq!(fetch.handle_timeout(at(86_400)), None);
        assert!(matches!(
            fetch.handle_timeout(at(86_401)),
            Some(Due::Ask(_))
        ));
    }

    #[test]
    fn it_tries_again_at_growing_gaps() {
        let mut fetch = fetch();
        fetch.start(at(0));
        let mut now = at(0);
        for wait in [5, 10, 30, 60, 300, 300] {
            fetch.handle_failure(now);
            now += Duration::from_secs(wait);
            assert_eq!(fetch.deadline(), Some(now));
            assert!(matches!(fetch.handle_timeout(now), Some(Due::Ask(_))));
        }
    }

    #[test]
    fn no_answer_is_a_failure() {
        let mut fetch = fetch();
        let first = fetch.start(at(0)).unwrap();
        assert_eq!(fetch.handle_timeout(at(10)), Some(Due::Unanswered));
        assert!(!fetch.awaits(first));
        assert_eq!(fetch.deadline(), Some(at(15)));
    }

    #[test]
    fn a_request_while_asking_is_kept() {
        let mut fetch = fetch();
        let first = fetch.start(at(0)).unwrap();
        assert_eq!(fetch.start(at(1)), None);
        let second = fetch.handle_success(at(2)).unwrap();
        assert_ne!(first, second);
        assert_eq!(fetch.handle_success(at(3)), None);
    }
}
