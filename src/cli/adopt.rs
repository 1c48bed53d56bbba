//! `adopt`: the manifest of an Agent for workloads that are there already, for people to complete.
//!
//! Takes workloads of a cluster or of manifests; gives YAML with comments. What it guesses is marked, what it cannot know is asked for.

mod all;
mod guess;
mod names;
mod words;
mod write;

use super::{
    Advice, Ended, Failure,
    agents::config_object,
    cluster::{Cluster, ClusterArgs, ClusterError, Kind, permitted},
    manifests::{Manifest, Manifests, word},
    promote::of_config_map,
    screen::Screen,
};
use clap::Args;
use guess::Guess;
use k8s_openapi::api::{
    apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet},
    batch::v1::{CronJob, Job},
    core::v1::{ConfigMap, Pod},
};
use serde_json::Value;
use std::{io, path::PathBuf};
use vouchsafe_core::surface::{ConfigObject, Objects, pod_template};

/// Write an Agent for workloads that are there already, or one for every workload that no Agent names.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  kubectl vouchsafe adopt deployment/refund-triage -n support-dev > agent.yaml\n  kubectl vouchsafe adopt -n support-dev --all --team support -o agents/support-dev"
)]
pub(crate) struct AdoptArgs {
    /// Workloads of the cluster, as KIND/NAME: one Agent for all of them.
    #[arg(
        value_name = "KIND/NAME",
        required_unless_present_any = ["filename", "all"],
        conflicts_with_all = ["filename", "all"]
    )]
    workloads: Vec<String>,
    /// Manifests that hold the workloads: a file, a folder, or - for standard input.
    #[arg(short, long = "filename", value_name = "PLACE")]
    filename: Vec<String>,
    /// An Agent for each workload of the namespace, or of the manifests, that no Agent names yet. What belongs to another workload is
    /// part of that; what cannot be described (hooks, static pods, what has ended) is told on standard error.
    #[arg(long, conflicts_with = "name")]
    all: bool,
    /// Write each Agent into a file NAME.yaml of this folder, for Git, and leave files that are there already; without it everything is
    /// printed as one stream of YAML documents.
    #[arg(short, long, value_name = "FOLDER")]
    output_dir: Option<PathBuf>,
    /// The Agent's name; that of the first workload when left out.
    #[arg(long)]
    name: Option<String>,
    /// The team that answers for it; else there is a TODO.
    #[arg(long)]
    team: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Why nothing can be adopted.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdoptError {
    /// Not `KIND/NAME`.
    #[error("`{0}` is not a workload, as `deployment/refund-triage`")]
    Name(String),
    /// No workloads.
    #[error("there are no workloads in the manifests")]
    Nothing,
    /// A file cannot be written.
    #[error("`{file}` cannot be written")]
    Write {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
}

impl Advice for AdoptError {
    fn fix(&self) -> String {
        match self {
            Self::Name(_) => "name a deployment, statefulset, daemonset, replicaset, job, cronjob or pod".to_owned(),
            Self::Nothing => {
                "give rendered manifests with a Deployment, StatefulSet, DaemonSet, Job, CronJob or Pod".to_owned()
            }
            Self::Write { .. } => "name a folder that can be written to".to_owned(),
        }
    }
}

/// Writes it.
pub(crate) fn run(args: &AdoptArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    if args.all {
        return all::run(args, screen);
    }
    let (objects, configuration) = if args.filename.is_empty() {
        super::wait(of_cluster(args))??
    } else {
        of_manifests(&Manifests::read(&args.filename)?)
    };
    let Some(first) = objects.first() else {
        return Err(AdoptError::Nothing.into());
    };
    let name = args.name.clone().unwrap_or_else(|| name_of(first).to_owned());
    let mut guess = Guess::new(name);
    guess.team.clone_from(&args.team);
    let several = objects.len() > 1;
    for object in &objects {
        let role = if several { name_of(object) } else { "server" };
        guess.add(role, object, &configuration);
    }
    guess.keep_what_is_free(&objects, &configuration);
    write::all(&[guess], args.output_dir.as_deref(), screen)?;
    Ok(Ended::Well)
}

fn name_of(object: &Value) -> &str {
    object.get("metadata").map_or("", |metadata| word(metadata, "name"))
}

fn of_manifests(manifests: &Manifests) -> (Vec<Value>, Objects) {
    let workloads = manifests
        .objects
        .iter()
        .filter(|manifest| pod_template(&manifest.object).is_some());
    let mut configuration = Objects::default();
    for manifest in manifests.of("", "ConfigMap") {
        // What is malformed only makes the guess poorer; `digest` says so.
        if let Ok(object) = config_object(&manifest.object) {
            configuration.config_maps.insert(manifest.name().to_owned(), object);
        }
    }
    (
        workloads.map(|Manifest { object, .. }| object.clone()).collect(),
        configuration,
    )
}

async fn of_cluster(args: &AdoptArgs) -> Result<(Vec<Value>, Objects), Failure> {
    let cluster = Cluster::open(&args.cluster).await?;
    let mut objects = Vec::new();
    let mut configuration = Objects::default();
    for named in &args.workloads {
        let object = workload(named, &cluster).await?;
        for name in guess::config_maps(&object) {
            if let Some(found) = config_map(&name, &cluster).await? {
                configuration.config_maps.insert(name, found);
            }
        }
        objects.push(object);
    }
    Ok((objects, configuration))
}

async fn config_map(name: &str, cluster: &Cluster) -> Result<Option<ConfigObject>, ClusterError> {
    let found = permitted(cluster.find::<ConfigMap>(name).await)?;
    Ok(found.flatten().map(of_config_map))
}

async fn workload(named: &str, cluster: &Cluster) -> Result<Value, Failure> {
    let wrong = || AdoptError::Name(named.to_owned());
    let (kind, name) = named.split_once('/').ok_or_else(wrong)?;
    let kind = kind.to_ascii_lowercase();
    let kind = kind.split('.').next().unwrap_or_default();
    Ok(match kind {
        "deployment" | "deployments" | "deploy" => raw::<Deployment>(name, cluster).await?,
        "statefulset" | "statefulsets" | "sts" => raw::<StatefulSet>(name, cluster).await?,
        "daemonset" | "daemonsets" | "ds" => raw::<DaemonSet>(name, cluster).await?,
        "replicaset" | "replicasets" | "rs" => raw::<ReplicaSet>(name, cluster).await?,
        "job" | "jobs" => raw::<Job>(name, cluster).await?,
        "cronjob" | "cronjobs" | "cj" => raw::<CronJob>(name, cluster).await?,
        "pod" | "pods" | "po" => raw::<Pod>(name, cluster).await?,
        _ => return Err(wrong().into()),
    })
}

async fn raw<K: Kind>(name: &str, cluster: &Cluster) -> Result<Value, ClusterError> {
    let found: K = cluster.get(name).await?;
    Ok(serde_json::to_value(&found).unwrap_or_default())
}
