//! From bytes to a small tree of elements, within limits.
//!
//! No entity but the five predefined ones and character references is resolved; nothing is ever fetched. Several
//! documents behind each other are all read, because servers without multipart have been seen to send them.

use super::{BodyError, Oddity};
use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::name::ResolveResult;
use std::borrow::Cow;

/// A document is no longer than a datagram.
const BYTE_LIMIT: usize = 65_535;
/// Nor this deep: our choice.
const DEPTH_LIMIT: usize = 16;
/// Nor of so many elements: our choice.
const ELEMENT_LIMIT: usize = 1_000;

/// One element; attributes are not kept.
#[derive(Clone, Debug, Default)]
pub(super) struct Element {
    /// Without prefix.
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// Its own text, without that of its children.
    pub(super) text: String,
    pub(super) children: Vec<Self>,
}

impl Element {
    /// The first child with this name, in any namespace.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }
}

/// The document elements in these bytes; none when there is only white space.
pub(super) fn parse(body: &[u8], oddities: &mut Vec<Oddity>) -> Result<Vec<Element>, BodyError> {
    if body.len() > BYTE_LIMIT {
        return Err(too_large("bytes", BYTE_LIMIT));
    }
    let text = decoded(body)?;
    let mut tree = Tree::default();
    let mut reader = NsReader::from_str(text.trim_start_matches('\u{feff}').trim());
    reader.config_mut().check_comments = true;
    loop {
        let (namespace, event) = reader.read_resolved_event().map_err(malformed)?;
        match event {
            Event::Start(start) => tree.open(&start, &namespace)?,
            Event::Empty(start) => {
                tree.open(&start, &namespace)?;
                tree.close();
            }
            Event::End(_) => tree.close(),
            Event::Text(text) => tree.text(&text.xml10_content())?,
            Event::CData(text) => tree.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => tree.text(&resolved(&reference)?)?,
            Event::DocType(_) => return Err(BodyError::DocumentType),
            Event::Decl(_) if tree.count > 0 => {
                oddities.push(Oddity("a second XML declaration".to_owned()));
            }
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Eof => break,
        }
    }
    if !tree.open.is_empty() {
        return Err(BodyError::Xml("the document is cut off".to_owned()));
    }
    Ok(tree.roots)
}

#[derive(Default)]
struct Tree {
    roots: Vec<Element>,
    open: Vec<Element>,
    count: usize,
}

impl Tree {
    fn open(
        &mut self,
        start: &BytesStart<'_>,
        namespace: &ResolveResult<'_>,
    ) -> Result<(), BodyError> {
        self.count += 1;
        if self.count > ELEMENT_LIMIT {
            return Err(too_large("elements", ELEMENT_LIMIT));
        }
        if self.open.len() == DEPTH_LIMIT {
            return Err(too_large("levels", DEPTH_LIMIT));
        }
        for attribute in start.attributes() {
            attribute.map_err(|error| BodyError::Xml(error.to_string()))?;
        }
        let namespace = match namespace {
            ResolveResult::Bound(namespace) => Some(namespace.into_inner().to_owned()),
            ResolveResult::Unbound => None,
            ResolveResult::Unknown(prefix) => {
                return Err(BodyError::Xml(format!(
                    "the prefix `{prefix}` is not bound"
                )));
            }
        };
        self.open.push(Element {
            name: start.local_name().as_ref().to_owned(),
            namespace,
            ..Element::default()
        });
        Ok(())
    }

    fn close(&mut self) {
        let Some(closed) = self.open.pop() else {
            return;
        };
        match self.open.last_mut() {
            Some(parent) => parent.children.push(closed),
            None => self.roots.push(closed),
        }
    }

    fn text(&mut self, text: &str) -> Result<(), BodyError> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(BodyError::Xml("text outside the document".to_owned())),
        }
        Ok(())
    }
}

fn resolved(reference: &BytesRef<'_>) -> Result<String, BodyError> {
    if let Some(c) = reference.resolve_char_ref().map_err(malformed)? {
        return Ok(c.to_string());
    }
    let name = reference.xml10_content();
    resolve_predefined_entity(&name)
        .map(str::to_owned)
        .ok_or_else(|| BodyError::Xml(format!("undefined entity `{name}`")))
}

/// The text, in the encoding that the declaration names. Without a declaration it is UTF-8.
fn decoded(body: &[u8]) -> Result<Cow<'_, str>, BodyError> {
    let named = declared_encoding(body).unwrap_or_else(|| "UTF-8".to_owned());
    let latin = ["ISO-8859-1", "LATIN1", "US-ASCII", "WINDOWS-1252"];
    if latin.contains(&named.to_ascii_uppercase().as_str()) {
        // Each byte of ISO-8859-1 is the code point of its character.
        return Ok(if body.is_ascii() {
            String::from_utf8_lossy(body)
        } else {
            Cow::Owned(body.iter().copied().map(char::from).collect())
        });
    }
    let utf8 = named.eq_ignore_ascii_case("UTF-8") || named.eq_ignore_ascii_case("UTF8");
    match std::str::from_utf8(body) {
        Ok(text) if utf8 => Ok(Cow::Borrowed(text)),
        _ => Err(BodyError::Encoding(named)),
    }
}

fn declared_encoding(body: &[u8]) -> Option<String> {
    let start = body.trim_ascii_start();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let rest = start.strip_prefix(b"<?xml")?;
    let end = rest.windows(2).position(|two| two == b"?>")?;
    let declaration = std::str::from_utf8(rest.get(..end)?).ok()?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| "\"'".contains(*c))?;
    value.split(quote).nth(1).map(str::to_owned)
}

const fn too_large(what: &'static str, limit: usize) -> BodyError {
    BodyError::TooLarge { what, limit }
}

fn malformed(error: quick_xml::Error) -> BodyError {
    BodyError::Xml(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> Result<Element, BodyError> {
        let mut roots = parse(text.as_bytes(), &mut Vec::new())?;
        Ok(roots.pop().unwrap_or_default())
    }

    #[test]
    fn text_is_put_together_from_all_its_forms() {
        let root = one("<a>x&amp;y&#x41;<b/><![CDATA[<z>]]></a>").expect("readable");
        assert_eq!(root.text, "x&yA<z>");
        assert_eq!(root.children.len(), 1);
    }

    #[test]
    fn prefixes_are_resolved() {
        let root = one("<c:a xmlns:c='urn:x'><c:b>1</c:b></c:a>").expect("readable");
        assert_eq!(
            (root.name.as_str(), root.namespace.as_deref()),
            ("a", Some("urn:x"))
        );
        assert!(root.child("b").is_some());
    }

    #[test]
    fn a_document_type_is_refused_before_anything_is_expanded() {
        let bomb = "<!DOCTYPE a [<!ENTITY x \"boom\"><!ENTITY y \"&x;&x;\">]><a>&y;</a>";
        assert_eq!(one(bomb).err(), Some(BodyError::DocumentType));
        let file = "<?xml version='1.0'?><!DOCTYPE a SYSTEM \"file:///etc/passwd\"><a/>";
        assert_eq!(one(file).err(), Some(BodyError::DocumentType));
        assert!(matches!(one("<a>&x;</a>"), Err(BodyError::Xml(_))));
    }

    #[test]
    fn depth_number_and_size_are_limited() {
        let deep = format!("{}{}", "<a>".repeat(17), "</a>".repeat(17));
        assert_eq!(one(&deep).err(), Some(too_large("levels", DEPTH_LIMIT)));
        let wide = format!("<a>{}</a>", "<b/>".repeat(1_000));
        assert_eq!(one(&wide).err(), Some(too_large("elements", ELEMENT_LIMIT)));
        let long = format!("<a>{}</a>", "x".repeat(BYTE_LIMIT));
        assert_eq!(one(&long).err(), Some(too_large("bytes", BYTE_LIMIT)));
    }

    #[test]
    fn what_is_not_well_formed_is_refused() {
        for odd in [
            "<a>",
            "<a></b>",
            "</a>",
            "<a",
            "text",
            "<a b></a>",
            "<p:a/>",
            "<a>&#0;</a>",
        ] {
            assert!(matches!(one(odd), Err(BodyError::Xml(_))), "{odd}");
        }
    }

    #[test]
    fn the_declared_encoding_is_followed() {
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>\xfc</a>";
        let roots = parse(latin, &mut Vec::new()).expect("readable");
        assert_eq!(roots.first().map(|root| root.text.as_str()), Some("ü"));
        let undeclared = b"<a>\xfc</a>";
        let error = parse(undeclared, &mut Vec::new()).err();
        assert_eq!(error, Some(BodyError::Encoding("UTF-8".to_owned())));
        let unknown = b"<?xml version=\"1.0\" encoding=\"EBCDIC\"?><a/>";
        let error = parse(unknown, &mut Vec::new()).err();
        assert_eq!(error, Some(BodyError::Encoding("EBCDIC".to_owned())));
    }
}
