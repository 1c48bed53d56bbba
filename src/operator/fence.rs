//! The client of whoever leads: it reads always, and writes only while the Lease is ours.

use super::{OperatorError, lease::Claim};
use crate::metrics::Metrics;
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use std::sync::Arc;
use tower::{BoxError, filter::FilterLayer, util::MapResultLayer};

/// A write was tried when the Lease was not ours.
#[derive(Debug, thiserror::Error)]
#[error("another operator may be writing: the lease is not ours")]
struct NotOurs;

/// A client whose writes need the claim. What the API server answers is counted.
pub(super) fn client(config: Config, claim: Claim, metrics: Arc<Metrics>) -> Result<Client, OperatorError> {
    let fence = move |request: hyper::Request<Body>| {
        if request.method() == hyper::Method::GET || claim.holds() {
            Ok::<_, BoxError>(request)
        } else {
            Err(NotOurs.into())
        }
    };
    let counted = move |answer: Result<hyper::Response<_>, BoxError>| {
        metrics.api_answered(answer.as_ref().map_or(0, |answer| answer.status().as_u16()));
        answer
    };
    let builder = ClientBuilder::try_from(config).map_err(OperatorError::cluster("there is no client for it"))?;
    let builder = builder.with_layer(&MapResultLayer::new(counted));
    Ok(builder.with_layer(&FilterLayer::new(fence)).build())
}
