//! What the tags of a scenario say: its identifier, its requirements, its vendor.
//!
//! Every scenario has exactly one `@ID-..`. Requirements are `@REQ-<area>-<number>`; vendors `@vendor-<dialect>`. Other
//! tags that mean something: `wire` (also on real sockets), `long`, `hardware`, `stub`.

use cucumber::gherkin;
use evidence::catalogue::Catalogue;
use evidence::identifier::Identifier;

/// What the tags say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The identifier, `ID-BSFT-DND-001`.
    pub id: String,
    /// The requirements, without `REQ-`.
    pub requirements: Vec<String>,
    /// The dialect that the scenario is about, if it is about one.
    pub vendor: Option<String>,
    /// All tags of the scenario and its feature.
    pub tags: Vec<String>,
}

/// Reads the tags of a scenario.
///
/// # Errors
/// In words, when the identifier is missing or double, or a requirement is not in the catalogue.
pub fn read(feature: &gherkin::Feature, scenario: &gherkin::Scenario) -> Result<Facts, String> {
    let mut tags: Vec<String> = feature.tags.clone();
    tags.extend(scenario.tags.iter().cloned());
    let with_prefix = |prefix: &str| -> Vec<String> {
        tags.iter()
            .filter_map(|tag| tag.strip_prefix(prefix))
            .map(str::to_owned)
            .collect()
    };
    let id = match with_prefix("ID-").as_slice() {
        // It stands in the names of evidence files.
        [id] => Identifier::part(format!("ID-{id}")).map_err(|error| error.to_string())?,
        [] => return Err(format!("scenario `{}` has no @ID- tag", scenario.name)),
        many => {
            return Err(format!(
                "scenario `{}` has {} @ID- tags",
                scenario.name,
                many.len()
            ));
        }
    };
    let requirements = with_prefix("REQ-");
    for requirement in &requirements {
        if Catalogue::embedded().requirement(requirement).is_none() {
            return Err(format!(
                "@REQ-{requirement} is not in the catalogue of requirements"
            ));
        }
    }
    let vendor = with_prefix("vendor-").into_iter().next();
    Ok(Facts {
        id: id.into(),
        requirements,
        vendor,
        tags,
    })
}
