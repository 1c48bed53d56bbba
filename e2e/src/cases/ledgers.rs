//! Ledgers that somebody wants to be gone, or full.

use super::grants::{owner, refused};
use crate::{
    attempt::{api, create, delete, patch},
    await_::{Look, until},
    pods::await_running,
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
    workloads,
};
use anyhow::{Context as _, Result, ensure};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use vouchsafe_api::{Clearance, Promotion, approval::Vote, promotion::status::Verdict};
use vouchsafe_core::clearance::MAX_PER_IMAGE;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D44"],
            "nobody makes the garbage collector delete a ledger, a Reject or a Promotion",
            owned_by_a_forgery,
        ),
        Case::new(
            &["D44", "A02"],
            "a namespace that ends lets nothing in, and ends",
            ending,
        ),
        Case::new(&["D70"], "a full ledger takes a revocation, and then who waited", full),
    ]
}

async fn owned_by_a_forgery(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    let promotion = stage.run(&agent).await?;
    let admin = owner(&stage).await?;
    let bait = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "bait"}});
    let bait = create(&admin, Some(&stage.namespace), &bait).await?.taken("the bait")?;
    let owners = json!([{
        "apiVersion": "v1", "kind": "ConfigMap", "name": "bait",
        "uid": bait.pointer("/metadata/uid").context("the bait has no uid")?,
    }]);
    let owned = json!({"metadata": {"ownerReferences": owners}});
    for (kind, name, reason) in [
        ("Clearance", "clearance", "only the operator writes what is cleared"),
        (
            "Promotion",
            &promotion.name_any(),
            "has no owners and finalizers of yours",
        ),
    ] {
        let objects = api(&admin, Some(&stage.namespace), "vouchsafe.dev/v1alpha1", kind);
        let answer = patch(&objects, name, None, &owned).await?;
        answer.refused_with(kind, reason)?;
    }
    let mut vote = json!(stage.approval(&promotion, "security", Vote::Reject));
    let metadata = vote.pointer_mut("/metadata").context("no metadata")?;
    *metadata = json!({"generateName": "vote-", "ownerReferences": owners});
    refused(
        &stage.security,
        &stage.namespace,
        vote,
        "has no owners and finalizers of yours",
    )
    .await?;
    let maps = api(&admin, Some(&stage.namespace), "v1", "ConfigMap");
    delete(&maps, "bait").await?.taken("the bait's deletion")?;
    ensure!(stage.ledger().await?.is_some(), "the ledger is gone");
    stage.api::<Promotion>().get(&promotion.name_any()).await?;
    await_running(&stage.pods(), &agent.selector(), 1).await.map(drop)
}

async fn ending(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    stage.held(&agent.selector(), 1).await?;
    let namespaces = api(cx.admin(), None, "v1", "Namespace");
    let stays = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "stays", "finalizers": ["example.com/stays"]}});
    create(&stage.editor, Some(&stage.namespace), &stays)
        .await?
        .taken("what stays")?;
    delete(&namespaces, &stage.namespace).await?.taken("its deletion")?;
    until("the namespace to end", || async {
        let found = namespaces.get(&stage.namespace).await?;
        Ok(Look::when(found.metadata.deletion_timestamp.is_some(), |ends| *ends))
    })
    .await?;
    let pod = workloads::pod("late", &image("late"));
    let answer = create(&stage.editor, Some(&stage.namespace), &pod).await?;
    answer.refused_with("an uncleared pod", "because it is being terminated")?;
    let free = json!({"metadata": {"labels": {"vouchsafe.dev/environment": null}}});
    let writer = cx.user("writer").await?;
    let rights = vec![crate::users::rule("", &["namespaces"], &[], &["*"])];
    cx.cluster().grants().allow_everywhere(rights, writer.subject()).await?;
    let answer = patch(&api(&writer, None, "v1", "Namespace"), &stage.namespace, None, &free).await?;
    answer.refused_with("its label taken off", "need the verb assign")?;
    stage.nothing_ran(&agent.selector()).await?;
    let maps = api(cx.admin(), Some(&stage.namespace), "v1", "ConfigMap");
    let gone = json!({"metadata": {"finalizers": null}});
    patch(&maps, "stays", None, &gone).await?.taken("what stayed")?;
    until("the namespace to be gone", || async {
        Ok(Look::when(
            namespaces.get_opt(&stage.namespace).await?.is_none(),
            |gone| *gone,
        ))
    })
    .await
    .map(drop)
}

/// As many agents of one image as a ledger takes, and one more.
async fn full(cx: Context) -> Result<()> {
    let mut spec = one_approval();
    let fields = spec.as_object_mut().context("no spec")?;
    fields.insert("approvals".to_owned(), json!([]));
    let at_once = json!({"onFailure": "Hold", "gracePeriod": "0s"});
    fields.insert("clearance".to_owned(), at_once);
    let stage = Stage::set(&cx, spec).await?;
    let agents: Vec<_> = (0..MAX_PER_IMAGE)
        .map(|number| AgentOf::new(&format!("agent-{number}")).with_prompt(&format!("Be number {number}.")))
        .collect();
    let objects: Vec<Value> = agents.iter().flat_map(AgentOf::objects).collect();
    stage.apply(&objects).await?;
    for agent in &agents {
        await_running(&stage.pods(), &agent.selector(), 1).await?;
    }
    let late = AgentOf::new("late").with_prompt("Be late.");
    stage.apply(&late.objects()).await?;
    let waiting = stage.promotion(&late.name).await?.name_any();
    stage.verdict(&waiting, Verdict::Cleared).await?;
    full_is_said(&stage, &waiting, true).await?;
    // It is cleared, and the operator lets its pods go one by one; it is not among those that pass by themselves.
    await_running(&stage.pods(), &late.selector(), 1).await?;
    ensure!(!grants(stage.ledger().await?, &late), "more fits than fits");

    let first = agents.first().context("no agent")?;
    let promotion = stage.promotion(&first.name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Reject)
        .await?;
    until("the ledger to lose what was rejected", || async {
        Ok(Look::when(grants(stage.ledger().await?, first), |granted| !granted))
    })
    .await?;
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", &first.selector()];
    stage.editor.kubectl(delete).must().await?;
    stage.held(&first.selector(), 1).await?;
    stage.nothing_ran(&first.selector()).await?;
    // Its next pod finds room.
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", &late.selector()];
    stage.editor.kubectl(delete).must().await?;
    await_running(&stage.pods(), &late.selector(), 1).await?;
    full_is_said(&stage, &waiting, false).await?;
    ensure!(
        grants(stage.ledger().await?, &late),
        "what waited for room is not granted"
    );
    Ok(())
}

/// Whether the ledger lets an agent's pods through by itself.
fn grants(ledger: Option<Clearance>, agent: &AgentOf) -> bool {
    let profiles = ledger.map(|ledger| ledger.spec.profiles).unwrap_or_default();
    profiles.values().any(|profile| profile.agent == agent.name)
}

/// Awaits that the Promotion says that the ledger is full, or does not any more.
async fn full_is_said(stage: &Stage, promotion: &str, said: bool) -> Result<()> {
    until("the Promotion to say whether the ledger is full", || async {
        let found: Api<Promotion> = stage.api();
        let status = found.get(promotion).await?.status.unwrap_or_default();
        Ok(Look::when(status.conditions, |conditions| {
            let full = |words: &str| words.contains("the ledger holds 32");
            conditions
                .iter()
                .any(|one| one.kind == "Stalled" && one.reason == "LedgerFull" && full(&one.message))
                == said
        }))
    })
    .await
    .map(drop)
}
