//! Many agents: the example's, each under a name and with an image of its own, in namespaces that join an environment which clears them at
//! once.

use super::{Look, SANE, within};
use crate::{example::Example, registry::digest};
use anyhow::{Context, Result, bail};
use futures::{StreamExt, TryStreamExt, pin_mut, stream};
use jiff::Timestamp;
use k8s_openapi::api::{apps::v1::Deployment, core::v1::Namespace};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams, PostParams},
    core::GroupVersionKind,
    runtime::{WatchStreamExt, watcher},
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};
use tokio::time::timeout;
use vouchsafe_api::{Agent, promotion::status::Verdict};

const ENVIRONMENT: &str = "bench";
/// The checks of the example that the surface alone can answer.
const CHECKS: [&str; 2] = ["no-unapproved-writes", "confidential-data-encrypted"];
/// Requests under way at the same time.
const WIDTH: usize = 8;

/// When a watch saw that something held for every agent.
pub(super) struct Seen {
    /// It has a status of its generation.
    pub(super) observed: Timestamp,
    /// And is shown as cleared.
    pub(super) cleared: Timestamp,
}

/// Makes an environment, namespaces in it, and agents spread over them; returns when the pod of each is ready.
///
/// # Errors
/// When anything is refused, or the pods do not get ready.
pub(super) async fn make(client: &Client, number: usize, namespaces: usize) -> Result<()> {
    let example = Example::as_it_is();
    let mut checks = example.objects("policies/checks.yaml")?;
    let name = |check: &Value| {
        check
            .pointer("/metadata/name")
            .and_then(Value::as_str)
            .map(str::to_owned)
    };
    checks.retain(|check| name(check).is_some_and(|name| CHECKS.contains(&name.as_str())));
    let environment = json!({
        "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Environment", "metadata": {"name": ENVIRONMENT},
        "spec": {"sensitivity": "High", "enforcement": "Hold", "requires": CHECKS.map(|check| json!({"check": check}))},
    });
    for object in checks.iter().chain([&environment]) {
        create(client, "", object).await?;
    }
    let names: Vec<_> = (0..namespaces).map(|number| format!("bench-{number}")).collect();
    for name in &names {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        create(client, "", &namespace).await?;
    }
    let agents = (0..number).zip(names.iter().cycle());
    stream::iter(agents.map(|(number, namespace)| one(client, &example, number, namespace)))
        .buffer_unordered(WIDTH)
        .try_collect::<()>()
        .await?;
    for name in &names {
        await_pods(client, name).await?;
        // Only now: without an operator that has ever run, nothing is let into a governed namespace.
        govern(client, name).await?;
    }
    Ok(())
}

async fn govern(client: &Client, namespace: &str) -> Result<()> {
    let labels = json!({"metadata": {"labels": {"vouchsafe.dev/environment": ENVIRONMENT}}});
    let api: Api<Namespace> = Api::all(client.clone());
    let labelled = api
        .patch(namespace, &PatchParams::default(), &Patch::Merge(&labels))
        .await;
    labelled
        .map(drop)
        .with_context(|| format!("`{namespace}` could not be labelled"))
}

/// The example's agent under another name.
async fn one(client: &Client, example: &Example, number: usize, namespace: &str) -> Result<()> {
    let name = format!("agent-{number}");
    for file in ["agent/config.yaml", "agent/deployment.yaml", "agent/agent.yaml"] {
        for object in example.objects(file)? {
            let mut object = renamed(&object, &name)?;
            if let Some(replicas) = object.pointer_mut("/spec/replicas") {
                *replicas = json!(1);
            }
            if let Some(image) = object.pointer_mut("/spec/template/spec/containers/0/image") {
                *image = json!(format!(
                    "registry.example.com/support/{name}@{}",
                    digest(name.as_bytes())
                ));
            }
            create(client, namespace, &object).await?;
        }
    }
    Ok(())
}

fn renamed(object: &Value, name: &str) -> Result<Value> {
    let text = object.to_string().replace("refund-triage", name);
    serde_json::from_str(&text).context("a name made an object unreadable")
}

async fn create(client: &Client, namespace: &str, object: &Value) -> Result<()> {
    let object: DynamicObject = serde_json::from_value(object.clone()).context("this is no object")?;
    let types = object.types.clone().context("an object does not say what it is")?;
    let resource = ApiResource::from_gvk(&GroupVersionKind::try_from(&types).context("its kind is none")?);
    let api = if namespace.is_empty() {
        Api::all_with(client.clone(), &resource)
    } else {
        Api::namespaced_with(client.clone(), namespace, &resource)
    };
    let created = api.create(&PostParams::default(), &object).await;
    created
        .map(drop)
        .with_context(|| format!("{} `{}` was refused", types.kind, object.name_any()))
}

async fn await_pods(client: &Client, namespace: &str) -> Result<()> {
    let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    within(SANE, &format!("the pods of {namespace}"), || async {
        let found = api.list(&ListParams::default()).await?;
        let is_ready = |one: &&Deployment| one.status.as_ref().and_then(|status| status.ready_replicas) == Some(1);
        let ready = found.iter().filter(is_ready).count();
        let words = format!("{ready} of {} are ready", found.items.len());
        Ok(if ready == found.items.len() {
            Look::Seen(())
        } else {
            Look::NotYet(words)
        })
    })
    .await
}

/// Watches until every agent was looked at and is shown as cleared.
///
/// # Errors
/// When the deadline has passed, with how many there were.
pub(super) async fn watch(client: &Client, number: usize, deadline: Duration) -> Result<Seen> {
    let (mut observed, mut cleared) = (Marks::default(), Marks::default());
    let watching = async {
        let events = watcher(Api::<Agent>::all(client.clone()), watcher::Config::default());
        let events = events.default_backoff().applied_objects();
        pin_mut!(events);
        while let Some(agent) = events.try_next().await.context("the watch of agents ended")? {
            let status = agent.status.clone().unwrap_or_default();
            if Some(status.observed_generation) != agent.metadata.generation {
                continue;
            }
            let key = (agent.namespace().unwrap_or_default(), agent.name_any());
            if let Some(cleared) = cleared.mark(&key, number, status.verdict == Some(Verdict::Cleared)) {
                let observed = observed.mark(&key, number, true).unwrap_or(cleared);
                return Ok(Seen { observed, cleared });
            }
            observed.mark(&key, number, true);
        }
        bail!("the watch of agents ended")
    };
    match timeout(deadline, watching).await {
        Ok(seen) => seen,
        Err(_) => bail!(
            "{} of {number} agents were looked at, {} cleared",
            observed.of.len(),
            cleared.of.len()
        ),
    }
}

/// Agents for which something was seen, and when it was for the last.
#[derive(Default)]
struct Marks {
    of: BTreeSet<(String, String)>,
    all_at: Option<Timestamp>,
}

impl Marks {
    /// Notes one; gives since when it holds for all.
    fn mark(&mut self, key: &(String, String), all: usize, holds: bool) -> Option<Timestamp> {
        if holds {
            self.of.insert(key.clone());
        }
        if self.all_at.is_none() && self.of.len() >= all {
            self.all_at = Some(Timestamp::now());
        }
        self.all_at
    }
}
