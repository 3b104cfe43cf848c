//! A unit under test as a rig file describes it: a base, or a DECT manager, with the handsets that are paired with it and
//! the lines that lead to it.

use super::{BaseUnderTest, ConsolePort, Rig, WebAccess};

/// One unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RigUnit {
    /// Its name in the evidence, unique in its rig.
    pub name: String,
    /// What it is.
    pub base: BaseUnderTest,
    /// Its MAC address: 12 hexadecimal digits, lower case.
    pub mac: String,
    /// The IPUIs of the handsets that are paired with it.
    pub handsets: Vec<String>,
    /// The serial console, if one is plugged in.
    pub console: Option<ConsolePort>,
    /// The web interface, if it may be used.
    pub web: Option<WebAccess>,
}

/// The name of the unit of a rig that has one.
const ONLY: &str = "base";

impl Rig {
    /// All units, the rig's own base first.
    #[must_use]
    pub fn units(&self) -> Vec<RigUnit> {
        let first = RigUnit {
            name: ONLY.to_owned(),
            base: self.base.clone(),
            mac: self.mac.clone(),
            handsets: self.handsets.clone(),
            console: self.console.clone(),
            web: self.web.clone(),
        };
        std::iter::once(first)
            .chain(self.further.iter().cloned())
            .collect()
    }
}
