//! The monitor over what others have recorded: a capture, or an evidence log, from a file or a pipe, in one pass.
//!
//! Nothing is kept that was judged: a finding is handed out when it is established, with the packets that show it, and
//! the end brings one report for each rule. What is remembered of a capture is bounded, so that one of days needs no more
//! than one of minutes. Who calls this reads, prints and decides what becomes of a finding.

mod search;

use crate::capture::{Base, CaptureError, Forgotten, Heard, Messages};
use crate::lines::Lines;
use crate::log::LogError;
use crate::monitor::{Finding, Limits, Monitor, RuleReport};
use crate::record::{Observation, Record, SCHEMA, Sip, Unit};
use search::Search;
use std::io::{self, BufReader, Cursor, Read};
use std::path::Path;

/// How many messages one packet can complete that are told apart: the numbers of records are those of packets, times this.
const IN_PACKET: u64 = 1 << 12;

/// What to check, and how.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The bases of a capture; when there are none, they are looked for.
    pub bases: Vec<Base>,
    /// How the User-Agent of a base begins, to look for it by.
    pub agents: Vec<String>,
    /// How much is remembered of a capture.
    pub limits: Limits,
}

/// What happens while something is checked.
#[derive(Debug)]
pub enum Event<'a> {
    /// The base of a capture was found by its User-Agent.
    Base {
        /// Where it is.
        base: Base,
        /// What it says of itself.
        agent: &'a str,
    },
    /// A message, before it is judged. Each message of a base passes here exactly once.
    Message {
        /// The packet that completed it, or its record.
        place: u64,
        /// The message; it is parsed when somebody first asks, and never again.
        sip: &'a Sip,
    },
    /// A requirement is broken.
    Finding {
        /// The base or unit that broke it.
        unit: &'a Unit,
        /// How; its records are those of the log, and mean nothing for a capture.
        finding: &'a Finding,
        /// The packets that show it, or the records of a log.
        places: &'a [u64],
        /// When it was established, in microseconds since the Unix epoch, where that is known.
        wall: Option<u64>,
    },
}

/// What was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A pcap or pcapng file: only SIP was observed.
    Capture,
    /// An evidence log.
    Evidence,
}

/// What it came to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was checked.
    pub kind: Kind,
    /// The bases of a capture.
    pub bases: Vec<Base>,
    /// What each rule says.
    pub reports: Vec<RuleReport>,
    /// SIP messages from and to the bases.
    pub messages: u64,
    /// Those of them that could not be read.
    pub unreadable: u64,
    /// Findings.
    pub findings: u64,
    /// Packets of a capture, records of a log.
    pub packets: u64,
    /// Bytes that were read.
    pub bytes: u64,
    /// What of a capture could not become a message.
    pub forgotten: Forgotten,
    /// Accounts that were given up with their registrations and dialogs.
    pub evicted: u64,
    /// It ended in the middle of a packet or record.
    pub cut_short: bool,
    /// Others that speak like a base, but were first heard when it had been decided who the base is.
    pub late: Vec<(Base, String)>,
}

/// Why something cannot be checked.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is nothing in it.
    #[error("there is nothing to check: it is empty")]
    Empty,
    /// It is a capture that cannot be used.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// It is an evidence log that cannot be used.
    #[error(transparent)]
    Log(#[from] LogError),
    /// It cannot be read.
    #[error("it cannot be read")]
    Read(#[source] io::Error),
    /// No SIP at all.
    #[error("there is no SIP in it, in {packets} packets{}", cut(*.cut_short))]
    NoSip {
        /// How many packets it has.
        packets: u64,
        /// It ended in the middle of a packet.
        cut_short: bool,
    },
    /// There is SIP, but none of a base.
    #[error("no base was found among {messages} SIP messages: {why}; name the base with --base")]
    NoBase {
        /// How many SIP messages it has.
        messages: u64,
        /// What was looked for and what was there instead.
        why: String,
    },
    /// There are several.
    #[error(
        "several senders could be the base: {senders}; name it with --base, each of them for several bases"
    )]
    Ambiguous {
        /// Which, and what they say of themselves.
        senders: String,
    },
    /// The bases that were named neither sent nor received SIP.
    #[error("none of the {messages} SIP messages is from or to {bases}; {others}")]
    Absent {
        /// How many SIP messages it has.
        messages: u64,
        /// The bases that were named.
        bases: String,
        /// Who else speaks.
        others: String,
    },
}

fn cut(cut_short: bool) -> &'static str {
    if cut_short {
        ", the last one cut short"
    } else {
        ""
    }
}

/// Checks whatever the reader gives; `path` names it in errors.
///
/// # Errors
/// When it is neither a capture nor an evidence log, cannot be read to its end, or it is not clear who the base is.
/// Findings that were established before have been handed out then.
pub fn check<R: Read>(
    mut reader: R,
    path: &Path,
    options: &Options,
    tell: impl FnMut(Event<'_>),
) -> Result<Summary, CheckError> {
    let mut first = Vec::new();
    reader
        .by_ref()
        .take(1)
        .read_to_end(&mut first)
        .map_err(CheckError::Read)?;
    let is_log = first.first() == Some(&b'{');
    if first.is_empty() {
        return Err(CheckError::Empty);
    }
    let whole = Cursor::new(first).chain(reader);
    if is_log {
        check_log(whole, path, tell)
    } else {
        check_capture(whole, options, tell)
    }
}

/// A monitor, and the one place that every message passes.
struct Watch<F> {
    monitor: Monitor,
    kind: Kind,
    tell: F,
    messages: u64,
    unreadable: u64,
    findings: u64,
    /// The wall time of lab time 0.
    epoch: Option<u64>,
    places: Vec<u64>,
}

impl<F: FnMut(Event<'_>)> Watch<F> {
    fn new(monitor: Monitor, kind: Kind, tell: F) -> Self {
        Self {
            monitor,
            kind,
            tell,
            messages: 0,
            unreadable: 0,
            findings: 0,
            epoch: None,
            places: Vec::new(),
        }
    }

    /// Takes a record. `again` says that the message was taken before, as seen from another base.
    fn take(&mut self, record: &Record, again: bool) {
        if let Observation::Sip(sip) = &record.observation
            && !again
        {
            self.pass(place(self.kind, record.seq), sip);
        }
        if let Some(wall) = record.wall {
            self.epoch = wall.checked_sub(record.at);
        }
        let (kind, epoch) = (self.kind, self.epoch);
        let (tell, places, count) = (&mut self.tell, &mut self.places, &mut self.findings);
        self.monitor.follow(record, |unit, finding| {
            *count += 1;
            report(kind, epoch, places, tell, unit, &finding);
        });
    }

    /// Every message passes here, once.
    fn pass(&mut self, place: u64, sip: &Sip) {
        self.messages += 1;
        self.unreadable += u64::from(sip.message().is_none());
        (self.tell)(Event::Message { place, sip });
    }

    fn finish(&mut self, at: u64) -> Vec<RuleReport> {
        let (kind, epoch) = (self.kind, self.epoch);
        let (tell, places, count) = (&mut self.tell, &mut self.places, &mut self.findings);
        self.monitor.finish_with(at, |unit, finding| {
            *count += 1;
            report(kind, epoch, places, tell, unit, &finding);
        })
    }
}

/// The packet of a record, or its number in a log.
const fn place(kind: Kind, seq: u64) -> u64 {
    match kind {
        Kind::Capture => seq / IN_PACKET,
        Kind::Evidence => seq,
    }
}

fn report(
    kind: Kind,
    epoch: Option<u64>,
    places: &mut Vec<u64>,
    tell: &mut impl FnMut(Event<'_>),
    unit: &Unit,
    finding: &Finding,
) {
    places.clear();
    places.extend(finding.records.iter().map(|seq| place(kind, *seq)));
    places.dedup();
    tell(Event::Finding {
        unit,
        finding,
        places,
        wall: epoch.map(|epoch| epoch.saturating_add(finding.at)),
    });
}

fn check_log<R: Read>(
    reader: R,
    path: &Path,
    tell: impl FnMut(Event<'_>),
) -> Result<Summary, CheckError> {
    let mut lines = Lines::new(BufReader::with_capacity(1 << 16, reader), path);
    let mut watch = Watch::new(Monitor::new(), Kind::Evidence, tell);
    let (mut now, mut records) = (0, 0);
    for record in &mut lines {
        let record = record?;
        now = record.at.max(now);
        records += 1;
        watch.take(&record, false);
    }
    let reports = watch.finish(now);
    Ok(Summary {
        kind: Kind::Evidence,
        bases: Vec::new(),
        reports,
        messages: watch.messages,
        unreadable: watch.unreadable,
        findings: watch.findings,
        packets: records,
        bytes: lines.bytes(),
        forgotten: Forgotten::default(),
        evicted: watch.monitor.evicted(),
        cut_short: lines.is_cut_short(),
        late: Vec::new(),
    })
}

/// The bases of a capture as units, and the numbers of their records.
struct Units {
    units: Vec<(Base, Unit)>,
    last: u64,
}

impl Units {
    fn new(bases: &[Base]) -> Self {
        let unit = |base: &Base| (*base, Unit::new(&base.to_string()));
        Self {
            units: bases.iter().map(unit).collect(),
            last: 0,
        }
    }

    /// Takes a message to the monitor, once for each base that sees it; whether any does.
    fn take<F: FnMut(Event<'_>)>(&mut self, heard: &Heard, watch: &mut Watch<F>) -> bool {
        let mut seen = false;
        for (base, unit) in &self.units {
            let Some(sip) = base.sees(heard) else {
                continue;
            };
            if !seen {
                // Numbers rise, so that a packet which completes more messages than that shares the last of its numbers.
                let first = heard.packet.saturating_mul(IN_PACKET);
                self.last = first.max((self.last + 1).min(first + IN_PACKET - 1));
            }
            let record = Record {
                v: SCHEMA,
                seq: self.last,
                at: heard.at,
                wall: Some(heard.wall),
                unit: Some(unit.clone()),
                observation: Observation::Sip(sip),
            };
            watch.take(&record, seen);
            seen = true;
        }
        seen
    }
}

fn check_capture<R: Read>(
    reader: R,
    options: &Options,
    tell: impl FnMut(Event<'_>),
) -> Result<Summary, CheckError> {
    let mut messages = Messages::new(reader)?;
    let monitor = Monitor::within(options.limits);
    let mut watch = Watch::new(monitor, Kind::Capture, tell);
    let mut search = Search::new(options);
    let mut bases = options.bases.clone();
    let mut heard = 0;
    if bases.is_empty() {
        for message in messages.by_ref() {
            heard += 1;
            search.hear(message?);
            if search.is_over() {
                break;
            }
        }
        let found = search.found().ok_or_else(|| CheckError::NoSip {
            packets: messages.packets(),
            cut_short: messages.is_cut_short(),
        })?;
        let (base, agent) = found?;
        (watch.tell)(Event::Base {
            base,
            agent: &agent,
        });
        bases.push(base);
    }
    let mut units = Units::new(&bases);
    for message in search.held() {
        units.take(&message, &mut watch);
    }
    let mut named = !options.bases.is_empty();
    while let Some(message) = messages.next() {
        let message = message?;
        heard += 1;
        if !units.take(&message, &mut watch) {
            search.notice(&message);
        } else if std::mem::take(&mut named) {
            // They are there, so that nobody has to be told who else is.
            messages.only(bases.iter().map(|base| base.ip));
        }
    }
    if watch.messages == 0 {
        return Err(search.absent(heard, &bases, messages.packets(), messages.is_cut_short()));
    }
    let reports = watch.finish(messages.now());
    Ok(Summary {
        kind: Kind::Capture,
        late: search.late(&bases),
        bases,
        reports,
        messages: watch.messages,
        unreadable: watch.unreadable,
        findings: watch.findings,
        packets: messages.packets(),
        bytes: messages.bytes(),
        forgotten: messages.forgotten(),
        evicted: watch.monitor.evicted(),
        cut_short: messages.is_cut_short(),
    })
}
