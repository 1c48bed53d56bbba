use super::*;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const RELEASE: &str = "v1:sha256:1111111111111111111111111111111122222222222222222222222222222222";

fn object<K: DeserializeOwned>(kind: &str, spec: &Value) -> K {
    serde_json::from_value(json!({
        "apiVersion": "vouchsafe.dev/v1alpha1",
        "kind": kind,
        "metadata": {"name": "it", "namespace": "support-prod", "creationTimestamp": "2026-05-01T10:00:00Z"},
        "spec": spec,
    }))
    .unwrap()
}

fn by() -> Value {
    json!({"username": "alice", "uid": "7", "groups": ["b", "a"]})
}

fn evidence_of(kind: &str, digest: &str) -> Evidence {
    let spec = json!({
        "subject": {"kind": kind, "digest": digest}, "check": "image-scanned", "format": "Trivy",
        "tool": {"name": "trivy", "version": "0.60.0", "databaseTime": "2026-05-01T06:00:00Z"},
        "startedAt": "2026-05-01T09:00:00Z", "finishedAt": "2026-05-01T09:01:00Z", "result": "Fail", "reason": "why",
        "counters": {"critical": 1},
        "findings": [{"id": "CVE-1", "severity": "Critical", "title": "t", "package": "p", "fixedVersion": "2", "suppressed": true}],
        "report": {"digest": digest.trim_start_matches("v1:"), "uri": "https://reports.example/1", "size": 5},
        "by": by(),
    });
    object("Evidence", &spec)
}

fn approval_by(by: &Value) -> Approval {
    let spec = json!({
        "promotion": "refund-11111111111111111111111111111111", "release": RELEASE, "environment": "prod", "role": "security",
        "scope": "Environment", "decision": "Reject", "waiver": "w", "reason": "r", "by": by,
    });
    object("Approval", &spec)
}

#[test]
fn evidence_is_a_fact() {
    insta::assert_yaml_snapshot!(evidence(&evidence_of("Image", RELEASE.trim_start_matches("v1:"))).unwrap());
}

#[test]
fn a_release_is_known_by_its_digest_without_version() {
    let fact = evidence(&evidence_of("Release", RELEASE)).unwrap();
    assert_eq!(format!("v1:{}", fact.digest), RELEASE);
}

#[test]
fn evidence_about_no_digest_is_no_fact() {
    for (kind, digest, message) in [
        (
            "Image",
            RELEASE.to_owned(),
            format!("`{RELEASE}` does not start with `sha256:`"),
        ),
        (
            "Release",
            RELEASE.replace("v1:", ""),
            format!("`{}` does not start with `v1:`", RELEASE.replace("v1:", "")),
        ),
    ] {
        let problem = evidence(&evidence_of(kind, &digest)).unwrap_err();
        assert_eq!(
            problem,
            FactProblem {
                object: "Evidence/it".to_owned(),
                message,
                check: Some("image-scanned".to_owned())
            }
        );
    }
}

#[test]
fn an_approval_is_a_fact() {
    insta::assert_yaml_snapshot!(approval(&approval_by(&by())).unwrap());
}

#[test]
fn a_waiver_is_a_fact() {
    let spec = json!({
        "promotion": "refund-11111111111111111111111111111111", "release": RELEASE, "environment": "prod", "checks": ["b", "a"],
        "breakGlass": false, "reason": "the scanner is down", "ticket": "OPS-1", "notAfter": "2026-05-02T00:00:00Z", "by": by(),
    });
    insta::assert_yaml_snapshot!(waiver(&object("Waiver", &spec)).unwrap());
}

#[test]
fn what_is_not_stamped_is_no_fact() {
    for by in [json!(null), json!({}), json!({"username": ""})] {
        let problem = approval(&approval_by(&by)).unwrap_err();
        assert_eq!(
            problem.message, "the API server has not stamped who made it (spec.by)",
            "{by}"
        );
        assert_eq!((problem.object.as_str(), problem.check), ("Approval/it", None));
    }
}

#[test]
fn what_is_not_dated_is_no_fact() {
    let mut undated = approval_by(&by());
    undated.metadata.creation_timestamp = None;
    assert_eq!(approval(&undated).unwrap_err().message, "it has no creationTimestamp");
}
