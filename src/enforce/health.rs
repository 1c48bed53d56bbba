//! Whether an agent is healthy where it is: what a soak counts.
//!
//! Takes its workloads as stored and, where a soak depends on it, its pods; gives yes or no. A workload is available as its own kind defines
//! it; its pods have to be of this release, and not restart in a loop.

use super::{Context, Error, ledger::pods};
use crate::observe::{AgentState, workloads};
use serde_json::Value;

/// Whether every workload of the agent is available, with pods of the agent's present release.
pub(crate) async fn is_healthy(
    context: &Context,
    namespace: &str,
    agent: &str,
    state: &AgentState,
) -> Result<bool, Error> {
    let named = state.declaration.workloads.iter().all(|reference| {
        reference.name.is_none()
            || state
                .workloads
                .iter()
                .any(|found| workloads::means(reference, &found.object))
    });
    let available = state
        .workloads
        .iter()
        .all(|found| is_available(&workloads::json(&found.object)));
    if !named || !available {
        return Ok(false);
    }
    if !is_soaked(context, namespace) {
        return Ok(true);
    }
    pods::are_all_of(context, namespace, agent, state).await
}

/// Whether another environment waits for releases to have been healthy here.
fn is_soaked(context: &Context, namespace: &str) -> bool {
    let here = context.world.environment_of(namespace);
    let after = context.world.environments.state();
    after
        .iter()
        .any(|environment| environment.spec.after.iter().any(|before| before.environment == here))
}

fn number(object: &Value, pointer: &str) -> Option<i64> {
    object.pointer(pointer).and_then(Value::as_i64)
}

/// As the kind defines it.
fn is_available(object: &Value) -> bool {
    let observed = number(object, "/status/observedGeneration") >= number(object, "/metadata/generation");
    let status = |field: &str| number(object, &format!("/status/{field}")).unwrap_or_default();
    let wanted = number(object, "/spec/replicas").unwrap_or(1);
    match object.get("kind").and_then(Value::as_str) {
        Some("Deployment") => {
            observed
                && status("updatedReplicas") >= wanted
                && status("availableReplicas") >= wanted
                && status("replicas") <= wanted
        }
        Some("StatefulSet") => observed && status("updatedReplicas") >= wanted && status("availableReplicas") >= wanted,
        Some("ReplicaSet") => observed && status("availableReplicas") >= wanted,
        Some("DaemonSet") => {
            let desired = status("desiredNumberScheduled");
            observed && status("updatedNumberScheduled") >= desired && status("numberAvailable") >= desired
        }
        Some("Job") => status("failed") == 0 && (status("active") > 0 || status("succeeded") > 0),
        Some("CronJob") => true,
        Some("Pod") => is_ready(object),
        _ => false,
    }
}

/// Whether a pod is ready.
pub(crate) fn is_ready(pod: &Value) -> bool {
    let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
    let is = |condition: &Value, key: &str, text: &str| condition.get(key).and_then(Value::as_str) == Some(text);
    conditions
        .into_iter()
        .flatten()
        .any(|condition| is(condition, "type", "Ready") && is(condition, "status", "True"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_workload_is_available_as_its_kind_defines_it() {
        let deployment = |updated: i64, available: i64, replicas: i64, observed: i64| {
            json!({"kind": "Deployment", "metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": {
                "observedGeneration": observed, "updatedReplicas": updated, "availableReplicas": available, "replicas": replicas}})
        };
        assert!(is_available(&deployment(2, 2, 2, 2)));
        assert!(!is_available(&deployment(1, 2, 3, 2)), "a rollout is under way");
        assert!(!is_available(&deployment(2, 2, 3, 2)), "an old pod is still there");
        assert!(
            !is_available(&deployment(2, 2, 2, 1)),
            "the controller has not looked yet"
        );
        let daemons = json!({"kind": "DaemonSet", "metadata": {"generation": 1}, "status": {
            "observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2}});
        assert!(!is_available(&daemons));
        assert!(!is_available(
            &json!({"kind": "Job", "status": {"failed": 1, "active": 1}})
        ));
        assert!(is_available(&json!({"kind": "Job", "status": {"succeeded": 1}})));
    }
}
