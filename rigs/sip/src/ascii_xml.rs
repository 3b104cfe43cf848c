//! Values in XML that is written here, whatever encoding the document declares.
//!
//! Server products declare ISO-8859-1 or UTF-8, or nothing. A value of ASCII characters and references reads the same in
//! each of them, so that no writer needs an encoder. Whoever writes XML in a body uses this, and no other escaping.

use std::fmt::Write as _;

/// The text as it stands in an element or in a quoted attribute: markup, control characters and everything beyond ASCII
/// become references.
#[must_use]
pub fn escaped(text: &str) -> String {
    let marked_up = quick_xml::escape::escape(text);
    let mut ascii = String::with_capacity(marked_up.len());
    for c in marked_up.chars() {
        if matches!(c, ' '..='~') {
            ascii.push(c);
        } else {
            // Writing to a string cannot fail.
            let _ = write!(ascii, "&#{};", u32::from(c));
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_controls_and_letters_beyond_ascii_become_references() {
        let text = "<&\"'>\r\n\u{7f}\u{e4}\u{1f600} ~";
        let ascii = "&lt;&amp;&quot;&apos;&gt;&#13;&#10;&#127;&#228;&#128512; ~";
        assert_eq!(escaped(text), ascii);
    }
}
