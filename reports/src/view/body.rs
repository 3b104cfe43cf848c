//! What a message's body says, in words: in full below the message, and in short on its arrow.

use evidence::body::{Part, Reading};
use evidence::message::Message;
use evidence::record::Service;

/// What the documents in a body say, a line each.
pub(crate) fn in_full(message: &Message) -> Vec<String> {
    let Some(reading) = reading(message) else {
        return Vec::new();
    };
    let mut lines: Vec<String> = reading.parts.iter().map(document).collect();
    lines.extend(reading.oddity.map(|oddity| format!("odd: {oddity}")));
    lines
}

/// The same, short enough for an arrow.
pub(crate) fn in_short(message: &Message) -> String {
    if message.body().is_empty() {
        return String::new();
    }
    let Some(reading) = reading(message) else {
        return format!("{} bytes of body", message.body().len());
    };
    let mut words: Vec<String> = reading.parts.iter().map(brief).collect();
    words.extend(reading.oddity.map(|_| "odd body".to_owned()));
    words.join(", ")
}

fn reading(message: &Message) -> Option<Reading> {
    let kind = message.header("Content-Type");
    let known =
        kind.is_some_and(|kind| kind.contains("as-feature-event") || kind.contains("multipart"));
    known.then(|| Reading::of(kind, message.body()))
}

fn document(part: &Part) -> String {
    match part {
        Part::Told(told) => {
            let mut line = format!("{} {}", told.service.title(), on_off(told.active));
            if let Some(number) = told.shown_number() {
                line.push_str(&format!(" to {number}"));
            }
            if let Some(rings) = told.valid_rings() {
                line.push_str(&format!(" after {rings} rings"));
            }
            line
        }
        Part::Asked(asked) => {
            let name = asked.service.map_or("unknown service", Service::title);
            let elements = asked.document.children.iter();
            let elements = elements.filter(|child| child.name != "device");
            let values: Vec<String> = elements
                .map(|child| format!("{} = {}", child.name, child.text.trim()))
                .collect();
            format!("asks for {name}: {}", values.join(", "))
        }
        Part::Unknown { root } => format!("unknown document {root}"),
        Part::Unreadable(why) => format!("unreadable document: {why}"),
    }
}

fn brief(part: &Part) -> String {
    match part {
        Part::Told(told) => {
            let mut text = format!("{} {}", told.service.abbreviation(), on_off(told.active));
            if let Some(number) = told.shown_number() {
                text.push_str(&format!(" {number}"));
            }
            text
        }
        Part::Asked(asked) => {
            let elements = asked.document.children.iter();
            let values: Vec<&str> = elements
                .filter(|child| child.name != "device")
                .map(|child| child.text.trim())
                .filter(|text| !text.is_empty())
                .collect();
            let name = asked
                .service
                .map_or("unknown service", Service::abbreviation);
            if values.is_empty() {
                format!("asks for {name}")
            } else {
                format!("asks for {name} {}", values.join(" "))
            }
        }
        Part::Unknown { .. } => "unknown document".to_owned(),
        Part::Unreadable(_) => "unreadable document".to_owned(),
    }
}

const fn on_off(active: Option<bool>) -> &'static str {
    match active {
        Some(true) => "on",
        Some(false) => "off",
        None => "neither on nor off",
    }
}
