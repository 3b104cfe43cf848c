//! `lockstep report`: the reports of a run, folded from its evidence once more.

use super::UsageError;
use crate::cli::ReportArgs;
use reports::run::Run;

/// Writes the reports and gives what to print, and the exit code that the evidence deserves.
///
/// # Errors
/// When the folder holds no run that this release can read.
pub fn report(args: &ReportArgs) -> Result<(String, u8), UsageError> {
    let mut run = Run::load_and_capture(&args.run)?;
    let errors = reports::write_all(&mut run);
    let mut text: String = errors
        .iter()
        .map(|error| format!("report: {}\n", super::run::chain(error)))
        .collect();
    let page = args.run.join("report.html");
    text.push_str(&format!("{}: {}\n", run.verdict(), page.display()));
    let code = run.exit_code();
    Ok((
        text,
        if code == 0 && !errors.is_empty() {
            3
        } else {
            code
        },
    ))
}
