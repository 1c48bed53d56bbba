//! Waivers: with an end, for one release, on another person's word.

use super::grants::{asks_and_approves, object, refused};
use crate::{
    await_::{Look, until},
    program::Run,
    stage::{AgentOf, Stage},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Result, ensure};
use kube::ResourceExt;
use serde_json::json;
use vouchsafe_api::{
    Promotion,
    promotion::status::{Verdict, WaiverOutcome},
};

pub(super) fn cases() -> Vec<Case> {
    vec![Case::new(
        &["D40"],
        "a waiver has an end and another person behind it",
        waivers,
    )]
}

async fn waivers(cx: Context) -> Result<()> {
    let spec = json!({
        "sensitivity": "High", "enforcement": "Hold", "requires": [{"check": "not-there"}], "unknownAuthor": "Accept",
    });
    let stage = Stage::set(&cx, spec).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    let name = promotion.name_any();
    let asker = asks_and_approves(&stage).await?;
    let endless = json!({
        "promotion": name, "release": promotion.spec.release, "environment": stage.environment, "checks": ["not-there"],
        "reason": "the check is not there yet",
    });
    let endless = object("Waiver", "w-", &endless);
    refused(&asker, &stage.namespace, endless, "spec.notAfter").await?;
    let waive = format!("waive {name} --check not-there --for 1h --reason not-there-yet");
    let said = verb(&stage, &asker, &waive).must().await?;
    let waiver = said.split_whitespace().nth(1).unwrap_or_default().trim_end_matches(':');
    let approve = format!("approve {name} --waiver {waiver} --role security --reason agreed --yes");
    verb(&stage, &asker, &approve).ran().await?;
    let judged = judged(&stage, &name, waiver).await?;
    ensure!(!judged.active, "a waiver counts on its requester's word: {judged:?}");
    stage.nothing_ran(&agent.selector()).await?;
    let read = vec![rule("vouchsafe.dev", &["waivers", "promotions"], &[], &["get", "list"])];
    let grants = cx.cluster().grants();
    grants.allow(&stage.namespace, read, stage.security.subject()).await?;
    let inbox = verb(&stage, &stage.security, "inbox").must().await?;
    ensure!(
        inbox.contains(waiver) && inbox.contains("--role security"),
        "no role is asked for, any will do: {inbox}"
    );
    let other = format!("approve {name} --waiver {waiver} --role product --reason agreed --yes");
    verb(&stage, &stage.security, &other)
        .ran()
        .await?
        .must_fail_with("you may not approve or reject as product")?;
    verb(&stage, &stage.security, &approve).must().await?;
    stage.verdict(&name, Verdict::Cleared).await.map(drop)
}

/// A verb of the plugin, in the stage's namespace.
fn verb(stage: &Stage, user: &User, line: &str) -> Run {
    let words = ["vouchsafe"].into_iter().chain(line.split_whitespace());
    user.kubectl(words.chain(["-n", &stage.namespace]))
}

/// What was made of a waiver.
async fn judged(stage: &Stage, promotion: &str, waiver: &str) -> Result<WaiverOutcome> {
    until("the waiver to be judged", || async {
        let status = stage
            .api::<Promotion>()
            .get(promotion)
            .await?
            .status
            .unwrap_or_default();
        let found = status.waivers.into_iter().find(|found| found.waiver == waiver);
        Ok(found.map_or_else(|| Look::NotYet("not seen".to_owned()), Look::Seen))
    })
    .await
}
