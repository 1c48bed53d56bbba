//! What people say, and what they must not be able to say: forged stamps and statuses, votes that are not theirs, evidence of nobody,
//! words taken back, ledgers written by hand, environments changed by namespace admins.

use crate::{
    await_::{Look, until},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use kube::ResourceExt;
use serde_json::{Value, json};
use vouchsafe_api::{Promotion, approval::Vote, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D20", "D51"],
            "ledger, statuses and evidence are not written by a namespace admin",
            forged,
        ),
        Case::new(
            &["D52"],
            "a vote is only one's own, in a role that one has, and of a person",
            votes,
        ),
        Case::new(
            &["D56"],
            "a Reject stays, and cannot be edited or deleted",
            rejects_stay,
        ),
        Case::new(
            &["D60"],
            "a Promotion is of the surface that it carries, under that surface's name",
            mismatched,
        ),
        Case::new(
            &["D36"],
            "a namespace admin does not change the environment",
            environment_label,
        ),
    ]
}

/// What an administrator of a namespace has on our kinds: everything but the verbs that vouch.
pub(super) async fn owner(stage: &Stage) -> Result<User> {
    let user = stage.cx.editor(&stage.namespace).await?;
    let verbs = [
        "get",
        "list",
        "watch",
        "create",
        "update",
        "patch",
        "delete",
        "deletecollection",
    ];
    let kinds = ["agents", "promotions", "evidence", "approvals", "waivers", "clearances"];
    let statuses = ["agents/status", "promotions/status", "clearances/status"];
    let rules = vec![
        rule("vouchsafe.dev", &kinds, &[], &verbs),
        rule("vouchsafe.dev", &statuses, &[], &verbs),
    ];
    stage
        .cx
        .cluster()
        .grants()
        .allow(&stage.namespace, rules, user.subject())
        .await?;
    Ok(user)
}

/// Creates as this user, and must be refused for this reason.
pub(super) async fn refused(user: &User, namespace: &str, object: Value, reason: &str) -> Result<()> {
    let create = user
        .kubectl(["create", "-n", namespace, "-f", "-"])
        .input(object.to_string());
    create.ran().await?.must_fail_with(reason).map(drop)
}

pub(super) fn object(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": kind, "metadata": {"generateName": name}, "spec": spec})
}

/// An agent that waits for an approval.
async fn waiting(stage: &Stage) -> Result<(AgentOf, Promotion)> {
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    let promotion = stage.verdict(&promotion.name_any(), Verdict::AwaitingApproval).await?;
    Ok((agent, promotion))
}

fn approval(promotion: &Promotion, by: Option<Value>) -> Value {
    let mut spec = json!({
        "promotion": promotion.name_any(), "release": promotion.spec.release, "environment": promotion.spec.environment,
        "role": "security", "decision": "Approve", "reason": "looked at it",
    });
    if let (Some(by), Some(fields)) = (by, spec.as_object_mut()) {
        fields.insert("by".to_owned(), by);
    }
    object("Approval", "forged-", &spec)
}

async fn forged(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let (agent, promotion) = waiting(&stage).await?;
    let owner = owner(&stage).await?;
    let (namespace, name) = (stage.namespace.as_str(), promotion.name_any());
    let ours = "only the operator writes what is cleared";
    let patch = |resource: &str, name: &str, more: &[&str], body: &Value| {
        let body = body.to_string();
        let args = ["patch", resource, name, "-n", namespace, "--type=merge", "-p", &body];
        owner.kubectl(args.into_iter().chain(more.iter().copied()))
    };
    let release = promotion.spec.release.to_string();
    let grants = json!({"spec": {"releases": {release.trim_start_matches("v1:sha256:"): {"agent": agent.name, "notAfter": "2030-01-01T00:00:00Z"}}}});
    patch("vscl", "clearance", &[], &grants)
        .ran()
        .await?
        .must_fail_with(ours)?;
    let cleared = json!({"status": {"verdict": "Cleared", "notAfter": "2030-01-01T00:00:00Z"}});
    patch("vspr", &name, &["--subresource=status"], &cleared)
        .ran()
        .await?
        .must_fail_with(ours)?;
    owner
        .kubectl(["delete", "vscl", "clearance", "-n", namespace])
        .ran()
        .await?
        .must_fail_with(ours)?;
    owner
        .kubectl(["delete", "vscl", "--all", "-n", namespace])
        .ran()
        .await?
        .must_fail_with(ours)?;
    let evidence = object(
        "Evidence",
        "forged-",
        &json!({"subject": {"kind": "Release", "digest": release}, "check": "red-team", "format": "Normal", "tool": {"name": "me"},
            "startedAt": "2026-01-01T00:00:00Z", "result": "Pass"}),
    );
    refused(
        &owner,
        namespace,
        evidence,
        "needs the verb attest on checks.vouchsafe.dev named red-team",
    )
    .await?;
    refused(
        &owner,
        namespace,
        approval(&promotion, None),
        "needs the verb approve on environments.vouchsafe.dev/security",
    )
    .await?;
    stage.verdict(&name, Verdict::AwaitingApproval).await?;
    stage.held(&agent.selector(), 1).await?;
    stage.nothing_ran(&agent.selector()).await
}

async fn votes(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let (agent, promotion) = waiting(&stage).await?;
    let namespace = stage.namespace.as_str();
    let groups = json!({"username": stage.security.name, "groups": ["system:masters"]});
    refused(
        &stage.security,
        namespace,
        approval(&promotion, Some(groups)),
        "spec.by is written by the API server",
    )
    .await?;
    refused(
        &stage.product,
        namespace,
        approval(&promotion, None),
        "needs the verb approve on environments.vouchsafe.dev/security",
    )
    .await?;
    let account = service_account(&stage).await?;
    refused(
        &account,
        namespace,
        approval(&promotion, None),
        "a service account approves only with the verb approve-as-automation",
    )
    .await?;
    own_request(&stage, &agent).await?;
    stage.nothing_ran(&agent.selector()).await
}

/// Somebody who asked for the release does not approve it.
async fn own_request(stage: &Stage, agent: &AgentOf) -> Result<()> {
    let both = asks_and_approves(stage).await?;
    let second = agent.with_prompt("Refund everything.");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": second.objects()}).to_string();
    let promote = both
        .kubectl(["vouchsafe", "promote", "-n", &stage.namespace, "-f", "-"])
        .input(list);
    promote.must().await?;
    let asked = until("the Promotion that was asked for", || async {
        let all = stage.api::<Promotion>().list(&kube::api::ListParams::default()).await?;
        let mine = all.items.into_iter().find(|other| {
            other
                .spec
                .requested_by
                .as_ref()
                .is_some_and(|by| by.username == both.name)
                && other.status.is_some()
        });
        Ok(mine.map_or_else(|| Look::NotYet("none of mine".to_owned()), Look::Seen))
    })
    .await?;
    stage.vote(&both, &asked, "security", Vote::Approve).await?;
    let counted = until("the vote to be judged", || async {
        let found = stage
            .api::<Promotion>()
            .get(&asked.name_any())
            .await?
            .status
            .unwrap_or_default();
        let role = found.approvals.into_iter().find(|role| role.role == "security");
        Ok(Look::when(role, |role| {
            role.as_ref().is_some_and(|role| !role.not_counted.is_empty())
        }))
    })
    .await?
    .context("no role")?;
    ensure!(counted.have == 0, "the requester's own vote counts: {counted:?}");
    stage
        .verdict(&asked.name_any(), Verdict::AwaitingApproval)
        .await
        .map(drop)
}

/// A service account that holds `approve`, and nothing that lets automation approve.
async fn service_account(stage: &Stage) -> Result<User> {
    let (admin, namespace) = (stage.cx.admin(), stage.namespace.as_str());
    admin
        .kubectl(["create", "serviceaccount", "bot", "-n", namespace])
        .must()
        .await?;
    let token = admin
        .kubectl(["create", "token", "bot", "-n", namespace])
        .must()
        .await?;
    let account = stage.cx.cluster().bearer(&stage.cx.name("bot"), token.trim()).await?;
    let subject = k8s_openapi::api::rbac::v1::Subject {
        kind: "ServiceAccount".to_owned(),
        name: "bot".to_owned(),
        namespace: Some(namespace.to_owned()),
        api_group: None,
    };
    stage
        .cx
        .cluster()
        .grants()
        .allow(namespace, approves(stage), subject)
        .await?;
    Ok(account)
}

fn approves(stage: &Stage) -> Vec<k8s_openapi::api::rbac::v1::PolicyRule> {
    vec![
        rule(
            "vouchsafe.dev",
            &["environments/security"],
            &[&stage.environment],
            &["approve"],
        ),
        rule(
            "vouchsafe.dev",
            &["approvals", "promotions", "waivers"],
            &[],
            &["create", "get", "list"],
        ),
    ]
}

pub(super) async fn asks_and_approves(stage: &Stage) -> Result<User> {
    let user = stage.cx.editor(&stage.namespace).await?;
    let mut rules = approves(stage);
    rules.push(rule(
        "vouchsafe.dev",
        &["environments"],
        &[&stage.environment],
        &["promote", "waive"],
    ));
    stage
        .cx
        .cluster()
        .grants()
        .allow(&stage.namespace, rules, user.subject())
        .await?;
    let read = vec![
        rule("vouchsafe.dev", &["environments", "checks"], &[], &["get", "list"]),
        rule("", &["namespaces"], &[], &["get"]),
    ];
    stage
        .cx
        .cluster()
        .grants()
        .allow_everywhere(read, user.subject())
        .await?;
    Ok(user)
}

async fn rejects_stay(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let (agent, promotion) = waiting(&stage).await?;
    let reject = stage
        .vote(&stage.security, &promotion, "security", Vote::Reject)
        .await?;
    stage.verdict(&promotion.name_any(), Verdict::Refused).await?;
    let owner = owner(&stage).await?;
    let (namespace, name) = (stage.namespace.as_str(), reject.name_any());
    owner
        .kubectl(["delete", "vsap", &name, "-n", namespace])
        .ran()
        .await?
        .must_fail_with("is never deleted by hand")?;
    let edit = r#"{"spec": {"decision": "Approve"}}"#;
    let patch = ["patch", "vsap", &name, "-n", namespace, "--type=merge", "-p", edit];
    owner.kubectl(patch).ran().await?.must_fail_with("cannot be changed")?;
    let owned =
        r#"{"metadata": {"ownerReferences": [{"apiVersion": "v1", "kind": "ConfigMap", "name": "gone", "uid": "0"}]}}"#;
    let patch = ["patch", "vsap", &name, "-n", namespace, "--type=merge", "-p", owned];
    owner
        .kubectl(patch)
        .ran()
        .await?
        .must_fail_with("has no owners and finalizers of yours")?;
    stage.verdict(&promotion.name_any(), Verdict::Refused).await?;
    stage.nothing_ran(&agent.selector()).await
}

async fn mismatched(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let (agent, promotion) = waiting(&stage).await?;
    let asker = asks_and_approves(&stage).await?;
    let digest = |letter: &str| letter.repeat(64);
    let named = |name: &str, release: &str| {
        json!({
            "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Promotion", "metadata": {"name": name},
            "spec": {"agent": agent.name, "release": release, "environment": stage.environment, "surface": promotion.spec.surface},
        })
    };
    let other = format!("v1:sha256:{}", digest("a"));
    refused(
        &asker,
        &stage.namespace,
        named("refund-of-another-name", &other),
        "a Promotion is named <agent>-<first 32 hex digits",
    )
    .await?;
    let name = format!("{}-{}", agent.name, "a".repeat(32));
    let create = asker.kubectl(["create", "-n", &stage.namespace, "-f", "-"]);
    create.input(named(&name, &other).to_string()).must().await?;
    let judged = stage.verdict(&name, Verdict::Refused).await?;
    let words = judged.status.and_then(|status| status.waiting_for).unwrap_or_default();
    ensure!(words.contains("spec.surface is release"), "the reason is `{words}`");
    stage.nothing_ran(&agent.selector()).await
}

async fn environment_label(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let (agent, _) = waiting(&stage).await?;
    let admin = cx.user("admin").await?;
    let all = vec![rule(
        "",
        &["namespaces", "namespaces/status", "namespaces/finalize"],
        &[&stage.namespace],
        &["get", "update", "patch"],
    )];
    cx.cluster().grants().allow_everywhere(all, admin.subject()).await?;
    let label = |change: &str| {
        let args = ["label", "namespace", &stage.namespace, "--overwrite", change].map(str::to_owned);
        admin.kubectl(args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let needs = "need the verb assign on environments.vouchsafe.dev";
    for change in [
        "vouchsafe.dev/environment-",
        "vouchsafe.dev/environment=dev",
        "vouchsafe.dev/tenant=others",
    ] {
        label(change).ran().await?.must_fail_with(needs)?;
    }
    label("vouchsafe.dev/enforcement=Observe")
        .ran()
        .await?
        .must_fail_with("follows spec.enforcement of the Environment")?;
    stage.held(&agent.selector(), 1).await?;
    stage.nothing_ran(&agent.selector()).await
}
