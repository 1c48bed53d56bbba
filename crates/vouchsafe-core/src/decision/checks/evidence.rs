//! Evidence: about exactly one digest, from a producer that counts, fresh.
//!
//! Of one producer's results the newest conclusive counts, of several producers' the worst. A failure does not age: it stands until
//! newer evidence of its producer mends it, also when its object is gone.

mod known;
mod newest;

use self::{known::Known, newest::Newest};
use super::{Facts, Outcome, OutcomeReason, PreparedRelease, Requirement, Subject, SubjectKind, Verdict};
use crate::{
    cel::Scope,
    decision::{EvidenceFact, EvidenceResult, Producer, SeenFailure, clock::Clock, compiled::Rule},
    digest::Digest,
};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// What a check asks of evidence.
pub(super) struct Asked<'a> {
    pub(super) requirement: &'a Requirement,
    pub(super) subject: SubjectKind,
    pub(super) formats: &'a [String],
    pub(super) producers: &'a [Producer],
    pub(super) rule: &'a Rule,
}

/// One part of the release, and what became of it.
pub(super) type Judged<'r> = (SubjectKind, &'r Subject, Verdict);

impl Asked<'_> {
    /// Every part that needs evidence, judged; and the failures to be remembered.
    pub(super) fn judge<'r>(
        &self,
        release: &'r PreparedRelease,
        facts: &Facts,
        clock: &Clock,
    ) -> (Vec<Judged<'r>>, Vec<SeenFailure>) {
        let known = Known::of(self, facts);
        let mut failures = Vec::new();
        let parts = every(release, self.subject, |part| match part.digest {
            None => Verdict::inconclusive(
                OutcomeReason::Unresolved,
                "it is not pinned down, so that nothing can be about it",
            ),
            Some(digest) => self.covered(digest, &known, facts, clock, &mut failures),
        });
        (parts, failures)
    }

    /// A part by its own evidence; an image index also by that of all its children. What is bad about any of them is bad about it.
    fn covered(
        &self,
        digest: Digest,
        known: &Known<'_>,
        facts: &Facts,
        clock: &Clock,
        failures: &mut Vec<SeenFailure>,
    ) -> Verdict {
        let own = self.settle(digest, known, failures);
        let children = facts.indexes.get(&digest).into_iter().flatten();
        let mut children: Vec<_> = children.map(|child| self.settle(*child, known, failures)).collect();
        if own.is_failed() {
            return own.conclude(clock);
        }
        if let Some(index) = children.iter().position(Settled::is_failed) {
            return children.swap_remove(index).conclude(clock);
        }
        let errs = matches!(own, Settled::Errs(..));
        let own = own.conclude(clock);
        if own.outcome == Outcome::Pass || errs || children.is_empty() {
            return own;
        }
        let children: Vec<_> = children.into_iter().map(|child| child.conclude(clock)).collect();
        if children.iter().any(|child| child.outcome != Outcome::Pass) {
            return own;
        }
        let mut verdict = Verdict::pass("every image of the index has evidence");
        verdict.expires_at = children.iter().filter_map(|child| child.expires_at).min();
        verdict.evidence = children.into_iter().flat_map(|child| child.evidence).collect();
        verdict
    }

    fn settle<'a>(&self, digest: Digest, known: &Known<'a>, failures: &mut Vec<SeenFailure>) -> Settled<'a> {
        let mut settled = None;
        for newest in known.newest(digest) {
            if matches!(newest, Newest::Gone(failure) if self.mended(digest, failure, known)) {
                continue;
            }
            let one = match &newest {
                Newest::Gone(failure) => Settled::Failed {
                    ids: BTreeSet::from([failure.id.as_str()]),
                    reason: OutcomeReason::EvidenceFailed,
                    message: failure.message.clone(),
                },
                Newest::Present(evidence) => self.one(evidence),
            };
            if let Settled::Failed { message, .. } = &one {
                failures.push(newest.to_seen(&self.requirement.check, message));
            }
            settled = Some(match settled {
                None => one,
                Some(before) => Settled::worse(before, one),
            });
        }
        settled.unwrap_or_else(|| Settled::Nothing(known.absence(digest)))
    }

    /// Whether newer evidence of its producer puts a failure right.
    fn mended(&self, digest: Digest, failure: &SeenFailure, known: &Known<'_>) -> bool {
        let newer = known.newer(digest, &failure.producer, failure.started_at);
        !newer.is_empty()
            && newer
                .into_iter()
                .all(|evidence| matches!(self.one(evidence), Settled::Good(_)))
    }

    fn one<'a>(&self, evidence: &'a EvidenceFact) -> Settled<'a> {
        let ids = || BTreeSet::from([evidence.id.as_str()]);
        let said = |what: &str| format!("{} of {}: {what}", evidence.tool.name, measured_at(evidence));
        let failed = |reason, message| Settled::Failed {
            ids: ids(),
            reason,
            message,
        };
        if evidence.result == EvidenceResult::Fail {
            let why = evidence.reason.as_deref().unwrap_or("it failed");
            return failed(OutcomeReason::EvidenceFailed, said(why));
        }
        let holds = match &self.rule.program {
            None => Ok(true),
            Some(program) => program.holds(&Scope::evidence(evidence, &self.rule.parameters)),
        };
        match holds {
            Ok(true) => Settled::Good(vec![Good {
                evidence,
                until: self.until(evidence),
            }]),
            Ok(false) => failed(OutcomeReason::PolicyNotSatisfied, said("the policy is not satisfied")),
            Err(error) => Settled::Errs(ids(), error.to_string()),
        }
    }

    fn until(&self, evidence: &EvidenceFact) -> Option<Timestamp> {
        let max_age = self.requirement.max_age?;
        Some(crate::decision::clock::later(measured_at(evidence), max_age))
    }
}

/// When it was measured; never later than it was stored, so that nobody can date it ahead.
fn measured_at(evidence: &EvidenceFact) -> Timestamp {
    evidence.started_at.min(evidence.created_at)
}

/// Every part of a kind, judged. A release without any image is not known to be clean; one without models or tool servers has none.
pub(super) fn every(
    release: &PreparedRelease,
    kind: SubjectKind,
    mut judge: impl FnMut(&Subject) -> Verdict,
) -> Vec<Judged<'_>> {
    let parts = release.subjects(kind);
    if parts.is_empty() && kind == SubjectKind::Image {
        let nothing = || Verdict::inconclusive(OutcomeReason::NothingToJudge, "the release has no image");
        let whole = release.subjects(SubjectKind::Release).iter();
        return whole.map(|whole| (SubjectKind::Release, whole, nothing())).collect();
    }
    parts.iter().map(|part| (kind, part, judge(part))).collect()
}

/// What the producers say of one digest together, before asking how old it is.
enum Settled<'a> {
    Failed {
        ids: BTreeSet<&'a str>,
        reason: OutcomeReason,
        message: String,
    },
    Errs(BTreeSet<&'a str>, String),
    Good(Vec<Good<'a>>),
    Nothing(Verdict),
}

/// Evidence that satisfies its check, while it is fresh.
struct Good<'a> {
    evidence: &'a EvidenceFact,
    until: Option<Timestamp>,
}

impl<'a> Settled<'a> {
    fn is_failed(&self) -> bool {
        matches!(self, Self::Failed { .. })
    }

    /// Of two producers' words the worse one; of equally bad ones the first, with the evidence of both.
    fn worse(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nothing(_), other) => other,
            (
                Self::Failed {
                    mut ids,
                    reason,
                    message,
                },
                Self::Failed { ids: more, .. },
            ) => {
                ids.extend(more);
                Self::Failed { ids, reason, message }
            }
            (failed @ Self::Failed { .. }, _) | (_, failed @ Self::Failed { .. }) => failed,
            (Self::Errs(mut ids, message), Self::Errs(more, _)) => {
                ids.extend(more);
                Self::Errs(ids, message)
            }
            (errs @ Self::Errs(..), _) | (_, errs @ Self::Errs(..)) => errs,
            (Self::Good(mut all), Self::Good(more)) => {
                all.extend(more);
                Self::Good(all)
            }
            (good @ Self::Good(_), Self::Nothing(_)) => good,
        }
    }

    fn conclude(self, clock: &Clock) -> Verdict {
        let with = |mut verdict: Verdict, ids: BTreeSet<&str>| {
            verdict.evidence = ids.into_iter().map(str::to_owned).collect();
            verdict
        };
        match self {
            Self::Failed { ids, reason, message } => with(Verdict::fail(reason, message), ids),
            Self::Errs(ids, message) => with(Verdict::inconclusive(OutcomeReason::PolicyError, message), ids),
            Self::Nothing(verdict) => verdict,
            Self::Good(all) => fresh(&all, clock),
        }
    }
}

/// Passes while any producer's word is fresh.
fn fresh(all: &[Good<'_>], clock: &Clock) -> Verdict {
    let is_fresh = |good: &&Good<'_>| good.until.is_none_or(|until| !clock.reached(until));
    let fresh: Vec<_> = all.iter().filter(is_fresh).collect();
    let stale = fresh.is_empty();
    let used = if stale { all.iter().collect() } else { fresh };
    let newest = used
        .iter()
        .map(|good| good.evidence)
        .max_by_key(|one| (measured_at(one), *one));
    let words = newest.map_or_else(String::new, |one| format!("{} of {}", one.tool.name, measured_at(one)));
    let mut verdict = if stale {
        Verdict::inconclusive(OutcomeReason::EvidenceStale, format!("{words} is older than allowed"))
    } else {
        let by = newest.map_or("", |one| one.producer.username.as_str());
        Verdict::pass(format!("{words}, by {by}"))
    };
    verdict.evidence = used.iter().map(|good| good.evidence.id.clone()).collect();
    if !stale && used.iter().all(|good| good.until.is_some()) {
        verdict.expires_at = used.iter().filter_map(|good| good.until).max();
    }
    verdict
}
