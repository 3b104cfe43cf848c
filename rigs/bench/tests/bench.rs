//! The bench with its instruments on a fake base: what a scenario can do, what it leaves in the log, and how it breaks.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

mod fake;

use bench::profile::Profile;
use bench::rig::{HandsetFace, LabKind, Rig};
use bench::{Bench, Handset, RigError};
use evidence::record::{Direction, Intent, Observation, PowerChange, Record, Service, View};
use fake::{Habit, setup};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const CONSOLE: HandsetFace = HandsetFace::Console;
const WEB: HandsetFace = HandsetFace::Web;

fn open(face: HandsetFace, habit: Habit) -> Bench {
    let mut bench = Bench::open(setup(face, habit)).unwrap();
    bench.power_on().unwrap();
    bench
}

fn intent(service: Service, active: bool, number: Option<&str>) -> Intent {
    Intent {
        service,
        active,
        number: number.map(str::to_owned),
        rings: None,
        agent: None,
    }
}

fn recorded_intents(records: &[Arc<Record>]) -> Vec<(String, Intent)> {
    records
        .iter()
        .filter_map(|record| match &record.observation {
            Observation::Key {
                key,
                intent: Some(intent),
                ..
            } => Some((key.clone(), intent.clone())),
            _ => None,
        })
        .collect()
}

#[test]
fn claims_open_the_log_and_nothing_runs_yet() {
    let bench = Bench::open(setup(CONSOLE, Habit::Good)).unwrap();
    assert!(matches!(
        bench.log().records()[0].observation,
        Observation::Claim { .. }
    ));
    assert_eq!(bench.now().as_micros(), 0);
}

#[test]
fn a_user_changes_a_service_through_either_face() {
    for face in [CONSOLE, WEB] {
        let mut bench = open(face, Habit::Good);
        let mut handset = Handset::new(bench.face("Anna").unwrap());
        handset
            .set_service(intent(Service::DoNotDisturb, true, None))
            .unwrap();
        let idle = handset.go_idle().unwrap();
        assert_eq!(idle.lines, ["Anna", "Do Not Disturb"], "{face}");
        let setting = handset.read_service(Service::DoNotDisturb).unwrap();
        assert_eq!(setting.active, Some(true));
        drop(handset);
        let report = bench.finish();
        assert_eq!(report.rig_error, None, "{face}");
        let asked = intent(Service::DoNotDisturb, true, None);
        let intents = recorded_intents(report.log.records());
        assert_eq!(intents, [("soft-right".to_owned(), asked)]);
    }
}

#[test]
fn a_number_is_typed_and_later_replaced() {
    for face in [CONSOLE, WEB] {
        let mut bench = open(face, Habit::Good);
        let mut handset = Handset::new(bench.face("Anna").unwrap());
        let busy = Service::CallForwardingBusy;
        handset
            .set_service(intent(busy, true, Some("2424")))
            .unwrap();
        handset
            .set_service(intent(busy, true, Some("*31")))
            .unwrap();
        let idle = handset.go_idle().unwrap();
        assert_eq!(idle.lines[1], "Divert busy: *31", "{face}");
        handset.set_service(intent(busy, false, None)).unwrap();
        drop(handset);
        let report = bench.finish();
        let intents = recorded_intents(report.log.records());
        assert_eq!(
            intents[2].1,
            intent(busy, false, Some("*31")),
            "what the menu showed"
        );
    }
}

#[test]
fn log_lines_in_the_middle_of_everything_do_no_harm() {
    let mut bench = open(CONSOLE, Habit::Chatty);
    let mut handset = Handset::new(bench.face("Anna").unwrap());
    handset
        .set_service(intent(Service::DoNotDisturb, true, None))
        .unwrap();
    assert_eq!(handset.go_idle().unwrap().lines.len(), 2);
    drop(handset);
    assert_eq!(bench.finish().rig_error, None);
}

#[test]
fn digits_are_dialled_in_one_go() {
    let mut bench = open(CONSOLE, Habit::Good);
    Handset::new(bench.face("Anna").unwrap())
        .dial("*78")
        .unwrap();
    let keys: Vec<_> = bench
        .log()
        .records()
        .iter()
        .filter_map(|record| match &record.observation {
            Observation::Key { key, .. } => Some(key.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(keys, ["*", "7", "8", "talk"]);
}

#[test]
fn reported_and_read_displays_are_screens() {
    for face in [CONSOLE, WEB] {
        let mut bench = open(face, Habit::Good);
        let mark = bench.last_seq();
        Handset::new(bench.face("Anna").unwrap())
            .press("menu")
            .unwrap();
        bench.run_for(Duration::from_secs(1)).unwrap();
        let screens = bench
            .log()
            .after(mark)
            .iter()
            .filter(|record| matches!(&record.observation, Observation::Screen(screen) if screen.view == View::Menu))
            .count();
        assert_eq!(screens, 2, "{face}");
        assert_eq!(bench.screen("Anna").unwrap().title, "Main Menu");
    }
}

#[test]
fn the_base_gets_its_file_and_the_record_holds_no_password() {
    let mut bench = open(CONSOLE, Habit::Good);
    let found = bench.until_record(0, Duration::from_secs(1), |record| {
        matches!(&record.observation, Observation::Provisioning { status: 200, path, .. }
            if path == "/provisioning/7c2f80e0d605.xml")
    });
    assert!(found.unwrap().is_some());
    let log = serde_json::to_string(bench.log().records()).unwrap();
    assert!(log.contains("FeatureKeySyncActive") && !log.contains("wonderland"));
}

#[test]
fn a_fetch_that_may_be_of_any_unit_is_recorded_at_none() {
    let rigs = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let annexe = "[[unit]]\nname = \"annexe\"\nemulated = \"n870\"\nmac = \"7C:2F:80:E0:D6:06\"\n\
                  handsets = { ipui = [\"02c0ffee01\"] }\n";
    let text = format!("{}{annexe}", include_str!("../../emulated-n870.toml"));
    let mut setup = setup(CONSOLE, Habit::Good);
    setup.lab = LabKind::Wire;
    setup.rig = Arc::new(Rig::from_toml(&text, &rigs.join("two.toml")).unwrap());
    let mut bench = Bench::open(setup).unwrap();

    let url = bench.layout().provisioning;
    let (host, folder) = url.trim_start_matches("http://").split_once('/').unwrap();
    let mut fetch = |name: &str| {
        let mut stream = TcpStream::connect(host).unwrap();
        let request =
            format!("GET /{folder}/{name} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let answer = std::thread::spawn(move || {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        });
        let seen = bench.last_seq();
        let path = format!("/{folder}/{name}");
        let of_path = |record: &Record| match &record.observation {
            Observation::Provisioning { path: fetched, .. } => *fetched == path,
            Observation::Note { text } => text.contains(&path),
            _ => false,
        };
        let found = bench.until_record(seen, Duration::from_secs(10), of_path);
        // The laboratory answers only while it runs.
        while !answer.is_finished() {
            bench.run_for(Duration::from_millis(5)).unwrap();
        }
        let answer = answer.join().unwrap().unwrap();
        let found = bench.log().after(found.unwrap().unwrap() - 1)[0].clone();
        let unit = found.unit.as_ref().map(|unit| unit.to_string());
        (unit, answer.split(' ').nth(1).unwrap().to_owned())
    };
    let told = |unit: Option<&str>, status: &str| (unit.map(str::to_owned), status.to_owned());
    assert_eq!(fetch("7c2f80e0d606.xml"), told(Some("annexe"), "200"));
    assert_eq!(fetch("7c2f80e0d607.xml"), told(None, "404"));
}

#[test]
fn a_missing_menu_item_is_named_with_the_display() {
    let mut bench = open(CONSOLE, Habit::NoItem);
    let mut handset = Handset::new(bench.face("Anna").unwrap());
    let error = handset
        .open_service_menu(Service::DoNotDisturb)
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "handset 029e74a599: the item \"Do Not Disturb\" was expected, but the display shows \
         \"Select Services\" [> Other] (Back | Select)"
    );
    drop(handset);
    assert!(
        bench.run_for(Duration::from_secs(1)).is_ok(),
        "the bench is not broken"
    );
}

#[test]
fn a_mute_console_breaks_the_bench_and_is_no_finding() {
    let mut bench = open(CONSOLE, Habit::Mute);
    let error = Handset::new(bench.face("Anna").unwrap())
        .read_screen()
        .unwrap_err();
    assert!(matches!(error, RigError::ConsoleSilent { .. }), "{error}");
    assert_eq!(bench.run_for(Duration::from_secs(1)).unwrap_err(), error);
    let report = bench.finish();
    assert_eq!(report.rig_error, Some(error));
    assert!(report.findings.is_empty());
}

#[test]
fn an_occupied_web_interface_breaks_the_bench() {
    let mut bench = open(WEB, Habit::Occupied);
    let error = Handset::new(bench.face("Anna").unwrap())
        .read_screen()
        .unwrap_err();
    assert!(matches!(error, RigError::WebBusy { .. }), "{error}");
}

#[test]
fn the_web_session_is_given_back() {
    let mut bench = open(WEB, Habit::Good);
    Handset::new(bench.face("Anna").unwrap())
        .read_screen()
        .unwrap();
    let report = bench.finish();
    let logout = report.log.records().iter().any(|record| {
        matches!(&record.observation, Observation::Web { direction: Direction::ToBase, line, .. }
            if line == "POST /api/auth/logout")
    });
    assert!(logout);
}

#[test]
fn a_panic_of_the_emulated_base_is_a_rig_error() {
    let mut bench = open(CONSOLE, Habit::Panics);
    let mut handset = Handset::new(bench.face("Anna").unwrap());
    let error = handset
        .open_service_menu(Service::DoNotDisturb)
        .unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
}

#[test]
fn a_base_that_ends_unasked_breaks_the_bench() {
    let mut bench = open(CONSOLE, Habit::Ends);
    let error = Handset::new(bench.face("Anna").unwrap())
        .press("menu")
        .unwrap_err();
    assert!(matches!(error, RigError::BaseGone { .. }), "{error}");
}

#[test]
fn a_base_ends_when_asked() {
    let mut bench = open(CONSOLE, Habit::Good);
    assert!(bench.shut_down_base(Duration::from_secs(5)).unwrap());
    assert_eq!(bench.finish().rig_error, None);
}

#[test]
fn a_base_that_is_off_has_ended() {
    let mut bench = Bench::open(setup(CONSOLE, Habit::Good)).unwrap();
    assert!(bench.shut_down_base(Duration::from_secs(5)).unwrap());
    bench.power_on().unwrap();
    bench.power_off().unwrap();
    assert!(bench.shut_down_base(Duration::from_secs(5)).unwrap());
    assert_eq!(bench.now().as_micros(), 0);
    assert_eq!(bench.finish().rig_error, None);
}

#[test]
fn a_base_that_has_ended_shows_nothing_and_is_not_worked() {
    for face in [CONSOLE, WEB] {
        let mut bench = open(face, Habit::Good);
        Handset::new(bench.face("Anna").unwrap())
            .press("menu")
            .unwrap();
        assert!(bench.shut_down_base(Duration::from_secs(5)).unwrap());
        assert_eq!(bench.screen("Anna"), None, "{face}");
        let error = Handset::new(bench.face("Anna").unwrap())
            .read_screen()
            .unwrap_err();
        let off = "while the base is off";
        assert!(error.to_string().ends_with(off), "{face}: {error}");
    }
}

#[test]
fn a_restarted_base_is_logged_in_to_again() {
    for face in [CONSOLE, WEB] {
        let mut bench = open(face, Habit::Good);
        Handset::new(bench.face("Anna").unwrap())
            .press("menu")
            .unwrap();
        bench.restart_base().unwrap();
        let screen = Handset::new(bench.face("Anna").unwrap())
            .read_screen()
            .unwrap();
        assert_eq!(screen.view, View::Idle, "{face}");
        assert_eq!(bench.finish().rig_error, None);
    }
}

#[test]
fn a_base_may_be_without_power_for_long_with_bytes_on_its_line() {
    let mut bench = open(CONSOLE, Habit::Good);
    bench.power_off().unwrap();
    bench.run_for(Duration::from_secs(3600)).unwrap();
    assert_eq!(bench.finish().rig_error, None);
}

#[test]
fn nothing_of_an_earlier_boot_reaches_the_next() {
    let mut bench = open(CONSOLE, Habit::Good);
    bench.restart_base().unwrap();
    bench.run_for(Duration::from_secs(1)).unwrap();
    let records = bench.log().records().iter();
    let boots = records.filter(|record| {
        matches!(&record.observation, Observation::Console { text, .. } if text.ends_with("fake base"))
    });
    assert_eq!(boots.count(), 1);
    let records = bench.log().records().iter();
    let fetches =
        records.filter(|record| matches!(record.observation, Observation::Provisioning { .. }));
    assert_eq!(fetches.count(), 1);
}

fn powers(bench: &Bench) -> Vec<PowerChange> {
    let records = bench.log().records().iter();
    records
        .filter_map(|record| match record.observation {
            Observation::Power { change } => Some(change),
            _ => None,
        })
        .collect()
}

#[test]
fn a_base_rebooted_on_its_console_forgets_and_is_logged_in_to_again() {
    let mut bench = open(CONSOLE, Habit::Good);
    Handset::new(bench.face("Anna").unwrap())
        .press("menu")
        .unwrap();
    let unit = bench.units()[0].clone();
    bench.reboot(&unit).unwrap();
    let changes = [PowerChange::On, PowerChange::Rebooting, PowerChange::On];
    assert_eq!(powers(&bench), changes);
    assert!(bench.screen("Anna").is_none());
    let screen = Handset::new(bench.face("Anna").unwrap())
        .read_screen()
        .unwrap();
    assert_eq!(screen.view, View::Idle);
    assert_eq!(bench.finish().rig_error, None);
}

#[test]
fn a_base_fetches_its_file_again_by_a_command_and_stays_on() {
    let mut bench = open(CONSOLE, Habit::Good);
    let unit = bench.units()[0].clone();
    bench.reprovision(&unit).unwrap();
    bench.run_for(Duration::from_secs(1)).unwrap();
    let fetches = |record: &&Arc<Record>| {
        let is_fetch = matches!(&record.observation, Observation::Provisioning { .. });
        is_fetch && record.unit.as_ref() == Some(&unit)
    };
    assert_eq!(bench.log().records().iter().filter(fetches).count(), 2);
    assert_eq!(powers(&bench), [PowerChange::On]);
}

#[test]
fn a_base_without_a_claimed_command_or_a_console_is_not_rebooted() {
    let mut bench = open(WEB, Habit::Good);
    let unit = bench.units()[0].clone();
    let error = bench.reboot(&unit).unwrap_err().to_string();
    assert_eq!(error, "the rig has no console");

    let mut unclaimed = setup(CONSOLE, Habit::Good);
    let profile = include_str!("../../profiles/n870.toml").replace(
        "reboot = \"reboot\"",
        "reboot = { value = \"\", claim = \"no\", source = \"test\" }",
    );
    unclaimed.profile = Arc::new(Profile::from_toml(&profile, "n870.toml").unwrap());
    let mut bench = Bench::open(unclaimed).unwrap();
    bench.power_on().unwrap();
    let error = bench.reboot(&unit).unwrap_err().to_string();
    assert!(error.contains("`console.command.reboot`"), "{error}");
    assert_eq!(powers(&bench), [PowerChange::On]);
}

#[test]
fn a_refused_reboot_breaks_the_bench() {
    let mut refusing = setup(CONSOLE, Habit::Good);
    let profile = include_str!("../../profiles/n870.toml")
        .replace("reboot = \"reboot\"", "reboot = \"restart now\"");
    refusing.profile = Arc::new(Profile::from_toml(&profile, "n870.toml").unwrap());
    let mut bench = Bench::open(refusing).unwrap();
    bench.power_on().unwrap();
    let unit = bench.units()[0].clone();
    let error = bench.reboot(&unit).unwrap_err();
    let answer = "console: `restart now` was answered with: error: unknown command";
    assert_eq!(error.to_string(), answer);
    assert_eq!(bench.finish().rig_error, Some(error));
}

#[test]
fn a_console_of_a_base_without_power_is_missing() {
    let mut bench = Bench::open(setup(CONSOLE, Habit::Good)).unwrap();
    let error = Handset::new(bench.face("Anna").unwrap())
        .read_screen()
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "the rig has no console while the base is off"
    );
}

#[test]
fn time_passes_exactly_and_conditions_are_asked_at_once() {
    let mut bench = open(CONSOLE, Habit::Good);
    bench.run_for(Duration::from_secs(3600)).unwrap();
    assert_eq!(bench.now().as_micros(), 3_600_000_000);
    assert!(bench.until(Duration::ZERO, |_| true).unwrap());
    assert!(!bench.until(Duration::from_secs(1), |_| false).unwrap());
    assert_eq!(bench.now().as_micros(), 3_601_000_000);
}

#[test]
fn the_same_setup_gives_the_same_evidence_to_the_byte() {
    let evidence = |seed| {
        let mut setup = setup(CONSOLE, Habit::Chatty);
        setup.seed = seed;
        let mut bench = Bench::open(setup).unwrap();
        bench.power_on().unwrap();
        let mut handset = Handset::new(bench.face("Anna").unwrap());
        handset
            .set_service(intent(Service::DoNotDisturb, true, None))
            .unwrap();
        drop(handset);
        serde_json::to_string(bench.finish().log.records()).unwrap()
    };
    assert_eq!(evidence(1), evidence(1));
}

#[test]
fn the_evidence_file_holds_the_log() {
    let folder = std::env::temp_dir().join(format!("bench-evidence-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("evidence.jsonl");
    let mut setup = setup(CONSOLE, Habit::Good);
    setup.evidence = Some(path.clone());
    let mut bench = Bench::open(setup).unwrap();
    bench.note("hello");
    let report = bench.finish();
    let loaded = evidence::log::Log::load(path).unwrap();
    assert_eq!(loaded.records(), report.log.records());
    std::fs::remove_dir_all(folder).unwrap();
}

#[test]
fn an_evidence_file_that_cannot_be_written_is_named() {
    let mut setup = setup(CONSOLE, Habit::Good);
    setup.evidence = Some("/nowhere/at/all.jsonl".into());
    let error = Bench::open(setup).err().unwrap().to_string();
    assert!(
        error.starts_with("evidence file /nowhere/at/all.jsonl"),
        "{error}"
    );
}

#[test]
fn a_portal_changes_and_shows_what_a_user_has_with_or_without_faults() {
    for has_faults in [true, false] {
        let mut setup = setup(CONSOLE, Habit::Good);
        setup.faults = has_faults;
        let mut bench = Bench::open(setup).unwrap();
        assert_eq!(bench.faults().is_some(), has_faults);
        let on = sip::service::Setting {
            active: true,
            ..sip::service::Setting::default()
        };
        let mut portal = bench.portal().unwrap();
        let service = Service::DoNotDisturb;
        portal.change("1001", service, &on).unwrap();
        assert_eq!(portal.read("1001", service), Ok(on.clone()));
        assert!(portal.services("1001").unwrap().contains(&(service, on)));
        let nobody = portal.read("nobody", service);
        assert_eq!(
            nobody,
            Err(server::PortalError::NoUser("nobody".to_owned()))
        );
    }
}
