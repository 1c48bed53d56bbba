//! What is known for one check, by digest: evidence that counts, and what is there but does not.

use super::{Asked, measured_at, newest::Newest};
use crate::{
    decision::{EvidenceFact, EvidenceResult, Facts, OutcomeReason, Person, Producer, SeenFailure, checks::Verdict},
    digest::Digest,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Evidence for one check.
pub(super) struct Known<'a> {
    by_digest: BTreeMap<Digest, About<'a>>,
}

/// Evidence about one digest.
#[derive(Default)]
struct About<'a> {
    /// Of producers and in formats that count, by producer.
    trusted: BTreeMap<&'a str, Vec<&'a EvidenceFact>>,
    /// Failures whose objects are gone, by producer.
    gone: BTreeMap<&'a str, Vec<&'a SeenFailure>>,
    /// What is there and does not count.
    passed_over: Vec<&'a EvidenceFact>,
}

impl<'a> Known<'a> {
    pub(super) fn of(asked: &Asked<'_>, facts: &'a Facts) -> Self {
        let check = &asked.requirement.check;
        let mut by_digest: BTreeMap<Digest, About<'a>> = BTreeMap::new();
        let relevant = |one: &&EvidenceFact| one.check == *check && one.subject == asked.subject;
        for evidence in facts.evidence.iter().filter(relevant) {
            by_digest.entry(evidence.digest).or_default().add(evidence, asked);
        }
        for failure in facts.seen.failures.iter().filter(|failure| failure.check == *check) {
            by_digest.entry(failure.digest).or_default().remember(failure, asked);
        }
        Self { by_digest }
    }

    /// Of each producer what counts now; of results at one instant all of them.
    pub(super) fn newest(&self, digest: Digest) -> Vec<Newest<'a>> {
        let Some(about) = self.by_digest.get(&digest) else {
            return Vec::new();
        };
        let mut newest = Vec::new();
        for evidence in about.trusted.values() {
            newest.extend(newest_conclusive(evidence).into_iter().map(Newest::Present));
        }
        for failures in about.gone.values() {
            newest.extend(failures.iter().max().map(|failure| Newest::Gone(failure)));
        }
        newest
    }

    /// The evidence of one producer that is newer than an instant, conclusive.
    pub(super) fn newer(&self, digest: Digest, producer: &str, than: Timestamp) -> Vec<&'a EvidenceFact> {
        let evidence = self
            .by_digest
            .get(&digest)
            .and_then(|about| about.trusted.get(producer));
        let all = evidence.map(|evidence| newest_conclusive(evidence)).unwrap_or_default();
        all.into_iter().filter(|one| measured_at(one) > than).collect()
    }

    /// Why there is no conclusive evidence.
    pub(super) fn absence(&self, digest: Digest) -> Verdict {
        let missing = || Verdict::pending(OutcomeReason::EvidenceMissing, "there is no evidence yet");
        let Some(about) = self.by_digest.get(&digest) else {
            return missing();
        };
        let trusted = about.trusted.values().flatten();
        if let Some(newest) = trusted.max_by_key(|one| (measured_at(one), *one)) {
            let why = newest.reason.as_deref().unwrap_or("the report says nothing for sure");
            let message = format!("{} of {}: {why}", newest.tool.name, measured_at(newest));
            let mut verdict = Verdict::inconclusive(OutcomeReason::EvidenceInconclusive, message);
            verdict.evidence.insert(newest.id.clone());
            return verdict;
        }
        let Some(one) = about.passed_over.iter().min() else {
            return missing();
        };
        let message = format!(
            "`{}`, in format {} by {}, does not count: another producer or format is asked for",
            one.id, one.format, one.producer.username
        );
        Verdict::pending(OutcomeReason::EvidenceNotTrusted, message)
    }
}

impl<'a> About<'a> {
    fn add(&mut self, evidence: &'a EvidenceFact, asked: &Asked<'_>) {
        let format = asked.formats.is_empty() || asked.formats.contains(&evidence.format);
        if format && trusts(asked.producers, &evidence.producer) {
            self.trusted
                .entry(&evidence.producer.username)
                .or_default()
                .push(evidence);
        } else {
            self.passed_over.push(evidence);
        }
    }

    /// A failure whose object is still there is judged by the object. One of a producer who surely does not count any more is dropped.
    fn remember(&mut self, failure: &'a SeenFailure, asked: &Asked<'_>) {
        let evidence = self.trusted.values().flatten().chain(&self.passed_over);
        let same = |one: &&&EvidenceFact| {
            one.id == failure.id && one.producer.username == failure.producer && measured_at(one) == failure.started_at
        };
        if evidence.into_iter().find(same).is_none() && may_trust(asked.producers, &failure.producer) {
            self.gone.entry(&failure.producer).or_default().push(failure);
        }
    }
}

/// The newest conclusive results; of several at one instant all, so that the worst of them counts.
fn newest_conclusive<'a>(evidence: &[&'a EvidenceFact]) -> Vec<&'a EvidenceFact> {
    let conclusive = || evidence.iter().filter(|one| one.result != EvidenceResult::Inconclusive);
    let newest = conclusive().map(|one| measured_at(one)).max();
    let mut all: Vec<_> = conclusive()
        .filter(|one| Some(measured_at(one)) == newest)
        .copied()
        .collect();
    all.sort();
    all.dedup();
    all
}

fn trusts(producers: &[Producer], producer: &Person) -> bool {
    producers.is_empty()
        || producers.iter().any(|one| match one {
            Producer::User(name) => *name == producer.username,
            Producer::Group(group) => producer.groups.contains(group),
        })
}

/// Whether somebody of whom only the name is remembered may count.
fn may_trust(producers: &[Producer], username: &str) -> bool {
    producers.is_empty()
        || producers.iter().any(|one| match one {
            Producer::User(name) => name == username,
            Producer::Group(_) => true,
        })
}
