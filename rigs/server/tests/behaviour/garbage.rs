//! Messages with random damage: the server never panics, never hangs, and answers the next sound request.

use crate::peer::{ANNA, Lab, flow, register, set_dnd, subscribe, wire};
use bytes::Bytes;
use sip::node::{Input, Node, Output, Transport};

const ROUNDS: usize = 3000;

fn damaged(rng: &mut fastrand::Rng, text: &str) -> Vec<u8> {
    let mut bytes = wire(text);
    for _ in 0..rng.usize(1..6) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.usize(..bytes.len());
        match rng.u8(..5) {
            0 => bytes[at] = rng.u8(..),
            1 => {
                bytes.remove(at);
            }
            2 => bytes.insert(at, *rng.choice(b"\r\n:;<>\"% ,=@").unwrap_or(&b' ')),
            3 => bytes.truncate(at.max(1)),
            _ => {
                let end = (at + rng.usize(..40)).min(bytes.len());
                let piece = bytes[at..end].to_vec();
                bytes.splice(at..at, piece);
            }
        }
    }
    bytes
}

fn survives(transport: Transport) {
    let mut rng = fastrand::Rng::with_seed(4475);
    let mut lab = Lab::new();
    lab.transport = transport;
    let invite = subscribe(7, "", "", "")
        .replace("SUBSCRIBE sip:anna@", "INVITE sip:*722424@")
        .replace("7 SUBSCRIBE", "7 INVITE");
    let texts = [
        register(1, "Contact: <sip:anna@127.0.0.2:5060>;expires=70\n"),
        subscribe(1, "", "Expires: 1800\n", ""),
        subscribe(2, "tag", "Expires: 1800\n", &set_dnd(true)),
        invite.clone(),
        invite.replace("INVITE", "BYE"),
        invite.replace("INVITE", "CANCEL"),
    ];
    for round in 0..ROUNDS {
        let text = &texts[round % texts.len()];
        let text = text.replace("z9hG4bK", &format!("z9hG4bK{round}"));
        let bytes = Bytes::from(damaged(&mut rng, &text));
        // A new connection a message, so that a broken length does not swallow what follows.
        let port = u16::try_from(10_000 + round).expect("a port");
        let mut flow = flow(transport, ANNA);
        flow.remote.set_port(port);
        lab.server.handle_input(lab.now, Input::Sip { flow, bytes });
        while !matches!(lab.server.poll_output(), Output::Timeout(_)) {}
        if round % 50 == 0 {
            lab.drain();
            lab.pass_ms(1000);
        }
    }
    lab.say(&register(9, "Contact: <sip:anna@127.0.0.2:5060>\n"));
    assert!(
        lab.sent
            .iter()
            .any(|sent| sent.header("CSeq") == Some("9 REGISTER"))
    );
}

#[test]
fn damaged_datagrams_do_no_harm() {
    survives(Transport::Udp);
}

#[test]
fn damaged_streams_do_no_harm() {
    survives(Transport::Tcp);
}
