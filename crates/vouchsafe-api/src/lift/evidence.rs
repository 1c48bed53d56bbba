//! A report's findings, as stored in Evidence.

use super::cut;
use crate::evidence::{Finding, FindingSeverity};
use vouchsafe_core::decision;

/// One finding; a severity that is no known word is `Unknown`.
#[must_use]
pub fn finding(finding: &decision::Finding) -> Finding {
    let decision::Finding {
        id,
        severity,
        title,
        package,
        fixed_version,
        suppressed,
    } = finding;
    Finding {
        id: cut(id, 253),
        severity: match severity.as_str() {
            "critical" => FindingSeverity::Critical,
            "high" => FindingSeverity::High,
            "medium" => FindingSeverity::Medium,
            "low" => FindingSeverity::Low,
            _ => FindingSeverity::Unknown,
        },
        title: cut(title, 512),
        package: package.as_ref().map(|package| cut(package, 512)),
        fixed_version: fixed_version.as_ref().map(|version| cut(version, 253)),
        suppressed: *suppressed,
    }
}
