//! Evidence counts for what it is about, from the tenant that it is of, and the worse of two counts; bindings stay within their patterns.

use crate::{
    await_::{Look, until},
    stage::{AgentOf, Stage, environment},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::{Value, json};
use vouchsafe_api::{
    Agent, Check, Evidence, Promotion,
    approval::Vote,
    promotion::status::{Outcome, Verdict},
};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D33", "D35", "D56"],
            "evidence is of one release, and the worse of two results counts",
            of_one_release,
        ),
        Case::new(
            &["D59"],
            "evidence of another tenant counts for nothing",
            of_another_tenant,
        ),
        Case::new(
            &["D57"],
            "a binding stays within its pattern, and another Secret is another place",
            bindings,
        ),
    ]
}

/// A check that wants evidence on the release, and an environment that asks for it.
pub(super) async fn stage(cx: &Context) -> Result<(Stage, String)> {
    cx.operator().await?;
    let check = cx.name("red-team");
    let object = json!({
        "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": check},
        "spec": {"evidence": {"subject": "Release", "policy": "counters.failed == 0"}},
    });
    let object: Check = serde_json::from_value(object).context("the Check is not one")?;
    Api::<Check>::all(cx.client())
        .create(&PostParams::default(), &object)
        .await?;
    let spec = json!({"sensitivity": "High", "enforcement": "Hold", "requires": [{"check": check}], "unknownAuthor": "Accept"});
    let environment = environment(cx, "prod", spec).await?;
    Ok((Stage::in_environment(cx, &environment).await?, check))
}

/// Somebody who may attest the check in a namespace.
pub(super) async fn attestor(cx: &Context, namespace: &str, check: &str) -> Result<User> {
    let user = cx.user("pipeline").await?;
    let rules = vec![
        rule("vouchsafe.dev", &["checks"], &[check], &["attest"]),
        rule("vouchsafe.dev", &["evidence"], &[], &["create", "get", "list"]),
    ];
    cx.cluster().grants().allow(namespace, rules, user.subject()).await?;
    until("the right to give evidence", || async {
        let can = user.kubectl(["auth", "can-i", "create", "evidence.vouchsafe.dev", "-n", namespace]);
        Ok(Look::when(can.ran().await?.code, |code| *code == Some(0)))
    })
    .await?;
    Ok(user)
}

/// Gives evidence on a release, with so many failures counted.
pub(super) async fn attest(user: &User, namespace: &str, check: &str, release: &str, failed: i64) -> Result<()> {
    let now = jiff::Timestamp::now();
    let object = json!({
        "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Evidence", "metadata": {"generateName": "e-"},
        "spec": {
            "subject": {"kind": "Release", "digest": release}, "check": check, "format": "Normal", "tool": {"name": "tester"},
            "startedAt": now, "result": "Pass", "counters": {"failed": failed},
        },
    });
    let evidence: Evidence = serde_json::from_value(object).context("the Evidence is none")?;
    user.api::<Evidence>(namespace)
        .create(&PostParams::default(), &evidence)
        .await?;
    Ok(())
}

/// Awaits an outcome of the check.
pub(super) async fn outcome(stage: &Stage, promotion: &str, check: &str, outcome: Outcome) -> Result<()> {
    until(&format!("{outcome:?} of {check}"), || async {
        let status = stage
            .api::<Promotion>()
            .get(promotion)
            .await?
            .status
            .unwrap_or_default();
        let found = status
            .checks
            .into_iter()
            .find(|found| found.check == check)
            .map(|found| found.outcome);
        Ok(Look::when(found, |found| *found == Some(outcome)))
    })
    .await
    .map(drop)
}

async fn of_one_release(cx: Context) -> Result<()> {
    let (stage, check) = stage(&cx).await?;
    let pipeline = attestor(&cx, &stage.namespace, &check).await?;
    let first = AgentOf::new("refund");
    stage.apply(&first.objects()).await?;
    let promotion = stage.promotion(&first.name).await?;
    attest(
        &pipeline,
        &stage.namespace,
        &check,
        &promotion.spec.release.to_string(),
        0,
    )
    .await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;
    // The same image with another prompt: what was measured of the first says nothing of it.
    let second = first.with_prompt("Refund everything.");
    stage.apply(&second.objects()).await?;
    let other = stage.promotion_after(&first.name, &promotion.name_any()).await?;
    outcome(&stage, &other.name_any(), &check, Outcome::Pending).await?;
    // Two producers disagree: the worse one counts, whoever speaks last.
    let strict = attestor(&cx, &stage.namespace, &check).await?;
    let release = other.spec.release.to_string();
    attest(&strict, &stage.namespace, &check, &release, 3).await?;
    outcome(&stage, &other.name_any(), &check, Outcome::Fail).await?;
    attest(&pipeline, &stage.namespace, &check, &release, 0).await?;
    stage.verdict(&other.name_any(), Verdict::Refused).await?;
    // And the same producer measured again, well: that mends it. Of results at one instant the worse counts, and objects are dated by the second.
    let second = jiff::Timestamp::now().as_second();
    until("another second", || async {
        Ok(Look::when(jiff::Timestamp::now().as_second(), |now| *now > second + 1))
    })
    .await?;
    attest(&strict, &stage.namespace, &check, &release, 0).await?;
    stage.verdict(&other.name_any(), Verdict::Cleared).await.map(drop)
}

async fn of_another_tenant(cx: Context) -> Result<()> {
    let (stage, check) = stage(&cx).await?;
    let labels = [
        ("vouchsafe.dev/environment", stage.environment.as_str()),
        ("vouchsafe.dev/tenant", "others"),
    ];
    let theirs = cx.namespace_labelled("theirs", &labels).await?;
    let (mine, other) = (
        attestor(&cx, &stage.namespace, &check).await?,
        attestor(&cx, &theirs, &check).await?,
    );
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    let release = promotion.spec.release.to_string();
    attest(&other, &theirs, &check, &release, 0).await?;
    // What proves that the operator looked after that: evidence of another agent of ours is judged.
    let second = AgentOf::new("other").with_prompt("Be brief.");
    stage.apply(&second.objects()).await?;
    let judged = stage.promotion(&second.name).await?;
    attest(&mine, &stage.namespace, &check, &judged.spec.release.to_string(), 1).await?;
    outcome(&stage, &judged.name_any(), &check, Outcome::Fail).await?;
    outcome(&stage, &promotion.name_any(), &check, Outcome::Pending).await?;
    stage.held(&agent.selector(), 1).await?;
    stage.nothing_ran(&agent.selector()).await
}

/// The agent with a variable that may differ between environments, at this value.
fn bound(agent: &AgentOf, url: &str) -> Result<Vec<Value>> {
    let mut declared = agent.agent("Deployment", "apps/v1");
    let spec = declared
        .pointer_mut("/spec")
        .and_then(Value::as_object_mut)
        .context("no spec")?;
    spec.insert(
        "bindings".to_owned(),
        json!([{"name": "crm", "env": "CRM_URL", "pattern": r"https://crm\.[a-z]+\.example\.com"}]),
    );
    let mut deployment = agent.deployment();
    let container = deployment
        .pointer_mut("/spec/template/spec/containers/0")
        .and_then(Value::as_object_mut);
    container
        .context("no container")?
        .insert("env".to_owned(), json!([{"name": "CRM_URL", "value": url}]));
    Ok(vec![agent.config_map(), declared, deployment])
}

async fn bindings(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, crate::stage::one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&bound(&agent, "https://crm.prod.example.com")?).await?;
    let promotion = stage.promotion(&agent.name).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    stage.verdict(&promotion.name_any(), Verdict::Cleared).await?;
    crate::pods::await_running(&stage.pods(), &agent.selector(), 1).await?;
    // Within its pattern it is the same release.
    stage.apply(&bound(&agent, "https://crm.other.example.com")?).await?;
    crate::pods::await_running(&stage.pods(), &agent.selector(), 1).await?;
    ensure!(
        stage.promotion(&agent.name).await?.name_any() == promotion.name_any(),
        "a binding is in the digest"
    );
    // Outside it is not let in, though the release is cleared.
    stage.apply(&bound(&agent, "https://evil.example.org")?).await?;
    let ready = until("the agent to be told", || async {
        let status = stage.api::<Agent>().get(&agent.name).await?.status.unwrap_or_default();
        let ready = status
            .conditions
            .into_iter()
            .find(|condition| condition.kind == "Ready");
        Ok(Look::when(ready, |ready| {
            ready
                .as_ref()
                .is_some_and(|ready| ready.reason == "BindingOutOfPattern")
        }))
    })
    .await?;
    ensure!(
        ready.is_some_and(|ready| ready.message.contains("crm")),
        "the binding is not named"
    );
    until("one held pod beside the running one", || async {
        let found = stage
            .pods()
            .list(&kube::api::ListParams::default().labels(&agent.selector()))
            .await?;
        let held = found.items.iter().filter(|pod| crate::pods::is_held(pod)).count();
        Ok(Look::when(
            (held, stage.running(&agent.selector()).await?.len()),
            |(held, running)| *held == 1 && *running == 1,
        ))
    })
    .await
    .map(drop)
}
