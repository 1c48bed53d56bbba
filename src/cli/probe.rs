//! `probe`: whether the gate lets in a pod that nobody cleared, tried once. What `helm test` runs, with the operator's own rights.
//!
//! Takes the namespace that the chart made for it; creates nothing but a dry run.

use super::{Advice, Ended, Failure, screen::Screen, wait};
use crate::enforce::ledger::probe::try_gate;
use clap::Args;
use kube::Client;
use vouchsafe_api::environment::status::Probe;

/// Try whether the gate holds.
#[derive(Debug, Args)]
pub(crate) struct ProbeArgs {
    /// The namespace in which it is tried.
    #[arg(long, default_value = "vouchsafe-probe", env = "VOUCHSAFE_PROBE_NAMESPACE")]
    namespace: String,
}

/// Nothing could be tried.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    /// There is no cluster.
    #[error("there is no cluster to ask")]
    Cluster(#[source] Box<kube::Error>),
    /// It did not say what would become of the pod.
    #[error("the API server did not say what would become of a pod in the namespace `{namespace}`")]
    Answer {
        /// Where.
        namespace: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

impl Advice for ProbeError {
    fn fix(&self) -> String {
        "run it as the chart does: helm test vouchsafe -n vouchsafe-system".to_owned()
    }
}

/// Tries, and says what came of it.
pub(crate) fn run(args: &ProbeArgs, screen: &mut Screen) -> Result<Ended, Failure> {
    let tried = wait(async {
        let client = Client::try_default().await;
        let client = client.map_err(|error| ProbeError::Cluster(Box::new(error)))?;
        let tried = try_gate(&client, &args.namespace).await;
        tried.map_err(|source| ProbeError::Answer {
            namespace: args.namespace.clone(),
            source: Box::new(source),
        })
    })?;
    let (probe, words) = tried?;
    screen.line(&words);
    Ok(match probe {
        Probe::Held | Probe::Refused => Ended::Well,
        Probe::Admitted | Probe::Unknown => Ended::Badly,
    })
}
