//! A namespace with things that run, switched from Observe to Hold: nothing of it is lost, until the date that was given it.

use crate::{
    await_::{Look, until},
    pods::{await_running, is_held},
    stage::{AgentOf, Stage},
    suite::{Case, Context},
    workloads,
};
use anyhow::{Result, ensure};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Event, Namespace};
use kube::{
    Api, ResourceExt,
    api::{EvictParams, ListParams, Patch, PatchParams},
};
use serde_json::{Value, json};
use vouchsafe_api::{Environment, approval::Vote, promotion::status::Verdict};

/// By a tag, as what was there before anybody asked.
const TAGGED: &str = "registry.example/legacy:1.0";
/// How far away the date is that comes in the course of the case, in seconds.
const SOON: i64 = 3;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["A07"],
            "Observe denies, holds and delays nothing, and counts what would be held",
            observe,
        ),
        Case::new(
            &[],
            "switched from Observe to Hold nothing is lost in a drain, until the grandfather date",
            switch,
        ),
    ]
}

pub(super) fn observing(until: Option<Timestamp>) -> Value {
    let mut spec = json!({
        "sensitivity": "High", "enforcement": "Observe", "requires": [], "unknownAuthor": "Accept",
        "approvals": [{"role": "security", "count": 1}],
    });
    if let (Some(until), Some(fields)) = (until, spec.as_object_mut()) {
        fields.insert("existing".to_owned(), json!({"grandfatherUntil": until.to_string()}));
    }
    spec
}

pub(super) async fn patch(stage: &Stage, spec: Value) -> Result<()> {
    let api: Api<Environment> = Api::all(stage.cx.client());
    let body = json!({"spec": spec});
    api.patch(&stage.environment, &PatchParams::default(), &Patch::Merge(&body))
        .await?;
    Ok(())
}

/// Awaits that the policies know how the environment enforces.
pub(super) async fn enforced(stage: &Stage, how: &str) -> Result<()> {
    until(&format!("the namespace to be in {how}"), || async {
        let namespace = Api::<Namespace>::all(stage.cx.client()).get(&stage.namespace).await?;
        let label = namespace.labels().get("vouchsafe.dev/enforcement").cloned();
        Ok(Look::when(label, |label| label.as_deref() == Some(how)))
    })
    .await
    .map(drop)
}

async fn observe(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, observing(None)).await?;
    enforced(&stage, "Observe").await?;
    let agent = AgentOf::new("refund").with_replicas(2);
    let mut objects = agent.objects();
    objects.push(workloads::deployment("legacy", TAGGED, 2));
    stage.apply(&objects).await?;
    await_running(&stage.pods(), &agent.selector(), 2).await?;
    await_running(&stage.pods(), "app=legacy", 2).await?;

    // Another prompt, and an edit in place of what it is made of, go through as well.
    let changed = agent.with_prompt("Refund everything.");
    stage.apply(&[changed.config_map(), changed.deployment()]).await?;
    let config = changed.config_name();
    until("the changed pods to run", || async {
        let pods = stage
            .pods()
            .list(&ListParams::default().labels(&agent.selector()))
            .await?
            .items;
        let of_it =
            |pod: &k8s_openapi::api::core::v1::Pod| serde_json::to_string(pod).is_ok_and(|text| text.contains(&config));
        Ok(Look::when(pods.len(), |count| {
            *count == 2 && pods.iter().all(|pod| of_it(pod) && !is_held(pod))
        }))
    })
    .await?;
    let events = stage.api::<Event>().list(&ListParams::default()).await?.items;
    let words: Vec<_> = events.iter().filter_map(|event| event.message.clone()).collect();
    let delayed = |words: &String| words.starts_with("held:") || words.contains("vouchsafe-");
    ensure!(!words.iter().any(delayed), "something was delayed: {words:?}");
    ensure!(
        words.iter().any(|words| words.starts_with("would be held: ")),
        "nobody was told what would be held: {words:?}"
    );
    until("the environment to count what it would hold", || async {
        let found = Api::<Environment>::all(cx.client()).get(&stage.environment).await?;
        let count = found.status.map(|status| status.would_hold);
        Ok(Look::when(count, |count| *count == Some(4)))
    })
    .await
    .map(drop)
}

async fn switch(cx: Context) -> Result<()> {
    let far = Timestamp::now() + SignedDuration::from_hours(1);
    let stage = Stage::set(&cx, observing(Some(far))).await?;
    let (cleared, never) = (
        AgentOf::new("cleared").with_replicas(2),
        AgentOf::new("never").with_prompt("Be idle."),
    );
    let objects = [
        cleared.objects(),
        never.objects(),
        vec![workloads::deployment("legacy", TAGGED, 2)],
    ]
    .concat();
    stage.apply(&objects).await?;
    let all = [("app=cleared", 2), ("app=never", 1), ("app=legacy", 2)];
    for (selector, count) in all {
        await_running(&stage.pods(), selector, count).await?;
    }
    let promotion = stage.promotion("cleared").await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;

    patch(&stage, json!({"enforcement": "Hold"})).await?;
    enforced(&stage, "Hold").await?;
    for (selector, count) in all {
        drain(&stage, selector).await?;
        await_running(&stage.pods(), selector, count).await?;
    }
    let newcomer = AgentOf::new("newcomer").with_prompt("Be new.");
    stage.apply(&newcomer.objects()).await?;
    stage.held(&newcomer.selector(), 1).await?;
    stage.nothing_ran(&newcomer.selector()).await?;

    let soon = Timestamp::now() + SignedDuration::from_secs(SOON);
    patch(&stage, json!({"existing": {"grandfatherUntil": soon.to_string()}})).await?;
    until("the date to pass", || async {
        Ok(Look::when(Timestamp::now(), |now| *now > soon))
    })
    .await?;
    for (selector, count) in all {
        let running = stage.running(selector).await?;
        ensure!(
            running.len() == count,
            "the date itself took pods of {selector}: {running:?}"
        );
    }
    drain(&stage, "app=cleared").await?;
    await_running(&stage.pods(), "app=cleared", 2).await?;
    for (selector, count) in [("app=never", 1), ("app=legacy", 2)] {
        until(&format!("all of {selector} to wait"), || async {
            drain(&stage, selector).await?;
            let pods = stage.pods().list(&ListParams::default().labels(selector)).await?.items;
            let held = pods.iter().filter(|pod| is_held(pod)).count();
            Ok(Look::when((pods.len(), held), |found| *found == (count, count)))
        })
        .await?;
    }
    Ok(())
}

/// Evicts everything that runs, as the drain of every node does.
pub(super) async fn drain(stage: &Stage, selector: &str) -> Result<()> {
    let pods = stage.editor.api::<k8s_openapi::api::core::v1::Pod>(&stage.namespace);
    for name in stage.running(selector).await? {
        pods.evict(&name, &EvictParams::default()).await?;
    }
    Ok(())
}
