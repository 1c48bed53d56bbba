//! The annotation by which LimitRanger says what it set.

use serde_json::Value;

/// The annotation.
pub(super) const ANNOTATION: &str = "kubernetes.io/limit-ranger";
const START: &str = "LimitRanger plugin set: ";

/// Whether a text is what LimitRanger writes about this pod's spec, and no more: names of its containers and of their resources, as
/// `cpu, memory request for container agent; cpu limit for init container warm`.
pub(super) fn is_about(text: &str, spec: &Value) -> bool {
    let parts = text.strip_prefix(START).map(|rest| rest.split("; "));
    parts.is_some_and(|mut parts| parts.all(|part| is_part(part, spec)))
}

fn is_part(part: &str, spec: &Value) -> bool {
    let Some((what, whom)) = part.split_once(" for ") else {
        return false;
    };
    let (list, name) = match whom.strip_prefix("init container ") {
        Some(name) => ("initContainers", name),
        None => ("containers", whom.strip_prefix("container ").unwrap_or_default()),
    };
    let kinds = [(" request", "requests"), (" limit", "limits")];
    let kind = kinds
        .into_iter()
        .find_map(|(end, kind)| Some((what.strip_suffix(end)?, kind)));
    let containers = spec.get(list).and_then(Value::as_array).into_iter().flatten();
    let mut named = containers.filter(|container| container.get("name").and_then(Value::as_str) == Some(name));
    let (Some((resources, kind)), Some(container)) = (kind, named.next()) else {
        return false;
    };
    let set = container.get("resources").and_then(|resources| resources.get(kind));
    resources
        .split(", ")
        .all(|resource| set.is_some_and(|set| set.get(resource).is_some()))
}
