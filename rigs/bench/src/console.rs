//! The console: an expect engine without I/O. It logs in, types commands, collects their answers, and tells log lines
//! apart that come whenever they come. The bench feeds it bytes and lab time.
//!
//! | state | leaves for | when |
//! |---|---|---|
//! | `Off` | `Listening` | the base is switched on |
//! | `Listening` | `Named`, `Ready` | a login prompt, a command prompt; an empty line wakes a silent base |
//! | `Named` | `Proving`, `Ready` | the password prompt, a command prompt |
//! | `Proving` | `Ready`, `Failed` | a command prompt; a refusal or a new login prompt |
//! | `Ready` | `Busy` | a command is queued (a login prompt: the base restarted, log in again) |
//! | `Busy` | `Ready` | the prompt after the echo, or after silence when noise took the echo; of a restart only when refused |
//! | `Busy` | `Named` | a login prompt after the command that restarts the base |
//! | `Busy` | `Failed` | a login prompt in the middle of any other command: nobody knows whether the base took it |
//! | any of these | `Failed` | its time is up |

pub mod display;
pub mod lines;

use crate::error::RigError;
use crate::profile;
use crate::profile::Profile;
use bytes::Bytes;
use evidence::record::Direction;
use lines::Lines;
use sip::time::Instant;
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// After this much silence behind a prompt without an echo, the command counts as answered: our choice, because bytes of
/// one answer follow each other in a few milliseconds on the slowest line.
const SETTLED: Duration = Duration::from_millis(500);

/// What stands in the record in place of a password.
pub const REDACTED: &str = "********";

/// How many bytes of what was seen go into an error: our choice, two lines of a terminal.
const SEEN: usize = 200;

/// What the engine wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Put these bytes on the line.
    Write(Bytes),
    /// Something happened.
    Indication(Indication),
    /// Nothing more to do until this point in time, or until bytes come.
    Timeout(Option<Instant>),
}

/// What the engine tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Indication {
    /// The answer to the oldest command, without echo and log lines.
    Answer(Vec<String>),
    /// The console cannot be used.
    Failed(RigError),
    /// The base has taken the command that restarts it: it forgets what it keeps in memory.
    Restarting,
    /// A log line without its time, as far as the profile knows such lines.
    Log(String),
    /// A complete line or a login prompt, for the evidence. Echoes of whole commands are left out: the command is there.
    Text {
        /// Which way.
        direction: Direction,
        /// The text, redacted.
        text: String,
    },
}

/// The expect engine. `Debug` shows its state and none of its texts, among which is the password.
#[derive(Clone)]
pub struct Engine {
    profile: Arc<Profile>,
    username: String,
    password: String,
    state: State,
    lines: Lines,
    queue: VecDeque<Typed>,
    outputs: VecDeque<Output>,
    seen: String,
}

#[derive(Clone, Debug)]
enum State {
    Off,
    Listening {
        wake_at: Instant,
        give_up_at: Instant,
    },
    Named {
        give_up_at: Instant,
    },
    Proving {
        give_up_at: Instant,
    },
    Ready,
    Busy(Busy),
    Failed,
}

/// A command, and whether the base restarts by it.
#[derive(Clone, Debug)]
struct Typed {
    text: String,
    restarts: bool,
}

#[derive(Clone, Debug)]
struct Busy {
    command: String,
    restarts: bool,
    echoed: bool,
    answer: Vec<String>,
    settled_at: Option<Instant>,
    nudge_at: Option<Instant>,
    typed_at: Instant,
    give_up_at: Instant,
}

impl Busy {
    /// Whether its answer so far holds an error.
    fn is_refused(&self, console: &profile::Console) -> bool {
        self.answer.iter().any(|line| console.error.is_match(line))
    }

    /// How long its answer may take.
    const fn within(&self, console: &profile::Console) -> Duration {
        if self.restarts {
            console.prompt_within
        } else {
            console.answer_within
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine for a base that is off.
    #[must_use]
    pub fn new(profile: Arc<Profile>, username: &str, password: &str) -> Self {
        Self {
            profile,
            username: username.to_owned(),
            password: password.to_owned(),
            state: State::Off,
            lines: Lines::default(),
            queue: VecDeque::new(),
            outputs: VecDeque::new(),
            seen: String::new(),
        }
    }

    fn console(&self) -> &profile::Console {
        &self.profile.console
    }

    /// The base was switched on, or may be on already: listen for a prompt.
    pub fn listen(&mut self, now: Instant) {
        self.lines.clear();
        self.seen.clear();
        self.state = State::Listening {
            wake_at: now + self.console().wake_after,
            give_up_at: now + self.console().prompt_within,
        };
    }

    /// The base was switched off. Commands that wait get no answer.
    pub fn switch_off(&mut self) {
        self.lines.clear();
        self.queue.clear();
        self.state = State::Off;
    }

    /// Whether a command would be typed at once.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready) && self.queue.is_empty()
    }

    /// Whether no base is listened to.
    #[must_use]
    pub fn is_off(&self) -> bool {
        matches!(self.state, State::Off)
    }

    /// Types a command as soon as the console is ready. Each command gets one [`Indication::Answer`], in order.
    pub fn command(&mut self, now: Instant, text: &str) {
        self.enqueue(now, text, false);
    }

    /// Types the command that restarts the base: one [`Indication::Restarting`] when the base has taken it, then one
    /// [`Indication::Answer`] when it asks for a login again, which may take as long as a first prompt, or when it refuses.
    pub fn restart(&mut self, now: Instant, text: &str) {
        self.enqueue(now, text, true);
    }

    fn enqueue(&mut self, now: Instant, text: &str, restarts: bool) {
        self.queue.push_back(Typed {
            text: text.to_owned(),
            restarts,
        });
        self.type_next(now);
    }

    /// Bytes came on the line, cut anywhere. What a base that is off had still to say is passed over.
    pub fn handle_bytes(&mut self, now: Instant, bytes: &[u8]) {
        if self.is_off() {
            return;
        }
        for line in self.lines.push(bytes) {
            self.on_line(line);
        }
        if let State::Busy(busy) = &mut self.state {
            busy.settled_at = None;
        }
        if !self.lines.is_at_start() {
            self.on_partial(now);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        match &mut self.state {
            State::Off | State::Ready | State::Failed => {}
            State::Listening {
                wake_at,
                give_up_at,
            } => {
                if now >= *give_up_at {
                    self.fail_silent();
                } else if now >= *wake_at {
                    *wake_at = now + self.profile.console.wake_after;
                    self.outputs
                        .push_back(Output::Write(Bytes::from_static(b"\r")));
                }
            }
            State::Named { give_up_at } | State::Proving { give_up_at } => {
                if now >= *give_up_at {
                    self.fail_silent();
                }
            }
            State::Busy(busy) => {
                if busy.settled_at.is_some_and(|at| now >= at) {
                    self.answered(now);
                } else if now >= busy.give_up_at {
                    let waited = busy.within(&self.profile.console);
                    let command = busy.command.clone();
                    self.fail_unanswered(command, waited);
                } else if busy.nudge_at.is_some_and(|at| now >= at) {
                    // Noise may have taken the prompt; an empty line makes the base show it again.
                    busy.nudge_at = None;
                    busy.echoed = true;
                    self.outputs
                        .push_back(Output::Write(Bytes::from_static(b"\r")));
                }
            }
        }
    }

    /// What the engine wants next.
    pub fn poll_output(&mut self) -> Output {
        self.outputs
            .pop_front()
            .unwrap_or_else(|| Output::Timeout(self.deadline()))
    }

    fn deadline(&self) -> Option<Instant> {
        match &self.state {
            State::Off | State::Ready | State::Failed => None,
            State::Listening {
                wake_at,
                give_up_at,
            } => Some(*wake_at.min(give_up_at)),
            State::Named { give_up_at } | State::Proving { give_up_at } => Some(*give_up_at),
            State::Busy(busy) => [busy.settled_at, busy.nudge_at, Some(busy.give_up_at)]
                .into_iter()
                .flatten()
                .min(),
        }
    }

    fn on_line(&mut self, line: String) {
        if !matches!(self.state, State::Proving { .. }) {
            self.remember(&line);
        }
        let found = self.profile.console.log_line.captures(&line);
        if let Some(text) = found.and_then(|found| found.name("text")) {
            let log = Indication::Log(text.as_str().to_owned());
            self.tell_text(Direction::FromBase, &line);
            self.outputs.push_back(Output::Indication(log));
            return;
        }
        match &mut self.state {
            State::Busy(busy) => match read_echo(&self.profile.console, &line, &busy.command) {
                Echo::Whole => {
                    busy.answer.clear();
                    self.on_echo();
                }
                Echo::Part => {}
                Echo::None => {
                    busy.answer.push(line.clone());
                    self.tell_text(Direction::FromBase, &line);
                }
            },
            State::Proving { .. } if self.profile.console.refused.is_match(&line) => {
                self.remember(&line);
                self.tell_text(Direction::FromBase, &line);
                self.refuse();
            }
            // A base that echoes the password must not put it into the evidence.
            State::Proving { .. } if !self.password.is_empty() => {
                let text = line.replace(&self.password, REDACTED);
                self.tell_text(Direction::FromBase, &text);
            }
            _ => self.tell_text(Direction::FromBase, &line),
        }
    }

    /// The line has no end yet: perhaps it is a prompt.
    fn on_partial(&mut self, now: Instant) {
        let partial = self.lines.partial();
        let console = &self.profile.console;
        let prompt = if console.prompt.is_match(&partial) {
            Prompt::Command
        } else if console.login.is_match(&partial) {
            Prompt::Login
        } else if console.password.is_match(&partial) {
            Prompt::Password
        } else {
            return;
        };
        if prompt != Prompt::Command {
            self.remember(&partial);
        }
        match (&mut self.state, prompt) {
            (State::Off | State::Failed, _) => {}
            // A base that still prompts and says nothing has not restarted.
            (State::Busy(busy), Prompt::Command)
                if busy.restarts && !busy.is_refused(&self.profile.console) => {}
            (State::Busy(busy), Prompt::Command) if busy.echoed => self.answered(now),
            (State::Busy(busy), Prompt::Command) => busy.settled_at = Some(now + SETTLED),
            (_, Prompt::Command) => {
                self.state = State::Ready;
                self.type_next(now);
            }
            (State::Proving { .. }, Prompt::Login) => {
                self.tell_text(Direction::FromBase, &partial);
                self.refuse();
            }
            (State::Named { .. }, Prompt::Login) => {}
            (State::Busy(busy), Prompt::Login) if !busy.restarts => {
                let (command, waited) = (busy.command.clone(), now.since(busy.typed_at));
                self.tell_text(Direction::FromBase, &partial);
                self.fail_unanswered(command, waited);
            }
            (_, Prompt::Login) => {
                self.tell_answer();
                self.tell_text(Direction::FromBase, &partial);
                let username = self.username.clone();
                self.write_line(&username, &username);
                self.state = State::Named {
                    give_up_at: now + self.console().prompt_within,
                };
            }
            (State::Named { .. }, Prompt::Password) => {
                self.tell_text(Direction::FromBase, &partial);
                let password = self.password.clone();
                self.write_line(&password, REDACTED);
                self.state = State::Proving {
                    give_up_at: now + self.console().prompt_within,
                };
            }
            (_, Prompt::Password) => {}
        }
    }

    fn type_next(&mut self, now: Instant) {
        if !matches!(self.state, State::Ready) {
            return;
        }
        let Some(command) = self.queue.pop_front() else {
            return;
        };
        let Typed { text, restarts } = command;
        self.write_line(&text, &text);
        let mut busy = Busy {
            command: text,
            restarts,
            echoed: false,
            answer: Vec::new(),
            settled_at: None,
            nudge_at: None,
            typed_at: now,
            give_up_at: now,
        };
        let within = busy.within(self.console());
        busy.give_up_at = now + within;
        // A base that restarts is silent for a while, which is no sign of a lost prompt.
        busy.nudge_at = (!restarts).then_some(now + within / 2);
        self.state = State::Busy(busy);
    }

    fn on_echo(&mut self) {
        if let State::Busy(busy) = &mut self.state {
            let news = busy.restarts && !busy.echoed;
            busy.echoed = true;
            if news {
                let restarting = Output::Indication(Indication::Restarting);
                self.outputs.push_back(restarting);
            }
        }
    }

    fn answered(&mut self, now: Instant) {
        self.tell_answer();
        self.state = State::Ready;
        self.type_next(now);
    }

    fn tell_answer(&mut self) {
        // Noise may have taken the echo.
        self.on_echo();
        if let State::Busy(busy) = &mut self.state {
            let answer = std::mem::take(&mut busy.answer);
            let answer = Output::Indication(Indication::Answer(answer));
            self.outputs.push_back(answer);
        }
    }

    fn write_line(&mut self, text: &str, shown: &str) {
        let mut bytes = Vec::with_capacity(text.len() + 1);
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b'\r');
        self.tell_text(Direction::ToBase, shown);
        self.outputs.push_back(Output::Write(bytes.into()));
    }

    fn tell_text(&mut self, direction: Direction, text: &str) {
        self.outputs.push_back(Output::Indication(Indication::Text {
            direction,
            text: text.to_owned(),
        }));
    }

    fn refuse(&mut self) {
        let error = RigError::ConsoleLogin {
            account: self.username.clone(),
            seen: self.last_seen(),
        };
        self.fail(error);
    }

    fn fail_unanswered(&mut self, command: String, waited: Duration) {
        let error = RigError::ConsoleNoAnswer {
            command,
            waited,
            seen: self.last_seen(),
        };
        self.fail(error);
    }

    fn fail_silent(&mut self) {
        let console = self.console();
        let expected = match self.state {
            State::Named { .. } => console.password.to_string(),
            State::Proving { .. } => console.prompt.to_string(),
            _ => format!("{}` or `{}", console.login, console.prompt),
        };
        let error = RigError::ConsoleSilent {
            expected,
            waited: console.prompt_within,
            seen: self.last_seen(),
        };
        self.fail(error);
    }

    fn fail(&mut self, error: RigError) {
        self.state = State::Failed;
        self.outputs
            .push_back(Output::Indication(Indication::Failed(error)));
    }

    /// Keeps the end of what came, for errors.
    fn remember(&mut self, text: &str) {
        if !self.seen.is_empty() {
            self.seen.push_str(" / ");
        }
        self.seen.push_str(text);
        if self.seen.len() > 4 * SEEN {
            self.seen = tail(&self.seen).to_owned();
        }
    }

    fn last_seen(&self) -> String {
        let mut seen = self.seen.clone();
        let partial = self.lines.partial();
        if !partial.is_empty() && !seen.ends_with(&partial) {
            seen.push_str(" / ");
            seen.push_str(&partial);
        }
        if seen.is_empty() {
            return "nothing".to_owned();
        }
        tail(&seen).to_owned()
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Prompt {
    Command,
    Login,
    Password,
}

/// How much of a typed command a line shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Echo {
    None,
    Part,
    Whole,
}

fn read_echo(console: &profile::Console, line: &str, command: &str) -> Echo {
    let after_prompt = |typed: &str| {
        line.strip_suffix(typed)
            .is_some_and(|before| console.prompt.is_match(before))
    };
    if after_prompt(command) {
        return Echo::Whole;
    }
    // A log line came in the middle of typing: the prompt and what was typed so far stand on a line of their own.
    let begun = (0..command.len())
        .rev()
        .filter_map(|length| command.get(..length))
        .any(after_prompt);
    if begun { Echo::Part } else { Echo::None }
}

fn tail(text: &str) -> &str {
    let from = text.len().saturating_sub(SEEN);
    let from = (from..=text.len())
        .find(|index| text.is_char_boundary(*index))
        .unwrap_or_default();
    text.get(from..).unwrap_or_default()
}
