//! How a base spreads what all its accounts want at once: the `[pace]` of a model file.
//!
//! Nobody publishes how fast these bases come up, so every figure here is our choice. A base of a few handsets registers
//! them all at once, as if nothing was paced.

use super::seconds;
use serde::Deserialize;
use std::num::NonZeroU32;
use std::time::Duration;

/// How fast many accounts begin. Keys that a model leaves out have the values of [`Pace::default`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Pace {
    /// So many accounts that begin together register at once; more are paced.
    pub registers_at_once: usize,
    /// First REGISTERs a second, where they are paced.
    pub registers_a_second: NonZeroU32,
    /// First SUBSCRIBEs a second.
    pub subscribes_a_second: NonZeroU32,
    /// The first SUBSCRIBEs are spread over no less than this, in seconds.
    #[serde(deserialize_with = "seconds")]
    pub shortest_spread: Duration,
    /// And over no more than this, in seconds, however many there are.
    #[serde(deserialize_with = "seconds")]
    pub longest_spread: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            registers_at_once: 50,
            registers_a_second: a_second(500),
            // Below the 25 a second of FAIL-12.
            subscribes_a_second: a_second(20),
            // Within the 10 s of REG-02.
            shortest_spread: Duration::from_secs(2),
            // A handset is expected to be in step within ten seconds of its registration.
            longest_spread: Duration::from_secs(8),
        }
    }
}

impl Pace {
    /// Over how long the first REGISTERs of this many accounts are spread; zero when they leave at once.
    pub(crate) fn of_registers(&self, accounts: usize) -> Duration {
        if accounts <= self.registers_at_once {
            return Duration::ZERO;
        }
        spread(accounts, self.registers_a_second)
    }

    /// Over how long the first SUBSCRIBEs of this many accounts are spread.
    pub(crate) fn of_subscribes(&self, accounts: usize) -> Duration {
        let spread = spread(accounts, self.subscribes_a_second);
        self.shortest_spread.max(spread).min(self.longest_spread)
    }
}

fn spread(accounts: usize, a_second: NonZeroU32) -> Duration {
    let many = u64::try_from(accounts).unwrap_or(u64::MAX);
    Duration::from_secs(many) / a_second.get()
}

const fn a_second(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_accounts_register_at_once_and_many_at_the_pace_of_the_model() {
        let pace: Pace = document::from_toml("registers-a-second = 1500", "x").unwrap();
        assert_eq!(pace.of_registers(50), Duration::ZERO);
        assert_eq!(pace.of_registers(3000), Duration::from_secs(2));
        assert_eq!(pace.of_subscribes(1), Duration::from_secs(2));
        assert_eq!(pace.of_subscribes(100), Duration::from_secs(5));
        assert_eq!(pace.of_subscribes(3000), Duration::from_secs(8));
    }

    #[test]
    fn a_pace_of_nothing_a_second_is_refused() {
        for key in ["registers-a-second", "subscribes-a-second"] {
            let error = document::from_toml::<Pace>(&format!("{key} = 0"), "x").unwrap_err();
            assert_eq!(error.key, key);
        }
    }
}
