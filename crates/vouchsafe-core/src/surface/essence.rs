//! What of a pod's spec decides how it behaves, names of objects included: what an edit has to leave alone to be no change.
//!
//! The digest of a release leaves the same fields out, and names besides, because it reads what they name. Here nothing is read, so that
//! names stand for what they name: another name is another pod, and under the same name the content is kept as it is by others.

use super::fields;
use serde_json::{Map, Value};

/// Lists whose elements are read field by field.
const CONTAINERS: [&str; 2] = ["containers", "initContainers"];
/// Means nothing to a digest, because it is bound there; here its name says who the pod is.
const ACCOUNT: &str = "serviceAccountName";

/// The spec of a pod, or of a template, without fields that mean nothing: scheduling, resources, ports, probes that execute nothing.
#[must_use]
pub fn essence(spec: &Value) -> Value {
    let of_field = |(key, field): (&String, &Value)| {
        let kept = match (key.as_str(), field) {
            (ACCOUNT, _) => Some(field.clone()),
            (list, Value::Array(containers)) if CONTAINERS.contains(&list) => {
                Some(containers.iter().map(of_container).collect())
            }
            ("volumes", Value::Array(volumes)) => Some(by_name(volumes)),
            (key, field) => fields::of_pod(key, field),
        };
        Some((key.clone(), kept?))
    };
    let fields = spec.as_object().into_iter().flatten();
    Value::Object(fields.filter_map(of_field).collect())
}

fn of_container(container: &Value) -> Value {
    let Some(fields) = container.as_object() else {
        return container.clone();
    };
    let kept = fields
        .iter()
        .filter_map(|(key, field)| Some((key.clone(), fields::of_container(key, field)?)));
    Value::Object(kept.collect::<Map<_, _>>())
}

/// Volumes are a set: controllers put theirs in any order.
fn by_name(volumes: &[Value]) -> Value {
    let mut volumes = volumes.to_vec();
    volumes.sort_by_cached_key(|volume| volume.get("name").map(ToString::to_string));
    Value::Array(volumes)
}

#[cfg(test)]
mod tests {
    use super::essence;
    use serde_json::{Value, json};

    fn spec() -> Value {
        json!({
            "serviceAccountName": "agent",
            "containers": [{
                "name": "agent", "image": "registry.example/agent:1", "env": [{"name": "MODEL", "value": "gpt-4"}],
                "resources": {"limits": {"cpu": "1"}},
                "livenessProbe": {"httpGet": {"path": "/healthz", "port": 80}},
            }],
            "initContainers": [{"name": "init", "image": "registry.example/init:1", "args": ["a"]}],
            "volumes": [{"name": "prompt", "configMap": {"name": "prompt-1"}}, {"name": "scratch", "emptyDir": {}}],
        })
    }

    fn differs(at: &str, value: &Value) -> bool {
        let mut changed = spec();
        let (parent, field) = at.rsplit_once('/').unwrap_or_default();
        changed
            .pointer_mut(parent)
            .and_then(Value::as_object_mut)
            .map(|fields| fields.insert(field.to_owned(), value.clone()));
        assert_ne!(changed, spec(), "{at} was not changed");
        essence(&changed) != essence(&spec())
    }

    #[test]
    fn what_means_nothing_is_no_change() {
        for (at, value) in [
            ("/containers/0/resources", json!({"limits": {"cpu": "2"}})),
            ("/containers/0/ports", json!([{"containerPort": 80}])),
            ("/containers/0/imagePullPolicy", json!("Always")),
            ("/containers/0/livenessProbe", json!({"tcpSocket": {"port": 81}})),
            ("/nodeSelector", json!({"disk": "fast"})),
            ("/affinity", json!({"nodeAffinity": {}})),
            ("/priorityClassName", json!("high")),
            ("/topologySpreadConstraints", json!([{"maxSkew": 1}])),
            ("/initContainers/0/resources", json!({"requests": {"memory": "1Gi"}})),
        ] {
            assert!(!differs(at, &value), "{at}");
        }
        let mut turned = spec();
        turned["volumes"]
            .as_array_mut()
            .into_iter()
            .for_each(|volumes| volumes.reverse());
        assert_eq!(essence(&turned), essence(&spec()));
    }

    #[test]
    fn what_means_something_is_a_change() {
        for (at, value) in [
            ("/containers/0/image", json!("registry.example/agent:2")),
            ("/containers/0/env/0/value", json!("gpt-5")),
            ("/containers/0/command", json!(["sh"])),
            ("/containers/0/livenessProbe", json!({"exec": {"command": ["sh"]}})),
            ("/containers/0/securityContext", json!({"privileged": true})),
            ("/initContainers/0/args", json!(["b"])),
            ("/volumes/0/configMap/name", json!("prompt-2")),
            ("/serviceAccountName", json!("admin")),
            ("/hostNetwork", json!(true)),
            ("/fieldOfTomorrow", json!(1)),
        ] {
            assert!(differs(at, &value), "{at}");
        }
    }
}
