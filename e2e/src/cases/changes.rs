//! What was let in stays as it was let in: the pod in place.

use crate::{
    attempt::{api, delete, patch},
    cases::content::with,
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
    users::rule,
};
use anyhow::{Context as _, Result};
use kube::ResourceExt;
use serde_json::{Value, json};
use vouchsafe_api::{approval::Vote, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D02", "D05", "D67", "A09"],
        "a pod that runs is not changed in place, and can always go",
        in_place,
    )]
}

/// An agent that reads a ConfigMap which is not immutable, another that is not there, and a label of its own pod.
fn reader(agent: &AgentOf) -> Result<Vec<Value>> {
    let config_map = with(&agent.config_map(), "/immutable", json!(false))?;
    let env = json!([
        {"name": "APP", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "LATER", "valueFrom": {"configMapKeyRef": {"name": "later", "key": "prompt", "optional": true}}},
    ]);
    let deployment = with(&agent.deployment(), "/spec/template/spec/containers/0/env", env)?;
    Ok(vec![config_map, agent.agent("Deployment", "apps/v1"), deployment])
}

pub(super) async fn runs(cx: &Context) -> Result<(Stage, AgentOf)> {
    let stage = Stage::set(cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&reader(&agent)?).await?;
    let promotion = stage.promotion(&agent.name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;
    crate::pods::await_running(&stage.pods(), &agent.selector(), 1).await?;
    Ok((stage, agent))
}

async fn in_place(cx: Context) -> Result<()> {
    let (stage, agent) = runs(&cx).await?;
    let rights = rule(
        "",
        &["pods/ephemeralcontainers", "pods/resize", "pods/status"],
        &[],
        &["patch", "update"],
    );
    cx.cluster()
        .grants()
        .allow(&stage.namespace, vec![rights], stage.editor.subject())
        .await?;
    let name = stage.running(&agent.selector()).await?.pop().context("no pod runs")?;
    let pods = api(&stage.editor, Some(&stage.namespace), "v1", "Pod");
    let other = json!({"spec": {"containers": [{"name": "agent", "image": image("other")}]}});
    let ephemeral = json!({"spec": {"ephemeralContainers": [{"name": "other", "image": image("other")}]}});
    let label = json!({"metadata": {"labels": {"app": "other"}}});
    for (what, part, change, reason) in [
        ("another image", None, &other, "not changed in place"),
        (
            "an ephemeral container",
            Some("ephemeralcontainers"),
            &ephemeral,
            "needs the verb debug",
        ),
        ("a label that it reads", None, &label, "metadata.labels['app']"),
        (
            "a label that it reads, through its status",
            Some("status"),
            &label,
            "metadata.labels['app']",
        ),
    ] {
        patch(&pods, &name, part, change).await?.refused_with(what, reason)?;
    }
    // A resize takes resources, and drops or refuses the rest.
    if let crate::attempt::Answer::Taken(pod) = patch(&pods, &name, Some("resize"), &other).await? {
        let image_now = pod.pointer("/spec/containers/0/image").and_then(Value::as_str);
        anyhow::ensure!(
            image_now == Some(agent.image.as_str()),
            "a resize changed the image: {pod}"
        );
    }
    can_go(&stage, &name).await
}

/// Labels that it does not read, finalizers and deletion are free.
async fn can_go(stage: &Stage, name: &str) -> Result<()> {
    let pods = api(&stage.editor, Some(&stage.namespace), "v1", "Pod");
    let free = json!({"metadata": {"labels": {"free": "yes"}, "finalizers": ["example.com/last"]}});
    patch(&pods, name, None, &free)
        .await?
        .taken("a label and a finalizer")?;
    delete(&pods, name).await?.taken("a deletion")?;
    let off = json!({"metadata": {"finalizers": [], "$deleteFromPrimitiveList/finalizers": ["example.com/last"]}});
    let off = patch(&pods, name, None, &off).await?;
    off.taken("the finalizer taken off").map(drop)
}
