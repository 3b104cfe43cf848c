//! Two starts of one program: without a seed no Call-ID, branch or tag comes again (RFC 3261 §8.1.1.4, §8.1.1.7, §19.3),
//! with one everything does.
//!
//! The peer is a socket of the test; it reads what the real program sends first.
#![expect(
    clippy::unwrap_used,
    reason = "a test support that cannot do its work ends the test"
)]

mod program;
mod ready;

use program::soon;
use ready::Ready;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::net::UdpSocket;

/// The values that must differ, by header.
type Names = BTreeMap<String, String>;

const DATAGRAM: usize = 65_535;

async fn socket() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

async fn received(socket: &UdpSocket) -> String {
    let mut datagram = vec![0; DATAGRAM];
    let arrival = soon("datagram", socket.recv_from(&mut datagram)).await;
    let (length, _) = arrival.unwrap();
    String::from_utf8(datagram[..length].to_vec()).unwrap()
}

/// Call-ID, the branch of Via, and the tags, of one message.
fn names(message: &str) -> Names {
    let behind = |value: &str, name: &str| {
        let (_, rest) = value.split_once(name)?;
        let end = rest.find([';', '>', ' ']).unwrap_or(rest.len());
        Some(rest[..end].to_owned())
    };
    let mut names = Names::new();
    for line in message.lines() {
        let Some((header, value)) = line.split_once(':') else {
            continue;
        };
        let name = match header {
            "Call-ID" => Some(value.trim().to_owned()),
            "Via" => behind(value, ";branch="),
            "From" | "To" => behind(value, ";tag="),
            "WWW-Authenticate" => behind(value, "nonce=\"").map(|rest| rest.split('"').collect()),
            _ => None,
        };
        names.extend(name.map(|name| (header.to_owned(), name)));
    }
    names
}

/// The first REGISTER of a base.
async fn first_register(seed: &[&str]) -> Names {
    let (socket, server) = socket().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("base.xml");
    let param = |name: &str, value: &str| format!("<param name=\"{name}\" value=\"{value}\"/>");
    let port = server.port().to_string();
    let inside = [
        param("SipProvider.0.Domain", "127.0.0.1"),
        param("SipProvider.0.ProxyServerAddress", "127.0.0.1"),
        param("SipProvider.0.ProxyServerPort", &port),
        param("SipProvider.0.RegServerAddress", "127.0.0.1"),
        param("SipProvider.0.RegServerPort", &port),
        "<oper value=\"029e74a599\" name=\"add_hs\"><param name=\"hs.RegStatus\" value=\"ToReg\"/></oper>".to_owned(),
        param("SipAccount.029e74a599.UserName", "2001"),
        param("SipAccount.029e74a599.AuthPassword", "secret"),
        param("SipAccount.029e74a599.ProviderId", "0"),
    ]
    .concat();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<provisioning version=\"1.1\" productID=\"e2\"><nvm>{inside}</nvm></provisioning>\n"
    );
    std::fs::write(&file, text).unwrap();
    let place = file.to_str().unwrap();
    let words = ["base", "n870", "--provisioning", place];
    let base = Ready::start(&[&words[..], seed].concat()).await;
    let register = received(&socket).await;
    assert!(register.starts_with("REGISTER "), "{register}");
    drop(base);
    names(&register)
}

/// What a server makes up in its first answer.
async fn first_challenge(seed: &[&str]) -> Names {
    let (socket, own) = socket().await;
    let words = [
        "server",
        "broadsoft",
        "--bind",
        "127.0.0.1:0",
        "--user",
        "2001-2003:secret",
    ];
    let server = Ready::start(&[&words[..], seed].concat()).await;
    let request = format!(
        "REGISTER sip:127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK1\r\n\
         From: <sip:2002@127.0.0.1>;tag=1\r\nTo: <sip:2002@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 REGISTER\r\n\
         Max-Forwards: 70\r\nContact: <sip:2002@{own}>\r\nContent-Length: 0\r\n\r\n"
    );
    let sent = socket.send_to(request.as_bytes(), server.address("sip"));
    sent.await.unwrap();
    let answer = received(&socket).await;
    assert!(answer.starts_with("SIP/2.0 401 "), "{answer}");
    server.end().await;
    let made_up = |header: &String| matches!(header.as_str(), "To" | "WWW-Authenticate");
    let names = names(&answer).into_iter();
    names.filter(|(header, _)| made_up(header)).collect()
}

fn differ_in_all(one: &Names, other: &Names, headers: &[&str]) {
    for header in headers {
        assert!(one.contains_key(*header), "{header}: {one:?}");
        assert_ne!(one.get(*header), other.get(*header), "{header}");
    }
}

#[tokio::test]
async fn a_base_that_starts_again_makes_up_other_names() {
    let (one, other) = (first_register(&[]).await, first_register(&[]).await);
    differ_in_all(&one, &other, &["Call-ID", "Via", "From"]);
}

#[tokio::test]
async fn a_base_that_starts_again_with_its_seed_repeats_its_names() {
    let seed = ["--seed", "7"];
    let one = first_register(&seed).await;
    assert_eq!(one, first_register(&seed).await);
    differ_in_all(
        &one,
        &first_register(&["--seed", "8"]).await,
        &["Call-ID", "Via", "From"],
    );
}

#[tokio::test]
async fn a_server_that_starts_again_makes_up_other_names_unless_it_has_a_seed() {
    let (one, other) = (first_challenge(&[]).await, first_challenge(&[]).await);
    differ_in_all(&one, &other, &["To", "WWW-Authenticate"]);
    let seed = ["--seed", "7"];
    assert_eq!(first_challenge(&seed).await, first_challenge(&seed).await);
}
