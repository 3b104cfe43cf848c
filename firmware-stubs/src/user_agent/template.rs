//! Request and body texts of a base: templates from its model file, filled with the values of one request.
//!
//! A template is plain text. `{name}` stands for a value, and a line that begins with `{name?}` is left out when that
//! value is empty. Every line ends with CR LF on the wire, whatever the file has. An unknown placeholder is refused when
//! the model is loaded, so that a text is never sent half filled. Values never carry line ends into a text, and in XML
//! they are escaped.
//!
//! The texts are written from the wire, not from the printers of the sip crate, so that a base and a server that share
//! that crate cannot agree on a mistake.

use bytes::Bytes;
use serde::Deserialize;
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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

    /// The template with this key.
    #[must_use]
    pub fn from_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str() == key)
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

/// What is wrong with a template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// A model needs this template and has none.
    #[error("template `{0}` is missing")]
    Missing(TemplateName),
    /// An opening brace without a closing one.
    #[error("template `{template}`, line {line}: placeholder without `}}`")]
    Unclosed {
        /// Which template.
        template: TemplateName,
        /// Counted from 1 inside the template.
        line: usize,
    },
    /// No such placeholder in this template.
    #[error("template `{template}`, line {line}: unknown placeholder `{placeholder}`")]
    UnknownPlaceholder {
        /// Which template.
        template: TemplateName,
        /// Counted from 1 inside the template.
        line: usize,
        /// What stands between the braces.
        placeholder: String,
    },
    /// No such template.
    #[error("unknown template `{0}`")]
    UnknownTemplate(String),
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
                    template: name,
                    line: number,
                    placeholder: placeholder.to_owned(),
                })
        };
        let mut line = Self {
            only_with: None,
            pieces: Vec::new(),
        };
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let Some((placeholder, behind)) = after.split_once('}') else {
                return Err(TemplateError::Unclosed {
                    template: name,
                    line: number,
                });
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
    for c in value.chars().filter(|c| !c.is_control()) {
        match c {
            '&' if escape => text.push_str("&amp;"),
            '<' if escape => text.push_str("&lt;"),
            '>' if escape => text.push_str("&gt;"),
            '"' if escape => text.push_str("&quot;"),
            '\'' if escape => text.push_str("&apos;"),
            // Whatever encoding the declaration of the template names, a reference means the same.
            c if escape && !c.is_ascii() => text.push_str(&format!("&#{};", u32::from(c))),
            _ => text.push(c),
        }
    }
}

/// Some texts of a model, to stand in place of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
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

    /// Reads texts by the name of their template.
    ///
    /// # Errors
    /// When a template is unknown or uses a placeholder that it does not have.
    pub fn from_texts(texts: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let mut templates = BTreeMap::new();
        for (key, text) in texts {
            let name = TemplateName::from_key(key);
            let name = name.ok_or_else(|| TemplateError::UnknownTemplate(key.clone()))?;
            templates.insert(name, Template::parse(name, text)?);
        }
        Ok(Self(templates))
    }
}

impl TryFrom<BTreeMap<String, String>> for Overrides {
    type Error = TemplateError;

    fn try_from(texts: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        Self::from_texts(&texts)
    }
}

impl TryFrom<BTreeMap<String, String>> for Templates {
    type Error = TemplateError;

    fn try_from(texts: BTreeMap<String, String>) -> Result<Self, TemplateError> {
        Self::from_texts(&texts)
    }
}

/// All texts of one model.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>")]
pub struct Templates(BTreeMap<TemplateName, Template>);

impl Templates {
    /// The texts of a model file's `[sip.templates]`.
    ///
    /// # Errors
    /// When a template is missing or unknown, or uses a placeholder that it does not have.
    pub fn from_texts(texts: &BTreeMap<String, String>) -> Result<Self, TemplateError> {
        let Overrides(templates) = Overrides::from_texts(texts)?;
        let missing = TemplateName::ALL
            .iter()
            .find(|name| !templates.contains_key(*name));
        missing.map_or(Ok(Self(templates)), |name| {
            Err(TemplateError::Missing(*name))
        })
    }

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
        assert_eq!(
            error.to_string(),
            "template `bye`, line 2: unknown placeholder `bogus`"
        );
        let error = Template::parse(TemplateName::Bye, "BYE {uri").unwrap_err();
        assert_eq!(
            error.to_string(),
            "template `bye`, line 1: placeholder without `}`"
        );
    }

    #[test]
    fn a_model_needs_every_template_and_no_other() {
        let mut texts: BTreeMap<_, _> = TemplateName::ALL
            .iter()
            .map(|name| (name.to_string(), String::new()))
            .collect();
        assert!(Templates::from_texts(&texts).is_ok());
        texts.insert("publish".to_owned(), String::new());
        let error = Templates::from_texts(&texts).unwrap_err();
        assert_eq!(error, TemplateError::UnknownTemplate("publish".to_owned()));
        texts.remove("publish");
        texts.remove("invite");
        let error = Templates::from_texts(&texts).unwrap_err();
        assert_eq!(error, TemplateError::Missing(TemplateName::Invite));
    }

    #[test]
    fn length_and_type_follow_the_body() {
        let mut texts: BTreeMap<_, _> = TemplateName::ALL
            .iter()
            .map(|name| (name.to_string(), String::new()))
            .collect();
        let text = "{content_type?}Content-Type: {content_type}\nContent-Length: {length}";
        texts.insert("subscribe".to_owned(), text.to_owned());
        let templates = Templates::from_texts(&texts).unwrap();
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
