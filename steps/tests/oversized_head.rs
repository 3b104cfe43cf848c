//! `lockstep server` and `lockstep base` get the head of a SIP message that does not end, over TCP.
//!
//! It must close that connection, go on serving others, hold no more memory than before, and end when asked. Nothing
//! sleeps: the test reads until the end of the stream and waits for the end of the child.
#![expect(
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test"
)]

mod program;
mod ready;

use program::soon;
use ready::Ready;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The end that is asked for takes some milliseconds; a busy machine may need more, but less than the five seconds after
/// which a node that does not end is abandoned.
const END: Duration = Duration::from_secs(4);
const PIECE: usize = 16 << 10;
/// Hundred times what a party reads of one message.
const PIECES: usize = 400;

struct Running(Ready);

impl Running {
    async fn start(arguments: &[&str]) -> Self {
        Self(Ready::start(arguments).await)
    }

    fn sip(&self) -> SocketAddr {
        self.0.address("sip")
    }

    /// What the program has in memory, in kilobytes.
    fn memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.0.child.id().unwrap());
        let status = fs::read_to_string(status).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.unwrap().trim().trim_end_matches(" kB");
        number.parse().unwrap()
    }

    /// Sends a head that does not end until the program closes the connection.
    async fn send_endless_head(&self) {
        let mut stream = TcpStream::connect(self.sip()).await.unwrap();
        let begin = b"OPTIONS sip:anna@127.0.0.1 SIP/2.0\r\nSubject: ";
        let mut sent = stream.write_all(begin).await;
        for _ in 0..PIECES {
            if sent.is_err() {
                break;
            }
            sent = soon("room for a piece", stream.write_all(&[b'x'; PIECE])).await;
        }
        let mut rest = Vec::new();
        // A reset and an end are both the end of the connection.
        let _ = soon("end of the connection", stream.read_to_end(&mut rest)).await;
        assert_eq!(rest, b"", "it answers nothing to what it cannot read");
    }

    /// Another peer asks something and is answered.
    async fn answers(&self) {
        let mut stream = TcpStream::connect(self.sip()).await.unwrap();
        let local = stream.local_addr().unwrap();
        let request = format!(
            "OPTIONS sip:anna@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/TCP {local};branch=z9hG4bK{}\r\n\
             From: <sip:b@127.0.0.1>;tag=1\r\nTo: <sip:anna@127.0.0.1>\r\nCall-ID: {}\r\nCSeq: 1 OPTIONS\r\n\
             Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n",
            local.port(),
            local.port(),
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut line = String::new();
        let mut answer = BufReader::new(stream);
        soon("answer", answer.read_line(&mut line)).await.unwrap();
        assert!(line.starts_with("SIP/2.0 "), "{line}");
    }

    async fn end(self) {
        let ended = timeout(END, self.0.end()).await;
        assert_eq!(ended, Ok(()), "SIGTERM ends it");
    }
}

/// Many endless heads; what they cost in memory is less than one of them is long.
async fn survives(running: Running) {
    // The first one makes the room that a connection needs.
    running.send_endless_head().await;
    running.answers().await;
    let before = running.memory();
    for _ in 0..10 {
        running.send_endless_head().await;
    }
    running.answers().await;
    let grown = running.memory().saturating_sub(before);
    let one = u64::try_from(PIECES * PIECE).unwrap() / 1024;
    assert!(grown < one, "{grown} kB more after ten heads of {one} kB");
    running.end().await;
}

#[tokio::test]
async fn a_server_outlives_a_head_without_end() {
    let words = ["server", "broadsoft", "--user", "2001:secret"];
    let place = ["--transport", "tcp", "--bind", "127.0.0.1:0"];
    survives(Running::start(&[&words[..], &place].concat()).await).await;
}

#[tokio::test]
async fn a_base_outlives_a_head_without_end() {
    // A folder without the base's file: it has no handset, and nothing keeps it from ending at once.
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    survives(Running::start(&["base", "n870", "--provisioning", place]).await).await;
}
