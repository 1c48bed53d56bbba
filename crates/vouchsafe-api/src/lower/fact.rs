//! Evidence, Approvals and Waivers as facts. What the API server did not stamp or date is no fact but something that could not be
//! learnt, and nothing may be concluded from its absence.

use crate::{
    approval::{Approval, ApprovalSpec},
    evidence::{Evidence, EvidenceSpec, Finding, Subject, SubjectKind, Tool},
    stamp::Stamp,
    waiver::{Waiver, WaiverSpec},
};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use vouchsafe_core::{
    decision::{self, ApprovalFact, EvidenceFact, FactProblem, Person, WaiverFact},
    digest::{Digest, ParseDigestError, ReleaseDigest},
};

/// Somebody, as the API server knows them.
#[must_use]
pub fn person(
    Stamp {
        username,
        uid: _,
        groups,
    }: &Stamp,
) -> Person {
    Person {
        username: username.clone(),
        groups: groups.iter().cloned().collect(),
    }
}

/// A report in normal form.
///
/// # Errors
/// When it is not stamped, not dated, or not about a digest.
pub fn evidence(object: &Evidence) -> Result<EvidenceFact, FactProblem> {
    let EvidenceSpec {
        subject,
        check,
        format,
        tool,
        started_at,
        finished_at,
        result,
        reason,
        counters,
        findings,
        report: _,
        by,
    } = &object.spec;
    let problem = |message: String| problem(object, &message, Some(check));
    Ok(EvidenceFact {
        id: id(object),
        check: check.clone(),
        subject: subject.kind.into(),
        digest: subject_digest(subject).map_err(|error| problem(error.to_string()))?,
        format: format.as_str().to_owned(),
        tool: scanner(tool),
        started_at: *started_at,
        finished_at: *finished_at,
        created_at: created(object).map_err(problem)?,
        result: (*result).into(),
        reason: reason.clone(),
        counters: counters.clone(),
        findings: findings.iter().map(finding).collect(),
        producer: stamped(by.as_ref()).map_err(problem)?,
    })
}

/// One person's vote.
///
/// # Errors
/// When it is not stamped or not dated.
pub fn approval(object: &Approval) -> Result<ApprovalFact, FactProblem> {
    let ApprovalSpec {
        promotion: _,
        release,
        environment,
        role,
        scope,
        decision,
        waiver,
        reason: _,
        by,
    } = &object.spec;
    let problem = |message: String| problem(object, &message, None);
    Ok(ApprovalFact {
        id: id(object),
        release: *release,
        environment: environment.clone(),
        role: role.clone(),
        scope: (*scope).into(),
        vote: (*decision).into(),
        waiver: waiver.clone(),
        by: stamped(by.as_ref()).map_err(problem)?,
        at: created(object).map_err(problem)?,
    })
}

/// One Waiver.
///
/// # Errors
/// When it is not stamped or not dated.
pub fn waiver(object: &Waiver) -> Result<WaiverFact, FactProblem> {
    let WaiverSpec {
        promotion: _,
        release,
        environment,
        checks,
        break_glass,
        reason,
        ticket: _,
        not_after,
        by,
    } = &object.spec;
    let problem = |message: String| problem(object, &message, None);
    Ok(WaiverFact {
        id: object.name_any(),
        release: *release,
        environment: environment.clone(),
        checks: checks.iter().cloned().collect(),
        break_glass: *break_glass,
        not_after: *not_after,
        reason: reason.clone(),
        by: stamped(by.as_ref()).map_err(problem)?,
        at: created(object).map_err(problem)?,
    })
}

/// The digest of what evidence is about, a release's without its version.
fn subject_digest(Subject { kind, digest }: &Subject) -> Result<Digest, ParseDigestError> {
    match kind {
        SubjectKind::Release => digest.parse::<ReleaseDigest>().map(|release| release.digest()),
        SubjectKind::Image | SubjectKind::Model | SubjectKind::ToolServer => digest.parse(),
    }
}

fn scanner(
    Tool {
        name,
        version,
        database_time,
    }: &Tool,
) -> decision::Scanner {
    decision::Scanner {
        name: name.clone(),
        version: version.clone(),
        database_time: *database_time,
    }
}

fn finding(
    Finding {
        id,
        severity,
        title,
        package,
        fixed_version,
        suppressed,
    }: &Finding,
) -> decision::Finding {
    decision::Finding {
        id: id.clone(),
        severity: severity.as_str().to_lowercase(),
        title: title.clone(),
        package: package.clone(),
        fixed_version: fixed_version.clone(),
        suppressed: *suppressed,
    }
}

fn id(object: &impl ResourceExt) -> String {
    match object.namespace() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}

fn created(object: &impl ResourceExt) -> Result<Timestamp, String> {
    object
        .creation_timestamp()
        .map(|time| time.0)
        .ok_or_else(|| "it has no creationTimestamp".to_owned())
}

fn stamped(by: Option<&Stamp>) -> Result<Person, String> {
    by.filter(|by| !by.username.is_empty())
        .map(person)
        .ok_or_else(|| "the API server has not stamped who made it (spec.by)".to_owned())
}

fn problem<K: Resource<DynamicType = ()>>(object: &K, message: &str, check: Option<&String>) -> FactProblem {
    FactProblem {
        object: format!("{}/{}", K::kind(&()), object.name_any()),
        message: message.to_owned(),
        check: check.cloned(),
    }
}

#[cfg(test)]
mod tests;
