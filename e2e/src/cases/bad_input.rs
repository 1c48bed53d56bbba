//! What is written wrongly is said so, by object and field; and it costs nobody anything.

use crate::{
    await_::{Look, until},
    pods::await_running,
    stage::{AgentOf, Stage, environment, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use kube::{Api, api::PostParams};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use vouchsafe_api::{
    Agent, Check, Environment,
    promotion::status::{CheckOutcome, Outcome, Verdict},
};

/// The limit that the chart gives the operator.
const MEMORY: u64 = 256 << 20;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "an Agent that names what is not there says which, and runs when it comes",
            missing,
        ),
        Case::new(
            &[],
            "of two Agents that claim one workload the older has it",
            claimed_twice,
        ),
        Case::new(
            &[],
            "environments that come before one another in a circle clear nothing",
            circle,
        ),
        Case::new(
            &[],
            "a rule that is broken or endless passes nothing, and says why",
            rules,
        ),
        Case::new(
            &[],
            "a registry that hangs, or never ends its answer, is Inconclusive and costs no memory",
            registries,
        )
        .patience(Duration::from_secs(420)),
    ]
}

/// Awaits that the agent is not Ready for a reason, and gives the message.
async fn not_ready(stage: &Stage, agent: &str, reason: &str) -> Result<String> {
    until(&format!("agent {agent} not to be ready: {reason}"), || async {
        let status = stage.api::<Agent>().get(agent).await?.status.unwrap_or_default();
        let value = json!(status.conditions);
        let found = condition(&value, "Ready").filter(|found| found.0 == "False" && found.1 == reason);
        Ok(found.map_or_else(|| Look::NotYet(value.to_string()), |found| Look::Seen(found.2)))
    })
    .await
}

/// Status, reason and message of a condition.
fn condition(conditions: &Value, kind: &str) -> Option<(String, String, String)> {
    let of = conditions
        .as_array()?
        .iter()
        .find(|one| one.get("type").is_some_and(|is| is == kind))?;
    let text = |field: &str| of.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

fn says(words: &str, parts: &[&str]) -> Result<()> {
    let missing: Vec<_> = parts.iter().filter(|part| !words.contains(**part)).collect();
    ensure!(missing.is_empty(), "`{words}` does not name {missing:?}");
    Ok(())
}

async fn missing(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&[agent.agent("Deployment", "apps/v1")]).await?;
    let words = not_ready(&stage, "refund", "WorkloadNotFound").await?;
    says(&words, &["Agent", "spec.workloads[0]", "refund"])?;
    stage.apply(&[agent.deployment()]).await?;
    let words = not_ready(&stage, "refund", "ConfigMapNotFound").await?;
    says(&words, &["Deployment/refund", "volumes", &agent.config_name()])?;
    stage.held(&agent.selector(), 1).await?;
    let promotion = stage.promotion("refund").await?;
    stage
        .vote(
            &stage.security,
            &promotion,
            "security",
            vouchsafe_api::approval::Vote::Approve,
        )
        .await?;
    stage.nothing_ran(&agent.selector()).await?;
    stage.run(&agent).await.map(drop)
}

async fn claimed_twice(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund").with_replicas(2);
    let promotion = stage.run(&agent).await?;
    let mut second = agent.agent("Deployment", "apps/v1");
    if let Some(name) = second.pointer_mut("/metadata/name") {
        *name = json!("thief");
    }
    // The age of objects has whole seconds.
    let first = stage.api::<Agent>().get("refund").await?.metadata.creation_timestamp;
    until("a second to pass", || async {
        let age = first.as_ref().map(|time| jiff::Timestamp::now().duration_since(time.0));
        Ok(Look::when(age, |age| age.is_some_and(|age| age.as_secs() >= 1)))
    })
    .await?;
    stage.apply(&[second]).await?;
    let words = not_ready(&stage, "thief", "WorkloadClaimedTwice").await?;
    says(
        &words,
        &["Deployment/refund", "Agent.spec.workloads", "older Agent `refund`"],
    )?;
    stage
        .verdict(&promotion.metadata.name.unwrap_or_default(), Verdict::Cleared)
        .await?;
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", &agent.selector()];
    stage.editor.kubectl(delete).must().await?;
    await_running(&stage.pods(), &agent.selector(), 2).await.map(drop)
}

/// Awaits that the Environment cannot be used as it is written, and gives the message.
async fn unusable(cx: &Context, name: &str, reason: &str, word: &str) -> Result<String> {
    until(&format!("environment {name} not to be ready: {word}"), || async {
        let found = Api::<Environment>::all(cx.client()).get(name).await?;
        let value = json!(found.status.unwrap_or_default().conditions);
        let found = condition(&value, "Ready")
            .filter(|found| found.0 == "False" && found.1 == reason && found.2.contains(word));
        Ok(found.map_or_else(|| Look::NotYet(value.to_string()), |found| Look::Seen(found.2)))
    })
    .await
}

async fn circle(cx: Context) -> Result<()> {
    cx.operator().await?;
    let (one, two) = (cx.name("one"), cx.name("two"));
    for (name, before) in [(&one, &two), (&two, &one)] {
        let spec =
            json!({"sensitivity": "Low", "enforcement": "Hold", "requires": [], "after": [{"environment": before}]});
        let object = json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name}, "spec": spec});
        let created: Environment = serde_json::from_value(object)?;
        Api::all(cx.client()).create(&PostParams::default(), &created).await?;
    }
    for name in [&one, &two] {
        let words = unusable(&cx, name, "PredecessorInvalid", "circle").await?;
        says(
            &words,
            &[&format!("Environment/{name}"), "spec.after[0].environment", "circle"],
        )?;
    }
    let stage = Stage::in_environment(&cx, &one).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    stage.held(&agent.selector(), 1).await?;
    let promotion = stage.promotion("refund").await?;
    let verdict = promotion.status.and_then(|status| status.verdict);
    ensure!(verdict != Some(Verdict::Cleared), "cleared in a circle");
    stage.nothing_ran(&agent.selector()).await
}

/// A Check of the case's own; its name.
async fn check(cx: &Context, base: &str, spec: Value) -> Result<String> {
    let name = cx.name(base);
    let object =
        json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Check", "metadata": {"name": name}, "spec": spec});
    let check: Check = serde_json::from_value(object)?;
    Api::all(cx.client()).create(&PostParams::default(), &check).await?;
    Ok(name)
}

fn requiring(check: &str) -> Value {
    json!({"sensitivity": "Low", "enforcement": "Hold", "requires": [{"check": check}], "unknownAuthor": "Accept"})
}

/// Awaits what became of the one check of an agent, other than pending, when the words name this.
async fn outcome(stage: &Stage, agent: &str, named: &str) -> Result<CheckOutcome> {
    until("an outcome of the check", || async {
        let promotion = stage.promotion(agent).await?;
        let mut checks = promotion.status.unwrap_or_default().checks;
        let first = checks.pop();
        Ok(Look::when(first, |first| {
            first
                .as_ref()
                .is_some_and(|first| first.outcome != Outcome::Pending && first.message.contains(named))
        }))
    })
    .await?
    .context("there is no check")
}

async fn rules(cx: Context) -> Result<()> {
    cx.operator().await?;
    let endless = (0..8).fold("true".to_owned(), |inner, depth| {
        format!("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16].all(x{depth}, {inner})")
    });
    for (base, policy, named) in [
        ("broken", "surface.tools.all(tool,", "is not valid"),
        ("endless", endless.as_str(), "steps"),
    ] {
        let name = check(&cx, base, json!({"surface": {"policy": policy, "message": "no"}})).await?;
        let environment = environment(&cx, base, requiring(&name)).await?;
        let stage = Stage::in_environment(&cx, &environment).await?;
        let agent = AgentOf::new("refund");
        stage.apply(&agent.objects()).await?;
        let outcome = outcome(&stage, "refund", named).await?;
        ensure!(
            outcome.outcome == Outcome::Inconclusive && !outcome.message.is_empty(),
            "{base}: {outcome:?}"
        );
        stage.held(&agent.selector(), 1).await?;
        stage.nothing_ran(&agent.selector()).await?;
        if base == "broken" {
            let words = unusable(&cx, &environment, "ExpressionInvalid", "").await?;
            says(&words, &[&format!("Check/{name}"), "spec.surface.policy"])?;
        }
    }
    Ok(())
}

async fn registries(cx: Context) -> Result<()> {
    let operator = cx.operator().await?;
    let keys = cx.cosign().await?.keys(&cx.name("keys")).await?;
    let authority = json!({"name": "pipeline", "key": keys.pem});
    let name = check(
        &cx,
        "signed",
        json!({"signature": {"of": ["Image"], "authorities": [authority]}}),
    )
    .await?;
    let environment = environment(&cx, "prod", requiring(&name)).await?;
    let before = operator.resident_bytes()?;
    let mut most = before;
    for endless in [false, true] {
        let address = cx.registry_address()?.to_owned();
        let listener = TcpListener::bind(&address).await?;
        let served = tokio::spawn(serve(listener, endless));
        let stage = Stage::in_environment(&cx, &environment).await?;
        let agent = AgentOf {
            image: format!(
                "{address}/{}",
                crate::stage::image("hostile").trim_start_matches("registry.example/")
            ),
            ..AgentOf::new("refund")
        };
        stage.apply(&agent.objects()).await?;
        let outcome = outcome(&stage, "refund", &address).await?;
        most = most.max(operator.resident_bytes()?);
        ensure!(
            outcome.outcome == Outcome::Inconclusive && !outcome.message.is_empty(),
            "{outcome:?}"
        );
        stage.held(&agent.selector(), 1).await?;
        stage.nothing_ran(&agent.selector()).await?;
        served.abort();
    }
    ensure!(most < MEMORY, "the operator has {most} bytes");
    cx.tell(&format!(
        "registries that hang or never end: the operator had {} MiB before and at most {} MiB after",
        before >> 20,
        most >> 20
    ));
    Ok(())
}

/// A registry that takes requests and says nothing, or begins an answer and never ends it.
async fn serve(listener: TcpListener, endless: bool) {
    while let Ok((connection, _)) = listener.accept().await {
        tokio::spawn(answer(connection, endless));
    }
}

async fn answer(mut connection: TcpStream, endless: bool) -> std::io::Result<()> {
    let mut request = [0_u8; 4096];
    while connection.read(&mut request).await? > 0 {
        if !endless {
            continue;
        }
        connection
            .write_all(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.oci.image.index.v1+json\r\n\r\n{\"manifests\": [",
            )
            .await?;
        loop {
            connection.write_all(&[b' '; 65536]).await?;
        }
    }
    Ok(())
}
