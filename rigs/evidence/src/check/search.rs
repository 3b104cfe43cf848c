//! Who of a capture is the base, when nobody says so: the one whose requests name it in User-Agent.
//!
//! Only a request with one Via comes from the one that names itself; a proxy adds another (RFC 3261 §16.6). The search
//! goes on for a while after the first hit, because a second base makes it a question that only a person can answer.
//! Messages that are heard meanwhile are held, the latest of them, and judged afterwards.

use super::{CheckError, Options};
use crate::capture::{Base, Heard};
use sip::message::Message;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};

/// How long the search goes on after the first hit, in messages and in microseconds of capture time. Our choice: a base
/// that is there at all sends a REGISTER or a keep-alive within a minute, in most networks.
const AFTER: usize = 1_000;
const AFTER_TIME: u64 = 60_000_000;
/// How many messages, and how many bytes of them, are held; our choice, four times as many as the search goes on for.
const HELD: usize = 4_096;
const HELD_BYTES: usize = 16 << 20;
/// How many senders are told apart, and how many requests of each are looked at: our choice, no burden on memory or time.
const SENDERS: usize = 4_096;
const LOOKS: u8 = 4;
/// How many senders an error names; our choice, so that it stays readable.
const NAMED: usize = 5;

/// A sender, and what it says of itself.
#[derive(Clone, Debug, Default)]
struct Sender {
    looks: u8,
    agent: Option<String>,
    is_base: bool,
}

/// The search.
#[derive(Debug)]
pub(super) struct Search {
    agents: Vec<String>,
    senders: BTreeMap<SocketAddr, Sender>,
    held: VecDeque<Heard>,
    held_bytes: usize,
    messages: u64,
    /// When the first hit was, and how many messages came since.
    hit: Option<(u64, usize)>,
    over: bool,
    /// Two ends have one address, so that only ports tell them apart.
    shared: BTreeSet<IpAddr>,
}

impl Search {
    pub(super) fn new(options: &Options) -> Self {
        Self {
            agents: options.agents.clone(),
            senders: BTreeMap::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            messages: 0,
            hit: None,
            over: false,
            shared: BTreeSet::new(),
        }
    }

    /// Looks at a message and holds it.
    pub(super) fn hear(&mut self, heard: Heard) {
        self.messages += 1;
        if heard.source.ip() == heard.destination.ip() && self.shared.len() < SENDERS {
            self.shared.insert(heard.source.ip());
        }
        let is_base = self.look(&heard);
        match &mut self.hit {
            None if is_base => self.hit = Some((heard.at, 0)),
            None => {}
            Some((at, after)) => {
                *after += 1;
                self.over = *after >= AFTER || heard.at >= *at + AFTER_TIME;
            }
        }
        self.held_bytes += heard.bytes.len();
        self.held.push_back(heard);
        while self.held.len() > HELD || self.held_bytes > HELD_BYTES {
            let Some(first) = self.held.pop_front() else {
                break;
            };
            self.held_bytes -= first.bytes.len();
        }
    }

    /// Looks at a message of somebody else, when the base is known.
    pub(super) fn notice(&mut self, heard: &Heard) {
        self.look(heard);
    }

    /// Whether this message comes from a base.
    fn look(&mut self, heard: &Heard) -> bool {
        if !self.senders.contains_key(&heard.source) && self.senders.len() >= SENDERS {
            return false;
        }
        let sender = self.senders.entry(heard.source).or_default();
        if sender.looks >= LOOKS || heard.bytes.starts_with(b"SIP/2.0 ") {
            return sender.is_base;
        }
        let Ok(message) = Message::parse(heard.bytes.clone()) else {
            return sender.is_base;
        };
        sender.looks += 1;
        let Some(agent) = message.header("User-Agent") else {
            return sender.is_base;
        };
        if message.values("Via").len() == 1 {
            let begins = |with: &String| {
                let beginning = agent.get(..with.len());
                beginning.is_some_and(|beginning| beginning.eq_ignore_ascii_case(with))
            };
            sender.is_base |= self.agents.iter().any(begins);
        }
        if sender.agent.is_none() || sender.is_base {
            sender.agent = Some(agent.chars().filter(|c| !c.is_control()).take(80).collect());
        }
        sender.is_base
    }

    /// Whether enough was heard to decide.
    pub(super) const fn is_over(&self) -> bool {
        self.over
    }

    /// The base and its User-Agent; nothing when there is no SIP at all.
    pub(super) fn found(&self) -> Option<Result<(Base, String), CheckError>> {
        if self.messages == 0 {
            return None;
        }
        let bases = self.bases();
        Some(match bases.as_slice() {
            [] => Err(CheckError::NoBase {
                messages: self.messages,
                why: format!(
                    "no request has a User-Agent that begins with {}; {}",
                    self.agents.join(" or "),
                    self.others()
                ),
            }),
            [only] => Ok(only.clone()),
            several => Err(CheckError::Ambiguous {
                senders: named(
                    several
                        .iter()
                        .map(|(base, agent)| format!("{base} ({agent})")),
                ),
            }),
        })
    }

    /// All that speak like a base.
    fn bases(&self) -> Vec<(Base, String)> {
        let mut found: BTreeMap<Base, String> = BTreeMap::new();
        for (address, sender) in self.senders.iter().filter(|(_, sender)| sender.is_base) {
            let ip = address.ip();
            // Over TCP a base sends from many ports, so that its address alone names it where it can.
            let port = self.shared.contains(&ip).then_some(address.port());
            let agent = sender.agent.clone().unwrap_or_default();
            found.entry(Base { ip, port }).or_insert(agent);
        }
        found.into_iter().collect()
    }

    /// What was held; it is held no longer.
    pub(super) fn held(&mut self) -> impl Iterator<Item = Heard> + use<> {
        self.held_bytes = 0;
        std::mem::take(&mut self.held).into_iter()
    }

    /// Those that speak like a base and are none of these.
    pub(super) fn late(&self, bases: &[Base]) -> Vec<(Base, String)> {
        let is_known = |ip| bases.iter().any(|base| base.ip == ip);
        let mut late = self.bases();
        late.retain(|(base, _)| !is_known(base.ip));
        late
    }

    /// Why none of the bases that were named was heard.
    pub(super) fn absent(
        &self,
        messages: u64,
        bases: &[Base],
        packets: u64,
        cut_short: bool,
    ) -> CheckError {
        if messages == 0 {
            return CheckError::NoSip { packets, cut_short };
        }
        CheckError::Absent {
            messages,
            bases: named(bases.iter().map(Base::to_string)),
            others: self.others(),
        }
    }

    /// Who else was heard.
    fn others(&self) -> String {
        let others = self
            .senders
            .iter()
            .map(|(address, sender)| match &sender.agent {
                Some(agent) => format!("{address} ({agent})"),
                None => address.to_string(),
            });
        format!("there are messages of {}", named(others))
    }
}

/// Some of them, for a person.
fn named(all: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = all.collect();
    let more = all.len().saturating_sub(NAMED);
    all.truncate(NAMED);
    if more > 0 {
        all.push(format!("{more} more"));
    }
    all.join(", ")
}
