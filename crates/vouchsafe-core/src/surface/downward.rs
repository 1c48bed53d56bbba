//! What a pod tells its containers about itself.
//!
//! Labels and annotations mean nothing to Vouchsafe until a container reads them; then their values are content.

use super::{fields, reading::text};
use crate::digest::ReleaseDigest;
use serde_json::{Map, Value, json};

/// Labels that controllers put on pods. Their values name objects.
const GENERATED_LABELS: &[&str] = &[
    "apps.kubernetes.io/pod-index",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-completion-index",
    "batch.kubernetes.io/job-name",
    "controller-revision-hash",
    "controller-uid",
    "job-name",
    "pod-template-generation",
    "pod-template-hash",
    "statefulset.kubernetes.io/pod-name",
];

/// Our own annotation: which release the manifests claim to be.
const CLAIM: &str = "vouchsafe.dev/release";
/// Our own label on held pods.
const HELD: &str = "vouchsafe.dev/held";

/// A `fieldRef` or `resourceFieldRef` with what it reads, where that is in the template.
pub(super) fn field(template: &Value, reference: &Value) -> Value {
    let reference = fields::of_volume("downwardAPI", reference);
    let Some(path) = reference.get("fieldPath").and_then(Value::as_str) else {
        return reference;
    };
    let read = match path.strip_prefix("metadata.") {
        Some("labels") => Some(map(template, "labels")),
        Some("annotations") => Some(map(template, "annotations")),
        Some(one) => subscript(one).and_then(|(field, key)| single(template, field, key)),
        None => None,
    };
    match (read, reference) {
        (Some(read), Value::Object(mut fields)) => {
            fields.insert("reads".to_owned(), read);
            Value::Object(fields)
        }
        (_, reference) => reference,
    }
}

/// `annotations['a/b']` as its field and key.
fn subscript(path: &str) -> Option<(&str, &str)> {
    let (field, rest) = path.split_once('[')?;
    let key = rest.strip_suffix(']')?;
    let quoted = |quote: char| key.strip_prefix(quote).and_then(|key| key.strip_suffix(quote));
    Some((field, quoted('\'').or_else(|| quoted('"')).unwrap_or(key)))
}

/// The value of one label or annotation; null when the template does not have it.
fn single(template: &Value, field: &str, key: &str) -> Option<Value> {
    if !matches!(field, "labels" | "annotations") || generated(field, key) {
        return None;
    }
    let value = template
        .get("metadata")
        .and_then(|metadata| metadata.get(field)?.get(key));
    Some(
        value
            .filter(|value| !ours(field, key, value))
            .cloned()
            .unwrap_or(Value::Null),
    )
}

/// All labels or annotations, without those that Kubernetes or we put there.
fn map(template: &Value, field: &str) -> Value {
    let entries = template
        .get("metadata")
        .and_then(|metadata| metadata.get(field)?.as_object());
    let kept = entries
        .into_iter()
        .flatten()
        .filter(|(key, value)| !generated(field, key) && !ours(field, key, value));
    Value::Object(
        kept.map(|(key, value)| (key.clone(), value.clone()))
            .collect::<Map<_, _>>(),
    )
}

fn generated(field: &str, key: &str) -> bool {
    field == "labels" && GENERATED_LABELS.contains(&key)
}

/// Whether it is ours and no more than ours: free text under our name would be content.
fn ours(field: &str, key: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    match (field, key) {
        ("annotations", CLAIM) => text.parse::<ReleaseDigest>().is_ok(),
        ("labels", HELD) => text == "true",
        _ => false,
    }
}

/// The items of a `downwardAPI` source: path to what is read, and its mode.
pub(super) fn items(template: &Value, source: &Value) -> Value {
    let entry = |item: &Value| {
        let mut entry = match fields::pruned(item) {
            Value::Object(fields) => fields,
            other => return (String::new(), other),
        };
        entry.remove("path");
        for kind in ["fieldRef", "resourceFieldRef"] {
            if let Some(reference) = entry.remove(kind) {
                entry.insert(kind.to_owned(), field(template, &reference));
            }
        }
        (text(item, "path").to_owned(), Value::Object(entry))
    };
    let items = source.get("items").and_then(Value::as_array);
    json!(items.into_iter().flatten().map(entry).collect::<Map<_, _>>())
}
