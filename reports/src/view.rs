//! What the HTML page shows, as plain values for its template.
//!
//! It chooses and words; it judges nothing.

use crate::fold::{Case, Run};
use crate::ladder::{self, Arrow, seconds};
use evidence::body::{Part, Reading};
use evidence::catalogue::Catalogue;
use evidence::message::{Message, StartLine};
use evidence::monitor::{Judgement, RuleReport};
use evidence::record::{
    ClaimStatus, Direction, Fate, Observation, Record, Screen, Service, Sip, StepOutcome, View,
};
use evidence::verdict::{self, Verdict};
use serde::Serialize;

use std::collections::{BTreeMap, BTreeSet};

/// How many messages a ladder shows at each end before it leaves out the middle.
const LADDER_END: usize = 60;
/// As `LADDER_END`, for a case that did not pass.
const LADDER_END_BAD: usize = 200;
/// How many characters of console or web text are shown.
const TEXT_SHOWN: usize = 20_000;

#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    pub(crate) run: Head,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) findings: Vec<FindingRow>,
    pub(crate) cases: Vec<CaseView>,
    pub(crate) requirements: Vec<RequirementRow>,
    pub(crate) claims: Vec<ClaimRow>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Head {
    name: String,
    verdict: Verdict,
    started: String,
    seed: u64,
    rigs: Vec<String>,
    lockstep: String,
    mutant: Option<String>,
    complete: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct Tile {
    verdict: Verdict,
    count: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct FindingRow {
    requirement: String,
    clause: String,
    text: String,
    case: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct RequirementRow {
    id: String,
    verdict: Verdict,
    judgement: &'static str,
    exercised: u64,
    cases: usize,
    text: String,
    clause: String,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct ClaimRow {
    key: String,
    value: String,
    source: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct CaseView {
    id: String,
    anchor: String,
    verdict: Verdict,
    search: String,
    scenario: String,
    scenario_id: String,
    feature: String,
    file: String,
    line: usize,
    rig: String,
    lab: String,
    requirements: Vec<String>,
    reason: String,
    evidence: Option<String>,
    capture: Option<String>,
    findings: Vec<CaseFinding>,
    steps: Vec<StepRow>,
    screens: Vec<ScreenView>,
    faults: Vec<String>,
    ladder: String,
    omitted: usize,
    messages: Vec<MessageView>,
    rules: Vec<RuleRow>,
    console: String,
    web: String,
}

#[derive(Debug, Serialize)]
struct CaseFinding {
    requirement: String,
    text: String,
    clause: String,
    requirement_text: String,
    records: Vec<u64>,
}

#[derive(Debug, Serialize)]
struct StepRow {
    outcome: &'static str,
    mark: &'static str,
    text: String,
    at: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct ScreenView {
    handset: String,
    when: &'static str,
    at: String,
    title: String,
    lines: Vec<ScreenLine>,
    softkeys: Vec<String>,
}

#[derive(Debug, Serialize)]
struct ScreenLine {
    text: String,
    cursor: bool,
}

#[derive(Debug, Serialize)]
struct MessageView {
    seq: u64,
    at: String,
    way: String,
    text: String,
    decoded: Vec<String>,
}

#[derive(Debug, Serialize)]
struct RuleRow {
    requirement: String,
    judgement: String,
    verdict: &'static str,
    exercised: u64,
    assumed: Vec<String>,
}

impl RunView {
    pub(crate) fn new(run: &Run) -> Self {
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for case in &run.cases {
            *counts.entry(case.outcome.verdict).or_default() += 1;
        }
        let rigs: BTreeSet<&String> = run.cases.iter().map(|case| &case.entry.rig).collect();
        Self {
            run: Head {
                name: run.index.run.clone(),
                verdict: run.verdict(),
                started: utc(run.index.started),
                seed: run.index.seed,
                rigs: rigs.into_iter().cloned().collect(),
                lockstep: run.index.lockstep.clone(),
                mutant: run.index.mutant.clone(),
                complete: run.index.ended.is_some(),
            },
            tiles: counts
                .into_iter()
                .rev()
                .map(|(verdict, count)| Tile { verdict, count })
                .collect(),
            findings: finding_rows(run),
            cases: run
                .cases
                .iter()
                .enumerate()
                .map(|(at, case)| case_view(at, case))
                .collect(),
            requirements: requirement_rows(run),
            claims: claim_rows(run),
        }
    }
}

fn finding_rows(run: &Run) -> Vec<FindingRow> {
    let findings = run
        .cases
        .iter()
        .flat_map(|case| case_findings(case).map(move |it| (case, it)));
    findings
        .map(|(case, finding)| FindingRow {
            requirement: finding.requirement.to_string(),
            clause: clause(finding.requirement.as_str()).0,
            text: finding.text.clone(),
            case: case.entry.id.clone(),
        })
        .collect()
}

fn case_findings(case: &Case) -> impl Iterator<Item = &evidence::monitor::Finding> {
    case.rules.iter().flat_map(|rule| &rule.findings)
}

/// Source and text of a requirement.
fn clause(id: &str) -> (String, String) {
    let row = Catalogue::embedded().requirement(id);
    row.map(|row| (row.source.replace("dagger", "†"), row.text.clone()))
        .unwrap_or_default()
}

fn requirement_rows(run: &Run) -> Vec<RequirementRow> {
    let verdicts = verdict::requirements(run.cases.iter().flat_map(|case| &case.rules));
    let reports = |id: &str| -> Vec<&RuleReport> {
        let all = run.cases.iter().flat_map(|case| &case.rules);
        all.filter(|rule| rule.requirement.as_str() == id && rule.exercised > 0)
            .collect()
    };
    let rows = verdicts.into_iter().map(|(id, verdict)| {
        let exercised = reports(id.as_str());
        let (clause, text) = clause(id.as_str());
        RequirementRow {
            id: id.to_string(),
            verdict,
            judgement: match verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                _ => "not exercised",
            },
            exercised: exercised.iter().map(|rule| rule.exercised).sum(),
            cases: exercised.len(),
            text,
            clause,
        }
    });
    rows.collect()
}

fn claim_rows(run: &Run) -> Vec<ClaimRow> {
    let records = run.cases.iter().flat_map(|case| &case.records);
    let assumed = records.filter_map(|record| match &record.observation {
        Observation::Claim {
            key,
            value,
            status: ClaimStatus::Assumed,
            source,
        } => Some(ClaimRow {
            key: key.clone(),
            value: value.clone(),
            source: source.clone(),
        }),
        _ => None,
    });
    assumed.collect::<BTreeSet<_>>().into_iter().collect()
}

fn case_view(at: usize, case: &Case) -> CaseView {
    let entry = &case.entry;
    let anchor = format!("c{at}m");
    let has_log = !case.records.is_empty();
    let (ladder, messages, omitted) = sip_view(case, &anchor);
    CaseView {
        id: entry.id.clone(),
        verdict: case.outcome.verdict,
        search: format!(
            "{} {} {} {} {}",
            entry.id,
            entry.scenario,
            entry.feature,
            entry.lab,
            entry.requirements.join(" ")
        ),
        scenario: entry.scenario.clone(),
        scenario_id: entry.scenario_id.clone(),
        feature: entry.feature.clone(),
        file: entry.file.clone(),
        line: entry.line,
        rig: entry.rig.clone(),
        lab: entry.lab.clone(),
        requirements: entry.requirements.clone(),
        reason: case.outcome.reasons.join("; "),
        evidence: has_log.then(|| entry.evidence().display().to_string()),
        capture: has_log.then(|| entry.capture().display().to_string()),
        findings: case_findings(case).map(case_finding).collect(),
        steps: steps(&case.records),
        screens: screens(&case.records),
        faults: faults(&case.records),
        ladder,
        omitted,
        messages,
        rules: case.rules.iter().filter_map(rule_row).collect(),
        console: conversation(&case.records, |observation| match observation {
            Observation::Console { direction, text } => Some((*direction, text.clone())),
            _ => None,
        }),
        web: conversation(&case.records, |observation| match observation {
            Observation::Web {
                direction,
                line,
                body,
            } => Some((*direction, format!("{line}  {body}"))),
            _ => None,
        }),
        anchor,
    }
}

fn case_finding(finding: &evidence::monitor::Finding) -> CaseFinding {
    let (clause, requirement_text) = clause(finding.requirement.as_str());
    CaseFinding {
        requirement: finding.requirement.to_string(),
        text: finding.text.clone(),
        clause,
        requirement_text,
        records: finding.records.clone(),
    }
}

fn steps(records: &[Record]) -> Vec<StepRow> {
    let mut rows: Vec<StepRow> = Vec::new();
    for record in records {
        let Observation::Step {
            text,
            outcome,
            reason,
        } = &record.observation
        else {
            continue;
        };
        let (word, mark) = match outcome {
            None => ("not-run", "·"),
            Some(StepOutcome::Pass) => ("pass", "✓"),
            Some(StepOutcome::Fail) => ("fail", "✗"),
            Some(StepOutcome::Error) => ("error", "!"),
            Some(StepOutcome::Inconclusive) => ("inconclusive", "?"),
        };
        let row = StepRow {
            outcome: word,
            mark,
            text: text.clone(),
            at: seconds(record.at),
            reason: reason.clone(),
        };
        let ends_the_last = outcome.is_some()
            && rows
                .last()
                .is_some_and(|last| last.outcome == "not-run" && last.text == *text);
        if ends_the_last {
            rows.pop();
        }
        rows.push(row);
    }
    rows
}

/// Each handset's first and last idle screen, and its last menu screen.
fn screens(records: &[Record]) -> Vec<ScreenView> {
    let mut by_handset: BTreeMap<&str, Vec<(&Record, &Screen)>> = BTreeMap::new();
    for record in records {
        if let Observation::Screen(screen) = &record.observation {
            by_handset
                .entry(&screen.handset)
                .or_default()
                .push((record, screen));
        }
    }
    let mut views = Vec::new();
    for shown in by_handset.values() {
        let idle = || shown.iter().filter(|(_, screen)| screen.view == View::Idle);
        let menu = shown.iter().rfind(|(_, screen)| screen.view == View::Menu);
        let first = idle().next();
        let last = idle()
            .next_back()
            .filter(|last| first.is_some_and(|first| first.0.seq != last.0.seq));
        for (when, found) in [("before", first), ("menu", menu), ("after", last)] {
            views.extend(found.map(|(record, screen)| screen_view(when, record, screen)));
        }
    }
    views
}

fn screen_view(when: &'static str, record: &Record, screen: &Screen) -> ScreenView {
    let line = |(at, text): (usize, &String)| ScreenLine {
        text: text.clone(),
        cursor: screen.cursor == Some(at),
    };
    ScreenView {
        handset: screen.handset.clone(),
        when,
        at: seconds(record.at),
        title: screen.title.clone(),
        lines: screen.lines.iter().enumerate().map(line).collect(),
        softkeys: screen.softkeys.clone(),
    }
}

fn faults(records: &[Record]) -> Vec<String> {
    let texts = records
        .iter()
        .filter_map(|record| match &record.observation {
            Observation::Fault { text } => Some(format!("{} {text}", seconds(record.at))),
            _ => None,
        });
    texts.collect()
}

fn rule_row(rule: &RuleReport) -> Option<RuleRow> {
    let (judgement, verdict) = match &rule.judgement {
        Judgement::NotExercised => return None,
        Judgement::Fail => ("fail".to_owned(), "fail"),
        Judgement::Pass => ("pass".to_owned(), "pass"),
        Judgement::NotJudged { needs } => {
            let needs: Vec<_> = needs.iter().map(|need| need.as_str()).collect();
            (
                format!("not judged: needs {}", needs.join(", ")),
                "inconclusive",
            )
        }
    };
    Some(RuleRow {
        requirement: rule.requirement.to_string(),
        judgement,
        verdict,
        exercised: rule.exercised,
        assumed: rule.assumed_claims.clone(),
    })
}

fn conversation(
    records: &[Record],
    pick: impl Fn(&Observation) -> Option<(Direction, String)>,
) -> String {
    let mut text = String::new();
    for record in records {
        let Some((direction, line)) = pick(&record.observation) else {
            continue;
        };
        if text.len() > TEXT_SHOWN {
            text.push_str("… the rest is in the evidence\n");
            break;
        }
        let arrow = if direction == Direction::ToBase {
            '>'
        } else {
            ' '
        };
        text.push_str(&format!("{:>12} {arrow} {line}\n", seconds(record.at)));
    }
    text
}

fn sip_view(case: &Case, anchor: &str) -> (String, Vec<MessageView>, usize) {
    let mut shown: Vec<(&Record, &Sip, bool)> = Vec::new();
    for record in &case.records {
        let Observation::Sip(sip) = &record.observation else {
            continue;
        };
        match sip.fate {
            // One arrow a message: at the base's own end.
            Fate::Sent if sip.direction == Direction::FromBase => shown.push((record, sip, false)),
            Fate::Delivered if sip.direction == Direction::ToBase => {
                shown.push((record, sip, false))
            }
            Fate::Dropped if sip.direction == Direction::ToBase => shown.push((record, sip, true)),
            Fate::Dropped => {
                let sent = shown.iter_mut().rev().find(|(_, earlier, lost)| {
                    !lost && earlier.direction == Direction::FromBase && earlier.bytes == sip.bytes
                });
                if let Some(sent) = sent {
                    sent.2 = true;
                }
            }
            Fate::Sent | Fate::Delivered => {}
        }
    }
    let end = if case.outcome.verdict == Verdict::Pass {
        LADDER_END
    } else {
        LADDER_END_BAD
    };
    let omitted = shown.len().saturating_sub(2 * end);
    if omitted > 0 {
        shown.drain(end..end + omitted);
    }
    let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
    let mut arrows = Vec::new();
    let mut messages = Vec::new();
    for (record, sip, dropped) in shown {
        let repeated = !seen.insert(&sip.bytes);
        let (label, detail) = label(&sip.bytes);
        arrows.push(Arrow {
            seq: record.seq,
            at: record.at,
            label,
            detail,
            from_base: sip.direction == Direction::FromBase,
            dropped,
            repeated,
        });
        messages.push(message_view(record, sip, dropped));
    }
    if arrows.is_empty() {
        return (String::new(), messages, omitted);
    }
    (ladder::draw(&arrows, anchor), messages, omitted)
}

fn label(bytes: &[u8]) -> (String, String) {
    let Ok(message) = Message::parse(bytes.to_vec().into()) else {
        return ("not SIP".to_owned(), format!("{} bytes", bytes.len()));
    };
    let cseq = message
        .cseq()
        .map_or_else(String::new, |(number, method)| format!("{number} {method}"));
    match message.start_line() {
        StartLine::Request { method, .. } => {
            let mut detail = message.header("Event").unwrap_or_default().to_owned();
            if let Some(state) = message.header("Subscription-State") {
                detail = state.to_owned();
            } else if let Some(expires) = message.header("Expires") {
                detail = format!("Expires {expires}");
            }
            if !message.body().is_empty() {
                detail.push_str(" + body");
            }
            (format!("{method} ({cseq})"), detail)
        }
        StartLine::Response { code, reason } => (format!("{code} {reason}"), cseq),
    }
}

fn message_view(record: &Record, sip: &Sip, dropped: bool) -> MessageView {
    let way = if sip.direction == Direction::FromBase {
        "from the base"
    } else {
        "to the base"
    };
    let lost = if dropped { ", lost" } else { "" };
    MessageView {
        seq: record.seq,
        at: seconds(record.at),
        way: format!(
            "{way}{lost}, {} {} → {}",
            sip.transport, sip.source, sip.destination
        ),
        text: String::from_utf8_lossy(&sip.bytes).replace('\r', ""),
        decoded: decoded(&sip.bytes),
    }
}

/// What the documents in a message's body say, a line each.
fn decoded(bytes: &[u8]) -> Vec<String> {
    let Ok(message) = Message::parse(bytes.to_vec().into()) else {
        return Vec::new();
    };
    let kind = message.header("Content-Type");
    if !kind.is_some_and(|kind| kind.contains("as-feature-event") || kind.contains("multipart")) {
        return Vec::new();
    }
    let reading = Reading::of(kind, message.body());
    let mut lines: Vec<String> = reading.parts.iter().map(document).collect();
    lines.extend(reading.oddity.map(|oddity| format!("odd: {oddity}")));
    lines
}

fn document(part: &Part) -> String {
    match part {
        Part::Told(told) => {
            let mut line = format!("{} {}", service(told.service), on_off(told.active));
            if let Some(number) = told.shown_number() {
                line.push_str(&format!(" to {number}"));
            }
            if let Some(rings) = told.valid_rings() {
                line.push_str(&format!(" after {rings} rings"));
            }
            line
        }
        Part::Asked(asked) => {
            let name = asked.service.map_or("unknown service", service);
            let elements = asked.document.children.iter();
            let elements = elements.filter(|child| child.name != "device");
            let values: Vec<String> = elements
                .map(|child| format!("{} = {}", child.name, child.text.trim()))
                .collect();
            format!("asks for {name}: {}", values.join(", "))
        }
        Part::Unknown { root } => format!("unknown document {root}"),
        Part::Unreadable(why) => format!("unreadable document: {why}"),
    }
}

const fn service(service: Service) -> &'static str {
    match service {
        Service::DoNotDisturb => "Do Not Disturb",
        Service::CallForwardingAlways => "call forwarding always",
        Service::CallForwardingBusy => "call forwarding busy",
        Service::CallForwardingNoAnswer => "call forwarding no answer",
    }
}

const fn on_off(active: Option<bool>) -> &'static str {
    match active {
        Some(true) => "on",
        Some(false) => "off",
        None => "neither on nor off",
    }
}

/// Seconds since the Unix epoch as `2026-01-31 13:05:09 UTC`.
fn utc(seconds: u64) -> String {
    moment(seconds, "%F %T UTC")
}

/// Seconds since the Unix epoch in this format.
pub(crate) fn moment(seconds: u64, format: &str) -> String {
    let seconds = i64::try_from(seconds).unwrap_or_default();
    jiff::Timestamp::from_second(seconds)
        .unwrap_or_default()
        .strftime(format)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_people_write_them() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_230_000), "2026-11-21 03:00:00 UTC");
    }
}
