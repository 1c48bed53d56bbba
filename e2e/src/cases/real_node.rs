//! On a real node: pods that run, an agent that says which prompt it runs with, and an operator that is a pod among others.

use crate::{
    await_::{Look, until},
    chart::{NAME, NAMESPACE},
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

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "installed by helm, an agent is held, cleared, runs with its prompt, and is rolled to another",
            story,
        )
        .alone()
        .patience(Duration::from_secs(600)),
    ]
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
