//! Who may say what: nobody clears by writing objects, statuses or names of others.

use crate::{
    attempt::{api, create, delete, patch},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result};
use k8s_openapi::api::rbac::v1::Subject;
use kube::ResourceExt;
use serde_json::{Value, json};
use vouchsafe_api::{Promotion, approval::Vote, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D20", "D51", "D56", "D60"],
            "who may write every object of ours still forges, edits and deletes nothing",
            forged,
        ),
        Case::new(
            &["D52", "D61"],
            "an approval is of whom gives it, for what they may, and counts for nothing else",
            approvals,
        ),
    ]
}

/// An agent that waits for its approval.
async fn waits(cx: &Context) -> Result<(Stage, AgentOf, Promotion)> {
    let stage = Stage::set(cx, one_approval()).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    stage.verdict(&promotion.name_any(), Verdict::AwaitingApproval).await?;
    stage.held(&agent.selector(), 1).await?;
    Ok((stage, agent, promotion))
}

/// Gives the editor every verb on every object of ours in the namespace, but none of the verbs that grant.
async fn writes_everything(stage: &Stage) -> Result<()> {
    let ours = [
        "promotions",
        "approvals",
        "waivers",
        "evidence",
        "clearances",
        "agents",
        "promotions/status",
        "agents/status",
    ];
    let rights = vec![rule("vouchsafe.dev", &ours, &[], &["*"])];
    stage
        .cx
        .cluster()
        .grants()
        .allow(&stage.namespace, rights, stage.editor.subject())
        .await
}

fn ours(kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": kind, "metadata": {"generateName": "forged-"}, "spec": spec})
}

#[expect(clippy::too_many_lines, reason = "a table of attempts")]
async fn forged(cx: Context) -> Result<()> {
    let (stage, agent, promotion) = waits(&cx).await?;
    writes_everything(&stage).await?;
    let ours_api = |kind: &str| api(&stage.editor, Some(&stage.namespace), "vouchsafe.dev/v1alpha1", kind);
    let name = promotion.name_any();
    let ledger = "only the operator writes what is cleared";
    for (kind, object, part, change, reason) in [
        (
            "Promotion",
            name.as_str(),
            Some("status"),
            json!({"status": {"verdict": "Cleared"}}),
            ledger,
        ),
        (
            "Agent",
            agent.name.as_str(),
            Some("status"),
            json!({"status": {"observedGeneration": 9}}),
            ledger,
        ),
        (
            "Clearance",
            "clearance",
            None,
            json!({"spec": {"nonce": "mine"}}),
            ledger,
        ),
        (
            "Promotion",
            name.as_str(),
            None,
            json!({"metadata": {"finalizers": ["example.com/stay"]}}),
            "has no owners and finalizers of yours",
        ),
        (
            "Promotion",
            name.as_str(),
            None,
            json!({"spec": {"environment": "dev"}}),
            "",
        ),
    ] {
        patch(&ours_api(kind), object, part, &change)
            .await?
            .refused_with(&format!("{kind} {change}"), reason)?;
    }
    delete(&ours_api("Clearance"), "clearance")
        .await?
        .refused_with("the ledger's deletion", ledger)?;
    delete(&ours_api("Promotion"), &name)
        .await?
        .refused_with("the Promotion's deletion", "is never deleted by hand")?;
    for (kind, spec, verb) in grants(&promotion) {
        let answer = create(&stage.editor, Some(&stage.namespace), &ours(kind, &spec)).await?;
        answer.refused_with(kind, &format!("needs the verb {verb}"))?;
    }
    rejects_stay(&stage, &promotion).await?;
    misnamed(&stage, &promotion).await?;
    stage.nothing_ran(&agent.selector()).await
}

fn grants(promotion: &Promotion) -> Vec<(&'static str, Value, &'static str)> {
    let base = json!({
        "promotion": promotion.name_any(), "release": promotion.spec.release, "environment": promotion.spec.environment,
        "reason": "because I can do so", "notAfter": "2099-01-01T00:00:00Z",
    });
    let of = |more: Value| {
        let mut spec = base.clone();
        if let (Some(spec), Some(more)) = (spec.as_object_mut(), more.as_object()) {
            spec.extend(more.clone());
        }
        spec
    };
    let mut vote = of(json!({"role": "security", "decision": "Approve"}));
    vote.as_object_mut().map(|vote| vote.remove("notAfter"));
    vec![
        ("Approval", vote, "approve"),
        ("Waiver", of(json!({"checks": ["red-team"]})), "waive"),
        ("Waiver", of(json!({"breakGlass": true})), "break-glass"),
        (
            "Evidence",
            json!({
                "subject": {"kind": "Release", "digest": promotion.spec.release}, "check": "red-team", "format": "Normal",
                "tool": {"name": "mine"}, "startedAt": "2026-01-01T00:00:00Z", "result": "Pass",
            }),
            "attest",
        ),
    ]
}

/// A Reject is neither edited nor deleted, so that an Approval beside it clears nothing.
async fn rejects_stay(stage: &Stage, promotion: &Promotion) -> Result<()> {
    let reject = stage.vote(&stage.security, promotion, "security", Vote::Reject).await?;
    let approvals = api(
        &stage.editor,
        Some(&stage.namespace),
        "vouchsafe.dev/v1alpha1",
        "Approval",
    );
    delete(&approvals, &reject.name_any())
        .await?
        .refused_with("a Reject's deletion", "is never deleted by hand")?;
    let change = json!({"spec": {"decision": "Approve"}});
    patch(&approvals, &reject.name_any(), None, &change)
        .await?
        .refused_with("a Reject's edit", "cannot be changed")?;
    let owner =
        json!({"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x", "uid": "y"}]}});
    let answer = patch(&approvals, &reject.name_any(), None, &owner).await?;
    answer.refused_with("a Reject's owner", "has no owners and finalizers of yours")?;
    stage.verdict(&promotion.name_any(), Verdict::Refused).await.map(drop)
}

/// A Promotion is named by its agent and its release.
async fn misnamed(stage: &Stage, promotion: &Promotion) -> Result<()> {
    let rights = vec![rule(
        "vouchsafe.dev",
        &["environments"],
        &[&stage.environment],
        &["promote"],
    )];
    stage
        .cx
        .cluster()
        .grants()
        .allow(&stage.namespace, rights, stage.editor.subject())
        .await?;
    let mut object = ours("Promotion", &serde_json::to_value(&promotion.spec).context("no JSON")?);
    let spec = object
        .get_mut("spec")
        .and_then(Value::as_object_mut)
        .context("no spec")?;
    spec.remove("requestedBy");
    for name in [
        format!("refund-{}", "2".repeat(32)),
        format!("other-{}", "3".repeat(32)),
    ] {
        let metadata = object.get_mut("metadata").context("no metadata")?;
        *metadata = json!({"name": name});
        let answer = create(&stage.editor, Some(&stage.namespace), &object).await?;
        answer.refused_with("a Promotion of another name", "is named")?;
    }
    Ok(())
}

fn account(namespace: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: "default".to_owned(),
        namespace: Some(namespace.to_owned()),
        api_group: None,
    }
}

async fn approvals(cx: Context) -> Result<()> {
    let (stage, agent, promotion) = waits(&cx).await?;
    let vote = serde_json::to_value(stage.approval(&promotion, "security", Vote::Approve)).context("no JSON")?;
    let at = |place: &str, value: Value| crate::cases::content::with(&vote, place, value);
    let other_release = format!("v1:sha256:{}", "1".repeat(64));
    for (what, object, reason) in [
        (
            "another role",
            at("/spec/role", json!("product"))?,
            "environments.vouchsafe.dev/product",
        ),
        (
            "the whole environment",
            at("/spec/scope", json!("Environment"))?,
            "by a ClusterRoleBinding",
        ),
        (
            "another environment",
            at("/spec/environment", json!("other"))?,
            "belongs to",
        ),
        (
            "another release",
            at("/spec/release", json!(other_release))?,
            "the promotion is not one of this release",
        ),
        (
            "groups of others",
            at("/spec/by", json!({"username": "x", "groups": ["system:masters"]}))?,
            "is written by the API server",
        ),
    ] {
        create(&stage.security, Some(&stage.namespace), &object)
            .await?
            .refused_with(what, reason)?;
    }
    by_account(&stage, &vote).await?;
    let named = at("/spec/by", json!({"username": "somebody-else"}))?;
    let stored = create(&stage.security, Some(&stage.namespace), &named)
        .await?
        .taken("a name of another")?;
    let by = stored.pointer("/spec/by/username").and_then(Value::as_str);
    anyhow::ensure!(
        by == Some(stage.security.name.as_str()),
        "the stamp is not who asked: {stored}"
    );
    crate::pods::await_running(&stage.pods(), &agent.selector(), 1)
        .await
        .map(drop)
}

/// A service account needs a verb of its own to approve.
async fn by_account(stage: &Stage, vote: &Value) -> Result<()> {
    let role = format!("environments/{}", "security");
    let rights = vec![
        rule("vouchsafe.dev", &[&role], &[&stage.environment], &["approve"]),
        rule("vouchsafe.dev", &["approvals"], &[], &["create"]),
    ];
    stage
        .cx
        .cluster()
        .grants()
        .allow(&stage.namespace, rights, account(&stage.namespace))
        .await?;
    let kubectl = ["create", "token", "default", "-n", &stage.namespace];
    let token = stage.cx.admin().kubectl(kubectl).must().await?;
    let robot: User = stage.cx.cluster().bearer(&stage.cx.name("robot"), token.trim()).await?;
    let answer = create(&robot, Some(&stage.namespace), vote).await?;
    answer.refused_with("a service account's vote", "approve-as-automation")
}
