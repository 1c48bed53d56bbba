//! When the admission policies of the cluster change.
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
use std::{fmt, sync::Arc};
use tokio::{sync::Notify, task::JoinSet};

/// The kinds of policies and bindings.
pub(crate) const KINDS: [&str; 4] = [
    "MutatingAdmissionPolicy",
    "MutatingAdmissionPolicyBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// Which policy or binding; written as `Kind/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Name {
    /// One of [`KINDS`].
    pub(crate) kind: &'static str,
    /// Its name.
    pub(crate) name: String,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// How the API server calls a kind.
pub(crate) fn resource(kind: &str) -> ApiResource {
    workloads::resource("admissionregistration.k8s.io/v1", kind)
}

/// Watches all of them in `tasks`. Nothing waits for these watches to be ready: a cluster that does not let us see them is no reason to let
/// nothing in.
pub(crate) fn watch(client: &Client, tasks: &mut JoinSet<()>) -> Arc<Notify> {
    let changed = Arc::new(Notify::new());
    for kind in KINDS {
        let api: Api<PartialObjectMeta<DynamicObject>> = Api::all_with(client.clone(), &resource(kind));
        let events = watcher(api, Config::default()).default_backoff();
        let changed = Arc::clone(&changed);
        tasks.spawn(events.for_each(move |event| {
            match event {
                Ok(Event::Init | Event::InitApply(_)) => {}
                Ok(Event::Apply(_) | Event::Delete(_) | Event::InitDone) => changed.notify_one(),
                Err(error) => {
                    tracing::warn!(event = "watch", kind, %error, "watch was interrupted");
                    changed.notify_one();
                }
            }
            future::ready(())
        }));
    }
    changed
}
