//! Manifests of workloads, for cases to change and apply.

use serde_json::{Value, json};

/// An image by digest; nothing pulls it, because the nodes are fake.
pub const IMAGE: &str =
    "registry.example/agent@sha256:6c3c624b58dbbcd3c0dd82b4c53f04194d1247c6eebdaab7c610cf7d66709b3b";

/// A Deployment with one container named `agent`; its pods have the label `app` with the Deployment's name.
#[must_use]
pub fn deployment(name: &str, image: &str, replicas: u32) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(image)},
        },
    })
}

/// A bare pod with one container named `agent`, and the label `app` with the pod's name.
#[must_use]
pub fn pod(name: &str, image: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": pod_spec(image),
    })
}

fn pod_spec(image: &str) -> Value {
    json!({"containers": [{"name": "agent", "image": image}]})
}
