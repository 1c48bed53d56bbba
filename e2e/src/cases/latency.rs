//! How long a pod waits after the last approval: from `create` returning to the pod being without our gate.

use crate::{
    chance,
    pods::is_held,
    stage::{AgentOf, Stage, environment, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use futures::StreamExt;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, ResourceExt,
    api::{ListParams, WatchEvent, WatchParams},
};
use std::time::{Duration, Instant};
use tokio::{sync::mpsc, time::timeout};
use vouchsafe_api::approval::Vote;

/// Namespaces that the promotions are spread over.
const NAMESPACES: usize = 5;
/// Promotions in each.
const EACH: usize = 10;
/// No measure of speed: beyond this something hangs.
const SANE: Duration = Duration::from_secs(30);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "from the last approval to the pod without its gate, over 50 promotions",
            latency,
        )
        .alone(),
    ]
}

async fn latency(cx: Context) -> Result<()> {
    cx.operator().await?;
    let environment = environment(&cx, "prod", one_approval()).await?;
    let mut waits = Vec::new();
    for _ in 0..NAMESPACES {
        let stage = Stage::in_environment(&cx, &environment).await?;
        waits.extend(of_namespace(&stage).await?);
    }
    ensure!(waits.len() == NAMESPACES * EACH, "measured {} promotions", waits.len());
    waits.sort();
    let [half, most, worst] = [50, 90, 99].map(|percent| percentile(&waits, percent));
    cx.tell(&format!(
        "last approval to the pod without its gate, {} promotions: p50 {} ms, p90 {} ms, p99 {} ms",
        waits.len(),
        half.as_millis(),
        most.as_millis(),
        worst.as_millis()
    ));
    Ok(())
}

/// The nearest rank of sorted values.
pub(super) fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(rank).copied().unwrap_or_default()
}

/// How long each of ten pods of a namespace waited.
pub(super) async fn of_namespace(stage: &Stage) -> Result<Vec<Duration>> {
    let agents: Vec<AgentOf> = (0..EACH)
        .map(|number| AgentOf::new(&format!("agent-{number}")).with_prompt(&format!("{}", chance::below(u16::MAX))))
        .collect();
    let objects: Vec<_> = agents.iter().flat_map(AgentOf::objects).collect();
    stage.apply(&objects).await?;
    for agent in &agents {
        stage.held(&agent.selector(), 1).await?;
    }
    let mut ungated = watch(stage).await?;
    let mut waits = Vec::new();
    for agent in &agents {
        let promotion = stage.promotion(&agent.name).await?;
        stage
            .vote(&stage.security, &promotion, "security", Vote::Approve)
            .await?;
        let returned = Instant::now();
        let seen = timeout(SANE, first(&mut ungated, &agent.name)).await;
        let seen = seen.with_context(|| format!("the pod of {} still waits", agent.name))??;
        waits.push(seen.saturating_duration_since(returned));
    }
    Ok(waits)
}

async fn first(ungated: &mut mpsc::UnboundedReceiver<(String, Instant)>, app: &str) -> Result<Instant> {
    loop {
        let (name, seen) = ungated.recv().await.context("the watch ended")?;
        if name == app {
            return Ok(seen);
        }
    }
}

/// Tells of every pod that is seen without the gate, and when.
async fn watch(stage: &Stage) -> Result<mpsc::UnboundedReceiver<(String, Instant)>> {
    let pods: Api<Pod> = stage.pods();
    let version = pods.list(&ListParams::default()).await?.metadata.resource_version;
    let version = version.context("a list without a version")?;
    let (sender, receiver) = mpsc::unbounded_channel();
    let mut events = pods.watch(&WatchParams::default(), &version).await?.boxed();
    tokio::spawn(async move {
        while let Some(Ok(event)) = events.next().await {
            let (WatchEvent::Added(pod) | WatchEvent::Modified(pod)) = event else {
                continue;
            };
            let app = pod.labels().get("app").cloned().unwrap_or_default();
            if !is_held(&pod) && sender.send((app, Instant::now())).is_err() {
                return;
            }
        }
    });
    Ok(receiver)
}
