//! The templates of the page, and how they are filled.
//!
//! Every text is escaped, whatever it is and wherever it stands; a template marks as safe only what was escaped before.

use crate::ladder::escape;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use std::sync::LazyLock;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => Ok(out.write_str(&escape(text))?),
        _ => minijinja::escape_formatter(out, state, value),
    });
    for (name, text) in [
        (TOP, include_str!("../templates/top.html")),
        (FEATURE, include_str!("../templates/feature.html")),
        (CASE, include_str!("../templates/case.html")),
        (BOTTOM, include_str!("../templates/bottom.html")),
        (END, include_str!("../templates/end.html")),
    ] {
        environment
            .add_template(name, text)
            .expect("a test fills every template");
    }
    environment
});

/// From the beginning of the page to the first feature.
pub(crate) const TOP: &str = "top";
/// One feature: its matrix and its cases.
pub(crate) const FEATURE: &str = "feature";
/// The details of a case.
pub(crate) const CASE: &str = "case";
/// What stands below the features.
pub(crate) const BOTTOM: &str = "bottom";
/// The script, and the end of the page.
pub(crate) const END: &str = "end";

/// Fills a template.
pub(crate) fn fill(name: &str, view: &impl Serialize) -> String {
    let template = ENVIRONMENT.get_template(name);
    template
        .and_then(|template| template.render(Value::from(Serde(view))))
        .expect("a test fills every template")
}
