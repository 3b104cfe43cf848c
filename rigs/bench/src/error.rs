//! Why the rig cannot work. Every variant names the guilty part and says what was seen, so that a tester knows which
//! cable to look at. None of these ever becomes a finding: a rig that is broken says nothing about the base.

use std::path::PathBuf;
use std::time::Duration;

/// The rig cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RigError {
    /// The emulated base could not be made or started.
    #[error("emulated base `{model}`: {reason}")]
    Base {
        /// The model's name.
        model: String,
        /// Why.
        reason: String,
    },
    /// The base ended although nobody asked it to.
    #[error("the base ended unexpectedly at {at} s")]
    BaseGone {
        /// Lab time.
        at: String,
    },
    /// A command on the console got no answer.
    #[error(
        "console: no prompt within {} s after `{command}`; last seen: {seen}",
        waited.as_secs_f32()
    )]
    ConsoleNoAnswer {
        /// What was typed.
        command: String,
        /// How long we waited.
        waited: Duration,
        /// The end of what came instead.
        seen: String,
    },
    /// The console refused the login.
    #[error("console: login refused for account `{account}`; last seen: {seen}")]
    ConsoleLogin {
        /// The account.
        account: String,
        /// The end of what came.
        seen: String,
    },
    /// The console answered a command with something that is not its answer.
    #[error("console: `{command}` was answered with: {answer}")]
    ConsoleAnswer {
        /// What was typed.
        command: String,
        /// What came.
        answer: String,
    },
    /// The console never showed a prompt.
    #[error(
        "console: no prompt within {} s (expected `{expected}`); last seen: {seen}",
        waited.as_secs_f32()
    )]
    ConsoleSilent {
        /// The patterns that were expected.
        expected: String,
        /// How long we waited.
        waited: Duration,
        /// The end of what came, `nothing` if nothing came.
        seen: String,
    },
    /// The evidence could not be written.
    #[error("evidence file {}: {reason}", path.display())]
    Evidence {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A rig, profile or dialect file is wrong.
    #[error(transparent)]
    File(#[from] document::FileError),
    /// The laboratory itself failed.
    #[error("{part}: {reason}")]
    Lab {
        /// Which part: a socket, a port, a process.
        part: String,
        /// Why.
        reason: String,
    },
    /// The rig itself was late: what it did not see in time says nothing about the base.
    #[error(
        "the rig was {} ms late in a wait of {} ms: nothing can be concluded",
        lag.as_millis(),
        limit.as_millis()
    )]
    Lag {
        /// How late.
        lag: Duration,
        /// The wait.
        limit: Duration,
    },
    /// The handset's menu is not as the profile says.
    #[error("handset {handset}: {expected}, but the display shows {shown}")]
    Menu {
        /// The handset's IPUI.
        handset: String,
        /// What was looked for, in words.
        expected: String,
        /// The display in words.
        shown: String,
    },
    /// The rig has no such instrument.
    #[error("the rig has no {what}")]
    Missing {
        /// What.
        what: String,
    },
    /// Another administrator is logged in to the web interface.
    #[error("web: another admin session is active (409): {message}")]
    WebBusy {
        /// What the base says.
        message: String,
    },
    /// The web interface refused the login.
    #[error("web: login refused for account `{account}` (401): {message}")]
    WebLogin {
        /// The account.
        account: String,
        /// What the base says.
        message: String,
    },
    /// The web interface answered something that is not its API.
    #[error("web: {request} was answered {status} with {what}, not with JSON")]
    WebNotJson {
        /// Method and path.
        request: String,
        /// The status.
        status: u16,
        /// The beginning of what came.
        what: String,
    },
    /// The web interface refused a request.
    #[error("web: {request} was answered {status}: {message}")]
    WebRefused {
        /// Method and path.
        request: String,
        /// The status.
        status: u16,
        /// What the base says.
        message: String,
    },
    /// The web interface gave no answer.
    #[error("web: no answer to {request}: {reason}")]
    WebSilent {
        /// Method and path.
        request: String,
        /// The driver's words.
        reason: String,
    },
}
