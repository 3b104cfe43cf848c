//! Worlds beyond one base at one server: two units, two sites, two event packages, and five hundred
//! accounts.
//!
//! Each test runs the same story in both laboratories, with the real emulated base, the real application server and the
//! real monitor; in the wire laboratory the base is the program `lockstep` in a process of its own. After every story the
//! monitor must have blamed nobody, and every record must name the unit that it is about.
//!
//! Nothing waits for a fixed time: that something does *not* happen is told by something later that does, on the same way.
#![expect(clippy::unwrap_used, reason = "a story ends at the first surprise")]

mod many;
mod orders;
mod packages;
mod sites;
mod units;
mod world;
