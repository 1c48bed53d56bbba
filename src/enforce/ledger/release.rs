//! Letting go: taking our gate off pods that are cleared, and resuming Jobs that we suspended.
//!
//! Takes pods and Jobs, writes exactly one change, and only to the very object that was judged.

use super::held::Released;
use crate::{
    enforce::{Context, Error, write},
    observe::{GATE, HELD, workloads},
    traces::Trail,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::{
    Api, ResourceExt,
    api::{DynamicObject, Patch, PatchParams},
};
use serde_json::{Value, json};

/// Writes at the same time.
const AT_ONCE: usize = 8;

/// Lets go of everything that may go.
pub(super) async fn all(context: &Context, released: &Released, trail: &Trail) -> Result<(), Error> {
    let pods = stream::iter(released.pods.clone());
    let pods = pods.map(|each| async move { trail.lets_go(&each, pod(context, &each)).await });
    pods.buffer_unordered(AT_ONCE).try_collect::<()>().await?;
    let jobs = stream::iter(released.jobs.clone());
    let jobs = jobs.map(|each| async move { trail.lets_go(&each, job(context, &each)).await });
    jobs.buffer_unordered(AT_ONCE).try_collect().await
}

/// Takes our gate off this very pod, as it was judged.
pub(super) async fn pod(context: &Context, pod: &DynamicObject) -> Result<(), Error> {
    let gates = pod.data.pointer("/spec/schedulingGates").and_then(Value::as_array);
    let others: Vec<_> = gates
        .into_iter()
        .flatten()
        .filter(|gate| gate.get("name") != Some(&json!(GATE)))
        .collect();
    patch(context, "Pod", "v1", pod, json!({"schedulingGates": others})).await
}

/// Resumes a Job that we suspended.
pub(super) async fn job(context: &Context, job: &DynamicObject) -> Result<(), Error> {
    patch(context, "Job", "batch/v1", job, json!({"suspend": false})).await
}

/// Writes a part of the spec, to the object as it was judged. A conflict means that it changed: its event brings it back.
async fn patch(context: &Context, kind: &str, version: &str, object: &DynamicObject, spec: Value) -> Result<(), Error> {
    let namespace = object.namespace().unwrap_or_default();
    let resource = workloads::resource(version, kind);
    let api: Api<DynamicObject> = Api::namespaced_with(context.world.client.clone(), &namespace, &resource);
    let body = json!({
        "metadata": {"uid": object.uid(), "resourceVersion": object.resource_version(), "labels": {HELD: null}},
        "spec": spec,
    });
    match api
        .patch(&object.name_any(), &PatchParams::default(), &Patch::Merge(&body))
        .await
    {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => Ok(()),
        Err(error) => Err(write::failed("let go", write::name_of(object))(error)),
    }
}

/// Whether we suspended this Job.
pub(super) fn is_held(job: &DynamicObject) -> bool {
    let suspended = job.data.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true);
    suspended && job.labels().contains_key(HELD) && workloads::kind_of(job) == "Job"
}
