//! The evidence crate from outside: rules on short logs, logs and captures in files, readers on any bytes.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod body_documents;
mod captures;
mod changes;
mod crowds;
mod failures;
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
