//! Reading a dialect file: what is wrong with it is said with file, line and key.
//!
//! Shape and words are checked by the types of the parent module; what only makes sense together is checked here.

use super::Dialect;
use document::{Claim, Document, FileError};
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
    pub fn from_toml(text: &str, file: &str) -> Result<Self, FileError> {
        let document = Document::from_toml(text, file)?.with_inherited_claims()?;
        let mut dialect: Self = document.read()?;
        dialect.claims = document.claims()?.into();
        match dialect.problems().into_iter().next() {
            None => Ok(dialect),
            Some((key, problem)) => Err(document.error(&key, problem)),
        }
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

    /// Every fact of the file with its claim and source, in the order of the file.
    #[must_use]
    pub fn claims(&self) -> &[Claim] {
        &self.claims
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

#[cfg(test)]
mod tests {
    use super::*;
    use document::ClaimStatus;

    #[test]
    fn the_embedded_file_is_sound() {
        let dialect = Dialect::from_toml(BROADSOFT, "broadsoft.toml").expect("readable");
        assert_eq!(dialect.name, "broadsoft");
        assert_eq!(dialect.notify.first_cseq.value, 101);
    }

    #[test]
    fn every_fact_names_its_source() {
        let dialect = Dialect::broadsoft();
        let claims = dialect.claims();
        assert!(claims.len() > 50, "{}", claims.len());
        assert!(claims.iter().all(|claim| !claim.source.is_empty()));
        let assumed_codes = claims
            .iter()
            .filter(|claim| claim.key.starts_with("mechanism.feature-codes.code."))
            .all(|claim| claim.claim == ClaimStatus::Assumed);
        assert!(
            assumed_codes,
            "no feature code is documented for BroadWorks"
        );
    }

    #[test]
    fn what_is_wrong_in_the_shipped_file_is_named_at_its_line() {
        // What is changed, into what, a text on the line that is named, and what is said.
        for (from, to, at, complaint) in [
            ("\nname =", "\n# name =", "# BroadSoft", "name: is missing"),
            (
                "\ntitle =",
                "\ntilte =",
                "tilte",
                "tilte: unknown key; did you mean `title`?",
            ),
            (
                "max-forwards",
                "max-forward",
                "max-forward =",
                "style.max-forward: unknown key; did you mean `max-forwards`?",
            ),
            (
                "first-cseq =",
                "# first-cseq =",
                "[notify]",
                "notify.first-cseq: is missing",
            ),
            (
                "{ value = 101,",
                "{ value = \"many\",",
                "\"many\"",
                "notify.first-cseq: is the string \"many\" but must be a whole number from 0 to 4294967295",
            ),
            (
                "first-cseq = { value = 101,",
                "first-cseq = { valeu = 101,",
                "valeu",
                "notify.first-cseq.valeu: unknown key; did you mean `value`?",
            ),
            (
                "{ value = 101, claim = \"documented\"",
                "{ value = 101, claim = \"documneted\"",
                "documneted",
                "notify.first-cseq.claim: unknown word \"documneted\"; did you mean `documented`?",
            ),
            (
                "order = { value = \"after-response\"",
                "order = { value = \"after-respons\"",
                "after-respons\"",
                "notify.order: unknown word \"after-respons\"; did you mean `after-response`?",
            ),
            (
                "    \"call-forwarding-busy\",",
                "    \"call-forwarding-bussy\",",
                "bussy",
                "package.as-feature-event.order[2]: unknown word \"call-forwarding-bussy\"; did you mean `call-forwarding-busy`?",
            ),
            (
                "    \"call-forwarding-busy\",\n",
                "",
                "order = { value = [",
                "package.as-feature-event.order: must name Do Not Disturb and each call forwarding once",
            ),
            (
                "[mechanism.feature-codes.code.do-not-disturb]",
                "[mechanism.feature-codes.code.do-not-distrub]",
                "distrub",
                "mechanism.feature-codes.code.do-not-distrub: unknown key; did you mean `do-not-disturb`?",
            ),
            (
                "*90{number}",
                "*72{number}",
                "[mechanism.feature-codes.code.call-forwarding-busy]",
                "mechanism.feature-codes.code.call-forwarding-busy.activate: cannot be told from the code of another service or direction",
            ),
            (
                "qop =",
                "realm =",
                "realm = { value = \"auth\"",
                "digest.realm: duplicate key",
            ),
        ] {
            assert!(BROADSOFT.contains(from), "{from}");
            let text = BROADSOFT.replacen(from, to, 1);
            let line = 1 + text.lines().position(|line| line.contains(at)).expect(at);
            let line = line + usize::from(at.contains("code.call"));
            let error = Dialect::from_toml(&text, "lab/odd.toml").expect_err(complaint);
            assert_eq!(
                error.to_string(),
                format!("lab/odd.toml:{line}: {complaint}")
            );
        }
        let text = BROADSOFT.replacen("[style]", "[style", 1);
        let line = text.lines().position(|line| line == "[style");
        let error = Dialect::from_toml(&text, "x").expect_err("not TOML");
        assert_eq!(Some(error.line - 1), line);
    }
}
