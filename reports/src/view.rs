//! What the HTML page shows, as plain values for its template.
//!
//! It chooses and words; it judges nothing. What did not pass stands first, in the order of the plan.

mod body;
mod case;
mod sip;

use crate::fold::{Case, Run};
use crate::index::CaseEntry;
use case::CaseView;
use evidence::catalogue::{Catalogue, Status};
use evidence::monitor::{Finding, RuleReport};
use evidence::record::{ClaimStatus, Observation};
use evidence::verdict::{self, Verdict};
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Serialize)]
pub(crate) struct RunView {
    pub(crate) run: Head,
    pub(crate) tiles: Vec<Tile>,
    pub(crate) findings: Vec<FindingRow>,
    pub(crate) cases: Vec<CaseView>,
    pub(crate) requirements: Vec<RequirementRow>,
    pub(crate) unexercised: Vec<RequirementRow>,
    pub(crate) planned: usize,
    pub(crate) claims: Vec<ClaimTable>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Head {
    name: String,
    verdict: Verdict,
    started: String,
    seed: u64,
    rigs: Vec<String>,
    dialects: Vec<String>,
    faces: Vec<String>,
    plan: String,
    idle: Vec<String>,
    lockstep: String,
    mutant: Option<String>,
    complete: bool,
    cases: usize,
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
    scenario: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct RequirementRow {
    id: String,
    verdict: Verdict,
    judgement: &'static str,
    exercised: u64,
    cases: usize,
    failed: Vec<String>,
    text: String,
    clause: String,
}

/// Assumptions about the base, or about the server.
#[derive(Debug, Serialize)]
pub(crate) struct ClaimTable {
    about: &'static str,
    rows: Vec<ClaimRow>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ClaimRow {
    key: String,
    value: String,
    source: String,
    verdicts: usize,
}

impl RunView {
    pub(crate) fn new(run: &Run) -> Self {
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for case in &run.cases {
            *counts.entry(case.outcome.verdict).or_default() += 1;
        }
        let every = |of: fn(&CaseEntry) -> &str| -> Vec<String> {
            let all = run.cases.iter().map(|case| of(&case.entry));
            let distinct: BTreeSet<&str> = all.filter(|name| !name.is_empty()).collect();
            distinct.into_iter().map(str::to_owned).collect()
        };
        let mut order: Vec<(usize, &Case)> = run.cases.iter().enumerate().collect();
        order.sort_by_key(|(_, case)| Reverse(case.outcome.verdict));
        let (requirements, unexercised) = requirement_rows(run)
            .into_iter()
            .partition(|row| row.exercised > 0 || row.verdict == Verdict::Fail);
        let catalogue = Catalogue::embedded();
        Self {
            run: Head {
                name: run.index.run.clone(),
                verdict: run.verdict(),
                started: utc(run.index.started),
                seed: run.index.seed,
                rigs: every(|entry| entry.rig.as_str()),
                dialects: every(|entry| &entry.dialect),
                faces: every(|entry| &entry.face),
                plan: run.index.selected.plan.clone(),
                idle: run.idle(),
                lockstep: run.index.lockstep.clone(),
                mutant: run.index.mutant.clone(),
                complete: run.index.ended.is_some(),
                cases: run.cases.len(),
            },
            tiles: counts
                .into_iter()
                .rev()
                .map(|(verdict, count)| Tile { verdict, count })
                .collect(),
            findings: finding_rows(run),
            cases: order
                .into_iter()
                .map(|(at, case)| CaseView::new(at, case))
                .collect(),
            requirements,
            unexercised,
            planned: catalogue
                .iter()
                .filter(|row| row.status == Status::Planned)
                .count(),
            claims: claim_tables(run),
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
            case: case.entry.id.to_string(),
            scenario: case.entry.scenario.clone(),
        })
        .collect()
}

fn case_findings(case: &Case) -> impl Iterator<Item = &Finding> {
    case.rules.iter().flat_map(|rule| &rule.findings)
}

/// Source and text of a requirement.
fn clause(id: &str) -> (String, String) {
    let row = Catalogue::embedded().requirement(id);
    row.map(|row| (row.source.replace("dagger", "†"), row.text.clone()))
        .unwrap_or_default()
}

/// The cases that say something about the base: what a broken rig observed convicts nobody, and acquits nobody either.
fn judged(run: &Run) -> impl Iterator<Item = &Case> {
    let cases = run.cases.iter();
    cases.filter(|case| case.outcome.verdict != Verdict::Error)
}

/// What failed comes first.
fn requirement_rows(run: &Run) -> Vec<RequirementRow> {
    let verdicts = verdict::requirements(judged(run).flat_map(|case| &case.rules));
    let mut rows: Vec<RequirementRow> = verdicts
        .into_iter()
        .map(|(id, verdict)| requirement_row(run, id.as_str(), verdict))
        .collect();
    rows.sort_by_key(|row| row.verdict != Verdict::Fail);
    rows
}

fn requirement_row(run: &Run, id: &str, verdict: Verdict) -> RequirementRow {
    let of = |case: &Case| -> Option<RuleReport> {
        let rule = case
            .rules
            .iter()
            .find(|rule| rule.requirement.as_str() == id);
        rule.cloned()
    };
    let reports: Vec<(&Case, RuleReport)> = judged(run)
        .filter_map(|case| of(case).map(|rule| (case, rule)))
        .collect();
    let exercised = || reports.iter().filter(|(_, rule)| rule.exercised > 0);
    let (clause, text) = clause(id);
    RequirementRow {
        id: id.to_owned(),
        verdict,
        judgement: match verdict {
            Verdict::Pass => "pass",
            Verdict::Fail => "fail",
            _ => "not exercised",
        },
        exercised: exercised().map(|(_, rule)| rule.exercised).sum(),
        cases: exercised().count(),
        failed: reports
            .iter()
            .filter(|(_, rule)| !rule.findings.is_empty())
            .map(|(case, _)| case.entry.id.to_string())
            .collect(),
        text,
        clause,
    }
}

/// Everything in the evidence that is only assumed, and how many verdicts rest on each.
fn claim_tables(run: &Run) -> Vec<ClaimTable> {
    let records = run.cases.iter().flat_map(|case| &case.records);
    let assumed: BTreeSet<[&str; 3]> = records
        .filter_map(|record| match &record.observation {
            Observation::Claim {
                key,
                value,
                status: ClaimStatus::Assumed,
                source,
            } => Some([key.as_str(), value.as_str(), source.as_str()]),
            _ => None,
        })
        .collect();
    let mut resting: BTreeMap<&str, usize> = BTreeMap::new();
    for key in run.cases.iter().flat_map(|case| &case.outcome.assumed) {
        *resting.entry(key).or_default() += 1;
    }
    let rows = assumed.into_iter().map(|[key, value, source]| ClaimRow {
        key: key.to_owned(),
        value: value.to_owned(),
        source: source.to_owned(),
        verdicts: resting.get(key).copied().unwrap_or_default(),
    });
    let (server, base): (Vec<ClaimRow>, Vec<ClaimRow>) =
        rows.partition(|row| row.key.starts_with("dialect."));
    [("base", base), ("server", server)]
        .into_iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(about, rows)| ClaimTable { about, rows })
        .collect()
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
    use std::path::Path;

    #[test]
    fn a_case_that_the_rig_broke_judges_no_requirement() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
        let mut run = Run::load(&folder).unwrap();
        let failed = |run: &Run| -> Vec<String> {
            let rows = requirement_rows(run).into_iter();
            rows.flat_map(|row| row.failed).collect()
        };
        let exercised = |run: &Run| -> u64 {
            let rows = requirement_rows(run).into_iter();
            rows.map(|row| row.exercised).sum()
        };
        assert!(!failed(&run).is_empty());
        for case in &mut run.cases {
            case.outcome.verdict = Verdict::Error;
        }
        assert!(failed(&run).is_empty());
        assert_eq!(exercised(&run), 0);
    }

    #[test]
    fn dates_are_written_as_people_write_them() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_230_000), "2026-11-21 03:00:00 UTC");
    }
}
