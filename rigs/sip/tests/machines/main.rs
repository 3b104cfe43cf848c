//! The protocol machines on lab time: every row of every table, every timer by letter, and pairs over a bad network.

mod endpoint;
mod messages;
mod notifier;
mod subscriber;
mod timers;
mod transactions;
