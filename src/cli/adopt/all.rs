//! `adopt --all`: every workload of a namespace, or of manifests, that no Agent names.
//!
//! Takes what is there; gives a guess for each workload, in order of kind and name, and says what was left out and why. It guesses no
//! Agent for what cannot be described by itself.

use super::{AdoptArgs, AdoptError, guess::Guess, name_of, names::Names, write};
use crate::cli::{
    Ended, Failure, agents,
    cluster::{Cluster, ClusterError, Kind, Select},
    manifests::{Manifests, word},
    promote::of_config_map,
    schema,
    screen::{Screen, note},
};
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
    core::v1::{ConfigMap, Pod},
};
use kube::ResourceExt as _;
use serde_json::Value;
use vouchsafe_api::{Agent, GROUP, lower};
use vouchsafe_core::surface::{Objects, WorkloadReference, pod_template};

/// Kinds that are followed from a pod to its workload, in the order in which Agents are written.
const KINDS: &[&str] = &[
    "Deployment",
    "StatefulSet",
    "DaemonSet",
    "CronJob",
    "Job",
    "ReplicaSet",
    "Pod",
];
/// Annotations of what another tool runs once, in the course of an installation.
const HOOKS: &[(&str, &str)] = &[("helm.sh/hook", "Helm"), ("argocd.argoproj.io/hook", "Argo CD")];
const MIRROR: &str = "kubernetes.io/config.mirror";

/// What is there.
#[derive(Debug, Default)]
struct There {
    namespace: Option<String>,
    workloads: Vec<Value>,
    /// Names and what they name.
    agents: Vec<(String, Vec<WorkloadReference>)>,
    configuration: Objects,
}

/// Writes an Agent for each.
pub(super) fn run(args: &AdoptArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let there = if args.filename.is_empty() {
        crate::cli::wait(of_cluster(args))??
    } else {
        of_manifests(&Manifests::read(&args.filename)?, args.cluster.namespace.as_deref())?
    };
    if there.workloads.is_empty() && !args.filename.is_empty() {
        return Err(AdoptError::Nothing.into());
    }
    let (chosen, left) = choose(&there);
    let mut names = Names::taken(there.agents.iter().map(|(name, _)| name.clone()));
    let mut guesses = Vec::new();
    for object in chosen {
        let mut guess = Guess::new(names.of(word(object, "kind"), name_of(object)));
        guess.namespace.clone_from(&there.namespace);
        guess.team.clone_from(&args.team);
        guess.add("server", object, &there.configuration);
        guess.keep_what_is_free(std::slice::from_ref(object), &there.configuration);
        guesses.push(guess);
    }
    for (object, why) in &left {
        note(&format!(
            "left out: {}/{}: {why}",
            word(object, "kind"),
            name_of(object)
        ));
    }
    if guesses.is_empty() {
        note("every workload that can be described is named by an Agent");
    }
    write::all(&guesses, args.output_dir.as_deref(), screen)?;
    Ok(Ended::Well)
}

/// Workloads to write Agents for, and those that are told of instead.
fn choose(there: &There) -> (Vec<&Value>, Vec<(&Value, String)>) {
    let claimed = |object: &Value| {
        let mut references = there.agents.iter().flat_map(|(_, references)| references);
        references.any(|reference| reference.selects(object))
    };
    let rank = |object: &Value| KINDS.iter().position(|kind| *kind == word(object, "kind"));
    let mut all: Vec<_> = there.workloads.iter().filter(|object| !claimed(object)).collect();
    all.sort_by_key(|object| (rank(object).unwrap_or(KINDS.len()), name_of(object).to_owned()));
    let (mut chosen, mut left) = (Vec::new(), Vec::new());
    for object in all {
        match judge(object) {
            Judged::Describe => chosen.push(object),
            Judged::Tell(why) => left.push((object, why)),
            Judged::Part => {}
        }
    }
    (chosen, left)
}

/// What becomes of a workload that no Agent names.
#[derive(Debug, PartialEq, Eq)]
enum Judged {
    /// It gets an Agent.
    Describe,
    /// It belongs to a workload that is described itself.
    Part,
    /// It gets none, for this reason.
    Tell(String),
}

fn judge(object: &Value) -> Judged {
    let kind = word(object, "kind");
    let metadata = object.get("metadata").unwrap_or(&Value::Null);
    let annotation = |name: &str| metadata.get("annotations").and_then(|all| all.get(name)).is_some();
    let owner = controller(metadata);
    if annotation(MIRROR) {
        return Judged::Tell("a static pod: a kubelet runs it from a file, and nothing can hold it".to_owned());
    }
    match owner {
        Some((owner, _)) if KINDS.contains(&owner) => return Judged::Part,
        Some((owner, name)) if kind == "Pod" => {
            return Judged::Tell(format!(
                "{owner}/{name} makes it, which is not followed: name its pods in an Agent by a selector"
            ));
        }
        _ => {}
    }
    if let Some((_, tool)) = HOOKS.iter().find(|(name, _)| annotation(name)) {
        return Judged::Tell(format!(
            "a hook of {tool}: add it to the workloads of the Agent that it belongs to, by a selector"
        ));
    }
    if has_ended(object) {
        return Judged::Tell("it has ended and does not run again".to_owned());
    }
    match pod_template(object) {
        Some(_) => Judged::Describe,
        None => Judged::Tell("it has no pod template".to_owned()),
    }
}

/// Kind and name of what controls it.
fn controller(metadata: &Value) -> Option<(&str, &str)> {
    let owners = metadata.get("ownerReferences").and_then(Value::as_array)?;
    let owner = owners
        .iter()
        .find(|owner| owner.get("controller") == Some(&Value::Bool(true)))?;
    Some((word(owner, "kind"), word(owner, "name")))
}

fn has_ended(object: &Value) -> bool {
    let phase = object.pointer("/status/phase").and_then(Value::as_str);
    let conditions = object.pointer("/status/conditions").and_then(Value::as_array);
    let ended = |condition: &Value| {
        matches!(word(condition, "type"), "Complete" | "Failed") && word(condition, "status") == "True"
    };
    match word(object, "kind") {
        "Pod" => matches!(phase, Some("Succeeded" | "Failed")),
        "Job" => conditions.into_iter().flatten().any(ended),
        _ => false,
    }
}

fn of_manifests(manifests: &Manifests, namespace: Option<&str>) -> Result<There, Failure> {
    let (workloads, configuration) = super::of_manifests(manifests);
    let mut agents = Vec::new();
    for agent in manifests.of(GROUP, "Agent") {
        let spec = schema::typed::<Agent>(agent).map_err(agents::AgentError::from)?.spec;
        agents.push((agent.name().to_owned(), lower::agent(&spec).workloads));
    }
    Ok(There {
        namespace: namespace.map(str::to_owned),
        workloads,
        agents,
        configuration,
    })
}

async fn of_cluster(args: &AdoptArgs) -> Result<There, ClusterError> {
    let cluster = Cluster::open(&args.cluster).await?;
    let mut workloads = Vec::new();
    workloads.extend(raw::<Deployment>(&cluster).await?);
    workloads.extend(raw::<StatefulSet>(&cluster).await?);
    workloads.extend(raw::<DaemonSet>(&cluster).await?);
    workloads.extend(raw::<CronJob>(&cluster).await?);
    workloads.extend(raw::<Job>(&cluster).await?);
    workloads.extend(raw::<ReplicaSet>(&cluster).await?);
    workloads.extend(raw::<Pod>(&cluster).await?);
    let agents: Vec<Agent> = cluster.list(false, &Select::default()).await?;
    let mut configuration = Objects::default();
    match cluster.list::<ConfigMap>(false, &Select::default()).await {
        Ok(found) => configuration.config_maps.extend(
            found
                .into_iter()
                .map(|config_map| (config_map.name_any(), of_config_map(config_map))),
        ),
        // The guess is poorer without.
        Err(ClusterError::Forbidden { .. }) => {}
        Err(error) => return Err(error),
    }
    let named = |agent: &Agent| (agent.name_any(), lower::agent(&agent.spec).workloads);
    Ok(There {
        agents: agents.iter().map(named).collect(),
        namespace: Some(cluster.namespace),
        workloads,
        configuration,
    })
}

async fn raw<K: Kind>(cluster: &Cluster) -> Result<Vec<Value>, ClusterError> {
    let found: Vec<K> = cluster.list(false, &Select::default()).await?;
    Ok(found
        .iter()
        .filter_map(|object| serde_json::to_value(object).ok())
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_cannot_be_described_is_told() {
        let of = |kind: &str, more: Value| {
            let mut object = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": "x"}, "spec": {"template": {"spec": {}}}});
            object
                .as_object_mut()
                .unwrap()
                .extend(more.as_object().unwrap().clone());
            object
        };
        let owned = |kind: &str| json!({"metadata": {"name": "x", "ownerReferences": [{"kind": kind, "name": "y", "controller": true}]}});
        let annotated = |name: &str| json!({"metadata": {"name": "x", "annotations": {name: "1"}}});
        for (object, expected) in [
            (of("Deployment", json!({})), "describe"),
            (of("CronJob", json!({})), "it has no pod template"),
            (of("ReplicaSet", owned("Deployment")), "part"),
            (of("Job", owned("CronJob")), "part"),
            (of("Pod", owned("ReplicaSet")), "part"),
            (of("Pod", owned("ReplicationController")), "not followed"),
            (of("Pod", owned("Node")), "not followed"),
            (of("StatefulSet", owned("Prometheus")), "describe"),
            (of("Pod", annotated(MIRROR)), "a static pod"),
            (of("Job", annotated("helm.sh/hook")), "a hook of Helm"),
            (of("Job", annotated("argocd.argoproj.io/hook")), "a hook of Argo CD"),
            (of("Pod", json!({"status": {"phase": "Running"}})), "describe"),
            (of("Pod", json!({"status": {"phase": "Succeeded"}})), "it has ended"),
            (
                of(
                    "Job",
                    json!({"status": {"conditions": [{"type": "Complete", "status": "True"}]}}),
                ),
                "it has ended",
            ),
            (
                of(
                    "Job",
                    json!({"status": {"conditions": [{"type": "Suspended", "status": "True"}]}}),
                ),
                "describe",
            ),
        ] {
            let found = match judge(&object) {
                Judged::Describe => "describe".to_owned(),
                Judged::Part => "part".to_owned(),
                Judged::Tell(why) => why,
            };
            assert!(found.contains(expected), "{object}: {found}");
        }
    }
}
