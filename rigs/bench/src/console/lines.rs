//! Cuts what comes on a serial line into lines of text.
//!
//! CR, LF and any mixture of them end a line, and an empty line is none. Escape sequences, control characters and bytes that are
//! not UTF-8 are dropped; a backspace takes the character before it. What has no line end yet is the partial line, which may
//! be a prompt.

/// No line is longer; a flood without line ends is cut here; our choice.
const LONGEST: usize = 4096;

/// Cuts bytes into lines.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    partial: Vec<u8>,
    escape: Escape,
}

/// Where in an escape sequence we are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Begun,
    Control,
}

impl Lines {
    /// Takes bytes and gives the lines that they complete.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut complete = Vec::new();
        for byte in bytes {
            match (self.escape, *byte) {
                (Escape::None, b'\r' | b'\n') => self.end_line(&mut complete),
                (Escape::None, 0x1b) => self.escape = Escape::Begun,
                (Escape::None, 0x08 | 0x7f) => self.delete(),
                (Escape::None, b'\t') => self.partial.push(b' '),
                (Escape::None, 0x00..=0x1f) => {}
                (Escape::None, byte) => {
                    self.partial.push(byte);
                    if self.partial.len() >= LONGEST {
                        self.end_line(&mut complete);
                    }
                }
                (Escape::Begun, b'[') => self.escape = Escape::Control,
                (Escape::Begun, _) | (Escape::Control, 0x40..=0x7e) => self.escape = Escape::None,
                (Escape::Control, _) => {}
            }
        }
        complete
    }

    /// What has come since the last line end.
    #[must_use]
    pub fn partial(&self) -> String {
        clean(&self.partial)
    }

    /// Whether nothing has come since the last line end.
    #[must_use]
    pub fn is_at_start(&self) -> bool {
        self.partial.is_empty()
    }

    /// Forgets the partial line.
    pub fn clear(&mut self) {
        *self = Self::default();
    }

    fn end_line(&mut self, complete: &mut Vec<String>) {
        let line = clean(&self.partial);
        self.partial.clear();
        if !line.is_empty() {
            complete.push(line);
        }
    }

    fn delete(&mut self) {
        while let Some(byte) = self.partial.pop() {
            // Continuation bytes belong to the character before them.
            if byte & 0xc0 != 0x80 {
                break;
            }
        }
    }
}

/// The text of the bytes without those that are not UTF-8.
fn clean(bytes: &[u8]) -> String {
    bytes.utf8_chunks().map(|chunk| chunk.valid()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mixture_of_line_ends_ends_a_line() {
        let mut lines = Lines::default();
        let complete = lines.push(b"a\rb\nc\r\nd\n\re\r\r\nf");
        assert_eq!(complete, ["a", "b", "c", "d", "e"]);
        assert_eq!(lines.partial(), "f");
    }

    #[test]
    fn noise_and_escape_sequences_leave_the_text() {
        let mut lines = Lines::default();
        let complete = lines.push(b"\x00\xffab\x1b[1;31mc\x1b[0m\x07\xc3\xa4\xc3\r\n");
        assert_eq!(complete, ["abc\u{e4}"]);
    }

    #[test]
    fn a_backspace_takes_a_whole_character() {
        let mut lines = Lines::default();
        assert_eq!(lines.push("ab\u{e4}\x08c\n".as_bytes()), ["abc"]);
    }

    #[test]
    fn a_flood_without_line_ends_is_cut() {
        let mut lines = Lines::default();
        let flood = vec![b'x'; 3 * LONGEST + 1];
        assert_eq!(lines.push(&flood).len(), 3);
        assert_eq!(lines.partial(), "x");
    }

    #[test]
    fn pieces_of_any_size_give_the_same_lines() {
        let text = "one\r\ntwo \u{e4}\u{1b}[2K\r\nthree\r";
        let whole = Lines::default().push(text.as_bytes());
        let mut lines = Lines::default();
        let pieces: Vec<String> = text
            .as_bytes()
            .chunks(1)
            .flat_map(|piece| lines.push(piece))
            .collect();
        assert_eq!(whole, pieces);
    }
}
