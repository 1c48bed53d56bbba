//! What the operator writes to the cluster: promotions, verdicts, ledgers and statuses; and pods and Jobs that it lets go.
//!
//! Takes the world and the clock, asks core what has to be, writes what differs. Nothing else in the program writes.

pub(crate) mod agents;
pub(crate) mod checks;
pub(crate) mod environments;
pub(crate) mod evidence;
pub(crate) mod facts;
pub(crate) mod health;
pub(crate) mod ledger;
pub(crate) mod policies;
pub(crate) mod promotions;
pub(crate) mod retention;
pub(crate) mod webhook;
pub(crate) mod write;

use crate::{
    metrics::Metrics,
    observe::{World, signatures::Signatures},
    operator::Settings,
    record::Recorder,
    serve::Health,
    traces::Traces,
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// What every controller works with.
pub(crate) struct Context {
    /// What is there.
    pub(crate) world: Arc<World>,
    /// What the operator was told at its start.
    pub(crate) settings: Settings,
    /// Where events and decisions are told.
    pub(crate) recorder: Recorder,
    /// What registries said.
    pub(crate) signatures: Arc<Signatures>,
    /// What the ledgers' controller keeps in mind.
    pub(crate) ledgers: ledger::Ledgers,
    /// Who can write workloads.
    pub(crate) writers: facts::Writers,
    /// What is told of the operator's health.
    pub(crate) health: Arc<Health>,
    /// What is measured.
    pub(crate) metrics: Arc<Metrics>,
    /// Where traces of promotions go, if anywhere.
    pub(crate) traces: Option<Arc<Traces>>,
    /// Policies that were made ready.
    pub(crate) policies: promotions::Compiled,
    /// What is known of the admission policies that are installed.
    pub(crate) installed: policies::Installed,
}

/// Why a controller could not finish; it tries again.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The API server could not be asked, or refused.
    #[error("could not {what} `{object}`")]
    Api {
        /// In the infinitive.
        what: &'static str,
        /// The object, as `namespace/name`.
        object: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
    /// The policies do not see the ledger yet.
    #[error("the API server has not seen the protection of `{0}` yet")]
    NotSeen(String),
}

impl Error {
    /// Whether it is nothing but a lost race for an object.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Api { source, .. } if matches!(source.as_ref(), kube::Error::Api(status) if status.code == 409))
    }
}

/// The one place where the operator asks for the time.
pub(crate) fn now() -> Timestamp {
    Timestamp::now()
}

/// How long until a time, at least a moment; bounded, so that clocks that are set are noticed.
pub(crate) fn until(time: Timestamp) -> Duration {
    const LONGEST: Duration = Duration::from_secs(600);
    let left = time.duration_since(now());
    Duration::try_from(left).map_or(Duration::from_millis(1), |left| left.min(LONGEST))
}
