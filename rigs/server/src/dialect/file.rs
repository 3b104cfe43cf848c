//! Reading a dialect file: what is wrong with it is said with file, line and key.
//!
//! Shape and words are checked by the types of the parent module; what only makes sense together is checked here.

use super::{Dialect, DialectError, FactLine, Status};
use sip::feature_event::Service;
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

    /// The order of the services in a full state.
    pub fn order(&self) -> impl Iterator<Item = Service> {
        self.body.order.value.iter().copied()
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
            is_token(&subscribe.package.value),
            "subscription.package",
            "must be a token",
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
            (400..700).contains(&self.feature_code_call.busy_code.value),
            "feature-code-call.busy-code",
            "must be a failure code",
        );
        require(
            matches!(self.digest.qop.value.as_str(), "" | "auth" | "auth-int"),
            "digest.qop",
            "must be empty, auth or auth-int",
        );
        require(
            (1..=70).contains(&self.body.boundary.value.len()),
            "body.boundary",
            "must have 1 to 70 characters",
        );
        let distinct: BTreeSet<_> = self.order().collect();
        require(
            distinct.len() == 4 && self.body.order.value.len() == 4,
            "body.order",
            "must name each of the four services once",
        );
        let mut seen = BTreeSet::new();
        for (service, code) in &self.feature_codes {
            for (word, digits) in [
                ("activate", &code.activate.value),
                ("deactivate", &code.deactivate.value),
            ] {
                let key = format!("feature-codes.{}.{word}", service.key());
                let dialable = !digits.is_empty()
                    && digits
                        .chars()
                        .all(|c| c.is_ascii_digit() || c == '*' || c == '#');
                require(dialable, &key, "must consist of digits, * and #");
                require(
                    seen.insert(digits.clone()),
                    &key,
                    "is the code of another service or direction too",
                );
            }
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
            .filter(|fact| fact.key.starts_with("feature-codes."))
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
        let error = changed("\"*90\"", "\"*72\"");
        assert_eq!(error.key, "feature-codes.call-forwarding-busy.activate");
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
        assert_eq!(error.key, "body.order");
    }

    #[test]
    fn a_service_that_does_not_exist_is_refused_on_its_line() {
        let error = changed(
            "    \"call-forwarding-busy\",\n",
            "    \"call-forwarding-dnd\",\n",
        );
        assert_eq!(error.key, "body.order");
        assert!(error.problem.contains("call-forwarding-dnd"), "{error}");
    }

    #[test]
    fn text_that_is_not_toml_is_an_error_with_a_line() {
        let error = changed("[style]", "[style");
        assert!(error.line > 1, "{error}");
    }
}
