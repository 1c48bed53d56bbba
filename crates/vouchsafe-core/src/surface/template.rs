//! Where a workload keeps its pod template.

use serde_json::Value;

/// Fields from the object to its pod template, by kind.
pub(super) fn path_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "Pod" => &[],
        "CronJob" => &["spec", "jobTemplate", "spec", "template"],
        "PodTemplate" => &["template"],
        _ => &["spec", "template"],
    }
}

/// The pod template of any kind that owns pods: an object with `metadata` and `spec`. A Pod is its own.
#[must_use]
pub fn pod_template(object: &Value) -> Option<&Value> {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default();
    let template = path_of(kind).iter().try_fold(object, |at, field| at.get(field))?;
    template.get("spec")?.is_object().then_some(template)
}
