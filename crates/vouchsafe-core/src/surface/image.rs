//! Image references: the content digest is what counts, the repository is not.

use super::{Facet, Problem, ProblemReason, part, reading::Reading};
use crate::digest::Digest;
use serde_json::json;

/// The content digest of a reference that ends in `@sha256:…`; a tag beside it is ignored, as it is by the kubelet.
pub(super) fn pinned(reference: &str) -> Option<Digest> {
    let (repository, digest) = reference.rsplit_once('@')?;
    if repository.is_empty() {
        None
    } else {
        digest.parse().ok()
    }
}

/// Adds the image `name`, found at `field`.
pub(super) fn read(reading: &mut Reading<'_, '_>, name: &str, reference: &str, field: &str) {
    let component = match pinned(reference) {
        Some(digest) => part::of_digest(Facet::Image, name, digest, Some(reference)),
        None => {
            let problem = Problem {
                reason: ProblemReason::ImageNotPinned,
                object: reading.object.clone(),
                field: field.to_owned(),
                message: if reference.is_empty() {
                    "no image is named".to_owned()
                } else {
                    format!("`{reference}` is not pinned by digest, and a tag can move")
                },
                fix: "write it as `repository@sha256:…`; `vouchsafe pin -f FILE` does that".to_owned(),
                blocking: true,
            };
            reading.report(problem);
            part::unresolved(Facet::Image, name, json!({"reference": reference}))
        }
    };
    reading.add(component);
}
