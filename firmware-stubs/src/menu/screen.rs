//! What a handset's display shows, and how the faces of a base write it down.

use serde::Serialize;

/// Whether a handset rests or is being worked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum View {
    /// The idle screen.
    #[default]
    Idle,
    /// Any other.
    Menu,
}

impl View {
    /// The word on the console and the web interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Menu => "menu",
        }
    }
}

/// One display; the default is one that shows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Screen {
    /// Idle or not.
    pub view: View,
    /// The headline, empty on the idle screen.
    pub title: String,
    /// The lines below it.
    pub lines: Vec<String>,
    /// The line that the cursor is on.
    pub cursor: Option<usize>,
    /// The labels of the two display keys.
    pub softkeys: [String; 2],
}

#[derive(Serialize)]
struct Shown<'a> {
    title: &'a str,
    lines: &'a [String],
    cursor: Option<usize>,
    softkeys: &'a [String; 2],
}

impl Screen {
    /// Title, lines, cursor and softkeys as JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        let shown = Shown {
            title: &self.title,
            lines: &self.lines,
            cursor: self.cursor,
            softkeys: &self.softkeys,
        };
        serde_json::to_string(&shown).unwrap_or_default()
    }

    /// The console's answer to `handset <ipui> display`.
    #[must_use]
    pub fn to_console(&self, handset: &str) -> Vec<String> {
        let mut answer = vec![
            format!("display {handset} {}", self.view.as_str()),
            format!("title {}", self.title),
        ];
        for (index, line) in self.lines.iter().enumerate() {
            let mark = if self.cursor == Some(index) { '>' } else { ' ' };
            answer.push(format!("line {mark} {line}"));
        }
        let [left, right] = &self.softkeys;
        answer.push(format!("soft {left} | {right}"));
        answer.push("end".to_owned());
        answer
    }
}
