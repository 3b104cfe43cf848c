//! A capture of one base with many accounts, written while it is read: any number of messages in a few hundred bytes
//! an account, the same bytes for the same numbers.
//!
//! Each account registers with digest, subscribes and is notified of all its services; then it hears of a change every
//! five minutes, refreshes its subscription every fifteen, and its registration every thirty. Nothing is wrong in it. It
//! is for benches and for `examples/crowd.rs`; what rules make of single messages is tested with texts written by hand.

use etherparse::PacketBuilder;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fmt::Write as _;
use std::io::{self, Read};

/// The base and its server.
pub(crate) const BASE: [u8; 4] = [10, 0, 0, 2];
const SERVER: [u8; 4] = [10, 0, 0, 1];
const PORT: u16 = 5060;
/// When the capture begins, in seconds since the Unix epoch.
const BEGIN: u64 = 1_700_000_000;
const MILLISECOND: u64 = 1_000;
const SECOND: u64 = 1_000_000;
/// How long an account rests between two exchanges.
const ROUND: u64 = 300 * SECOND;
/// Changes and refreshes in the order of rounds: every third is a refresh of the subscription.
const REFRESH: u32 = 3;
/// Every sixth round begins with a refresh of the registration.
const RENEWAL: u32 = 6;
const NAMESPACE: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";
const AGENT: &str = "User-Agent: Gigaset N870 IP PRO/83.V2.49.1\r\n";
const TYPE: &str = "Content-Type: application/x-as-feature-event+xml\r\n";

/// What an account sends or is sent next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Register,
    Challenge,
    Credentials,
    Registered,
    Subscribe,
    Subscribed,
    State,
    Change,
    Answer,
}

#[derive(Clone, Copy, Debug, Default)]
struct Account {
    round: u32,
    registers: u32,
    subscribes: u32,
    notifies: u32,
}

/// The capture.
pub(crate) struct Crowd {
    left: u64,
    accounts: Vec<Account>,
    queue: BinaryHeap<Reverse<(u64, usize, Step)>>,
    ready: Vec<u8>,
    read: usize,
    text: String,
}

impl Crowd {
    /// A capture of so many messages of so many accounts, as a pcap file.
    pub(crate) fn new(messages: u64, accounts: usize) -> Self {
        let mut ready = Vec::new();
        for word in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 0x4_0000, 101] {
            ready.extend(word.to_le_bytes());
        }
        let spread = ROUND / accounts.max(1) as u64;
        let first = |account| Reverse((account as u64 * spread, account, Step::Register));
        Self {
            left: messages,
            accounts: vec![Account::default(); accounts],
            queue: (0..accounts).map(first).collect(),
            ready,
            read: 0,
            text: String::new(),
        }
    }

    /// Writes the next packet; nothing after the last one.
    fn advance(&mut self) -> Option<()> {
        self.left = self.left.checked_sub(1)?;
        let Reverse((at, number, step)) = self.queue.pop()?;
        let outward = self.write(number, step);
        let (next, after) = self.next(number, step);
        self.queue.push(Reverse((at + after, number, next)));

        let (source, destination) = if outward {
            (BASE, SERVER)
        } else {
            (SERVER, BASE)
        };
        let packet = PacketBuilder::ipv4(source, destination, 64).udp(PORT, PORT);
        let length = packet.size(self.text.len());
        self.ready.clear();
        self.read = 0;
        let words = [
            BEGIN + at / SECOND,
            at % SECOND,
            length as u64,
            length as u64,
        ];
        for word in words {
            let word = u32::try_from(word).unwrap_or(u32::MAX);
            self.ready.extend(word.to_le_bytes());
        }
        packet.write(&mut self.ready, self.text.as_bytes()).ok()
    }

    /// What follows a step, and after how long.
    fn next(&mut self, number: usize, step: Step) -> (Step, u64) {
        match step {
            Step::Register => (Step::Challenge, 20 * MILLISECOND),
            Step::Challenge => (Step::Credentials, 10 * MILLISECOND),
            Step::Credentials => (Step::Registered, 20 * MILLISECOND),
            Step::Registered => (Step::Subscribe, 50 * MILLISECOND),
            Step::Subscribe => (Step::Subscribed, 20 * MILLISECOND),
            Step::Subscribed => (Step::State, 5 * MILLISECOND),
            Step::State | Step::Change => (Step::Answer, 10 * MILLISECOND),
            Step::Answer => {
                let Some(account) = self.accounts.get_mut(number) else {
                    return (Step::Change, ROUND);
                };
                account.round += 1;
                let next = match account.round {
                    round if round.is_multiple_of(RENEWAL) => Step::Credentials,
                    round if round.is_multiple_of(REFRESH) => Step::Subscribe,
                    _ => Step::Change,
                };
                (next, ROUND)
            }
        }
    }

    /// Writes the message of a step; whether the base sends it.
    fn write(&mut self, number: usize, step: Step) -> bool {
        let user = 20_000 + number;
        let Some(account) = self.accounts.get_mut(number) else {
            return false;
        };
        let text = &mut self.text;
        text.clear();
        match step {
            Step::Register | Step::Credentials => account.registers += 1,
            Step::Subscribe => account.subscribes += 1,
            Step::State | Step::Change => account.notifies += 1,
            Step::Challenge | Step::Registered | Step::Subscribed | Step::Answer => {}
        }
        let (registers, subscribes) = (account.registers, account.subscribes);
        let notifies = account.notifies;
        let own = format!("sip:{user}@as.example");
        let registering = |text: &mut String| {
            let _ = write!(
                text,
                "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKr{user}x{registers};rport\r\nFrom: <{own}>;tag=r{user}\r\n\
                 To: <{own}>\r\nCall-ID: reg{user}@10.0.0.2\r\nCSeq: {registers} REGISTER\r\n"
            );
        };
        let tag = if subscribes == 1 && step == Step::Subscribe {
            ""
        } else {
            ";tag=as"
        };
        let subscribing = |text: &mut String| {
            let _ = write!(
                text,
                "Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKs{user}x{subscribes};rport\r\nFrom: <{own}>;tag=s{user}\r\n\
                 To: <{own}>{tag}\r\nCall-ID: sub{user}@10.0.0.2\r\nCSeq: {subscribes} SUBSCRIBE\r\n"
            );
        };
        let notifying = |text: &mut String| {
            let _ = write!(
                text,
                "Via: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKn{user}x{notifies}\r\nFrom: <{own}>;tag=as\r\n\
                 To: <{own}>;tag=s{user}\r\nCall-ID: sub{user}@10.0.0.2\r\nCSeq: {notifies} NOTIFY\r\n"
            );
        };
        let contact = format!("Contact: <sip:{user}@10.0.0.2:5060>");
        match step {
            Step::Register | Step::Credentials => {
                text.push_str("REGISTER sip:as.example SIP/2.0\r\n");
                registering(text);
                let _ = write!(text, "Max-Forwards: 70\r\n{contact};expires=3600\r\n");
                if step == Step::Credentials {
                    let _ = write!(
                        text,
                        "Authorization: Digest username=\"{user}\", realm=\"as\", nonce=\"n{user}\", uri=\"sip:as.example\", \
                         response=\"5ccc069c403ebaf9f0171e9517f40e41\", algorithm=MD5, qop=auth, nc={:08x}, \
                         cnonce=\"0a4f113b\"\r\n",
                        registers - 1
                    );
                }
                let _ = write!(
                    text,
                    "{AGENT}Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, NOTIFY\r\n"
                );
            }
            Step::Challenge => {
                text.push_str("SIP/2.0 401 Unauthorized\r\n");
                registering(text);
                let _ = write!(
                    text,
                    "WWW-Authenticate: Digest realm=\"as\", nonce=\"n{user}\", algorithm=MD5, qop=\"auth\"\r\n"
                );
            }
            Step::Registered => {
                text.push_str("SIP/2.0 200 OK\r\n");
                registering(text);
                let _ = write!(text, "{contact};expires=3600\r\n");
            }
            Step::Subscribe => {
                let _ = write!(text, "SUBSCRIBE {own} SIP/2.0\r\n");
                subscribing(text);
                let _ = write!(
                    text,
                    "Max-Forwards: 70\r\n{contact}\r\nEvent: as-feature-event\r\nExpires: 1800\r\n{AGENT}\
                     Accept: application/x-as-feature-event+xml, multipart/mixed\r\n"
                );
            }
            Step::Subscribed => {
                text.push_str("SIP/2.0 200 OK\r\n");
                subscribing(text);
                text.push_str("Contact: <sip:10.0.0.1:5060>\r\nExpires: 1800\r\n");
            }
            Step::State | Step::Change => {
                let _ = write!(text, "NOTIFY sip:{user}@10.0.0.2:5060 SIP/2.0\r\n");
                notifying(text);
                text.push_str("Max-Forwards: 70\r\nContact: <sip:10.0.0.1:5060>\r\nEvent: as-feature-event\r\n");
                text.push_str("Subscription-State: active;expires=1800\r\n");
                let body = body(user, step == Step::State, notifies.is_multiple_of(2));
                let kind = match step {
                    Step::State => "Content-Type: multipart/mixed;boundary=B\r\n",
                    _ => TYPE,
                };
                let _ = write!(text, "{kind}Content-Length: {}\r\n\r\n{body}", body.len());
                return false;
            }
            Step::Answer => {
                text.push_str("SIP/2.0 200 OK\r\n");
                notifying(text);
                let _ = write!(text, "{contact}\r\n{AGENT}");
            }
        }
        text.push_str("Content-Length: 0\r\n\r\n");
        matches!(
            step,
            Step::Register | Step::Credentials | Step::Subscribe | Step::Answer
        )
    }
}

/// What a NOTIFY tells: one service, or all four.
fn body(user: usize, whole: bool, on: bool) -> String {
    let dnd = format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><DoNotDisturbEvent xmlns=\"{NAMESPACE}\"><device>{user}</device>\
         <doNotDisturbOn>{on}</doNotDisturbOn></DoNotDisturbEvent>"
    );
    if !whole {
        return dnd;
    }
    let mut body = format!("--B\r\n{TYPE}\r\n{dnd}\r\n");
    for kind in ["forwardImmediate", "forwardBusy", "forwardNoAns"] {
        let _ = write!(
            body,
            "--B\r\n{TYPE}\r\n<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><ForwardingEvent xmlns=\"{NAMESPACE}\">\
             <device>{user}</device><forwardingType>{kind}</forwardingType><forwardStatus>false</forwardStatus>\
             <forwardTo></forwardTo></ForwardingEvent>\r\n"
        );
    }
    body + "--B--\r\n"
}

impl Read for Crowd {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.read == self.ready.len() && self.advance().is_none() {
            return Ok(0);
        }
        let waiting = self.ready.get(self.read..).unwrap_or_default();
        let length = waiting.len().min(into.len());
        if let (Some(to), Some(from)) = (into.get_mut(..length), waiting.get(..length)) {
            to.copy_from_slice(from);
        }
        self.read += length;
        Ok(length)
    }
}
