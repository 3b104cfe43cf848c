//! What the tags of a scenario say: its identifier, its requirements, the mechanisms it needs, the vendors it is about.
//!
//! Every scenario has exactly one `@ID-..`. Requirements are `@REQ-<area>-<number>`, mechanisms `@mechanism-<name>`, and
//! `@vendor-<dialect>` stands only on what is one vendor's own. The other tags are a closed list, [`PLAIN`]. A tag that
//! means nothing is refused: a misspelt `@wire` would silently take a scenario out of every run.

use cucumber::gherkin;
use document::did_you_mean;
use evidence::catalogue::{Catalogue, Status};
use evidence::identifier::Identifier;
use server::dialect::Mechanism;
use std::collections::BTreeSet;

/// The tags without a prefix: also on real sockets; never there; limits of minutes; the first to try; many accounts; only
/// where a serial console is plugged in.
pub const PLAIN: [&str; 6] = ["wire", "virtual", "long", "smoke", "scale", "console"];

/// The mechanisms with their words in tags.
const MECHANISMS: [(&str, Mechanism); 3] = [
    ("csta", Mechanism::Csta),
    ("feature-codes", Mechanism::FeatureCodes),
    ("subscribe-notify", Mechanism::SubscribeNotify),
];

/// The word of a mechanism in tags.
#[must_use]
pub fn mechanism_word(mechanism: Mechanism) -> &'static str {
    let row = MECHANISMS.into_iter().find(|(_, own)| *own == mechanism);
    row.map_or("", |(word, _)| word)
}

/// What the tags say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// The identifier, `ID-BSFT-DND-001`.
    pub id: String,
    /// The requirements, without `REQ-`.
    pub requirements: Vec<String>,
    /// The mechanisms that the scenario needs, all of them.
    pub mechanisms: BTreeSet<Mechanism>,
    /// The dialects that the scenario is about; empty when it is about any.
    pub vendors: Vec<String>,
    /// All tags of the scenario and its feature.
    pub tags: Vec<String>,
}

impl Facts {
    /// Whether the scenario or its feature has this tag.
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        self.tags.iter().any(|own| own == tag)
    }
}

/// What is wrong with the tags of a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagProblem {
    /// The tag that is wrong, without `@`; none when one is missing.
    pub tag: Option<String>,
    /// What is wrong, in words.
    pub text: String,
}

/// Reads the tags of a scenario. `vendors` are the dialects that there are.
///
/// # Errors
/// When the identifier is missing, double or unfit for a file name, or a tag means nothing.
pub fn read(
    feature: &gherkin::Feature,
    scenario: &gherkin::Scenario,
    vendors: &BTreeSet<String>,
) -> Result<Facts, TagProblem> {
    let mut facts = Facts {
        tags: [feature.tags.clone(), scenario.tags.clone()].concat(),
        ..Facts::default()
    };
    for tag in facts.tags.clone() {
        read_tag(&mut facts, &tag, vendors).map_err(|text| TagProblem {
            tag: Some(tag),
            text,
        })?;
    }
    if facts.id.is_empty() {
        return Err(TagProblem {
            tag: None,
            text: format!("scenario `{}` has no @ID- tag", scenario.name),
        });
    }
    Ok(facts)
}

fn read_tag(facts: &mut Facts, tag: &str, vendors: &BTreeSet<String>) -> Result<(), String> {
    if tag.starts_with("ID-") {
        return read_id(facts, tag);
    }
    match tag.split_once('-') {
        Some(("REQ", id)) => {
            let known = || Catalogue::embedded().observed().map(|row| row.id.as_str());
            match Catalogue::embedded().requirement(id) {
                Some(row) if row.status == Status::Observed => {}
                Some(_) => return Err(format!("@{tag}: no rule judges this requirement yet")),
                None => {
                    let hint = did_you_mean(id, known());
                    return Err(format!(
                        "@{tag}: no such requirement in the catalogue{hint}"
                    ));
                }
            }
            facts.requirements.push(id.to_owned());
        }
        Some(("mechanism", word)) => {
            let row = MECHANISMS.into_iter().find(|(own, _)| *own == word);
            let (_, mechanism) = row.ok_or_else(|| {
                let hint = did_you_mean(word, MECHANISMS.map(|(own, _)| own));
                format!("@{tag}: no such mechanism{hint}")
            })?;
            facts.mechanisms.insert(mechanism);
        }
        Some(("vendor", vendor)) => {
            if !vendors.contains(vendor) {
                let hint = did_you_mean(vendor, vendors.iter().map(String::as_str));
                return Err(format!("@{tag}: no such vendor{hint}"));
            }
            if !facts.vendors.iter().any(|known| known == vendor) {
                facts.vendors.push(vendor.to_owned());
            }
        }
        _ if PLAIN.contains(&tag) => {}
        _ => return Err(unknown(tag, vendors)),
    }
    Ok(())
}

fn read_id(facts: &mut Facts, tag: &str) -> Result<(), String> {
    Identifier::part(tag).map_err(|error| error.to_string())?;
    if !facts.id.is_empty() {
        return Err(format!(
            "@{tag}: the scenario has the identifier @{} already",
            facts.id
        ));
    }
    tag.clone_into(&mut facts.id);
    Ok(())
}

/// The complaint about a tag of no known kind; it may be any kind misspelt.
fn unknown(tag: &str, vendors: &BTreeSet<String>) -> String {
    let mut known: Vec<String> = PLAIN.map(str::to_owned).to_vec();
    known.extend(MECHANISMS.map(|(word, _)| format!("mechanism-{word}")));
    known.extend(vendors.iter().map(|vendor| format!("vendor-{vendor}")));
    known.extend(
        Catalogue::embedded()
            .observed()
            .map(|row| format!("REQ-{}", row.id)),
    );
    let hint = did_you_mean(tag, known.iter().map(String::as_str));
    format!("@{tag}: this tag means nothing{hint}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_tags(tags: &str) -> Result<Facts, TagProblem> {
        let text = format!("{tags}\nFeature: F\n\n  @smoke\n  Scenario: S\n    Given a step\n");
        let feature = gherkin::Feature::parse(text, gherkin::GherkinEnv::default()).unwrap();
        let vendors = ["broadsoft", "metaswitch"].map(str::to_owned).into();
        read(&feature, &feature.scenarios[0], &vendors)
    }

    #[test]
    fn tags_of_feature_and_scenario_are_read_together() {
        let facts = read_tags(
            "@ID-X-001 @REQ-CHG-01 @mechanism-feature-codes @vendor-broadsoft @vendor-metaswitch",
        )
        .unwrap();
        assert_eq!(facts.id, "ID-X-001");
        assert_eq!(facts.requirements, ["CHG-01"]);
        assert_eq!(facts.mechanisms, [Mechanism::FeatureCodes].into());
        assert_eq!(facts.vendors, ["broadsoft", "metaswitch"]);
        assert!(facts.has("smoke") && !facts.has("wire"));
    }

    #[test]
    fn a_tag_that_means_nothing_is_refused_with_the_nearest_one() {
        let rows = [
            ("@vendor-brodsoft", "no such vendor", "`broadsoft`"),
            (
                "@mechanism-feature-code",
                "no such mechanism",
                "`feature-codes`",
            ),
            ("@REQ-CGH-01", "no such requirement", "`CHG-01`"),
            ("@wier", "means nothing", "`wire`"),
            ("@vender-metaswitch", "means nothing", "`vendor-metaswitch`"),
            ("@mechanism", "means nothing", "`mechanism-csta`"),
            ("@Wire", "means nothing", "`wire`"),
        ];
        for (tag, what, near) in rows {
            let problem = read_tags(&format!("@ID-X-001 {tag}")).unwrap_err();
            assert_eq!(problem.tag.as_deref(), tag.strip_prefix('@'));
            assert!(problem.text.contains(what), "{}", problem.text);
            let hint = format!("did you mean {near}?");
            assert!(problem.text.ends_with(&hint), "{}", problem.text);
        }
    }

    /// A scenario that passes would else seem to prove what nobody looked at.
    #[test]
    fn a_requirement_that_no_rule_judges_is_refused() {
        let planned = Catalogue::embedded();
        let planned = planned.iter().find(|row| row.status == Status::Planned);
        let tag = format!("REQ-{}", planned.unwrap().id);
        let problem = read_tags(&format!("@ID-X-001 @{tag}")).unwrap_err();
        assert_eq!(
            problem.text,
            format!("@{tag}: no rule judges this requirement yet")
        );
    }

    #[test]
    fn an_identifier_is_one_and_fits_a_file_name() {
        assert_eq!(read_tags("@wire").unwrap_err().tag, None);
        let problem = read_tags("@ID-X-001 @ID-X-002").unwrap_err();
        assert!(
            problem.text.contains("@ID-X-001 already"),
            "{}",
            problem.text
        );
        for odd in ["@ID-../../x", "@ID-a/b", "@ID-ä"] {
            let problem = read_tags(odd).unwrap_err();
            assert!(
                problem.text.contains("cannot name a file"),
                "{odd}: {}",
                problem.text
            );
        }
    }
}
