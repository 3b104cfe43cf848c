//! A small tree of an XML document from outside, with limits.
//!
//! A document type declaration is refused, whatever it says, and so are entities other than the five of XML and
//! character references. Size, depth and number of elements are limited. Namespaces are resolved; stray text between
//! elements is kept and harmless. ISO-8859-1 and UTF-8 are read. The parser is another one than the sender's, so that the
//! two do not share a mistake.

use roxmltree::{Document, Error, Node, ParsingOptions};
use std::borrow::Cow;

/// The largest document that is read, in bytes: our choice, because the file of the largest base is far smaller.
pub const MAX_SIZE: usize = 1 << 20;
/// The deepest nesting that is read: our choice, because no document of a base or a server nests half as deep.
pub const MAX_DEPTH: usize = 16;
/// The largest number of elements that is read: our choice, because the file of the largest base has far fewer.
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
    /// Its attributes by name, without those of a namespace.
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
        // Whatever a sender leaves around its document is not in it.
        let text = text.trim_matches(['\u{feff}', ' ', '\t', '\r', '\n', '\0']);
        let options = ParsingOptions {
            allow_dtd: false,
            ..ParsingOptions::default()
        };
        let document = Document::parse_with_options(text, options)?;
        if document.descendants().filter(Node::is_element).count() > MAX_ELEMENTS {
            return Err(XmlError::Limit("the largest number of elements"));
        }
        Self::from_node(document.root_element(), MAX_DEPTH)
    }

    /// Takes an element over that may be this many elements deep.
    fn from_node(node: Node<'_, '_>, depth: usize) -> Result<Self, XmlError> {
        let below = depth.checked_sub(1);
        let below = below.ok_or(XmlError::Limit("the deepest nesting"))?;
        let texts = node.children().filter(Node::is_text);
        let children = node.children().filter(Node::is_element);
        let plain = node.attributes().filter(|it| it.namespace().is_none());
        let attribute =
            |it: roxmltree::Attribute<'_, '_>| (it.name().to_owned(), it.value().to_owned());
        Ok(Self {
            name: node.tag_name().name().to_owned(),
            namespace: node.tag_name().namespace().map(str::to_owned),
            attributes: plain.map(attribute).collect(),
            text: texts.filter_map(|text| text.text()).collect(),
            children: children
                .map(|child| Self::from_node(child, below))
                .collect::<Result<_, _>>()?,
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

impl From<Error> for XmlError {
    fn from(error: Error) -> Self {
        match error {
            Error::DtdDetected => Self::DocumentType,
            Error::UnknownEntityReference(name, _) => Self::Entity(name),
            other => Self::Malformed(other.to_string()),
        }
    }
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
            b"<?xml version='1.0'?><a:b xmlns:a='urn:x' a:k='3' k='1&amp;2'>t&lt;<c/></a:b>",
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
    fn no_depth_exhausts_the_stack() {
        let deep = "<a>".repeat(MAX_SIZE / 8) + &"</a>".repeat(MAX_SIZE / 8);
        assert!(Element::parse(deep.as_bytes()).is_err());
    }

    #[test]
    fn text_is_joined_and_what_stands_around_a_document_is_not_its_own() {
        let tree = Element::parse(
            b"\r\n\xef\xbb\xbf<a>1<!-- 2 -->3<b/><![CDATA[<4>]]>&#x35; --></a>\r\n\0",
        );
        assert_eq!(tree.unwrap().text, "13<4>5 -->");
        let declared = Element::parse(b" <?xml version='1.0'?><a/>");
        assert_eq!(declared.unwrap().name, "a");
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
            "<a>&#0;</a>",
            "<a b='1' b='2'/>",
        ] {
            assert!(Element::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
