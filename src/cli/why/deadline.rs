//! What waiting does to workloads: held pods, and deadlines that others set.

use crate::cli::{
    Failure,
    cluster::{Cluster, Select, permitted},
    digest::field,
    held,
    screen::{Screen, Style},
    verdict,
};
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use vouchsafe_api::{Agent, agent::declaration::WorkloadReference, lower};

/// Seconds a Deployment may take, when it does not say.
const DEFAULT: i32 = 600;

/// Prints how many pods are held since when, and Deployments whose deadline comes. What we may not read is left out.
pub(super) async fn print(
    agent: Option<&Agent>,
    cluster: &Cluster,
    now: Timestamp,
    screen: &mut Screen,
) -> Result<(), Failure> {
    let Some(mut held) = held::labelled(cluster).await? else {
        return Ok(());
    };
    held.retain(held::is_gated);
    let since = held
        .iter()
        .filter_map(|pod| Some(pod.metadata.creation_timestamp.as_ref()?.0))
        .min();
    if let Some(since) = since {
        let count = held.len();
        field(
            screen,
            "held pods",
            &format!(
                "{count} in this namespace, the oldest since {}",
                verdict::ago(since, now)
            ),
        );
    }
    for workload in agent
        .iter()
        .flat_map(|agent| &agent.spec.workloads)
        .filter(|workload| workload.kind == "Deployment")
    {
        for deployment in deployments(workload, agent, cluster).await? {
            if let Some(words) = deadline(&deployment, now) {
                screen.styled(Style::Wait, &format!("  ! {words}"));
            }
        }
    }
    Ok(())
}

async fn deployments(
    workload: &WorkloadReference,
    agent: Option<&Agent>,
    cluster: &Cluster,
) -> Result<Vec<Deployment>, Failure> {
    let found = match &workload.name {
        Some(name) => cluster
            .find::<Deployment>(name)
            .await
            .map(|found| found.into_iter().collect()),
        None => cluster.list::<Deployment>(false, &Select::default()).await,
    };
    let mut found: Vec<Deployment> = permitted(found)?.unwrap_or_default();
    let declared = agent
        .map(|agent| lower::agent(&agent.spec).workloads)
        .unwrap_or_default();
    found.retain(|deployment| {
        let raw = serde_json::to_value(deployment).unwrap_or_default();
        declared
            .iter()
            .any(|reference| reference.role == workload.role && reference.selects(&raw))
    });
    Ok(found)
}

/// When a Deployment that does not come up is given up on, in words; nothing when it is up.
fn deadline(deployment: &Deployment, now: Timestamp) -> Option<String> {
    let name = deployment.metadata.name.as_deref()?;
    let seconds = deployment.spec.as_ref()?.progress_deadline_seconds.unwrap_or(DEFAULT);
    let conditions = deployment.status.as_ref()?.conditions.as_ref()?;
    let progressing = conditions.iter().find(|condition| condition.type_ == "Progressing")?;
    let missed = progressing.status == "False";
    if missed {
        return Some(format!(
            "Deployment `{name}` counts as failed (progressDeadlineSeconds: {seconds}), so that Argo CD shows it as Degraded; its pods start all the same once cleared"
        ));
    }
    if progressing.reason.as_deref() == Some("NewReplicaSetAvailable") {
        return None;
    }
    let end = Timestamp::from_second(progressing.last_update_time.as_ref()?.0.as_second() + i64::from(seconds)).ok()?;
    (end > now).then(|| {
        format!(
            "Deployment `{name}` counts as failed in {} (progressDeadlineSeconds: {seconds}): promote ahead, or set a longer one",
            verdict::until(end, now)
        )
    })
}
