//! The evidence crate from outside: rules on short logs, logs and captures in files, readers on any bytes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod body_documents;
mod captures;
mod changes;
mod checks;
#[path = "../../benches/crowd/mod.rs"]
mod crowd;
mod crowds;
mod failures;
mod files;
mod logs;
mod menus;
mod network;
mod notifies;
mod packages;
mod readers;
mod refreshes;
mod registrations;
mod stage;
mod subscribes;
mod units;
mod verdicts;
