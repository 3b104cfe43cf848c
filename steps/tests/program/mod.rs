//! The program `lockstep` as a child process: started in the work tree, read line by line, never outliving its test.
//!
//! Nothing here sleeps: a test waits for a line, a connection or an end, each with a deadline.
#![expect(
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test"
)]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Longer than anything takes on a busy machine; only a test that fails waits so long.
const DEADLINE: Duration = Duration::from_secs(90);

/// The top of the work tree: features, rigs and mutants are named from here.
pub(crate) fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Waits for something that must happen.
pub(crate) async fn soon<T>(what: &str, happens: impl Future<Output = T>) -> T {
    match timeout(DEADLINE, happens).await {
        Ok(value) => value,
        Err(_) => panic!("no {what} within {DEADLINE:?}"),
    }
}

/// The program with these arguments, not yet started, its output piped.
pub(crate) fn lockstep(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lockstep"));
    command
        .args(arguments)
        .current_dir(top())
        .env_remove("NO_COLOR")
        .env_remove("LOCKSTEP_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Waits for the end and gives the exit code; a program that a signal ended has none.
pub(crate) async fn exit_code(child: &mut Child) -> Option<i32> {
    soon("end", child.wait()).await.unwrap().code()
}
