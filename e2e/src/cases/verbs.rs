//! `kubectl vouchsafe`, as people with ordinary rights use it: asking ahead, finding out what is missing, and giving one's word.

use crate::{
    pods::await_running,
    program::Run,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use kube::{ResourceExt, api::ListParams};
use serde_json::Value;
use vouchsafe_api::{Approval, Promotion, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "promoted ahead from rendered manifests, found in an inbox, approved, rolled out",
            ahead,
        ),
        Case::new(
            &["D61"],
            "a word is given on the release that was looked at, never on an agent's name",
            looked_at,
        ),
        Case::new(
            &[],
            "what `why` says is missing is given by the commands that it prints",
            why,
        ),
        Case::new(
            &[],
            "who may not is told which right is missing, and nothing is stored",
            rights,
        ),
        Case::new(
            &[],
            "a newcomer with edit and the developer's role in one namespace is told each next step",
            newcomer,
        ),
    ]
}

/// A verb as somebody, in the stage's namespace.
pub(super) fn verb(stage: &Stage, who: &User, words: &[&str]) -> Run {
    let place = ["-n", &stage.namespace];
    let line: Vec<_> = std::iter::once("vouchsafe")
        .chain(words.iter().copied())
        .chain(place)
        .collect();
    who.kubectl(line)
}

/// Lets the stage's editor use verbs of ours on its environment.
async fn allow(stage: &Stage, verbs: &[&str]) -> Result<()> {
    let rules = vec![
        rule("vouchsafe.dev", &["environments"], &[&stage.environment], verbs),
        rule("vouchsafe.dev", &["waivers"], &[], &["create"]),
    ];
    let grants = stage.cx.cluster().grants();
    grants.allow(&stage.namespace, rules, stage.editor.subject()).await
}

fn manifests(objects: &[Value]) -> String {
    objects.iter().map(|object| format!("---\n{object}\n")).collect()
}

async fn ahead(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    allow(&stage, &["promote"]).await?;
    let agent = AgentOf::new("refund").with_replicas(2);
    let rendered = manifests(&agent.objects());
    let promote = || verb(&stage, &stage.editor, &["promote", "-f", "-"]).input(rendered.clone());

    let dry = verb(&stage, &stage.editor, &["promote", "-f", "-", "--dry-run"]).input(rendered.clone());
    ensure!(
        dry.must().await?.contains("would be created"),
        "a dry run says what it would do"
    );
    ensure!(promotions(&stage).await?.is_empty(), "a dry run stored a Promotion");
    ensure!(
        promote().must().await?.contains(" created\n"),
        "the Promotion was not created"
    );
    let name = only(promotions(&stage).await?)?;
    stage.verdict(&name, Verdict::AwaitingApproval).await?;
    let again = promote().must().await?;
    ensure!(
        again.contains("is there already: AwaitingApproval"),
        "the second time: {again}"
    );

    let inbox = verb(&stage, &stage.security, &["inbox"]).must().await?;
    ensure!(inbox.contains(&name), "the inbox of `security`: {inbox}");
    let others = verb(&stage, &stage.product, &["inbox"]).must().await?;
    ensure!(!others.contains(&name), "the inbox of `product`: {others}");
    let diff = verb(&stage, &stage.security, &["diff", &name, "-f", "-"]).input(rendered.clone());
    let diff = diff.must().await?;
    ensure!(diff.contains(&agent.prompt), "the prompt of a first release: {diff}");
    let approve = ["approve", &name, "--yes", "--reason", "looked at it"];
    verb(&stage, &stage.security, &approve).must().await?;
    let wait = ["promote", "-f", "-", "--wait", "--timeout", "1m"];
    let wait = verb(&stage, &stage.editor, &wait).input(rendered.clone());
    ensure!(
        wait.must().await?.contains(": Cleared"),
        "waiting did not end with the clearance"
    );
    let inbox = verb(&stage, &stage.security, &["inbox"]).must().await?;
    ensure!(
        inbox.starts_with("Nothing waits for you"),
        "the inbox afterwards: {inbox}"
    );

    stage.apply(&agent.objects()).await?;
    await_running(&stage.pods(), &agent.selector(), 2).await?;
    let status = verb(&stage, &stage.editor, &["status", "-o", "json"]).must().await?;
    let status: Value = serde_json::from_str(&status).context("the status is no JSON")?;
    let verdict = status.pointer("/releases/0/verdict").and_then(Value::as_str);
    ensure!(verdict == Some("Cleared"), "the status: {status}");
    ensure!(
        only(promotions(&stage).await?)? == name,
        "deploying it made another Promotion"
    );
    Ok(())
}

async fn promotions(stage: &Stage) -> Result<Vec<String>> {
    let found = stage.api::<Promotion>().list(&ListParams::default()).await?;
    Ok(found.items.iter().map(ResourceExt::name_any).collect())
}

async fn approvals(stage: &Stage) -> Result<usize> {
    Ok(stage.api::<Approval>().list(&ListParams::default()).await?.items.len())
}

fn only(mut names: Vec<String>) -> Result<String> {
    ensure!(names.len() == 1, "one was expected: {names:?}");
    names.pop().context("one was expected")
}

async fn looked_at(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let first = AgentOf::new("refund");
    stage.apply(&first.objects()).await?;
    let promotion = stage.promotion(&first.name).await?;
    let (name, seen) = (promotion.name_any(), promotion.spec.release.to_string());
    let approve = |words: &[&str]| {
        verb(
            &stage,
            &stage.security,
            &[&["approve", "--reason", "looked"], words].concat(),
        )
    };

    let by_agent = approve(&["refund", "--yes"]).ran().await?;
    by_agent.must_fail_with("`refund` is an Agent, and an agent can change while you look")?;
    let unseen = approve(&[&name]).ran().await?;
    unseen.must_fail_with(&format!("--release {seen}"))?;
    let second = first.with_prompt("Refund everything.");
    stage.apply(&second.objects()).await?;
    let other = stage.promotion_after(&first.name, &name).await?.name_any();
    let changed = approve(&[&other, "--release", &seen]).ran().await?;
    ensure!(changed.code == Some(1), "a changed release ends with 1");
    changed.must_fail_with("and you looked at")?;
    ensure!(approvals(&stage).await? == 0, "something was stored");

    let diff = verb(&stage, &stage.editor, &["diff", &name, &other]).must().await?;
    for line in ["~ Prompt system", "- Refund politely.", "+ Refund everything."] {
        ensure!(diff.contains(line), "the difference does not show `{line}`: {diff}");
    }
    let reject = [
        "reject",
        &other,
        "--release",
        &release(&stage, &other).await?,
        "--reason",
        "Not everything",
    ];
    verb(&stage, &stage.security, &reject).must().await?;
    stage.verdict(&other, Verdict::Refused).await?;
    stage.nothing_ran(&first.selector()).await
}

async fn release(stage: &Stage, promotion: &str) -> Result<String> {
    Ok(stage.api::<Promotion>().get(promotion).await?.spec.release.to_string())
}

async fn why(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?.name_any();
    stage.held(&agent.selector(), 1).await?;
    let pods = stage
        .pods()
        .list(&ListParams::default().labels(&agent.selector()))
        .await?;
    let pod = only(pods.items.iter().map(ResourceExt::name_any).collect())?;
    let mut said = String::new();
    for asked in ["agent/refund", "deployment/refund", &format!("pod/{pod}"), &promotion] {
        said = verb(&stage, &stage.editor, &["why", asked]).must().await?;
        ensure!(said.contains("✗ Approval by security: 0 of 1"), "why {asked}: {said}");
    }
    let command = said
        .lines()
        .find_map(|line| line.trim().strip_prefix("how kubectl vouchsafe approve"));
    let command = command.context("there is no command to approve")?;
    let words: Vec<_> = command
        .split_whitespace()
        .map(|word| if word == "…" { "read" } else { word })
        .collect();
    let line = [&["vouchsafe", "approve", "--yes"], words.as_slice()].concat();
    stage.security.kubectl(line).must().await?;
    stage.verdict(&promotion, Verdict::Cleared).await?;
    await_running(&stage.pods(), &agent.selector(), 1).await?;
    let said = verb(&stage, &stage.editor, &["why", "refund"]).must().await?;
    for words in [": Cleared", "until", "✓ Approval by security: 1 of 1"] {
        ensure!(said.contains(words), "afterwards there is no `{words}`: {said}");
    }
    Ok(())
}

async fn rights(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    let rendered = manifests(&agent.objects());
    let ahead = verb(&stage, &stage.editor, &["promote", "-f", "-"])
        .input(rendered.clone())
        .ran()
        .await?;
    ensure!(ahead.code == Some(1), "who may not promote ends with 1");
    ahead.must_fail_with("needs the verb promote on environments.vouchsafe.dev")?;
    ensure!(promotions(&stage).await?.is_empty(), "a Promotion was stored");
    let nobody = stage.cx.user("nobody").await?;
    let status = verb(&stage, &nobody, &["status"]).ran().await?;
    status.must_fail_with("a Role with verb `list` on `agents.vouchsafe.dev`")?;

    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?.name_any();
    let approve = [
        "approve", &promotion, "--role", "security", "--yes", "--reason", "let me",
    ];
    let editor = verb(&stage, &stage.editor, &approve).ran().await?;
    editor.must_fail_with("fix: ")?;
    let product = verb(&stage, &stage.product, &approve).ran().await?;
    product.must_fail_with("you may not approve or reject as security in environment")?;
    let glass = ["waive", &promotion, "--break-glass", "--reason", "an emergency, really"];
    let glass = verb(&stage, &stage.editor, &glass).ran().await?;
    glass.must_fail_with("fix: ")?;
    ensure!(approvals(&stage).await? == 0, "something was stored");
    stage.nothing_ran(&agent.selector()).await
}

/// Somebody who may read neither Environments nor Checks, and forgets the Agent.
async fn newcomer(cx: Context) -> Result<()> {
    let (stage, check) = super::evidence::stage(&cx).await?;
    let newcomer = cx.user("newcomer").await?;
    for role in ["edit", "vouchsafe-developer"] {
        let grants = cx.cluster().grants();
        grants.bind(&stage.namespace, role, newcomer.subject()).await?;
    }
    let agent = AgentOf::new("refund");
    let mut undeclared = agent.objects();
    undeclared.retain(|object| object.get("kind").and_then(Value::as_str) != Some("Agent"));
    stage.apply(&undeclared).await?;
    stage.held(&agent.selector(), 1).await?;
    let said = verb(&stage, &newcomer, &["status"]).must().await?;
    let why = said.split_once("1 pod is held; to see why: kubectl vouchsafe why ");
    let pod = why.and_then(|(_, rest)| rest.split_whitespace().next());
    let pod = pod.with_context(|| format!("no command leads on: {said}"))?;
    let adopt = format!("kubectl vouchsafe adopt Deployment/refund -n {} ", stage.namespace);
    let refused = verb(&stage, &newcomer, &["why", pod]).ran().await?;
    refused.must_fail_with(&adopt)?;

    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?.name_any();
    let said = verb(&stage, &newcomer, &["why", &promotion]).must().await?;
    let attest = format!("how kubectl vouchsafe attest --check {check} REPORT --release {promotion} ");
    for words in [attest.as_str(), "you may not read them: ask for a ClusterRoleBinding"] {
        ensure!(said.contains(words), "`why` does not say `{words}`: {said}");
    }
    let by_agent = verb(&stage, &newcomer, &["diff", &agent.name]).ran().await?;
    by_agent.must_fail_with("a Promotion's name ends in its digest")?;
    stage.nothing_ran(&agent.selector()).await
}
