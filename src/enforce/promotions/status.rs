//! A decision as the status of its Promotion, in words that kstatus, `kubectl wait` and Argo CD understand.
//!
//! `Ready` is cleared. `Cleared` says the same with the verdict as its reason. `Stalled` only when nothing but an edit can help.

use super::{Judged, Unusable};
use crate::{
    enforce::{Context, facts},
    observe::World,
};
use jiff::Timestamp;
use kube::{ResourceExt, runtime::reflector::ObjectRef};
use vouchsafe_api::{
    Promotion, lift,
    promotion::status::{HistoryEntry, PromotionStatus, Verdict},
};
use vouchsafe_core::{
    conditions::{Truth, Wanted, merge},
    decision,
};

/// Past verdicts that are kept.
const MAX_HISTORY: usize = 10;
/// Letters of a past verdict's words.
const MAX_WORDS: usize = 256;

/// What was decided.
pub(super) fn decided(promotion: &Promotion, judged: &Judged, context: &Context, now: Timestamp) -> PromotionStatus {
    let world = &context.world;
    let previous = promotion.status.clone().unwrap_or_default();
    let decision = &judged.decision;
    let summary = lift::waiting_for(&decision.waiting_for).unwrap_or_else(|| decision.verdict.to_string());
    let mut next = lift::decision(decision, &previous);
    next.observed_generation = promotion.metadata.generation.unwrap_or_default();
    next.waiting_for = (decision.verdict != decision::Verdict::Cleared).then(|| summary.clone());
    next.bindings = facts::bindings(promotion, world, now);
    deployment(promotion, &previous, &mut next, world, now);
    let unusable = judged.policy.policy().problems.first().cloned();
    let stalled = unusable.map(|problem| ("PolicyInvalid", problem));
    finish(
        promotion,
        previous,
        next,
        &summary,
        stalled.or_else(|| left_out(promotion, context)),
        is_orphaned(promotion, world),
        now,
    )
}

/// Why the ledger does not hold all of it: nothing changes that by itself.
fn left_out(promotion: &Promotion, context: &Context) -> Option<(&'static str, String)> {
    let namespace = promotion.namespace().unwrap_or_default();
    let (agent, release) = (&promotion.spec.agent, promotion.spec.release);
    let dropped = context.ledgers.left_out.of(&namespace, agent, release)?;
    Some((dropped.reason, dropped.message))
}

/// What is said when nothing could be decided.
pub(super) fn unusable(promotion: &Promotion, unusable: &Unusable, world: &World, now: Timestamp) -> PromotionStatus {
    let previous = promotion.status.clone().unwrap_or_default();
    let mut next = previous.clone();
    next.observed_generation = promotion.metadata.generation.unwrap_or_default();
    let words = unusable.to_string();
    if !(unusable.keeps_clearance() && previous.verdict == Some(Verdict::Cleared)) {
        next.verdict = Some(Verdict::Refused);
        next.waiting_for = Some(words.chars().take(300).collect());
    }
    next.next_review_at = None;
    finish(
        promotion,
        previous,
        next,
        &words,
        Some((unusable.reason(), words.clone())),
        is_orphaned(promotion, world),
        now,
    )
}

/// Whether its Agent was deleted after it was deployed: what is cleared stays so until its end.
fn is_orphaned(promotion: &Promotion, world: &World) -> bool {
    let agent = ObjectRef::new(&promotion.spec.agent).within(&promotion.namespace().unwrap_or_default());
    let deployed = promotion
        .status
        .as_ref()
        .is_some_and(|status| status.deployed_at.is_some());
    deployed && world.agents.get(&agent).is_none()
}

/// Since when the release is deployed and healthy here.
fn deployment(
    promotion: &Promotion,
    previous: &PromotionStatus,
    next: &mut PromotionStatus,
    world: &World,
    now: Timestamp,
) {
    let namespace = promotion.namespace().unwrap_or_default();
    next.deployed_at = previous.deployed_at;
    next.healthy_since = previous.healthy_since;
    let Some(state) = world.state(&namespace, &promotion.spec.agent) else {
        return;
    };
    let here = state.release == promotion.spec.release;
    if here && next.deployed_at.is_none() {
        next.deployed_at = Some(now);
    }
    let healthy = here && next.verdict == Some(Verdict::Cleared);
    match state.healthy.map(|is| is && healthy) {
        Some(true) => next.healthy_since = previous.healthy_since.or(Some(now)),
        Some(false) => next.healthy_since = None,
        None => {}
    }
}

fn finish(
    promotion: &Promotion,
    previous: PromotionStatus,
    mut next: PromotionStatus,
    words: &str,
    stalled: Option<(&'static str, String)>,
    orphaned: bool,
    now: Timestamp,
) -> PromotionStatus {
    if next.verdict != previous.verdict
        && let Some(verdict) = next.verdict
    {
        next.history.insert(
            0,
            HistoryEntry {
                at: now,
                verdict,
                message: words.chars().take(MAX_WORDS).collect(),
                policy_digest: next.policy_digest,
            },
        );
        next.history.truncate(MAX_HISTORY);
    }
    let wanted = conditions(orphaned, &next, words, stalled);
    let generation = promotion.metadata.generation.unwrap_or_default();
    let merged = merge(&previous.conditions, wanted, generation, now);
    next.conditions = merged.unwrap_or(previous.conditions);
    next
}

fn conditions(
    orphaned: bool,
    next: &PromotionStatus,
    words: &str,
    stalled: Option<(&'static str, String)>,
) -> Vec<Wanted> {
    let cleared = next.verdict == Some(Verdict::Cleared);
    let reason = next.verdict.map_or("Unknown", Verdict::as_str);
    let said = |kind| Wanted {
        kind,
        status: Truth::from(cleared),
        reason,
        message: words.to_owned(),
    };
    let mut wanted = vec![said("Ready"), said("Cleared")];
    if let Some((reason, message)) = stalled {
        wanted.push(Wanted {
            kind: "Stalled",
            status: Truth::True,
            reason,
            message,
        });
    }
    if let Some(since) = next.failing_since {
        wanted.push(Wanted {
            kind: "Failing",
            status: Truth::True,
            reason: "ChecksFailing",
            message: format!("cleared, and not satisfied since {since}: {words}"),
        });
    }
    if orphaned {
        wanted.push(Wanted {
            kind: "Orphaned",
            status: Truth::True,
            reason: "AgentDeleted",
            message: "its Agent was deleted; what is cleared stays so until its end".to_owned(),
        });
    }
    if next.break_glass_unreviewed {
        wanted.push(Wanted {
            kind: "BreakGlass",
            status: Truth::True,
            reason: "NotReviewed",
            message: "somebody broke the glass; someone else has to review it: kubectl vouchsafe approve --waiver"
                .to_owned(),
        });
    }
    wanted
}
