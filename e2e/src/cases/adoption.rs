//! A cluster that runs already: hundreds of workloads of all kinds that nobody declared, counted, declared by one command a namespace,
//! and enforced without losing one of them.

mod undeclared;

use self::undeclared::{KINDS, Part, STEP, Undeclared};
use super::{
    content::with,
    switch::{observing, patch},
};
use crate::{
    attempt::{self, api},
    await_::{Look, until, within},
    pods::{has_run, is_held},
    stage::Stage,
    suite::{Case, Context},
};
use anyhow::{Context as _, Result, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::json;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use vouchsafe_api::{Agent, Environment, environment::status::NamespaceStatus};

/// Workloads of the case that every run of the suite has, and of the one that is asked for by name.
const SOME: usize = 56;
const MANY: usize = 504;
/// Workloads of a namespace at most.
const EACH: usize = 28;
/// Many workloads, on a machine that does other things, too.
const PATIENCE: Duration = Duration::from_secs(300);

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            &["D10"],
            "adoption: what runs undeclared is counted, declared by one command, and enforced without losing a pod",
            |cx| adopted(cx, SOME),
        )
        .patience(PATIENCE),
        Case::new(&[], "adopting 504 workloads, a measure", |cx| adopted(cx, MANY))
            .patience(3 * PATIENCE)
            .on_request(),
    ]
}

async fn adopted(cx: Context, count: usize) -> Result<()> {
    let begun = Instant::now();
    let parts = undeclared(&cx, count).await?;
    let pods: usize = parts.iter().map(|part| part.pods()).sum();
    let (first, namespaces) = (parts.first().context("there is no namespace")?, parts.len());
    let environment = first.stage.environment.clone();
    let made = begun.elapsed();
    let counted = Instant::now();
    counts(&parts, |found, part| {
        (found.would_hold as usize, found.undeclared as usize) == (part.pods(), part.workloads.len())
    })
    .await?;
    let counted = counted.elapsed();
    shown(&cx, first, &environment).await?;

    let (adopting, applying, resolving) = adopt(&parts).await?;
    counts(&parts, |found, part| {
        found.undeclared == 0 && found.agents as usize == part.workloads.len()
    })
    .await?;

    let switching = Instant::now();
    patch(&first.stage, json!({"enforcement": "Hold"})).await?;
    for part in &parts {
        enforced(&cx, &part.stage.namespace).await?;
    }
    let switching = switching.elapsed();
    let draining = Instant::now();
    let drained = stream::iter(parts.clone()).map(|part| async move {
        part.drain().await?;
        part.running().await
    });
    drained.buffer_unordered(4).try_collect::<()>().await?;
    let draining = draining.elapsed();
    afterwards(first).await?;
    let seconds = |time: Duration| format!("{:.1} s", time.as_secs_f64());
    cx.tell(&format!(
        "adoption of {count} workloads in {namespaces} namespaces ({pods} pods): made and running in {}, counted after {}; `adopt --all` {}, \
         applied in {}, resolved after {}; switched to Hold in {}; all evicted and running again in {}; in all {}",
        seconds(made),
        seconds(counted),
        seconds(adopting),
        seconds(applying),
        seconds(resolving),
        seconds(switching),
        seconds(draining),
        seconds(begun.elapsed())
    ));
    Ok(())
}

/// Namespaces of one observing environment, full of what runs.
async fn undeclared(cx: &Context, count: usize) -> Result<Vec<Arc<Part>>> {
    let far = Timestamp::now() + SignedDuration::from_hours(1);
    let first = Stage::set(cx, observing(Some(far))).await?;
    let environment = first.environment.clone();
    let namespaces = count.div_ceil(EACH);
    let mut stages = vec![first];
    for _ in 1..namespaces {
        stages.push(Stage::in_environment(cx, &environment).await?);
    }
    let mut parts: Vec<_> = stages
        .into_iter()
        .map(|stage| Part {
            stage,
            workloads: Vec::new(),
        })
        .collect();
    for number in 0..count {
        let (api_version, kind) = *KINDS.get(number % KINDS.len()).context("no kind")?;
        let part = parts
            .get_mut((number / KINDS.len()) % namespaces)
            .context("no namespace")?;
        part.workloads.push(Undeclared {
            number,
            api_version,
            kind,
        });
    }
    let parts: Vec<_> = parts.into_iter().map(Arc::new).collect();
    for part in &parts {
        super::switch::enforced(&part.stage, "Observe").await?;
    }
    stream::iter(parts.clone())
        .map(|part| async move { part.fill().await })
        .buffer_unordered(2)
        .try_collect::<()>()
        .await?;
    for part in &parts {
        part.running().await?;
    }
    Ok(parts)
}

/// Awaits that the Environment says so of every namespace.
async fn counts(parts: &[Arc<Part>], is: impl Fn(&NamespaceStatus, &Part) -> bool) -> Result<()> {
    let first = parts.first().context("there is no namespace")?;
    let api = Api::<Environment>::all(first.stage.cx.client());
    until("the environment to count its namespaces", || async {
        let found = api.get(&first.stage.environment).await?.status.unwrap_or_default();
        let of = |part: &Part| found.namespaces.iter().find(|found| found.name == part.stage.namespace);
        let all = parts.iter().all(|part| of(part).is_some_and(|found| is(found, part)));
        Ok(Look::when(found.namespaces, |_| all))
    })
    .await
    .map(drop)
}

/// What the command shows to whoever may look at environments.
async fn shown(cx: &Context, part: &Part, environment: &str) -> Result<()> {
    let status = cx.admin().kubectl(["vouchsafe", "status", "-A"]).must().await?;
    let mut lines = status.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let (workloads, pods) = (part.workloads.len().to_string(), part.pods().to_string());
    let expected = [
        part.stage.namespace.as_str(),
        environment,
        "Observe",
        "0",
        &workloads,
        &pods,
        "0",
    ];
    ensure!(lines.any(|line| line == expected), "no line {expected:?} in:\n{status}");
    let namespace = ["vouchsafe", "status", "-n", part.stage.namespace.as_str()];
    let words = cx.admin().kubectl(namespace).must().await?;
    let told = format!("{workloads} workloads are named by no Agent; to write Agents: kubectl vouchsafe adopt");
    ensure!(words.contains(&told), "`{told}` is not in:\n{words}");
    Ok(())
}

/// Writes Agents for everything, applies them as they are, and awaits that each describes its workload.
async fn adopt(parts: &[Arc<Part>]) -> Result<(Duration, Duration, Duration)> {
    let folder = tempfile::tempdir().context("there is no folder for files")?;
    let (mut adopting, mut applying) = (Duration::ZERO, Duration::ZERO);
    for part in parts {
        let (editor, namespace) = (&part.stage.editor, part.stage.namespace.as_str());
        let place = folder.path().join(namespace).display().to_string();
        let begun = Instant::now();
        let line = [
            "vouchsafe",
            "adopt",
            "--all",
            "--team",
            "support",
            "-n",
            namespace,
            "-o",
            &place,
        ];
        let written = editor.kubectl(line).must().await?;
        adopting += begun.elapsed();
        let (files, expected) = (written.lines().count(), part.workloads.len());
        ensure!(files == expected, "{files} Agents for {expected} workloads:\n{written}");
        let begun = Instant::now();
        let apply = ["apply", "--validate=strict", "-n", namespace, "-f", &place];
        editor.kubectl(apply).must().await?;
        applying += begun.elapsed();
        let again = ["vouchsafe", "adopt", "--all", "-n", namespace];
        let left = editor.kubectl(again).must().await?;
        ensure!(left.is_empty(), "there is more to adopt: {left}");
    }
    let begun = Instant::now();
    for part in parts {
        within(STEP, "every Agent to be resolved", || async {
            let agents = part.stage.api::<Agent>().list(&ListParams::default()).await?.items;
            let other: Vec<_> = agents.iter().filter_map(unresolved).collect();
            Ok(Look::when(other, |other| {
                other.is_empty() && agents.len() == part.workloads.len()
            }))
        })
        .await?;
    }
    Ok((adopting, applying, begun.elapsed()))
}

/// What is said of an Agent that is not resolved.
fn unresolved(agent: &Agent) -> Option<String> {
    let conditions = agent.status.iter().flat_map(|status| &status.conditions);
    let ready = conditions.into_iter().find(|condition| condition.kind == "Ready");
    match ready {
        Some(ready) if ready.reason == "Resolved" => None,
        other => Some(format!("{}: {other:?}", agent.name_any())),
    }
}

async fn enforced(cx: &Context, namespace: &str) -> Result<()> {
    let api = Api::<Namespace>::all(cx.client());
    within(STEP, &format!("{namespace} to hold"), || async {
        let label = api
            .get(namespace)
            .await?
            .labels()
            .get("vouchsafe.dev/enforcement")
            .cloned();
        Ok(Look::when(label, |label| label.as_deref() == Some("Hold")))
    })
    .await
    .map(drop)
}

/// After the switch an unrelated edit passes, a Job that rested starts, and a change of what something is does not.
async fn afterwards(part: &Part) -> Result<()> {
    let of = |kind: &str| {
        let mut all = part.workloads.iter();
        all.find(|workload| workload.kind == kind)
            .context("there is none of a kind")
    };
    let (stage, deployment, job) = (&part.stage, of("Deployment")?, of("Job")?);
    let selector = format!("app={}", deployment.name());
    let container = "/spec/template/spec/containers/0";
    let larger = with(
        &deployment.object(),
        &format!("{container}/resources"),
        json!({"limits": {"memory": "1Gi"}}),
    )?;
    stage.apply(std::slice::from_ref(&larger)).await?;
    until("the larger pod to run alone", || async {
        let pods = stage.pods().list(&ListParams::default().labels(&selector)).await?.items;
        let is_larger = |pod: &Pod| serde_json::to_string(pod).is_ok_and(|text| text.contains("1Gi"));
        let seen: Vec<_> = pods.iter().map(|pod| (pod.name_any(), is_held(pod))).collect();
        Ok(Look::when(seen, |seen| {
            seen.len() == 1 && pods.iter().all(|pod| has_run(pod) && is_larger(pod))
        }))
    })
    .await?;
    let jobs = api(&stage.editor, Some(&stage.namespace), "batch/v1", "Job");
    let resumed = attempt::patch(&jobs, &job.name(), None, &json!({"spec": {"suspend": false}})).await?;
    resumed.taken("resuming a Job that was there")?;
    crate::pods::await_running(&stage.pods(), &format!("app={}", job.name()), 1).await?;
    let other = with(&larger, &format!("{container}/env/0/value"), json!("gpt-5"))?;
    stage.apply(&[other]).await?;
    until("the changed pod to wait beside the old one", || async {
        let pods = stage.pods().list(&ListParams::default().labels(&selector)).await?.items;
        let changed = |pod: &&Pod| serde_json::to_string(pod).is_ok_and(|text| text.contains("gpt-5"));
        let held = pods.iter().filter(changed).filter(|pod| is_held(pod)).count();
        ensure!(!pods.iter().filter(changed).any(has_run), "the changed pod ran");
        let old = pods.iter().filter(|pod| !changed(pod) && has_run(pod)).count();
        Ok(Look::when((held, old), |seen| *seen == (1, 1)))
    })
    .await
    .map(drop)
}
