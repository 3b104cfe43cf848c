//! Live output: a progress bar on a terminal, plain lines otherwise, and the end of a run.
//!
//! It is told what happened and writes it; it decides nothing.

use evidence::verdict::Verdict;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

/// How to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub color: bool,
    /// With a progress bar.
    pub bar: bool,
    /// Only what did not pass, and the end.
    pub quiet: bool,
}

/// A case that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended<'a> {
    /// The verdict.
    pub verdict: Verdict,
    /// What names the case.
    pub id: &'a str,
    /// The scenario's name.
    pub scenario: &'a str,
    /// Where it stands, `file:line`.
    pub place: &'a str,
    /// Why it did not pass: one line each.
    pub reasons: &'a [String],
}

/// Writes the progress of a run.
pub struct Console<W: Write> {
    out: W,
    style: Style,
    bar: Option<ProgressBar>,
    totals: BTreeMap<Verdict, usize>,
}

impl<W: Write> Console<W> {
    /// A console for a run of `cases` cases.
    pub fn new(out: W, style: Style, cases: u64) -> Self {
        let bar = style.bar.then(|| {
            let bar = ProgressBar::with_draw_target(Some(cases), ProgressDrawTarget::stderr());
            if let Ok(look) = ProgressStyle::with_template("{bar:32} {pos}/{len} {wide_msg}") {
                bar.set_style(look);
            }
            bar
        });
        Self {
            out,
            style,
            bar,
            totals: BTreeMap::new(),
        }
    }

    /// A case has ended.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn ended(&mut self, case: &Ended<'_>) -> io::Result<()> {
        *self.totals.entry(case.verdict).or_default() += 1;
        if let Some(bar) = &self.bar {
            bar.inc(1);
            bar.set_message(case.id.to_owned());
        }
        let fine = matches!(case.verdict, Verdict::Pass | Verdict::NotApplicable);
        if fine && (self.style.quiet || self.bar.is_some()) {
            return Ok(());
        }
        let word = self.paint(case.verdict);
        let mut text = format!("{word} {} {}\n", case.id, tame(case.scenario));
        if !fine {
            let _ = writeln!(text, "     at {}", case.place);
            for line in case.reasons.iter().flat_map(|reason| reason.lines()) {
                let _ = writeln!(text, "     {}", tame(line));
            }
        }
        self.print(&text)
    }

    /// The run has ended.
    ///
    /// # Errors
    /// When the output cannot be written.
    pub fn finish(&mut self, lines: &[String], took: Duration) -> io::Result<()> {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        let total: usize = self.totals.values().sum();
        let parts: Vec<String> = self
            .totals
            .iter()
            .map(|(verdict, count)| format!("{count} {}", self.paint(*verdict)))
            .collect();
        let mut text = format!(
            "\n{total} cases: {} in {:.1} s\n",
            parts.join(", "),
            took.as_secs_f32()
        );
        for line in lines {
            let _ = writeln!(text, "{line}");
        }
        self.print(&text)
    }

    fn print(&mut self, text: &str) -> io::Result<()> {
        match &self.bar {
            Some(bar) => bar.suspend(|| self.out.write_all(text.as_bytes()))?,
            None => self.out.write_all(text.as_bytes())?,
        }
        self.out.flush()
    }

    fn paint(&self, verdict: Verdict) -> String {
        let color = match verdict {
            Verdict::Pass => "32",
            Verdict::Fail => "31",
            Verdict::Error => "35",
            Verdict::Inconclusive => "33",
            Verdict::NotApplicable | Verdict::NotRun | Verdict::Waived => "2",
        };
        if self.style.color {
            format!("\u{1b}[{color}m{verdict}\u{1b}[0m")
        } else {
            verdict.to_string()
        }
    }
}

/// What a base says must not steer the terminal that it is shown on.
fn tame(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(style: Style, verdict: Verdict) -> String {
        let mut out = Vec::new();
        let mut console = Console::new(&mut out, style, 1);
        let reasons = ["NOT-02: no answer within 0.5 s".to_owned()];
        let case = Ended {
            verdict,
            id: "ID-1@n870-virtual",
            scenario: "The portal turns it on",
            place: "features/a.feature:7",
            reasons: &reasons,
        };
        console.ended(&case).unwrap();
        console
            .finish(
                &["report: out/report.html".to_owned()],
                Duration::from_millis(1500),
            )
            .unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_failure_says_where_and_why() {
        let text = written(Style::default(), Verdict::Fail);
        assert_eq!(
            text,
            "fail ID-1@n870-virtual The portal turns it on\n     at features/a.feature:7\n     \
             NOT-02: no answer within 0.5 s\n\n1 cases: 1 fail in 1.5 s\nreport: out/report.html\n"
        );
    }

    #[test]
    fn a_quiet_run_is_silent_about_what_passed() {
        let quiet = Style {
            quiet: true,
            ..Style::default()
        };
        assert!(!written(quiet, Verdict::Pass).contains("ID-1"));
        assert!(written(quiet, Verdict::Error).contains("ID-1"));
    }

    #[test]
    fn colour_stays_away_unless_asked_for() {
        assert!(!written(Style::default(), Verdict::Fail).contains('\u{1b}'));
        let coloured = Style {
            color: true,
            ..Style::default()
        };
        assert!(written(coloured, Verdict::Fail).contains("\u{1b}[31mfail\u{1b}[0m"));
    }
}
