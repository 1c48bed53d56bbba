//! The chart's ClusterRoles for people: each lets do its one thing and no other, and the cluster's own roles grant nothing.

use super::verbs::verb;
use crate::{
    attempt::{api, create, patch},
    await_::{Look, until},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use kube::ResourceExt;
use serde_json::json;
use vouchsafe_api::{approval::Vote, promotion::status::Verdict};

/// Questions at the same time.
const WIDTH: usize = 6;

/// What may be asked for: a word for it, and how kubectl asks. Without a namespace where the object has none.
const QUESTIONS: [Question; 19] = [
    ("see the namespace", "get namespaces", true),
    ("read promotions", "list promotions.vouchsafe.dev", true),
    ("read policies", "list environments.vouchsafe.dev", false),
    ("declare", "create agents.vouchsafe.dev", true),
    ("ask", "create promotions.vouchsafe.dev", true),
    ("promote", "promote environments.vouchsafe.dev/prod", true),
    ("give evidence", "create evidence.vouchsafe.dev", true),
    ("attest", "attest checks.vouchsafe.dev/scan", true),
    ("vote", "create approvals.vouchsafe.dev", true),
    (
        "approve",
        "approve environments.vouchsafe.dev/prod --subresource=security",
        true,
    ),
    ("ask to waive", "create waivers.vouchsafe.dev", true),
    ("waive", "waive environments.vouchsafe.dev/prod", true),
    ("break-glass", "break-glass environments.vouchsafe.dev/prod", true),
    ("require", "create environments.vouchsafe.dev", false),
    ("assign", "assign environments.vouchsafe.dev/prod", false),
    ("entitle", "entitle environments.vouchsafe.dev/prod", true),
    ("debug", "debug environments.vouchsafe.dev/prod", true),
    ("clear", "update clearances.vouchsafe.dev", true),
    ("judge", "patch promotions.vouchsafe.dev --subresource=status", true),
];

/// Roles, whether they are bound in all namespaces, and what they let do; the first three are Kubernetes' own.
const ROLES: [(&str, bool, &[&str]); 10] = [
    ("view", false, &["see the namespace", "read promotions"]),
    (
        "edit",
        false,
        &["see the namespace", "read promotions", "declare", "ask"],
    ),
    (
        "admin",
        false,
        &["see the namespace", "read promotions", "declare", "ask"],
    ),
    ("vouchsafe-viewer", false, &["read promotions"]),
    (
        "vouchsafe-developer",
        false,
        &["see the namespace", "read promotions", "declare", "ask", "promote"],
    ),
    (
        "vouchsafe-attestor",
        false,
        &["read promotions", "give evidence", "attest"],
    ),
    (
        "vouchsafe-approver-security",
        false,
        &["read promotions", "vote", "approve"],
    ),
    (
        "vouchsafe-officer",
        false,
        &["read promotions", "ask to waive", "waive", "break-glass"],
    ),
    (
        "vouchsafe-admin",
        true,
        &["read promotions", "read policies", "require", "assign", "entitle"],
    ),
    ("vouchsafe-policy-viewer", true, &["read policies"]),
];

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "each role of the chart lets do its own thing and no other, and view, edit and admin grant nothing",
            what_they_may,
        ),
        Case::new(
            &[],
            "developer, attestor, approver, officer and admin, who have the chart's roles alone, do what they are for",
            what_they_do,
        ),
    ]
}

async fn what_they_may(cx: Context) -> Result<()> {
    cx.chart().await?;
    let namespace = cx.namespace("roles").await?;
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    for (role, everywhere, may) in ROLES {
        let user = bound(&cx, &namespace, role, everywhere).await?;
        for question in QUESTIONS {
            if may.contains(&question.0) {
                allowed.push(awaited(user.clone(), role, question, namespace.clone()));
            } else {
                refused.push(never(user.clone(), role, question, namespace.clone()));
            }
        }
    }
    let asked = allowed.len() + refused.len();
    ensure!(asked == ROLES.len() * QUESTIONS.len(), "{asked} questions");
    let known: usize = ROLES.iter().map(|(_, _, may)| may.len()).sum();
    ensure!(allowed.len() == known, "what a role may is no question");
    // What a role lacks is asked when it has all that it gets: the cluster's own are put together in a moment.
    stream::iter(allowed)
        .buffer_unordered(WIDTH)
        .try_collect::<Vec<()>>()
        .await?;
    stream::iter(refused)
        .buffer_unordered(WIDTH)
        .try_collect::<Vec<()>>()
        .await?;
    gives_no_role_away(&cx, &namespace).await
}

/// Somebody with this role.
async fn bound(cx: &Context, namespace: &str, role: &str, everywhere: bool) -> Result<User> {
    let user = cx.user("person").await?;
    let grants = cx.cluster().grants();
    if everywhere {
        grants.bind_everywhere(role, user.subject()).await?;
    } else {
        grants.bind(namespace, role, user.subject()).await?;
    }
    Ok(user)
}

async fn can(user: &User, question: &str, namespace: Option<&str>) -> Result<bool> {
    let words = ["auth", "can-i"].into_iter().chain(question.split_whitespace());
    let words = words.chain(namespace.into_iter().flat_map(|namespace| ["-n", namespace]));
    let ran = user.kubectl(words).ran().await?;
    let said = ran.stdout.trim().to_owned();
    ensure!(
        matches!(said.as_str(), "yes" | "no"),
        "`{}` says `{said}` and `{}`",
        ran.line,
        ran.stderr
    );
    Ok(said == "yes")
}

/// A word for it, how kubectl asks, and whether it is of a namespace.
type Question = (&'static str, &'static str, bool);

async fn awaited(user: User, role: &str, (word, question, namespaced): Question, namespace: String) -> Result<()> {
    until(&format!("{role} to be let {word}"), || async {
        let may = can(&user, question, namespaced.then_some(namespace.as_str())).await?;
        Ok(Look::when(may, |may| *may))
    })
    .await
    .map(drop)
}

async fn never(user: User, role: &str, (word, question, namespaced): Question, namespace: String) -> Result<()> {
    let may = can(&user, question, namespaced.then_some(namespace.as_str())).await?;
    ensure!(!may, "{role} may {word}");
    Ok(())
}

/// Whoever administers a namespace binds nobody to a role that grants what they do not have.
async fn gives_no_role_away(cx: &Context, namespace: &str) -> Result<()> {
    let owner = bound(cx, namespace, "admin", false).await?;
    for role in ["approver-security", "developer", "attestor", "officer", "admin"] {
        let role = format!("vouchsafe-{role}");
        let bind = [
            "create",
            "rolebinding",
            "mine",
            "-n",
            namespace,
            "--clusterrole",
            &role,
            "--user",
            &owner.name,
        ];
        let ran = owner.kubectl(bind).ran().await?;
        ran.must_fail_with("attempting to grant RBAC permissions not currently held")?;
    }
    Ok(())
}

async fn what_they_do(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let person = async |role: &str, everywhere| bound(&cx, &stage.namespace, role, everywhere).await;
    let agent = AgentOf::new("refund");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": agent.objects()}).to_string();

    let developer = person("vouchsafe-developer", false).await?;
    let said = verb(&stage, &developer, &["promote", "-f", "-"])
        .input(list)
        .must()
        .await?;
    ensure!(said.contains(" created\n"), "the developer's Promotion: {said}");
    stage.apply(&agent.objects()).await?;
    let promotion = stage.promotion(&agent.name).await?;
    let asked = promotion.spec.requested_by.as_ref().map(|by| by.username.as_str());
    ensure!(asked == Some(developer.name.as_str()), "asked for by {asked:?}");

    let attestor = person("vouchsafe-attestor", false).await?;
    let spec = json!({
        "subject": {"kind": "Release", "digest": promotion.spec.release}, "check": cx.name("any"), "format": "Normal",
        "tool": {"name": "tester"}, "startedAt": jiff::Timestamp::now(), "result": "Pass",
    });
    let evidence = json!({"apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Evidence", "metadata": {"generateName": "e-"}, "spec": spec});
    create(&attestor, Some(&stage.namespace), &evidence)
        .await?
        .taken("Evidence")?;

    let name = promotion.name_any();
    let viewer = person("vouchsafe-viewer", false).await?;
    let seen = verb(&stage, &viewer, &["why", &name]).must().await?;
    ensure!(seen.contains("Approval by security: 0 of 1"), "the viewer sees: {seen}");
    let approver = person("vouchsafe-approver-security", false).await?;
    stage.vote(&approver, &promotion, "security", Vote::Approve).await?;
    stage.verdict(&name, Verdict::Cleared).await?;

    let changed = agent.with_prompt("Refund everything, it burns.");
    stage.apply(&changed.objects()).await?;
    let second = stage.promotion_after(&agent.name, &name).await?.name_any();
    let officer = person("vouchsafe-officer", false).await?;
    let glass = ["waive", &second, "--break-glass", "--reason", "an emergency, really"];
    verb(&stage, &officer, &glass).must().await?;
    stage.verdict(&second, Verdict::Cleared).await?;
    requires(&cx, &stage).await
}

/// The platform engineer writes an Environment and puts a namespace into it.
async fn requires(cx: &Context, stage: &Stage) -> Result<()> {
    let admin = bound(cx, &stage.namespace, "vouchsafe-admin", true).await?;
    let name = cx.name("staging");
    let environment = json!({
        "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Environment", "metadata": {"name": name}, "spec": one_approval(),
    });
    create(&admin, None, &environment).await?.taken("an Environment")?;
    let patches = vec![rule("", &["namespaces"], &[], &["get", "patch"])];
    cx.cluster().grants().allow_everywhere(patches, admin.subject()).await?;
    let namespace = cx.namespace("staging").await?;
    let label = json!({"metadata": {"labels": {"vouchsafe.dev/environment": name}}});
    let namespaces = api(&admin, None, "v1", "Namespace");
    patch(&namespaces, &namespace, None, &label)
        .await?
        .taken("the label")
        .map(drop)
}
