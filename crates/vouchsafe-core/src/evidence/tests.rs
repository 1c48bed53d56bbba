//! Reports of real tools' shapes, and what is no report.

use super::*;
use proptest::prelude::*;
use serde_json::json;

const TRIVY: &[u8] = include_bytes!("../../../../examples/refund-triage/reports/trivy.json");
const CRITICAL: &[u8] = include_bytes!("../../../../examples/refund-triage/reports/trivy-critical.json");
const SARIF: &[u8] = include_bytes!("../../../../examples/refund-triage/reports/behaviour.sarif");
const SARIF_ERROR: &[u8] = include_bytes!("../../../../examples/refund-triage/reports/behaviour-error.sarif");

fn counter(report: &Report, name: &str) -> i64 {
    report
        .counters
        .get(name)
        .copied()
        .unwrap_or_else(|| panic!("no counter {name}"))
}

fn of(value: &Value) -> Result<Report, ReportError> {
    read(None, value.to_string().as_bytes())
}

#[test]
fn the_example_s_reports_are_read() {
    let clean = read(None, TRIVY).unwrap();
    assert_eq!((clean.format, clean.result), (Format::Trivy, EvidenceResult::Pass));
    assert_eq!((counter(&clean, "critical"), clean.subjects.len()), (0, 1));
    assert!(counter(&clean, "targets") > 0 && clean.started_at.is_some());
    let bad = read(Some(Format::Trivy), CRITICAL).unwrap();
    assert!(counter(&bad, "critical") > 0);
    assert_eq!(
        bad.findings.first().map(|finding| finding.severity.as_str()),
        Some("critical")
    );
    let sarif = read(None, SARIF).unwrap();
    assert_eq!((sarif.format, sarif.result), (Format::Sarif, EvidenceResult::Pass));
    assert_eq!(counter(&sarif, "error"), 0);
    assert!(counter(&read(None, SARIF_ERROR).unwrap(), "error") > 0);
}

#[test]
fn a_scan_of_nothing_is_inconclusive() {
    for (report, words) in [
        (json!({"SchemaVersion": 2}), "nothing was scanned"),
        (json!({"SchemaVersion": 2, "Results": []}), "nothing was scanned"),
        (json!({"SchemaVersion": 2, "Results": null}), "nothing was scanned"),
        (
            json!({"SchemaVersion": 2, "Metadata": {"OS": {"EOSL": true}}, "Results": [{"Target": "a"}]}),
            "past its end of life",
        ),
        (json!({"version": "2.1.0", "runs": []}), "`runs` is empty"),
        (
            json!({"version": "2.1.0", "runs": [{"tool": {}}]}),
            "runs[0] has no `results`",
        ),
        (
            json!({"version": "2.1.0", "runs": [{"results": [], "invocations": [{"executionSuccessful": false}]}]}),
            "runs[0].invocations[0] did not succeed",
        ),
        (
            json!({"version": "2.1.0", "runs": [{"results": [], "invocations": [{}]}]}),
            "runs[0].invocations[0] did not succeed",
        ),
    ] {
        let read = of(&report).unwrap();
        assert_eq!(read.result, EvidenceResult::Inconclusive, "{report}");
        assert!(
            read.reason.as_deref().unwrap_or_default().contains(words),
            "{report}: {:?}",
            read.reason
        );
    }
}

#[test]
fn what_is_no_report_says_why() {
    let deep = "[".repeat(100_000);
    for (bytes, words) in [
        (b"".to_vec(), "not whole JSON"),
        (
            TRIVY.get(..TRIVY.len() / 2).unwrap_or_default().to_vec(),
            "not whole JSON",
        ),
        (deep.into_bytes(), "not whole JSON"),
        (b"{}".to_vec(), "no known format"),
        (b"[]".to_vec(), "no known format"),
        (
            br#"{"SchemaVersion": 3}"#.to_vec(),
            "version 3 of Trivy's report is not known; 2 is",
        ),
        (
            br#"{"version": "2.0.0", "runs": []}"#.to_vec(),
            "version 2.0.0 of SARIF is not known; 2.1.0 is",
        ),
        (
            br#"{"SchemaVersion": 2, "Results": {}}"#.to_vec(),
            "`Results` is not a list",
        ),
        (
            br#"{"SchemaVersion": 2, "Results": [{"Vulnerabilities": [1]}]}"#.to_vec(),
            "`Results[0].Vulnerabilities[0]` is not an object",
        ),
        (vec![b' '; MAX_BYTES + 1], "at most 16777216 are read"),
    ] {
        let error = read(None, &bytes).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_was_suppressed_is_counted_and_shown() {
    let trivy = json!({"SchemaVersion": 2, "Results": [{"Target": "a", "ExperimentalModifiedFindings": [
        {"Status": "ignored", "Finding": {"VulnerabilityID": "CVE-1", "Severity": "CRITICAL"}}]}]});
    let read = of(&trivy).unwrap();
    assert_eq!((counter(&read, "critical"), counter(&read, "suppressed")), (0, 1));
    assert!(
        read.findings
            .iter()
            .any(|finding| finding.suppressed && finding.id == "CVE-1")
    );
    let sarif = |suppressions: Value| {
        json!({"version": "2.1.0", "runs": [{"results": [
            {"ruleId": "r", "level": "error", "message": {"text": "m"}, "suppressions": suppressions}]}]})
    };
    for (suppressions, errors) in [
        (json!([]), 1),
        (json!([{"kind": "inSource"}]), 0),
        (json!([{"kind": "external", "status": "accepted"}]), 0),
        (json!([{"kind": "external", "status": "underReview"}]), 1),
        (
            json!([{"kind": "external", "status": "accepted"}, {"kind": "external", "status": "rejected"}]),
            1,
        ),
    ] {
        assert_eq!(
            counter(&of(&sarif(suppressions.clone())).unwrap(), "error"),
            errors,
            "{suppressions}"
        );
    }
}

#[test]
fn levels_and_severities_of_sarif_are_as_the_standard_says() {
    let run = |result: Value| {
        json!({"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "t", "rules": [
            {"id": "noted", "defaultConfiguration": {"level": "note"}},
            {"id": "severe", "properties": {"security-severity": "9.1"}}]}}, "results": [result]}]})
    };
    for (result, name) in [
        (json!({"ruleId": "noted"}), "note"),
        (json!({"ruleIndex": 0, "level": "error"}), "error"),
        (json!({"ruleId": "other"}), "warning"),
        (json!({"ruleId": "severe"}), "critical"),
        (json!({"ruleId": "x", "level": "error"}), "high"),
        (json!({"kind": "review"}), "warning"),
        (json!({"level": "loud"}), "warning"),
    ] {
        assert_eq!(counter(&of(&run(result.clone())).unwrap(), name), 1, "{result}: {name}");
    }
    for quiet in [
        json!({"kind": "pass", "level": "none"}),
        json!({"level": "none"}),
        json!({"kind": "notApplicable"}),
    ] {
        assert_eq!(counter(&of(&run(quiet.clone())).unwrap(), "results"), 0, "{quiet}");
    }
}

#[test]
fn many_findings_are_counted_and_the_worst_are_kept() {
    let found = |index: usize, severity: &str| json!({"VulnerabilityID": format!("CVE-{index}"), "Severity": severity, "FixedVersion": "2"});
    let mut all: Vec<_> = (0..1000).map(|index| found(index, "LOW")).collect();
    all.push(found(1000, "CRITICAL"));
    let read = of(&json!({"SchemaVersion": 2, "Results": [{"Target": "a", "Vulnerabilities": all}]})).unwrap();
    assert_eq!(
        (
            counter(&read, "low"),
            counter(&read, "critical_fixable"),
            read.findings.len()
        ),
        (1000, 1, MAX_FINDINGS)
    );
    assert_eq!(
        read.findings.first().map(|finding| finding.id.as_str()),
        Some("CVE-1000")
    );
}

proptest! {
    /// Whatever is changed in a report, reading it does not panic, and a report that is cut off is never read.
    #[test]
    fn damaged_reports_do_not_panic(at in 0..TRIVY.len(), byte: u8, cut in 1..TRIVY.len()) {
        for whole in [TRIVY, SARIF] {
            let mut damaged = whole.to_vec();
            let place = at % damaged.len();
            damaged[place] = byte;
            let _ = read(None, &damaged);
            let end = (cut % whole.len()).min(whole.trim_ascii_end().len() - 1);
            prop_assert!(read(None, &whole[..end]).is_err());
        }
    }
}
