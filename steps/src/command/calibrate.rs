//! `lockstep calibrate`: what each mutant breaks, as a matrix, and what of it is not as it should be.
//!
//! It prints one line for each mutant, one line of summary, then the complaints and a diff that answers them. Entries of the
//! matrix that nothing needed are told, and are no failure.

use super::UsageError;
use super::run::{cost, now, processor_time};
use crate::calibration::{Calibration, Complaint, Expected, Outcome, Row};
use crate::cli::{CalibrateArgs, MatrixFormat};
use bench::rig::LabKind;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::num::NonZeroUsize;
use std::thread;

/// Calibrates. Gives the exit code: 1 when anything is not as expected.
///
/// # Errors
/// When a mutant, the matrix, a rig or a feature is missing or wrong.
pub fn calibrate(args: &CalibrateArgs, out: &mut impl Write) -> Result<u8, UsageError> {
    let calibration = Calibration::read(args)?;
    let cores = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let (start, worked) = (now(), processor_time());
    let outcome = calibration.run(args.jobs.unwrap_or(cores))?;
    let took = start.elapsed();
    let worked = processor_time().saturating_sub(worked);
    let cases = u32::try_from(outcome.cases()).unwrap_or(u32::MAX);
    let summary = format!(
        "{}; {}",
        summary(&outcome),
        cost(LabKind::Virtual, cases, took, worked)
    );
    let text = match args.format {
        MatrixFormat::Text => in_text(&outcome, &summary),
        MatrixFormat::Json => {
            let value = in_json(&outcome, &summary, took.as_secs_f64());
            serde_json::to_string_pretty(&value).unwrap_or_default() + "\n"
        }
    };
    // A reader that went away does not change what was found.
    let _ = out.write_all(text.as_bytes());
    Ok(u8::from(outcome.complaints.iter().any(Complaint::is_wrong)))
}

fn summary(outcome: &Outcome) -> String {
    let caught = |(row, expected): &&(Row, Expected)| {
        let mut must = expected.must.iter();
        must.all(|id| row.broken.contains_key(id))
    };
    let caught = outcome.mutants.iter().filter(caught).count();
    let all = outcome.mutants.len();
    let wrong = outcome.complaints.iter().filter(|it| it.is_wrong()).count();
    let unneeded = outcome.complaints.len() - wrong;
    format!(
        "{caught} of {all} mutants caught, {wrong} complaints, {unneeded} entries of the matrix not needed"
    )
}

fn in_text(outcome: &Outcome, summary: &str) -> String {
    let names = outcome.mutants.iter().map(|(row, _)| row.name.len());
    let width = names.max().unwrap_or_default().max("mutant".len());
    let mut text = format!(
        "{:<width$}  cases  must, then may: cases that broke it\n",
        "mutant"
    );
    for (row, expected) in &outcome.mutants {
        let mut line = format!("{:<width$}  {:>5} ", row.name, row.cases);
        for id in &expected.must {
            let times = row.broken.get(id).copied().unwrap_or_default();
            let mark = if times == 0 { " SURVIVES" } else { "" };
            let _ = write!(line, " {id}×{times}{mark}");
        }
        line.push_str(" |");
        for (id, times) in &row.broken {
            if !expected.must.contains(id) {
                let mark = if expected.allows(id) {
                    ""
                } else {
                    " UNEXPECTED"
                };
                let _ = write!(line, " {id}×{times}{mark}");
            }
        }
        let _ = writeln!(text, "{}", line.trim_end_matches(" |"));
    }
    let _ = writeln!(text, "\n{summary}");
    for complaint in &outcome.complaints {
        let _ = writeln!(text, "{complaint}");
    }
    if !outcome.diff.is_empty() {
        let _ = write!(text, "\n{}", outcome.diff);
    }
    text
}

fn in_json(outcome: &Outcome, summary: &str, seconds: f64) -> Value {
    let good = outcome
        .good
        .iter()
        .map(|row| json!({ "model": row.name, "cases": row.cases, "not_passed": row.not_passed }));
    let mutants = outcome.mutants.iter().map(|(row, expected)| {
        let times = |id: &String| (id.clone(), row.broken.get(id).copied().unwrap_or_default());
        let must: BTreeMap<String, usize> = expected.must.iter().map(times).collect();
        let may: BTreeMap<String, usize> = expected.may.iter().map(times).collect();
        let others = row.broken.iter().filter(|(id, _)| !expected.allows(id));
        let unexpected: BTreeMap<&String, &usize> = others.collect();
        json!({
            "mutant": row.name, "model": row.model, "cases": row.cases, "errors": row.errors,
            "must": must, "may": may, "unexpected": unexpected,
        })
    });
    let complaints = outcome.complaints.iter().map(|complaint| {
        json!({ "kind": complaint.kind(), "mutant": complaint.mutant(), "text": complaint.to_string() })
    });
    json!({
        "good": good.collect::<Vec<_>>(),
        "mutants": mutants.collect::<Vec<_>>(),
        "complaints": complaints.collect::<Vec<_>>(),
        "diff": outcome.diff,
        "cases": outcome.cases(),
        "seconds": seconds,
        "summary": summary,
    })
}
