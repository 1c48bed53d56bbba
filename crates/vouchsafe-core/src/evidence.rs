//! Reports of tools, read into one normal form.
//!
//! Takes bytes, gives a [`Report`] or says why there is none. Whatever the bytes are, reading is bounded and does not panic. A report
//! names no subject that can be trusted: whoever submits it answers for what it is about. What is absent from a report is never taken for
//! good news: a scan that looked at nothing is inconclusive.

mod read;
mod sarif;
#[cfg(test)]
mod tests;
mod trivy;

use crate::{
    decision::{Counters, EvidenceResult, Finding, Scanner},
    digest::Digest,
};
use jiff::Timestamp;
use serde_json::Value;

/// Bytes of a report. Larger ones are refused before anything is parsed.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Findings that are kept, the worst first; all are counted.
pub const MAX_FINDINGS: usize = 100;
/// Entries of one list that are read; a longer one is inconclusive.
const MAX_ENTRIES: usize = 200_000;

/// A format of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// Trivy's JSON, schema version 2.
    Trivy,
    /// SARIF 2.1.0 (OASIS).
    Sarif,
}

impl Format {
    /// The word for it, as in a Check's `formats`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trivy => "Trivy",
            Self::Sarif => "Sarif",
        }
    }
}

/// Why bytes are no report.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// More than is read.
    #[error(
        "the report has {0} bytes, at most {MAX_BYTES} are read; give the scanner's result for one image, without packages"
    )]
    TooLarge(usize),
    /// Not JSON, cut off, or nested too deeply.
    #[error("the report is not whole JSON: {0}")]
    Json(String),
    /// JSON of no known format.
    #[error("the report is of no known format; Trivy's JSON has `SchemaVersion`, SARIF has `runs`")]
    Unknown,
    /// A version that is not known.
    #[error("version {version} of {format} is not known; {known} is")]
    Version {
        /// The format.
        format: &'static str,
        /// What the report says.
        version: String,
        /// What is read.
        known: &'static str,
    },
    /// A field has another type than the format says.
    #[error("`{field}` is not {expected}")]
    Field {
        /// Where.
        field: String,
        /// What it should be.
        expected: &'static str,
    },
}

/// What a report says.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// Its format.
    pub format: Format,
    /// What made it.
    pub tool: Scanner,
    /// When measuring began, as far as the report says.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// `Pass` means measured to the end; whether what was measured is good enough is the check's policy.
    pub result: EvidenceResult,
    /// Why it is inconclusive.
    pub reason: Option<String>,
    /// Counters; those of the format are all there, zero or not.
    pub counters: Counters,
    /// The worst findings, suppressed ones last.
    pub findings: Vec<Finding>,
    /// Content digests of what the report says that it is about.
    pub subjects: Vec<Digest>,
}

/// Reads a report of this format, or of the one that it looks like.
///
/// # Errors
/// When it is too large, is not whole JSON, or not of a format and version that is known.
pub fn read(format: Option<Format>, bytes: &[u8]) -> Result<Report, ReportError> {
    if bytes.len() > MAX_BYTES {
        return Err(ReportError::TooLarge(bytes.len()));
    }
    let value: Value = serde_json::from_slice(bytes).map_err(|error| ReportError::Json(error.to_string()))?;
    match format.or_else(|| looks_like(&value)) {
        Some(Format::Trivy) => trivy::read(&value),
        Some(Format::Sarif) => sarif::read(&value),
        None => Err(ReportError::Unknown),
    }
}

fn looks_like(value: &Value) -> Option<Format> {
    if value.get("SchemaVersion").is_some() {
        Some(Format::Trivy)
    } else if value.get("runs").is_some() {
        Some(Format::Sarif)
    } else {
        None
    }
}
