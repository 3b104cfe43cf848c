//! What the HTML page shows, as plain values for its templates.
//!
//! It chooses and words; it judges nothing. What stands for the whole run is here; `features` has the cases in their groups,
//! `case` the details of one.

mod body;
mod case;
mod features;
mod sip;

pub(crate) use case::{CaseView, placed};
pub(crate) use features::{Details, Feature, FeatureView};

use crate::index::CaseEntry;
use crate::run::{Run, Tally};
use crate::sheet::Sheet;
use evidence::catalogue::{Catalogue, RequirementId, Status};
use evidence::verdict::Verdict;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How many findings are listed, and how many failed cases of a requirement: our choice; all of them are with their cases.
const LISTED: usize = 200;

/// What stands above the features.
#[derive(Debug, Serialize)]
pub(crate) struct TopView {
    run: Head,
    tiles: Vec<Tile>,
    findings: Vec<FindingRow>,
    more_findings: usize,
}

/// What stands below them.
#[derive(Debug, Serialize)]
pub(crate) struct BottomView {
    name: String,
    requirements: Vec<RequirementRow>,
    unexercised: Vec<RequirementRow>,
    planned: usize,
    claims: Vec<ClaimTable>,
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
    more_failed: usize,
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

impl TopView {
    pub(crate) fn new(run: &Run) -> Self {
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        for sheet in run.sheets() {
            *counts.entry(sheet.verdict).or_default() += 1;
        }
        let every = |of: fn(&CaseEntry) -> &str| -> Vec<String> {
            let all = run.sheets().map(|sheet| of(&sheet.entry));
            let distinct: BTreeSet<&str> = all.filter(|name| !name.is_empty()).collect();
            distinct.into_iter().map(str::to_owned).collect()
        };
        let findings: usize = run.sheets().map(|sheet| sheet.findings.len()).sum();
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
                cases: run.sheets().count(),
            },
            tiles: counts
                .into_iter()
                .rev()
                .map(|(verdict, count)| Tile { verdict, count })
                .collect(),
            findings: run.sheets().flat_map(finding_rows).take(LISTED).collect(),
            more_findings: findings.saturating_sub(LISTED),
        }
    }
}

impl BottomView {
    pub(crate) fn new(run: &Run) -> Self {
        let (requirements, unexercised) = requirement_rows(run)
            .into_iter()
            .partition(|row| row.exercised > 0 || row.verdict == Verdict::Fail);
        let catalogue = Catalogue::embedded();
        Self {
            name: run.index.run.clone(),
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

fn finding_rows(sheet: &Sheet) -> impl Iterator<Item = FindingRow> {
    sheet.findings.iter().map(|finding| FindingRow {
        requirement: finding.requirement.to_string(),
        clause: clause(finding.requirement.as_str()).0,
        text: finding.text.clone(),
        case: sheet.entry.id.to_string(),
        scenario: sheet.entry.scenario.clone(),
    })
}

/// Source and text of a requirement.
fn clause(id: &str) -> (String, String) {
    let row = Catalogue::embedded().requirement(id);
    row.map(|row| (row.source.replace("dagger", "†"), row.text.clone()))
        .unwrap_or_default()
}

/// What failed comes first.
fn requirement_rows(run: &Run) -> Vec<RequirementRow> {
    let mut failed: BTreeMap<&RequirementId, BTreeSet<usize>> = BTreeMap::new();
    // What a broken rig observed convicts nobody, and acquits nobody either.
    let judged = run
        .placed()
        .filter(|(_, sheet)| sheet.verdict != Verdict::Error);
    for (at, sheet) in judged {
        for finding in &sheet.findings {
            failed.entry(&finding.requirement).or_default().insert(at);
        }
    }
    let name = |at: &usize| run.index.cases[*at].id.to_string();
    let row = |(id, tally): (&RequirementId, &Tally)| {
        let (clause, text) = clause(id.as_str());
        let failed = failed.remove(id).unwrap_or_default();
        RequirementRow {
            id: id.to_string(),
            verdict: tally.verdict,
            judgement: match tally.verdict {
                Verdict::Pass => "pass",
                Verdict::Fail => "fail",
                _ => "not exercised",
            },
            exercised: tally.exercised,
            cases: tally.cases,
            failed: failed.iter().take(LISTED).map(name).collect(),
            more_failed: failed.len().saturating_sub(LISTED),
            text,
            clause,
        }
    };
    let mut rows: Vec<RequirementRow> = run.tallies.iter().map(row).collect();
    rows.sort_by_key(|row| row.verdict != Verdict::Fail);
    rows
}

/// Everything in the evidence that is only assumed, and how many verdicts rest on each.
fn claim_tables(run: &Run) -> Vec<ClaimTable> {
    let rows = run.assumed.iter().map(|assumed| ClaimRow {
        key: assumed.key.clone(),
        value: assumed.value.clone(),
        source: assumed.source.clone(),
        verdicts: run.resting.get(&assumed.key).copied().unwrap_or_default(),
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
    use crate::fold::Case;
    use crate::sheet::Sheet;
    use std::path::Path;

    #[test]
    fn a_case_that_the_rig_broke_judges_no_requirement() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/run");
        let failed = |run: &Run| -> Vec<String> {
            let rows = requirement_rows(run).into_iter();
            rows.flat_map(|row| row.failed).collect()
        };
        let exercised = |run: &Run| -> u64 {
            let rows = requirement_rows(run).into_iter();
            rows.map(|row| row.exercised).sum()
        };
        let whole = Run::load(&folder).unwrap();
        assert!(!failed(&whole).is_empty());
        let mut broken = Run::new(&folder, whole.index.clone());
        for entry in &whole.index.cases {
            let mut case = Case::load(&folder, entry);
            case.outcome.verdict = Verdict::Error;
            broken.add(Sheet::of(&case));
        }
        assert!(failed(&broken).is_empty());
        assert_eq!(exercised(&broken), 0);
    }

    #[test]
    fn dates_are_written_as_people_write_them() {
        assert_eq!(utc(0), "1970-01-01 00:00:00 UTC");
        assert_eq!(utc(951_782_399), "2000-02-28 23:59:59 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00:00 UTC");
        assert_eq!(utc(1_795_230_000), "2026-11-21 03:00:00 UTC");
    }
}
