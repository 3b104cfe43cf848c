//! The SIP ladder of a case as SVG: who said what to whom, when, and what was lost.
//!
//! Two life lines, one arrow a message, time on the left. A retransmission is the same bytes again and drawn thin; a lost
//! message ends in a cross. Each arrow links to the message's text below the picture.

use std::fmt::Write as _;

/// One arrow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrow {
    /// The record's number, the anchor of the message's text.
    pub seq: u64,
    /// Lab time in microseconds.
    pub at: u64,
    /// What stands on the arrow.
    pub label: String,
    /// The small print below it.
    pub detail: String,
    /// Whether the base sent it.
    pub from_base: bool,
    /// Whether it was lost.
    pub dropped: bool,
    /// Whether the same bytes were sent before.
    pub repeated: bool,
}

const WIDTH: usize = 760;
const LEFT: usize = 190;
const RIGHT: usize = 670;
const ROW: usize = 34;
const TOP: usize = 46;

/// Draws the ladder. `anchor` is put before each record number in the links.
#[must_use]
pub fn draw(arrows: &[Arrow], anchor: &str) -> String {
    let height = TOP + arrows.len() * ROW + 16;
    let mut svg = String::new();
    let _ = write!(
        svg,
        r#"<svg class="ladder" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" aria-label="SIP ladder">"#
    );
    for (x, name) in [(LEFT, "base"), (RIGHT, "application server")] {
        let _ = write!(
            svg,
            r#"<text class="party" x="{x}" y="18" text-anchor="middle">{name}</text><line class="life" x1="{x}" y1="26" x2="{x}" y2="{}"/>"#,
            height - 8
        );
    }
    for (row, arrow) in arrows.iter().enumerate() {
        draw_arrow(&mut svg, arrow, TOP + row * ROW, anchor);
    }
    svg.push_str("</svg>");
    svg
}

fn draw_arrow(svg: &mut String, arrow: &Arrow, y: usize, anchor: &str) {
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
    let y_line = y + 12;
    let middle = LEFT.midpoint(RIGHT);
    let time = seconds(arrow.at);
    let (seq, label, detail) = (arrow.seq, escape(&arrow.label), escape(&arrow.detail));
    let _ = write!(
        svg,
        r##"<a href="#{anchor}{seq}" class="{class}"><text class="time" x="8" y="{}">{time}</text><text class="label" x="{middle}" y="{}" text-anchor="middle">{label} <tspan class="detail">{detail}</tspan></text><line x1="{from}" y1="{y_line}" x2="{end}" y2="{y_line}"/>"##,
        y_line + 4,
        y + 6,
    );
    if arrow.dropped {
        let _ = write!(
            svg,
            r#"<path d="M{} {} l10 10 m0 -10 l-10 10"/>"#,
            end.saturating_sub(5),
            y_line.saturating_sub(5)
        );
    } else {
        let back = if arrow.from_base { end - 8 } else { end + 8 };
        let _ = write!(
            svg,
            r#"<path class="tip" d="M{back} {} L{end} {y_line} L{back} {}"/>"#,
            y_line - 4,
            y_line + 4
        );
    }
    svg.push_str("</a>");
}

/// Lab time as seconds with milliseconds.
#[must_use]
pub fn seconds(micros: u64) -> String {
    format!("{}.{:03} s", micros / 1_000_000, micros / 1_000 % 1_000)
}

/// Text fit for SVG and HTML.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c if c.is_control() && c != '\n' && c != '\t' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrow(seq: u64, from_base: bool, dropped: bool) -> Arrow {
        Arrow {
            seq,
            at: seq * 1_500,
            label: "SUBSCRIBE".to_owned(),
            detail: "<2 parts>".to_owned(),
            from_base,
            dropped,
            repeated: false,
        }
    }

    #[test]
    fn a_lost_message_ends_half_way() {
        let lost = draw(&[arrow(1, true, true)], "m");
        assert!(
            lost.contains(r#"class="arrow dropped""#) && lost.contains("x2=\"430\""),
            "{lost}"
        );
        let arrived = draw(&[arrow(1, true, false)], "m");
        assert!(
            arrived.contains("x2=\"670\"") && !arrived.contains("dropped"),
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
}
