//! The whole story: held beside what runs, cleared, running; another prompt is another release; with the operator dead nothing opens and
//! nothing breaks.

use crate::{
    await_::{Look, until},
    pods::{await_held, await_running},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
};
use anyhow::Result;
use kube::ResourceExt;
use vouchsafe_api::{Clearance, approval::Vote, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A03"],
            "held, cleared, running; another prompt waits beside it; rolled back at once",
            story,
        ),
        Case::new(
            &["A01", "D41"],
            "with the operator dead the cleared run and the uncleared stay out",
            operator_dead,
        )
        .alone(),
    ]
}

async fn story(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let first = AgentOf::new("refund").with_replicas(2);
    stage.apply(&first.objects()).await?;
    await_held(&stage.pods(), &first.selector(), 2).await?;
    let promotion = stage.promotion(&first.name).await?;
    stage.verdict(&promotion.name_any(), Verdict::AwaitingApproval).await?;
    stage.nothing_ran(&first.selector()).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), &first.selector(), 2).await?;

    let second = first.with_prompt("Refund everything.");
    stage.apply(&second.objects()).await?;
    let other = stage.promotion_after(&first.name, &promotion.name_any()).await?;
    one_waits_beside(&stage, &first.selector(), 2).await?;
    stage.apply(&[first.deployment()]).await?;
    stage.verdict(&other.name_any(), Verdict::Superseded).await?;
    await_running(&stage.pods(), &first.selector(), 2).await?;

    stage.apply(&second.objects()).await?;
    stage.vote(&stage.security, &other, "security", Vote::Approve).await?;
    stage.verdict(&other.name_any(), Verdict::Cleared).await?;
    until("the pods that run to be those of the new release", || async {
        let pods = await_running(&stage.pods(), &first.selector(), 2).await?;
        let new = pods.iter().filter(|pod| mounts(pod, &second.config_name())).count();
        Ok(Look::when(new, |new| *new == 2))
    })
    .await
    .map(drop)
}

fn mounts(pod: &k8s_openapi::api::core::v1::Pod, config_map: &str) -> bool {
    let volumes = pod.spec.as_ref().and_then(|spec| spec.volumes.as_ref());
    volumes.into_iter().flatten().any(|volume| {
        volume
            .config_map
            .as_ref()
            .is_some_and(|source| source.name == config_map)
    })
}

async fn one_waits_beside(stage: &Stage, selector: &str, running: usize) -> Result<()> {
    until("a held pod beside the running ones", || async {
        let found = stage
            .pods()
            .list(&kube::api::ListParams::default().labels(selector))
            .await?;
        let held = found.items.iter().filter(|pod| crate::pods::is_held(pod)).count();
        let runs = stage.running(selector).await?.len();
        Ok(Look::when((held, runs), |(held, runs)| *held == 1 && *runs == running))
    })
    .await
    .map(drop)
}

async fn operator_dead(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund").with_replicas(2);
    stage.run(&agent).await?;
    until("the ledger to grant", || async {
        let ledger: Option<Clearance> = stage.ledger().await?;
        Ok(Look::when(ledger.map(|ledger| ledger.spec.profiles.len()), |count| {
            count.is_some_and(|count| count > 0)
        }))
    })
    .await?;
    let operator = cx.operator().await?;
    operator.kill()?;
    let result = dead(&stage, &agent).await;
    operator.start().await?;
    result
}

async fn dead(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let delete = [
        "delete",
        "pods",
        "-n",
        &stage.namespace,
        "-l",
        &agent.selector(),
        "--wait=false",
    ];
    stage.editor.kubectl(delete).must().await?;
    stage.apply(&[agent.with_replicas(4).deployment()]).await?;
    await_running(&stage.pods(), &agent.selector(), 4).await?;
    let other = AgentOf {
        name: "other".to_owned(),
        ..agent.with_prompt("Refund everything.")
    };
    stage.apply(&other.objects()).await?;
    stage.kept_out(&other.selector(), 2).await?;
    stage.nothing_ran(&other.selector()).await
}
