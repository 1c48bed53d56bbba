//! What ran when enforcement began may run on as it is: edits that change nothing of what it does pass, every other edit is as new as what
//! never ran, at the workload and at its pods.

use super::{
    content::with,
    switch::{enforced, observing, patch},
};
use crate::{
    attempt::{self, api, create, try_create},
    await_::{Look, until},
    pods::{await_running, has_run, is_held},
    stage::{AgentOf, Stage},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};

/// By a tag, as what was there before anybody asked.
const TAGGED: &str = "registry.example/legacy:1.0";

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D10"],
        "of what ran when enforcement began unrelated edits pass; another image, prompt or variable does not",
        edits,
    )]
}

/// Somebody's workloads that no Agent names: each reads a prompt and a label of its pod, and has a variable.
fn template(name: &str) -> Value {
    json!({"metadata": {"labels": {"app": name, "mood": "kind"}}, "spec": {
        "containers": [{
            "name": "agent", "image": TAGGED,
            "env": [
                {"name": "MODEL", "value": "gpt-4"},
                {"name": "MOOD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['mood']"}}},
            ],
            "volumeMounts": [{"name": "prompt", "mountPath": "/etc/agent"}],
        }],
        "volumes": [{"name": "prompt", "configMap": {"name": "prompt"}}],
    }})
}

fn workload(kind: &str, name: &str) -> Value {
    let spec = json!({
        "replicas": 2, "serviceName": name, "selector": {"matchLabels": {"app": name}}, "template": template(name),
    });
    let mut object = json!({"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    if let Some(spec) = object
        .pointer_mut("/spec")
        .and_then(Value::as_object_mut)
        .filter(|_| kind == "Deployment")
    {
        spec.remove("serviceName");
    }
    object
}

/// A CronJob whose time does not come, so that it has no pod; it reads nothing of its own.
fn nightly() -> Value {
    let spec =
        json!({"restartPolicy": "Never", "containers": [{"name": "agent", "image": TAGGED, "args": ["nightly"]}]});
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": {"metadata": {"labels": {"app": "nightly"}}, "spec": spec}}}},
    })
}

fn prompt(name: &str, words: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"system.md": words}})
}

const CONTAINER: &str = "/spec/template/spec/containers/0";

async fn edits(cx: Context) -> Result<()> {
    let far = Timestamp::now() + SignedDuration::from_hours(1);
    let stage = Stage::set(&cx, observing(Some(far))).await?;
    let declared = AgentOf::new("declared");
    let mut lone = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "lone"}});
    lone = with(&lone, "/metadata/labels", json!({"app": "lone", "mood": "kind"}))?;
    lone = with(
        &lone,
        "/spec",
        template("lone").get("spec").cloned().context("no spec")?,
    )?;
    let objects = [
        declared.objects(),
        vec![
            prompt("prompt", "Be kind."),
            prompt("prompt-2", "Be cruel."),
            prompt("unused", "a"),
            nightly(),
        ],
        vec![
            workload("Deployment", "web"),
            workload("StatefulSet", "memory"),
            lone.clone(),
        ],
    ]
    .concat();
    stage.apply(&objects).await?;
    for (selector, count) in [("app=web", 2), ("app=memory", 2), ("app=lone", 1), ("app=declared", 1)] {
        await_running(&stage.pods(), selector, count).await?;
    }
    patch(&stage, json!({"enforcement": "Hold"})).await?;
    enforced(&stage, "Hold").await?;

    unrelated(&stage, &declared).await?;
    for (what, place, value) in changes() {
        held_beside(&stage, what, place, value.clone()).await?;
        refused_at_once(&stage, what, place, value).await?;
    }
    bare(&stage, &lone).await?;
    cron(&stage).await?;
    // Last: a ConfigMap that was deleted takes with it what is made of it.
    in_place(&stage).await
}

/// Edits that change nothing of what a pod does.
async fn unrelated(stage: &Stage, declared: &AgentOf) -> Result<()> {
    let resources = json!({"limits": {"memory": "1Gi"}});
    for (kind, name) in [
        ("Deployment", "web"),
        ("StatefulSet", "memory"),
        ("Deployment", declared.name.as_str()),
    ] {
        let before = match name {
            "web" | "memory" => workload(kind, name),
            _ => with(&declared.deployment(), "/spec/replicas", json!(2))?,
        };
        let mut now = with(&before, "/metadata/labels", json!({"team": "support"}))?;
        now = with(&now, "/spec/replicas", json!(3))?;
        pass(stage, name, 3, &now, None).await?;
        now = with(&now, "/spec/template/metadata/annotations", json!({"note": "new"}))?;
        pass(stage, name, 3, &now, Some("note")).await?;
        now = with(&now, &format!("{CONTAINER}/resources"), resources.clone())?;
        pass(stage, name, 3, &now, Some("1Gi")).await?;
        // Once more: what was edited is known as what it was.
        now = with(
            &now,
            &format!("{CONTAINER}/resources"),
            json!({"limits": {"memory": "2Gi"}}),
        )?;
        now = with(
            &now,
            "/spec/template/spec/nodeSelector",
            json!({"kubernetes.io/os": "linux"}),
        )?;
        pass(stage, name, 3, &now, Some("2Gi")).await?;
        pass(stage, name, 2, &before, None).await?;
    }
    Ok(())
}

/// Applies without a warning, and awaits so many running pods, all with this word in them.
async fn pass(stage: &Stage, name: &str, count: usize, object: &Value, word: Option<&str>) -> Result<()> {
    let ran = stage
        .editor
        .apply(&stage.namespace, std::slice::from_ref(object))
        .ran()
        .await?;
    ensure!(ran.code == Some(0), "{name}: refused: {}", ran.stderr);
    ensure!(!ran.stderr.contains("not cleared"), "{name}: warned: {}", ran.stderr);
    until(&format!("{count} pods of {name} to run with {word:?}"), || async {
        let pods = of(stage, name).await?;
        let good = |pod: &Pod| {
            let text = serde_json::to_string(pod).unwrap_or_default();
            has_run(pod) && word.is_none_or(|word| text.contains(word))
        };
        let words: Vec<_> = pods
            .iter()
            .map(|pod| (pod.name_any(), good(pod), is_held(pod)))
            .collect();
        Ok(Look::when(words, |_| pods.len() == count && pods.iter().all(good)))
    })
    .await
    .map(drop)
}

/// Edits that change what a pod does.
fn changes() -> Vec<(&'static str, &'static str, Value)> {
    let other = |value| json!([{"name": "MODEL", "value": value}, {"name": "MOOD", "value": "kind"}]);
    vec![
        (
            "another image",
            "/spec/template/spec/containers/0/image",
            json!("registry.example/legacy:2.0"),
        ),
        (
            "a hash-named prompt",
            "/spec/template/spec/volumes/0/configMap/name",
            json!("prompt-2"),
        ),
        (
            "another variable",
            "/spec/template/spec/containers/0/env",
            other("gpt-5"),
        ),
        (
            "a label that it reads",
            "/spec/template/metadata/labels/mood",
            json!("cruel"),
        ),
        (
            "another command",
            "/spec/template/spec/containers/0/command",
            json!(["sh"]),
        ),
    ]
}

/// A Deployment is taken with a warning: its new pods wait beside the old ones, and the old form comes back at once.
async fn held_beside(stage: &Stage, what: &str, place: &str, value: Value) -> Result<()> {
    let (before, reads) = (workload("Deployment", "web"), place.contains("/labels/"));
    let changed = with(&before, place, value)?;
    let ran = stage
        .editor
        .apply(&stage.namespace, std::slice::from_ref(&changed))
        .ran()
        .await?;
    ensure!(ran.code == Some(0), "{what}: refused: {}", ran.stderr);
    // A label is no part of the template's spec, which is what the early answer looks at; the pods are judged by it.
    ensure!(
        reads || ran.stderr.contains("Deployment web is not cleared for"),
        "{what}: no warning: {}",
        ran.stderr
    );
    let held = until(&format!("{what}: a pod to wait and to say why"), || async {
        let pods = of(stage, "web").await?;
        let held = pods.iter().find(|pod| is_held(pod)).map(ResourceExt::name_any);
        let reasons = match &held {
            Some(name) => reasons(stage, name).await?,
            None => Vec::new(),
        };
        Ok(Look::when((held, reasons), |(_, reasons)| {
            reasons.iter().any(|reason| reason == "NotDeclared")
        }))
    })
    .await?;
    let pods = of(stage, "web").await?;
    let name = held.0.context("no pod waits")?;
    let waits = pods
        .iter()
        .find(|pod| pod.name_any() == name)
        .context("it does not wait any more")?;
    let hash = waits.labels().get("pod-template-hash").cloned();
    let ran: Vec<_> = pods
        .iter()
        .filter(|pod| has_run(pod) && pod.labels().get("pod-template-hash") == hash.as_ref())
        .map(ResourceExt::name_any)
        .collect();
    ensure!(ran.is_empty(), "{what}: these ran: {ran:?}");
    ensure!(pods.iter().any(has_run), "{what}: nothing runs any more");
    pass(stage, "web", 2, &before, None).await
}

/// A StatefulSet would lose a pod, so it is refused, and nothing changes. What its template does not show is held at the pod.
async fn refused_at_once(stage: &Stage, what: &str, place: &str, value: Value) -> Result<()> {
    if place.contains("/labels/") {
        return Ok(());
    }
    let changed = with(&workload("StatefulSet", "memory"), place, value)?;
    let ran = stage.editor.apply(&stage.namespace, &[changed]).ran().await?;
    let refused = ran.code != Some(0) && ran.stderr.contains("StatefulSet memory is not cleared for");
    ensure!(
        refused && ran.stderr.contains("would lose a running pod"),
        "{what}: not refused: {}",
        ran.stderr
    );
    await_running(&stage.pods(), "app=memory", 2).await.map(drop)
}

/// What it is made of stays; what it is not made of, and credentials, may change.
async fn in_place(stage: &Stage) -> Result<()> {
    let maps = api(&stage.editor, Some(&stage.namespace), "v1", "ConfigMap");
    let other = json!({"data": {"system.md": "Be cruel."}});
    attempt::patch(&maps, "prompt", None, &other)
        .await?
        .refused_with("the prompt in place", "is not edited in place")?;
    attempt::patch(&maps, "unused", None, &other)
        .await?
        .taken("a ConfigMap that nothing is made of")?;
    attempt::delete(&maps, "prompt").await?.taken("deleting is free")?;
    create(&stage.editor, Some(&stage.namespace), &prompt("prompt", "Be cruel."))
        .await?
        .refused_with("the prompt deleted and made anew", "cannot come back under this name")?;
    let same = create(stage.cx.admin(), Some(&stage.namespace), &prompt("prompt", "Be kind.")).await?;
    same.refused_with("by an administrator", "cannot come back under this name")
}

async fn bare(stage: &Stage, lone: &Value) -> Result<()> {
    let again = with(lone, "/metadata/name", json!("again"))?;
    try_create(&stage.editor, &stage.namespace, &again)
        .await?
        .free("the same bare pod")?;
    let other = with(&again, "/spec/containers/0/image", json!("registry.example/legacy:2.0"))?;
    try_create(&stage.editor, &stage.namespace, &other)
        .await?
        .held("a bare pod of another image")
}

/// A CronJob has no pod: its template tells.
async fn cron(stage: &Stage) -> Result<()> {
    let job = |name: &'static str| {
        stage
            .editor
            .kubectl(["create", "job", "--from=cronjob/nightly", name, "-n", &stage.namespace])
    };
    let container = "/spec/jobTemplate/spec/template/spec/containers/0";
    job("as-it-was").must().await?;
    await_finished(stage, "as-it-was").await?;
    let larger = with(
        &nightly(),
        &format!("{container}/resources"),
        json!({"limits": {"memory": "1Gi"}}),
    )?;
    stage.apply(&[larger]).await?;
    job("larger").must().await?;
    await_finished(stage, "larger").await?;
    let other = with(&nightly(), &format!("{container}/args"), json!(["nightly", "--all"]))?;
    let ran = stage.editor.apply(&stage.namespace, &[other]).ran().await?;
    ensure!(
        ran.stderr.contains("CronJob nightly is not cleared for"),
        "no warning: {}",
        ran.stderr
    );
    job("other").must().await?;
    let path = [
        "get",
        "job",
        "other",
        "-n",
        &stage.namespace,
        "-o",
        "jsonpath={.spec.suspend}",
    ];
    let suspended = stage.editor.kubectl(path).must().await?;
    ensure!(suspended == "true", "a Job of another template is not suspended");
    // By the time that one which may run has run, this one would have, too.
    stage.apply(&[nightly()]).await?;
    job("as-it-was-again").must().await?;
    await_finished(stage, "as-it-was-again").await?;
    stage.nothing_ran("batch.kubernetes.io/job-name=other").await
}

async fn await_finished(stage: &Stage, job: &str) -> Result<()> {
    let selector = format!("batch.kubernetes.io/job-name={job}");
    await_running(&stage.pods(), &selector, 1).await.map(drop)
}

async fn of(stage: &Stage, app: &str) -> Result<Vec<Pod>> {
    let list = ListParams::default().labels(&format!("app={app}"));
    let mut pods = stage.pods().list(&list).await?.items;
    pods.retain(|pod| pod.metadata.deletion_timestamp.is_none());
    Ok(pods)
}

/// Reasons of the Events about a pod.
async fn reasons(stage: &Stage, pod: &str) -> Result<Vec<String>> {
    let about = ListParams::default().fields(&format!("involvedObject.name={pod}"));
    let events = stage.api::<Event>().list(&about).await?.items;
    Ok(events.into_iter().filter_map(|event| event.reason).collect())
}
