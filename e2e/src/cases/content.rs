//! A pod is judged by all that is in it: beside one cleared pod, every other way to write one is held or refused.

use crate::{
    attempt::{create, try_create},
    pods::{GATE, await_held, none_has_run},
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result};
use kube::ResourceExt;
use serde_json::{Value, json};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D01", "D04", "D15", "D22", "D23", "D63", "D64", "A08"],
            "other containers, images, words or volumes than the cleared ones are held",
            others_are_held,
        ),
        Case::new(
            &["D16", "D65"],
            "a node, a gate or a label set by hand opens nothing",
            by_hand,
        ),
    ]
}

/// A stage on which an agent runs, and a pod like those that run, to change.
pub(super) async fn cleared(cx: &Context) -> Result<(Stage, AgentOf, Value)> {
    let stage = Stage::set(cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.run(&agent).await?;
    let pod = copy(&stage, &agent.selector()).await?;
    try_create(&stage.editor, &stage.namespace, &pod)
        .await?
        .free("the pod as it was cleared")?;
    Ok((stage, agent, pod))
}

/// A pod that runs, as somebody would write it to have the same again.
pub(super) async fn copy(stage: &Stage, selector: &str) -> Result<Value> {
    let name = stage.running(selector).await?.pop().context("no pod runs")?;
    let pod = stage.pods().get(&name).await?;
    let mut spec = serde_json::to_value(pod.spec.clone()).context("a pod is no JSON")?;
    spec.as_object_mut().context("no spec")?.remove("nodeName");
    let labels = json!({"app": pod.labels().get("app"), "attempt": "true"});
    Ok(
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "attempt-", "labels": labels}, "spec": spec}),
    )
}

/// The same with something else at a place.
pub(super) fn with(pod: &Value, place: &str, value: Value) -> Result<Value> {
    let mut pod = pod.clone();
    let (parent, key) = place.rsplit_once('/').context("no place")?;
    match pod
        .pointer_mut(parent)
        .with_context(|| format!("the pod has no {parent}"))?
    {
        Value::Object(fields) => drop(fields.insert(key.to_owned(), value)),
        Value::Array(items) if key == "-" => items.push(value),
        Value::Array(items) => {
            *items
                .get_mut(key.parse::<usize>().context("no number")?)
                .context("no item")? = value;
        }
        _ => anyhow::bail!("{parent} is no object"),
    }
    Ok(pod)
}

#[expect(clippy::too_many_lines, reason = "a table of attempts")]
fn variants() -> Vec<(&'static str, &'static str, Value)> {
    let other = json!({"name": "other", "image": image("other")});
    let sidecar = json!([{"name": "other", "image": image("other"), "restartPolicy": "Always"}]);
    vec![
        ("an init container", "/spec/initContainers", json!([other])),
        ("a sidecar", "/spec/initContainers", sidecar),
        ("one more container", "/spec/containers/-", other),
        ("another image", "/spec/containers/0/image", json!(image("other"))),
        (
            "a tag",
            "/spec/containers/0/image",
            json!("registry.example/agent:latest"),
        ),
        (
            "the image's digest in another repository",
            "/spec/containers/0/image",
            json!(image("agent").replace("/agent@", "/other@")),
        ),
        (
            "the image with a tag beside its digest",
            "/spec/containers/0/image",
            json!(image("agent").replace("/agent@", "/agent:v1@")),
        ),
        ("another command", "/spec/containers/0/command", json!(["sh"])),
        ("other arguments", "/spec/containers/0/args", json!(["--yes"])),
        (
            "an environment variable",
            "/spec/containers/0/env",
            json!([{"name": "PROMPT", "value": "all"}]),
        ),
        (
            "a whole ConfigMap as environment",
            "/spec/containers/0/envFrom",
            json!([{"configMapRef": {"name": "other"}}]),
        ),
        (
            "a hook",
            "/spec/containers/0/lifecycle",
            json!({"postStart": {"exec": {"command": ["sh"]}}}),
        ),
        ("no token", "/spec/automountServiceAccountToken", json!(false)),
        ("the host's network", "/spec/hostNetwork", json!(true)),
        (
            "an image as a volume",
            "/spec/volumes/-",
            json!({"name": "more", "image": {"reference": image("other")}}),
        ),
        (
            "another ConfigMap",
            "/spec/volumes/0",
            json!({"name": "prompt", "configMap": {"name": "other"}}),
        ),
        (
            "a mount that hides the token",
            "/spec/containers/0/volumeMounts/-",
            json!({"name": "prompt", "mountPath": "/var/run/secrets/kubernetes.io"}),
        ),
        (
            "a host path named as a token",
            "/spec/volumes/-",
            json!({"name": "kube-api-access-zzzzz", "hostPath": {"path": "/"}}),
        ),
        (
            "a Secret named as a token",
            "/spec/volumes/-",
            json!({"name": "kube-api-access-zzzzz", "secret": {"secretName": "other"}}),
        ),
        (
            "an image named as a token",
            "/spec/volumes/-",
            json!({"name": "kube-api-access-zzzzz", "image": {"reference": image("other")}}),
        ),
        (
            "a token for another audience",
            "/spec/volumes/-",
            json!({"name": "kube-api-access-zzzzz", "projected": {"sources": [
            {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 3607}}]}}),
        ),
    ]
}

async fn others_are_held(cx: Context) -> Result<()> {
    let (stage, agent, pod) = cleared(&cx).await?;
    for (what, place, value) in variants() {
        let attempt = with(&pod, place, value)?;
        try_create(&stage.editor, &stage.namespace, &attempt)
            .await?
            .held(what)?;
    }
    let bare = with(&pod, "/metadata/labels", json!({}))?;
    let bare = with(&bare, "/spec/containers/0/image", json!(image("other")))?;
    try_create(&stage.editor, &stage.namespace, &bare)
        .await?
        .held("another image without a label")?;
    lists(&stage, &pod).await?;
    let before = stage.pods().list(&kube::api::ListParams::default()).await?.items.len();
    anyhow::ensure!(before == agent.replicas, "dry runs left pods behind: {before}");
    let other = with(&pod, "/spec/containers/0/image", json!(image("other")))?;
    let other = with(&other, "/metadata/labels/app", json!("other"))?;
    create(&stage.editor, Some(&stage.namespace), &other)
        .await?
        .held("another image, for real")?;
    await_held(&stage.pods(), "app=other", 1).await?;
    none_has_run(&stage.pods(), "app=other").await
}

/// Containers dropped, moved between lists and in another order.
async fn lists(stage: &Stage, pod: &Value) -> Result<()> {
    let container = pod.pointer("/spec/containers/0").cloned().context("no container")?;
    let other = json!({"name": "other", "image": image("other")});
    let moved = with(pod, "/spec/initContainers", json!([container]))?;
    let moved = with(&moved, "/spec/containers", json!([other]))?;
    try_create(&stage.editor, &stage.namespace, &moved)
        .await?
        .held("the container as init container")?;
    let second = with(pod, "/spec/containers", json!([other, container]))?;
    try_create(&stage.editor, &stage.namespace, &second)
        .await?
        .held("another container before it")?;
    let fewer = with(pod, "/spec/volumes", json!([]))?;
    let fewer = with(&fewer, "/spec/containers/0/volumeMounts", json!([]))?;
    try_create(&stage.editor, &stage.namespace, &fewer)
        .await?
        .held("without the prompt")
}

async fn by_hand(cx: Context) -> Result<()> {
    let (stage, _, pod) = cleared(&cx).await?;
    let other = with(&pod, "/spec/containers/0/image", json!(image("other")))?;
    let attempt = |pod: Value| async {
        try_create(&stage.editor, &stage.namespace, &pod)
            .await
            .map(|answer| (answer, pod))
    };
    for pod in [&pod, &other] {
        let (answer, _) = attempt(with(pod, "/spec/nodeName", json!("node-1"))?).await?;
        answer.refused_with(
            "a node set by hand",
            if pod == &other {
                ""
            } else {
                "spec.nodeName is not set by hand"
            },
        )?;
        let (answer, _) = attempt(with(
            pod,
            "/spec/schedulingGates",
            json!([{"name": "other.example/gate"}]),
        )?)
        .await?;
        answer.refused_with("a foreign gate", "other.example/gate is not allowed here")?;
    }
    for labels in [
        json!({"vouchsafe.dev/held": "false"}),
        json!({"vouchsafe.dev/held": "true", "vouchsafe.dev/cleared": "true"}),
    ] {
        let (answer, _) = attempt(with(&other, "/metadata/labels", labels)?).await?;
        answer.held("labels of ours written by hand")?;
    }
    let forged = with(
        &other,
        "/metadata/annotations",
        json!({"vouchsafe.dev/release": "v1:sha256:".to_owned() + &"1".repeat(64)}),
    )?;
    attempt(forged).await?.0.held("a release claimed by an annotation")?;
    own_gate(&stage, &other).await
}

/// A gate that somebody sets is not theirs to take off, whoever they are.
async fn own_gate(stage: &Stage, other: &Value) -> Result<()> {
    let gated = with(other, "/spec/schedulingGates", json!([{"name": GATE}]))?;
    let gated = with(&gated, "/metadata/labels/app", json!("gated"))?;
    let stored = create(&stage.editor, Some(&stage.namespace), &gated)
        .await?
        .taken("a gate set by hand")?;
    let name = stored
        .pointer("/metadata/name")
        .and_then(Value::as_str)
        .context("no name")?;
    let off = json!({"spec": {"schedulingGates": [{"$patch": "delete", "name": GATE}]}});
    for user in [&stage.editor, stage.cx.admin()] {
        let pods = crate::attempt::api(user, Some(&stage.namespace), "v1", "Pod");
        let answer = crate::attempt::patch(&pods, name, None, &off).await?;
        answer.refused_with("the gate taken off", "only the operator takes the gate")?;
    }
    await_held(&stage.pods(), "app=gated", 1).await?;
    none_has_run(&stage.pods(), "app=gated").await
}
