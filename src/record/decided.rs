//! The log line of a decision: `event=decision`, what it is about, what was decided, and the digests of what it was made from.

use crate::traces::{SpanId, TraceId};
use kube::ResourceExt;
use vouchsafe_api::Promotion;
use vouchsafe_core::{decision::Decision, digest::Digest};

/// Writes the line; `ids` are those of its span, where there are traces.
pub(crate) fn log(promotion: &Promotion, decision: &Decision, facts: Digest, ids: Option<(TraceId, SpanId)>) {
    let outcomes: Vec<_> = decision
        .checks
        .iter()
        .map(|check| format!("{}={}/{}", check.check, check.outcome, check.reason))
        .collect();
    let approvals: Vec<_> = decision
        .approvals
        .iter()
        .map(|role| format!("{}={}/{}", role.role, role.have, role.need))
        .collect();
    tracing::info!(
        event = "decision",
        namespace = promotion.namespace().unwrap_or_default(),
        promotion = promotion.name_any(),
        agent = promotion.spec.agent,
        release = %promotion.spec.release,
        environment = promotion.spec.environment,
        verdict = %decision.verdict,
        outcomes = outcomes.join(","),
        approvals = approvals.join(","),
        policy_digest = %decision.policy_digest,
        facts_digest = %facts,
        not_after = decision.term.map(|term| term.not_after.to_string()),
        next_review_at = decision.next_review_at.map(|at| at.to_string()),
        trace_id = ids.map(|(trace, _)| trace.to_string()),
        span_id = ids.map(|(_, span)| span.to_string()),
    );
}
