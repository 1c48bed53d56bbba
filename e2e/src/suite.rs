//! The runner: takes cases, runs them side by side against one cluster, and says what was shown.
//!
//! Every case has namespaces and names of its own, so that one cannot disturb another; those that must be alone (they kill the API
//! server or the operator) say so, and run afterwards, one by one. A case that panics, fails or takes too long is a failed case, and
//! never the end of the run. A run in which nothing ran is a failure.

mod context;
mod report;
mod select;

pub use context::{Context, World};
pub use report::{Outcome, Report};
pub use select::select;

use crate::tools::Kubernetes;
use anyhow::Result;
use futures::future::BoxFuture;
use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Semaphore, task::JoinSet};

/// A case that takes longer has failed, unless it says otherwise.
const PATIENCE: Duration = Duration::from_secs(300);

type Body = Arc<dyn Fn(Context) -> BoxFuture<'static, Result<()>> + Send + Sync>;

/// Something that the suite shows.
#[derive(Clone)]
pub struct Case {
    /// What of the deny list, the always-through list or the issue it shows: `D01`, `A07`; may be empty.
    pub numbers: &'static [&'static str],
    /// What it shows, in a few words.
    pub name: &'static str,
    alone: bool,
    on_request: bool,
    of_webhook: bool,
    patience: Duration,
    body: Body,
}

impl Case {
    /// A case that runs beside others.
    pub fn new<F, Fut>(numbers: &'static [&'static str], name: &'static str, body: F) -> Self
    where
        F: Fn(Context) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        Self {
            numbers,
            name,
            alone: false,
            on_request: false,
            of_webhook: false,
            patience: PATIENCE,
            body: Arc::new(move |context| Box::pin(body(context))),
        }
    }

    /// Runs it when no other runs.
    #[must_use]
    pub fn alone(mut self) -> Self {
        self.alone = true;
        self
    }

    /// Runs it only when somebody asks for it: a measure that takes long.
    #[must_use]
    pub fn on_request(mut self) -> Self {
        self.on_request = true;
        self
    }

    /// It is about the webhook, and there is none where the API server serves mutating policies.
    #[must_use]
    pub fn of_webhook(mut self) -> Self {
        self.of_webhook = true;
        self
    }

    /// Whether it says anything on a cluster of this version.
    #[must_use]
    pub fn concerns(&self, kubernetes: Kubernetes) -> bool {
        !self.of_webhook || !kubernetes.serves_mutations()
    }

    /// Lets it take this long.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for number in self.numbers {
            write!(f, "{number} ")?;
        }
        f.write_str(self.name)
    }
}

/// Why a case did not run to its end, and is no failure.
#[derive(Debug)]
pub struct Skipped(pub String);

impl fmt::Display for Skipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Skipped {}

/// Runs the cases, `width` at a time, and tells about each as it ends.
pub async fn run(world: &Arc<World>, cases: Vec<Case>, width: usize) -> Report {
    let (alone, beside): (Vec<Case>, Vec<Case>) = cases.into_iter().partition(|case| case.alone);
    let mut report = Report::default();
    let places = Arc::new(Semaphore::new(width.max(1)));
    let mut running = JoinSet::new();
    for case in beside {
        let (world, places) = (Arc::clone(world), Arc::clone(&places));
        running.spawn(async move {
            // Never closed, so a place always comes.
            let _place = places.acquire_owned().await;
            one(&world, case).await
        });
    }
    while let Some(ended) = running.join_next().await {
        report.add(ended);
    }
    for case in alone {
        let ended = one(world, case).await;
        report.add(Ok(ended));
    }
    report
}

async fn one(world: &Arc<World>, case: Case) -> (Case, Outcome, Duration) {
    let begun = Instant::now();
    let context = Context::new(Arc::clone(world), &case);
    let outcome = ended((case.body)(context.clone()), case.patience).await;
    context.clean_up().await;
    (case, outcome, begun.elapsed())
}

/// Runs a body in a task of its own, which catches a panic, and which has ended when this returns.
async fn ended(body: BoxFuture<'static, Result<()>>, patience: Duration) -> Outcome {
    let mut task = JoinSet::new();
    task.spawn(body);
    let outcome = match tokio::time::timeout(patience, task.join_next()).await {
        Err(_) => Outcome::Failed(format!("did not end in {} s", patience.as_secs())),
        Ok(None) => Outcome::Failed("never ran".to_owned()),
        Ok(Some(Err(panic))) => Outcome::Failed(report::panic_words(panic)),
        Ok(Some(Ok(Ok(())))) => Outcome::Passed,
        Ok(Some(Ok(Err(error)))) => Outcome::of(&error),
    };
    task.shutdown().await;
    outcome
}

#[cfg(test)]
mod tests {
    use super::{Outcome, PATIENCE, Skipped, ended};
    use anyhow::anyhow;
    use std::time::Duration;

    #[tokio::test]
    async fn every_way_to_end_is_an_outcome() {
        let failed = |words: &str| Outcome::Failed(words.to_owned());
        assert_eq!(ended(Box::pin(async { Ok(()) }), PATIENCE).await, Outcome::Passed);
        assert_eq!(
            ended(Box::pin(async { Err(anyhow!("it ran")) }), PATIENCE).await,
            failed("it ran")
        );
        assert_eq!(
            ended(Box::pin(async { panic!("gone") }), PATIENCE).await,
            failed("panicked: gone")
        );
        let skipped = async { Err(Skipped("no kubelet".to_owned()).into()) };
        assert_eq!(
            ended(Box::pin(skipped), PATIENCE).await,
            Outcome::Skipped("no kubelet".to_owned())
        );
        let endless = ended(Box::pin(std::future::pending()), Duration::ZERO).await;
        assert_eq!(endless, failed("did not end in 0 s"));
    }
}
