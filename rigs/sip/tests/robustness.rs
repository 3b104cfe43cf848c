//! Nothing that comes from outside makes a reader panic.
//!
//! A hundred thousand mutations of the wire texts, from one seed, through everything that reads: message, check,
//! framer, addresses, the second reader, digest and bodies. The number is bounded so that the test takes seconds.
#![expect(
    clippy::unwrap_used,
    reason = "the function that reads the files is no test function"
)]

use bytes::Bytes;
use sip::digest::{Answerer, ChallengePolicy, Challenger, Credentials};
use sip::feature_event::{Change, Notification};
use sip::message::Message;
use sip::message::address::Address;
use sip::message::stream::Framer;
use sip::second_reader;
use sip::time::Instant;
use std::path::PathBuf;

const MUTATIONS: usize = 100_000;

/// Texts that mean something to some reader.
const SPICE: &[&[u8]] = &[
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b":",
    b";",
    b",",
    b"<",
    b">",
    b"\"",
    b"\\",
    b"@",
    b"%",
    b"[",
    b"]",
    b"?",
    b"=",
    b"\0",
    b"\xff",
    b"\xc3",
    b"--",
    b"<!DOCTYPE",
    b"]]>",
    b"&#x110000;",
    b"&amp",
    b"l: 1\r\n",
    b"99999999999999999999",
    b" SIP/2.0",
    b"sip:",
    b"Digest ",
    b"multipart/mixed;boundary=B",
    "\u{20ac}".as_bytes(),
];

fn corpus() -> Vec<Vec<u8>> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/wire");
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "sip"))
        .collect();
    paths.sort();
    let mut texts: Vec<Vec<u8>> = paths
        .iter()
        .map(|path| std::fs::read(path).unwrap())
        .collect();
    texts.push(
        b"SIP/2.0 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"r\",nonce=\"n\",qop=\"auth,auth-int\",\
          algorithm=SHA-256,opaque=\"o\",stale=true\r\nProxy-Authenticate: Basic realm=\"r\"\r\nl: 0\r\n\r\n"
            .to_vec(),
    );
    texts.push(
        b"REGISTER sip:r SIP/2.0\r\nAuthorization: Digest username=\"a\",realm=\"r\",nonce=\"n\",uri=\"sip:r\",\
          response=\"0\",qop=auth,nc=0000000a,cnonce=\"c\",algorithm=MD5-sess\r\n\r\n"
            .to_vec(),
    );
    texts
}

fn mutate(text: &mut Vec<u8>, rng: &mut fastrand::Rng) {
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(0..=text.len());
        let end = (at + rng.usize(0..20)).min(text.len());
        match rng.u8(0..5) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..at, SPICE[rng.usize(0..SPICE.len())].iter().copied())),
            2 => text.truncate(at),
            3 => {
                let copy = text[at..end].to_vec();
                drop(text.splice(at..at, copy));
            }
            _ => {
                if let Some(byte) = text.get_mut(at) {
                    *byte = rng.u8(..);
                }
            }
        }
    }
}

fn read_everything(wire: &Bytes, server: &mut Challenger) -> bool {
    let mut framer = Framer::new(4_000);
    let (first, second) = wire.split_at(wire.len() / 2);
    framer.push(first);
    let early = std::iter::from_fn(|| framer.poll()).count();
    framer.push(second);
    let framed = early + std::iter::from_fn(|| framer.poll()).count();
    assert!(framed <= wire.len(), "the framer makes progress");

    let message = Message::parse(wire.clone());
    let _ = second_reader::compare(wire, message.as_ref().ok());
    let Ok(message) = message else {
        return false;
    };
    let _ = message.check();
    for header in message.header_list() {
        assert!(wire.get(header.as_sent.clone()).is_some());
        let _ = message.values(&header.name);
    }
    let _ = (
        message.cseq(),
        message.branch(),
        message.to_tag(),
        message.expires(),
    );
    let _ = (message.from_uri(), message.to_uri(), message.contact_uri());
    for values in ["From", "To", "Contact"].map(|name| message.values(name)) {
        for value in values {
            let _ = Address::parse(value);
        }
    }
    let mut client = Answerer::new(Credentials::new("a", "p"), 1);
    if client.handle_challenge(&message).is_ok() {
        let answer = client.authorize(&sip::message::Method::Register, "sip:r", b"body");
        assert!(answer.is_some_and(|(_, value)| value.starts_with("Digest ")));
    }
    server.verify(Instant::EPOCH, &message, "p");
    let content_type = message.header("Content-Type").unwrap_or_default();
    let _ = Notification::parse(content_type, message.body());
    let _ = Change::parse(message.body());
    true
}

#[test]
fn a_hundred_thousand_mutations_panic_nowhere() {
    let corpus = corpus();
    let mut rng = fastrand::Rng::with_seed(0x10c5_7e90);
    let mut server = Challenger::new(ChallengePolicy::new("r"), 1);
    let mut readable = 0_usize;
    for _ in 0..MUTATIONS {
        let mut text = corpus[rng.usize(0..corpus.len())].clone();
        mutate(&mut text, &mut rng);
        readable += usize::from(read_everything(&text.into(), &mut server));
    }
    // Both sides of the parser are exercised.
    assert!(
        (MUTATIONS / 10..MUTATIONS * 9 / 10).contains(&readable),
        "{readable}"
    );
}
