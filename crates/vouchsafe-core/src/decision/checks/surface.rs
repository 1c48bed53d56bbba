//! What a release says of itself, judged by an expression.

use super::{OutcomeReason, PreparedRelease, Verdict};
use crate::{cel::Scope, decision::compiled::Rule};

pub(super) fn judge(rule: &Rule, message: Option<&str>, release: &PreparedRelease) -> Verdict {
    let Some(program) = &rule.program else {
        return Verdict::inconclusive(OutcomeReason::PolicyError, "the check has no policy");
    };
    match program.holds(&Scope::surface(&release.input, &rule.parameters)) {
        Ok(true) => Verdict::pass("the surface satisfies the policy"),
        Ok(false) => {
            let message = message.unwrap_or("the surface does not satisfy the policy");
            Verdict::fail(OutcomeReason::PolicyNotSatisfied, message)
        }
        Err(error) => Verdict::inconclusive(OutcomeReason::PolicyError, error.to_string()),
    }
}
