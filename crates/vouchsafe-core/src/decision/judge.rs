//! All rules together, and the answer.

use super::{
    BindingChange, CheckOutcome, Decision, Facts, OnFailure, Outcome, OutcomeReason, Past, PredecessorOutcome, Seen,
    Term, Verdict, WaitingFor,
    approvals::{self, Approvals},
    builtin, checks,
    clearance::{self, Requirements, Standing},
    clock::{Clock, later},
    compiled::{CompiledPolicy, PreparedRelease},
    predecessors,
    votes::Votes,
    waivers::{self, Waivers},
};
use jiff::{SignedDuration, Timestamp};

/// What lies between being revoked and being cleared again.
const INSTANT: SignedDuration = SignedDuration::from_nanos(1);

/// What the rules came to, each by itself.
struct Findings {
    checks: Vec<CheckOutcome>,
    approvals: Approvals,
    after: Vec<PredecessorOutcome>,
    waivers: Waivers,
    /// Nothing new is cleared by this policy.
    unusable: bool,
}

pub(super) fn decide(policy: &CompiledPolicy, release: &PreparedRelease, facts: &Facts, now: Timestamp) -> Decision {
    let clock = Clock::new(now);
    let votes = Votes::of(&policy.policy, release.digest, facts);
    let waivers = waivers::judge(&policy.policy, release.digest, facts, &votes, &clock);
    let (mut outcomes, failures) = checks::judge(policy, release, facts, &waivers, &clock);
    outcomes.extend(builtin::judge(policy, release, facts, &waivers));
    let findings = Findings {
        checks: outcomes,
        approvals: approvals::judge(&policy.policy, facts, &votes.release),
        after: predecessors::judge(&policy.policy, facts, &clock),
        waivers,
        unusable: !policy.problems.is_empty(),
    };
    let answer = findings.answer(policy, facts, &clock);
    let seen = Seen {
        rejects: votes.standing_rejects(),
        failures,
    };
    let waiting_for = if answer.verdict == Verdict::Superseded {
        WaitingFor::default()
    } else {
        findings.waiting_for()
    };
    Decision {
        verdict: answer.verdict,
        waiting_for,
        checks: findings.checks,
        approvals: findings.approvals.outcomes,
        after: findings.after,
        waivers: findings.waivers.outcomes,
        term: answer.term,
        failing_since: answer.failing_since,
        evict: answer.verdict == Verdict::Revoked && policy.policy.clearance.on_failure == OnFailure::Evict,
        grandfathered: answer.grandfathered,
        break_glass_unreviewed: findings.waivers.unreviewed,
        seen,
        next_review_at: clock.next(),
        policy_digest: policy.digest,
    }
}

/// The answer and what goes with it.
#[derive(Default)]
struct Answer {
    verdict: Verdict,
    term: Option<Term>,
    failing_since: Option<Timestamp>,
    grandfathered: bool,
}

impl Findings {
    fn answer(&self, policy: &CompiledPolicy, facts: &Facts, clock: &Clock) -> Answer {
        let past = facts.past.as_ref();
        let answer = match clearance::current(&policy.policy.clearance, past, clock) {
            Some(term) => self.standing(policy, facts, term, clock),
            None => self.entering(policy, facts, clock),
        };
        if facts.superseded {
            return Answer {
                verdict: Verdict::Superseded,
                ..answer
            };
        }
        answer
    }

    /// It is cleared: what becomes of that.
    fn standing(&self, policy: &CompiledPolicy, facts: &Facts, mut term: Term, clock: &Clock) -> Answer {
        term.after_waived &= !self.after_holds();
        let rebound = self.rebound(policy, facts, term);
        let failing_since = facts.past.as_ref().and_then(|past| past.failing_since);
        let requirements = self.for_keeping(term, rebound);
        let Standing { term, failing_since } =
            clearance::keep(&policy.policy.clearance, term, requirements, failing_since, clock);
        let verdict = match term {
            None => Verdict::Revoked,
            Some(_) if rebound => self.unmet(),
            Some(_) => Verdict::Cleared,
        };
        Answer {
            verdict,
            term,
            failing_since,
            grandfathered: false,
        }
    }

    /// It is not cleared: whether it can be, or may run on without.
    fn entering(&self, policy: &CompiledPolicy, facts: &Facts, clock: &Clock) -> Answer {
        if facts.superseded && !facts.grandfathered {
            return Answer::default();
        }
        let revoked_at = facts.past.as_ref().and_then(|past| past.revoked_at);
        let still = |revoked_at| !self.approvals.satisfied || !clock.reached(later(revoked_at, INSTANT));
        if revoked_at.is_some_and(still) {
            return Answer {
                verdict: Verdict::Revoked,
                ..Answer::default()
            };
        }
        let unproven = !self.after_holds();
        let first = || clearance::first(&policy.policy.clearance, self.waived_until(unproven), unproven, clock);
        if let Some(term) = (!facts.superseded && self.may_enter()).then(first).flatten() {
            return Answer {
                verdict: Verdict::Cleared,
                term: Some(term),
                ..Answer::default()
            };
        }
        let until = policy.policy.grandfather_until.filter(|_| facts.grandfathered);
        if let Some(not_after) = until.filter(|until| !clock.reached(*until)) {
            return Answer {
                verdict: Verdict::Cleared,
                term: Some(grandfathered(facts.past.as_ref(), not_after, clock)),
                failing_since: None,
                grandfathered: true,
            };
        }
        Answer {
            verdict: self.unmet(),
            ..Answer::default()
        }
    }

    /// Whether the bindings it has now are not those that people approved.
    fn rebound(&self, policy: &CompiledPolicy, facts: &Facts, term: Term) -> bool {
        policy.policy.on_binding_change == BindingChange::Reapprove
            && facts
                .bindings_changed_at
                .is_some_and(|changed| changed >= term.cleared_at)
            && !self.approved()
    }

    fn broken_glass(&self) -> bool {
        self.waivers.break_glass.is_some()
    }

    fn approved(&self) -> bool {
        self.approvals.satisfied || self.broken_glass()
    }

    fn lacking(&self) -> impl Iterator<Item = &CheckOutcome> {
        let lacks = |check: &&CheckOutcome| !matches!(check.outcome, Outcome::Pass | Outcome::Waived);
        self.checks.iter().filter(lacks)
    }

    fn after_holds(&self) -> bool {
        self.after.iter().all(|one| one.satisfied)
    }

    fn may_enter(&self) -> bool {
        let came_through = self.after_holds() || self.broken_glass();
        !self.unusable && !self.approvals.rejected && self.lacking().next().is_none() && self.approved() && came_through
    }

    /// What is required to keep a clearance: everything but having been elsewhere before, which others may have moved on from.
    fn for_keeping(&self, term: Term, rebound: bool) -> Requirements {
        let blameless = |check: &CheckOutcome| {
            matches!(
                check.reason,
                OutcomeReason::CheckNotFound | OutcomeReason::SignaturePending | OutcomeReason::PolicyUnusable
            )
        };
        let approved = self.approved() || rebound;
        let proven = !term.after_waived || self.broken_glass();
        if self.unusable {
            return Requirements::Unknown;
        }
        if self.approvals.rejected || !approved || !proven || self.lacking().any(|check| !blameless(check)) {
            Requirements::Unmet
        } else if rebound || self.lacking().next().is_some() {
            Requirements::Unknown
        } else {
            Requirements::Met(self.waived_until(term.after_waived))
        }
    }

    /// The earliest end of a waiver that is needed.
    fn waived_until(&self, unproven: bool) -> Option<Timestamp> {
        let waived = self.checks.iter().filter(|check| check.outcome == Outcome::Waived);
        let glass = self.waivers.break_glass.as_ref().map(|(end, _)| *end);
        let needs_glass = !self.approvals.satisfied || unproven;
        waived
            .filter_map(|check| check.expires_at)
            .chain(glass.filter(|_| needs_glass))
            .min()
    }

    /// The verdict while something is missing: what is bad before what is not there, machines before people.
    fn unmet(&self) -> Verdict {
        let waiting = self.waiting_for();
        if self.approvals.rejected || self.checks.iter().any(|check| check.outcome == Outcome::Fail) {
            Verdict::Refused
        } else if waiting.machines.is_empty() && !waiting.people.is_empty() {
            Verdict::AwaitingApproval
        } else {
            Verdict::Waiting
        }
    }

    fn waiting_for(&self) -> WaitingFor {
        let checks = self.lacking().map(|check| check.check.clone());
        let environments = self
            .after
            .iter()
            .filter(|one| !one.satisfied)
            .map(|one| one.environment.clone());
        let mut machines: Vec<_> = checks.chain(environments).collect();
        machines.sort();
        machines.dedup();
        WaitingFor {
            machines,
            people: self.approvals.lacking().into_iter().collect(),
        }
    }
}

/// The term of what ran before enforcement began.
fn grandfathered(past: Option<&Past>, not_after: Timestamp, clock: &Clock) -> Term {
    let since = past.filter(|past| past.grandfathered).and_then(|past| past.cleared_at);
    let since = since.unwrap_or(clock.now());
    Term {
        cleared_at: since,
        renewed_at: since,
        after_waived: false,
        not_after,
    }
}
