//! What the monitor costs: a record of a long log against one of a short log, and a copy of it.
//!
//! `cargo bench -p evidence --bench monitor`. The logs are written with the texts of this crate's tests: a base with two
//! accounts, one of which changes its services again and again, with screens and keys.

#[path = "../tests/evidence/stage.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    reason = "it is a module of the tests, which use more of it"
)]
mod stage;

use divan::Bencher;
use divan::counter::ItemsCount;
use evidence::monitor::Monitor;
use evidence::record::{Observation, Parsed, Record, Service};
use stage::{ANNA, BEN, Stage, dnd, set_dnd};
use std::sync::Arc;

fn main() {
    divan::main();
}

/// A log with at least so many SIP messages.
fn log(messages: usize) -> Vec<Arc<Record>> {
    let mut stage = Stage::synced_for(600);
    let mut count = 0;
    while count < messages {
        stage.wait(300_000).refresh();
        stage.wait(20).answer(200, &["Expires: 600"]);
        stage.wait(20).full_state("1001", &[dnd(true)]);
        stage
            .wait(4_000)
            .request_change(ANNA, Service::DoNotDisturb, false, None, None);
        stage.wait(20).change(&set_dnd(false));
        stage.wait(20).answer(200, &["Expires: 600"]);
        stage.wait(20).notify("1001", &dnd(false));
        stage.wait(20).reply(200, &[]);
        stage.wait(4_000).idle(ANNA, &[]);
        count += 8;
    }
    stage.log.records().to_vec()
}

fn messages(records: &[Arc<Record>]) -> usize {
    let is_sip = |record: &&Arc<Record>| matches!(record.observation, Observation::Sip(_));
    records.iter().filter(is_sip).count()
}

/// The same records, whose messages nobody has parsed.
fn unread(records: &[Arc<Record>]) -> Vec<Arc<Record>> {
    let fresh = records.iter().map(|record| {
        let mut record = Record::clone(record);
        if let Observation::Sip(sip) = &mut record.observation {
            sip.parsed = Parsed::default();
        }
        Arc::new(record)
    });
    fresh.collect()
}

/// All rules over a whole log, each message parsed once; the items are SIP messages.
#[divan::bench(args = [200, 2_000, 20_000])]
fn judge_a_log_of_one_account(bencher: Bencher<'_, '_>, length: usize) {
    let records = log(length);
    let count = ItemsCount::new(messages(&records));
    bencher
        .counter(count)
        .with_inputs(|| unread(&records))
        .bench_local_refs(|records| Monitor::judge(records));
}

/// A monitor of two accounts that are registered, subscribed and notified of all their services.
#[divan::bench]
fn copy_a_monitor_of_two_synchronised_accounts(bencher: Bencher<'_, '_>) {
    let mut stage = Stage::synced();
    stage.register("1002", 3600);
    stage.subscribe_and_state("1002", 1800, &[dnd(true)]);
    stage.idle(BEN, &["Do Not Disturb"]);
    let mut monitor = Monitor::new();
    for record in stage.log.records() {
        assert!(monitor.observe(record).is_empty());
    }
    bencher.bench_local(|| monitor.clone());
}
