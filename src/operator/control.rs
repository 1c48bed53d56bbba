//! One controller: takes keys from its queue, reconciles each object once at a time, tries again what failed.

use crate::{
    enforce::{Context, Error},
    metrics::Metrics,
};
use futures::StreamExt;
use kube::{
    Resource,
    runtime::{
        controller::{Action, Config, ReconcileRequest, applier},
        reflector::{ObjectRef, Store},
    },
};
use std::{
    collections::HashSet,
    fmt::Debug,
    future::Future,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::mpsc::UnboundedReceiver;

/// Objects of a kind that are reconciled side by side.
pub(super) const MANY: u16 = 16;
/// The same where each takes much memory: a ledger can have a megabyte, and several forms of it are at hand while it is planned.
pub(super) const FEW: u16 = 4;
/// Events that come within this time are one.
const DEBOUNCE: Duration = Duration::from_millis(2);
/// When to try again, a conflict apart.
const RETRY: Duration = Duration::from_secs(2);

/// What waits to be looked at: what was taken from the queue, and not begun yet.
struct Waiting<K: Resource<DynamicType = ()> + 'static> {
    controller: &'static str,
    store: Store<K>,
    objects: Mutex<HashSet<ObjectRef<K>>>,
    metrics: Arc<Metrics>,
}

impl<K: Resource<DynamicType = ()> + Clone + 'static> Waiting<K> {
    /// What is gone is not looked at, and does not wait.
    fn comes(&self, object: &ObjectRef<K>) {
        self.change(|objects| {
            if self.store.get(object).is_some() {
                objects.insert(object.clone());
            }
        });
    }

    fn begins(&self, object: &K) {
        self.change(|objects| {
            objects.remove(&ObjectRef::from_obj(object));
        });
    }

    fn change(&self, change: impl FnOnce(&mut HashSet<ObjectRef<K>>)) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut objects);
        self.metrics.waiting(self.controller, objects.len());
    }
}

/// Runs until the queue ends, which it does at shutdown only.
pub(super) async fn run<K, F, R>(
    controller: &'static str,
    store: Store<K>,
    queue: UnboundedReceiver<ReconcileRequest<K>>,
    mut reconcile: F,
    context: Arc<Context>,
    concurrency: u16,
) where
    K: Resource<DynamicType = ()> + Clone + Debug + Send + Sync + 'static,
    F: FnMut(Arc<K>, Arc<Context>) -> R + Send + 'static,
    R: Future<Output = Result<Action, Error>> + Send + 'static,
{
    let waiting = Arc::new(Waiting {
        controller,
        store: store.clone(),
        objects: Mutex::default(),
        metrics: Arc::clone(&context.metrics),
    });
    let coming = Arc::clone(&waiting);
    let queue = futures::stream::unfold((queue, coming), |(mut queue, coming)| async move {
        let request = queue.recv().await?;
        coming.comes(&request.obj_ref);
        Some((Ok::<_, std::convert::Infallible>(request), (queue, coming)))
    });
    let config = Config::default().concurrency(concurrency).debounce(DEBOUNCE);
    let reconciled = applier(
        move |object: Arc<K>, context: Arc<Context>| {
            waiting.begins(&object);
            let metrics = Arc::clone(&context.metrics);
            Box::pin(measured(controller, metrics, reconcile(object, context)))
        },
        |_: Arc<K>, error: &Error, _| retry::<K>(error),
        context,
        store,
        queue.boxed(),
        config,
    );
    reconciled.for_each(|_| std::future::ready(())).await;
}

/// How long it takes, and how it ends.
async fn measured(
    controller: &'static str,
    metrics: Arc<Metrics>,
    reconciled: impl Future<Output = Result<Action, Error>>,
) -> Result<Action, Error> {
    let begun = Instant::now();
    let result = reconciled.await;
    let word = match &result {
        Ok(_) => "done",
        Err(error) if is_soon(error) => "again",
        Err(_) => "failed",
    };
    metrics.reconciled(controller, begun.elapsed(), word);
    result
}

/// Whether it is nothing but a lost race.
fn is_soon(error: &Error) -> bool {
    error.is_conflict() || matches!(error, Error::NotSeen(_))
}

fn retry<K: Resource<DynamicType = ()>>(error: &Error) -> Action {
    if is_soon(error) {
        return Action::requeue(Duration::from_millis(50));
    }
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(event = "retry", kind = %K::kind(&()), %error, cause, "tried again in a moment");
    Action::requeue(RETRY)
}
