//! What makes one start of a program different from every other: a seed out of who it is, when it started, and its process.
//!
//! A program that is to repeat itself is given a seed and does not ask here.

use crate::clock::LabClock;
use sip::time::Instant;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// A seed for this start of the program that is called so: by its hardware address, or by where it listens. Another start
/// draws another one, so that no Call-ID, branch or tag comes twice (RFC 3261 §8.1.1.4, §8.1.1.7, §19.3).
#[must_use]
pub fn seed(name: &str) -> u64 {
    seed_of(
        name,
        LabClock::start().wall(Instant::EPOCH),
        std::process::id(),
    )
}

/// `wall` is in microseconds since the Unix epoch.
fn seed_of(name: &str, wall: u64, process: u32) -> u64 {
    let mut hasher = DefaultHasher::new();
    (name, wall, process).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_makes_another_seed() {
        let seed = seed_of("7c2f80e0d605", 1_700_000_000_000_000, 4711);
        for other in [
            seed_of("7c2f80e0d606", 1_700_000_000_000_000, 4711),
            seed_of("7c2f80e0d605", 1_700_000_000_000_001, 4711),
            seed_of("7c2f80e0d605", 1_700_000_000_000_000, 4712),
        ] {
            assert_ne!(seed, other);
        }
    }
}
