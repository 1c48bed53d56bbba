//! What holds, suspends and stamps where the API server serves no mutating policies: the same as `hold.yaml` and `stamp.yaml` do where it does.
//!
//! Takes admission reviews by TLS, and the ledgers that the watches keep; gives patches. It refuses nothing, and pods are judged by the
//! validating policies afterwards, so that a webhook that is down, slow or lied to lets none in.

mod authority;
mod certificates;
mod patch;
mod serve;

pub(crate) use self::{authority::MakeError, certificates::Certificates, serve::start};

/// The Secret in the operator's namespace that the certificates are kept in.
pub(crate) const SECRET: &str = "vouchsafe-webhook";
/// The configurations that may be installed, by name. `webhooks.yaml` guards the same.
pub(crate) const CONFIGURATIONS: [&str; 2] = ["vouchsafe-hold", "vouchsafe-default-environment"];
