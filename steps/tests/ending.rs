//! How a case ends when its rig or its steps are at fault: never with a verdict on the base.
//!
//! One scenario on the emulated N870, in the virtual laboratory; what is looked at is the verdict, at once and when the
//! run's folder is read again.

mod suite;

use bench::rig::LabKind;
use evidence::record::{Direction, Fate, Observation};
use evidence::verdict::Verdict;
use regex::Regex;
use reports::fold::Case as Folded;
use reports::index::CaseEntry;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use steps::command;
use steps::opener::Benches;
use steps::plan::{Case, Plan, Selection};
use steps::scene::Scene;
use steps::suite::Opener;

/// Cucumber swaps the panic hook of the process while it runs, and the folder is that of the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Opens a bench as always, and panics before the first step.
struct Panicking(Benches);

impl Opener for Panicking {
    fn open(&self, case: &Case, entry: &CaseEntry) -> Scene {
        let _scene = self.0.open(case, entry);
        panic!("the invariant 7 broke")
    }

    fn evidence(&self, entry: &CaseEntry) -> Option<PathBuf> {
        self.0.evidence(entry)
    }
}

fn one_scenario() -> (Vec<Arc<bench::rig::Rig>>, Arc<Plan>) {
    suite::at_the_top();
    let rigs = suite::emulated_rig();
    let selection = Selection {
        name: Regex::new("^ID-BSFT-DND-001$").ok(),
        ..Selection::default()
    };
    let plan = suite::plan(&rigs, selection);
    (rigs, plan)
}

#[test]
fn a_step_that_failed_before_it_began_is_an_error() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (rigs, plan) = one_scenario();
    let passed = suite::run(&plan, 1, suite::benches(&rigs, 1, None));
    let entry = &passed.first().unwrap().entry;
    let case = plan
        .cases
        .iter()
        .find(|case| case.id == entry.id.as_str())
        .unwrap();
    let verdict_on = |failed| {
        let mut scene = suite::benches(&rigs, 1, None).open(case, entry);
        scene.end(entry, false, failed).outcome.verdict
    };
    assert_eq!(verdict_on(true), Verdict::Error);
    assert_ne!(verdict_on(false), Verdict::Error);
}

#[test]
fn a_message_that_two_readers_read_differently_is_an_error_that_lets_the_bench_go_on() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (rigs, plan) = one_scenario();
    let passed = suite::run(&plan, 1, suite::benches(&rigs, 1, None));
    let entry = &passed.first().unwrap().entry;
    let id = |case: &&Case| case.id == entry.id.as_str();
    let mut case = plan.cases.iter().find(id).unwrap().clone();
    case.lab = LabKind::Wire;
    // The base stays off; whoever speaks is taken for the only unit.
    let ended = |to: &str, times: usize| {
        let mut scene = suite::benches(&rigs, 1, None).open(&case, entry);
        let bench = scene.bench().unwrap();
        let server = bench.layout().servers[0].sites[0];
        let base = UdpSocket::bind((server.ip(), 0)).unwrap();
        let message = format!(
            "OPTIONS sip:{server} SIP/2.0\r\nVia: SIP/2.0/UDP {};branch=z9hG4bK1\r\n\
             From: <sip:a@as.example>;tag=1\r\nTo: {to};tag=9\r\nCall-ID: c\r\n\
             CSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            base.local_addr().unwrap()
        );
        for _ in 0..times {
            base.send_to(message.as_bytes(), server).unwrap();
            let seen = bench.last_seq();
            let came = bench.until_record(seen, Duration::from_secs(10), |record| {
                matches!(&record.observation, Observation::Sip(sip)
                    if sip.direction == Direction::FromBase && sip.fate == Fate::Delivered)
            });
            assert!(came.unwrap().is_some());
        }
        scene.end(entry, false, false).outcome
    };
    let outcome = ended("sip:exam\"ple", 2);
    assert_eq!(outcome.verdict, Verdict::Error);
    let reasons = outcome.reasons.join("\n");
    for told in [
        "(second reader)",
        "our reader says nothing",
        "rsip says `9`",
        "one message more",
    ] {
        assert!(reasons.contains(told), "{reasons}");
    }
    assert_ne!(ended("sip:example", 1).verdict, Verdict::Error);
}

#[test]
fn a_rig_that_panicked_is_an_error_when_the_run_is_read_again_too() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let (rigs, plan) = one_scenario();
    let folder = tempfile::tempdir().unwrap();
    let dialects = command::dialects(&rigs).unwrap();
    let program = Path::new("lockstep");
    let benches = Benches::new(&rigs, dialects, 1, Some(folder.path()), program, None).unwrap();
    let cases = suite::run(&plan, 1, Panicking(benches));
    assert_eq!(cases.len(), 1);
    for case in &cases {
        let again = Folded::load(folder.path(), &case.entry);
        for outcome in [&case.outcome, &again.outcome] {
            assert_eq!(outcome.verdict, Verdict::Error, "{outcome:?}");
            let reasons = outcome.reasons.join("\n");
            assert!(reasons.contains("the invariant 7 broke"), "{reasons}");
        }
    }
}
