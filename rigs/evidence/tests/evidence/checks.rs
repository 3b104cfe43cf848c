//! The monitor over captures and logs of others, from their first byte to the summary.

use crate::crowd::{self, Crowd};
use crate::files::{between, datagram, pcap};
use crate::stage::{ANNA, Ask, Stage, dnd};
use evidence::capture::{Base, read, to_pcapng};
use evidence::check::{CheckError, Event, Kind, Options, Summary, check};
use evidence::monitor::{Finding, Judgement, Limits, Monitor, Need};
use evidence::record::{Observation, Record};
use std::path::Path;
use std::sync::Arc;

/// A finding as it is handed out.
#[derive(Clone, Debug, PartialEq)]
struct Found {
    unit: String,
    requirement: String,
    text: String,
    places: Vec<u64>,
    wall: Option<u64>,
}

/// What a check told on its way.
#[derive(Default)]
struct Told {
    bases: Vec<(String, String)>,
    messages: Vec<u64>,
    found: Vec<Found>,
}

fn run(capture: &[u8], options: &Options) -> (Result<Summary, CheckError>, Told) {
    let mut told = Told::default();
    let summary = check(capture, Path::new("x.pcap"), options, |event| match event {
        Event::Base { base, agent } => told.bases.push((base.to_string(), agent.to_owned())),
        Event::Message { place, sip } => {
            assert!(!sip.bytes.is_empty());
            told.messages.push(place);
        }
        Event::Finding {
            unit,
            finding,
            places,
            wall,
        } => told.found.push(Found {
            unit: unit.to_string(),
            requirement: finding.requirement.to_string(),
            text: finding.text.clone(),
            places: places.to_vec(),
            wall,
        }),
    });
    (summary, told)
}

fn of(bases: &[&str]) -> Options {
    Options {
        bases: bases.iter().map(|base| base.parse().unwrap()).collect(),
        agents: vec!["Gigaset".to_owned()],
        limits: Limits::default(),
    }
}

fn complaint(capture: &[u8], options: &Options) -> String {
    run(capture, options).0.unwrap_err().to_string()
}

/// A request from the base, with this User-Agent.
fn request(agent: &str, vias: usize) -> Vec<u8> {
    let via = "Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKx\r\n".repeat(vias);
    format!(
        "OPTIONS sip:a@b SIP/2.0\r\n{via}User-Agent: {agent}\r\nFrom: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: c\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

fn reaches(requirement: &str, summary: &Summary) -> Judgement {
    let mut reports = summary.reports.iter();
    let report = reports.find(|report| report.requirement.as_str() == requirement);
    report.unwrap().judgement.clone()
}

/// A log in which something goes wrong that SIP alone shows.
fn defects() -> Vec<Stage> {
    let mut unanswered = Stage::synced();
    unanswered.wait(60_000).notify("1001", &dnd(true));
    unanswered.wait(5_000).refresh();
    let mut late = Stage::synced_for(600);
    late.wait(700_000).refresh();
    late.wait(20).answer(200, &["Expires: 600"]);
    let mut skips = Stage::provisioned();
    skips.register("1001", 3600);
    skips.wait(1_000_000);
    skips.register_numbered("1001", 9, 3600);
    let mut silent = Stage::registered();
    silent.request(&Ask::subscribe("1001", 1));
    silent.wait(60_000).register_numbered("1001", 2, 3600);
    let mut refused = Stage::synced();
    refused.wait(60_000).notify("1001", &dnd(true));
    refused.wait(10).reply(481, &[]);
    refused.wait(40_000).notify_again();
    refused.wait(10).reply(481, &[]);
    vec![unanswered, late, skips, silent, refused]
}

#[test]
fn a_capture_that_forgets_transactions_is_judged_as_one_that_keeps_them() {
    for stage in defects() {
        let capture = to_pcapng(stage.log.records()).unwrap();
        let whole = read(&capture, "127.0.0.1:5060".parse().unwrap()).unwrap();
        let reports = Monitor::judge(whole.records());
        let mut expected: Vec<Finding> = Vec::new();
        for report in &reports {
            expected.extend(report.findings.iter().cloned());
        }
        assert!(!expected.is_empty());
        let (summary, told) = run(&capture, &of(&["127.0.0.1:5060"]));
        let summary = summary.unwrap();
        let mut texts: Vec<String> = told.found.into_iter().map(|found| found.text).collect();
        let mut wanted: Vec<String> = expected.into_iter().map(|found| found.text).collect();
        texts.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(texts, wanted);
        assert_eq!(summary.findings, wanted.len() as u64);
        let judgements = |judgement: &Judgement| judgement.clone();
        let whole: Vec<_> = reports.iter().map(|it| judgements(&it.judgement)).collect();
        let found: Vec<_> = summary
            .reports
            .iter()
            .map(|it| judgements(&it.judgement))
            .collect();
        assert_eq!(found, whole);
    }
}

#[test]
fn a_finding_names_its_packets_and_its_time_as_other_programs_count_them() {
    let mut packets = vec![(0, datagram(b"no SIP"))];
    let subscribe = Ask::subscribe("1001", 1).text().replace('\n', "\r\n");
    let faulty = subscribe.replace("Contact", "X-Contact");
    packets.push((1_500_000, datagram(faulty.as_bytes())));
    let (summary, told) = run(&pcap(101, &packets), &of(&["10.0.0.2"]));
    let [found] = told.found.as_slice() else {
        panic!("{:?}", told.found);
    };
    assert_eq!(
        (found.unit.as_str(), found.requirement.as_str()),
        ("10.0.0.2", "SUB-01")
    );
    assert_eq!(
        (found.places.as_slice(), found.wall),
        (&[2][..], Some(1_700_000_001_500_000))
    );
    assert!(found.text.contains("at 1.500 s"), "{}", found.text);
    let summary = summary.unwrap();
    assert_eq!(
        (summary.messages, summary.packets, summary.findings),
        (1, 2, 1)
    );
}

#[test]
fn rules_that_lack_an_observation_say_what_they_need() {
    let (summary, _) = run(
        &pcap(101, &[(0, datagram(&request("x", 1)))]),
        &of(&["10.0.0.2"]),
    );
    let summary = summary.unwrap();
    assert_eq!(summary.kind, Kind::Capture);
    let needs = vec![Need::Provisioning, Need::Claim, Need::Screen];
    assert_eq!(reaches("MENU-01", &summary), Judgement::NotJudged { needs });
    assert_eq!(reaches("NOT-02", &summary), Judgement::NotExercised);
}

#[test]
fn the_base_is_found_by_the_user_agent_of_its_own_requests() {
    let proxied = between(
        [10, 0, 0, 9],
        [10, 0, 0, 1],
        &request("Gigaset N870 IP PRO/1", 2),
    );
    let other = between([10, 0, 0, 8], [10, 0, 0, 1], &request("Another/2", 1));
    let own = datagram(&request("gigaset N870 IP PRO/1", 1));
    let capture = pcap(101, &[(0, other.clone()), (1, own), (2, proxied)]);
    let (summary, told) = run(&capture, &of(&[]));
    assert_eq!(
        told.bases,
        [("10.0.0.2".to_owned(), "gigaset N870 IP PRO/1".to_owned())]
    );
    assert_eq!((summary.unwrap().messages, told.messages), (1, vec![2]));

    let complaint = complaint(&pcap(101, &[(0, other)]), &of(&[]));
    assert_eq!(
        complaint,
        "no base was found among 1 SIP messages: no request has a User-Agent that begins with Gigaset; there are \
         messages of 10.0.0.8:5060 (Another/2); name the base with --base"
    );
}

#[test]
fn two_that_speak_like_a_base_are_a_question_and_both_may_be_named() {
    let one = datagram(&request("Gigaset N870/1", 1));
    let two = between([10, 0, 0, 3], [10, 0, 0, 1], &request("Gigaset N510/2", 1));
    let capture = pcap(101, &[(0, one.clone()), (1, two.clone())]);
    assert_eq!(
        complaint(&capture, &of(&[])),
        "several senders could be the base: 10.0.0.2 (Gigaset N870/1), 10.0.0.3 (Gigaset N510/2); name it with --base, \
         each of them for several bases"
    );
    let (summary, told) = run(&capture, &of(&["10.0.0.2", "10.0.0.3"]));
    assert_eq!((summary.unwrap().messages, told.messages), (2, vec![1, 2]));

    // One that is heard for the first time when it has been decided is named at the end.
    let capture = pcap(
        101,
        &[(0, one.clone()), (61_000_000, one), (62_000_000, two)],
    );
    let (summary, _) = run(&capture, &of(&[]));
    let late = (
        "10.0.0.3".parse::<Base>().unwrap(),
        "Gigaset N510/2".to_owned(),
    );
    assert_eq!(summary.unwrap().late, [late]);
}

#[test]
fn a_message_between_two_bases_is_judged_for_both_and_passes_once() {
    let text = Ask::subscribe("1001", 1).text().replace('\n', "\r\n");
    let faulty = text.replace("Contact", "X-Contact");
    let packet = between([10, 0, 0, 2], [10, 0, 0, 3], faulty.as_bytes());
    let (summary, told) = run(&pcap(101, &[(0, packet)]), &of(&["10.0.0.3", "10.0.0.2"]));
    assert_eq!((summary.unwrap().messages, told.messages), (1, vec![1]));
    let units: Vec<&str> = told.found.iter().map(|found| found.unit.as_str()).collect();
    assert_eq!(units, ["10.0.0.2"]);
}

#[test]
fn what_cannot_be_checked_is_refused_in_words() {
    assert!(complaint(b"", &of(&[])).contains("empty"));
    assert_eq!(
        complaint(b"GIF89a", &of(&[])),
        "neither a pcap nor a pcapng file"
    );
    let silent = pcap(101, &[(0, datagram(b"no SIP"))]);
    for bases in [&[][..], &["10.0.0.2"]] {
        assert_eq!(
            complaint(&silent, &of(bases)),
            "there is no SIP in it, in 1 packets"
        );
        let cut = complaint(&silent[..silent.len() - 1], &of(bases));
        assert_eq!(
            cut,
            "there is no SIP in it, in 0 packets, the last one cut short"
        );
    }
    let capture = pcap(101, &[(0, datagram(&request("x", 1)))]);
    let absent = complaint(&capture, &of(&["10.0.0.7"]));
    assert!(absent.starts_with("none of the 1 SIP messages is from or to 10.0.0.7; there are"));
    assert!(
        complaint(b"{\"v\":1}\n", &of(&[])).contains("line 1"),
        "a log of another kind"
    );
}

#[test]
fn an_evidence_log_is_judged_as_it_was_when_it_was_written() {
    let mut stage = Stage::synced();
    stage.wait(60_000).notify("1001", &dnd(true));
    stage.wait(10).reply(200, &[]);
    stage.wait(4_000).idle(ANNA, &[]);
    let mut lines = Vec::new();
    for record in stage.log.records() {
        serde_json::to_writer(&mut lines, record.as_ref()).unwrap();
        lines.push(b'\n');
    }
    let (summary, told) = run(&lines, &of(&[]));
    let summary = summary.unwrap();
    let is_sip = |record: &&Arc<Record>| matches!(record.observation, Observation::Sip(_));
    let count = stage.log.records().iter().filter(is_sip).count();
    assert_eq!(
        (summary.kind, summary.messages),
        (Kind::Evidence, count as u64)
    );
    let reports = Monitor::judge(stage.log.records());
    assert_eq!(summary.reports, reports);
    let found: Vec<&str> = told
        .found
        .iter()
        .map(|it| it.requirement.as_str())
        .collect();
    assert_eq!(found, ["MENU-03"]);

    let (summary, _) = run(&lines[..lines.len() - 9], &of(&[]));
    assert!(summary.unwrap().cut_short);
}

#[test]
fn a_crowd_is_found_right_in_whatever_room_it_is_given() {
    for (limit, evicts) in [(65_536, false), (200, false), (40, true), (1, true)] {
        let options = Options {
            limits: Limits { accounts: limit },
            ..of(&[])
        };
        let capture = Crowd::new(20_000, 200);
        let summary = check(capture, Path::new("-"), &options, |_| ()).unwrap();
        assert_eq!(summary.messages, 20_000);
        assert_eq!(summary.evicted > 0, evicts, "{limit} accounts");
        let broken: Vec<_> = summary
            .reports
            .iter()
            .filter(|it| it.judgement == Judgement::Fail)
            .collect();
        assert!(broken.is_empty(), "{limit} accounts: {broken:?}");
    }
}

#[test]
fn what_is_remembered_of_a_capture_does_not_grow_with_it() {
    let mut bytes = Vec::new();
    std::io::copy(&mut Crowd::new(24_000, 20), &mut bytes).unwrap();
    let base = Base {
        ip: crowd::BASE.into(),
        port: None,
    };
    let log = read(&bytes, base).unwrap();
    let mut monitor = Monitor::within(Limits::default());
    let mut most = [0, 0];
    for record in log.records() {
        assert!(monitor.observe(record).is_empty());
        let half = usize::from(record.seq > 12_000);
        most[half] = most[half].max(monitor.remembered());
    }
    // Names of what is forgotten are looked for now and then, so that the figure swings.
    assert!(
        most[1] <= most[0] * 5 / 4 && most[0] < 1_000,
        "{most:?} entries"
    );
}
