//! Lab time that follows the wall: microseconds since the clock was started, monotonic.

use sip::time::Instant;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The only clock of the wire laboratory.
#[derive(Clone, Copy, Debug)]
pub struct LabClock {
    epoch: tokio::time::Instant,
    /// The wall time of the epoch, since the Unix epoch.
    wall: Duration,
}

impl LabClock {
    /// A clock that shows zero now.
    #[expect(
        clippy::disallowed_methods,
        reason = "evidence from real wires says when it was, to be compared with other logs"
    )]
    #[must_use]
    pub fn start() -> Self {
        Self {
            epoch: tokio::time::Instant::now(),
            wall: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default(),
        }
    }

    /// The wall time of `point` in microseconds since the Unix epoch. It is read once, at the start, so that it never
    /// goes back when somebody sets the machine's clock.
    #[must_use]
    pub fn wall(&self, point: Instant) -> u64 {
        let wall = self.wall + point.since(Instant::EPOCH);
        u64::try_from(wall.as_micros()).unwrap_or(u64::MAX)
    }

    /// The lab time.
    #[must_use]
    pub fn now(&self) -> Instant {
        Instant::EPOCH + self.epoch.elapsed()
    }

    /// When `point` will be, for tokio's timers. A point beyond what the platform's clock can hold is a century away.
    #[must_use]
    pub fn at(&self, point: Instant) -> tokio::time::Instant {
        /// As good as never.
        const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
        self.epoch + point.since(Instant::EPOCH).min(CENTURY)
    }
}

/// Completes at `point`, or never when there is none.
pub async fn until(clock: LabClock, point: Option<Instant>) {
    match point {
        Some(point) => tokio::time::sleep_until(clock.at(point)).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lab_time_starts_at_zero_and_never_goes_back() {
        let clock = LabClock::start();
        let point = clock.now() + Duration::from_millis(1);
        until(clock, Some(point)).await;
        assert!(clock.now() >= point);
        assert!(point < Instant::EPOCH + Duration::from_secs(60));
    }

    #[tokio::test]
    async fn a_point_beyond_all_clocks_is_far_away_and_no_overflow() {
        let clock = LabClock::start();
        let point = clock.at(Instant::from_micros(u64::MAX));
        assert!(point > clock.at(clock.now()) + Duration::from_secs(3600));
    }
}
