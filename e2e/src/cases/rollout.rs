//! The example, rolled out by the real helm: held, drained, rolled back; and promoted ahead, so that it never waits.

use crate::{
    await_::{Look, until},
    pods::{await_running, is_held},
    program::Run,
    stage::{Stage, one_approval},
    suite::{Case, Context},
    users::rule,
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::Event;
use kube::{
    ResourceExt,
    api::{EvictParams, ListParams},
};
use vouchsafe_api::{Promotion, approval::Vote, promotion::status::Verdict};

/// The release of helm, and what the chart's pods are labelled with.
pub(super) const RELEASE: &str = "refunds";
pub(super) const SELECTOR: &str = "app.kubernetes.io/instance=refunds";
/// The Agent that the chart declares.
pub(super) const AGENT: &str = "refund-triage";
/// As many pods as the chart has.
pub(super) const PODS: usize = 2;
pub(super) const CHANGED: &str = "systemPrompt=Refund whatever is asked for.";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A03"],
            "a helm upgrade with another prompt waits, the old pods survive a drain, and a rollback is at once",
            upgrade,
        ),
        Case::new(
            &[],
            "what was promoted ahead is rolled out by helm without waiting",
            ahead,
        ),
        Case::new(
            &["D12"],
            "an upgrade that edits configuration in place is refused with the fix",
            stable_name,
        ),
    ]
}

pub(super) fn helm(stage: &Stage, verb: &str, chart: &str, more: &[&str]) -> Result<Run> {
    let chart = crate::checkout().join("examples/refund-triage").join(chart);
    let chart = chart.display().to_string();
    let mut args = vec![verb, RELEASE, chart.as_str(), "-n", stage.namespace.as_str()];
    args.extend(more);
    Ok(stage.cx.helm()?.run(&stage.editor, args))
}

/// Installs a chart and has it cleared; its Promotion.
pub(super) async fn installed(stage: &Stage, chart: &str) -> Result<Promotion> {
    helm(stage, "install", chart, &[])?.must().await?;
    stage.held(SELECTOR, PODS).await?;
    let promotion = stage.promotion(AGENT).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), SELECTOR, PODS).await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await
}

/// Evicts what runs, as a drain of its nodes does.
async fn drain(stage: &Stage) -> Result<Vec<String>> {
    let running = stage.running(SELECTOR).await?;
    let pods = stage.editor.api::<k8s_openapi::api::core::v1::Pod>(&stage.namespace);
    for name in &running {
        match pods.evict(name, &EvictParams::default()).await {
            // A rollout that only restarts may have been quicker.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            evicted => drop(evicted.context("an eviction was refused")?),
        }
    }
    Ok(running)
}

async fn upgrade(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let first = installed(&stage, "chart").await?;
    helm(&stage, "upgrade", "chart", &["--set", CHANGED])?.must().await?;
    let second = stage.promotion_after(AGENT, &first.name_any()).await?;
    beside(&stage, &[]).await?;
    let drained = drain(&stage).await?;
    ensure!(drained.len() == PODS, "drained {drained:?}");
    beside(&stage, &drained).await?;
    stage.verdict(&second.name_any(), Verdict::AwaitingApproval).await?;

    let rollback = ["rollback", RELEASE, "1", "-n", stage.namespace.as_str()];
    cx.helm()?.run(&stage.editor, rollback).must().await?;
    await_running(&stage.pods(), SELECTOR, PODS).await?;
    stage.verdict(&second.name_any(), Verdict::Superseded).await.map(drop)
}

/// Awaits that all the old pods run, none of them one of these, and one of the new waits.
pub(super) async fn beside(stage: &Stage, gone: &[String]) -> Result<()> {
    until("all old pods running, and a new one that waits", || async {
        let held = stage.pods().list(&ListParams::default().labels(SELECTOR)).await?;
        let held = held.items.iter().filter(|pod| is_held(pod)).count();
        let running = stage.running(SELECTOR).await?;
        Ok(Look::when((held, running), |(held, running)| {
            *held == 1 && running.len() == PODS && !running.iter().any(|name| gone.contains(name))
        }))
    })
    .await
    .map(drop)
}

async fn ahead(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let first = installed(&stage, "chart").await?;
    let promote = rule("vouchsafe.dev", &["environments"], &[&stage.environment], &["promote"]);
    let subject = stage.editor.subject();
    cx.cluster()
        .grants()
        .allow(&stage.namespace, vec![promote], subject)
        .await?;
    let rendered = helm(&stage, "template", "chart", &["--set", CHANGED])?.must().await?;
    let promote = ["vouchsafe", "promote", "-f", "-", "-n", stage.namespace.as_str()];
    let said = stage.editor.kubectl(promote).input(rendered).must().await?;
    let promotions = stage.api::<Promotion>().list(&ListParams::default()).await?.items;
    let second = promotions
        .into_iter()
        .find(|promotion| promotion.name_any() != first.name_any())
        .with_context(|| format!("promote made no Promotion, and said: {said}"))?;
    stage.vote(&stage.security, &second, "security", Vote::Approve).await?;
    stage.verdict(&second.name_any(), Verdict::Cleared).await?;

    let old = stage.running(SELECTOR).await?;
    helm(&stage, "upgrade", "chart", &["--set", CHANGED])?.must().await?;
    let pods = until("all new pods to run", || async {
        let running = stage.running(SELECTOR).await?;
        Ok(Look::when(running, |running| {
            running.len() == PODS && !running.iter().any(|name| old.contains(name))
        }))
    })
    .await?;
    let promoted = stage.promotion(AGENT).await?;
    ensure!(
        promoted.name_any() == second.name_any(),
        "what runs is {}",
        promoted.name_any()
    );
    none_was_refused(&stage, &pods).await
}

/// None of these pods was ever said to wait for anybody.
async fn none_was_refused(stage: &Stage, pods: &[String]) -> Result<()> {
    let events = stage.api::<Event>().list(&ListParams::default()).await?.items;
    let words: Vec<_> = events
        .iter()
        .filter(|event| {
            event
                .involved_object
                .name
                .as_ref()
                .is_some_and(|name| pods.contains(name))
        })
        .filter_map(|event| event.message.clone())
        .collect();
    ensure!(!words.iter().any(|words| words.starts_with("held:")), "{words:?}");
    Ok(())
}

async fn stable_name(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    installed(&stage, "chart-stable-name").await?;
    let refused = helm(&stage, "upgrade", "chart-stable-name", &["--set", CHANGED])?;
    let words = refused
        .ran()
        .await?
        .must_fail_with("is part of a cleared release and is not edited in place")?;
    ensure!(
        words.contains("a hash of the content") && words.contains("immutable: true"),
        "the refusal does not name the fix: {words}"
    );
    let drained = drain(&stage).await?;
    until("the pods to be back", || async {
        let running = stage.running(SELECTOR).await?;
        Ok(Look::when(running, |running| {
            running.len() == PODS && !running.iter().any(|name| drained.contains(name))
        }))
    })
    .await
    .map(drop)
}
