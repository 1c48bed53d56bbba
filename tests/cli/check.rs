//! `check`: the decision of the gate in a pipeline, and its exit codes.

use crate::program::{folder, run, run_with};
use serde_json::Value;

const POLICY: [&str; 2] = ["--policy", "policies"];

fn check(place: &str, environment: &str, more: &[&str], input: &str) -> crate::program::Ran {
    let line = ["check", "-f", place, "--environment", environment, POLICY[0], POLICY[1]];
    run_with(&[&line, more].concat(), input)
}

/// Evidence about a release, in a file.
fn evidence(release: &str, result: &str, passed: u32) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let evidence = serde_json::json!({
        "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Evidence", "metadata": {"name": "red-team-1"},
        "spec": {
            "subject": {"kind": "Release", "digest": release}, "check": "red-team", "format": "Normal",
            "tool": {"name": "garak", "version": "0.14"}, "startedAt": "2026-01-05T08:00:00Z",
            "result": result, "counters": {"passed": passed, "total": 100},
        },
    });
    std::fs::write(folder.path().join("red-team.json"), evidence.to_string()).unwrap();
    folder
}

fn release() -> String {
    let read: Value = serde_json::from_str(&run(&["digest", "-f", "pinned", "-o", "json"]).out).unwrap();
    read["agents"][0]["release"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_missing_is_said() {
    let ran = check("pinned", "prod", &[], "");
    insta::assert_snapshot!("missing", ran.all());
    assert_eq!(ran.code, 1);
}

#[test]
fn evidence_is_all_that_a_machine_can_give() {
    for (result, passed, machine, cleared) in [
        ("Pass", 95, 0, 1),
        ("Pass", 50, 1, 1),
        ("Fail", 95, 1, 1),
        ("Inconclusive", 95, 1, 1),
    ] {
        let given = evidence(&release(), result, passed);
        let place = given.path().to_str().unwrap();
        let ran = check("pinned", "prod", &["--evidence", place], "");
        assert_eq!(ran.code, machine, "{result} {passed}: {}{}", ran.out, ran.err);
        let ran = check("pinned", "prod", &["--evidence", place, "--require", "cleared"], "");
        assert_eq!(ran.code, cleared, "{result} {passed}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn evidence_of_another_release_is_none() {
    let other = format!("v1:sha256:{}", "0".repeat(64));
    let given = evidence(&other, "Pass", 100);
    let ran = check("pinned", "prod", &["--evidence", given.path().to_str().unwrap()], "");
    assert_eq!(ran.code, 1);
    assert!(
        ran.out.contains("Pending red-team: there is no evidence yet"),
        "{}",
        ran.out
    );
}

#[test]
fn an_environment_that_requires_nothing_clears_at_once() {
    let ran = check("pinned", "dev", &["--require", "cleared"], "");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    insta::assert_snapshot!("cleared", ran.all());
}

#[test]
fn what_cannot_be_cleared_anywhere_is_missing_everywhere() {
    let ran = check("refund", "dev", &[], "");
    insta::assert_snapshot!("blocked", ran.all());
    assert_eq!(ran.code, 1);
}

#[test]
fn a_policy_that_refuses_is_not_a_policy_that_waits() {
    let text = std::fs::read_to_string(folder().join("pinned/all.yaml")).unwrap();
    let ran = check(
        "-",
        "prod",
        &[],
        &text.replace("requiresApproval: true", "requiresApproval: false"),
    );
    assert_eq!(ran.code, 1);
    assert!(
        ran.out
            .contains("Fail writes-confirmed: a tool changes something without a person's word"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("Refused: writes-confirmed, red-team."), "{}", ran.out);
}

#[test]
fn a_check_that_is_not_there_passes_nothing() {
    let ran = check("pinned", "broken", &[], "");
    assert_eq!(ran.code, 1);
    assert!(
        ran.out
            .contains("Inconclusive not-there: there is no Check `not-there`"),
        "{}",
        ran.out
    );
}

#[test]
fn machines_read_json_and_sarif() {
    let json: Value = serde_json::from_str(&check("pinned", "prod", &["-o", "json"], "").out).unwrap();
    assert_eq!(json["good"], false);
    assert_eq!(json["agents"][0]["missing"], serde_json::json!(["red-team"]));
    assert_eq!(json["agents"][0]["decision"]["verdict"], "Waiting");
    let ran = check("refund", "prod", &["-o", "sarif"], "");
    assert_eq!(ran.code, 1);
    let mut sarif: Value = serde_json::from_str(&ran.out).unwrap();
    sarif["runs"][0]["tool"]["driver"]["version"] = "(version)".into();
    insta::assert_snapshot!("sarif", serde_json::to_string_pretty(&sarif).unwrap());
}

#[test]
fn input_that_cannot_be_used_ends_with_2() {
    for (name, line) in [
        (
            "no_environment",
            &[
                "check",
                "-f",
                "pinned",
                "--environment",
                "nowhere",
                "--policy",
                "policies",
            ][..],
        ),
        ("no_policy", &["check", "-f", "pinned", "--environment", "prod"][..]),
        (
            "no_evidence",
            &[
                "check",
                "-f",
                "pinned",
                "--environment",
                "prod",
                "--policy",
                "policies",
                "--evidence",
                "not-there",
            ][..],
        ),
    ] {
        let ran = run(line);
        assert_eq!(ran.code, 2, "{name}: {}", ran.all());
        insta::assert_snapshot!(name, ran.all());
    }
}
