//! The SIP ladder of a case as SVG: who said what to whom, when, and what was lost.
//!
//! Two vertical lines, one arrow a message, time on the left. Steps and faults are bands across; keys and displays are notes
//! beside the base; the requirements whose findings cite a row stand on the right. A retransmission is the same bytes
//! again and drawn dashed; a lost message ends in a cross. An arrow links to the message's text where the page has it.

use std::fmt::Write as _;

/// One row, from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// A message.
    Arrow(Arrow),
    /// A step or a fault, across the whole picture.
    Band {
        /// Lab time in microseconds.
        at: u64,
        /// What it says.
        text: String,
        /// Whether it is an injected fault.
        fault: bool,
    },
    /// Rows that are left out.
    Gap {
        /// How many.
        rows: usize,
    },
    /// What happened at a handset.
    Note {
        /// Lab time in microseconds.
        at: u64,
        /// What it says.
        text: String,
        /// The requirements whose findings cite it.
        flags: String,
    },
}

/// One arrow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrow {
    /// The record's number, the anchor of the message's text.
    pub seq: u64,
    /// Lab time in microseconds.
    pub at: u64,
    /// What stands on the arrow.
    pub label: String,
    /// The small print beside it.
    pub detail: String,
    /// The requirements whose findings cite it.
    pub flags: String,
    /// Whether the base sent it.
    pub from_base: bool,
    /// Whether it was lost.
    pub dropped: bool,
    /// Whether the same bytes were sent before.
    pub repeated: bool,
    /// Whether its text is on the page.
    pub in_full: bool,
}

impl Row {
    /// The record of the message that this row shows.
    #[must_use]
    pub fn message(&self) -> Option<u64> {
        match self {
            Self::Arrow(arrow) => Some(arrow.seq),
            _ => None,
        }
    }

    const fn height(&self) -> usize {
        match self {
            Self::Arrow(_) => 30,
            Self::Band { .. } | Self::Gap { .. } => 26,
            Self::Note { .. } => 18,
        }
    }
}

const WIDTH: usize = 1010;
const LEFT: usize = 330;
const RIGHT: usize = 840;
const TOP: usize = 34;
/// How many characters fit on an arrow, in a band, and in a note.
const ON_ARROW: usize = 78;
const IN_BAND: usize = 130;
const IN_NOTE: usize = 42;

/// Draws the ladder. `anchor` is put before each record number in the links.
#[must_use]
pub fn draw(rows: &[Row], anchor: &str) -> String {
    let height = TOP + rows.iter().map(Row::height).sum::<usize>() + 12;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg class="ladder" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="group" aria-label="SIP ladder">"#
    );
    for (x, name) in [(LEFT, "base"), (RIGHT, "application server")] {
        let _ = write!(
            svg,
            r#"<text class="p" x="{x}" y="16">{name}</text><path class="life" d="M{x} 24V{height}"/>"#
        );
    }
    let mut y = TOP;
    for row in rows {
        // A row knows nothing of its height: the same row is the same text in every case, and compresses well.
        let _ = write!(svg, "\n<g transform=\"translate(0 {y})\">");
        match row {
            Row::Arrow(arrow) => draw_arrow(&mut svg, arrow, anchor),
            Row::Band { at, text, fault } => draw_band(&mut svg, *at, text, *fault),
            Row::Gap { rows } => {
                let text =
                    format!("{rows} rows are left out; the capture and the evidence have all");
                band(&mut svg, "gap", "", &text);
            }
            Row::Note { at, text, flags } => draw_note(&mut svg, *at, text, flags),
        }
        svg.push_str("</g>");
        y += row.height();
    }
    svg.push_str("\n</svg>");
    svg
}

fn draw_band(svg: &mut String, at: u64, text: &str, fault: bool) {
    let class = if fault { "fault" } else { "step" };
    let text = if fault {
        format!("Fault: {text}")
    } else {
        text.to_owned()
    };
    band(svg, class, &seconds(at), &text);
}

fn band(svg: &mut String, class: &str, time: &str, text: &str) {
    let _ = write!(
        svg,
        r#"<g class="{class}"><rect y="2" width="{WIDTH}" height="20" rx="4"/><text class="t" x="8" y="16">{time}</text><text x="84" y="16">{}</text></g>"#,
        fitted(text, IN_BAND),
    );
}

fn draw_note(svg: &mut String, at: u64, text: &str, flags: &str) {
    let _ = write!(
        svg,
        r#"<text class="t" x="8" y="13">{}</text><text class="n" x="{}" y="13">{}</text>"#,
        seconds(at),
        LEFT - 10,
        fitted(text, IN_NOTE),
    );
    draw_flags(svg, flags, LEFT + 8, 13);
}

fn draw_flags(svg: &mut String, flags: &str, x: usize, y: usize) {
    if !flags.is_empty() {
        let _ = write!(
            svg,
            r#"<text class="flag" x="{x}" y="{y}">⚑ {}</text>"#,
            escape(flags)
        );
    }
}

fn draw_arrow(svg: &mut String, arrow: &Arrow, anchor: &str) {
    let (from, to) = if arrow.from_base {
        (LEFT, RIGHT)
    } else {
        (RIGHT, LEFT)
    };
    let end = if arrow.dropped { from.midpoint(to) } else { to };
    let mut class = String::from("arrow");
    for (is, name) in [
        (arrow.dropped, " dropped"),
        (arrow.repeated, " repeated"),
        (!arrow.from_base, " in"),
    ] {
        if is {
            class.push_str(name);
        }
    }
    let (open, close) = if arrow.in_full {
        let link = format!(r##"<a href="#{anchor}{}" class="{class}">"##, arrow.seq);
        (link, "</a>")
    } else {
        (format!(r#"<g class="{class}">"#), "</g>")
    };
    let label = fitted(&arrow.label, ON_ARROW);
    let room = ON_ARROW.saturating_sub(arrow.label.chars().count()).max(8);
    let mut detail = fitted(&arrow.detail, room);
    if arrow.repeated {
        detail.insert_str(0, "again · ");
    }
    let tip = match (arrow.dropped, arrow.from_base) {
        (true, _) => "m-5-5 10 10m0-10-10 10",
        (false, true) => "m-8-4 8 4-8 4",
        (false, false) => "m8-4-8 4 8 4",
    };
    let _ = write!(
        svg,
        r#"{open}<text class="t" x="8" y="24">{}</text><text class="l" x="{}" y="15">{label} <tspan>{detail}</tspan></text><path class="w" d="M{from} 20H{end}"/><path d="M{end} 20{tip}"/>{close}"#,
        seconds(arrow.at),
        LEFT.midpoint(RIGHT),
    );
    draw_flags(svg, &arrow.flags, RIGHT + 8, 24);
}

/// Text that fits, escaped; what had to be cut can be read by pointing at it.
fn fitted(text: &str, room: usize) -> String {
    let one_line = text.replace(['\n', '\t'], " ");
    if one_line.chars().count() <= room {
        return escape(&one_line);
    }
    let cut: String = one_line.chars().take(room.saturating_sub(1)).collect();
    format!("{}…<title>{}</title>", escape(&cut), escape(text))
}

/// Lab time as seconds with milliseconds.
#[must_use]
pub fn seconds(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros / 1_000 % 1_000)
}

/// Text fit for SVG and HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + text.len() / 16);
    let mut rest = text;
    // Most of it is fit already, and is copied in pieces.
    while let Some(at) = rest.bytes().position(may_be_unfit) {
        let (fit, from) = rest.split_at(at);
        safe.push_str(fit);
        let mut after = from.chars();
        match after.next() {
            Some('&') => safe.push_str("&amp;"),
            Some('<') => safe.push_str("&lt;"),
            Some('>') => safe.push_str("&gt;"),
            Some('"') => safe.push_str("&quot;"),
            Some('\'') => safe.push_str("&#39;"),
            Some(c) if c.is_control() => safe.push('\u{fffd}'),
            Some(c) => safe.push(c),
            None => {}
        }
        rest = after.as_str();
    }
    safe.push_str(rest);
    safe
}

/// Whether a character that begins with this byte may have to be escaped: markup, the control characters of ASCII but the
/// line end and the tabulator, and the first byte of the others (U+0080 to U+009F).
const fn may_be_unfit(byte: u8) -> bool {
    matches!(
        byte,
        b'&' | b'<' | b'>' | b'"' | b'\'' | 0..=8 | 11..=31 | 0x7f | 0xc2
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(seq: u64, from_base: bool, dropped: bool) -> Row {
        Row::Arrow(Arrow {
            seq,
            at: seq * 1_500,
            label: "SUBSCRIBE".to_owned(),
            detail: "<2 parts>".to_owned(),
            from_base,
            dropped,
            in_full: true,
            ..Arrow::default()
        })
    }

    #[test]
    fn a_lost_message_ends_half_way() {
        let lost = draw(&[arrow(1, true, true)], "m");
        assert!(
            lost.contains(r#"class="arrow dropped""#) && lost.contains("H585"),
            "{lost}"
        );
        let arrived = draw(&[arrow(1, true, false)], "m");
        assert!(
            arrived.contains("H840") && !arrived.contains("dropped"),
            "{arrived}"
        );
    }

    #[test]
    fn what_a_base_sends_cannot_break_out_of_the_picture() {
        let svg = draw(&[arrow(7, false, false)], "m");
        assert!(
            svg.contains("&lt;2 parts&gt;") && !svg.contains("<2 parts>"),
            "{svg}"
        );
        assert!(svg.contains("href=\"#m7\""));
    }

    #[test]
    fn long_text_is_cut_and_kept_for_whoever_points_at_it() {
        let text = "<".repeat(IN_NOTE + 1);
        let note = Row::Note {
            at: 0,
            text: text.clone(),
            flags: String::new(),
        };
        let svg = draw(&[note], "m");
        assert!(svg.contains(&format!("<title>{}</title>", escape(&text))));
        assert!(svg.contains("…"), "{svg}");
    }

    #[test]
    fn no_markup_and_no_control_character_comes_through() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let safe = escape(&all);
        let is_unfit = |c: char| "<>\"'".contains(c) || (c.is_control() && c != '\n' && c != '\t');
        assert!(!safe.contains(is_unfit), "{safe:?}");
        let fit = all.chars().filter(|c| !is_unfit(*c) && *c != '&');
        assert!(fit.clone().all(|c| safe.contains(c)));
        assert_eq!(safe.matches("&amp;").count(), 1);
        assert_eq!(escape("\u{c2}\u{a0}é"), "\u{c2}\u{a0}é");
    }
}
