//! On a real node: pods that run, an agent that says which prompt it runs with, and an operator that is a pod among others.

mod own_image;

use crate::{
    await_::{Look, until},
    chart::{NAME, NAMESPACE},
    cluster::{Component, real_node},
    pods::await_running,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    web,
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Pod};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vouchsafe_api::approval::Vote;

const PATIENCE: Duration = Duration::from_secs(600);
/// Less than the operator needs, or the runtime to start it.
const TOO_LITTLE: &str = "4Mi";

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(
            &[],
            "installed by helm, an agent is held, cleared, runs with its prompt, and is rolled to another",
            story,
        ),
        case(
            &["A01"],
            "the node is drained, of the operator too, and everything comes back as it was",
            drained,
        ),
        case(
            &["A01"],
            "the kubelet restarts: what runs goes on, and what is cleared still starts",
            kubelet,
        ),
        case(
            &["A01", "D41"],
            "the operator gets too little memory to live: the cleared comes back, the uncleared waits for the operator",
            out_of_memory,
        ),
        case(
            &[],
            "the operator's own image is held by its own gate until it is signed, and its SBOM is attested",
            own_image::passes,
        ),
    ]
}

fn case<F, Fut>(numbers: &'static [&'static str], name: &'static str, body: F) -> Case
where
    F: Fn(Context) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<()>> + Send + 'static,
{
    Case::new(numbers, name, body).alone().patience(PATIENCE)
}

/// The agent, as the node's registry has it.
fn agent(cx: &Context, prompt: &str) -> Result<AgentOf> {
    Ok(AgentOf {
        image: cx.images()?.agent.clone(),
        ..AgentOf::new("refund").with_prompt(prompt)
    })
}

async fn story(cx: Context) -> Result<()> {
    let begun = Instant::now();
    cx.installed().await?;
    let stage = Stage::on_node(&cx, one_approval()).await?;
    tested(&cx).await?;
    let first = agent(&cx, "Refund politely.")?;
    stage.apply(&first.objects()).await?;
    stage.held(&first.selector(), 1).await?;
    cx.tell(&format!(
        "from `helm install` to the first held agent: {} s",
        begun.elapsed().as_secs()
    ));
    clear(&stage, &first).await?;
    says(&stage, &first).await?;
    // Another prompt waits beside the old pod, which goes on answering.
    let second = agent(&cx, "Refund nothing.")?;
    let before = stage.promotion(&first.name).await?.name_any();
    stage.apply(&second.objects()).await?;
    let promotion = stage.promotion_after(&first.name, &before).await?;
    says(&stage, &first).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    says(&stage, &second).await?;
    operator_is_well(&cx).await
}

/// `helm test` passes, and leaves nothing.
async fn tested(cx: &Context) -> Result<()> {
    let test = ["test", NAME, "-n", NAMESPACE];
    let said = cx.helm()?.run(cx.admin(), test).must().await?;
    ensure!(said.contains("Succeeded"), "helm test says: {said}");
    let left = Api::<Pod>::namespaced(cx.client(), NAMESPACE)
        .get_opt("vouchsafe-test")
        .await?;
    ensure!(
        left.is_none_or(|pod| pod.metadata.deletion_timestamp.is_some()),
        "the test's pod is still there"
    );
    Ok(())
}

async fn clear(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let promotion = stage.promotion(&agent.name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), &agent.selector(), agent.replicas)
        .await
        .map(drop)
}

/// Awaits that every running pod of the agent says that it runs with this prompt.
async fn says(stage: &Stage, agent: &AgentOf) -> Result<()> {
    until(&format!("the agent to say `{}`", agent.prompt), || async {
        let list = kube::api::ListParams::default().labels(&agent.selector());
        let pods = stage.pods().list(&list).await?;
        let mut said = Vec::new();
        for pod in pods
            .iter()
            .filter(|pod| crate::pods::has_run(pod) && pod.metadata.deletion_timestamp.is_none())
        {
            said.push(prompt(pod).await?);
        }
        let wanted = json!(agent.prompt);
        Ok(Look::when(said, |said| {
            !said.is_empty() && said.iter().all(|prompt| *prompt == wanted)
        }))
    })
    .await
    .map(drop)
}

/// What a pod answers, asked at its own address.
async fn prompt(pod: &Pod) -> Result<Value> {
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref());
    let address = address.context("the pod has no address yet")?;
    let answer = web::get(&format!("http://{address}:8080/")).await?;
    let said: Value = serde_json::from_slice(&answer.body).context("the agent answers no JSON")?;
    Ok(said.pointer("/files/system.md").cloned().unwrap_or_default())
}

/// The operator's pods never restarted, and its Deployment is available.
async fn operator_is_well(cx: &Context) -> Result<()> {
    let deployment = Api::<Deployment>::namespaced(cx.client(), NAMESPACE).get(NAME).await?;
    let status = deployment.status.unwrap_or_default();
    ensure!(
        status.available_replicas == status.replicas,
        "the operator is not available: {status:?}"
    );
    let list = kube::api::ListParams::default().labels("app.kubernetes.io/name=vouchsafe");
    for pod in Api::<Pod>::namespaced(cx.client(), NAMESPACE).list(&list).await? {
        let containers = pod
            .status
            .iter()
            .flat_map(|status| status.container_statuses.iter().flatten());
        let restarts: i32 = containers.map(|container| container.restart_count).sum();
        ensure!(restarts == 0, "{} restarted {restarts} times", pod.name_any());
    }
    Ok(())
}

/// An agent of this name that runs and answers, on a stage of its own.
async fn running(cx: &Context) -> Result<(Stage, AgentOf)> {
    let stage = Stage::on_node(cx, one_approval()).await?;
    let agent = agent(cx, "Refund politely.")?;
    stage.apply(&agent.objects()).await?;
    clear(&stage, &agent).await?;
    says(&stage, &agent).await?;
    Ok((stage, agent))
}

async fn drained(cx: Context) -> Result<()> {
    let (stage, agent) = running(&cx).await?;
    let old = stage.running(&agent.selector()).await?;
    let drain = [
        "drain",
        real_node::NAME,
        "--ignore-daemonsets",
        "--delete-emptydir-data",
        "--force",
        "--timeout=120s",
    ];
    cx.admin()
        .kubectl(drain)
        .must()
        .await
        .context("the node is not drained")?;
    ensure!(
        stage.running(&agent.selector()).await?.is_empty(),
        "something still runs"
    );
    cx.admin().kubectl(["uncordon", real_node::NAME]).must().await?;
    says(&stage, &agent).await?;
    let new = stage.running(&agent.selector()).await?;
    ensure!(old.iter().all(|name| !new.contains(name)), "the pods are the old ones");
    available(&cx).await
}

/// Awaits that the operator is available.
async fn available(cx: &Context) -> Result<()> {
    let wait = [
        "rollout",
        "status",
        "deployment/vouchsafe",
        "-n",
        NAMESPACE,
        "--timeout=120s",
    ];
    cx.admin().kubectl(wait).must().await.map(drop)
}

async fn kubelet(cx: Context) -> Result<()> {
    let (stage, agent) = running(&cx).await?;
    let old = stage.running(&agent.selector()).await?;
    cx.cluster().kill(Component::Kubelet)?;
    says(&stage, &agent).await.context("without a kubelet")?;
    cx.cluster().launch(Component::Kubelet).await?;
    let more = agent.with_replicas(2);
    stage.apply(&[more.deployment()]).await?;
    await_running(&stage.pods(), &agent.selector(), 2).await?;
    says(&stage, &agent).await?;
    let new = stage.running(&agent.selector()).await?;
    ensure!(old.iter().all(|name| new.contains(name)), "the pod that ran is gone");
    Ok(())
}

async fn out_of_memory(cx: Context) -> Result<()> {
    let (stage, cleared) = running(&cx).await?;
    let deployment = format!("deployment/{NAME}");
    let limit = format!("--limits=memory={TOO_LITTLE}");
    let request = format!("--requests=memory={TOO_LITTLE}");
    let set = ["set", "resources", &deployment, "-n", NAMESPACE, &limit, &request];
    // A rollout alone would keep the old ones until the new ones are ready, which they never are.
    let scale = |replicas| ["scale", &deployment, "-n", NAMESPACE, replicas];
    cx.admin().kubectl(scale("--replicas=0")).must().await?;
    cx.admin().kubectl(set).must().await?;
    cx.admin().kubectl(scale("--replicas=2")).must().await?;
    until("the operator to die of its limit", || async {
        let ends = operator_ends(&cx).await?;
        Ok(Look::when(ends, |ends| {
            ends.iter()
                .any(|end| ["OOMKilled", "StartError"].contains(&end.as_str()))
        }))
    })
    .await?;
    // What is cleared comes back, what is not stays out.
    for name in stage.running(&cleared.selector()).await? {
        stage.pods().delete(&name, &kube::api::DeleteParams::default()).await?;
    }
    says(&stage, &cleared).await.context("with the operator dead")?;
    let other = AgentOf {
        name: "other".to_owned(),
        ..agent(&cx, "Refund everything.")?
    };
    stage.apply(&other.objects()).await?;
    stage.kept_out(&other.selector(), 1).await?;
    stage.nothing_ran(&other.selector()).await?;
    cx.admin()
        .kubectl(["rollout", "undo", &deployment, "-n", NAMESPACE])
        .must()
        .await?;
    available(&cx).await?;
    clear(&stage, &other).await?;
    says(&stage, &other).await
}

/// Why containers of the operator ended, or did not begin.
async fn operator_ends(cx: &Context) -> Result<Vec<String>> {
    let list = kube::api::ListParams::default().labels("app.kubernetes.io/name=vouchsafe");
    let pods = Api::<Pod>::namespaced(cx.client(), NAMESPACE).list(&list).await?;
    let statuses = pods.iter().filter_map(|pod| pod.status.as_ref());
    let containers = statuses.flat_map(|status| status.container_statuses.iter().flatten());
    let states = containers.flat_map(|container| [&container.state, &container.last_state]);
    let words = states.flatten().flat_map(|state| {
        let ended = state
            .terminated
            .iter()
            .flat_map(|ended| [&ended.reason, &ended.message]);
        let waits = state.waiting.iter().flat_map(|waits| [&waits.reason, &waits.message]);
        ended.chain(waits)
    });
    Ok(words.flatten().cloned().collect())
}
