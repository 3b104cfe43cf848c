//! How many whole cycles the virtual laboratory does on one core: a base boots, fetches its provisioning, registers and
//! subscribes with digest, is notified, and then changes a service and hears of it, ten times. And what it costs to fork a
//! laboratory that has come so far, alone and with its monitor.
//!
//! `cargo bench -p steps --bench cycles`
#![expect(clippy::unwrap_used, reason = "a benchmark that cannot be set up ends")]

use bench::lab::BaseSpec;
use bench::lab::names::Names;
use bench::profile::Profile;
use bench::rig::{HandsetFace, LabKind, Rig};
use bench::{Account, Bench, Setup, Sync};
use divan::Bencher;
use divan::counter::ItemsCount;
use evidence::monitor::Monitor;
use firmware_stubs::{Base, BaseConfig, Model};
use server::Dialect;
use sip::feature_event::{Service, Setting};
use sip::node::Node;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

const CHANGES: u32 = 10;

fn main() {
    divan::main();
}

struct World {
    rig: Arc<Rig>,
    profile: Arc<Profile>,
    dialect: Arc<Dialect>,
    model: Model,
}

impl World {
    fn new() -> Self {
        let top = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rigs");
        Self {
            rig: Arc::new(Rig::load(&top.join("emulated-n870.toml")).unwrap()),
            profile: Arc::new(Profile::load(&top.join("profiles/n870.toml")).unwrap()),
            dialect: Arc::new(Dialect::broadsoft()),
            model: Model::built_in("n870").unwrap(),
        }
    }

    fn bench(&self, seed: u64, people: &[&str]) -> Bench {
        let model = self.model.clone();
        let account = |(number, (name, handset)): (usize, (&&str, &String))| Account {
            name: (*name).to_owned(),
            handset: handset.clone(),
            user: (2001 + number).to_string(),
            password: "secret".to_owned(),
            display_name: (*name).to_owned(),
            sync: Sync::On,
        };
        let paired = people.iter().zip(&self.rig.handsets);
        let accounts = paired.enumerate().map(account).collect();
        let factory = move |spec: &BaseSpec| {
            let base = Base::new(BaseConfig {
                model: model.clone(),
                mutant: None,
                mac: spec.mac.clone(),
                sip: spec.sip,
                provisioning_url: spec.provisioning_url.clone(),
                seed: spec.seed,
            });
            Ok(Box::new(base) as Box<dyn Node>)
        };
        Bench::open(Setup {
            lab: LabKind::Virtual,
            seed,
            rig: Arc::clone(&self.rig),
            face: HandsetFace::Console,
            profile: Arc::clone(&self.profile),
            dialect: Arc::clone(&self.dialect),
            factory: Arc::new(factory),
            base_command: PathBuf::new(),
            base_arguments: Vec::new(),
            evidence: None,
            accounts,
            servers: vec![1],
            faults: true,
            names: Names::default(),
        })
        .unwrap()
    }
}

/// REGISTER, SUBSCRIBE, NOTIFY, then a change at the server and its NOTIFY, under the monitor.
#[divan::bench]
fn register_subscribe_notify_and_ten_changes(bencher: Bencher<'_, '_>) {
    let world = World::new();
    bencher
        .counter(ItemsCount::new(CHANGES + 1))
        .bench_local(|| {
            let mut bench = world.bench(7, &["Anna"]);
            bench.power_on().unwrap();
            bench.run_for(Duration::from_secs(15)).unwrap();
            for change in 0..CHANGES {
                let setting = Setting {
                    active: change % 2 == 0,
                    ..Setting::default()
                };
                let mut portal = bench.portal().unwrap();
                portal
                    .change("2001", Service::DoNotDisturb, &setting)
                    .unwrap();
                bench.run_for(Duration::from_secs(1)).unwrap();
            }
            let report = bench.finish();
            assert!(report.findings.is_empty() && report.rig_error.is_none());
            report.sip_messages
        });
}

/// Two handsets in step with the server, with everything that was observed on the way.
fn two_in_step() -> Bench {
    let mut bench = World::new().bench(7, &["Anna", "Ben"]);
    bench.power_on().unwrap();
    bench.run_for(Duration::from_secs(30)).unwrap();
    assert!(bench.findings().is_empty());
    // A fork of a fork is what cases begin with.
    bench.fork().unwrap()
}

/// Nodes, network, evidence, monitor and instruments.
#[divan::bench]
fn fork_a_bench_with_two_accounts(bencher: Bencher<'_, '_>) {
    let bench = two_in_step();
    bencher.bench_local(|| bench.fork());
}

/// What is left to do before the fork goes its own way: its nodes are copied and draw from other numbers.
#[divan::bench]
fn reseed_a_fork_with_two_accounts(bencher: Bencher<'_, '_>) {
    let bench = two_in_step();
    bencher
        .with_inputs(|| bench.fork().unwrap())
        .bench_local_refs(|bench| bench.reseed(11));
}

/// The monitor alone, with its rules and all it knows.
#[divan::bench]
fn clone_the_monitor_of_two_accounts(bencher: Bencher<'_, '_>) {
    let bench = two_in_step();
    let mut monitor = Monitor::new();
    for record in bench.log().records() {
        monitor.observe(record);
    }
    bencher.bench_local(|| monitor.clone());
}
