//! A Promotion's surface, and what its status remembers.

use crate::promotion::{
    Component, PromotionSpec, SurfaceClaim,
    status::{PromotionStatus, SeenFailure, SeenReject},
};
use std::collections::BTreeSet;
use vouchsafe_core::{
    decision::{self, ApprovalFact, Past, Person, Seen},
    digest::ReleaseDigest,
    surface::{self, ClaimError, Surface},
};

/// What a Promotion carries is not what it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReleaseError {
    /// It is no surface.
    #[error("spec.surface is no surface")]
    Surface(#[from] ClaimError),
    /// It is another release.
    #[error("spec.surface is release {actual}, spec.release says {claimed}")]
    Digest {
        /// What is asked for.
        claimed: ReleaseDigest,
        /// What is carried.
        actual: ReleaseDigest,
    },
}

/// The surface that a Promotion asks for.
///
/// # Errors
/// When it is not one, or not the one of its digest.
pub fn promotion(spec: &PromotionSpec) -> Result<Surface, ReleaseError> {
    let surface = surface(&spec.surface)?;
    let (claimed, actual) = (spec.release, surface.digest());
    if claimed == actual {
        Ok(surface)
    } else {
        Err(ReleaseError::Digest { claimed, actual })
    }
}

/// A surface that somebody claims, whatever its digest.
///
/// # Errors
/// When it is none.
pub fn surface(claim: &SurfaceClaim) -> Result<Surface, ClaimError> {
    Surface::from_claim(claim.components.iter().map(component).collect())
}

fn component(component: &Component) -> surface::Component {
    let Component {
        facet,
        name,
        digest,
        resolution,
        value,
        summary,
    } = component;
    surface::Component {
        facet: (*facet).into(),
        name: name.clone(),
        digest: *digest,
        resolution: (*resolution).into(),
        value: value.clone(),
        summary: summary.clone(),
    }
}

/// What was decided before.
#[must_use]
pub fn past(status: &PromotionStatus) -> Past {
    Past {
        cleared_at: status.cleared_at,
        not_after: status.not_after,
        failing_since: status.failing_since,
        revoked_at: status.revoked_at,
        renewed_at: status.renewed_at,
        grandfathered: status.grandfathered,
        after_waived: status.after_waived,
    }
}

/// What was seen before.
#[must_use]
pub fn seen(status: &PromotionStatus) -> Seen {
    let seen = status.seen.as_ref();
    Seen {
        rejects: seen
            .map(|seen| seen.rejects.iter().map(reject).collect())
            .unwrap_or_default(),
        failures: seen
            .map(|seen| seen.failures.iter().map(failure).collect())
            .unwrap_or_default(),
    }
}

fn reject(reject: &SeenReject) -> ApprovalFact {
    let SeenReject {
        id,
        release,
        environment,
        role,
        scope,
        vote,
        waiver,
        username,
        at,
    } = reject;
    ApprovalFact {
        id: id.clone(),
        release: *release,
        environment: environment.clone(),
        role: role.clone(),
        scope: (*scope).into(),
        vote: (*vote).into(),
        waiver: waiver.clone(),
        by: Person {
            username: username.clone(),
            groups: BTreeSet::new(),
        },
        at: *at,
    }
}

fn failure(failure: &SeenFailure) -> decision::SeenFailure {
    let SeenFailure {
        id,
        check,
        digest,
        producer,
        started_at,
        message,
    } = failure;
    decision::SeenFailure {
        id: id.clone(),
        check: check.clone(),
        digest: *digest,
        producer: producer.clone(),
        started_at: *started_at,
        message: message.clone(),
    }
}
