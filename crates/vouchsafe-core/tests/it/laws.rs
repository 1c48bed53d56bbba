//! What is true of every decision.

use crate::{any, any::Quality, cases::remembering};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use vouchsafe_core::decision::{
    CompiledPolicy, Decision, EvidenceResult, Facts, Outcome, OutcomeReason, Policy, PreparedRelease, Vote, decide,
};

fn decided(policy: &Policy, facts: &Facts, now: Timestamp) -> Decision {
    let surface = any::surface();
    decide(policy, &any::release(&surface), facts, now)
}

/// Whether it is cleared because everything that is required is there.
fn cleared(decision: &Decision) -> bool {
    decision.lets_in() && !decision.grandfathered
}

fn glass(decision: &Decision) -> bool {
    let active =
        |waiver: &vouchsafe_core::decision::WaiverOutcome| waiver.active && waiver.message.contains("broke the glass");
    decision.waivers.iter().any(active)
}

/// Every requirement is met.
fn met(decision: &Decision) -> bool {
    let passes = |outcome| matches!(outcome, Outcome::Pass | Outcome::Waived);
    let approved = decision.approvals.iter().all(|role| role.have >= role.need);
    let nobody_objects = decision.approvals.iter().all(|role| role.rejected_by.is_empty());
    let came_through = decision.after.iter().all(|one| one.satisfied);
    decision.checks.iter().all(|check| passes(check.outcome))
        && nobody_objects
        && (approved && came_through || glass(decision))
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn without_a_past_cleared_means_that_everything_is_there(policy in any::policy(), facts in any::facts(true)) {
        let decision = decided(&policy, &facts, any::noon());
        if cleared(&decision) {
            prop_assert!(met(&decision), "{decision:#?}");
            prop_assert!(decision.failing_since.is_none());
        }
        prop_assert_eq!(decision.term.is_some(), decision.lets_in() || decision.grandfathered);
    }

    #[test]
    fn with_a_past_cleared_without_a_requirement_says_since_when(policy in any::policy(), facts in any::facts(false), now in any::time()) {
        let decision = decided(&policy, &facts, now);
        if let Some(term) = decision.term {
            prop_assert!(term.not_after > now, "{decision:#?}");
            prop_assert!(term.renewed_at >= term.cleared_at || facts.past.is_some());
        }
        let blameless = |reason| matches!(reason, OutcomeReason::CheckNotFound | OutcomeReason::SignaturePending | OutcomeReason::PolicyUnusable);
        let excused = !policy.problems.is_empty() || decision.checks.iter().any(|check| blameless(check.reason));
        let asked_before = facts.past.as_ref().is_some_and(|past| past.cleared_at.is_some());
        if cleared(&decision) && !met(&decision) && decision.failing_since.is_none() {
            let only_after = decision.checks.iter().all(|check| matches!(check.outcome, Outcome::Pass | Outcome::Waived));
            prop_assert!(asked_before && (excused || only_after), "{decision:#?}");
        }
    }

    #[test]
    fn removing_good_evidence_never_clears(policy in any::policy(), facts in any::facts(true), good in any::evidence_of(Quality::Good), now in any::time()) {
        let without = decided(&policy, &facts, now);
        let mut more = facts.clone();
        more.evidence.push(good);
        let with = decided(&policy, &more, now);
        // What changes to the better with good evidence may; what was cleared without it may only be lost to a failure that it reveals.
        prop_assert!(!cleared(&without) || cleared(&with), "{with:#?}");
    }

    #[test]
    fn adding_bad_evidence_never_helps(
        policy in any::policy(), facts in any::facts(true), now in any::time(),
        bad in any::quality().prop_filter("bad", |quality| *quality != Quality::Good).prop_flat_map(any::evidence_of),
    ) {
        let before = decided(&policy, &facts, now);
        let mut more = facts.clone();
        more.evidence.push(bad);
        let after = decided(&policy, &more, now);
        prop_assert!(!cleared(&after) || cleared(&before), "{after:#?}");
    }

    #[test]
    fn a_failure_that_vanishes_never_helps(policy in any::policy(), facts in any::facts(true), now in any::time()) {
        let before = decided(&policy, &facts, now);
        let mut less = remembering(&facts, &before);
        less.past = None;
        less.evidence.retain(|evidence| evidence.result != EvidenceResult::Fail);
        less.approvals.retain(|approval| approval.vote != Vote::Reject);
        let after = decided(&policy, &less, now);
        prop_assert!(!cleared(&after) || cleared(&before), "{before:#?}\n{after:#?}");
    }

    #[test]
    fn a_vote_less_for_it_never_clears(policy in any::policy(), facts in any::facts(true), now in any::time(), vote in any::approval()) {
        let mut more = facts.clone();
        more.approvals.push(vote.clone());
        let (without, with) = (decided(&policy, &facts, now), decided(&policy, &more, now));
        if vote.vote == Vote::Approve {
            prop_assert!(!cleared(&without) || cleared(&with), "{with:#?}");
        } else {
            prop_assert!(!cleared(&with) || cleared(&without), "{with:#?}");
        }
    }

    #[test]
    fn a_waiver_less_never_clears(policy in any::policy(), facts in any::facts(true), now in any::time()) {
        let with = decided(&policy, &facts, now);
        for index in 0..facts.waivers.len() {
            let mut less = facts.clone();
            less.waivers.remove(index);
            let without = decided(&policy, &less, now);
            prop_assert!(!cleared(&without) || cleared(&with), "{with:#?}");
        }
    }

    #[test]
    fn time_alone_makes_no_check_pass(policy in any::policy(), facts in any::facts(true), now in any::time(), hours in 0_i64..200) {
        let Ok(then) = now.checked_add(SignedDuration::from_hours(hours)) else { return Ok(()) };
        let (before, after) = (decided(&policy, &facts, now), decided(&policy, &facts, then));
        for (before, after) in before.checks.iter().zip(&after.checks) {
            prop_assert_eq!(&before.check, &after.check);
            prop_assert!(after.outcome != Outcome::Pass || before.outcome == Outcome::Pass);
        }
    }

    #[test]
    fn nothing_changes_before_the_review_and_something_does_then(
        policy in any::policy(), facts in any::facts(false), now in any::time(), part in 0.0_f64..1.0,
    ) {
        let decision = decided(&policy, &facts, now);
        let facts = remembering(&facts, &decision);
        prop_assert_eq!(&decided(&policy, &facts, now), &decision);
        let Some(review) = decision.next_review_at else {
            prop_assert_eq!(&decided(&policy, &facts, Timestamp::MAX), &decision);
            return Ok(());
        };
        prop_assert!(review > now);
        let nanos = (review.as_nanosecond() - now.as_nanosecond()) as f64 * part;
        let between = Timestamp::from_nanosecond(now.as_nanosecond() + nanos as i128).unwrap();
        if between < review {
            prop_assert_eq!(&decided(&policy, &facts, between), &decision);
        }
        let just_before = Timestamp::from_nanosecond(review.as_nanosecond() - 1).unwrap();
        prop_assert_eq!(&decided(&policy, &facts, just_before), &decision);
        let mut then = decided(&policy, &facts, review);
        then.next_review_at = decision.next_review_at;
        prop_assert_ne!(then, decision);
    }

    #[test]
    fn order_and_duplicates_mean_nothing(policy in any::policy(), facts in any::facts(false), now in any::time(), again in any::<prop::sample::Index>()) {
        let mut other = facts.clone();
        fn twice<T: Clone>(list: &mut Vec<T>, index: &prop::sample::Index) {
            if !list.is_empty() {
                list.push(list[index.index(list.len())].clone());
                list.rotate_left(1);
                list.reverse();
            }
        }
        twice(&mut other.evidence, &again);
        twice(&mut other.signatures, &again);
        twice(&mut other.approvals, &again);
        twice(&mut other.waivers, &again);
        twice(&mut other.runs, &again);
        twice(&mut other.unknown, &again);
        prop_assert_eq!(decided(&policy, &other, now), decided(&policy, &facts, now));
    }

    #[test]
    fn what_is_made_ready_once_decides_alike(policy in any::policy(), facts in any::facts(false), now in any::time()) {
        let surface = any::surface();
        let compiled = CompiledPolicy::new(policy.clone());
        let prepared = PreparedRelease::new(&any::release(&surface));
        let decision = compiled.decide(&prepared, &facts, now);
        prop_assert_eq!(&decision, &decided(&policy, &facts, now));
        let bytes = serde_json::to_vec(&decision).unwrap();
        prop_assert_eq!(serde_json::from_slice::<Decision>(&bytes).unwrap(), decision);
    }
}
