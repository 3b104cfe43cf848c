//! Opens the bench of a case: everything that a scenario needs, from the files that its rig names.
//!
//! Profiles, dialects and models are read once a run and shared; what differs from case to case is the seed, the
//! laboratory and where the evidence goes.

use crate::command::{self, UsageError};
use crate::plan::Case;
use crate::scene::Scene;
use crate::snapshot::{Opening, Rest, Snapshots, seed_of};
use crate::suite::Opener;
use bench::lab::BaseSpec;
use bench::lab::names::Names;
use bench::profile::Profile;
use bench::rig::{BaseUnderTest, Rig};
use bench::{Account, Bench, Setup, Sync};
use document::Claim;
use evidence::record::{ClaimStatus, Observation};
use firmware_stubs::{Base, BaseConfig, Model, Mutant};
use reports::index::CaseEntry;
use server::Dialect;
use sip::node::Node;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The people of the features, in the order of the rig's handsets: name and user part.
const PEOPLE: [(&str, &str); 3] = [("Anna", "2001"), ("Ben", "2002"), ("Carla", "2003")];

/// Opens benches for the cases of one run.
pub struct Benches {
    seed: u64,
    folder: Option<PathBuf>,
    program: PathBuf,
    mutant: Option<(String, Mutant)>,
    faults: bool,
    /// Nothing when each case boots for itself.
    snapshots: Option<Snapshots>,
    models: BTreeMap<String, Arc<Model>>,
    profiles: BTreeMap<PathBuf, Arc<Profile>>,
    dialects: BTreeMap<String, Arc<Dialect>>,
    /// What is only assumed about each dialect, as records.
    assumptions: BTreeMap<String, Vec<Observation>>,
}

impl Benches {
    /// Reads everything that these rigs name, besides the dialects, which the plan needed before.
    ///
    /// # Errors
    /// When a file is missing or wrong.
    pub fn new(
        rigs: &[Arc<Rig>],
        dialects: BTreeMap<String, Arc<Dialect>>,
        seed: u64,
        folder: Option<&Path>,
        program: &Path,
        mutant: Option<&str>,
    ) -> Result<Self, UsageError> {
        let mutant = match mutant {
            None => None,
            Some(name) => Some((name.to_owned(), command::mutant(name)?)),
        };
        let mut benches = Self {
            seed,
            folder: folder.map(Path::to_owned),
            program: program.to_owned(),
            mutant,
            faults: true,
            snapshots: Some(Snapshots::default()),
            models: BTreeMap::new(),
            profiles: BTreeMap::new(),
            assumptions: (dialects.iter())
                .map(|(name, dialect)| (name.clone(), assumptions(name, dialect)))
                .collect(),
            dialects,
        };
        for rig in rigs {
            benches.read(rig)?;
        }
        Ok(benches)
    }

    /// The same with servers that cannot be made to misbehave, as real ones are.
    #[must_use]
    pub const fn without_faults(mut self) -> Self {
        self.faults = false;
        self
    }

    /// The same with a boot for each case.
    #[must_use]
    pub fn without_snapshots(mut self) -> Self {
        self.snapshots = None;
        self
    }

    fn read(&mut self, rig: &Rig) -> Result<(), UsageError> {
        for unit in rig.units() {
            if let BaseUnderTest::Emulated { model } = unit.base
                && !self.models.contains_key(&model)
            {
                let text = Arc::new(command::model(&model)?);
                self.models.insert(model, text);
            }
        }
        if !self.profiles.contains_key(&rig.profile) {
            let profile = Profile::load(&rig.profile)?;
            self.profiles.insert(rig.profile.clone(), Arc::new(profile));
        }
        Ok(())
    }

    fn setup(&self, case: &Case, entry: &CaseEntry, seed: u64) -> Result<Setup, String> {
        let rig = &case.configuration.rig;
        let profile = self
            .profiles
            .get(&rig.profile)
            .ok_or("the rig's profile was not read")?;
        let dialect = self
            .dialects
            .get(&case.configuration.dialect)
            .ok_or("the case's dialect was not read")?;
        let evidence = self
            .evidence_file(entry)
            .map_err(|error| error.to_string())?;
        Ok(Setup {
            lab: case.lab,
            seed,
            rig: Arc::clone(rig),
            face: case.configuration.face,
            profile: Arc::clone(profile),
            dialect: Arc::clone(dialect),
            factory: self.factory(),
            base_command: self.program.clone(),
            base_arguments: self.base_arguments(),
            evidence,
            accounts: accounts(rig),
            servers: vec![1],
            faults: self.faults,
            names: Names::default(),
        })
    }

    fn evidence_file(&self, entry: &CaseEntry) -> std::io::Result<Option<PathBuf>> {
        let path = self.evidence(entry);
        if let Some(parent) = path.as_deref().and_then(Path::parent) {
            fs::create_dir_all(parent)?;
        }
        Ok(path)
    }

    fn factory(&self) -> bench::BaseFactory {
        let models = self.models.clone();
        let mutant = self.mutant.as_ref().map(|(_, mutant)| mutant.clone());
        Arc::new(move |spec: &BaseSpec| {
            let model = models
                .get(&spec.model)
                .ok_or_else(|| format!("no model of the name {} was read", spec.model))?;
            let base = Base::new(BaseConfig {
                model: Model::clone(model),
                mutant: mutant.clone(),
                mac: spec.mac.clone(),
                sip: spec.sip,
                provisioning_url: spec.provisioning_url.clone(),
                seed: spec.seed,
            });
            Ok(Box::new(base) as Box<dyn Node>)
        })
    }

    fn base_arguments(&self) -> Vec<String> {
        // A killed run must not leave bases behind.
        let mut arguments = vec!["--end-with-stdin".to_owned()];
        if let Some((name, _)) = &self.mutant {
            arguments.extend(["--mutant".to_owned(), name.clone()]);
        }
        arguments
    }
}

impl Benches {
    fn open_anew(&self, case: &Case, entry: &CaseEntry, seed: u64) -> Scene {
        let log_file = self.evidence(entry);
        let setup = match self.setup(case, entry, seed) {
            Ok(setup) => setup,
            Err(reason) => return Scene::broken(&reason, log_file),
        };
        let mut bench = Bench::open(setup);
        let assumptions = self.assumptions.get(&case.configuration.dialect);
        if let (Ok(bench), Some(claims)) = (&mut bench, assumptions) {
            bench.claims(claims);
        }
        Scene::new(bench, log_file)
    }

    fn resume(
        &self,
        mut scene: Scene,
        entry: &CaseEntry,
        opening: &Opening,
        rest: &Rest,
    ) -> Result<Scene, String> {
        let log_file = self
            .evidence_file(entry)
            .map_err(|error| error.to_string())?;
        scene
            .resume(opening, log_file, rest)
            .map_err(|failure| failure.to_string())?;
        Ok(scene)
    }
}

impl Opener for Benches {
    fn open(&self, case: &Case, entry: &CaseEntry) -> Scene {
        let rest = Rest {
            scenario: case.scenario.id.clone(),
            seed: scenario_seed(self.seed, &case.scenario.id, &case.configuration.rig.name),
        };
        let shared = self.snapshots.as_ref().zip(Opening::of(case));
        let Some((snapshots, opening)) = shared else {
            let mut scene = self.open_anew(case, entry, rest.seed);
            scene.name(&rest);
            return scene;
        };
        if let Some(scene) = snapshots.fork(&opening) {
            let resumed = self.resume(scene, entry, &opening, &rest);
            return resumed.unwrap_or_else(|reason| Scene::broken(&reason, self.evidence(entry)));
        }
        let mutant = self.mutant.as_ref().map(|(name, _)| name.as_str());
        let scene = self.open_anew(case, entry, opening.seed(self.seed, mutant));
        scene.with_prelude(opening, snapshots.clone(), rest)
    }

    fn evidence(&self, entry: &CaseEntry) -> Option<PathBuf> {
        let folder = self.folder.as_ref()?;
        Some(folder.join(entry.evidence()))
    }
}

/// What nobody has published about a server's product: verdicts may rest on it, so the report lists it.
fn assumptions(name: &str, dialect: &Dialect) -> Vec<Observation> {
    let claims = dialect.claims().iter();
    let assumed = claims.filter(|claim| claim.claim == document::ClaimStatus::Assumed);
    let claim = |claim: &Claim| Observation::Claim {
        key: format!("dialect.{name}.{}", claim.key),
        value: claim.value.clone(),
        status: ClaimStatus::Assumed,
        source: claim.source.clone(),
    };
    assumed.map(claim).collect()
}

/// The accounts of the people whom this rig has handsets for.
fn accounts(rig: &Rig) -> Vec<Account> {
    let handsets = rig.units().into_iter().flat_map(|unit| unit.handsets);
    let account = |((name, user), handset): (&(&str, &str), String)| Account {
        name: (*name).to_owned(),
        handset,
        user: (*user).to_owned(),
        password: format!("secret-of-{user}"),
        display_name: (*name).to_owned(),
        sync: Sync::On,
    };
    PEOPLE.iter().zip(handsets).map(account).collect()
}

/// The seed of a scenario on a rig: it does not depend on what else runs, or in which order. Faces and dialects share it,
/// so that two cases which differ in one of them differ in nothing else.
#[must_use]
pub fn scenario_seed(run: u64, scenario: &str, rig: &str) -> u64 {
    seed_of(run, &[scenario, rig])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_have_handsets_of_every_unit_of_a_rig() {
        let text = include_str!("../../rigs/emulated-n870.toml");
        let unit = "\n[[unit]]\nname = \"annexe\"\nemulated = \"n870\"\nmac = \"7c2f80e0d606\"\n\
                    handsets = { ipui = [\"02c0ffee01\"] }\n";
        let rig = Rig::from_toml(&format!("{text}{unit}"), Path::new("rigs/x.toml")).unwrap();
        let accounts = accounts(&rig);
        let handsets: Vec<&str> = accounts.iter().map(|one| one.handset.as_str()).collect();
        assert_eq!(handsets, ["029e74a599", "02b6ec8aa5", "02c0ffee01"]);
    }

    #[test]
    fn a_scenario_keeps_its_seed_and_shares_it_with_no_other() {
        let seed = scenario_seed(1, "ID-A-001", "emulated-n870");
        assert_eq!(seed, scenario_seed(1, "ID-A-001", "emulated-n870"));
        assert_ne!(seed, scenario_seed(2, "ID-A-001", "emulated-n870"));
        assert_ne!(seed, scenario_seed(1, "ID-A-002", "emulated-n870"));
        assert_ne!(scenario_seed(1, "ab", "c"), scenario_seed(1, "a", "bc"));
    }
}
