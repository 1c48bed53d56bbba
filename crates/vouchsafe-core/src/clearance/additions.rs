//! What others than the template put into a pod: the API server, the controller of its kind, injectors that the environment knows.

mod limits;

use super::{exempt, exempt::Exempt, owner::OwnerKind, profile, refers, token};
use crate::surface;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const INDEX: &str = "batch.kubernetes.io/job-completion-index";
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

/// The pod as [`surface::of_pod`] has to see it, so that its digest is the release's: without the injected token, without what the
/// controller of the workload's kind sets, without exempted containers. The claims of a StatefulSet stay: the surface knows them.
///
/// `workload` is the declared workload, or the ReplicaSet or Job between it and the pod. A pod that is a workload itself has no template to
/// tell apart what was added: where it is given as workload, it has to be what this makes of it and itself.
#[must_use]
pub fn without_controller_additions(workload: &Value, pod: &Value, token: &Value, exempt: &[Exempt]) -> Value {
    let mut pod = pod.clone();
    let name = pod
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned();
    let is_pod = workload.get("kind").and_then(Value::as_str) == Some("Pod");
    let template = surface::pod_template(workload)
        .filter(|_| !is_pod)
        .unwrap_or(&Value::Null);
    let owner = OwnerKind::of(workload);
    if let Some(Value::Object(spec)) = pod.get_mut("spec") {
        token::strip(spec, token);
        exempt::strip(spec, template, exempt);
        let numbered = matches!(owner, OwnerKind::StatefulSet | OwnerKind::IndexedJob);
        let own = |hostname: &Value| {
            hostname
                .as_str()
                .is_some_and(|hostname| profile::is_own(hostname, &name))
        };
        if numbered && spec.get("hostname").is_some_and(own) {
            restore(spec, template.get("spec"), "hostname");
        }
        if owner == OwnerKind::StatefulSet && spec.get("subdomain") == workload.pointer("/spec/serviceName") {
            restore(spec, template.get("spec"), "subdomain");
        }
        if owner == OwnerKind::IndexedJob {
            forget_index(spec, template);
        }
    }
    restore_annotations(&mut pod, template, owner);
    pod
}

/// Of the pod's annotations those that the API server and the controller set are what the template says.
fn restore_annotations(pod: &mut Value, template: &Value, owner: OwnerKind) {
    let spec = pod.get("spec").cloned().unwrap_or_default();
    let declared = template
        .get("metadata")
        .and_then(|metadata| metadata.get("annotations"));
    let Some(Value::Object(annotations)) = pod.pointer_mut("/metadata/annotations") else {
        return;
    };
    let text = |key: &str| annotations.get(key).and_then(Value::as_str);
    let index = owner == OwnerKind::IndexedJob && text(INDEX).is_some_and(refers::is_index);
    let limits = text(limits::ANNOTATION).is_some_and(|text| limits::is_about(text, &spec));
    for (key, set) in [(INDEX, index), (limits::ANNOTATION, limits)] {
        if set {
            restore(annotations, declared, key);
        }
    }
}

/// Gives a field the value that it has in the template.
fn restore(fields: &mut Map<String, Value>, template: Option<&Value>, key: &str) {
    match template.and_then(|template| template.get(key)) {
        Some(value) => drop(fields.insert(key.to_owned(), value.clone())),
        None => drop(fields.remove(key)),
    }
}

/// Takes the index out of the environment of containers whose template does not set it.
fn forget_index(spec: &mut Map<String, Value>, template: &Value) {
    let references = ["annotations", "labels"].map(|field| {
        let path = format!("metadata.{field}['{INDEX}']");
        json!({"name": INDEX_VARIABLE, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}})
    });
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let declared = same_container(template, list, container).is_some_and(sets_index);
            let Some(container) = container.as_object_mut().filter(|_| !declared) else {
                continue;
            };
            let Some(Value::Array(env)) = container.get_mut("env") else {
                continue;
            };
            if env.last().is_some_and(|last| references.contains(last)) {
                env.pop();
            }
            if env.is_empty() {
                container.remove("env");
            }
        }
    }
}

fn sets_index(container: &Value) -> bool {
    let env = container.get("env").and_then(Value::as_array);
    env.into_iter()
        .flatten()
        .any(|variable| variable.get("name") == Some(&json!(INDEX_VARIABLE)))
}

fn same_container<'t>(template: &'t Value, list: &str, container: &Value) -> Option<&'t Value> {
    let containers = template.get("spec")?.get(list)?.as_array()?;
    containers
        .iter()
        .find(|other| other.get("name") == container.get("name"))
}

/// What API server and admission add to the spec of any pod, where the template is silent: pull secrets of the service account, and ports of
/// the host that the pod shares anyway.
pub(super) fn admission(template: &Map<String, Value>, spec: &mut Map<String, Value>, workload: &Value) {
    if !template.contains_key("imagePullSecrets") {
        spec.remove("imagePullSecrets");
    }
    if spec.get("hostNetwork") != Some(&json!(true)) {
        return;
    }
    let template = surface::pod_template(workload).unwrap_or(&Value::Null);
    for list in ["containers", "initContainers"] {
        for container in spec.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten() {
            let silent = same_container(template, list, container).is_some_and(|container| !opens_host(container));
            let ports = container.get_mut("ports").and_then(Value::as_array_mut);
            for port in ports.filter(|_| silent).into_iter().flatten() {
                if let Some(port) = port
                    .as_object_mut()
                    .filter(|port| port.get("hostPort") == port.get("containerPort"))
                {
                    port.remove("hostPort");
                }
            }
        }
    }
}

fn opens_host(container: &Value) -> bool {
    let ports = container.get("ports").and_then(Value::as_array);
    ports.into_iter().flatten().any(|port| port.get("hostPort").is_some())
}

/// Names of the volumes that a StatefulSet claims for each pod.
pub(super) fn claims(workload: &Value) -> BTreeSet<String> {
    let stateful = OwnerKind::of(workload) == OwnerKind::StatefulSet;
    let templates = workload.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
    let templates = templates.into_iter().flatten().filter(|_| stateful);
    templates
        .filter_map(|claim| claim.pointer("/metadata/name")?.as_str())
        .map(str::to_owned)
        .collect()
}
