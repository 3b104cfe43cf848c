//! What a base sends is shown, and never obeyed: not by a browser, not by an XML reader, not by a terminal.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use evidence::identifier::Identifier;
use evidence::monitor::{Finding, Judgement, RuleReport};
use evidence::record::{
    ClaimStatus, Direction, Fate, KeyEffect, Observation, Parsed, Record, SCHEMA, Screen, Sip,
    StepOutcome, StepPhase, View,
};
use reports::console::{Console, Ended, Style};
use reports::fold::{Case, Run};
use reports::index::{CaseEntry, RunIndex};
use reports::{html, junit};
use std::path::PathBuf;

const EVIL: &str = "</title></template></pre></svg><script>evil()</script><img onerror='evil()'>\" evil=\"{{ 7 * 7 }} & ]]>";
const CONTROLS: &str = "\u{0}\u{1}\u{8}\u{b}\u{1b}[31m\u{7f}\u{85}\u{fffe}\u{ffff}";

fn sip(bytes: Vec<u8>) -> Observation {
    Observation::Sip(Sip {
        direction: Direction::FromBase,
        fate: Fate::Sent,
        transport: "UDP".to_owned(),
        source: "127.0.0.2:5060".parse().unwrap(),
        destination: "127.0.0.1:5060".parse().unwrap(),
        bytes: bytes.into(),
        parsed: Parsed::default(),
    })
}

fn observations(evil: &str) -> Vec<Observation> {
    let text = || evil.to_owned();
    let request = format!(
        "SUBSCRIBE sip:2001@lockstep.example SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.2;branch=z9hG4bK1\r\nFrom: \
         <sip:{evil}@lockstep.example>;tag=1\r\nTo: <sip:2001@lockstep.example>\r\nCall-ID: {evil}\r\nCSeq: 1 \
         SUBSCRIBE\r\nSubscription-State: {evil}\r\nContent-Type: \
         application/x-as-feature-event+xml\r\nContent-Length: {}\r\n\r\n{evil}",
        evil.len()
    );
    vec![
        Observation::Claim {
            key: text(),
            value: text(),
            status: ClaimStatus::Assumed,
            source: text(),
        },
        Observation::Step {
            text: text(),
            outcome: None,
            reason: String::new(),
            phase: StepPhase::Rig,
        },
        sip(request.into_bytes()),
        sip(evil.as_bytes().to_vec()),
        sip(vec![0xff, 0xfe, 0x00, b'<']),
        Observation::Screen(Screen {
            handset: text(),
            view: View::Idle,
            title: text(),
            lines: vec![text()],
            cursor: Some(9),
            softkeys: vec![text()],
        }),
        Observation::Console {
            direction: Direction::FromBase,
            text: text(),
        },
        Observation::Web {
            direction: Direction::FromBase,
            line: text(),
            body: text(),
        },
        Observation::Fault { text: text() },
        Observation::Key {
            handset: text(),
            key: text(),
            intent: None,
            effect: KeyEffect::Walk,
        },
        Observation::Step {
            text: text(),
            outcome: Some(StepOutcome::Fail),
            reason: text(),
            phase: StepPhase::Rig,
        },
        Observation::ScenarioEnd,
    ]
}

fn hostile_run(evil: &str) -> Run {
    let record = |(seq, observation)| Record {
        v: SCHEMA,
        seq,
        at: seq,
        wall: None,
        observation,
        unit: None,
    };
    let records: Vec<Record> = (1..).zip(observations(evil)).map(record).collect();
    let text = || evil.to_owned();
    // What names files is checked when it enters: it cannot be evil.
    let name = |good: &str| Identifier::new(good).unwrap();
    let entry = CaseEntry {
        id: name("ID-A-001.1@emulated-virtual"),
        scenario_id: name("ID-A-001.1"),
        scenario: text(),
        feature: text(),
        file: text(),
        line: 1,
        tags: vec![text()],
        requirements: vec![text()],
        rig: name("emulated"),
        face: text(),
        dialect: text(),
        lab: text(),
        not_applicable: None,
    };
    let finding = Finding {
        requirement: "MENU-01".parse().unwrap(),
        text: text(),
        records: vec![2, 3, 4, 6, 7, 99],
        at: 1,
    };
    let rule = RuleReport {
        requirement: "MENU-01".parse().unwrap(),
        exercised: 1,
        findings: vec![finding],
        judgement: Judgement::Fail,
        assumed_claims: vec![text()],
    };
    Run {
        folder: PathBuf::new(),
        index: RunIndex {
            run: text(),
            lockstep: text(),
            mutant: Some(text()),
            ..RunIndex::default()
        },
        cases: vec![Case::with_rules(
            &entry,
            records.into_iter().map(Into::into).collect(),
            vec![rule],
        )],
    }
}

#[test]
fn markup_from_outside_cannot_break_out_of_the_page() {
    let innocent = html::write(&hostile_run("innocent")).unwrap();
    let page = html::write(&hostile_run(EVIL)).unwrap();
    for tag in [
        "<script",
        "</script",
        "<template",
        "</template",
        "<svg",
        "</svg",
        "</pre",
        "<img",
        "<details",
    ] {
        assert_eq!(
            page.matches(tag).count(),
            innocent.matches(tag).count(),
            "{tag}"
        );
    }
    assert!(!page.contains("onerror='") && !page.contains("\" evil=\""));
    assert!(page.contains("{{ 7 * 7 }}"), "it is shown as it was sent");
}

#[test]
fn control_characters_do_not_make_invalid_xml() {
    let xml = junit::write(&hostile_run(&format!("{EVIL}{CONTROLS}"))).unwrap();
    let bad = xml.chars().find(|c| {
        (c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t') && *c != '\u{7f}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    });
    assert_eq!(bad, None, "{xml}");
    assert!(!xml.contains("<script") && !xml.contains("<img"), "{xml}");
}

#[test]
fn control_characters_stay_out_of_the_pictures() {
    let page = html::write(&hostile_run(CONTROLS)).unwrap();
    let start = page.find("<svg").unwrap();
    let end = page.find("</svg>").unwrap();
    let picture = &page[start..end];
    assert!(!picture.chars().any(char::is_control), "{picture:?}");
}

#[test]
fn what_a_base_says_does_not_steer_the_terminal() {
    let mut out = Vec::new();
    let reasons = [format!("{CONTROLS}\nsecond line")];
    let mut console = Console::new(&mut out, Style::default(), 1);
    let run = hostile_run(CONTROLS);
    console
        .ended(&Ended {
            verdict: run.cases[0].outcome.verdict,
            id: "ID-1",
            scenario: CONTROLS,
            place: "a.feature:1",
            reasons: &reasons,
        })
        .unwrap();
    let text = String::from_utf8(out).unwrap();
    assert!(
        !text.contains('\u{1b}') && !text.contains('\u{0}'),
        "{text:?}"
    );
    assert!(text.ends_with("     second line\n"), "{text:?}");
}
