//! Which line a byte of a text is on.

/// The starts of the lines of one text.
pub(crate) struct Lines(Vec<usize>);

impl Lines {
    pub(crate) fn of(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        Self(ends.map(|(at, _)| at + 1).collect())
    }

    /// The line of a byte offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        1 + self.0.partition_point(|start| *start <= offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_ends_behind_its_line_feed() {
        let lines = Lines::of("a\nbc\n\nd");
        let at: Vec<usize> = (0..7).map(|offset| lines.line(offset)).collect();
        assert_eq!(at, [1, 1, 2, 2, 2, 3, 4]);
    }
}
