//! The service-account token that the API server injects into pods, by its exact source.

use serde_json::{Value, json};

/// The `projected` source of the injected volume, as Kubernetes 1.22 and later store it.
pub(crate) fn injected() -> Value {
    json!({"defaultMode": 420, "sources": [
        {"serviceAccountToken": {"expirationSeconds": 3607, "path": "token"}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [
            {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
        ]}},
    ]})
}
