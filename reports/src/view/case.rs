//! The details of one case: steps, findings, displays, the ladder, messages, rules, console and web.
//!
//! They do not say where in the page they will stand: the identifiers of messages begin with a mark that is replaced by the
//! case's own prefix when that is known, by the page itself for what it keeps compressed.

use super::clause;
use super::sip::{MessageView, SipView};
use crate::fold::Case;
use crate::ladder::{self, Row, seconds};
use evidence::monitor::{Finding, Judgement, RuleReport};
use evidence::record::{
    Direction, Observation, PowerChange, Record, Screen, StepOutcome, StepPhase, View,
};
use evidence::verdict::Verdict;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many characters of console or web text are shown: our choice; the files hold it all.
const TEXT_SHOWN: usize = 20_000;
/// As `TEXT_SHOWN`, for a case that passed: our choice.
const TEXT_SHOWN_GOOD: usize = 4_000;

/// Stands for the prefix of a case's identifiers. No text of the page has it: escaping lets no control character through.
const ANCHOR: &str = "\u{1}";

#[derive(Debug, Serialize)]
pub(crate) struct CaseView {
    anchor: &'static str,
    verdict: Verdict,
    feature: String,
    file: String,
    line: usize,
    took: Option<String>,
    requirements: Vec<String>,
    reasons: Vec<String>,
    evidence: Option<String>,
    capture: Option<String>,
    findings: Vec<CaseFinding>,
    steps: Vec<StepRow>,
    screens: Vec<ScreenView>,
    faults: Vec<String>,
    ladder: String,
    messages: Vec<MessageView>,
    rules: Vec<RuleRow>,
    held: Vec<String>,
    assumed: Vec<String>,
    console: String,
    web: String,
}

#[derive(Debug, Serialize)]
struct CaseFinding {
    requirement: String,
    text: String,
    clause: String,
    requirement_text: String,
    records: Vec<Cited>,
}

/// A record that a finding cites.
#[derive(Debug, Serialize)]
struct Cited {
    seq: u64,
    what: String,
    linked: bool,
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
struct RuleRow {
    requirement: String,
    judgement: String,
    verdict: &'static str,
    exercised: u64,
}

impl CaseView {
    pub(crate) fn new(case: &Case) -> Self {
        let entry = &case.entry;
        let has_log = !case.records.is_empty();
        let passed = case.outcome.verdict == Verdict::Pass;
        let text_shown = if passed { TEXT_SHOWN_GOOD } else { TEXT_SHOWN };
        let SipView { rows, messages } = SipView::new(case);
        let found: Vec<String> = case_findings(case)
            .map(|finding| format!("{}: {}", finding.requirement, finding.text))
            .collect();
        // What a finding or a step says is told there.
        let reasons = case.outcome.reasons.iter();
        let steps = steps(&case.records);
        let is_told = |reason: &String| {
            let step = |step: &StepRow| *reason == format!("{}: {}", step.text, step.reason);
            found.contains(reason) || steps.iter().any(step)
        };
        let reasons = reasons.filter(|reason| !is_told(reason)).cloned().collect();
        Self {
            anchor: ANCHOR,
            verdict: case.outcome.verdict,
            feature: entry.feature.clone(),
            file: entry.file.clone(),
            line: entry.line,
            took: case.records.last().map(|record| seconds(record.at)),
            requirements: entry.requirements.clone(),
            reasons,
            evidence: has_log.then(|| entry.evidence().display().to_string()),
            capture: has_log.then(|| entry.capture().display().to_string()),
            findings: findings(case, &messages),
            steps,
            screens: screens(&case.records),
            faults: faults(&case.records),
            ladder: drawn(&rows),
            messages,
            rules: case.rules.iter().filter_map(rule_row).collect(),
            held: case.rules.iter().filter_map(held).collect(),
            assumed: case.outcome.assumed.clone(),
            console: conversation(&case.records, text_shown, |observation| match observation {
                Observation::Console { direction, text } => Some((*direction, text.clone())),
                _ => None,
            }),
            web: conversation(&case.records, text_shown, |observation| match observation {
                Observation::Web {
                    direction,
                    line,
                    body,
                } => Some((*direction, format!("{line}  {body}"))),
                _ => None,
            }),
        }
    }
}

/// The details with this prefix in place of the mark.
pub(crate) fn placed(details: &str, prefix: &str) -> String {
    details.replace(ANCHOR, prefix)
}

fn case_findings(case: &Case) -> impl Iterator<Item = &Finding> {
    case.rules.iter().flat_map(|rule| &rule.findings)
}

fn drawn(rows: &[Row]) -> String {
    if rows.is_empty() {
        String::new()
    } else {
        ladder::draw(rows, ANCHOR)
    }
}

fn findings(case: &Case, messages: &[MessageView]) -> Vec<CaseFinding> {
    let linked: BTreeSet<u64> = messages.iter().map(|message| message.seq).collect();
    let by_seq: BTreeMap<u64, &Record> = case
        .records
        .iter()
        .map(|it| (it.seq, it.as_ref()))
        .collect();
    let cite = |seq: &u64| Cited {
        seq: *seq,
        what: by_seq.get(seq).map_or_else(String::new, |it| summary(it)),
        linked: linked.contains(seq),
    };
    let view = |finding: &Finding| {
        let (clause, requirement_text) = clause(finding.requirement.as_str());
        CaseFinding {
            requirement: finding.requirement.to_string(),
            text: finding.text.clone(),
            clause,
            requirement_text,
            records: finding.records.iter().map(cite).collect(),
        }
    };
    case_findings(case).map(view).collect()
}

/// A record in a few words.
fn summary(record: &Record) -> String {
    let what = match &record.observation {
        Observation::Screen(screen) => {
            let mut words = vec![screen.title.as_str()];
            words.extend(screen.lines.iter().map(String::as_str));
            words.retain(|word| !word.is_empty());
            format!("display of {}: {}", screen.handset, words.join(" / "))
        }
        Observation::Sip(sip) => {
            let text = String::from_utf8_lossy(&sip.bytes);
            text.lines().next().unwrap_or_default().to_owned()
        }
        Observation::Key { handset, key, .. } => format!("key {key} at {handset}"),
        Observation::Power { change } => power(*change).to_owned(),
        Observation::ScenarioEnd => "the scenario ends".to_owned(),
        Observation::Provisioning { path, status, .. } => format!("{status} for {path}"),
        Observation::Claim { key, value, .. } => format!("claim {key} = {value}"),
        Observation::Console { text, .. }
        | Observation::Fault { text }
        | Observation::Finding { text, .. }
        | Observation::Note { text }
        | Observation::Step { text, .. } => text.clone(),
        Observation::Web { line, .. } => line.clone(),
    };
    format!("{} {what}", seconds(record.at))
}

/// A change of power in words.
pub(super) const fn power(change: PowerChange) -> &'static str {
    match change {
        PowerChange::Ended => "the base shuts down cleanly",
        PowerChange::Off => "the base loses its power",
        PowerChange::On => "the base is switched on",
        PowerChange::Rebooting => "the base reboots",
    }
}

fn steps(records: &[Arc<Record>]) -> Vec<StepRow> {
    let mut rows: Vec<StepRow> = Vec::new();
    for record in records {
        let Observation::Step {
            text,
            outcome,
            reason,
            ..
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
            Some(StepOutcome::NotApplicable) => ("not-applicable", "–"),
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

/// Each handset's idle screen before the first action, its last menu, and its last idle screen, as time goes.
fn screens(records: &[Arc<Record>]) -> Vec<ScreenView> {
    let acts = |record: &&Arc<Record>| {
        matches!(
            &record.observation,
            Observation::Step {
                phase: StepPhase::When,
                ..
            }
        )
    };
    let action = records
        .iter()
        .find(acts)
        .map_or(u64::MAX, |record| record.seq);
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
    for shown in by_handset.into_values() {
        let idle = || shown.iter().filter(|(_, screen)| screen.view == View::Idle);
        let before = idle()
            .rfind(|(record, _)| record.seq < action)
            .or_else(|| idle().next());
        let menu = shown.iter().rfind(|(_, screen)| screen.view == View::Menu);
        let last = idle()
            .next_back()
            .filter(|last| before.is_some_and(|before| before.0.seq != last.0.seq));
        let mut found: Vec<(&'static str, &(&Record, &Screen))> = Vec::new();
        found.extend(before.map(|it| ("idle before", it)));
        found.extend(menu.map(|it| ("last menu", it)));
        found.extend(last.map(|it| ("last idle", it)));
        found.sort_by_key(|(_, (record, _))| record.seq);
        let views_of = found
            .into_iter()
            .map(|(when, (record, screen))| screen_view(when, record, screen));
        views.extend(views_of);
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

fn faults(records: &[Arc<Record>]) -> Vec<String> {
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
        Judgement::NotExercised | Judgement::Pass => return None,
        Judgement::Fail => ("fail".to_owned(), "fail"),
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
    })
}

fn held(rule: &RuleReport) -> Option<String> {
    let held = rule.judgement == Judgement::Pass;
    held.then(|| format!("{} ×{}", rule.requirement, rule.exercised))
}

fn conversation(
    records: &[Arc<Record>],
    shown: usize,
    pick: impl Fn(&Observation) -> Option<(Direction, String)>,
) -> String {
    let mut text = String::new();
    for record in records {
        let Some((direction, line)) = pick(&record.observation) else {
            continue;
        };
        if text.len() > shown {
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
