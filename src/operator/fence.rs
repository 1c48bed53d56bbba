//! The client of whoever leads: it reads always, and writes only while the Lease is ours.

use super::{OperatorError, lease::Claim};
use kube::{
    Client, Config,
    client::{Body, ClientBuilder},
};
use tower::{BoxError, filter::FilterLayer};

/// A write was tried when the Lease was not ours.
#[derive(Debug, thiserror::Error)]
#[error("another operator may be writing: the lease is not ours")]
struct NotOurs;

/// A client whose writes need the claim.
pub(super) fn client(config: Config, claim: Claim) -> Result<Client, OperatorError> {
    let fence = move |request: hyper::Request<Body>| {
        if request.method() == hyper::Method::GET || claim.holds() {
            Ok::<_, BoxError>(request)
        } else {
            Err(NotOurs.into())
        }
    };
    let builder = ClientBuilder::try_from(config).map_err(OperatorError::cluster("there is no client for it"))?;
    Ok(builder.with_layer(&FilterLayer::new(fence)).build())
}
