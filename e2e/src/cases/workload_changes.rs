//! What changes a workload: by whatever kind, with whatever else in the same request, uncleared pods stay out and the cleared go on.

use super::content::{cleared, with};
use crate::{
    attempt::{create, try_create},
    await_::{Look, until},
    pods::{await_held, await_running},
    stage::{AgentOf, Stage, image, one_approval},
    suite::{Case, Context},
};
use anyhow::{Result, ensure};
use kube::ResourceExt;
use serde_json::{Value, json};
use vouchsafe_api::{approval::Vote, promotion::status::Verdict};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(&["D06"], "whatever kind makes a pod, the pod is held", every_kind),
        Case::new(
            &["D07", "D09", "D11"],
            "an image is not smuggled in by scaling down, while deleting, or without labels",
            smuggled,
        ),
        Case::new(
            &["D08"],
            "what was rejected afterwards gets no new pods, and can be scaled down",
            revoked,
        ),
        Case::new(
            &["D73"],
            "a field that client libraries do not know is content",
            unknown_fields,
        ),
    ]
}

async fn every_kind(cx: Context) -> Result<()> {
    let (stage, agent, _) = cleared(&cx).await?;
    let intruder = AgentOf {
        image: image("another"),
        ..agent
    };
    for object in kinds(&intruder.pod_spec()) {
        let answer = create(&stage.editor, Some(&stage.namespace), &object).await?;
        answer.taken("a workload that waits")?;
    }
    await_held(&stage.pods(), "app=intruder", 5).await?;
    let job = [
        "get",
        "job",
        "intruder-job",
        "-n",
        &stage.namespace,
        "-o",
        "jsonpath={.spec.suspend}",
    ];
    let suspended = stage.editor.kubectl(job).must().await?;
    ensure!(suspended == "true", "an uncleared Job is not suspended");
    stage.nothing_ran("app=intruder").await
}

/// One of each kind that makes pods; five of them make one at once.
fn kinds(spec: &Value) -> Vec<Value> {
    // Each its own pods: a Deployment adopts ReplicaSets that its selector selects.
    let labels = |of: &str| json!({"app": "intruder", "of": of});
    let template_of = |of: &str| json!({"metadata": {"labels": labels(of)}, "spec": spec});
    let template = template_of("once");
    let mut once = template.clone();
    if let Some(spec) = once.pointer_mut("/spec").and_then(Value::as_object_mut) {
        spec.insert("restartPolicy".to_owned(), json!("Never"));
    }
    let apps = |of: &str, more: Value| {
        let mut spec = json!({"selector": {"matchLabels": labels(of)}, "template": template_of(of)});
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        spec
    };
    let controller = json!({"replicas": 1, "selector": labels("rc"), "template": template_of("rc")});
    let cron = json!({"schedule": "0 0 1 1 *", "jobTemplate": {"spec": {"template": once}}});
    let all = [
        ("apps/v1", "Deployment", apps("deployment", json!({}))),
        ("apps/v1", "ReplicaSet", apps("replicaset", json!({}))),
        (
            "apps/v1",
            "StatefulSet",
            apps("statefulset", json!({"serviceName": "x"})),
        ),
        ("v1", "ReplicationController", controller),
        ("v1", "Pod", spec.clone()),
        ("batch/v1", "Job", json!({"template": once})),
        ("batch/v1", "CronJob", cron),
    ];
    let named = |(api_version, kind, spec): (&str, &str, Value)| {
        let metadata = json!({"name": format!("intruder-{}", kind.to_lowercase()), "labels": {"app": "intruder"}});
        json!({"apiVersion": api_version, "kind": kind, "metadata": metadata, "spec": spec})
    };
    all.into_iter().map(named).collect()
}

async fn smuggled(cx: Context) -> Result<()> {
    let stage = Stage::set(&cx, one_approval()).await?;
    let agent = AgentOf::new("refund").with_replicas(3);
    stage.run(&agent).await?;
    let other = AgentOf {
        image: image("another"),
        ..agent.with_replicas(1)
    };
    // Fewer replicas and another image in one request: it is an image swap.
    stage.apply(&[other.deployment()]).await?;
    one_held(&stage, &agent).await?;
    // And the same without the Agent: nobody vouches for it then either.
    let delete = ["delete", "vsag", &agent.name, "-n", &stage.namespace];
    stage.editor.kubectl(delete).must().await?;
    let mut unlabelled = other.deployment();
    if let Some(labels) = unlabelled.pointer_mut("/metadata").and_then(Value::as_object_mut) {
        labels.insert("labels".to_owned(), json!({"vouchsafe.dev/held": "false"}));
    }
    stage.apply(&[unlabelled]).await?;
    one_held(&stage, &agent).await?;
    deleting(&stage, &agent, &other.image).await
}

/// An object that is being deleted is still judged by its pods.
async fn deleting(stage: &Stage, agent: &AgentOf, swapped_in: &str) -> Result<()> {
    let finalizer = r#"{"metadata": {"finalizers": ["example.com/stay"]}}"#;
    let patch = |body: &'static str| {
        stage.editor.kubectl([
            "patch",
            "deployment",
            &agent.name,
            "-n",
            &stage.namespace,
            "--type=merge",
            "-p",
            body,
        ])
    };
    patch(finalizer).must().await?;
    let delete = [
        "delete",
        "deployment",
        &agent.name,
        "-n",
        &stage.namespace,
        "--cascade=orphan",
        "--wait=false",
    ];
    stage.editor.kubectl(delete).must().await?;
    let pods = stage
        .pods()
        .list(&kube::api::ListParams::default().labels(&agent.selector()))
        .await?;
    let swapped = |pod: &k8s_openapi::api::core::v1::Pod| {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        containers
            .into_iter()
            .any(|container| container.image.as_deref() == Some(swapped_in))
    };
    let ran: Vec<_> = pods
        .items
        .iter()
        .filter(|pod| swapped(pod) && crate::pods::has_run(pod))
        .map(ResourceExt::name_any)
        .collect();
    ensure!(ran.is_empty(), "these ran with the other image: {ran:?}");
    patch(r#"{"metadata": {"finalizers": null}}"#).must().await.map(drop)
}

/// One pod of the changed workload waits, and at least one of the cleared ones runs on.
async fn one_held(stage: &Stage, agent: &AgentOf) -> Result<()> {
    until("one held pod beside running ones", || async {
        let found = stage
            .pods()
            .list(&kube::api::ListParams::default().labels(&agent.selector()))
            .await?;
        let held = found.items.iter().filter(|pod| crate::pods::is_held(pod)).count();
        let running = stage.running(&agent.selector()).await?.len();
        Ok(Look::when((held, running), |(held, running)| {
            *held >= 1 && *running >= 1
        }))
    })
    .await
    .map(drop)
}

async fn revoked(cx: Context) -> Result<()> {
    let mut spec = one_approval();
    if let Some(spec) = spec.as_object_mut() {
        let at_once = json!({"onFailure": "Hold", "gracePeriod": "0s"});
        spec.insert("clearance".to_owned(), at_once);
    }
    let stage = Stage::set(&cx, spec).await?;
    let agent = AgentOf::new("refund");
    let promotion = stage.run(&agent).await?;
    stage.apply(&[agent.with_replicas(0).deployment()]).await?;
    await_running(&stage.pods(), &agent.selector(), 0).await?;
    stage
        .vote(&stage.security, &promotion, "security", Vote::Reject)
        .await?;
    until("the ledger to have withdrawn it", || async {
        let ledger = stage
            .ledger()
            .await?
            .map(|ledger| ledger.spec.profiles.len() + ledger.spec.releases.len());
        Ok(Look::when(ledger, |left| *left == Some(0)))
    })
    .await?;
    let judged = stage
        .api::<vouchsafe_api::Promotion>()
        .get(&promotion.name_any())
        .await?;
    let verdict = judged.status.and_then(|status| status.verdict);
    ensure!(
        matches!(verdict, Some(Verdict::Revoked | Verdict::Refused)),
        "the verdict is {verdict:?}"
    );
    stage.apply(&[agent.with_replicas(3).deployment()]).await?;
    await_held(&stage.pods(), &agent.selector(), 3).await?;
    stage.nothing_ran(&agent.selector()).await?;
    stage.apply(&[agent.with_replicas(0).deployment()]).await?;
    await_held(&stage.pods(), &agent.selector(), 0).await.map(drop)
}

/// Fields that the API server knows and the types that this suite is written with may not.
async fn unknown_fields(cx: Context) -> Result<()> {
    let (stage, _, pod) = cleared(&cx).await?;
    for (field, value) in [
        ("/spec/hostnameOverride", json!("other.example.com")),
        ("/spec/setHostnameAsFQDN", json!(true)),
        ("/spec/containers/0/restartPolicyRules", json!(null)),
        ("/spec/resources", json!({"limits": {"cpu": "1"}})),
        (
            "/spec/resourceClaims",
            json!([{"name": "gpu", "resourceClaimName": "gpu"}]),
        ),
        ("/spec/securityContext/supplementalGroupsPolicy", json!("Strict")),
        ("/spec/containers/0/lifecycle", json!({"stopSignal": "SIGUSR1"})),
    ] {
        let changed = with(&pod, field, value.clone())?;
        let answer = try_create(&stage.editor, &stage.namespace, &changed).await?;
        let stored = match answer {
            crate::attempt::Answer::Refused(_) => continue,
            crate::attempt::Answer::Taken(stored) => stored,
        };
        // What the API server dropped changed nothing; what it kept has to be held.
        if stored.pointer(field).is_some_and(|kept| !kept.is_null()) {
            ensure!(crate::attempt::is_gated(&stored), "{field}: {value} is free to run");
        }
    }
    Ok(())
}
