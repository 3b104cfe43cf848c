//! `lockstep list`: what would run, what does not apply and why, and how many cases there are.

use super::UsageError;
use crate::cli::{ListArgs, ListFormat};
use crate::plan::{Case, Decision, Plan};
use crate::suite::entry_of;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// The list, as text or JSON.
///
/// # Errors
/// When features or rigs cannot be read.
pub fn list(args: &ListArgs) -> Result<String, UsageError> {
    let rigs = super::rigs(&args.select)?;
    let dialects = super::dialects(&rigs)?;
    let plan = super::plan(&args.select, &rigs, &dialects)?;
    Ok(match args.format {
        ListFormat::Json => {
            serde_json::to_string_pretty(&in_json(&plan)).unwrap_or_default() + "\n"
        }
        ListFormat::Text => in_text(&plan),
    })
}

fn running(plan: &Plan) -> impl Iterator<Item = &Case> {
    let cases = plan.cases.iter();
    cases.filter(|case| case.decision == Decision::Run)
}

fn in_json(plan: &Plan) -> Value {
    let entries: Vec<_> = running(plan).map(entry_of).collect();
    let unfit: Vec<_> = plan.not_applicable.iter().map(entry_of).collect();
    json!({ "counts": plan.counts.to_json(), "cases": entries, "not_applicable": unfit })
}

fn in_text(plan: &Plan) -> String {
    let mut text: String = running(plan)
        .chain(&plan.not_applicable)
        .map(line)
        .collect();
    let counts = &plan.counts;
    let _ = write!(text, "\n{counts}\n");
    let _ = writeln!(
        text,
        "{} cases of {} possible",
        counts.all.chosen, counts.all.possible
    );
    text
}

fn line(case: &Case) -> String {
    let scenario = &case.scenario;
    let requirements = scenario.facts.requirements.join(" ");
    let (id, name) = (&case.id, &scenario.name);
    let (path, line) = (scenario.path.display(), scenario.line);
    let why = match &case.decision {
        Decision::Run => String::new(),
        Decision::NotApplicable(why) => format!("  (not applicable: {why})"),
    };
    format!("{id:<44} {name}  [{requirements}]  {path}:{line}{why}\n")
}
