//! The protocol machines on lab time: every row of every table, every timer by letter, and pairs over a bad network.
#![expect(
    clippy::unwrap_used,
    reason = "the hands that play the other side are no test functions"
)]

mod endpoint;
mod messages;
mod network;
mod notifier;
mod pair;
mod subscriber;
mod timers;
mod transactions;
