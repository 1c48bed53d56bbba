//! What became of pods: running, held at the gate, or not there.

use crate::await_::{Look, until};
use anyhow::{Result, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt, api::ListParams};

/// The scheduling gate by which an uncleared pod waits.
pub const GATE: &str = "vouchsafe.dev/clearance";

/// Whether it waits at our gate, on no node.
#[must_use]
pub fn is_held(pod: &Pod) -> bool {
    let Some(spec) = &pod.spec else { return false };
    let gates = spec.scheduling_gates.iter().flatten();
    spec.node_name.is_none() && gates.into_iter().any(|gate| gate.name == GATE)
}

/// Whether it runs, or has run.
#[must_use]
pub fn has_run(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Running" | "Succeeded" | "Failed"))
}

/// Awaits exactly so many running pods, and no other kind of them.
///
/// # Errors
/// When the deadline has passed.
pub async fn await_running(pods: &Api<Pod>, selector: &str, count: usize) -> Result<Vec<Pod>> {
    await_all(pods, selector, count, "running", |pod| {
        has_run(pod) && pod.metadata.deletion_timestamp.is_none()
    })
    .await
}

/// Awaits exactly so many held pods, and no other kind of them.
///
/// # Errors
/// When the deadline has passed.
pub async fn await_held(pods: &Api<Pod>, selector: &str, count: usize) -> Result<Vec<Pod>> {
    await_all(pods, selector, count, "held", is_held).await
}

/// Fails when a pod runs or has run. Await first what proves that they were looked at: that they are held, or were refused.
///
/// # Errors
/// When one has, by name.
pub async fn none_has_run(pods: &Api<Pod>, selector: &str) -> Result<()> {
    let found = pods.list(&ListParams::default().labels(selector)).await?;
    let run: Vec<String> = found
        .iter()
        .filter(|pod| has_run(pod))
        .map(ResourceExt::name_any)
        .collect();
    ensure!(run.is_empty(), "these pods ran, and none should: {}", run.join(", "));
    Ok(())
}

async fn await_all(
    pods: &Api<Pod>,
    selector: &str,
    count: usize,
    how: &str,
    condition: impl Fn(&Pod) -> bool,
) -> Result<Vec<Pod>> {
    let what = format!("{count} pods with `{selector}`, all {how}");
    until(&what, || async {
        let found = pods.list(&ListParams::default().labels(selector)).await?.items;
        Ok(if found.len() == count && found.iter().all(&condition) {
            Look::Seen(found)
        } else {
            Look::NotYet(in_words(&found))
        })
    })
    .await
}

fn in_words(pods: &[Pod]) -> String {
    let words: Vec<String> = pods
        .iter()
        .map(|pod| {
            let phase = pod
                .status
                .as_ref()
                .and_then(|status| status.phase.clone())
                .unwrap_or_default();
            let gate = if is_held(pod) { ", held" } else { "" };
            format!("{} ({phase}{gate})", pod.name_any())
        })
        .collect();
    if words.is_empty() {
        "no pods".to_owned()
    } else {
        words.join(", ")
    }
}
