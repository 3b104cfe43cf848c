//! What the reports of 5,000 cases cost: time, memory, the size of the page, and how long a browser needs to show it.
//!
//! `cargo bench -p reports --bench thousands -- RUN` enlarges the run in the folder RUN (`reports/out/latest` unless it is
//! said): every case is copied for further devices and dialects, each copy with its own Call-IDs, tags, branches, nonces
//! and times, because equal bytes would compress as no real run does. A process of its own writes the reports. What a
//! browser needs is the time on the wall of a headless Chromium from its start to a picture of the page; that of an
//! empty page stands beside it. A second folder, when it is named, keeps the enlarged run.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads the clock, prints, and ends when it cannot be set up"
)]

use evidence::identifier::Identifier;
use evidence::log::{Log, Stamp};
use evidence::record::{Observation, Record};
use reports::index::{CaseEntry, RunIndex};
use reports::run::Run;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const CASES: usize = 5_000;
/// How many dialects each device is tried with.
const DIALECTS: usize = 4;
/// Tells the process of its own which folder it reports.
const REPORT: &str = "LOCKSTEP_BENCH_REPORT";

fn main() {
    if let Some(folder) = std::env::var_os(REPORT) {
        report(Path::new(&folder));
        return;
    }
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut named = std::env::args().skip(1).filter(|it| !it.starts_with('-'));
    let source = named.next();
    let source = source.map_or_else(|| here.join("out/latest"), PathBuf::from);
    let temporary = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let kept = named.next().map(PathBuf::from);
    let folder = kept.unwrap_or_else(|| temporary.path().join("run"));
    println!("{CASES} cases from {}", source.display());
    enlarge(&source, &folder);

    let begun = Instant::now();
    let program = std::env::current_exe().unwrap();
    let done = Command::new(program).env(REPORT, &folder).status().unwrap();
    assert!(done.success(), "the reports were not written");
    println!("reports: {:.2} s", begun.elapsed().as_secs_f64());
    let page = folder.join("report.html");
    println!(
        "page: {:.1} MB",
        megabytes(fs::metadata(&page).unwrap().len())
    );
    let picture = Path::new(env!("CARGO_TARGET_TMPDIR")).join("thousands.png");
    let empty = temporary.path().join("empty.html");
    fs::write(&empty, "<!doctype html><title>empty</title>").unwrap();
    match (shown(&empty, &picture), shown(&page, &picture)) {
        (Some(empty), Some(full)) => println!(
            "a picture in Chromium: {:.2} s, of an empty page {:.2} s",
            full.as_secs_f64(),
            empty.as_secs_f64()
        ),
        _ => println!("there is no chromium to show it"),
    }
    println!("the picture: {}", picture.display());
}

/// Writes the reports and tells the most memory that this process ever held.
fn report(folder: &Path) {
    let mut run = Run::load_and_capture(folder).unwrap();
    assert!(reports::write_all(&mut run).is_empty());
    println!("verdict: {}", run.verdict());
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    println!("memory: {}", most.unwrap_or(" unknown").trim());
    if let Some(worked) = processor_time() {
        println!("processor time: {worked:.2} s on all cores together");
    }
}

/// Seconds that this process has worked: what a busy machine does not change.
fn processor_time() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the name, which may hold anything; a tick of `proc(5)` is 10 ms on Linux.
    let (_, rest) = stat.rsplit_once(") ")?;
    let times = rest.split(' ').skip(11).take(2);
    let ticks: Vec<f64> = times.filter_map(|it| it.parse().ok()).collect();
    Some(ticks.iter().sum::<f64>() / 100.0)
}

fn shown(page: &Path, picture: &Path) -> Option<Duration> {
    let begun = Instant::now();
    let output = Command::new("chromium")
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ])
        .args(["--window-size=1200,1600", "--timeout=120000"])
        .arg(format!("--screenshot={}", picture.display()))
        .arg(format!("file://{}", page.display()))
        .output()
        .ok()?;
    output.status.success().then(|| begun.elapsed())
}

#[expect(clippy::cast_precision_loss, reason = "it is printed with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000_000.0
}

/// A run of many cases made from one of few.
fn enlarge(source: &Path, folder: &Path) {
    fs::create_dir_all(folder.join("evidence")).unwrap();
    let mut index = RunIndex::load(source).unwrap();
    let has_log = |entry: &CaseEntry| source.join(entry.evidence()).is_file();
    let begun: Vec<CaseEntry> = index.cases.drain(..).filter(has_log).collect();
    assert!(!begun.is_empty(), "the run has no evidence");
    let logs = begun.iter().map(|entry| {
        let log = Log::load(source.join(entry.evidence())).unwrap();
        log.into_records()
    });
    let logs: Vec<Vec<Arc<Record>>> = logs.collect();
    for copy in 0..CASES {
        let (place, round) = (copy % begun.len(), copy / begun.len());
        let entry = copied(&begun[place], round);
        let mut log = Log::create(folder.join(entry.evidence())).unwrap();
        for record in &logs[place] {
            let mut stamp = Stamp::of(record);
            stamp.at += u64::try_from(round).unwrap() * 7_000;
            log.append(stamp, varied(record.observation.clone(), round));
        }
        log.flush();
        index.cases.push(entry);
    }
    // What was selected are the copies.
    index.selected.rigs.clear();
    index.selected.dialects.clear();
    index.save(folder).unwrap();
}

fn copied(entry: &CaseEntry, round: usize) -> CaseEntry {
    let (device, dialect) = (round / DIALECTS, round % DIALECTS);
    let mut copy = entry.clone();
    let named =
        |name: &Identifier, more: String| Identifier::new(format!("{name}-{more}")).unwrap();
    copy.id = named(&entry.id, format!("{device}-{dialect}"));
    copy.rig = named(&entry.rig, device.to_string());
    copy.dialect = format!("{}-{dialect}", entry.dialect);
    copy
}

/// The same with other words wherever a base or a server makes words up: Call-IDs, tags, branches, nonces.
fn varied(mut observation: Observation, round: usize) -> Observation {
    if let Observation::Sip(sip) = &mut observation
        && round > 0
    {
        let mut bytes = sip.bytes.to_vec();
        let is_of_word = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        for word in bytes.split_mut(|byte| !is_of_word(byte)) {
            let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
            if word.len() >= 8 && digits > 0 && digits < word.len() {
                vary(word, round);
            }
        }
        sip.bytes = bytes.into();
        sip.parsed = Default::default();
    }
    observation
}

/// Hexadecimal digits that follow from the word and the round.
fn vary(word: &mut [u8], round: usize) {
    // FNV-1a, then its multiplier again for each digit.
    let mut state = 0xcbf2_9ce4_8422_2325_u64 ^ u64::try_from(round).unwrap();
    for byte in word.iter() {
        state = (state ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    }
    for byte in word {
        state = state
            .wrapping_mul(0x5851_f42d_4c95_7f2d)
            .wrapping_add(0x1405_7b7e_f767_814f);
        *byte = b"0123456789abcdef"[usize::try_from(state >> 60).unwrap()];
    }
}
