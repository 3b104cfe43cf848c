//! One unit as a bench works it: its provisioning file, its instruments, and what its displays showed last.

use crate::console::Engine;
use crate::error::RigError;
use crate::lab::NodeId;
use crate::profile::Profile;
use crate::provisioning::ProvisioningFile;
use crate::rig::{HandsetFace, RigUnit, Secret};
use crate::web::Driver;
use evidence::record::{Screen, Unit};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// A unit and its instruments.
#[derive(Clone)]
pub(super) struct UnitBench {
    pub(super) name: Unit,
    pub(super) node: NodeId,
    pub(super) handsets: Vec<String>,
    pub(super) file: ProvisioningFile,
    pub(super) console: Option<Engine>,
    pub(super) web: Option<Driver>,
    /// Answers of the console that nobody has taken yet.
    pub(super) answers: VecDeque<Vec<String>>,
    /// Answers of the web interface that nobody has taken yet.
    pub(super) web_answers: VecDeque<Value>,
    pub(super) logged_out: bool,
    pub(super) screens: BTreeMap<String, Screen>,
    /// It was asked to end, or has lost its power.
    pub(super) ending: bool,
    /// It is off.
    pub(super) ended: bool,
}

impl UnitBench {
    /// A unit that is switched off. It has the instrument of the case's face, and no other: what a second one would do to
    /// the base is not what the case is about.
    pub(super) fn new(
        unit: RigUnit,
        node: NodeId,
        file: ProvisioningFile,
        face: HandsetFace,
        profile: &Arc<Profile>,
    ) -> Result<Self, RigError> {
        let console = match unit.console {
            Some(port) if face == HandsetFace::Console => {
                let password = password(&port.account.password)?;
                let name = &port.account.username;
                Some(Engine::new(Arc::clone(profile), name, &password))
            }
            _ => None,
        };
        let web = match unit.web {
            Some(access) if face == HandsetFace::Web => {
                let password = password(&access.account.password)?;
                let name = &access.account.username;
                Some(Driver::new(Arc::clone(profile), name, &password))
            }
            _ => None,
        };
        Ok(Self {
            name: Unit::new(&unit.name),
            node,
            handsets: unit.handsets,
            file,
            console,
            web,
            answers: VecDeque::new(),
            web_answers: VecDeque::new(),
            logged_out: false,
            screens: BTreeMap::new(),
            ending: false,
            ended: true,
        })
    }

    /// The unit has no power any more, or has ended: its instruments listen to nothing.
    pub(super) fn switch_off(&mut self) {
        (self.ending, self.ended) = (true, true);
        self.screens.clear();
        if let Some(console) = &mut self.console {
            console.switch_off();
        }
        if let Some(web) = &mut self.web {
            web.switch_off();
        }
    }
}

fn password(secret: &Secret) -> Result<String, RigError> {
    secret
        .reveal(|name| std::env::var(name).ok())
        .ok_or_else(|| RigError::Missing {
            what: "password: the environment variable that the rig file names is not set"
                .to_owned(),
        })
}
