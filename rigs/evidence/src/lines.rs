//! An evidence log that is read while it is written: one record a line, from any reader, in bounded memory.
//!
//! [`Log::load`](crate::log::Log::load) takes a log whole. What is complained about is the same.

use crate::log::LogError;
use crate::record::{Record, SCHEMA};
use std::io::{BufRead, Read as _};
use std::path::{Path, PathBuf};

/// The longest line that is read. Our choice: far above every record, provisioning files included.
const LONGEST: u64 = 16 << 20;

/// The records of a log, in their order. After an error, or the end, nothing comes any more.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    path: PathBuf,
    line: Vec<u8>,
    number: usize,
    bytes: u64,
    cut_short: bool,
    over: bool,
}

impl<R: BufRead> Lines<R> {
    /// Begins to read a log; `path` only names it in errors.
    pub fn new(reader: R, path: &Path) -> Self {
        Self {
            reader,
            path: path.to_owned(),
            line: Vec::new(),
            number: 0,
            bytes: 0,
            cut_short: false,
            over: false,
        }
    }

    /// How many bytes of the log were read so far.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Whether the log ended in the middle of a record.
    pub const fn is_cut_short(&self) -> bool {
        self.cut_short
    }

    fn read(&mut self) -> Result<Option<Record>, LogError> {
        self.line.clear();
        let mut limited = self.reader.by_ref().take(LONGEST);
        let length = limited
            .read_until(b'\n', &mut self.line)
            .map_err(|source| LogError::Open {
                path: self.path.clone(),
                source,
            })?;
        if length == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += length as u64;
        let record: Record = match serde_json::from_slice(&self.line) {
            Ok(record) => record,
            Err(_) if !self.line.ends_with(b"\n") && (length as u64) < LONGEST => {
                self.cut_short = true;
                return Ok(None);
            }
            Err(source) => {
                return Err(LogError::Malformed {
                    path: self.path.clone(),
                    line: self.number,
                    source,
                });
            }
        };
        if record.v != SCHEMA {
            return Err(LogError::Schema {
                path: self.path.clone(),
                line: self.number,
                found: record.v,
            });
        }
        let expected = self.number as u64;
        if record.seq != expected {
            return Err(LogError::Sequence {
                path: self.path.clone(),
                line: self.number,
                found: record.seq,
                expected,
            });
        }
        Ok(Some(record))
    }
}

impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Record, LogError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let next = self.read().transpose();
        self.over = !matches!(next, Some(Ok(_)));
        next
    }
}
