//! The operator: watches, decides, enforces, until it is told to stop.
//!
//! Takes flags and a kubeconfig or the pod's service account. It serves nothing inside an admission request, unless the API server serves no
//! mutating policies.

mod args;
mod control;
mod error;
mod fence;
mod lease;

pub(crate) use self::{args::OperatorArgs, error::OperatorError};

use crate::{
    enforce::{self, Context, agents, checks, environments, facts, ledger, policies, promotions},
    metrics::Metrics,
    observe::{self, change::Queues, signatures::Signatures},
    record::Recorder,
    serve::{self, Health, Told},
    traces, webhook,
};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Client, Config, core::PartialObjectMeta, runtime::controller::ReconcileRequest};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    task::JoinSet,
};
use vouchsafe_api::{Agent, Check, Environment, Promotion};

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
    /// Our own namespace, where the Lease is.
    pub(crate) namespace: String,
    /// Who we are among several operators.
    pub(crate) name: String,
    /// Scheduling gates of others that the installed policies allow.
    pub(crate) allowed_gates: Vec<String>,
    /// By which name the API server asks the webhook, where it serves no mutating policies.
    pub(crate) webhook: Option<String>,
}

/// The Lease that one of several operators holds.
const LEASE: &str = "vouchsafe";

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
/// When the cluster cannot be reached, a flag cannot be used, the watches never get ready, or another operator took over.
pub(crate) async fn run(args: &OperatorArgs) -> Result<(), OperatorError> {
    let mut tasks = JoinSet::new();
    let health = Arc::new(Health::default());
    let metrics = Arc::new(Metrics::new());
    let told = Told {
        health: Arc::clone(&health),
        metrics: Arc::clone(&metrics),
    };
    tasks.spawn(serve::serve(args.listen().await?, told));
    let (config, plain) = reached().await?;
    let (registry, credentials) = (args.registry()?, args.credentials()?);
    let settings = args.settings(&plain).await?;
    let shipped = policies::Shipped::new(&settings)?;
    let (seeking, mut claim) = lease::Seeking::begin(config.clone(), &settings.namespace, LEASE, &settings.name)?;
    let client = fence::client(config, claim.clone(), Arc::clone(&metrics))?;
    let (queues, mut taken) = queues();
    let world = observe::start(&client, queues.clone(), &mut tasks).await;
    let world = world.map_err(OperatorError::cluster("the watches did not get ready"))?;
    if let Some(listener) = args.webhook().await? {
        webhook::start(listener, &client, &settings.namespace, &health, &world, &mut tasks);
    }
    health.watching();
    tracing::info!(event = "ready", "every watch has listed what is there");
    tokio::select! {
        () = stopped() => {
            seeking.end().await;
            return Ok(());
        }
        ended = tasks.join_next() => return Err(OperatorError::Ended(format!("{ended:?}"))),
        () = taken.standby(claim.held()) => {}
    }
    tracing::info!(event = "leading", holder = settings.name, "this operator writes");
    queues.all(&world);
    let changed = observe::policies::watch(&client, shipped.kinds(), &mut tasks);
    let (traces, flush) = traces::start(&settings.name, &metrics).unzip();
    let signatures = Signatures::new(registry, credentials, world.changes.clone(), Arc::clone(&metrics));
    let context = Arc::new(Context {
        recorder: Recorder::new(client, Arc::clone(&metrics), &mut tasks),
        signatures: Arc::new(signatures),
        ledgers: ledger::Ledgers::default(),
        writers: facts::Writers::default(),
        policies: promotions::Compiled::default(),
        installed: policies::Installed::default(),
        settings,
        health,
        metrics,
        traces,
        world,
    });
    context.metrics.leads(&context);
    tasks.spawn(policies::run(Arc::clone(&context), shipped, changed));
    spawn(&mut tasks, taken, &context);
    until_told(tasks, claim, seeking, flush).await
}

/// How the API server is reached, and a client that no Lease restrains.
async fn reached() -> Result<(Config, Client), OperatorError> {
    let unusable = "there is no kubeconfig that can be used";
    let config = Config::infer().await.map_err(OperatorError::cluster(unusable))?;
    let client = Client::try_from(config.clone()).map_err(OperatorError::cluster(unusable))?;
    Ok((config, client))
}

/// Goes on until it is told to stop, or cannot go on.
async fn until_told(
    mut tasks: JoinSet<()>,
    mut claim: lease::Claim,
    seeking: lease::Seeking,
    flush: Option<traces::Flush>,
) -> Result<(), OperatorError> {
    tokio::select! {
        () = stopped() => tracing::info!(event = "stop", "stopping"),
        () = claim.lost() => return Err(OperatorError::LeaseLost),
        ended = tasks.join_next() => return Err(OperatorError::Ended(format!("{ended:?}"))),
    }
    // Nobody writes any more when the next one may begin.
    tasks.shutdown().await;
    seeking.end().await;
    if let Some(flush) = flush {
        flush.end().await;
    }
    Ok(())
}

/// The other ends of the queues.
struct Taken {
    agents: UnboundedReceiver<ReconcileRequest<Agent>>,
    promotions: UnboundedReceiver<ReconcileRequest<Promotion>>,
    ledgers: UnboundedReceiver<ReconcileRequest<PartialObjectMeta<Namespace>>>,
    environments: UnboundedReceiver<ReconcileRequest<Environment>>,
    checks: UnboundedReceiver<ReconcileRequest<Check>>,
}

impl Taken {
    /// Forgets what comes until `held` ends: whoever leads then looks at everything.
    async fn standby(&mut self, held: impl Future<Output = ()>) {
        tokio::pin!(held);
        loop {
            tokio::select! {
                () = &mut held => return,
                Some(_) = self.agents.recv() => {}
                Some(_) = self.promotions.recv() => {}
                Some(_) = self.ledgers.recv() => {}
                Some(_) = self.environments.recv() => {}
                Some(_) = self.checks.recv() => {}
            }
        }
    }
}

fn queues() -> (Queues, Taken) {
    let (agents, taken_agents) = unbounded_channel();
    let (promotions, taken_promotions) = unbounded_channel();
    let (ledgers, taken_ledgers) = unbounded_channel();
    let (environments, taken_environments) = unbounded_channel();
    let (checks, taken_checks) = unbounded_channel();
    let queues = Queues {
        agents,
        promotions,
        ledgers,
        environments,
        checks,
    };
    let taken = Taken {
        agents: taken_agents,
        promotions: taken_promotions,
        ledgers: taken_ledgers,
        environments: taken_environments,
        checks: taken_checks,
    };
    (queues, taken)
}

fn spawn(tasks: &mut JoinSet<()>, taken: Taken, context: &Arc<Context>) {
    let world = &context.world;
    let of = || Arc::clone(context);
    tasks.spawn(control::run(
        "agents",
        world.agents.clone(),
        taken.agents,
        agents::reconcile,
        of(),
        control::MANY,
    ));
    tasks.spawn(control::run(
        "promotions",
        world.promotions.clone(),
        taken.promotions,
        promotions::reconcile,
        of(),
        control::MANY,
    ));
    tasks.spawn(control::run(
        "ledgers",
        world.namespaces.clone(),
        taken.ledgers,
        ledger::reconcile,
        of(),
        control::FEW,
    ));
    tasks.spawn(control::run(
        "environments",
        world.environments.clone(),
        taken.environments,
        environments::reconcile,
        of(),
        control::MANY,
    ));
    tasks.spawn(control::run(
        "checks",
        world.checks.clone(),
        taken.checks,
        checks::reconcile,
        of(),
        control::MANY,
    ));
    tasks.spawn(enforce::retention::run(of()));
    if let Some(host) = context.settings.webhook.clone() {
        tasks.spawn(enforce::webhook::run(of(), host));
    }
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
