//! Reports: what the evidence of a run says, for a person, a CI server, and Wireshark.
//!
//! Everything here is a fold over the evidence: nothing is told by the runner, and any report can be written again from
//! a run's folder. A report that cannot be written does not silence the others.

pub mod console;
pub mod fold;
mod folder;
pub mod html;
pub mod index;
pub mod junit;
pub mod ladder;
mod view;

use evidence::capture;
use fold::Run;
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
    /// The HTML page cannot be filled in.
    #[error("cannot write the HTML report")]
    Html(#[from] minijinja::Error),
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

/// Writes every report of a run into its folder. One that fails does not stop the others.
#[must_use]
pub fn write_all(run: &Run) -> Vec<ReportError> {
    let mut errors = Vec::new();
    for case in &run.cases {
        if let Err(error) = write_capture(run, case) {
            errors.push(error);
        }
    }
    let junit = junit::write(run).map_err(ReportError::from);
    let junit = junit.and_then(|text| write(run, Path::new("junit.xml"), text.as_bytes()));
    let html = html::write(run).map_err(ReportError::from);
    let html = html.and_then(|text| write(run, Path::new("report.html"), text.as_bytes()));
    errors.extend([junit, html].into_iter().filter_map(Result::err));
    errors
}

fn write_capture(run: &Run, case: &fold::Case) -> Result<(), ReportError> {
    if case.records.is_empty() {
        return Ok(());
    }
    let bytes = capture::to_pcapng(&case.records).map_err(|source| ReportError::Capture {
        case: case.entry.id.to_string(),
        source,
    })?;
    write(run, &case.entry.capture(), &bytes)
}

fn write(run: &Run, place: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    folder::write(&run.folder, place, bytes).map_err(|source| ReportError::Write {
        path: run.folder.join(place),
        source,
    })
}
