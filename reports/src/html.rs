//! One HTML file that needs nothing else: verdicts, steps, findings, ladders, displays, console.
//!
//! The page is a template filled with a view of the run. Each case's details are inert until a reader opens them, so that
//! a run of thousands of cases still opens at once.

use crate::fold::Run;
use crate::ladder::escape;
use crate::view::RunView;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};

const TEMPLATE: &str = include_str!("../templates/report.html");

/// The run as one HTML file.
///
/// # Errors
/// When the template cannot be filled in.
pub fn write(run: &Run) -> Result<String, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => Ok(out.write_str(&escape(text))?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    environment.add_template("report", TEMPLATE)?;
    let view = RunView::new(run);
    environment
        .get_template("report")?
        .render(Value::from(Serde(&view)))
}
