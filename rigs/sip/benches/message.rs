//! What one message costs: reading, checking, reading it a second time.
//!
//! `cargo bench -p sip --bench message`. The two messages are of the size that the real mechanism has: a REGISTER with
//! digest credentials and a NOTIFY with one document.

use divan::Bencher;
use sip::feature_event::Notification;
use sip::message::Message;
use sip::second_reader;

const REGISTER: &str = "REGISTER sip:as.example SIP/2.0\r\n\
    Via: SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK776asdhds;rport\r\n\
    Max-Forwards: 70\r\n\
    From: \"Anna Base\" <sip:2424@as.example>;tag=a73kszlfl\r\n\
    To: \"Anna Base\" <sip:2424@as.example>\r\n\
    Call-ID: 1j9FpLxk3uxtm8tn@192.0.2.10\r\n\
    CSeq: 2 REGISTER\r\n\
    Contact: <sip:2424@192.0.2.10:5060;transport=udp>;expires=180;+sip.instance=\"<urn:uuid:00000000-0000-1000-8000-7C2F80CC3301>\"\r\n\
    Authorization: Digest username=\"2424\", realm=\"BroadWorks\", nonce=\"BroadWorksXk3f09aTl1BW\", uri=\"sip:as.example\", response=\"5ccc069c403ebaf9f0171e9517f40e41\", algorithm=MD5, qop=auth, nc=00000001, cnonce=\"0a4f113b\"\r\n\
    User-Agent: N870 IP PRO/83.V2.49.1\r\n\
    Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY, REFER, INFO\r\n\
    Content-Length: 0\r\n\r\n";

const NOTIFY: &str = "NOTIFY sip:2424@192.0.2.10:5060;transport=udp SIP/2.0\r\n\
    Via:SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKBroadworksSSE.-192.0.2.10V5060-0-101-1\r\n\
    From:<sip:2424@as.example>;tag=subBfMSkqOKA\r\n\
    To:<sip:2424@as.example>;tag=1512835536\r\n\
    Call-ID:ed2a3b1c@192.0.2.10\r\n\
    CSeq:101 NOTIFY\r\n\
    Contact:<sip:192.0.2.1:5060>\r\n\
    Event:as-feature-event\r\n\
    Subscription-State:active;expires=3424\r\n\
    Max-Forwards:69\r\n\
    Content-Type:application/x-as-feature-event+xml\r\n\
    Content-Length:229\r\n\r\n\
    <?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><DoNotDisturbEvent xmlns=\"http://www.ecma-international.org/standards/ecma-323/csta/ed3\"><device>2424</device><doNotDisturbOn>true</doNotDisturbOn></DoNotDisturbEvent>";

const BOTH: [&str; 2] = ["REGISTER", "NOTIFY"];

fn main() {
    divan::main();
}

/// The message of a name, with the Content-Length of its body.
fn wire(name: &str) -> bytes::Bytes {
    let text = if name == "REGISTER" { REGISTER } else { NOTIFY };
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let (head, _) = head.rsplit_once(':').expect("a length");
    format!("{head}: {}\r\n\r\n{body}", body.len()).into()
}

fn parsed(name: &str) -> Message {
    Message::parse(wire(name)).expect("readable")
}

#[divan::bench(args = BOTH)]
fn parse(bencher: Bencher<'_, '_>, name: &str) {
    bencher
        .with_inputs(|| wire(name))
        .bench_values(|wire| Message::parse(wire).expect("readable"));
}

#[divan::bench(args = BOTH)]
fn read_a_second_time_and_compare(bencher: Bencher<'_, '_>, name: &str) {
    bencher
        .with_inputs(|| parsed(name))
        .bench_refs(|message| second_reader::compare(message.wire(), Some(message)));
}

#[divan::bench(args = BOTH)]
fn check(bencher: Bencher<'_, '_>, name: &str) {
    bencher
        .with_inputs(|| parsed(name))
        .bench_refs(|message| message.check());
}

#[divan::bench]
fn read_the_body_of_a_notify(bencher: Bencher<'_, '_>) {
    let message = parsed("NOTIFY");
    let content_type = message.header("Content-Type").unwrap_or_default();
    bencher.bench_local(|| Notification::parse(content_type, message.body()));
}
