//! Every kind of workload: cleared means running, and what would lose a running pod while it waits is refused at the workload.

use crate::{
    await_::{Look, until},
    pods::{await_running, is_held},
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::{batch::v1::Job, core::v1::PersistentVolume};
use kube::{
    Api, ResourceExt,
    api::{ListParams, PostParams},
};
use serde_json::{Value, json};
use vouchsafe_api::approval::Vote;

/// Nodes, so pods of a DaemonSet.
const NODES: usize = 4;

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &[],
            "a change that would lose a running pod is refused at the workload, whatever its kind",
            nothing_is_lost,
        ),
        Case::new(
            &[],
            "where surge is required, no pod is given up that the strategy would allow to be",
            surge_is_required,
        ),
        Case::new(
            &["A10"],
            "cleared means running: StatefulSet with claims, DaemonSet, and a LimitRange that changes every pod",
            services_run,
        ),
        Case::new(
            &["A10"],
            "Jobs wait suspended and run when they are cleared: indexed, and a CronJob's",
            jobs_run,
        ),
    ]
}

/// An agent whose one workload is of a kind, with fields of its own.
struct Kind {
    agent: AgentOf,
    kind: &'static str,
    api_version: &'static str,
    fields: Value,
}

impl Kind {
    fn new(name: &str, kind: &'static str, replicas: usize, fields: Value) -> Self {
        let api_version = if matches!(kind, "Job" | "CronJob") {
            "batch/v1"
        } else {
            "apps/v1"
        };
        Self {
            agent: AgentOf::new(name).with_prompt(name).with_replicas(replicas),
            kind,
            api_version,
            fields,
        }
    }

    fn objects(&self) -> Vec<Value> {
        let agent = self.agent.agent(self.kind, self.api_version);
        vec![self.agent.config_map(), self.workload(), agent]
    }

    fn workload(&self) -> Value {
        let mut spec = match self.kind {
            "Job" => json!({"template": once(self.agent.template())}),
            "CronJob" => json!({"jobTemplate": {"spec": {"template": once(self.agent.template())}}}),
            _ => json!({"selector": {"matchLabels": {"app": self.agent.name}}, "template": self.agent.template()}),
        };
        if matches!(self.kind, "Deployment" | "StatefulSet") {
            set(&mut spec, "replicas", json!(self.agent.replicas));
        }
        for (field, value) in self.fields.as_object().into_iter().flatten() {
            set(&mut spec, field, value.clone());
        }
        json!({"apiVersion": self.api_version, "kind": self.kind, "metadata": {"name": self.agent.name}, "spec": spec})
    }

    fn changed(&self) -> Self {
        Self {
            agent: AgentOf {
                image: image("another"),
                ..self.agent.clone()
            },
            kind: self.kind,
            api_version: self.api_version,
            fields: self.fields.clone(),
        }
    }
}

fn set(object: &mut Value, field: &str, value: Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

fn once(mut template: Value) -> Value {
    if let Some(spec) = template.get_mut("spec") {
        set(spec, "restartPolicy", json!("Never"));
    }
    template
}

/// Applies all, approves each, and awaits that all run.
async fn run(stage: &Stage, kinds: &[Kind]) -> Result<()> {
    let objects: Vec<_> = kinds.iter().flat_map(Kind::objects).collect();
    stage.apply(&objects).await?;
    for kind in kinds {
        let promotion = stage.promotion(&kind.agent.name).await?;
        stage.nothing_ran(&kind.agent.selector()).await?;
        stage
            .vote(&stage.security, &promotion, "security", Vote::Approve)
            .await?;
    }
    for kind in kinds {
        await_running(&stage.pods(), &kind.agent.selector(), kind.agent.replicas)
            .await
            .with_context(|| format!("{} {}", kind.kind, kind.agent.name))?;
    }
    Ok(())
}

async fn nothing_is_lost(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let no_surge =
        json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}});
    let kinds = [
        Kind::new("stateful", "StatefulSet", 2, json!({})),
        Kind::new("daemon", "DaemonSet", NODES, json!({})),
        Kind::new("recreate", "Deployment", 2, json!({"strategy": {"type": "Recreate"}})),
        Kind::new("no-surge", "Deployment", 2, no_surge),
    ];
    run(&stage, &kinds).await?;
    for kind in &kinds {
        let selector = kind.agent.selector();
        let before = names(&stage, &selector).await?;
        let applied = stage
            .editor
            .apply(&stage.namespace, &[kind.changed().workload()])
            .ran()
            .await?;
        let expected = format!(
            "{} {} is not cleared for {} in this form",
            kind.kind, kind.agent.name, stage.environment
        );
        let words = applied.must_fail_with(&expected)?;
        ensure!(
            words.contains("it would lose a running pod while it waits") && words.contains("kubectl vouchsafe promote"),
            "the refusal of a {} does not say what and what next: {words}",
            kind.kind
        );
        ensure!(before == names(&stage, &selector).await?, "a {} lost a pod", kind.kind);
        // It still makes what it made before.
        delete_pods(&stage, &selector).await?;
        let back = await_running(&stage.pods(), &selector, kind.agent.replicas).await?;
        let old = |pod: &k8s_openapi::api::core::v1::Pod| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            containers
                .into_iter()
                .all(|container| container.image.as_ref() == Some(&kind.agent.image))
        };
        ensure!(back.iter().all(old), "a {} runs another image", kind.kind);
    }
    Ok(())
}

async fn surge_is_required(cx: Context) -> Result<()> {
    let mut spec = one_approval();
    set(&mut spec, "hold", json!({"requireSurge": true}));
    let stage = Stage::set(&cx, spec).await?;
    let none = json!({"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}});
    // Of four pods a quarter, the default, is one; of two it is none.
    let kinds = [
        (Kind::new("four", "Deployment", 4, json!({})), true),
        (Kind::new("two", "Deployment", 2, json!({})), false),
        (Kind::new("none", "Deployment", 4, none), false),
    ];
    for (kind, refused) in kinds {
        run(&stage, std::slice::from_ref(&kind)).await?;
        let applied = stage.editor.apply(&stage.namespace, &[kind.changed().workload()]);
        let applied = applied.ran().await?;
        if refused {
            let words = applied.must_fail_with("it would lose a running pod while it waits")?;
            ensure!(words.contains("Deployment four"), "another is refused: {words}");
            continue;
        }
        applied
            .must()
            .with_context(|| format!("{} is refused", kind.agent.name))?;
        until("a held pod beside all that run", || async {
            let all = stage
                .pods()
                .list(&ListParams::default().labels(&kind.agent.selector()))
                .await?
                .items;
            let held = all.iter().filter(|pod| is_held(pod)).count();
            Ok(Look::when((held, all.len() - held), |(held, rest)| {
                *held > 0 && *rest == kind.agent.replicas
            }))
        })
        .await?;
    }
    Ok(())
}

/// The identities of all pods.
async fn names(stage: &Stage, selector: &str) -> Result<Vec<Option<String>>> {
    let params = ListParams::default().labels(selector);
    let mut found: Vec<_> = stage.pods().list(&params).await?.iter().map(ResourceExt::uid).collect();
    found.sort();
    Ok(found)
}

async fn delete_pods(stage: &Stage, selector: &str) -> Result<()> {
    let delete = ["delete", "pods", "-n", &stage.namespace, "-l", selector];
    stage.editor.kubectl(delete).must().await.map(drop)
}

async fn services_run(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let limits = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "limits"}, "spec": {"limits": [
        {"type": "Container", "default": {"cpu": "200m", "memory": "128Mi"}, "defaultRequest": {"cpu": "10m", "memory": "16Mi"}}]}});
    cx.admin().apply(&stage.namespace, &[limits]).must().await?;
    volumes(&cx, &stage.namespace, 2).await?;
    let claims = json!({"volumeClaimTemplates": [{"metadata": {"name": "memory"}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Mi"}},
        "selector": {"matchLabels": {"of": stage.namespace}}}}]});
    let kinds = [
        Kind::new("stateful", "StatefulSet", 2, claims),
        Kind::new("daemon", "DaemonSet", NODES, json!({})),
        Kind::new("plain", "Deployment", 2, json!({})),
    ];
    run(&stage, &kinds).await?;
    for kind in &kinds {
        let selector = kind.agent.selector();
        let pods = await_running(&stage.pods(), &selector, kind.agent.replicas).await?;
        let limited = pods.iter().all(|pod| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            containers
                .into_iter()
                .all(|container| container.resources.as_ref().is_some_and(|of| of.limits.is_some()))
        });
        ensure!(limited, "the LimitRange did nothing to a {}", kind.kind);
        delete_pods(&stage, &selector).await?;
        await_running(&stage.pods(), &selector, kind.agent.replicas).await?;
    }
    Ok(())
}

/// Volumes that only the claims of this namespace ask for.
async fn volumes(cx: &Context, namespace: &str, count: usize) -> Result<()> {
    let api: Api<PersistentVolume> = Api::all(cx.client());
    for _ in 0..count {
        let volume = json!({"metadata": {"name": cx.name("volume"), "labels": {"of": namespace}}, "spec": {
            "capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "storageClassName": "",
            "persistentVolumeReclaimPolicy": "Retain", "hostPath": {"path": "/nowhere"}}});
        let volume = serde_json::from_value(volume).context("cannot describe a volume")?;
        api.create(&PostParams::default(), &volume)
            .await
            .context("cannot create a volume")?;
    }
    Ok(())
}

async fn jobs_run(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let indexed = json!({"completionMode": "Indexed", "completions": 2, "parallelism": 2});
    let nightly = json!({"schedule": "0 3 1 1 *"});
    let kinds = [
        Kind::new("indexed", "Job", 2, indexed),
        Kind::new("nightly", "CronJob", 1, nightly),
    ];
    let objects: Vec<_> = kinds.iter().flat_map(Kind::objects).collect();
    stage.apply(&objects).await?;
    start(&stage, "first").await?;
    for (job, agent) in [("indexed", "indexed"), ("first", "nightly")] {
        suspended(&stage, job).await?;
        let promotion = stage.promotion(agent).await?;
        stage.nothing_ran(&format!("app={agent}")).await?;
        stage
            .vote(&stage.security, &promotion, "security", Vote::Approve)
            .await?;
        complete(&stage, job).await?;
    }
    start(&stage, "second").await?;
    complete(&stage, "second").await?;
    let pods = await_running(&stage.pods(), "app=nightly", 2).await?;
    ensure!(!pods.iter().any(is_held), "a pod of a complete Job is held");
    await_running(&stage.pods(), "app=indexed", 2).await.map(drop)
}

/// Starts what the schedule would.
async fn start(stage: &Stage, job: &str) -> Result<()> {
    let create = [
        "create",
        "job",
        job,
        "--from=cronjob/nightly",
        "-n",
        stage.namespace.as_str(),
    ];
    stage.editor.kubectl(create).must().await.map(drop)
}

async fn suspended(stage: &Stage, job: &str) -> Result<()> {
    until(&format!("Job {job} to be suspended"), || async {
        let found = stage.api::<Job>().get(job).await?;
        let held = found.labels().contains_key("vouchsafe.dev/held");
        let suspend = found.spec.and_then(|spec| spec.suspend);
        Ok(Look::when((suspend, held), |state| *state == (Some(true), true)))
    })
    .await
    .map(drop)
}

async fn complete(stage: &Stage, job: &str) -> Result<()> {
    until(&format!("Job {job} to be complete"), || async {
        let found = stage.api::<Job>().get(job).await?;
        let status = found.status.unwrap_or_default();
        Ok(Look::when(status, |status| status.completion_time.is_some()))
    })
    .await
    .map(drop)
}
