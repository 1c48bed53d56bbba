//! Where the release has to have been before, and for how long.
//!
//! Takes where this very release is in the same tenant. A soak starts when the release became healthy there, cleared, without a break
//! since; gathering starts it anew when the release left, was revoked or broke.

use super::{
    Facts, Policy, Predecessor, PredecessorOutcome, Run,
    clock::{Clock, later},
};
use jiff::{SignedDuration, Timestamp};

pub(super) fn judge(policy: &Policy, facts: &Facts, clock: &Clock) -> Vec<PredecessorOutcome> {
    policy
        .after
        .iter()
        .map(|predecessor| one(predecessor, facts, clock))
        .collect()
}

fn one(predecessor: &Predecessor, facts: &Facts, clock: &Clock) -> PredecessorOutcome {
    let runs = || {
        facts
            .runs
            .iter()
            .filter(|run| run.environment == predecessor.environment)
    };
    let cleared = || runs().filter(|run| run.cleared);
    let soak = predecessor.soak.max(SignedDuration::ZERO);
    let soaked = |run: &Run| {
        run.healthy_since
            .map(|since| (later(since, soak), since, run.namespace.clone()))
    };
    let first: Option<(Timestamp, Timestamp, String)> = cleared().filter_map(soaked).min();
    let environment = &predecessor.environment;
    let (satisfied, message) = match &first {
        Some((end, since, namespace)) => {
            let place = format!("healthy in {environment} (namespace `{namespace}`) since {since:.0}");
            let satisfied = clock.reached(*end);
            let still = if satisfied {
                String::new()
            } else {
                format!(", has to be until {end:.0}")
            };
            (satisfied, format!("{place}{still}"))
        }
        None if cleared().next().is_some() => (false, format!("cleared in {environment}, but not healthy there")),
        None if runs().next().is_some() => (false, format!("not cleared in {environment}")),
        None => (false, format!("not in {environment} yet")),
    };
    PredecessorOutcome {
        environment: environment.clone(),
        satisfied,
        message,
        satisfied_at: first.map(|(end, ..)| end),
    }
}
