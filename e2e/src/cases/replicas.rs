//! Two operators: one writes, the other watches and takes over, after a crash, a clean end and a machine that hangs.

use crate::{
    await_::{Look, until},
    chart::NAMESPACE,
    operator::Operator,
    pods::await_running,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    web,
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, ResourceExt, api::ListParams};
use std::time::{Duration, Instant};
use vouchsafe_api::{Promotion, approval::Vote};

const CRASHES: usize = 8;
/// Longer than the Lease lasts without being renewed.
const LAPSED: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "of two operators one writes; the other takes over after crashes, a clean end and a hang, and nobody writes twice",
            takes_over,
        )
        .alone()
        .patience(PATIENCE),
    ]
}

/// Who holds the Lease.
async fn holder(cx: &Context) -> Result<String> {
    let lease = Api::<Lease>::namespaced(cx.client(), NAMESPACE)
        .get("vouchsafe")
        .await?;
    Ok(lease.spec.and_then(|spec| spec.holder_identity).unwrap_or_default())
}

/// Waits until this one holds it, and says for how long.
async fn held_by(cx: &Context, name: &str) -> Result<Duration> {
    let begun = Instant::now();
    until(&format!("{name} to hold the lease"), || async {
        Ok(Look::when(holder(cx).await?, |holder| holder == name))
    })
    .await?;
    Ok(begun.elapsed())
}

async fn takes_over(cx: Context) -> Result<()> {
    let first = cx.operator().await?;
    let second = cx.another_operator("operator-2").await?;
    let stage = Stage::set(&cx, one_approval()).await?;
    lapses(&stage, first).await.context("lapsed, and nobody else there")?;
    second.start().await?;
    let result = both(&stage, first, &second).await;
    drop(second);
    // Whatever happened, the suite goes on with the first alone.
    first.restart().await?;
    held_by(&cx, "operator").await?;
    result
}

async fn both(stage: &Stage, first: &Operator, second: &Operator) -> Result<()> {
    let cx = &stage.cx;
    ensure!(
        holder(cx).await? == "operator",
        "the second took the lease of a living first"
    );
    for operator in [first, second] {
        let ready = web::get(&format!("http://{}/readyz", operator.address())).await?;
        ensure!(ready.status.as_u16() == 200, "not ready: {}", ready.text());
    }
    let (mut leader, mut follower) = ((first, "operator"), (second, "operator-2"));
    let mut crashes = Vec::new();
    for _ in 0..CRASHES {
        leader.0.kill()?;
        crashes.push(held_by(cx, follower.1).await?);
        leader.0.start().await?;
        std::mem::swap(&mut leader, &mut follower);
    }
    crashes.sort();
    let [half, worst] = [CRASHES / 2, CRASHES - 1].map(|at| crashes.get(at).map_or(0, Duration::as_millis));
    leader.0.stop().await.context("the leader does not end")?;
    let ended = held_by(cx, follower.1).await?;
    leader.0.start().await?;
    std::mem::swap(&mut leader, &mut follower);
    cx.tell(&format!(
        "another operator leads after a crash: p50 {half} ms, longest of {CRASHES} {worst} ms; after a clean end: {} ms",
        ended.as_millis()
    ));
    works(stage, "after").await.context("after all that")?;
    hangs(stage, leader, follower).await
}

/// Who leads does what there is to do, once.
async fn works(stage: &Stage, name: &str) -> Result<()> {
    let agent = AgentOf::new(name).with_prompt(name);
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), &agent.selector(), 1).await?;
    let all = stage.api::<Promotion>().list(&ListParams::default()).await?;
    let of: Vec<_> = all
        .iter()
        .filter(|promotion| promotion.spec.agent == name)
        .map(ResourceExt::name_any)
        .collect();
    ensure!(of.len() == 1, "promoted more than once: {of:?}");
    Ok(())
}

/// Alone, one that hangs for longer than the Lease lasts goes on where it was: nobody else wrote.
async fn lapses(stage: &Stage, only: &Operator) -> Result<()> {
    held_by(&stage.cx, "operator").await?;
    only.pause()?;
    let begun = Instant::now();
    until("the lease to lapse", || async {
        Ok(Look::when(begun.elapsed(), |elapsed| *elapsed > LAPSED))
    })
    .await?;
    only.resume()?;
    works(stage, "lapsed").await?;
    ensure!(holder(&stage.cx).await? == "operator", "somebody else holds the lease");
    ensure!(!only.has_ended()?, "it ended, though nobody else had the lease");
    Ok(())
}

/// A leader that hangs loses the lease; when it wakes up it writes nothing, and ends.
async fn hangs(stage: &Stage, leader: (&Operator, &str), follower: (&Operator, &str)) -> Result<()> {
    leader.0.pause()?;
    let taken = held_by(&stage.cx, follower.1).await;
    works(stage, "meanwhile").await?;
    let before = leader.0.log()?.len();
    leader.0.resume()?;
    taken?;
    let status = leader.0.ended().await?;
    ensure!(!status.success(), "who lost the lease ended as if nothing had been");
    let log = leader.0.log()?;
    let said = log.get(before..).unwrap_or_default();
    // What it had written before it froze it may tell of now; of what came meanwhile it knows nothing.
    let decided = said.lines().filter(|line| line.contains(r#""event":"decision""#));
    let late: Vec<_> = decided.filter(|line| line.contains(r#""agent":"meanwhile""#)).collect();
    ensure!(late.is_empty(), "who lost the lease went on to decide: {late:?}");
    ensure!(holder(&stage.cx).await? == follower.1, "the lease went back");
    works(stage, "afterwards").await
}
