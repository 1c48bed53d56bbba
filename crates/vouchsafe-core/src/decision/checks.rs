//! One outcome a requirement.
//!
//! Takes what is known about the parts of a release and judges each; the worst part decides. What could not be learnt, and what somebody
//! let go, is put over the outcome afterwards.

mod evidence;
mod signature;
mod surface;

use super::{
    CheckOutcome, CheckRule, Facts, MAX_MISSING, Outcome, OutcomeReason, Part, Requirement, SeenFailure, SubjectKind,
    clock::Clock,
    compiled::{Compiled, CompiledPolicy, PreparedRelease, Subject},
    waivers::Waivers,
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Evidence that an outcome names at most.
const MAX_EVIDENCE: usize = 64;
/// Characters of an outcome's sentence.
pub(super) const MAX_MESSAGE: usize = 512;

/// What became of one part.
#[derive(Debug)]
struct Verdict {
    outcome: Outcome,
    reason: OutcomeReason,
    message: String,
    evidence: BTreeSet<String>,
    expires_at: Option<Timestamp>,
}

impl Verdict {
    fn new(outcome: Outcome, reason: OutcomeReason, message: impl Into<String>) -> Self {
        Self {
            outcome,
            reason,
            message: message.into(),
            evidence: BTreeSet::new(),
            expires_at: None,
        }
    }

    fn pass(message: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, OutcomeReason::Satisfied, message)
    }

    fn fail(reason: OutcomeReason, message: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, reason, message)
    }

    fn inconclusive(reason: OutcomeReason, message: impl Into<String>) -> Self {
        Self::new(Outcome::Inconclusive, reason, message)
    }

    fn pending(reason: OutcomeReason, message: impl Into<String>) -> Self {
        Self::new(Outcome::Pending, reason, message)
    }
}

/// All requirements, in the order of the policy; and the failures to be remembered.
pub(super) fn judge(
    policy: &CompiledPolicy,
    release: &PreparedRelease,
    facts: &Facts,
    waivers: &Waivers,
    clock: &Clock,
) -> (Vec<CheckOutcome>, Vec<SeenFailure>) {
    let mut failures = Vec::new();
    let requirements = policy.policy.requires.iter().zip(&policy.requirements);
    let outcomes = requirements
        .map(|(requirement, compiled)| {
            let outcome = one(requirement, compiled, release, facts, clock, &mut failures);
            waived(unknown(outcome, facts), waivers)
        })
        .collect();
    (outcomes, newest(failures))
}

/// Of each producer's failures about one digest the newest.
fn newest(failures: Vec<SeenFailure>) -> Vec<SeenFailure> {
    let mut kept: BTreeMap<_, SeenFailure> = BTreeMap::new();
    for failure in failures {
        let key = (failure.check.clone(), failure.digest, failure.producer.clone());
        let newest = kept.entry(key).or_insert_with(|| failure.clone());
        if (newest.started_at, &newest.id) < (failure.started_at, &failure.id) {
            *newest = failure;
        }
    }
    kept.into_values().collect()
}

fn one(
    requirement: &Requirement,
    compiled: &Compiled,
    release: &PreparedRelease,
    facts: &Facts,
    clock: &Clock,
    failures: &mut Vec<SeenFailure>,
) -> CheckOutcome {
    let unusable = |reason, message| of_whole(requirement, Verdict::inconclusive(reason, message));
    let (rule, definition) = match (compiled, &requirement.definition) {
        (Ok(rule), Some(definition)) => (rule, definition),
        (Err((reason, message)), _) => return unusable(*reason, message.clone()),
        (Ok(_), None) => return unusable(OutcomeReason::CheckNotFound, "there is no such Check".to_owned()),
    };
    match &definition.rule {
        CheckRule::Signature {
            of,
            authorities,
            threshold,
        } => {
            let parts = signature::judge(requirement, of, authorities, *threshold, release, facts);
            of_parts(requirement, parts)
        }
        CheckRule::Evidence {
            subject,
            formats,
            producers,
            ..
        } => {
            let asked = evidence::Asked {
                requirement,
                subject: *subject,
                formats,
                producers,
                rule,
            };
            let (parts, failed) = asked.judge(release, facts, clock);
            failures.extend(failed);
            of_parts(requirement, parts)
        }
        CheckRule::Surface { message, .. } => of_whole(requirement, surface::judge(rule, message.as_deref(), release)),
    }
}

/// The outcome of a check that is not about single parts.
fn of_whole(requirement: &Requirement, verdict: Verdict) -> CheckOutcome {
    CheckOutcome {
        check: requirement.check.clone(),
        outcome: verdict.outcome,
        reason: verdict.reason,
        message: shortened(&verdict.message),
        evidence: verdict.evidence.into_iter().take(MAX_EVIDENCE).collect(),
        missing: Vec::new(),
        expires_at: verdict.expires_at,
    }
}

/// How bad an outcome is among several.
fn badness(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass => 0,
        Outcome::Waived => 1,
        Outcome::Pending => 2,
        Outcome::Inconclusive => 3,
        Outcome::Fail => 4,
    }
}

/// The outcome of a check on parts: that of the worst one, the first of those by name.
fn of_parts(requirement: &Requirement, parts: Vec<(SubjectKind, &Subject, Verdict)>) -> CheckOutcome {
    let count = parts.len();
    let mut missing = Vec::new();
    let mut evidence = BTreeSet::new();
    let mut lacking = 0;
    let mut worst: Option<(&Subject, Verdict)> = None;
    let mut expires_at: Option<Timestamp> = None;
    for (subject, part, mut verdict) in parts {
        evidence.append(&mut verdict.evidence);
        expires_at = expires_at.into_iter().chain(verdict.expires_at).min();
        if verdict.outcome != Outcome::Pass {
            lacking += 1;
            missing.push(Part {
                subject,
                name: part.name.clone(),
                digest: part.shown,
            });
        }
        if worst
            .as_ref()
            .is_none_or(|(_, before)| badness(before.outcome) < badness(verdict.outcome))
        {
            worst = Some((part, verdict));
        }
    }
    let Some((part, verdict)) = worst else {
        let nothing = Verdict::new(
            Outcome::Pass,
            OutcomeReason::NothingToJudge,
            "the release has no such part",
        );
        return of_whole(requirement, nothing);
    };
    missing.sort();
    missing.truncate(MAX_MISSING);
    let message = match (count, verdict.outcome) {
        (1, _) => verdict.message,
        (_, Outcome::Pass) => format!("all {count} parts: {}", verdict.message),
        _ => format!("{lacking} of {count} parts, `{}` first: {}", part.name, verdict.message),
    };
    CheckOutcome {
        check: requirement.check.clone(),
        outcome: verdict.outcome,
        reason: verdict.reason,
        message: shortened(&message),
        evidence: evidence.into_iter().take(MAX_EVIDENCE).collect(),
        missing,
        expires_at: expires_at.filter(|_| verdict.outcome == Outcome::Pass),
    }
}

/// What could not be learnt turns everything but a failure into "not measured".
fn unknown(mut outcome: CheckOutcome, facts: &Facts) -> CheckOutcome {
    let touching = facts
        .unknown
        .iter()
        .filter(|unknown| unknown.check.as_ref() == Some(&outcome.check));
    let Some(unknown) = touching.min() else { return outcome };
    if outcome.outcome != Outcome::Fail {
        outcome.outcome = Outcome::Inconclusive;
        outcome.reason = OutcomeReason::FactsMissing;
        outcome.message = shortened(&format!("{}: {}", unknown.object, unknown.message));
        outcome.expires_at = None;
    }
    outcome
}

/// Lets go what is waived; a check that passes needs no waiver.
pub(super) fn waived(mut outcome: CheckOutcome, waivers: &Waivers) -> CheckOutcome {
    if outcome.outcome == Outcome::Pass {
        return outcome;
    }
    if let Some((end, waiver)) = waivers.of(&outcome.check) {
        let before = outcome.message;
        outcome.message = shortened(&format!("waived by `{waiver}` until {end}; without it: {before}"));
        outcome.outcome = Outcome::Waived;
        outcome.reason = OutcomeReason::Waived;
        outcome.expires_at = Some(*end);
    }
    outcome
}

/// A sentence within its bound, without control characters.
pub(super) fn shortened(message: &str) -> String {
    if message.len() <= MAX_MESSAGE && !message.contains(char::is_control) {
        return message.to_owned();
    }
    let mut letters = message
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter });
    let mut kept: String = letters.by_ref().take(MAX_MESSAGE).collect();
    if letters.next().is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}
