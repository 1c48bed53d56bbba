//! What Argo CD and Flux show of our objects: of every kind, under every verdict, by their own code over what the real API server stored.

mod buttons;
mod deployer;
mod examples;
mod held;
mod helm;
mod owners;
mod shown;
mod sync;
mod verdicts;

use self::shown::{Shows, expect};
use crate::{
    gitops,
    stage::{AgentOf, Stage, environment, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;

/// The first time, two large Go programs are built meanwhile.
const PATIENCE: Duration = Duration::from_secs(900);

pub(super) fn cases() -> Vec<Case> {
    let case = |name, body| Case::new(&[], name, body).patience(PATIENCE);
    let mut cases = vec![
        Case::new(&[], "health checks of GitOps tools, case by case", case_by_case).patience(PATIENCE),
        Case::new(
            &[],
            "GitOps tools show an Agent by its declaration and its environment",
            agents,
        )
        .patience(PATIENCE),
        Case::new(
            &[],
            "GitOps tools show Environments and Checks by whether they can be used",
            policies,
        )
        .patience(PATIENCE),
    ];
    cases.extend(examples::cases());
    cases.extend(held::cases());
    cases.extend(helm::cases());
    cases.extend(buttons::cases());
    cases.extend(sync::cases());
    cases.extend(verdicts::cases().into_iter().map(|(name, body)| case(name, body)));
    cases
}

/// A case of `e2e/gitops/cases.yaml`.
#[derive(Deserialize)]
struct Written {
    name: String,
    object: Value,
    argocd: String,
    flux: String,
    kstatus: String,
    #[serde(default)]
    says: String,
}

async fn case_by_case(cx: Context) -> Result<()> {
    let cases: Vec<Written> = serde_json::from_value(gitops::file("e2e/gitops/cases.yaml")?)?;
    ensure!(cases.len() > 20, "only {} cases", cases.len());
    let objects: Vec<Value> = cases.iter().map(|case| case.object.clone()).collect();
    let judged = cx.gitops().await?.judge(&objects).await?;
    let mut wrong = Vec::new();
    for (case, judged) in cases.iter().zip(&judged) {
        let expected = expect(&case.argocd, &case.flux, &case.kstatus).saying(&case.says);
        if let Err(difference) = expected.compare(judged) {
            wrong.push(format!("{}: {difference}", case.name));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

async fn agents(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let tagged = AgentOf {
        image: "registry.example/agent:latest".to_owned(),
        ..AgentOf::new("tagged")
    };
    stage.apply(&tagged.objects()).await?;
    let refused = expect("Degraded", "Failed", "InProgress").saying("ImageNotPinned: ");
    stage.shows("Agent", "tagged", &refused).await?;

    let early = AgentOf::new("early");
    stage.apply(&[early.agent("Deployment", "apps/v1")]).await?;
    let coming = expect("Progressing", "InProgress", "InProgress").saying("WorkloadNotFound: ");
    stage.shows("Agent", "early", &coming).await?;

    let observing = json!({"sensitivity": "Low", "enforcement": "Observe", "requires": [], "approvals": [{"role": "security", "count": 1}]});
    let observed = Stage::in_environment(&cx, &environment(&cx, "dev", observing).await?).await?;
    let agent = AgentOf::new("refund");
    observed.apply(&agent.objects()).await?;
    let healthy = expect("Healthy", "Current", "Current").saying("only observes: AwaitingApproval");
    observed.shows("Agent", "refund", &healthy).await?;
    let running = expect("Healthy", "Current", "Current");
    observed.shows("Deployment", "refund", &running).await?;

    let free = cx.namespace("free").await?;
    cx.admin().apply(&free, &agent.objects()).must().await?;
    let free = Shows::new(&cx, &free);
    let ungoverned = expect("Healthy", "Current", "Current").saying("its namespace is in no environment");
    free.shows("Agent", "refund", &ungoverned).await
}

async fn policies(cx: Context) -> Result<()> {
    cx.operator().await?;
    let cluster = Shows::new(&cx, "");
    let check = |name: &str, policy: &str| {
        json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": name},
            "spec": {"owner": "platform", "surface": {"policy": policy, "message": "no"}}})
    };
    let (good, bad) = (cx.name("good"), cx.name("bad"));
    let checks = [
        check(&good, "surface.tools.all(t, true)"),
        check(&bad, "surface.tools.all("),
    ];
    cx.admin().apply("default", &checks).must().await?;
    cluster
        .shows("Check", &good, &expect("Healthy", "Current", "Current"))
        .await?;
    let invalid = expect("Degraded", "Failed", "InProgress").saying("ExpressionInvalid: ");
    cluster.shows("Check", &bad, &invalid).await?;

    let of = |enforcement: &str, requires: Value| json!({"sensitivity": "Low", "enforcement": enforcement, "requires": requires});
    let observes = environment(&cx, "observes", of("Observe", json!([]))).await?;
    let watching = expect("Healthy", "Current", "Current").saying("ObserveOnly: ");
    cluster.shows("Environment", &observes, &watching).await?;
    let holds = environment(&cx, "holds", of("Hold", json!([{"check": good}]))).await?;
    let enforced = expect("Healthy", "Current", "Current").saying("Enforced: ");
    cluster.shows("Environment", &holds, &enforced).await?;
    let early = environment(&cx, "early", of("Hold", json!([{"check": cx.name("to-come")}]))).await?;
    let coming = expect("Progressing", "InProgress", "InProgress").saying("CheckNotFound: ");
    cluster.shows("Environment", &early, &coming).await?;
    let broken = environment(&cx, "broken", of("Hold", json!([{"check": bad}]))).await?;
    let unusable = expect("Degraded", "Failed", "InProgress");
    cluster
        .shows("Environment", &broken, &unusable)
        .await
        .context("of a broken check")
}
