//! How long a clearance is good: given, renewed at two thirds, shortened, ended.
//!
//! While everything required is there, a clearance is renewed. When something is not, `onFailure` decides: with Alert it stays until its
//! end and is not renewed, so that the age of evidence never shortens it; with Hold and Evict it is revoked after the grace period.

use super::{
    ClearanceRule, OnFailure, Past, Term,
    clock::{Clock, later},
};
use jiff::{SignedDuration, Timestamp};

/// Whether everything that is required is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Requirements {
    /// All of it; with waivers until this time.
    Met(Option<Timestamp>),
    /// Something is not, but only because nobody has measured or the policy is broken: no reason to take anything away.
    Unknown,
    /// Something is not.
    Unmet,
}

/// A clearance at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    /// Its term; none when it is revoked.
    pub(super) term: Option<Term>,
    pub(super) failing_since: Option<Timestamp>,
}

/// The term that was given before and has not ended, if there is one.
pub(super) fn current(rule: &ClearanceRule, past: Option<&Past>, clock: &Clock) -> Option<Term> {
    let past = past.filter(|past| !past.grandfathered)?;
    let cleared_at = past
        .cleared_at
        .filter(|at| past.revoked_at.is_none_or(|revoked| *at > revoked))?;
    let renewed_at = past.renewed_at.unwrap_or(cleared_at);
    let not_after = past.not_after?.min(later(renewed_at, rule.valid_for));
    let term = Term {
        cleared_at,
        renewed_at,
        after_waived: past.after_waived,
        not_after,
    };
    (!clock.is_past(not_after)).then_some(term)
}

/// A first term; none when it would have ended already.
pub(super) fn first(
    rule: &ClearanceRule,
    waived_until: Option<Timestamp>,
    after_waived: bool,
    clock: &Clock,
) -> Option<Term> {
    let now = clock.now();
    let not_after = capped(later(now, rule.valid_for), now, waived_until);
    let term = Term {
        cleared_at: now,
        renewed_at: now,
        after_waived,
        not_after,
    };
    (not_after > now).then(|| watched(rule, term, waived_until, clock))
}

/// What becomes of a term that stands.
pub(super) fn keep(
    rule: &ClearanceRule,
    term: Term,
    requirements: Requirements,
    failing_since: Option<Timestamp>,
    clock: &Clock,
) -> Standing {
    if let Requirements::Met(waived_until) = requirements {
        return Standing {
            term: Some(renewed(rule, term, waived_until, clock)),
            failing_since: None,
        };
    }
    clock.reached(term.not_after);
    if requirements == Requirements::Unknown {
        return Standing {
            term: Some(term),
            failing_since,
        };
    }
    let since = failing_since.unwrap_or(clock.now());
    let patient = rule.on_failure == OnFailure::Alert;
    let stays = patient || !clock.reached(later(since, rule.grace_period.max(SignedDuration::ZERO)));
    Standing {
        term: stays.then_some(term),
        failing_since: Some(since),
    }
}

/// A waiver lengthens a term to its own end at most, and never shortens one that was given without it.
fn renewed(rule: &ClearanceRule, term: Term, waived_until: Option<Timestamp>, clock: &Clock) -> Term {
    let due = renewal(rule, term, waived_until).is_some_and(|due| clock.is_past(due));
    let renewed_at = if due { clock.now() } else { term.renewed_at };
    let full = later(renewed_at, rule.valid_for);
    let term = Term {
        renewed_at,
        not_after: capped(full, term.not_after, waived_until),
        ..term
    };
    watched(rule, term, waived_until, clock)
}

/// When renewing lengthens a term: at two thirds of it, unless a waiver ends before the term does.
fn renewal(rule: &ClearanceRule, term: Term, waived_until: Option<Timestamp>) -> Option<Timestamp> {
    let full = later(term.renewed_at, rule.valid_for);
    let third = rule.valid_for.checked_div(3).unwrap_or_default();
    let two_thirds = third.checked_mul(2).unwrap_or(rule.valid_for);
    waived_until
        .is_none_or(|end| end > full)
        .then(|| later(term.renewed_at, two_thirds))
}

/// The decision has to be made again when the term is to be renewed, and when it ends.
fn watched(rule: &ClearanceRule, term: Term, waived_until: Option<Timestamp>, clock: &Clock) -> Term {
    clock.reached(term.not_after);
    if let Some(due) = renewal(rule, term, waived_until) {
        clock.reached(due);
    }
    term
}

fn capped(full: Timestamp, already: Timestamp, waived_until: Option<Timestamp>) -> Timestamp {
    waived_until.map_or(full, |end| full.min(end.max(already)))
}
