//! Accounting for every difference between a pod as stored and the template that it was made from.
//!
//! The digest says that a pod is the release. It leaves out much that is no behaviour, and a profile has all of it, so before a profile is
//! taken from a pod, all of the pod has to be explained: by the template, by what API server and admission add, by what the controller of
//! this kind adds, and by containers that the environment exempts. What is not explained is a difference, and the pod stays held.
//!
//! Free is what the digest leaves out as scheduling or resources, and what is not bound either: whoever writes the template could say
//! that too without a new release. Whoever uses this has to compare the pod's binding digest as well.

mod compare;
mod defaults;
mod metadata;

use super::{additions, exempt::Exempt, profile, token};
use crate::surface;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub(super) use compare::between;

/// Differences that are named; a further one says how many there are.
const MAX_DIFFERENCES: usize = 16;

/// Fields of a pod's spec that may differ: who sets them decides where and when a pod runs, not what it does.
const FREE: [&str; 13] = [
    "affinity",
    "nodeName",
    "nodeSelector",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "resources",
    "schedulerName",
    "schedulingGates",
    "serviceAccount",
    "tolerations",
    "topologySpreadConstraints",
];

/// Fields of a pod's spec that may be anything in a pod of exempted containers alone.
const FREE_WITHOUT_AGENT: [&str; 6] = [
    "activeDeadlineSeconds",
    "automountServiceAccountToken",
    "enableServiceLinks",
    "imagePullSecrets",
    "restartPolicy",
    "terminationGracePeriodSeconds",
];

/// One thing in a pod that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    /// The pod's field, as `spec.containers[agent].env[2].value`.
    pub field: String,
    /// What is there and what should be, shortened.
    pub message: String,
}

/// What in a pod is not explained by the workload that made it: the declared one, or the ReplicaSet or Job between them. Raw JSON as
/// stored; `token` is the source of the injected service-account token. Empty: the pod is what its template says.
#[must_use]
pub fn differences(workload: &Value, pod: &Value, token: &Value, exempt: &[Exempt]) -> Vec<Difference> {
    let Some(template) = surface::pod_template(workload) else {
        return vec![Difference {
            field: String::new(),
            message: "what the pod belongs to has no pod template".to_owned(),
        }];
    };
    let cleaned = additions::without_controller_additions(workload, pod, token, exempt);
    let bare = workload.get("kind").and_then(Value::as_str) == Some("Pod");
    let itself = bare.then(|| additions::without_controller_additions(workload, workload, token, exempt));
    let template = itself.as_ref().unwrap_or(template);
    let (mut expected, mut found) = (spec(template), spec(&cleaned));
    let claims = additions::claims(workload);
    let name = pod
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default();
    drop_volumes(&mut expected, |volume, named| {
        claims.contains(named) && volume.is_object()
    });
    drop_volumes(&mut found, |volume, named| {
        claims.contains(named) && profile::is_claim(volume, name)
    });
    additions::admission(&expected, &mut found, workload);
    let mut all = Vec::new();
    between("spec", "spec", &json!(expected), &json!(found), &mut all);
    all.extend(unasked(template, pod, token));
    metadata::check(template, &cleaned, workload, &mut all);
    bounded(all)
}

/// A service-account token in the pod, though the template (a pod without one is its own) says that there is none.
fn unasked(template: &Value, pod: &Value, token: &Value) -> Option<Difference> {
    let refused = template.pointer("/spec/automountServiceAccountToken") == Some(&json!(false));
    let spec = pod.get("spec").and_then(Value::as_object)?;
    (refused && token::is_in(spec, token)).then(|| Difference {
        field: "spec.volumes".to_owned(),
        message: "there is a service-account token, and the template's automountServiceAccountToken is false"
            .to_owned(),
    })
}

/// Why a pod that is made of exempted containers alone may not run; empty if it may. It has nothing but those: the account `default`, and
/// no volume or power that its containers do not explain. Its profile is of the release [`Exempt::release`].
#[must_use]
pub fn exempted(pod: &Value, token: &Value, exempt: &[Exempt]) -> Vec<Difference> {
    let nothing = json!({"kind": "Pod", "spec": {}});
    let cleaned = additions::without_controller_additions(&nothing, pod, token, exempt);
    let mut found = spec(&cleaned);
    for key in FREE_WITHOUT_AGENT {
        found.remove(key);
    }
    if found.get("securityContext").is_some_and(only_restricts) {
        found.remove("securityContext");
    }
    let mut all = Vec::new();
    if containers(pod) == 0 {
        all.push(Difference {
            field: "spec.containers".to_owned(),
            message: "there is no container".to_owned(),
        });
    }
    between("spec", "spec", &json!({}), &json!(found), &mut all);
    all.extend(unasked(pod, pod, token));
    bounded(all)
}

fn containers(pod: &Value) -> usize {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    containers.map_or(0, Vec::len)
}

/// Whether a pod's security context takes power from its containers and gives none.
fn only_restricts(context: &Value) -> bool {
    let restricts = |(key, value): (&String, &Value)| match key.as_str() {
        "runAsNonRoot" => *value == json!(true),
        "seccompProfile" => *value == json!({"type": "RuntimeDefault"}),
        _ => false,
    };
    context.as_object().is_some_and(|fields| fields.iter().all(restricts))
}

/// The spec without what may differ, its volumes by name.
fn spec(of: &Value) -> Map<String, Value> {
    let mut spec = of.get("spec").and_then(Value::as_object).cloned().unwrap_or_default();
    for key in FREE {
        spec.remove(key);
    }
    if let Some(Value::Array(volumes)) = spec.get_mut("volumes") {
        volumes.sort_by_cached_key(|volume| volume.get("name").map(ToString::to_string));
    }
    spec
}

fn drop_volumes(spec: &mut Map<String, Value>, drop: impl Fn(&Value, &str) -> bool) {
    let Some(Value::Array(volumes)) = spec.get_mut("volumes") else {
        return;
    };
    volumes.retain(|volume| {
        let name = volume.get("name").and_then(Value::as_str).unwrap_or_default();
        !drop(volume, name)
    });
    if volumes.is_empty() {
        spec.remove("volumes");
    }
}

fn bounded(mut all: Vec<Difference>) -> Vec<Difference> {
    let more = all.len().saturating_sub(MAX_DIFFERENCES);
    if more > 0 {
        all.truncate(MAX_DIFFERENCES);
        all.push(Difference {
            field: "spec".to_owned(),
            message: format!("and {more} more differences"),
        });
    }
    all
}
