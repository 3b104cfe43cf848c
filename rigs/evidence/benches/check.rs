//! How many messages a second a capture of a crowd is checked with, on one core.
//!
//! `cargo bench -p evidence --bench check`. The capture is the one of `examples/crowd.rs`, written while it is read, so
//! that the figure holds the writing, too: [`write`] is what to take off.

mod crowd;

use crowd::Crowd;
use divan::Bencher;
use divan::counter::ItemsCount;
use evidence::capture::Base;
use evidence::check::{Options, check};
use evidence::monitor::Limits;
use std::io;
use std::path::Path;

fn main() {
    divan::main();
}

const MESSAGES: u64 = 100_000;

/// All rules over all messages.
#[divan::bench(args = [50, 5_000], sample_count = 10)]
fn check_the_capture_of_a_crowd(bencher: Bencher<'_, '_>, accounts: usize) {
    let options = Options {
        bases: vec![Base {
            ip: crowd::BASE.into(),
            port: None,
        }],
        agents: Vec::new(),
        limits: Limits::default(),
    };
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        let capture = Crowd::new(MESSAGES, accounts);
        let summary = check(capture, Path::new("crowd"), &options, |_| ()).expect("readable");
        assert_eq!((summary.messages, summary.findings), (MESSAGES, 0));
    });
}

/// The same capture, only written.
#[divan::bench(args = [50, 5_000], sample_count = 10)]
fn write(bencher: Bencher<'_, '_>, accounts: usize) {
    bencher.counter(ItemsCount::new(MESSAGES)).bench_local(|| {
        io::copy(&mut Crowd::new(MESSAGES, accounts), &mut io::sink()).expect("endless room")
    });
}
