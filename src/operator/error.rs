//! Why the operator cannot start or go on.

use crate::{cli::Advice, enforce::policies::ShippedError};
use std::error::Error;

/// Why the operator cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OperatorError {
    /// No threads can be started.
    #[error("no threads can be started")]
    Threads(#[source] std::io::Error),
    /// A flag cannot be used.
    #[error("{flag} `{value}` cannot be used")]
    Flag {
        /// Its name.
        flag: &'static str,
        /// Its value.
        value: String,
        /// Why.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// The API server cannot be reached, or does not answer as it should.
    #[error("the cluster cannot be used: {what}")]
    Cluster {
        /// What was tried.
        what: &'static str,
        /// Why.
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    },
    /// The address for health, or that of the webhook, cannot be had.
    #[error("`{address}` cannot be listened on")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The Lease was not renewed in time, and another took it.
    #[error("the lease was not renewed in time, and another operator took it: this one ends, and starts anew")]
    LeaseLost,
    /// What it ships is not known.
    #[error("the program has no policies")]
    Shipped(#[from] ShippedError),
    /// A part of it ended by itself.
    #[error("a part of the operator ended: {0}")]
    Ended(String),
}

impl OperatorError {
    /// A flag cannot be used.
    pub(super) fn flag<E: Into<Box<dyn Error + Send + Sync>>>(
        flag: &'static str,
        value: &str,
    ) -> impl FnOnce(E) -> Self {
        let value = value.to_owned();
        move |source| Self::Flag {
            flag,
            value,
            source: source.into(),
        }
    }

    /// The cluster does not answer.
    pub(super) fn cluster<E: Into<Box<dyn Error + Send + Sync>>>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self::Cluster {
            what,
            source: Some(source.into()),
        }
    }
}

impl Advice for OperatorError {
    fn fix(&self) -> String {
        match self {
            Self::Threads(_) => "give the process more threads or memory",
            Self::Flag { .. } => "see `vouchsafe operator --help`",
            Self::Cluster { .. } => {
                "set KUBECONFIG, or run it in a pod with its service account; see whether the CRDs are installed"
            }
            Self::Listen { .. } => "choose another address with --listen or --webhook-listen",
            Self::LeaseLost => "start it again: it waits until it may lead; see whether the API server answers in time",
            Self::Shipped(_) => "the program was not built from a whole checkout",
            Self::Ended(_) => "see its log; it is safe to start it again",
        }
        .to_owned()
    }
}
