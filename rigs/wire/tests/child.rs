//! A child process: its lines, its end, its last words. The child is the shell.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::arrival::{Arrival, channel};
use wire::process::{Exit, Process};

fn shell(script: &str) -> (Process, mpsc::Receiver<Arrival>) {
    let (arrivals, arrived) = channel();
    let process = Process::spawn(Path::new("/bin/sh"), ["-c", script], arrivals).unwrap();
    (process, arrived)
}

async fn next(arrived: &mut mpsc::Receiver<Arrival>) -> Arrival {
    timeout(Duration::from_secs(20), arrived.recv())
        .await
        .unwrap()
        .unwrap()
}

async fn exit(arrived: &mut mpsc::Receiver<Arrival>) -> Exit {
    loop {
        if let Arrival::Exited(exit) = next(arrived).await {
            return exit;
        }
    }
}

#[tokio::test]
async fn lines_come_before_the_end_and_the_end_has_last_words() {
    let script = "echo ready; for i in $(seq 30); do echo word $i >&2; done; exit 101";
    let (_process, mut arrived) = shell(script);
    match next(&mut arrived).await {
        Arrival::Line(line) => assert_eq!(line, "ready"),
        other => panic!("{other:?}"),
    }
    let exit = exit(&mut arrived).await;
    assert!(!exit.success);
    assert_eq!(exit.status, "exit status: 101");
    assert_eq!(exit.last_words.len(), 20);
    assert_eq!(exit.last_words.last().unwrap(), "word 30");
}

#[tokio::test]
async fn a_process_is_asked_to_end_and_does_so_in_its_own_way() {
    let script = "trap 'exit 0' TERM; echo ready; while :; do :; done";
    let (process, mut arrived) = shell(script);
    assert!(matches!(next(&mut arrived).await, Arrival::Line(_)));
    process.terminate();
    assert!(exit(&mut arrived).await.success);
}

#[tokio::test]
async fn a_killed_process_is_gone_when_the_call_returns() {
    let (process, mut arrived) = shell("trap '' TERM; echo ready; while :; do :; done");
    assert!(matches!(next(&mut arrived).await, Arrival::Line(_)));
    let id = process.id();
    process.kill().await;
    assert!(!Path::new(&format!("/proc/{id}")).exists());
}

#[tokio::test]
async fn a_missing_program_is_named() {
    let (arrivals, _arrived) = channel();
    let error = Process::spawn(Path::new("/no/such/base"), ["x"], arrivals).unwrap_err();
    assert!(error.to_string().starts_with("cannot start /no/such/base:"));
}
