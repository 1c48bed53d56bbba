use super::*;
use crate::{
    lower,
    promotion::{PromotionSpec, status::PromotionStatus},
};
use serde_json::{Value, json};
use vouchsafe_core::{
    decision::Decision,
    digest::Digest,
    surface::{Component, Facet, Resolution, Surface},
};

const RELEASE: &str = "v1:sha256:1111111111111111111111111111111122222222222222222222222222222222";

fn decided(changes: &Value) -> Decision {
    let mut decision = json!({
        "verdict": "AwaitingApproval", "waitingFor": {"machines": ["image-scanned"], "people": ["product", "security"]},
        "checks": [{"check": "image-scanned", "outcome": "Pending", "reason": "EvidenceMissing", "message": "none yet",
            "evidence": ["a/b", "a/b"], "missing": [{"subject": "Image", "name": "server/agent", "digest": RELEASE.replace("v1:", "")}], "expiresAt": null}],
        "approvals": [{"role": "security", "have": 0, "need": 1, "by": [], "rejectedBy": [], "notCounted": ["bob: author"], "contact": "#sec"}],
        "after": [{"environment": "staging", "satisfied": true, "message": "soaked", "satisfiedAt": null}],
        "waivers": [{"waiver": "w", "active": false, "message": "expired", "notAfter": "2026-05-01T10:00:00Z"}],
        "term": {"clearedAt": "2026-05-01T10:00:00Z", "renewedAt": "2026-05-01T10:30:00Z", "notAfter": "2026-05-01T20:00:00Z", "afterWaived": false},
        "failingSince": "2026-05-01T11:00:00Z", "evict": false, "grandfathered": true, "breakGlassUnreviewed": true,
        "seen": {
            "rejects": [{"id": "p/r", "release": RELEASE, "environment": "prod", "role": "security", "scope": "Namespace", "vote": "Reject",
                "waiver": null, "by": {"username": "bob", "groups": []}, "at": "2026-05-01T09:00:00Z"}],
            "failures": [{"id": "p/e", "check": "image-scanned", "digest": RELEASE.replace("v1:", ""), "producer": "ci",
                "startedAt": "2026-05-01T08:00:00Z", "message": "critical"}],
        },
        "nextReviewAt": "2026-05-01T12:00:00Z", "policyDigest": RELEASE.replace("v1:", ""),
    });
    decision
        .as_object_mut()
        .unwrap()
        .extend(changes.as_object().unwrap().clone());
    serde_json::from_value(decision).unwrap()
}

#[test]
fn a_decision_is_stored() {
    let previous = PromotionStatus {
        observed_generation: 1,
        author: vec!["dana".to_owned()],
        ..PromotionStatus::default()
    };
    insta::assert_yaml_snapshot!(decision(&decided(&json!({})), &previous));
}

#[test]
fn what_is_stored_is_read_back() {
    let decided = decided(&json!({}));
    let stored = decision(&decided, &PromotionStatus::default());
    let read: PromotionStatus = serde_json::from_value(serde_json::to_value(&stored).unwrap()).unwrap();
    assert_eq!(read, stored);
    assert_eq!(lower::seen(&read), decided.seen);
    let past = lower::past(&read);
    let term = decided.term.unwrap();
    assert_eq!(
        (past.cleared_at, past.not_after),
        (Some(term.cleared_at), Some(term.not_after))
    );
    assert_eq!(
        (past.failing_since, past.renewed_at, past.grandfathered),
        (decided.failing_since, Some(term.renewed_at), true)
    );
}

#[test]
fn whoever_has_to_act_is_said_in_one_line() {
    let line = |machines: &[&str], people: &[&str]| {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        waiting_for(&vouchsafe_core::decision::WaitingFor {
            machines: names(machines),
            people: names(people),
        })
    };
    assert_eq!(line(&[], &[]), None);
    assert_eq!(
        line(&["image-scanned"], &["security"]).unwrap(),
        "image-scanned, approval by security"
    );
    assert_eq!(line(&["x".repeat(400).as_str()], &[]).unwrap().chars().count(), 300);
}

#[test]
fn texts_are_cut_at_letters() {
    assert_eq!(
        (cut("äöü", 3).as_str(), cut("äöüß", 3).as_str(), cut("", 3).as_str()),
        ("äöü", "äö…", "")
    );
    let texts = [
        "a".to_owned(),
        "a".to_owned(),
        "bcd".to_owned(),
        "bce".to_owned(),
        "f".to_owned(),
    ];
    assert_eq!(cut_all(&texts, 2, 2), ["a", "b…"]);
}

#[test]
fn a_surface_survives_its_promotion() {
    let value = json!({"effect": "Read", "list": [1, {"null": null}]});
    let component = Component {
        facet: Facet::Tool,
        name: "refund.create".to_owned(),
        digest: Digest::of_json(&value),
        resolution: Resolution::Declared,
        value: Some(value),
        summary: Some("a tool".to_owned()),
    };
    let original = Surface::from_claim(vec![component]).unwrap();
    let mut spec = PromotionSpec {
        agent: "refund".to_owned(),
        release: original.digest(),
        environment: "prod".to_owned(),
        surface: surface(&original),
        requested_by: None,
    };
    let stored: PromotionSpec = serde_json::from_value(serde_json::to_value(&spec).unwrap()).unwrap();
    assert_eq!(lower::promotion(&stored), Ok(original.clone()));
    spec.release = RELEASE.parse().unwrap();
    assert_eq!(
        lower::promotion(&spec),
        Err(lower::ReleaseError::Digest {
            claimed: spec.release,
            actual: original.digest()
        })
    );
    spec.surface.components[0].value = Some(json!({"effect": "Write"}));
    assert_eq!(
        lower::promotion(&spec).unwrap_err(),
        vouchsafe_core::surface::ClaimError::ValueDigest(Facet::Tool, "refund.create".to_owned()).into()
    );
}

#[test]
fn findings_are_stored_with_known_words() {
    for (said, stored) in [
        ("critical", "Critical"),
        ("high", "High"),
        ("medium", "Medium"),
        ("low", "Low"),
        ("negligible", "Unknown"),
    ] {
        let core = vouchsafe_core::decision::Finding {
            id: "CVE-1".to_owned(),
            severity: said.to_owned(),
            ..Default::default()
        };
        assert_eq!(finding(&core).severity.as_str(), stored);
    }
}
