//! Reads the flat documents of the two BroadSoft interfaces, the portal's and hoteling: a root element of a namespace, with
//! elements of text in it.
//!
//! What is nested deeper is passed over. A document type declaration is refused, and so is what is too long.

use quick_xml::NsReader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};
use quick_xml::name::{Namespace, ResolveResult};

/// A document longer than this is not read. Our choice: real ones have less than one kilobyte.
const LONGEST: usize = 64 * 1024;

/// Why a document cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FlatXmlError {
    #[error("the document is longer than 64 KiB")]
    TooLong,
    #[error("the document is not UTF-8")]
    NotText,
    #[error("not well-formed XML: {0}")]
    Malformed(String),
    #[error("a document type declaration is not accepted")]
    Dtd,
    #[error("the root element is {got}, expected {wanted}")]
    WrongRoot { got: String, wanted: &'static str },
    #[error("the root element is not in the namespace {0}")]
    WrongNamespace(String),
}

/// The elements inside the root: the local name and the trimmed text of each, in order.
pub(crate) fn read(
    bytes: &[u8],
    root: &'static str,
    namespace: &str,
) -> Result<Vec<(String, String)>, FlatXmlError> {
    if bytes.len() > LONGEST {
        return Err(FlatXmlError::TooLong);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| FlatXmlError::NotText)?;
    let mut reader = NsReader::from_str(text);
    let mut walk = Walk::new(root, namespace);
    let malformed = |error: quick_xml::Error| FlatXmlError::Malformed(error.to_string());
    loop {
        let (resolved, event) = reader.read_resolved_event().map_err(malformed)?;
        match event {
            Event::DocType(_) => return Err(FlatXmlError::Dtd),
            Event::Start(start) => walk.open(&start, &resolved)?,
            Event::Empty(start) => {
                walk.open(&start, &resolved)?;
                walk.close();
            }
            Event::Text(text) => walk.value.push_str(&text.xml10_content()),
            Event::CData(text) => walk.value.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => {
                let name = reference.xml10_content();
                let unknown = || FlatXmlError::Malformed(format!("unknown entity {name}"));
                match reference.resolve_char_ref().map_err(malformed)? {
                    Some(c) => walk.value.push(c),
                    None => {
                        let known = resolve_predefined_entity(&name).ok_or_else(unknown)?;
                        walk.value.push_str(known);
                    }
                }
            }
            Event::End(_) => walk.close(),
            Event::Eof if walk.has_root && walk.path.is_empty() => return Ok(walk.elements),
            Event::Eof => {
                let early = "the document ends early".to_owned();
                return Err(FlatXmlError::Malformed(early));
            }
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
        }
    }
}

/// Where in the document the reader is.
#[derive(Debug)]
struct Walk<'n> {
    root: &'static str,
    namespace: &'n str,
    has_root: bool,
    path: Vec<String>,
    value: String,
    elements: Vec<(String, String)>,
}

impl<'n> Walk<'n> {
    const fn new(root: &'static str, namespace: &'n str) -> Self {
        Self {
            root,
            namespace,
            has_root: false,
            path: Vec::new(),
            value: String::new(),
            elements: Vec::new(),
        }
    }

    fn open(
        &mut self,
        start: &BytesStart<'_>,
        resolved: &ResolveResult<'_>,
    ) -> Result<(), FlatXmlError> {
        let name = start.local_name().as_ref().to_owned();
        if self.path.is_empty() {
            if self.has_root {
                let second = format!("a second root element {name}");
                return Err(FlatXmlError::Malformed(second));
            }
            self.check_root(&name, resolved)?;
            self.has_root = true;
        }
        self.path.push(name);
        self.value.clear();
        Ok(())
    }

    fn check_root(&self, name: &str, resolved: &ResolveResult<'_>) -> Result<(), FlatXmlError> {
        if name != self.root {
            return Err(FlatXmlError::WrongRoot {
                got: name.to_owned(),
                wanted: self.root,
            });
        }
        match resolved {
            ResolveResult::Bound(Namespace(namespace)) if *namespace == self.namespace => Ok(()),
            _ => Err(FlatXmlError::WrongNamespace(self.namespace.to_owned())),
        }
    }

    fn close(&mut self) {
        let depth = self.path.len();
        if let Some(name) = self.path.pop().filter(|_| depth == 2) {
            self.elements.push((name, self.value.trim().to_owned()));
        }
        self.value.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_a(text: &str) -> Result<Vec<(String, String)>, FlatXmlError> {
        read(text.as_bytes(), "a", "urn:x")
    }

    #[test]
    fn the_elements_inside_the_root_are_listed_in_order() {
        let text = "<?xml version=\"1.0\"?><p:a xmlns:p=\"urn:x\"><b> 1&amp;&#50; </b><c/><d><e>3</e></d></p:a>";
        let wanted = [("b", "1&2"), ("c", ""), ("d", "")];
        let wanted = wanted.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read_a(text), Ok(wanted.to_vec()));
    }

    #[test]
    fn a_document_that_is_none_is_refused() {
        let root = FlatXmlError::WrongRoot {
            got: "b".to_owned(),
            wanted: "a",
        };
        assert_eq!(read_a("<b/>"), Err(root));
        let namespace = FlatXmlError::WrongNamespace("urn:x".to_owned());
        assert_eq!(read_a("<a/>"), Err(namespace));
        assert_eq!(read_a("<!DOCTYPE a []><a/>"), Err(FlatXmlError::Dtd));
        let long = format!("<a xmlns=\"urn:x\">{}</a>", " ".repeat(LONGEST));
        assert_eq!(read_a(&long), Err(FlatXmlError::TooLong));
        assert_eq!(read(b"\xff", "a", "urn:x"), Err(FlatXmlError::NotText));
        for text in [
            "",
            "<a",
            "<a xmlns=\"urn:x\">",
            "<a xmlns=\"urn:x\">&b;</a>",
            "<a xmlns=\"urn:x\"/><a xmlns=\"urn:x\"/>",
        ] {
            let refused = read_a(text);
            assert!(
                matches!(refused, Err(FlatXmlError::Malformed(_))),
                "{text}: {refused:?}"
            );
        }
    }
}
