//! What waits for health does to a rollout that is held: helm itself, which Flux's HelmReleases are made by.

use super::super::rollout::{AGENT, CHANGED, PODS, RELEASE, SELECTOR, beside, helm, installed};
use crate::{
    pods::await_running,
    stage::{Stage, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use kube::ResourceExt;
use serde_json::{Value, json};
use vouchsafe_api::{approval::Vote, promotion::status::Verdict};

const OTHER: &str = "systemPrompt=Refund nothing.";
/// What it says when it has waited in vain.
const GAVE_UP: &str = "context deadline exceeded";

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &[],
        "helm gives up waiting for a held rollout, or rolls it back, and nothing is lost",
        gives_up,
    )]
}

async fn gives_up(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let first = installed(&stage, "chart").await?;
    let waits = ["--set", CHANGED, "--wait", "--timeout", "3s"];
    helm(&stage, "upgrade", "chart", &waits)?
        .ran()
        .await?
        .must_fail_with(GAVE_UP)?;
    ensure!(status(&stage).await? == "failed", "it does not call it failed");
    beside(&stage, &[]).await?;
    let second = stage.promotion_after(AGENT, &first.name_any()).await?;
    stage.vote(&stage.security, &second, "security", Vote::Approve).await?;
    stage.verdict(&second.name_any(), Verdict::Cleared).await?;
    let waits = ["--set", CHANGED, "--wait", "--timeout", "120s"];
    helm(&stage, "upgrade", "chart", &waits)?.must().await?;
    ensure!(status(&stage).await? == "deployed", "it does not call it deployed");
    await_running(&stage.pods(), SELECTOR, PODS).await?;

    let mut before = stage.running(SELECTOR).await?;
    let back = ["--set", OTHER, "--rollback-on-failure", "--timeout", "3s"];
    helm(&stage, "upgrade", "chart", &back)?
        .ran()
        .await?
        .must_fail_with(GAVE_UP)?;
    await_running(&stage.pods(), SELECTOR, PODS).await?;
    let mut after = stage.running(SELECTOR).await?;
    before.sort();
    after.sort();
    ensure!(
        before == after,
        "a rollback of what was held cost pods: {before:?}, {after:?}"
    );
    let agent = stage.promotion(AGENT).await?;
    ensure!(
        agent.name_any() == second.name_any(),
        "what runs is {}",
        agent.name_any()
    );
    Ok(())
}

/// What helm says of its release.
async fn status(stage: &Stage) -> Result<String> {
    let args = ["status", RELEASE, "-n", stage.namespace.as_str(), "-o", "json"];
    let found = stage.cx.helm()?.run(&stage.editor, args).must().await?;
    let found: Value = serde_json::from_str(&found).context("no JSON")?;
    let status = found.pointer("/info/status").unwrap_or(&json!(null)).clone();
    status.as_str().map(str::to_owned).context("no status")
}
