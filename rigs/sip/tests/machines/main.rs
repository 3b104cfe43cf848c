//! The protocol machines on lab time: every row of every table, every timer by letter, and pairs over a bad network.

mod endpoint;
mod messages;
mod network;
mod notifier;
mod pair;
mod subscriber;
mod timers;
mod transactions;
