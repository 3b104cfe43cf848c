//! SIGTERM asks for a graceful end. In a program of its own, because a signal is for the whole process.

use std::time::Duration;
use wire::signal::Termination;

#[tokio::test]
async fn sigterm_completes_the_wait_even_when_it_came_before() {
    let termination = Termination::listen().unwrap();
    let own_id = std::process::id().to_string();
    let killed = tokio::process::Command::new("kill")
        .args(["-TERM", &own_id])
        .status()
        .await
        .unwrap();
    assert!(killed.success());
    tokio::time::timeout(Duration::from_secs(20), termination.wait())
        .await
        .expect("the signal was heard");
}
