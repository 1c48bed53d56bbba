//! What counts of one producer: evidence that is there, or a failure that was seen and is not there any more.

use super::measured_at;
use crate::decision::{EvidenceFact, SeenFailure};

/// The newest of one producer.
pub(super) enum Newest<'a> {
    /// Evidence.
    Present(&'a EvidenceFact),
    /// A failure whose object is gone.
    Gone(&'a SeenFailure),
}

impl Newest<'_> {
    /// What to remember of it when it is a failure.
    pub(super) fn to_seen(&self, check: &str, message: &str) -> SeenFailure {
        match self {
            Self::Gone(failure) => (*failure).clone(),
            Self::Present(evidence) => SeenFailure {
                id: evidence.id.clone(),
                check: check.to_owned(),
                digest: evidence.digest,
                producer: evidence.producer.username.clone(),
                started_at: measured_at(evidence),
                message: message.to_owned(),
            },
        }
    }
}
