//! A program of ours as a child process, such as an emulated base: its output line by line, its end with last words.
//!
//! The child does not outlive its owner: when the owner is killed outright, the child's standard input ends, and a child that
//! can be left behind has to heed that. It is only ever signalled by its own id, and only while it has not been waited
//! for, so that the id cannot have passed to another process.

use crate::arrival::{Arrival, Arrivals};
use crate::error::WireError;
use rustix::process::{Pid, Signal, kill_process};
use std::collections::VecDeque;
use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tracing::debug;

/// How many of the last lines go into an error: our choice.
const LAST_WORDS: usize = 20;
/// Longer lines are cut: nothing that a program of ours says in one line is longer.
const LONGEST_LINE: u64 = 64 << 10;
/// How long output may still come after the end, from a grandchild that holds the pipe: our choice.
const LAST_WORDS_LIMIT: Duration = Duration::from_millis(500);
/// How long a killed process may take to end: our choice.
const KILL_LIMIT: Duration = Duration::from_secs(2);

/// How a process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Whether it ended with status 0.
    pub success: bool,
    /// The status in words, such as `exit status: 101`.
    pub status: String,
    /// The last lines of its standard error.
    pub last_words: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Kill,
    Terminate,
}

/// A running process. Dropping it kills the process.
#[derive(Debug)]
pub struct Process {
    id: u32,
    orders: mpsc::Sender<Order>,
    task: JoinHandle<()>,
}

impl Process {
    /// Starts a program. Its lines arrive as [`Arrival::Line`], its end as [`Arrival::Exited`], once and last.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn spawn<A: AsRef<OsStr>>(
        program: &Path,
        arguments: impl IntoIterator<Item = A>,
        arrivals: Arrivals,
    ) -> Result<Self, WireError> {
        let failed = |source| WireError::Process {
            program: program.to_owned(),
            source,
        };
        let child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let id = child
            .id()
            .ok_or_else(|| failed(std::io::Error::other("it ended at once")))?;
        let (orders, given) = mpsc::channel(4);
        Ok(Self {
            id,
            orders,
            task: tokio::spawn(attend(child, given, arrivals)),
        })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.id
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) {
        // A full or closed channel means that it is ending already.
        let _ = self.orders.try_send(Order::Terminate);
    }

    /// Kills it (SIGKILL) and waits until it is gone, within a bound. Nothing arrives from it any more.
    pub async fn kill(mut self) {
        let _ = self.orders.send(Order::Kill).await;
        let _ = timeout(KILL_LIMIT, &mut self.task).await;
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn attend(mut child: Child, mut given: mpsc::Receiver<Order>, arrivals: Arrivals) {
    // Open for as long as somebody listens; waiting for the child would close it.
    let _leash = child.stdin.take();
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return;
    };
    let lines = tokio::spawn(pass_lines(stdout, arrivals.clone()));
    let words = tokio::spawn(keep_last(stderr));
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            order = given.recv() => match order {
                Some(Order::Terminate) => terminate(&child),
                Some(Order::Kill) | None => {
                    // It ends now or has ended: nobody wants to hear why.
                    let _ = child.kill().await;
                    lines.abort();
                    words.abort();
                    return;
                }
            },
        }
    };
    let _ = timeout(LAST_WORDS_LIMIT, lines).await;
    let last_words = match timeout(LAST_WORDS_LIMIT, words).await {
        Ok(Ok(words)) => words,
        _ => Vec::new(),
    };
    let exit = Exit {
        success: status.as_ref().is_ok_and(|status| status.success()),
        status: status.map_or_else(|error| error.to_string(), |status| status.to_string()),
        last_words,
    };
    let _ = arrivals.send(Arrival::Exited(exit)).await;
}

fn terminate(child: &Child) {
    let id = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    if let Some(id) = id
        && let Err(error) = kill_process(id, Signal::TERM)
    {
        debug!(%error, "process not signalled");
    }
}

async fn pass_lines(output: impl AsyncRead + Unpin, arrivals: Arrivals) {
    let mut output = BufReader::new(output);
    while let Some(line) = next_line(&mut output).await {
        if arrivals.send(Arrival::Line(line)).await.is_err() {
            return;
        }
    }
}

async fn keep_last(output: impl AsyncRead + Unpin) -> Vec<String> {
    let mut output = BufReader::new(output);
    let mut last = VecDeque::new();
    while let Some(line) = next_line(&mut output).await {
        if last.len() == LAST_WORDS {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into()
}

async fn next_line<R: AsyncRead + Unpin>(output: &mut BufReader<R>) -> Option<String> {
    let mut line = Vec::new();
    let mut bounded = output.take(LONGEST_LINE);
    match bounded.read_until(b'\n', &mut line).await {
        Ok(0) | Err(_) => None,
        Ok(_) => Some(String::from_utf8_lossy(line.trim_ascii_end()).into_owned()),
    }
}
