//! What was asked about: a Promotion, an Agent, or a pod and the agent that it belongs to.

use crate::cli::{
    Advice, Failure,
    cluster::{Cluster, ClusterError, Kind, Select},
    digest::field,
    screen::{Screen, Style},
    verdict,
};
use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
        batch::v1::{CronJob, Job},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::OwnerReference,
};
use serde_json::Value;
use vouchsafe_api::{Agent, Promotion, lower};

/// The scheduling gate of a held pod.
const GATE: &str = "vouchsafe.dev/clearance";
/// Owners above a pod that are followed.
const LEVELS: usize = 4;

/// What was found.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// The agent.
    pub(super) agent: Option<Agent>,
    /// The Promotion of its present release, or the one that was named.
    pub(super) promotion: Option<Promotion>,
    /// The pod that was named.
    pub(super) pod: Option<Pod>,
}

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TargetError {
    /// There is nothing of this name.
    #[error("there is no Promotion, Agent or pod `{name}` in namespace `{namespace}`")]
    Nothing {
        /// The name.
        name: String,
        /// The namespace.
        namespace: String,
    },
    /// No kind that can be asked about.
    #[error("nothing can be said about a `{0}`")]
    Kind(String),
    /// The pod belongs to no agent.
    #[error("{name} belongs to no Agent: no Agent of namespace `{namespace}` names {owners} as a workload")]
    NoAgent {
        /// What was asked about.
        name: String,
        /// The namespace.
        namespace: String,
        /// It and who made it.
        owners: String,
        /// Who made it in the end: what an Agent names.
        top: String,
    },
}

impl Advice for TargetError {
    fn fix(&self) -> String {
        match self {
            Self::Nothing { name, namespace } => format!(
                "of a workload say its kind too, as `deployment/{name}`; `kubectl vouchsafe status -n {namespace}` lists agents and their Promotions"
            ),
            Self::Kind(_) => "name a promotion, an agent, a pod or a workload".to_owned(),
            Self::NoAgent { top, namespace, .. } => format!(
                "add {top} to an Agent's `workloads`, or write an Agent: kubectl vouchsafe adopt {top} -n {namespace} > agent.yaml"
            ),
        }
    }

    fn code(&self) -> u8 {
        1
    }
}

/// Finds what `NAME` or `KIND/NAME` means.
pub(super) async fn find(name: &str, cluster: &Cluster) -> Result<Target, Failure> {
    let (kind, name) = name.split_once('/').map_or(("", name), |(kind, name)| (kind, name));
    let any = kind.is_empty();
    if let Some(owner) = workload(kind) {
        return of_workload(owner, name, cluster).await;
    }
    if any || is(kind, "promotion", "vspr") {
        if let Some(promotion) = cluster.find::<Promotion>(name).await? {
            let agent = cluster.find::<Agent>(&promotion.spec.agent).await?;
            return Ok(Target {
                agent,
                promotion: Some(promotion),
                pod: None,
            });
        }
    } else if !is(kind, "agent", "vsag") && !is(kind, "pod", "po") {
        return Err(TargetError::Kind(kind.to_owned()).into());
    }
    if (any || is(kind, "agent", "vsag"))
        && let Some(agent) = cluster.find::<Agent>(name).await?
    {
        return of_agent(agent, cluster).await;
    }
    if (any || is(kind, "pod", "po"))
        && let Some(pod) = cluster.find::<Pod>(name).await?
    {
        return of_pod(pod, cluster).await;
    }
    of_past(name, cluster).await
}

/// Promotions of an agent that is not there (yet): promoted ahead, or orphaned. The newest counts.
async fn of_past(name: &str, cluster: &Cluster) -> Result<Target, Failure> {
    let mut all: Vec<Promotion> = cluster.list(false, &Select::field("spec.agent", name)).await?;
    all.sort_by_key(|promotion| promotion.metadata.creation_timestamp.as_ref().map(|time| time.0));
    let Some(promotion) = all.pop() else {
        let (name, namespace) = (name.to_owned(), cluster.namespace.clone());
        return Err(TargetError::Nothing { name, namespace }.into());
    };
    Ok(Target {
        promotion: Some(promotion),
        ..Target::default()
    })
}

fn is(kind: &str, name: &str, short: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    let kind = kind.split_once('.').map_or(kind.as_str(), |(kind, _)| kind);
    kind == short || kind.strip_suffix('s').unwrap_or(kind) == name
}

async fn of_agent(agent: Agent, cluster: &Cluster) -> Result<Target, Failure> {
    let named = agent.status.as_ref().and_then(|status| status.promotion.clone());
    let promotion = match named {
        Some(name) => cluster.find::<Promotion>(&name).await?,
        None => None,
    };
    Ok(Target {
        agent: Some(agent),
        promotion,
        pod: None,
    })
}

async fn of_pod(pod: Pod, cluster: &Cluster) -> Result<Target, Failure> {
    let raw = serde_json::to_value(&pod).unwrap_or_default();
    let chain = chain(raw, pod.metadata.owner_references.as_deref(), cluster).await?;
    let target = of_chain(&chain, cluster).await?;
    Ok(Target {
        pod: Some(pod),
        ..target
    })
}

/// A workload, and the agent that it belongs to.
async fn of_workload(kind: &str, name: &str, cluster: &Cluster) -> Result<Target, Failure> {
    let Some((object, owners)) = owner(kind, name, cluster).await? else {
        return Err(ClusterError::NotFound {
            object: format!("{kind} `{name}`"),
            namespace: cluster.namespace.clone(),
        }
        .into());
    };
    let chain = chain(object, owners.as_deref(), cluster).await?;
    of_chain(&chain, cluster).await
}

/// The agent that an object or one of its owners belongs to.
async fn of_chain(chain: &[Value], cluster: &Cluster) -> Result<Target, Failure> {
    let agents: Vec<Agent> = cluster.list(false, &Select::default()).await?;
    let means = |agent: &Agent| {
        let declared = lower::agent(&agent.spec).workloads;
        declared
            .iter()
            .any(|workload| chain.iter().any(|object| workload.selects(object)))
    };
    let Some(agent) = agents.into_iter().find(means) else {
        let titles: Vec<_> = chain.iter().map(title).collect();
        return Err(TargetError::NoAgent {
            name: titles.first().cloned().unwrap_or_default(),
            namespace: cluster.namespace.clone(),
            owners: titles.join(" or "),
            top: titles.last().cloned().unwrap_or_default(),
        }
        .into());
    };
    of_agent(agent, cluster).await
}

fn title(object: &Value) -> String {
    let word = |pointer: &str| {
        object
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    };
    format!("{}/{}", word("/kind"), word("/metadata/name"))
}

/// An object and who made it, and who made that, as raw objects.
async fn chain(
    object: Value,
    owners: Option<&[OwnerReference]>,
    cluster: &Cluster,
) -> Result<Vec<Value>, ClusterError> {
    let mut chain = vec![object];
    let mut next = controller(owners);
    while let Some(OwnerReference { kind, name, .. }) = next.take().filter(|_| chain.len() < LEVELS) {
        if let Some((object, owners)) = owner(&kind, &name, cluster).await? {
            chain.push(object);
            next = controller(owners.as_deref());
        }
    }
    Ok(chain)
}

type Owned = (Value, Option<Vec<OwnerReference>>);

/// An object of a kind that owns pods, raw, and its owners.
async fn owner(kind: &str, name: &str, cluster: &Cluster) -> Result<Option<Owned>, ClusterError> {
    Ok(match kind {
        "ReplicaSet" => raw::<ReplicaSet>(name, cluster).await?,
        "Deployment" => raw::<Deployment>(name, cluster).await?,
        "StatefulSet" => raw::<StatefulSet>(name, cluster).await?,
        "DaemonSet" => raw::<DaemonSet>(name, cluster).await?,
        "Job" => raw::<Job>(name, cluster).await?,
        "CronJob" => raw::<CronJob>(name, cluster).await?,
        _ => None,
    })
}

/// The kind that people mean, when it owns pods.
fn workload(kind: &str) -> Option<&'static str> {
    let kinds = [
        ("ReplicaSet", "rs"),
        ("Deployment", "deploy"),
        ("StatefulSet", "sts"),
        ("DaemonSet", "ds"),
        ("Job", "job"),
        ("CronJob", "cj"),
    ];
    let found = kinds
        .into_iter()
        .find(|(name, short)| is(kind, &name.to_ascii_lowercase(), short));
    found.map(|(name, _)| name)
}

async fn raw<K: Kind>(name: &str, cluster: &Cluster) -> Result<Option<Owned>, ClusterError> {
    let found = cluster.find::<K>(name).await?;
    Ok(found.map(|object| {
        let owners = object.meta().owner_references.clone();
        (serde_json::to_value(&object).unwrap_or_default(), owners)
    }))
}

fn controller(owners: Option<&[OwnerReference]>) -> Option<OwnerReference> {
    owners
        .into_iter()
        .flatten()
        .find(|owner| owner.controller == Some(true))
        .cloned()
}

/// Whether the pod is held, and since when.
pub(super) fn print_pod(pod: &Pod, now: Timestamp, screen: &mut Screen) {
    let gates = pod.spec.iter().flat_map(|spec| spec.scheduling_gates.iter().flatten());
    let gates: Vec<_> = gates.map(|gate| gate.name.as_str()).collect();
    let age = pod
        .metadata
        .creation_timestamp
        .as_ref()
        .map_or(String::new(), |time| verdict::ago(time.0, now));
    screen.pieces(&[
        (Style::Plain, "Pod "),
        (Style::Bold, pod.metadata.name.as_deref().unwrap_or_default()),
    ]);
    if gates.contains(&GATE) {
        field(
            screen,
            "held",
            &format!("since {age}; it starts by itself when its release is cleared"),
        );
    } else if gates.is_empty() {
        let phase = pod
            .status
            .as_ref()
            .and_then(|status| status.phase.as_deref())
            .unwrap_or("unknown");
        field(screen, "held", &format!("no; it is {phase}"));
    } else {
        field(
            screen,
            "held",
            &format!("not by Vouchsafe, but by {}", gates.join(", ")),
        );
    }
}
