//! When the admission policies of the cluster, or webhooks in their place, change.
//!
//! Takes a client; gives a word whenever one of them came, went or changed. What they say is read by whoever compares it.

use super::workloads;
use futures::{StreamExt, future};
use kube::{
    Api, Client,
    api::{ApiResource, DynamicObject},
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt,
        watcher::{Config, Event, watcher},
    },
};
use std::{fmt, sync::Arc, time::Duration};
use tokio::{sync::Notify, task::JoinSet, time::sleep};

/// When to ask again in which version a kind is served.
const RETRY: Duration = Duration::from_secs(10);

/// The kinds of policies and bindings.
pub(crate) const KINDS: [&str; 4] = [
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// The same where the API server serves no mutating policies.
pub(crate) const KINDS_WITH_WEBHOOK: [&str; 3] = [
    "MutatingWebhookConfiguration",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// Which policy or binding; written as `Kind/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// One of [`KINDS`] or [`KINDS_WITH_WEBHOOK`].
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// The kinds that Kubernetes before 1.36 serves as `v1beta1` only.
const YOUNG: [&str; 2] = ["MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding"];

/// How the API server calls a kind, in the version that it serves. A spec reads the same in both.
pub(crate) async fn resource(client: &Client, kind: &str) -> Result<ApiResource, kube::Error> {
    const STABLE: &str = "admissionregistration.k8s.io/v1";
    let is_stable = !YOUNG.contains(&kind) || {
        let served = client.list_api_group_resources(STABLE).await?;
        served.resources.iter().any(|resource| resource.kind == kind)
    };
    let version = if is_stable {
        STABLE
    } else {
        "admissionregistration.k8s.io/v1beta1"
    };
    Ok(workloads::resource(version, kind))
}

/// Watches all of them in `tasks`. Nothing waits for these watches to be ready: a cluster that does not let us see them is no reason to let
/// nothing in.
pub(crate) fn watch(client: &Client, kinds: &[&'static str], tasks: &mut JoinSet<()>) -> Arc<Notify> {
    let changed = Arc::new(Notify::new());
    for kind in kinds.iter().copied() {
        tasks.spawn(one(client.clone(), kind, Arc::clone(&changed)));
    }
    changed
}

async fn one(client: Client, kind: &'static str, changed: Arc<Notify>) {
    let resource = loop {
        match resource(&client, kind).await {
            Ok(resource) => break resource,
            Err(error) => {
                tracing::warn!(event = "watch", kind, %error, "it is not known in which version it is served");
            }
        }
        sleep(RETRY).await;
    };
    let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client, &resource);
    let events = watcher(api, Config::default()).default_backoff();
    let told = events.for_each(|event| {
        match event {
            Ok(Event::Init | Event::InitApply(_)) => {}
            Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => changed.notify_one(),
            Err(error) => {
                tracing::warn!(event = "watch", kind, %error, "watch was interrupted");
                changed.notify_one();
            }
        }
        future::ready(())
    });
    told.await;
}
