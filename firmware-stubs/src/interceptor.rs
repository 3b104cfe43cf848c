//! A fault on the emulated base's own wire: some of what it sends or receives is dropped, delayed, duplicated or rewritten.
//!
//! It sits between the user agent and the network and sees whole messages only; what does not parse passes unchanged.
//! It is part of the base, not of the network: the tap of a laboratory sees what comes out of it.
//!
//! ```text
//! message          | rule matches, action | becomes
//! sent or received | drop                 | nothing
//! sent or received | delay                | held until its time, then on its way
//! sent or received | duplicate            | the message twice
//! sent or received | rewrite              | the message with another status, headers or branch
//! ```

use bytes::Bytes;
use serde::Deserialize;
use sip::message::{Message, Method, StartLine};
use sip::node::{Flow, Transmit, TransmitReason};
use sip::time::Instant;
use std::collections::BTreeMap;
use std::time::Duration;

/// What to do with which messages; the `[interceptor]` of a mutant file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct InterceptorRule {
    /// Which way.
    pub on: Way,
    /// Which messages.
    #[serde(default)]
    pub matches: Matcher,
    /// What to do with them.
    pub action: Action,
}

/// Which way a message goes, seen from the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// The base receives it.
    Receive,
    /// The base sends it.
    Send,
}

/// Which messages; every field that is given must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Matcher {
    /// With or without body.
    pub body: Option<bool>,
    /// The value of Expires.
    pub expires: Option<u32>,
    /// A request (true) or a response (false).
    pub request: Option<bool>,
    /// The method, of a response that of its CSeq.
    pub method: Option<String>,
    /// Why it is sent; only on the way out.
    pub reason: Option<Reason>,
    /// The status code; fits responses only.
    pub status: Option<u16>,
    /// With or without To tag.
    pub to_tag: Option<bool>,
}

/// Why a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// For the first time.
    First,
    /// Again, because its request came again.
    Replay,
    /// Again, by a timer.
    Retransmission,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum Action {
    /// Hold it back for this many milliseconds.
    Delay(u64),
    /// Lose it.
    Drop,
    /// Let it pass twice.
    Duplicate,
    /// Change it.
    Rewrite(Rewrite),
}

/// What to change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Rewrite {
    /// Headers to add at the end.
    #[serde(default)]
    pub add: BTreeMap<String, String>,
    /// Whether the branch becomes another one each time.
    #[serde(default)]
    pub fresh_branch: bool,
    /// Headers to leave out.
    #[serde(default)]
    pub remove: Vec<String>,
    /// Headers that are there to give another value.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// The status line's code and phrase.
    pub status: Option<(u16, String)>,
}

/// A message that was held back.
#[derive(Clone, Debug)]
pub enum Held {
    /// To be handed to the user agent.
    Receive(Flow, Bytes),
    /// To be put on the wire.
    Send(Transmit),
}

/// One rule at work.
#[derive(Clone, Debug)]
pub struct Interceptor {
    rule: InterceptorRule,
    held: BTreeMap<(Instant, u64), Held>,
    count: u64,
}

impl Interceptor {
    /// Works by this rule.
    #[must_use]
    pub fn new(rule: InterceptorRule) -> Self {
        Self {
            rule,
            held: BTreeMap::new(),
            count: 0,
        }
    }

    /// Takes what the user agent sends. What may go now comes out of [`Self::poll`] at once.
    pub fn handle_send(&mut self, now: Instant, transmit: Transmit) {
        let reason = Some(reason(transmit.reason));
        self.handle(now, Way::Send, reason, &transmit.bytes.clone(), |bytes| {
            Held::Send(Transmit {
                bytes,
                ..transmit.clone()
            })
        });
    }

    /// Takes what arrives. What may be handed on now comes out of [`Self::poll`] at once.
    pub fn handle_receive(&mut self, now: Instant, flow: Flow, bytes: &Bytes) {
        self.handle(now, Way::Receive, None, bytes, |bytes| {
            Held::Receive(flow, bytes)
        });
    }

    /// The next message whose time has come.
    pub fn poll(&mut self, now: Instant) -> Option<Held> {
        let first = self.held.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }

    /// When the next message that is held back must go.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.held.first_key_value().map(|((at, _), _)| *at)
    }

    fn handle(
        &mut self,
        now: Instant,
        way: Way,
        reason: Option<Reason>,
        bytes: &Bytes,
        held: impl Fn(Bytes) -> Held,
    ) {
        let message = Message::parse(bytes.clone()).ok();
        let message = message
            .filter(|message| self.rule.on == way && self.rule.matches.fits(message, reason));
        let Some(message) = message else {
            return self.hold(now, held(bytes.clone()));
        };
        match self.rule.action.clone() {
            Action::Delay(millis) => {
                self.hold(now + Duration::from_millis(millis), held(bytes.clone()));
            }
            Action::Drop => {}
            Action::Duplicate => {
                self.hold(now, held(bytes.clone()));
                self.hold(now, held(bytes.clone()));
            }
            Action::Rewrite(rewrite) => {
                let bytes = rewrite.apply(&message, self.count);
                self.hold(now, held(bytes));
            }
        }
    }

    fn hold(&mut self, until: Instant, held: Held) {
        self.count += 1;
        self.held.insert((until, self.count), held);
    }
}

impl Matcher {
    fn fits(&self, message: &Message, reason: Option<Reason>) -> bool {
        let method = message.cseq().map(|(_, method)| method);
        let wanted = self.method.as_deref().map(Method::from_token);
        fits(&self.body, &!message.body().is_empty())
            && (self.expires.is_none() || self.expires == message.expires())
            && fits(&self.request, &message.method().is_some())
            && (wanted.is_none() || wanted == method)
            && (self.reason.is_none() || self.reason == reason)
            && (self.status.is_none() || self.status == message.status())
            && fits(&self.to_tag, &message.to_tag().is_some())
    }
}

fn fits<T: PartialEq>(wanted: &Option<T>, found: &T) -> bool {
    wanted.as_ref().is_none_or(|wanted| wanted == found)
}

const fn reason(reason: TransmitReason) -> Reason {
    match reason {
        TransmitReason::First | TransmitReason::Raw => Reason::First,
        TransmitReason::Retransmission(_) => Reason::Retransmission,
        TransmitReason::Replay => Reason::Replay,
    }
}

impl Rewrite {
    fn apply(&self, message: &Message, count: u64) -> Bytes {
        let mut head = match (message.start_line(), &self.status) {
            (StartLine::Response { .. }, Some((code, phrase))) => {
                format!("SIP/2.0 {code} {phrase}")
            }
            (StartLine::Response { code, reason }, None) => format!("SIP/2.0 {code} {reason}"),
            (StartLine::Request { method, uri }, _) => format!("{method} {uri} SIP/2.0"),
        };
        let mut topmost = true;
        for header in message.header_list() {
            if named(&self.remove, &header.name) {
                continue;
            }
            let set = self
                .set
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(&header.name));
            let mut value = set
                .map_or(header.value.as_str(), |(_, value)| value)
                .to_owned();
            if self.fresh_branch && topmost && header.name.eq_ignore_ascii_case("Via") {
                topmost = false;
                let branch = message.branch().unwrap_or_default();
                value = value.replace(branch, &format!("{branch}.{count}"));
            }
            head.push_str(&format!("\r\n{}: {value}", header.name));
        }
        for (name, value) in &self.add {
            head.push_str(&format!("\r\n{name}: {value}"));
        }
        head.push_str("\r\n\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(message.body());
        bytes.into()
    }
}

fn named(names: &[String], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sip::node::Transport;

    const OK: &str = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKa\r\nCSeq: 3 NOTIFY\r\n\
        Content-Length: 0\r\n\r\n";

    fn transmit(reason: TransmitReason) -> Transmit {
        Transmit {
            flow: Flow {
                transport: Transport::Udp,
                local: "127.0.0.2:5060".parse().unwrap(),
                remote: "127.0.0.1:5060".parse().unwrap(),
            },
            bytes: OK.into(),
            reason,
        }
    }

    fn interceptor(text: &str) -> Interceptor {
        Interceptor::new(document::from_toml(text, "x").unwrap())
    }

    fn sent(held: Option<Held>) -> String {
        match held {
            Some(Held::Send(transmit)) => String::from_utf8(transmit.bytes.to_vec()).unwrap(),
            other => panic!("nothing sent: {other:?}"),
        }
    }

    #[test]
    fn a_delayed_answer_leaves_at_its_time() {
        let text =
            "on = 'send'\nmatches.method = 'NOTIFY'\nmatches.status = 200\naction.delay = 2000";
        let mut wire = interceptor(text);
        wire.handle_send(Instant::EPOCH, transmit(TransmitReason::First));
        assert!(wire.poll(Instant::EPOCH).is_none());
        let due = wire.deadline().unwrap();
        assert_eq!(due, Instant::from_micros(2_000_000));
        assert_eq!(sent(wire.poll(due)), OK);
        assert!(wire.deadline().is_none());
    }

    #[test]
    fn only_replays_are_dropped() {
        let text = "on = 'send'\nmatches.reason = 'replay'\naction = 'drop'";
        let mut wire = interceptor(text);
        wire.handle_send(Instant::EPOCH, transmit(TransmitReason::First));
        wire.handle_send(Instant::EPOCH, transmit(TransmitReason::Replay));
        assert_eq!(sent(wire.poll(Instant::EPOCH)), OK);
        assert!(wire.poll(Instant::EPOCH).is_none());
    }

    #[test]
    fn a_rewritten_answer_has_another_status_and_headers() {
        let text = "on = 'send'\n[action.rewrite]\nstatus = [482, 'Loop']\nset.cseq = '1 NOTIFY'\n\
            add.X = 'y'\nremove = ['via']";
        let mut wire = interceptor(text);
        wire.handle_send(Instant::EPOCH, transmit(TransmitReason::First));
        assert_eq!(
            sent(wire.poll(Instant::EPOCH)),
            "SIP/2.0 482 Loop\r\nCSeq: 1 NOTIFY\r\nContent-Length: 0\r\nX: y\r\n\r\n"
        );
    }

    #[test]
    fn what_is_no_message_passes() {
        let mut wire = interceptor("on = 'receive'\naction = 'drop'");
        let flow = transmit(TransmitReason::First).flow;
        wire.handle_receive(Instant::EPOCH, flow, &Bytes::from_static(b"\r\n\r\n"));
        let held = wire.poll(Instant::EPOCH);
        assert!(matches!(held, Some(Held::Receive(_, bytes)) if bytes.len() == 4));
    }
}
