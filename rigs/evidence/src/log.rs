//! The evidence log of one scenario: append-only, numbered from 1, kept in memory and, if asked, in a file.
//!
//! The file has one JSON object a line. It is written before and after each step and with each finding, so that a killed run
//! loses its last step at most. A log that cannot be written goes on in memory; whoever drives the scenario asks for the
//! [`failure`](Log::failure) at its end. Nothing here reads a clock: the laboratory says what time it is.
//!
//! A log can be forked: the copy shares the records so far and goes on by itself, so that scenarios that begin alike need
//! to begin only once.

use crate::record::{Observation, Record, SCHEMA, Unit};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a log could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file cannot be created or read.
    #[error("cannot open the evidence log {path}")]
    Open {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A record could not be written.
    #[error("cannot write record {seq} of the evidence log {path}")]
    Write {
        /// Which file.
        path: PathBuf,
        /// Which record.
        seq: u64,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line is not a record.
    #[error("line {line} of the evidence log {path} is not a record")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// A line was written by another version.
    #[error(
        "line {line} of the evidence log {path} has schema {found}, and this release of lockstep reads schema {SCHEMA}: run \
         the plan again, or use the release that wrote it"
    )]
    Schema {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Its version.
        found: u32,
    },
    /// A record is out of sequence.
    #[error("line {line} of the evidence log {path} has seq {found}, expected {expected}")]
    Sequence {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Its number.
        found: u64,
        /// The number after the one before.
        expected: u64,
    },
}

/// When an observation was made, and by which unit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp {
    /// Lab time in microseconds.
    pub at: u64,
    /// Wall time in microseconds since the Unix epoch, where there is a wall.
    pub wall: Option<u64>,
    /// The unit; nothing for what belongs to the whole scenario.
    pub unit: Option<Unit>,
}

impl Stamp {
    /// At this lab time, of the whole scenario, in a laboratory without a wall.
    #[must_use]
    pub const fn at(at: u64) -> Self {
        Self {
            at,
            wall: None,
            unit: None,
        }
    }

    /// At this wall time.
    #[must_use]
    pub const fn on_wall(mut self, wall: Option<u64>) -> Self {
        self.wall = wall;
        self
    }

    /// Observed by this unit.
    #[must_use]
    pub fn by(mut self, unit: &Unit) -> Self {
        self.unit = Some(unit.clone());
        self
    }

    /// The stamp of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            at: record.at,
            wall: record.wall,
            unit: record.unit.clone(),
        }
    }
}

/// The records of one scenario on one rig in one laboratory.
#[derive(Debug, Default)]
pub struct Log {
    records: Vec<Arc<Record>>,
    /// The records that a fork began with, as its file has them.
    begun: Option<Arc<[u8]>>,
    sink: Option<Sink>,
    failure: Option<LogError>,
    truncated: bool,
}

/// Messages are kept as they were read for so many records: our choice, more than one step looks back upon. Behind them
/// only the bytes are kept.
const READ: usize = 1024;

/// More than this is not held back: our choice, some hundred records.
const HELD_BACK: usize = 256 * 1024;

#[derive(Debug)]
struct Sink {
    path: PathBuf,
    file: File,
    /// What is not written yet.
    lines: Vec<u8>,
}

impl Log {
    /// An empty log in memory.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty log that is also written to a new file.
    ///
    /// # Errors
    /// When the file cannot be created.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, LogError> {
        let sink = Some(Sink::create(path.into())?);
        Ok(Self {
            sink,
            ..Self::default()
        })
    }

    /// A log in memory that begins with the records of this one. Forks of a fork cost little until they grow.
    #[must_use]
    pub fn fork(&self) -> Self {
        let begun = self.begun.clone();
        Self {
            records: self.records.clone(),
            begun: begun.or_else(|| Some(lines_of(&self.records).into())),
            ..Self::default()
        }
    }

    /// Writes all records so far to a new file, and those that come.
    ///
    /// # Errors
    /// When the file cannot be created or written.
    pub fn write_to(&mut self, path: impl Into<PathBuf>) -> Result<(), LogError> {
        let mut sink = Sink::create(path.into())?;
        let written = match self.begun.take() {
            Some(begun) => sink.file.write_all(&begun),
            None => sink.file.write_all(&lines_of(&self.records)),
        };
        written.map_err(|source| LogError::Write {
            path: sink.path.clone(),
            seq: self.last_seq(),
            source,
        })?;
        self.sink = Some(sink);
        Ok(())
    }

    /// Reads a log back. A last line that was cut short is left out, see [`is_truncated`](Self::is_truncated).
    ///
    /// # Errors
    /// When the file cannot be read, or a line is not the next record of this schema.
    pub fn load(path: impl Into<PathBuf>) -> Result<Self, LogError> {
        let path = path.into();
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::parse(&text, &path),
            Err(source) => Err(LogError::Open { path, source }),
        }
    }

    /// Reads a log from its text; `path` only names it in errors.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(text: &str, path: &Path) -> Result<Self, LogError> {
        let mut log = Self::new();
        let complete = text.ends_with('\n') || text.is_empty();
        let lines = text.lines().count();
        for (at, line) in text.lines().enumerate() {
            let number = at + 1;
            let path = || path.to_owned();
            let record: Record = match serde_json::from_str(line) {
                Ok(record) => record,
                Err(_) if number == lines && !complete => {
                    log.truncated = true;
                    break;
                }
                Err(source) => {
                    return Err(LogError::Malformed {
                        path: path(),
                        line: number,
                        source,
                    });
                }
            };
            if record.v != SCHEMA {
                return Err(LogError::Schema {
                    path: path(),
                    line: number,
                    found: record.v,
                });
            }
            let expected = log.next_seq();
            if record.seq != expected {
                return Err(LogError::Sequence {
                    path: path(),
                    line: number,
                    found: record.seq,
                    expected,
                });
            }
            log.records.push(Arc::new(record));
        }
        Ok(log)
    }

    /// Appends an observation.
    pub fn append(&mut self, stamp: Stamp, observation: Observation) -> &Record {
        let seq = self.next_seq();
        let Stamp { at, wall, unit } = stamp;
        let record = Record {
            v: SCHEMA,
            seq,
            at,
            wall,
            unit,
            observation,
        };
        self.begun = None;
        let mut full = false;
        if let Some(sink) = &mut self.sink
            && self.failure.is_none()
        {
            put_line(&mut sink.lines, &record);
            full = sink.lines.len() > HELD_BACK;
        }
        let due = full || is_milestone(&record.observation);
        let place = self.records.len();
        self.records.push(Arc::new(record));
        let old = place
            .checked_sub(READ)
            .and_then(|old| self.records.get(old));
        if let Some(Observation::Sip(sip)) = old.map(|old| &old.observation) {
            sip.parsed.forget();
        }
        if due {
            self.flush();
        }
        self.records.get(place).unwrap_or_else(|| unreachable!())
    }

    /// Writes what was held back.
    pub fn flush(&mut self) {
        let seq = self.last_seq();
        let Some(sink) = &mut self.sink else { return };
        let written = sink.file.write_all(&sink.lines);
        sink.lines.clear();
        if let Err(source) = written {
            let path = sink.path.clone();
            self.failure = Some(LogError::Write { path, seq, source });
        }
    }

    /// All records so far.
    #[must_use]
    pub fn records(&self) -> &[Arc<Record>] {
        &self.records
    }

    /// All records, with the log given up.
    #[must_use]
    pub fn into_records(self) -> Vec<Arc<Record>> {
        self.records
    }

    /// The records with a number above `seq`.
    #[must_use]
    pub fn after(&self, seq: u64) -> &[Arc<Record>] {
        let skip = usize::try_from(seq).unwrap_or(usize::MAX);
        self.records.get(skip..).unwrap_or_default()
    }

    /// The record with this number.
    #[must_use]
    pub fn record(&self, seq: u64) -> Option<&Record> {
        let place = usize::try_from(seq.checked_sub(1)?).ok()?;
        self.records.get(place).map(AsRef::as_ref)
    }

    /// The number of the last record, 0 when there is none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.records.last().map_or(0, |record| record.seq)
    }

    /// The file it is written to.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        self.sink.as_ref().map(|sink| sink.path.as_path())
    }

    /// The first failure to write; the records are complete in memory all the same.
    #[must_use]
    pub const fn failure(&self) -> Option<&LogError> {
        self.failure.as_ref()
    }

    /// Whether the file that was read ended in the middle of a record.
    #[must_use]
    pub const fn is_truncated(&self) -> bool {
        self.truncated
    }

    fn next_seq(&self) -> u64 {
        self.last_seq() + 1
    }
}

/// What a reader of the file must not miss when the run is killed.
const fn is_milestone(observation: &Observation) -> bool {
    matches!(
        observation,
        Observation::Finding { .. } | Observation::ScenarioEnd | Observation::Step { .. }
    )
}

/// A log that is given up half way, by a panic for one, leaves what it has.
impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.file.write_all(&self.lines);
    }
}

impl Sink {
    fn create(path: PathBuf) -> Result<Self, LogError> {
        match File::create(&path) {
            Ok(file) => Ok(Self {
                path,
                file,
                lines: Vec::new(),
            }),
            Err(source) => Err(LogError::Open { path, source }),
        }
    }
}

fn lines_of(records: &[Arc<Record>]) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in records {
        put_line(&mut lines, record);
    }
    lines
}

fn put_line(lines: &mut Vec<u8>, record: &Record) {
    serde_json::to_writer(&mut *lines, record)
        .expect("a record has no map whose keys are not strings");
    lines.push(b'\n');
}
