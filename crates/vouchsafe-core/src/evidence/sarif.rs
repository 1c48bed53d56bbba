//! SARIF 2.1.0 (OASIS): results by level and by `security-severity`, suppressions, and whether the run came to its end.

use super::{
    Format, Report, ReportError,
    read::{Tally, list, text, time, wrong},
};
use crate::decision::{EvidenceResult, Finding, Scanner};
use jiff::Timestamp;
use serde_json::Value;

const COUNTERS: &[&str] = &["error", "warning", "note", "results", "suppressed", "runs"];

/// What several runs say together.
#[derive(Default)]
struct Runs {
    tools: Vec<Scanner>,
    started: Vec<Timestamp>,
    finished: Vec<Timestamp>,
    reason: Option<String>,
}

pub(super) fn read(report: &Value) -> Result<Report, ReportError> {
    let version = report.get("version").and_then(Value::as_str).unwrap_or("(none)");
    if version != "2.1.0" {
        return Err(ReportError::Version {
            format: "SARIF",
            version: version.chars().take(32).collect(),
            known: "2.1.0",
        });
    }
    let mut tally = Tally::new(COUNTERS);
    let mut runs = Runs::default();
    for (index, run) in list(report, "runs", "")?.iter().enumerate() {
        one_run(run, &format!("runs[{index}]"), &mut tally, &mut runs)?;
    }
    let (counters, findings) = tally.finish();
    if runs.tools.is_empty() {
        runs.reason = Some("nothing was measured: `runs` is empty".to_owned());
    }
    let result = if runs.reason.is_some() {
        EvidenceResult::Inconclusive
    } else {
        EvidenceResult::Pass
    };
    Ok(Report {
        format: Format::Sarif,
        tool: runs.tools.into_iter().next().unwrap_or_default(),
        // The age of the whole is that of its oldest part.
        started_at: runs.started.into_iter().min(),
        finished_at: runs.finished.into_iter().max(),
        result,
        reason: runs.reason,
        counters,
        findings,
        subjects: Vec::new(),
    })
}

fn one_run(run: &Value, at: &str, tally: &mut Tally, runs: &mut Runs) -> Result<(), ReportError> {
    if !run.is_object() {
        return Err(wrong("", at, "an object"));
    }
    tally.count("runs");
    let driver = run.pointer("/tool/driver").unwrap_or(&Value::Null);
    runs.tools.push(Scanner {
        name: text(driver, "name").unwrap_or_else(|| "unnamed".to_owned()),
        version: text(driver, "semanticVersion").or_else(|| text(driver, "version")),
        database_time: None,
    });
    if run.get("results").is_none_or(Value::is_null) {
        runs.reason
            .get_or_insert_with(|| format!("{at} has no `results`: the run did not get to them"));
    }
    for (index, invocation) in list(run, "invocations", at)?.iter().enumerate() {
        runs.started.extend(time(invocation, "startTimeUtc"));
        runs.finished.extend(time(invocation, "endTimeUtc"));
        if invocation.get("executionSuccessful").and_then(Value::as_bool) != Some(true) {
            let words = format!("{at}.invocations[{index}] did not succeed (`executionSuccessful`)");
            runs.reason.get_or_insert(words);
        }
    }
    for (index, result) in list(run, "results", at)?.iter().enumerate() {
        one_result(run, result, &format!("{at}.results[{index}]"), tally)?;
    }
    Ok(())
}

fn one_result(run: &Value, result: &Value, at: &str, tally: &mut Tally) -> Result<(), ReportError> {
    if !result.is_object() {
        return Err(wrong("", at, "an object"));
    }
    let rule = rule(run, result);
    let Some(level) = level(result, rule) else {
        return Ok(());
    };
    let suppressed = is_suppressed(result, at)?;
    let severity = security_severity(result, rule).unwrap_or(match level {
        "error" => "high",
        "warning" => "medium",
        _ => "low",
    });
    tally.count("results");
    if suppressed {
        tally.count("suppressed");
    } else {
        tally.count(level);
        tally.count(severity);
    }
    let id = text(result, "ruleId").or_else(|| rule.and_then(|rule| text(rule, "id")));
    tally.keep(Finding {
        id: id.unwrap_or_default(),
        severity: severity.to_owned(),
        title: result
            .get("message")
            .and_then(|message| text(message, "text"))
            .unwrap_or_default(),
        suppressed,
        ..Finding::default()
    });
    Ok(())
}

/// The rule that a result is of: by index, or by id.
fn rule<'r>(run: &'r Value, result: &Value) -> Option<&'r Value> {
    let rules = run.pointer("/tool/driver/rules")?.as_array()?;
    let index = result
        .get("ruleIndex")
        .or_else(|| result.pointer("/rule/index"))
        .and_then(Value::as_u64);
    let by_index = index.and_then(|index| rules.get(usize::try_from(index).ok()?));
    let id = result.get("ruleId").or_else(|| result.pointer("/rule/id"));
    by_index.or_else(|| rules.iter().find(|rule| id.is_some() && rule.get("id") == id))
}

/// As the standard says (3.27.10): the result's own, or the rule's, or `warning`; none for what is no finding.
fn level(result: &Value, rule: Option<&Value>) -> Option<&'static str> {
    let kind = result.get("kind").and_then(Value::as_str).unwrap_or("fail");
    if matches!(kind, "pass" | "notApplicable" | "informational") {
        return None;
    }
    let own = result.get("level").and_then(Value::as_str);
    let default = rule.and_then(|rule| rule.pointer("/defaultConfiguration/level")?.as_str());
    match own.or(default).unwrap_or("warning") {
        "none" if kind == "fail" => None,
        "note" => Some("note"),
        "error" => Some("error"),
        // `open` and `review` are not decided, and an unknown level is not passed over.
        _ => Some("warning"),
    }
}

/// A number in a string, from 0 to 10, by the bounds of CVSS.
fn security_severity(result: &Value, rule: Option<&Value>) -> Option<&'static str> {
    let of = |value: &Value| {
        let property = value.pointer("/properties/security-severity")?;
        property.as_f64().or_else(|| property.as_str()?.trim().parse().ok())
    };
    let score = of(result)
        .or_else(|| rule.and_then(of))
        .filter(|score: &f64| score.is_finite())?;
    Some(match score {
        score if score >= 9.0 => "critical",
        score if score >= 7.0 => "high",
        score if score >= 4.0 => "medium",
        _ => "low",
    })
}

/// Suppressed when every suppression was accepted (3.27.23); one that is under review or was rejected suppresses nothing.
fn is_suppressed(result: &Value, at: &str) -> Result<bool, ReportError> {
    let suppressions = list(result, "suppressions", at)?;
    let accepted = |suppression: &Value| {
        let status = suppression.get("status").or_else(|| suppression.get("state"));
        status.is_none_or(|status| status.as_str() == Some("accepted"))
    };
    Ok(!suppressions.is_empty() && suppressions.iter().all(accepted))
}
