//! The expect engine against a scripted serial line: each row of its state table, and what real lines do to it.
#![expect(clippy::unwrap_used, reason = "a test ends at the first surprise")]

use bench::console::{Engine, Indication, Output};
use bench::error::RigError;
use bench::profile::Profile;
use evidence::record::Direction;
use sip::time::Instant;
use std::sync::Arc;
use std::time::Duration;

/// An engine with what it wrote and told so far.
struct Line {
    engine: Engine,
    now: Instant,
    written: String,
    told: Vec<Indication>,
    due: Option<Instant>,
}

impl Line {
    fn new() -> Self {
        let text = include_str!("../../profiles/n870.toml");
        let profile = Arc::new(Profile::from_toml(text, "n870.toml").unwrap());
        let mut line = Self {
            engine: Engine::new(profile, "admin", "s3cret"),
            now: Instant::EPOCH,
            written: String::new(),
            told: Vec::new(),
            due: None,
        };
        line.engine.listen(line.now);
        line.drain();
        line
    }

    fn ready() -> Self {
        let mut line = Self::new();
        line.comes("n870> ");
        assert!(line.engine.is_ready());
        line.told.clear();
        line
    }

    fn comes(&mut self, text: &str) {
        self.comes_raw(text.as_bytes());
    }

    fn comes_raw(&mut self, bytes: &[u8]) {
        self.engine.handle_bytes(self.now, bytes);
        self.drain();
    }

    fn types(&mut self, command: &str) {
        self.engine.command(self.now, command);
        self.drain();
    }

    fn passes(&mut self, length: Duration) {
        let end = self.now + length;
        while let Some(due) = self.due.filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    fn drain(&mut self) {
        loop {
            match self.engine.poll_output() {
                Output::Write(bytes) => self.written += std::str::from_utf8(&bytes).unwrap(),
                Output::Indication(indication) => self.told.push(indication),
                Output::Timeout(due) => {
                    self.due = due;
                    return;
                }
            }
        }
    }

    fn answer(&self) -> Option<Vec<String>> {
        self.told.iter().find_map(|told| match told {
            Indication::Answer(lines) => Some(lines.clone()),
            _ => None,
        })
    }

    fn logs(&self) -> Vec<&str> {
        let log = |told: &'_ Indication| matches!(told, Indication::Log(_));
        self.told
            .iter()
            .filter(|told| log(told))
            .filter_map(|told| match told {
                Indication::Log(text) => Some(text.as_str()),
                _ => None,
            })
            .collect()
    }

    fn failure(&self) -> Option<&RigError> {
        self.told.iter().find_map(|told| match told {
            Indication::Failed(error) => Some(error),
            _ => None,
        })
    }
}

#[test]
fn it_logs_in_after_the_boot_log() {
    let mut line = Line::new();
    line.comes("[    0.000001] boot\r\n[    0.100000] dect ready\r\n\r\nn870 login: ");
    assert_eq!(line.written, "admin\r");
    line.comes("admin\r\nPassword: ");
    assert_eq!(line.written, "admin\rs3cret\r");
    line.comes("\r\nn870> ");
    assert!(line.engine.is_ready());
    assert_eq!(line.logs(), ["boot", "dect ready"]);
}

#[test]
fn the_password_is_never_told() {
    let mut line = Line::new();
    line.comes("n870 login: ");
    line.comes("\r\nPassword: ");
    line.comes("s3cret\r\nn870> ");
    assert!(line.engine.is_ready());
    assert!(!format!("{:?}", line.told).contains("s3cret"));
    assert!(line.told.contains(&Indication::Text {
        direction: Direction::ToBase,
        text: "********".to_owned(),
    }));
}

#[test]
fn a_refused_login_names_the_account() {
    let mut line = Line::new();
    line.comes("n870 login: ");
    line.comes("\r\nPassword: ");
    line.comes("\r\nLogin incorrect\r\nn870 login: ");
    let error = line.failure().unwrap().to_string();
    assert!(
        error.starts_with("console: login refused for account `admin`"),
        "{error}"
    );
}

#[test]
fn a_second_login_prompt_is_a_refusal_too() {
    let mut line = Line::new();
    line.comes("n870 login: ");
    line.comes("\r\nPassword: ");
    line.comes("\r\nn870 login: ");
    assert!(matches!(
        line.failure(),
        Some(RigError::ConsoleLogin { .. })
    ));
}

#[test]
fn a_silent_line_is_woken_by_an_empty_line() {
    let mut line = Line::new();
    line.passes(Duration::from_secs(6));
    assert_eq!(line.written, "\r");
    line.comes("\r\nn870> ");
    assert!(line.engine.is_ready());
}

#[test]
fn a_console_that_never_prompts_fails_with_what_was_seen() {
    let mut line = Line::new();
    line.comes("[    0.000001] boot\r\nkernel panic: no root\r\n~#");
    line.passes(Duration::from_secs(61));
    let error = line.failure().unwrap().to_string();
    assert!(error.contains("no prompt within 60 s"), "{error}");
    assert!(error.contains("kernel panic: no root / ~#"), "{error}");
}

#[test]
fn a_dead_line_says_that_nothing_came() {
    let mut line = Line::new();
    line.passes(Duration::from_secs(61));
    let error = line.failure().unwrap().to_string();
    assert!(error.ends_with("last seen: nothing"), "{error}");
}

#[test]
fn an_answer_comes_without_its_echo() {
    let mut line = Line::ready();
    line.types("version");
    assert_eq!(line.written, "version\r");
    line.comes("version\r\nN870 83.V2.65.0\r\nbuilt today\r\nn870> ");
    assert_eq!(line.answer().unwrap(), ["N870 83.V2.65.0", "built today"]);
    assert!(line.engine.is_ready());
}

#[test]
fn log_lines_in_an_answer_are_told_apart() {
    let mut line = Line::ready();
    line.types("version");
    line.comes("version\r\nN870\r\n[   12.345678] sip 029e74a599 registered\r\n2.65\r\nn870> ");
    assert_eq!(line.answer().unwrap(), ["N870", "2.65"]);
    assert_eq!(line.logs(), ["sip 029e74a599 registered"]);
}

#[test]
fn a_log_line_in_the_middle_of_typing_leaves_the_answer_whole() {
    let mut line = Line::ready();
    line.types("handset 029e74a599 display");
    line.comes("handset 029e");
    line.comes("\r\n[   12.345678] dect beacon\r\nn870> ");
    assert_eq!(
        line.answer(),
        None,
        "the redrawn prompt is not the end of the answer"
    );
    line.comes("handset 029e74a599 display\r\ndisplay 029e74a599 idle\r\nend\r\nn870> ");
    assert_eq!(line.answer().unwrap(), ["display 029e74a599 idle", "end"]);
    assert_eq!(line.logs(), ["dect beacon"]);
}

#[test]
fn pieces_of_one_byte_give_the_same_answer() {
    let mut line = Line::ready();
    line.types("version");
    let stream = "ver\r\n[    1.000000] log\r\nn870> version\r\nN870\r\nn870> ";
    for byte in stream.as_bytes() {
        line.comes_raw(&[*byte]);
    }
    assert_eq!(line.answer().unwrap(), ["N870"]);
}

#[test]
fn an_echo_torn_by_noise_costs_only_time() {
    let mut line = Line::ready();
    line.types("version");
    line.comes_raw(b"ver\xff\x00szon\r\nN870\r\nn870> ");
    assert_eq!(line.answer(), None);
    line.passes(Duration::from_secs(1));
    let answer = line.answer().unwrap();
    assert_eq!(answer.last().unwrap(), "N870");
    assert!(line.engine.is_ready());
}

#[test]
fn a_prompt_torn_by_noise_is_asked_for_again() {
    let mut line = Line::ready();
    line.types("version");
    line.comes("version\r\nN870\r\n~}n870#> ");
    line.passes(Duration::from_secs(3));
    assert_eq!(line.written, "version\r\r");
    line.comes("\r\nn870> ");
    let answer = line.answer().unwrap();
    assert_eq!(answer.first().unwrap(), "N870");
}

#[test]
fn a_command_without_an_answer_fails_with_its_name() {
    let mut line = Line::ready();
    line.types("version");
    line.comes("version\r\nworking on it");
    line.passes(Duration::from_secs(6));
    let error = line.failure().unwrap().to_string();
    assert!(
        error.contains("no prompt within 5 s after `version`"),
        "{error}"
    );
    assert!(error.contains("working on it"), "{error}");
}

#[test]
fn commands_are_answered_in_their_order() {
    let mut line = Line::ready();
    line.types("one");
    line.types("two");
    assert_eq!(line.written, "one\r");
    line.comes("one\r\n1\r\nn870> ");
    assert_eq!(line.written, "one\rtwo\r");
    line.comes("two\r\n2\r\nn870> ");
    let answers: Vec<_> = line
        .told
        .iter()
        .filter(|told| matches!(told, Indication::Answer(_)))
        .collect();
    assert_eq!(answers.len(), 2);
}

#[test]
fn a_base_that_restarts_is_logged_in_to_again() {
    let mut line = Line::ready();
    line.comes("\r\n[    0.000001] boot\r\nn870 login: ");
    line.comes("\r\nPassword: ");
    line.comes("\r\nn870> ");
    assert!(line.engine.is_ready());
    assert_eq!(line.written, "admin\rs3cret\r");
}

#[test]
fn a_command_that_restarts_the_base_is_answered_by_its_login_prompt() {
    let mut line = Line::ready();
    line.engine.restart(line.now, "reboot");
    line.drain();
    line.comes("reboot");
    assert!(!line.told.contains(&Indication::Restarting));
    line.comes("\r\n");
    assert_eq!(line.told.last(), Some(&Indication::Restarting));
    // Longer than any other command may take, and nothing is typed meanwhile.
    line.passes(Duration::from_secs(30));
    assert_eq!(line.answer(), None);
    line.comes("[    0.000001] boot\r\nn870 login: ");
    assert_eq!(line.answer(), Some(Vec::new()));
    line.comes("\r\nPassword: ");
    line.comes("\r\nn870> ");
    assert!(line.engine.is_ready());
    assert_eq!(line.written, "reboot\radmin\rs3cret\r");
    let restarts = |told: &&Indication| **told == Indication::Restarting;
    assert_eq!(line.told.iter().filter(restarts).count(), 1);
}

#[test]
fn a_base_that_ignores_the_restart_has_not_answered() {
    for echo in ["reboot\r\nn870> ", "reb~ot\r\nn870> "] {
        let mut line = Line::ready();
        line.engine.restart(line.now, "reboot");
        line.drain();
        line.comes(echo);
        line.passes(Duration::from_secs(61));
        assert_eq!(line.answer(), None, "{echo}");
        let error = line.failure();
        assert!(
            matches!(error, Some(RigError::ConsoleNoAnswer { command, .. }) if command == "reboot")
        );
    }
}

#[test]
fn a_refused_restart_is_answered_by_the_prompt_behind_the_error() {
    let mut line = Line::ready();
    line.engine.restart(line.now, "reboot");
    line.drain();
    line.comes("reboot\r\nerror: not now\r\nn870> ");
    assert_eq!(line.answer().unwrap(), ["error: not now"]);
    assert!(line.engine.is_ready());
}

#[test]
fn a_command_cut_short_by_a_restart_counts_as_not_taken() {
    let mut line = Line::ready();
    line.types("handset 029e74a599 key menu");
    line.passes(Duration::from_secs(1));
    line.comes("handset 029e74a599 key menu\r\n[    0.000001] boot\r\nn870 login: ");
    assert_eq!(line.answer(), None);
    let error = line.failure().unwrap().to_string();
    let cut = "console: no prompt within 1 s after `handset 029e74a599 key menu`; last seen: ";
    assert!(error.starts_with(cut), "{error}");
    assert!(error.ends_with("n870 login: "), "{error}");
}

#[test]
fn what_a_base_without_power_had_still_to_say_is_passed_over() {
    let mut line = Line::ready();
    line.engine.switch_off();
    line.drain();
    line.comes("n870> ");
    assert!(line.engine.is_off());
    line.passes(Duration::from_secs(61));
    assert_eq!(line.failure(), None);
}

#[test]
fn a_base_that_never_comes_back_is_named_with_the_command() {
    let mut line = Line::ready();
    line.engine.restart(line.now, "reboot");
    line.drain();
    line.comes("reboot\r\n");
    line.passes(Duration::from_secs(60));
    let error = line.failure().unwrap().to_string();
    let silent = "console: no prompt within 60 s after `reboot`";
    assert!(error.starts_with(silent), "{error}");
}

#[test]
fn every_line_end_works() {
    for end in ["\r", "\n", "\r\n", "\n\r", "\r\r\n"] {
        let mut line = Line::ready();
        line.types("version");
        line.comes(&["version", "N870", "2.65", "n870> "].join(end));
        assert_eq!(line.answer().unwrap(), ["N870", "2.65"], "{end:?}");
    }
}

#[test]
fn random_bytes_never_panic_and_end_in_an_error() {
    let mut rng = fastrand::Rng::with_seed(7);
    for _ in 0..50 {
        let mut line = Line::new();
        for _ in 0..200 {
            let noise: Vec<u8> = (0..rng.usize(0..40)).map(|_| rng.u8(..)).collect();
            line.comes_raw(&noise);
        }
        line.passes(Duration::from_secs(61));
        assert!(matches!(
            line.failure(),
            Some(RigError::ConsoleSilent { .. })
        ));
    }
}
