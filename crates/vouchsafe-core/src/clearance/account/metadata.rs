//! Labels and annotations that a pod's containers read: those of the template, and those that controllers write, with values that only
//! controllers write.
//!
//! The digest does not know the values of the latter, so that free text there would pass for it.

use super::Difference;
use crate::clearance::refers;
use serde_json::Value;
use std::collections::BTreeSet;

/// What a controller writes under a label.
#[derive(Clone, Copy)]
enum Shape {
    /// A decimal number.
    Number,
    /// A short hash; after the owner's name, or alone.
    Hash,
    /// The pod's name.
    PodName,
    /// The owner's name.
    OwnerName,
    /// The owner's uid.
    OwnerUid,
}

/// Labels, as `labels/<key>`, and annotations that controllers write.
const GENERATED: &[(&str, Shape)] = &[
    ("annotations/batch.kubernetes.io/job-completion-index", Shape::Number),
    ("labels/apps.kubernetes.io/pod-index", Shape::Number),
    ("labels/batch.kubernetes.io/controller-uid", Shape::OwnerUid),
    ("labels/batch.kubernetes.io/job-completion-index", Shape::Number),
    ("labels/batch.kubernetes.io/job-name", Shape::OwnerName),
    ("labels/controller-revision-hash", Shape::Hash),
    ("labels/controller-uid", Shape::OwnerUid),
    ("labels/job-name", Shape::OwnerName),
    ("labels/pod-template-generation", Shape::Number),
    ("labels/pod-template-hash", Shape::Hash),
    ("labels/statefulset.kubernetes.io/pod-name", Shape::PodName),
];

/// Adds what the pod's spec reads and nothing explains. A pod by itself is its own template.
pub(super) fn check(template: &Value, pod: &Value, workload: &Value, all: &mut Vec<Difference>) {
    let refers = refers::find(pod.get("spec").unwrap_or(&Value::Null));
    for field in ["annotations", "labels"] {
        let whole = refers.contains(field);
        let mut keys = BTreeSet::new();
        for object in [template, pod] {
            keys.extend(entries(object, field).map(|(key, _)| key));
        }
        for key in keys {
            let label = format!("{field}/{key}");
            if (whole || refers.contains(&label)) && !explained(&label, field, key, template, pod, workload) {
                let shown =
                    |object| value(object, field, key).map_or_else(|| "nothing".to_owned(), |text| format!("`{text}`"));
                all.push(Difference {
                    field: format!("metadata.{field}['{key}']"),
                    message: format!(
                        "a container reads it; the template has {}, the pod {}",
                        shown(template),
                        shown(pod)
                    ),
                });
            }
        }
    }
}

fn explained(label: &str, field: &str, key: &str, template: &Value, pod: &Value, workload: &Value) -> bool {
    let (expected, found) = (value(template, field, key), value(pod, field, key));
    let generated = GENERATED.iter().find(|(name, _)| *name == label);
    match (generated, found) {
        (None, Some("true")) if label == refers::HELD => true,
        (None, _) => expected == found,
        (Some(_), None) => true,
        (Some((_, shape)), Some(text)) => fits(*shape, text, pod, workload),
    }
}

fn fits(shape: Shape, text: &str, pod: &Value, workload: &Value) -> bool {
    let name = |object: &Value| {
        object
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    let owner = |field: &str| {
        let owners = pod.pointer("/metadata/ownerReferences").and_then(Value::as_array);
        let mut owners = owners.into_iter().flatten();
        owners.any(|owner| owner.get(field).and_then(Value::as_str) == Some(text))
    };
    match shape {
        Shape::Number => refers::is_index(text),
        Shape::PodName => text == name(pod),
        Shape::OwnerName => owner("name"),
        Shape::OwnerUid => owner("uid"),
        Shape::Hash => {
            let rest = text.strip_prefix(&format!("{}-", name(workload))).unwrap_or(text);
            (1..=10).contains(&rest.len()) && rest.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'z'))
        }
    }
}

fn entries<'v>(object: &'v Value, field: &str) -> impl Iterator<Item = (&'v str, &'v Value)> {
    let entries = object
        .get("metadata")
        .and_then(|metadata| metadata.get(field)?.as_object());
    entries.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
}

fn value<'v>(object: &'v Value, field: &str, key: &str) -> Option<&'v str> {
    object.get("metadata")?.get(field)?.get(key)?.as_str()
}
