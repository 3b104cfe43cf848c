//! Cuts a multipart body into its parts (RFC 2046 §5.1), with the tolerance that servers in the field need.
//!
//! Accepted beside the standard form: lines that end in a bare LF, a delimiter right behind a bare LF, and a closing
//! delimiter that lacks its hyphens or is not there at all. Each is named as an oddity.

use super::{BodyError, Oddity};
use crate::message::parameter;

/// How many parts a body may have: our choice, ten times what there are services.
const PART_LIMIT: usize = 64;

/// One part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part<'a> {
    /// The value of its Content-Type, empty when it has none.
    pub(super) content_type: &'a str,
    pub(super) body: &'a [u8],
}

/// Whether a media type is a multipart one.
pub(super) fn is_multipart(content_type: &str) -> bool {
    let kind = content_type.trim_start().get(..10).unwrap_or_default();
    kind.eq_ignore_ascii_case("multipart/")
}

/// The parts of a body with this Content-Type.
pub(super) fn split<'a>(
    content_type: &str,
    body: &'a [u8],
    oddities: &mut Vec<Oddity>,
) -> Result<Vec<Part<'a>>, BodyError> {
    let boundary = parameter(content_type, "boundary").unwrap_or_default();
    if boundary.is_empty() {
        return Err(BodyError::Multipart("the Content-Type names no boundary"));
    }
    let mut parts = Vec::new();
    let mut begun: Option<usize> = None;
    let mut closed = false;
    let (mut at, mut previous) = (0, Line::EMPTY);
    while at < body.len() && !closed {
        let line = Line::at(body, at);
        if let Some(delimiter) = line.delimiter(boundary) {
            if let Some(begun) = begun {
                if previous.end == "\n" {
                    note(oddities, "a bare LF before a delimiter");
                }
                let end = at.saturating_sub(previous.end.len()).max(begun);
                parts.push(part(body.get(begun..end).unwrap_or_default(), oddities)?);
            }
            closed = delimiter == Delimiter::Closing;
            begun = (!closed).then_some(at + line.length);
        }
        at += line.length;
        previous = line;
    }
    if let Some(rest) = begun.and_then(|begun| body.get(begun..)) {
        if rest.trim_ascii().is_empty() {
            note(oddities, "the closing delimiter lacks its hyphens");
        } else {
            note(oddities, "no closing delimiter");
            parts.push(part(rest, oddities)?);
        }
    }
    if parts.is_empty() {
        return Err(BodyError::Multipart("no part between the delimiters"));
    }
    if parts.len() > PART_LIMIT {
        return Err(BodyError::TooLarge {
            what: "parts",
            limit: PART_LIMIT,
        });
    }
    Ok(parts)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    Inner,
    Closing,
}

#[derive(Clone, Copy)]
struct Line<'a> {
    text: &'a [u8],
    end: &'static str,
    /// Text and end.
    length: usize,
}

impl<'a> Line<'a> {
    const EMPTY: Self = Self {
        text: b"",
        end: "",
        length: 0,
    };

    fn at(body: &'a [u8], at: usize) -> Self {
        let rest = body.get(at..).unwrap_or_default();
        let Some(feed) = rest.iter().position(|byte| *byte == b'\n') else {
            return Self {
                text: rest,
                end: "",
                length: rest.len(),
            };
        };
        let text = rest.get(..feed).unwrap_or_default();
        let (text, end) = match text.strip_suffix(b"\r") {
            Some(text) => (text, "\r\n"),
            None => (text, "\n"),
        };
        Self {
            text,
            end,
            length: feed + 1,
        }
    }

    fn delimiter(&self, boundary: &str) -> Option<Delimiter> {
        let rest = self.text.strip_prefix(b"--")?;
        let rest = rest.strip_prefix(boundary.as_bytes())?;
        match rest.trim_ascii() {
            b"" => Some(Delimiter::Inner),
            b"--" => Some(Delimiter::Closing),
            _ => None,
        }
    }
}

fn part<'a>(bytes: &'a [u8], oddities: &mut Vec<Oddity>) -> Result<Part<'a>, BodyError> {
    let mut content_type = "";
    let mut at = 0;
    while at < bytes.len() {
        let line = Line::at(bytes, at);
        if line.text.is_empty() {
            return Ok(Part {
                content_type,
                body: bytes.get(at + line.length..).unwrap_or_default(),
            });
        }
        if line.end == "\n" {
            note(oddities, "a bare LF in the header of a part");
        }
        let text = std::str::from_utf8(line.text)
            .map_err(|_| BodyError::Multipart("the header of a part is not UTF-8"))?;
        if let Some((name, value)) = text.split_once(':')
            && name.trim().eq_ignore_ascii_case("Content-Type")
        {
            content_type = value.trim();
        }
        at += line.length;
    }
    Err(BodyError::Multipart("a part without an empty line"))
}

fn note(oddities: &mut Vec<Oddity>, text: &str) {
    if !oddities.iter().any(|oddity| oddity.0 == text) {
        oddities.push(Oddity(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/mixed;boundary=B";

    fn bodies(text: &str) -> (Vec<&str>, usize) {
        let mut oddities = Vec::new();
        let parts = split(TYPE, text.as_bytes(), &mut oddities).expect("parts");
        let bodies = parts.into_iter().map(|part| std::str::from_utf8(part.body));
        (
            bodies.map(|body| body.expect("text")).collect(),
            oddities.len(),
        )
    }

    #[test]
    fn the_line_end_before_a_delimiter_belongs_to_the_delimiter() {
        let text = "preamble\r\n--B\r\nContent-Type: a/b\r\n\r\n<x/>\n\r\n--B  \r\n\r\ny\r\n--B--\r\nepilogue";
        assert_eq!(bodies(text), (vec!["<x/>\n", "y"], 0));
    }

    #[test]
    fn a_delimiter_behind_a_bare_line_feed_is_found() {
        assert_eq!(
            bodies("--B\r\n\r\nx\n--B\r\n\r\ny\n--B--\r\n"),
            (vec!["x", "y"], 1)
        );
    }

    #[test]
    fn a_missing_or_open_end_costs_no_part() {
        assert_eq!(
            bodies("--B\r\n\r\nx\r\n--B\r\n\r\ny\r\n--B\r\n"),
            (vec!["x", "y"], 1)
        );
        assert_eq!(bodies("--B\r\n\r\nx\r\n--B\r\n\r\ny"), (vec!["x", "y"], 1));
    }

    #[test]
    fn a_longer_boundary_is_another_one() {
        assert_eq!(
            bodies("--B\r\n\r\nx\r\n--BB\r\ny\r\n--B--"),
            (vec!["x\r\n--BB\r\ny"], 0)
        );
    }

    #[test]
    fn what_has_no_parts_is_refused() {
        let mut oddities = Vec::new();
        for (kind, body) in [
            ("multipart/mixed", "--B\r\n\r\nx\r\n--B--"),
            (TYPE, ""),
            (TYPE, "--C\r\n\r\nx"),
            (TYPE, "--B--"),
            (TYPE, "--B\r\nContent-Type: a/b\r\n--B--"),
        ] {
            let result = split(kind, body.as_bytes(), &mut oddities);
            assert!(
                matches!(result, Err(BodyError::Multipart(_))),
                "{kind} {body:?}"
            );
        }
    }

    #[test]
    fn a_quoted_boundary_may_hold_blanks() {
        let kind = "Multipart/Mixed; x=1; boundary=\"a b\"";
        assert!(is_multipart(kind));
        let parts = split(kind, b"--a b\r\n\r\nx\r\n--a b--", &mut Vec::new());
        assert_eq!(parts.map(|parts| parts.len()), Ok(1));
    }
}
