//! What the engines of Argo CD and Flux do about a rollout that is held: while it waits, once a deadline strikes, to what they prune; and
//! when it was promoted ahead.

use super::{
    deployer::{Way, deployer, rights},
    shown::expect,
};
use crate::{
    await_::{Look, until},
    gitops::engines::{Delivery, Operation, Reconciled},
    pods::{await_running, is_held},
    stage::{AgentOf, Stage, one_approval},
    suite::{Case, Context},
    users::{User, rule},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{ResourceExt, api::ListParams};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use vouchsafe_api::{Promotion, approval::Vote, promotion::status::Verdict};

/// As the example has it.
const SERVER_SIDE: &str = "ServerSideApply=true";
const PRUNE_LAST: &str = "PruneLast=true";
/// Longer than anything cleared takes here.
const LONG: Duration = Duration::from_secs(120);
/// As short as Flux waits in a case for what will not come.
const SHORT: Duration = Duration::from_secs(2);

pub(super) fn cases() -> Vec<Case> {
    let case = |name| {
        move |body: fn(Context) -> futures::future::BoxFuture<'static, Result<()>>| {
            Case::new(&[], name, body).patience(super::PATIENCE)
        }
    };
    vec![
        case("a sync of Argo CD waits for a held rollout, past every deadline, and prunes last")(|cx| {
            Box::pin(argo(cx))
        }),
        case("Flux prunes at once what does not say otherwise, and waits for a held rollout until a deadline")(|cx| {
            Box::pin(flux(cx))
        }),
        case("what was promoted ahead is delivered by Argo CD without waiting for anybody")(|cx| {
            Box::pin(ahead(cx, Way::ArgoServerSide))
        }),
        case("what was promoted ahead is delivered by Flux without waiting for anybody")(|cx| {
            Box::pin(ahead(cx, Way::Flux))
        }),
    ]
}

/// Somebody's Git repository, delivered into the stage's namespace.
struct Repository {
    stage: Stage,
    user: User,
}

impl Repository {
    async fn of(cx: &Context, way: Way) -> Result<Self> {
        let stage = Stage::set(cx, one_approval()).await?;
        let user = deployer(&stage, rights(way)).await?;
        Ok(Self { stage, user })
    }

    fn delivery<'a>(&'a self, objects: &'a [Value], stale: &'a [Value]) -> Delivery<'a> {
        Delivery {
            user: &self.user,
            namespace: &self.stage.namespace,
            objects,
            stale,
        }
    }

    /// Another sync operation, step by step, until it is in this phase.
    async fn sync(&self, objects: &[Value], stale: &[Value], options: &[&str], phase: &str) -> Result<Operation> {
        let gitops = self.stage.cx.gitops().await?;
        let git = self.delivery(objects, stale);
        let mut operation = gitops.sync(&git, options, None, None).await?;
        let begun = Instant::now();
        while operation.phase == "Running" && phase != "Running" && begun.elapsed() < LONG {
            operation = gitops.sync(&git, options, None, Some(&operation)).await?;
        }
        ensure!(operation.phase == phase, "not {phase}: {operation:?}");
        Ok(operation)
    }

    async fn reconcile(&self, objects: &[Value], stale: &[Value], timeout: Duration) -> Result<Reconciled> {
        let gitops = self.stage.cx.gitops().await?;
        gitops.reconcile(&self.delivery(objects, stale), timeout).await
    }

    /// Approves the Promotion, and awaits the one pod that it clears.
    async fn approve(&self, promotion: &Promotion) -> Result<()> {
        let stage = &self.stage;
        stage
            .vote(&stage.security, promotion, "security", Vote::Approve)
            .await?;
        stage.verdict(&promotion.name_any(), Verdict::Cleared).await.map(drop)
    }

    /// Whether a ConfigMap is there.
    async fn has(&self, name: &str) -> Result<bool> {
        Ok(self.stage.api::<ConfigMap>().get_opt(name).await?.is_some())
    }

    /// Awaits that a ConfigMap is gone: who deletes in the foreground is answered before.
    async fn gone(&self, name: &str) -> Result<()> {
        until(&format!("ConfigMap {name} to be gone"), || async {
            Ok(Look::when(self.has(name).await?, |has| !has))
        })
        .await
        .map(drop)
    }

    /// What runs goes on running beside what is held.
    async fn beside(&self, agent: &AgentOf) -> Result<()> {
        until("one pod to run, and one to be held beside it", || async {
            let pods = self
                .stage
                .pods()
                .list(&ListParams::default().labels(&agent.selector()))
                .await?;
            let held = pods.items.iter().filter(|pod| is_held(pod)).count();
            let running = self.stage.running(&agent.selector()).await?.len();
            Ok(Look::when((running, held), |found| *found == (1, 1)))
        })
        .await
        .map(drop)
    }
}

/// With another deadline for its rollout: no other release.
fn hurried(objects: &[Value]) -> Vec<Value> {
    let mut objects = objects.to_vec();
    for object in &mut objects {
        if let Some(spec) = object.pointer_mut("/spec").and_then(Value::as_object_mut)
            && spec.contains_key("template")
        {
            spec.insert("progressDeadlineSeconds".to_owned(), json!(1));
        }
    }
    objects
}

/// A ConfigMap that Git no longer has.
fn stale(agent: &AgentOf, name: &str, marks: &Value) -> Value {
    let mut config = agent.config_map();
    if let Some(metadata) = config.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        metadata.insert("name".to_owned(), json!(name));
        metadata.insert("annotations".to_owned(), marks.clone());
    }
    config
}

async fn argo(cx: Context) -> Result<()> {
    let git = Repository::of(&cx, Way::ArgoServerSide).await?;
    let stage = &git.stage;
    let first = AgentOf::new("refund");
    let kept = stale(
        &first,
        "kept",
        &json!({"argocd.argoproj.io/sync-options": "Prune=false"}),
    );
    let mut objects = first.objects();
    objects.push(kept.clone());
    // One wave and nothing to prune: the sync is done when everything is applied, held or not.
    let options = [SERVER_SIDE, PRUNE_LAST];
    git.sync(&objects, &[], &options, "Succeeded").await?;
    stage.held(&first.selector(), 1).await?;
    let promotion = stage.promotion("refund").await?;
    git.approve(&promotion).await?;
    await_running(&stage.pods(), &first.selector(), 1).await?;

    let second = first.with_prompt("Refund everything.");
    let gone = [first.config_map()];
    let waits = git.sync(&second.objects(), &gone, &options, "Running").await?;
    let next = stage.promotion_after("refund", &promotion.name_any()).await?;
    git.beside(&second).await?;
    waiting(&git, &second.objects(), &gone, waits).await?;
    ensure!(
        git.has(&first.config_name()).await?,
        "PruneLast pruned while a rollout waits"
    );

    struck(&git, &second, &gone, &next).await?;
    ensure!(git.has(&first.config_name()).await?, "a failed sync pruned");
    let done = git
        .sync(&hurried(&second.objects()), &gone, &options, "Succeeded")
        .await?;
    ensure!(done.says("Pruned"), "nothing was pruned: {done:?}");
    git.gone(&first.config_name()).await?;
    at_once(&git, &second, kept).await
}

/// The operation goes on waiting for what is held, and the Application is progressing.
async fn waiting(git: &Repository, objects: &[Value], gone: &[Value], mut operation: Operation) -> Result<()> {
    let gitops = git.stage.cx.gitops().await?;
    let git = git.delivery(objects, gone);
    for _ in 0..3 {
        operation = gitops
            .sync(&git, &[SERVER_SIDE, PRUNE_LAST], None, Some(&operation))
            .await?;
    }
    ensure!(
        operation.phase == "Running"
            && operation.message.contains("waiting for healthy state of")
            && operation.message.contains("Deployment/refund"),
        "{operation:?}"
    );
    ensure!(operation.health == "Progressing", "{operation:?}");
    Ok(())
}

/// Past the deadline the operation goes on while people have to act. It fails when they have: then the next one succeeds.
async fn struck(git: &Repository, agent: &AgentOf, gone: &[Value], promotion: &Promotion) -> Result<()> {
    let gitops = git.stage.cx.gitops().await?;
    let objects = hurried(&agent.objects());
    let delivery = git.delivery(&objects, gone);
    let mut operation = git.sync(&objects, gone, &[SERVER_SIDE, PRUNE_LAST], "Running").await?;
    let mut step = async |until: &str| {
        let begun = Instant::now();
        let mut looked = 0;
        while looked == 0 || (!operation.says(until) && begun.elapsed() < LONG) {
            operation = gitops
                .sync(&delivery, &[SERVER_SIDE, PRUNE_LAST], None, Some(&operation))
                .await?;
            looked += 1;
        }
        ensure!(operation.says(until), "it never said {until:?}: {operation:?}");
        Ok(operation.clone())
    };
    let past = step("exceeded its progress deadline").await?;
    ensure!(past.phase == "Running" && past.health == "Degraded", "{past:?}");
    ensure!(
        past.message == "waiting for healthy state of vouchsafe.dev/Agent/refund",
        "{past:?}"
    );
    git.beside(agent).await?;
    git.approve(promotion).await?;
    await_running(&git.stage.pods(), &agent.selector(), 1).await?;
    let failed = step("completed unsuccessfully").await?;
    ensure!(failed.phase == "Failed" && failed.health == "Healthy", "{failed:?}");
    Ok(())
}

/// Without `PruneLast` what runs loses its configuration while the next is held, unless the ConfigMap says `Prune=false`.
async fn at_once(git: &Repository, running: &AgentOf, kept: Value) -> Result<()> {
    let third = running.with_prompt("Refund nothing.");
    let gone = [running.config_map(), kept];
    git.sync(&third.objects(), &gone, &[SERVER_SIDE], "Succeeded").await?;
    git.beside(&third).await?;
    git.gone(&running.config_name()).await?;
    ensure!(git.has("kept").await?, "Prune=false was pruned");
    Ok(())
}

async fn flux(cx: Context) -> Result<()> {
    let git = Repository::of(&cx, Way::Flux).await?;
    let stage = &git.stage;
    let first = AgentOf::new("refund");
    let bare = stale(&first, "bare", &Value::Null);
    let mut objects = first.objects();
    let keep = json!({"kustomize.toolkit.fluxcd.io/prune": "disabled"});
    let kept = stale(&first, &first.config_name(), &keep);
    objects.retain(|object| object.get("kind") != Some(&json!("ConfigMap")));
    objects.extend([kept.clone(), bare.clone()]);
    let held = git.reconcile(&objects, &[], SHORT).await?;
    ensure!(held.unhealthy.contains("timeout waiting for"), "{held:?}");
    let promotion = stage.promotion("refund").await?;
    git.approve(&promotion).await?;
    let ready = git.reconcile(&objects, &[], LONG).await?;
    ensure!(ready.unhealthy.is_empty(), "{ready:?}");
    let same = ready.applied.iter().all(|words| words.ends_with(" unchanged"));
    ensure!(same && ready.applied.len() == 4, "applied twice, it changed: {ready:?}");

    let second = first.with_prompt("Refund everything.");
    let held = git.reconcile(&second.objects(), &[kept, bare], SHORT).await?;
    ensure!(held.unhealthy.contains("timeout waiting for"), "{held:?}");
    git.gone("bare").await.with_context(|| format!("{held:?}"))?;
    ensure!(git.has(&first.config_name()).await?, "pruned all the same: {held:?}");
    git.beside(&second).await?;
    let next = stage.promotion_after("refund", &promotion.name_any()).await?;
    let begun = Instant::now();
    let struck = git.reconcile(&hurried(&second.objects()), &[], LONG).await?;
    ensure!(
        struck.unhealthy.contains("refund status: 'Failed'") && begun.elapsed() < LONG,
        "{struck:?}"
    );
    git.beside(&second).await?;
    git.approve(&next).await?;
    await_running(&stage.pods(), &second.selector(), 1).await?;
    let runs = expect("Healthy", "Current", "Current");
    stage.shows("Deployment", "refund", &runs).await?;
    let ready = git.reconcile(&hurried(&second.objects()), &[], LONG).await?;
    ensure!(ready.unhealthy.is_empty(), "{ready:?}");
    Ok(())
}

/// CI asks with what will be in Git, somebody approves; then the same is delivered, and is healthy by itself.
async fn ahead(cx: Context, way: Way) -> Result<()> {
    let git = Repository::of(&cx, way).await?;
    let stage = &git.stage;
    let first = AgentOf::new("refund");
    let promotion = stage.run(&first).await?;
    let second = first.with_prompt("Refund everything.");
    let ci = ci(&git).await?;
    let manifests: Vec<_> = second.objects().iter().map(Value::to_string).collect();
    let promote = ["vouchsafe", "promote", "-f", "-", "-n", stage.namespace.as_str()];
    let asked = ci.kubectl(promote).input(manifests.join("\n---\n")).must().await?;
    let promotions = stage.api::<Promotion>().list(&ListParams::default()).await?.items;
    let next = promotions.iter().find(|other| other.name_any() != promotion.name_any());
    let next = next.with_context(|| format!("promote made nothing: {asked}"))?;
    git.approve(next).await?;

    let gone = [first.config_map()];
    if way == Way::Flux {
        let ready = git.reconcile(&second.objects(), &gone, LONG).await?;
        ensure!(ready.unhealthy.is_empty(), "{ready:?}");
    } else {
        git.sync(&second.objects(), &gone, &[SERVER_SIDE, PRUNE_LAST], "Succeeded")
            .await?;
    }
    await_running(&stage.pods(), &second.selector(), 1).await?;
    until("the agent to be the one that was promoted", || async {
        let runs = stage.promotion("refund").await?.name_any();
        Ok(Look::when(runs, |runs| *runs == next.name_any()))
    })
    .await?;
    let promotions = stage.api::<Promotion>().list(&ListParams::default()).await?.items;
    ensure!(promotions.len() == 2, "{} Promotions", promotions.len());
    Ok(())
}

/// Who may ask, and read what the manifests refer to; and deploys nothing.
async fn ci(git: &Repository) -> Result<User> {
    let ci = git.stage.cx.user("ci").await?;
    let rules = vec![
        rule("vouchsafe.dev", &["promotions"], &[], &["create", "get", "list"]),
        rule(
            "vouchsafe.dev",
            &["environments"],
            &[&git.stage.environment],
            &["promote"],
        ),
        rule("", &["configmaps"], &[], &["get"]),
        rule("", &["namespaces"], &[&git.stage.namespace], &["get"]),
    ];
    let grants = git.stage.cx.cluster().grants();
    grants.allow(&git.stage.namespace, rules, ci.subject()).await?;
    Ok(ci)
}
