//! The program `lockstep` as a node that has said that it is ready, for tests that talk to it.
#![expect(
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test"
)]

use crate::program::{exit_code, lockstep, soon};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::net::SocketAddr;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdout};

/// A program of ours that has said that it is ready.
pub(crate) struct Ready {
    pub(crate) child: Child,
    pub(crate) line: Value,
    /// Kept open: a closed pipe would be a change that a user does not make.
    _out: BufReader<ChildStdout>,
}

impl Ready {
    pub(crate) async fn start(arguments: &[&str]) -> Self {
        let mut command = lockstep(arguments);
        let mut child = command.stderr(Stdio::inherit()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        soon("ready line", out.read_line(&mut line)).await.unwrap();
        let line = serde_json::from_str(&line).unwrap();
        Self {
            child,
            line,
            _out: out,
        }
    }

    pub(crate) fn address(&self, key: &str) -> SocketAddr {
        let text = self.line[key].as_str().unwrap();
        let text = text
            .trim_start_matches("http://")
            .trim_start_matches("tcp://");
        text.parse().unwrap()
    }

    /// Asks it to end.
    pub(crate) fn terminate(&self) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::TERM).unwrap();
    }

    /// Asks it to end and waits: it has to end well.
    pub(crate) async fn end(mut self) {
        self.terminate();
        assert_eq!(exit_code(&mut self.child).await, Some(0));
    }
}
