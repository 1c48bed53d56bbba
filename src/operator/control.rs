//! One controller: takes keys from its queue, reconciles each object once at a time, tries again what failed.

use crate::enforce::{Context, Error};
use futures::StreamExt;
use kube::{
    Resource,
    runtime::{
        controller::{Action, Config, ReconcileRequest, applier},
        reflector::Store,
    },
};
use std::{fmt::Debug, future::Future, sync::Arc, time::Duration};
use tokio::sync::mpsc::UnboundedReceiver;

/// Objects of a kind that are reconciled side by side.
pub(super) const MANY: u16 = 16;
/// The same where each takes much memory: a ledger can have a megabyte, and several forms of it are at hand while it is planned.
pub(super) const FEW: u16 = 4;
/// Events that come within this time are one.
const DEBOUNCE: Duration = Duration::from_millis(2);
/// When to try again, a conflict apart.
const RETRY: Duration = Duration::from_secs(2);

/// Runs until the queue ends, which it does at shutdown only.
pub(super) async fn run<K, F, R>(
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
    let queue = futures::stream::unfold(queue, |mut queue| async move {
        let request = queue.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(request), queue))
    });
    let config = Config::default().concurrency(concurrency).debounce(DEBOUNCE);
    let reconciled = applier(
        move |object, context| Box::pin(reconcile(object, context)),
        |_: Arc<K>, error: &Error, _| retry::<K>(error),
        context,
        store,
        queue.boxed(),
        config,
    );
    reconciled.for_each(|_| std::future::ready(())).await;
}

fn retry<K: Resource<DynamicType = ()>>(error: &Error) -> Action {
    if error.is_conflict() || matches!(error, Error::NotSeen(_)) {
        return Action::requeue(Duration::from_millis(50));
    }
    let cause = std::error::Error::source(error).map(ToString::to_string);
    tracing::warn!(event = "retry", kind = %K::kind(&()), %error, cause, "tried again in a moment");
    Action::requeue(RETRY)
}
