//! The product's CRDs, policies and rights, installed as users install them: the chart, by the real helm, as an administrator.
//!
//! Its Deployment has no replicas here, because the image would have to be pulled and the nodes are fake; the rest is in force.

use crate::{
    await_::{Look, until},
    cluster::Cluster,
    helm::Helm,
    program::Run,
    tools::Tools,
    users::User,
};
use anyhow::{Context, Result};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{Api, ResourceExt, api::ListParams};
use serde_json::Value;

/// Where it is installed.
pub const NAMESPACE: &str = "vouchsafe-system";
/// The release's name, and that of the service account.
pub const NAME: &str = "vouchsafe";
/// The group of our kinds.
const GROUP: &str = "vouchsafe.dev";

/// Where the chart lies.
#[must_use]
pub fn folder() -> String {
    crate::checkout().join("charts").join("vouchsafe").display().to_string()
}

/// Where the API server asks operators that run as processes: the chart's `webhook.url`. Nothing where it asks none, or by a real Service.
#[must_use]
pub fn asked_at(cluster: &Cluster) -> String {
    let service = cluster.service();
    service.map_or_else(String::new, |service| format!("https://{}", service.address()))
}

/// Renders the chart with these values, and needs no cluster.
///
/// # Errors
/// When helm was not prepared.
pub fn template(tools: &Tools, user: &User, values: &Value) -> Result<Run> {
    let version = tools.kubernetes().version.trim_start_matches('v');
    let (chart, about) = (folder(), ["--kube-version", version, "-n", NAMESPACE, "-f", "-"]);
    let run = Helm::new(tools)?.run(user, ["template", NAME, &chart]).args(about);
    Ok(run.input(values.to_string()))
}

/// The objects in what helm rendered.
///
/// # Errors
/// When it is no YAML.
pub fn objects(rendered: &str) -> Result<Vec<Value>> {
    let all: Vec<Value> = serde_saphyr::from_multiple(rendered).context("helm rendered no YAML")?;
    Ok(all.into_iter().filter(Value::is_object).collect())
}

/// What an object is called, as `Kind/name`.
#[must_use]
pub fn called(object: &Value) -> String {
    let word = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    format!("{}/{}", word("/kind"), word("/metadata/name"))
}

/// Installs the chart, or brings an installed one to this state, and waits until the API server serves its kinds.
///
/// # Errors
/// When helm fails, or the kinds are not served.
pub async fn install(cluster: &Cluster) -> Result<()> {
    install_with(cluster, &["--set", "replicas=0", "--set", "roles.approvers={security}"]).await
}

/// The same with other values.
///
/// # Errors
/// When helm fails, or the kinds are not served.
pub async fn install_with(cluster: &Cluster, values: &[&str]) -> Result<()> {
    let chart = folder();
    let helm = Helm::new(cluster.tools())?;
    let args = [
        "upgrade",
        "--install",
        NAME,
        &chart,
        "-n",
        NAMESPACE,
        "--create-namespace",
    ];
    let asked = format!("webhook.url={}", asked_at(cluster));
    helm.run(cluster.admin(), args.into_iter().chain(values.iter().copied()))
        .args(["--set", &asked])
        .must()
        .await
        .context("cannot install the chart")?;
    await_kinds(cluster).await
}

/// Waits until the API server serves the kinds, whoever brought them.
///
/// # Errors
/// When it does not.
pub async fn await_kinds(cluster: &Cluster) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(cluster.admin().client.clone());
    until("the chart's kinds to be served", || async {
        let found = api.list(&ListParams::default()).await?.items;
        let ours: Vec<_> = found
            .iter()
            .filter(|definition| definition.spec.group == GROUP)
            .collect();
        let missing: Vec<String> = ours
            .iter()
            .filter(|definition| !is_served(definition))
            .map(|definition| definition.name_any())
            .collect();
        Ok(if ours.is_empty() || !missing.is_empty() {
            Look::NotYet(format!("{} kinds, not served: {}", ours.len(), missing.join(", ")))
        } else {
            Look::Seen(())
        })
    })
    .await
}

fn is_served(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|conditions| {
        conditions
            .iter()
            .any(|condition| condition.type_ == "Established" && condition.status == "True")
    })
}
