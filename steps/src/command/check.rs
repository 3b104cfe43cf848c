//! `lockstep check`: the monitor over a capture or an evidence log that others have made.
//!
//! It prints a finding as soon as it is established, so that it can follow a pipe for days, and at the end what each rule
//! came to. What cannot be judged without more than SIP is named, never passed.

use super::UsageError;
use crate::cli::{CheckArgs, CheckFormat};
use bench::second_reader::disagreement;
use evidence::check::{self, CheckError, Event, Kind, Options, Summary};
use evidence::monitor::{Finding, Judgement, Limits, RuleReport};
use evidence::record::Unit;
use serde_json::json;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How the User-Agent of a base begins: that of the models does, too.
const AGENTS: [&str; 1] = ["Gigaset"];
/// The word for standard input.
const STDIN: &str = "-";
/// A second in microseconds.
const SECOND: u64 = 1_000_000;

/// Checks what the arguments name, and gives the exit code: 0 when nothing is wrong, 1 when a base is, 3 when two readers
/// of SIP differ, 4 when nothing was judged.
///
/// # Errors
/// When it cannot be read, is neither a capture nor an evidence log, or it is not clear who the base is.
pub fn check(args: &CheckArgs, out: impl Write) -> Result<u8, UsageError> {
    let reader: Box<dyn Read> = if args.capture.as_os_str() == STDIN {
        Box::new(io::stdin().lock())
    } else {
        let file = File::open(&args.capture).map_err(|source| UsageError::Unreadable {
            what: "capture",
            path: args.capture.clone(),
            source,
        })?;
        Box::new(file)
    };
    let options = Options {
        bases: args.bases.clone(),
        agents: AGENTS.map(str::to_owned).to_vec(),
        limits: Limits {
            accounts: args.accounts,
        },
    };
    let begun = now();
    let mut printer = Printer {
        out,
        path: &args.capture,
        format: args.format,
        gone: false,
    };
    let mut differently = 0_u64;
    let summary = check::check(reader, &args.capture, &options, |event| match event {
        Event::Base { base, agent } => printer.base(&base.to_string(), agent),
        Event::Message { place, sip } => {
            if args.second_reader
                && let Some(readings) = disagreement(sip)
            {
                differently += 1;
                printer.readings(place, &readings);
            }
        }
        Event::Finding {
            unit,
            finding,
            places,
            wall,
        } => printer.finding(unit, finding, places, wall),
    });
    let summary = summary.map_err(|source| unusable(&args.capture, source))?;
    printer.summary(&summary, begun.elapsed());
    let judged = |report: &RuleReport| report.judgement == Judgement::Pass;
    Ok(if summary.findings > 0 {
        1
    } else if differently > 0 {
        3
    } else if summary.reports.iter().any(judged) {
        0
    } else {
        4
    })
}

fn unusable(path: &Path, source: CheckError) -> UsageError {
    UsageError::Capture {
        path: PathBuf::from(path),
        source,
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "how fast it was is printed; no verdict depends on it"
)]
fn now() -> Instant {
    Instant::now()
}

/// Prints as it goes. A reader that went away is no error, but the exit code is still worth the rest.
struct Printer<'a, W> {
    out: W,
    path: &'a Path,
    format: CheckFormat,
    gone: bool,
}

impl<W: Write> Printer<'_, W> {
    fn show(&mut self, line: &str) {
        if !self.gone {
            let shown = writeln!(self.out, "{line}").and_then(|()| self.out.flush());
            self.gone = shown.is_err();
        }
    }

    fn base(&mut self, base: &str, agent: &str) {
        match self.format {
            CheckFormat::Json => {
                let found = json!({ "event": "base", "base": base, "user-agent": agent });
                self.show(&found.to_string());
            }
            CheckFormat::Text => {
                let path = self.path.display();
                self.show(&format!(
                    "{path}: the base is {base}, found by its User-Agent {agent}"
                ));
            }
        }
    }

    fn readings(&mut self, place: u64, readings: &str) {
        match self.format {
            CheckFormat::Json => {
                let told = json!({ "event": "readings", "place": place, "text": readings });
                self.show(&told.to_string());
            }
            CheckFormat::Text => self.show(&format!("two readers differ [{place}]: {readings}")),
        }
    }

    fn finding(&mut self, unit: &Unit, finding: &Finding, places: &[u64], wall: Option<u64>) {
        match self.format {
            CheckFormat::Json => {
                let found = json!({
                    "event": "finding",
                    "unit": unit,
                    "requirement": finding.requirement,
                    "text": finding.text,
                    "places": places,
                    "at": finding.at,
                    "wall": wall,
                });
                self.show(&found.to_string());
            }
            CheckFormat::Text => {
                let numbers: Vec<String> = places.iter().map(u64::to_string).collect();
                let numbers = numbers.join(", ");
                let (seconds, rest) = (finding.at / SECOND, finding.at % SECOND);
                let requirement = &finding.requirement;
                let text = &finding.text;
                self.show(&format!(
                    "{requirement} {unit} [{numbers}] {seconds}.{rest:06} s: {text}"
                ));
            }
        }
    }

    fn summary(&mut self, summary: &Summary, took: Duration) {
        match self.format {
            CheckFormat::Json => self.show(&in_json(summary).to_string()),
            CheckFormat::Text => {
                for line in in_text(summary, took) {
                    self.show(&line);
                }
            }
        }
    }
}

/// The requirements whose rules came to something, with how often they were exercised.
fn rules(summary: &Summary, is: impl Fn(&RuleReport) -> bool) -> impl Iterator<Item = &RuleReport> {
    summary.reports.iter().filter(move |report| is(report))
}

fn ids<'a>(reports: impl Iterator<Item = &'a RuleReport>) -> Vec<String> {
    reports
        .map(|report| report.requirement.to_string())
        .collect()
}

fn in_text(summary: &Summary, took: Duration) -> Vec<String> {
    let mut lines = Vec::new();
    let groups = [
        ("fail", Judgement::Fail),
        ("pass", Judgement::Pass),
        ("not exercised", Judgement::NotExercised),
    ];
    for (word, judgement) in groups {
        let ids = ids(rules(summary, |report| report.judgement == judgement));
        if !ids.is_empty() {
            lines.push(format!("{word}: {}", ids.join(" ")));
        }
    }
    let mut needed: Vec<Vec<&str>> = Vec::new();
    for report in &summary.reports {
        let needs = needs(report);
        if !needs.is_empty() && !needed.contains(&needs) {
            needed.push(needs);
        }
    }
    for wanted in needed {
        let ids = ids(rules(summary, |report| needs(report) == wanted));
        let wanted = wanted.join(", ");
        lines.push(format!("not judged: {}: needs {wanted}", ids.join(" ")));
    }
    lines.extend(notes(summary));
    let (container, of) = match summary.kind {
        Kind::Capture => ("packets", "capture"),
        Kind::Evidence => ("records", "evidence log"),
    };
    let megabytes = summary.bytes as f64 / 1e6;
    let seconds = took.as_secs_f64().max(1e-6);
    lines.push(format!(
        "{} messages in {} {container} of the {of}, {} findings; {megabytes:.1} MB, {:.1} MB/s, {:.0} messages/s",
        summary.messages,
        summary.packets,
        summary.findings,
        megabytes / seconds,
        summary.messages as f64 / seconds
    ));
    lines
}

fn needs(report: &RuleReport) -> Vec<&'static str> {
    match &report.judgement {
        Judgement::NotJudged { needs } => needs.iter().map(|need| need.as_str()).collect(),
        _ => Vec::new(),
    }
}

/// What a reader of the result has to know besides.
fn notes(summary: &Summary) -> Vec<String> {
    let mut notes = Vec::new();
    let forgotten = summary.forgotten;
    let counts = [
        (
            summary.evicted,
            "accounts with their dialogs evicted: there were more than --accounts",
        ),
        (
            forgotten.streams,
            "TCP streams given up in the middle of a message",
        ),
        (
            forgotten.fragments,
            "datagrams given up that lacked a fragment",
        ),
        (forgotten.unread, "packets that could not be taken apart"),
        (summary.unreadable, "messages that could not be read as SIP"),
    ];
    for (count, what) in counts {
        if count > 0 {
            notes.push(format!("note: {count} {what}"));
        }
    }
    if summary.cut_short {
        notes.push("note: it ends in the middle, and was read as far as it goes".to_owned());
    }
    for (base, agent) in &summary.late {
        notes.push(format!(
            "note: {base} speaks like a base, too ({agent}), and was not judged: name it with --base"
        ));
    }
    notes
}

fn in_json(summary: &Summary) -> serde_json::Value {
    let rules: Vec<_> = summary
        .reports
        .iter()
        .map(|report| {
            let judgement = match &report.judgement {
                Judgement::Fail => "fail",
                Judgement::NotExercised => "not-exercised",
                Judgement::NotJudged { .. } => "not-judged",
                Judgement::Pass => "pass",
            };
            json!({
                "requirement": report.requirement,
                "judgement": judgement,
                "needs": needs(report),
                "exercised": report.exercised,
            })
        })
        .collect();
    let bases: Vec<String> = summary.bases.iter().map(ToString::to_string).collect();
    json!({
        "event": "summary",
        "bases": bases,
        "rules": rules,
        "messages": summary.messages,
        "unreadable": summary.unreadable,
        "findings": summary.findings,
        "packets": summary.packets,
        "bytes": summary.bytes,
        "evicted": summary.evicted,
        "streams_given_up": summary.forgotten.streams,
        "datagrams_given_up": summary.forgotten.fragments,
        "packets_unread": summary.forgotten.unread,
        "cut_short": summary.cut_short,
        "late": summary.late.iter().map(|(base, _)| base.to_string()).collect::<Vec<_>>(),
    })
}
