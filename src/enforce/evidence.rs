//! Which evidence counts: of each producer the newest. Used for deciding and for retention, so that nothing is deleted that would count.

use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};
use vouchsafe_api::{Evidence, evidence::EvidenceResult};

/// Of each producer's evidence on one subject and check the newest, and the newest conclusive; of several at one instant all, because which
/// is worse only the rule knows. Nobody can push out what another said.
pub(crate) fn newest(found: &[Arc<Evidence>]) -> Vec<&Evidence> {
    let key = |evidence: &Evidence, conclusive: bool| {
        let spec = &evidence.spec;
        let producer = spec.by.as_ref().map(|by| by.username.clone());
        (spec.subject.digest.clone(), spec.check.clone(), producer, conclusive)
    };
    let conclusive = |evidence: &Evidence| evidence.spec.result != EvidenceResult::Inconclusive;
    let mut latest = BTreeMap::new();
    for evidence in found {
        for conclusive in [false, conclusive(evidence)] {
            let at = latest
                .entry(key(evidence, conclusive))
                .or_insert_with(|| measured_at(evidence));
            *at = measured_at(evidence).max(*at);
        }
    }
    let counts = |evidence: &&Evidence| {
        let is_latest = |conclusive| latest.get(&key(evidence, conclusive)) == Some(&measured_at(evidence));
        is_latest(false) || (conclusive(evidence) && is_latest(true))
    };
    found.iter().map(AsRef::as_ref).filter(counts).collect()
}

/// When it was measured: not after it was stored, whatever it says.
fn measured_at(evidence: &Evidence) -> Timestamp {
    let stored = evidence.metadata.creation_timestamp.as_ref().map(|time| time.0);
    stored.map_or(evidence.spec.started_at, |stored| stored.min(evidence.spec.started_at))
}

#[cfg(test)]
mod tests {
    use super::newest;
    use serde_json::json;
    use std::sync::Arc;
    use vouchsafe_api::Evidence;

    fn evidence(name: &str, by: &str, started: &str, stored: &str, result: &str) -> Arc<Evidence> {
        let object = json!({
            "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Evidence",
            "metadata": {"name": name, "creationTimestamp": format!("2026-01-01T{stored}Z")},
            "spec": {
                "subject": {"kind": "Image", "digest": format!("sha256:{}", "1".repeat(64))}, "check": "scan", "format": "Normal",
                "tool": {"name": "scanner"}, "startedAt": format!("2026-01-01T{started}Z"), "result": result, "by": {"username": by},
            },
        });
        Arc::new(serde_json::from_value(object).unwrap())
    }

    #[test]
    fn of_each_producer_the_newest_stay_and_all_of_one_instant() {
        let found = [
            evidence("old", "ci", "10:00:00", "10:00:01", "Pass"),
            evidence("a", "ci", "11:00:00", "11:00:02", "Pass"),
            evidence("b", "ci", "11:00:00", "11:00:03", "Pass"),
            evidence("unsure", "ci", "12:00:00", "12:00:01", "Inconclusive"),
            evidence("other", "lab", "09:00:00", "09:00:01", "Fail"),
        ];
        let names: Vec<_> = newest(&found)
            .iter()
            .filter_map(|one| one.metadata.name.as_deref())
            .collect();
        assert_eq!(names, ["a", "b", "unsure", "other"]);
    }

    #[test]
    fn nothing_is_newer_than_when_it_was_stored() {
        let found = [
            evidence("said-to-be-of-tomorrow", "ci", "23:00:00", "10:00:00", "Pass"),
            evidence("later", "ci", "10:30:00", "10:30:01", "Pass"),
        ];
        let names: Vec<_> = newest(&found)
            .iter()
            .filter_map(|one| one.metadata.name.as_deref())
            .collect();
        assert_eq!(names, ["later"]);
    }
}
