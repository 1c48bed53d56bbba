//! Making sure that the API server has seen a ledger before anything is built on it.
//!
//! Takes nothing but the probe namespace: a name that nobody used is protected in its ledger, and creating a ConfigMap of that name is tried
//! (as a dry run) until it is refused. Ledgers reach the policies in the order of their resourceVersions, so whatever was written before
//! has been seen then, in every namespace. With several API servers only the one that answers has; another one is a moment late.

use crate::enforce::{Context, Error, write};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use serde_json::json;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};
use vouchsafe_api::Clearance;

const MANAGER: &str = "vouchsafe-barrier";
/// How long to try, and how often.
const PATIENCE: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(2);

/// Barriers are shared: whoever asked before one began is served by it.
#[derive(Default)]
pub(crate) struct Barrier {
    begun: AtomicU64,
    turn: Mutex<u64>,
}

impl Barrier {
    /// Returns when the API server has seen everything that was written before.
    pub(super) async fn wait(&self, context: &Context) -> Result<(), Error> {
        let ticket = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let mut served = self.turn.lock().await;
        if *served >= ticket {
            return Ok(());
        }
        let newest = self.begun.load(Ordering::SeqCst);
        pass(context, newest).await?;
        *served = newest;
        Ok(())
    }
}

async fn pass(context: &Context, number: u64) -> Result<(), Error> {
    let namespace = &context.settings.probe_namespace;
    let nonce = format!("barrier-{}-{number}", context.settings.started);
    let ledgers: Api<Clearance> = Api::namespaced(context.world.client.clone(), namespace);
    let spec = super::probe::ledger(context, &nonce);
    let body = json!({
        "apiVersion": "vouchsafe.dev/v1alpha1", "kind": "Clearance",
        "metadata": {"name": "clearance", "namespace": namespace}, "spec": spec,
    });
    write::apply(&ledgers, "clearance", MANAGER, &body).await?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        if is_refused(context, namespace, &nonce).await? {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(Error::NotSeen(namespace.clone()));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn is_refused(context: &Context, namespace: &str, name: &str) -> Result<bool, Error> {
    let api: Api<ConfigMap> = Api::namespaced(context.world.client.clone(), namespace);
    let object = ConfigMap {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            ..ObjectMeta::default()
        },
        ..ConfigMap::default()
    };
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    match api.create(&dry_run, &object).await {
        Ok(_) => Ok(false),
        // Refused by the policy, not for want of the right to create.
        Err(kube::Error::Api(status))
            if matches!(status.code, 403 | 422) && status.message.contains("vouchsafe-config") =>
        {
            Ok(true)
        }
        Err(error) => Err(write::failed("try the policies in", namespace.to_owned())(error)),
    }
}
