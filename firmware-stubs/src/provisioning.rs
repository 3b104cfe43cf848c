//! Provisioning files as these bases take them: `<provisioning version="1.1" productID="e2">` with `<nvm>`, `<param>` and
//! `<oper>`.
//!
//! Real files carry stray text between elements (a template in the field leaves a `-->` behind), parameters of later
//! firmware and comments: all of that is passed over. A document type declaration is refused, so nothing expands. What a
//! parameter means is not known here: that is `accounts`.

use quick_xml::Reader;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};

/// The deepest nesting of a provisioning file: our choice.
const DEPTH: usize = 16;

/// What a file asks for, in its order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// The firmware that the base should run.
    pub firmware: Option<String>,
    /// What is to be done to the handset table.
    pub operations: Vec<Operation>,
    /// What is to be set.
    pub parameters: Vec<Parameter>,
}

/// One `<oper>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Operation {
    /// `add_hs`.
    AddHandset {
        /// The IPUI, or the place that any handset can take.
        handset: String,
        /// The value of `hs.RegStatus` inside it.
        status: Option<String>,
    },
    /// `DeleteNotProvisionedHS`.
    DeleteNotProvisioned,
    /// `update_dm`.
    UpdateManager,
    /// Any other.
    Unknown(String),
}

/// One `<param>` outside of operations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// The dotted name.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Why a file is not taken. Nothing of it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// It declares a document type.
    #[error("a document type declaration is not allowed")]
    DocumentType,
    /// Its elements are nested too deep.
    #[error("elements nested deeper than {DEPTH}")]
    Depth,
    /// It is larger than the base can hold.
    #[error("{size} bytes, more than {limit}")]
    Size {
        /// What it has.
        size: usize,
        /// What it may have.
        limit: usize,
    },
    /// It is not well-formed.
    #[error("not well-formed at byte {at}: {problem}")]
    Syntax {
        /// Where.
        at: u64,
        /// What the reader says.
        problem: String,
    },
    /// It ends inside an element.
    #[error("the file ends inside <{0}>")]
    Truncated(String),
    /// It is something else.
    #[error("not a provisioning file: {0}")]
    Unexpected(String),
}

impl Document {
    /// Reads a provisioning file of at most `limit` bytes.
    ///
    /// # Errors
    /// When it is too large, not well-formed, truncated, declares a document type, or is for another product.
    pub fn parse(bytes: &[u8], limit: usize) -> Result<Self, DocumentError> {
        if bytes.len() > limit {
            return Err(DocumentError::Size {
                size: bytes.len(),
                limit,
            });
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return Err(DocumentError::Unexpected("it is not UTF-8".to_owned()));
        };
        let mut parse = Parse::default();
        let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
        loop {
            let at = reader.buffer_position();
            let event = reader.read_event().map_err(|error| DocumentError::Syntax {
                at: reader.error_position(),
                problem: error.to_string(),
            })?;
            match event {
                Event::DocType(_) => return Err(DocumentError::DocumentType),
                Event::Start(element) => parse.open(&element, at)?,
                Event::Empty(element) => {
                    parse.open(&element, at)?;
                    parse.close();
                }
                Event::End(_) => parse.close(),
                Event::Eof => break,
                // Stray text, comments, declarations: passed over, as real bases must.
                Event::Text(_)
                | Event::CData(_)
                | Event::Comment(_)
                | Event::Decl(_)
                | Event::PI(_)
                | Event::GeneralRef(_) => {}
            }
        }
        parse.finish()
    }
}

#[derive(Default)]
struct Parse {
    document: Document,
    path: Vec<String>,
    operation: Option<Operation>,
    rooted: bool,
}

impl Parse {
    fn open(&mut self, element: &BytesStart<'_>, at: u64) -> Result<(), DocumentError> {
        let name = AsRef::<str>::as_ref(&element.name()).to_owned();
        let attributes = Attributes::read(element, at)?;
        if self.path.is_empty() {
            self.check_root(&name, &attributes)?;
        }
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match (path.as_slice(), name.as_str()) {
            (["provisioning", "firmware"], "file") => {
                self.document.firmware = attributes.value("version");
            }
            (["provisioning", "nvm"], "param") => {
                if let Some(name) = attributes.value("name") {
                    let value = attributes.value("value").unwrap_or_default();
                    self.document.parameters.push(Parameter { name, value });
                }
            }
            (["provisioning", "nvm"], "oper") => {
                self.operation = Some(attributes.operation());
            }
            (["provisioning", "nvm", "oper"], "param") => self.set_operand(&attributes),
            _ => {}
        }
        self.path.push(name);
        if self.path.len() > DEPTH {
            return Err(DocumentError::Depth);
        }
        Ok(())
    }

    fn check_root(&mut self, name: &str, attributes: &Attributes) -> Result<(), DocumentError> {
        if self.rooted {
            return Err(DocumentError::Unexpected(
                "a second root element".to_owned(),
            ));
        }
        self.rooted = true;
        if name != "provisioning" {
            return Err(DocumentError::Unexpected(format!(
                "it begins with <{name}>"
            )));
        }
        match attributes.value("productID").as_deref() {
            Some("e2") => Ok(()),
            other => Err(DocumentError::Unexpected(format!(
                "productID is {}, not e2",
                other.unwrap_or("missing")
            ))),
        }
    }

    fn set_operand(&mut self, attributes: &Attributes) {
        if attributes.value("name").as_deref() != Some("hs.RegStatus") {
            return;
        }
        if let Some(Operation::AddHandset { status, .. }) = &mut self.operation {
            *status = attributes.value("value");
        }
    }

    fn close(&mut self) {
        if self.path.pop().as_deref() == Some("oper") {
            self.document.operations.extend(self.operation.take());
        }
    }

    fn finish(self) -> Result<Document, DocumentError> {
        if let Some(open) = self.path.last() {
            return Err(DocumentError::Truncated(open.clone()));
        }
        if !self.rooted {
            return Err(DocumentError::Unexpected("no element in it".to_owned()));
        }
        Ok(self.document)
    }
}

struct Attributes(Vec<(String, String)>);

impl Attributes {
    fn read(element: &BytesStart<'_>, at: u64) -> Result<Self, DocumentError> {
        let refuse = |problem: String| DocumentError::Syntax { at, problem };
        let mut attributes = Vec::new();
        for attribute in element.attributes() {
            let attribute = attribute.map_err(|error| refuse(error.to_string()))?;
            let value = attribute
                .normalized_value(XmlVersion::Implicit1_0)
                .map_err(|error| refuse(error.to_string()))?;
            let key = AsRef::<str>::as_ref(&attribute.key).to_owned();
            attributes.push((key, value.into_owned()));
        }
        Ok(Self(attributes))
    }

    fn value(&self, name: &str) -> Option<String> {
        let found = self.0.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value.clone())
    }

    fn operation(&self) -> Operation {
        let name = self.value("name").unwrap_or_default();
        match name.as_str() {
            "add_hs" => Operation::AddHandset {
                handset: self.value("value").unwrap_or_default(),
                status: None,
            },
            "DeleteNotProvisionedHS" => Operation::DeleteNotProvisioned,
            "update_dm" => Operation::UpdateManager,
            _ => Operation::Unknown(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Document, DocumentError> {
        Document::parse(text.as_bytes(), 100_000)
    }

    fn nvm(inside: &str) -> String {
        format!("<provisioning version=\"1.1\" productID=\"e2\"><nvm>{inside}</nvm></provisioning>")
    }

    #[test]
    fn operations_and_parameters_come_in_order() {
        let text = nvm("<oper name=\"DeleteNotProvisionedHS\"/>\
             <oper value=\"029e74a599\" name=\"add_hs\"><param name=\"hs.RegStatus\" value=\"ToReg\"/></oper>\
             <param name=\"SipAccount.029e74a599.UserName\" value=\"1013\"/>\
             <oper name=\"update_dm\" value=\"local\"><param name=\"RegStart\" value=\"EPOCH\"/></oper>\
             <oper name=\"dance\"/>");
        let document = parse(&text).unwrap();
        let added = Operation::AddHandset {
            handset: "029e74a599".to_owned(),
            status: Some("ToReg".to_owned()),
        };
        assert_eq!(
            document.operations,
            [
                Operation::DeleteNotProvisioned,
                added,
                Operation::UpdateManager,
                Operation::Unknown("dance".to_owned()),
            ]
        );
        assert_eq!(document.parameters.len(), 1);
        assert_eq!(document.parameters[0].value, "1013");
    }

    #[test]
    fn stray_text_comments_and_other_elements_are_passed_over() {
        let text = nvm(
            "--> stray &amp; text <!-- c --><x><param name=\"a.b\" value=\"1\"/></x>\
             <param name=\"a.c\" value=\"&lt;2&gt;\"/>",
        );
        let document = parse(&format!("<?xml version=\"1.0\"?>\n{text}\n")).unwrap();
        assert_eq!(document.parameters.len(), 1);
        assert_eq!(document.parameters[0].value, "<2>");
    }

    #[test]
    fn the_firmware_is_read() {
        let text = "<provisioning version=\"1.1\" productID=\"e2\"><firmware><file version=\"2.65.0\" url=\"u\"/>\
            </firmware><nvm/></provisioning>";
        assert_eq!(parse(text).unwrap().firmware.as_deref(), Some("2.65.0"));
    }

    #[test]
    fn a_bomb_is_refused_before_it_expands() {
        let text = format!(
            "<!DOCTYPE p [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]>{}",
            nvm("&b;")
        );
        assert_eq!(parse(&text), Err(DocumentError::DocumentType));
    }

    #[test]
    fn an_entity_in_a_value_that_nobody_declared_is_refused() {
        let text = nvm("<param name=\"a.b\" value=\"&lol;\"/>");
        assert!(matches!(parse(&text), Err(DocumentError::Syntax { .. })));
    }

    #[test]
    fn a_truncated_file_is_refused_as_a_whole() {
        let text = nvm("<param name=\"a.b\" value=\"1\"/>");
        for end in 1..text.len() {
            assert!(parse(&text[..end]).is_err(), "{}", &text[..end]);
        }
    }

    #[test]
    fn another_document_is_refused_by_name() {
        assert!(matches!(parse(""), Err(DocumentError::Unexpected(_))));
        assert!(matches!(
            parse("not found"),
            Err(DocumentError::Unexpected(_))
        ));
        assert!(matches!(
            parse("<html><body/></html>"),
            Err(DocumentError::Unexpected(problem)) if problem.contains("<html>")
        ));
        assert!(matches!(
            parse("<provisioning productID=\"e3\"/>"),
            Err(DocumentError::Unexpected(problem)) if problem.contains("e3")
        ));
        let bytes = [0xff, 0xfe, 0x00];
        assert!(matches!(
            Document::parse(&bytes, 10),
            Err(DocumentError::Unexpected(_))
        ));
    }

    #[test]
    fn a_deep_file_and_a_large_file_are_refused() {
        assert_eq!(
            parse(&nvm(&"<x>".repeat(100_000 / 4))),
            Err(DocumentError::Depth)
        );
        assert_eq!(
            Document::parse(&[b' '; 11], 10),
            Err(DocumentError::Size {
                size: 11,
                limit: 10
            })
        );
    }
}
