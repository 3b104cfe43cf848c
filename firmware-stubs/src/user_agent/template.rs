//! Request and body texts of a base: templates from its model file, filled with the values of one request.
//!
//! A template is plain text. `{name}` stands for a value, and a line that begins with `{name?}` is left out when that
//! value is empty. Every line ends with CR LF on the wire, whatever the file has. An unknown placeholder is refused when
//! the model is loaded, so that a text is never sent half filled. Values never carry line ends into a text, and in XML
//! they are escaped.
//!
//! The texts are written from the wire, not from the printers of the sip crate, so that a base and a server that share
//! that crate cannot agree on a mistake; they share how a value is escaped.

use bytes::Bytes;
use document::did_you_mean;
use serde::de::{DeserializeSeed, Error, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use sip::ascii_xml;
use std::collections::BTreeMap;
use std::fmt;

/// Placeholders that every request has.
macro_rules! request_names {
    ($($extra:literal),*) => {
        &[
            "aor", "authorization", "authorization_header", "branch", "call_id", "contact", "content_type", "cseq",
            "from_name", "length", "local_tag", "route", "sent_by", "to_tag", "transport", "uri", "user_agent",
            $($extra),*
        ]
    };
}

/// Which text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TemplateName {
    /// The ACK to a 2xx.
    Ack,
    /// BYE.
    Bye,
    /// The session description of a feature code call.
    Description,
    /// INVITE.
    Invite,
    /// REGISTER, to add a binding and to remove it.
    Register,
    /// The body that asks for Do Not Disturb.
    SetDoNotDisturb,
    /// The body that asks for a forwarding.
    SetForwarding,
    /// SUBSCRIBE, with and without body.
    Subscribe,
}

impl TemplateName {
    /// Every template that a model has.
    pub const ALL: &[Self] = &[
        Self::Ack,
        Self::Bye,
        Self::Description,
        Self::Invite,
        Self::Register,
        Self::SetDoNotDisturb,
        Self::SetForwarding,
        Self::Subscribe,
    ];

    /// The key in a model file.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ack => "ack",
            Self::Bye => "bye",
            Self::Description => "description",
            Self::Invite => "invite",
            Self::Register => "register",
            Self::SetDoNotDisturb => "set-do-not-disturb",
            Self::SetForwarding => "set-forwarding",
            Self::Subscribe => "subscribe",
        }
    }

    /// The placeholders that this template may use.
    #[must_use]
    pub const fn placeholders(self) -> &'static [&'static str] {
        match self {
            Self::Ack | Self::Bye | Self::Invite => request_names!("remote"),
            Self::Description => &["address", "session", "user"],
            Self::Register => request_names!("expires"),
            Self::Subscribe => request_names!("accept", "event", "expires"),
            Self::SetDoNotDisturb => &["device", "active"],
            // `on` is empty when the forwarding is switched off.
            Self::SetForwarding => &["device", "active", "number", "on", "rings", "type"],
        }
    }

    const fn escapes(self) -> bool {
        matches!(self, Self::SetDoNotDisturb | Self::SetForwarding)
    }
}

impl fmt::Display for TemplateName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with a template. Lines are counted from 1 inside the template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
enum TemplateError {
    /// An opening brace without a closing one.
    #[error("line {line}: placeholder without `}}`")]
    Unclosed { line: usize },
    /// No such placeholder in this template.
    #[error(
        "line {line}: unknown placeholder `{placeholder}`{}",
        did_you_mean(placeholder, known.iter().copied())
    )]
    UnknownPlaceholder {
        line: usize,
        placeholder: String,
        known: &'static [&'static str],
    },
}

/// The values for one text.
#[derive(Clone, Debug, Default)]
pub struct Values(BTreeMap<&'static str, String>);

impl Values {
    /// No value yet: each placeholder is empty.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets one value.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        self.0.insert(name, value.to_string());
        self
    }

    fn value(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }
}

/// A parsed text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Template {
    lines: Vec<Line>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    only_with: Option<&'static str>,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(&'static str),
}

impl Template {
    fn parse(name: TemplateName, text: &str) -> Result<Self, TemplateError> {
        let lines = text.trim_end_matches('\n').lines().enumerate();
        let lines = lines.map(|(index, line)| Line::parse(name, index + 1, line));
        Ok(Self {
            lines: lines.collect::<Result<_, _>>()?,
        })
    }

    fn render(&self, name: TemplateName, values: &Values) -> String {
        let mut text = String::new();
        for line in &self.lines {
            if line
                .only_with
                .is_some_and(|with| values.value(with).is_empty())
            {
                continue;
            }
            for piece in &line.pieces {
                match piece {
                    Piece::Text(literal) => text.push_str(literal),
                    Piece::Value(value) => {
                        push_value(&mut text, values.value(value), name.escapes());
                    }
                }
            }
            text.push_str("\r\n");
        }
        text
    }
}

impl Line {
    fn parse(name: TemplateName, number: usize, text: &str) -> Result<Self, TemplateError> {
        let known = |placeholder: &str| {
            let found = name
                .placeholders()
                .iter()
                .find(|known| **known == placeholder);
            found
                .copied()
                .ok_or_else(|| TemplateError::UnknownPlaceholder {
                    line: number,
                    placeholder: placeholder.to_owned(),
                    known: name.placeholders(),
                })
        };
        let mut line = Self {
            only_with: None,
            pieces: Vec::new(),
        };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((placeholder, behind)) = after.split_once('}') else {
                return Err(TemplateError::Unclosed { line: number });
            };
            if !before.is_empty() {
                line.pieces.push(Piece::Text(before.to_owned()));
            }
            match placeholder.strip_suffix('?') {
                Some(condition) if line.is_blank() && line.only_with.is_none() => {
                    line.only_with = Some(known(condition)?);
                }
                _ => line.pieces.push(Piece::Value(known(placeholder)?)),
            }
            rest = behind;
        }
        if !rest.is_empty() {
            line.pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(line)
    }

    fn is_blank(&self) -> bool {
        let mut pieces = self.pieces.iter();
        pieces.all(|piece| matches!(piece, Piece::Text(text) if text.trim().is_empty()))
    }
}

fn push_value(text: &mut String, value: &str, escape: bool) {
    let value: String = value.chars().filter(|c| !c.is_control()).collect();
    if escape {
        text.push_str(&ascii_xml::escaped(&value));
    } else {
        text.push_str(&value);
    }
}

/// Some texts of a model, to stand in place of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides(BTreeMap<TemplateName, Template>);

impl Overrides {
    /// Whether nothing is replaced.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the templates that are replaced.
    pub fn names(&self) -> impl Iterator<Item = TemplateName> {
        self.0.keys().copied()
    }
}

impl<'de> Deserialize<'de> for Overrides {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(TextsByName).map(Self)
    }
}

/// All texts of one model: the `[sip.templates]` of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates(BTreeMap<TemplateName, Template>);

impl<'de> Deserialize<'de> for Templates {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let templates = from.deserialize_map(TextsByName)?;
        let mut all = TemplateName::ALL.iter();
        match all.find(|name| !templates.contains_key(*name)) {
            None => Ok(Self(templates)),
            Some(missing) => Err(D::Error::missing_field(missing.as_str())),
        }
    }
}

/// Reads texts by the names of their templates, so that a wrong text is refused at its own key.
struct TextsByName;

impl<'de> Visitor<'de> for TextsByName {
    type Value = BTreeMap<TemplateName, Template>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a table of texts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut templates = BTreeMap::new();
        // As text first: only a key that is read as text is named in a complaint about its value.
        while let Some(key) = map.next_key::<String>()? {
            let name = TemplateName::deserialize(key.into_deserializer())?;
            templates.insert(name, map.next_value_seed(TextOf(name))?);
        }
        Ok(templates)
    }
}

/// Reads the text of this template.
struct TextOf(TemplateName);

impl<'de> DeserializeSeed<'de> for TextOf {
    type Value = Template;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Template, D::Error> {
        let text = String::deserialize(from)?;
        Template::parse(self.0, &text).map_err(D::Error::custom)
    }
}

impl Templates {
    /// Replaces some texts, as a mutant does.
    pub fn replace(&mut self, overrides: &Overrides) {
        self.0.extend(overrides.0.clone());
    }

    /// A text without a message around it, such as a body.
    #[must_use]
    pub fn text(&self, name: TemplateName, values: &Values) -> String {
        let template = self.0.get(&name);
        template.map_or_else(String::new, |template| template.render(name, values))
    }

    /// A request with its body; `length` and `content_type` are filled in from it.
    #[must_use]
    pub fn request(
        &self,
        name: TemplateName,
        values: Values,
        body: Option<(&str, &[u8])>,
    ) -> Bytes {
        self.request_with(None, name, values, body)
    }

    /// The same, with the text of `overrides` where there is one.
    #[must_use]
    pub fn request_with(
        &self,
        overrides: Option<&Overrides>,
        name: TemplateName,
        values: Values,
        body: Option<(&str, &[u8])>,
    ) -> Bytes {
        let (content_type, body) = body.unwrap_or(("", &[]));
        let values = values
            .with("length", body.len())
            .with("content_type", content_type);
        let other = overrides.and_then(|overrides| overrides.0.get(&name));
        let template = other.or_else(|| self.0.get(&name));
        let text = template.map_or_else(String::new, |template| template.render(name, &values));
        let mut wire = text.into_bytes();
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(body);
        wire.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(name: TemplateName, text: &str, values: &Values) -> String {
        Template::parse(name, text).unwrap().render(name, values)
    }

    #[test]
    fn a_line_with_an_empty_condition_is_left_out() {
        let text = "BYE {uri} SIP/2.0\n{route?}Route: {route}\nCSeq: {cseq} BYE\n";
        let values = Values::new().with("uri", "sip:a@b").with("cseq", 7);
        assert_eq!(
            render(TemplateName::Bye, text, &values),
            "BYE sip:a@b SIP/2.0\r\nCSeq: 7 BYE\r\n"
        );
        assert_eq!(
            render(TemplateName::Bye, text, &values.with("route", "<sip:p;lr>")),
            "BYE sip:a@b SIP/2.0\r\nRoute: <sip:p;lr>\r\nCSeq: 7 BYE\r\n"
        );
    }

    #[test]
    fn values_in_xml_are_escaped() {
        let values = Values::new().with("number", "<&\"'>ä");
        assert_eq!(
            render(
                TemplateName::SetForwarding,
                "<forwardDN>{number}</forwardDN>",
                &values
            ),
            "<forwardDN>&lt;&amp;&quot;&apos;&gt;&#228;</forwardDN>\r\n"
        );
    }

    #[test]
    fn a_value_cannot_smuggle_in_a_header() {
        let values = Values::new().with("from_name", "A\r\nEvil: yes");
        assert_eq!(
            render(TemplateName::Bye, "From: {from_name}", &values),
            "From: AEvil: yes\r\n"
        );
    }

    #[test]
    fn an_unknown_placeholder_is_refused_with_its_line() {
        let error = Template::parse(TemplateName::Bye, "BYE {uri}\nX: {bogus}").unwrap_err();
        assert_eq!(error.to_string(), "line 2: unknown placeholder `bogus`");
        let error = Template::parse(TemplateName::Bye, "BYE {uri").unwrap_err();
        assert_eq!(error.to_string(), "line 1: placeholder without `}`");
    }

    /// Every template of a model, as a file has them; all but `SUBSCRIBE` are empty.
    fn every_template(subscribe: &str) -> String {
        let text = |name: &TemplateName| match name {
            TemplateName::Subscribe => format!("subscribe = \"\"\"{subscribe}\"\"\"\n"),
            other => format!("{other} = \"\"\n"),
        };
        TemplateName::ALL.iter().map(text).collect()
    }

    #[test]
    fn a_model_needs_every_template_and_no_other() {
        let read = |text: &str| document::from_toml::<Templates>(text, "x");
        let texts = every_template("");
        assert!(read(&texts).is_ok());
        let error = read(&format!("{texts}publish = \"\"\n")).unwrap_err();
        assert_eq!(error.key, "publish");
        let error = read(&texts.replace("invite", "# invite")).unwrap_err();
        assert_eq!(error.to_string(), "x:1: invite: is missing");
    }

    #[test]
    fn length_and_type_follow_the_body() {
        let text = "{content_type?}Content-Type: {content_type}\nContent-Length: {length}";
        let templates = document::from_toml::<Templates>(&every_template(text), "x").unwrap();
        let wire = templates.request(TemplateName::Subscribe, Values::new(), None);
        assert_eq!(&wire[..], b"Content-Length: 0\r\n\r\n");
        let body = Some(("a/b", &b"xyz"[..]));
        let wire = templates.request(TemplateName::Subscribe, Values::new(), body);
        assert_eq!(
            &wire[..],
            b"Content-Type: a/b\r\nContent-Length: 3\r\n\r\nxyz"
        );
    }
}
