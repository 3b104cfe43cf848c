//! What a case's ladder shows, and which of its messages the page has in full.
//!
//! One arrow a message, seen at the base's own end; between the arrows stand the steps, the faults, the keys and what the
//! displays showed next. Of a case that passed, only messages with a body are kept in full: the capture has all.

use super::body;
use super::case::power;
use crate::fold::Case;
use crate::ladder::{Arrow, Row, seconds};
use evidence::message::{Message, StartLine};
use evidence::record::{Direction, Fate, Observation, Record, Screen, Sip};
use evidence::verdict::Verdict;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// How many rows a ladder shows at each end before it leaves out the middle: our choice.
const LADDER_END: usize = 50;
/// As `LADDER_END`, for a case that did not pass: our choice.
const LADDER_END_BAD: usize = 250;

/// The SIP of a case.
#[derive(Debug, Default)]
pub(crate) struct SipView {
    pub(crate) rows: Vec<Row>,
    pub(crate) messages: Vec<MessageView>,
}

/// One message in full.
#[derive(Debug, Serialize)]
pub(crate) struct MessageView {
    pub(crate) seq: u64,
    at: String,
    title: String,
    way: String,
    text: String,
    decoded: Vec<String>,
}

impl SipView {
    pub(crate) fn new(case: &Case) -> Self {
        let mut cited: BTreeMap<u64, BTreeSet<&str>> = BTreeMap::new();
        for finding in case.rules.iter().flat_map(|rule| &rule.findings) {
            for seq in &finding.records {
                cited
                    .entry(*seq)
                    .or_default()
                    .insert(finding.requirement.as_str());
            }
        }
        let passed = case.outcome.verdict == Verdict::Pass;
        let mut reader = Reader::new(cited, passed);
        for record in &case.records {
            reader.read(record);
        }
        reader.flush();
        let end = if passed { LADDER_END } else { LADDER_END_BAD };
        let mut rows = reader.rows;
        let left_out = rows.len().saturating_sub(2 * end);
        if left_out > 1 {
            let gap = Row::Gap { rows: left_out };
            rows.splice(end..end + left_out, [gap]);
        }
        let shown: BTreeSet<u64> = rows.iter().filter_map(Row::message).collect();
        let mut messages = reader.messages;
        messages.retain(|message| shown.contains(&message.seq));
        if messages.is_empty() && !rows.iter().any(|row| matches!(row, Row::Arrow(_))) {
            rows.clear();
        }
        Self { rows, messages }
    }
}

struct Reader<'a> {
    rows: Vec<Row>,
    messages: Vec<MessageView>,
    cited: BTreeMap<u64, BTreeSet<&'a str>>,
    passed: bool,
    seen: BTreeMap<&'a [u8], u64>,
    /// The records of messages from the base and their rows, to mark those that were lost later.
    sent: Vec<(&'a [u8], usize)>,
    keys: Vec<&'a str>,
    keys_at: u64,
    screens: BTreeMap<&'a str, (u64, &'a Screen)>,
    shown: BTreeMap<&'a str, &'a Screen>,
}

impl<'a> Reader<'a> {
    fn new(cited: BTreeMap<u64, BTreeSet<&'a str>>, passed: bool) -> Self {
        Self {
            rows: Vec::new(),
            messages: Vec::new(),
            cited,
            passed,
            seen: BTreeMap::new(),
            sent: Vec::new(),
            keys: Vec::new(),
            keys_at: 0,
            screens: BTreeMap::new(),
            shown: BTreeMap::new(),
        }
    }

    fn read(&mut self, record: &'a Record) {
        match &record.observation {
            Observation::Sip(sip) => self.read_sip(record, sip),
            Observation::Step {
                text,
                outcome: None,
                ..
            } => self.band(record, text, false),
            Observation::Fault { text } => self.band(record, text, true),
            Observation::Power { change } => self.band(record, power(*change), true),
            Observation::Key { key, .. } => {
                if self.keys.is_empty() {
                    self.keys_at = record.at;
                }
                self.keys.push(key);
            }
            Observation::Screen(screen) => self.read_screen(record, screen),
            _ => {}
        }
    }

    fn read_screen(&mut self, record: &'a Record, screen: &'a Screen) {
        let cited = self.cited.contains_key(&record.seq);
        if !cited && self.shown.get(screen.handset.as_str()) == Some(&screen) {
            self.screens.remove(screen.handset.as_str());
            return;
        }
        self.screens.insert(&screen.handset, (record.at, screen));
        if cited {
            let flags = self.flags(record.seq);
            self.flush_keys();
            self.screens.remove(screen.handset.as_str());
            self.push_screen(record.at, screen, flags);
        }
    }

    fn band(&mut self, record: &Record, text: &str, fault: bool) {
        self.flush();
        self.rows.push(Row::Band {
            at: record.at,
            text: text.to_owned(),
            fault,
        });
    }

    fn flush_keys(&mut self) {
        if !self.keys.is_empty() {
            let keys = std::mem::take(&mut self.keys);
            self.rows.push(Row::Note {
                at: self.keys_at,
                text: format!("keys: {}", keys.join(" ")),
                flags: String::new(),
            });
        }
    }

    fn flush(&mut self) {
        self.flush_keys();
        for (at, screen) in std::mem::take(&mut self.screens).into_values() {
            self.push_screen(at, screen, String::new());
        }
    }

    fn push_screen(&mut self, at: u64, screen: &'a Screen, flags: String) {
        self.shown.insert(&screen.handset, screen);
        let title = (!screen.title.is_empty()).then_some(screen.title.as_str());
        let lines = screen.lines.iter().map(String::as_str);
        let words: Vec<&str> = title.into_iter().chain(lines).collect();
        self.rows.push(Row::Note {
            at,
            text: format!("display: {}", words.join(" / ")),
            flags,
        });
    }

    fn flags(&self, seq: u64) -> String {
        let ids = self.cited.get(&seq);
        ids.map(|ids| ids.iter().copied().collect::<Vec<_>>().join(" "))
            .unwrap_or_default()
    }

    fn read_sip(&mut self, record: &'a Record, sip: &'a Sip) {
        let dropped = match (sip.fate, sip.direction) {
            (Fate::Sent, Direction::FromBase) | (Fate::Delivered, Direction::ToBase) => false,
            (Fate::Dropped, Direction::ToBase) => true,
            (Fate::Dropped, Direction::FromBase) => {
                self.mark_lost(&sip.bytes);
                return;
            }
            // The server's end of the same message.
            (Fate::Sent, Direction::ToBase) | (Fate::Delivered, Direction::FromBase) => return,
        };
        self.flush();
        let from_base = sip.direction == Direction::FromBase;
        let first = self.seen.get(&sip.bytes[..]).copied();
        self.seen.entry(&sip.bytes).or_insert(record.seq);
        if from_base {
            self.sent.push((&sip.bytes, self.rows.len()));
        }
        let message = sip.message();
        let message = message.as_deref();
        let (label, detail) = message.map_or_else(
            || ("not SIP".to_owned(), format!("{} bytes", sip.bytes.len())),
            |message| label(message, from_base),
        );
        let flags = self.flags(record.seq);
        let has_body = message
            .as_ref()
            .is_none_or(|message| !message.body().is_empty());
        let in_full = !self.passed || has_body;
        if in_full {
            self.messages.push(MessageView {
                seq: record.seq,
                at: seconds(record.at),
                title: format!("{label} {detail}"),
                way: way(sip, dropped),
                text: first.map_or_else(
                    || String::from_utf8_lossy(&sip.bytes).replace('\r', ""),
                    |first| format!("the same bytes as record {first}"),
                ),
                decoded: message.map(body::in_full).unwrap_or_default(),
            });
        }
        self.rows.push(Row::Arrow(Arrow {
            seq: record.seq,
            at: record.at,
            label,
            detail,
            flags,
            from_base,
            dropped,
            repeated: first.is_some(),
            in_full,
        }));
    }

    fn mark_lost(&mut self, bytes: &[u8]) {
        let at = self.sent.iter().rposition(|(sent, _)| *sent == bytes);
        let Some((_, row)) = at.map(|at| self.sent.remove(at)) else {
            return;
        };
        if let Some(Row::Arrow(arrow)) = self.rows.get_mut(row) {
            arrow.dropped = true;
            let message = self.messages.iter_mut().rev();
            if let Some(message) = message.into_iter().find(|it| it.seq == arrow.seq) {
                message.way.push_str(", lost");
            }
        }
    }
}

/// What stands on an arrow: the message, then whose it is, its number, and what it says.
fn label(message: &Message, from_base: bool) -> (String, String) {
    let mut words = Vec::new();
    let is_request = matches!(message.start_line(), StartLine::Request { .. });
    // The base's own account: who asks in its requests, who is asked in the server's.
    let account = if from_base == is_request {
        message.from_uri()
    } else {
        message.to_uri()
    };
    words.extend(account.and_then(user));
    let cseq = message
        .cseq()
        .map(|(number, method)| (number, method.as_str().to_owned()));
    let label = match message.start_line() {
        StartLine::Request { method, .. } => {
            words.extend(cseq.map(|(number, _)| format!("#{number}")));
            if let Some(state) = message.header("Subscription-State") {
                words.push(state.to_owned());
            } else if let Some(expires) = message.header("Expires") {
                words.push(format!("expires {expires}"));
            }
            method.to_string()
        }
        StartLine::Response { code, reason } => {
            words.extend(cseq.map(|(number, method)| format!("{method} #{number}")));
            format!("{code} {reason}")
        }
    };
    let says = body::in_short(message);
    if !says.is_empty() {
        words.push(says);
    }
    (label, words.join(" · "))
}

fn user(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once(':')?;
    let (user, _) = rest.split_once('@')?;
    Some(user.to_owned())
}

fn way(sip: &Sip, dropped: bool) -> String {
    let who = if sip.direction == Direction::FromBase {
        "from the base"
    } else {
        "to the base"
    };
    let lost = if dropped { ", lost" } else { "" };
    format!(
        "{who}, {} {} → {}{lost}",
        sip.transport, sip.source, sip.destination
    )
}
