//! The cases of a run in their groups: one a feature, with a matrix of its scenarios by device and dialect.
//!
//! What did not pass stands first: the worst feature, and the worst case in it; else the order is that of the plan. Where
//! the details of a case stand follows from its verdict: what did not pass is plain in the page, up to a limit; the rest is
//! compressed, in blocks of a few cases.

use crate::run::Run;
use crate::sheet::Sheet;
use evidence::verdict::Verdict;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

/// How many cases that did not pass have their details plain in the page: our choice, some megabytes at most. When
/// everything fails, nobody reads more of them without a script.
const PLAIN: usize = 50;
/// How many cases share a block: our choice, so that one is unpacked in a blink.
const IN_BLOCK: usize = 32;

/// A feature and its cases, the worst first.
#[derive(Debug)]
pub(crate) struct Feature<'a> {
    worst: Verdict,
    pub(crate) cases: Vec<Placed<'a>>,
}

/// A case and where its details stand.
#[derive(Debug)]
pub(crate) struct Placed<'a> {
    at: usize,
    pub(crate) sheet: &'a Sheet,
    pub(crate) details: Details,
}

/// Where the details of a case stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Details {
    /// In the page, for a reader without a script.
    Plain,
    /// In this block, at this place.
    Packed { block: usize, place: usize },
}

impl<'a> Feature<'a> {
    /// All features of a run, in the order of the page.
    pub(crate) fn all(run: &'a Run) -> Vec<Self> {
        let mut bad: Vec<(usize, &Sheet)> = run.placed().filter(|(_, it)| is_bad(it)).collect();
        bad.sort_by_key(|(_, sheet)| Reverse(sheet.verdict));
        let plain: BTreeSet<usize> = bad.iter().take(PLAIN).map(|(at, _)| *at).collect();
        let mut features: Vec<Self> = Vec::new();
        let mut known: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for (at, sheet) in run.placed() {
            let key = (sheet.entry.file.as_str(), sheet.entry.feature.as_str());
            let place = *known.entry(key).or_insert(features.len());
            if place == features.len() {
                features.push(Self {
                    worst: sheet.verdict,
                    cases: Vec::new(),
                });
            }
            let feature = &mut features[place];
            feature.worst = feature.worst.max(sheet.verdict);
            feature.cases.push(Placed {
                at,
                sheet,
                details: Details::Plain,
            });
        }
        features.sort_by_key(|feature| Reverse(rank(feature.worst)));
        let mut block = 0;
        for feature in &mut features {
            feature
                .cases
                .sort_by_key(|case| Reverse(rank(case.sheet.verdict)));
            let packed = feature.cases.iter_mut();
            let packed = packed.filter(|case| !plain.contains(&case.at));
            let mut held = 0;
            for case in packed {
                case.details = Details::Packed {
                    block: block + held / IN_BLOCK,
                    place: held % IN_BLOCK,
                };
                held += 1;
            }
            block += held.div_ceil(IN_BLOCK);
        }
        features
    }
}

/// What a reader has to look at.
fn is_bad(sheet: &Sheet) -> bool {
    rank(sheet.verdict).is_some()
}

/// How bad, and nothing for what is as it should be: those cases stand in the order of the plan.
fn rank(verdict: Verdict) -> Option<Verdict> {
    let fine = matches!(verdict, Verdict::Pass | Verdict::NotApplicable);
    (!fine).then_some(verdict)
}

/// A feature as its template shows it.
#[derive(Debug, Serialize)]
pub(crate) struct FeatureView<'a> {
    name: &'a str,
    file: &'a str,
    open: bool,
    counts: Vec<Count>,
    devices: Vec<Device<'a>>,
    dialects: Vec<&'a str>,
    scenarios: Vec<Scenario<'a>>,
    cases: Vec<Row<'a>>,
}

#[derive(Debug, Serialize)]
struct Count {
    verdict: Verdict,
    count: usize,
}

/// A device and how many columns it has.
#[derive(Debug, Serialize)]
struct Device<'a> {
    name: &'a str,
    dialects: usize,
}

#[derive(Debug, Serialize)]
struct Scenario<'a> {
    id: &'a str,
    name: &'a str,
    cells: Vec<Vec<Mark<'a>>>,
}

/// A case in a cell of the matrix.
#[derive(Debug, Serialize)]
struct Mark<'a> {
    case: &'a str,
    verdict: Verdict,
    sign: &'static str,
    on: String,
}

#[derive(Debug, Serialize)]
struct Row<'a> {
    id: &'a str,
    at: usize,
    verdict: Verdict,
    scenario: &'a str,
    place: String,
    requirements: String,
    packed: Option<String>,
    /// Escaped.
    details: Option<String>,
    /// What stands in place of details that are compressed.
    reason: Option<&'a str>,
}

impl<'a> FeatureView<'a> {
    pub(crate) fn new(feature: &Feature<'a>) -> Self {
        let sheets = || feature.cases.iter().map(|case| case.sheet);
        let mut counts: BTreeMap<Verdict, usize> = BTreeMap::new();
        let mut columns: BTreeSet<(&str, &str)> = BTreeSet::new();
        for sheet in sheets() {
            *counts.entry(sheet.verdict).or_default() += 1;
            columns.insert(column(sheet));
        }
        let mut devices: Vec<Device<'_>> = Vec::new();
        for (name, _) in &columns {
            match devices.last_mut() {
                Some(last) if last.name == *name => last.dialects += 1,
                _ => devices.push(Device { name, dialects: 1 }),
            }
        }
        let entry = sheets().next().map(|sheet| &sheet.entry);
        Self {
            name: entry.map_or("", |entry| &entry.feature),
            file: entry.map_or("", |entry| &entry.file),
            open: feature.worst > Verdict::NotRun,
            counts: counts
                .into_iter()
                .rev()
                .map(|(verdict, count)| Count { verdict, count })
                .collect(),
            devices,
            dialects: columns.iter().map(|(_, dialect)| *dialect).collect(),
            scenarios: scenarios(feature, &columns),
            cases: feature.cases.iter().map(Row::new).collect(),
        }
    }
}

fn column(sheet: &Sheet) -> (&str, &str) {
    (sheet.entry.rig.as_str(), &sheet.entry.dialect)
}

/// The rows of the matrix, in the order of the plan.
fn scenarios<'a>(
    feature: &Feature<'a>,
    columns: &BTreeSet<(&'a str, &'a str)>,
) -> Vec<Scenario<'a>> {
    let mut in_plan: Vec<&Placed<'a>> = feature.cases.iter().collect();
    in_plan.sort_by_key(|case| case.at);
    let places: BTreeMap<_, _> = columns.iter().zip(0..).collect();
    let mut rows: Vec<Scenario<'a>> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for case in in_plan {
        let entry = &case.sheet.entry;
        let id = entry.scenario_id.as_str();
        let place = *known.entry(id).or_insert(rows.len());
        if place == rows.len() {
            rows.push(Scenario {
                id,
                name: &entry.scenario,
                cells: columns.iter().map(|_| Vec::new()).collect(),
            });
        }
        let cell: usize = places[&column(case.sheet)];
        rows[place].cells[cell].push(Mark {
            case: entry.id.as_str(),
            verdict: case.sheet.verdict,
            sign: sign(case.sheet.verdict),
            on: joined(&[&entry.face, &entry.lab]),
        });
    }
    rows
}

const fn sign(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Error => "!",
        Verdict::Fail => "✗",
        Verdict::Inconclusive => "?",
        Verdict::NotApplicable => "–",
        Verdict::NotRun => "·",
        Verdict::Pass => "✓",
        Verdict::Waived => "w",
    }
}

impl<'a> Row<'a> {
    fn new(case: &Placed<'a>) -> Self {
        let (sheet, entry) = (case.sheet, &case.sheet.entry);
        let (packed, details) = match case.details {
            Details::Plain => {
                let details = sheet.details.text();
                (
                    None,
                    Some(super::placed(&details, &format!("c{}m", case.at))),
                )
            }
            Details::Packed { block, place } => (Some(format!("{block}.{place}")), None),
        };
        let is_packed = packed.is_some() && is_bad(sheet);
        Self {
            id: entry.id.as_str(),
            at: case.at,
            verdict: sheet.verdict,
            scenario: &entry.scenario,
            place: joined(&[
                entry.scenario_id.as_str(),
                entry.rig.as_str(),
                &entry.face,
                &entry.dialect,
                &entry.lab,
            ]),
            requirements: entry.requirements.join(" "),
            packed,
            details,
            reason: sheet
                .reasons
                .first()
                .filter(|_| is_packed)
                .map(String::as_str),
        }
    }
}

fn joined(words: &[&str]) -> String {
    let words: Vec<&str> = words.iter().copied().filter(|it| !it.is_empty()).collect();
    words.join(" · ")
}
