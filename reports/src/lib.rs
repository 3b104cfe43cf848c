//! Reports: what the evidence of a run says, for a person, a CI server, and Wireshark.
//!
//! Everything here is a fold over the evidence: nothing is told by the runner, and any report can be written again from
//! a run's folder. A report that cannot be written does not silence the others.

pub mod console;
mod cores;
pub mod fold;
mod folder;
pub mod html;
pub mod index;
pub mod junit;
pub mod ladder;
mod packed;
pub mod run;
pub mod sheet;
mod template;
mod view;

use evidence::capture;
use run::Run;
use std::path::{Path, PathBuf};

/// Why a report was not written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A file cannot be written.
    #[error("cannot write {path}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The JUnit file cannot be made.
    #[error("cannot write the JUnit report")]
    Junit(#[from] quick_junit::SerializeError),
    /// A capture cannot be made.
    #[error("cannot write the capture of {case}")]
    Capture {
        /// The case.
        case: String,
        /// Why.
        #[source]
        source: capture::CaptureError,
    },
}

/// A name for a run's folder that sorts by time: `20260131-130509` in UTC.
#[must_use]
pub fn folder_name(seconds: u64) -> String {
    view::moment(seconds, "%Y%m%d-%H%M%S")
}

/// Writes the reports of a run into its folder: the captures are there already, see [`sheet::Sheet::with_capture`]. One
/// that fails does not stop the others; gives what failed, with the captures that could not be written.
#[must_use]
pub fn write_all(run: &mut Run) -> Vec<ReportError> {
    let mut errors = run.take_errors();
    let place = Path::new("junit.xml");
    let junit = junit::write(run).map_err(ReportError::from);
    let junit = junit.and_then(|text| {
        let written = folder::write(&run.folder, place, text.as_bytes());
        written.map_err(|source| unwritable(&run.folder, place, source))
    });
    let place = Path::new("report.html");
    let html = folder::write_with(&run.folder, place, |out| html::write(run, out))
        .map_err(|source| unwritable(&run.folder, place, source));
    errors.extend([junit, html].into_iter().filter_map(Result::err));
    errors
}

fn write_capture(folder: &Path, case: &fold::Case) -> Result<(), ReportError> {
    if case.records.is_empty() {
        return Ok(());
    }
    let bytes = capture::to_pcapng(&case.records).map_err(|source| ReportError::Capture {
        case: case.entry.id.to_string(),
        source,
    })?;
    let place = case.entry.capture();
    folder::write_if_new(folder, &place, &bytes)
        .map_err(|source| unwritable(folder, &place, source))
}

fn unwritable(folder: &Path, place: &Path, source: std::io::Error) -> ReportError {
    let path = folder.join(place);
    ReportError::Write { path, source }
}
