//! The step functions, by the part of the world that they are about.
//!
//! Each is a few lines over the scene: what it says in the features is what it does here. A `When` marks the moment that
//! deadlines count from; a `Then` never changes the world except by letting time pass and by reading a display.

mod call;
mod fault;
mod handset;
mod network;
mod notify;
mod provisioning;
mod registration;
mod server;
mod subscription;

use crate::scene::StepFailure;
use std::time::Duration;

/// Makes sure that the step functions are linked into whatever uses this crate.
pub const fn link() {}

fn seconds(text: &str) -> Result<Duration, StepFailure> {
    let number = text
        .parse()
        .map_err(|_| StepFailure::Rig(format!("`{text}` is not a number of seconds")))?;
    Ok(Duration::from_secs(number))
}

fn number<N: std::str::FromStr>(text: &str) -> Result<N, StepFailure> {
    text.parse()
        .map_err(|_| StepFailure::Rig(format!("`{text}` is not a number")))
}

/// A count with its noun, `1 SUBSCRIBE`, `2 SUBSCRIBEs`.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

#[cfg(test)]
mod tests {
    use crate::vocabulary::{ServiceName, Setting};
    use crate::world::World;
    use cucumber::Parameter;
    use cucumber::codegen::{Regex, StepConstructor as _, WorldInventory, inventory};
    use cucumber::feature::Ext as _;
    use cucumber::gherkin::{Feature, GherkinEnv, StepType};
    use sip::service::TABLE;
    use std::path::{Path, PathBuf};

    /// Every step pattern, with the keyword that it belongs to.
    fn patterns() -> Vec<(StepType, Regex)> {
        let given = inventory::iter::<<World as WorldInventory>::Given>;
        let when = inventory::iter::<<World as WorldInventory>::When>;
        let then = inventory::iter::<<World as WorldInventory>::Then>;
        let given = given
            .into_iter()
            .map(|step| (StepType::Given, (step.inner().1)()));
        let when = when
            .into_iter()
            .map(|step| (StepType::When, (step.inner().1)()));
        let then = then
            .into_iter()
            .map(|step| (StepType::Then, (step.inner().1)()));
        given.chain(when).chain(then).collect()
    }

    /// Every step of the features, those of outlines with their values.
    fn steps_of_features() -> Vec<(StepType, String)> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../features");
        let mut steps = Vec::new();
        for file in feature_files(&root) {
            let feature = Feature::parse_path(&file, GherkinEnv::default()).unwrap();
            let feature = feature.expand_examples().unwrap();
            let background = feature.background.iter().flat_map(|it| &it.steps);
            let own = feature.scenarios.iter().flat_map(|it| &it.steps);
            let written = background.chain(own);
            steps.extend(written.map(|step| (step.ty, step.value.clone())));
        }
        steps
    }

    fn feature_files(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path());
        let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
        let below = folders.iter().flat_map(|folder| feature_files(folder));
        files.into_iter().chain(below).collect()
    }

    #[test]
    fn every_step_that_takes_a_setting_takes_that_of_every_service() {
        let setting = Regex::new(Setting::REGEX).unwrap();
        let (patterns, steps) = (patterns(), steps_of_features());
        let takes_settings = |pattern: &Regex| pattern.as_str().contains(Setting::REGEX);
        assert!(patterns.iter().any(|(_, pattern)| takes_settings(pattern)));
        for (keyword, pattern) in patterns.iter().filter(|(_, it)| takes_settings(it)) {
            let is_one =
                |(own, text): &&(StepType, String)| own == keyword && pattern.is_match(text);
            let (_, text) = steps
                .iter()
                .find(is_one)
                .unwrap_or_else(|| panic!("{pattern}"));
            for row in &TABLE {
                for value in ["on", "off", "on to 2424", "on to 2424 after 3 rings"] {
                    let phrase = format!("{} {value}", row.title);
                    let text = setting.replace(text, phrase.as_str());
                    let matching = patterns
                        .iter()
                        .filter(|(own, other)| own == keyword && other.is_match(&text));
                    assert_eq!(matching.count(), 1, "{text}");
                    let caught = pattern.captures(&text).unwrap();
                    let phrases: Vec<&str> =
                        caught.iter().flatten().map(|it| it.as_str()).collect();
                    assert!(phrases.contains(&phrase.as_str()), "{text}: {phrases:?}");
                }
            }
        }
    }

    #[test]
    fn no_pattern_names_a_service_that_could_be_another() {
        // What the handset's own ringer does has the name of a service and is none.
        let ringer = "the ringer's Do Not Disturb";
        for (_, pattern) in patterns() {
            let rest = pattern
                .as_str()
                .replace(Setting::REGEX, "")
                .replace(ServiceName::REGEX, "");
            let rest = rest.replace(ringer, "");
            for row in &TABLE {
                assert!(!rest.contains(row.title), "{rest}");
            }
        }
    }
}
