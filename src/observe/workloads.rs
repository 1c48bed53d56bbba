//! Workloads: which objects an Agent means, and whom an object concerns.
//!
//! Takes references and stores of raw objects; gives what matches. Reads nothing from the network.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::{
    ResourceExt,
    api::{ApiResource, DynamicObject, GroupVersionKind},
    core::{Selector, SelectorExt as _},
    runtime::reflector::Store,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use vouchsafe_core::surface::{Workload, WorkloadReference, pod_template};

/// Kinds that own pods and are watched: API version and kind. ReplicaSets that a Deployment owns and pods that anything owns are not
/// workloads of their own.
pub(crate) const KINDS: &[(&str, &str)] = &[
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "DaemonSet"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("batch/v1", "CronJob"),
    ("v1", "Pod"),
];

/// The resource of a kind in [`KINDS`].
pub(crate) fn resource(api_version: &str, kind: &str) -> ApiResource {
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind))
}

/// Stores of workloads by kind.
#[derive(Default)]
pub(crate) struct Workloads {
    pub(crate) stores: BTreeMap<&'static str, Store<DynamicObject>>,
}

/// A workload that was found.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// Its role.
    pub(crate) role: String,
    /// The object as stored, but for managed fields.
    pub(crate) object: Arc<DynamicObject>,
}

impl Found {
    /// As core reads it.
    pub(crate) fn workload(&self) -> Workload {
        Workload {
            role: self.role.clone(),
            object: json(&self.object),
        }
    }
}

/// The object as raw JSON.
pub(crate) fn json(object: &DynamicObject) -> Value {
    serde_json::to_value(object).unwrap_or(Value::Null)
}

/// The kind of an object, from what it says of itself.
pub(crate) fn kind_of(object: &DynamicObject) -> &str {
    object.types.as_ref().map_or("", |types| types.kind.as_str())
}

impl Workloads {
    /// The objects that the references mean, in their order and then by name.
    pub(crate) fn meant(&self, namespace: &str, references: &[WorkloadReference]) -> Vec<Found> {
        let of_one = |reference: &WorkloadReference| {
            let Some(store) = self.stores.get(reference.kind.as_str()) else {
                return Vec::new();
            };
            let mut objects = store
                .state_filter(|object| object.namespace().as_deref() == Some(namespace) && means(reference, object));
            objects.sort_by_key(|object| object.name_any());
            let role = reference.role.clone();
            objects
                .into_iter()
                .map(|object| Found {
                    role: role.clone(),
                    object,
                })
                .collect()
        };
        references.iter().flat_map(of_one).collect()
    }

    /// One object by kind and name.
    pub(crate) fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<Arc<DynamicObject>> {
        let store = self.stores.get(kind)?;
        store.find(|object| object.namespace().as_deref() == Some(namespace) && object.name_any() == name)
    }

    /// Every workload of a namespace.
    pub(crate) fn of_namespace(&self, namespace: &str) -> Vec<Arc<DynamicObject>> {
        let of = |store: &Store<DynamicObject>| {
            store.state_filter(|object| object.namespace().as_deref() == Some(namespace))
        };
        self.stores.values().flat_map(of).collect()
    }
}

/// Whether a reference means an object, the namespace apart.
pub(crate) fn means(reference: &WorkloadReference, object: &DynamicObject) -> bool {
    if reference.kind != kind_of(object) {
        return false;
    }
    match (&reference.name, &reference.selector) {
        (Some(name), _) => *name == object.name_any(),
        (None, Some(selector)) => selects(selector, object) && !is_part(object),
        (None, None) => false,
    }
}

/// Whether a pod with these labels may be one that the workload made: by its selector, or by the labels of its template.
pub(crate) fn makes(workload: &DynamicObject, labels: &BTreeMap<String, String>) -> bool {
    let raw = json(workload);
    let template = pod_template(&raw).and_then(|template| template.pointer("/metadata/labels")?.as_object());
    let same = |(key, value): (&String, &Value)| labels.get(key).map(String::as_str) == value.as_str();
    template.is_none_or(|template| template.iter().all(same))
}

/// By selector only what nothing of a watched kind owns is meant: not the ReplicaSets of a Deployment, nor the pods of a Job.
pub(crate) fn is_part(object: &DynamicObject) -> bool {
    let controllers = object
        .owner_references()
        .iter()
        .filter(|owner| owner.controller == Some(true));
    controllers
        .into_iter()
        .any(|owner| KINDS.iter().any(|(_, kind)| *kind == owner.kind))
}

fn selects(selector: &Value, object: &DynamicObject) -> bool {
    let Ok(selector) = serde_json::from_value::<LabelSelector>(selector.clone()) else {
        return false;
    };
    if selector.match_labels.is_none() && selector.match_expressions.is_none() {
        return false;
    }
    Selector::try_from(selector).is_ok_and(|selector| selector.matches(object.labels()))
}
