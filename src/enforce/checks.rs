//! What is said of a Check: whether its expression compiles and its keys can be read.

use super::{Context, Error, write};
use crate::observe::signatures;
use kube::{Api, ResourceExt, runtime::controller::Action};
use std::{sync::Arc, time::Duration};
use vouchsafe_api::{Check, check::CheckStatus, conditions::Reason, lower};
use vouchsafe_core::{
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
    let unusable = problems.first().map(|problem| (problem.reason, problem.to_string()));
    match unusable.or_else(|| unreadable(&lowered?.rule)) {
        None => Wanted {
            kind: "Ready",
            status: Truth::True,
            reason: Reason::Accepted.as_str(),
            message: "it can be used as it is written".to_owned(),
        },
        Some((reason, message)) => Wanted {
            kind: "Ready",
            status: Truth::False,
            reason: reason.as_str(),
            message,
        },
    }
}

/// Keys that cannot be read.
fn unreadable(rule: &CheckRule) -> Option<(Reason, String)> {
    let CheckRule::Signature { authorities, .. } = rule else {
        return None;
    };
    let error = signatures::keys(authorities).err()?;
    let message = format!("spec.signature.authorities: {error}; give a public key in PEM (SPKI)");
    Some((Reason::KeyInvalid, message))
}
