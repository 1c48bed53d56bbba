//! Every verdict on a Promotion, with the Agent and the Deployment beside it, and what has no status.

use super::shown::{expect, named};
use crate::{
    registry::digest,
    stage::{AgentOf, Stage, one_approval},
    suite::Context,
    users::rule,
};
use anyhow::{Context as _, Result};
use futures::future::BoxFuture;
use kube::{ResourceExt, api::DeleteParams};
use serde_json::{Value, json};
use vouchsafe_api::{Agent, Environment, Promotion, approval::Vote, promotion::status::Verdict};

type Body = fn(Context) -> BoxFuture<'static, Result<()>>;

pub(super) fn cases() -> Vec<(&'static str, Body)> {
    vec![
        (
            "GitOps tools show a held rollout as waiting for people, not as an error",
            |cx| Box::pin(people(cx)),
        ),
        ("GitOps tools show what waits for machines as progressing", |cx| {
            Box::pin(machines(cx))
        }),
        (
            "GitOps tools show what was revoked, and what fails though it is cleared",
            |cx| Box::pin(revoked(cx)),
        ),
        ("GitOps tools show a Promotion that only an edit can help", |cx| {
            Box::pin(stalled(cx))
        }),
        (
            "GitOps tools show a broken glass and an orphan as healthy, and say so",
            |cx| Box::pin(told(cx)),
        ),
    ]
}

async fn people(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let first = stage.promotion("refund").await?;
    let name = first.name_any();
    stage.held(&agent.selector(), 1).await?;
    let waits = expect("Suspended", "InProgress", "InProgress").saying("AwaitingApproval: ");
    stage.shows("Promotion", &name, &waits).await?;
    // kstatus alone says of an Agent only that its declaration was resolved: no error, but no sign of the wait either.
    let waits = expect("Suspended", "InProgress", "Current").saying("AwaitingApproval for ");
    stage.shows("Agent", "refund", &waits).await?;
    let waits = expect("Progressing", "InProgress", "InProgress");
    stage.shows("Deployment", "refund", &waits).await?;
    stage
        .shows("Clearance", "clearance", &expect("Healthy", "Current", "Current"))
        .await?;

    let vote = stage.vote(&stage.security, &first, "security", Vote::Reject).await?;
    let there = expect("Healthy", "Current", "Current").saying("Reject as security");
    stage.shows("Approval", &vote.name_any(), &there).await?;
    stage
        .shows(
            "Promotion",
            &name,
            &expect("Degraded", "Failed", "InProgress").saying("Refused: "),
        )
        .await?;
    stage
        .shows(
            "Agent",
            "refund",
            &expect("Degraded", "Failed", "Current").saying("Refused for "),
        )
        .await?;

    stage.vote(&stage.security, &first, "security", Vote::Approve).await?;
    let runs = expect("Healthy", "Current", "Current");
    stage.shows("Promotion", &name, &runs.clone().saying("Cleared")).await?;
    stage
        .shows("Agent", "refund", &runs.clone().saying("Cleared for "))
        .await?;
    stage.shows("Deployment", "refund", &runs).await?;

    stage.apply(&agent.with_prompt("Refund everything.").objects()).await?;
    let second = stage.promotion_after("refund", &name).await?;
    stage
        .shows("Agent", "refund", &expect("Suspended", "InProgress", "Current"))
        .await?;
    stage.apply(&agent.objects()).await?;
    let replaced = expect("Healthy", "Current", "InProgress").saying("Superseded");
    stage.shows("Promotion", &second.name_any(), &replaced).await?;
    stage.shows("Agent", "refund", &runs).await
}

async fn machines(cx: Context) -> Result<()> {
    let check = cx.name("scanned");
    let spec = json!({"owner": "security", "evidence": {"subject": "Release", "formats": ["Sarif"], "policy": "counters.error == 0"}});
    let check_object = named("Check", &check, &spec);
    cx.chart().await?;
    cx.admin().apply("default", &[check_object]).must().await?;
    let stage = Stage::set(
        &cx,
        json!({"sensitivity": "Low", "enforcement": "Hold", "requires": [{"check": check}]}),
    )
    .await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion("refund").await?;
    let waits = expect("Progressing", "InProgress", "InProgress").saying("Waiting: ");
    stage.shows("Promotion", &promotion.name_any(), &waits).await?;
    stage
        .shows(
            "Agent",
            "refund",
            &expect("Progressing", "InProgress", "Current").saying("Waiting for "),
        )
        .await?;

    let grants = cx.cluster().grants();
    let attest = vec![
        rule("vouchsafe.dev", &["evidence"], &[], &["create"]),
        rule("vouchsafe.dev", &["checks"], &[&check], &["attest"]),
    ];
    grants.allow(&stage.namespace, attest, stage.editor.subject()).await?;
    let evidence = named("Evidence", "scan", &scan(&check, &promotion));
    stage
        .editor
        .kubectl(["create", "-n", &stage.namespace, "-f", "-"])
        .input(evidence.to_string())
        .must()
        .await?;
    let there = expect("Healthy", "Current", "Current").saying(&format!("Pass for the check {check}"));
    stage.shows("Evidence", "scan", &there).await?;
    stage
        .shows(
            "Promotion",
            &promotion.name_any(),
            &expect("Healthy", "Current", "Current"),
        )
        .await
}

/// A report without findings.
fn scan(check: &str, promotion: &Promotion) -> Value {
    let now = jiff::Timestamp::now();
    json!({
        "subject": {"kind": "Release", "digest": promotion.spec.release.to_string()}, "check": check, "format": "Sarif",
        "tool": {"name": "sarif", "version": "1.0"}, "startedAt": now, "finishedAt": now, "result": "Pass",
        "counters": {"error": 0, "warning": 0, "note": 0}, "report": {"digest": digest(check.as_bytes())},
    })
}

async fn revoked(cx: Context) -> Result<()> {
    let never = cx.name("never");
    let check = named(
        "Check",
        &never,
        &json!({"owner": "security", "surface": {"policy": "false", "message": "never"}}),
    );
    cx.chart().await?;
    cx.admin().apply("default", &[check]).must().await?;
    for (follows, argocd, flux, kstatus, says) in [
        ("Hold", "Degraded", "Failed", "InProgress", "Revoked"),
        ("Alert", "Healthy", "Current", "Current", "Failing: "),
    ] {
        let spec = json!({
            "sensitivity": "High", "enforcement": "Hold", "requires": [], "unknownAuthor": "Accept",
            "approvals": [{"role": "security", "count": 1}],
            "clearance": {"onFailure": follows, "gracePeriod": "0s"},
        });
        let stage = Stage::set(&cx, spec).await?;
        let promotion = stage.run(&AgentOf::new("refund")).await?;
        let require = json!({"spec": {"requires": [{"check": never}]}});
        let environments: kube::Api<Environment> = kube::Api::all(cx.client());
        let patch = kube::api::Patch::Merge(&require);
        environments
            .patch(&stage.environment, &kube::api::PatchParams::default(), &patch)
            .await?;
        let expected = expect(argocd, flux, kstatus).saying(says);
        stage
            .shows("Promotion", &promotion.name_any(), &expected)
            .await
            .context(follows)?;
    }
    Ok(())
}

async fn stalled(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let release = format!("v1:{}", digest(b"a release that nobody has"));
    let name = format!("refund-{}", release.get(10..42).context("a short digest")?);
    let component =
        json!({"facet": "Image", "name": "server/agent", "digest": digest(b"image"), "resolution": "Resolved"});
    let promotion = named(
        "Promotion",
        &name,
        &json!({
            "agent": "refund", "release": release, "environment": stage.environment, "surface": {"components": [component]},
        }),
    );
    cx.admin()
        .kubectl(["create", "-n", &stage.namespace, "-f", "-"])
        .input(promotion.to_string())
        .must()
        .await?;
    let stuck = expect("Degraded", "Failed", "Failed").saying("SurfaceMismatch: ");
    stage.shows("Promotion", &name, &stuck).await
}

async fn told(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    let promotion = stage.run(&agent).await?;
    stage.api::<Agent>().delete("refund", &DeleteParams::default()).await?;
    let cleared = expect("Healthy", "Current", "Current");
    let orphan = cleared.clone().saying("Orphaned: ");
    stage.shows("Promotion", &promotion.name_any(), &orphan).await?;

    let other = AgentOf::new("other");
    stage.apply(&other.objects()).await?;
    let waits = stage.promotion("other").await?;
    let until = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(30);
    let waiver = named(
        "Waiver",
        "glass",
        &json!({
            "promotion": waits.name_any(), "release": waits.spec.release, "environment": stage.environment, "checks": [],
            "breakGlass": true, "reason": "an outage, incident 4711", "notAfter": until,
        }),
    );
    cx.admin()
        .kubectl(["create", "-n", &stage.namespace, "-f", "-"])
        .input(waiver.to_string())
        .must()
        .await?;
    stage
        .shows("Waiver", "glass", &cleared.clone().saying("until "))
        .await?;
    stage.verdict(&waits.name_any(), Verdict::Cleared).await?;
    stage
        .shows("Promotion", &waits.name_any(), &cleared.saying("BreakGlass: "))
        .await
}
