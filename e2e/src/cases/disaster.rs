//! The store put back to an earlier state, and objects brought back by hand: what that does to what is cleared.

use crate::{
    attempt::create,
    await_::{Look, until},
    pods::{await_held, await_running},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::rule,
};
use anyhow::{Context as _, Result, ensure};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};
use vouchsafe_api::{Approval, Promotion, approval::Vote, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "etcd put back to an earlier state: what was cleared then runs, what was approved since waits, a Reject since is gone",
            put_back,
        )
        .alone()
        .patience(Duration::from_secs(500)),
        Case::new(
            &[],
            "what grants does not come back from a backup of objects: the ledger is refused, and others' words become the restorer's own",
            by_hand,
        ),
    ]
}

async fn put_back(cx: Context) -> Result<()> {
    let own = cx.elsewhere().await?;
    let mut spec = one_approval();
    if let Some(fields) = spec.as_object_mut() {
        // A Reject ends what is cleared at once.
        let at_once = json!({"onFailure": "Hold", "gracePeriod": "0s"});
        fields.insert("clearance".to_owned(), at_once);
    }
    let stage = Stage::set(&own, spec).await?;
    let operator = own.operator().await?;
    let (cleared, rejected, waiting) = (
        AgentOf::new("refund"),
        AgentOf::new("rejected").with_prompt("Refund nothing."),
        AgentOf::new("waiting").with_prompt("Refund everything."),
    );
    stage.run(&cleared).await?;
    let bad = stage.run(&rejected).await?;
    stage.apply(&waiting.objects()).await?;
    await_held(&stage.pods(), &waiting.selector(), 1).await?;
    let new = stage.promotion(&waiting.name).await?;

    operator.kill()?;
    let backup = own.cluster().work().path("etcd.backup");
    own.cluster().while_down(|store| copy(store, &backup)).await?;
    operator.start().await?;
    stage.vote(&stage.security, &new, "security", Vote::Approve).await?;
    await_running(&stage.pods(), &waiting.selector(), 1).await?;
    stage.vote(&stage.security, &bad, "security", Vote::Reject).await?;
    let bad = bad.name_any();
    is_not(&stage, &bad, Verdict::Cleared).await?;

    operator.kill()?;
    own.cluster()
        .while_down(|store| {
            fs::remove_dir_all(store).context("cannot remove the store")?;
            copy(&backup, store)
        })
        .await?;
    delete_pods(&stage).await?;
    // Nobody runs the operator: the ledger of then is in force.
    for agent in [&cleared, &rejected] {
        await_running(&stage.pods(), &agent.selector(), 1).await?;
    }
    stage.kept_out(&waiting.selector(), 1).await?;
    operator.start().await?;
    stage.verdict(&new.name_any(), Verdict::AwaitingApproval).await?;
    let again = stage.verdict(&bad, Verdict::Cleared).await?;
    stage.vote(&stage.security, &again, "security", Vote::Reject).await?;
    is_not(&stage, &bad, Verdict::Cleared).await?;
    await_held(&stage.pods(), &waiting.selector(), 1).await.map(drop)
}

async fn is_not(stage: &Stage, promotion: &str, verdict: Verdict) -> Result<()> {
    until(&format!("{promotion} not to be {verdict}"), || async {
        let found = stage.api::<Promotion>().get(promotion).await?;
        let is = found.status.and_then(|status| status.verdict);
        Ok(Look::when(is, |is| is.is_some() && *is != Some(verdict)))
    })
    .await
    .map(drop)
}

async fn delete_pods(stage: &Stage) -> Result<()> {
    let delete = ["delete", "pods", "--all", "-n", &stage.namespace];
    stage.cx.admin().kubectl(delete).must().await.map(drop)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to).with_context(|| format!("cannot make `{}`", to.display()))?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read `{}`", from.display()))? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target).context("cannot copy a file")?;
        }
    }
    Ok(())
}

/// As a tool does it that saves objects and creates them again, for somebody who may do everything.
async fn by_hand(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    let promotion = stage.run(&agent).await?;
    let approvals = stage.api::<Approval>().list(&ListParams::default()).await?;
    let approval = saved(approvals.items.first().context("no Approval")?)?;
    let ledger = saved(&stage.ledger().await?.context("no ledger")?)?;
    let asked = saved(&promotion)?;

    let other = cx.governed_namespace("restored", &stage.environment).await?;
    let answer = create(cx.admin(), Some(&other), &ledger).await?;
    answer.refused_with("the ledger", "only the operator writes what is cleared")?;
    // The operator asked for it, in groups that whoever brings it back does not have.
    let answer = create(cx.admin(), Some(&other), &asked).await?;
    answer.refused_with(
        "the Promotion",
        "spec.requestedBy is written by the API server: leave it out",
    )?;
    let by = approval.pointer("/spec/by/username").and_then(Value::as_str);
    ensure!(by == Some(stage.security.name.as_str()), "the saved one is {by:?}'s");
    let tool = cx.user("tool").await?;
    let rights = vec![rule("vouchsafe.dev", &["approvals"], &[], &["create"])];
    cx.cluster().grants().allow(&other, rights, tool.subject()).await?;
    let answer = create(&tool, Some(&other), &approval).await?;
    answer.refused_with("an Approval without the verb", "needs the verb approve")?;
    let taken = create(cx.admin(), Some(&other), &approval)
        .await?
        .taken("the Approval")?;
    let by = taken.pointer("/spec/by/username").and_then(Value::as_str);
    ensure!(by == Some(cx.admin().name.as_str()), "it is {by:?}'s");
    Ok(())
}

/// What a backup has of an object.
fn saved<K: serde::Serialize + ResourceExt>(object: &K) -> Result<Value> {
    let mut value = serde_json::to_value(object)?;
    let fields = value.as_object_mut().context("no object")?;
    fields.remove("status");
    fields.insert("metadata".to_owned(), json!({"name": object.name_any()}));
    Ok(value)
}
