//! Verdicts to clearances, and clearances to pods that run.
//!
//! Takes a namespace, the verdicts of its promotions and the pods that wait there; writes its ledger and lets go of what is cleared. What is
//! not cleared any more is withdrawn first; configuration is protected, and seen to be, before anything that it makes up is granted.

mod barrier;
mod config;
mod dropped;
mod grandfather;
mod held;
mod owners;
pub(crate) mod pods;
pub(crate) mod probe;
mod release;
mod store;
pub(crate) mod survey;
pub(crate) mod token;
mod view;

use self::{barrier::Barrier, owners::ReplicaSets, store::Stored, view::View};
use super::{Context, Error, until};
use crate::{
    observe::{ENFORCEMENT, ENVIRONMENT},
    traces::Trail,
};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::{
    Api, ResourceExt,
    api::{Patch, PatchParams},
    core::PartialObjectMeta,
    runtime::controller::Action,
};
use serde_json::json;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use vouchsafe_api::{Environment, environment::Enforcement};
use vouchsafe_core::clearance::{LedgerSpec, Plan};

/// How often what waits is judged anew because something else had to be protected first.
const MAX_ROUNDS: usize = 4;
/// How often everything is looked at again, though nothing was seen to change.
const RESYNC: Duration = Duration::from_secs(600);

/// What the ledgers' controller keeps in mind.
#[derive(Default)]
pub(crate) struct Ledgers {
    pub(super) replica_sets: ReplicaSets,
    barrier: Barrier,
    config: config::Seen,
    /// What they could not take in.
    pub(super) left_out: dropped::LeftOut,
    reached: Mutex<HashSet<String>>,
    told: Mutex<HashMap<String, String>>,
    looked_at: grandfather::LookedAt,
    /// What namespaces have beside what is cleared.
    pub(crate) surveys: survey::Surveys,
}

impl Ledgers {
    /// Whether this process has not brought the namespace up to date yet.
    fn is_first(&self, namespace: &str) -> bool {
        !self
            .reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(namespace)
    }

    fn reached(&self, namespace: &str) {
        self.reached
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(namespace.to_owned());
    }

    /// Whether this was not said before of this object.
    fn is_new(&self, about: &str, words: &str) -> bool {
        const MAX_TOLD: usize = 8192;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= MAX_TOLD {
            told.clear();
        }
        told.insert(about.to_owned(), words.to_owned()).as_deref() != Some(words)
    }
}

/// Brings one namespace's ledger up to date, and lets go.
pub(crate) async fn reconcile(
    namespace: Arc<PartialObjectMeta<Namespace>>,
    context: Arc<Context>,
) -> Result<Action, Error> {
    let (name, begun) = (namespace.name_any(), Instant::now());
    if namespace.metadata.deletion_timestamp.is_some() || name == context.settings.probe_namespace {
        return Ok(Action::await_change());
    }
    let Some(label) = namespace.labels().get(ENVIRONMENT) else {
        leave(&context, &namespace).await?;
        return Ok(Action::requeue(RESYNC));
    };
    let Some(environment) = context.world.environment(label) else {
        // Nobody knows what is asked for: what is cleared stays, nothing new is.
        return Ok(Action::requeue(RESYNC));
    };
    let stored = Stored::read(&context, &name).await?;
    let current = stored.valid_for(&namespace, label);
    let trail = Trail::begin(context.traces.as_ref(), current.as_ref());
    let done = bring(&context, &namespace, &environment, (stored, current), &trail).await;
    trail.tell(&context, &name, done.as_ref().err());
    let Done { opened, ends } = done?;
    context.metrics.opened(opened, begun.elapsed());
    Ok(Action::requeue(ends.map_or(RESYNC, |end| until(end).min(RESYNC))))
}

/// What came of it.
struct Done {
    /// Pods and Jobs that were let go.
    opened: usize,
    /// When to look again.
    ends: Option<Timestamp>,
}

/// Withdraws, protects, grants, lets go: all of it in this order.
async fn bring(
    context: &Context,
    namespace: &PartialObjectMeta<Namespace>,
    environment: &Environment,
    (mut stored, current): (Stored, Option<LedgerSpec>),
    trail: &Trail,
) -> Result<Done, Error> {
    let name = namespace.name_any();
    let found = config::look(context, &name, current.as_ref()).await?;
    let mut view = View::of(context, namespace, environment, current, found.changed.clone());
    if view.begins() {
        grandfather::take_in(context, &mut view).await?;
    } else {
        grandfather::edited(context, &mut view);
    }
    let Plan {
        withdrawal, dropped, ..
    } = view.plan(super::now());
    view.current = stored.withdraw(context, withdrawal, trail).await?;
    context.ledgers.config.remember(&name, found);
    let released = admit(context, &mut stored, &mut view, trail).await?;
    dropped::tell(context, &name, &dropped, &released.dropped);
    survey::take(context, &view);
    context.ledgers.reached(&name);
    enforce(context, namespace, environment.spec.enforcement).await?;
    if trail.is_told() {
        held::owners(context, &view, &released, trail);
    }
    release::all(context, &released, trail).await?;
    Ok(Done {
        opened: released.pods.len() + released.jobs.len(),
        ends: view.ends(),
    })
}

/// Protects, judges what waits, and grants; again when what was judged is made of something that was not protected yet.
async fn admit(
    context: &Context,
    stored: &mut Stored,
    view: &mut View,
    trail: &Trail,
) -> Result<held::Released, Error> {
    // What an earlier process protected it may not have seen to be.
    let mut unseen = context.ledgers.is_first(&view.namespace);
    let offered = view.wanted.profiles.len();
    for _ in 0..MAX_ROUNDS {
        let protect = view.plan(super::now()).protect;
        if protect.is_some() {
            view.current = stored.protect(context, protect, trail).await?;
            unseen = true;
        }
        if unseen {
            let seen = context.ledgers.barrier.wait(context);
            trail.step("barrier", None, seen).await?;
            unseen = false;
        }
        view.wanted.profiles.truncate(offered);
        let mut released = held::judge(context, view).await?;
        let plan = view.plan(super::now());
        if plan.protect.is_none() {
            stored.grant(context, plan.grant, trail).await?;
            released.dropped = plan.dropped;
            return Ok(released);
        }
    }
    Err(Error::NotSeen(view.namespace.clone()))
}

/// Tells the policies how the environment enforces. The ledger is there by now.
async fn enforce(
    context: &Context,
    namespace: &PartialObjectMeta<Namespace>,
    enforcement: Enforcement,
) -> Result<(), Error> {
    if namespace.labels().get(ENFORCEMENT).map(String::as_str) == Some(enforcement.as_str()) {
        return Ok(());
    }
    label(context, &namespace.name_any(), json!(enforcement.as_str())).await
}

async fn label(context: &Context, namespace: &str, value: serde_json::Value) -> Result<(), Error> {
    let api: Api<Namespace> = Api::all(context.world.client.clone());
    let body = json!({"metadata": {"labels": {ENFORCEMENT: value}}});
    let patched = api
        .patch(namespace, &PatchParams::default(), &Patch::Merge(&body))
        .await;
    patched
        .map(drop)
        .map_err(super::write::failed("label", namespace.to_owned()))
}

/// A namespace that belongs to no environment any more: nothing waits there, and no ledger stays.
async fn leave(context: &Context, namespace: &PartialObjectMeta<Namespace>) -> Result<(), Error> {
    let name = namespace.name_any();
    if let Some(clearance) = context
        .world
        .clearances
        .state_filter(|other| other.namespace().as_deref() == Some(&name))
        .first()
    {
        let api = Api::namespaced(context.world.client.clone(), &name);
        super::write::delete(&api, clearance.as_ref()).await?;
    }
    if namespace.labels().contains_key(ENFORCEMENT) {
        label(context, &name, json!(null)).await?;
    }
    for pod in context.world.held_pods(&name) {
        release::pod(context, &pod).await?;
    }
    for job in context
        .world
        .workloads
        .of_namespace(&name)
        .iter()
        .filter(|object| release::is_held(object))
    {
        release::job(context, job).await?;
    }
    Ok(())
}
