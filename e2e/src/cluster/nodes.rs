//! Nodes that are Ready: fake ones, which kwok keeps so, and does to pods what a kubelet would report; or a real one, which is made by
//! its kubelet.

use super::plane::Plane;
use crate::await_::{Look, until};
use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::{
    Api, Client, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::json;

/// Enough for a drain to have somewhere to go, and for a DaemonSet to be more than one pod.
const COUNT: usize = 4;

/// Creates fake nodes.
pub(super) async fn create(admin: &Client) -> Result<()> {
    let nodes: Api<Node> = Api::all(admin.clone());
    for number in 1..=COUNT {
        let node = node(&format!("node-{number}"))?;
        nodes
            .create(&PostParams::default(), &node)
            .await
            .context("cannot create a node")?;
    }
    Ok(())
}

/// Waits until a pod could run.
pub(super) async fn await_ready(admin: &Client, plane: &Plane) -> Result<()> {
    let nodes: Api<Node> = Api::all(admin.clone());
    let ended = until("the nodes to be Ready", || async {
        if let Err(ended) = plane.all_must_run() {
            return Ok(Look::Seen(Some(ended)));
        }
        let found = nodes.list(&ListParams::default()).await?;
        let missing: Vec<String> = found
            .iter()
            .filter(|node| !ready(node))
            .map(ResourceExt::name_any)
            .collect();
        Ok(if missing.is_empty() && !found.items.is_empty() {
            Look::Seen(None)
        } else {
            Look::NotYet(format!(
                "{} nodes, not Ready: {}",
                found.items.len(),
                missing.join(", ")
            ))
        })
    })
    .await?;
    ended.map_or(Ok(()), Err)?;
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), "default");
    until("the default service account", || async {
        Ok(Look::Seen(accounts.get("default").await?))
    })
    .await?;
    Ok(())
}

fn node(name: &str) -> Result<Node> {
    let size = json!({"cpu": "256", "memory": "1Ti", "pods": "2000", "ephemeral-storage": "1Ti"});
    let node = json!({
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"},
        },
        "status": {"allocatable": size, "capacity": size},
    });
    serde_json::from_value(node).context("cannot describe a node")
}

fn ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition.type_ == "Ready" && condition.status == "True")
    })
}
