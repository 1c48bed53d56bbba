//! Signatures: distinct authorities, by distinct keys.

use super::{Facts, OutcomeReason, PreparedRelease, Requirement, Subject, SubjectKind, Verdict};
use crate::{
    decision::{Authority, SignatureFact, SignatureState, SignatureSubject, matching},
    digest::Digest,
};
use std::collections::{BTreeMap, BTreeSet};

/// Every part that has to be signed, judged. Without any image there is nothing that could be known to be signed.
pub(super) fn judge<'r>(
    requirement: &Requirement,
    of: &[SignatureSubject],
    authorities: &[Authority],
    threshold: u32,
    release: &'r PreparedRelease,
    facts: &Facts,
) -> Vec<(SubjectKind, &'r Subject, Verdict)> {
    let mut by_digest: BTreeMap<Digest, Vec<&SignatureFact>> = BTreeMap::new();
    for fact in facts.signatures.iter().filter(|fact| fact.check == requirement.check) {
        by_digest.entry(fact.digest).or_default().push(fact);
    }
    let nothing = Vec::new();
    let verdict = |subject: &Subject| match subject.digest {
        None => Verdict::inconclusive(OutcomeReason::Unresolved, "it is not pinned by digest"),
        Some(digest) => one(authorities, threshold, by_digest.get(&digest).unwrap_or(&nothing)),
    };
    let mut parts = Vec::new();
    let kinds: BTreeSet<_> = of.iter().copied().collect();
    if kinds.contains(&SignatureSubject::Image) || kinds.is_empty() {
        parts.extend(super::evidence::every(release, SubjectKind::Image, verdict));
    }
    if kinds.contains(&SignatureSubject::Model) {
        let artifacts = release.subjects(SubjectKind::Model).iter();
        let artifacts = artifacts.filter(|model| model.artifact || model.digest.is_none());
        parts.extend(artifacts.map(|model| (SubjectKind::Model, model, verdict(model))));
    }
    parts
}

fn one(authorities: &[Authority], threshold: u32, facts: &[&SignatureFact]) -> Verdict {
    let threshold = usize::try_from(threshold.max(1)).unwrap_or(usize::MAX);
    let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for fact in facts {
        if let SignatureState::Verified(signers) = &fact.state {
            for (authority, fingerprints) in signers {
                let entry = keys.entry(authority).or_default();
                entry.extend(fingerprints.iter().map(String::as_str));
            }
        }
    }
    let names: BTreeSet<_> = authorities.iter().map(|authority| authority.name.as_str()).collect();
    let seats: Vec<Vec<&str>> = names
        .iter()
        .map(|name| keys.get(name).into_iter().flatten().copied().collect())
        .collect();
    let signed = matching::pair(&seats).len();
    if signed >= threshold {
        let signers: Vec<_> = names.iter().filter(|name| keys.contains_key(*name)).copied().collect();
        return Verdict::pass(format!("signed by {}", signers.join(", ")));
    }
    lacking(signed, threshold, facts)
}

fn lacking(signed: usize, threshold: usize, facts: &[&SignatureFact]) -> Verdict {
    let details: BTreeSet<_> = facts.iter().map(|fact| fact.detail.as_str()).collect();
    let details: Vec<_> = details.into_iter().collect();
    let message = format!(
        "{signed} of {threshold} signatures by different keys: {}",
        details.join("; ")
    );
    let uncertain = |fact: &&SignatureFact| fact.state == SignatureState::CannotTell || !fact.complete;
    if facts.is_empty() {
        Verdict::pending(OutcomeReason::SignaturePending, "the registry has not been asked yet")
    } else if facts.iter().any(uncertain) {
        Verdict::inconclusive(OutcomeReason::RegistryUnavailable, message)
    } else {
        Verdict::pending(OutcomeReason::SignatureMissing, message)
    }
}
