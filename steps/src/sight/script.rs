//! A hand-written evidence log for the tests of the readers: who sent what to whom, and when.
//!
//! Times are whole seconds. Texts are written out here and not by the codecs of base and server.

use evidence::log::{Log, Stamp};
use evidence::record::{Direction, Fate, Observation, Parsed, PowerChange, Record, Sip, Unit};
use std::sync::Arc;

/// A log that grows message by message, all at one unit.
#[derive(Default)]
pub(crate) struct Script {
    log: Log,
}

impl Script {
    pub(crate) fn records(&self) -> &[Arc<Record>] {
        self.log.records()
    }

    /// A request leaves the base.
    pub(crate) fn request(&mut self, at: u64, method: &str, user: &str, cseq: u32, rest: &str) {
        let text = format!(
            "{method} sip:as.test SIP/2.0\r\n{}",
            head(method, user, cseq, rest)
        );
        self.message(at, Direction::FromBase, Fate::Sent, text);
    }

    /// A request leaves the base in the dialog that the server has confirmed.
    pub(crate) fn in_dialog(&mut self, at: u64, method: &str, user: &str, cseq: u32, rest: &str) {
        let to = format!("To: <sip:{user}@as.test>");
        let head = head(method, user, cseq, rest).replace(&to, &format!("{to};tag=s"));
        let text = format!("{method} sip:as.test SIP/2.0\r\n{head}");
        self.message(at, Direction::FromBase, Fate::Sent, text);
    }

    /// A response reaches the base.
    pub(crate) fn answer(
        &mut self,
        at: u64,
        method: &str,
        user: &str,
        cseq: u32,
        code: u16,
        rest: &str,
    ) {
        let text = format!("SIP/2.0 {code} So\r\n{}", head(method, user, cseq, rest));
        self.message(at, Direction::ToBase, Fate::Delivered, text);
    }

    pub(crate) fn register(&mut self, at: u64, user: &str, cseq: u32, rest: &str) {
        self.request(at, "REGISTER", user, cseq, rest);
    }

    pub(crate) fn granted(&mut self, at: u64, user: &str, cseq: u32, rest: &str) {
        self.answer(at, "REGISTER", user, cseq, 200, rest);
    }

    pub(crate) fn compact_register(&mut self, at: u64, user: &str, cseq: u32, rest: &str) {
        let text = format!(
            "REGISTER sip:as.test SIP/2.0\r\n{}",
            compact(&head("REGISTER", user, cseq, rest))
        );
        self.message(at, Direction::FromBase, Fate::Sent, text);
    }

    pub(crate) fn compact_granted(&mut self, at: u64, user: &str, cseq: u32, rest: &str) {
        let text = format!(
            "SIP/2.0 200 OK\r\n{}",
            compact(&head("REGISTER", user, cseq, rest))
        );
        self.message(at, Direction::ToBase, Fate::Delivered, text);
    }

    /// A NOTIFY in the dialog of this user's subscription reaches the base.
    pub(crate) fn notify(&mut self, at: u64, user: &str, cseq: u32, rest: &str) {
        let text = notify_text(user, cseq, rest);
        self.message(at, Direction::ToBase, Fate::Delivered, text);
    }

    /// The same with compact names.
    pub(crate) fn compact_notify(&mut self, at: u64, user: &str, cseq: u32, rest: &str) {
        let text = compact(&notify_text(user, cseq, rest));
        self.message(at, Direction::ToBase, Fate::Delivered, text);
    }

    /// The base answers a NOTIFY.
    pub(crate) fn reply(&mut self, at: u64, user: &str, cseq: u32, code: u16) {
        let text = format!("SIP/2.0 {code} So\r\n{}", notify_head(user, cseq, ""));
        self.message(at, Direction::FromBase, Fate::Sent, text);
    }

    pub(crate) fn power(&mut self, at: u64, change: PowerChange) {
        self.append(at, Observation::Power { change });
    }

    fn message(&mut self, at: u64, direction: Direction, fate: Fate, text: String) {
        let (source, destination) = ("127.0.0.1:5060", "127.0.0.2:5060");
        let sip = Sip {
            direction,
            fate,
            transport: "UDP".to_owned(),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            bytes: text.into_bytes().into(),
            parsed: Parsed::default(),
        };
        assert!(sip.message().is_some(), "{sip:?}");
        self.append(at, Observation::Sip(sip));
    }

    fn append(&mut self, at: u64, observation: Observation) {
        let stamp = Stamp::at(at * 1_000_000).by(&Unit::new("base"));
        self.log.append(stamp, observation);
    }
}

/// The headers of a request of the base, and of its response.
fn head(method: &str, user: &str, cseq: u32, rest: &str) -> String {
    format!(
        "Via: SIP/2.0/UDP h;branch=z9hG4bK-{method}-{user}-{cseq}\r\nFrom: <sip:{user}@as.test>;tag=b\r\n\
         To: <sip:{user}@as.test>\r\nCall-ID: {method}-{user}\r\nCSeq: {cseq} {method}\r\n{rest}\
         Content-Length: 0\r\n\r\n"
    )
}

fn notify_text(user: &str, cseq: u32, rest: &str) -> String {
    format!(
        "NOTIFY sip:{user}@base SIP/2.0\r\n{}",
        notify_head(user, cseq, rest)
    )
}

fn notify_head(user: &str, cseq: u32, rest: &str) -> String {
    format!(
        "Via: SIP/2.0/UDP s;branch=z9hG4bK-n-{user}-{cseq}\r\nFrom: <sip:{user}@as.test>;tag=s\r\n\
         To: <sip:{user}@as.test>;tag=b\r\nCall-ID: SUBSCRIBE-{user}\r\nCSeq: {cseq} NOTIFY\r\n{rest}\
         Content-Length: 0\r\n\r\n"
    )
}

fn compact(text: &str) -> String {
    let mut text = text.to_owned();
    for (long, short) in [
        ("Via:", "v:"),
        ("From:", "f:"),
        ("To:", "t:"),
        ("Call-ID:", "i:"),
        ("Contact:", "m:"),
        ("Event:", "o:"),
        ("Content-Length:", "l:"),
    ] {
        text = text.replace(long, short);
    }
    text
}
