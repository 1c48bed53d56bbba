//! What is said of a Check: whether its expression compiles and its keys can be read.

use super::{Context, Error, write};
use crate::observe::signatures;
use kube::{Api, ResourceExt, runtime::controller::Action};
use std::{sync::Arc, time::Duration};
use vouchsafe_api::{Check, check::CheckStatus, lower};
use vouchsafe_core::{
    cel::{PolicyKind, validate_policy},
    conditions::{Truth, Wanted, merge},
    decision::CheckRule,
};

const MANAGER: &str = "vouchsafe-checks";
/// How often everything is looked at again, though nothing was seen to change.
const RESYNC: Duration = Duration::from_secs(600);

/// Looks at one check.
pub(crate) async fn reconcile(check: Arc<Check>, context: Arc<Context>) -> Result<Action, Error> {
    let previous = check.status.clone().unwrap_or_default();
    let generation = check.metadata.generation.unwrap_or_default();
    let conditions = merge(&previous.conditions, vec![ready(&check)], generation, super::now());
    let status = CheckStatus {
        observed_generation: generation,
        conditions: conditions.unwrap_or_else(|| previous.conditions.clone()),
    };
    if status != previous {
        let api = Api::<Check>::all(context.world.client.clone());
        write::status(&api, check.as_ref(), MANAGER, &status).await?;
    }
    Ok(Action::requeue(RESYNC))
}

fn ready(check: &Check) -> Wanted {
    let (lowered, problems) = lower::check(&check.name_any(), &check.spec);
    let unusable = problems.first().map(|problem| ("PolicyInvalid", problem.to_string()));
    let wrong = unusable.or_else(|| lowered.and_then(|lowered| wrong(&lowered.rule)));
    match wrong {
        None => Wanted {
            kind: "Ready",
            status: Truth::True,
            reason: "Accepted",
            message: "it can be used as it is written".to_owned(),
        },
        Some((reason, message)) => Wanted {
            kind: "Ready",
            status: Truth::False,
            reason,
            message,
        },
    }
}

/// What is wrong with how it judges: a stable word, and a sentence that names the field.
fn wrong(rule: &CheckRule) -> Option<(&'static str, String)> {
    let expression = |field: &str, policy: &str, kind| {
        let error = validate_policy(policy, kind).err()?;
        Some((
            "ExpressionInvalid",
            format!("{field}: {error}; nothing passes this check until it is mended"),
        ))
    };
    match rule {
        CheckRule::Signature { authorities, .. } => {
            let error = signatures::keys(authorities).err()?;
            Some((
                "KeyInvalid",
                format!("spec.signature.authorities: {error}; give a public key in PEM (SPKI)"),
            ))
        }
        CheckRule::Evidence { policy, .. } => expression("spec.evidence.policy", policy, PolicyKind::Evidence),
        CheckRule::Surface { policy, .. } => expression("spec.surface.policy", policy, PolicyKind::Surface),
    }
}
