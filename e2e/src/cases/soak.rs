//! A soak is earned by the release itself, by pods of its own.

use crate::{
    await_::{Look, until},
    pods::await_running,
    stage::{AgentOf, Stage, environment},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use kube::ResourceExt;
use serde_json::{Value, json};
use vouchsafe_api::{Promotion, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D71"],
        "pods of another release earn no soak",
        of_another_release,
    )]
}

fn staging() -> Value {
    json!({"sensitivity": "Low", "enforcement": "Hold", "requires": [], "unknownAuthor": "Accept"})
}

/// The agent's objects, with pods that no node takes. Where pods may be scheduled is no part of a release.
fn stuck(agent: &AgentOf) -> Result<Vec<Value>> {
    let mut deployment = agent.deployment();
    let spec = deployment
        .pointer_mut("/spec/template/spec")
        .and_then(Value::as_object_mut);
    let spec = spec.context("the Deployment has no pods")?;
    spec.insert("nodeSelector".to_owned(), json!({"of": "no-node"}));
    Ok(vec![
        agent.config_map(),
        deployment,
        agent.agent("Deployment", "apps/v1"),
    ])
}

async fn of_another_release(cx: Context) -> Result<()> {
    cx.operator().await?;
    let before = environment(&cx, "staging", staging()).await?;
    let mut after = staging();
    after
        .as_object_mut()
        .context("no spec")?
        .insert("after".to_owned(), json!([{"environment": before, "soak": "3s"}]));
    let there = Stage::in_environment(&cx, &before).await?;
    let here = Stage::in_environment(&cx, &environment(&cx, "prod", after).await?).await?;
    let old = AgentOf::new("refund").with_replicas(2);
    let new = old.with_prompt("Refund everything.");
    there.apply(&old.objects()).await?;
    await_running(&there.pods(), &old.selector(), 2).await?;

    // Cleared there, and what serves there are pods of the release before.
    there.apply(&stuck(&new)?).await?;
    here.apply(&new.objects()).await?;
    let promotion = here.promotion(&new.name).await?.name_any();
    there.verdict(&promotion, Verdict::Cleared).await?;
    // An agent that comes later, and soaks by itself: what it needs has passed for the other one, too.
    let other = AgentOf::new("other");
    for stage in [&there, &here] {
        stage.apply(&other.objects()).await?;
    }
    let of_other = here.promotion(&other.name).await?.name_any();
    here.verdict(&of_other, Verdict::Cleared).await?;
    await_running(&here.pods(), &other.selector(), 1).await?;
    let words = not_healthy(&here, &promotion).await?;
    ensure!(words.contains("not healthy there"), "the reason: {words}");
    here.held(&new.selector(), 2).await?;
    here.nothing_ran(&new.selector()).await?;

    there.apply(&[new.deployment()]).await?;
    here.verdict(&promotion, Verdict::Cleared).await?;
    await_running(&here.pods(), &new.selector(), 2).await.map(drop)
}

/// What is said of the environment before, which must not be satisfied.
async fn not_healthy(stage: &Stage, promotion: &str) -> Result<String> {
    until("what is said of the environment before", || async {
        let status = stage
            .api::<Promotion>()
            .get(promotion)
            .await?
            .status
            .unwrap_or_default();
        let said = status.after.first().filter(|before| !before.satisfied);
        Ok(said.map_or_else(
            || Look::NotYet(format!("{:?}", status.after)),
            |before| Look::Seen(before.message.clone()),
        ))
    })
    .await
}
