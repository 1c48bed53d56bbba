//! Promotions to verdicts.
//!
//! Takes a Promotion, checks the surface that it claims, gathers facts, decides, and writes what was decided into its status. It sleeps
//! exactly until the decision can change by itself.

mod compiled;
mod status;

pub(crate) use self::compiled::Compiled;

use super::{Context, Error, facts, now, until, write};
use crate::{record::decided, traces::Decided};
use kube::{Api, ResourceExt, runtime::controller::Action};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use vouchsafe_api::{
    Promotion, lower,
    promotion::status::{PromotionStatus, Verdict},
};
use vouchsafe_core::{
    decision::{CompiledPolicy, Decision, PreparedRelease, Release},
    surface::Surface,
};

const MANAGER: &str = "vouchsafe-promotions";
/// How often everything is looked at again, though nothing was seen to change.
const RESYNC: Duration = Duration::from_secs(600);

/// Decides on one Promotion.
pub(crate) async fn reconcile(promotion: Arc<Promotion>, context: Arc<Context>) -> Result<Action, Error> {
    if promotion.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = now();
    let judged = judge(&promotion, &context, now).await;
    let next = match &judged {
        Ok(judged) => status::decided(&promotion, judged, &context, now),
        Err(unusable) => status::unusable(&promotion, unusable, &context.world, now),
    };
    let previous = promotion.status.clone().unwrap_or_default();
    let review = next.next_review_at;
    if next != previous {
        let namespace = promotion.namespace().unwrap_or_default();
        let api = Api::<Promotion>::namespaced(context.world.client.clone(), &namespace);
        write::status(&api, promotion.as_ref(), MANAGER, &next).await?;
        told(&promotion, &previous, &next, judged.as_ref().ok(), &context, now);
        if previous.verdict != next.verdict {
            context.recorder.verdict(&promotion, &next);
            waited(&promotion, &previous, &context, now);
        }
    }
    Ok(Action::requeue(review.map_or(RESYNC, |at| until(at).min(RESYNC))))
}

/// Tells the log, and the Promotion's trace, what was decided.
fn told(
    promotion: &Promotion,
    previous: &PromotionStatus,
    next: &PromotionStatus,
    judged: Option<&Judged>,
    context: &Context,
    begun: jiff::Timestamp,
) {
    let traced = context.traces.as_ref().and_then(|traces| traces.of(promotion));
    let decision = judged.map(|judged| (&judged.decision, judged.facts_digest));
    if let Some((decision, facts)) = decision {
        let ids = traced.as_ref().map(|traced| traced.decision(begun));
        decided::log(promotion, decision, facts, ids);
    }
    if let Some(traced) = traced {
        traced.decided(&Decided {
            previous,
            next,
            decision,
            begun,
            ended: now(),
        });
    }
}

/// Measures for how long the release waited, now that it does not any more, or for others.
fn waited(promotion: &Promotion, previous: &PromotionStatus, context: &Context, now: jiff::Timestamp) {
    let (environment, since) = (&promotion.spec.environment, previous.history.first());
    let (Some(since), Some(_)) = (since, context.world.environment(environment)) else {
        return;
    };
    let whom = match previous.verdict {
        Some(Verdict::Waiting) => "machines",
        Some(Verdict::AwaitingApproval) => "people",
        _ => return,
    };
    let seconds = now.duration_since(since.at).as_secs_f64();
    context.metrics.waited(environment, whom, seconds.max(0.0));
}

/// A decision and what it was made from.
struct Judged {
    policy: Arc<CompiledPolicy>,
    decision: Decision,
    facts_digest: vouchsafe_core::digest::Digest,
}

/// Why a Promotion cannot be judged at all: nothing but another one helps, or another Environment.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error("its namespace belongs to environment `{found}`, and it asks for `{asked}`; ask again for `{found}`")]
    OtherEnvironment { asked: String, found: String },
    #[error("its namespace belongs to no environment; label it with vouchsafe.dev/environment")]
    Ungoverned,
    #[error("there is no Environment `{0}`; create it, or label the namespace with another one")]
    NoEnvironment(String),
    #[error("{0}; make it with `kubectl vouchsafe promote`")]
    Release(#[from] lower::ReleaseError),
    #[error("its name has to be `{0}`")]
    Name(String),
}

impl Unusable {
    fn reason(&self) -> &'static str {
        match self {
            Self::OtherEnvironment { .. } => "OtherEnvironment",
            Self::Ungoverned => "NamespaceNotGoverned",
            Self::NoEnvironment(_) => "EnvironmentNotFound",
            Self::Release(lower::ReleaseError::Surface(_)) => "SurfaceInvalid",
            Self::Release(lower::ReleaseError::Digest { .. }) => "SurfaceMismatch",
            Self::Name(_) => "NameMismatch",
        }
    }

    /// Whether what was cleared before stays so: the policy is gone, the release is the same.
    fn keeps_clearance(&self) -> bool {
        matches!(self, Self::NoEnvironment(_))
    }
}

/// The surface that a Promotion carries, when it is the release's that it names.
fn claimed(promotion: &Promotion) -> Result<Surface, Unusable> {
    let surface = lower::promotion(&promotion.spec)?;
    let name = promotion.spec.release.promotion_name(&promotion.spec.agent);
    if name == promotion.name_any() {
        Ok(surface)
    } else {
        Err(Unusable::Name(name))
    }
}

async fn judge(promotion: &Promotion, context: &Context, now: jiff::Timestamp) -> Result<Judged, Unusable> {
    let world = &context.world;
    let surface = claimed(promotion)?;
    let found = world.environment_of(&promotion.namespace().unwrap_or_default());
    let asked = &promotion.spec.environment;
    if found.is_empty() {
        return Err(Unusable::Ungoverned);
    }
    if found != *asked {
        return Err(Unusable::OtherEnvironment {
            asked: asked.clone(),
            found,
        });
    }
    let environment = world
        .environment(asked)
        .ok_or_else(|| Unusable::NoEnvironment(asked.clone()))?;
    let (environments, checks) = (world.environments.state(), world.checks.state());
    let catalogue = lower::Catalogue::new(environments.iter().map(AsRef::as_ref), checks.iter().map(AsRef::as_ref));
    let (policy, _) = lower::policy(asked, &environment.spec, &catalogue);
    let policy = context.policies.of(policy);
    let facts = facts::gather(promotion, &surface, policy.policy(), context).await;
    let release = PreparedRelease::new(&Release {
        agent: &promotion.spec.agent,
        surface: &surface,
    });
    let begun = Instant::now();
    let decision = policy.decide(&release, &facts, now);
    context
        .metrics
        .decided(asked, decision.verdict.as_str(), begun.elapsed());
    let facts_digest = vouchsafe_core::digest::Digest::of_json(&serde_json::to_value(&facts).unwrap_or_default());
    Ok(Judged {
        policy,
        decision,
        facts_digest,
    })
}
