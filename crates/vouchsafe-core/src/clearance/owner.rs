//! What made a pod, as far as it makes a difference to the pod.

use serde_json::Value;

/// Kinds of owners by what their controllers add to a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OwnerKind {
    /// Adds nothing to a pod's spec: Deployment, ReplicaSet, ReplicationController, Job, CronJob, a Pod by itself, anything else.
    Plain,
    /// Sets `hostname` and `subdomain`, and mounts each pod's own claims.
    StatefulSet,
    /// Pins each pod to its node by `affinity`.
    DaemonSet,
    /// A Job that counts: sets `hostname` and tells every container its index.
    IndexedJob,
}

impl OwnerKind {
    /// The kind of a declared workload. A CronJob is judged by the Jobs that it makes.
    #[must_use]
    pub fn of(workload: &Value) -> Self {
        let indexed = |pointer| workload.pointer(pointer).and_then(Value::as_str) == Some("Indexed");
        match workload.get("kind").and_then(Value::as_str) {
            Some("StatefulSet") => Self::StatefulSet,
            Some("DaemonSet") => Self::DaemonSet,
            Some("Job") if indexed("/spec/completionMode") => Self::IndexedJob,
            Some("CronJob") if indexed("/spec/jobTemplate/spec/completionMode") => Self::IndexedJob,
            _ => Self::Plain,
        }
    }
}
