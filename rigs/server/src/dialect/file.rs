//! Reading a dialect file: what is wrong with it is said with file, line and key.
//!
//! Shape and words are checked by the types of the parent module; what only makes sense together is checked here.

use super::{Dialect, DialectError, FactLine, Status};
use sip::service::Service;
use std::collections::BTreeSet;
use std::time::Duration;

/// The dialect of BroadSoft BroadWorks, as it stands in `rigs/dialects/broadsoft.toml`.
pub const BROADSOFT: &str = include_str!("../../../dialects/broadsoft.toml");

/// The schema that this code reads.
const SCHEMA: u32 = 1;

impl Dialect {
    /// Reads a dialect. `file` is only named in errors.
    ///
    /// # Errors
    /// When the text is not TOML, lacks a fact, has an unknown key, or holds a value that makes no sense.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, DialectError> {
        let unreadable = |error: toml::de::Error| located(text, file, &error);
        let mut dialect: Self = toml::from_str(text).map_err(unreadable)?;
        dialect.text = text.into();
        dialect
            .problems()
            .into_iter()
            .next()
            .map_or(Ok(dialect), |(key, problem)| {
                Err(DialectError {
                    file: file.to_owned(),
                    line: line_of_key(text, &key),
                    key,
                    problem,
                })
            })
    }

    /// The dialect of BroadSoft BroadWorks.
    ///
    /// # Panics
    /// Never: a test reads the embedded file.
    #[must_use]
    pub fn broadsoft() -> Self {
        #[expect(clippy::expect_used, reason = "the embedded file is read by a test")]
        Self::from_toml(BROADSOFT, "broadsoft.toml").expect("the embedded dialect is sound")
    }

    /// Every fact of the file with its status and source, in the order of the keys.
    #[must_use]
    pub fn facts(&self) -> Vec<FactLine> {
        let mut facts = Vec::new();
        if let Ok(table) = toml::from_str(&self.text) {
            collect_facts("", &table, &mut facts);
        }
        facts
    }

    /// How far the second of response and NOTIFY stays behind the first.
    #[must_use]
    pub const fn gap(&self) -> Duration {
        Duration::from_millis(self.notify.gap_milliseconds.value)
    }

    fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut require = |sound: bool, key: &str, problem: &str| {
            if !sound {
                problems.push((key.to_owned(), problem.to_owned()));
            }
        };
        require(self.schema == SCHEMA, "schema", "this rig reads schema 1");
        require(!self.name.is_empty(), "name", "must not be empty");
        let branch = &self.style.branch_prefix.value;
        require(
            branch.starts_with("z9hG4bK") && is_token(branch),
            "style.branch-prefix",
            "must be a token that begins with z9hG4bK",
        );
        let (register, subscribe) = (&self.registration, &self.subscription);
        require(
            register.min_expires.value <= register.max_expires.value,
            "registration.max-expires",
            "must not be below min-expires",
        );
        require(
            subscribe.min_expires.value <= subscribe.max_expires.value,
            "subscription.max-expires",
            "must not be below min-expires",
        );
        require(
            matches!(subscribe.accept_code.value, 200 | 202),
            "subscription.accept-code",
            "must be 200 or 202",
        );
        require(
            (400..700).contains(&subscribe.unknown_package_code.value),
            "subscription.unknown-package-code",
            "must be a failure code",
        );
        require(
            (400..700).contains(&subscribe.unreadable_body_code.value),
            "subscription.unreadable-body-code",
            "must be a failure code",
        );
        require(
            matches!(self.digest.qop.value.as_str(), "" | "auth" | "auth-int"),
            "digest.qop",
            "must be empty, auth or auth-int",
        );
        if let Some(package) = &self.package.as_feature_event {
            require(
                (1..=70).contains(&package.boundary.value.len()),
                "package.as-feature-event.boundary",
                "must have 1 to 70 characters",
            );
            let distinct: BTreeSet<_> = package.services().collect();
            require(
                distinct == BTreeSet::from(Service::CALL)
                    && package.order.value.len() == distinct.len(),
                "package.as-feature-event.order",
                "must name Do Not Disturb and each call forwarding once",
            );
        }
        if let Some(offered) = &self.mechanism.feature_codes {
            require(
                (400..700).contains(&offered.call.busy_code.value),
                "mechanism.feature-codes.call.busy-code",
                "must be a failure code",
            );
            problems.extend(offered.problems());
        }
        problems
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "-.!%*_+`'~".contains(c))
}

fn collect_facts(path: &str, table: &toml::Table, facts: &mut Vec<FactLine>) {
    for (name, value) in table {
        let Some(inner) = value.as_table() else {
            continue;
        };
        let key = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let text = |name: &str| inner.get(name).and_then(toml::Value::as_str);
        match (inner.get("value"), text("status"), text("source")) {
            (Some(value), Some(status), Some(source)) => facts.push(FactLine {
                key,
                value: value.to_string(),
                status: match status {
                    "documented" => Status::Documented,
                    _ => Status::Assumed,
                },
                source: source.to_owned(),
            }),
            _ => collect_facts(&key, inner, facts),
        }
    }
}

fn located(text: &str, file: &str, error: &toml::de::Error) -> DialectError {
    let at = error.span().map_or(0, |span| span.start);
    let line = 1 + text.get(..at).unwrap_or(text).matches('\n').count();
    DialectError {
        file: file.to_owned(),
        line,
        key: key_at_line(text, line),
        problem: error.message().to_owned(),
    }
}

/// The dotted key that a line of the file belongs to.
fn key_at_line(text: &str, line: usize) -> String {
    let (mut table, mut key) = (String::new(), String::new());
    for text in text.lines().take(line.max(1)) {
        if let Some(header) = table_header(text) {
            header.clone_into(&mut table);
            key.clear();
        } else if let Some(name) = key_name(text) {
            name.clone_into(&mut key);
        }
    }
    match (table.is_empty(), key.is_empty()) {
        (_, true) => table,
        (true, false) => key,
        (false, false) => format!("{table}.{key}"),
    }
}

/// The line on which a dotted key is set, or the first line.
fn line_of_key(text: &str, wanted: &str) -> usize {
    (1..=text.lines().count())
        .find(|line| key_at_line(text, *line) == wanted)
        .unwrap_or(1)
}

fn table_header(line: &str) -> Option<&str> {
    let inner = line.trim().strip_prefix('[')?;
    inner.split_once(']').map(|(name, _)| name.trim())
}

fn key_name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (!name.is_empty() && name.chars().all(plain)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(from: &str, to: &str) -> DialectError {
        assert!(BROADSOFT.contains(from), "`{from}` stands in the file");
        let text = BROADSOFT.replacen(from, to, 1);
        Dialect::from_toml(&text, "lab/odd.toml").expect_err("the change is an error")
    }

    #[test]
    fn the_embedded_file_is_sound() {
        let dialect = Dialect::from_toml(BROADSOFT, "broadsoft.toml").expect("readable");
        assert_eq!(dialect.name, "broadsoft");
        assert_eq!(dialect.notify.first_cseq.value, 101);
    }

    #[test]
    fn every_fact_names_its_source() {
        let dialect = Dialect::broadsoft();
        assert!(dialect.facts().len() > 50, "{}", dialect.facts().len());
        assert!(dialect.facts().iter().all(|fact| !fact.source.is_empty()));
        let assumed_codes = dialect
            .facts()
            .iter()
            .filter(|fact| fact.key.starts_with("mechanism.feature-codes.code."))
            .all(|fact| fact.status == Status::Assumed);
        assert!(
            assumed_codes,
            "no feature code is documented for BroadWorks"
        );
    }

    #[test]
    fn a_misspelt_key_is_named_with_file_and_line() {
        let error = changed("max-forwards", "max-forward");
        assert_eq!(error.file, "lab/odd.toml");
        assert_eq!(error.key, "style.max-forward");
        let line = BROADSOFT
            .lines()
            .position(|line| line.starts_with("max-forwards"));
        assert_eq!(Some(error.line - 1), line);
        assert!(error.problem.contains("unknown field"), "{error}");
    }

    #[test]
    fn a_missing_fact_is_named() {
        let error = changed(
            "first-cseq = { value = 101, status = \"documented\", source = \"CIS-H\" }",
            "",
        );
        assert_eq!(error.key, "notify");
        assert!(error.problem.contains("first-cseq"), "{error}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named() {
        let error = changed("{ value = 101,", "{ value = \"many\",");
        assert_eq!(error.key, "notify.first-cseq");
    }

    #[test]
    fn a_status_that_does_not_exist_is_named() {
        let error = changed(
            "{ value = 101, status = \"documented\"",
            "{ value = 101, status = \"sure\"",
        );
        assert_eq!(error.key, "notify.first-cseq");
        assert!(error.problem.contains("sure"), "{error}");
    }

    #[test]
    fn two_services_with_one_feature_code_are_refused() {
        let error = changed("*90{number}", "*72{number}");
        assert_eq!(
            error.key,
            "mechanism.feature-codes.code.call-forwarding-busy.activate"
        );
        assert!(
            BROADSOFT
                .lines()
                .nth(error.line - 1)
                .is_some_and(|line| line.contains("*90"))
        );
    }

    #[test]
    fn an_order_that_lacks_a_service_is_refused() {
        let error = changed("    \"call-forwarding-busy\",\n", "");
        assert_eq!(error.key, "package.as-feature-event.order");
    }

    #[test]
    fn a_service_that_does_not_exist_is_refused_on_its_line() {
        let error = changed(
            "    \"call-forwarding-busy\",\n",
            "    \"call-forwarding-dnd\",\n",
        );
        assert_eq!(error.key, "package.as-feature-event.order");
        assert!(error.problem.contains("call-forwarding-dnd"), "{error}");
    }

    #[test]
    fn text_that_is_not_toml_is_an_error_with_a_line() {
        let error = changed("[style]", "[style");
        assert!(error.line > 1, "{error}");
    }
}
