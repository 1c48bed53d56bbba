//! The operator: watches, decides, enforces, until it is told to stop.
//!
//! Takes flags and a kubeconfig or the pod's service account. It serves nothing inside an admission request.

mod args;
mod control;
mod error;

pub(crate) use self::{args::OperatorArgs, error::OperatorError};

use crate::{
    enforce::{self, Context, agents, environments, facts, ledger, promotions},
    observe::{self, change::Queues, signatures::Signatures},
    record::Recorder,
};
use kube::Client;
use std::{sync::Arc, time::Duration};
use tokio::{sync::mpsc::unbounded_channel, task::JoinSet};

/// What the operator was told at its start.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How long a release has to be quiet before a Promotion is made for it.
    pub(crate) quiet: Duration,
    /// The user name that the API server knows the operator by.
    pub(crate) identity: String,
    /// When the process started, in seconds of the epoch: what it names is not what another process named.
    pub(crate) started: i64,
    /// The namespace of the self-probe.
    pub(crate) probe_namespace: String,
}

/// Starts the runtime and the logs, and runs.
///
/// # Errors
/// As [`run`].
pub(crate) fn start(args: &OperatorArgs) -> Result<(), OperatorError> {
    crate::telemetry::start();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.map_err(OperatorError::Threads)?.block_on(run(args))
}

/// Runs until a signal comes or a controller fails for good.
///
/// # Errors
/// When the cluster cannot be reached, a flag cannot be used, or the watches never get ready.
pub(crate) async fn run(args: &OperatorArgs) -> Result<(), OperatorError> {
    let client = Client::try_default().await.context("no cluster: set KUBECONFIG, or run in a pod with a service account")?;
    let mut tasks = JoinSet::new();
    let (agents_in, agents_queue) = unbounded_channel();
    let (promotions_in, promotions_queue) = unbounded_channel();
    let (ledgers_in, ledgers_queue) = unbounded_channel();
    let (environments_in, environments_queue) = unbounded_channel();
    let queues = Queues {
        agents: agents_in,
        promotions: promotions_in,
        ledgers: ledgers_in,
        environments: environments_in,
    };
    let registry = args.registry()?;
    let credentials = args.credentials()?;
    let settings = args.settings(&client).await?;
    let world = observe::start(&client, queues, &mut tasks).await.context("the watches did not get ready")?;
    let signatures = Signatures::new(registry, credentials, world.changes.clone());
    let stores = (world.agents.clone(), world.promotions.clone(), world.namespaces.clone(), world.environments.clone());
    let context = Arc::new(Context {
        recorder: Recorder::new(client),
        signatures: Arc::new(signatures),
        ledgers: ledger::Ledgers::default(),
        writers: facts::Writers::default(),
        settings,
        world,
    });
    tracing::info!(event = "ready", "every watch has listed what is there");
    let (agents_store, promotions_store, namespaces_store, environments_store) = stores;
    tasks.spawn(control::run(agents_store, agents_queue, agents::reconcile, Arc::clone(&context)));
    tasks.spawn(control::run(promotions_store, promotions_queue, promotions::reconcile, Arc::clone(&context)));
    tasks.spawn(control::run(namespaces_store, ledgers_queue, ledger::reconcile, Arc::clone(&context)));
    tasks.spawn(control::run(environments_store, environments_queue, environments::reconcile, Arc::clone(&context)));
    tasks.spawn(enforce::retention::run(context));
    tokio::select! {
        () = stopped() => tracing::info!(event = "stop", "stopping"),
        ended = tasks.join_next() => return Err(OperatorError::Ended(format!("{ended:?}"))),
    }
    tasks.shutdown().await;
    Ok(())
}

/// SIGTERM or Ctrl-C.
async fn stopped() {
    use tokio::signal::{ctrl_c, unix};
    let terminated = async {
        match unix::signal(unix::SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminated => {}
        _ = ctrl_c() => {}
    }
}
