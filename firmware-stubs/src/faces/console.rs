//! The serial console: boot log, login, prompt, echo, and log lines that come whenever they come.
//!
//! | state | input | next | what is written |
//! |---|---|---|---|
//! | booting | boot ends | login | the login prompt |
//! | login | a name | password | the password prompt |
//! | password | right | shell | a welcome, the prompt |
//! | password | wrong | login | a message, after some of them a pause line, the login prompt |
//! | shell | a line | answering | nothing yet: the base answers |
//! | answering | the answer | shell | the answer, the prompt |
//! | shell | `logout` | login | the login prompt |
//!
//! A log line in the middle of typed input leaves the prompt and the input standing below it again.

use sip::time::Instant;
use std::collections::VecDeque;

/// What the base has to do for a typed command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Show a handset's display.
    Display {
        /// Its IPUI, as typed.
        handset: String,
    },
    /// Show the handset table.
    Handsets,
    /// Press keys at a handset.
    Keys {
        /// Its IPUI, as typed.
        handset: String,
        /// The keys' names.
        keys: Vec<String>,
    },
    /// Fetch provisioning now.
    Provision,
    /// Restart.
    Reboot,
    /// Show the firmware.
    Version,
}

/// What a console wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConsoleOutput {
    /// Put these bytes on the line.
    Write(Vec<u8>),
    /// Do this, then call [`Console::answer`].
    Command(Command),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    Answering,
    Booting,
    Login,
    Password { user: String },
    Shell,
}

/// The texts of one console.
#[derive(Clone, Debug)]
pub struct ConsoleTexts {
    /// Before ` login: ` and `> `.
    pub name: String,
    /// The account.
    pub user: String,
    /// The longest line that is taken.
    pub line: usize,
    /// Wrong logins in a row until the console starts again.
    pub logins: u32,
}

/// One serial console.
#[derive(Clone, Debug)]
pub struct Console {
    texts: ConsoleTexts,
    password: String,
    state: State,
    typed: Vec<u8>,
    after_cr: bool,
    wrong: u32,
    logging: bool,
    input: VecDeque<u8>,
    written: Vec<u8>,
    command: Option<Command>,
}

const HELP: &[&str] = &[
    "help",
    "version",
    "handset list",
    "handset <ipui> display",
    "handset <ipui> key <key>..",
    "provision",
    "log on|off",
    "reboot",
    "logout",
];

impl Console {
    /// The console of a base that is about to boot.
    #[must_use]
    pub fn new(texts: ConsoleTexts, password: &str) -> Self {
        Self {
            texts,
            password: password.to_owned(),
            state: State::Booting,
            typed: Vec::new(),
            after_cr: false,
            wrong: 0,
            logging: true,
            input: VecDeque::new(),
            written: Vec::new(),
            command: None,
        }
    }

    /// Takes the password from provisioning. Who is logged in stays so.
    pub fn configure(&mut self, password: &str) {
        password.clone_into(&mut self.password);
    }

    /// The base restarts: what was typed is lost, the boot log begins.
    pub fn restart(&mut self) {
        if !self.at_line_start() {
            self.write("\r\n");
        }
        self.state = State::Booting;
        self.typed.clear();
        self.input.clear();
        self.after_cr = false;
        self.wrong = 0;
        self.logging = true;
        self.command = None;
    }

    /// The boot has ended.
    pub fn handle_booted(&mut self) {
        if self.state == State::Booting {
            self.enter(State::Login);
        }
    }

    /// Takes what was typed.
    pub fn handle_bytes(&mut self, bytes: &[u8]) {
        // Nobody listens before the login prompt.
        if self.state != State::Booting {
            self.input.extend(bytes);
        }
    }

    /// A log line: `[<seconds since boot>] text`.
    pub fn log(&mut self, since_boot: Instant, text: &str) {
        if !self.logging {
            return;
        }
        let line = format!("[{}] {}\r\n", stamp(since_boot), one_line(text));
        match self.state {
            State::Booting | State::Answering => self.write(&line),
            State::Login | State::Password { .. } | State::Shell => {
                self.write("\r\n");
                self.write(&line);
                self.prompt();
            }
        }
    }

    /// The answer to the last command.
    pub fn answer(&mut self, lines: &[String]) {
        if self.state != State::Answering {
            return;
        }
        for line in lines {
            self.write(&one_line(line));
            self.write("\r\n");
        }
        self.enter(State::Shell);
    }

    /// The next thing that the console wants.
    pub fn poll_output(&mut self) -> Option<ConsoleOutput> {
        while self.command.is_none() && self.state != State::Answering {
            let Some(byte) = self.input.pop_front() else {
                break;
            };
            self.handle_byte(byte);
        }
        if !self.written.is_empty() {
            return Some(ConsoleOutput::Write(std::mem::take(&mut self.written)));
        }
        self.command.take().map(ConsoleOutput::Command)
    }

    fn handle_byte(&mut self, byte: u8) {
        let follows_cr = std::mem::take(&mut self.after_cr);
        match byte {
            b'\n' if follows_cr => {}
            b'\r' | b'\n' => {
                self.after_cr = byte == b'\r';
                self.write("\r\n");
                let line = std::mem::take(&mut self.typed);
                self.handle_line(&String::from_utf8_lossy(&line));
            }
            0x08 | 0x7f => self.rub_out(),
            0x03 | 0x15 => {
                self.typed.clear();
                self.write("\r\n");
                self.prompt();
            }
            // Line noise and control characters are not taken, and not echoed.
            0x20..=0x7e if self.typed.len() < self.texts.line => {
                self.typed.push(byte);
                if self.echoes() {
                    self.written.push(byte);
                }
            }
            _ => {}
        }
    }

    fn rub_out(&mut self) {
        if self.typed.pop().is_some() && self.echoes() {
            self.write("\x08 \x08");
        }
    }

    fn handle_line(&mut self, line: &str) {
        match std::mem::replace(&mut self.state, State::Shell) {
            State::Login if line.trim().is_empty() => self.enter(State::Login),
            State::Login => self.enter(State::Password {
                user: line.trim().to_owned(),
            }),
            State::Password { user } => self.handle_login(&user, line),
            State::Shell => self.handle_command(line),
            // No line is read in these.
            state @ (State::Answering | State::Booting) => self.state = state,
        }
    }

    fn handle_login(&mut self, user: &str, password: &str) {
        if user == self.texts.user && password == self.password {
            self.wrong = 0;
            self.enter(State::Shell);
            return;
        }
        self.wrong += 1;
        self.write("Login incorrect\r\n");
        if self.wrong >= self.texts.logins {
            self.wrong = 0;
            self.write("Too many wrong logins\r\n\r\n");
        }
        self.enter(State::Login);
    }

    fn handle_command(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let command = match words.as_slice() {
            [] => return self.reply(&[]),
            ["help"] => return self.reply(HELP),
            ["log", "on"] => {
                self.logging = true;
                return self.reply(&["ok"]);
            }
            ["log", "off"] => {
                self.logging = false;
                return self.reply(&["ok"]);
            }
            ["logout"] => return self.enter(State::Login),
            ["handset", "list"] => Command::Handsets,
            ["handset", handset, "display"] => Command::Display {
                handset: (*handset).to_owned(),
            },
            ["handset", handset, "key", keys @ ..] if !keys.is_empty() => Command::Keys {
                handset: (*handset).to_owned(),
                keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            },
            ["provision"] => Command::Provision,
            ["reboot"] => Command::Reboot,
            ["version"] => Command::Version,
            _ => return self.reply(&["error: unknown command"]),
        };
        self.state = State::Answering;
        self.command = Some(command);
    }

    fn reply(&mut self, lines: &[&str]) {
        for line in lines {
            self.write(line);
            self.write("\r\n");
        }
        self.enter(State::Shell);
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.prompt();
    }

    /// The prompt of this state with the input so far.
    fn prompt(&mut self) {
        let prompt = match self.state {
            State::Answering | State::Booting => return,
            State::Login => format!("{} login: ", self.texts.name),
            State::Password { .. } => "Password: ".to_owned(),
            State::Shell => format!("{}> ", self.texts.name),
        };
        self.write(&prompt);
        if self.echoes() {
            self.written.extend_from_slice(&self.typed);
        }
    }

    const fn echoes(&self) -> bool {
        !matches!(self.state, State::Password { .. })
    }

    const fn at_line_start(&self) -> bool {
        matches!(self.state, State::Answering | State::Booting)
    }

    fn write(&mut self, text: &str) {
        self.written.extend_from_slice(text.as_bytes());
    }
}

fn stamp(since_boot: Instant) -> String {
    let micros = since_boot.as_micros();
    format!("{:5}.{:06}", micros / 1_000_000, micros % 1_000_000)
}

/// Text from outside never breaks a line of the console.
fn one_line(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> Console {
        let texts = ConsoleTexts {
            name: "n870".to_owned(),
            user: "admin".to_owned(),
            line: 40,
            logins: 3,
        };
        Console::new(texts, "admin")
    }

    /// Everything written until the console waits, commands in brackets and answered with `ok`.
    fn drain(console: &mut Console) -> String {
        let mut text = String::new();
        while let Some(output) = console.poll_output() {
            match output {
                ConsoleOutput::Write(bytes) => text.push_str(&String::from_utf8(bytes).unwrap()),
                ConsoleOutput::Command(command) => {
                    text.push_str(&format!("<{command:?}>"));
                    console.answer(&["ok".to_owned()]);
                }
            }
        }
        text
    }

    fn type_in(console: &mut Console, text: &str) -> String {
        console.handle_bytes(text.as_bytes());
        drain(console)
    }

    fn logged_in() -> Console {
        let mut console = console();
        console.handle_booted();
        type_in(&mut console, "admin\radmin\r");
        console
    }

    #[test]
    fn a_boot_ends_in_a_login_and_a_prompt() {
        let mut console = console();
        console.handle_bytes(b"nobody listens yet\r");
        console.log(Instant::from_micros(123_456), "init: ready");
        console.handle_booted();
        assert_eq!(
            drain(&mut console),
            "[    0.123456] init: ready\r\nn870 login: "
        );
        assert_eq!(type_in(&mut console, "admin\r"), "admin\r\nPassword: ");
        assert_eq!(type_in(&mut console, "admin\r"), "\r\nn870> ");
    }

    #[test]
    fn cr_and_lf_and_both_end_a_line_once() {
        for end in ["\r", "\n", "\r\n"] {
            let mut console = logged_in();
            assert_eq!(
                type_in(&mut console, &format!("log on{end}")),
                "log on\r\nok\r\nn870> "
            );
        }
        let mut console = logged_in();
        assert_eq!(type_in(&mut console, "\r"), "\r\nn870> ");
        assert_eq!(type_in(&mut console, "\n"), "");
        assert_eq!(type_in(&mut console, "\n"), "\r\nn870> ");
    }

    #[test]
    fn three_wrong_logins_start_again_with_a_message() {
        let mut console = console();
        console.handle_booted();
        drain(&mut console);
        let wrong = "x\r\nPassword: \r\nLogin incorrect\r\n";
        assert_eq!(
            type_in(&mut console, "x\ry\r"),
            format!("{wrong}n870 login: ")
        );
        assert_eq!(
            type_in(&mut console, "x\ry\r"),
            format!("{wrong}n870 login: ")
        );
        assert_eq!(
            type_in(&mut console, "x\ry\r"),
            format!("{wrong}Too many wrong logins\r\n\r\nn870 login: ")
        );
        assert_eq!(type_in(&mut console, "\r"), "\r\nn870 login: ");
    }

    #[test]
    fn a_log_line_leaves_the_input_standing() {
        let mut console = logged_in();
        assert_eq!(type_in(&mut console, "hand"), "hand");
        console.log(
            Instant::from_micros(12_345_678),
            "sip 029e74a599 registered",
        );
        assert_eq!(
            drain(&mut console),
            "\r\n[   12.345678] sip 029e74a599 registered\r\nn870> hand"
        );
        assert_eq!(
            type_in(&mut console, "set list\r"),
            "set list\r\n<Handsets>ok\r\nn870> "
        );
    }

    #[test]
    fn a_log_line_never_shows_a_password() {
        let mut console = console();
        console.handle_booted();
        type_in(&mut console, "admin\rad");
        console.log(Instant::EPOCH, "x");
        assert_eq!(drain(&mut console), "\r\n[    0.000000] x\r\nPassword: ");
        assert_eq!(type_in(&mut console, "min\r"), "\r\nn870> ");
    }

    #[test]
    fn a_silenced_log_is_silent() {
        let mut console = logged_in();
        type_in(&mut console, "log off\r");
        console.log(Instant::EPOCH, "x");
        assert_eq!(drain(&mut console), "");
    }

    #[test]
    fn pasted_lines_are_answered_one_after_the_other() {
        let mut console = logged_in();
        let text = type_in(
            &mut console,
            "handset 029e74a599 key menu *\rversion\rdance\rlogout\r",
        );
        assert_eq!(
            text,
            "handset 029e74a599 key menu *\r\n\
             <Keys { handset: \"029e74a599\", keys: [\"menu\", \"*\"] }>ok\r\n\
             n870> version\r\n<Version>ok\r\n\
             n870> dance\r\nerror: unknown command\r\n\
             n870> logout\r\nn870 login: "
        );
    }

    #[test]
    fn rubout_deletes_and_noise_is_not_taken() {
        let mut console = logged_in();
        console.handle_bytes(b"\xff\x00helq\x7fp\xfe\r");
        let text = drain(&mut console);
        assert!(
            text.starts_with("helq\x08 \x08p\r\nhelp\r\nversion\r\n"),
            "{text}"
        );
        let long = "a".repeat(100);
        assert_eq!(type_in(&mut console, &long), "a".repeat(40));
        assert_eq!(type_in(&mut console, "\x03"), "\r\nn870> ");
    }

    #[test]
    fn a_restart_forgets_the_login() {
        let mut console = logged_in();
        type_in(&mut console, "half");
        console.restart();
        console.log(Instant::EPOCH, "boot");
        console.handle_booted();
        assert_eq!(
            drain(&mut console),
            "\r\n[    0.000000] boot\r\nn870 login: "
        );
    }
}
