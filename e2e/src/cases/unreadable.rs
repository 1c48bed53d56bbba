//! When it cannot be read to which environment a namespace belongs, the gate is closed and not open.
//!
//! The API server reads labels from its cache, and of a namespace that is not in it from its own storage; an error of that makes the policy fail, which
//! refuses the request. That error cannot be made to happen on a real API server without making all its requests fail. What can happen is tried:
//! namespaces that no cache has seen, and an operator that may not read namespaces.

use crate::{
    attempt::{Answer, create, try_create},
    await_::{Look, until},
    operator::Operator,
    pods::{await_held, await_running},
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Result, ensure};
use k8s_openapi::api::rbac::v1::{ClusterRole, PolicyRule};
use kube::{Api, api::PostParams};
use serde_json::{Value, json};
use vouchsafe_api::{approval::Vote, promotion::status::Verdict};

/// Namespaces that are tried as soon as they are there.
const ROUNDS: usize = 60;
const ROLE: &str = "vouchsafe-operator";

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D37"],
            "a namespace that no cache has seen yet is closed from its first moment",
            unseen,
        ),
        Case::new(
            &["D37"],
            "an operator that cannot read namespaces lets nothing in, takes nothing away, and goes on when it can",
            unreadable,
        )
        .alone(),
    ]
}

fn pod(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": image(name)}], "automountServiceAccountToken": false},
    })
}

async fn unseen(cx: Context) -> Result<()> {
    cx.chart().await?;
    // Nobody writes a ledger for an environment that is not there, however fast.
    let nobodys = cx.name("nobodys");
    let account = json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}});
    let first = async || {
        let namespace = cx.governed_namespace("new", &nobodys).await?;
        // Pods need it, and its controller may be slower. That one is there already is as well.
        let _ = create(cx.admin(), Some(&namespace), &account).await?;
        try_create(cx.admin(), &namespace, &pod("first")).await
    };
    // A moment after the chart is installed its policies are in force.
    until("the gate to be closed", || async {
        Ok(Look::when(first().await?, |answer| {
            matches!(answer, Answer::Refused(_))
        }))
    })
    .await?;
    for round in 0..ROUNDS {
        let answer = first().await?;
        answer.refused_with(&format!("namespace {round}"), "'vouchsafe-pods'")?;
    }
    Ok(())
}

async fn unreadable(cx: Context) -> Result<()> {
    let own = cx.elsewhere().await?;
    let stage = Stage::set(&own, one_approval()).await?;
    let operator = own.operator().await?;
    let (cleared, waiting) = (
        AgentOf::new("refund").with_replicas(2),
        AgentOf::new("next").with_prompt("Be next."),
    );
    stage.run(&cleared).await?;
    stage.apply(&waiting.objects()).await?;
    await_held(&stage.pods(), &waiting.selector(), 1).await?;
    let promotion = stage.promotion(&waiting.name).await?;
    let roles: Api<ClusterRole> = Api::all(own.client());
    let mut role = roles.get(ROLE).await?;
    let rules = role.rules.clone();
    role.rules = Some(without_namespaces(role.rules));
    let mut role = roles.replace(ROLE, &PostParams::default(), &role).await?;
    operator.kill()?;
    let ledger = stage.ledger().await?;
    let blind = own.another_operator("operator").await?;
    // It is refused again and again, and does not get ready meanwhile.
    let ready = tokio::select! {
        started = blind.start() => Some(started),
        told = forbidden(&blind) => { told?; None }
    };
    ensure!(ready.is_none(), "the operator is ready: {ready:?}");
    // Approved, which nobody reads now; or, where an operator has to be asked for the stamp, later.
    let approve = || stage.vote(&stage.security, &promotion, "security", Vote::Approve);
    if stage.holds_alone() {
        approve().await?;
    }
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", "app in (refund, next)"];
    stage.editor.kubectl(delete).must().await?;
    await_running(&stage.pods(), &cleared.selector(), 2).await?;
    stage.kept_out(&waiting.selector(), 1).await?;
    let other = own.governed_namespace("other", &stage.environment).await?;
    until("the other namespace to have its service account", || async {
        let answer = try_create(own.admin(), &other, &pod("first")).await?;
        let is_closed =
            |answer: &Answer| matches!(answer, Answer::Refused(words) if words.contains("'vouchsafe-pods'"));
        ensure!(matches!(answer, Answer::Refused(_)), "taken: {answer:?}");
        Ok(Look::when(answer, is_closed))
    })
    .await?;
    let untouched = stage.ledger().await?;
    ensure!(
        untouched.map(|ledger| ledger.spec) == ledger.map(|ledger| ledger.spec),
        "the ledger is another one"
    );
    stage.nothing_ran(&waiting.selector()).await?;
    role.rules = rules;
    roles.replace(ROLE, &PostParams::default(), &role).await?;
    if !stage.holds_alone() {
        until("the vote to be taken", || async { approve().await.map(Look::Seen) }).await?;
    }
    // The same process goes on, and reads what was said meanwhile.
    let promotion = promotion.metadata.name.clone().unwrap_or_default();
    stage.verdict(&promotion, Verdict::Cleared).await?;
    await_running(&stage.pods(), &waiting.selector(), 1).await.map(drop)
}

/// The same rights, but for namespaces.
fn without_namespaces(rules: Option<Vec<PolicyRule>>) -> Vec<PolicyRule> {
    let mut rules = rules.unwrap_or_default();
    rules.retain_mut(|rule| match rule.resources.as_mut() {
        Some(resources) => {
            resources.retain(|resource| resource != "namespaces");
            !resources.is_empty()
        }
        None => false,
    });
    rules
}

/// Waits until the operator says that it may not read namespaces.
async fn forbidden(operator: &Operator) -> Result<()> {
    until("the operator to be refused", || async {
        let log = operator.log()?;
        let refusals = log
            .lines()
            .filter(|line| line.contains("namespaces is forbidden"))
            .count();
        Ok(Look::when(refusals, |refusals| *refusals > 2))
    })
    .await
    .map(drop)
}
