//! `lockstep list`: what would run.

use super::UsageError;
use crate::cli::{ListArgs, ListFormat};
use crate::plan::{Case, Decision};
use crate::suite::entry_of;
use std::fmt::Write as _;

/// The list, as text or JSON.
///
/// # Errors
/// When features or rigs cannot be read.
pub fn list(args: &ListArgs) -> Result<String, UsageError> {
    let rigs = super::rigs(&args.select)?;
    let plan = super::plan(&args.select, &rigs)?;
    Ok(match args.format {
        ListFormat::Json => {
            let entries: Vec<_> = plan.cases.iter().map(entry_of).collect();
            serde_json::to_string_pretty(&entries).unwrap_or_default() + "\n"
        }
        ListFormat::Text => {
            let mut text: String = plan.cases.iter().map(line).collect();
            let _ = writeln!(text, "{} cases", plan.cases.len());
            text
        }
    })
}

fn line(case: &Case) -> String {
    let requirements = case.requirements.join(" ");
    let (id, name) = (case.id(), &case.scenario);
    let (path, line) = (case.path.display(), case.line);
    let why = match &case.decision {
        Decision::Run => String::new(),
        Decision::NotApplicable(why) => format!("  (not applicable: {why})"),
    };
    format!("{id:<44} {name}  [{requirements}]  {path}:{line}{why}\n")
}
