//! A small tree of an XML document from outside, with limits.
//!
//! A document type declaration is refused, whatever it says, and so are entities other than the five of XML and
//! character references. Size, depth and number of elements are limited. Namespaces are resolved; stray text between
//! elements is kept and harmless. ISO-8859-1 and UTF-8 are read.

use quick_xml::NsReader;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::ResolveResult;
use std::borrow::Cow;

/// The largest document that is read, in bytes.
pub const MAX_SIZE: usize = 1 << 20;
/// The deepest nesting that is read.
pub const MAX_DEPTH: usize = 16;
/// The largest number of elements that is read.
pub const MAX_ELEMENTS: usize = 20_000;

/// Why a document is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It declares a document type.
    #[error("a document type declaration is not allowed")]
    DocumentType,
    /// It uses an entity that XML itself does not define.
    #[error("the entity `{0}` is not defined")]
    Entity(String),
    /// It is larger, deeper or longer than any honest document.
    #[error("more than {0}")]
    Limit(&'static str),
    /// It is not well-formed.
    #[error("not well-formed: {0}")]
    Malformed(String),
    /// Its bytes are not text in its encoding.
    #[error("not text in {0}")]
    Encoding(&'static str),
}

/// An element with what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// The local name.
    pub name: String,
    /// The namespace it is bound to.
    pub namespace: Option<String>,
    /// Its attributes by qualified name, without namespace declarations.
    pub attributes: Vec<(String, String)>,
    /// All text directly inside it.
    pub text: String,
    /// The elements directly inside it.
    pub children: Vec<Self>,
}

impl Element {
    /// Reads a document.
    ///
    /// # Errors
    /// When it is not well-formed, breaks a limit or holds what is refused.
    pub fn parse(bytes: &[u8]) -> Result<Self, XmlError> {
        if bytes.len() > MAX_SIZE {
            return Err(XmlError::Limit("the largest size of a document"));
        }
        let text = decode(bytes)?;
        let mut reader = NsReader::from_str(&text);
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        let mut elements = 0;
        loop {
            let (namespace, event) = reader.read_resolved_event().map_err(malformed)?;
            match event {
                Event::Start(ref start) | Event::Empty(ref start) => {
                    elements += 1;
                    if elements > MAX_ELEMENTS {
                        return Err(XmlError::Limit("the largest number of elements"));
                    }
                    if open.len() >= MAX_DEPTH {
                        return Err(XmlError::Limit("the deepest nesting"));
                    }
                    if open.is_empty() && root.is_some() {
                        return Err(XmlError::Malformed("two root elements".to_owned()));
                    }
                    let element = Self::begin(start, &namespace)?;
                    if matches!(event, Event::Empty(_)) {
                        close(element, &mut open, &mut root);
                    } else {
                        open.push(element);
                    }
                }
                Event::End(_) => {
                    if let Some(element) = open.pop() {
                        close(element, &mut open, &mut root);
                    }
                }
                Event::Text(text) => {
                    append(&text, &mut open)?;
                }
                Event::CData(data) => {
                    append(&data, &mut open)?;
                }
                Event::GeneralRef(name) => {
                    append(resolve(&name)?.encode_utf8(&mut [0; 4]), &mut open)?;
                }
                Event::DocType(_) => return Err(XmlError::DocumentType),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
                Event::Eof => break,
            }
        }
        if !open.is_empty() {
            return Err(XmlError::Malformed("an element is not closed".to_owned()));
        }
        root.ok_or_else(|| XmlError::Malformed("no element".to_owned()))
    }

    fn begin(start: &BytesStart<'_>, namespace: &ResolveResult<'_>) -> Result<Self, XmlError> {
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => Some(namespace.as_ref().to_owned()),
            ResolveResult::Unbound => None,
            ResolveResult::Unknown(prefix) => {
                return Err(XmlError::Malformed(format!(
                    "the prefix `{prefix}` is not bound"
                )));
            }
        };
        let mut attributes = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(malformed)?;
            let name = attribute.key.as_ref().to_owned();
            if name != "xmlns" && !name.starts_with("xmlns:") {
                attributes.push((name, unescape(&attribute.value)?));
            }
        }
        Ok(Self {
            name: start.local_name().as_ref().to_owned(),
            namespace,
            attributes,
            ..Self::default()
        })
    }

    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The children with this local name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The first child with this local name.
    #[must_use]
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

fn close(element: Element, open: &mut [Element], root: &mut Option<Element>) {
    match open.last_mut() {
        Some(parent) => parent.children.push(element),
        None => *root = Some(element),
    }
}

fn append(text: &str, open: &mut [Element]) -> Result<(), XmlError> {
    match open.last_mut() {
        Some(element) => element.text.push_str(text),
        None if text
            .trim_matches(['\u{feff}', ' ', '\t', '\r', '\n', '\0'])
            .is_empty() => {}
        None => {
            return Err(XmlError::Malformed(
                "text outside the root element".to_owned(),
            ));
        }
    }
    Ok(())
}

fn malformed(error: impl std::fmt::Display) -> XmlError {
    XmlError::Malformed(error.to_string())
}

fn resolve(name: &str) -> Result<char, XmlError> {
    let unknown = || XmlError::Entity(name.to_owned());
    let code = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => name.strip_prefix('#').ok_or_else(unknown)?,
    };
    let code = match code.strip_prefix(['x', 'X']) {
        Some(hexadecimal) => u32::from_str_radix(hexadecimal, 16),
        None => code.parse(),
    };
    code.ok().and_then(char::from_u32).ok_or_else(unknown)
}

fn unescape(text: &str) -> Result<String, XmlError> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        plain.push_str(before);
        let Some((name, after)) = after.split_once(';') else {
            return Err(XmlError::Malformed("`&` without `;`".to_owned()));
        };
        plain.push(resolve(name)?);
        rest = after;
    }
    plain.push_str(rest);
    Ok(plain)
}

/// The text of a document in the encoding that it declares.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, XmlError> {
    let head = bytes.get(..bytes.len().min(120)).unwrap_or_default();
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let declaration = head.split("?>").next().unwrap_or_default();
    if declaration.contains("encoding") && declaration.contains("iso-8859-1") {
        return Ok(bytes.iter().map(|&byte| char::from(byte)).collect());
    }
    std::str::from_utf8(bytes)
        .map(Cow::Borrowed)
        .map_err(|_| XmlError::Encoding("UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_has_names_namespaces_attributes_and_text() {
        let tree = Element::parse(
            b"<?xml version='1.0'?><a:b xmlns:a='urn:x' k='1&amp;2'>t&lt;<c/></a:b>",
        );
        let tree = tree.unwrap();
        assert_eq!(tree.name, "b");
        assert_eq!(tree.namespace.as_deref(), Some("urn:x"));
        assert_eq!(tree.attribute("k"), Some("1&2"));
        assert_eq!(tree.text, "t<");
        assert_eq!(tree.child("c").unwrap().namespace, None);
    }

    #[test]
    fn a_document_type_and_its_entities_are_refused() {
        let bomb = b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>";
        assert_eq!(Element::parse(bomb), Err(XmlError::DocumentType));
        let entity = Element::parse(b"<a>&nbsp;</a>");
        assert_eq!(entity, Err(XmlError::Entity("nbsp".to_owned())));
    }

    #[test]
    fn depth_and_size_are_limited() {
        let deep = "<a>".repeat(17) + &"</a>".repeat(17);
        assert!(matches!(
            Element::parse(deep.as_bytes()),
            Err(XmlError::Limit(_))
        ));
        let wide = format!("<a>{}</a>", "<b/>".repeat(MAX_ELEMENTS));
        assert!(matches!(
            Element::parse(wide.as_bytes()),
            Err(XmlError::Limit(_))
        ));
        let large = format!("<a>{}</a>", "x".repeat(MAX_SIZE));
        assert!(matches!(
            Element::parse(large.as_bytes()),
            Err(XmlError::Limit(_))
        ));
    }

    #[test]
    fn latin_1_is_read_as_declared() {
        let tree =
            Element::parse(b"<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>M\xfcller</a>");
        assert_eq!(tree.unwrap().text, "M\u{fc}ller");
        assert!(Element::parse(b"<a>M\xfcller</a>").is_err());
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for text in [
            "",
            "a",
            "<a>",
            "<a></b>",
            "<a/><b/>",
            "<a/>text",
            "<x:a/>",
            "<a>&lt</a>",
        ] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
