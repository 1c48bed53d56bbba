//! Mutating webhooks of somebody else, which run after our hold policy: what they do to a pod is judged, and what was cleared with
//! what they inject runs, with the operator dead too.

use super::sidecars::{proxy, with_proxy};
use crate::{
    attempt::{Answer, create, is_gated},
    await_::{Look, until},
    injector::{Change, Injector},
    pods::await_running,
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, bail, ensure};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    core::v1::{Event, Pod},
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, EvictParams, ListParams, PostParams},
};
use serde_json::{Value, json};
use std::sync::Arc;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D21"],
            "a webhook that runs after the gate and rewrites images, adds containers or takes the gate off lets nothing in",
            rewrites,
        ),
        Case::new(
            &["A01", "A10"],
            "what was cleared with a sidecar that a webhook injects runs, and restarts with the operator dead",
            injected,
        )
        .alone(),
    ]
}

/// A webhook that the API server calls, until this goes away.
struct Installed {
    injector: Injector,
    name: String,
    api: Api<MutatingWebhookConfiguration>,
}

impl Installed {
    /// Installs it for one namespace, and awaits that it is called there.
    async fn new(stage: &Stage, reinvocation: &str, change: Change) -> Result<Self> {
        let injector = Injector::start(stage.cx.cluster(), change).await?;
        let name = stage.cx.name("webhook");
        let configuration = injector.configuration(&name, &stage.namespace, reinvocation);
        let api: Api<MutatingWebhookConfiguration> = Api::all(stage.cx.client());
        let configuration = serde_json::from_value(configuration).context("this is no webhook")?;
        api.create(&PostParams::default(), &configuration).await?;
        let installed = Self { injector, name, api };
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let probe = serde_json::from_value(pod("probe", &AgentOf::new("probe").pod_spec()))?;
        until("the API server to call the webhook", || async {
            // Refused or not: what counts is whether the webhook was asked.
            drop(stage.pods().create(&dry_run, &probe).await);
            Ok(Look::when(installed.injector.calls(), |calls| *calls > 0))
        })
        .await?;
        Ok(installed)
    }

    async fn remove(self) -> Result<()> {
        self.api.delete(&self.name, &DeleteParams::default()).await?;
        Ok(())
    }
}

fn pod(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
}

/// What a webhook does to pods whose name begins like this; others it leaves alone.
fn to(prefix: &'static str, operations: impl Fn(&Value) -> Value + Send + Sync + 'static) -> Change {
    Arc::new(move |pod| {
        let names = ["/metadata/name", "/metadata/generateName"].map(|at| pod.pointer(at).and_then(Value::as_str));
        let is_meant = names.iter().flatten().any(|name| name.starts_with(prefix));
        if is_meant { operations(pod) } else { json!([]) }
    })
}

fn rewritten() -> Value {
    json!([{"op": "replace", "path": "/spec/containers/0/image", "value": image("smuggled")}])
}

/// Adds a container, once, as a webhook that is called again has to.
fn added(pod: &Value) -> Value {
    let containers = pod.pointer("/spec/containers").and_then(Value::as_array);
    let is_there = |container: &Value| container.get("name") == Some(&json!("miner"));
    if containers.is_some_and(|containers| containers.iter().any(is_there)) {
        return json!([]);
    }
    json!([{"op": "add", "path": "/spec/containers/-", "value": {"name": "miner", "image": image("miner")}}])
}

/// Takes every scheduling gate off, where there is one.
fn ungated(pod: &Value) -> Value {
    match pod.pointer("/spec/schedulingGates") {
        Some(_) => json!([{"op": "remove", "path": "/spec/schedulingGates"}]),
        None => json!([]),
    }
}

async fn rewrites(cx: Context) -> Result<()> {
    cx.must_be_ours()?;
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.run(&agent).await?;
    let cleared = stage
        .pods()
        .list(&ListParams::default().labels(&agent.selector()))
        .await?;
    let cleared = cleared.items.first().context("nothing runs")?.name_any();
    let ways: [(&str, Change); 3] = [
        ("rewrites the image", to("refund-", |_| rewritten())),
        ("adds a container", to("refund-", added)),
        (
            "takes the gate off what it rewrote",
            to("refund-", |pod| both(rewritten(), ungated(pod))),
        ),
    ];
    for reinvocation in ["Never", "IfNeeded"] {
        for (what, change) in &ways {
            let what = format!("a webhook ({reinvocation}) that {what}");
            let webhook = Installed::new(&stage, reinvocation, Arc::clone(change)).await?;
            stays_out(&stage, &agent.pod_spec()).await.context(what)?;
            webhook.remove().await?;
        }
    }
    let webhook = Installed::new(&stage, "Never", to("refund-", |_| rewritten())).await?;
    refused_or_held(&stage, &agent).await?;
    webhook.remove().await?;
    let webhook = Installed::new(&stage, "Never", to("refund-", ungated)).await?;
    let uncleared = AgentOf {
        image: image("uncleared"),
        ..agent.clone()
    };
    let stays = stays_out(&stage, &uncleared.pod_spec()).await;
    stays.context("a webhook that takes the gate off")?;
    webhook.remove().await?;
    // Nothing that ran was touched, and without the webhook the agent grows as before.
    ensure!(
        stage.running(&agent.selector()).await? == [cleared],
        "the pod that ran is another"
    );
    stage
        .editor
        .kubectl(["scale", "deployment/refund", "--replicas=2", "-n", &stage.namespace])
        .must()
        .await?;
    await_running(&stage.pods(), &agent.selector(), 2).await.map(drop)
}

fn both(first: Value, second: Value) -> Value {
    [first, second]
        .iter()
        .filter_map(Value::as_array)
        .flatten()
        .cloned()
        .collect()
}

/// Asks for one more pod, which a webhook changes: refused or held, and it never runs.
async fn stays_out(stage: &Stage, spec: &Value) -> Result<()> {
    let name = stage.cx.name("refund-more");
    let name = format!("refund-{name}");
    match create(&stage.editor, Some(&stage.namespace), &pod(&name, spec)).await? {
        Answer::Refused(words) => ensure!(
            words.contains("ValidatingAdmissionPolicy 'vouchsafe-"),
            "refused by somebody else: {words}"
        ),
        Answer::Taken(stored) => {
            ensure!(is_gated(&stored), "free to run: {stored}");
            stage.held(&format!("app={name}"), 1).await?;
        }
    }
    stage.nothing_ran(&format!("app={name}")).await
}

/// The same of a pod that the Deployment's own controller makes. Once only: a controller tells of few refusals.
async fn refused_or_held(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let scale = |to: &str| {
        let to = format!("--replicas={to}");
        stage
            .editor
            .kubectl(["scale", "deployment/refund", &to, "-n", &stage.namespace])
    };
    let refusals = || async {
        let failed = ListParams::default().fields("reason=FailedCreate");
        let events = stage.api::<Event>().list(&failed).await?;
        let ours = |event: &&Event| {
            event
                .message
                .as_ref()
                .is_some_and(|words| words.contains("'vouchsafe-"))
        };
        let count = |event: &Event| event.count.unwrap_or(1);
        Ok::<_, anyhow::Error>(events.iter().filter(ours).map(count).sum::<i32>())
    };
    let before = refusals().await?;
    scale("2").must().await?;
    until("one more pod to be refused or held", || async {
        let found = stage
            .pods()
            .list(&ListParams::default().labels(&agent.selector()))
            .await?;
        let held = found.iter().filter(|pod| crate::pods::is_held(pod)).count();
        Ok(Look::when((held, refusals().await?), |(held, refused)| {
            *held > 0 || *refused > before
        }))
    })
    .await?;
    let running = stage.running(&agent.selector()).await?;
    if running.len() != 1 {
        bail!("these run: {running:?}");
    }
    scale("1").must().await?;
    until("the pod too many to go", || async {
        let found = stage
            .pods()
            .list(&ListParams::default().labels(&agent.selector()))
            .await?;
        Ok(Look::when(found.items.len(), |count| *count == 1))
    })
    .await
    .map(drop)
}

async fn injected(cx: Context) -> Result<()> {
    cx.must_be_ours()?;
    let stage = Stage::set(&cx, with_proxy()?).await?;
    let inject = |_: &Value| json!([{"op": "add", "path": "/spec/containers/-", "value": proxy()}]);
    let webhook = Installed::new(&stage, "Never", to("refund-", inject)).await?;
    let agent = AgentOf::new("refund").with_replicas(2);
    stage.run(&agent).await?;
    let operator = cx.operator().await?;
    operator.kill()?;
    let moved = moved(&stage, &agent).await;
    operator.start().await?;
    moved?;
    webhook.remove().await
}

/// Evicts each pod in turn; what comes back has the sidecar, and runs.
async fn moved(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let old = stage.running(&agent.selector()).await?;
    for name in &old {
        stage
            .editor
            .api::<Pod>(&stage.namespace)
            .evict(name, &EvictParams::default())
            .await?;
    }
    until("other pods to run", || async {
        let running = stage.running(&agent.selector()).await?;
        let others =
            |running: &Vec<String>| running.len() == agent.replicas && running.iter().all(|name| !old.contains(name));
        Ok(Look::when(running, others))
    })
    .await?;
    let pods = await_running(&stage.pods(), &agent.selector(), agent.replicas).await?;
    let has_proxy = |pod: &Pod| {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        containers.into_iter().any(|container| container.name == "proxy")
    };
    ensure!(pods.iter().all(has_proxy), "a pod runs without the sidecar");
    Ok(())
}
