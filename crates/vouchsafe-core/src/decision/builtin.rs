//! What every environment requires without saying so: that it is known what is judged, and by what.
//!
//! Each is an outcome only when it does not pass. A blocking problem and a policy that cannot be used are nothing that could be waived.

use super::{
    Author, CheckOutcome, Facts, Outcome, OutcomeReason, Sensitivity, UnknownAuthor,
    checks::{shortened, waived},
    compiled::{CompiledPolicy, PreparedRelease},
    waivers::Waivers,
};

/// The built-in check that everything is pinned down.
pub const RESOLUTION: &str = "resolution";
/// The built-in check that everything could be learnt.
pub const FACTS: &str = "facts";
/// The built-in check that the author is known.
pub const AUTHOR: &str = "author";
/// The built-in check that the policy can be used.
pub const POLICY: &str = "policy";

/// Names that a sentence lists.
const LISTED: usize = 5;

pub(super) fn judge(
    policy: &CompiledPolicy,
    release: &PreparedRelease,
    facts: &Facts,
    waivers: &Waivers,
) -> Vec<CheckOutcome> {
    let resolution = blocking(facts).or_else(|| unresolved(policy, release).map(|outcome| waived(outcome, waivers)));
    let facts_known = unknown(facts).map(|outcome| waived(outcome, waivers));
    let author = author(policy, facts).map(|outcome| waived(outcome, waivers));
    [resolution, facts_known, author, unusable(policy)]
        .into_iter()
        .flatten()
        .collect()
}

fn outcome(check: &str, outcome: Outcome, reason: OutcomeReason, message: &str) -> CheckOutcome {
    CheckOutcome {
        check: check.to_owned(),
        outcome,
        reason,
        message: shortened(message),
        evidence: Vec::new(),
        missing: Vec::new(),
        expires_at: None,
    }
}

fn listed(all: &[String]) -> String {
    let named: Vec<_> = all.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
    let more = all.len().saturating_sub(LISTED);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", named.join(", "))
}

fn blocking(facts: &Facts) -> Option<CheckOutcome> {
    let problem = facts.problems.iter().filter(|problem| problem.blocking).min()?;
    let field = if problem.field.is_empty() {
        String::new()
    } else {
        format!(" {}", problem.field)
    };
    let message = format!("{}{field}: {}; {}", problem.object, problem.message, problem.fix);
    Some(outcome(
        RESOLUTION,
        Outcome::Inconclusive,
        OutcomeReason::Unresolved,
        &message,
    ))
}

fn unresolved(policy: &CompiledPolicy, release: &PreparedRelease) -> Option<CheckOutcome> {
    let strict = policy.policy.sensitivity >= Sensitivity::High;
    let message = || format!("not pinned down: {}", listed(&release.unresolved));
    (strict && !release.unresolved.is_empty())
        .then(|| outcome(RESOLUTION, Outcome::Inconclusive, OutcomeReason::Unresolved, &message()))
}

fn unknown(facts: &Facts) -> Option<CheckOutcome> {
    let unknown = facts.unknown.iter().filter(|unknown| unknown.check.is_none()).min()?;
    let message = format!("{}: {}", unknown.object, unknown.message);
    Some(outcome(
        FACTS,
        Outcome::Inconclusive,
        OutcomeReason::FactsMissing,
        &message,
    ))
}

fn author(policy: &CompiledPolicy, facts: &Facts) -> Option<CheckOutcome> {
    let refused = facts.author == Author::Unknown && policy.policy.unknown_author == UnknownAuthor::Refuse;
    let message = "nobody knows who wrote it, and the environment refuses that";
    refused.then(|| outcome(AUTHOR, Outcome::Fail, OutcomeReason::AuthorUnknown, message))
}

fn unusable(policy: &CompiledPolicy) -> Option<CheckOutcome> {
    let message = || format!("the policy cannot be used: {}", policy.problems.join("; "));
    (!policy.problems.is_empty())
        .then(|| outcome(POLICY, Outcome::Inconclusive, OutcomeReason::PolicyUnusable, &message()))
}
