//! Reading raw JSON of a report: fields of a type or an error that names them, counters, and findings within a bound.

use super::{MAX_ENTRIES, MAX_FINDINGS, ReportError};
use crate::decision::{Counters, Finding};
use jiff::Timestamp;
use serde_json::Value;

/// Letters of a finding's words that are kept.
const MAX_WORDS: usize = 256;
/// Severities, the worst first.
pub(super) const SEVERITIES: [&str; 5] = ["critical", "high", "medium", "low", "unknown"];

/// A list field: empty when it is absent or null.
pub(super) fn list<'v>(value: &'v Value, field: &str, at: &str) -> Result<&'v [Value], ReportError> {
    match value.get(field) {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(items)) if items.len() <= MAX_ENTRIES => Ok(items),
        Some(Value::Array(_)) => Err(wrong(at, field, "a list that can be read: it is too long")),
        Some(_) => Err(wrong(at, field, "a list")),
    }
}

/// A string field within the bound of words, without control characters; none when absent.
pub(super) fn text(value: &Value, field: &str) -> Option<String> {
    let text = value.get(field)?.as_str()?;
    let kept: String = text
        .chars()
        .filter(|letter| !letter.is_control())
        .take(MAX_WORDS)
        .collect();
    (!kept.is_empty()).then_some(kept)
}

/// A time, by RFC 3339.
pub(super) fn time(value: &Value, field: &str) -> Option<Timestamp> {
    value.get(field)?.as_str()?.parse().ok()
}

/// A field is not what the format says.
pub(super) fn wrong(at: &str, field: &str, expected: &'static str) -> ReportError {
    let field = if at.is_empty() {
        field.to_owned()
    } else {
        format!("{at}.{field}")
    };
    ReportError::Field { field, expected }
}

/// What was found, counted as it comes.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) counters: Counters,
    findings: Vec<Finding>,
}

impl Tally {
    /// A tally with these counters at zero, and those of every severity.
    pub(super) fn new(names: &[&str]) -> Self {
        let counters = SEVERITIES
            .iter()
            .chain(names)
            .map(|name| ((*name).to_owned(), 0))
            .collect();
        Self {
            counters,
            findings: Vec::new(),
        }
    }

    /// One more of this.
    pub(super) fn count(&mut self, name: &str) {
        let counter = self.counters.entry(name.to_owned()).or_default();
        *counter = counter.saturating_add(1);
    }

    /// Keeps a finding, within four times the bound while reading.
    pub(super) fn keep(&mut self, finding: Finding) {
        self.findings.push(finding);
        if self.findings.len() >= 4 * MAX_FINDINGS {
            self.shorten();
        }
    }

    fn shorten(&mut self) {
        let rank = |finding: &Finding| {
            let severity = SEVERITIES.iter().position(|severity| *severity == finding.severity);
            (finding.suppressed, severity.unwrap_or(SEVERITIES.len()))
        };
        self.findings.sort_by(|a, b| (rank(a), a).cmp(&(rank(b), b)));
        self.findings.dedup();
        self.findings.truncate(MAX_FINDINGS);
    }

    /// The counters and the worst findings.
    pub(super) fn finish(mut self) -> (Counters, Vec<Finding>) {
        self.shorten();
        (self.counters, self.findings)
    }
}
