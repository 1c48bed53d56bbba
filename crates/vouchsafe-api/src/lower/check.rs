//! A Check's spec as core's.

use super::Problem;
use crate::{
    check::{
        CheckSpec,
        rules::{Authority, EvidenceRule, Parameter, Producer, ProducerKind, SignatureRule, SurfaceRule},
    },
    conditions::Reason,
};
use vouchsafe_core::{
    cel::{PolicyKind, validate_policy},
    decision,
};

/// How a requirement is judged. None when the spec does not say it in exactly one way, which the API server never stores.
#[must_use]
pub fn check(name: &str, spec: &CheckSpec) -> (Option<decision::Check>, Vec<Problem>) {
    let CheckSpec {
        description: _,
        owner,
        severity: _,
        controls: _,
        parameters,
        signature,
        evidence,
        surface,
    } = spec;
    let object = format!("Check/{name}");
    let mut problems = Vec::new();
    let rule = match (signature, evidence, surface) {
        (Some(rule), None, None) => Some(by_signature(rule, &object, &mut problems)),
        (None, Some(rule), None) => {
            problems.extend(expression(
                &object,
                "spec.evidence.policy",
                &rule.policy,
                PolicyKind::Evidence,
            ));
            Some(by_evidence(rule))
        }
        (None, None, Some(rule)) => {
            problems.extend(expression(
                &object,
                "spec.surface.policy",
                &rule.policy,
                PolicyKind::Surface,
            ));
            Some(by_surface(rule))
        }
        _ => {
            let message = "give exactly one of signature, evidence and surface".to_owned();
            problems.push(Problem {
                object,
                field: "spec".to_owned(),
                message,
                reason: Reason::PolicyInvalid,
            });
            None
        }
    };
    let check = rule.map(|rule| decision::Check {
        parameters: parameters.iter().map(parameter).collect(),
        rule,
        owner: owner.clone(),
    });
    (check, problems)
}

/// What is wrong with an expression; the check is inconclusive then, and stays in the policy.
fn expression(object: &str, field: &str, policy: &str, kind: PolicyKind) -> Option<Problem> {
    let error = validate_policy(policy, kind).err()?;
    Some(Problem {
        object: object.to_owned(),
        field: field.to_owned(),
        message: format!("{error}, so that nothing passes it"),
        reason: Reason::ExpressionInvalid,
    })
}

fn parameter(Parameter { name, kind, default }: &Parameter) -> decision::Parameter {
    decision::Parameter {
        name: name.clone(),
        kind: (*kind).into(),
        default: default.clone(),
    }
}

fn by_signature(rule: &SignatureRule, object: &str, problems: &mut Vec<Problem>) -> decision::CheckRule {
    let SignatureRule {
        of,
        authorities,
        threshold,
    } = rule;
    let mut usable = Vec::new();
    for (at, Authority { name, key }) in authorities.iter().enumerate() {
        match key {
            Some(key) => usable.push(decision::Authority {
                name: name.clone(),
                key: key.clone(),
            }),
            None => problems.push(Problem {
                object: object.to_owned(),
                field: format!("spec.signature.authorities[{at}].key"),
                message: format!("authority `{name}` has no public key, so that its signatures do not count"),
                reason: Reason::KeyInvalid,
            }),
        }
    }
    decision::CheckRule::Signature {
        of: of.iter().copied().map(Into::into).collect(),
        authorities: usable,
        threshold: (*threshold).max(1),
    }
}

fn by_evidence(
    EvidenceRule {
        subject,
        formats,
        policy,
        producers,
    }: &EvidenceRule,
) -> decision::CheckRule {
    decision::CheckRule::Evidence {
        subject: (*subject).into(),
        formats: formats.iter().map(|format| format.as_str().to_owned()).collect(),
        policy: policy.clone(),
        producers: producers.iter().map(producer).collect(),
    }
}

/// A service account is a user with a name of its own form; without a namespace it is nobody.
fn producer(Producer { kind, name, namespace }: &Producer) -> decision::Producer {
    match kind {
        ProducerKind::User => decision::Producer::User(name.clone()),
        ProducerKind::Group => decision::Producer::Group(name.clone()),
        ProducerKind::ServiceAccount => {
            let namespace = namespace.as_deref().unwrap_or_default();
            decision::Producer::User(format!("system:serviceaccount:{namespace}:{name}"))
        }
    }
}

fn by_surface(SurfaceRule { policy, message }: &SurfaceRule) -> decision::CheckRule {
    decision::CheckRule::Surface {
        policy: policy.clone(),
        message: message.clone(),
    }
}
