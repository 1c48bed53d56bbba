//! Trivy's JSON report, schema version 2: vulnerabilities, misconfigurations, secrets, and what somebody chose to ignore.

use super::{
    Format, Report, ReportError,
    read::{SEVERITIES, Tally, list, text, time, wrong},
};
use crate::{
    decision::{EvidenceResult, Finding, Scanner},
    digest::Digest,
};
use serde_json::Value;

const COUNTERS: &[&str] = &[
    "critical_fixable",
    "high_fixable",
    "medium_fixable",
    "low_fixable",
    "unknown_fixable",
    "vulnerabilities",
    "misconfigurations",
    "secrets",
    "suppressed",
    "targets",
];

pub(super) fn read(report: &Value) -> Result<Report, ReportError> {
    match report.get("SchemaVersion").and_then(Value::as_u64) {
        Some(2) => {}
        _ => {
            return Err(ReportError::Version {
                format: "Trivy's report",
                version: report
                    .get("SchemaVersion")
                    .map_or_else(|| "(none)".to_owned(), Value::to_string),
                known: "2",
            });
        }
    }
    let mut tally = Tally::new(COUNTERS);
    for (index, result) in list(report, "Results", "")?.iter().enumerate() {
        target(result, &format!("Results[{index}]"), &mut tally)?;
    }
    let reason = unmeasured(report, &tally);
    let (counters, findings) = tally.finish();
    let created = time(report, "CreatedAt");
    Ok(Report {
        format: Format::Trivy,
        tool: Scanner {
            name: "trivy".to_owned(),
            version: report.get("Trivy").and_then(|trivy| text(trivy, "Version")),
            database_time: None,
        },
        started_at: created,
        finished_at: created,
        result: if reason.is_some() {
            EvidenceResult::Inconclusive
        } else {
            EvidenceResult::Pass
        },
        reason,
        counters,
        findings,
        subjects: subjects(report)?,
    })
}

/// An empty list of results is what Trivy writes when it knew nothing of what it saw.
fn unmeasured(report: &Value, tally: &Tally) -> Option<String> {
    if tally.counters.get("targets").copied().unwrap_or_default() == 0 {
        return Some("nothing was scanned: `Results` names no target".to_owned());
    }
    let ended = report.pointer("/Metadata/OS/EOSL").and_then(Value::as_bool) == Some(true);
    ended.then(|| "the image's distribution is past its end of life, so that vulnerabilities are not known (`Metadata.OS.EOSL`)".to_owned())
}

fn target(result: &Value, at: &str, tally: &mut Tally) -> Result<(), ReportError> {
    if !result.is_object() {
        return Err(wrong("", at, "an object"));
    }
    tally.count("targets");
    for (index, found) in list(result, "Vulnerabilities", at)?.iter().enumerate() {
        let severity = severity(found, &format!("{at}.Vulnerabilities[{index}]"))?;
        let finding = vulnerability(found, severity, false);
        tally.count("vulnerabilities");
        tally.count(severity);
        if finding.fixed_version.is_some() {
            tally.count(&format!("{severity}_fixable"));
        }
        tally.keep(finding);
    }
    for (index, found) in list(result, "Misconfigurations", at)?.iter().enumerate() {
        let severity = severity(found, &format!("{at}.Misconfigurations[{index}]"))?;
        if found.get("Status").and_then(Value::as_str) != Some("PASS") {
            tally.count("misconfigurations");
            tally.keep(named(found, "ID", severity));
        }
    }
    for (index, found) in list(result, "Secrets", at)?.iter().enumerate() {
        let severity = severity(found, &format!("{at}.Secrets[{index}]"))?;
        tally.count("secrets");
        tally.keep(named(found, "RuleID", severity));
    }
    for modified in list(result, "ExperimentalModifiedFindings", at)? {
        suppressed(modified, at, tally)?;
    }
    Ok(())
}

/// What an ignore file or a VEX document took out: counted, and shown.
fn suppressed(modified: &Value, at: &str, tally: &mut Tally) -> Result<(), ReportError> {
    let found = modified.get("Finding").unwrap_or(&Value::Null);
    let severity = severity(found, &format!("{at}.ExperimentalModifiedFindings"))?;
    tally.count("suppressed");
    tally.keep(vulnerability(found, severity, true));
    Ok(())
}

fn vulnerability(found: &Value, severity: &str, suppressed: bool) -> Finding {
    Finding {
        id: text(found, "VulnerabilityID")
            .or_else(|| text(found, "ID"))
            .unwrap_or_default(),
        severity: severity.to_owned(),
        title: text(found, "Title").unwrap_or_default(),
        package: text(found, "PkgName"),
        fixed_version: text(found, "FixedVersion"),
        suppressed,
    }
}

fn named(found: &Value, id: &str, severity: &str) -> Finding {
    Finding {
        id: text(found, id).unwrap_or_default(),
        severity: severity.to_owned(),
        title: text(found, "Title").unwrap_or_default(),
        ..Finding::default()
    }
}

/// A severity that nobody knows is `unknown`, never left out.
fn severity(found: &Value, at: &str) -> Result<&'static str, ReportError> {
    if !found.is_object() {
        return Err(wrong("", at, "an object"));
    }
    let word = found
        .get("Severity")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_ascii_lowercase();
    Ok(SEVERITIES
        .into_iter()
        .find(|severity| *severity == word)
        .unwrap_or("unknown"))
}

fn subjects(report: &Value) -> Result<Vec<Digest>, ReportError> {
    let metadata = report.get("Metadata").unwrap_or(&Value::Null);
    let named = list(metadata, "RepoDigests", "Metadata")?
        .iter()
        .filter_map(Value::as_str);
    let mut subjects: Vec<Digest> = named.filter_map(|name| name.rsplit_once('@')?.1.parse().ok()).collect();
    subjects.sort();
    subjects.dedup();
    Ok(subjects)
}
