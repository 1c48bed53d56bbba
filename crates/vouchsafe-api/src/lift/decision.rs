//! A decision, as the status of its Promotion.

use super::{cut, cut_all};
use crate::lower;
use crate::promotion::status::{
    ApprovalOutcome, CheckOutcome, Part, PredecessorOutcome, PromotionStatus, Seen, SeenFailure, SeenReject,
    WaiverOutcome,
};
use vouchsafe_core::decision::{self, ApprovalFact, Decision, MAX_MISSING, WaitingFor};

/// What was decided, over what was said before. Left as they were: the generation, the bindings, the author, deployment and health, the
/// history and the conditions, which are not the decision's.
#[must_use]
pub fn decision(decision: &Decision, previous: &PromotionStatus) -> PromotionStatus {
    let Decision {
        verdict,
        waiting_for,
        checks,
        approvals,
        after,
        waivers,
        term: _,
        failing_since: _,
        evict: _,
        grandfathered: _,
        break_glass_unreviewed,
        seen,
        next_review_at,
        policy_digest,
    } = decision;
    let past = decision.past(Some(&lower::past(previous)));
    PromotionStatus {
        verdict: Some((*verdict).into()),
        waiting_for: self::waiting_for(waiting_for),
        checks: checks.iter().take(72).map(check).collect(),
        approvals: approvals.iter().take(24).map(approval).collect(),
        waivers: waivers.iter().take(32).map(waiver).collect(),
        after: after.iter().take(8).map(predecessor).collect(),
        next_review_at: *next_review_at,
        cleared_at: past.cleared_at,
        not_after: past.not_after,
        renewed_at: past.renewed_at,
        failing_since: past.failing_since,
        grandfathered: past.grandfathered,
        after_waived: past.after_waived,
        break_glass_unreviewed: *break_glass_unreviewed,
        policy_digest: Some(*policy_digest),
        seen: self::seen(seen),
        ..previous.clone()
    }
}

/// Who has to act, in one line; nothing when nobody has.
#[must_use]
pub fn waiting_for(WaitingFor { machines, people }: &WaitingFor) -> Option<String> {
    let people = people.iter().map(|role| format!("approval by {role}"));
    let all: Vec<String> = machines.iter().cloned().chain(people).collect();
    (!all.is_empty()).then(|| cut(&all.join(", "), 300))
}

fn check(outcome: &decision::CheckOutcome) -> CheckOutcome {
    let decision::CheckOutcome {
        check,
        outcome,
        reason,
        message,
        evidence,
        missing,
        expires_at,
    } = outcome;
    CheckOutcome {
        check: cut(check, 63),
        outcome: (*outcome).into(),
        reason: reason.to_string(),
        message: cut(message, 1024),
        evidence: cut_all(evidence, 64, 317),
        missing: missing.iter().take(MAX_MISSING).map(part).collect(),
        expires_at: *expires_at,
    }
}

fn part(decision::Part { subject, name, digest }: &decision::Part) -> Part {
    Part {
        subject: (*subject).into(),
        name: cut(name, 512),
        digest: *digest,
    }
}

fn approval(outcome: &decision::ApprovalOutcome) -> ApprovalOutcome {
    let decision::ApprovalOutcome {
        role,
        have,
        need,
        by,
        rejected_by,
        not_counted,
        contact,
    } = outcome;
    ApprovalOutcome {
        role: cut(role, 63),
        have: *have,
        need: *need,
        by: cut_all(by, 32, 1024),
        rejected_by: cut_all(rejected_by, 32, 1024),
        not_counted: cut_all(not_counted, 32, 1280),
        contact: contact.as_ref().map(|contact| cut(contact, 253)),
    }
}

fn waiver(outcome: &decision::WaiverOutcome) -> WaiverOutcome {
    let decision::WaiverOutcome {
        waiver,
        active,
        message,
        not_after,
    } = outcome;
    WaiverOutcome {
        waiver: cut(waiver, 253),
        active: *active,
        message: cut(message, 1024),
        not_after: *not_after,
    }
}

fn predecessor(outcome: &decision::PredecessorOutcome) -> PredecessorOutcome {
    let decision::PredecessorOutcome {
        environment,
        satisfied,
        message,
        satisfied_at,
    } = outcome;
    PredecessorOutcome {
        environment: cut(environment, 63),
        satisfied: *satisfied,
        message: cut(message, 1024),
        satisfied_at: *satisfied_at,
    }
}

/// The newest are kept when there are too many.
fn seen(decision::Seen { rejects, failures }: &decision::Seen) -> Option<Seen> {
    if rejects.is_empty() && failures.is_empty() {
        return None;
    }
    let mut newest: Vec<&ApprovalFact> = rejects.iter().collect();
    newest.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    newest.dedup_by(|a, b| a.id == b.id);
    let mut latest: Vec<&decision::SeenFailure> = failures.iter().collect();
    latest.sort_by(|a, b| (b.started_at, &b.id).cmp(&(a.started_at, &a.id)));
    latest.dedup_by(|a, b| a.id == b.id);
    Some(Seen {
        rejects: newest.into_iter().take(64).map(reject).collect(),
        failures: latest.into_iter().take(128).map(failure).collect(),
    })
}

fn reject(fact: &ApprovalFact) -> SeenReject {
    let ApprovalFact {
        id,
        release,
        environment,
        role,
        scope,
        vote,
        waiver,
        by,
        at,
    } = fact;
    SeenReject {
        id: id.clone(),
        release: *release,
        environment: environment.clone(),
        role: role.clone(),
        scope: (*scope).into(),
        vote: (*vote).into(),
        waiver: waiver.clone(),
        username: by.username.clone(),
        at: *at,
    }
}

fn failure(failure: &decision::SeenFailure) -> SeenFailure {
    let decision::SeenFailure {
        id,
        check,
        digest,
        producer,
        started_at,
        message,
    } = failure;
    SeenFailure {
        id: id.clone(),
        check: check.clone(),
        digest: *digest,
        producer: producer.clone(),
        started_at: *started_at,
        message: cut(message, 1024),
    }
}
