//! `lockstep check` as a tester meets it: words, exit codes, a file or a pipe.
//!
//! What rules find is tested with the monitor; here it is enough that one capture is right and one is wrong.
#![expect(
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test"
)]

mod program;

use program::{exit_code, lockstep, soon};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// A pcap file of raw IP, with one UDP packet each second from 10.0.0.2 to 10.0.0.1.
fn capture(texts: &[String]) -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0xffff, 101] {
        file.extend(word.to_le_bytes());
    }
    for (number, text) in texts.iter().enumerate() {
        let udp = u16::try_from(8 + text.len()).unwrap();
        let total = 20 + udp;
        let mut packet = vec![0x45, 0];
        packet.extend(total.to_be_bytes());
        packet.extend([0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1]);
        for half in [5060, 5060, udp, 0] {
            packet.extend(half.to_be_bytes());
        }
        packet.extend(text.as_bytes());
        let seconds = 1_700_000_000 + u32::try_from(number).unwrap();
        for word in [seconds, 0, u32::from(total), u32::from(total)] {
            file.extend(word.to_le_bytes());
        }
        file.extend(packet);
    }
    file
}

/// A SUBSCRIBE for feature key synchronisation with these headers besides the usual ones.
fn subscribe(agent: &str, contact: &str) -> String {
    format!(
        "SUBSCRIBE sip:1001@as.example SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:1001@as.example>;tag=1\r\nTo: <sip:1001@as.example>\r\nCall-ID: c\r\nCSeq: 1 SUBSCRIBE\r\n\
         {contact}User-Agent: {agent}\r\nEvent: as-feature-event\r\nExpires: 1800\r\nContent-Length: 0\r\n\r\n"
    )
}

const AGENT: &str = "Gigaset N870 IP PRO/83";
const CONTACT: &str = "Contact: <sip:1001@10.0.0.2:5060>\r\n";

fn right() -> Vec<u8> {
    capture(&[subscribe(AGENT, CONTACT)])
}

fn wrong() -> Vec<u8> {
    capture(&["no SIP".to_owned(), subscribe(AGENT, "")])
}

struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

/// Runs the program over these bytes in a file.
async fn check(bytes: &[u8], arguments: &[&str]) -> Ended {
    let folder = TempDir::new().unwrap();
    let path: PathBuf = folder.path().join("x.pcap");
    fs::write(&path, bytes).unwrap();
    let mut all = vec!["check", path.to_str().unwrap()];
    all.extend(arguments);
    let output = soon("end", lockstep(&all).output()).await.unwrap();
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

#[tokio::test]
async fn a_base_that_does_nothing_wrong_is_0_and_what_was_not_judged_is_named() {
    let ended = check(&right(), &[]).await;
    assert_eq!(ended.code, Some(0), "{}{}", ended.out, ended.err);
    let lines: Vec<&str> = ended.out.lines().collect();
    assert!(
        lines[0].ends_with("the base is 10.0.0.2, found by its User-Agent Gigaset N870 IP PRO/83"),
        "{lines:?}"
    );
    let has = |begins: &str, ends: &str| {
        let found = |line: &&&str| line.starts_with(begins) && line.ends_with(ends);
        lines.iter().any(|line| found(&line))
    };
    assert!(has("pass: ", ""), "{lines:?}");
    assert!(
        has("not judged: ", ": needs sip, provisioning, claim, screen")
            || has("not judged: ", ": needs provisioning, claim, screen"),
        "{lines:?}"
    );
    assert!(
        has(
            "1 messages in 1 packets of the capture, 0 findings; ",
            " messages/s"
        ),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_base_that_is_wrong_is_1_and_the_packet_is_named() {
    let ended = check(&wrong(), &["--base", "10.0.0.2"]).await;
    assert_eq!(ended.code, Some(1), "{}{}", ended.out, ended.err);
    let first = ended.out.lines().next().unwrap();
    assert!(
        first.starts_with("SUB-01 10.0.0.2 [2] 1.000000 s: the SUBSCRIBE of account 1001"),
        "{first}"
    );
}

#[tokio::test]
async fn a_pipe_is_read_and_json_has_one_object_a_line() {
    let mut child = lockstep(&["check", "-", "--format", "json"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(&wrong()).await.unwrap();
    drop(input);
    let mut text = String::new();
    let mut told = child.stdout.take().unwrap();
    let read = soon("output", told.read_to_string(&mut text)).await;
    assert!(read.is_ok(), "{read:?}");
    assert_eq!(exit_code(&mut child).await, Some(1));
    let events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!((kinds[0], kinds.last()), ("base", Some(&"summary")));
    let finding = &events[1];
    assert_eq!(finding["requirement"], "SUB-01");
    assert_eq!(finding["places"], serde_json::json!([2]));
    assert_eq!(finding["wall"], 1_700_000_001_000_000_u64);
    let rules = events[2]["rules"].as_array().unwrap();
    let menu = rules
        .iter()
        .find(|rule| rule["requirement"] == "MENU-01")
        .unwrap();
    assert_eq!(menu["judgement"], "not-judged");
    assert!(menu["needs"].as_array().unwrap().contains(&"screen".into()));
}

#[tokio::test]
async fn an_evidence_log_is_checked_like_a_capture() {
    let log = "{\"v\":2,\"seq\":1,\"at\":0,\"kind\":\"note\",\"text\":\"nothing\"}\n";
    let ended = check(log.as_bytes(), &[]).await;
    assert_eq!(ended.code, Some(4), "nothing was judged: {}", ended.out);
    assert!(
        ended
            .out
            .contains("0 messages in 1 records of the evidence log, 0 findings")
    );
}

#[tokio::test]
async fn what_cannot_be_checked_is_2_with_the_reason() {
    let one = subscribe(AGENT, CONTACT);
    let torn = &right()[..60];
    for (bytes, arguments, words) in [
        (
            b"GIF89a".as_slice(),
            &[][..],
            "neither a pcap nor a pcapng file",
        ),
        (b"", &[], "it is empty"),
        (
            torn,
            &[],
            "there is no SIP in it, in 0 packets, the last one cut short",
        ),
        (
            &capture(&[one.replace("Gigaset", "Other")]),
            &[],
            "name the base with --base",
        ),
        (&right(), &["--base", "10.0.0.9"], "is from or to 10.0.0.9"),
        (&right(), &["--base", "ten"], "`ten` is no address"),
    ] {
        let ended = check(bytes, arguments).await;
        assert_eq!(ended.code, Some(2), "{words}: {}{}", ended.out, ended.err);
        assert!(ended.err.contains(words), "{words}: {}", ended.err);
        assert_eq!(ended.out, "", "{words}");
    }
}

#[tokio::test]
async fn two_readers_that_differ_are_told_when_asked_and_blame_no_base() {
    // No rule is about OPTIONS.
    let odd = subscribe(AGENT, CONTACT)
        .replace("SUBSCRIBE", "OPTIONS")
        .replace("To: <sip:1001@as.example>", "To: sip:exam\"ple.test;tag=9");
    let bytes = capture(&[odd]);
    let once = check(&bytes, &["--base", "10.0.0.2"]).await;
    assert!(!once.out.contains("two readers"), "{}", once.out);
    assert_eq!(once.code, Some(4), "nothing was judged: {}", once.out);
    let twice = check(&bytes, &["--base", "10.0.0.2", "--second-reader"]).await;
    let told: Vec<&str> = twice
        .out
        .lines()
        .filter(|line| line.starts_with("two readers differ"))
        .collect();
    let [told] = told[..] else {
        panic!("{}", twice.out)
    };
    assert!(
        told.starts_with("two readers differ [1]: `OPTIONS sip:1001@as.example"),
        "{told}"
    );
    assert!(told.ends_with("rsip says `9`"), "{told}");
    assert_eq!(twice.code, Some(3), "{}", twice.out);
}
