//! The program `lockstep` as a tester meets it: words, exit codes, and the files of a run.
//!
//! Every test starts the real program. What a scenario is about is tested elsewhere.
#![expect(
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test"
)]

mod program;

use evidence::record::SCHEMA;
use evidence::verdict::Verdict;
use program::{exit_code, lockstep, soon, top};
use reports::index::{CaseEntry, RunIndex};
use reports::run::Run;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// What a program left behind.
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

async fn ended(command: &mut Command) -> Ended {
    let output = soon("end", command.output()).await.unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

async fn run(arguments: &[&str]) -> Ended {
    ended(&mut lockstep(arguments)).await
}

/// Runs into a new folder.
async fn run_into(folder: &Path, arguments: &[&str]) -> Ended {
    let mut all = vec!["run"];
    all.extend(arguments);
    all.extend(["--out", folder.to_str().unwrap()]);
    run(&all).await
}

/// The program refuses to begin: exit code 2, nothing on standard output, and these words on standard error.
async fn refuses(arguments: &[&str], words: &[&str]) {
    let ended = run(arguments).await;
    assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.err);
    assert_eq!(ended.out, "", "{arguments:?}");
    for word in words {
        assert!(ended.err.contains(word), "{word} is not in: {}", ended.err);
    }
}

async fn listed(arguments: &[&str]) -> Vec<Value> {
    let mut all = vec!["list", "--format", "json"];
    all.extend(arguments);
    let ended = run(&all).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let list: Value = serde_json::from_str(&ended.out).unwrap();
    list["cases"].as_array().unwrap().clone()
}

fn has_tag(case: &Value, tag: &str) -> bool {
    case["tags"].as_array().unwrap().iter().any(|it| it == tag)
}

#[tokio::test]
async fn a_list_has_one_line_a_case_and_their_numbers() {
    let ended = run(&["list", "--name", "ID-BSFT-DND-001"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert_eq!(lines.last(), Some(&"4 cases of 4 possible"));
    for on in ["virtual", "wire", "web-virtual", "web-wire"] {
        let id = format!("ID-BSFT-DND-001@emulated-n870-{on} ");
        let line = lines.iter().find(|line| line.starts_with(&id)).unwrap();
        assert!(line.contains("The user turns Do Not Disturb on"), "{line}");
        assert!(line.contains("CHG-01"), "{line}");
        let place = "features/sync/dnd_changed_at_the_handset.feature:";
        assert!(line.contains(place), "{line}");
    }
    for part in [
        "laboratory virtual",
        "dialect broadsoft",
        "device emulated-n870",
        "face web",
    ] {
        let row = lines.iter().find(|line| line.starts_with(part)).unwrap();
        let numbers: Vec<&str> = row.split_whitespace().skip(2).collect();
        assert_eq!(numbers[1], "0", "{row}");
        assert_eq!(numbers[0], numbers[2], "{row}");
    }
}

#[tokio::test]
async fn a_list_in_json_has_the_same_cases_and_counts() {
    let text = run(&["list"]).await.out;
    let list: Value = serde_json::from_str(&run(&["list", "--format", "json"]).await.out).unwrap();
    let cases = list["cases"].as_array().unwrap();
    let all = &list["counts"]["all"];
    assert_eq!(all["chosen"], cases.len());
    let possible = &all["possible"];
    let last = format!("\n{} cases of {possible} possible\n", cases.len());
    assert!(text.ends_with(&last), "{last}");
    for case in cases {
        let id = case["id"].as_str().unwrap();
        assert!(text.contains(&format!("{id} ")), "{id}");
        for key in [
            "scenario", "feature", "file", "rig", "face", "dialect", "lab",
        ] {
            assert!(case[key].is_string(), "{id}: {key}");
        }
    }
    let on_web = cases.iter().filter(|case| case["face"] == "web").count();
    assert_eq!(list["counts"]["face"]["web"]["chosen"], on_web);
}

#[tokio::test]
async fn the_cover_is_within_the_product_and_takes_one_wire_case_of_the_other_face() {
    let (cover, full) = (listed(&[]).await, listed(&["--plan", "full"]).await);
    assert!(cover.len() < full.len());
    assert!(cover.iter().all(|case| full.contains(case)));
    let scenarios = |cases: &[Value]| -> BTreeSet<String> {
        let ids = cases.iter().map(|case| case["scenario_id"].to_string());
        ids.collect()
    };
    assert_eq!(scenarios(&cover), scenarios(&full));
    let on_wire_and_web = |case: &&Value| case["lab"] == "wire" && case["face"] == "web";
    let on_web: Vec<_> = cover.iter().filter(on_wire_and_web).collect();
    assert_eq!(on_web.len(), 1);
    assert_eq!(on_web[0]["id"], "ID-BSFT-DND-001@emulated-n870-web-wire");
}

#[tokio::test]
async fn tags_and_laboratory_choose_the_cases() {
    let tags = "@wire and not @REQ-MENU-01";
    let cases = listed(&["--lab", "wire", "--tags", tags]).await;
    assert!(!cases.is_empty());
    for case in &cases {
        assert!(has_tag(case, "wire"), "{case}");
        assert!(!has_tag(case, "REQ-MENU-01"), "{case}");
        assert_eq!(case["lab"], "wire");
    }
    let all_on_wire = listed(&["--lab", "wire"]).await;
    assert!(all_on_wire.iter().all(|case| has_tag(case, "wire")));
    assert!(all_on_wire.len() > cases.len());
}

#[tokio::test]
async fn an_expression_that_is_none_is_refused() {
    refuses(&["list", "--tags", "@wire and and"], &["--tags"]).await;
    refuses(&["list", "--name", "("], &["--name"]).await;
}

#[tokio::test]
async fn an_unknown_rig_is_named() {
    refuses(&["run", "no-such-rig"], &["no-such-rig"]).await;
    refuses(&["list", "no-such-rig"], &["no-such-rig"]).await;
}

#[tokio::test]
async fn an_unknown_dialect_or_face_is_named() {
    let words = ["brodsoft", "`broadsoft`"];
    refuses(&["list", "--dialect", "brodsoft"], &words).await;
    refuses(&["run", "--face", "robot"], &["robot", "console and web"]).await;
}

#[tokio::test]
async fn an_unknown_tag_is_named_with_file_line_and_the_nearest_one() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("odd.feature");
    let text = "@ID-X-001\nFeature: F\n\n  @smoke @vendor-boardsoft\n  Scenario: S\n    Given a\n";
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let place = format!("{file}:4: @vendor-boardsoft");
    refuses(&["run", "--features", file], &[&place, "`broadsoft`"]).await;
}

#[tokio::test]
async fn a_typo_in_a_rig_file_is_named_with_file_line_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let good = fs::read_to_string(top().join("rigs/emulated-n870.toml")).unwrap();
    let line_of = |text: &str, start: &str| {
        let at = text.lines().position(|line| line.starts_with(start));
        at.unwrap() + 1
    };
    // A value that is none, and a key that is none.
    let profile = top().join("rigs/profiles/n870.toml");
    let profile = profile.canonicalize().unwrap();
    let found = format!("profile = \"{}\"", profile.display());
    let good = good.replace("profile = \"profiles/n870.toml\"", &found);
    let rows = [
        (
            "faces = [\"console\"",
            "faces = [\"consle\"",
            "handsets.faces",
        ),
        ("mac = ", "mac-address = ", "base.mac"),
    ];
    for (right, wrong, key) in rows {
        let text = good.replace(right, wrong);
        let file = folder.path().join("typo.toml");
        fs::write(&file, &text).unwrap();
        let file = file.to_str().unwrap();
        let ended = run(&["list", file]).await;
        assert_eq!(ended.code, Some(2), "{wrong}: {}", ended.out);
        let section = format!("[{}]", key.split('.').next().unwrap());
        let lines = line_of(&text, &section)..=line_of(&text, wrong);
        let named = |line| ended.err.contains(&format!("{file}:{line}: {key}"));
        assert!(lines.into_iter().any(named), "{key}: {}", ended.err);
    }
}

#[tokio::test]
async fn missing_features_are_named() {
    let words = ["/no/such/features"];
    refuses(&["list", "--features", "/no/such/features"], &words).await;
    refuses(&["run", "--features", "/no/such/features"], &words).await;
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    refuses(&["list", "--features", path], &[path]).await;
}

#[tokio::test]
async fn a_file_of_users_is_refused_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("users.txt");
    let path = file.to_str().unwrap();
    let words = ["server", "broadsoft", "--users", path];
    refuses(&words, &[path, "cannot be read"]).await;
    fs::write(&file, "# all\n2000-5999:secret\nhidden-word\n").unwrap();
    let place = format!("{path}:3: ");
    refuses(
        &words,
        &[&place, "expected NAME:PASSWORD or FIRST-LAST:PASSWORD"],
    )
    .await;
}

#[tokio::test]
async fn words_that_mean_nothing_are_refused() {
    refuses(&["run", "--mutant", "no_such_mutant"], &["no_such_mutant"]).await;
    refuses(
        &["server", "no-such-dialect", "--user", "a:b"],
        &["no-such-dialect"],
    )
    .await;
    refuses(&["server", "broadsoft", "--user", "nobody"], &["nobody"]).await;
    refuses(&["server", "broadsoft"], &["--user"]).await;
    let base = |model, mac| {
        [
            "base",
            model,
            "--provisioning",
            "/no/such.xml",
            "--mac",
            mac,
        ]
    };
    refuses(&base("n999", "7c2f80e0d605"), &["n999"]).await;
    refuses(&base("n870", "7c2f"), &["7c2f"]).await;
    refuses(&base("n870", "7c2f80e0d605"), &["/no/such.xml"]).await;
}

#[tokio::test]
async fn a_good_run_passes_and_leaves_every_report() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let only = [
        "emulated-n870",
        "--face",
        "console",
        "--lab",
        "virtual",
        "--name",
        "BSFT-DND-001",
    ];
    let ended = run_into(&out, &only).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(
        ended
            .out
            .contains("pass ID-BSFT-DND-001@emulated-n870-virtual")
    );
    assert!(ended.out.contains("1 cases: 1 pass"), "{}", ended.out);
    assert!(!ended.out.contains('\x1b'), "a pipe gets no colour");

    let loaded = Run::load(&out).unwrap();
    assert_eq!(loaded.verdict(), Verdict::Pass);
    assert!(loaded.index.ended.is_some());
    let sheet = loaded.sheets().next().unwrap();
    assert!(sheet.records > 0);
    let capture = fs::read(out.join(sheet.entry.capture())).unwrap();
    assert_eq!(capture[..4], [0x0a, 0x0d, 0x0d, 0x0a], "a section header");
    let junit = fs::read_to_string(out.join("junit.xml")).unwrap();
    let suites = junit
        .lines()
        .find(|line| line.contains("<testsuites"))
        .unwrap();
    for count in ["tests=\"1\"", "failures=\"0\"", "errors=\"0\""] {
        assert!(suites.contains(count), "{count} is not in {suites}");
    }
    let page = fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("ID-BSFT-DND-001"));

    // A folder that holds a run is not written over.
    let again = run_into(&out, &only).await;
    assert_eq!(again.code, Some(2), "{}", again.out);
    assert!(again.err.contains(out.to_str().unwrap()), "{}", again.err);
}

#[tokio::test]
async fn lockstep_alone_means_run() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out = out.to_str().unwrap();
    let ended = run(&["--lab", "virtual", "--name", "BSFT-DND-001", "--out", out]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    assert!(ended.out.contains("2 cases: 2 pass"), "{}", ended.out);
}

#[tokio::test]
async fn a_mutant_fails_the_run_and_the_reports_name_the_requirement() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let only = [
        "emulated-n870",
        "--face",
        "console",
        "--lab",
        "virtual",
        "--name",
        "BSFT-DND-020",
    ];
    let mutant = ["--mutant", "believes_the_200"];
    let ended = run_into(&out, &[&only[..], &mutant].concat()).await;
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    assert!(
        ended
            .out
            .contains("fail ID-BSFT-DND-020@emulated-n870-virtual")
    );
    assert!(ended.out.contains("CHG-06"), "{}", ended.out);
    for name in ["report.html", "junit.xml"] {
        let text = fs::read_to_string(out.join(name)).unwrap();
        assert!(text.contains("CHG-06"), "{name}");
    }
    let loaded = Run::load(&out).unwrap();
    assert_eq!(loaded.index.mutant.as_deref(), Some("believes_the_200"));
    assert_eq!(loaded.exit_code(), 1);
}

#[tokio::test]
async fn a_quiet_run_says_only_how_it_ended() {
    let folder = tempfile::tempdir().unwrap();
    let only = [
        "emulated-n870",
        "--face",
        "console",
        "--lab",
        "virtual",
        "--name",
        "BSFT-DND-00[12]",
    ];
    let loud = run_into(&folder.path().join("loud"), &only).await;
    let quiet = [&only[..], &["--quiet"]].concat();
    let quiet = run_into(&folder.path().join("quiet"), &quiet).await;
    assert_eq!((loud.code, quiet.code), (Some(0), Some(0)));
    assert!(loud.out.contains("pass ID-BSFT-DND-001"), "{}", loud.out);
    assert!(!quiet.out.contains("ID-BSFT-DND-001"), "{}", quiet.out);
    assert!(quiet.out.contains("2 cases: 2 pass"), "{}", quiet.out);
}

#[tokio::test]
async fn a_selection_of_nothing_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let ended = run_into(&out, &["--name", "no scenario has this name"]).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.err);
}

#[tokio::test]
async fn a_rig_on_which_nothing_was_executed_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let emulated = fs::read_to_string(top().join("rigs/emulated-n870.toml")).unwrap();
    let profile = top()
        .join("rigs/profiles/n870.toml")
        .canonicalize()
        .unwrap();
    let desk = emulated
        .replace("\"emulated-n870\"", "\"desk\"")
        .replace("labs = [\"virtual\", \"wire\"]", "labs = [\"virtual\"]")
        .replace("profiles/n870.toml", profile.to_str().unwrap());
    let file = folder.path().join("desk.toml");
    fs::write(&file, desk).unwrap();
    let rigs = ["emulated-n870", file.to_str().unwrap()];
    let only = ["--lab", "wire", "--name", "ID-DEV-REG-001"];
    let ended = run_into(&folder.path().join("run"), &[&rigs[..], &only].concat()).await;
    assert_eq!(ended.code, Some(4), "{}{}", ended.out, ended.err);
    assert!(
        ended.out.contains("nothing was executed on desk"),
        "{}",
        ended.out
    );
}

/// What is written from the folder alone must be what the run wrote, which had judged while it ran.
#[tokio::test]
async fn the_reports_written_again_are_the_same_to_the_byte() {
    let runs: [&[&str]; 3] = [
        &["--tags", "@smoke"],
        &["--lab", "virtual", "--mutant", "believes_the_200"],
        // What it does wrong is found when the scenario has ended.
        &[
            "--lab",
            "virtual",
            "--name",
            "REC-REF-001",
            "--mutant",
            "never_refreshes",
        ],
    ];
    for arguments in runs {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("run");
        let by_run = run_into(&out, arguments).await;
        let entries = RunIndex::load(&out).unwrap().cases;
        let captures = entries.iter().map(CaseEntry::capture);
        let places = ["report.html", "junit.xml"].map(PathBuf::from);
        let places: Vec<PathBuf> = places.into_iter().chain(captures).collect();
        let written = |place: &PathBuf| fs::read(out.join(place)).ok();
        let before: Vec<_> = places.iter().map(written).collect();
        for place in &places {
            let _ = fs::remove_file(out.join(place));
        }
        let again = run(&["report", out.to_str().unwrap()]).await;
        assert_eq!(again.code, by_run.code, "{}{}", again.out, again.err);
        for (place, before) in places.iter().zip(before) {
            assert!(written(place) == before, "{} differs", place.display());
        }
    }
}

#[tokio::test]
async fn a_dialect_with_which_nothing_was_executed_is_no_pass() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path();
    let rigs = top().join("rigs").canonicalize().unwrap();
    fs::create_dir_all(here.join("rigs/dialects")).unwrap();
    let broadsoft = fs::read_to_string(rigs.join("dialects/broadsoft.toml")).unwrap();
    let plain = broadsoft.replace("name = \"broadsoft\"", "name = \"plain\"");
    fs::write(here.join("rigs/dialects/plain.toml"), plain).unwrap();
    let rig = fs::read_to_string(rigs.join("emulated-n870.toml")).unwrap();
    let profile = rigs.join("profiles/n870.toml");
    let rig = rig
        .replace("profiles/n870.toml", profile.to_str().unwrap())
        .replace("[\"broadsoft\"]", "[\"broadsoft\", \"plain\"]");
    fs::write(here.join("rigs/emulated-two.toml"), rig).unwrap();
    let feature = rigs.join("../features/sync/dnd_changed_at_the_server.feature");
    let feature = fs::read_to_string(feature).unwrap();
    let own = feature.replace("@mechanism-subscribe-notify", "@vendor-broadsoft");
    fs::create_dir(here.join("features")).unwrap();
    fs::write(here.join("features/own.feature"), own).unwrap();
    let run_here = async |arguments: &[&str]| {
        let mut command = lockstep(&[&["run", "--lab", "virtual"], arguments].concat());
        ended(command.current_dir(here)).await
    };

    let all = run_here(&["--out", "all"]).await;
    assert_eq!(all.code, Some(4), "{}{}", all.out, all.err);
    let told = "nothing was executed with the dialect plain";
    assert!(all.out.contains(told), "{}", all.out);
    assert!(
        all.out
            .contains("not-applicable ID-BSFT-DND-010@emulated-n870-plain-virtual")
    );
    let page = fs::read_to_string(here.join("all/report.html")).unwrap();
    assert!(page.contains("Nothing was executed with the dialect plain"));
    // Who asks for the other dialect only has no gap; who asks for this one has nothing.
    let one = run_here(&["--dialect", "broadsoft", "--out", "one"]).await;
    assert_eq!(one.code, Some(0), "{}{}", one.out, one.err);
    let none = run_here(&["--dialect", "plain", "--out", "none"]).await;
    assert_eq!(none.code, Some(4), "{}{}", none.out, none.err);
}

#[tokio::test]
async fn a_run_of_a_stranger_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let run = folder.path().join("run");
    fs::create_dir_all(run.join("evidence")).unwrap();
    let good = json!({
        "id": "a", "scenario_id": "a", "scenario": "s", "feature": "f", "file": "f", "line": 1, "tags": [],
        "requirements": [], "rig": "r", "lab": "virtual",
    });
    let with = |key: &str, value: &str| {
        let mut case = good.clone();
        case[key] = json!(value);
        case
    };
    let index = |v: u32, cases: Vec<Value>| json!({"v": v, "run": "r", "lockstep": "0.0.9", "seed": 1, "started": 1, "cases": cases});
    let long = "x".repeat(300);
    let names = ["../x", "/etc/x", "a/b", "", &long, "a\0b"];
    let mut rows: Vec<(Value, &str)> = names
        .iter()
        .map(|name| (index(SCHEMA, vec![with("id", name)]), "cannot name a file"))
        .collect();
    rows.push((index(SCHEMA, vec![good.clone(), good.clone()]), "twice"));
    rows.push((
        index(SCHEMA - 1, vec![]),
        "or use the release that wrote it (0.0.9)",
    ));
    for (index, words) in rows {
        fs::write(run.join("run.json"), index.to_string()).unwrap();
        let named = run.join("run.json");
        refuses(
            &["report", run.to_str().unwrap()],
            &[named.to_str().unwrap(), words],
        )
        .await;
        let names = |folder: &Path| -> BTreeSet<OsString> {
            let entries = fs::read_dir(folder).unwrap();
            entries.map(|entry| entry.unwrap().file_name()).collect()
        };
        assert_eq!(names(folder.path()), BTreeSet::from(["run".into()]));
        assert_eq!(
            names(&run),
            BTreeSet::from(["evidence".into(), "run.json".into()])
        );
    }
}

#[tokio::test]
async fn colour_can_be_forced_and_forbidden() {
    let folder = tempfile::tempdir().unwrap();
    let only = [
        "emulated-n870",
        "--face",
        "console",
        "--lab",
        "virtual",
        "--name",
        "BSFT-DND-001",
    ];
    let forced = [&only[..], &["--color", "always"]].concat();
    let forced = run_into(&folder.path().join("forced"), &forced).await;
    assert!(forced.out.contains("\x1b["), "{}", forced.out);

    // Only a terminal gets colour by itself, so one is needed to see that NO_COLOR forbids it.
    let program = env!("CARGO_BIN_EXE_lockstep");
    for (no_color, colour) in [("", true), ("1", false)] {
        let out = folder.path().join(format!("terminal-{colour}"));
        let words =
            "run emulated-n870 --face console --lab virtual --quiet --mutant believes_the_200";
        let line = format!(
            "{program} {words} --name BSFT-DND-020 --out {}",
            out.display()
        );
        let mut terminal = Command::new("script");
        terminal
            .args(["-qec", &line, "/dev/null"])
            .current_dir(top())
            .env("NO_COLOR", no_color)
            .env("TERM", "xterm")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let Ok(child) = terminal.spawn() else {
            println!("not tried on a terminal: `script` is not installed (Debian: bsdutils)");
            return;
        };
        let output = soon("end", child.wait_with_output()).await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains("CHG-06"), "{text}");
        assert_eq!(
            text.contains("\x1b["),
            colour,
            "NO_COLOR={no_color:?}: {text:?}"
        );
    }
}

#[tokio::test]
async fn a_scenario_passes_on_real_sockets_by_both_faces() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let ended = run_into(&out, &["--lab", "wire", "--name", "BSFT-DND-001"]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    for on in ["emulated-n870", "emulated-n870-web"] {
        let line = format!("pass ID-BSFT-DND-001@{on}-wire");
        assert!(ended.out.contains(&line), "{}", ended.out);
    }
    for sheet in Run::load(&out).unwrap().sheets() {
        assert!(out.join(sheet.entry.capture()).is_file());
    }
}

/// The processes that this process started, as descriptors that become readable when they end.
fn children(parent: u32) -> Vec<OwnedFd> {
    let of = |id: i32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).ok()?;
        // Behind the name, which may hold anything, come the state and the parent.
        let (_, rest) = stat.rsplit_once(") ")?;
        let its_parent: u32 = rest.split(' ').nth(1)?.parse().ok()?;
        let child = (its_parent == parent).then_some(id)?;
        pidfd_open(Pid::from_raw(child)?, PidfdFlags::NONBLOCK).ok()
    };
    let entries = fs::read_dir("/proc").unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name());
    let ids = names.filter_map(|name| name.to_str()?.parse().ok());
    ids.filter_map(of).collect()
}

#[tokio::test]
async fn a_killed_run_leaves_evidence_to_fold_and_no_base_behind() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("run");
    let out_text = out.to_str().unwrap();
    // Six at once, of many more: when the first one ends, some are half done and some have not begun.
    let arguments = ["run", "--lab", "wire", "--jobs", "6", "--out", out_text];
    let mut child = lockstep(&arguments).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = soon("first case", lines.next_line()).await.unwrap();
    assert!(first.is_some_and(|line| line.starts_with("pass ")));
    let bases = children(child.id().unwrap());
    assert!(!bases.is_empty());
    child.start_kill().unwrap();
    assert_eq!(exit_code(&mut child).await, None, "SIGKILL");
    for base in bases {
        let gone = tokio::task::spawn_blocking(move || {
            let limit = Timespec {
                tv_sec: 60,
                tv_nsec: 0,
            };
            poll(&mut [PollFd::new(&base, PollFlags::IN)], Some(&limit))
        });
        assert_eq!(gone.await.unwrap(), Ok(1), "a base outlives its run");
    }

    let mut loaded = Run::load(&out).unwrap();
    assert_eq!(loaded.index.ended, None);
    assert_eq!(loaded.exit_code(), 4);
    let of = |verdict| {
        let sheets = loaded.sheets();
        sheets.filter(move |sheet| sheet.verdict == verdict)
    };
    assert!(of(Verdict::Pass).count() >= 1);
    assert!(of(Verdict::NotRun).count() >= 1);
    assert_eq!(of(Verdict::Fail).count() + of(Verdict::Error).count(), 0);
    let cut: Vec<_> = of(Verdict::Inconclusive).collect();
    assert!(!cut.is_empty());
    for sheet in cut {
        let reasons = sheet.reasons.join("; ");
        assert!(reasons.contains("cut off"), "{}: {reasons}", sheet.entry.id);
        assert!(sheet.records > 0, "{}", sheet.entry.id);
    }
    assert!(reports::write_all(&mut loaded).is_empty());
    assert!(out.join("report.html").is_file());
}
