//! Whether the environments that come before one another have an order.

use super::Catalogue;
use crate::{conditions::Reason, environment::EnvironmentSpec, lower::Problem};
use std::collections::BTreeSet;

/// Environments before this one that are not there, and the way back to it when there is one.
pub(super) fn problems(name: &str, spec: &EnvironmentSpec, catalogue: &Catalogue<'_>, object: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (at, before) in spec.after.iter().enumerate() {
        let message = match catalogue.environments.get(before.environment.as_str()) {
            None if before.environment != name => format!("there is no Environment `{}`", before.environment),
            _ => match way_back(&before.environment, name, catalogue) {
                Some(way) => format!(
                    "the environments come before one another in a circle: {name} after {}",
                    way.join(" after ")
                ),
                None => continue,
            },
        };
        let field = format!("spec.after[{at}].environment");
        problems.push(Problem {
            object: object.to_owned(),
            field,
            message,
            reason: Reason::PredecessorInvalid,
        });
    }
    problems
}

/// From one environment to another by what comes before, each looked at once.
fn way_back(from: &str, to: &str, catalogue: &Catalogue<'_>) -> Option<Vec<String>> {
    let mut seen = BTreeSet::new();
    let mut open = vec![vec![from.to_owned()]];
    while let Some(way) = open.pop() {
        let Some(last) = way.last() else { continue };
        if last == to {
            return Some(way);
        }
        if !seen.insert(last.clone()) {
            continue;
        }
        let Some(spec) = catalogue.environments.get(last.as_str()) else {
            continue;
        };
        for before in spec.after.iter().rev() {
            let mut longer = way.clone();
            longer.push(before.environment.clone());
            open.push(longer);
        }
    }
    None
}
