//! The service-account token that the API server injects, known by its exact shape; never by its name or path alone.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

const NAME: &str = "kube-api-access-";
const PATH: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

/// Takes injected tokens off a pod's spec. `token` is the source that they have, whole.
pub(super) fn strip(spec: &mut Map<String, Value>, token: &Value) {
    let mut names = BTreeSet::new();
    retain(spec, "volumes", |volume| {
        let name = injected(volume, token);
        names.extend(name.map(str::to_owned));
        name.is_none()
    });
    if names.is_empty() {
        return;
    }
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            if let Some(container) = container.as_object_mut() {
                retain(container, "volumeMounts", |mount| !mounts(mount, &names));
            }
        }
    }
}

/// Whether a pod's spec has an injected token: a pod that was cleared without one is another pod with it.
pub(super) fn is_in(spec: &Map<String, Value>, token: &Value) -> bool {
    let volumes = spec.get("volumes").and_then(Value::as_array);
    volumes
        .into_iter()
        .flatten()
        .any(|volume| injected(volume, token).is_some())
}

/// The name of a volume that is an injected token.
pub(super) fn injected<'v>(volume: &'v Value, token: &Value) -> Option<&'v str> {
    let name = volume.get("name")?.as_str().filter(|name| name.starts_with(NAME))?;
    let exact = volume.as_object()?.len() == 2 && token.is_object() && volume.get("projected") == Some(token);
    exact.then_some(name)
}

fn mounts(mount: &Value, names: &BTreeSet<String>) -> bool {
    let field = |key| mount.get(key).and_then(Value::as_str).unwrap_or_default();
    let plain = mount.as_object().is_some_and(|fields| {
        let mut keys = fields.keys();
        keys.all(|key| matches!(key.as_str(), "name" | "readOnly" | "mountPath"))
    });
    plain && field("mountPath") == PATH && names.contains(field("name"))
}

/// Keeps elements of a list field, and the field while there are any.
fn retain(fields: &mut Map<String, Value>, key: &str, keep: impl FnMut(&Value) -> bool) {
    let Some(Value::Array(items)) = fields.get_mut(key) else {
        return;
    };
    items.retain(keep);
    if items.is_empty() {
        fields.remove(key);
    }
}
