//! Pods behind the gate, of the namespace, as far as they may be read.

use super::cluster::{Cluster, ClusterError, Select, permitted};
use k8s_openapi::api::core::v1::Pod;

/// The label on held pods.
const HELD: &str = "vouchsafe.dev/held";

/// Pods that bear the label of held ones, also of those that were let go meanwhile; none where reading is not allowed.
pub(crate) async fn labelled(cluster: &Cluster) -> Result<Option<Vec<Pod>>, ClusterError> {
    permitted(cluster.list(false, &Select::label(HELD)).await)
}

/// Whether it still waits.
pub(crate) fn is_gated(pod: &Pod) -> bool {
    let gates = pod.spec.as_ref().and_then(|spec| spec.scheduling_gates.as_ref());
    gates.is_some_and(|gates| !gates.is_empty())
}
