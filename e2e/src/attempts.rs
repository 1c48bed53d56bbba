//! Ways to run something else than what was cleared: a pod's spec changed in one way, put into an object of some kind.
//!
//! Takes the pod spec of a cleared agent; gives objects to create. Each is another pod than the cleared one, and a valid one.

use crate::stage::image;
use serde_json::{Value, json};

/// The label of every pod of an attempt, with the attempt's number.
pub const LABEL: &str = "attempt";

/// Kinds that make pods, with their API; a pod itself first.
pub const KINDS: [(&str, &str, &str); 7] = [
    ("v1", "Pod", "pods"),
    ("apps/v1", "Deployment", "deployments"),
    ("apps/v1", "ReplicaSet", "replicasets"),
    ("v1", "ReplicationController", "replicationcontrollers"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("apps/v1", "DaemonSet", "daemonsets"),
    ("batch/v1", "Job", "jobs"),
];

/// What is changed: words, where in the pod's spec (a JSON pointer), the field there, and its value.
type Change = (&'static str, &'static str, &'static str, Value);

/// The changes; at `/containers` and the like the value is added to the list.
#[must_use]
pub fn changes() -> Vec<Change> {
    [of_the_container(), of_the_pod()].concat()
}

fn of_the_container() -> Vec<Change> {
    let (other, first) = (image("another"), "/containers/0");
    let exec = json!({"exec": {"command": ["sh", "-c", "run something else"]}});
    vec![
        ("another image", first, "image", json!(other)),
        (
            "an image by tag",
            first,
            "image",
            json!("registry.example/agent:latest"),
        ),
        ("another command", first, "command", json!(["sh"])),
        ("other arguments", first, "args", json!(["--unsafe"])),
        (
            "a variable",
            first,
            "env",
            json!([{"name": "MODEL", "value": "another"}]),
        ),
        (
            "variables from a ConfigMap",
            first,
            "envFrom",
            json!([{"configMapRef": {"name": "more", "optional": true}}]),
        ),
        ("another folder", first, "workingDir", json!("/tmp")),
        ("a terminal", first, "stdin", json!(true)),
        (
            "a privileged container",
            first,
            "securityContext",
            json!({"privileged": true}),
        ),
        (
            "a command after the start",
            first,
            "lifecycle",
            json!({"postStart": exec}),
        ),
        ("a probe that runs a command", first, "livenessProbe", exec.clone()),
        (
            "another message path",
            first,
            "terminationMessagePath",
            json!("/etc/agent/out"),
        ),
    ]
}

fn of_the_pod() -> Vec<Change> {
    let other = image("another");
    vec![
        (
            "another prompt",
            "/volumes/0",
            "configMap",
            json!({"name": "another-prompt"}),
        ),
        (
            "an uncleared init container",
            "",
            "initContainers",
            json!([{"name": "first", "image": other}]),
        ),
        (
            "an uncleared sidecar",
            "",
            "initContainers",
            json!([{"name": "beside", "image": other, "restartPolicy": "Always"}]),
        ),
        (
            "a second container",
            "/containers",
            "",
            json!({"name": "second", "image": other}),
        ),
        (
            "a folder of the node",
            "/volumes",
            "",
            json!({"name": "node", "hostPath": {"path": "/"}}),
        ),
        ("the node's network", "", "hostNetwork", json!(true)),
        ("the node's processes", "", "hostPID", json!(true)),
        ("one process space", "", "shareProcessNamespace", json!(true)),
        (
            "other hosts",
            "",
            "hostAliases",
            json!([{"ip": "10.0.0.9", "hostnames": ["crm.example.com"]}]),
        ),
        (
            "another resolver",
            "",
            "dnsConfig",
            json!({"nameservers": ["10.0.0.9"]}),
        ),
        ("another user", "", "securityContext", json!({"runAsUser": 0})),
        ("a node by name", "", "nodeName", json!("node-1")),
        (
            "a gate of its own",
            "",
            "schedulingGates",
            json!([{"name": "example.com/later"}]),
        ),
    ]
}

/// The spec with one change.
#[must_use]
pub fn changed(spec: &Value, change: &Change) -> Value {
    let (_, pointer, field, value) = change;
    let mut spec = spec.clone();
    match spec.pointer_mut(pointer) {
        Some(Value::Object(fields)) => {
            fields.insert((*field).to_owned(), value.clone());
        }
        Some(Value::Array(items)) => items.push(value.clone()),
        _ => {}
    }
    spec
}

/// The labels of an attempt's pods; forged ones of ours among them.
#[must_use]
pub fn labels(number: usize, name: &str) -> Value {
    json!({"app": name, LABEL: number.to_string(), "vouchsafe.dev/held": "false", "vouchsafe.dev/cleared": "true"})
}

/// An object of a kind whose pods have this spec.
#[must_use]
pub fn object(api_version: &str, kind: &str, name: &str, number: usize, spec: &Value, release: &str) -> Value {
    let mut spec = spec.clone();
    let claim = json!({"vouchsafe.dev/release": release});
    let metadata = json!({"name": name, "labels": labels(number, name), "annotations": claim});
    if kind == "Pod" {
        return json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec});
    }
    if let (true, Some(fields)) = (kind == "Job", spec.as_object_mut()) {
        fields.insert("restartPolicy".to_owned(), json!("Never"));
    }
    let template = json!({"metadata": {"labels": labels(number, name), "annotations": claim}, "spec": spec});
    let of = match kind {
        "Job" => json!({"template": template}),
        "ReplicationController" => json!({"replicas": 1, "selector": {"app": name}, "template": template}),
        "DaemonSet" => json!({"selector": {"matchLabels": {"app": name}}, "template": template}),
        _ => json!({"replicas": 1, "selector": {"matchLabels": {"app": name}}, "template": template}),
    };
    json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": of})
}

#[cfg(test)]
mod tests {
    use super::{changed, changes};
    use crate::stage::AgentOf;

    #[test]
    fn every_change_changes_something() {
        let spec = AgentOf::new("refund").pod_spec();
        let changes = changes();
        assert_eq!(changes.len(), 25);
        for change in &changes {
            assert_ne!(changed(&spec, change), spec, "{}", change.0);
        }
    }
}
