//! A SIP peer made of text: what it sends stands in the tests as it goes over the wire, and what it receives is compared as
//! text. It shares nothing with the server but the shape of a node.

use bytes::Bytes;
use md5::{Digest as _, Md5};
use server::{AppServer, Dialect, ServerConfig, SiteId, UserConfig};
use sip::node::{ExchangeId, Flow, Input, Node, Output, Transport};
use sip::time::Instant;
use std::net::SocketAddr;
use std::time::Duration;

/// The only site of the server in front of a [`Lab`].
pub(crate) const SITE: SiteId = SiteId::FIRST;
/// Where the server listens.
pub(crate) const SERVER: &str = "127.0.0.1:5060";
/// Where Anna's base listens.
pub(crate) const ANNA: &str = "127.0.0.2:5060";

/// A message of the server: when, where to, and its text.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) at: Duration,
    pub(crate) flow: Flow,
    pub(crate) text: String,
}

impl Sent {
    /// The first line.
    pub(crate) fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The status code of a response.
    pub(crate) fn status(&self) -> &str {
        self.first_line().split(' ').nth(1).unwrap_or_default()
    }

    /// The value of a header, written with or without a blank.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// Every value of a header.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .collect()
    }

    /// What follows the empty line.
    pub(crate) fn body(&self) -> &str {
        self.text
            .split_once("\r\n\r\n")
            .map_or("", |(_, body)| body)
    }

    /// The value of `tag` in From or To.
    pub(crate) fn tag(&self, header: &str) -> String {
        let value = self.header(header).unwrap_or_default();
        value.split("tag=").nth(1).unwrap_or_default().to_owned()
    }

    /// Whether it is a NOTIFY.
    pub(crate) fn is_notify(&self) -> bool {
        self.text.starts_with("NOTIFY ")
    }
}

/// A server and the text peer in front of it.
#[derive(Clone)]
pub(crate) struct Lab {
    pub(crate) server: AppServer,
    pub(crate) now: Instant,
    /// Everything that the server has sent, the oldest first.
    pub(crate) sent: Vec<Sent>,
    /// The answers to HTTP requests.
    pub(crate) replies: Vec<http::Response<Bytes>>,
    pub(crate) transport: Transport,
    /// The address of the server that requests go to.
    pub(crate) server_address: SocketAddr,
    /// The NOTIFYs that a test has looked at.
    taken: Vec<String>,
    deadline: Option<Instant>,
}

pub(crate) fn flow(transport: Transport, remote: &str) -> Flow {
    let address = |text: &str| text.parse::<SocketAddr>().expect("an address");
    Flow {
        transport,
        local: address(SERVER),
        remote: address(remote),
    }
}

impl Lab {
    /// A BroadSoft server with the account `anna` that challenges nobody.
    pub(crate) fn new() -> Self {
        let mut dialect = Dialect::broadsoft();
        dialect.digest.challenged.value.clear();
        Self::with_dialect(dialect)
    }

    /// As the dialect has it, digest included.
    pub(crate) fn with_dialect(dialect: Dialect) -> Self {
        let address: SocketAddr = SERVER.parse().expect("an address");
        let listen = vec![(Transport::Udp, address), (Transport::Tcp, address)];
        let config = ServerConfig::one_site(dialect, listen, "as.test", 7);
        let mut server = AppServer::new(config);
        server.add_user(Instant::EPOCH, UserConfig::new("anna", "secret"));
        Self::in_front_of(server)
    }

    /// In front of a server that was set up elsewhere.
    pub(crate) fn in_front_of(server: AppServer) -> Self {
        Self {
            server,
            server_address: SERVER.parse().expect("an address"),
            now: Instant::EPOCH,
            sent: Vec::new(),
            replies: Vec::new(),
            transport: Transport::Udp,
            taken: Vec::new(),
            deadline: None,
        }
    }

    /// Takes everything the server wants to say.
    pub(crate) fn drain(&mut self) {
        loop {
            match self.server.poll_output() {
                Output::Sip(transmit) => self.sent.push(Sent {
                    at: self.now.since(Instant::EPOCH),
                    flow: transmit.flow,
                    text: String::from_utf8(transmit.bytes.to_vec()).expect("text"),
                }),
                Output::HttpReply { response, .. } => self.replies.push(response),
                Output::Timeout(deadline) => {
                    self.deadline = deadline;
                    return;
                }
                other => panic!("the server wants {other:?}"),
            }
        }
    }

    /// Calls verbs of the server.
    pub(crate) fn with<R>(&mut self, verb: impl FnOnce(&mut AppServer, Instant) -> R) -> R {
        let result = verb(&mut self.server, self.now);
        self.drain();
        result
    }

    /// Lets time pass.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(next) = self.deadline.filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.server.handle_input(self.now, Input::Timeout);
            let before = self.deadline;
            self.drain();
            assert!(
                self.deadline != before || self.deadline > Some(self.now),
                "a deadline that stays is a busy loop"
            );
        }
        self.now = end;
    }

    /// As [`Self::pass`], in milliseconds.
    pub(crate) fn pass_ms(&mut self, milliseconds: u64) {
        self.pass(Duration::from_millis(milliseconds));
    }

    /// Sends text to the server from Anna's base.
    pub(crate) fn say(&mut self, text: &str) {
        self.say_from(ANNA, text);
    }

    /// Sends text to the server from an address.
    pub(crate) fn say_from(&mut self, remote: &str, text: &str) {
        let local = self.server_address;
        let flow = Flow {
            local,
            ..flow(self.transport, remote)
        };
        let bytes = Bytes::from(wire(text));
        self.server
            .handle_input(self.now, Input::Sip { flow, bytes });
        self.drain();
    }

    /// The answer to the last thing said: the last response sent.
    pub(crate) fn answer(&self) -> &Sent {
        let mut responses = self.sent.iter().rev();
        responses
            .find(|sent| sent.text.starts_with("SIP/2.0 "))
            .expect("a response")
    }

    /// The NOTIFYs sent so far, retransmissions included.
    pub(crate) fn notifies(&self) -> Vec<Sent> {
        let notifies = self.sent.iter().filter(|sent| sent.is_notify());
        notifies.cloned().collect()
    }

    /// Answers a NOTIFY.
    pub(crate) fn answer_notify(&mut self, notify: &Sent, status: &str) {
        let asked = std::mem::replace(&mut self.server_address, notify.flow.local);
        let copied: String = ["Via", "From", "To", "Call-ID", "CSeq"]
            .into_iter()
            .flat_map(|name| {
                notify
                    .headers(name)
                    .into_iter()
                    .map(move |value| (name, value))
            })
            .map(|(name, value)| format!("{name}: {value}\n"))
            .collect();
        self.say(&format!("SIP/2.0 {status}\n{copied}Content-Length: 0\n\n"));
        self.server_address = asked;
    }

    /// The oldest NOTIFY that was not taken before; retransmissions are not new ones.
    pub(crate) fn take_notify(&mut self) -> Option<Sent> {
        let fresh = |sent: &&Sent| sent.is_notify() && !self.taken.contains(&sent.text);
        let notify = self.sent.iter().find(fresh)?.clone();
        self.taken.push(notify.text.clone());
        Some(notify)
    }

    /// Lets time pass until there is a new NOTIFY, answers it 200, and returns it.
    pub(crate) fn next_notify(&mut self) -> Sent {
        for _ in 0..100 {
            if let Some(notify) = self.take_notify() {
                self.answer_notify(&notify, "200 OK");
                return notify;
            }
            self.pass_ms(10);
        }
        panic!("no NOTIFY within a second");
    }

    /// Makes an HTTP request.
    pub(crate) fn http(&mut self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = http::Request::builder()
            .method(method)
            .uri(path)
            .body(Bytes::copy_from_slice(body.as_bytes()))
            .expect("a request");
        let exchange = ExchangeId(1);
        self.server
            .handle_input(self.now, Input::Http { exchange, request });
        self.drain();
        let reply = self.replies.last().expect("an answer");
        let text = String::from_utf8(reply.body().to_vec()).expect("text");
        (reply.status().as_u16(), text)
    }

    /// Subscribes Anna and answers the first NOTIFY; the tag of the server.
    pub(crate) fn subscribe(&mut self) -> String {
        self.say(&subscribe(1, "", "Expires: 1800\n", ""));
        let tag = self.answer().tag("To");
        self.next_notify();
        tag
    }
}

/// The text with the line ends of the wire.
pub(crate) fn wire(text: &str) -> Vec<u8> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let head = head.replace('\n', "\r\n");
    format!("{head}\r\n\r\n{body}").into_bytes()
}

/// A SUBSCRIBE of Anna's base. `tag` is the server's, empty outside a dialog.
pub(crate) fn subscribe(cseq: u32, tag: &str, headers: &str, body: &str) -> String {
    subscribe_in("sub-1", cseq, tag, headers, body)
}

/// As [`subscribe`], with this Call-ID.
pub(crate) fn subscribe_in(
    call_id: &str,
    cseq: u32,
    tag: &str,
    headers: &str,
    body: &str,
) -> String {
    let to = if tag.is_empty() {
        String::new()
    } else {
        format!(";tag={tag}")
    };
    let content = if body.is_empty() {
        "Content-Length: 0\n".to_owned()
    } else {
        format!(
            "Content-Type: application/x-as-feature-event+xml\nContent-Length: {}\n",
            body.len()
        )
    };
    format!(
        "SUBSCRIBE sip:anna@as.test SIP/2.0\n\
         Via: SIP/2.0/UDP {ANNA};branch=z9hG4bKsub{call_id}{cseq}\n\
         Max-Forwards: 70\n\
         From: <sip:anna@as.test>;tag=a-{call_id}\n\
         To: <sip:anna@as.test>{to}\n\
         Call-ID: {call_id}\n\
         CSeq: {cseq} SUBSCRIBE\n\
         Contact: <sip:anna@{ANNA}>\n\
         Event: as-feature-event\n\
         Accept: application/x-as-feature-event+xml, multipart/mixed\n\
         {headers}{content}\n{body}"
    )
}

/// A REGISTER of Anna's base.
pub(crate) fn register(cseq: u32, headers: &str) -> String {
    format!(
        "REGISTER sip:as.test SIP/2.0\n\
         Via: SIP/2.0/UDP {ANNA};branch=z9hG4bKreg{cseq}\n\
         Max-Forwards: 70\n\
         From: <sip:anna@as.test>;tag=r\n\
         To: <sip:anna@as.test>\n\
         Call-ID: boot-1\n\
         CSeq: {cseq} REGISTER\n\
         {headers}Content-Length: 0\n\n"
    )
}

/// Credentials for a challenge, computed by hand.
pub(crate) fn authorization(
    challenge: &str,
    method: &str,
    uri: &str,
    nc: u32,
    password: &str,
) -> String {
    let part = |name: &str| {
        let (_, rest) = challenge.split_once(&format!("{name}=\"")).expect(name);
        rest.split('"').next().unwrap_or_default()
    };
    let hash = |text: String| {
        let digest = Md5::digest(text.as_bytes());
        digest
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let (realm, nonce) = (part("realm"), part("nonce"));
    let secret = hash(format!("anna:{realm}:{password}"));
    let request = hash(format!("{method}:{uri}"));
    let response = hash(format!("{secret}:{nonce}:{nc:08x}:c0ffee:auth:{request}"));
    format!(
        "Authorization: Digest username=\"anna\",realm=\"{realm}\",nonce=\"{nonce}\",uri=\"{uri}\",\
         response=\"{response}\",algorithm=MD5,qop=auth,nc={nc:08x},cnonce=\"c0ffee\"\n"
    )
}

/// The namespace of the documents.
pub(crate) const NS: &str = "http://www.ecma-international.org/standards/ecma-323/csta/ed3";

/// The body of a change of Do Not Disturb.
pub(crate) fn set_dnd(on: bool) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><SetDoNotDisturb xmlns=\"{NS}\">\
         <device>anna</device><doNotDisturbOn>{on}</doNotDisturbOn></SetDoNotDisturb>"
    )
}

/// The body of a change of a forwarding.
pub(crate) fn set_forwarding(kind: &str, on: bool, number: &str, rest: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><SetForwarding xmlns=\"{NS}\">\
         <device>anna</device><forwardingType>{kind}</forwardingType>\
         <activateForward>{on}</activateForward><forwardDN>{number}</forwardDN>{rest}</SetForwarding>"
    )
}
