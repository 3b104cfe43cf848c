//! CHG-02, CHG-03, CHG-04: what stands in the document of a change.

use crate::body::{Asked, CONTENT_TYPE, NAMESPACE, Part};
use crate::monitor::rules::rule::{Rule, Tell};
use crate::monitor::rules::subscribe::subscribe;
use crate::monitor::scene::Scene;
use crate::monitor::scene::moment::{Kinds, Moment};
use crate::monitor::scene::outgoing::activation;
use crate::monitor::scene::time::clock;
use crate::monitor::scene::traffic::{Purpose, Request, Subscribe};
use crate::record::{Intent, Service};
use crate::xml::Element;

/// CHG-02, CHG-03, CHG-04: what stands in the document of a change.
#[derive(Clone)]
pub(crate) struct Document {
    pub(crate) requirement: &'static str,
    pub(crate) lint: fn(&Carried<'_>) -> Lint,
}

/// What a lint came to.
pub(crate) enum Lint {
    /// The document is not its business.
    NotMine,
    Right,
    Wrong(String),
}

/// A change as it left the base.
pub(crate) struct Carried<'a> {
    request: &'a Request,
    subscribe: &'a Subscribe,
    intent: Option<&'a Intent>,
}

impl Carried<'_> {
    fn asked(&self) -> Option<&Asked> {
        self.subscribe.reading.asked().next()
    }

    /// The service that the user meant, or that the document names when no user is known.
    fn is_dnd(&self) -> bool {
        let service = self.intent.map(|intent| intent.service);
        let named = self
            .asked()
            .is_some_and(|asked| asked.document.name == "SetDoNotDisturb");
        service.map_or(named, |service| service == Service::DoNotDisturb)
    }

    fn document(&self, root: &str) -> Result<&Element, String> {
        match self.subscribe.reading.parts.as_slice() {
            [Part::Asked(asked)] if asked.document.name == root => Ok(&asked.document),
            [Part::Asked(asked)] => Err(format!(
                "the document is {}, not {root}",
                asked.document.name
            )),
            [Part::Unreadable(why)] => Err(format!("the document cannot be read: {why}")),
            [Part::Unknown { root: other }] => Err(format!("the document is {other}, not {root}")),
            _ => Err("the body does not hold exactly one document".to_owned()),
        }
    }

    /// The headers around the document and its namespace.
    fn framing(&self, document: &Element) -> Option<String> {
        let message = &self.request.message;
        let kind = message.header("Content-Type").unwrap_or_default();
        let media = kind.split(';').next().unwrap_or_default().trim();
        if !media.eq_ignore_ascii_case(CONTENT_TYPE) {
            return Some(format!("the Content-Type is `{kind}`"));
        }
        let wire = message.wire();
        let head = wire
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap_or_default()
            + 4;
        let length = message
            .header("Content-Length")
            .and_then(|text| text.trim().parse().ok());
        if length != Some(wire.len().saturating_sub(head)) {
            return Some("the Content-Length is not that of the body".to_owned());
        }
        (document.namespace.as_deref() != Some(NAMESPACE)).then(|| {
            format!(
                "the namespace is {}",
                document.namespace.as_deref().unwrap_or("missing")
            )
        })
    }
}

impl Rule for Document {
    fn requirement(&self) -> &'static str {
        self.requirement
    }

    fn hears(&self) -> Kinds {
        Kinds::REQUEST
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((_, request, subscribe, _)) = subscribe(moment, scene) else {
            return;
        };
        if subscribe.purpose != Purpose::Change || subscribe.unasked.is_some() {
            return;
        }
        let change = subscribe
            .change
            .and_then(|change| scene.changes.get(change));
        let carried = Carried {
            request,
            subscribe,
            intent: change.map(|change| &change.intent),
        };
        match (self.lint)(&carried) {
            Lint::NotMine => {}
            Lint::Right => tell.exercise(),
            Lint::Wrong(wrong) => {
                let mut records = vec![request.seq];
                records.extend(change.map(|change| change.seq));
                let asked = change.map_or_else(String::new, |change| {
                    format!(
                        ", for the change of {} at {}",
                        change.intent.service.title(),
                        clock(change.at)
                    )
                });
                let text = format!("in the SUBSCRIBE of {}{asked}: {wrong}", clock(request.at));
                tell.find(self, request.at, text, &records);
            }
        }
    }
}

/// The text of a child that stands exactly once.
fn once<'a>(document: &'a Element, name: &'static str) -> Result<&'a str, String> {
    let mut found = document.all(name);
    match (found.next(), found.next()) {
        (Some(child), None) => Ok(child.text.trim()),
        (None, _) => Err(format!("the element {name} is missing")),
        (Some(_), Some(_)) => Err(format!("the element {name} stands more than once")),
    }
}

/// The child says what the user wants, in the words `true` and `false`.
fn says_active(
    document: &Element,
    name: &'static str,
    intent: Option<&Intent>,
) -> Result<(), String> {
    let text = once(document, name)?;
    match intent.map(|intent| intent.active) {
        _ if text != "true" && text != "false" => {
            Err(format!("{name} is `{text}`, neither `true` nor `false`"))
        }
        Some(active) if (text == "true") != active => Err(format!(
            "{name} is `{text}`, but the user chose the opposite"
        )),
        _ => Ok(()),
    }
}

pub(crate) fn lint_dnd(carried: &Carried<'_>) -> Lint {
    if !carried.is_dnd() {
        return Lint::NotMine;
    }
    let check = || {
        let document = carried.document("SetDoNotDisturb")?;
        if let Some(wrong) = carried.framing(document) {
            return Err(wrong);
        }
        says_active(document, "doNotDisturbOn", carried.intent)
    };
    check().map_or_else(Lint::Wrong, |()| Lint::Right)
}

pub(crate) fn lint_forwarding(carried: &Carried<'_>) -> Lint {
    if carried.is_dnd() {
        return Lint::NotMine;
    }
    let check = || {
        let document = carried.document("SetForwarding")?;
        if let Some(wrong) = carried.framing(document) {
            return Err(wrong);
        }
        once(document, "device")?;
        let kind = once(document, "forwardingType")?;
        says_active(document, "activateForward", carried.intent)?;
        let number = once(document, "forwardDN")?;
        let Some(intent) = carried.intent else {
            return Ok(());
        };
        let service = carried.asked().and_then(|asked| asked.service);
        if service != Some(intent.service) {
            return Err(format!(
                "forwardingType is `{kind}`, another service than the user's"
            ));
        }
        match &intent.number {
            Some(shown) if shown.trim() != number => Err(format!(
                "forwardDN is `{number}`, but the menu shows `{shown}`"
            )),
            _ => Ok(()),
        }
    };
    check().map_or_else(Lint::Wrong, |()| Lint::Right)
}

pub(crate) fn lint_rings(carried: &Carried<'_>) -> Lint {
    let Some(asked) = carried.asked() else {
        return Lint::NotMine;
    };
    let activates = asked.service == Some(Service::CallForwardingNoAnswer)
        && activation(asked) == Some(true)
        && carried
            .intent
            .is_none_or(|intent| intent.service == Service::CallForwardingNoAnswer);
    if !activates {
        return Lint::NotMine;
    }
    let check = || {
        let text = once(&asked.document, "ringCount")?;
        let rings: Option<u32> = text.parse().ok().filter(|rings| (1..=100).contains(rings));
        let Some(rings) = rings else {
            return Err(format!("ringCount is `{text}`, not a number from 1 to 100"));
        };
        match carried.intent.and_then(|intent| intent.rings) {
            Some(shown) if shown != rings => {
                Err(format!("ringCount is {rings}, but the menu shows {shown}"))
            }
            _ => Ok(()),
        }
    };
    check().map_or_else(Lint::Wrong, |()| Lint::Right)
}
