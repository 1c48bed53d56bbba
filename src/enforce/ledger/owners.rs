//! Following a pod to the workload that made it, by uid, never by name alone.
//!
//! Takes a pod and the world, gives the chain of its controllers. ReplicaSets are read when they are asked for and kept, because their
//! templates do not change.

use crate::{
    enforce::{Context, Error, write},
    observe::workloads,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Api, ResourceExt, api::DynamicObject};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// ReplicaSets that are kept.
const MAX_KEPT: usize = 1024;
/// Owners above a pod that are followed.
const MAX_DEPTH: usize = 3;

/// ReplicaSets that were read, by uid.
#[derive(Default)]
pub(crate) struct ReplicaSets {
    kept: Mutex<HashMap<String, Arc<DynamicObject>>>,
}

/// What made a pod, from the nearest to the farthest that could be followed.
pub(super) async fn of(
    context: &Context,
    namespace: &str,
    pod: &DynamicObject,
) -> Result<Vec<Arc<DynamicObject>>, Error> {
    let mut chain: Vec<Arc<DynamicObject>> = Vec::new();
    let mut next = controller(pod).cloned();
    while let Some(owner) = next.take()
        && chain.len() < MAX_DEPTH
    {
        let Some(object) = find(context, namespace, &owner).await? else {
            break;
        };
        next = controller(&object).cloned();
        chain.push(object);
    }
    Ok(chain)
}

fn controller(object: &DynamicObject) -> Option<&OwnerReference> {
    object
        .owner_references()
        .iter()
        .find(|owner| owner.controller == Some(true))
}

async fn find(context: &Context, namespace: &str, owner: &OwnerReference) -> Result<Option<Arc<DynamicObject>>, Error> {
    let same = |object: &Arc<DynamicObject>| object.uid().as_deref() == Some(owner.uid.as_str());
    let known = workloads::KINDS
        .iter()
        .any(|(version, kind)| *version == owner.api_version && *kind == owner.kind);
    if !known || owner.kind == "Pod" {
        return Ok(None);
    }
    if let Some(found) = context
        .world
        .workloads
        .get(&owner.kind, namespace, &owner.name)
        .filter(same)
    {
        return Ok(Some(found));
    }
    if let Some(kept) = context.ledgers.replica_sets.get(&owner.uid) {
        return Ok(Some(kept));
    }
    let resource = workloads::resource(&owner.api_version, &owner.kind);
    let api: Api<DynamicObject> = Api::namespaced_with(context.world.client.clone(), namespace, &resource);
    let read = api.get_opt(&owner.name).await;
    let read = read.map_err(write::failed("read", format!("{namespace}/{}", owner.name)))?;
    let Some(object) = read.map(Arc::new).filter(same) else {
        return Ok(None);
    };
    if owner.kind == "ReplicaSet" {
        context.ledgers.replica_sets.keep(&owner.uid, &object);
    }
    Ok(Some(object))
}

impl ReplicaSets {
    fn get(&self, uid: &str) -> Option<Arc<DynamicObject>> {
        self.kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(uid)
            .cloned()
    }

    fn keep(&self, uid: &str, object: &Arc<DynamicObject>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(uid.to_owned(), Arc::clone(object));
    }
}
