//! In which roles somebody may approve. Asked of the API server, so that the answer is RBAC's own.

use super::cluster::{Cluster, ClusterError, Right};
use std::collections::BTreeSet;
use vouchsafe_api::promotion::status::ApprovalOutcome;
use vouchsafe_core::decision::{INDEPENDENT, REINSTATE};

/// What whoever may approve in any role is asked about.
const ANY: &str = "admin";

/// Whether a role is one of nobody in particular: a word in any role fills it.
pub(crate) fn is_anybodys(role: &str) -> bool {
    [INDEPENDENT, REINSTATE].contains(&role)
}

/// Whether we may approve in a role.
pub(crate) async fn is_ours(
    role: &str,
    environment: &str,
    namespace: &str,
    cluster: &Cluster,
) -> Result<bool, ClusterError> {
    let right = Right {
        verb: "approve",
        resource: "environments",
        subresource: Some(role),
        name: environment,
        namespace,
    };
    cluster.may(&right).await
}

/// A role of ours, where a word in any role counts: one that the environment asks for, or one that the API server lists as ours.
pub(crate) async fn any_of_ours(
    asked: &[ApprovalOutcome],
    environment: &str,
    namespace: &str,
    cluster: &Cluster,
) -> Result<Option<String>, ClusterError> {
    let named = asked.iter().map(|outcome| &outcome.role);
    let mut candidates: BTreeSet<String> = named.filter(|role| !is_anybodys(role)).cloned().collect();
    candidates.extend(listed(environment, namespace, cluster).await?);
    for role in candidates {
        if is_ours(&role, environment, namespace, cluster).await? {
            return Ok(Some(role));
        }
    }
    Ok(None)
}

/// Roles that the API server lists as ours; it may not list all.
async fn listed(environment: &str, namespace: &str, cluster: &Cluster) -> Result<BTreeSet<String>, ClusterError> {
    let has = |list: &Option<Vec<String>>, word: &str| {
        let list = list.as_deref().unwrap_or_default();
        list.iter().any(|found| found == word || found == "*")
    };
    let names = |list: &Option<Vec<String>>| {
        let list = list.as_deref().unwrap_or_default();
        list.is_empty() || list.iter().any(|name| name == environment)
    };
    let mut roles = BTreeSet::new();
    for rule in cluster.rules(namespace).await? {
        if !has(&Some(rule.verbs), "approve")
            || !has(&rule.api_groups, vouchsafe_api::GROUP)
            || !names(&rule.resource_names)
        {
            continue;
        }
        let resources = rule.resources.unwrap_or_default();
        roles.extend(resources.iter().filter_map(|resource| match resource.as_str() {
            "*" | "environments/*" => Some(ANY.to_owned()),
            other => other.strip_prefix("environments/").map(str::to_owned),
        }));
    }
    Ok(roles)
}
