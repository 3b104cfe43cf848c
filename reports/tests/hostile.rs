//! What a base sends is shown, and never obeyed: not by a browser, not by an XML reader, not by a terminal.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod page;

use evidence::identifier::Identifier;
use evidence::monitor::{Finding, Judgement, RuleReport};
use evidence::record::{
    ClaimStatus, Direction, Fate, KeyEffect, Observation, Parsed, Record, SCHEMA, Screen, Sip,
    StepOutcome, StepPhase, View,
};
use evidence::verdict::Verdict;
use page::unpacked;
use reports::console::{Console, Ended, Style};
use reports::fold::Case;
use reports::index::{CaseEntry, RunIndex};
use reports::run::Run;
use reports::sheet::Sheet;
use reports::{html, junit};
use std::path::Path;

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

/// A run of one case, which failed, or passed.
fn hostile_run(evil: &str, passed: bool) -> Run {
    let record = |(seq, observation)| Record {
        v: SCHEMA,
        seq,
        at: seq,
        wall: None,
        observation,
        unit: None,
    };
    let mut seen = observations(evil);
    if passed {
        seen.retain(|it| {
            !matches!(
                it,
                Observation::Step {
                    outcome: Some(_),
                    ..
                }
            )
        });
    }
    let records: Vec<Record> = (1..).zip(seen).map(record).collect();
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
        requirements: vec![if passed { "MENU-01".to_owned() } else { text() }],
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
        findings: if passed { vec![] } else { vec![finding] },
        judgement: if passed {
            Judgement::Pass
        } else {
            Judgement::Fail
        },
        assumed_claims: vec![text()],
    };
    let records = records.into_iter().map(Into::into).collect();
    let case = Case::with_rules(&entry, records, vec![rule]);
    let index = RunIndex {
        run: text(),
        lockstep: text(),
        mutant: Some(text()),
        cases: vec![entry],
        ..RunIndex::default()
    };
    let mut run = Run::new(Path::new(""), index);
    run.add(Sheet::of(&case));
    run
}

fn page_of(run: &Run) -> String {
    let mut page = Vec::new();
    html::write(run, &mut page).unwrap();
    unpacked(&String::from_utf8(page).unwrap())
}

#[test]
fn markup_from_outside_cannot_break_out_of_the_page() {
    for passed in [false, true] {
        cannot_break_out(passed);
    }
}

fn cannot_break_out(passed: bool) {
    let innocent = page_of(&hostile_run("innocent", passed));
    let page = page_of(&hostile_run(EVIL, passed));
    let verdict = if passed { Verdict::Pass } else { Verdict::Fail };
    assert_eq!(hostile_run(EVIL, passed).verdict(), verdict);
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
    let xml = junit::write(&hostile_run(&format!("{EVIL}{CONTROLS}"), false)).unwrap();
    let bad = xml.chars().find(|c| {
        (c.is_ascii_control() && !matches!(c, '\n' | '\r' | '\t') && *c != '\u{7f}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    });
    assert_eq!(bad, None, "{xml}");
    assert!(!xml.contains("<script") && !xml.contains("<img"), "{xml}");
}

#[test]
fn control_characters_stay_out_of_the_pictures() {
    let page = page_of(&hostile_run(CONTROLS, false));
    let start = page.find("<svg").unwrap();
    let end = page.find("</svg>").unwrap();
    let picture = &page[start..end];
    // Each row of a picture is a line.
    let is_bad = |c: char| c.is_control() && c != '\n';
    assert!(!picture.chars().any(is_bad), "{picture:?}");
}

#[test]
fn what_a_base_says_does_not_steer_the_terminal() {
    let mut out = Vec::new();
    let reasons = [format!("{CONTROLS}\nsecond line")];
    let mut console = Console::new(&mut out, Style::default(), 1);
    let run = hostile_run(CONTROLS, false);
    console
        .ended(&Ended {
            verdict: run.verdict(),
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
