//! What the console says about a display: the block that answers a command, and the log line that reports a change.
//! Both come out as the same [`Screen`].

use crate::profile::{Console, DisplayBlock};
use evidence::record::{Screen, View};
use serde::Deserialize;

/// The fields of a reported display, by the names of this rig's convention.
#[derive(Deserialize)]
struct Reported {
    #[serde(default)]
    title: String,
    #[serde(default)]
    lines: Vec<String>,
    #[serde(default)]
    cursor: Option<usize>,
    #[serde(default)]
    softkeys: Vec<String>,
}

/// The display in the text of a log line, if it reports one.
#[must_use]
pub fn reported(profile: &Console, text: &str) -> Option<Screen> {
    let found = profile.display_event.captures(text)?;
    let fields: Reported = serde_json::from_str(found.name("json")?.as_str()).ok()?;
    Some(Screen {
        handset: found.name("handset")?.as_str().to_owned(),
        view: view(found.name("view")?.as_str())?,
        title: fields.title,
        lines: fields.lines,
        cursor: fields.cursor,
        softkeys: fields.softkeys,
    })
}

/// The display of this handset in the answer to the display command. Lines that belong to no display are passed over;
/// a block without its last line was cut and is no display.
#[must_use]
pub fn answered(block: &DisplayBlock, ipui: &str, answer: &[String]) -> Option<Screen> {
    let mut lines = answer.iter();
    let mut screen = lines.by_ref().find_map(|line| head(block, ipui, line))?;
    for line in lines {
        if block.end.is_match(line) {
            return Some(screen);
        }
        if let Some(found) = block.line.captures(line) {
            let text = found.name("text").map_or("", |text| text.as_str());
            if found.name("mark").is_some_and(|mark| mark.as_str() == ">") {
                screen.cursor = Some(screen.lines.len());
            }
            screen.lines.push(text.to_owned());
        } else if let Some(found) = block.title.captures(line) {
            let text = found.name("text").map_or("", |text| text.as_str());
            text.clone_into(&mut screen.title);
        } else if let Some(found) = block.softkeys.captures(line) {
            let text = found.name("text").map_or("", |text| text.as_str());
            screen.softkeys = text
                .split(&block.softkey_separator)
                .map(|label| label.trim().to_owned())
                .collect();
        }
    }
    None
}

fn head(block: &DisplayBlock, ipui: &str, line: &str) -> Option<Screen> {
    let found = block.head.captures(line)?;
    let handset = found.name("handset")?.as_str();
    if handset != ipui {
        return None;
    }
    Some(Screen {
        handset: handset.to_owned(),
        view: view(found.name("view")?.as_str())?,
        title: String::new(),
        lines: Vec::new(),
        cursor: None,
        softkeys: Vec::new(),
    })
}

fn view(word: &str) -> Option<View> {
    match word {
        "idle" => Some(View::Idle),
        "menu" => Some(View::Menu),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn profile() -> Profile {
        Profile::from_toml(include_str!("../../../profiles/n870.toml"), "n870.toml").unwrap()
    }

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    const BLOCK: &str = "display 029e74a599 menu\ntitle Select Services\nline > Do Not Disturb\n\
        line   Call Divert\nsoft Back | Select\nend";

    #[test]
    fn a_block_becomes_a_screen() {
        let screen = answered(&profile().console.display, "029e74a599", &lines(BLOCK)).unwrap();
        assert_eq!(screen.view, View::Menu);
        assert_eq!(screen.title, "Select Services");
        assert_eq!(screen.lines, ["Do Not Disturb", "Call Divert"]);
        assert_eq!(screen.cursor, Some(0));
        assert_eq!(screen.softkeys, ["Back", "Select"]);
    }

    #[test]
    fn an_idle_block_has_an_empty_title_and_an_empty_softkey() {
        let block = "display 029e74a599 idle\ntitle \nline   Anna\nline   \nsoft  | Menu\nend";
        let screen = answered(&profile().console.display, "029e74a599", &lines(block)).unwrap();
        assert_eq!((screen.title.as_str(), screen.cursor), ("", None));
        assert_eq!(screen.lines, ["Anna", ""]);
        assert_eq!(screen.softkeys, ["", "Menu"]);
    }

    #[test]
    fn noise_between_the_lines_is_passed_over() {
        let noisy = format!(
            "xx\n{}",
            BLOCK.replace("\nline   Call", "\n#!\nline   Call")
        );
        let block = &profile().console.display;
        assert_eq!(
            answered(block, "029e74a599", &lines(&noisy)),
            answered(block, "029e74a599", &lines(BLOCK))
        );
    }

    #[test]
    fn a_cut_block_or_another_handsets_block_is_no_screen() {
        let block = &profile().console.display;
        let cut = BLOCK.trim_end_matches("end");
        assert_eq!(answered(block, "029e74a599", &lines(cut)), None);
        assert_eq!(answered(block, "02b6ec8aa5", &lines(BLOCK)), None);
    }

    #[test]
    fn a_log_line_reports_a_screen() {
        let text = r#"display 029e74a599 idle {"title":"","lines":["Anna","Do Not Disturb"],"cursor":null,"softkeys":["Menu"]}"#;
        let screen = reported(&profile().console, text).unwrap();
        assert_eq!(screen.lines, ["Anna", "Do Not Disturb"]);
        assert_eq!(reported(&profile().console, "display x idle {"), None);
        assert_eq!(
            reported(&profile().console, "sip 029e74a599 registered"),
            None
        );
    }
}
