//! The rules of the change group: CHG-01, CHG-02, CHG-03, CHG-04, CHG-06, CHG-09.
//!
//! A SUBSCRIBE with a body that no user asked for breaks exactly one requirement, the first that explains it: SUB-03
//! for an initial one, CHG-06 for a wish the server has contradicted, CHG-01 for a second copy of a change that is not
//! notified yet or was sent just before, CHG-09 within five seconds of a NOTIFY or after keys that change no service,
//! SUB-03 else.

use super::menu::{SCREENS, tell_wrong};
use super::registration::user_of;
use super::report::Need;
use super::rule::{Deadlines, Moment, Rule, SECOND, TIMER_F, Tell, clock, span};
use super::scene::Scene;
use super::subscribe::subscribe;
use super::traffic::{Feature, Purpose, Request};
use super::wire::activation;
use crate::body::{Asked, CONTENT_TYPE, NAMESPACE, Part};
use crate::record::{Intent, Service};
use crate::xml::Element;

/// How soon a change is sent.
const PROMPT: u64 = 2 * SECOND;
/// How long after a NOTIFY a change counts as its echo.
pub(super) const ECHO: u64 = 5 * SECOND;

pub(super) fn rules() -> Vec<Box<dyn Rule>> {
    vec![
        Box::new(OneChangeOneSubscribe::default()),
        Box::new(Document {
            requirement: "CHG-02",
            lint: lint_dnd,
        }),
        Box::new(Document {
            requirement: "CHG-03",
            lint: lint_forwarding,
        }),
        Box::new(Document {
            requirement: "CHG-04",
            lint: lint_rings,
        }),
        Box::new(LastWord),
        Box::new(NoEcho),
    ]
}

/// Why a SUBSCRIBE has a body although no user asked for anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unasked {
    /// It insists on what the server has contradicted.
    Contradicted,
    /// It says the same again.
    Doubled,
    /// It follows a NOTIFY.
    Echo,
    /// It follows a key that asks for no change of a service.
    Misread,
    /// Nothing explains it.
    Plain,
}

/// Why this SUBSCRIBE has a body, when no user asked for anything.
pub(super) fn unasked(scene: &Scene, place: usize) -> Option<Unasked> {
    let request = scene.request(place)?;
    let feature = request.feature.as_ref()?;
    if feature.purpose != Purpose::Change || request.repeats.is_some() || feature.wish.is_some() {
        return None;
    }
    if !feature.in_dialog && request.message.to_tag().is_none() {
        return Some(Unasked::Plain);
    }
    if !scene.knows_keys() {
        return None;
    }
    let same = scene
        .requests
        .iter()
        .take(place)
        .rev()
        .take(256)
        .find(|before| {
            before.line == request.line
                && before.purpose() == Some(Purpose::Change)
                && before.message.body() == request.message.body()
        });

    let line = request.line?;
    let told = |since: u64| {
        scene
            .told_since(line, since)
            .next()
            .map(|(arrival, _)| arrival.at)
    };
    if let Some(same) = same {
        if is_contradicted(scene, line, same) {
            return Some(Unasked::Contradicted);
        }
        let untold = told(same.at).is_none() && request.at < same.at + TIMER_F;
        let wished = same
            .feature
            .as_ref()
            .is_some_and(|feature| feature.wish.is_some());
        if untold || (wished && request.at <= same.at + ECHO) {
            return Some(Unasked::Doubled);
        }
    }
    let echo = told(request.at.saturating_sub(ECHO));
    let handsets = scene.line(line).map_or(&[][..], |line| &line.handsets);
    let pressed = handsets
        .iter()
        .filter_map(|handset| scene.pressed.get(handset))
        .max();
    let worked = pressed.is_some_and(|pressed| {
        request.at <= pressed + PROMPT && echo.is_none_or(|echo| echo < *pressed)
    });
    Some(if worked {
        Unasked::Misread
    } else if echo.is_some() {
        Unasked::Echo
    } else {
        Unasked::Plain
    })
}

/// Whether the server has told something else since this change carried a wish to it.
fn is_contradicted(scene: &Scene, line: usize, change: &Request) -> bool {
    let wish = change
        .feature
        .as_ref()
        .and_then(|feature| scene.wishes.get(feature.wish?));
    wish.is_some_and(|wish| {
        wish.contradicted
            || scene.told_since(line, change.at).any(|(_, notice)| {
                let told = notice.reading.told_of(wish.intent.service);
                told.is_some_and(|told| wish.contradicts(told))
            })
    })
}

/// CHG-01
#[derive(Debug, Default)]
struct OneChangeOneSubscribe {
    waiting: Deadlines<usize>,
}

impl OneChangeOneSubscribe {
    fn on_change(
        &mut self,
        place: usize,
        request: &Request,
        feature: &Feature,
        scene: &Scene,
        tell: &mut Tell,
    ) {
        if feature.purpose != Purpose::Change || request.repeats.is_some() {
            return;
        }
        let line = request.line.unwrap_or_default();

        if unasked(scene, place) == Some(Unasked::Doubled) {
            let text = format!(
                "one change by the user is one SUBSCRIBE, but {} sent the same change again at {}",
                user_of(scene, line),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
            return;
        }

        let Some(wish) = feature.wish.and_then(|wish| scene.wishes.get(wish)) else {
            return;
        };
        tell.exercise();
        self.waiting.retain(|waiting| {
            scene
                .wishes
                .get(*waiting)
                .is_some_and(super::wish::Wish::is_unsent)
        });
        let known = scene.subscription(feature.subscription);
        let tag = known.and_then(|known| known.remote_tag.as_deref());
        let wrong = if !feature.in_dialog {
            let sound = feature.replaces.is_some_and(|old| old.sound) || wish.sendable;
            sound.then(|| "it does not belong to the subscription".to_owned())
        } else if request.message.to_tag() != tag {
            Some(format!(
                "its To tag is {}, that of the subscription {}",
                request.message.to_tag().unwrap_or("missing"),
                tag.unwrap_or("unknown")
            ))
        } else {
            let previous = feature.previous_cseq.unwrap_or_default();
            (request.cseq != previous.wrapping_add(1))
                .then(|| format!("its CSeq is {} after {previous}", request.cseq))
        };
        if let Some(wrong) = wrong {
            let text = format!(
                "the change that the user asked for at {} must be a SUBSCRIBE within the subscription, but {wrong}",
                clock(wish.at)
            );
            tell.find(self, request.at, text, &[wish.seq, request.seq]);
        }
    }

    fn on_clock(&mut self, scene: &Scene, tell: &mut Tell) {
        while let Some((at, place)) = self.waiting.pass(scene.now) {
            let Some(wish) = scene.wishes.get(place).filter(|wish| wish.is_unsent()) else {
                continue;
            };
            let sound = scene
                .current(wish.line)
                .is_some_and(|(_, known)| known.is_live(scene.now) && known.is_settled());
            if sound {
                let text = format!(
                    "{} asked for {} {} at {}, but no SUBSCRIBE carried it to the server within {}",
                    user_of(scene, wish.line),
                    wish.intent.service.title(),
                    if wish.intent.active { "on" } else { "off" },
                    clock(wish.at),
                    span(PROMPT)
                );
                tell.find(self, at, text, &[wish.seq]);
            }
        }
    }
}

impl Rule for OneChangeOneSubscribe {
    fn requirement(&self) -> &'static str {
        "CHG-01"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sip, Need::Provisioning, Need::Key]
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        match moment {
            Moment::Boot => self.waiting.clear(),
            Moment::Clock => self.on_clock(scene, tell),
            Moment::Provisioned(line) => self.waiting.retain(|waiting| {
                scene
                    .wishes
                    .get(*waiting)
                    .is_some_and(|wish| wish.line != line)
            }),
            Moment::Wish(place) => {
                let wish = scene.wishes.get(place);
                if wish.is_some_and(|wish| wish.sendable && !wish.idle) {
                    self.waiting.set(scene.now + PROMPT, place);
                }
            }
            _ => {
                if let Some((place, request, feature, _)) = subscribe(moment, scene) {
                    self.on_change(place, request, feature, scene, tell);
                }
            }
        }
    }
}

/// CHG-02, CHG-03, CHG-04: what stands in the document of a change.
struct Document {
    requirement: &'static str,
    lint: fn(&Change<'_>) -> Lint,
}

/// What a lint came to.
enum Lint {
    /// The document is not its business.
    NotMine,
    Right,
    Wrong(String),
}

/// A change as it left the base.
struct Change<'a> {
    request: &'a Request,
    feature: &'a Feature,
    intent: Option<&'a Intent>,
}

impl Change<'_> {
    fn asked(&self) -> Option<&Asked> {
        self.feature.reading.asked().next()
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
        match self.feature.reading.parts.as_slice() {
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

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        let Some((place, request, feature, _)) = subscribe(moment, scene) else {
            return;
        };
        if feature.purpose != Purpose::Change || unasked(scene, place).is_some() {
            return;
        }
        let wish = feature.wish.and_then(|wish| scene.wishes.get(wish));
        let change = Change {
            request,
            feature,
            intent: wish.map(|wish| &wish.intent),
        };
        match (self.lint)(&change) {
            Lint::NotMine => {}
            Lint::Right => tell.exercise(),
            Lint::Wrong(wrong) => {
                let mut records = vec![request.seq];
                records.extend(wish.map(|wish| wish.seq));
                let asked = wish.map_or_else(String::new, |wish| {
                    format!(
                        ", for the change of {} at {}",
                        wish.intent.service.title(),
                        clock(wish.at)
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

fn lint_dnd(change: &Change<'_>) -> Lint {
    if !change.is_dnd() {
        return Lint::NotMine;
    }
    let check = || {
        let document = change.document("SetDoNotDisturb")?;
        if let Some(wrong) = change.framing(document) {
            return Err(wrong);
        }
        says_active(document, "doNotDisturbOn", change.intent)
    };
    check().map_or_else(Lint::Wrong, |()| Lint::Right)
}

fn lint_forwarding(change: &Change<'_>) -> Lint {
    if change.is_dnd() {
        return Lint::NotMine;
    }
    let check = || {
        let document = change.document("SetForwarding")?;
        if let Some(wrong) = change.framing(document) {
            return Err(wrong);
        }
        once(document, "device")?;
        let kind = once(document, "forwardingType")?;
        says_active(document, "activateForward", change.intent)?;
        let number = once(document, "forwardDN")?;
        let Some(intent) = change.intent else {
            return Ok(());
        };
        let service = change.asked().and_then(|asked| asked.service);
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

fn lint_rings(change: &Change<'_>) -> Lint {
    let Some(asked) = change.asked() else {
        return Lint::NotMine;
    };
    let activates = asked.service == Some(Service::CallForwardingNoAnswer)
        && activation(asked) == Some(true)
        && change
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
        match change.intent.and_then(|intent| intent.rings) {
            Some(shown) if shown != rings => {
                Err(format!("ringCount is {rings}, but the menu shows {shown}"))
            }
            _ => Ok(()),
        }
    };
    check().map_or_else(Lint::Wrong, |()| Lint::Right)
}

/// CHG-06
#[derive(Debug)]
struct LastWord;

impl Rule for LastWord {
    fn requirement(&self) -> &'static str {
        "CHG-06"
    }

    fn needs(&self) -> &'static [Need] {
        SCREENS
    }

    fn claims(&self) -> &'static [&'static str] {
        &["display."]
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        if let Moment::Reply(place) = moment
            && let Some(arrival) = scene.arrival(place)
            && arrival.replies.len() == 1
            && arrival
                .notice
                .as_ref()
                .is_some_and(|notice| !notice.wishes.is_empty())
        {
            tell.exercise();
        }
        if let Moment::Check(place) = moment
            && let Some(check) = scene.checks.get(place)
        {
            let notice = scene
                .arrival(check.source)
                .and_then(|arrival| arrival.notice.as_ref());
            if check.wrong.is_none() && notice.is_some_and(|notice| !notice.wishes.is_empty()) {
                tell.exercise();
            }
            tell_wrong(self, check, scene, tell);
        }
        if let Some((place, request, _, line)) = subscribe(moment, scene)
            && unasked(scene, place) == Some(Unasked::Contradicted)
        {
            let text = format!(
                "the server has decided otherwise, but {} asked for the same again at {}",
                user_of(scene, line),
                clock(request.at)
            );
            tell.find(self, request.at, text, &[request.seq]);
        }
    }
}

/// CHG-09
#[derive(Debug)]
struct NoEcho;

impl Rule for NoEcho {
    fn requirement(&self) -> &'static str {
        "CHG-09"
    }

    fn needs(&self) -> &'static [Need] {
        &[Need::Sip, Need::Key]
    }

    fn on(&mut self, moment: Moment, scene: &Scene, tell: &mut Tell) {
        if let Moment::Reply(place) = moment
            && let Some(arrival) = scene.arrival(place)
            && let Some(notice) = &arrival.notice
            && arrival.replies.len() == 1
            && arrival.accepted()
            && notice.reading.told().next().is_some()
        {
            tell.exercise();
        }
        if let Some((place, request, _, line)) = subscribe(moment, scene)
            && matches!(
                unasked(scene, place),
                Some(Unasked::Echo | Unasked::Misread)
            )
        {
            let told = scene.told_since(line, 0).next().map(|(arrival, _)| arrival);

            let text = format!(
                "no user asked for anything, but {} sent a change at {}, {} after a NOTIFY",
                user_of(scene, line),
                clock(request.at),
                span(request.at.saturating_sub(told.map_or(0, |told| told.at)))
            );
            let mut records = vec![request.seq];
            records.extend(told.map(|told| told.seq));
            tell.find(self, request.at, text, &records);
        }
    }
}
