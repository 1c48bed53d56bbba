//! What a pod's spec reads from the pod's own metadata: that is content, and nothing else of the metadata is.

use super::profile::Metadata;
use serde_json::Value;
use std::collections::BTreeSet;

/// Our label on a pod that waits. It comes off, so it is no part of what a cleared pod shows.
pub(super) const HELD: &str = "labels/vouchsafe.dev/held";

/// Indices that controllers give to pods.
const INDICES: &[&str] = &[
    "annotations/batch.kubernetes.io/job-completion-index",
    "labels/apps.kubernetes.io/pod-index",
    "labels/batch.kubernetes.io/job-completion-index",
];

/// What the StatefulSet controller calls a pod.
const POD_NAME: &str = "labels/statefulset.kubernetes.io/pod-name";

/// `annotations/<key>`, `labels/<key>`, `annotations` and `labels` that something in the spec refers to.
pub(super) fn find(spec: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    walk(spec, &mut found);
    found
}

/// Wherever a `fieldPath` is: a place that is not known yet is found all the same.
fn walk(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(path) if key == "fieldPath" => found.extend(reference(path)),
                    _ => walk(field, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
        _ => {}
    }
}

/// `metadata.labels['a/b']` as `labels/a/b`. What is not quite that refers to all of it, to be safe.
fn reference(path: &str) -> Option<String> {
    let path = path.strip_prefix("metadata.")?;
    ["annotations", "labels"].into_iter().find_map(|field| {
        let rest = path.strip_prefix(field)?;
        let key = rest.strip_prefix("['").and_then(|rest| rest.strip_suffix("']"));
        Some(key.map_or_else(|| field.to_owned(), |key| format!("{field}/{key}")))
    })
}

/// The values of what is referred to. `numbered` leaves out what controllers count pods by.
pub(super) fn read(refers: &BTreeSet<String>, pod: &Value, numbered: bool) -> Metadata {
    let mut metadata = Metadata::default();
    let name = pod
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    for (field, kept) in [
        ("annotations", &mut metadata.annotations),
        ("labels", &mut metadata.labels),
    ] {
        let entries = pod
            .get("metadata")
            .and_then(|metadata| metadata.get(field)?.as_object());
        for (key, value) in entries.into_iter().flatten() {
            let label = format!("{field}/{key}");
            let text = value.as_str().unwrap_or_default();
            let referred = refers.contains(field) || refers.contains(&label);
            if referred && !(numbered && varies(&label, text, name)) && !(label == HELD && text == "true") {
                kept.insert(key.clone(), text.to_owned());
            }
        }
    }
    metadata
}

/// Whether it is what a controller tells pods apart by, and no more than that: free text there would be content.
fn varies(label: &str, text: &str, name: &str) -> bool {
    if INDICES.contains(&label) {
        return is_index(text);
    }
    label == POD_NAME && text == name
}

/// A decimal number, short enough to say nothing else.
pub(super) fn is_index(text: &str) -> bool {
    (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}
