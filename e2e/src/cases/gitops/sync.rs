//! What Argo CD and Flux do to our objects, request by request: dry runs, applies by their field managers, diffs, healing.

use super::{
    deployer::{Way, account, all_live, deployer, in_sync, rights},
    owners,
    shown::{expect, named},
};
use crate::{
    pods::await_running,
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};
use vouchsafe_api::{Agent, Promotion, approval::Vote, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    let case = |name, way| Case::new(&[], name, move |cx| synced(cx, way)).patience(super::PATIENCE);
    let stamped = |name, way| Case::new(&[], name, move |cx| stamped(cx, way)).patience(super::PATIENCE);
    let policies = Case::new(
        &[],
        "Environments, Checks and namespaces from Git do not drift",
        policies,
    );
    vec![
        case(
            "server-side applied by Argo CD nothing drifts and nobody fights over fields",
            Way::ArgoServerSide,
        ),
        case(
            "client-side applied by Argo CD nothing drifts and nobody fights over fields",
            Way::ArgoClientSide,
        ),
        case(
            "applied by Flux nothing drifts and nobody fights over fields",
            Way::Flux,
        ),
        stamped(
            "the stamp on what grants is no drift to Argo CD, server-side",
            Way::ArgoServerSide,
        ),
        stamped(
            "the stamp on what grants is no drift to Argo CD, client-side",
            Way::ArgoClientSide,
        ),
        stamped("the stamp on what grants is no drift to Flux", Way::Flux),
        policies.patience(super::PATIENCE),
    ]
}

/// An agent in Git: what is sent, by whom, where.
struct Git<'a> {
    stage: &'a Stage,
    user: &'a User,
    way: Way,
}

impl Git<'_> {
    async fn sync(&self, objects: &[Value]) -> Result<()> {
        let apply = self.way.kubectl(self.user, "apply", &self.stage.namespace, objects);
        apply.must().await.map(drop)
    }

    async fn in_sync(&self, objects: &[Value]) -> Result<()> {
        in_sync(self.way, self.user, &self.stage.cx, &self.stage.namespace, objects).await
    }

    /// How often each object was changed.
    async fn generations(&self, objects: &[Value]) -> Result<Vec<Value>> {
        let live = all_live(self.user, &self.stage.namespace, objects).await?;
        let generation = |live: &Value| live.pointer("/metadata/generation").cloned();
        Ok(live.iter().map(|live| generation(live).unwrap_or_default()).collect())
    }
}

async fn synced(cx: Context, way: Way) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let user = deployer(&stage, rights(way)).await?;
    let git = Git {
        stage: &stage,
        user: &user,
        way,
    };
    let agent = AgentOf::new("refund").with_replicas(2);
    let objects = way.marked(&agent.objects());
    way.kubectl(&user, "apply", &stage.namespace, &objects)
        .arg("--dry-run=server")
        .must()
        .await?;
    ensure!(
        stage.api::<Agent>().get_opt("refund").await?.is_none(),
        "a dry run stored an Agent"
    );

    git.sync(&objects).await?;
    stage.held(&agent.selector(), 2).await?;
    let promotion = stage.promotion("refund").await?;
    git.in_sync(&objects).await?;
    let before = git.generations(&objects).await?;
    git.sync(&objects).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Approve)
        .await?;
    await_running(&stage.pods(), &agent.selector(), 2).await?;
    stage
        .shows("Agent", "refund", &expect("Healthy", "Current", "Current"))
        .await?;
    git.in_sync(&objects).await?;
    git.sync(&objects).await?;
    let after = git.generations(&objects).await?;
    ensure!(
        before == after,
        "syncing again changed something: {before:?}, {after:?}"
    );
    let promotions = stage.api::<Promotion>().list(&ListParams::default()).await?.items;
    let [only] = promotions.as_slice() else {
        anyhow::bail!("one release has {} Promotions", promotions.len());
    };
    // Or they would take it for theirs, and prune it.
    let (labels, annotations) = (only.labels(), only.annotations());
    let theirs = |key: &&String| key.contains("argocd") || key.contains("fluxcd");
    let marks: Vec<_> = labels.keys().chain(annotations.keys()).filter(theirs).collect();
    ensure!(marks.is_empty(), "the operator's Promotion has {marks:?}");
    for live in all_live(&user, &stage.namespace, &objects).await? {
        owners::apart(&live, way.manager())?;
    }
    changed(&git, &agent, &promotion.name_any()).await?;
    healed(&git, &objects).await
}

/// Another prompt waits beside what runs, and is in sync while it does; the old one comes back at once.
async fn changed(git: &Git<'_>, agent: &AgentOf, first: &str) -> Result<()> {
    let next = git.way.marked(&agent.with_prompt("Refund everything.").objects());
    git.sync(&next).await?;
    let second = git.stage.promotion_after("refund", first).await?;
    git.stage
        .shows(
            "Deployment",
            "refund",
            &expect("Progressing", "InProgress", "InProgress"),
        )
        .await?;
    git.in_sync(&next).await?;
    let running = git.stage.running(&agent.selector()).await?;
    ensure!(!running.is_empty(), "a held rollout stopped everything");
    git.sync(&git.way.marked(&agent.objects())).await?;
    git.stage.verdict(&second.name_any(), Verdict::Superseded).await?;
    await_running(&git.stage.pods(), &agent.selector(), 2).await.map(drop)
}

/// What somebody changes by hand is seen, and put back without touching the status; a status in Git is nobody's.
async fn healed(git: &Git<'_>, objects: &[Value]) -> Result<()> {
    let stage = git.stage;
    let by_hand = json!({"spec": {"owner": {"team": "somebody"}}}).to_string();
    let patch = [
        "patch",
        "agents.vouchsafe.dev",
        "refund",
        "-n",
        &stage.namespace,
        "--type=merge",
        "-p",
        &by_hand,
    ];
    stage.editor.kubectl(patch).must().await?;
    let found = git
        .way
        .kubectl(git.user, "diff", &stage.namespace, objects)
        .ran()
        .await?;
    ensure!(
        found.code == Some(1) && found.stdout.contains("somebody"),
        "no drift is seen: {found:?}"
    );
    let live = all_live(git.user, &stage.namespace, objects).await?;
    let found = stage.cx.gitops().await?.diff(objects, &live).await?;
    ensure!(found.iter().any(|found| found.modified), "Argo CD sees no drift");
    git.sync(objects).await?;
    git.in_sync(objects).await?;
    let forged = json!({"verdict": "Refused", "release": "v1:sha256:0", "observedGeneration": 99});
    let mut with_status = objects.to_vec();
    for object in &mut with_status {
        if object.get("kind") == Some(&json!("Agent"))
            && let Some(fields) = object.as_object_mut()
        {
            fields.insert("status".to_owned(), forged.clone());
        }
    }
    git.sync(&with_status).await?;
    stage
        .shows(
            "Agent",
            "refund",
            &expect("Healthy", "Current", "Current").saying("Cleared for "),
        )
        .await
}

/// A Promotion and an Approval in Git, by who may give them: the API server writes who gave them, and no later sync takes that away.
async fn stamped(cx: Context, way: Way) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let (user, subject) = account(&cx, &stage.namespace, "deployer").await?;
    let security = "environments/security";
    let verbs = ["approve", "approve-as-automation"];
    let rules = vec![
        rule(
            "vouchsafe.dev",
            &["promotions", "approvals"],
            &[],
            &["create", "get", "patch", "delete"],
        ),
        rule("vouchsafe.dev", &["environments"], &[&stage.environment], &["promote"]),
        rule("vouchsafe.dev", &[security], &[&stage.environment], &verbs),
    ];
    cx.cluster().grants().allow(&stage.namespace, rules, subject).await?;
    let agent = AgentOf::new("refund");
    stage.apply(&agent.objects()).await?;
    let made = stage.promotion("refund").await?;
    // The same release under another agent's name: one that nobody asked for yet.
    let surface = serde_json::to_value(&made.spec.surface)?;
    let name = made.name_any().replace("refund-", "other-");
    let promotion = named(
        "Promotion",
        &name,
        &json!({
            "agent": "other", "release": made.spec.release, "environment": stage.environment, "surface": surface,
        }),
    );
    let approval = named(
        "Approval",
        "by-git",
        &json!({
            "promotion": name, "release": made.spec.release, "environment": stage.environment, "role": "security", "decision": "Approve",
            "reason": "it is in Git",
        }),
    );
    let git = Git {
        stage: &stage,
        user: &user,
        way,
    };
    let objects = way.marked(&[promotion, approval]);
    git.sync(&objects).await?;
    stage.verdict(&name, Verdict::AwaitingApproval).await?;
    git.in_sync(&objects).await?;
    git.sync(&objects).await?;
    for live in all_live(&user, &stage.namespace, &objects).await? {
        let by = ["/spec/requestedBy/username", "/spec/by/username"].map(|at| live.pointer(at).and_then(Value::as_str));
        let account = format!("system:serviceaccount:{}:deployer", stage.namespace);
        ensure!(by.contains(&Some(&account)), "the stamp is gone: {live}");
    }
    let delete = ["delete", "promotions.vouchsafe.dev", &name, "-n", &stage.namespace];
    user.kubectl(delete)
        .ran()
        .await?
        .must_fail_with("is never deleted by hand")
        .map(drop)
}

async fn policies(cx: Context) -> Result<()> {
    cx.operator().await?;
    for way in [Way::ArgoServerSide, Way::ArgoClientSide, Way::Flux] {
        let (check, environment, namespace) = (cx.name("check"), cx.name("env"), cx.name("joined"));
        let objects = way.marked(&[
            named(
                "Check",
                &check,
                &json!({"owner": "platform", "surface": {"policy": "true", "message": "no"}}),
            ),
            named(
                "Environment",
                &environment,
                &json!({"sensitivity": "Low", "enforcement": "Hold", "requires": [{"check": check}]}),
            ),
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": namespace, "labels": {"vouchsafe.dev/environment": environment}}}),
        ]);
        way.kubectl(cx.admin(), "apply", "default", &objects).must().await?;
        let cluster = super::Shows::new(&cx, "");
        let healthy = expect("Healthy", "Current", "Current");
        cluster.shows("Check", &check, &healthy).await?;
        cluster.shows("Environment", &environment, &healthy).await?;
        super::Shows::new(&cx, &namespace)
            .shows("Clearance", "clearance", &healthy)
            .await?;
        in_sync(way, cx.admin(), &cx, "default", &objects).await?;
        way.kubectl(cx.admin(), "apply", "default", &objects).must().await?;
        let live = all_live(cx.admin(), "default", &objects).await?;
        for object in live.iter().take(2) {
            owners::apart(object, way.manager())?;
        }
        let live = live.last().context("nothing is there")?;
        let label = live.pointer("/metadata/labels/vouchsafe.dev~1enforcement");
        ensure!(
            label == Some(&json!("Hold")),
            "{way:?}: a sync took the operator's label off: {live}"
        );
        cx.admin()
            .kubectl(["delete", "namespace", &namespace, "--wait=false"])
            .must()
            .await?;
    }
    Ok(())
}
