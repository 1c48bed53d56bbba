//! An Environment with its Checks as core's policy.

mod order;

use super::{Problem, check::check};
use crate::{
    check::{Check, CheckSpec},
    conditions::Reason,
    environment::{
        Environment, EnvironmentSpec,
        rules::{Approvals, Clearance, Exemption, OnFailure, Predecessor, Requirement},
    },
};
use std::collections::BTreeMap;
use vouchsafe_core::decision::{self, ApprovalRule, ClearanceRule, Policy};

/// Everything that an Environment can refer to, by name.
#[derive(Debug, Clone, Default)]
pub struct Catalogue<'a> {
    /// The Environments.
    pub environments: BTreeMap<&'a str, &'a EnvironmentSpec>,
    /// The Checks.
    pub checks: BTreeMap<&'a str, &'a CheckSpec>,
}

impl<'a> Catalogue<'a> {
    /// A catalogue of what is stored.
    pub fn new(
        environments: impl IntoIterator<Item = &'a Environment>,
        checks: impl IntoIterator<Item = &'a Check>,
    ) -> Self {
        Self {
            environments: environments
                .into_iter()
                .filter_map(|of| Some((of.metadata.name.as_deref()?, &of.spec)))
                .collect(),
            checks: checks
                .into_iter()
                .filter_map(|of| Some((of.metadata.name.as_deref()?, &of.spec)))
                .collect(),
        }
    }
}

/// What an Environment asks for. Problems that make the whole unusable are in the policy too, so that nothing is cleared by it.
#[must_use]
pub fn policy(name: &str, spec: &EnvironmentSpec, catalogue: &Catalogue<'_>) -> (Policy, Vec<Problem>) {
    let EnvironmentSpec {
        sensitivity,
        enforcement: _,
        after,
        requires,
        approvals,
        unknown_author,
        on_binding_change,
        existing,
        clearance,
        hold: _,
        connect: _,
        exempt,
    } = spec;
    let object = format!("Environment/{name}");
    let blocking = order::problems(name, spec, catalogue, &object);
    let mut problems: Vec<Problem> = exemptions(exempt, &object).collect();
    problems.extend(without_effect(clearance, &object));
    let requires = requires
        .iter()
        .enumerate()
        .map(|(at, wanted)| requirement(at, wanted, catalogue, &object, &mut problems))
        .collect();
    let policy = Policy {
        environment: name.to_owned(),
        sensitivity: (*sensitivity).into(),
        after: after.iter().map(predecessor).collect(),
        requires,
        approvals: approvals.iter().map(approval).collect(),
        unknown_author: (*unknown_author).into(),
        on_binding_change: (*on_binding_change).into(),
        clearance: rule(clearance),
        grandfather_until: existing.as_ref().map(|existing| existing.grandfather_until),
        problems: blocking.iter().map(ToString::to_string).collect(),
    };
    problems.extend(blocking);
    problems.sort();
    problems.dedup();
    (policy, problems)
}

fn predecessor(Predecessor { environment, soak }: &Predecessor) -> decision::Predecessor {
    decision::Predecessor {
        environment: environment.clone(),
        soak: soak.duration(),
    }
}

/// What can be written and is not enforced in this version: said, so that nobody relies on it.
fn without_effect(clearance: &Clearance, object: &str) -> Option<Problem> {
    let evict = (clearance.on_failure == OnFailure::Evict).then_some((
        "spec.clearance.onFailure",
        "`Evict` acts as `Hold` in this version: the clearance is withdrawn, and pods that run are not evicted",
    ));
    let problem = |(field, message): (&str, &str)| Problem {
        object: object.to_owned(),
        field: field.to_owned(),
        message: message.to_owned(),
        reason: Reason::NotEnforced,
    };
    evict.map(problem)
}

fn requirement(
    at: usize,
    wanted: &Requirement,
    catalogue: &Catalogue<'_>,
    object: &str,
    problems: &mut Vec<Problem>,
) -> decision::Requirement {
    let Requirement {
        check: name,
        max_age,
        parameters,
    } = wanted;
    let definition = match catalogue.checks.get(name.as_str()) {
        Some(spec) => {
            let (definition, of_check) = check(name, spec);
            problems.extend(of_check);
            definition
        }
        None => {
            problems.push(Problem {
                object: object.to_owned(),
                field: format!("spec.requires[{at}].check"),
                message: format!("there is no Check `{name}`, so that nothing new is cleared"),
                reason: Reason::CheckNotFound,
            });
            None
        }
    };
    let wrong = definition.as_ref().and_then(|check| check.wrong_parameter(parameters));
    problems.extend(wrong.map(|message| Problem {
        object: object.to_owned(),
        field: format!("spec.requires[{at}].parameters"),
        message: format!("{message} (Check `{name}`), so that nothing passes it"),
        reason: Reason::PolicyInvalid,
    }));
    decision::Requirement {
        check: name.clone(),
        max_age: max_age.as_ref().map(crate::period::Period::duration),
        parameters: parameters.clone(),
        definition,
    }
}

fn approval(
    Approvals {
        role,
        count,
        contact,
        exclude,
    }: &Approvals,
) -> ApprovalRule {
    ApprovalRule {
        role: role.clone(),
        count: *count,
        contact: contact.clone(),
        exclude: exclude.iter().copied().map(Into::into).collect(),
    }
}

/// How many earlier releases are kept is for the ledger, not for the decision.
fn rule(
    Clearance {
        valid_for,
        keep_previous: _,
        on_failure,
        grace_period,
    }: &Clearance,
) -> ClearanceRule {
    ClearanceRule {
        valid_for: valid_for.duration(),
        on_failure: (*on_failure).into(),
        grace_period: grace_period.duration(),
    }
}

/// An exempted container is known by its content: an image by tag could be anything.
fn exemptions<'a>(exempt: &'a [Exemption], object: &'a str) -> impl Iterator<Item = Problem> + 'a {
    let pinned = |exemption: &Exemption| {
        let image = exemption.container.get("image").and_then(serde_json::Value::as_str);
        image
            .and_then(|image| image.split_once("@"))
            .is_some_and(|(_, digest)| digest.parse::<vouchsafe_core::digest::Digest>().is_ok())
    };
    exempt
        .iter()
        .enumerate()
        .filter(move |(_, exemption)| !pinned(exemption))
        .map(move |(at, exemption)| Problem {
            object: object.to_owned(),
            field: format!("spec.exempt[{at}].container.image"),
            message: format!(
                "container `{}` is not exempted: its image is not pinned as `repository@sha256:…`",
                exemption.name
            ),
            reason: Reason::ExemptionInvalid,
        })
}

#[cfg(test)]
mod tests;
