//! Pods that a kubelet runs from a file on its node: nothing can hold them, so they are seen and told of. Nobody else passes as one.

use super::switch::patch;
use crate::{
    attempt::{Answer, create, try_create},
    await_::{Look, until},
    stage::{Stage, image, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::{Event, Node};
use kube::{Api, api::ListParams};
use serde_json::{Value, json};
use vouchsafe_api::Environment;

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D14"],
        "a static pod cannot be held: it is seen and told of, and nobody else passes as one",
        reported,
    )]
}

/// What a kubelet shows of a pod that it runs from a file: as the API server of a real node gets it.
fn mirror(name: &str, node: &str, uid: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": name, "labels": {"app": name},
            "annotations": {
                "kubernetes.io/config.hash": "5f2c1a", "kubernetes.io/config.mirror": "5f2c1a", "kubernetes.io/config.source": "file",
            },
            "ownerReferences": [{"apiVersion": "v1", "kind": "Node", "name": node, "uid": uid, "controller": true}],
        },
        "spec": {
            "nodeName": node, "enableServiceLinks": true, "tolerations": [{"operator": "Exists", "effect": "NoExecute"}],
            "containers": [{"name": "agent", "image": image("static")}],
        },
    })
}

async fn reported(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    super::switch::enforced(&stage, "Hold").await?;
    let nodes = Api::<Node>::all(cx.client()).list(&ListParams::default()).await?;
    let node = nodes.items.first().context("there is no node")?;
    let (name, uid) = (
        node.metadata.name.clone().unwrap_or_default(),
        node.metadata.uid.clone().unwrap_or_default(),
    );
    let kubelet = cx
        .cluster()
        .user(&format!("system:node:{name}"), &["system:nodes"])
        .await?;
    let rights = rule("", &["pods"], &[], &["create", "get", "delete"]);
    cx.cluster()
        .grants()
        .allow(&stage.namespace, vec![rights], kubelet.subject())
        .await?;
    nobody_else(&stage, &kubelet, &mirror("forged", &name, &uid)).await?;
    let shown = create(&kubelet, Some(&stage.namespace), &mirror("static", &name, &uid)).await?;
    shown.free("what a kubelet runs from a file")?;
    told(&stage).await?;
    counted(&stage, 1).await?;
    // What it is did not become something that may run: neither now nor as what ran when enforcement began.
    let mut copy = mirror("copy", &name, &uid);
    if let Some(pod) = copy.as_object_mut() {
        pod.insert(
            "metadata".to_owned(),
            json!({"name": "copy", "labels": {"app": "copy"}}),
        );
    }
    if let Some(spec) = copy.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.remove("nodeName");
    }
    let until = json!({"enforcement": "Observe", "existing": {"grandfatherUntil": "2099-01-01T00:00:00Z"}});
    patch(&stage, until).await?;
    super::switch::enforced(&stage, "Observe").await?;
    patch(&stage, json!({"enforcement": "Hold"})).await?;
    super::switch::enforced(&stage, "Hold").await?;
    try_create(&stage.editor, &stage.namespace, &copy)
        .await?
        .held("the same as an ordinary pod")
}

/// The annotation is nothing in the hands of somebody else, nor the name without the annotation.
async fn nobody_else(stage: &Stage, kubelet: &User, forged: &Value) -> Result<()> {
    let refused = "spec.nodeName";
    match create(&stage.editor, Some(&stage.namespace), forged).await? {
        Answer::Refused(words) => ensure!(
            words.contains(refused) || words.contains("node"),
            "refused otherwise: {words}"
        ),
        Answer::Taken(pod) => anyhow::bail!("an editor's static pod was taken: {pod}"),
    }
    let mut plain = forged.clone();
    if let Some(metadata) = plain.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.remove("annotations");
    }
    if let Some(spec) = plain.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.remove("nodeName");
        spec.insert(
            "containers".to_owned(),
            json!([{"name": "agent", "image": image("forged")}]),
        );
    }
    create(kubelet, Some(&stage.namespace), &plain)
        .await?
        .held("what a kubelet creates, and is no static pod")
}

async fn told(stage: &Stage) -> Result<()> {
    until("an Event StaticPod on the pod", || async {
        let about = ListParams::default().fields("involvedObject.name=static");
        let events = stage.api::<Event>().list(&about).await?.items;
        let told: Vec<_> = events
            .into_iter()
            .map(|event| (event.reason.unwrap_or_default(), event.message.unwrap_or_default()))
            .collect();
        Ok(Look::when(told, |told| {
            told.iter()
                .any(|(reason, message)| reason == "StaticPod" && message.contains("where no gate can hold it"))
        }))
    })
    .await
    .map(drop)
}

async fn counted(stage: &Stage, count: u32) -> Result<()> {
    until("the environment to count the static pod", || async {
        let found = Api::<Environment>::all(stage.cx.client())
            .get(&stage.environment)
            .await?;
        let namespaces = found.status.unwrap_or_default().namespaces;
        let of_here = namespaces.into_iter().find(|found| found.name == stage.namespace);
        Ok(Look::when(of_here, |found| {
            found.as_ref().is_some_and(|found| found.static_pods == count)
        }))
    })
    .await
    .map(drop)
}
