//! The watchdog of the wire laboratory: how late the rig itself is.
//!
//! Wall time passes whether the rig runs or not. When the rig was kept from running for a noteworthy part of a wait,
//! a condition that did not come true in time says nothing about the base. The watchdog plans a beat every few
//! milliseconds and measures how late each is taken; the wait is judged when its deadline has come.
//!
//! | state | begin, same deadline | begin, other deadline | beat taken | deadline |
//! |---|---|---|---|---|
//! | idle | - | -> waiting | - | - |
//! | waiting | take the beat | -> waiting anew | note its lateness, plan the next | judge, -> idle |

use crate::error::RigError;
use sip::time::Instant;
use std::time::Duration;

/// How often it looks: our choice, well below what counts as negligible.
const BEAT: Duration = Duration::from_millis(20);
/// A desktop's scheduler may be this late at any time; shorter waits are not judged by less; our choice.
const NEGLIGIBLE: Duration = Duration::from_millis(50);

/// Measures how late the rig is.
#[derive(Clone, Debug, Default)]
pub(super) struct Watchdog {
    wait: Option<Wait>,
}

#[derive(Clone, Debug)]
struct Wait {
    from: Instant,
    deadline: Instant,
    beat: Instant,
    worst: Duration,
}

impl Watchdog {
    /// A wait begins, or goes on when its deadline is the one of the wait before.
    pub(super) fn begin(&mut self, now: Instant, deadline: Instant) {
        match &mut self.wait {
            Some(wait) if wait.deadline == deadline => self.beat(now),
            _ => {
                self.wait = Some(Wait {
                    from: now,
                    deadline,
                    beat: now + BEAT,
                    worst: Duration::ZERO,
                });
            }
        }
    }

    /// When the next beat is to be taken.
    pub(super) fn due(&self) -> Option<Instant> {
        self.wait.as_ref().map(|wait| wait.beat)
    }

    /// Takes the beat if it is due.
    pub(super) fn beat(&mut self, now: Instant) {
        if let Some(wait) = &mut self.wait
            && now >= wait.beat
        {
            wait.worst = wait.worst.max(now.since(wait.beat));
            wait.beat = now + BEAT;
        }
    }

    /// The deadline has come: was the rig too late to say anything about this wait?
    pub(super) fn judge(&mut self, now: Instant) -> Option<RigError> {
        self.beat(now);
        let wait = self.wait.take()?;
        let limit = wait.deadline.since(wait.from);
        (wait.worst > (limit / 10).max(NEGLIGIBLE)).then_some(RigError::Lag {
            lag: wait.worst,
            limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Instant {
        Instant::from_micros(millis * 1000)
    }

    #[test]
    fn a_rig_that_beats_in_time_is_trusted() {
        let mut watchdog = Watchdog::default();
        watchdog.begin(at(0), at(2000));
        for millis in (0..2000).step_by(21) {
            watchdog.beat(at(millis));
        }
        assert_eq!(watchdog.judge(at(2001)), None);
        assert_eq!(watchdog.due(), None);
    }

    #[test]
    fn a_rig_that_lags_more_than_a_tenth_of_the_limit_is_not() {
        let mut watchdog = Watchdog::default();
        watchdog.begin(at(0), at(2000));
        watchdog.beat(at(20));
        watchdog.beat(at(300));
        let error = watchdog.judge(at(2000)).unwrap();
        assert!(matches!(error, RigError::Lag { limit, .. } if limit == Duration::from_secs(2)));
    }

    #[test]
    fn time_lost_between_two_calls_of_one_wait_counts() {
        let mut watchdog = Watchdog::default();
        watchdog.begin(at(0), at(1000));
        watchdog.begin(at(500), at(1000));
        assert!(watchdog.judge(at(1000)).is_some());
    }

    #[test]
    fn time_between_two_waits_does_not_count() {
        let mut watchdog = Watchdog::default();
        watchdog.begin(at(0), at(1000));
        watchdog.begin(at(900), at(1900));
        watchdog.beat(at(920));
        assert!(watchdog.judge(at(940)).is_none());
    }

    #[test]
    fn a_short_wait_is_not_judged_by_the_scheduler() {
        let mut watchdog = Watchdog::default();
        watchdog.begin(at(0), at(10));
        assert_eq!(watchdog.judge(at(60)), None);
    }
}
