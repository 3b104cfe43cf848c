//! The habits of one application server product, read from a file in `rigs/dialects`.
//!
//! A dialect is data: it says how a server words, orders and times what every server of this kind does. Each fact
//! carries where it comes from and whether that source states it for this product (`documented`) or not (`assumed`).
//! Nothing in the server asks which product it plays; it asks the dialect. What a scenario wants done wrong on purpose
//! is not a habit and belongs in a [`crate::fault::Fault`].

use crate::service::ServiceName;
use serde::Deserialize;
use sip::feature_event::Service;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The dialect of BroadSoft BroadWorks, as it stands in `rigs/dialects/broadsoft.toml`.
pub const BROADSOFT: &str = include_str!("../../dialects/broadsoft.toml");

/// The schema that this code reads.
const SCHEMA: u32 = 1;

/// Whether a source states a fact for this product.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Borrowed, deduced or chosen.
    Assumed,
    /// Stated by the source.
    Documented,
}

/// A value with where it comes from.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fact<T> {
    /// The value.
    pub value: T,
    /// How sure we are.
    pub status: Status,
    /// A key of the domain notes.
    pub source: String,
}

/// One fact of the file, flattened, for listings and reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactLine {
    /// Dotted path, such as `notify.first-cseq`.
    pub key: String,
    /// The value as it would stand in the file.
    pub value: String,
    /// How sure we are.
    pub status: Status,
    /// A key of the domain notes.
    pub source: String,
}

/// Why a dialect file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {key}: {problem}")]
pub struct DialectError {
    /// The file as it was named to us.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The dotted key, or the table, that is wrong.
    pub key: String,
    /// What is wrong with it.
    pub problem: String,
}

/// What a NOTIFY carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Extent {
    /// Only the services that changed or were asked for.
    ChangedServices,
    /// Every assigned service.
    FullState,
}

/// Which of the two leaves first, the answer to a SUBSCRIBE or the NOTIFY it causes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// First the 2xx.
    AfterResponse,
    /// First the NOTIFY.
    BeforeResponse,
}

/// Which subscriptions of an account hear of a change by one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    /// Every one.
    All,
    /// Only the one that asked.
    Requester,
}

/// What becomes of a subscription whose NOTIFY is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusedNotify {
    /// It ends for the codes that end a dialog's usage.
    EndsByCode,
    /// It ends unless the refusal has Retry-After.
    EndsWithoutRetryAfter,
    /// It stays.
    NeverEnds,
}

/// What the server does with a change whose body it cannot read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnreadableBody {
    /// 2xx and a NOTIFY with everything.
    FullState,
    /// An error response.
    Refuse,
    /// 2xx and nothing else.
    Silent,
}

/// How the whole state travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FullStateForm {
    /// One NOTIFY with one part for each service.
    Multipart,
    /// One NOTIFY for each service.
    SingleDocuments,
}

/// What stands in the `device` element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Device {
    /// `<device></device>`.
    Empty,
    /// No such element.
    Missing,
    /// `<device><notKnown/></device>`.
    NotKnown,
    /// A number that is not the account's.
    Other,
    /// The account's own name.
    Own,
}

/// What `forwardTo` holds while the service is off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdleNumber {
    /// No such element.
    Absent,
    /// An empty element.
    Empty,
    /// The stored number.
    Stored,
}

/// The digest algorithm that the server offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Algorithm {
    /// MD5.
    #[serde(rename = "MD5")]
    Md5,
    /// SHA-256.
    #[serde(rename = "SHA-256")]
    Sha256,
}

/// The habits of one server product.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Dialect {
    schema: u32,
    /// The short name, also the name of the file.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// What switches the mechanism on at the base.
    pub gate: Gate,
    /// How messages are written.
    pub style: Style,
    /// How requests are challenged.
    pub digest: Digest,
    /// The registrar.
    pub registration: Registration,
    /// How subscriptions are granted and ended.
    pub subscription: Subscription,
    /// When and to whom NOTIFYs go.
    pub notify: Notify,
    /// What stands in them.
    pub body: Body,
    /// The digits that switch a service.
    #[serde(default, deserialize_with = "feature_codes")]
    pub feature_codes: BTreeMap<Service, FeatureCode>,
    /// How a call to a feature code goes.
    pub feature_code_call: FeatureCodeCall,
    /// The request to fetch the provisioning again.
    pub check_sync: CheckSync,
    #[serde(skip)]
    facts: Vec<FactLine>,
}

/// `[gate]`: what switches the mechanism on at the base.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Gate {
    /// The provisioning parameter, per handset account.
    pub parameter: Fact<String>,
}

/// `[style]`: how messages are written.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Style {
    /// `Via: x` or `Via:x`.
    pub blank_after_colon: Fact<bool>,
    /// The beginning of every branch; has to begin with the magic cookie.
    pub branch_prefix: Fact<String>,
    /// Max-Forwards of requests.
    pub max_forwards: Fact<u32>,
    /// The Server and User-Agent header; empty for none.
    pub product: Fact<String>,
    /// The methods that Allow names.
    pub allow: Fact<Vec<String>>,
}

/// `[digest]`: how requests are challenged.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Digest {
    /// The realm.
    pub realm: Fact<String>,
    /// The algorithm.
    pub algorithm: Fact<Algorithm>,
    /// The quality of protection; empty for none.
    pub qop: Fact<String>,
    /// How a nonce begins.
    pub nonce_prefix: Fact<String>,
    /// How a nonce ends.
    pub nonce_suffix: Fact<String>,
    /// How long a nonce is good.
    pub nonce_life_seconds: Fact<u64>,
    /// The methods that are challenged.
    pub challenged: Fact<BTreeSet<String>>,
}

/// `[registration]`: the registrar.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Registration {
    /// Granted when the base asks for nothing.
    pub default_expires: Fact<u32>,
    /// Anything shorter is answered 423.
    pub min_expires: Fact<u32>,
    /// Anything longer is granted as this.
    pub max_expires: Fact<u32>,
    /// What follows `expires` in each Contact of the answer.
    pub contact_parameters: Fact<String>,
    /// How many bindings an account may have; one more is answered 403.
    pub max_bindings: Fact<usize>,
    /// The packages that the answer advertises.
    pub allow_events: Fact<Vec<String>>,
}

/// `[subscription]`: how subscriptions are granted and ended.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Subscription {
    /// The event package.
    pub package: Fact<String>,
    /// Granted when the base asks for nothing.
    pub default_expires: Fact<u32>,
    /// Anything shorter, zero apart, is answered 423.
    pub min_expires: Fact<u32>,
    /// Anything longer is granted as this.
    pub max_expires: Fact<u32>,
    /// 200 or 202.
    pub accept_code: Fact<u16>,
    /// The answer to any other package.
    pub unknown_package_code: Fact<u16>,
    /// The reason in the closing NOTIFY after Expires 0 and after expiry.
    pub end_reason: Fact<String>,
    /// What happens to a change that cannot be read.
    pub unreadable_body: Fact<UnreadableBody>,
    /// The answer to it, where it is refused.
    pub unreadable_body_code: Fact<u16>,
}

/// `[notify]`: when and to whom NOTIFYs go.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Notify {
    /// CSeq of the first NOTIFY of a subscription.
    pub first_cseq: Fact<u32>,
    /// Which leaves first.
    pub order: Fact<Order>,
    /// How far the second stays behind the first.
    pub gap_milliseconds: Fact<u64>,
    /// What follows a subscribe or refresh.
    pub after_subscribe: Fact<Extent>,
    /// What follows a change by the handset.
    pub after_change: Fact<Extent>,
    /// What follows a change elsewhere.
    pub after_server_change: Fact<Extent>,
    /// Who hears of a change by the handset.
    pub watchers: Fact<Audience>,
    /// Whether a NOTIFY waits for the answer to the one before.
    pub one_at_a_time: Fact<bool>,
    /// What becomes of a subscription whose NOTIFY is refused.
    pub refused: Fact<RefusedNotify>,
}

/// `[body]`: what stands in a NOTIFY.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Body {
    /// The type of one document.
    pub content_type: Fact<String>,
    /// The XML declaration.
    pub declaration: Fact<String>,
    /// The namespace of the root element.
    pub namespace: Fact<String>,
    /// What stands in `device`.
    pub device: Fact<Device>,
    /// What stands in `forwardTo` while the service is off.
    pub forward_to_when_off: Fact<IdleNumber>,
    /// How the whole state travels.
    pub full_state: Fact<FullStateForm>,
    /// The order of the services.
    pub order: Fact<Vec<ServiceName>>,
    /// The multipart boundary.
    pub boundary: Fact<String>,
    /// Whether the boundary parameter is quoted.
    pub quoted_boundary: Fact<bool>,
}

/// `[feature-codes.<service>]`: the digits that switch a service.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeatureCode {
    /// Switches on; a number may follow.
    pub activate: Fact<String>,
    /// Switches off.
    pub deactivate: Fact<String>,
}

/// `[feature-code-call]`: how a call to a feature code goes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FeatureCodeCall {
    /// From the INVITE to the 200.
    pub answer_after_milliseconds: Fact<u64>,
    /// From the 200 to the stored state.
    pub store_after_milliseconds: Fact<u64>,
    /// From the 200 to the server's BYE; zero when the caller has to end the call.
    pub hang_up_after_milliseconds: Fact<u64>,
    /// Whether a caller that hangs up earlier has changed the state all the same.
    pub stores_after_early_hang_up: Fact<bool>,
    /// The answer to a second call of the same account meanwhile.
    pub busy_code: Fact<u16>,
}

/// `[check-sync]`: the request to fetch the provisioning again.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CheckSync {
    /// The Event header.
    pub event: Fact<String>,
}

impl Dialect {
    /// Reads a dialect. `file` is only named in errors.
    ///
    /// # Errors
    /// When the text is not TOML, lacks a fact, has an unknown key, or holds a value that makes no sense.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, DialectError> {
        let unreadable = |error: toml::de::Error| located(text, file, &error);
        let mut dialect: Self = toml::from_str(text).map_err(unreadable)?;
        let table: toml::Table = toml::from_str(text).map_err(unreadable)?;
        collect_facts("", &table, &mut dialect.facts);
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
    pub fn facts(&self) -> &[FactLine] {
        &self.facts
    }

    /// How far the second of response and NOTIFY stays behind the first.
    #[must_use]
    pub const fn gap(&self) -> Duration {
        Duration::from_millis(self.notify.gap_milliseconds.value)
    }

    /// The order of the services in a full state.
    pub fn order(&self) -> impl Iterator<Item = Service> {
        self.body.order.value.iter().map(|name| name.0)
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
                let key = format!(
                    "feature-codes.{}.{word}",
                    crate::service::service_word(*service)
                );
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

fn feature_codes<'de, D>(deserializer: D) -> Result<BTreeMap<Service, FeatureCode>, D::Error>
where
    D: serde::Deserializer<'de>,
{
    let named = BTreeMap::<String, FeatureCode>::deserialize(deserializer)?;
    named
        .into_iter()
        .map(|(word, code)| {
            crate::service::service_from_word(&word)
                .map(|service| (service, code))
                .ok_or_else(|| serde::de::Error::custom(format!("unknown service `{word}`")))
        })
        .collect()
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
